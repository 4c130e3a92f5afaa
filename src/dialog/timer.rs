use crate::base::Mono;
use crate::dialog::check::Refusal;
use crate::sip::{Header, Headers, Name};
use std::time::Duration;

/// The smallest interval that we take, in seconds (RFC 4028 §5).
const MIN_SE: u64 = 90;
const MAX_SE: u64 = 86_400;

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
    /// What the peer's INVITE or UPDATE asks for; 422 when it is too short (§9).
    pub(super) fn asked(headers: &Headers, now: Mono) -> Result<Option<SessionTimer>, Refusal> {
        let Some((seconds, refresher)) = session_expires(headers) else { return Ok(None) };
        if !headers.lists(&Name::Supported, "timer") {
            return Ok(None);
        }
        if seconds < MIN_SE {
            return Err(Refusal::with(422, Name::MinSe, MIN_SE.to_string()));
        }
        Ok(Some(SessionTimer::armed(now, seconds, refresher == "uas")))
    }

    /// What a 2xx to our request settles (§7.2); a 2xx without Session-Expires ends the timer.
    pub(super) fn settled(headers: &Headers, now: Mono) -> Option<SessionTimer> {
        let (seconds, refresher) = session_expires(headers)?;
        Some(SessionTimer::armed(now, seconds.max(MIN_SE), refresher != "uas"))
    }

    /// For our 2xx: we were the UAS of this exchange.
    pub(super) fn grant(&self) -> [Header; 2] {
        let refresher = if self.refresh.is_some() { "uas" } else { "uac" };
        [self.header(refresher), Header { name: Name::Require, value: "timer".into() }]
    }

    /// For a refresh of ours, in which we are the UAC.
    pub(super) fn ask(&self) -> Header {
        self.header(if self.refresh.is_some() { "uac" } else { "uas" })
    }

    /// The refresh was refused for now: try again before the session expires.
    pub(super) fn postpone(&mut self, now: Mono) {
        if self.refresh.is_some() {
            self.refresh = Some(now.after(self.interval / 8));
        }
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
    fn armed(now: Mono, seconds: u64, ours: bool) -> SessionTimer {
        let interval = Duration::from_secs(seconds.min(MAX_SE));
        let margin = (interval / 3).min(Duration::from_secs(32));
        let refresh = ours.then(|| now.after(interval / 2));
        SessionTimer { interval, refresh, expires: now.after(interval.saturating_sub(margin)) }
    }

    fn header(&self, refresher: &str) -> Header {
        let value = format!("{};refresher={refresher}", self.interval.as_secs());
        Header { name: Name::SessionExpires, value: value.into() }
    }
}

/// Seconds, and the refresher in lower case or empty.
fn session_expires(headers: &Headers) -> Option<(u64, String)> {
    let text = headers.text(&Name::SessionExpires)?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let seconds = parts.next()?.parse().ok()?;
    let refresher = parts.filter_map(|p| p.split_once('=')).find(|(name, _)| name.trim() == "refresher");
    Some((seconds, refresher.map(|(_, who)| who.trim().to_owned()).unwrap_or_default()))
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

    #[test]
    fn the_caller_refreshes_unless_it_asks_us_to() {
        let mut timer = SessionTimer::asked(&headers("1800"), Mono(0)).unwrap().unwrap();
        assert_eq!(&timer.grant()[0].value[..], b"1800;refresher=uac");
        assert_eq!(timer.deadline(), seconds(1768));
        assert_eq!(timer.due(seconds(1767)), Due::Nothing);
        assert_eq!(timer.due(seconds(1768)), Due::Expired);
        let mut timer = SessionTimer::asked(&headers("90;refresher=UAS"), Mono(0)).unwrap().unwrap();
        assert_eq!(&timer.grant()[0].value[..], b"90;refresher=uas");
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
}
