//! Decides who hears what: a function of where the call stands, so that no change of state can forget a sound.

use super::talk::Talk;
use super::{Audio, CALLER, Call, Output, Part, Stage};
use std::ops::Bound::{Excluded, Unbounded};

impl Call {
    /// Tells the media plane what has changed for each open leg; one that is being closed hears nothing any more.
    pub(super) fn listen(&mut self) {
        for output in &self.out {
            if let Output::Close { part } = output {
                self.hearing.remove(part);
            }
        }
        let mut next = self.media.keys().next().copied();
        while let Some(part) = next {
            next = self.media.range((Excluded(part), Unbounded)).next().map(|(part, _)| *part);
            let audio = self.hears(part);
            if self.hearing.get(&part).unwrap_or(&Audio::Silence) != &audio {
                self.hearing.insert(part, audio.clone());
                self.out.push(Output::Play { part, audio });
            }
        }
    }

    fn hears(&self, part: Part) -> Audio {
        match &self.stage {
            Stage::Announcing { cue, prompt, .. } if part == CALLER => {
                Audio::Prompt { name: prompt.clone(), repeat: false, cue: *cue }
            }
            Stage::Queued { .. } if part == CALLER && self.parties.is_empty() => self.music(),
            Stage::Offering { .. } if part == CALLER => self.music(),
            Stage::Queued { .. } | Stage::Ringing { .. } if part == CALLER => self.ringing(None),
            Stage::Talking(talk) if talk.has(part) => self.in_talk(talk, part),
            _ => Audio::Silence,
        }
    }

    /// Everybody else in the room who is not on hold, and what the network of who is coming says meanwhile; where nobody is,
    /// ringback for who is coming, else music.
    fn in_talk(&self, talk: &Talk, part: Part) -> Audio {
        if let Some(notice) = talk.notice.as_ref().filter(|n| n.part == part) {
            return Audio::Prompt { name: notice.prompt.clone(), repeat: false, cue: notice.cue };
        }
        let mut speakers = talk.others(part).filter(|other| !talk.holds.contains(other));
        match (speakers.next(), speakers.next()) {
            (None, _) if talk.awaits(part) && talk.others(part).next().is_none() => self.ringing(talk.ringing().map(|t| t.part)),
            (None, _) => self.music(),
            (Some(one), two) => {
                let coming = talk.ringing().filter(|_| talk.awaits(part)).map(|t| t.part).filter(|part| self.speaks_early(*part));
                let others: Vec<Part> = two.into_iter().chain(speakers).chain(coming).collect();
                if others.is_empty() { Audio::Relay(one) } else { Audio::Mix([&[one], &others[..]].concat()) }
            }
        }
    }

    /// Early media of this party, or of the one that rings: one network may speak, of several nobody could understand a word.
    fn ringing(&self, part: Option<Part>) -> Audio {
        let part = part.or_else(|| self.parties.keys().next().copied().filter(|_| self.parties.len() == 1));
        part.filter(|part| self.speaks_early(*part)).map_or(Audio::Ringback, Audio::Early)
    }

    fn speaks_early(&self, part: Part) -> bool {
        self.parties.get(&part).is_some_and(|called| called.early_media)
    }

    fn music(&self) -> Audio {
        Audio::Prompt { name: self.policy.music.clone(), repeat: true, cue: 0 }
    }
}
