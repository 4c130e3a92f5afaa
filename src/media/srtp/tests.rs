use super::*;
use crate::media::rtp::Header;
use proptest::prelude::*;

pub fn keys(suite: Suite, ours: u8, theirs: u8) -> Arc<SrtpKeys> {
    let key = |byte| MasterKey::new(suite, &[byte; 46]);
    Arc::new(SrtpKeys { suite, sent: key(ours), received: key(theirs) })
}

/// Two ends of one stream.
fn ends(suite: Suite) -> (Srtp, Srtp) {
    (Srtp::new(keys(suite, 1, 2)), Srtp::new(keys(suite, 2, 1)))
}

fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let header = Header { payload_type: 8, marker: false, sequence, timestamp: u32::from(sequence) * 160, ssrc };
    [header.bytes().as_slice(), &[0xD5; 160]].concat()
}

fn sealed(end: &mut Srtp, packet: &[u8]) -> Option<Vec<u8>> {
    let mut out = [b"before", packet].concat();
    let at = end.seal(&mut out, 6)?;
    assert_eq!(&out[6..6 + packet.len()], packet, "the packet itself stays as it was");
    Some(out[at..].to_vec())
}

fn opened(end: &mut Srtp, packet: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = packet.to_vec();
    let length = end.open(&mut bytes)?;
    Some(bytes[..length].to_vec())
}

#[test]
fn what_one_end_seals_the_other_opens_over_every_turn_of_the_number() {
    for suite in Suite::ALL {
        let (mut a, mut b) = ends(suite);
        for number in (100..200_000u32).filter(|number| number % 500 == 0 || (number + 3) % 65_536 < 6) {
            let plain = packet(7, number as u16);
            let sealed = sealed(&mut a, &plain).unwrap();
            assert_ne!(sealed[12..172], plain[12..]);
            assert_eq!(opened(&mut b, &sealed), Some(plain), "{suite:?} {number}");
        }
        assert_eq!(b.receivers.last().unwrap().streams.of(7).index(0).unwrap() >> 16, 3);
    }
}

#[test]
fn a_changed_or_repeated_packet_is_dropped_and_changes_nothing() {
    for suite in Suite::ALL {
        let (mut a, mut b) = ends(suite);
        let good = sealed(&mut a, &packet(7, 40_000)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert_eq!(opened(&mut b, &bad), None, "{suite:?} byte {at}");
        }
        for length in 0..good.len() {
            assert_eq!(opened(&mut b, &good[..length]), None, "{suite:?} cut at {length}");
        }
        assert!(b.receivers.last().unwrap().streams.0.is_empty(), "nobody has shown that he has the key");
        assert!(opened(&mut b, &good).is_some() && opened(&mut b, &good).is_none(), "{suite:?} twice");
        let late: Vec<Vec<u8>> = (1..300).map(|i| sealed(&mut a, &packet(7, 40_000 + i)).unwrap()).collect();
        assert!(opened(&mut b, &late[298]).is_some());
        assert!(opened(&mut b, &late[200]).is_some(), "overtaken by 98");
        assert!(opened(&mut b, &late[200]).is_none() && opened(&mut b, &late[100]).is_none(), "again, and too old");
    }
}

#[test]
fn no_number_is_sent_twice_under_one_key() {
    let (mut a, _) = ends(Suite::Gcm128);
    assert!(sealed(&mut a, &packet(7, 100)).is_some());
    assert!(sealed(&mut a, &packet(7, 100)).is_none());
    assert!(sealed(&mut a, &packet(7, 99)).is_some(), "a relayed packet that was overtaken");
    assert!(sealed(&mut a, &packet(7, 99)).is_none());
}

#[test]
fn a_key_that_stays_goes_on_and_a_new_one_begins_at_0() {
    for suite in Suite::ALL {
        let (mut a, mut b) = ends(suite);
        for number in (0..90_000u32).step_by(100) {
            let sealed = sealed(&mut a, &packet(7, number as u16)).unwrap();
            assert!(opened(&mut b, &sealed).is_some());
        }
        a.settle(Some(&keys(suite, 1, 9)));
        b.settle(Some(&keys(suite, 9, 1)));
        let next = sealed(&mut a, &packet(7, 90_000u32 as u16)).unwrap();
        assert!(opened(&mut b, &next).is_some() && opened(&mut b, &next).is_none(), "the other direction's key is new");
        let back = sealed(&mut b, &packet(8, 3)).unwrap();
        assert!(opened(&mut a, &back).is_some());
        a.settle(Some(&keys(suite, 3, 9)));
        b.settle(Some(&keys(suite, 9, 3)));
        assert_eq!(a.senders.last_mut().unwrap().sent.index(5), Some(5));
        let first = sealed(&mut a, &packet(7, 24_500)).unwrap();
        assert!(opened(&mut b, &first).is_some() && opened(&mut b, &next).is_none());
    }
}

#[test]
fn streams_are_kept_apart_and_are_few() {
    let (mut a, mut b) = ends(Suite::Counter80);
    // A sender has one stream: each of these is another sender with the same key.
    let mut of = |ssrc: u32, number: u16| {
        a.senders.last_mut().unwrap().sent = Window::default();
        sealed(&mut a, &packet(ssrc, number)).unwrap()
    };
    let first = of(0, 1000);
    assert!(opened(&mut b, &first).is_some());
    for ssrc in 1..100 {
        let packet = of(ssrc, 1000);
        assert!(opened(&mut b, &packet).is_some() && opened(&mut b, &packet).is_none());
        let still = of(0, 1000 + ssrc as u16);
        assert!(opened(&mut b, &still).is_some(), "the one that goes on is not forgotten");
    }
    assert!(opened(&mut b, &first).is_none());
    assert_eq!(b.receivers.last().unwrap().streams.0.len(), STREAMS);
}

#[test]
fn reports_are_sealed_too_and_come_once() {
    let plain: Vec<u8> = [0x80, 201, 0, 1, 0, 0, 0, 77].into();
    for suite in Suite::ALL {
        let (mut a, mut b) = ends(suite);
        for _ in 0..3 {
            let mut out = plain.clone();
            let at = a.seal_rtcp(&mut out, 0).unwrap();
            let sealed = out[at..].to_vec();
            assert_eq!(sealed.len() - plain.len(), if matches!(suite, Suite::Gcm128 | Suite::Gcm256) { 20 } else { 14 });
            for i in 0..sealed.len() {
                let mut bad = sealed.clone();
                bad[i] ^= 1;
                assert_eq!(b.open_rtcp(&bad), None, "{suite:?} byte {i}");
                assert_eq!(b.open_rtcp(&sealed[..i]), None, "{suite:?} cut at {i}");
            }
            assert_eq!(b.open_rtcp(&sealed), Some(&plain[..]));
            assert_eq!(b.open_rtcp(&sealed), None, "twice");
        }
        a.senders.last_mut().unwrap().reports = u32::MAX >> 1;
        assert!(a.seal_rtcp(&mut plain.clone(), 0).is_some() && a.seal_rtcp(&mut plain.clone(), 0).is_none(), "the last index");
    }
}

#[test]
fn headers_with_sources_and_extensions_stay_in_the_clear() {
    let (mut a, mut b) = ends(Suite::Gcm256);
    let head = [0x91, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 1, 1, 1, 1, 0xBE, 0xDE, 0, 1, 9, 9, 9, 9];
    let plain = [&head[..], &[0xD5; 160]].concat();
    let packet = sealed(&mut a, &plain).unwrap();
    assert_eq!(packet[..24], head);
    assert_eq!(opened(&mut b, &packet), Some(plain));
    assert_eq!(opened(&mut b, &head[..20]), None, "its extension is missing");
}

#[test]
fn a_key_that_comes_back_goes_on_where_it_was() {
    for suite in Suite::ALL {
        let (mut a, mut b) = ends(suite);
        let mut all = Vec::new();
        // Sealed over the end of the number; then plain, by another suite, by another key, and back each time.
        for (turn, between) in (0..4u32).zip([None, Some(keys(Suite::ALL[0], 7, 8)), Some(keys(suite, 7, 8)), None]) {
            for number in (0..30_000).step_by(300) {
                let number = turn * 30_000 + number;
                let packet = sealed(&mut a, &packet(7, number as u16)).unwrap();
                assert!(opened(&mut b, &packet).is_some(), "{suite:?} {number}");
                all.push(packet);
            }
            let report = [0x80, 201, 0, 1, 0, 0, 0, 77];
            let mut out = report.to_vec();
            let at = a.seal_rtcp(&mut out, 0).unwrap();
            assert_eq!(b.open_rtcp(&out[at..]), Some(&report[..]));
            a.settle(between.as_deref());
            b.settle(
                between.as_deref().map(|keys| SrtpKeys { sent: keys.received, received: keys.sent, ..keys.clone() }).as_ref(),
            );
            assert_eq!(a.is_on(), between.is_some());
            a.settle(Some(&keys(suite, 1, 2)));
            b.settle(Some(&keys(suite, 2, 1)));
            assert_eq!(b.open_rtcp(&out[at..]), None, "a report comes once");
        }
        assert!(all.iter().all(|packet| opened(&mut b, packet).is_none()), "nothing of before is taken again");
        assert_eq!(a.senders.last().unwrap().sent.index(0).unwrap() >> 16, 2);
        for other in 10..100 {
            b.settle(Some(&keys(suite, 2, other)));
        }
        assert_eq!(b.receivers.len(), RECEIVERS);
    }
}

#[test]
fn a_stream_whose_first_turn_was_lost_is_heard() {
    for suite in Suite::ALL {
        let (mut a, mut b) = ends(suite);
        sealed(&mut a, &packet(7, 65_530)).unwrap();
        let next = sealed(&mut a, &packet(7, 3)).unwrap();
        let mut bad = next.clone();
        bad[50] ^= 1;
        assert_eq!(opened(&mut b, &bad), None);
        assert_eq!(opened(&mut b, &next), Some(packet(7, 3)), "{suite:?}");
        assert_eq!(opened(&mut b, &next), None, "once");
    }
}

proptest! {
    #[test]
    fn anything_else_is_dropped(bytes in proptest::collection::vec(any::<u8>(), 0..300), first in 0x80..0xA0u8) {
        for suite in Suite::ALL {
            let (mut a, _) = ends(suite);
            for first in [bytes.first().copied(), Some(first)].into_iter().flatten() {
                let mut bytes = bytes.clone();
                bytes.first_mut().into_iter().for_each(|byte| *byte = first);
                prop_assert_eq!(a.open_rtcp(&bytes), None);
                prop_assert_eq!(a.open(&mut bytes), None);
            }
        }
    }
}
