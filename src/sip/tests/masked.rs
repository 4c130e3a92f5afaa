//! Messages as the log shows them.

use crate::sip::masked::MOST;
use crate::sip::{Traced, masked};
use bytes::Bytes;

fn traced(text: &str) -> Traced {
    masked(&Bytes::copy_from_slice(text.as_bytes()))
}

const BODY: &str = "v=0\r\no=13800138000 1 2 IN IP4 10.0.0.2\r\ns=13800138000\r\ni=x\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
                    m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n\
                    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\na=ice-pwd:secret\r\nk=clear:secret\r\n";

fn invite(headers: &str, body: &str) -> String {
    format!(
        "INVITE sip:12345@10.0.0.1;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1234567890\r\n\
         From: \"张三 13800138000\" <sip:13800138000@10.0.0.2;user=phone>;tag=9876543210\r\nTo: <sip:12345@10.0.0.1>\r\n\
         Call-ID: abc@10.0.0.2\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn an_invite_is_one_line_that_says_what_is_needed() {
    let traced = traced(&invite("Content-Type: application/sdp\r\n", BODY));
    assert_eq!(traced.call_id.as_deref(), Some(&b"abc@10.0.0.2"[..]));
    let expected = format!(
        "INVITE sip:12345@10.0.0.1;user=phone SIP/2.0 | Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1234567890 | \
         From: \"…\" <sip:138******00@10.0.0.2;user=phone>;tag=9876543210 | To: <sip:12345@10.0.0.1> | Call-ID: abc@10.0.0.2 | \
         CSeq: 1 INVITE | Max-Forwards: 70 | Content-Type: application/sdp | Content-Length: {} | ({} bytes) | \
         v=0 | o=… 1 2 IN IP4 10.0.0.2 | s=… | i=… | c=IN IP4 10.0.0.2 | t=0 0 | m=audio 40000 RTP/AVP 8 101 | \
         a=rtpmap:101 telephone-event/8000 | a=sendrecv | a=crypto:… | a=ice-pwd:… | k=…",
        BODY.len(),
        BODY.len()
    );
    assert_eq!(traced.text, expected);
}

/// Wherever a caller's number may stand, and however it is written.
#[test]
fn no_number_is_shown() {
    for header in [
        "P-Asserted-Identity: <tel:+8613800138000>",
        "P-Asserted-Identity: \"a\" <sip:+86-138-0013-8000@x>, <tel:13800138000;phone-context=+86>",
        "p-preferred-identity: sip:13800138000@x",
        "Contact: <sip:13800138000@10.0.0.2:5060;ob>;+sip.instance=\"13800138000\"",
        "m: \"<sip:\" <sip:%31%33800138000@x>",
        "Contact: 张三 <sip:13800138000:secret@x;a=13800138000>",
        "History-Info: <sip:13800138000@x?Reason=SIP%3Bcause%3D302&Privacy=13800138000>;index=1,<sip:12345@y>;index=1.1",
        "Diversion: <sip:13800138000@x>;reason=user-busy;x=\"13800138000\"",
        "Refer-To: <sip:13800138000@x?Replaces=13800138000@y>",
        "Referred-By: <sip:13800138000@x>;cid=\"13800138000\"",
        "Remote-Party-ID: \"13800138000\" <sip:13800138000@x>;party=calling",
        "P-Called-Party-ID: <sip:13800138000@x>",
        "Reply-To: <sips:13800138000@x>",
        "X-Caller: 13800138000",
        "X-13800138000: a",
        "Subject: from 13800138000",
        "Call-Info: <http://x/13800138000>",
        "User-Agent: phone of 13800138000 (138-0013-8000)",
        "Server: 138 0013 8000",
        "Reason: Q.850;cause=16;text=\"13800138000\"",
        "Warning: 399 x \"13800138000\"",
        "Retry-After: 5 (ask 13800138000)",
        "Identity: eyJ13800138000",
        "Via: SIP/2.0/UDP 13800138000:5060;branch=13800138000",
        "Event: x;id=13800138000",
        "From: sip:13800138000@x;tag=13800138000",
        "To: 13800138000",
        "To: <sip:13800138000>",
        "To: \"13800138000 <sip:a@b>",
        "To: <sip:a@b>13800138000",
        "Route: <sip:13800138000@x;lr>",
        "13800138000",
        ": 13800138000",
        " folded 13800138000",
        "Content-Disposition: render\r\n folded;x=13800138000",
    ] {
        for text in [
            invite(&format!("{header}\r\n"), ""),
            format!("SIP/2.0 200 13800138000\r\nf: <sip:13800138000@x>\r\n{header}\r\n\r\n"),
            format!("{header}\n"),
        ] {
            let text = traced(&text).text;
            let bare = text.replace([' ', '-', '.', '(', ')'], "");
            assert!(!text.contains("13800138000") && !text.contains("0013") && !bare.contains("13800138000"), "{header}: {text}");
        }
    }
    let cancel = "BYE sip:13800138000@10.0.0.2 SIP/2.0\r\nCall-ID: 13800138000-7@x\r\nf: <tel:13800138000>\r\n\r\n";
    let traced = traced(cancel);
    assert_eq!(traced.text, "BYE sip:138******00@10.0.0.2 SIP/2.0 | Call-ID: 138******00-7@x | From: <tel:138******00>");
    assert_eq!(traced.shown_call_id.as_deref(), Some("138******00-7@x"));
    assert_eq!(traced.call_id.as_deref(), Some(&b"13800138000-7@x"[..]));
}

/// Nothing that opens doors, was pressed or says where somebody is.
/// A number that stands nowhere else in the message.
#[test]
fn no_number_is_shown_in_a_token() {
    for number in
        ["13800138000", "+8613800138000", "008613800138000", "013800138000", "138-0013-8000", "06912123456", "0691-2123456"]
    {
        for line in [
            format!("Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{number}"),
            format!("Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-x.{number}.1;rport"),
            format!("Call-ID: {number}@10.0.0.2"),
            format!("i: a-{number}_b"),
            format!("From: <sip:a@b>;tag={number}"),
            format!("t: <sip:a@b>;tag=x{number}y"),
            format!("Replaces: {number}@x;to-tag={number};from-tag={number}"),
            format!("Refer-To: <sip:12345@x>;tag={number}"),
            format!("X-Hotline-Call-ID: {number}"),
            format!("Subscription-State: active;reason={number}"),
            format!("Content-Type: multipart/mixed;boundary={number}"),
            format!("RAck: {number} 1 INVITE"),
        ] {
            let traced = traced(&format!("OPTIONS sip:12345@10.0.0.1 SIP/2.0\r\n{line}\r\n\r\n"));
            let digits: String =
                format!("{}{:?}", traced.text, traced.shown_call_id).chars().filter(|c| !"-+".contains(*c)).collect();
            assert!(!digits.contains("0013800") && !digits.contains("2123456"), "{line}: {traced:?}");
        }
    }
    // By these a call is found in other logs.
    for id in
        ["1-1234567@10.0.0.2", "1695712345.123@x", "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80", "z9hG4bK1234567890", "20261126-0915"]
    {
        assert!(traced(&format!("OPTIONS sip:a@b SIP/2.0\r\nCall-ID: {id}\r\n\r\n")).text.contains(id), "{id}");
    }
}

#[test]
fn no_secret_is_shown() {
    for header in [
        "Authorization: Digest username=\"a\", response=\"secret\"",
        "Proxy-Authorization: Basic secret",
        "WWW-Authenticate: Digest nonce=\"secret\"",
        "Proxy-Authenticate: secret",
        "Authentication-Info: nextnonce=\"secret\"",
        "Call-Info: <https://x/?token=secret>;purpose=info",
        "Alert-Info: <https://x/?token=secret>",
        "Contact: <https://x/?token=secret>",
        "Geolocation: <https://x/secret>",
        "P-Access-Network-Info: 3GPP-E-UTRAN; utran-cell-id-3gpp=secret",
        "X-Api-Key: secret",
        "User-to-User: secret;encoding=hex",
        "Contact: <sip:a:secret@x;pw=secret>;secret=secret",
        "Digest: secret",
    ] {
        let text = traced(&invite(&format!("{header}\r\n"), "")).text;
        assert!(!text.replace(";secret=…", "").contains("secret"), "{text}");
    }
    let location = "<presence><gml:pos>22.0 100.8</gml:pos></presence>";
    let both = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{BODY}\r\n--b\r\nContent-Type: application/pidf+xml\r\n\r\n{location}\r\n--b--\r\n"
    );
    for (kind, body) in [
        ("application/dtmf-relay", "Signal=7\r\nDuration=160\r\n"),
        ("application/dtmf", "7"),
        ("audio/telephone-event", "\u{7}"),
        ("application/pidf+xml", location),
        ("text/plain", "pos 7"),
        ("application/isup", "pos 7"),
        ("message/sipfrag", "pos 7"),
        ("multipart/mixed;boundary=b", &both),
    ] {
        let text = invite(&format!("Content-Type: {kind}\r\n"), body).replace("INVITE", "INFO");
        let text = traced(&text).text;
        let said = text.split(" bytes)").nth(1).unwrap();
        assert!(!said.contains('7') && !said.contains("pos") && !said.contains("22.0") && !said.contains("Signal"), "{text}");
        assert_eq!(said.contains("m=audio"), kind.starts_with("multipart"), "{text}");
    }
    let moved = traced(
        &invite("", "SIP/2.0 486 Busy 13800138000\r\nTo: x\r\n")
            .replace("Max-Forwards: 70\r\n", "Content-Type: message/sipfrag\r\n"),
    );
    assert!(moved.text.ends_with(" | SIP/2.0 486 Busy 138******00"), "{}", moved.text);
}

#[test]
fn whatever_comes_is_one_bounded_line_in_which_nothing_acts() {
    let forged =
        traced("INVITE sip:a@b SIP/2.0\r\nVia: x | Call-ID: forged\u{1b}[2J\u{202e}\u{2028}\u{85}\r\nCall-ID: a\u{7}|b\r\n\r\n");
    assert_eq!(forged.shown_call_id.as_deref(), Some("a\\u{7}\\u{7c}b"));
    assert!(!forged.text.chars().any(|c| c.is_control() || "\u{202e}\u{2028}".contains(c)), "{}", forged.text);
    assert_eq!(forged.text.matches(" | ").count(), 2, "{}", forged.text);
    let long = traced(&invite(&"Accept: application/a-kind-of-its-own\r\n".repeat(1000), ""));
    assert_eq!(long.text.chars().count(), MOST + 1);
}
