//! Verbs of toolbars, as people press them: twice, at the wrong time, about each other.

use hotline::base::Rng;
use hotline::control::seat::{Outgoing, RecordVerb};
use hotline::control::{Command, SeatVerb};
use hotline::event::TransferKind;
use hotline::event::seat::{Author, AuthorKind, SuperviseMode};
use std::sync::Arc;

/// Some verb about calls, of one of so many seats.
pub fn any(rng: &mut Rng, seats: usize) -> Command {
    // One of them is nobody.
    let name = |rng: &mut Rng| Arc::from(format!("seat-{}", rng.below(seats as u64 + 1)));
    let (seat, other): (Arc<str>, Arc<str>) = (name(rng), name(rng));
    let to = ["12366", "12348", "110", "queue:12345", "seat:seat-0", "99999"][rng.below(6) as usize].to_owned();
    let mode = [SuperviseMode::Monitor, SuperviseMode::Whisper, SuperviseMode::Barge][rng.below(3) as usize];
    let kinds = [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind, TransferKind::Emergency];
    let kind = kinds[rng.below(4) as usize];
    let verb = match rng.below(31) {
        0 => SeatVerb::Answer,
        1 => SeatVerb::Reject,
        2 => SeatVerb::HangUp,
        3 | 4 => SeatVerb::Hold,
        5 => SeatVerb::Retrieve,
        6 => SeatVerb::Mute,
        7 => SeatVerb::Unmute,
        8 => SeatVerb::Dtmf { digits: "1#".to_owned() },
        9 => SeatVerb::Consult { to },
        10 => SeatVerb::Cancel,
        11 => SeatVerb::Alternate,
        12 => SeatVerb::Transfer { to, kind },
        13 => SeatVerb::Complete,
        14 => SeatVerb::Conference,
        15 => SeatVerb::Leave,
        16 => SeatVerb::Retake,
        17 => SeatVerb::PickUp { seat: other },
        18 | 19 => SeatVerb::Supervise { seat: other, mode },
        20 => SeatVerb::SuperviseMode { mode },
        21 if rng.chance(300) => SeatVerb::StopSupervising,
        22 => SeatVerb::Intercept { seat: other },
        24..28 => SeatVerb::Record(record(rng)),
        28..31 => SeatVerb::Call(outgoing(rng)),
        23 if rng.chance(100) => SeatVerb::ForceDrop,
        _ => SeatVerb::SetData { key: "subject".to_owned(), value: "供水".to_owned() },
    };
    let kind = if rng.chance(800) { AuthorKind::Supervisor } else { AuthorKind::Seat };
    Command::Seat { by: Author { kind, name: seat.clone() }, seat, verb: Box::new(verb) }
}

/// A person, the same again, or one who is not to be called so; placed at once, or looked at first.
fn outgoing(rng: &mut Rng) -> Outgoing {
    let to = ["13912345678", "13912345679", "069188886666", "110"].get(rng.below(5) as usize);
    let to = to.map(|to| (*to).to_owned());
    Outgoing { to, hotline: None, callback: None, ticket: None, preview: rng.chance(200), request: None }
}

fn record(rng: &mut Rng) -> RecordVerb {
    let verbs = [RecordVerb::Start, RecordVerb::Pause, RecordVerb::Mask, RecordVerb::Resume, RecordVerb::Stop];
    verbs[rng.below(5) as usize]
}
