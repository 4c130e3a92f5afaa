//! A gateway that a carrier calls at 10.0.0.2 and whose seats are at 10.0.0.10 and after: the configuration that tests of the
//! switch without sockets begin with, and then change.

use hotline::base::{Proto, Rate, Target, Transport};
use hotline::call::Policy;
use hotline::dialog;
use hotline::media::Prompt;
use hotline::plan::{Calendar, Plan};
use hotline::queue::{Queue, Strategy};
use hotline::sip::{Codec, Host, Uri};
use hotline::switch::{
    DialledFrom, Dtmf, Fixed, JournalDown, Limits, LinesFrom, Live, MediaSetup, Outbound, Presents, Recorded, RecordingRules,
    Rests, Seat, Setup, Trunk, UnknownSource, Unproven,
};
use hotline::ua;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The gateway has 1.
pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5060))
}

/// With these seats, from 10.0.0.10 on, in the one queue.
pub fn setup(seats: &[&str]) -> Setup {
    let text = include_str!("../../dialplans/xishuangbanna.toml");
    let plan = Plan::parse("xishuangbanna.toml", text, &hotline::plan::built_in::load).unwrap();
    let prompts = plan
        .prompts()
        .iter()
        .map(|p| prompt(&p.name, 5))
        .chain([prompt("music", 20), prompt("apology", 4), prompt("message", 3), prompt("message-tone", 1)])
        .collect();
    let unproven = Unproven { audio: Duration::from_millis(500), emergency: Duration::from_secs(2) };
    let fixed = Fixed {
        recordings: 1000,
        node: "test".to_owned(),
        tickets: None,
        listen: vec![(Proto::Udp, address(1))],
        ua: ua::Config::default(),
        legs: dialog::Config::default(),
        resolve_timeout: Duration::from_secs(3),
        media: MediaSetup {
            addresses: vec![address(1).ip()],
            ports: 10_000..=12_000,
            shards: 1,
            ready: 8,
            most: usize::MAX,
            port_rest: Duration::from_secs(5),
            unproven,
        },
        recorded: Recorded::None,
        limits: Limits { calls: 1000, reserved: 10, source_percent: 75 },
    };
    let live = Live {
        recording: RecordingRules { pause_most: Duration::from_secs(300), ..RecordingRules::default() },
        divisions: Arc::default(),
        trunks: vec![trunk("carrier", address(2))],
        seats: (10..).zip(seats).map(|(host, name)| seat(name, address(host))).collect(),
        registrar: None,
        queues: vec![queue("12345", seats)],
        default_route: 0,
        plan: Arc::new(plan),
        prompts: Arc::new(prompts),
        policy: Arc::new(policy()),
        codes: Default::default(),
        rest: Duration::from_secs(600),
        unknown_source: UnknownSource::Drop,
        journal_down: JournalDown::CarryOn,
        emergency_wait: Duration::from_millis(50),
        strangers: Rate::default(),
        notices: 20,
        emergency_sees_withheld: true,
        rests: Rests { shortest: Duration::from_secs(5), longest: Duration::from_secs(20), refusals: 3 },
        pings: (3, 2),
        peers: Rate { per_second: 1_000_000, burst: 1_000_000, ..Rate::default() },
        placing_percent: 100_000,
        retry_after: Duration::from_secs(5),
        callbacks: Default::default(),
        outbound: Arc::new(outbound()),
    };
    Setup { fixed, live }
}

fn outbound() -> Outbound {
    Outbound {
        enabled: true,
        trunk: None,
        shown: None,
        hours: Calendar::weekly(["daily 08:00-21:00"].into_iter()).unwrap(),
        refuse: vec!["00".to_owned()],
        per_callee: 5,
        per_seat: 300,
        per_hotline: 50,
        per_trunk: 100,
        leave_percent: 20,
        ring_seat: Duration::from_secs(20),
        ring: Duration::from_secs(60),
        preview: Duration::from_secs(60),
        after_refusal: Duration::from_secs(4 * 3600),
    }
}

pub fn trunk(name: &str, peer: SocketAddr) -> Trunk {
    Trunk {
        name: name.into(),
        sources: vec![peer.ip().into()],
        target: Target::at(Transport::Udp, peer),
        others: Vec::new(),
        ping: None,
        area: Some("691".into()),
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        channels: 20,
        reserved: 2,
        emergency_history: false,
        call_data: false,
        reliable: false,
        session_timer: None,
        dtmf: Dtmf::Auto,
        srtp: Default::default(),
        causes: None,
        numbers: Arc::default(),
        dialled_from: vec![DialledFrom::RequestUri],
        presents: Presents::default(),
        origins: Arc::default(),
        registrations: Vec::new(),
    }
}

fn seat(name: &str, address: SocketAddr) -> Seat {
    Seat {
        label: None,
        name: name.into(),
        aor: Uri::sip(name, Host::Ip(address.ip()), None),
        sources: vec![address.ip().into()],
        target: Some(Target::at(Transport::Udp, address)),
        channels: 100,
        dtmf: Dtmf::Auto,
        srtp: Default::default(),
        origins: Arc::default(),
        lines_from: LinesFrom::Port,
        remote: None,
        skills: Default::default(),
        expert: false,
        rules: Default::default(),
    }
}

fn queue(name: &str, seats: &[&str]) -> Queue {
    Queue {
        name: name.into(),
        seats: seats.iter().map(|seat| Arc::from(*seat)).collect(),
        strategy: Strategy::LongestIdle,
        skill: None,
        levels: Vec::new(),
        experts_after: None,
        sticky_wait: Duration::ZERO,
        sticky_for: Duration::from_secs(3600),
        ageing: Duration::from_secs(60),
        ring_timeout: Duration::from_secs(15),
        max_wait: Duration::from_secs(120),
        max_length: 8,
        share: 8,
        reserved: 0,
        rest_after_failure: Duration::from_secs(5),
        rest_max: Duration::from_secs(60),
        refusal_max: Duration::from_secs(5),
        without_seats: None,
        wrap_up: Duration::ZERO,
    }
}

fn policy() -> Policy {
    Policy {
        max_talk: Duration::from_secs(600),
        apology: None,
        music: "music".into(),
        transfer_failed: None,
        choose_area: None,
        max_parties: 50,
        after_caller: Duration::from_secs(20),
        longest_prompt: Duration::from_secs(25),
        callers: Default::default(),
        hold_alarm: Duration::from_secs(60),
        hold_most: Duration::from_secs(300),
        least_talk: Duration::ZERO,
    }
}

/// Seconds of silence.
fn prompt(name: &str, seconds: usize) -> (String, Arc<Prompt>) {
    let (a_law, mu_law) = (vec![0xd5; 8000 * seconds], vec![0xff; 8000 * seconds]);
    (name.to_owned(), Arc::new(Prompt { name: name.to_owned(), version: "1".to_owned(), a_law, mu_law }))
}
