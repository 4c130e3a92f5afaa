//! Queues under load: 2,000 seats that all talk, 10,000 callers that wait, 200 conversations that end each second. How long
//! from the moment a seat is free until the next call is given to it, for each strategy.
//!
//! `cargo bench --bench queue -- SECONDS` goes on for so many seconds of such load, 60 by default.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use hotline::base::{CallId, Mono, Now, Rng, Target, Transport};
use hotline::queue::{Input, Join, Output, Priority, Queue, Queues, Strategy};
use hotline::seat::{Binding, Rules, Seat};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

const SEATS: usize = 2000;
const WAITING: u64 = 10_000;
const PER_SECOND: u64 = 200;
const HOTLINES: [&str; 8] = ["12345", "12315", "12333", "12366", "12319", "12328", "12329", "12350"];
/// The bound that is asked for.
const BOUND: Duration = Duration::from_millis(5);

fn main() {
    let seconds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(60);
    println!("{SEATS} seats, {WAITING} callers wait, {PER_SECOND} conversations a second, for {seconds} s of them");
    let strategies = [Strategy::LongestIdle, Strategy::FewestCalls, Strategy::RoundRobin, Strategy::SkillFirst];
    let late = strategies.into_iter().filter(|strategy| !run(*strategy, seconds)).count();
    std::process::exit(i32::from(late > 0));
}

fn seat(n: usize, rng: &mut Rng) -> Seat {
    let target = Target::at(Transport::Udp, SocketAddr::from(([10, 0, (n / 250) as u8, (n % 250) as u8], 5060)));
    let known: Vec<&str> = HOTLINES.into_iter().filter(|_| rng.chance(400)).collect();
    let skills = known.into_iter().map(|skill| (Arc::from(skill), 1 + rng.below(9) as u8)).collect();
    let bindings = vec![Binding { target }];
    Seat {
        name: format!("seat-{n}").into(),
        channels: 1,
        bindings,
        skills,
        expert: n.is_multiple_of(50),
        rules: Rules::default(),
    }
}

fn queue(strategy: Strategy, seats: &[Seat]) -> Queue {
    let seconds = Duration::from_secs;
    Queue {
        name: "12345".into(),
        seats: seats.iter().map(|seat| seat.name.clone()).collect(),
        strategy,
        skill: None,
        levels: vec![(seconds(0), 5), (seconds(20), 3), (seconds(60), 0)],
        experts_after: Some(seconds(90)),
        sticky_wait: seconds(20),
        sticky_for: seconds(3600),
        ageing: seconds(60),
        ring_timeout: seconds(20),
        max_wait: seconds(36_000),
        max_length: 20_000,
        share: 20_000,
        reserved: 0,
        rest_after_failure: seconds(5),
        rest_max: seconds(60),
        refusal_max: seconds(30),
        without_seats: None,
        wrap_up: Duration::ZERO,
    }
}

struct Load {
    queues: Queues,
    now: Now,
    rng: Rng,
    next: u64,
    out: Vec<Output>,
    /// The seat that each caller talks to.
    talks: Vec<(CallId, Arc<str>)>,
    times: Vec<Duration>,
}

impl Load {
    fn give(&mut self, input: Input) -> Duration {
        let begun = Instant::now();
        self.queues.handle(self.now, input, &mut self.out);
        begun.elapsed()
    }

    fn join(&mut self) {
        self.next += 1;
        let hotline = HOTLINES[self.rng.below(HOTLINES.len() as u64) as usize];
        let priority = Priority::new(self.rng.below(9) as u8).unwrap();
        let caller = Some(Arc::from(self.rng.below(100_000).to_string()));
        let (queue, source, call) = ("12345".into(), "carrier".into(), CallId(Uuid::from_u128(u128::from(self.next))));
        self.give(Input::Join(Join { call, queue, priority, head: false, source, hotline: hotline.into(), caller }));
        self.answer();
    }

    /// Whoever rings answers.
    fn answer(&mut self) {
        while let Some(output) = self.out.pop() {
            if let Output::Ring { call, seat, .. } = output {
                self.talks.push((call, seat.clone()));
                self.give(Input::Answered { call, seat });
            }
        }
        self.queues.seats_mut().take_news();
    }

    fn pass(&mut self, by: Duration) {
        self.now = self.now.after(by);
        if self.queues.deadline().is_some_and(|at| at <= self.now.mono) {
            self.queues.tick(self.now, &mut self.out);
            self.answer();
        }
    }

    /// A conversation ends; the time until the seat rings again is noted.
    fn end(&mut self) {
        let (call, seat) = self.talks.swap_remove(self.rng.below(self.talks.len() as u64) as usize);
        let time = self.give(Input::Freed { call, seat });
        self.times.push(time);
        self.answer();
        self.give(Input::Over { call });
    }
}

fn run(strategy: Strategy, seconds: u64) -> bool {
    let mut rng = Rng::from_number(1);
    let seats: Vec<Seat> = (0..SEATS).map(|n| seat(n, &mut rng)).collect();
    let queue = queue(strategy, &seats);
    let (queues, now) = (Queues::new(seats, vec![queue]), Now { mono: Mono(1_000_000), ..Now::default() });
    let (out, talks, times) = (Vec::new(), Vec::new(), Vec::new());
    let mut load = Load { queues, now, rng, next: 0, out, talks, times };
    for _ in 0..WAITING + SEATS as u64 {
        load.pass(Duration::from_millis(5));
        load.join();
    }
    let begun = Instant::now();
    for _ in 0..seconds * PER_SECOND {
        load.pass(Duration::from_micros(1_000_000 / PER_SECOND));
        load.end();
        load.join();
    }
    let (all, calls) = (begun.elapsed(), seconds * PER_SECOND);
    load.times.sort_unstable();
    let at = |per_mille: usize| load.times[(load.times.len() - 1) * per_mille / 1000];
    let share = 100.0 * all.as_secs_f64() / seconds as f64;
    println!(
        "{strategy:?}: seat free to ringing p50 {:?}, p99 {:?}, longest {:?}; {:.1} µs a call, {share:.2} % of a core; {} wait",
        at(500),
        at(990),
        at(1000),
        1e6 * all.as_secs_f64() / calls as f64,
        load.queues.gauges().0
    );
    at(990) <= BOUND
}
