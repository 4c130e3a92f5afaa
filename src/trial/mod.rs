//! `hotline try`: the gateway runs for real while this program plays carrier, seat, target and ticket backend around
//! it, over real UDP and HTTP on loopback. Each scenario says what must happen; what differs is printed and counted.

mod backend;
mod gateway;
mod ladder;
mod phone;
mod scenario;
mod shift;
mod sound;
mod verdict;

use crate::base::{LegId, Rng, Text};
use crate::io::clock;
use crate::io::process::files;
use backend::Backend;
use gateway::Gateway;
use ladder::Ladder;
use nix::poll::PollTimeout;
use phone::Phone;
use scenario::{SCENARIOS, Scenario};
use std::io;
use std::time::Duration;

/// The longest a scenario may take: prompts are spoken at their own pace.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long the two sides talk.
const TALK: Duration = Duration::from_millis(1200);
/// The caller of every scenario; shown masked.
const CALLER: &str = "13800138000";

/// Everything on stage.
struct Stage {
    carrier: Phone,
    seat: Phone,
    target: Phone,
    /// Those who register, for the last scene.
    seats: shift::Seats,
    backend: Backend,
    gateway: Gateway,
}

/// Tells whoever asked for the trial what happens in it.
type Say<'a> = &'a dyn Fn(&Text);

/// Walks through every scenario and says what happened; true when all was as it should be.
pub fn run(say: Say<'_>) -> Result<bool, Text> {
    let mut stage = Stage::new().map_err(|e| files::told(&e))?;
    let at = stage.gateway.sip;
    say(&both!(
        "hotline try: gateway on {at}, everything else played here.\n",
        "hotline try：网关在 {at} 试运行，其余各方由本程序扮演。\n"
    ));
    let mut wrong = 0;
    for scenario in SCENARIOS {
        wrong += stage.play(scenario, say).map_err(|e| files::told(&e))?;
    }
    wrong += shift::play(&mut stage, say).map_err(|e| files::told(&e))?;
    let all = SCENARIOS.len() + 1;
    say(&match wrong {
        0 => both!("all {all} scenarios as they should be.", "{all} 个场景全部通过。"),
        n => both!("{n} differences in {all} scenarios: see ✗ above.", "{all} 个场景中有 {n} 处差异，见上面的 ✗。"),
    });
    stage.gateway.stop().map_err(|e| files::told(&e))?;
    Ok(wrong == 0)
}

impl Stage {
    fn new() -> io::Result<Stage> {
        let mut seed = [0; 32];
        io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut seed)?;
        let mut rng = Rng::from_seed(seed);
        let any = ([127, 0, 0, 1], 0).into();
        let carrier = Phone::new("carrier", any, &mut rng)?;
        let seat = Phone::new("seat", any, &mut rng)?;
        let target = Phone::new("target", any, &mut rng)?;
        let (backend, webhook) = Backend::start()?;
        let gateway = Gateway::start(seat.address, target.address, webhook)?;
        let seats = shift::Seats::new(&mut rng)?;
        Ok(Stage { carrier, seat, target, seats, backend, gateway })
    }

    /// Plays one scenario; the number of differences.
    fn play(&mut self, scenario: &Scenario, say: Say<'_>) -> io::Result<usize> {
        let mut ladder = Ladder::default();
        self.clear();
        let (number, [en, zh]) = (scenario.number, scenario.title);
        say(&both!("── {number} {en}", "── {number} {zh}"));
        let gateway = self.gateway.sip;
        let leg = self.carrier.call(clock::now(), gateway, scenario.number, CALLER, &mut ladder)?;
        let early = self.conversation(leg, &mut ladder);
        self.carrier.hang_up(clock::now(), &mut ladder);
        let backend = self.backend.clone();
        self.until(&mut ladder, Duration::from_secs(10), |_| !backend.records(scenario.number).is_empty());
        self.until(&mut ladder, Duration::from_millis(200), |_| false);
        say(&ladder.told());
        let findings = verdict::judge(scenario, self, leg, early);
        let mut wrong = 0;
        for finding in findings {
            let mark = if finding.holds { "✓" } else { "✗" };
            say(&both!("   {mark} {}", "   {mark} {}"; finding.what));
            wrong += usize::from(!finding.holds);
        }
        say(&Text::default());
        Ok(wrong)
    }

    fn phones(&mut self) -> impl Iterator<Item = &mut Phone> {
        [&mut self.carrier, &mut self.seat, &mut self.target].into_iter().chain(&mut self.seats.phones)
    }

    fn clear(&mut self) {
        for phone in self.phones() {
            phone.lines.clear();
            phone.invites.clear();
        }
    }

    /// Until the two sides have talked, or the call is over; gives the packets that the caller heard before the answer.
    fn conversation(&mut self, leg: LegId, ladder: &mut Ladder) -> usize {
        let line = |stage: &Stage, seen: fn(&phone::Line) -> bool| stage.carrier.lines.get(&leg).is_none_or(seen);
        self.until(ladder, PATIENCE, |stage| line(stage, |l| l.answered || l.ended.is_some()));
        let early = self.carrier.lines.get(&leg).map_or(0, |l| l.heard.packets);
        if !line(self, |l| l.ended.is_some()) {
            self.until(ladder, TALK, |stage| line(stage, |l| l.ended.is_some()));
        }
        early
    }

    /// Lets everything act until the condition holds, or the time is over.
    fn until(&mut self, ladder: &mut Ladder, limit: Duration, done: impl Fn(&Stage) -> bool) -> bool {
        let end = clock::now().mono.after(limit);
        loop {
            let now = clock::now();
            for phone in self.phones() {
                phone.turn(now, ladder);
            }
            if done(self) {
                return true;
            }
            if now.mono >= end {
                return false;
            }
            // Two milliseconds are short beside 20 ms of audio.
            let _ = nix::poll::poll(&mut [], PollTimeout::from(2u8));
        }
    }
}
