//! A dialog's audio stream through its offers and answers: what we last said, what is settled, whose turn it is. Each
//! branch of a fork has one of its own, which begins with the offer that all of them got (RFC 3261 §12, RFC 6337 §3.1.1).

use crate::dialog::{LocalMedia, Media, offer};
use crate::sip::{Reach, Sdp, SdpError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Stream {
    local: Option<Arc<LocalMedia>>,
    /// o= session id, the same for the dialog's life.
    id: u64,
    /// Our last description as sent; its version rises only when the next one differs (RFC 3264 §8).
    sent: Option<Arc<Sdp>>,
    settled: Option<Media>,
    #[serde(skip)]
    open: Option<Open>,
}

/// Our offer, while its answer is not final.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    /// The state to return to should it be refused.
    before: Option<Arc<LocalMedia>>,
    /// An answer came where it may be lost or said anew: in a provisional response that is not reliable.
    previewed: bool,
}

/// An exchange that we want, and that waits for its turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    Media(LocalMedia),
    Refresh,
}

impl Stream {
    pub(super) fn new(id: u64) -> Stream {
        Stream { id, ..Stream::default() }
    }

    pub(super) fn attach(&mut self, local: LocalMedia) {
        self.local = Some(Arc::new(local));
    }

    /// The streams that we take from the peer, of those that get to us.
    pub(super) fn reach(&self, reach: Reach) -> Reach {
        let protection = self.local.as_ref().map(|local| local.protection()).unwrap_or_default();
        Reach { protection, ..reach }
    }

    /// The description that we last sent.
    pub(super) fn sent(&self) -> Option<Arc<Sdp>> {
        self.sent.clone()
    }

    /// An offer of ours is unanswered: a peer's offer now is glare (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(super) fn outstanding(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.previewed)
    }

    /// A description in a response may be the answer. In every other it says nothing (RFC 3261 §13.2.1, RFC 6337 §3.1.1).
    pub(super) fn awaits_answer(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn settled(&self) -> Option<&Media> {
        self.settled.as_ref()
    }

    /// Everything we can do, as our next offer; none before media was attached.
    pub(super) fn offer(&mut self) -> Option<Arc<Sdp>> {
        let local = self.local.clone()?;
        Some(self.propose(&local.clone(), Some(local)))
    }

    /// An offer of other media; a refusal returns to the present ones.
    pub(super) fn change(&mut self, local: LocalMedia) -> Arc<Sdp> {
        let local = Arc::new(local);
        let before = self.local.replace(local.clone());
        self.propose(&local, before)
    }

    /// The description that we last sent, as an offer: a refresh changes nothing (RFC 4028 §7.4).
    pub(super) fn repeat(&mut self) -> Option<Arc<Sdp>> {
        self.open = Some(Open { before: self.local.clone(), previewed: false });
        self.sent.clone()
    }

    /// Answers the peer's offer, or says why not. A peer that offers has taken its preview for an answer.
    pub(super) fn answer(&mut self, theirs: &Sdp) -> Result<Arc<Sdp>, SdpError> {
        let ours = offer::answer(theirs, self.local.as_ref().ok_or(SdpError::Codec)?)?;
        self.settled = Some(offer::settle(&ours, theirs).ok_or(SdpError::Codec)?);
        self.open = None;
        Ok(self.say(ours))
    }

    /// The peer's answer to our offer. False when it answers nothing of ours.
    pub(super) fn answered(&mut self, theirs: &Sdp) -> bool {
        let fits = self.previewed(theirs);
        if fits {
            self.open = None;
        }
        fits
    }

    /// As above, where another answer may follow.
    pub(super) fn previewed(&mut self, theirs: &Sdp) -> bool {
        let Some(media) = self.sent.as_ref().and_then(|sent| offer::settle(sent, theirs)) else { return false };
        self.settled = Some(media);
        self.open.iter_mut().for_each(|open| open.previewed = true);
        true
    }

    /// A 2xx brings no answer: the one that came before was it. False when none did.
    pub(super) fn answered_before(&mut self) -> bool {
        let before = !self.outstanding() && self.settled.is_some();
        if before {
            self.open = None;
        }
        before
    }

    /// Our offer was refused: the session stays as it was (RFC 3261 §14.1). Gives the media that were not taken.
    pub(super) fn refused(&mut self) -> Option<LocalMedia> {
        let open = self.open.take()?;
        std::mem::replace(&mut self.local, open.before).map(Arc::unwrap_or_clone)
    }

    /// Later offers keep the m-lines and the numbers of earlier descriptions (RFC 3264 §8, §8.3.2).
    fn propose(&mut self, local: &LocalMedia, before: Option<Arc<LocalMedia>>) -> Arc<Sdp> {
        let mut ours = offer::offer(local);
        if let Some(sent) = &self.sent {
            ours.m_lines = sent.m_lines.clone();
            ours.audio_index = sent.audio_index;
            ours.telephone_event = sent.telephone_event.or(ours.telephone_event);
        }
        self.open = Some(Open { before, previewed: false });
        self.say(ours)
    }

    fn say(&mut self, mut ours: Sdp) -> Arc<Sdp> {
        let version = self.sent.as_ref().map_or(1, |sent| sent.session.1);
        ours.session = (self.id, version);
        if self.sent.as_ref().is_some_and(|sent| **sent != ours) {
            ours.session.1 = version.saturating_add(1);
        }
        let ours = Arc::new(ours);
        self.sent = Some(ours.clone());
        ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Codec, Direction};

    fn local(port: u16) -> LocalMedia {
        LocalMedia { rtp: ([192, 0, 2, 1], port).into(), codecs: vec![Codec::Pcma], srtp: None }
    }

    fn stream() -> Stream {
        let mut stream = Stream::new(7);
        stream.attach(local(20000));
        stream
    }

    #[test]
    fn the_version_rises_only_with_a_change() {
        let mut ours = stream();
        let theirs = offer::offer(&local(4000));
        assert_eq!(ours.answer(&theirs).unwrap().session, (7, 1));
        assert_eq!(ours.answer(&theirs).unwrap().session, (7, 1));
        let held = ours.answer(&Sdp { direction: Direction::SendOnly, ..theirs }).unwrap();
        assert_eq!(held.session, (7, 2));
        assert_eq!(ours.settled().unwrap().direction, Direction::RecvOnly);
    }

    #[test]
    fn a_refused_change_leaves_the_session_as_it_was() {
        let mut ours = stream();
        let theirs = offer::offer(&local(4000));
        ours.answer(&theirs).unwrap();
        let before = ours.settled().cloned();
        assert_eq!(ours.change(local(30000)).session, (7, 2));
        assert!(ours.outstanding());
        ours.refused();
        assert!(!ours.outstanding());
        let again = ours.answer(&theirs).unwrap();
        assert_eq!((again.rtp.port(), again.session), (20000, (7, 3)));
        assert_eq!(ours.settled(), before.as_ref());
    }

    #[test]
    fn an_answer_that_may_yet_change_leaves_the_offer_open() {
        let mut ours = stream();
        let theirs = offer::offer(&local(4000));
        ours.offer().unwrap();
        assert!(ours.outstanding() && !ours.answered_before());
        assert!(ours.previewed(&theirs) && ours.awaits_answer() && !ours.outstanding());
        assert!(ours.answered(&offer::offer(&local(5000))) && !ours.awaits_answer());
        assert_eq!(ours.settled().unwrap().rtp.unwrap().port(), 5000);
        ours.change(local(30000));
        assert!(!ours.answered_before(), "it answered the offer before");
        ours.previewed(&theirs);
        assert!(ours.answered_before() && !ours.awaits_answer());
    }
}
