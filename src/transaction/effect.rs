use crate::transaction::Failure;
use bytes::Bytes;

/// An effect that a machine wants: first the bytes sent, then the transaction user told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Effect {
    pub send: Option<Bytes>,
    pub notice: Notice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Notice {
    #[default]
    Nothing,
    /// The message that came in is for the user.
    Pass,
    /// The message that came in is a 2xx which this transaction no longer answers for.
    Stray,
    Failed(Failure),
    Unacknowledged,
}

impl Effect {
    pub fn nothing() -> Effect {
        Effect::default()
    }

    pub fn send(data: Bytes) -> Effect {
        Effect { send: Some(data), notice: Notice::Nothing }
    }

    pub fn notice(notice: Notice) -> Effect {
        Effect { send: None, notice }
    }

    /// Sends the bytes if there are any.
    pub fn maybe(send: Option<Bytes>) -> Effect {
        Effect { send, notice: Notice::Nothing }
    }
}
