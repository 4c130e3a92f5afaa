//! The configuration of a day, and how an operator changes it.

use super::shift::{MISSES, PAUSE};
use hotline::base::{Rng, Target, Transport};
use hotline::queue::{Queue, Strategy};
use hotline::seat::{Binding, Rules, Seat, SignIn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub const SEATS: usize = 200;
pub const QUEUES: [&str; 4] = ["12315", "12333", "12345", "12366"];
const STRATEGIES: [Strategy; 5] =
    [Strategy::LongestIdle, Strategy::FewestCalls, Strategy::RoundRobin, Strategy::SkillFirst, Strategy::RingAll];

pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[derive(Clone)]
pub struct Plan {
    pub seats: Vec<Seat>,
    pub queues: Vec<Queue>,
}

pub fn name(seat: usize) -> Arc<str> {
    format!("s{seat:03}").into()
}

/// Exchanges, some phones, and seats with their departments have no toolbar: they are ready by configuration.
pub fn signs_in(seat: usize) -> bool {
    seat % 10 != 9 && !is_remote(seat)
}

/// It sits with its department, and is called by a trunk, in its hours.
pub fn is_remote(seat: usize) -> bool {
    seat % 25 == 13
}

/// Its phone registers, which signs it in.
pub fn registers(seat: usize) -> bool {
    seat % 25 == 17
}

/// How long a seat writes about a call that it has placed.
pub fn own_wrap_up(seat: usize) -> Duration {
    seconds([0, 15, 40][seat % 3])
}

/// The places where a seat can be called, while it can.
pub fn bindings(seat: usize) -> Vec<Binding> {
    let target = Target::at(Transport::Udp, SocketAddr::from(([10, 0, (seat / 250) as u8, (seat % 250) as u8], 5060)));
    vec![Binding { target }]
}

/// The number in a seat's name.
pub fn number(name: &str) -> usize {
    name.bytes().skip(1).fold(0, |n, digit| n * 10 + usize::from(digit - b'0'))
}

/// The number of a queue.
pub fn queue_number(name: &str) -> usize {
    QUEUES.iter().position(|queue| *queue == name).unwrap()
}

impl Plan {
    pub fn new(rng: &mut Rng) -> Plan {
        let seats: Vec<Seat> = (0..SEATS).map(|n| seat(rng, n)).collect();
        // The front's seats are most of all, and some of them serve others too; one line is small, and all its seats ring.
        let queues = QUEUES.iter().enumerate().map(|(n, name)| {
            let share = [80, 60, 700, 30][n];
            let members: Vec<Arc<str>> = seats.iter().filter(|_| rng.chance(share)).map(|seat| seat.name.clone()).collect();
            queue(rng, name, members, (n == 3).then_some(Strategy::RingAll))
        });
        Plan { queues: queues.collect(), seats }
    }

    /// Seats come and go, queues change their rules, and one may vanish for a while.
    pub fn changed(&self, rng: &mut Rng) -> Plan {
        let mut plan = self.clone();
        plan.seats.retain(|_| rng.chance(950));
        let there: std::collections::BTreeSet<Arc<str>> = plan.seats.iter().map(|seat| seat.name.clone()).collect();
        for queue in &mut plan.queues {
            queue.seats.retain(|seat| there.contains(seat));
            if rng.chance(300) && &*queue.name != QUEUES[3] {
                queue.strategy = STRATEGIES[rng.below(4) as usize];
            }
            if rng.chance(300) {
                queue.ageing = seconds(10 + rng.below(120));
            }
        }
        if rng.chance(100) {
            plan.queues.remove(rng.below(plan.queues.len() as u64) as usize);
        }
        plan
    }
}

fn seat(rng: &mut Rng, n: usize) -> Seat {
    let known: Vec<&str> = QUEUES.into_iter().filter(|_| rng.chance(500)).collect();
    let skills = known.into_iter().map(|skill| (Arc::from(skill), 1 + rng.below(9) as u8));
    Seat {
        name: name(n),
        // Some are exchanges behind one address.
        channels: if n % 40 == 39 { 4 } else { 1 },
        bindings: if is_remote(n) || registers(n) { Vec::new() } else { bindings(n) },
        skills: skills.collect(),
        expert: n % 20 == 7,
        rules: Rules {
            sign_in: match () {
                () if registers(n) => SignIn::Registration,
                () if signs_in(n) => SignIn::Asked,
                () => SignIn::Always,
            },
            wrap_up: own_wrap_up(n),
            misses: MISSES,
            pause: PAUSE,
            ..Rules::default()
        },
    }
}

fn queue(rng: &mut Rng, name: &str, seats: Vec<Arc<str>>, strategy: Option<Strategy>) -> Queue {
    let strategy = strategy.unwrap_or_else(|| STRATEGIES[rng.below(4) as usize]);
    let levels = match rng.below(3) {
        0 => vec![(seconds(0), 5), (seconds(20), 2), (seconds(60), 0)],
        1 => vec![(seconds(0), 3), (seconds(30), 1)],
        _ => vec![],
    };
    Queue {
        name: name.into(),
        seats,
        strategy,
        skill: rng.chance(500).then(|| name.into()),
        levels: if strategy == Strategy::RingAll { vec![] } else { levels },
        experts_after: rng.chance(700).then(|| seconds(10 + rng.below(60))),
        sticky_wait: seconds(if rng.chance(500) { 20 } else { 0 }),
        sticky_for: seconds(3 * 3600),
        ageing: seconds(60),
        ring_timeout: seconds(15),
        max_wait: seconds(120 + rng.below(480)),
        max_length: 60 + rng.below(200) as usize,
        share: 1000,
        reserved: 5,
        rest_after_failure: seconds(5),
        rest_max: seconds(60),
        refusal_max: seconds(20),
        without_seats: matches!(name, "12315" | "12366").then(|| seconds(30)),
        wrap_up: seconds([0, 10, 30][rng.below(3) as usize]),
    }
}
