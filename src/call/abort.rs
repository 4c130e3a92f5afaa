//! The end of a call in which the program has panicked.

use super::{Call, Caller, LegNo, Outcome, Output, Stage};
use crate::base::Now;
use crate::dialog::Cause;
use crate::event::{By, Result, TransferResult};

/// A leg as the switch knows it.
#[derive(Clone, Copy, Debug)]
pub struct AbortedLeg {
    pub no: LegNo,
    pub alive: bool,
    /// Its media is open; `closing`: it is, or its end has not been told yet.
    pub open: bool,
    pub closing: bool,
}

impl Call {
    /// The call's own state cannot be believed any more: what the switch knows of its legs is hung up and closed, what its
    /// journal knows of its moves is ended, and its record is closed like any other.
    pub fn abort(&mut self, now: Now, legs: &[AbortedLeg], open_move: Option<u32>, talked: bool, out: &mut Vec<Output>) {
        self.out.clear();
        (self.taking, self.early_until, self.max_talk_at, self.watched) = (None, None, None, None);
        self.parties.clear();
        self.hearing.clear();
        (self.caller, self.caller_closed, self.stage) = (Caller::Gone, true, Stage::Clearing);
        self.media.retain(|leg, _| legs.iter().any(|known| known.no == *leg && known.closing));
        if let Some(seq) = open_move {
            self.tell(Output::TransferEnded { seq, result: TransferResult::Failed, failure: None });
        }
        for leg in legs {
            if leg.alive {
                // Q.850 cause 41: temporary failure.
                let cause = Cause { status: 500, q850: Some(41), ..Cause::default() };
                self.out.push(Output::Hangup { leg: leg.no, cause });
            }
            if leg.open {
                self.media.entry(leg.no).or_default();
                self.out.push(Output::Close { leg: leg.no });
            }
        }
        let result = if talked { Result::Answered } else { Result::Failed };
        self.outcome = Some(Outcome { result, by: By::Gateway, status: Some(500), q850: Some(41) });
        self.close_record();
        self.flush(now, out);
    }
}
