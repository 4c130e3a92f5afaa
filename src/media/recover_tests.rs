//! A panic costs one call, wherever it happens, and the others go on without a gap.

use super::bench::*;
use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The other call's legs.
const OTHERS: [LegId; 2] = [LegId(3), LegId(4)];

/// Two calls: in one a party speaks, and two hear it; in the other music is played and a mix is heard.
fn busy() -> Bench {
    let mut b = Bench::new();
    b.now = Now { mono: Mono(2_000_000), ..b.now };
    for leg in OTHERS.into_iter().chain([LegId(5)]) {
        b.command(Command::Open { leg, rtp: local(leg), origins: Arc::default() });
        b.command(Command::Profile { leg, profile: profile(leg), keys: None });
    }
    b.play(CALLER, Source::Relay(SEAT));
    b.play(LegId(5), Source::Relay(SEAT));
    b.play(SEAT, Source::Mix([CALLER, LegId(5)].into()));
    b.play(OTHERS[0], Source::Prompt { audio: tone(500), repeat: true, cue: 1 });
    b.play(OTHERS[1], Source::Mix(OTHERS.into()));
    b.pass(100);
    b.sent.clear();
    b.events.clear();
    b
}

/// As the driver of a shard does it.
fn recovered(b: &mut Bench, act: impl FnOnce(&mut Bench)) -> Option<LegId> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let died = catch_unwind(AssertUnwindSafe(|| act(b))).is_err();
    std::panic::set_hook(hook);
    assert!(died, "the trap was not sprung");
    let mut out = Out::default();
    let lost = b.shard.recover(b.now, &mut out);
    b.take(out);
    sound(&b.shard);
    lost
}

/// Each leg knows those who hear it, and nobody else; and it is on the wheel that is said to be.
fn sound(shard: &Shard) {
    let turning: Vec<LegId> = shard.wheel.streams().collect();
    for leg in shard.legs.values() {
        let those = |hears: fn(&Hears, LegId) -> bool| -> Vec<LegId> {
            shard.legs.values().filter(|other| hears(&other.playing.hears(), leg.id)).map(|other| other.id).collect()
        };
        let sorted =
            |legs: &[LegId]| legs.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>();
        assert_eq!(sorted(&leg.relays), those(Hears::relays), "who relays {}", leg.id);
        assert_eq!(sorted(&leg.mixers), those(Hears::mixes), "who mixes {}", leg.id);
        assert_eq!(leg.voice.is_some(), !leg.mixers.is_empty(), "the voice of {}", leg.id);
        assert_eq!(leg.on_wheel, turning.contains(&leg.id), "{}", leg.id);
    }
}

fn closed(b: &Bench, leg: LegId) -> usize {
    b.events.iter().filter(|event| matches!(event, Event::Closed { leg: closed, .. } if *closed == leg)).count()
}

/// Both legs of the other call have a packet each 20 ms.
fn others_go_on(b: &mut Bench) {
    b.sent.clear();
    b.pass(200);
    for leg in OTHERS {
        let heard = b.rtp_to(leg);
        assert_eq!(heard.len(), 10, "{leg}");
        assert!(steps(&heard).iter().all(|step| (step.0, step.1) == (1, 160)), "{leg}");
    }
}

#[test]
fn a_packet_that_panics_costs_its_leg() {
    for after in [0, 1] {
        let mut b = busy();
        trap::set(Trap::Media, after);
        let lost = recovered(&mut b, |b| b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0))));
        assert_eq!((lost, closed(&b, SEAT), b.shard.len()), (Some(SEAT), 1, 4));
        others_go_on(&mut b);
        b.receive(SEAT, peer(SEAT), packet(8, 2, 160, &audio(0)));
        b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
        for leg in [CALLER, LegId(5), SEAT] {
            b.command(Command::Close { leg });
        }
        assert_eq!((closed(&b, SEAT), closed(&b, CALLER), closed(&b, LegId(5))), (1, 1, 1), "each is told once");
        others_go_on(&mut b);
    }
}

#[test]
fn a_frame_that_panics_costs_its_leg_and_no_other_slot() {
    let mut b = busy();
    let mut lost = Vec::new();
    for _ in 0..2 {
        trap::set(Trap::Media, 0);
        let mut packets = 0;
        lost.extend(recovered(&mut b, |b| {
            while packets < 1000 {
                packets += 1;
                b.pass(1);
            }
        }));
    }
    assert_eq!((lost.len(), b.shard.len(), b.events.len()), (2, 3, 2));
    let left: Vec<LegId> = OTHERS.into_iter().chain([SEAT]).filter(|leg| !lost.contains(leg)).collect();
    // Packets that were due in the same millisecond are sent when the shard ticks again.
    b.pass(1);
    b.sent.clear();
    b.pass(100);
    assert_eq!(left.iter().map(|leg| b.rtp_to(*leg).len()).collect::<Vec<_>>(), [5]);
}

#[test]
fn listeners_are_known_again_after_a_panic_among_them() {
    let mut b = busy();
    // The list of who hears it is taken out while it is gone through.
    trap::set(Trap::Media, 1);
    let lost = recovered(&mut b, |b| b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0))));
    assert_eq!(lost, Some(SEAT));
    b.play(CALLER, Source::Relay(LegId(5)));
    b.play(OTHERS[0], Source::Relay(LegId(5)));
    b.sent.clear();
    b.receive(LegId(5), peer(LegId(5)), packet(8, 1, 0, &audio(3)));
    assert_eq!((b.rtp_to(CALLER).len(), b.rtp_to(OTHERS[0]).len()), (1, 1));
}

/// It has left one list and is not on the other yet.
#[test]
fn a_leg_that_panics_between_two_sources_is_forgotten_by_both() {
    for source in [Source::Relay(OTHERS[0]), Source::Mix([OTHERS[0]].into()), Source::Silence] {
        for leg in [LegId(5), SEAT] {
            let mut b = busy();
            trap::set(Trap::Media, 1);
            let lost = recovered(&mut b, |b| b.play(leg, source.clone()));
            assert_eq!((lost, closed(&b, leg), b.shard.len()), (Some(leg), 1, 4));
            others_go_on(&mut b);
        }
    }
}

#[test]
fn a_leg_that_panics_as_it_opens_is_told_with_its_port() {
    for when in [0, 1] {
        let mut b = busy();
        let (leg, rtp) = (LegId(9), local(LegId(9)));
        trap::set(Trap::Media, when);
        let lost = recovered(&mut b, |b| b.command(Command::Open { leg, rtp, origins: Arc::default() }));
        assert_eq!((lost, closed(&b, leg), b.shard.len()), (Some(leg), 1, 5));
        assert!(matches!(b.events.last(), Some(Event::Closed { rtp: port, .. }) if *port == rtp));
        b.command(Command::Open { leg: LegId(10), rtp, origins: Arc::default() });
        assert_eq!(b.shard.len(), 6, "its port serves another");
        others_go_on(&mut b);
    }
}

#[test]
fn a_panic_of_no_leg_is_told_as_such() {
    let mut b = busy();
    trap::set(Trap::Media, 0);
    assert_eq!(recovered(&mut b, |b| b.command(Command::Bind { rtp: local(LegId(20)) })), None);
    assert_eq!((b.shard.len(), b.events.len()), (5, 0));
    others_go_on(&mut b);
}
