//! Pairs are taken, rest and come back; few are bound ahead, and none is lost.

use super::*;

const REST: Duration = Duration::from_secs(5);

fn ports(range: RangeInclusive<u16>, shards: u16) -> Ports {
    let addresses = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])];
    Ports::new(&addresses, range, shards, 256, REST, &mut Rng::from_number(1))
}

/// Gives the pairs that it asks to bind, and those that it gives back.
fn ask(ports: &mut Ports, now: Mono, shard: u16) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
    let mut out = Vec::new();
    ports.refill(now, shard, &mut out);
    let (mut bind, mut unbind) = (Vec::new(), Vec::new());
    for command in out {
        match command {
            Command::Bind { rtp } => bind.push(rtp),
            Command::Unbind { rtp } => unbind.push(rtp),
            other => panic!("{other:?}"),
        }
    }
    (bind, unbind)
}

/// Asks for pairs and answers each with `bound`.
fn fill(ports: &mut Ports, now: Mono, shard: u16) -> Vec<SocketAddr> {
    let asked = ask(ports, now, shard).0;
    for pair in &asked {
        ports.bound(shard, *pair);
    }
    asked
}

#[test]
fn shards_share_nothing_and_cover_the_range() {
    let mut ports = ports(10_001..=10_013, 2);
    let all = |shard, ports: &mut Ports| std::iter::from_fn(|| ports.take(shard, false, true)).collect::<BTreeSet<_>>();
    let (a, b) = (all(0, &mut ports), all(1, &mut ports));
    let both: BTreeSet<SocketAddr> = a.iter().chain(&b).copied().collect();
    // 10,002 to 10,012 with their RTCP neighbours, on two addresses.
    assert_eq!((a.len(), b.len(), both.len()), (6, 6, 12));
    assert!(both.iter().all(|pair| pair.port() % 2 == 0 && (10_002..=10_012).contains(&pair.port())));
    assert_eq!((ports.take(7, false, true), ports.available(7, false), ports.available(0, false)), (None, false, false));
    assert!(ports.dry());
    ports.bound(7, SocketAddr::from(([127, 0, 0, 1], 10_000)));
}

#[test]
fn few_are_bound_while_nobody_calls_and_more_the_more_call() {
    let mut ports = ports(10_000..=29_999, 1);
    assert_eq!(fill(&mut ports, Mono(0), 0).len(), 16);
    let mut taken: Vec<SocketAddr> = Vec::new();
    for _ in 0..4000 {
        taken.extend(ports.take(0, false, false));
        fill(&mut ports, Mono(0), 0);
    }
    let ready = ports.shards[0][0].ready.len();
    assert!(taken.len() == 4000 && (240..=256).contains(&ready), "{ready} are ready");
    taken.drain(..).for_each(|pair| {
        ports.closed(Mono(0), 0, pair);
        let (bind, given_back) = ask(&mut ports, Mono(0), 0);
        assert!(bind.is_empty() && given_back.len() <= 2, "they are given back as they came");
    });
    let ready = ports.shards[0][0].ready.len();
    assert!((16..=32).contains(&ready), "{ready} are ready");
    assert_eq!((ports.in_use(), ports.resting()), (0, 4000));
}

#[test]
fn a_burst_finds_bound_pairs_first_and_others_then() {
    let mut ports = ports(10_000..=10_999, 1);
    let bound = fill(&mut ports, Mono(0), 0);
    let taken: Vec<SocketAddr> = (0..300).map(|_| ports.take(0, false, false).unwrap()).collect();
    assert_eq!(taken[..16], bound);
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 300);
    // Two that were asked for and taken before the word came.
    let asked = ask(&mut ports, Mono(0), 0).0;
    let early = [ports.take(0, false, false).unwrap(), ports.take(0, false, false).unwrap()];
    assert!(early.iter().all(|pair| asked.contains(pair)));
    for pair in &asked {
        ports.bound(0, *pair);
    }
    assert!(!ports.shards[0][0].ready.iter().any(|pair| early.contains(pair)));
}

#[test]
fn a_closed_pair_rests_until_there_is_no_other() {
    let mut ports = ports(10_000..=10_003, 1);
    fill(&mut ports, Mono(0), 0);
    let taken: Vec<SocketAddr> = std::iter::from_fn(|| ports.take(0, false, false)).collect();
    assert_eq!((taken.len(), ports.in_use(), ports.deadline()), (4, 4, None));
    let (first, second) = (Mono(1), Mono(2));
    ports.closed(first, 0, taken[2]);
    ports.closed(second, 0, taken[1]);
    ports.closed(second, 0, taken[1]);
    assert_eq!(ports.deadline(), Some(first.after(REST)));
    assert_eq!(fill(&mut ports, Mono(1).after(REST - Duration::from_millis(1)), 0), []);
    assert_eq!(ports.take(0, false, false), Some(taken[2]), "the one that has rested longest, since all others are in use");
    assert_eq!(fill(&mut ports, second.after(REST), 0), [taken[1]]);
}

#[test]
fn a_pair_that_something_comes_to_rests_again() {
    let mut ports = ports(10_000..=10_399, 1);
    let bound = fill(&mut ports, Mono(0), 0);
    for (i, pair) in bound.iter().enumerate() {
        ports.disturbed(Mono(i as u64), 0, *pair);
    }
    assert_eq!((ports.resting(), ports.disturbances()), (16, 16));
    let others = fill(&mut ports, Mono(100), 0);
    assert!(others.len() == 16 && others.iter().all(|pair| !bound.contains(pair)));
    assert_eq!(ports.take(0, false, false), Some(others[0]));
    ports.disturbed(Mono(100), 0, others[0]);
    assert_eq!((ports.in_use(), ports.disturbances()), (1, 16), "its leg has it");
    // Somebody sprays all ports without end: calls have them all the same.
    while let Some(next) = ports.shards[0][0].ready.front().copied() {
        ports.disturbed(Mono(200), 0, next);
        fill(&mut ports, Mono(200), 0);
    }
    assert_eq!(std::iter::from_fn(|| ports.take(0, false, true)).count(), 399);
}

#[test]
fn a_busy_port_gives_way_to_the_next() {
    let mut ports = ports(10_000..=10_003, 1);
    let asked = ask(&mut ports, Mono(0), 0).0;
    ports.busy(Mono(0), 0, asked[0]);
    ports.bound(0, asked[0]);
    for pair in &asked[1..] {
        ports.bound(0, *pair);
    }
    let taken: Vec<SocketAddr> = std::iter::from_fn(|| ports.take(0, false, true)).collect();
    assert_eq!(taken, asked[1..], "a late word about it changes nothing");
    ports.busy(Mono(0), 0, taken[0]);
    assert_eq!((ports.in_use(), ports.take(0, false, true)), (3, None), "its leg will close");
    assert_eq!(ports.deadline(), Some(Mono(0).after(REST_BUSY)));
    assert_eq!(fill(&mut ports, Mono(0).after(REST_BUSY), 0), [asked[0]]);
}

#[test]
fn each_party_gets_an_address_of_its_family_and_each_shard_has_both() {
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
    // Eight pairs of each family for each shard.
    let mut ports = Ports::new(&addresses, 10_000..=10_031, 2, 8, REST, &mut Rng::from_number(3));
    for shard in 0..2 {
        let mut out = Vec::new();
        ports.refill(Mono(0), shard, &mut out);
        assert_eq!(out.len(), 16);
        let taken: Vec<SocketAddr> = (0..8).filter_map(|_| ports.take(shard, true, false)).collect();
        assert!(taken.len() == 8 && taken.iter().all(SocketAddr::is_ipv6));
        assert_eq!((ports.take(shard, true, true), ports.dry()), (None, true), "none of the other family stands in");
        assert!((0..8).all(|_| ports.take(shard, false, false).is_some_and(|pair| pair.is_ipv4())));
        taken.iter().for_each(|pair| ports.closed(Mono(0), shard, *pair));
    }
    let mut one = Ports::new(&addresses[..1], 10_000..=10_099, 1, 8, REST, &mut Rng::from_number(3));
    assert!(one.available(0, true));
    assert!(one.take(0, true, false).is_some_and(|pair| pair.is_ipv4()), "there is no other address: the peer may speak both");
}

/// A process without descriptors tries no port after the other in vain, and takes up where it was when there are some.
#[test]
fn without_sockets_one_pair_is_tried_now_and_then_and_none_is_lost() {
    let mut ports = ports(10_000..=10_100, 2);
    let ask = |ports: &mut Ports, now: Mono| {
        let mut out = Vec::new();
        (0..2).for_each(|shard| ports.refill(now, shard, &mut out));
        out.into_iter().map(|command| if let Command::Bind { rtp } = command { rtp } else { panic!() }).collect::<Vec<_>>()
    };
    let at = |ms: u64| Mono(0).after(Duration::from_millis(ms));
    let asked = ask(&mut ports, at(0));
    assert_eq!(asked.len(), 32);
    for pair in &asked {
        (0..2).for_each(|shard| ports.no_socket(at(0), shard, *pair));
    }
    assert!(ports.scarce() && !ports.available(0, false) && ports.take(0, false, true).is_none(), "no leg binds in vain");
    assert_eq!((ask(&mut ports, at(999)).len(), ports.deadline()), (0, Some(at(1000))));
    let tried = ask(&mut ports, at(1000));
    assert_eq!((tried.len(), ports.deadline()), (1, None), "until it is told");
    (0..2).for_each(|shard| ports.no_socket(at(1001), shard, tried[0]));
    let tried = ask(&mut ports, at(2001));
    assert_eq!(tried.len(), 1);
    assert!(ports.bound(0, tried[0]) || ports.bound(1, tried[0]));
    assert!(!ports.scarce());
    assert_eq!(ask(&mut ports, at(2001)).len(), 31, "all at once");
    // With nothing left to try nobody is woken for it.
    let mut one = Ports::new(&["127.0.0.1".parse().unwrap()], 10_000..=10_001, 1, 4, REST, &mut Rng::from_number(1));
    let pair = ask(&mut one, at(0))[0];
    one.no_socket(at(0), 0, pair);
    let pair = ask(&mut one, at(1000))[0];
    one.bound(0, pair);
    one.scarce = Some(at(1000));
    assert_eq!(one.deadline(), None);
}

#[test]
fn no_more_pairs_are_bound_than_there_are_sockets_for_and_emergencies_keep_theirs() {
    let mut ports = ports(10_000..=10_400, 2).at_most(20, 4);
    let mut taken = Vec::new();
    let mut take = |ports: &mut Ports, emergency: bool| {
        (0..2).for_each(|shard| drop(fill(ports, Mono(0), shard)));
        assert!(ports.held() <= 20);
        let found = (0..2).find_map(|shard| ports.take(shard, false, emergency).map(|pair| (shard, pair)));
        taken.extend(found);
        found.is_some()
    };
    assert_eq!((0..100).filter(|_| take(&mut ports, false)).count(), 16);
    assert_eq!((0..100).filter(|_| take(&mut ports, true)).count(), 4);
    assert!(ports.scarce(), "there are ports, but no sockets");
    for (shard, pair) in taken.drain(..) {
        ports.closed(Mono(0), shard, pair);
    }
    assert!(!ports.scarce());
}

#[test]
fn the_last_pairs_are_for_emergencies() {
    let mut ports = Ports::new(&["127.0.0.1".parse().unwrap()], 10_000..=10_599, 1, 32, REST, &mut Rng::from_number(1));
    fill(&mut ports, Mono(0), 0);
    assert_eq!(std::iter::from_fn(|| ports.take(0, false, false)).count(), 296);
    assert!(!ports.available(0, false) && !ports.dry());
    assert_eq!(std::iter::from_fn(|| ports.take(0, false, true)).count(), 4);
}
