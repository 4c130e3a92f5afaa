//! What a body says of the session: its description alone, or beside other parts (RFC 5621, RFC 2046 §5.1), as carriers
//! put it beside an ISUP message (RFC 3204).

use crate::sip::parse::part;
use crate::sip::text::find;
use crate::sip::value::Params;
use crate::sip::{Headers, Name};
use bytes::Bytes;

/// Parts that a body may have, and how deep they may lie in each other.
const PARTS: usize = 16;
const DEPTH: u8 = 3;
const MULTIPART: &[u8] = b"multipart/";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The session's description.
    pub sdp: Option<Bytes>,
    /// There is something else that the sender will not see ignored.
    pub foreign: bool,
}

impl Content {
    /// None where its parts cannot be told apart.
    pub fn of(headers: &Headers, body: &Bytes) -> Option<Content> {
        if body.is_empty() { Some(Content::default()) } else { read(headers, body, DEPTH) }
    }

    fn foreign() -> Content {
        Content { sdp: None, foreign: true }
    }

    /// Several at once: each counts.
    fn with(self, other: Content) -> Content {
        Content { sdp: self.sdp.or(other.sdp), foreign: self.foreign || other.foreign }
    }
}

fn read(headers: &Headers, body: &Bytes, depth: u8) -> Option<Content> {
    let (kind, params) = typed(headers, &Name::ContentType);
    let (disposition, handling) = typed(headers, &Name::ContentDisposition);
    let sdp = kind.eq_ignore_ascii_case(b"application/sdp") && !disposition.eq_ignore_ascii_case(b"early-session");
    if sdp && as_it_is(headers) {
        return Some(Content { sdp: Some(body.clone()), foreign: false });
    }
    let content = match kind.split_at_checked(MULTIPART.len()) {
        Some((several, kind)) if depth > 0 && several.eq_ignore_ascii_case(MULTIPART) => {
            self::several(kind, parts(body, Params::parse(params)?.get("boundary")?)?, depth - 1)?
        }
        _ => Content::foreign(),
    };
    // RFC 3261 §20.11: required unless it says so.
    let handling = Params::parse(handling).unwrap_or_default();
    let optional = handling.get("handling").is_some_and(|how| how.eq_ignore_ascii_case("optional"));
    Some(Content { foreign: content.foreign && !optional, ..content })
}

/// Of alternatives the last that we understand (RFC 2046 §5.1.4): a description, where there is one, for what may be
/// ignored says nothing. An unknown kind of several is like `mixed` (§5.1.3).
fn several(kind: &[u8], parts: Vec<Bytes>, depth: u8) -> Option<Content> {
    let mut all = Vec::with_capacity(parts.len());
    for bytes in parts {
        let (headers, body) = part(&bytes)?;
        all.push(read(&headers, &body, depth)?);
    }
    if kind.eq_ignore_ascii_case(b"alternative") {
        let known = all.into_iter().filter(|content| !content.foreign);
        return Some(known.max_by_key(|content| content.sdp.is_some()).unwrap_or(Content::foreign()));
    }
    Some(all.into_iter().fold(Content::default(), Content::with))
}

/// A header's value before its parameters, and these.
fn typed<'a>(headers: &'a Headers, name: &Name) -> (&'a [u8], &'a [u8]) {
    let value: &[u8] = headers.get(name).map_or(b"", |value| value);
    let (kind, params) = value.split_at(find(value, b';').unwrap_or(value.len()));
    (kind.trim_ascii(), params)
}

/// Not encoded for a channel that SIP is not.
fn as_it_is(headers: &Headers) -> bool {
    let encoding = headers.get(&Name::ContentTransferEncoding);
    encoding.is_none_or(|how| ["7bit", "8bit", "binary"].iter().any(|plain| how.eq_ignore_ascii_case(plain.as_bytes())))
}

/// What stands between the delimiters (RFC 2046 §5.1.1). One that is missing at the end is done without.
fn parts(body: &Bytes, boundary: &str) -> Option<Vec<Bytes>> {
    let (mut parts, mut begun, mut at) = (Vec::new(), None, 0);
    while at < body.len() {
        let rest = &body[at..];
        let next = at + rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |end| end + 1);
        if let Some(last) = delimiter(&body[at..next], boundary) {
            parts.extend(begun.map(|begin| without_line_end(body.slice(begin..at))));
            begun = Some(next).filter(|_| !last);
            if last || parts.len() == PARTS {
                break;
            }
        }
        at = next;
    }
    parts.extend(begun.filter(|_| parts.len() < PARTS).map(|begin| body.slice(begin..)));
    Some(parts).filter(|parts| !parts.is_empty() && parts.len() < PARTS)
}

/// Whether the line is one, and whether the last.
fn delimiter(line: &[u8], boundary: &str) -> Option<bool> {
    match line.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?.trim_ascii_end() {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// It belongs to the delimiter that follows.
fn without_line_end(part: Bytes) -> Bytes {
    let end = part.strip_suffix(b"\n").map_or(part.len(), |part| part.strip_suffix(b"\r").unwrap_or(part).len());
    part.slice(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Header;
    use proptest::prelude::*;

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
    const ISUP: &str = "Content-Type: application/ISUP;version=itu-t92+\r\nContent-Disposition: signal;handling=optional\r\n\
                        \r\n\x01\x00\n\r\n--x\n\x7f\r\n";

    fn content(head: &str, body: &str) -> Option<Content> {
        let (headers, _) = part(&Bytes::from(format!("{head}\r\n"))).unwrap();
        Content::of(&headers, &Bytes::copy_from_slice(body.as_bytes()))
    }

    fn mixed(parts: &[&str]) -> Option<Content> {
        several_of("multipart/mixed;boundary=\"b 1\"", "b 1", parts)
    }

    fn several_of(kind: &str, boundary: &str, parts: &[&str]) -> Option<Content> {
        let body: String = parts.iter().map(|part| format!("--{boundary}\r\n{part}\r\n")).collect();
        content(&format!("Content-Type: {kind}\r\n"), &format!("preamble\r\n{body}--{boundary}--\r\nepilogue"))
    }

    fn session(more: &str) -> String {
        format!("content-type : application/SDP\r\n{more}\r\n{SDP}")
    }

    fn only(text: &str) -> Option<Content> {
        Some(Content { sdp: Some(Bytes::copy_from_slice(text.as_bytes())), foreign: false })
    }

    #[test]
    fn one_body_is_a_description_or_foreign() {
        assert_eq!(content("", ""), Some(Content::default()));
        assert_eq!(content("c: Application/SDP ; charset=utf-8\r\n", SDP), only(SDP));
        assert_eq!(content("", SDP), Some(Content::foreign()));
        assert_eq!(content("Content-Type: text/plain\r\n", "hello"), Some(Content::foreign()));
        let optional = "Content-Type: text/plain\r\nContent-Disposition: render ; handling = OPTIONAL\r\n";
        assert_eq!(content(optional, "hello"), Some(Content::default()));
        assert_eq!(
            content("Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n", "dj0w"),
            Some(Content::foreign())
        );
    }

    #[test]
    fn the_description_is_found_beside_what_may_be_ignored() {
        assert_eq!(mixed(&[&session(""), ISUP]), only(SDP));
        assert_eq!(mixed(&[ISUP, &session("Content-Disposition: session\r\n")]), only(SDP));
        assert_eq!(mixed(&[ISUP]), Some(Content::default()), "a late offer");
        assert_eq!(
            mixed(&[
                &session("Content-Transfer-Encoding: Binary\r\n"),
                &session("Content-Disposition: early-session;handling=optional\r\n")
            ]),
            only(SDP)
        );
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_told() {
        let required = ISUP.replace("optional", "required");
        let unsaid = ISUP.replace(";handling=optional", "");
        for foreign in [required.as_str(), &unsaid, "\r\nplain text", "Content-Disposition: signal\r\n\r\nx"] {
            let found = mixed(&[foreign, &session("")]).unwrap();
            assert!(found.foreign && found.sdp.is_some(), "{foreign}");
        }
    }

    #[test]
    fn parts_lie_in_parts() {
        let inner = |kind: &str, parts: &str| format!("Content-Type: multipart/{kind};boundary=in\r\n\r\n{parts}--in--");
        let both = format!("--in\r\n{}\r\n--in\r\n{ISUP}\r\n", session(""));
        assert_eq!(mixed(&[&inner("related", &both)]), only(SDP));
        let choice = format!(
            "--in\r\nContent-Type: application/sdp\r\n\r\nworse\r\n--in\r\n{}\r\n--in\r\nContent-Type: a/b\r\n\r\nbest\r\n",
            session("")
        );
        assert_eq!(mixed(&[&inner("alternative", &choice)]), only(SDP));
        let ignored = format!("{choice}--in\r\nContent-Type: a/b\r\nContent-Disposition: x;handling=optional\r\n\r\nx\r\n");
        assert_eq!(mixed(&[&inner("alternative", &ignored)]), only(SDP), "no late offer");
        let none = "--in\r\nContent-Type: a/b\r\n\r\nx\r\n";
        assert_eq!(mixed(&[&inner("alternative", none)]), Some(Content::foreign()));
        let optional = inner("mixed", none).replacen("\r\n", "\r\nContent-Disposition: x;handling=optional\r\n", 1);
        assert_eq!(mixed(&[&optional, &session("")]), only(SDP));
        let deep = (0..5).fold(session(""), |part, n| {
            format!("Content-Type: multipart/mixed;boundary=d{n}\r\n\r\n--d{n}\r\n{part}\r\n--d{n}--")
        });
        assert_eq!(mixed(&[&deep]), Some(Content::foreign()), "too deep to look");
    }

    #[test]
    fn parts_that_cannot_be_told_apart_are_nothing() {
        assert_eq!(content("Content-Type: multipart/mixed\r\n", "--b\r\n\r\nx"), None);
        assert_eq!(content("Content-Type: multipart/mixed;boundary=b\r\n", "no delimiter"), None);
        assert_eq!(content("Content-Type: multipart/mixed;boundary=b\r\n", "--b\r\nno colon\r\n\r\nx\r\n--b--"), None);
        assert_eq!(mixed(&vec!["\r\nx"; 40]), None);
        let unclosed = format!("--b\r\n{}", session(""));
        assert_eq!(content("Content-Type: multipart/mixed;boundary=b\r\n", &unclosed), only(SDP), "its end can be done without");
        let lines = format!("--b\n{}\n--bc\n--b--", session("")).replace("\r\n", "\n");
        assert_eq!(
            content("Content-Type: multipart/mixed;boundary=b\r\n", &lines),
            only(&format!("{SDP}\n--bc").replace("\r\n", "\n"))
        );
    }

    /// Words of such bodies in any order, and anything between them.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        const WORDS: &[&str] = &[
            "--b",
            "--",
            "\r\n",
            "\n",
            "\r\n\r\n",
            "Content-Type: application/sdp",
            "Content-Type: multipart/mixed;boundary=b",
            ";",
            "v=0",
        ];
        prop_oneof![3 => proptest::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()), 1 => any::<Vec<u8>>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

        #[test]
        fn whatever_comes_a_description_is_a_piece_of_it(pieces in proptest::collection::vec(piece(), 0..60)) {
            let body = Bytes::from(pieces.concat());
            let headers = Headers(vec![Header { name: Name::ContentType, value: "multipart/mixed;boundary=b".into() }]);
            if let Some(sdp) = Content::of(&headers, &body).and_then(|content| content.sdp) {
                prop_assert!(sdp.is_empty() || body.as_ptr_range().contains(&sdp.as_ptr()));
                prop_assert!(sdp.len() < body.len());
            }
        }
    }
}
