//! `rsip` reads what we print, and what it can read we read alike; properties over generated messages.

use super::*;
use proptest::prelude::*;
use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::HeadersExt;
use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Both parsers say this of a message.
#[derive(Debug, PartialEq)]
struct Said {
    start: String,
    from: (String, Option<String>),
    to: (String, Option<String>),
    via: (String, Option<u16>, Option<String>),
    cseq: (u32, String),
    call_id: String,
    body: Vec<u8>,
}

fn ours(data: &Bytes) -> Said {
    let m = Message::parse(data.clone()).unwrap();
    let h = m.headers();
    let address = |n: NameAddr| (n.uri.to_string(), n.tag().map(str::to_owned));
    let (via, cseq) = (h.via().unwrap(), h.cseq().unwrap());
    let (start, body) = match &m {
        Message::Request(r) => (format!("{} {}", String::from_utf8_lossy(r.method.as_bytes()), r.uri), r.body.to_vec()),
        Message::Response(r) => (r.status.0.to_string(), r.body.to_vec()),
    };
    Said {
        start,
        from: address(h.from().unwrap()),
        to: address(h.to().unwrap()),
        via: (via.host.to_string(), via.port, via.branch().map(Cow::into_owned)),
        cseq: (cseq.seq, String::from_utf8(cseq.method.as_bytes().to_vec()).unwrap()),
        call_id: h.text(&Name::CallId).unwrap(),
        body,
    }
}

fn rsips(data: &Bytes) -> Said {
    let m = rsip::SipMessage::try_from(data.clone()).unwrap();
    let from = m.from_header().unwrap().typed().unwrap();
    let to = m.to_header().unwrap().typed().unwrap();
    let via = m.via_header().unwrap().typed().unwrap();
    let cseq = m.cseq_header().unwrap().typed().unwrap();
    Said {
        start: match &m {
            rsip::SipMessage::Request(r) => format!("{} {}", r.method, r.uri),
            rsip::SipMessage::Response(r) => r.status_code.code().to_string(),
        },
        from: (from.uri.to_string(), from.tag().map(|t| t.to_string())),
        to: (to.uri.to_string(), to.tag().map(|t| t.to_string())),
        via: (via.uri.host().to_string(), via.uri.port().map(|p| *p.value()), via.branch().map(|b| b.to_string())),
        cseq: (cseq.seq, cseq.method.to_string()),
        call_id: m.call_id_header().unwrap().value().to_owned(),
        body: m.body().clone(),
    }
}

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9._+~-]{1,10}"
}

fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(["INVITE", "BYE", "OPTIONS", "PRACK", "UPDATE"].as_slice())
        .prop_map(|m| Method::parse(m.as_bytes()).unwrap())
}

/// URIs within what rsip reads: no IPv6, no dot in the user part.
fn plain_uri() -> impl Strategy<Value = Uri> {
    let host = prop_oneof![any::<Ipv4Addr>().prop_map(|ip| Host::Ip(ip.into())), "[a-z]{2,8}\\.[a-z]{2,3}".prop_map(Host::Name)];
    ("[a-z0-9+]{1,12}", host, prop::option::of(1u16..), prop::option::of("[a-z]{3,5}")).prop_map(|(user, host, port, param)| {
        let mut uri = Uri::sip(&user, host, port);
        uri.params.0.extend(param.map(|p| (format!("x{p}"), Some("1".into()))));
        uri
    })
}

fn wild_params() -> impl Strategy<Value = Params> {
    prop::collection::vec((token(), prop::option::of("\\PC{0,12}")), 0..4).prop_map(Params)
}

fn wild_uri() -> impl Strategy<Value = Uri> {
    let host = prop_oneof![
        any::<Ipv4Addr>().prop_map(|ip| Host::Ip(ip.into())),
        any::<Ipv6Addr>().prop_map(|ip| Host::Ip(ip.into())),
        "[a-zA-Z][a-zA-Z0-9.-]{0,12}".prop_map(Host::Name)
    ];
    let params = prop::collection::vec(("[a-z-]{1,6}", prop::option::of("[a-z0-9/:&+$%25-]{0,2}")), 0..3);
    (any::<bool>(), prop::option::of(".{1,12}"), prop::option::of("[a-z&=+$,]{0,4}"), host, any::<Option<u16>>(), params)
        .prop_map(|(secure, user, password, host, port, params)| Uri {
            scheme: if secure { Scheme::Sips } else { Scheme::Sip },
            password: password.filter(|_| user.is_some()),
            user,
            host,
            port,
            params: Params(params.into_iter().map(|(n, v)| (n, v.map(|v| v.replace('%', "%2A")))).collect()),
            headers: None,
        })
}

/// Any bytes, any text, and text made of what the grammars turn on.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "(?s).{0,40}".prop_map(String::into_bytes),
        "(sip:|<sip:|\"|SIP/2.0/UDP |tel:|7 )[ <>\";=:@/,?%\\\\\\[\\]a-c0-9\r\n\0\u{fc}]{0,30}".prop_map(String::into_bytes),
    ]
}

fn message(uri: impl Strategy<Value = Uri> + Clone) -> impl Strategy<Value = Message> {
    let head = (method(), uri.clone(), uri.clone(), uri, any::<bool>(), 100u16..700);
    (head, token(), prop::option::of(token()), 0u32..1 << 31, prop::collection::vec(any::<u8>(), 0..40)).prop_map(
        |((method, uri, from, to, is_request, status), tag, to_tag, seq, body)| {
            let address = |uri: Uri, tag: Option<&str>| {
                let mut address = NameAddr { display: "Some One".into(), ..NameAddr::new(uri) };
                tag.into_iter().for_each(|t| address.params.set("tag", Some(t)));
                address.to_string()
            };
            let mut headers = Headers::default();
            headers.push(Name::Via, format!("SIP/2.0/UDP {}:5070;branch=z9hG4bK{tag};rport", Host::Ip([192, 0, 2, 7].into())));
            headers.push(Name::From, address(from, Some(&tag)));
            headers.push(Name::To, address(to, to_tag.as_deref()));
            headers.push(Name::CallId, format!("{tag}@h"));
            headers.push(Name::CSeq, CSeq { seq, method: method.clone() }.to_string());
            headers.push(Name::MaxForwards, "70");
            let body = Bytes::from(body);
            match is_request {
                true => Message::Request(Request { method, uri, headers, body }),
                false => Message::Response(Response { status: Status(status), reason: "Why Not".into(), headers, body }),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn rsip_reads_what_we_print(m in message(plain_uri().boxed())) {
        let data = m.to_bytes();
        prop_assert_eq!(ours(&data), rsips(&data));
    }

    #[test]
    fn what_is_printed_is_read_back(m in message(wild_uri().boxed())) {
        prop_assert_eq!(Message::parse(m.to_bytes()).unwrap(), m);
    }

    #[test]
    fn values_are_read_back(display in "\\PC{0,16}", uri in wild_uri(), params in wild_params(), port in any::<Option<u16>>()) {
        let address = NameAddr { display, uri: uri.clone(), params: params.clone() };
        prop_assert_eq!(NameAddr::parse(address.to_string().as_bytes()), Some(address));
        let sent_by = port.map_or(uri.host.to_string(), |port| format!("{}:{port}", uri.host));
        let text = format!("SIP/2.0/TLS-SCTP {sent_by}{params}");
        let via = Via::parse(text.as_bytes()).unwrap();
        prop_assert_eq!((via.proto, via.transport, &via.host, via.port), (None, "TLS-SCTP", &uri.host, port));
        for (name, _) in &params.0 {
            let value = via.param(name);
            prop_assert_eq!(value.as_deref(), params.get(name));
        }
        prop_assert_eq!(via.to_string(), text);
        prop_assert!(uri.equivalent(&Uri::parse(uri.to_string().as_bytes()).unwrap()));
    }

    #[test]
    fn no_bytes_panic_and_no_value_ends_its_line(text in hostile()) {
        let _ = Message::parse(text.clone().into());
        let _ = Sdp::parse(&text, Reach::ALL);
        let printed = [
            Uri::parse(&text).map(|v| v.to_string()),
            NameAddr::parse(&text).map(|v| v.to_string()),
            Via::parse(&text).map(|v| v.to_string()),
            CSeq::parse(&text).map(|v| v.to_string()),
            Reason::parse(&text).map(|v| v.to_string()),
            Replaces::parse(&text).map(|v| v.call_id),
            SessionExpires::parse(&text).map(|v| v.to_string()),
        ];
        prop_assert!(printed.into_iter().flatten().all(|p| !p.contains(['\r', '\n', '\0'])));
    }
}

#[test]
fn ordinary_messages_are_read_alike() {
    for text in [
        invite("Contact: <sip:c@192.0.2.7:5066>\r\nContent-Length: 5\r\n", "v=0\r\n"),
        with("SIP/2.0 200 OK", "INVITE", "Content-Length: 0\r\n", ""),
        with("BYE sip:c@example.com:5070 SIP/2.0", "BYE", "Content-Length: 0\r\n", ""),
    ] {
        let data = Bytes::from(text);
        assert_eq!(ours(&data), rsips(&data));
    }
}
