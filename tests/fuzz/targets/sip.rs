//! One SIP message: it is read alike however often it is printed, what is wrong with it is told by an answer that can itself be
//! sent, and the log shows no number of it.

use super::work::counted;
use bytes::Bytes;
use hotline::base::Proto;
use hotline::sip::{
    Content, MAX_MESSAGE, Message, Name, NameAddr, RAck, Reach, Reason, Replaces, Response, Sdp, SessionExpires, Status, Written,
    declared_length, masked, next_hop, route,
};

pub fn target(data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    let (message, work) = counted(|| Message::parse(data.clone()));
    // The list of headers grows to some hundreds at most.
    work.is_at_most(data.len(), (64, 1), (64 << 10, 24));
    shown(&data, message.as_ref().ok());
    let message = match message {
        Ok(message) => message,
        Err(error) => return error.answer.into_iter().for_each(|answer| drop(is_fit(*answer))),
    };
    assert!(data.len() <= MAX_MESSAGE);
    let h = message.headers();
    assert!(h.via().is_some() && h.from().is_some() && h.to().is_some() && h.cseq().is_some() && h.call_id().is_some());
    let printed = message.to_bytes();
    let again = Message::parse(printed.clone()).expect("we read what we print");
    assert_eq!(again.to_bytes(), printed);
    if let Message::Request(request) = &message {
        let answer = is_fit(request.reply(Status(486), Some("ours"))).expect("we read what we answer");
        assert_eq!((answer.headers.cseq(), answer.headers.call_id()), (h.cseq(), h.call_id()));
    }
    if let Some(written) = Written::read(&data) {
        assert_eq!(written.is_response(), matches!(message, Message::Response(_)));
    }
    every_view(&message);
}

/// An answer of ours leaves a stream whole. The headers that it copies may be what made its request illegal; else it is read.
fn is_fit(answer: Response) -> Option<Response> {
    let vias = answer.headers.all(&Name::Via).count();
    assert!(vias > 0);
    let printed = Message::Response(answer).to_bytes();
    assert!(declared_length(&printed).is_ok(), "a stream goes on behind it");
    match Message::parse(printed) {
        Ok(Message::Response(again)) => {
            assert!(again.headers.all(&Name::Via).count() >= vias);
            Some(again)
        }
        _ => None,
    }
}

/// The values that somebody asks for, sooner or later.
fn every_view(message: &Message) {
    let h = message.headers();
    for header in &h.0 {
        let value = &header.value;
        let _ = (RAck::parse(value), Reason::parse(value), Replaces::parse(value), SessionExpires::parse(value));
        if let Some(address) = NameAddr::parse(value) {
            let again = NameAddr::parse(address.to_string().as_bytes()).expect("we read what we print");
            assert!(again.uri.equivalent(&address.uri) || address.uri.to_string() != again.uri.to_string(), "{address}");
            assert_eq!(again.to_string(), address.to_string());
            let (uri, routes) = route(&address.uri, std::slice::from_ref(&address));
            let hop = next_hop(&uri, &routes);
            assert!(hop.is_none_or(|(proto, _)| matches!(proto, Proto::Udp | Proto::Tcp)));
        }
    }
    let _ = (h.expires(), h.max_forwards(), h.session_expires(), h.min_se(), h.rack(), h.rseq(), h.retry_after(), h.q850());
    let body = match message {
        Message::Request(request) => &request.body,
        Message::Response(response) => &response.body,
    };
    let (_, work) = counted(|| (Content::session(h, body), Content::keys(h, body)));
    work.is_at_most(body.len(), (512, 2), (64 << 10, 64));
    let session = Content::session(h, body).and_then(|content| content.found);
    if let Some((_, sdp)) = session {
        let _ = Sdp::parse(&sdp, Reach::ALL);
    }
}

/// One bounded line, in which nothing acts, and in which no number of whom the message names stands.
fn shown(data: &Bytes, message: Option<&Message>) {
    let (traced, work) = counted(|| masked(data));
    work.is_at_most(data.len(), (2_000, 4), (1 << 20, 400));
    let text = traced.text;
    assert!(!text.chars().any(char::is_control) && text.chars().count() <= 8_193, "{text}");
    let Some(headers) = message.map(Message::headers) else { return };
    for address in [headers.from(), headers.to(), headers.contact()].into_iter().flatten() {
        let user = address.uri.user.unwrap_or_default();
        let digits = user.chars().filter(char::is_ascii_digit).count();
        assert!(digits < 11 || digits != user.chars().count() || !text.contains(&user), "{user} in {text}");
    }
}
