//! Hotline: a SIP gateway for government hotlines that merge into one number.
//!
//! Rooms (folders) and what each may name stand in `tests/tidy/main.rs`, which holds them to it. A packet flows one way:
//! transport → transaction → ua → dialog → call → plan → {media, queue, record}; effects come back as values.
//!
//! Decisions that shaped the rooms:
//!
//! - **Finals wait in the leg, not in the call.** A caller's 2xx or refusal may leave only when the call's first journal
//!   entry is on disk. The leg keeps them until [`dialog::Command::Release`]; so a 487 after CANCEL and a 488 after an
//!   offer we cannot take obey the rule too, and the call knows nothing of it.
//! - **A dialog knows its peer's networks** ([`ua::Peers`]), by the list type that stands before the parser: where its
//!   requests may go and come from is asked for each of them, and nobody above sees them singly.
//! - **A host name opens no door.** A trunk or seat may be named; of the addresses that its name comes to, only those in the
//!   networks that the operator lists beside it are called, and the access list holds these networks alone: who rules the DNS
//!   can make a peer unreachable, and cannot take its place.
//! - **Port pairs are bound ahead of use.** The switch takes them from a pool of pairs that a shard has already bound
//!   ([`media::Ports`]): SDP never waits for a socket. Few are kept so, since each holds two descriptors; a burst takes
//!   others, which are bound when their leg opens, and should another process hold one, its call ends.
//! - **A panic costs one call.** Each thread catches its own: the switch gives up the call that it worked on, a media shard
//!   the leg, and the switch ends the call of a leg whose media closes unasked. No lock and no half-done list outlives it,
//!   since what a room can work out anew from the rest it does ([`media::Shard::recover`]).
//! - **Who hears what is a function of where the call stands** (`call/audio.rs`). No transition starts or stops a sound;
//!   after each one the answer is computed anew and the differences go to the media plane.
//! - **Two rooms are enough to move a caller** (`call/talk.rs`): `main`, where the caller is, and `aside`, for a
//!   consultation. Consult, three-way, blind, emergency and their failures are parties entering and leaving these.
//! - **A seat's two lines are parties of one call** (`call/joining.rs`). A phone that can transfer with consultation holds the
//!   caller, dials by itself and sends REFER with Replaces; were its second line a call of its own, two calls on two shards
//!   would have to become one. So its INVITE is taken into the call that it talks in, as a consultation.
//! - **One machine for each seat knows whether it is busy** (`seat/`), by each call that uses it: a queue's lease, a transfer,
//!   a pick-up, a call that the seat has placed. The switch tells it the parties of a call whenever they change, so that no
//!   way into a call can be forgotten. The queue asks it, and keeps who waits and who is chosen.
//! - **Mixing has no object of its own.** A leg hears the sum of a list of legs ([`media::Source::Mix`]); mix-minus,
//!   mute and supervision are which legs are on whose list. A list of one is a relay.
//! - **Who gets a call for its subject is looked up once, when it is tagged** ([`record::amendment::Update::Tagged`]), in the
//!   plan of that moment, and stands in the journal with the tag. Seats tag after the call too, when the plan that it began
//!   with is gone; and what they were answered must hold through reloads, restarts and kill -9.
//! - **A call's parties are numbered within the call** ([`call::LegNo`]); the switch alone knows legs. The journal and
//!   the record use the same numbers.
//! - **The journal gathers for 20 ms before a sync.** One sync then serves many calls; a caller waits for it only where
//!   its own first entry is not yet on disk.
//! - **A recording holds what was said, not what was heard.** The caller hears a mix that the call makes; what each party
//!   says is the same whoever hears it, and a consultation belongs to the call. So taps copy each party once, and add what we
//!   play to the caller. Which hotlines are recorded is a list of the configuration and no word of the plan: a plan says what a
//!   number means, and is shared between cities; what is kept of a call is a matter of the operator and his disk.
//! - **`trial` and `cli` are rooms beside `io`**: what plays around the gateway in `hotline try`, and the command line.

#[macro_use]
pub mod base;
pub mod call;
pub mod cli;
pub mod control;
pub mod dialog;
pub mod event;
pub mod figure;
pub mod io;
pub mod list;
pub mod media;
pub mod plan;
pub mod queue;
pub mod record;
pub mod seat;
pub mod sip;
pub mod switch;
pub mod transaction;
pub mod transport;
pub mod trial;
pub mod ua;
