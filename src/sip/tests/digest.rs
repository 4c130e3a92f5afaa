//! Digest authentication against the published examples, an independent implementation, and hostile peers.

use crate::base::{Mono, Rng};
use crate::sip::digest::{Algorithm, Answer, Challenge, Client, Counted, Qop, Rejected, Secret, Server, Signed, next_nonce};
use proptest::prelude::*;
use std::time::Duration;

const LIFE: Duration = Duration::from_secs(300);
const INVITE: Signed = Signed { method: "INVITE", uri: "sip:bob@biloxi.com", body: b"" };

fn at(seconds: u64) -> Mono {
    Mono(seconds * 1_000_000)
}

fn response(algorithm: Algorithm, [user, realm, password]: [&str; 3], nonce: &str, cnonce: &str, qop: &str, r: Signed) -> String {
    let offered = if qop.is_empty() { String::new() } else { format!(", qop=\"{qop}\"") };
    let name = match algorithm {
        Algorithm::Md5 => "MD5",
        Algorithm::Sha256 => "SHA-256",
        Algorithm::Sha512T256 => "SHA-512-256",
    };
    let value = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={name}{offered}");
    let challenge = Challenge::parse(value.as_bytes()).unwrap();
    Client::new(challenge).answer(user, &Secret::new(algorithm, user, realm, password), r, cnonce).unwrap().response
}

/// RFC 7616 §3.9.1.
#[test]
fn the_examples_of_rfc_7616() {
    let who = ["Mufasa", "http-auth@example.org", "Circle of Life"];
    let (nonce, cnonce) = ("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    let get = Signed { method: "GET", uri: "/dir/index.html", body: b"" };
    let answer = |algorithm| response(algorithm, who, nonce, cnonce, "auth, auth-int", get);
    assert_eq!(answer(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(answer(Algorithm::Sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

/// RFC 7616 §3.9.2 as erratum 4897 corrects it: FIPS 180-4 names a function of its own, not a SHA-512 cut short.
#[test]
fn sha_512_256_is_no_shortened_sha_512() {
    let who = ["J\u{e4}s\u{f8}n Doe", "api@example.org", "Secret, or not?"];
    let (nonce, cnonce) = ("5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v");
    let get = Signed { method: "GET", uri: "/doe.json", body: b"" };
    let ours = response(Algorithm::Sha512T256, who, nonce, cnonce, "auth", get);
    assert_eq!(ours, "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

/// RFC 2617 §3.5, whose digests RFC 3261 §22.4 takes over; the others of the same nonce by another implementation.
#[test]
fn the_examples_of_rfc_2617_and_sip() {
    let (nonce, cnonce) = ("dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b");
    let get = Signed { method: "GET", uri: "/dir/index.html", body: b"" };
    let mufasa = ["Mufasa", "testrealm@host.com", "Circle Of Life"];
    assert_eq!(response(Algorithm::Md5, mufasa, nonce, cnonce, "auth", get), "6629fae49393a05397450978507c4ef1");
    let bob = ["bob", "biloxi.com", "zanzibar"];
    let answer = |qop| response(Algorithm::Md5, bob, nonce, cnonce, qop, INVITE);
    assert_eq!(answer("auth"), "89eb0059246c02b2f6ee02c7961d5ea3");
    assert_eq!(answer(""), "bf57e4e0d0bffc0fbaedce64d59add5e", "a peer of RFC 2069");
    let mut body = b"v=0\r\no=bob 2890844526 2890844526 IN IP4 media.biloxi.com\r\ns=\r\nc=IN IP4 media.biloxi.com\r\n".to_vec();
    body.extend(b"t=0 0\r\nm=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 51372 RTP/AVP 31\r\n");
    body.extend(b"a=rtpmap:31 H261/90000\r\nm=video 53000 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n");
    let ours = response(Algorithm::Md5, bob, nonce, cnonce, "auth-int", Signed { body: &body, ..INVITE });
    assert_eq!(ours, "41f1bde42dcddbee8ae7d65fd3474dc0");
}

fn secret(password: &str) -> impl Fn(&str, Algorithm) -> Option<Secret> + '_ {
    move |user, algorithm| (user == "bob").then(|| Secret::new(algorithm, user, "hotline", password))
}

fn server() -> Server {
    Server::new(b"key", "hotline", LIFE, 4)
}

/// A client that has just been challenged.
fn challenged(server: &mut Server, now: Mono, algorithm: Algorithm) -> Client {
    let value = server.challenge(now, algorithm, false).to_string();
    Client::new(Challenge::parse(value.as_bytes()).unwrap())
}

fn answer(client: &mut Client, password: &str) -> Answer {
    let secret = Secret::new(client.challenge().algorithm, "bob", "hotline", password);
    client.answer("bob", &secret, INVITE, "c").unwrap()
}

fn judged(server: &mut Server, now: Mono, answer: &Answer) -> Result<(), Rejected> {
    server.verify(now, answer.to_string().as_bytes(), "INVITE", b"", secret("pw")).map(|_| ())
}

#[test]
fn a_right_answer_counts_once() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512T256] {
        let mut server = server();
        let mut client = challenged(&mut server, at(1), algorithm);
        let first = answer(&mut client, "pw");
        assert_eq!(judged(&mut server, at(2), &first), Ok(()));
        assert_eq!(judged(&mut server, at(2), &first), Err(Rejected::Stale), "it was repeated");
        let (second, third) = (answer(&mut client, "pw"), answer(&mut client, "pw"));
        assert_eq!(judged(&mut server, at(2), &third), Ok(()));
        assert_eq!(judged(&mut server, at(2), &second), Ok(()), "it was overtaken");
        assert_eq!(judged(&mut server, at(2), &second), Err(Rejected::Stale));
        let wrong = answer(&mut client, "wp");
        assert_eq!(judged(&mut server, at(2), &wrong), Err(Rejected::Wrong));
    }
}

#[test]
fn nonces_that_are_old_foreign_or_early_are_stale_and_wrong_ones_are_not_said_to_be() {
    let mut server = server();
    let mut client = challenged(&mut server, at(10), Algorithm::Sha256);
    let fresh = answer(&mut client, "pw");
    assert_eq!(judged(&mut server, at(310), &fresh), Err(Rejected::Stale), "expired");
    assert_eq!(judged(&mut server, at(9), &fresh), Err(Rejected::Stale), "before its time");
    let wrong = answer(&mut client, "wp");
    assert_eq!(judged(&mut server, at(310), &wrong), Err(Rejected::Wrong), "who guesses is not told that its nonce is old");
    assert_eq!(judged(&mut Server::new(b"other", "hotline", LIFE, 4), at(11), &fresh), Err(Rejected::Stale), "another's key");
    assert_eq!(judged(&mut Server::new(b"key", "elsewhere", LIFE, 4), at(11), &fresh), Err(Rejected::Wrong));
    assert!(server.is_empty(), "nobody who failed is remembered");
    assert_eq!(judged(&mut server, at(309), &fresh), Ok(()));
}

/// RFC 7616 §3.4.2; the digests are another implementation's. The session keeps the nonce and cnonce that it began with, whatever
/// nonce comes next, until it is challenged anew.
#[test]
fn a_session_has_a_secret_of_its_own() {
    let secret = |algorithm| Secret::new(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
    let get = Signed { method: "GET", uri: "/dir/index.html", body: b"" };
    for (name, algorithm, first, second, third) in [
        (
            "MD5-sess",
            Algorithm::Md5,
            "ea076b1bf4bcdf5c79c21f8fee770ce5",
            "f2bdb91566fefc4f0a59dce98868dea2",
            "401461070cc719ee65e92ab4427fd332",
        ),
        (
            "sha-256-SESS",
            Algorithm::Sha256,
            "4d98c5c9ae31fe2a01d852e583af3c140252fbd791fbe7de9f0f3664ed04c5f4",
            "4e3a86d768749eb4c53ad787f33f088bad186e3e3c39bc7fdd84c441255b7c35",
            "7e56d0153ecbf20ca3c2963b68a0eb7a02f892cc682b10b085ceb2236020c686",
        ),
    ] {
        let value = format!("Digest realm=\"http-auth@example.org\", nonce=\"n1\", qop=\"auth\", algorithm={name}");
        let mut client = Client::new(Challenge::parse(value.as_bytes()).unwrap());
        let answer = |client: &mut Client, cnonce: &str| client.answer("Mufasa", &secret(algorithm), get, cnonce).unwrap();
        let one = answer(&mut client, "c1");
        assert!(one.to_string().to_ascii_lowercase().contains(&format!("algorithm={}, ", name.to_ascii_lowercase())), "{one}");
        assert_eq!(one.response, first);
        assert_eq!(answer(&mut client, "c2").response, second);
        client.go_on_with("n2".to_owned());
        assert_eq!(answer(&mut client, "c3").response, third);
        // A phone that answers so has not been asked to.
        let mut server = server();
        assert_eq!(
            server.verify(at(2), one.to_string().as_bytes(), "GET", b"", |_, a| Some(secret(a))),
            Err(Rejected::Malformed)
        );
    }
    assert_eq!(Challenge::parse(b"Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess"), None, "without a cnonce there is none");
}

#[test]
fn what_is_signed_is_method_uri_and_body() {
    let mut server = server();
    let value = server.challenge(at(1), Algorithm::Md5, false).to_string().replace("auth,auth-int", "auth-int");
    let mut client = Client::new(Challenge::parse(value.as_bytes()).unwrap());
    let mut judge = |method: &str, body: &[u8]| {
        let secret_of = Secret::new(Algorithm::Md5, "bob", "hotline", "pw");
        let answer = client.answer("bob", &secret_of, Signed { body: b"sdp", ..INVITE }, "c").unwrap().to_string();
        server.verify(at(2), answer.as_bytes(), method, body, secret("pw")).map(|verified| verified.qop)
    };
    assert_eq!(judge("INVITE", b"sdp"), Ok(Qop::AuthInt));
    assert_eq!(judge("INVITE", b"spd"), Err(Rejected::Wrong));
    assert_eq!(judge("BYE", b"sdp"), Err(Rejected::Wrong));
    let unknown = challenged(&mut server, at(1), Algorithm::Md5).answer("eve", &Secret::kept(Algorithm::Md5, ""), INVITE, "c");
    assert_eq!(judged(&mut server, at(2), &unknown.unwrap()), Err(Rejected::Wrong), "nobody has an empty secret");
}

#[test]
fn the_memory_of_nonces_is_bounded_and_forgets_to_the_safe_side() {
    let mut server = server();
    let mut clients: Vec<Client> = (0..6).map(|second| challenged(&mut server, at(second), Algorithm::Md5)).collect();
    let answers: Vec<Answer> = clients.iter_mut().map(|client| answer(client, "pw")).collect();
    for answer in &answers {
        assert_eq!(judged(&mut server, at(10), answer), Ok(()));
        assert!(server.len() <= 4);
    }
    for answer in &answers {
        assert_eq!(judged(&mut server, at(10), answer), Err(Rejected::Stale), "known or forgotten, it was there before");
    }
    assert_eq!(judged(&mut server, at(10), &answer(&mut clients[5], "pw")), Ok(()));
    let mut late = challenged(&mut server, at(1000), Algorithm::Md5);
    assert_eq!(judged(&mut server, at(1000), &answer(&mut late, "pw")), Ok(()));
    assert_eq!(server.len(), 1, "those whose time is over are gone");
}

#[test]
fn counts_are_known_one_by_one_in_a_window() {
    let mut server = server();
    let mut client = challenged(&mut server, at(1), Algorithm::Md5);
    let all: Vec<Answer> = (0..200).map(|_| answer(&mut client, "pw")).collect();
    let mut judge = |count: usize| judged(&mut server, at(2), &all[count - 1]).is_ok();
    assert!(judge(100) && judge(36) && !judge(36) && !judge(35), "64 below the highest are known");
    assert!(judge(99) && !judge(99) && !judge(100) && judge(101) && !judge(100));
    assert!(judge(200) && !judge(101) && judge(150) && !judge(150));
}

#[test]
fn a_huge_count_uses_its_own_nonce_up_and_no_other() {
    let mut server = server();
    let nonce = server.challenge(at(1), Algorithm::Md5, false).nonce;
    let signed = |count: u32| {
        let value = format!("Digest realm=\"hotline\", nonce=\"{nonce}\", qop=\"auth\"");
        let mut client = Client::new(Challenge::parse(value.as_bytes()).unwrap());
        // The client's own way to that count would be long.
        client.skip_to(count - 1);
        answer(&mut client, "pw")
    };
    assert_eq!(judged(&mut server, at(2), &signed(u32::MAX)), Ok(()));
    for count in [u32::MAX, 1, 2] {
        assert_eq!(judged(&mut server, at(2), &signed(count)), Err(Rejected::Stale));
    }
    assert_eq!(judged(&mut server, at(2), &signed(u32::MAX - 1)), Ok(()));
    let mut other = challenged(&mut server, at(1), Algorithm::Md5);
    assert_eq!(judged(&mut server, at(2), &answer(&mut other, "pw")), Ok(()));
}

#[test]
fn what_is_no_challenge_or_answer_is_none() {
    let challenge = |value: &str| Challenge::parse(value.as_bytes());
    let base = "Digest realm=\"r\", nonce=\"n\"";
    assert!(challenge(base).is_some_and(|c| c.algorithm == Algorithm::Md5 && c.qops.is_empty() && !c.stale));
    let full = format!("{base}, opaque=\"\", ALGORITHM=sha-256, stale=TRUE, qop=\"x, auth-int\", domain=\"a,b\", charset=UTF-8");
    let full = challenge(&full).unwrap();
    assert!(
        full.stale && full.qops == [Qop::AuthInt] && full.algorithm == Algorithm::Sha256 && full.opaque.as_deref() == Some("")
    );
    for bad in [
        "",
        "Digest",
        "Digest ",
        "Basic realm=\"r\", nonce=\"n\"",
        "Digestrealm=\"r\", nonce=\"n\"",
        "Digest realm=\"r\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"r\", nonce=\"n\", nonce=\"m\"",
        "Digest realm=\"r\", nonce=\"n\", NONCE=\"n\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess",
        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1",
        "Digest realm=\"r\", nonce=\"n\", qop=\"conf\"",
        "Digest realm=\"r\", nonce=\"n",
        "Digest realm=\"r\" x, nonce=\"n\"",
        "Digest realm=\"r\"\"s\", nonce=\"n\"",
        "Digest realm=, nonce=\"n\"",
        "Digest =\"r\", nonce=\"n\"",
    ] {
        assert_eq!(challenge(bad), None, "{bad}");
    }
    let many: String = (0..40).map(|i| format!(", x{i}=y")).collect();
    assert_eq!(challenge(&format!("{base}{many}")), None, "bounded");
    let whole =
        "Digest username=\"bob\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", response=\"00\", qop=auth, nc=00000001, cnonce=\"c\"";
    let answer = |value: &str| Answer::parse(value.as_bytes());
    assert!(answer(whole).is_some());
    assert!(answer(&whole.replace("\"sip:a\"", "sip:a")).is_some(), "some leave the quotes away");
    for (part, instead) in [
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=000000001"),
        ("nc=00000001", "nc=+0000001"),
        ("nc=00000001", "nc=00000000"),
        ("nc=00000001", "nc=0000000g"),
        ("nc=00000001, ", ""),
        ("qop=auth, ", ""),
        ("qop=auth", "qop=auth-conf"),
        (", cnonce=\"c\"", ""),
        ("username=\"bob\", ", ""),
        ("uri=\"sip:a\", ", ""),
        ("response=\"00\"", "response=\"00\", response=\"01\""),
    ] {
        assert_eq!(answer(&whole.replace(part, instead)), None, "{part} {instead}");
    }
}

#[test]
fn names_with_quotes_and_escapes_come_back_as_they_were() {
    let mut server = Server::new(b"key", "the \"12345\" \\ hotline", LIFE, 4);
    let realm = "the \"12345\" \\ hotline";
    for user in ["a\"b", "a\\", "\\\"", "\u{5f20}\u{4e09}", "a, nonce=\"x\"", ""] {
        let mut client = challenged(&mut server, at(1), Algorithm::Sha256);
        let of = |user: &str, algorithm| Secret::new(algorithm, user, realm, "pw");
        let answer = client.answer(user, &of(user, Algorithm::Sha256), INVITE, "c\"n\\").unwrap();
        let verified = server.verify(at(2), answer.to_string().as_bytes(), "INVITE", b"", |user, a| Some(of(user, a)));
        assert_eq!(verified.map(|verified| verified.user).as_deref(), Ok(user));
    }
}

#[test]
fn the_strongest_challenge_that_we_know_is_answered() {
    let values: [&[u8]; 4] = [
        b"Digest realm=\"r\", nonce=\"1\", algorithm=SHA-1024",
        b"Bearer x",
        b"Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256",
        b"Digest realm=\"r\", nonce=\"3\"",
    ];
    let strongest = |values: &[&[u8]]| {
        Challenge::strongest(values.iter().filter_map(|value| Challenge::parse(value))).map(|challenge| challenge.nonce)
    };
    assert_eq!(strongest(&values).as_deref(), Some("2"));
    assert_eq!(strongest(&[values[3], values[2]]).as_deref(), Some("2"), "whatever their order (RFC 8760 §2.4)");
    let equal: &[u8] = b"Digest realm=\"r\", nonce=\"4\", algorithm=SHA-512-256";
    assert_eq!(strongest(&[equal, values[2]]).as_deref(), Some("4"), "of equals the server's first");
    assert_eq!(strongest(&values[..2]), None);
    let mut client = Client::new(Challenge::parse(values[2]).unwrap());
    assert_eq!(client.answer("u", &Secret::new(Algorithm::Md5, "u", "r", "p"), INVITE, "c"), None, "no weaker than asked");
}

#[test]
fn a_nonce_that_the_server_names_for_the_next_time_is_used_and_counted_anew() {
    let mut client = Client::new(Challenge::parse(b"Digest realm=\"r\", nonce=\"1\", qop=\"auth\"").unwrap());
    let secret = Secret::new(Algorithm::Md5, "u", "r", "p");
    let sent = |client: &mut Client| {
        let answer = client.answer("u", &secret, INVITE, "c").unwrap();
        (answer.nonce, answer.counted.unwrap().count)
    };
    assert_eq!((sent(&mut client), sent(&mut client)), (("1".into(), 1), ("1".into(), 2)));
    let next = next_nonce(b"qop=auth, rspauth=\"x\", cnonce=\"c\", nc=00000002, nextnonce=\"2\"").unwrap();
    client.go_on_with(next.clone());
    assert_eq!(sent(&mut client), ("2".into(), 1));
    client.go_on_with(next);
    assert_eq!(sent(&mut client), ("2".into(), 2), "the same once more is no new one");
    assert_eq!(next_nonce(b"qop=auth"), None);
}

#[test]
fn a_secret_is_not_printed() {
    assert!(!format!("{:?}", Secret::kept(Algorithm::Md5, "c0ffee")).contains("c0ffee"));
}

proptest! {
    #[test]
    fn another_implementation_computes_the_same(
        user in "[a-zA-Z0-9._-]{1,16}",
        password in "[ -~]{0,24}",
        nonce in "[a-zA-Z0-9/+=]{1,40}",
        cnonce in "[a-z0-9]{1,16}",
        number in 0u32..100_000,
        sha in any::<bool>(),
        kind in 0..3,
    ) {
        use rsip::headers::auth::{Algorithm as Theirs, AuthQop};
        let text = format!("sip:{number}@biloxi.com");
        let uri = rsip::Uri::try_from(text.as_str()).unwrap();
        let (qop, theirs) = match kind {
            0 => ("", None),
            1 => ("auth", Some(AuthQop::Auth { cnonce: cnonce.clone(), nc: 1 })),
            // It knows the body for MD5 alone, and that it is empty.
            _ => ("auth-int", Some(AuthQop::AuthInt { cnonce: cnonce.clone(), nc: 1 })),
        };
        let sha = sha && kind != 2;
        let digest = rsip::services::DigestGenerator {
            username: &user,
            password: &password,
            nonce: &nonce,
            uri: &uri,
            realm: "biloxi.com",
            method: &rsip::Method::Register,
            qop: theirs.as_ref(),
            algorithm: if sha { Theirs::Sha256 } else { Theirs::Md5 },
        };
        let algorithm = if sha { Algorithm::Sha256 } else { Algorithm::Md5 };
        let request = Signed { method: "REGISTER", uri: &text, body: b"" };
        let ours = response(algorithm, [&user, "biloxi.com", &password], &nonce, &cnonce, qop, request);
        prop_assert_eq!(ours, digest.compute());
    }

    #[test]
    fn challenges_and_answers_are_read_as_they_are_written(texts in prop::collection::vec("[^\\x00-\\x1f\\x7f-\\u{9f}]{0,12}", 6), count in 1u32.., stale in any::<bool>(), int in any::<bool>()) {
        let [user, realm, nonce, uri, opaque, cnonce] = <[String; 6]>::try_from(texts).unwrap();
        let qop = if int { Qop::AuthInt } else { Qop::Auth };
        let challenge = Challenge { realm: realm.clone(), nonce: nonce.clone(), opaque: Some(opaque.clone()), algorithm: Algorithm::Sha256, sess: int, stale, qops: vec![qop] };
        prop_assert_eq!(Challenge::parse(challenge.to_string().as_bytes()), Some(challenge));
        let counted = Some(Counted { qop, count, cnonce });
        let answer = Answer { user, realm, nonce, uri, response: "0a".to_owned(), algorithm: Algorithm::Md5, sess: stale, opaque: Some(opaque), counted };
        prop_assert_eq!(Answer::parse(answer.to_string().as_bytes()), Some(answer));
    }

    /// Whatever anybody writes, or does to a right answer, is judged without a panic, and lets nobody in.
    #[test]
    fn noise_opens_no_door(seed in any::<u64>(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut server = server();
        let _ = Challenge::parse(&noise);
        prop_assert!(server.verify(at(2), &noise, "INVITE", b"", secret("pw")).is_err());
        let mut client = challenged(&mut server, at(1), Algorithm::Md5);
        let mut bent = answer(&mut client, "pw").to_string().into_bytes();
        let mut rng = Rng::from_number(seed);
        let place = usize::try_from(rng.below(bent.len() as u64)).unwrap();
        bent[place] = bent[place].wrapping_add(1 + u8::try_from(rng.below(254)).unwrap());
        match server.verify(at(2), &bent, "INVITE", b"", secret("pw")) {
            // Names of parameters and hexadecimal digits have two cases; a name that we pass over says nothing.
            Ok(verified) => prop_assert_eq!(verified.user, "bob"),
            Err(_) => prop_assert!(server.is_empty()),
        }
    }
}
