//! Who hears what: a function of where the call stands, so that no change of state can forget a sound.

use super::talk::Talk;
use super::{Audio, CALLER, Call, Output, Part, Stage};

impl Call {
    /// Tells the media plane what has changed for each open leg; one that is being closed hears nothing any more.
    pub(super) fn listen(&mut self) {
        for output in &self.out {
            if let Output::Close { part } = output {
                self.hearing.remove(part);
            }
        }
        for part in self.media.keys().copied().collect::<Vec<_>>() {
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

    /// Everybody else in the room who is not on hold; where nobody is, ringback for who is coming, else music.
    fn in_talk(&self, talk: &Talk, part: Part) -> Audio {
        if let Some(notice) = talk.notice.as_ref().filter(|n| n.part == part) {
            return Audio::Prompt { name: notice.prompt.clone(), repeat: false, cue: notice.cue };
        }
        let speakers: Vec<Part> = talk.others(part).filter(|other| !talk.holds.contains(other)).collect();
        match speakers.as_slice() {
            [] if talk.awaits(part) && talk.others(part).next().is_none() => self.ringing(talk.ringing().map(|t| t.part)),
            [] => self.music(),
            [one] => Audio::Relay(*one),
            _ => Audio::Mix(speakers),
        }
    }

    /// Of this party, or of the one that rings: one network may speak, of several nobody could understand a word.
    fn ringing(&self, part: Option<Part>) -> Audio {
        let part = part.or_else(|| self.parties.keys().next().copied().filter(|_| self.parties.len() == 1));
        let speaks = |part: &Part| self.parties.get(part).is_some_and(|called| called.early_media);
        part.filter(speaks).map_or(Audio::Ringback, Audio::Early)
    }

    fn music(&self) -> Audio {
        Audio::Prompt { name: self.policy.music.clone(), repeat: true, cue: 0 }
    }
}
