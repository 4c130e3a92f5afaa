use crate::base::Mono;
use crate::sip::Status;
use crate::transaction::effect::Effect;
use crate::transaction::timing::Timing;
use bytes::Bytes;
use std::time::Duration;

/// The non-INVITE server transaction (RFC 3261 §17.2.2).
///
/// ```text
///         request: pass
///               |
///          +----v---+  request: absorb
///     +----| Trying |
///     |    +--------+
///     |         | 1xx from the user: send
///     |   +-----v------+  request: send last provisional again
///     +---| Proceeding |  1xx from the user: send
///     |   +------------+
///     | 200-699 from the user: send
/// +---v-------+  request: send again
/// | Completed |---- timer J, transport error ----> Terminated
/// +-----------+
/// ```
#[derive(Debug, PartialEq)]
pub(super) enum Server {
    Trying,
    Proceeding { last: Bytes },
    Completed { response: Bytes, until: Mono },
    Terminated,
}

impl Server {
    pub fn start() -> Server {
        Server::Trying
    }

    /// The user's response; after a final one nothing more is sent.
    pub fn respond(&mut self, now: Mono, timing: &Timing, status: Status, data: Bytes) -> Effect {
        if matches!(self, Server::Completed { .. } | Server::Terminated) {
            return Effect::nothing();
        }
        *self = match timing.j() {
            _ if status.provisional() => Server::Proceeding { last: data.clone() },
            Duration::ZERO => Server::Terminated,
            j => Server::Completed { response: data.clone(), until: now.after(j) },
        };
        Effect::send(data)
    }

    /// The request came again.
    pub fn again(&self) -> Effect {
        match self {
            Server::Proceeding { last } => Effect::send(last.clone()),
            Server::Completed { response, .. } => Effect::send(response.clone()),
            Server::Trying | Server::Terminated => Effect::nothing(),
        }
    }

    /// Timer J or a transport error: the peer has had its answer, or cannot get one. Before that the user must act.
    pub fn end(&mut self) -> Effect {
        if let Server::Completed { .. } = self {
            *self = Server::Terminated;
        }
        Effect::nothing()
    }

    /// When to call [`Server::end`].
    pub fn deadline(&self) -> Option<Mono> {
        match self {
            Server::Completed { until, .. } => Some(*until),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::testing::{at, tcp, udp};

    fn data(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn a_repeated_request_gets_what_was_said_last() {
        let mut m = Server::start();
        assert_eq!(m.again(), Effect::nothing());
        m.respond(at(0), &udp(), Status(100), data("100"));
        assert_eq!(m.again(), Effect::send(data("100")));
        assert_eq!(m.respond(at(10), &udp(), Status(200), data("200")), Effect::send(data("200")));
        assert_eq!(m.again(), Effect::send(data("200")));
    }

    #[test]
    fn there_is_one_final_response() {
        let mut m = Server::start();
        m.respond(at(0), &udp(), Status(200), data("200"));
        assert_eq!(m.respond(at(1), &udp(), Status(500), data("500")), Effect::nothing());
        assert_eq!(m.again(), Effect::send(data("200")));
    }

    #[test]
    fn timer_j_ends_it_and_is_zero_over_tcp() {
        let mut m = Server::start();
        assert_eq!(m.deadline(), None);
        m.respond(at(0), &udp(), Status(200), data("200"));
        assert_eq!(m.deadline(), Some(at(32_000)));
        m.end();
        assert_eq!(m, Server::Terminated);

        let mut m = Server::start();
        m.respond(at(0), &tcp(), Status(200), data("200"));
        assert_eq!(m, Server::Terminated);
    }
}
