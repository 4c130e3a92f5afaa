use crate::base::Mono;
use crate::sip::Status;
use crate::transaction::Failure;
use crate::transaction::effect::{Effect, Notice};
use crate::transaction::timing::{Resend, Timing, earlier};
use bytes::Bytes;
use std::time::Duration;

/// The non-INVITE client transaction (RFC 3261 §17.1.2).
///
/// ```text
///          request sent
///               |
///          +----v---+  timer E: send again (UDP)
///     +----| Trying |  timer F, transport error: Failed
///     |    +--------+
///     |         | 1xx: pass
///     |   +-----v------+  timer E at T2: send again (UDP)
///     +---| Proceeding |  timer F, transport error: Failed
///     |   +------------+  1xx: pass
///     | 200-699: pass
/// +---v-------+
/// | Completed |---- timer K ----> Terminated
/// +-----------+
/// ```
///
/// Timer F runs from the request on and no provisional stops it.
#[derive(Debug, PartialEq)]
pub(super) enum Client {
    Trying { resend: Option<Resend>, until: Mono },
    Proceeding { resend: Option<Resend>, until: Mono },
    Completed { until: Mono },
    Terminated,
}

impl Client {
    /// The request was just sent for the first time.
    pub fn start(now: Mono, timing: &Timing, request: &Bytes) -> Client {
        Client::Trying { resend: timing.resend(now, request), until: now.after(timing.give_up()) }
    }

    pub fn response(&mut self, now: Mono, timing: &Timing, status: Status) -> Effect {
        match self {
            Client::Trying { .. } | Client::Proceeding { .. } if status.is_final() => {
                *self = match timing.t4() {
                    Duration::ZERO => Client::Terminated,
                    k => Client::Completed { until: now.after(k) },
                };
                Effect::notice(Notice::Pass)
            }
            Client::Trying { resend, until } => {
                let (mut resend, until) = (resend.take(), *until);
                if let Some(resend) = &mut resend {
                    resend.slow_down(timing.t2());
                }
                *self = Client::Proceeding { resend, until };
                Effect::notice(Notice::Pass)
            }
            Client::Proceeding { .. } => Effect::notice(Notice::Pass),
            Client::Completed { .. } | Client::Terminated => Effect::nothing(),
        }
    }

    pub fn fire(&mut self, now: Mono, timing: &Timing) -> Effect {
        match self {
            Client::Trying { resend: Some(resend), until } | Client::Proceeding { resend: Some(resend), until }
                if now < *until =>
            {
                Effect::send(resend.again(now, timing.t2()))
            }
            Client::Trying { .. } | Client::Proceeding { .. } => self.fail(Failure::Timeout),
            Client::Completed { .. } | Client::Terminated => {
                *self = Client::Terminated;
                Effect::nothing()
            }
        }
    }

    /// The request goes by a stream, where nothing is sent again; false when it was answered.
    pub fn by_stream(&mut self) -> bool {
        let Client::Trying { resend, .. } = self else { return false };
        *resend = None;
        true
    }

    pub fn transport_failed(&mut self) -> Effect {
        match self {
            Client::Trying { .. } | Client::Proceeding { .. } => self.fail(Failure::Transport),
            Client::Completed { .. } | Client::Terminated => Effect::nothing(),
        }
    }

    /// When to call [`Client::fire`]; none once terminated.
    pub fn deadline(&self) -> Option<Mono> {
        match self {
            Client::Trying { resend, until } | Client::Proceeding { resend, until } => Some(earlier(resend, *until)),
            Client::Completed { until } => Some(*until),
            Client::Terminated => None,
        }
    }

    fn fail(&mut self, cause: Failure) -> Effect {
        *self = Client::Terminated;
        Effect::notice(Notice::Failed(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::testing::{at, request, tcp, udp};

    /// Fires until the machine has terminated: when it sent, and how it ended.
    fn run(m: &mut Client) -> (Vec<u64>, Mono, Notice) {
        let mut sent = Vec::new();
        loop {
            let now = m.deadline().unwrap();
            let effect = m.fire(now, &udp());
            sent.extend(effect.send.map(|_| now.0 / 1000));
            if m.deadline().is_none() {
                return (sent, now, effect.notice);
            }
        }
    }

    #[test]
    fn timer_e_doubles_to_t2_until_timer_f() {
        let mut m = Client::start(at(0), &udp(), &request());
        let sent = vec![500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        assert_eq!(run(&mut m), (sent, at(32_000), Notice::Failed(Failure::Timeout)));
    }

    #[test]
    fn a_provisional_slows_the_resends_but_does_not_stop_timer_f() {
        let mut m = Client::start(at(0), &udp(), &request());
        assert_eq!(m.response(at(100), &udp(), Status(100)), Effect::notice(Notice::Pass));
        assert_eq!(m.response(at(200), &udp(), Status(100)), Effect::notice(Notice::Pass));
        let sent = vec![500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500];
        assert_eq!(run(&mut m), (sent, at(32_000), Notice::Failed(Failure::Timeout)));
    }

    #[test]
    fn a_reliable_transport_sends_once() {
        let mut m = Client::start(at(0), &tcp(), &request());
        m.response(at(100), &tcp(), Status(100));
        assert_eq!(run(&mut m), (vec![], at(32_000), Notice::Failed(Failure::Timeout)));
    }

    #[test]
    fn the_final_response_passes_once_and_timer_k_absorbs_the_rest() {
        let mut m = Client::start(at(0), &udp(), &request());
        assert_eq!(m.response(at(100), &udp(), Status(200)), Effect::notice(Notice::Pass));
        assert_eq!(m.response(at(110), &udp(), Status(200)), Effect::nothing());
        assert_eq!(m.transport_failed(), Effect::nothing());
        assert_eq!(run(&mut m), (vec![], at(5100), Notice::Nothing));

        let mut m = Client::start(at(0), &tcp(), &request());
        m.response(at(100), &tcp(), Status(404));
        assert_eq!(m, Client::Terminated);
    }

    #[test]
    fn a_dead_flow_fails_it() {
        let mut m = Client::start(at(0), &tcp(), &request());
        assert_eq!(m.transport_failed(), Effect::notice(Notice::Failed(Failure::Transport)));
        assert_eq!(m.deadline(), None);
    }
}
