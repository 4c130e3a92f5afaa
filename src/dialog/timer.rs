//! The session timer (RFC 4028).

use crate::base::Mono;
use crate::dialog::snapshot::TimerSnapshot;
use crate::sip::{Header, Headers, Name, Refresher, SessionExpires};
use crate::ua::Refusal;
use std::time::Duration;

/// The smallest interval that we take, in seconds (RFC 4028 §5).
const MIN_SE: u32 = 90;
const MAX_SE: u32 = 86_400;

/// The session timer that an INVITE of ours asks for (RFC 4028 §7.1). The party says who refreshes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    seconds: u32,
    /// A party on the way has said that less is too little, and so has perhaps another one behind it.
    least: Option<u32>,
    lengthened: u8,
}

/// An INVITE is repeated so often for a longer timer.
const MOST_LENGTHENED: u8 = 3;

impl Interval {
    /// None for less than a session timer may be.
    pub fn of(interval: Duration) -> Option<Interval> {
        let seconds = u32::try_from(interval.as_secs()).unwrap_or(MAX_SE).min(MAX_SE);
        (seconds >= MIN_SE).then_some(Interval { seconds, least: None, lengthened: 0 })
    }

    /// 422 (§7.3): false when as much was asked for already, so that the refusal means something else, or when it is more than a day.
    pub(super) fn lengthen(&mut self, least: u32) -> bool {
        let more = self.seconds < least && least <= MAX_SE && self.lengthened < MOST_LENGTHENED;
        if more {
            *self = Interval { seconds: least, least: Some(least), lengthened: self.lengthened + 1 };
        }
        more
    }

    pub(super) fn ask(&self) -> impl Iterator<Item = Header> {
        let least = self.least.map(|least| Header { name: Name::MinSe, value: least.to_string().into() });
        let asked = SessionExpires { seconds: self.seconds, refresher: None };
        [Header { name: Name::SessionExpires, value: asked.to_string().into() }].into_iter().chain(least)
    }
}

/// A session timer (RFC 4028): refreshed by one side, else the session is over.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SessionTimer {
    interval: Duration,
    /// We refresh, next at this moment.
    refresh: Option<Mono>,
    expires: Mono,
}

#[derive(Debug, PartialEq)]
pub(super) enum Due {
    Nothing,
    Refresh,
    Expired,
}

impl SessionTimer {
    /// The timer that the peer's INVITE or UPDATE asks for; 422 when it is too short (§9).
    pub(super) fn asked(headers: &Headers, now: Mono) -> Result<Option<SessionTimer>, Refusal> {
        let Some(asked) = headers.session_expires() else { return Ok(None) };
        if !headers.lists(&Name::Supported, "timer") {
            return Ok(None);
        }
        if asked.seconds < MIN_SE {
            return Err(Refusal::with(422, Name::MinSe, MIN_SE.to_string()));
        }
        Ok(Some(SessionTimer::armed(now, asked.seconds, asked.refresher == Some(Refresher::Uas))))
    }

    /// The timer of a session that has one, after the peer's re-INVITE or UPDATE. A peer that asks for none there has one all the same
    /// where we refresh it (§9): a hold is no reason to stop looking whether the peer is there.
    pub(super) fn renewed(timer: Option<&SessionTimer>, headers: &Headers, now: Mono) -> Result<Option<SessionTimer>, Refusal> {
        let kept = timer.filter(|timer| timer.refresh.is_some());
        let kept = kept.map(|timer| SessionTimer::armed(now, timer.seconds(), true));
        Ok(SessionTimer::asked(headers, now)?.or(kept))
    }

    /// The timer that a 2xx to our request settles (§7.2); a 2xx without Session-Expires ends it.
    pub(super) fn settled(headers: &Headers, now: Mono) -> Option<SessionTimer> {
        let settled = headers.session_expires()?;
        Some(SessionTimer::armed(now, settled.seconds.max(MIN_SE), settled.refresher != Some(Refresher::Uas)))
    }

    /// For our 2xx to this request, of which we are the UAS.
    pub(super) fn grant(&self, request: &Headers) -> impl Iterator<Item = Header> + use<> {
        let refresher = if self.refresh.is_some() { Refresher::Uas } else { Refresher::Uac };
        let understood = request.lists(&Name::Supported, "timer");
        let required = understood.then(|| Header { name: Name::Require, value: "timer".into() });
        [self.header(refresher)].into_iter().chain(required)
    }

    /// For a refresh of ours, in which we are the UAC.
    pub(super) fn ask(&self) -> Header {
        self.header(if self.refresh.is_some() { Refresher::Uac } else { Refresher::Uas })
    }

    /// The refresh was refused for now: try again before the session expires.
    pub(super) fn postpone(&mut self, now: Mono) {
        if self.refresh.is_some() {
            self.refresh = Some(now.after(self.interval / 8));
        }
    }

    /// The peer wants a longer interval (422, §7.4): true when that can be asked for.
    pub(super) fn lengthen(&mut self, headers: &Headers, now: Mono) -> bool {
        let Some(min_se) = headers.min_se().filter(|min| self.refresh.is_some() && *min <= MAX_SE) else { return false };
        let longer = Duration::from_secs(min_se.into()) > self.interval;
        if longer {
            *self = SessionTimer { expires: self.expires, ..SessionTimer::armed(now, min_se, true) };
        }
        longer
    }

    pub(super) fn snapshot(&self, now: Mono) -> TimerSnapshot {
        let SessionTimer { interval, refresh, expires } = *self;
        TimerSnapshot { interval, refresh: refresh.map(|at| at.offset_from(now)), expires: expires.offset_from(now) }
    }

    pub(super) fn restore(now: Mono, snapshot: &TimerSnapshot) -> SessionTimer {
        let TimerSnapshot { interval, refresh, expires } = *snapshot;
        SessionTimer { interval, refresh: refresh.map(|at| now.at(at)), expires: now.at(expires) }
    }

    pub(super) fn deadline(&self) -> Mono {
        self.refresh.map_or(self.expires, |refresh| refresh.min(self.expires))
    }

    pub(super) fn due(&mut self, now: Mono) -> Due {
        if now >= self.expires {
            return Due::Expired;
        }
        match self.refresh {
            Some(at) if at <= now => {
                self.postpone(now);
                Due::Refresh
            }
            _ => Due::Nothing,
        }
    }

    /// The refresher acts at half time; the other side ends the session a third of it, at most 32 s, early (§10).
    fn armed(now: Mono, seconds: u32, ours: bool) -> SessionTimer {
        let interval = Duration::from_secs(seconds.min(MAX_SE).into());
        let margin = (interval / 3).min(Duration::from_secs(32));
        let refresh = ours.then(|| now.after(interval / 2));
        SessionTimer { interval, refresh, expires: now.after(interval.saturating_sub(margin)) }
    }

    fn header(&self, refresher: Refresher) -> Header {
        let value = SessionExpires { seconds: self.seconds(), refresher: Some(refresher) };
        Header { name: Name::SessionExpires, value: value.to_string().into() }
    }

    fn seconds(&self) -> u32 {
        u32::try_from(self.interval.as_secs()).unwrap_or(MAX_SE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(expires: &'static str) -> Headers {
        let mut headers = Headers::default();
        headers.push(Name::Supported, "timer");
        headers.push(Name::SessionExpires, expires);
        headers
    }

    fn seconds(at: u64) -> Mono {
        Mono(at * 1_000_000)
    }

    fn granted(timer: &SessionTimer) -> Vec<String> {
        timer.grant(&headers("90")).map(|header| String::from_utf8_lossy(&header.value).into_owned()).collect()
    }

    #[test]
    fn the_caller_refreshes_unless_it_asks_us_to() {
        let mut timer = SessionTimer::asked(&headers("1800"), Mono(0)).unwrap().unwrap();
        assert_eq!(granted(&timer), ["1800;refresher=uac", "timer"]);
        assert_eq!(timer.deadline(), seconds(1768));
        assert_eq!(timer.due(seconds(1767)), Due::Nothing);
        assert_eq!(timer.due(seconds(1768)), Due::Expired);
        let mut timer = SessionTimer::asked(&headers("90;refresher=UAS"), Mono(0)).unwrap().unwrap();
        assert_eq!(granted(&timer), ["90;refresher=uas", "timer"]);
        assert_eq!(timer.due(seconds(45)), Due::Refresh);
        assert_eq!(timer.due(seconds(45)), Due::Nothing);
        assert_eq!(timer.due(seconds(60)), Due::Expired);
    }

    #[test]
    fn too_short_is_422_and_without_support_there_is_none() {
        assert_eq!(SessionTimer::asked(&headers("89"), Mono(0)).unwrap_err().status, 422);
        let mut unsupported = headers("1800");
        unsupported.remove(&Name::Supported);
        assert_eq!(SessionTimer::asked(&unsupported, Mono(0)), Ok(None));
    }

    #[test]
    fn a_longer_timer_is_asked_for_a_few_times() {
        let asked = |interval: &Interval| {
            interval.ask().map(|header| String::from_utf8_lossy(&header.value).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(Interval::of(Duration::from_secs(89)), None);
        let mut interval = Interval::of(Duration::from_secs(90)).unwrap();
        assert_eq!(asked(&interval), ["90"]);
        assert!(!interval.lengthen(MAX_SE + 1) && interval.lengthen(600));
        assert_eq!(asked(&interval), ["600", "600"]);
        assert!(!interval.lengthen(600) && interval.lengthen(700) && interval.lengthen(800) && !interval.lengthen(900));
        let mut long = Interval::of(Duration::from_secs(1800)).unwrap();
        assert!(!long.lengthen(120) && !long.lengthen(1800));
        assert_eq!(asked(&long), ["1800"]);
    }
}
