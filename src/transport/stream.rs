use crate::sip::{self, MAX_MESSAGE};
use bytes::{Buf, Bytes, BytesMut};

/// Cuts a byte stream into messages by Content-Length (RFC 3261 §18.3).
///
/// A message that it cut out may still be a bad one: that is answered and the stream goes on. Only where nobody can tell any
/// more where a message ends is the stream lost.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// The end of the head has been looked for up to here.
    scanned: usize,
    /// Length of the message at the front, once its head is complete.
    length: Option<usize>,
}

#[derive(Debug, PartialEq)]
pub enum Frame {
    Message(Bytes),
    /// A keep-alive: send CRLF back (RFC 5626 §3.5.1).
    Ping,
}

/// The stream cannot be read any further: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramingLost(pub &'static str);

impl Framer {
    /// Takes in what arrived. Call [`Framer::next`] until it gives none before the next bytes: then no more than one
    /// message is held.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Tells whether a message has begun that is not whole yet.
    pub fn holds_part(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next whole frame, if it is there.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Frame>, FramingLost> {
        if self.scanned == 0 && self.take_empty_lines() {
            return Ok(Some(Frame::Ping));
        }
        if self.length.is_none() {
            self.length = self.head_end()?.map(|end| self.measure(end)).transpose()?;
        }
        match self.length {
            Some(length) if length <= self.buffer.len() => {
                (self.length, self.scanned) = (None, 0);
                Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
            }
            _ => Ok(None),
        }
    }

    /// Takes a line that stands alone: to whoever has sent a keep-alive it is the answer (RFC 5626 §3.5.1).
    pub fn take_pong(&mut self) -> bool {
        let alone = self.buffer[..] == *b"\r\n";
        if alone {
            self.buffer.clear();
        }
        alone
    }

    /// Passes over empty lines between messages; true for two in a row, which is a keep-alive. A line that may be the
    /// first half of one stays until more arrives.
    fn take_empty_lines(&mut self) -> bool {
        loop {
            match &self.buffer[..] {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.advance(4);
                    return true;
                }
                [b'\r', b'\n', b'\r'] | [b'\r', b'\n'] | [b'\r'] => return false,
                [b'\r', b'\n', ..] => self.buffer.advance(2),
                // NULs are the keep-alive of some.
                [b'\r' | b'\n' | 0, ..] => self.buffer.advance(1),
                _ => return false,
            }
        }
    }

    /// Where the head at the front ends: behind its first empty line.
    fn head_end(&mut self) -> Result<Option<usize>, FramingLost> {
        let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
        for at in unseen.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| self.scanned + i) {
            match self.buffer.get(at + 1..).unwrap_or_default() {
                [b'\n', ..] => return Ok(Some(at + 2)),
                [b'\r', b'\n', ..] => return Ok(Some(at + 3)),
                _ => {}
            }
        }
        if self.buffer.len() > MAX_MESSAGE {
            return Err(FramingLost("head without an end"));
        }
        // The end may straddle what is here: look at its last three bytes again.
        self.scanned = self.buffer.len().saturating_sub(3);
        Ok(None)
    }

    fn measure(&self, head_end: usize) -> Result<usize, FramingLost> {
        let head = Bytes::copy_from_slice(self.buffer.get(..head_end).unwrap_or_default());
        let body = sip::declared_length(&head).map_err(FramingLost)?;
        let length = head_end.saturating_add(body);
        if length > MAX_MESSAGE { Err(FramingLost("message too large")) } else { Ok(length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: usize, length: &str, body: &str) -> String {
        format!("OPTIONS sip:{n}@h SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n{length}\r\n{body}")
    }

    fn frames(framer: &mut Framer) -> Vec<Frame> {
        std::iter::from_fn(|| framer.next().unwrap()).collect()
    }

    #[test]
    fn messages_come_whole_however_the_stream_is_cut() {
        let parts = [
            message(1, "Content-Length: 4\r\n", "a\r\n\r"),
            "\r\n\r\n".to_owned(),
            message(2, "l :\r\n 3\r\n", "xyz"),
            "\r\n\0\0\0\0".to_owned(),
            message(3, "content-length: 0\r\n", "").replace("\r\n", "\n"),
        ];
        let all = parts.concat();
        let cut = |n: usize| Frame::Message(parts[n].clone().into());
        let expected = [cut(0), Frame::Ping, cut(2), cut(4)];
        for step in 1..all.len() {
            let mut framer = Framer::default();
            let mut seen = Vec::new();
            for chunk in all.as_bytes().chunks(step) {
                framer.push(chunk);
                seen.extend(frames(&mut framer));
            }
            assert_eq!(seen, expected, "in steps of {step}");
        }
    }

    #[test]
    fn a_line_alone_is_an_answer_to_a_keep_alive() {
        let mut framer = Framer::default();
        assert!(!framer.take_pong());
        framer.push(b"\r\n");
        assert!(frames(&mut framer).is_empty() && framer.take_pong() && !framer.holds_part());
        framer.push(b"\r\nOPTIONS");
        assert!(frames(&mut framer).is_empty() && !framer.take_pong());
    }

    #[test]
    fn a_bad_message_that_is_framed_leaves_the_stream_alone() {
        let mut framer = Framer::default();
        let bad = "nonsense\r\nno colon\r\nContent-Length: 2\r\n\r\n{}";
        framer.push(format!("{bad}{}", message(1, "Content-Length: 0\r\n", "")).as_bytes());
        let seen = frames(&mut framer);
        assert_eq!(seen.len(), 2);
        assert!(matches!(&seen[0], Frame::Message(m) if sip::Message::parse(m.clone()).is_err()));
    }

    #[test]
    fn lost_framing_is_an_error() {
        for length in [
            "",
            "Content-Length: x\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0\r\nl: 0\r\n",
            "l: 65535\r\n",
            "l: 99999999999999999999\r\n",
        ] {
            let mut framer = Framer::default();
            framer.push(message(1, length, "").as_bytes());
            assert!(framer.next().is_err(), "{length}");
        }
    }

    #[test]
    fn a_head_without_end_is_bounded() {
        let mut framer = Framer::default();
        let mut held = 0;
        while framer.next().is_ok() {
            framer.push(&[b'x'; 1000]);
            held += 1000;
        }
        assert_eq!(held, 66_000);
    }
}
