//! Those who would like to have another's calls, or to end them: each attempt is answered, and no binding is another after it.

use super::*;

const THIEF: &str = "192.0.2.66:5060";

/// Seat 1001 has its phone; 1002 is a seat too, and would like to be more.
struct Scene {
    registrar: Registrar,
    victim: Phone,
    other: Phone,
}

impl Scene {
    fn new() -> Scene {
        let mut registrar = registrar();
        let mut victim = Phone::new("1001", "right", flow(Proto::Udp, UDP));
        assert_eq!(status(&victim.registers(&mut registrar, at(0), &[CONTACT])), 200);
        let mut other = Phone { call_id: "c2", ..Phone::new("1002", "too", flow(Proto::Udp, THIEF)) };
        assert_eq!(status(&other.registers(&mut registrar, at(0), &[(Name::Contact, "<sip:1002@192.0.2.66>")])), 200);
        Scene { registrar, victim, other }
    }

    fn bound(&self) -> Vec<Kept> {
        ["seat-1001", "seat-1002"].iter().flat_map(|seat| self.registrar.kept(at(0), seat)).collect()
    }

    /// The other seat's signed request, changed by `act` before it is signed.
    fn tries(&mut self, act: impl FnOnce(&mut Request)) -> u16 {
        let mut request = self.other.request(&[]);
        request.headers.0.retain(|header| header.name != Name::Authorization);
        act(&mut request);
        self.other.sign(&mut request);
        status(&self.registrar.register(at(1), self.other.flow, &request))
    }
}

#[test]
fn a_seat_s_password_opens_no_other_seat_s_address() {
    let mut scene = Scene::new();
    let before = scene.bound();
    for to in
        ["<sip:1001@192.0.2.1>", "\"1002\" <sip:1001@192.0.2.1>", "<sip:%31001@192.0.2.1>", "sip:1001@192.0.2.1", "<tel:1001>"]
    {
        for contact in ["<sip:1001@192.0.2.66>", "<sip:1001@10.0.0.7:5060>;expires=0", "*"] {
            let status = scene.tries(|request| {
                request.headers.set(Name::To, to);
                request.headers.push(Name::Contact, contact);
                request.headers.push(Name::Expires, "0");
            });
            assert_eq!(status, 403, "{to} {contact}");
        }
    }
    assert_eq!(scene.bound(), before);
}

/// From says who registers, To who is registered (RFC 3261 §10.2): a third party needs the other's password all the same, and
/// with its own it registers itself, whatever From says.
#[test]
fn from_decides_nothing() {
    let mut scene = Scene::new();
    let victims = scene.registrar.kept(at(0), "seat-1001");
    let status = scene.tries(|request| {
        request.headers.set(Name::From, "<sip:1001@192.0.2.1>;tag=t");
        request.headers.push(Name::Contact, "<sip:1001@192.0.2.66:5070>");
    });
    assert_eq!((status, scene.registrar.bindings("seat-1002").len()), (200, 2));
    assert_eq!(scene.registrar.kept(at(0), "seat-1001"), victims);
}

#[test]
fn another_s_contact_with_expires_0_removes_nothing_of_another_s() {
    let mut scene = Scene::new();
    let before = scene.bound();
    let ends = |request: &mut Request| request.headers.push(Name::Contact, "<sip:1001@10.0.0.7:5060>;expires=0");
    assert_eq!(scene.tries(ends), 200, "it has no such binding, and so it is gone");
    assert_eq!(scene.bound(), before);
    let all = scene.tries(|request| {
        request.headers.push(Name::Contact, "*");
        request.headers.push(Name::Expires, "0");
    });
    assert_eq!((all, scene.registrar.bindings("seat-1001").len(), scene.registrar.bindings("seat-1002").len()), (200, 1, 0));
}

#[test]
fn an_answer_with_moved_digits_is_none() {
    let mut scene = Scene::new();
    let request = scene.victim.request(&[CONTACT]);
    assert_eq!(status(&scene.registrar.register(at(1), scene.victim.flow, &request)), 200);
    let before = scene.bound();
    let answer = String::from_utf8(request.headers.get(&Name::Authorization).unwrap().to_vec()).unwrap();
    let thief = flow(Proto::Udp, "192.0.2.67:5060");
    for (from, to) in [
        ("nc=00000002", "nc=00000003"),
        ("nc=00000002", "nc=00000002, nc=00000003"),
        ("nc=00000002", "nc=2"),
        ("nc=00000002", "nc=000000002"),
        ("nonce=\"0", "nonce=\"1"),
        ("username=\"1001\"", "username=\"1002\""),
        ("username=\"1001\"", "username=\"1001\\\"\""),
        ("realm=\"hotline\"", "realm=\"HOTLINE\""),
        ("uri=\"sip:192.0.2.1\"", "uri=\"sip:192.0.2.1:5060\""),
        ("qop=auth", "qop=auth-int"),
        ("cnonce=\"cnonce\"", "cnonce=\"cnoncf\""),
        ("algorithm=SHA-256", "algorithm=MD5"),
        (", qop=auth, nc=00000002, cnonce=\"cnonce\"", ""),
    ] {
        assert!(answer.contains(from), "{from} in {answer}");
        let mut moved = request.clone();
        moved.headers.set(Name::Contact, "<sip:1001@192.0.2.67>");
        moved.headers.set(Name::Authorization, answer.replacen(from, to, 1));
        let outcome = scene.registrar.register(at(1), thief, &moved);
        assert!(matches!(status(&outcome), 400 | 401), "{to}: {outcome:?}");
        let stale = told(&outcome, &Name::WwwAuthenticate).iter().any(|challenge| challenge.contains("stale"));
        assert!(!stale, "{to}: it proves nothing");
        scene.registrar.guard.clear();
    }
    assert_eq!(scene.bound(), before);
}

/// A source with no password sends as much as it likes: the one beside it registers on, and nothing is kept of the flood.
#[test]
fn a_flood_of_registers_holds_up_nobody_beside_it() {
    let mut scene = Scene::new();
    for n in 0..50_000_u32 {
        let mut flood = Phone::new("1001", "guess", flow(Proto::Udp, THIEF));
        let request = flood.request(&[CONTACT]);
        scene.registrar.register(at(u64::from(n / 1000)), flood.flow, &request);
        if n.is_multiple_of(5000) {
            assert_eq!(status(&scene.victim.registers(&mut scene.registrar, at(u64::from(n / 1000)), &[CONTACT])), 200);
        }
    }
    let figures = scene.registrar.figures();
    assert_eq!(
        (figures.bindings, figures.suspects, scene.registrar.digest.len()),
        (2, 0, 2),
        "no attempt, no suspect; no proof, no nonce"
    );
}

#[test]
fn a_name_that_acts_on_a_terminal_is_kept_without_what_acts() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    let agent = (Name::UserAgent, "Evil\u{1b}[2J\u{7}\u{9b}31m phone");
    let contact = (Name::Contact, "\"\u{1b}]0;owned\u{7}\" <sip:1001@10.0.0.7:5060>");
    assert_eq!(status(&phone.registers(&mut registrar, at(0), &[contact, agent])), 200);
    let kept = &registrar.kept(at(0), "seat-1001")[0];
    assert_eq!((kept.agent.as_str(), kept.contact.as_str()), ("Evil[2J31m phone", "sip:1001@10.0.0.7:5060"));
}

/// Failures are in a row: what somebody mistyped is over with the right password. What was tried in another's name is not.
#[test]
fn a_seat_that_proves_itself_is_forgiven_its_own_failures_and_nobody_else_s() {
    let mut registrar = registrar();
    let mistypes = |registrar: &mut Registrar, user, now| {
        let mut phone = Phone::new(user, "wrong", flow(Proto::Udp, UDP));
        status(&phone.registers(registrar, at(now), &[CONTACT]))
    };
    for hour in 0..10 {
        let now = hour * 300;
        assert_eq!([mistypes(&mut registrar, "1001", now), mistypes(&mut registrar, "1001", now + 1)], [401, 401]);
        let mut right = Phone::new("1001", "right", flow(Proto::Udp, UDP));
        right.call_id = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][hour as usize];
        assert_eq!(status(&right.registers(&mut registrar, at(now + 2), &[CONTACT])), 200);
    }
    assert_eq!((registrar.figures().bans, registrar.figures().suspects), (0, 0));
    // By its own flow, one who has a password guesses another's no longer than anybody.
    let mut scene = Scene::new();
    let mut statuses = Vec::new();
    for second in 10..60 {
        let mut guess = Phone::new("1001", "guess", flow(Proto::Udp, THIEF));
        statuses.push(status(&guess.registers(&mut scene.registrar, at(second), &[CONTACT])));
        assert_eq!(status(&scene.other.registers(&mut scene.registrar, at(second), &[])), 200);
    }
    assert_eq!(scene.registrar.figures().bans, 1);
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5, "{statuses:?}");
}
