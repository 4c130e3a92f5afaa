use crate::sip::message::{REPEATED, answer};
use crate::sip::text::{is_token, number, split};
use crate::sip::{CSeq, Header, Headers, Message, Method, Name, NameAddr, Request, Response, Scheme, Status, Uri, Via};
use bytes::Bytes;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::ops::Range;

/// The largest message we take, in bytes; a larger one is answered 513 where its head can be read.
pub const MAX_MESSAGE: usize = 65_535;
/// The longest header, folded lines together, and the longest start line.
pub const MAX_LINE: usize = 8_192;
/// The most headers, each element of a list counted.
pub const MAX_HEADERS: usize = 256;
/// The most bytes of headers that an answer repeats (RFC 3261 §8.2.6.2): with what we add, it still fits in a datagram.
pub const MAX_REPEATED: usize = 16_384;

/// Why bytes are not a message that we can serve.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseError {
    /// The status that the sender may be told: 400, 414, 416, 505, 513.
    pub status: Status,
    /// One sentence for the log and the reason phrase; holds nothing of the message's content.
    pub reason: &'static str,
    /// The answer, where the head held enough to address it (Via, From, To, Call-ID, CSeq) and it was a request other
    /// than ACK; otherwise the bytes are dropped.
    pub answer: Option<Box<Response>>,
}

impl Message {
    /// Parses one message that fills the datagram (or one that a stream framer cut out). Without Content-Length the
    /// body is the rest (RFC 3261 §18.3); bytes beyond Content-Length are dropped; fewer are an error.
    ///
    /// Afterwards the topmost Via, From, To, Call-ID and CSeq are there and their typed views are `Some`.
    /// Content-Length is not among the headers: it is the body's length.
    pub fn parse(datagram: Bytes) -> Result<Message, ParseError> {
        let head = Head::read(&datagram);
        match check(&datagram, &head) {
            Ok((Start::Request(method, uri), body)) => Ok(Message::Request(Request { method, uri, headers: head.headers, body })),
            Ok((Start::Response(status, reason), body)) => {
                Ok(Message::Response(Response { status, reason, headers: head.headers, body }))
            }
            Err(fault) => Err(refuse(&datagram, head, fault)),
        }
    }
}

/// The Content-Length that a complete head declares. On a stream it may not be missing (RFC 3261 §18.3); read by the
/// parser's own eyes, so that nothing can hide a message between two ways of reading.
pub fn declared_length(head: &Bytes) -> Result<usize, &'static str> {
    let head = Head::read(head);
    match head.content_length {
        Some(length) if !head.length_fault => Ok(length),
        _ => Err("Content-Length is missing or bad"),
    }
}

/// A part of a body of several: its headers, of which there may be none, and what it holds.
pub(super) fn part(data: &Bytes) -> Option<(Headers, Bytes)> {
    let mut head = Head::default();
    head.rest(data, 0);
    let body = data.slice(head.end..);
    head.fault.is_none().then_some((head.headers, body))
}

/// A fault: the status to answer and the sentence that says why.
type Fault = (u16, &'static str);

/// The head as it was read; reading goes on behind a fault, since the answer needs the headers.
#[derive(Default)]
struct Head {
    start: Range<usize>,
    headers: Headers,
    content_length: Option<usize>,
    /// Some Content-Length is bad or stands twice.
    length_fault: bool,
    /// Bytes of the headers that an answer repeats.
    repeated: usize,
    /// Header lines so far.
    lines: usize,
    /// Where the body begins.
    end: usize,
    fault: Option<Fault>,
}

impl Head {
    fn read(data: &Bytes) -> Head {
        let mut head = Head { headers: Headers(Vec::with_capacity(24)), ..Head::default() };
        // Empty lines before the start line are keep-alives (RFC 3261 §7.5).
        let mut at = data.iter().position(|b| !b"\r\n".contains(b)).unwrap_or(data.len());
        head.start = head.line(data, &mut at).unwrap_or(at..at);
        head.rest(data, at);
        head
    }

    /// The headers, to the empty line.
    fn rest(&mut self, data: &Bytes, mut at: usize) {
        loop {
            match self.line(data, &mut at) {
                None => {
                    self.fail(400, "Message head has no end");
                    break;
                }
                Some(line) if line.is_empty() => break,
                Some(line) => self.header(data, line, &mut at),
            }
        }
        self.end = at;
    }

    fn fail(&mut self, status: u16, reason: &'static str) {
        self.fault.get_or_insert((status, reason));
    }

    /// The line that begins at `at`, without its end; LF alone ends one too. `at` moves behind it.
    fn line(&mut self, data: &[u8], at: &mut usize) -> Option<Range<usize>> {
        let begin = *at;
        loop {
            let end = *at + data.get(*at..)?.iter().position(|b| matches!(b, b'\n' | b'\r' | 0))?;
            *at = end + 1;
            match &data[end..] {
                [b'\n', ..] => return Some(begin..end),
                [b'\r', b'\n', ..] => {
                    *at += 1;
                    return Some(begin..end);
                }
                // A quoted pair may hold a NUL (RFC 3261 §25.1); nothing may hold a CR.
                [0, ..] if data[begin..end].ends_with(b"\\") => {}
                _ => self.fail(400, "Control character in the head"),
            }
        }
    }

    /// Takes in the header that begins with this line, and the folded lines that follow it (RFC 3261 §7.3.1).
    fn header(&mut self, data: &Bytes, mut line: Range<usize>, at: &mut usize) {
        let first = line.end;
        while let Some(b' ' | b'\t') = data.get(*at) {
            match self.line(data, at) {
                Some(more) => line.end = more.end,
                None => return self.fail(400, "Message head has no end"),
            }
        }
        if line.len() > MAX_LINE {
            return self.fail(513, "Header too long");
        }
        self.lines += 1;
        // Behind the bound nothing is looked at any more, but for the length that a stream needs to find the next message.
        if self.lines > MAX_HEADERS && !matches!(data.get(line.start), Some(b'C' | b'c' | b'L' | b'l')) {
            return self.fail(513, "Too many headers");
        }
        let text = if line.end == first { data.slice(line) } else { unfold(&data[line]) };
        match text.iter().position(|b| *b == b':') {
            Some(colon) => self.named(&text, colon),
            None => self.fail(400, "Header without a colon"),
        }
    }

    fn named(&mut self, text: &Bytes, colon: usize) {
        let Some(name) = Name::parse(text[..colon].trim_ascii_end()) else {
            return self.fail(400, "Bad header name");
        };
        let value = text.slice_ref(text[colon + 1..].trim_ascii());
        if name == Name::ContentLength {
            return self.content_length(&value);
        }
        if self.lines > MAX_HEADERS {
            return self.fail(513, "Too many headers");
        }
        if name.is_single() && self.headers.get(&name).is_some() {
            return self.fail(400, "Header that may stand once stands twice");
        }
        if !name.is_list() || !value.contains(&b',') {
            return self.push(name, value);
        }
        // One more than there is room for says that there are too many.
        for piece in split(&value, b',').take(MAX_HEADERS + 1) {
            match piece.first() {
                None | Some(b';') if name == Name::Via => self.fail(400, "Empty element in Via"),
                None => {}
                Some(_) => self.push(name.clone(), value.slice_ref(piece)),
            }
        }
    }

    fn push(&mut self, name: Name, value: Bytes) {
        if self.headers.0.len() == MAX_HEADERS {
            return self.fail(513, "Too many headers");
        }
        if REPEATED.contains(&name) {
            self.repeated += value.len();
            if self.repeated > MAX_REPEATED {
                return self.fail(513, "Headers that an answer repeats are too long");
            }
        }
        self.headers.0.push(Header { name, value });
    }

    fn content_length(&mut self, value: &[u8]) {
        let length = number(value);
        if length.is_none() || self.content_length.is_some() {
            self.length_fault = true;
            return self.fail(400, "Bad Content-Length");
        }
        self.content_length = length;
    }

    fn body(&self, data: &Bytes) -> Result<Bytes, Fault> {
        let rest = data.slice(self.end..);
        match self.content_length {
            None => Ok(rest),
            Some(length) if length <= rest.len() => Ok(rest.slice(..length)),
            Some(_) => Err((400, "Content-Length exceeds the message")),
        }
    }
}

fn unfold(lines: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(lines.len());
    for line in lines.split(|b| *b == b'\n') {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(line.trim_ascii());
    }
    out.into()
}

/// The start line, read.
enum Start {
    Request(Method, Uri),
    Response(Status, Bytes),
}

fn check(data: &Bytes, head: &Head) -> Result<(Start, Bytes), Fault> {
    let line = &data[head.start.clone()];
    if line.is_empty() {
        return Err((400, "Nothing but empty lines"));
    }
    if is_response(line) {
        let (status, reason) = status_line(line)?;
        return Ok((Start::Response(status, data.slice_ref(reason)), common(data, head)?));
    }
    let (method, uri) = request_line(line)?;
    let body = common(data, head)?;
    request(&method, &head.headers)?;
    Ok((Start::Request(method, uri), body))
}

/// Checks what only requests must get right.
fn request(method: &Method, headers: &Headers) -> Result<(), Fault> {
    if headers.cseq().is_none_or(|c| c.method != *method) {
        return Err((400, "CSeq names another method"));
    }
    if headers.get(&Name::MaxForwards).is_some() && headers.max_forwards().is_none() {
        return Err((400, "Bad Max-Forwards"));
    }
    // A REGISTER's are judged by the registrar, once its sender is known (RFC 3261 §10.3): linphone writes port -2 until the
    // answer to its first one tells it where it comes from.
    if *method != Method::Register && headers.all(&Name::Contact).any(|c| **c != *b"*" && !NameAddr::is_good(c)) {
        return Err((400, "Bad Contact"));
    }
    Ok(())
}

/// Checks what requests and responses must both get right.
fn common(data: &Bytes, head: &Head) -> Result<Bytes, Fault> {
    if data.len() > MAX_MESSAGE {
        return Err((513, "Message too large"));
    }
    head.fault.map_or(Ok(()), Err)?;
    let good = |name: &Name, parses: fn(&[u8]) -> bool| match head.headers.get(name) {
        None => Err((400, "Via, From, To, Call-ID or CSeq is missing")),
        Some(value) if parses(value) => Ok(()),
        Some(_) => Err((400, "Bad Via, From, To, Call-ID or CSeq")),
    };
    // An answer to port 0 cannot be sent.
    good(&Name::Via, |v| Via::parse(v).is_some_and(|via| via.port != Some(0)))?;
    good(&Name::From, NameAddr::is_good)?;
    good(&Name::To, NameAddr::is_good)?;
    good(&Name::CSeq, |v| CSeq::parse(v).is_some())?;
    good(&Name::CallId, |v| !v.is_empty() && !v.iter().any(u8::is_ascii_whitespace))?;
    head.body(data)
}

fn is_response(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

/// `SIP/2.0 486 Busy Here` (RFC 3261 §7.2); the phrase may be empty.
fn status_line(line: &[u8]) -> Result<(Status, &[u8]), Fault> {
    const BAD: Fault = (400, "Bad status line");
    let (version, rest) = line.split_at_checked(7).ok_or(BAD)?;
    let (code, reason) = rest.split_at_checked(4).filter(|_| version.eq_ignore_ascii_case(b"SIP/2.0")).ok_or(BAD)?;
    let code = code.strip_prefix(b" ").and_then(number::<u16>).filter(|c| (100..700).contains(c)).ok_or(BAD)?;
    match reason {
        [] => Ok((Status(code), reason)),
        [b' ', phrase @ ..] => Ok((Status(code), phrase)),
        _ => Err(BAD),
    }
}

/// `INVITE sip:12345@example.com SIP/2.0`, with exactly one space between (RFC 3261 §7.1).
fn request_line(line: &[u8]) -> Result<(Method, Uri), Fault> {
    const BAD: Fault = (400, "Bad request line");
    if line.len() > MAX_LINE {
        return Err((414, "Request URI too long"));
    }
    let first = line.iter().position(|b| *b == b' ').ok_or(BAD)?;
    let last = line.iter().rposition(|b| *b == b' ').filter(|l| *l > first).ok_or(BAD)?;
    let (method, uri, version) = (&line[..first], &line[first + 1..last], &line[last + 1..]);
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Err(if is_response(version) { (505, "SIP version is not 2.0") } else { BAD });
    }
    let method = Method::parse(method).ok_or(BAD)?;
    let uri = Uri::parse(uri).ok_or((400, "Bad request URI"))?;
    match uri.scheme {
        Scheme::Other => Err((416, "URI scheme is not sip, sips or tel")),
        // RFC 3261 §19.1.1: a request URI has no headers.
        _ if uri.headers.is_some() => Err((400, "Request URI with headers")),
        _ => Ok((method, uri)),
    }
}

/// A fault as the caller sees it; with the answer, where one can be addressed.
fn refuse(data: &[u8], head: Head, (status, reason): Fault) -> ParseError {
    let line = &data[head.start.clone()];
    let method = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let answerable = is_token(method) && method != b"ACK" && !is_response(line);
    let addressed = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq].iter().all(|n| head.headers.get(n).is_some());
    let status = Status(status);
    let answer = (answerable && addressed).then(|| {
        let mut response = answer(&head.headers, status, Some(&stateless_tag(&head.headers)));
        response.headers.remove(&Name::RecordRoute);
        Box::new(Response { reason: Bytes::from_static(reason.as_bytes()), ..response })
    });
    ParseError { status, reason, answer }
}

/// The same request gets the same tag, though nothing of it is kept (RFC 3261 §8.2.7).
fn stateless_tag(headers: &Headers) -> String {
    let mut hasher = SipHasher13::new();
    for name in [Name::Via, Name::CallId, Name::CSeq] {
        hasher.write(headers.get(&name).map_or(b"", |v| v));
    }
    format!("{:016x}", hasher.finish())
}
