//! A stream of messages: however it is cut, the same messages come out, and no more is held than one of them.

use super::work::counted;
use hotline::sip::MAX_MESSAGE;
use hotline::transport::{Frame, Framer, FramingLost};

pub fn target(data: &[u8]) {
    let mut whole = Vec::new();
    let (end, work) = counted(|| {
        let mut framer = Framer::default();
        framer.push(data);
        drain(&mut framer, &mut whole)
    });
    // Each head is copied and read once; the shortest has five bytes.
    work.is_at_most(data.len(), (256, 2), (64 << 10, 600));
    let framed: usize = whole.iter().map(|frame| if let Frame::Message(message) = frame { message.len() } else { 0 }).sum();
    assert!(framed <= data.len());
    for frame in &whole {
        assert!(!matches!(frame, Frame::Message(message) if message.len() > MAX_MESSAGE));
    }
    for step in [1, 7, 1 + data.len() / 2] {
        let (mut framer, mut pieces) = (Framer::default(), Vec::new());
        let cut_end = data.chunks(step).try_for_each(|chunk| {
            framer.push(chunk);
            drain(&mut framer, &mut pieces)
        });
        assert_eq!((&whole, end), (&pieces, cut_end), "in steps of {step}");
    }
}

fn drain(framer: &mut Framer, seen: &mut Vec<Frame>) -> Result<(), FramingLost> {
    while let Some(frame) = framer.next()? {
        seen.push(frame);
    }
    Ok(())
}
