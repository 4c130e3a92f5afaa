//! Bearer tokens of the HTTP interface. Only their hashes are kept, salted anew by each process, so that the time of a look for
//! a guess tells nothing that the next guess could use.

use super::finding::KeyFault;
use super::schema::{Http, Token};
use crate::base::Text;
use crate::control::{Holder, Role};
use crate::io::process::files;
use data_encoding::HEXLOWER_PERMISSIVE;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// A token that a person could guess or a machine could try is refused.
const SHORTEST: usize = 16;
/// More than the seats of the largest city: each toolbar has one, and follows its seat.
pub const MOST: usize = 10_000;

type Hash = [u8; 32];

/// Those in force; a reload replaces them.
pub struct Tokens {
    salt: Hash,
    known: RwLock<Known>,
    /// Stands for whoever asks where nobody needs a token.
    anybody: Arc<Holder>,
}

#[derive(Default)]
struct Known {
    holders: BTreeMap<Hash, Arc<Holder>>,
    /// The hash of each name's token.
    names: BTreeMap<String, Hash>,
}

/// Somebody who was let in, for as long as its token stands.
#[derive(Clone)]
pub struct Admitted {
    pub holder: Arc<Holder>,
    tokens: Arc<Tokens>,
}

impl Tokens {
    pub fn of(http: &Http) -> Result<Tokens, Vec<KeyFault>> {
        let mut salt = [0; 32];
        if SystemRandom::new().fill(&mut salt).is_err() {
            return Err(vec![KeyFault::new(&["http", "tokens"], both!("no random numbers", "无法取得随机数"))]);
        }
        Ok(Tokens { salt, known: RwLock::new(Known::of(http, &salt)?), anybody: Arc::new(Holder::anybody()) })
    }

    /// Takes over others. Who holds the same token with the same roles as before goes on.
    pub fn set(&self, http: &Http) -> Result<(), Vec<KeyFault>> {
        let mut new = Known::of(http, &self.salt)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (hash, holder) in &mut new.holders {
            if let Some(same) = known.holders.get(hash).filter(|same| same == &holder) {
                *holder = same.clone();
            }
        }
        *known = new;
        Ok(())
    }

    /// Tells whether nobody needs one.
    pub fn none(&self) -> bool {
        self.read().holders.is_empty()
    }

    /// The holder of this token.
    pub fn holder(&self, token: &[u8]) -> Option<Arc<Holder>> {
        self.read().holders.get(&salted(&self.salt, &hash(token))).cloned()
    }

    /// The one who asks without a token, where nobody needs one.
    pub fn anybody(&self) -> Option<Arc<Holder>> {
        self.none().then(|| self.anybody.clone())
    }

    pub fn admitted(self: &Arc<Tokens>, holder: &Arc<Holder>) -> Admitted {
        Admitted { holder: holder.clone(), tokens: self.clone() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted {
    /// False once a reload took the token away, or changed what it allows.
    pub fn stands(&self) -> bool {
        let known = self.tokens.read();
        match known.names.get(&self.holder.name).and_then(|hash| known.holders.get(hash)) {
            Some(now) => Arc::ptr_eq(now, &self.holder),
            None => known.holders.is_empty() && Arc::ptr_eq(&self.tokens.anybody, &self.holder),
        }
    }
}

impl Known {
    fn of(http: &Http, salt: &Hash) -> Result<Known, Vec<KeyFault>> {
        let mut names: BTreeMap<Hash, &str> = BTreeMap::new();
        let (mut known, mut faults) = (Known::default(), Vec::new());
        for (name, token) in http.tokens.iter().filter(|(_, token)| token.enabled) {
            let fault = |key: &str, message: Text| KeyFault::new(&["http", "tokens", name, key], message);
            if token.roles.is_empty() {
                faults.push(fault(
                    "roles",
                    both!("names no role: its holder could do nothing", "没有任何角色，持有者什么也做不了"),
                ));
            }
            faults.extend(bound(token).into_iter().map(|(key, message)| fault(key, message)));
            match read(token) {
                Err((key, message)) => faults.push(fault(key, message)),
                Ok(hash) => {
                    if let Some(other) = names.insert(hash, name) {
                        faults.push(fault("roles", both!("is the same token as `{other}`", "与 `{other}` 是同一个令牌")));
                    }
                    let salted = salted(salt, &hash);
                    known.holders.insert(salted, Arc::new(holder(name, token)));
                    known.names.insert(name.clone(), salted);
                }
            }
        }
        if known.holders.len() > MOST {
            faults.push(KeyFault::new(&["http", "tokens"], both!("more than {MOST} tokens", "令牌超过 {MOST} 个")));
        }
        if http.tokens.values().all(|token| !token.enabled) && !http.listen.ip().is_loopback() {
            faults.push(KeyFault::new(&["http", "listen"], reachable(http.listen)));
        }
        if faults.is_empty() { Ok(known) } else { Err(faults) }
    }
}

fn holder(name: &str, token: &Token) -> Holder {
    let seat = Some(token.seat.as_str()).filter(|seat| !seat.is_empty()).map(Arc::from);
    Holder { name: name.to_owned(), roles: token.roles.clone(), seat, queues: token.queues.clone() }
}

/// A toolbar's token is one seat's, and only a supervisor's names queues.
fn bound(token: &Token) -> Option<(&'static str, Text)> {
    let has = |role: Role| token.roles.contains(&role);
    if has(Role::Seat) == token.seat.is_empty() {
        return Some(("seat", both!("goes together with the role `seat`", "须与角色 `seat` 同时设置")));
    }
    if !has(Role::Supervisor) && !token.queues.is_empty() {
        return Some(("queues", both!("is for the role `supervisor`", "仅用于角色 `supervisor`")));
    }
    None
}

fn reachable(listen: SocketAddr) -> Text {
    both!(
        "{listen} is reachable from outside: set a token in [http.tokens.NAME], or listen on 127.0.0.1",
        "{listen} 可从外部访问：请在 [http.tokens.名称] 中设置令牌，或只监听 127.0.0.1"
    )
}

/// A token's hash, or the key at fault and why.
fn read(token: &Token) -> Result<Hash, (&'static str, Text)> {
    let file = !token.file.as_os_str().is_empty();
    match (token.secret.is_empty(), file, token.sha256.is_empty()) {
        (false, false, true) => long_enough(&token.secret).map(hash).map_err(|what| ("secret", what)),
        (true, false, false) => {
            hex(&token.sha256).ok_or(("sha256", both!("is not 64 hexadecimal digits", "不是 64 位十六进制数字")))
        }
        (true, true, true) => {
            let name = token.file.display();
            let text = files::secret(&token.file).map_err(|why| ("file", both!("{name}: ", "{name}：").then(&why)))?;
            let first = text.lines().next().unwrap_or_default().trim();
            long_enough(first).map(hash).map_err(|what| ("file", both!("{name}: its first line {}", "{name}：首行{}"; what)))
        }
        _ => {
            Err(("roles", both!("set exactly one of `secret`, `file`, `sha256`", "`secret`、`file`、`sha256` 须且只能设置一个")))
        }
    }
}

fn long_enough(secret: &str) -> Result<&[u8], Text> {
    if secret.len() < SHORTEST {
        return Err(both!(
            "is shorter than {SHORTEST} characters: take one from `openssl rand -hex 24`",
            "短于 {SHORTEST} 个字符，请用 `openssl rand -hex 24` 生成"
        ));
    }
    // RFC 6750 §2.1.
    let good = secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    if good {
        Ok(secret.as_bytes())
    } else {
        Err(both!("holds other characters than letters, digits and -._~+/=", "含有字母、数字和 -._~+/= 以外的字符"))
    }
}

fn hash(token: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token).as_ref());
    hash
}

fn salted(salt: &Hash, hash: &Hash) -> Hash {
    let mut both = [0; 64];
    both[..32].copy_from_slice(salt);
    both[32..].copy_from_slice(hash);
    self::hash(&both)
}

fn hex(text: &str) -> Option<Hash> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const SECRET: &str = "0123456789abcdef";

    fn http(tokens: &[(&str, Token)]) -> Http {
        Http { tokens: tokens.iter().map(|(name, token)| (name.to_string(), token.clone())).collect(), ..Http::default() }
    }

    fn token(secret: &str) -> Token {
        Token { roles: vec![Role::Viewer], secret: secret.to_owned(), ..Token::default() }
    }

    #[track_caller]
    fn complains(http: &Http, path: &str, what: &str) {
        let faults = Tokens::of(http).err().unwrap();
        let found = faults.iter().any(|fault| fault.path.join(".") == path && fault.message.en.contains(what));
        assert!(found, "{faults:?}");
        assert!(!format!("{faults:?}").contains(SECRET));
    }

    #[test]
    fn each_way_of_saying_a_token_leads_to_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("token");
        std::fs::write(&file, "from-a-file-0123456789\nits second line\n").unwrap();
        let hashed = Token { sha256: "3465F6E6975BAA864CA957F0914ECDA9BF7EB601AC31AC20A5DC3D329279A843".to_owned(), ..token("") };
        let all = [("a", token(SECRET)), ("b", Token { file, ..token("") }), ("c", hashed)];
        let tokens = Tokens::of(&http(&all)).unwrap();
        let name = |given: &str| tokens.holder(given.as_bytes()).map(|holder| holder.name.clone());
        assert_eq!(name(SECRET).as_deref(), Some("a"));
        assert_eq!(name("from-a-file-0123456789").as_deref(), Some("b"));
        assert_eq!(name("0123456789abcdef0").as_deref(), None);
        assert_eq!(name("0123456789abcde").as_deref(), None);
        assert_eq!(name("").as_deref(), None);
        assert_eq!(name("fedcba9876543210").as_deref(), Some("c"));
    }

    #[test]
    fn tokens_that_could_be_guessed_or_mean_nothing_are_refused_without_being_shown() {
        complains(&http(&[("a", token("short"))]), "http.tokens.a.secret", "shorter than 16");
        complains(&http(&[("a", token("0123456789abcdef "))]), "http.tokens.a.secret", "other characters");
        complains(&http(&[("a", token(""))]), "http.tokens.a.roles", "exactly one of");
        let nowhere = Token { file: "/nowhere/token".into(), ..token("") };
        complains(&http(&[("a", nowhere)]), "http.tokens.a.file", "/nowhere/token: No such file");
        complains(&http(&[("a", Token { sha256: "12".to_owned(), ..token("") })]), "http.tokens.a.sha256", "64 hex");
        complains(&http(&[("a", Token { sha256: "1".repeat(64), ..token(SECRET) })]), "http.tokens.a.roles", "exactly one of");
        complains(&http(&[("a", Token { roles: Vec::new(), ..token(SECRET) })]), "http.tokens.a.roles", "no role");
        complains(&http(&[("a", token(SECRET)), ("b", token(SECRET))]), "http.tokens.b.roles", "same token as `a`");
    }

    #[test]
    fn a_toolbar_s_token_is_one_seat_s_and_a_supervisor_s_alone_names_queues() {
        let of = |roles: &[Role], seat: &str, queues: &[&str]| {
            let queues = queues.iter().map(|name| (*name).to_owned()).collect();
            http(&[("a", Token { roles: roles.to_vec(), seat: seat.to_owned(), queues, ..token(SECRET) })])
        };
        complains(&of(&[Role::Seat], "", &[]), "http.tokens.a.seat", "goes together with the role `seat`");
        complains(&of(&[Role::Viewer], "zhang", &[]), "http.tokens.a.seat", "goes together with the role `seat`");
        complains(&of(&[Role::Seat], "zhang", &["12345"]), "http.tokens.a.queues", "is for the role `supervisor`");
        let tokens = Tokens::of(&of(&[Role::Seat, Role::Supervisor], "zhang", &["12345"])).unwrap();
        let holder = tokens.holder(SECRET.as_bytes()).unwrap();
        assert!(holder.is_seat("zhang") && holder.queues == ["12345"]);
    }

    #[test]
    fn an_address_that_others_reach_needs_one() {
        let open = |listen: &str, tokens: &[(&str, Token)]| Http { listen: listen.parse().unwrap(), ..http(tokens) };
        for listen in ["0.0.0.0:1", "192.0.2.1:1", "[::]:1"] {
            complains(&open(listen, &[]), "http.listen", "is reachable from outside");
            complains(&open(listen, &[("a", Token { enabled: false, ..token(SECRET) })]), "http.listen", "is reachable");
            assert!(Tokens::of(&open(listen, &[("a", token(SECRET))])).is_ok());
        }
        for listen in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1"] {
            assert!(Tokens::of(&open(listen, &[])).unwrap().none());
        }
    }

    #[test]
    fn who_was_let_in_stays_while_the_token_stands_with_all_that_it_allows() {
        let viewer = || token("the-secret-of-a-viewer");
        let tokens = Arc::new(Tokens::of(&http(&[("a", token(SECRET)), ("b", viewer())])).unwrap());
        let admitted = || tokens.admitted(&tokens.holder(SECRET.as_bytes()).unwrap());
        let set = |all: &[(&str, Token)]| tokens.set(&http(all)).unwrap();
        let first = admitted();
        set(&[("a", token(SECRET)), ("c", viewer())]);
        assert!(first.stands() && first.clone().stands(), "a reload that leaves it alone ends nothing");
        for (case, changed) in [
            ("another secret", ("a", token("another-secret-of-length"))),
            ("another role", ("a", Token { roles: vec![Role::Feed], ..token(SECRET) })),
            ("another name", ("z", token(SECRET))),
            ("switched off", ("a", Token { enabled: false, ..token(SECRET) })),
        ] {
            set(&[("a", token(SECRET))]);
            let admitted = admitted();
            assert!(admitted.stands());
            set(&[changed, ("b", viewer())]);
            assert!(!admitted.stands(), "{case}");
        }
        set(&[]);
        let anybody = tokens.admitted(&tokens.anybody().unwrap());
        assert!(anybody.stands() && !first.stands());
        set(&[("a", token(SECRET))]);
        assert!(!anybody.stands() && tokens.anybody().is_none());
    }

    #[test]
    fn there_may_be_one_for_each_seat_of_a_city() {
        let all = |n: usize| -> Http {
            let tokens = (0..n).map(|n| (n.to_string(), token(&format!("the-secret-of-seat-{n}"))));
            Http { tokens: tokens.collect(), ..Http::default() }
        };
        let tokens = Tokens::of(&all(MOST)).unwrap();
        assert_eq!(tokens.holder(b"the-secret-of-seat-777").unwrap().name, "777");
        complains(&all(MOST + 1), "http.tokens", "more than 10000 tokens");
    }

    #[test]
    fn a_revoked_token_is_nobody_s() {
        let tokens = Tokens::of(&http(&[("a", token(SECRET))])).unwrap();
        assert!(tokens.set(&http(&[("b", token("another-secret-of-length"))])).is_ok());
        assert!(tokens.holder(SECRET.as_bytes()).is_none());
        assert!(tokens.set(&http(&[("b", token("x"))])).is_err(), "what is wrong changes nothing");
        assert!(tokens.holder(b"another-secret-of-length").is_some());
    }
}
