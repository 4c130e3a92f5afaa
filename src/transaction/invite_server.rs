use crate::base::Mono;
use crate::sip::Status;
use crate::transaction::effect::{Effect, Notice};
use crate::transaction::timing::{Resend, Timing, earlier};
use bytes::Bytes;
use std::time::Duration;

/// The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §8.5).
///
/// ```text
///              INVITE: pass
///                   |
///            +------v-----+  INVITE: send last provisional again
///     +------| Proceeding |  1xx from the user: send
///     |      +------------+  transport error: Unacknowledged
///     |             |
///     | 2xx: send   | 300-699: send
///     |             |
/// +---v------+  +---v-------+  INVITE, timer G (UDP): send again
/// | Accepted |  | Completed |  timer H, transport error: Unacknowledged
/// +----------+  +-----------+
///     |             | ACK
///     |         +---v-------+
///     |         | Confirmed |  INVITE, ACK: absorb
///     |         +-----------+
///     | timer L     | timer I
///     +-------------+-----> Terminated
///
/// Accepted: INVITE: absorb; 2xx from the user: send; ACK: pass
/// ```
#[derive(Debug, PartialEq)]
pub(super) enum InviteServer {
    Proceeding { last: Option<Bytes> },
    Completed { response: Bytes, resend: Option<Resend>, until: Mono },
    Confirmed { until: Mono },
    Accepted { until: Mono },
    Terminated,
}

impl InviteServer {
    pub fn start() -> InviteServer {
        InviteServer::Proceeding { last: None }
    }

    /// The user's response; a second final one is not sent, but a 2xx may be repeated (RFC 6026 §7.1).
    pub fn respond(&mut self, now: Mono, timing: &Timing, status: Status, data: Bytes) -> Effect {
        match self {
            InviteServer::Proceeding { last } if status.provisional() => {
                *last = Some(data.clone());
                Effect::send(data)
            }
            InviteServer::Proceeding { .. } if status.success() => {
                *self = InviteServer::Accepted { until: now.after(timing.give_up()) };
                Effect::send(data)
            }
            InviteServer::Proceeding { .. } => {
                let (resend, until) = (timing.resend(now, &data), now.after(timing.give_up()));
                *self = InviteServer::Completed { response: data.clone(), resend, until };
                Effect::send(data)
            }
            InviteServer::Accepted { .. } if status.success() => Effect::send(data),
            _ => Effect::nothing(),
        }
    }

    /// The INVITE came again.
    pub fn again(&self) -> Effect {
        Effect::maybe(self.last().cloned())
    }

    pub fn ack(&mut self, now: Mono, timing: &Timing) -> Effect {
        match self {
            InviteServer::Completed { .. } => {
                *self = match timing.t4() {
                    Duration::ZERO => InviteServer::Terminated,
                    i => InviteServer::Confirmed { until: now.after(i) },
                };
                Effect::nothing()
            }
            InviteServer::Accepted { .. } => Effect::notice(Notice::Pass),
            _ => Effect::nothing(),
        }
    }

    /// A response has been sent.
    pub fn has_spoken(&self) -> bool {
        !matches!(self, InviteServer::Proceeding { last: None })
    }

    /// No final response has been sent, so a CANCEL still has an effect (RFC 3261 §9.2).
    pub fn proceeding(&self) -> bool {
        matches!(self, InviteServer::Proceeding { .. })
    }

    pub fn fire(&mut self, now: Mono, timing: &Timing) -> Effect {
        match self {
            InviteServer::Completed { resend: Some(resend), until, .. } if now < *until => {
                Effect::send(resend.again(now, timing.t2()))
            }
            InviteServer::Completed { .. } => self.unacknowledged(),
            _ => {
                *self = InviteServer::Terminated;
                Effect::nothing()
            }
        }
    }

    /// The peer cannot be reached. A sent 2xx is the user's to guard: it waits for the ACK itself (RFC 3261 §13.3.1.4).
    pub fn transport_failed(&mut self) -> Effect {
        match self {
            InviteServer::Proceeding { .. } | InviteServer::Completed { .. } => self.unacknowledged(),
            _ => Effect::nothing(),
        }
    }

    /// When to call [`InviteServer::fire`]. In Proceeding it is the user who must act.
    pub fn deadline(&self) -> Option<Mono> {
        match self {
            InviteServer::Proceeding { .. } | InviteServer::Terminated => None,
            InviteServer::Completed { resend, until, .. } => Some(earlier(resend, *until)),
            InviteServer::Confirmed { until } | InviteServer::Accepted { until } => Some(*until),
        }
    }

    fn last(&self) -> Option<&Bytes> {
        match self {
            InviteServer::Proceeding { last } => last.as_ref(),
            InviteServer::Completed { response, .. } => Some(response),
            _ => None,
        }
    }

    fn unacknowledged(&mut self) -> Effect {
        *self = InviteServer::Terminated;
        Effect::notice(Notice::Unacknowledged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::testing::{at, tcp, udp};

    fn data(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    /// Fires until the machine has terminated: when it sent, and how it ended.
    fn run(m: &mut InviteServer, timing: &Timing) -> (Vec<u64>, Mono, Notice) {
        let mut sent = Vec::new();
        loop {
            let now = m.deadline().unwrap();
            let effect = m.fire(now, timing);
            sent.extend(effect.send.map(|_| now.0 / 1000));
            if m.deadline().is_none() {
                return (sent, now, effect.notice);
            }
        }
    }

    #[test]
    fn a_repeated_invite_gets_what_was_said_last() {
        let mut m = InviteServer::start();
        assert_eq!(m.again(), Effect::nothing());
        for text in ["100", "180"] {
            let status = Status(text.parse().unwrap());
            assert_eq!(m.respond(at(0), &udp(), status, data(text)), Effect::send(data(text)));
            assert_eq!(m.again(), Effect::send(data(text)));
        }
        m.respond(at(0), &udp(), Status(486), data("486"));
        assert_eq!(m.again(), Effect::send(data("486")));
        m.ack(at(10), &udp());
        assert_eq!(m.again(), Effect::nothing());
    }

    #[test]
    fn an_unacknowledged_refusal_is_resent_by_timer_g_until_timer_h() {
        let mut m = InviteServer::start();
        m.respond(at(0), &udp(), Status(486), data("486"));
        let sent = vec![500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        assert_eq!(run(&mut m, &udp()), (sent, at(32_000), Notice::Unacknowledged));
    }

    #[test]
    fn over_tcp_timer_g_is_off_and_timer_h_is_not() {
        let mut m = InviteServer::start();
        m.respond(at(0), &tcp(), Status(486), data("486"));
        assert_eq!(run(&mut m, &tcp()), (vec![], at(32_000), Notice::Unacknowledged));
    }

    #[test]
    fn an_ack_ends_the_resending_and_timer_i_absorbs_more_of_them() {
        let mut m = InviteServer::start();
        m.respond(at(0), &udp(), Status(486), data("486"));
        assert_eq!(m.ack(at(100), &udp()), Effect::nothing());
        assert_eq!(m.ack(at(200), &udp()), Effect::nothing());
        assert_eq!(run(&mut m, &udp()), (vec![], at(5100), Notice::Nothing));

        let mut m = InviteServer::start();
        m.respond(at(0), &tcp(), Status(486), data("486"));
        m.ack(at(100), &tcp());
        assert_eq!(m, InviteServer::Terminated);
    }

    #[test]
    fn accepted_absorbs_invites_and_passes_2xx_and_ack_until_timer_l() {
        for timing in [udp(), tcp()] {
            let mut m = InviteServer::start();
            assert_eq!(m.respond(at(0), &timing, Status(200), data("200")), Effect::send(data("200")));
            assert_eq!(m.again(), Effect::nothing());
            assert_eq!(m.respond(at(500), &timing, Status(200), data("200")), Effect::send(data("200")));
            assert_eq!(m.respond(at(500), &timing, Status(500), data("500")), Effect::nothing());
            assert_eq!(m.ack(at(600), &timing), Effect::notice(Notice::Pass));
            assert_eq!(m.transport_failed(), Effect::nothing());
            assert_eq!(run(&mut m, &timing), (vec![], at(32_000), Notice::Nothing));
        }
    }

    #[test]
    fn there_is_one_final_response() {
        let mut m = InviteServer::start();
        m.respond(at(0), &udp(), Status(487), data("487"));
        for status in [180, 200, 500] {
            assert_eq!(m.respond(at(1), &udp(), Status(status), data("x")), Effect::nothing());
        }
        assert_eq!(m.again(), Effect::send(data("487")));
    }

    #[test]
    fn a_dead_flow_ends_what_still_waits() {
        let mut m = InviteServer::start();
        assert_eq!(m.transport_failed(), Effect::notice(Notice::Unacknowledged));
        assert_eq!(m.transport_failed(), Effect::nothing());
    }
}
