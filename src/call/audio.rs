//! Decides who hears what: a function of where the call stands, so that no change of state can forget a sound.

use super::talk::Talk;
use super::{Audio, CALLER, Call, LegNo, Output, Stage};
use std::ops::Bound::{Excluded, Unbounded};

impl Call {
    /// Tells the media plane what has changed for each open leg; one that is being closed hears nothing any more.
    pub(super) fn listen(&mut self) {
        for output in &self.out {
            if let Output::Close { leg } = output {
                self.hearing.remove(leg);
            }
        }
        let mut next = self.media.keys().next().copied();
        while let Some(leg) = next {
            next = self.media.range((Excluded(leg), Unbounded)).next().map(|(leg, _)| *leg);
            let audio = self.hears(leg);
            if self.hearing.get(&leg).unwrap_or(&Audio::Silence) != &audio {
                self.hearing.insert(leg, audio.clone());
                self.out.push(Output::Play { leg, audio });
            }
        }
    }

    fn hears(&self, leg: LegNo) -> Audio {
        match &self.stage {
            Stage::Announcing { cue, prompt, .. } if leg == CALLER => {
                Audio::Prompt { name: prompt.clone(), repeat: false, cue: *cue }
            }
            Stage::Queued { .. } if leg == CALLER => match self.announcer.audio() {
                Some(words) => words,
                None if self.parties.is_empty() => self.music(),
                None => self.ringing(None),
            },
            Stage::Queued { .. } => self.accept_audio(leg).unwrap_or(Audio::Silence),
            Stage::Asking(asking) if leg == CALLER => asking.audio().unwrap_or_else(|| self.music()),
            Stage::Message(_) if leg == CALLER => self.hears_message(),
            Stage::Offering { .. } if leg == CALLER => self.music(),
            Stage::Ringing { .. } if leg == CALLER => self.ringing(None),
            Stage::Calling(_) => match self.hears_calling(leg) {
                Some(true) => Audio::Early(CALLER),
                Some(false) => Audio::Ringback,
                None => Audio::Silence,
            },
            Stage::Talking(talk) if talk.has(leg) => self.in_talk(talk, leg),
            Stage::Talking(talk) => talk.watched_by(leg).map_or(Audio::Silence, |of| self.beside(talk, of)),
            _ => Audio::Silence,
        }
    }

    /// Everybody else in the room who is not on hold, and what the network of who is coming says meanwhile; where nobody is,
    /// ringback for who is coming, else music.
    fn in_talk(&self, talk: &Talk, leg: LegNo) -> Audio {
        if let Some(notice) = talk.notice.as_ref().filter(|n| n.leg == leg) {
            return match &notice.words[..] {
                [prompt] => Audio::Prompt { name: prompt.clone(), repeat: false, cue: notice.cue },
                words => Audio::Words { words: words.into(), cue: notice.cue },
            };
        }
        let mut speakers = talk.speakers(leg);
        match (speakers.next(), speakers.next()) {
            (None, _) if talk.awaits(leg) && talk.others(leg).next().is_none() => self.ringing(talk.ringing().map(|t| t.leg)),
            (None, _) if talk.is_quiet_for(leg) => Audio::Mix(Vec::new()),
            (None, _) => self.music(),
            (Some(one), two) => {
                let coming = talk.ringing().filter(|_| talk.awaits(leg)).map(|t| t.leg).filter(|leg| self.speaks_early(*leg));
                let others: Vec<LegNo> = two.into_iter().chain(speakers).chain(coming).collect();
                if others.is_empty() { Audio::Relay(one) } else { Audio::Mix([&[one], &others[..]].concat()) }
            }
        }
    }

    /// A supervisor hears the room of the seat and is not in it.
    fn beside(&self, talk: &Talk, of: LegNo) -> Audio {
        let heard: Vec<LegNo> = talk.overheard(of).collect();
        match heard[..] {
            [] => self.music(),
            [one] => Audio::Relay(one),
            _ => Audio::Mix(heard),
        }
    }

    /// Early media of this party, or of the one that rings: one network may speak, of several nobody could understand a word.
    fn ringing(&self, leg: Option<LegNo>) -> Audio {
        let leg = leg.or_else(|| self.parties.keys().next().copied().filter(|_| self.parties.len() == 1));
        leg.filter(|leg| self.speaks_early(*leg)).map_or(Audio::Ringback, Audio::Early)
    }

    fn speaks_early(&self, leg: LegNo) -> bool {
        self.parties.get(&leg).is_some_and(|called| called.early_media)
    }

    pub(super) fn music(&self) -> Audio {
        Audio::Prompt { name: self.policy.music.clone(), repeat: true, cue: 0 }
    }
}
