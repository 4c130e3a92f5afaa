use super::*;
use crate::base::Proto;

#[test]
fn an_invite_is_read() {
    let m = request(invite("Contact: <sip:c@192.0.2.7:5066;transport=tcp>\r\nContent-Length: 4\r\n", "body and junk"));
    assert_eq!((m.method.clone(), &m.body[..]), (Method::Invite, &b"body"[..]));
    assert_eq!((m.uri.user.as_deref(), m.uri.params.get("user")), (Some("12345"), Some("phone")));
    let via = m.headers.via().unwrap();
    assert_eq!(
        (via.proto, via.port, via.branch().as_deref(), via.param("rport").as_deref()),
        (Some(Proto::Udp), Some(5066), Some("z9hG4bKa1"), Some(""))
    );
    let from = m.headers.from().unwrap();
    assert_eq!((from.display.as_str(), from.tag(), from.uri.user.as_deref()), ("Caller", Some("f1"), Some("13800138000")));
    assert_eq!(m.headers.to().unwrap().tag(), None);
    assert_eq!(m.headers.cseq().unwrap(), CSeq { seq: 7, method: Method::Invite });
    assert_eq!((m.headers.max_forwards(), m.headers.call_id().unwrap().as_ref()), (Some(70), &b"c1@192.0.2.7"[..]));
    assert_eq!(m.headers.contact().unwrap().uri.params.get("transport"), Some("tcp"));
}

#[test]
fn a_datagram_without_content_length_gives_the_rest_as_body() {
    assert_eq!(&request(invite("", "v=0\r\n")).body[..], b"v=0\r\n");
    assert_eq!(&request(invite("Content-Length: 0\r\n", "v=0\r\n")).body[..], b"");
}

#[test]
fn header_values_are_slices_of_the_datagram() {
    let data = Bytes::from(invite("", ""));
    let range = data.as_ptr_range();
    let Ok(Message::Request(m)) = Message::parse(data.clone()) else { panic!() };
    assert!(m.headers.0.iter().all(|h| range.contains(&h.value.as_ptr())));
}

#[test]
fn lists_become_one_header_each_and_folded_lines_one_value() {
    let m = request(invite(
        "Record-Route: <sip:a;lr>, \"x, y\" <sip:b,c@d;lr>\r\nv: SIP/2.0/TCP 192.0.2.9 ;branch=b2,\r\n SIP/2.0/UDP h;branch=b3\r\n\
         Allow: INVITE, ACK\r\nSubject :  one\r\n\t two\r\n",
        "",
    ));
    let routes: Vec<_> = m.headers.all(&Name::RecordRoute).collect();
    assert_eq!(routes, ["<sip:a;lr>", "\"x, y\" <sip:b,c@d;lr>"]);
    let branches: Vec<_> = m.headers.all(&Name::Via).map(|v| Via::parse(v).unwrap().branch().unwrap()).collect();
    assert_eq!(branches, ["z9hG4bKa1", "b2", "b3"]);
    assert_eq!(m.headers.text(&Name::Subject).unwrap(), "one two");
    assert!(m.headers.lists(&Name::Allow, "ack"));
}

#[test]
fn a_reply_copies_what_it_must() {
    let m = request(invite("Record-Route: <sip:a;lr>\r\nTimestamp: 54\r\nSubject: no\r\n", ""));
    let ringing = Message::Response(m.reply(Status(180), Some("t9"))).to_bytes();
    assert_eq!(
        String::from_utf8_lossy(&ringing),
        "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.7:5066;branch=z9hG4bKa1;rport\r\n\
         From: \"Caller\" <sip:13800138000@192.0.2.7>;tag=f1\r\nTo: <sip:12345@192.0.2.1>;tag=t9\r\nCall-ID: c1@192.0.2.7\r\n\
         CSeq: 7 INVITE\r\nRecord-Route: <sip:a;lr>\r\nTimestamp: 54\r\nContent-Length: 0\r\n\r\n"
    );
    let mut in_dialog = m;
    in_dialog.headers.set(Name::To, "<sip:12345@192.0.2.1>;tag=theirs");
    assert_eq!(in_dialog.reply(Status(200), Some("t9")).headers.to().unwrap().tag(), Some("theirs"));
}

#[test]
fn a_response_is_read_and_its_phrase_kept() {
    let text = with("SIP/2.0 486 Besetzt", "INVITE", "", "");
    let m = response(&text);
    assert_eq!((m.status, &m.reason[..]), (Status(486), &b"Besetzt"[..]));
    assert_eq!(response(text.replace(" Besetzt", "")).reason, Bytes::new());
    dropped(text.replace("486", "86"));
    dropped(text.replace("7 INVITE", "seven INVITE"));
}

#[test]
fn what_others_put_into_values_stays_in_its_line() {
    let mut m = Request::new(Method::Options, Uri::sip("a\r\nb", Host::Name("h\r\nX: y".into()), None));
    let mut from = NameAddr::new(Uri::sip("u", Host::Name("h".into()), None));
    from.display = "a\" <sip:evil>\r\nVia: x".into();
    from.params.set("p", Some("1\r\nX: \"y\""));
    from.params.set("a\r\nb", None);
    m.headers.push(Name::From, from.to_string());
    m.headers.push(Name::Subject, "s\r\nX: y\0");
    let out = Message::Request(m).to_bytes();
    assert_eq!(
        String::from_utf8_lossy(&out),
        "OPTIONS sip:a%0D%0Ab@h%0D%0AX%3A%20y SIP/2.0\r\nFrom: \"a\\\" <sip:evil>  Via: x\" <sip:u@h>;p=\"1  X: \\\"y\\\"\"\r\n\
         Subject: s  X: y \r\nContent-Length: 0\r\n\r\n"
    );
    let back = NameAddr::parse(from.to_string().as_bytes()).unwrap();
    assert_eq!((back.uri.to_string(), back.display.as_str()), ("sip:u@h".into(), "a\" <sip:evil>  Via: x"));
}

#[test]
fn display_names_in_latin_1_and_gbk_do_not_lose_the_call() {
    for name in [&b"\"M\xFCller\""[..], b"\"\xD5\x5C\"", b"\xD5\xC5\xC8\xFD", b"\"\xB3\x5C\x5C\" x\""] {
        let text = invite("", "").into_bytes();
        let at = text.windows(8).position(|w| w == b"\"Caller\"").unwrap();
        let m = request([&text[..at], name, &text[at + 8..]].concat());
        let from = m.headers.from().unwrap();
        assert_eq!((from.tag(), from.uri.user.as_deref()), (Some("f1"), Some("13800138000")), "{name:?}");
        // The name goes back as they wrote it.
        let reply = Message::Response(m.reply(Status(200), None)).to_bytes();
        assert!(reply.windows(name.len()).any(|w| w == name));
    }
}

#[test]
fn bare_line_feeds_and_leading_empty_lines_are_tolerated() {
    let m = request(format!("\r\n\r\n{}", invite("", "x").replace("\r\n", "\n")));
    assert_eq!((m.headers.cseq().unwrap().seq, &m.body[..]), (7, &b"x"[..]));
}
