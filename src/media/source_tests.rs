//! Where a leg's audio comes from, and where it goes back to.

use super::bench::*;
use super::*;
use crate::media::out::Socket;
use std::collections::BTreeSet;

#[test]
fn strangers_are_dropped_and_counted() {
    let mut b = Bench::new();
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    b.receive(CALLER, peer(SEAT), packet(8, 2, 0, &audio(0)));
    assert_eq!(b.rtp_to(SEAT).len(), 1);
    b.command(Command::Close { leg: CALLER });
    let Some(Event::Closed { stats, rtp, .. }) = b.events.pop() else { panic!() };
    assert_eq!((stats.received, stats.strangers, rtp), (1, 1, local(CALLER)));
}

#[test]
fn a_new_profile_moves_the_media() {
    let mut b = Bench::new();
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    let moved = SocketAddr::from(([203, 0, 113, 5], 6000));
    b.profile(CALLER, |p| p.rtp = Some(moved));
    assert_eq!(b.connects, [Some(peer(CALLER)), None]);
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(1)));
    b.receive(CALLER, moved, packet(8, 9000, 0, &audio(2)));
    b.receive(CALLER, peer(CALLER), packet(8, 2, 160, &audio(3)));
    assert_eq!(b.sent.iter().filter(|s| s.0 == CALLER).map(|s| s.2).collect::<Vec<_>>(), [moved]);
    let seat = b.rtp_to(SEAT);
    assert_eq!(payloads(&seat), [audio(0), audio(2)], "the old source is dropped");
    assert_eq!(steps(&seat)[0].0, 1, "its new numbering is closed up");
}

#[test]
fn behind_a_nat_media_goes_back_where_it_came_from() {
    for nat in [true, false] {
        let mut b = Bench::new();
        b.reopen(CALLER, Origins { networks: Vec::new(), nat });
        b.relay_both();
        let mapped = SocketAddr::from(([203, 0, 113, 9], 1234));
        let mut speak = |packets: std::ops::Range<u16>| {
            for i in packets {
                b.receive(CALLER, mapped, packet(8, i, u32::from(i) * 160, &audio(0)));
                b.receive(SEAT, peer(SEAT), packet(8, i, u32::from(i) * 160, &audio(1)));
                b.pass(20);
            }
            std::mem::take(&mut b.sent)
                .into_iter()
                .filter(|s| (s.0, s.1) == (CALLER, Socket::Rtp))
                .map(|s| s.2)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(speak(0..10), BTreeSet::from([peer(CALLER)]), "nothing is sent to who may be anybody");
        speak(10..20);
        assert_eq!(speak(20..30), BTreeSet::from([if nat { mapped } else { peer(CALLER) }]));
        b.receive(CALLER, peer(CALLER), packet(8, 900, 0, &audio(0)));
        b.receive(SEAT, peer(SEAT), packet(8, 900, 0, &audio(1)));
        assert_eq!(b.sent.iter().find(|s| s.0 == CALLER).unwrap().2, peer(CALLER), "the SDP's address wins");
    }
}

#[test]
fn a_port_is_free_of_the_call_before() {
    let mut b = Bench::new();
    let phone = SocketAddr::new(peer(CALLER).ip(), 5999);
    b.relay_both();
    b.receive(CALLER, phone, packet(8, 1, 0, &audio(0)));
    assert_eq!(b.rtp_to(SEAT).len(), 1, "from another port of the SDP's host");
    b.reopen(CALLER, Origins { networks: Vec::new(), nat: true });
    b.relay_both();
    for i in 2..100 {
        b.receive(CALLER, phone, packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    assert_eq!(b.rtp_to(SEAT).len(), 0, "it goes on after its call");
    b.reopen(CALLER, Origins { networks: Vec::new(), nat: true });
    b.relay_both();
    b.shard.earlier(CALLER, &packet(8, 100, 0, &audio(0)), phone);
    b.receive(CALLER, phone, packet(8, 101, 160, &audio(0)));
    assert_eq!(b.rtp_to(SEAT).len(), 0, "it sent before the port had its call");
}

#[test]
fn a_phone_that_begins_when_its_call_is_over_is_joined_to_no_other() {
    let mut b = Bench::new();
    let nat = Origins { networks: vec!["198.51.100.0/24".parse().unwrap()], nat: true };
    // Three calls on one port, none of whose phones has said a word.
    for phone in [7, 8, 9] {
        b.reopen(CALLER, nat.clone());
        b.profile(CALLER, |p| p.rtp = Some(SocketAddr::from(([198, 51, 100, phone], 4000))));
        b.relay_both();
        for late in 7..phone {
            for i in 0..50 {
                b.receive(CALLER, SocketAddr::from(([198, 51, 100, late], 4000)), packet(8, i, u32::from(i) * 160, &audio(0)));
                b.pass(20);
            }
            assert_eq!(b.rtp_to(SEAT).len(), 0, "{late} in the call of {phone}");
        }
    }
    b.profile(CALLER, |p| p.rtp = Some(SocketAddr::from(([198, 51, 100, 8], 4000))));
    b.receive(CALLER, SocketAddr::from(([198, 51, 100, 8], 4000)), packet(8, 1, 0, &audio(0)));
    assert_eq!(b.rtp_to(SEAT).len(), 1, "it is taken again where this call's SDP names it");
}

#[test]
fn a_socket_is_tied_to_the_sdp_address_until_it_falls_quiet() {
    let mut b = Bench::new();
    b.relay_both();
    let moved = SocketAddr::new(peer(CALLER).ip(), 5999);
    for i in 0..100 {
        b.receive(CALLER, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    assert_eq!(b.connects, [Some(peer(CALLER))]);
    b.pass(250);
    assert_eq!(b.connects, [Some(peer(CALLER)), None], "the kernel must let others in");
    b.receive(CALLER, moved, packet(8, 100, 16_000, &audio(1)));
    assert_eq!(b.rtp_to(SEAT).len(), 101);
    assert_eq!(b.connects.len(), 2, "the SDP's address may come back");
    b.receive(CALLER, peer(CALLER), packet(8, 101, 16_160, &audio(0)));
    assert_eq!(b.connects[2..], [Some(peer(CALLER))]);
}

#[test]
fn an_ipv4_host_written_as_ipv6_is_that_host() {
    let mut b = Bench::new();
    b.relay_both();
    let mapped = SocketAddr::new("::ffff:198.51.100.1".parse().unwrap(), 4000);
    b.profile(CALLER, |p| (p.rtp, p.rtcp) = (Some(mapped), Some(mapped)));
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0)));
    assert_eq!(b.connects[0], Some(peer(CALLER)));
    assert_eq!(b.sent.iter().find(|s| s.0 == CALLER).unwrap().2, peer(CALLER));
}

/// A caller whose address nothing speaks for, who is played a prompt of two seconds.
fn on_trial() -> Bench {
    let mut b = Bench::new();
    b.profile(CALLER, |p| p.trial = Some(Duration::from_millis(500)));
    b.play(CALLER, Source::Prompt { audio: tone(100), repeat: false, cue: 7 });
    b
}

#[test]
fn an_address_that_nobody_was_heard_from_gets_little() {
    let mut b = on_trial();
    b.pass(30_000);
    assert_eq!(b.events().matches("Withheld { leg: LegId(1) }").count(), 1);
    assert_eq!(b.rtp_to(CALLER).len(), 25, "half a second");
    assert_eq!(b.drain(CALLER, Socket::Rtcp).len(), 0);
    b.profile(CALLER, |p| p.trial = Some(Duration::from_millis(500)));
    b.play(CALLER, Source::Ringback);
    b.relay_both();
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(1)));
    b.command(Command::SendKey { leg: CALLER, key: '5' });
    b.pass(1000);
    b.command(Command::Close { leg: CALLER });
    assert_eq!(b.drain(CALLER, Socket::Rtp).len() + b.drain(CALLER, Socket::Rtcp).len(), 0, "whatever it is told or played next");
}

#[test]
fn a_prompt_goes_on_where_it_waited() {
    let host = |port| SocketAddr::new(peer(CALLER).ip(), port);
    let proofs: [&dyn Fn(&mut Bench); 4] = [
        &|b| b.command(Command::Proven { leg: CALLER }),
        &|b| b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0))),
        &|b| b.receive(CALLER, host(5999), packet(8, 1, 0, &audio(0))),
        &|b| b.rtcp(CALLER, host(9)),
    ];
    for (proof, after) in proofs.iter().flat_map(|proof| [(proof, 100), (proof, 3000)]) {
        let mut b = on_trial();
        b.pass(after);
        proof(&mut b);
        b.pass(2000);
        let heard = b.rtp_to(CALLER);
        assert_eq!(payloads(&heard).concat(), tone(100).a_law, "all of it, once");
        assert!(steps(&heard).iter().all(|(sequence, timestamp, _)| *sequence == 1 && *timestamp >= 160), "one stream");
        assert!(b.events().contains("Played { leg: LegId(1), cue: 7 }"));
        b.profile(CALLER, |p| p.trial = Some(Duration::from_millis(500)));
        b.play(CALLER, Source::Prompt { audio: tone(100), repeat: false, cue: 8 });
        b.pass(2100);
        assert_eq!(b.rtp_to(CALLER).len(), 100, "who was there once is not tried again");
    }
}

#[test]
fn strangers_prove_nothing() {
    let mut b = on_trial();
    b.pass(1000);
    assert_eq!(b.rtp_to(CALLER).len(), 25);
    for i in 0..50 {
        b.receive(CALLER, peer(SEAT), packet(8, i, 0, &audio(0)));
        b.rtcp(CALLER, rtcp_peer(SEAT));
        b.pass(20);
    }
    assert_eq!(b.rtp_to(CALLER).len(), 0);
}
