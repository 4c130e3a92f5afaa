//! Silence, RTCP, and the figures of a leg.

use super::bench::*;
use super::*;
use crate::media::out::Socket;
use rtp_rs::RtpReader;

#[test]
fn silence_is_seen_and_its_end() {
    let mut b = Bench::new();
    b.profile(SEAT, |p| p.may_receive = false);
    for i in 0..100u16 {
        b.receive(CALLER, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    b.pass(4900);
    assert_eq!(b.events(), "");
    b.pass(200);
    assert_eq!(b.events(), "Silent { leg: LegId(1) } ", "and the seat may not send, so it is not missed");
    b.pass(20_000);
    assert_eq!(b.events(), "", "said once");
    b.receive(CALLER, peer(CALLER), packet(8, 100, 16_000, &audio(0)));
    assert_eq!(b.events(), "Audible { leg: LegId(1) } ");
    b.pass(5000);
    assert_eq!(b.events(), "Silent { leg: LegId(1) } ");
}

/// A receiver report of the peer of `leg`, which lost `lost` packets of `about`.
fn peer_report(about: u32, lost: u8) -> Vec<u8> {
    let mut bytes = vec![0x81, 201, 0, 7, 0, 0, 0, 77];
    bytes.extend(about.to_be_bytes());
    bytes.extend([0, 0, 0, lost]);
    bytes.extend([0; 16]);
    bytes
}

#[test]
fn rtcp_keeps_a_leg_alive() {
    let mut b = Bench::new();
    for _ in 0..6 {
        b.pass(4000);
        let mut out = Out::default();
        b.shard.rtcp(b.now, CALLER, &peer_report(1, 0), rtcp_peer(CALLER), &mut out);
    }
    assert_eq!(b.events(), "Silent { leg: LegId(2) } ");
}

#[test]
fn reports_are_made_and_read() {
    let mut b = Bench::new();
    b.relay_both();
    for i in 0..500u16 {
        if i % 10 != 5 {
            b.receive(CALLER, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(0)));
        }
        b.receive(SEAT, peer(SEAT), packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    let media = b.rtp_to(CALLER);
    let reports = b.drain(CALLER, Socket::Rtcp);
    assert!((1..=4).contains(&reports.len()), "{} in 10 s", reports.len());
    let report = &reports[0];
    let ssrc = RtpReader::new(&media[0]).unwrap().ssrc();
    assert_eq!((report[0], report[1], &report[4..8]), (0x81, 200, &ssrc.to_be_bytes()[..]));
    let packets = u32::from_be_bytes(report[20..24].try_into().unwrap());
    let octets = u32::from_be_bytes(report[24..28].try_into().unwrap());
    assert!((100..=500).contains(&packets) && octets == packets * 160);
    assert_eq!((&report[28..32], report[32]), (&[0, 0, 0, 77][..], 25), "a tenth of 256 was lost");

    let mut out = Out::default();
    b.shard.rtcp(b.now, CALLER, &peer_report(ssrc, 3), rtcp_peer(CALLER), &mut out);
    b.shard.rtcp(b.now, CALLER, &peer_report(ssrc, 99), peer(SEAT), &mut out);
    b.command(Command::Close { leg: CALLER });
    let bye = b.drain(CALLER, Socket::Rtcp).pop().unwrap();
    assert_eq!(bye[bye.len() - 8..], [&[0x81, 203, 0, 1][..], &ssrc.to_be_bytes()].concat());
    let Some(Event::Closed { stats, .. }) = b.events.pop() else { panic!() };
    assert_eq!((stats.received, stats.sent, stats.lost, stats.peer_lost, stats.strangers), (450, 500, 50, 3, 1));
}

#[test]
fn rtcp_shares_the_port_when_agreed() {
    let mut b = Bench::new();
    b.profile(CALLER, |p| (p.rtcp_mux, p.rtcp) = (true, None));
    b.relay_both();
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0)));
    let ssrc = RtpReader::new(&b.rtp_to(CALLER)[0]).unwrap().ssrc();
    b.receive(CALLER, peer(CALLER), peer_report(ssrc, 7));
    b.pass(7600);
    let reports = b.rtp_to(CALLER);
    assert!(reports.iter().all(|p| is_rtcp(p)) && !reports.is_empty());
    b.command(Command::Close { leg: CALLER });
    let Some(Event::Closed { stats, .. }) = b.events.pop() else { panic!() };
    assert_eq!(stats.peer_lost, 7);
}

#[test]
fn a_report_is_a_senders_only_while_it_sends() {
    let mut b = Bench::new();
    b.play(CALLER, Source::Prompt { audio: tone(5), repeat: false, cue: 1 });
    b.pass(30_000);
    let kinds: Vec<u8> = b.drain(CALLER, Socket::Rtcp).iter().map(|report| report[1]).collect();
    assert!(kinds.len() >= 4 && kinds[0] == 200 && kinds[1..].iter().all(|kind| *kind == 201), "{kinds:?}");
}
