use crate::transaction::Failure;
use bytes::Bytes;

/// An effect that a machine wants: first the bytes sent, then the transaction user told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Effect {
    pub send: Option<Bytes>,
    pub tell: Tell,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Tell {
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
        Effect { send: Some(data), tell: Tell::Nothing }
    }

    pub fn tell(tell: Tell) -> Effect {
        Effect { send: None, tell }
    }

    /// Sends the bytes if there are any.
    pub fn maybe(send: Option<Bytes>) -> Effect {
        Effect { send, tell: Tell::Nothing }
    }
}
