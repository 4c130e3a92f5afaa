//! The layer between bytes on a flow and messages: stream framing, Via on arrival, who may speak and how fast.
//! No sockets here. Where a request goes next is `sip::next_hop`, which dialogs need too.

mod access;
mod stream;
mod via;

pub use access::AccessList;
pub use stream::{Frame, Framer, FramingLost};
pub use via::note_source;
