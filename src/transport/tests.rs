//! Seeded mutations of real messages through framer and parser: nothing panics, nothing is read twice differently.

use super::*;
use crate::base::Rng;
use crate::sip::{Message, Name, Reach, Sdp};
use bytes::Bytes;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n\
                   a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n";

fn corpus() -> Vec<String> {
    let invite = "INVITE sip:12345@h;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP a:5066;branch=z9hG4bK1;rport, SIP/2.0/TCP [::1];branch=b\r\n\
                  f: \"J \\\"x\\\"\" <sip:1@h>;tag=a\r\nt:\r\n <tel:+861;phone-context=x>\r\ni: c@h\r\nCSeq: 1 INVITE\r\n\
                  m: <sip:a%40b@[::1]:5>, <sip:d>\r\n";
    vec![
        format!("{invite}l: {}\r\n\r\n{SDP}", SDP.len()),
        "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h\r\nf: <sip:1@h>\r\nt: x <sip:2@h>;tag=b\r\ni: c\r\nCSeq: 1 BYE\r\nl: 0\r\n\r\n".to_owned(),
        "BYE sip:a@h SIP/2.0\r\nv: SIP/2.0/UDP h\r\nf: sip:1@h;tag=q\r\nt: <sip:2@h>;tag=b\r\ni: c\r\nCSeq: 1 BYE\r\nl: 3\r\n\r\nabc".to_owned(),
    ]
}

/// Replaces, removes, repeats or inserts a few bytes; the inserted ones are those that the grammar turns on.
fn mutate(text: &mut Vec<u8>, rng: &mut Rng) {
    const SHARP: &[u8] = b"\r\n\r\n \t:;,<>\"\\@?=/%[]0\0\xff\xd5";
    for _ in 0..=rng.below(3) {
        let at = rng.below(text.len() as u64 + 1) as usize;
        let end = (at + rng.below(12) as usize).min(text.len());
        let sharp = SHARP[rng.below(SHARP.len() as u64) as usize];
        match rng.below(4) {
            0 if at < text.len() => text[at] = sharp,
            1 => drop(text.drain(at..end)),
            2 => drop(text.splice(at..at, text[at..end].to_vec())),
            _ => text.insert(at, sharp),
        }
    }
}

fn read(data: Bytes) -> bool {
    let message = match Message::parse(data) {
        Ok(message) => message,
        Err(error) => {
            // An answer of ours must itself be fit to send; what made the message illegal may be in the headers it copies.
            if let Some(answer) = error.answer {
                assert!(answer.headers.get(&Name::Via).is_some());
                Message::Response(*answer).to_bytes();
            }
            return false;
        }
    };
    let h = message.headers();
    assert!(h.via().is_some() && h.from().is_some() && h.to().is_some() && h.cseq().is_some() && h.call_id().is_some());
    let printed = message.to_bytes();
    let again = Message::parse(printed.clone()).expect("we read what we print");
    assert_eq!(again.to_bytes(), printed);
    if let Message::Request(r) = &message
        && let Ok(sdp) = Sdp::parse(&r.body, Reach::ALL)
    {
        assert!(sdp.rtp.port() == 0 || Sdp::parse(&sdp.to_bytes(), Reach::ALL).is_ok());
    }
    true
}

#[test]
fn mutated_messages() {
    let corpus = corpus();
    let mut rng = Rng::from_number(12345);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let mut text = corpus[rng.below(corpus.len() as u64) as usize].clone().into_bytes();
        mutate(&mut text, &mut rng);
        if read(text.into()) { good += 1 } else { bad += 1 }
    }
    assert!(good > 2_000 && bad > 2_000, "{good} good, {bad} bad: the mutations are worth little");
}

#[test]
fn mutated_streams() {
    let corpus = corpus().concat();
    let mut rng = Rng::from_number(54321);
    let mut lost = 0;
    for _ in 0..4_000 {
        let mut text = corpus.clone().into_bytes();
        mutate(&mut text, &mut rng);
        let mut framer = Framer::default();
        let mut whole = Vec::new();
        framer.push(&text);
        let end = drain(&mut framer, &mut whole);
        // However the stream is cut, the same frames come out.
        let (mut framer, mut pieces) = (Framer::default(), Vec::new());
        let step = 1 + rng.below(300) as usize;
        let cut_end = text.chunks(step).try_for_each(|chunk| {
            framer.push(chunk);
            drain(&mut framer, &mut pieces)
        });
        assert_eq!((&whole, end), (&pieces, cut_end));
        lost += usize::from(end.is_err());
    }
    assert!((40..3_600).contains(&lost), "{lost} lost");
}

fn drain(framer: &mut Framer, seen: &mut Vec<Frame>) -> Result<(), FramingLost> {
    while let Some(frame) = framer.next()? {
        seen.push(frame);
    }
    Ok(())
}
