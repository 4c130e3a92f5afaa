//! The layer between bytes on a flow and messages: stream framing, Via on arrival, whose turn it is.
//! No sockets here. Where a request goes next is `sip::next_hop`, which dialogs need too.

mod lanes;
mod stream;
pub mod stun;
mod via;

pub use lanes::{Bounds, Lanes};
pub use stream::{Frame, Framer, FramingLost};
pub use via::note_source;
