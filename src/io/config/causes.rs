//! The keys of maps of causes: what a trunk's network means by its codes, and which codes it wants of us.

use super::queues::wait;
use crate::base::{About, Meaning};
use crate::sip::{self, Rest};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Causes {
    pub answers: Vec<Answer>,
    pub ours: Vec<Ours>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    pub code: u16,
    /// 0: any cause, or none.
    pub q850: u8,
    pub text: String,
    /// The code of the RFCs; 0: the same.
    pub status: u16,
    pub about: Whose,
    /// How long no seat calls the number: `hours`, a time, or as long as `outbound.after_refusal` says.
    pub rest: String,
    pub means: String,
    pub en: String,
    pub zh: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ours {
    pub code: u16,
    pub q850: u8,
    pub sends: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    #[default]
    Number,
    Line,
}

impl Causes {
    /// As the dialogs read it.
    pub fn map(&self) -> sip::Causes {
        let cause = |q850: u8| (q850 != 0).then_some(q850);
        let ours = |ours: &Ours| sip::Ours { code: ours.code, q850: cause(ours.q850), sends: ours.sends };
        sip::Causes {
            answers: self.answers.iter().map(|answer| Arc::new(answer.refused())).collect(),
            ours: self.ours.iter().map(ours).collect(),
        }
    }
}

impl Answer {
    fn refused(&self) -> sip::Refused {
        let about = match self.about {
            Whose::Number => About::Number,
            Whose::Line => About::Line,
        };
        sip::Refused {
            code: self.code,
            q850: (self.q850 != 0).then_some(self.q850),
            text: self.text.clone(),
            status: if self.status == 0 { self.code } else { self.status },
            rest: self.rest().unwrap_or_default(),
            meaning: Meaning { means: self.means.clone(), about, en: self.en.clone(), zh: self.zh.clone() },
        }
    }

    /// None where it is written wrong.
    pub fn rest(&self) -> Option<Rest> {
        match self.rest.as_str() {
            "" => Some(Rest::Usual),
            "hours" => Some(Rest::Hours),
            text => wait(text).map(Rest::For),
        }
    }

    /// It takes every answer that the other would.
    pub fn takes_all_of(&self, other: &Answer) -> bool {
        let text = other.text.to_ascii_lowercase().contains(&self.text.to_ascii_lowercase());
        self.code == other.code && (self.q850 == 0 || self.q850 == other.q850) && text
    }
}

impl Ours {
    pub fn takes_all_of(&self, other: &Ours) -> bool {
        self.code == other.code && (self.q850 == 0 || self.q850 == other.q850)
    }
}
