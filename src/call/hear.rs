//! Who hears what: a function of where the call stands, so that no change of state can forget a sound.

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
            Stage::Queued { .. } | Stage::Ringing { .. } if part == CALLER => Audio::Ringback,
            Stage::Talking { part: peer, .. } if part == CALLER => self.other_side(*peer, *peer),
            Stage::Talking { part: peer, .. } if part == *peer => self.other_side(*peer, CALLER),
            _ => Audio::Silence,
        }
    }

    /// Hold is a leg's state from its SDP direction; whoever is left waiting hears music made by us.
    fn other_side(&self, peer: Part, source: Part) -> Audio {
        let holds = self.parties.get(&peer).is_some_and(|c| if source == CALLER { c.caller_holds } else { c.holds });
        if holds { self.music() } else { Audio::Relay(source) }
    }

    fn music(&self) -> Audio {
        Audio::Prompt { name: self.policy.music.clone(), repeat: true, cue: 0 }
    }
}
