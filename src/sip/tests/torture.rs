//! The situations of RFC 4475 and RFC 5118 in our own words; each test names the RFC's message.

use super::*;
use crate::base::Proto;

fn options(extra: &str) -> String {
    with("OPTIONS sip:12345@192.0.2.1 SIP/2.0", "OPTIONS", extra, "")
}

fn instead(text: &str, line: &str, other: &str) -> String {
    assert!(text.contains(line), "{line}");
    text.replacen(line, other, 1)
}

const FROM: &str = "From: \"Caller\" <sip:13800138000@192.0.2.7>;tag=f1";
const TO: &str = "To: <sip:12345@192.0.2.1>";
const START: &str = "OPTIONS sip:12345@192.0.2.1 SIP/2.0";
const VIA: &str = "Via: SIP/2.0/UDP 192.0.2.7:5066;branch=z9hG4bKa1;rport";

#[test]
fn wsinv_every_legal_fold_and_space() {
    let m = request(
        "INVITE sip:v@chair.example.com;unknownparam SIP/2.0\r\n\
         TO :\r\n sip:v@chair.example.com ;   tag    = 1918181833n\r\n\
         from   : \"J Rosenberg \\\\\\\"\"       <sip:j@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n\
         MaX-fOrWaRdS: 0068\r\n\
         Call-ID: wsinv.1@192.0.2.1\r\n\
         Content-Length   : 3\r\n\
         cseq: 0009\r\n  INVITE\r\n\
         Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\n\
         s :\r\n\
         NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\
         UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n\
         Content-Type: application/sdp\r\n\
         Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n\
         v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n \
         SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n\
         m:\"Quoted string \\\"\\\"\" <sip:j@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\
         \r\nv=0",
    );
    let vias: Vec<_> = m.headers.all(&Name::Via).map(|v| Via::parse(v).unwrap()).collect();
    assert_eq!(vias.iter().map(|v| v.branch().unwrap()).collect::<Vec<_>>(), ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    assert_eq!(vias[1].proto, Some(Proto::Tcp));
    assert_eq!(m.headers.to().unwrap().tag(), Some("1918181833n"));
    let from = m.headers.from().unwrap();
    assert_eq!((from.display.as_str(), from.tag()), ("J Rosenberg \\\"", Some("98asjd8")));
    assert_eq!((m.headers.max_forwards(), m.headers.cseq().unwrap().seq), (Some(68), 9));
    let contact = m.headers.contact().unwrap();
    assert_eq!((contact.display.as_str(), contact.params.get("q")), ("Quoted string \"\"", Some("0.33")));
    let route = NameAddr::parse(m.headers.get(&Name::Route).unwrap()).unwrap();
    assert_eq!((route.uri.params.get("lr"), route.uri.params.get("unknownwith")), (Some(""), Some("value")));
    assert_eq!((m.headers.text(&Name::Subject).as_deref(), &m.body[..]), (Some(""), &b"v=0"[..]));
}

#[test]
fn intmeth_unusual_characters() {
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    let uri = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com";
    let text = with(&format!("{method} {uri} SIP/2.0"), method, "extensionHeader-!.%*+_`'~:\u{FEFF}大停電\r\n", "");
    let text = instead(&text, TO, &format!("To: \"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7F\" <{uri}>"));
    let m = request(text);
    assert_eq!(m.method, Method::Other(Bytes::from(method)));
    assert_eq!(m.uri.user.as_deref(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(m.uri.password.as_deref(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!((m.uri.host.to_string(), m.uri.to_string()), ("example.com".into(), uri.into()));
    assert_eq!(m.headers.to().unwrap().display, "BEL:\x07 NUL:\x00 DEL:\x7F");
}

#[test]
fn esc01_escnull_esc02_escapes() {
    let m = request(with("INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0", "INVITE", "", ""));
    assert_eq!((m.uri.user.as_deref(), m.uri.host.to_string()), (Some("sips:user@example.com"), "example.net".into()));
    assert_eq!(m.uri.to_string(), "sip:sips%3Auser%40example.com@example.net");
    let null = Uri::parse(b"sip:null-%00-null@example.com").unwrap();
    assert_eq!((null.user.as_deref(), null.to_string()), (Some("null-\0-null"), "sip:null-%00-null@example.com".into()));
    assert!(!null.equivalent(&Uri::parse(b"sip:null-%01-null@example.com").unwrap()));
    // An escape is nothing special in a method.
    let m = request(with("RE%47IST%45R sip:registrar.example.com SIP/2.0", "RE%47IST%45R", "", ""));
    assert_eq!(m.method, Method::Other(Bytes::from_static(b"RE%47IST%45R")));
}

#[test]
fn lwsdisp_no_space_before_the_bracket() {
    let m = request(instead(&options(""), FROM, "From: caller<sip:caller@example.com>;tag=323"));
    assert_eq!(m.headers.from().unwrap(), NameAddr::parse(b"\"caller\"  <sip:caller@example.com> ; tag = 323").unwrap());
}

#[test]
fn longreq_long_values() {
    let long = |n: usize| "long".repeat(n);
    let mut extra = format!("LongHeader-{}: {}\r\n", long(60), long(300));
    for i in 0..34 {
        extra += &format!("Via: SIP/2.0/TCP sip{i}.example.com;branch=z9hG4bK{}{i}\r\n", long(20));
    }
    let uri = format!("sip:user@{}.example.com;p={}", long(50), long(200));
    let m = request(with(&format!("INVITE {uri} SIP/2.0"), "INVITE", &extra, ""));
    assert_eq!((m.headers.all(&Name::Via).count(), m.uri.to_string()), (35, uri));
}

#[test]
fn dblreq_what_follows_the_body_is_not_read() {
    let m = request(with(START, "OPTIONS", "Content-Length: 0\r\n", &invite("", "")));
    assert_eq!((m.method, m.body.len()), (Method::Options, 0));
}

#[test]
fn semiuri_parameters_in_the_user_part() {
    let m = request(instead(&options(""), START, "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"));
    assert_eq!((m.uri.user.as_deref(), m.uri.params.0.len()), (Some("user;par=u@example.net"), 0));
    assert_eq!(m.uri.to_string(), "sip:user;par=u%40example.net@example.com");
}

#[test]
fn transports_of_all_kinds_and_bcast() {
    let m = request(options(
        "Via: SIP/2.0/SCTP t1.example.com;branch=b1\r\nVia: SIP/2.0/TLS t2.example.com;branch=b2\r\n\
         Via: SIP/2.0/UNKNOWN t3.example.com;branch=b3\r\n",
    ));
    assert!(m.headers.all(&Name::Via).skip(1).all(|v| Via::parse(v).unwrap().proto.is_none()));
    let m = response(with("SIP/2.0 200 OK", "INVITE", "Via: SIP/2.0/UDP 255.255.255.255;branch=b1\r\n", ""));
    assert_eq!(m.headers.all(&Name::Via).count(), 2);
}

#[test]
fn mpart01_binary_bodies() {
    let body = [0u8, 255, 13, 10, 13, 10, 0x30];
    let mut text = options("Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\r\nContent-Length: 7\r\n").into_bytes();
    text.extend_from_slice(&body);
    assert_eq!(&request(text).body[..], body);
}

#[test]
fn unreason_noreason_bigcode_status_lines() {
    let phrase = "= 2**3 * 5**2 но сто девяносто девять - простое";
    assert_eq!(response(with(&format!("SIP/2.0 200 {phrase}"), "INVITE", "", "")).reason, phrase);
    assert_eq!(response(with("SIP/2.0 100 ", "INVITE", "", "")).reason, "");
    for start in
        ["SIP/2.0 4294967301 better not break", "SIP/2.0 099 x", "SIP/2.0 700 x", "SIP/2.0  200 OK", "SIP/3.0 200 OK", "SIP/2.0"]
    {
        dropped(with(start, "INVITE", "", ""));
    }
}

#[test]
fn badinv01_extra_separators() {
    // Empty parameters do no harm; an element of a Via list that is none does.
    let m = request(instead(&options("Contact: \"Joe\" <sip:joe@example.org>;;;;\r\n"), TO, "To: <sip:12345@192.0.2.1>;;"));
    assert_eq!(m.headers.contact().unwrap().display, "Joe");
    for via in ["Via: SIP/2.0/UDP 192.0.2.15;;,;,,", "Via: SIP/2.0/UDP 192.0.2.15,,SIP/2.0/UDP h", "Via: ,SIP/2.0/UDP h"] {
        assert_eq!(refused(instead(&options(""), VIA, via)), 400);
    }
}

#[test]
fn clerr_ncl_mcl01_content_length() {
    for length in ["9999", "-999", "+3", "0x3", "", "3, 3", "3;x", "99999999999999999999999"] {
        assert_eq!(refused(with(START, "OPTIONS", &format!("Content-Length: {length}\r\n"), "body")), 400, "{length}");
    }
    assert_eq!(refused(with(START, "OPTIONS", "Content-Length: 4\r\nl: 2\r\n", "body")), 400);
}

#[test]
fn scalar02_and_scalarlg_numbers_out_of_range() {
    let text = options("");
    for (line, other) in [
        ("CSeq: 7 OPTIONS", "CSeq: 36893488147419103232 OPTIONS"),
        ("CSeq: 7 OPTIONS", "CSeq: 2147483648 OPTIONS"),
        ("CSeq: 7 OPTIONS", "CSeq: -7 OPTIONS"),
        ("CSeq: 7 OPTIONS", "CSeq: OPTIONS"),
        ("Max-Forwards: 70", "Max-Forwards: 300"),
        ("Max-Forwards: 70", "Max-Forwards: many"),
        (":5066", ":65536"),
    ] {
        assert_eq!(refused(instead(&text, line, other)), 400, "{other}");
    }
    assert_eq!(request(instead(&text, "CSeq: 7", "CSeq: 2147483647")).headers.cseq().unwrap().seq, 2_147_483_647);
    let huge = "Retry-After: 949302838503028349304023988\r\nExpires: 10000000000000000000000000000\r\n";
    let m = response(with("SIP/2.0 503 x", "OPTIONS", huge, ""));
    assert_eq!(m.headers.retry_after(), None);
    dropped(with("SIP/2.0 503 x", "OPTIONS", "", "").replace("CSeq: 7", "CSeq: 9292394834772304023312"));
}

#[test]
fn quotbal_and_other_bad_addresses() {
    for to in [
        "To: \"Mr. J. User <sip:j.user@example.com>",
        "To: <sip:j.user@example.com",
        "To: \"x\" sip:j.user@example.com",
        "To: sip:j.user@example.com?Route=%3Csip:sip.example.com%3E",
        "To: sip:a,b@example.com",
        "To: <sip:a@b@c>",
        "To: <sip:a%4@c>",
        "To: <sip:user@exa mple.com>",
        "To: <sip:>",
        "To: <:>",
        "To: ",
        "To: <sip:a@b>;=x",
        "To: <sip:a@b> tag=x",
        "To: <sip:a@b>;tag=\"x",
    ] {
        assert_eq!(refused(instead(&options(""), TO, to)), 400, "{to}");
    }
}

#[test]
fn badaspec_and_baddn_are_understood() {
    let m = request(instead(&options(""), TO, "To: \"Watson, Thomas\" < sip:t.watson@example.org >"));
    assert_eq!(m.headers.to().unwrap().uri.user.as_deref(), Some("t.watson"));
    let m = request(instead(&options(""), FROM, "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43"));
    let from = m.headers.from().unwrap();
    assert_eq!((from.display.as_str(), from.tag()), ("Bell, Alexander", Some("43")));
}

#[test]
fn baddate_is_not_our_concern_and_regbadct_is() {
    assert!(parse(options("Date: Fri, 01 Jan 2010 16:00:00 EST\r\n")).is_ok());
    assert_eq!(refused(options("Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\r\n")), 400);
    assert!(parse(options("Contact: *\r\n")).is_ok());
}

#[test]
fn ltgtruri_lwsruri_lwsstart_trws_escruri_request_lines() {
    for start in [
        "OPTIONS <sip:user@example.com> SIP/2.0",
        "OPTIONS sip:user@example.com; lr SIP/2.0",
        "OPTIONS  sip:user@example.com  SIP/2.0",
        "OPTIONS sip:user@example.com SIP/2.0  ",
        "OPTIONS\tsip:user@example.com SIP/2.0",
        "OPTIONS sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0",
        "OPTIONS sip:user@example.com",
        "OPTIONS SIP/2.0",
        "OPTIONS sip:user@example.com HTTP/1.1",
        "OPTIONS user@example.com SIP/2.0",
        "OPTIONS sip:a@[2001:db8:::1] SIP/2.0",
        "OPTIONS sip:example.com:port SIP/2.0",
    ] {
        assert_eq!(refused(instead(&options(""), START, start)), 400, "{start}");
    }
}

#[test]
fn unkscm_novelsc_unksm2_schemes() {
    for uri in ["nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002", "urn:service:sos"] {
        assert_eq!(refused(instead(&options(""), START, &format!("OPTIONS {uri} SIP/2.0"))), 416, "{uri}");
    }
    let m = request(instead(&options(""), TO, "To: isbn:2983792873;tag=t").replacen(
        FROM,
        "From: <http://www.example.com/a?b#c>;tag=3",
        1,
    ));
    assert_eq!(
        (m.headers.to().unwrap().uri.scheme, m.headers.to().unwrap().tag().map(str::to_owned)),
        (Scheme::Other, Some("t".into()))
    );
    assert_eq!(m.headers.from().unwrap().to_string(), "<http://www.example.com/a?b#c>;tag=3");
}

#[test]
fn badvers_mismatch_and_unknown_methods() {
    assert_eq!(refused(instead(&options(""), "SIP/2.0\r\n", "SIP/7.0\r\n")), 505);
    assert_eq!(refused(with(START, "INVITE", "", "")), 400);
    assert_eq!(refused(with("NEWMETHOD sip:user@example.com SIP/2.0", "INVITE", "", "")), 400);
    assert_eq!(refused(with(START, "options", "", "")), 400);
    assert!(parse(with("NEWMETHOD sip:user@example.com SIP/2.0", "NEWMETHOD", "", "")).is_ok());
}

#[test]
fn multi01_headers_that_stand_once() {
    for extra in ["CSeq: 8 OPTIONS\r\n", "i: other\r\n", "f: <sip:a@b>;tag=1\r\n", "To: <sip:a@b>\r\n", "Max-Forwards: 5\r\n"] {
        assert_eq!(refused(options(extra)), 400, "{extra}");
    }
}

#[test]
fn zeromf_inv2543_insuf_what_is_there_and_what_is_missing() {
    assert_eq!(request(instead(&options(""), "Max-Forwards: 70", "Max-Forwards: 0")).headers.max_forwards(), Some(0));
    let old = options("").replace(";branch=z9hG4bKa1;rport", "").replace(";tag=f1", "").replace("Max-Forwards: 70\r\n", "");
    assert!(parse(old).is_ok());
    for line in [FROM, TO, "Call-ID: c1@192.0.2.7", "CSeq: 7 OPTIONS", VIA] {
        let error = parse(instead(&options(""), &format!("{line}\r\n"), "")).unwrap_err();
        assert_eq!((error.status, error.answer), (Status(400), None), "{line}");
    }
    // A Call-ID that is there but empty cannot be told from others.
    assert_eq!(refused(instead(&options(""), "Call-ID: c1@192.0.2.7", "Call-ID:")), 400);
}

#[test]
fn an_ack_is_never_answered() {
    dropped(with("ACK sip:user@example.com SIP/2.0", "INVITE", "", ""));
}

#[test]
fn answers_carry_what_the_request_had_and_a_tag_that_stays() {
    let text = instead(&options(""), "SIP/2.0\r\n", "SIP/7.0\r\n");
    let answer = *parse(&text).unwrap_err().answer.unwrap();
    assert_eq!((&answer.reason[..], answer.headers.cseq().unwrap().seq), (&b"SIP version is not 2.0"[..], 7));
    assert_eq!(answer.headers.to().unwrap().tag().map(str::len), Some(16));
    assert_eq!(parse(&text).unwrap_err().answer, Some(Box::new(answer.clone())));
    assert!(parse(Message::Response(answer).to_bytes()).is_ok());
}

#[test]
fn limits_hold() {
    let big = "x".repeat(MAX_LINE);
    assert_eq!(refused(options(&format!("Subject: {big}\r\n"))), 513);
    assert_eq!(refused(options(&"Subject: x\r\n".repeat(MAX_HEADERS))), 513);
    assert_eq!(refused(options(&format!("Route: {}\r\n", "<sip:a>,".repeat(MAX_HEADERS)))), 513);
    assert_eq!(refused(instead(&options(""), START, &format!("OPTIONS sip:{big} SIP/2.0"))), 414);
    assert_eq!(refused(with(START, "OPTIONS", "", &"x".repeat(MAX_MESSAGE))), 513);
    assert_eq!(refused(options(&format!("Contact: <sip:a>{}\r\n", ";p".repeat(Params::MAX + 1)))), 400);
}

#[test]
fn no_answer_outgrows_a_datagram() {
    let long = |name: &str, count: usize, each: usize| format!("{name}: <sip:{}@h;lr>\r\n", "p".repeat(each)).repeat(count);
    assert_eq!(refused(options(&long("Record-Route", 16, 4000))), 513);
    assert_eq!(refused(options(&format!("Via: SIP/2.0/UDP {};branch=z9hG4bKx\r\n", "h".repeat(1000)).repeat(20))), 513);
    assert_eq!(refused(options(&format!("Timestamp: {}\r\n", "1".repeat(8000)).repeat(3))), 513);
    // A header that is let in is repeated whole.
    let most = request(options(&long("Record-Route", 4, 4000)));
    let answer = Message::Response(most.reply(Status(200), Some("t"))).to_bytes();
    assert!(answer.len() > 16_000 && answer.len() < 20_000);
    let error = parse(options(&long("Record-Route", 16, 4000))).unwrap_err();
    let refusal = Message::Response(*error.answer.unwrap()).to_bytes();
    assert!(refusal.len() < 1000, "{refusal:?}");
}

#[test]
fn behind_the_bound_only_the_length_is_looked_for() {
    let many = options(&format!("{}Content-Length: 3\r\n", "f:x\r\n".repeat(10_000)));
    assert_eq!(refused(&many), 400, "two From");
    assert_eq!(declared_length(&Bytes::from(many)), Ok(3));
    let many = options(&format!("{}l: 4\r\n", "x:\r\n".repeat(10_000)));
    assert_eq!((refused(&many), declared_length(&Bytes::from(many))), (513, Ok(4)));
    // No header behind it is taken in, whatever its letter.
    let contacts = options(&format!("{}Contact: <sip:a@b>\r\n", "x:\r\n".repeat(MAX_HEADERS - 6)));
    assert_eq!(refused(contacts), 513);
}

#[test]
fn a_via_without_a_port_to_answer_to_is_refused() {
    for params in [";branch=z9hG4bKa1", ";branch=z9hG4bKa1;rport"] {
        assert_eq!(refused(instead(&options(""), VIA, &format!("Via: SIP/2.0/UDP 192.0.2.7:0{params}"))), 400);
    }
}

#[test]
fn line_ends_hide_nothing() {
    assert_eq!(refused(options("Subject: a\rVia: b\r\n")), 400);
    assert_eq!(refused(options("Subject: a\0b\r\n")), 400);
    assert_eq!(refused(options("Subject\r\n")), 400);
    assert_eq!(refused(options("Sub ject: x\r\n")), 400);
    assert_eq!(refused(options(": x\r\n")), 400);
    let cut = options("");
    assert_eq!(refused(&cut[..cut.len() - 2]), 400);
    for nothing in ["", "\r\n\r\n", "\0", "INVITE", "INVITE sip:a@b SIP/2.0\r\n\r\n", "\r\n \r\n"] {
        dropped(nothing);
    }
}

#[test]
fn ipv6_in_every_place() {
    let text = options("Contact: \"x\" <sip:c@[2001:db8::9:1]:5070>\r\nRecord-Route: <sip:[2001:db8::1];lr>\r\n");
    let text = instead(&text, START, "OPTIONS sip:[2001:db8::10]:5070;x=[::1] SIP/2.0");
    let text = instead(&text, VIA, "Via: SIP/2.0/UDP [2001:db8::9:1] : 5061;received=2001:db8::9:255;branch=z9hG4bKa1");
    let m = request(text);
    let ip = |s: &str| Host::Ip(s.parse().unwrap());
    assert_eq!(
        (m.uri.host.clone(), m.uri.port, m.uri.to_string()),
        (ip("2001:db8::10"), Some(5070), "sip:[2001:db8::10]:5070;x=[::1]".into())
    );
    let via = m.headers.via().unwrap();
    let received = via.param("received");
    assert_eq!((via.host, via.port, received.as_deref()), (ip("2001:db8::9:1"), Some(5061), Some("2001:db8::9:255")));
    assert_eq!(m.headers.contact().unwrap().uri.port, Some(5070));
    // port-ambiguous: within the brackets everything is address.
    assert_eq!(Uri::parse(b"sip:[2001:db8::10:5070]").unwrap().port, None);
    // Without brackets nobody can tell; ipv4-mapped is fine.
    assert_eq!(Uri::parse(b"sip:2001:db8::10"), None);
    assert!(Uri::parse(b"sip:[::ffff:192.0.2.10]").is_some());
    assert!(Uri::parse(b"sip:[2001:db8::10").is_none() && Uri::parse(b"sip:[::1]x").is_none());
}
