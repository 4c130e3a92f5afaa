//! Looks in a body for what concerns us: a session's description or a key, alone or beside other parts (RFC 5621, RFC 2046
//! §5.1), as carriers put a description beside an ISUP message (RFC 3204) or a caller's location (RFC 6442).

use crate::sip::parse::part;
use crate::sip::text::find;
use crate::sip::value::Params;
use crate::sip::{Headers, Name};
use bytes::Bytes;

/// Parts that a body may have, and how deep they may lie in each other.
const PARTS: usize = 16;
const DEPTH: u8 = 8;
const MULTIPART: &[u8] = b"multipart/";

/// The kinds of content that a body is read for.
struct Wanted {
    kinds: &'static [&'static str],
    /// How the kinds begin that may stand in their place or beside them, whatever the sender says of them: they are of no
    /// consequence for what we do.
    beside: &'static [&'static str],
}

const SESSION: Wanted = Wanted {
    kinds: &["application/sdp"],
    // Location, what is known of an emergency call (RFC 7852), and what telephone networks tell each other (RFC 3204).
    beside: &["application/pidf", "application/emergencycalldata.", "application/isup", "application/qsig"],
};

const KEYS: Wanted = Wanted { kinds: &["application/dtmf-relay", "application/dtmf", "audio/telephone-event"], beside: &[] };

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The content that was looked for: its kind, and its bytes.
    pub found: Option<(&'static str, Bytes)>,
    /// There is something else that the sender will not see ignored. Beside what was found it can be: a call is not
    /// refused over a part that nobody needs.
    pub foreign: bool,
}

impl Content {
    /// A session's description. None where parts cannot be told apart.
    pub fn session(headers: &Headers, body: &Bytes) -> Option<Content> {
        Content::of(headers, body, &SESSION)
    }

    /// As above, keys that were pressed.
    pub fn keys(headers: &Headers, body: &Bytes) -> Option<Content> {
        Content::of(headers, body, &KEYS)
    }

    fn of(headers: &Headers, body: &Bytes, wanted: &Wanted) -> Option<Content> {
        if body.is_empty() { Some(Content::default()) } else { read(headers, body, wanted, DEPTH) }
    }

    fn foreign() -> Content {
        Content { found: None, foreign: true }
    }

    /// Several at once: each counts.
    fn with(self, other: Content) -> Content {
        Content { found: self.found.or(other.found), foreign: self.foreign || other.foreign }
    }
}

impl Wanted {
    fn kind(&self, kind: &[u8]) -> Option<&'static str> {
        self.kinds.iter().find(|wanted| kind.eq_ignore_ascii_case(wanted.as_bytes())).copied()
    }

    fn is_beside(&self, kind: &[u8]) -> bool {
        let begins = |with: &str| kind.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()));
        self.beside.iter().any(|with| begins(with))
    }
}

fn read(headers: &Headers, body: &Bytes, wanted: &Wanted, depth: u8) -> Option<Content> {
    let (kind, params) = typed(headers, &Name::ContentType);
    let (disposition, handling) = typed(headers, &Name::ContentDisposition);
    let ours = wanted.kind(kind).filter(|_| as_it_is(headers) && !disposition.eq_ignore_ascii_case(b"early-session"));
    if let Some(kind) = ours {
        return Some(Content { found: Some((kind, body.clone())), foreign: false });
    }
    let content = match kind.split_at_checked(MULTIPART.len()) {
        Some((several, kind)) if depth > 0 && several.eq_ignore_ascii_case(MULTIPART) => {
            self::several(kind, parts(body, Params::parse(params)?.get("boundary")?)?, wanted, depth - 1)?
        }
        _ if wanted.is_beside(kind) => Content::default(),
        _ => Content::foreign(),
    };
    Some(Content { foreign: content.foreign && !may_be_ignored(handling), ..content })
}

/// RFC 3261 §20.11: required unless it says so.
fn may_be_ignored(handling: &[u8]) -> bool {
    let handling = Params::parse(handling).unwrap_or_default();
    handling.get("handling").is_some_and(|how| how.eq_ignore_ascii_case("optional"))
}

/// Tells whether the body beside these headers may be ignored.
pub fn optional(headers: &Headers) -> bool {
    may_be_ignored(typed(headers, &Name::ContentDisposition).1)
}

/// Tells whether the body beside these headers is as it is: `identity` is no encoding (RFC 3261 §20.12).
pub fn plain(headers: &Headers) -> bool {
    let identity = |coding: &[u8]| coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity");
    headers.all(&Name::ContentEncoding).all(|value| value.split(|b| *b == b',').all(identity))
}

/// Reads several parts. The last alternative that we understand counts (RFC 2046 §5.1.4): what we look for, where it is
/// there, for what may be ignored says nothing. An unknown kind of several is like `mixed` (§5.1.3). Parts that cannot be
/// read are foreign, unless all are so.
fn several(kind: &[u8], parts: Vec<Bytes>, wanted: &Wanted, depth: u8) -> Option<Content> {
    let read = |bytes: &Bytes| part(bytes).and_then(|(headers, body)| read(&headers, &body, wanted, depth));
    let all: Vec<Option<Content>> = parts.iter().map(read).collect();
    if all.iter().all(Option::is_none) {
        return None;
    }
    let all = all.into_iter().map(|content| content.unwrap_or(Content::foreign()));
    if kind.eq_ignore_ascii_case(b"alternative") {
        return all.max_by_key(|content| (content.found.is_some(), !content.foreign));
    }
    Some(all.fold(Content::default(), Content::with))
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
    let unchanged = ["7bit", "8bit", "binary"];
    plain(headers) && encoding.is_none_or(|how| unchanged.iter().any(|plain| how.eq_ignore_ascii_case(plain.as_bytes())))
}

/// The parts between the delimiters (RFC 2046 §5.1.1). One that is missing at the end is done without.
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

/// Tells whether the line is a delimiter, and whether it is the last.
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
        Content::session(&headers, &Bytes::copy_from_slice(body.as_bytes()))
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
        Some(Content { found: Some(("application/sdp", Bytes::copy_from_slice(text.as_bytes()))), foreign: false })
    }

    #[test]
    fn one_body_is_a_description_or_foreign() {
        assert_eq!(content("", ""), Some(Content::default()));
        assert_eq!(content("c: Application/SDP ; charset=utf-8\r\n", SDP), only(SDP));
        assert_eq!(content("", SDP), Some(Content::foreign()));
        assert_eq!(content("Content-Type: text/plain\r\n", "hello"), Some(Content::foreign()));
        let packed = "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n";
        assert_eq!(content(packed, "\u{1f}"), Some(Content::foreign()));
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
        let required = ISUP.replace("ISUP", "x-new").replace("optional", "required");
        let unsaid = required.replace(";handling=required", "");
        for foreign in [required.as_str(), &unsaid, "\r\nplain text", "Content-Disposition: signal\r\n\r\nx"] {
            let found = mixed(&[foreign, &session("")]).unwrap();
            assert!(found.foreign && found.found.is_some(), "{foreign}");
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
        let deep = (0..9).fold(session(""), |part, n| {
            format!("Content-Type: multipart/mixed;boundary=d{n}\r\n\r\n--d{n}\r\n{part}\r\n--d{n}--")
        });
        assert_eq!(mixed(&[&deep]), Some(Content::foreign()), "too deep to look");
    }

    #[test]
    fn what_a_call_does_not_need_stands_in_its_way_nowhere() {
        let location = "Content-Type: application/pidf+xml\r\nContent-ID: <l@x>\r\n\r\n<presence/>";
        let data =
            "Content-Type: application/EmergencyCallData.SubscriberInfo+xml\r\nContent-Disposition: by-reference\r\n\r\n<x/>";
        let isup = ISUP.replace("optional", "required");
        let kinds = [location, data, &isup, "Content-Type: application/x-new;a=b\r\n\r\nx", "\r\nx", "no colon\r\n\r\nx"];
        for (n, part) in kinds.iter().enumerate() {
            let needed = session("");
            let inner =
                format!("Content-Type: multipart/related;boundary=in\r\n\r\n--in\r\n{part}\r\n--in\r\n{needed}\r\n--in--");
            let choice = inner.replace("related", "alternative");
            for parts in [vec![*part, &needed], vec![&needed, *part], vec![&*inner], vec![*part, &*inner], vec![&*choice, *part]]
            {
                assert_eq!(mixed(&parts).unwrap().found, only(SDP).unwrap().found, "{parts:?}");
            }
            let alone = mixed(&[part]);
            assert_eq!(alone.map(|content| content.foreign), [Some(false), Some(true), None][[0, 0, 0, 1, 1, 2][n]], "{part}");
        }
    }

    #[test]
    fn keys_are_found_as_descriptions_are() {
        let keys = |head: &str, body: &str| {
            let (headers, _) = part(&Bytes::from(format!("{head}\r\n\r\n"))).unwrap();
            Content::keys(&headers, &Bytes::copy_from_slice(body.as_bytes()))
        };
        let key = Some(("application/dtmf", Bytes::from_static(b"5")));
        assert_eq!(keys("Content-Type: Application/DTMF", "5").unwrap().found, key);
        let beside = format!("--b\r\n{}\r\n--b\r\nContent-Type: application/dtmf\r\n\r\n5\r\n--b--", session(""));
        assert_eq!(keys("Content-Type: multipart/mixed;boundary=b", &beside).unwrap().found, key);
        assert_eq!(keys("Content-Type: application/isup", "x"), Some(Content::foreign()), "it is of consequence here");
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
            if let Some((_, sdp)) = Content::session(&headers, &body).and_then(|content| content.found) {
                prop_assert!(sdp.is_empty() || body.as_ptr_range().contains(&sdp.as_ptr()));
                prop_assert!(sdp.len() < body.len());
            }
        }
    }
}
