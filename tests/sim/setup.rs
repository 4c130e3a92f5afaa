//! The configuration of a simulated gateway, and what an operator may make of it.

use crate::vandal::Vandal;
use crate::world::address;
use hotline::base::{Proto, Rate, Rng};
use hotline::call::Policy;
use hotline::call::feature_codes::FeatureCodes;
use hotline::dialog;
use hotline::media::Prompt;
use hotline::plan::Plan;
use hotline::queue::{Queue, Strategy};
use hotline::sip::{Codec, Host, Uri};
use hotline::switch::{
    Dtmf, Fixed, JournalDown, Limits, LinesFrom, Live, MediaSetup, Recorded, Seat, Setup, Trunk, UnknownSource, Unproven,
};
use hotline::ua;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub fn setup(rng: &mut Rng, seats: u8) -> Setup {
    let text = include_str!("../../dialplans/xishuangbanna.toml");
    let plan = Plan::parse("xishuangbanna.toml", text, &hotline::plan::built_in::load).expect("the plan is good");
    let prompt = |name: &str, seconds: usize| {
        let prompt = Prompt {
            name: name.to_owned(),
            version: "1".to_owned(),
            a_law: vec![0xd5; 8000 * seconds],
            mu_law: vec![0xff; 8000 * seconds],
        };
        (name.to_owned(), Arc::new(prompt))
    };
    let prompts = plan.prompts().iter().map(|p| prompt(&p.name, 5));
    let prompts: BTreeMap<_, _> = prompts.chain([prompt("music", 20), prompt("apology", 4)]).collect();
    let name = |i: u8| Arc::<str>::from(format!("seat-{i}"));
    let channels = |rng: &mut Rng| if rng.chance(500) { 1 } else { 1 + rng.below(10) as u32 };
    let unproven = Unproven { audio: Duration::from_millis(500), emergency: Duration::from_secs(2) };
    let fixed = Fixed {
        node: "sim".to_owned(),
        tickets: None,
        listen: vec![(Proto::Udp, address(1))],
        ua: ua::Config::default(),
        legs: dialog::Config::default(),
        media: MediaSetup {
            addresses: vec![address(1).ip()],
            ports: 10_000..=12_000,
            shards: 2,
            ready: 8,
            most: usize::MAX,
            port_rest: Duration::from_secs(5),
            unproven,
        },
        recorded: Recorded::All,
        limits: Limits { calls: 1000, reserved: 10, source_percent: 75 },
    };
    let live = Live {
        divisions: Arc::default(),
        trunks: vec![trunk("carrier", address(2)), trunk("targets", address(3))],
        seats: (0..seats)
            .map(|i| Seat {
                label: None,
                name: name(i),
                aor: Uri::sip(&name(i), Host::Ip(address(10 + i).ip()), None),
                address: address(10 + i),
                proto: Proto::Udp,
                channels: channels(rng),
                dtmf: Dtmf::Auto,
                origins: Arc::default(),
                lines_from: LinesFrom::Port,
            })
            .collect(),
        queues: vec![Queue {
            name: "12345".into(),
            seats: (0..seats).map(name).collect(),
            strategy: if rng.chance(500) { Strategy::All } else { Strategy::OneByOne },
            ring_timeout: Duration::from_secs(15),
            max_wait: Duration::from_secs(120),
            max_length: 8,
            share: 6,
            reserved: 1,
            rest_after_failure: Duration::from_secs(5),
            rest_max: Duration::from_secs(20),
        }],
        default_route: 1,
        plan: Arc::new(plan),
        prompts: Arc::new(prompts),
        policy: Arc::new(Policy {
            max_talk: Duration::from_secs(600),
            apology: Some("apology".into()),
            music: "music".into(),
            transfer_failed: Some("apology".into()),
            choose_area: None,
            max_parties: 4 + rng.below(46),
            after_caller: Duration::from_secs(20),
            longest_prompt: Duration::from_secs(25),
        }),
        codes: FeatureCodes {
            consult: "*2".to_owned(),
            complete: "*3".to_owned(),
            cancel: "*4".to_owned(),
            swap: "*5".to_owned(),
            merge: "*6".to_owned(),
            one_key: vec![("*110#".to_owned(), "110".to_owned())],
        },
        unknown_source: UnknownSource::Drop,
        journal_down: if rng.chance(500) { JournalDown::Refuse } else { JournalDown::CarryOn },
        emergency_wait: Duration::from_millis(50),
        strangers: Rate::default(),
        notices: 20,
        emergency_sees_withheld: true,
        outage: (Duration::from_secs(5), Duration::from_secs(20)),
        peers: Rate { per_second: 1_000_000, burst: 1_000_000, ..Rate::default() },
        placing_percent: 100_000,
        retry_after: Duration::from_secs(5),
    };
    Setup { fixed, live }
}

/// Changes what an operator may in the middle of the day: seats come and go, trunks change order and size, lines their ways.
pub fn changed(rng: &mut Rng, mut setup: Live) -> Live {
    if rng.chance(500) {
        setup.trunks.reverse();
        setup.default_route = 0;
    }
    if rng.chance(200) {
        setup.trunks.retain(|trunk| &*trunk.name == "targets");
        setup.default_route = 0;
    }
    setup.trunks.iter_mut().for_each(|trunk| trunk.channels = 5 + rng.below(30) as u32);
    let staying = rng.below(setup.seats.len() as u64 + 1) as usize;
    setup.seats.truncate(staying.max(1));
    setup.seats.iter_mut().for_each(|seat| seat.channels = 1 + rng.below(5) as u32);
    let seats: Vec<Arc<str>> = setup.seats.iter().map(|seat| seat.name.clone()).collect();
    setup.queues.iter_mut().for_each(|line| line.seats.retain(|seat| seats.contains(seat)));
    if rng.chance(100) {
        setup.queues.clear();
    }
    setup
}

/// A trunk that may place no calls.
pub fn closed() -> Trunk {
    Trunk { channels: 0, reserved: 0, ..trunk("vandal", Vandal::trunk()) }
}

fn trunk(name: &str, peer: SocketAddr) -> Trunk {
    Trunk {
        name: name.into(),
        sources: vec![peer.ip().into()],
        peer,
        proto: Proto::Udp,
        area: Some("691".into()),
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        channels: 20,
        reserved: 2,
        emergency_history: false,
        reliable: false,
        dtmf: Dtmf::Auto,
        origins: Arc::default(),
    }
}
