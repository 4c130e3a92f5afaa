use crate::base::Mono;
use crate::sip::Status;
use crate::transaction::Failure;
use crate::transaction::effect::{Effect, Notice};
use crate::transaction::timing::{Resend, Timing, earlier};
use bytes::Bytes;
use std::time::Duration;

/// The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §8.4).
///
/// ```text
///              INVITE sent
///                  |
///             +----v----+  timer A: send INVITE again (UDP)
///     +-------| Calling |  timer B, transport error: Failed
///     |       +---------+-----------------------------+
///     |            | 1xx: pass                        |
///     |     +------v-----+  1xx: pass, 101-199 re-arm |
///     +-----| Proceeding |  timer C                   |
///     |     +------------+  timer C, transport error: |
///     | 2xx: pass  |           Failed                 | 300-699: ACK, pass
///     |            +----------------------------------+
/// +---v------+ 2xx: pass         300-699: ACK +-------v---+
/// | Accepted |                                | Completed |
/// +----------+                                +-----------+
///     | timer M                       timer D |
///     +--------------> Terminated <-----------+
/// ```
///
/// Timer C is the proxy's (§16.6 step 11); without it an INVITE answered only by 100 would never end.
#[derive(Debug, PartialEq)]
pub(super) enum InviteClient {
    Calling { resend: Option<Resend>, until: Mono },
    Proceeding { until: Mono, cancelled: bool },
    Completed { ack: Bytes, until: Mono },
    Accepted { until: Mono },
    Terminated,
}

impl InviteClient {
    /// The request was just sent for the first time.
    pub fn start(now: Mono, timing: &Timing, request: &Bytes) -> InviteClient {
        InviteClient::Calling { resend: timing.resend(now, request), until: now.after(timing.give_up()) }
    }

    /// `ack` makes the ACK for a non-2xx final response (§17.1.1.3); it is called at most once in a machine's life.
    pub fn response(&mut self, now: Mono, timing: &Timing, status: Status, ack: impl FnOnce() -> Bytes) -> Effect {
        match self {
            InviteClient::Calling { .. } | InviteClient::Proceeding { .. } if status.provisional() => {
                self.provisional(now, timing, status);
                Effect::notice(Notice::Pass)
            }
            InviteClient::Calling { .. } | InviteClient::Proceeding { .. } if status.success() => {
                *self = InviteClient::Accepted { until: now.after(timing.give_up()) };
                Effect::notice(Notice::Pass)
            }
            InviteClient::Calling { .. } | InviteClient::Proceeding { .. } => self.refused(now, timing, ack()),
            InviteClient::Accepted { .. } if status.success() => Effect::notice(Notice::Pass),
            // A forking proxy must forward a 2xx even after it forwarded another final response (§16.7 step 5).
            InviteClient::Completed { .. } if status.success() => Effect::notice(Notice::Stray),
            InviteClient::Completed { ack, .. } if status.is_final() => Effect::send(ack.clone()),
            _ => Effect::nothing(),
        }
    }

    /// True when a CANCEL may leave now: after a provisional and before a final response, and only once (§9.1).
    ///
    /// A cancelled INVITE that gets no final response within 64·T1 is over.
    pub fn cancel(&mut self, now: Mono, timing: &Timing) -> bool {
        match self {
            InviteClient::Proceeding { until, cancelled } if !*cancelled => {
                *cancelled = true;
                *until = now.after(timing.give_up());
                true
            }
            _ => false,
        }
    }

    /// No response at all has arrived yet.
    pub fn calling(&self) -> bool {
        matches!(self, InviteClient::Calling { .. })
    }

    pub fn fire(&mut self, now: Mono) -> Effect {
        match self {
            InviteClient::Calling { resend: Some(resend), until } if now < *until => {
                Effect::send(resend.again(now, Duration::MAX))
            }
            InviteClient::Calling { .. } | InviteClient::Proceeding { .. } => self.fail(Failure::Timeout),
            _ => {
                *self = InviteClient::Terminated;
                Effect::nothing()
            }
        }
    }

    /// The INVITE goes by a stream, where nothing is sent again; false when it was answered.
    pub fn by_stream(&mut self) -> bool {
        let InviteClient::Calling { resend, .. } = self else { return false };
        *resend = None;
        true
    }

    /// The flow is gone; a final response that has already arrived is not harmed by it.
    pub fn transport_failed(&mut self) -> Effect {
        match self {
            InviteClient::Calling { .. } | InviteClient::Proceeding { .. } => self.fail(Failure::Transport),
            _ => Effect::nothing(),
        }
    }

    /// When to call [`InviteClient::fire`]; none once terminated.
    pub fn deadline(&self) -> Option<Mono> {
        match self {
            InviteClient::Calling { resend, until } => Some(earlier(resend, *until)),
            InviteClient::Proceeding { until, .. } | InviteClient::Completed { until, .. } | InviteClient::Accepted { until } => {
                Some(*until)
            }
            InviteClient::Terminated => None,
        }
    }

    fn provisional(&mut self, now: Mono, timing: &Timing, status: Status) {
        match self {
            InviteClient::Proceeding { cancelled: true, .. } => {}
            // §16.7 step 2: timer C starts again for 101 to 199, not for 100.
            InviteClient::Proceeding { .. } if status.0 == 100 => {}
            _ => *self = InviteClient::Proceeding { until: now.after(timing.c()), cancelled: false },
        }
    }

    fn refused(&mut self, now: Mono, timing: &Timing, ack: Bytes) -> Effect {
        *self = match timing.d() {
            Duration::ZERO => InviteClient::Terminated,
            d => InviteClient::Completed { ack: ack.clone(), until: now.after(d) },
        };
        Effect { send: Some(ack), notice: Notice::Pass }
    }

    fn fail(&mut self, cause: Failure) -> Effect {
        *self = InviteClient::Terminated;
        Effect::notice(Notice::Failed(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::testing::{ack, at, request, tcp, udp};

    fn fired(m: &mut InviteClient) -> (Mono, Effect) {
        let now = m.deadline().unwrap();
        (now, m.fire(now))
    }

    #[test]
    fn timer_a_doubles_until_timer_b() {
        let mut m = InviteClient::start(at(0), &udp(), &request());
        for ms in [500, 1500, 3500, 7500, 15_500, 31_500] {
            assert_eq!(fired(&mut m), (at(ms), Effect::send(request())));
        }
        assert_eq!(fired(&mut m), (at(32_000), Effect::notice(Notice::Failed(Failure::Timeout))));
        assert_eq!(m.deadline(), None);
    }

    #[test]
    fn a_reliable_transport_sends_once() {
        let mut m = InviteClient::start(at(0), &tcp(), &request());
        assert_eq!(fired(&mut m), (at(32_000), Effect::notice(Notice::Failed(Failure::Timeout))));
    }

    #[test]
    fn only_100_ends_by_timer_c() {
        let mut m = InviteClient::start(at(0), &udp(), &request());
        assert_eq!(m.response(at(100), &udp(), Status(100), ack), Effect::notice(Notice::Pass));
        m.response(at(9000), &udp(), Status(100), ack);
        assert_eq!(fired(&mut m), (at(181_100), Effect::notice(Notice::Failed(Failure::Timeout))));
    }

    #[test]
    fn ringing_starts_timer_c_again() {
        let mut m = InviteClient::start(at(0), &udp(), &request());
        m.response(at(100), &udp(), Status(180), ack);
        m.response(at(60_000), &udp(), Status(180), ack);
        assert_eq!(m.deadline(), Some(at(241_000)));
    }

    #[test]
    fn a_refusal_is_acknowledged_each_time_until_timer_d() {
        let mut m = InviteClient::start(at(0), &udp(), &request());
        assert_eq!(m.response(at(10), &udp(), Status(486), ack), Effect { send: Some(ack()), notice: Notice::Pass });
        let never = || unreachable!("the ACK is made once");
        assert_eq!(m.response(at(20), &udp(), Status(486), never), Effect::send(ack()));
        assert_eq!(m.response(at(20), &udp(), Status(180), never), Effect::nothing());
        assert_eq!(m.response(at(20), &udp(), Status(200), never), Effect::notice(Notice::Stray));
        assert_eq!(fired(&mut m), (at(32_010), Effect::nothing()));
        assert_eq!(m, InviteClient::Terminated);
    }

    #[test]
    fn a_refusal_over_tcp_needs_no_timer_d() {
        let mut m = InviteClient::start(at(0), &tcp(), &request());
        assert_eq!(m.response(at(10), &tcp(), Status(486), ack), Effect { send: Some(ack()), notice: Notice::Pass });
        assert_eq!(m, InviteClient::Terminated);
    }

    #[test]
    fn every_2xx_passes_until_timer_m() {
        for timing in [udp(), tcp()] {
            let mut m = InviteClient::start(at(0), &timing, &request());
            for ms in [10, 510, 32_009] {
                assert_eq!(m.response(at(ms), &timing, Status(200), ack), Effect::notice(Notice::Pass));
            }
            assert_eq!(m.response(at(20), &timing, Status(486), ack), Effect::nothing());
            assert_eq!(m.transport_failed(), Effect::nothing());
            assert_eq!(fired(&mut m), (at(32_010), Effect::nothing()));
            assert_eq!(m, InviteClient::Terminated);
        }
    }

    #[test]
    fn cancel_waits_for_a_provisional_goes_once_and_bounds_the_wait() {
        let mut m = InviteClient::start(at(0), &udp(), &request());
        assert!(!m.cancel(at(0), &udp()));
        m.response(at(10), &udp(), Status(180), ack);
        assert!(m.cancel(at(1000), &udp()));
        assert!(!m.cancel(at(2000), &udp()));
        m.response(at(3000), &udp(), Status(180), ack);
        assert_eq!(fired(&mut m), (at(33_000), Effect::notice(Notice::Failed(Failure::Timeout))));
    }

    #[test]
    fn cancel_after_a_final_response_is_nothing() {
        for status in [200, 486] {
            let mut m = InviteClient::start(at(0), &udp(), &request());
            m.response(at(10), &udp(), Status(status), ack);
            assert!(!m.cancel(at(20), &udp()));
        }
    }

    #[test]
    fn a_dead_flow_fails_what_still_waits() {
        let mut m = InviteClient::start(at(0), &tcp(), &request());
        m.response(at(10), &tcp(), Status(180), ack);
        assert_eq!(m.transport_failed(), Effect::notice(Notice::Failed(Failure::Transport)));
        assert_eq!(m.transport_failed(), Effect::nothing());
    }
}
