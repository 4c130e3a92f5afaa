//! Digest authentication (RFC 7616 and 8760 over RFC 3261 §22): what a client answers to a challenge, and how a server
//! challenges and judges. Nothing is asked of a clock or of chance: time, key and cnonce are arguments.

mod server;

pub use server::{Rejected, Server, Verified};

use crate::sip::text::{is_token, lossy, quoted_end, split, unquote, write_quoted};
use md5::{Digest as _, Md5};
use ring::digest::{SHA256, SHA512_256, digest};
use std::fmt;

/// More parameters than this in one value are refused.
const MAX_PARAMS: usize = 32;

/// A digest algorithm. Its variant with `-sess` is the client's alone: we ask no phone for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha256,
    Sha512T256,
}

/// The quality of protection: the request alone, or with its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    Auth,
    AuthInt,
}

/// H(A1): all that needs to be kept of a password, for one algorithm, user and realm.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    algorithm: Algorithm,
    hash: String,
}

/// The value of WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Debug, PartialEq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub algorithm: Algorithm,
    /// The password counts for one session: until the next challenge (RFC 7616 §3.4.2).
    pub sess: bool,
    /// The answer was right, but its nonce has had its time.
    pub stale: bool,
    /// The qualities offered that we know; empty for a peer of RFC 2069, which knows none.
    pub qops: Vec<Qop>,
}

/// The value of Authorization or Proxy-Authorization.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub user: String,
    pub realm: String,
    pub nonce: String,
    pub uri: String,
    pub response: String,
    pub algorithm: Algorithm,
    pub sess: bool,
    pub opaque: Option<String>,
    /// None towards a peer of RFC 2069.
    pub counted: Option<Counted>,
}

/// The part of an answer that tells it from others to the same nonce.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    pub qop: Qop,
    pub count: u32,
    pub cnonce: String,
}

/// The part of a request that an answer is made for.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    pub method: &'a str,
    /// The Request-URI as it is written.
    pub uri: &'a str,
    pub body: &'a [u8],
}

/// A client that has been challenged, and answers until it is challenged anew.
#[derive(Clone, Debug)]
pub struct Client {
    challenge: Challenge,
    count: u32,
    /// H(A1) of the session, and the cnonce that it was begun with. Servers differ in whether a later one may be another.
    session: Option<(Secret, String)>,
}

/// The ending of an algorithm's name.
const SESS: &str = "-sess";

impl Algorithm {
    const ALL: [Algorithm; 3] = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512T256];

    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512T256 => "SHA-512-256",
        }
    }

    fn strength(self) -> u8 {
        match self {
            Algorithm::Md5 => 0,
            Algorithm::Sha256 | Algorithm::Sha512T256 => 1,
        }
    }

    /// The digest in lower-case hexadecimal.
    fn hash(self, data: &[u8]) -> String {
        match self {
            Algorithm::Md5 => hex(&Md5::digest(data)),
            Algorithm::Sha256 => hex(digest(&SHA256, data).as_ref()),
            Algorithm::Sha512T256 => hex(digest(&SHA512_256, data).as_ref()),
        }
    }
}

impl Qop {
    fn name(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    fn parse(text: &str) -> Option<Qop> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| qop.name().eq_ignore_ascii_case(text))
    }
}

impl Secret {
    pub fn new(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Secret {
        Secret { algorithm, hash: algorithm.hash(format!("{user}:{realm}:{password}").as_bytes()) }
    }

    /// From H(A1) as it is kept, in hexadecimal.
    pub fn kept(algorithm: Algorithm, hash: &str) -> Secret {
        Secret { algorithm, hash: hash.to_ascii_lowercase() }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// In hexadecimal, to be kept where nobody else reads.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// That of a session which begins with these (RFC 7616 §3.4.2).
    fn of_session(&self, nonce: &str, cnonce: &str) -> Secret {
        let hash = self.algorithm.hash(format!("{}:{nonce}:{cnonce}", self.hash).as_bytes());
        Secret { algorithm: self.algorithm, hash }
    }

    /// The response (RFC 7616 §3.4.1; without a quality, RFC 2617 §3.2.2.1).
    fn response(&self, nonce: &str, counted: Option<&Counted>, request: Signed) -> String {
        let Signed { method, uri, body } = request;
        let hash = |text: String| self.algorithm.hash(text.as_bytes());
        let Some(Counted { qop, count, cnonce }) = counted else {
            return hash(format!("{}:{nonce}:{}", self.hash, hash(format!("{method}:{uri}"))));
        };
        let a2 = match qop {
            Qop::Auth => format!("{method}:{uri}"),
            Qop::AuthInt => format!("{method}:{uri}:{}", self.algorithm.hash(body)),
        };
        hash(format!("{}:{nonce}:{count:08x}:{cnonce}:{}:{}", self.hash, qop.name(), hash(a2)))
    }
}

/// No secret reaches a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Challenge {
    /// None for another scheme, an algorithm or a set of qualities that we do not know, and whatever is no challenge.
    pub fn parse(value: &[u8]) -> Option<Challenge> {
        let params = Params::parse(value)?;
        let offered = params.get("qop");
        let qops: Vec<Qop> = offered.iter().flat_map(|list| list.split(',')).filter_map(|qop| Qop::parse(qop.trim())).collect();
        let (algorithm, sess) = params.algorithm()?;
        // A session has a cnonce, which a peer of RFC 2069 does not know.
        if qops.is_empty() && (offered.is_some() || sess) {
            return None;
        }
        Some(Challenge {
            realm: params.get("realm")?.to_owned(),
            nonce: params.get("nonce")?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm,
            sess,
            stale: params.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            qops,
        })
    }

    /// The strongest that we can answer; of equals the first, which the server likes best (RFC 8760 §2.4).
    pub fn strongest(all: impl Iterator<Item = Challenge>) -> Option<Challenge> {
        // The last of equals would win.
        all.fold(None, |best: Option<Challenge>, next| match best {
            Some(best) if best.algorithm.strength() >= next.algorithm.strength() => Some(best),
            _ => Some(next),
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest ")?;
        quoted(f, "realm", &self.realm)?;
        f.write_str(", ")?;
        quoted(f, "nonce", &self.nonce)?;
        if let Some(opaque) = &self.opaque {
            f.write_str(", ")?;
            quoted(f, "opaque", opaque)?;
        }
        write!(f, ", algorithm={}{}", self.algorithm.name(), sess(self.sess))?;
        if self.stale {
            f.write_str(", stale=true")?;
        }
        if !self.qops.is_empty() {
            let names: Vec<&str> = self.qops.iter().map(|qop| qop.name()).collect();
            write!(f, ", qop=\"{}\"", names.join(","))?;
        }
        Ok(())
    }
}

impl Answer {
    /// None for another scheme, an algorithm or a quality that we do not know, and whatever is no answer.
    pub fn parse(value: &[u8]) -> Option<Answer> {
        let params = Params::parse(value)?;
        let counted = match (params.get("qop"), params.get("nc"), params.get("cnonce")) {
            (None, None, None) => None,
            (Some(qop), Some(count), Some(cnonce)) => {
                Some(Counted { qop: Qop::parse(qop)?, count: nonce_count(count)?, cnonce: cnonce.to_owned() })
            }
            _ => return None,
        };
        let (algorithm, sess) = params.algorithm()?;
        Some(Answer {
            user: params.get("username")?.to_owned(),
            realm: params.get("realm")?.to_owned(),
            nonce: params.get("nonce")?.to_owned(),
            uri: params.get("uri")?.to_owned(),
            response: params.get("response")?.to_ascii_lowercase(),
            algorithm,
            sess,
            opaque: params.get("opaque").map(str::to_owned),
            counted,
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest ")?;
        let all = [("username", &self.user), ("realm", &self.realm), ("nonce", &self.nonce), ("uri", &self.uri)];
        for (name, value) in all.into_iter().chain(self.opaque.iter().map(|opaque| ("opaque", opaque))) {
            quoted(f, name, value)?;
            f.write_str(", ")?;
        }
        write!(f, "response=\"{}\", algorithm={}{}", self.response, self.algorithm.name(), sess(self.sess))?;
        if let Some(Counted { qop, count, cnonce }) = &self.counted {
            write!(f, ", qop={}, nc={count:08x}, ", qop.name())?;
            quoted(f, "cnonce", cnonce)?;
        }
        Ok(())
    }
}

impl Client {
    pub fn new(challenge: Challenge) -> Client {
        Client { challenge, count: 0, session: None }
    }

    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The server wants this nonce from now on (RFC 7616 §3.5, nextnonce). A session goes on: it begins with a challenge.
    pub fn go_on_with(&mut self, nonce: String) {
        if self.challenge.nonce != nonce {
            (self.challenge.nonce, self.count) = (nonce, 0);
        }
    }

    #[cfg(test)]
    pub(super) fn skip_to(&mut self, count: u32) {
        self.count = count;
    }

    /// The answer that goes with this request; `cnonce` is new for each. None when the secret is of another algorithm.
    pub fn answer(&mut self, user: &str, secret: &Secret, request: Signed, cnonce: &str) -> Option<Answer> {
        let Challenge { realm, nonce, opaque, algorithm, sess, qops, .. } = &self.challenge;
        if secret.algorithm != *algorithm {
            return None;
        }
        self.count = self.count.checked_add(1)?;
        let (secret, cnonce) = match sess {
            true => {
                let (secret, cnonce) = self.session.get_or_insert_with(|| (secret.of_session(nonce, cnonce), cnonce.to_owned()));
                (&*secret, &**cnonce)
            }
            false => (secret, cnonce),
        };
        // The body is covered only where the server asks for no less.
        let qop = qops.iter().copied().find(|qop| *qop == Qop::Auth).or(qops.first().copied());
        let counted = qop.map(|qop| Counted { qop, count: self.count, cnonce: cnonce.to_owned() });
        Some(Answer {
            user: user.to_owned(),
            realm: realm.clone(),
            nonce: nonce.clone(),
            uri: request.uri.to_owned(),
            response: secret.response(nonce, counted.as_ref(), request),
            algorithm: *algorithm,
            sess: *sess,
            opaque: opaque.clone(),
            counted,
        })
    }
}

/// The nonce that Authentication-Info wants used from now on (RFC 7616 §3.5).
pub fn next_nonce(value: &[u8]) -> Option<String> {
    Params::of(value)?.get("nextnonce").map(str::to_owned)
}

/// The parameters of a value of the Digest scheme. Each may be there once (RFC 7616 §3.3, §3.4).
struct Params(Vec<(String, String)>);

impl Params {
    fn parse(value: &[u8]) -> Option<Params> {
        let value = value.trim_ascii();
        let (scheme, rest) = value.split_at_checked("Digest".len())?;
        if !scheme.eq_ignore_ascii_case(b"Digest") || !rest.first()?.is_ascii_whitespace() {
            return None;
        }
        Params::of(rest)
    }

    /// Without the name of a scheme before them.
    fn of(text: &[u8]) -> Option<Params> {
        let mut params = Params(Vec::new());
        for part in split(text, b',').filter(|part| !part.is_empty()) {
            let at = part.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (part[..at].trim_ascii(), part[at + 1..].trim_ascii());
            let name = lossy(name).to_ascii_lowercase();
            if !is_token(name.as_bytes()) || params.get(&name).is_some() || params.0.len() == MAX_PARAMS {
                return None;
            }
            params.0.push((name, content(value)?));
        }
        Some(params)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// MD5 where nothing is said (RFC 7616 §3.3). True with `-sess`.
    fn algorithm(&self) -> Option<(Algorithm, bool)> {
        let Some(name) = self.get("algorithm") else { return Some((Algorithm::Md5, false)) };
        let plain = name.split_at_checked(name.len().saturating_sub(SESS.len()));
        let plain = plain.filter(|(_, ending)| ending.eq_ignore_ascii_case(SESS)).map(|(plain, _)| plain);
        let known = |algorithm: &Algorithm| algorithm.name().eq_ignore_ascii_case(plain.unwrap_or(name));
        Algorithm::ALL.into_iter().find(known).map(|algorithm| (algorithm, plain.is_some()))
    }
}

/// The text of a token or a quoted string, whole.
fn content(value: &[u8]) -> Option<String> {
    match value {
        [b'"', ..] => {
            let end = quoted_end(value)?;
            (end == value.len() && end >= 2).then(|| unquote(&value[1..end - 1]))
        }
        // Some peers leave the quotes away around a URI.
        _ => (!value.is_empty() && !value.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'"')).then(|| lossy(value)),
    }
}

/// `nc` has eight hexadecimal digits (RFC 7616 §3.4) and counts from one.
fn nonce_count(text: &str) -> Option<u32> {
    let eight = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(text, 16).ok().filter(|count| eight && *count > 0)
}

fn sess(is: bool) -> &'static str {
    if is { SESS } else { "" }
}

fn quoted(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    write!(f, "{name}=")?;
    write_quoted(f, value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
