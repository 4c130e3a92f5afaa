//! Legs whose audio is sealed, beside legs whose audio is not.

use super::bench::*;
use super::*;
use crate::base::{MasterKey, Suite};
use crate::media::out::Socket;
use crate::media::rtp::Header;
use crate::media::srtp::Srtp;
use crate::media::{Law, Tap};
use rtp_rs::RtpReader;

/// A phone's end of a sealed leg.
struct Phone {
    leg: LegId,
    srtp: Srtp,
}

impl Phone {
    /// The leg is given these keys, and the phone the same from its side.
    fn at(b: &mut Bench, leg: LegId, suite: Suite) -> Phone {
        let keys = keys(suite, leg.0 as u8, 0x40 + leg.0 as u8);
        b.command(Command::Profile { leg, profile: profile(leg), keys: Some(keys.clone()) });
        let SrtpKeys { suite, sent, received } = *keys;
        Phone { leg, srtp: Srtp::new(Arc::new(SrtpKeys { suite, sent: received, received: sent })) }
    }

    fn sealed(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut out = packet.to_vec();
        let at = self.srtp.seal(&mut out, 0).unwrap();
        out[at..].to_vec()
    }

    fn says(&mut self, b: &mut Bench, packet: Vec<u8>) {
        let sealed = self.sealed(&packet);
        b.receive(self.leg, peer(self.leg), sealed);
    }

    /// The packets that it was sent, opened.
    fn hears(&mut self, b: &mut Bench) -> Vec<Vec<u8>> {
        let open = |mut packet: Vec<u8>| {
            let length = self.srtp.open(&mut packet).expect("sealed for it");
            packet.truncate(length);
            packet
        };
        b.rtp_to(self.leg).into_iter().map(open).collect()
    }
}

fn keys(suite: Suite, ours: u8, theirs: u8) -> Arc<SrtpKeys> {
    let key = |byte| MasterKey::new(suite, &[byte; 46]);
    Arc::new(SrtpKeys { suite, sent: key(ours), received: key(theirs) })
}

#[test]
fn a_sealed_leg_and_a_plain_one_hear_each_other() {
    for suite in Suite::ALL {
        let mut b = Bench::new();
        let mut seat = Phone::at(&mut b, SEAT, suite);
        b.relay_both();
        for i in 0..50u16 {
            b.receive(CALLER, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(i as u8)));
            seat.says(&mut b, packet(8, i, u32::from(i) * 160, &audio(100 + i as u8)));
            b.pass(20);
        }
        let (to_seat, to_caller) = (seat.hears(&mut b), b.rtp_to(CALLER));
        assert_eq!((to_seat.len(), to_caller.len()), (50, 50), "{suite:?}");
        assert!((0..50).all(|i| payloads(&to_seat)[i] == audio(i as u8) && payloads(&to_caller)[i] == audio(100 + i as u8)));
        assert!(steps(&to_seat).iter().all(|step| *step == (1, 160, false)));
    }
}

#[test]
fn two_sealed_legs_have_keys_of_their_own() {
    let mut b = Bench::new();
    let (mut caller, mut seat) = (Phone::at(&mut b, CALLER, Suite::Counter32), Phone::at(&mut b, SEAT, Suite::Gcm256));
    b.relay_both();
    caller.says(&mut b, packet(8, 1, 160, &audio(1)));
    seat.says(&mut b, packet(8, 1, 160, &audio(2)));
    assert_eq!(payloads(&seat.hears(&mut b)), [audio(1)]);
    assert_eq!(payloads(&caller.hears(&mut b)), [audio(2)]);
}

#[test]
fn nobody_without_the_key_takes_a_leg() {
    let mut b = Bench::new();
    let mut caller = Phone::at(&mut b, CALLER, Suite::Counter80);
    b.relay_both();
    let good = caller.sealed(&packet(8, 1, 160, &audio(1)));
    let mut forged = good.clone();
    forged[40] ^= 1;
    b.receive(CALLER, peer(CALLER), packet(8, 1, 160, &audio(9)));
    b.receive(CALLER, peer(CALLER), forged);
    assert!(b.connects.is_empty(), "nothing is learned of an address before it shows the key");
    b.receive(CALLER, peer(CALLER), good.clone());
    b.receive(CALLER, peer(CALLER), good);
    assert_eq!(payloads(&b.rtp_to(SEAT)), [audio(1)], "once");
    assert_eq!(b.connects, [Some(peer(CALLER))]);
    b.command(Command::Close { leg: CALLER });
    let Some(Event::Closed { stats, .. }) = b.events.pop() else { panic!() };
    assert_eq!((stats.received, stats.strangers), (1, 3));
}

#[test]
fn the_counter_goes_on_while_the_key_stays() {
    let mut b = Bench::new();
    let mut seat = Phone::at(&mut b, SEAT, Suite::Gcm128);
    b.relay_both();
    // Twice over the end of the number, with a new description of the same keys between, and prompts among what is relayed.
    for i in 0..140_000u32 {
        if i % 200 != 0 {
            continue;
        }
        b.receive(CALLER, peer(CALLER), packet(8, i as u16, i * 160, &audio(i as u8)));
        seat.says(&mut b, packet(8, i as u16, i * 160, &audio(i as u8)));
        if i % 10_000 == 0 {
            let keys = keys(Suite::Gcm128, SEAT.0 as u8, 0x40 + SEAT.0 as u8);
            b.command(Command::Profile { leg: SEAT, profile: profile(SEAT), keys: Some(keys) });
            b.play(SEAT, Source::Ringback);
            b.pass(60);
            b.play(SEAT, Source::Relay(CALLER));
        }
        b.now = b.now.after(Duration::from_secs(4));
        seat.hears(&mut b);
        assert_eq!(b.rtp_to(CALLER).len(), 1, "packet {i}");
    }
    let new = keys(Suite::Gcm128, 9, 0x40 + SEAT.0 as u8);
    b.command(Command::Profile { leg: SEAT, profile: profile(SEAT), keys: Some(new.clone()) });
    b.play(SEAT, Source::Ringback);
    b.pass(20);
    assert!(seat.srtp.open(&mut b.rtp_to(SEAT)[0].clone()).is_none());
    seat.srtp.settle(Some(&SrtpKeys { suite: Suite::Gcm128, sent: new.received, received: new.sent }));
    b.pass(20);
    assert!(!seat.hears(&mut b).is_empty(), "a new key begins at 0");
    seat.says(&mut b, packet(8, (140_000u32 + 200) as u16, 0, &audio(1)));
    assert_eq!(b.rtp_to(CALLER).len(), 1, "the other direction's key is the one it was");
}

#[test]
fn prompts_mixes_keys_and_recordings_are_as_without() {
    let mut b = Bench::new();
    let mut seat = Phone::at(&mut b, SEAT, Suite::Counter80);
    let call = crate::base::CallId::new(crate::base::Wall(0), &mut Rng::from_number(1));
    b.command(Command::Tap { leg: SEAT, tap: Some(Tap { call, leg: 1, said: true, played: true }) });
    let prompt = tone(3);
    b.play(SEAT, Source::Prompt { audio: prompt.clone(), repeat: false, cue: 1 });
    b.pass(100);
    let played: Vec<u8> = payloads(&seat.hears(&mut b)).concat();
    assert_eq!(played, prompt.codes(Law::A));
    seat.says(&mut b, packet(8, 1, 160, &audio(7)));
    let taps: Vec<Vec<u8>> = std::mem::take(&mut b.taps).into_iter().map(|(_, codes)| codes).collect();
    assert_eq!(taps[..3].concat(), prompt.codes(Law::A), "what was played is recorded as it was before it was sealed");
    assert_eq!(taps[3], audio(7));
    b.command(Command::SendKey { leg: SEAT, key: '5' });
    b.pass(300);
    let events = seat.hears(&mut b);
    assert!(events.iter().any(|packet| RtpReader::new(packet).unwrap().payload()[..1] == [5]));
    b.play(SEAT, Source::Mix([CALLER, LegId(3)].into()));
    b.play(CALLER, Source::Relay(SEAT));
    b.receive(CALLER, peer(CALLER), packet(8, 1, 160, &audio(1)));
    b.pass(100);
    assert!(seat.hears(&mut b).len() >= 4);
    let (header, event) = (Header { payload_type: 102, marker: true, sequence: 2, timestamp: 320, ssrc: 77 }, [7, 10, 0, 160]);
    seat.says(&mut b, [header.bytes().as_slice(), &event].concat());
    assert!(b.events().contains("Key { leg: LegId(2), key: '7' }"));
    assert_eq!(RtpReader::new(&b.rtp_to(CALLER)[0]).unwrap().payload(), event);
}

#[test]
fn reports_are_sealed_both_ways() {
    let mut b = Bench::new();
    let mut seat = Phone::at(&mut b, SEAT, Suite::Gcm256);
    b.pass(10_000);
    let reports = b.drain(SEAT, Socket::Rtcp);
    assert!(!reports.is_empty());
    for report in reports {
        assert_eq!(seat.srtp.open_rtcp(&report).unwrap()[1], 201);
    }
    assert!(b.events().contains("Silent { leg: LegId(2) }"));
    b.rtcp(SEAT, rtcp_peer(SEAT));
    assert!(!b.events().contains("Audible"), "a report in the clear says nothing");
    assert_eq!(b.shard.legs.get(&SEAT).unwrap().stats().strangers, 1);
    let mut out = vec![0x80, 201, 0, 1, 0, 0, 0, 77];
    let at = seat.srtp.seal_rtcp(&mut out, 0).unwrap();
    let mut effects = Out::default();
    b.shard.rtcp(b.now, SEAT, &out[at..], rtcp_peer(SEAT), &mut effects);
    b.take(effects);
    assert!(b.events().contains("Audible { leg: LegId(2) }"));
}
