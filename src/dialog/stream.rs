//! A leg's audio stream through its offers and answers: what we last said, what is settled, whose turn it is.

use crate::dialog::{LocalMedia, Media, offer};
use crate::sip::Sdp;

#[derive(Debug)]
pub(super) struct Stream {
    local: Option<LocalMedia>,
    /// o= session id, the same for the leg's life.
    id: u64,
    /// Our last description as sent; its version rises only when the next one differs (RFC 3264 §8).
    sent: Option<Sdp>,
    settled: Option<Media>,
    /// Our offer waits for its answer; holds what [`LocalMedia`] to return to should it be refused.
    outstanding: Option<Option<LocalMedia>>,
}

impl Stream {
    pub(super) fn new(id: u64) -> Stream {
        Stream { local: None, id, sent: None, settled: None, outstanding: None }
    }

    pub(super) fn attach(&mut self, local: LocalMedia) {
        self.local = Some(local);
    }

    /// What we last sent.
    pub(super) fn sent(&self) -> Option<&Sdp> {
        self.sent.as_ref()
    }

    /// An offer of ours is unanswered: a peer's offer now is glare (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(super) fn outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    /// Everything we can do, as our next offer; none before media was attached.
    pub(super) fn offer(&mut self) -> Option<Sdp> {
        let local = self.local.clone()?;
        self.propose(local.clone(), Some(local))
    }

    /// An offer of other media; a refusal returns to the present ones.
    pub(super) fn change(&mut self, local: LocalMedia) -> Option<Sdp> {
        let before = self.local.replace(local.clone());
        self.propose(local, before)
    }

    /// What we last sent, as an offer: a refresh changes nothing (RFC 4028 §7.4).
    pub(super) fn repeat(&mut self) -> Option<Sdp> {
        self.outstanding = Some(self.local.clone());
        self.sent.clone()
    }

    /// Answers the peer's offer: our description, and what is settled if that is new. None without a common codec.
    pub(super) fn answer(&mut self, theirs: &Sdp) -> Option<(Sdp, Option<Media>)> {
        let ours = offer::answer(theirs, self.local.as_ref()?)?;
        let media = offer::settle(&ours, theirs)?;
        let ours = self.say(ours);
        Some((ours, self.settle(media)))
    }

    /// The peer's answer to our offer: what is settled if that is new. None when it answers nothing of ours.
    pub(super) fn answered(&mut self, theirs: &Sdp) -> Option<Option<Media>> {
        let media = offer::settle(self.sent.as_ref()?, theirs)?;
        self.outstanding = None;
        Some(self.settle(media))
    }

    /// Our offer was refused: the session stays as it was (RFC 3261 §14.1). Gives the media that were not taken.
    pub(super) fn refused(&mut self) -> Option<LocalMedia> {
        let before = self.outstanding.take()?;
        std::mem::replace(&mut self.local, before)
    }

    /// Later offers keep the m-lines and the numbers of earlier descriptions (RFC 3264 §8, §8.3.2).
    fn propose(&mut self, local: LocalMedia, before: Option<LocalMedia>) -> Option<Sdp> {
        let mut ours = offer::offer(&local);
        if let Some(sent) = &self.sent {
            ours.m_lines = sent.m_lines.clone();
            ours.audio_index = sent.audio_index;
            ours.telephone_event = sent.telephone_event.or(ours.telephone_event);
        }
        self.outstanding = Some(before);
        Some(self.say(ours))
    }

    fn say(&mut self, mut ours: Sdp) -> Sdp {
        let version = self.sent.as_ref().map_or(1, |sent| sent.session.1);
        ours.session = (self.id, version);
        if self.sent.as_ref().is_some_and(|sent| *sent != ours) {
            ours.session.1 = version.saturating_add(1);
        }
        self.sent = Some(ours.clone());
        ours
    }

    fn settle(&mut self, media: Media) -> Option<Media> {
        if self.settled.as_ref() == Some(&media) {
            return None;
        }
        self.settled = Some(media.clone());
        Some(media)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Codec, Direction};

    fn local(port: u16) -> LocalMedia {
        LocalMedia { rtp: ([192, 0, 2, 1], port).into(), codecs: vec![Codec::Pcma] }
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
        assert_eq!(ours.answer(&theirs).unwrap().0.session, (7, 1));
        let (again, media) = ours.answer(&theirs).unwrap();
        assert_eq!((again.session, media), ((7, 1), None));
        let (held, media) = ours.answer(&Sdp { direction: Direction::SendOnly, ..theirs }).unwrap();
        assert_eq!(held.session, (7, 2));
        assert_eq!(media.unwrap().direction, Direction::RecvOnly);
    }

    #[test]
    fn a_refused_change_leaves_the_session_as_it_was() {
        let mut ours = stream();
        let theirs = offer::offer(&local(4000));
        ours.answer(&theirs).unwrap();
        assert_eq!(ours.change(local(30000)).unwrap().session, (7, 2));
        assert!(ours.outstanding());
        ours.refused();
        assert!(!ours.outstanding());
        let (ours, media) = ours.answer(&theirs).unwrap();
        assert_eq!((ours.rtp.port(), ours.session, media), (20000, (7, 3), None));
    }
}
