use super::*;

const SDP: u16 = 1;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// In the peer's networks.
fn near(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 7], port))
}

fn far(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 66], port))
}

/// A latch and its clock.
struct Line(Latch, Mono);

impl Line {
    fn new(nat: bool) -> Line {
        let origins = Origins { networks: vec!["203.0.113.0/24".parse().unwrap()], nat };
        let mut line = Line(Latch::new(Arc::new(origins), Earlier::default()), Mono(0));
        line.reopen(at(SDP));
        line
    }

    fn reopen(&mut self, expected: SocketAddr) {
        self.0.reopen(self.1, Some(expected));
    }

    fn wait(&mut self, millis: u64) {
        self.1 = self.1.after(Duration::from_millis(millis));
    }

    /// `count` packets, 20 ms apart: how many were taken.
    fn hear(&mut self, from: SocketAddr, ssrc: u32, count: usize) -> usize {
        (0..count).filter(|_| self.hear_one(from, ssrc)).count()
    }

    fn hear_one(&mut self, from: SocketAddr, ssrc: u32) -> bool {
        self.wait(20);
        self.0.packet(self.1, from, ssrc) == Verdict::Take
    }

    /// Both send at once: how many of each were taken.
    fn both(&mut self, a: (SocketAddr, u32), b: (SocketAddr, u32), count: usize) -> (usize, usize) {
        let mut taken = (0, 0);
        for _ in 0..count {
            self.wait(10);
            taken.0 += usize::from(self.0.packet(self.1, a.0, a.1) == Verdict::Take);
            self.wait(10);
            taken.1 += usize::from(self.0.packet(self.1, b.0, b.1) == Verdict::Take);
        }
        taken
    }

    fn goes_to(&self) -> SocketAddr {
        self.0.destination().unwrap()
    }
}

#[test]
fn the_sdp_address_settles_at_once_and_stays() {
    let mut line = Line::new(true);
    assert_eq!(line.goes_to(), at(SDP));
    assert_eq!(line.hear(at(SDP), 1, 1), 1);
    assert!(line.0.settled() && line.0.certain() == Some(at(SDP)));
    for other in [at(2), near(2), far(2)] {
        assert_eq!(line.both((at(SDP), 1), (other, 9), 200), (200, 0), "{other}");
    }
}

#[test]
fn who_was_first_and_settled_gives_the_leg_to_the_sdp_address() {
    for first in [at(2), near(2), far(2)] {
        let mut line = Line::new(true);
        assert_eq!(line.hear(first, 9, 500), 500, "{first}");
        assert!(line.0.settled() && line.0.certain().is_none() && line.goes_to() == first);
        assert_eq!(line.both((at(SDP), 1), (first, 9), 100), (100, 0), "{first}");
        assert_eq!(line.goes_to(), at(SDP));
    }
}

#[test]
fn without_nat_only_the_sdp_host_and_the_peers_networks_are_heard() {
    let mut line = Line::new(false);
    assert_eq!(line.hear(far(2), 9, 500), 0);
    assert_eq!(line.goes_to(), at(SDP), "nothing is sent to a stranger");
    assert_eq!(line.both((near(2), 1), (far(2), 9), 100), (100, 0), "its media server");
    assert_eq!(line.both((at(2), 2), (near(2), 1), 100), (100, 0), "its host, on another port, comes before");
    assert_eq!(line.both((at(SDP), 3), (at(2), 2), 100), (100, 0));
}

#[test]
fn a_leg_without_an_address_knows_nobody_but_its_networks() {
    let mut line = Line(Latch::default(), Mono(0));
    assert_eq!(line.hear(at(SDP), 1, 100), 0);
    line.reopen(at(SDP));
    assert_eq!(line.hear(at(SDP), 1, 100), 100);
}

#[test]
fn nothing_counts_before_the_source_has_settled() {
    for source in [at(2), near(2), far(2)] {
        let mut line = Line::new(true);
        for _ in 0..1000 {
            line.0.packet(line.1, source, 1);
        }
        assert!(!line.0.settled(), "a flood of a moment");
        assert_eq!(line.goes_to() == source, source != far(2), "and somebody unknown is sent nothing");
        line.hear(source, 1, 16);
        assert!(line.0.settled() && line.goes_to() == source);
    }
}

#[test]
fn one_stray_packet_does_not_lock_the_peer_out() {
    let mut line = Line::new(true);
    assert_eq!(line.hear(far(2), 9, 1), 1);
    assert_eq!(line.hear(far(3), 1, 100), 91, "it waits until the stray one is quiet");
}

#[test]
fn a_source_that_moves_is_followed() {
    for (before, after) in [(at(SDP), at(2)), (near(2), near(3)), (far(2), far(3)), (far(2), near(3)), (near(2), far(3))] {
        for same in [true, false] {
            let mut line = Line::new(true);
            line.hear(before, 1, 50);
            let heard = line.hear(after, if same { 1 } else { 2 }, 400);
            let moved_within_its_host = before.ip() == after.ip();
            let better = after == near(3) && before == far(2);
            let least = if same || moved_within_its_host || better { 390 } else { 250 };
            assert!(heard >= least && line.goes_to() == after, "{before} to {after}: {heard}");
        }
    }
}

#[test]
fn injection_into_a_settled_stream_stays_out() {
    for source in [at(SDP), at(2), near(2), far(2)] {
        for other in [near(9), far(9)] {
            let mut line = Line::new(true);
            line.hear(source, 1, 50);
            let better = source == far(2) && other == near(9);
            assert_eq!(line.both((source, 1), (other, 9), 300).1 == 0, !better, "{other} into {source}");
        }
    }
}

#[test]
fn a_pause_lets_nobody_in_who_is_no_kin() {
    let mut line = Line::new(true);
    let other = SocketAddr::from(([198, 51, 100, 9], 9));
    line.hear(far(2), 1, 50);
    line.wait(1000);
    assert_eq!(line.hear(other, 9, 50), 0, "silence suppression");
    line.hear(far(2), 1, 1);
    line.wait(5000);
    assert_eq!(line.hear(other, 9, 50), 50, "it is taken for gone");
    assert!(line.0.settled());
    assert_eq!(line.both((far(2), 1), (other, 9), 50), (50, 0), "but it was not");
}

#[test]
fn a_peer_that_restarts_its_stream_keeps_its_place() {
    let mut line = Line::new(true);
    line.hear(far(2), 1, 50);
    line.hear(far(2), 2, 50);
    line.wait(5000);
    line.hear(far(9), 9, 50);
    assert_eq!(line.both((far(2), 2), (far(9), 9), 50), (50, 0));
}

#[test]
fn a_new_sdp_drops_the_old_source() {
    let mut line = Line::new(true);
    line.hear(at(SDP), 1, 5);
    line.reopen(near(5));
    assert_eq!(line.hear(at(SDP), 1, 3), 3, "packets under way still count");
    assert_eq!(line.goes_to(), near(5), "but nothing is sent there any more");
    assert!(!line.0.settled());
    assert_eq!(line.hear(far(7), 2, 50), 50, "the new one comes from behind a NAT");
    assert_eq!((line.hear(at(SDP), 1, 1), line.goes_to()), (0, far(7)));
    line.reopen(at(SDP));
    assert_eq!((line.hear(at(SDP), 1, 1), line.goes_to()), (1, at(SDP)), "and back");
}

#[test]
fn a_peer_that_stays_where_it_was_despite_its_sdp_is_found_again() {
    let mut line = Line::new(false);
    line.hear(near(2), 1, 50);
    line.reopen(at(40));
    assert_eq!(line.hear(near(2), 1, 400), 400);
    assert!(line.goes_to() == near(2) && line.0.settled());
    let mut strange = Line::new(false);
    strange.hear(at(SDP), 1, 50);
    strange.reopen(near(5));
    assert!(strange.hear(at(SDP), 1, 1000) < 251, "but not a host that the peer has left");
    assert_eq!(strange.goes_to(), near(5));
}

#[test]
fn the_same_sdp_again_keeps_the_source_and_lets_it_move() {
    let mut line = Line::new(true);
    line.hear(far(2), 1, 50);
    line.reopen(at(SDP));
    assert!(line.goes_to() == far(2) && line.0.settled());
    assert_eq!(line.both((far(2), 1), (far(9), 9), 50), (50, 0));
    line.reopen(at(SDP));
    line.wait(QUIET.as_millis() as u64);
    assert_eq!(line.hear(near(9), 2, 50), 50);
}

#[test]
fn a_stream_of_an_earlier_call_is_not_joined_to_this_one() {
    for late in [at(2), near(2), far(2)] {
        let mut line = Line::new(true);
        line.0.earlier(late, 9);
        assert_eq!((line.hear(late, 9, 500), line.goes_to()), (0, at(SDP)), "{late}");
        assert_eq!(line.hear(late, 10, 50), 50, "the same phone in this call");
    }
    let mut line = Line::new(false);
    (0..100).for_each(|ssrc| line.0.earlier(at(SDP), ssrc));
    assert_eq!(line.hear(at(SDP), 99, 5), 5, "the SDP names it");
}

#[test]
fn addresses_of_version_6_are_hosts_like_others() {
    let peer = |port| SocketAddr::from(([0x2001u16, 0xdb8, 0, 0, 0, 0, 0, 7], port));
    let mut line = Line::new(false);
    line.reopen(peer(1));
    assert_eq!((line.hear(peer(2), 1, 20), line.hear(peer(1), 2, 1)), (20, 1));
}
