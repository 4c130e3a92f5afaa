//! Servers of the DNS, asked over the network: several questions at once, each with its own time, and each server in its turn; by TCP
//! what no datagram holds. What they have told is kept here, apart for each line: a carrier's own may know other names.

use super::cache::{Cache, Kept, RECHECK};
use super::lookup::{self, Found, Step};
use super::wire::{self, NoAnswer};
use super::{Answer, Kind, Question, Told};
use crate::base::{Hop, Mono, Rng, Target};
use crate::io::clock;
use crate::io::process::threads;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

pub const PORT: u16 = 53;
const TASK: &str = "dns-question";
/// How long a question is listened for, a little less than a call waits (`sip.resolve_timeout`): a server may have to ask others.
const QUESTION: Duration = Duration::from_millis(2700);
/// Within this it is asked so often at least: a datagram may be lost, a server silent.
const TURNS: Duration = Duration::from_millis(1400);
const TRIES: usize = 3;
/// How long a lookup waits for what it goes on without. A later answer serves the next one.
const ASIDE: Duration = Duration::from_millis(900);
/// An answer that no datagram holds has a time of its own.
const BY_TCP: Duration = Duration::from_millis(1400);
/// How long a server that was silent is asked last.
const REST: Duration = Duration::from_secs(30);
/// Messages that are read for one answer; others send more of them than the servers.
const MOST_MESSAGES: usize = 64;
/// Questions that are under way: of one lookup, and of all.
const AT_ONCE: usize = 16;
const MOST_ASKED: usize = 64;
/// Servers of the machine that are asked.
const MOST_SERVERS: usize = 4;

/// Servers that are asked together, and all that they have told.
pub struct View {
    servers: RwLock<Vec<SocketAddr>>,
    heard: Mutex<BTreeMap<SocketAddr, Heard>>,
    cache: Mutex<Cache>,
    /// The questions that are under way, and whoever waits for one to end.
    asked: Mutex<BTreeSet<Question>>,
    ended: watch::Sender<()>,
    rng: Mutex<Rng>,
    /// None of them answers.
    down: AtomicBool,
    counts: Counts,
    pub(super) recheck: Duration,
}

/// The signs of one server.
#[derive(Clone, Copy, Default)]
struct Heard {
    /// When anything came from it last, and when the last answer.
    spoke: Option<Mono>,
    answered: Option<Mono>,
    /// Until then it is asked last.
    silent: Mono,
}

/// Counts since the start.
#[derive(Default)]
pub struct Counts {
    /// Questions that no server has answered.
    pub failed: AtomicU64,
    /// Lookups that were served by what had outlived its time, while no server answered.
    pub stale: AtomicU64,
}

/// How a lookup takes what is not fresh.
#[derive(Clone, Copy)]
enum Reading<'a> {
    /// No call waits for what was known lately: it serves, and what nobody has answered is left out.
    Serve,
    /// A call waits, since no hop is known: whatever may give one is asked, but what this lookup has asked in vain.
    Ask(&'a BTreeSet<Question>),
    /// No call waits: nor is asked what nobody has answered lately.
    Behind(&'a BTreeSet<Question>),
}

/// One server, asked by a socket of its own: so nobody guesses the port who does not see the question (RFC 5452 §9.2).
struct Open {
    server: SocketAddr,
    socket: UdpSocket,
    id: u16,
    edns: bool,
}

impl View {
    pub fn new(servers: Vec<SocketAddr>, rng: Rng) -> View {
        View {
            servers: RwLock::new(servers),
            heard: Mutex::default(),
            cache: Mutex::default(),
            asked: Mutex::default(),
            ended: watch::Sender::default(),
            rng: Mutex::new(rng),
            down: AtomicBool::new(false),
            counts: Counts::default(),
            recheck: RECHECK,
        }
    }

    pub fn has(&self, servers: &[SocketAddr]) -> bool {
        *self.servers.read().unwrap_or_else(PoisonError::into_inner) == servers
    }

    pub fn set(&self, servers: Vec<SocketAddr>) {
        *self.servers.write().unwrap_or_else(PoisonError::into_inner) = servers;
    }

    pub fn is_empty(&self) -> bool {
        self.has(&[])
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// The hops by what is kept alone, and whether the servers should be asked behind; none where a call must wait for them.
    pub fn known(&self, now: Mono, target: &Target) -> Option<(Vec<Hop>, bool)> {
        let (step, old) = self.step(now, target, Reading::Serve);
        let Step::Hops { hops, stale } = step else { return None };
        if hops.is_empty() {
            return None;
        }
        self.counts.stale.fetch_add(u64::from(stale), Ordering::Relaxed);
        Some((hops, old && matches!(self.step(now, target, Reading::Behind(&BTreeSet::new())).0, Step::Ask(_))))
    }

    /// Asks until the hops are known. Each question ends by itself, and what nobody answers is left out. `waits`: a call does.
    pub async fn hops(self: &Arc<View>, target: &Target, waits: bool) -> Vec<Hop> {
        let (mut tried, mut ended) = (BTreeSet::new(), self.ended.subscribe());
        loop {
            ended.mark_unchanged();
            let reading = if waits { Reading::Ask(&tried) } else { Reading::Behind(&tried) };
            let questions = match self.step(clock::mono(), target, reading).0 {
                Step::Hops { hops, .. } => return hops,
                Step::Ask(questions) => questions,
            };
            questions.into_iter().take(AT_ONCE).for_each(|question| self.begin(question, &mut tried));
            let _ = ended.changed().await;
        }
    }

    /// The step, and whether it has read anything that is not fresh and may be asked anew.
    fn step(&self, now: Mono, target: &Target, reading: Reading<'_>) -> (Step, bool) {
        let (cache, old) = (self.cache(), Cell::new(false));
        let in_vain = |question: &Question| match reading {
            Reading::Serve => false,
            Reading::Ask(tried) | Reading::Behind(tried) => tried.contains(question) && !self.asked().contains(question),
        };
        let find = |question: &Question| {
            let kept = cache.find(now, question);
            let rests = matches!(&kept, Kept::Stale { rests: true, .. } | Kept::Failed { rests: true });
            old.set(old.get() || !rests && matches!(&kept, Kept::Stale { .. } | Kept::Failed { .. }));
            let (serves, calls) = (matches!(reading, Reading::Serve), matches!(reading, Reading::Ask(_)));
            match kept {
                // A call that waits for an address doubts that there is none.
                Kept::Fresh(Answer::Nothing) if calls && question.kind == Kind::A && !in_vain(question) => Found::Unknown,
                Kept::Fresh(answer) => Found::Known { answer, stale: false },
                Kept::Stale { answer, old, .. } if rests || serves && !old || in_vain(question) => {
                    Found::Known { answer, stale: rests }
                }
                Kept::Failed { .. } if serves || rests && (!calls || question.kind.is_aside()) => Found::Failed,
                _ if in_vain(question) => Found::Failed,
                _ => Found::Unknown,
            }
        };
        let step = lookup::step(target, &find, &mut self.rng.lock().unwrap_or_else(PoisonError::into_inner));
        (step, old.get())
    }

    /// Asks a question that is not under way, unless too many are: then others must end first.
    fn begin(self: &Arc<View>, question: Question, tried: &mut BTreeSet<Question>) {
        let mut asked = self.asked();
        if !asked.contains(&question) {
            if asked.len() >= MOST_ASKED {
                return;
            }
            asked.insert(question.clone());
            let (view, question) = (self.clone(), question.clone());
            threads::task(&Handle::current(), TASK, async move {
                let (begun, mut to, mut late) = (clock::mono(), BTreeSet::new(), false);
                let told = threads::survived(TASK, view.ask(&question, begun, &mut to, &mut late)).await.flatten();
                match told {
                    Some(told) if late => view.cache().put(clock::mono(), question, told),
                    told if !late => view.end(question, (begun, &to), told),
                    _ => {}
                }
            });
        }
        tried.insert(question);
    }

    /// A question is over. One that could not be asked has told nothing.
    fn end(&self, question: Question, (begun, to): (Mono, &BTreeSet<SocketAddr>), told: Option<Told>) {
        let now = clock::mono();
        let answers = |server: &SocketAddr| self.heard(*server).answered.is_some_and(|at| at >= begun);
        let (answered, some) = (told.is_some(), to.iter().any(answers));
        match told {
            Some(told) => self.cache().put(now, question.clone(), told),
            None if to.is_empty() => {}
            None => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                // A server that is silent about one kind says so by answering others. An address is what every server knows.
                let passed_over = question.kind.is_aside() && some;
                self.cache().fail(now, question.clone(), passed_over, self.recheck);
            }
        }
        if answered || !to.is_empty() && !some && !question.kind.is_aside() {
            match (self.down.swap(!answered, Ordering::Relaxed), answered) {
                (false, false) => {
                    tracing::error!(name = %question.name, "no DNS server answers: names are called at their last addresses, where they have any");
                }
                (true, true) => tracing::info!("the DNS answers again"),
                _ => {}
            }
        }
        let mut asked = self.asked();
        asked.remove(&question);
        self.ended.send_replace(());
    }

    /// The first answer of whichever server; each has its turn, and those that were asked before are listened to. `to`: those that
    /// were asked. `late`: nobody waits for it any more.
    async fn ask(&self, question: &Question, begun: Mono, to: &mut BTreeSet<SocketAddr>, late: &mut bool) -> Option<Told> {
        let servers = self.in_order();
        let tries = servers.len().max(TRIES);
        let turns: Vec<SocketAddr> = servers.into_iter().cycle().take(tries).collect();
        let start = Instant::now();
        let (share, until) = (start + ASIDE, start + QUESTION);
        let mut waited_for = question.kind.is_aside();
        let parts = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let turn = |number| start + TURNS / parts(tries) * parts(number);
        let (mut open, mut next, mut buffer): (Vec<Open>, _, Vec<u8>) = (Vec::new(), 0, vec![0; usize::from(u16::MAX)]);
        for _ in 0..MOST_MESSAGES {
            while let Some(server) = turns.get(next).filter(|_| open.is_empty() || Instant::now() >= turn(next)) {
                next += 1;
                // There are hosts between that let no EDNS through: the last try is without.
                if let Ok(asked) = self.open(*server, question, next < tries).await {
                    to.insert(*server);
                    open.push(asked);
                }
            }
            if waited_for && Instant::now() >= share {
                (waited_for, *late) = (false, true);
                self.end(question.clone(), (begun, &*to), None);
            }
            let wake = [(next < turns.len()).then(|| turn(next)), waited_for.then_some(share)]
                .into_iter()
                .flatten()
                .fold(until, Instant::min);
            if open.is_empty() || Instant::now() >= until {
                break;
            }
            // A turn of the next one.
            let Ok((at, length)) = timeout_at(wake, heard(&open, &mut buffer)).await else { continue };
            let from = &mut open[at];
            match length.map(|length| wire::answer(from.id, question, &buffer[..length])) {
                Ok(Err(NoAnswer::Other)) => {}
                Ok(answer) => {
                    let server = from.server;
                    self.speaks(server, answer.is_ok() || answer == Err(NoAnswer::Truncated));
                    match answer {
                        Ok(told) => return self.found(told, to, begun),
                        Err(NoAnswer::Format) if from.edns => {
                            from.edns = false;
                            let plain = wire::question(from.id, question, false).unwrap_or_default();
                            let _ = from.socket.send(&plain).await;
                        }
                        Err(NoAnswer::Truncated) => match timeout(BY_TCP, self.by_tcp(server, question)).await {
                            Ok(Ok(Some(told))) => return self.found(told, to, begun),
                            _ => drop(open.remove(at)),
                        },
                        Err(_) => drop(open.remove(at)),
                    }
                }
                // A port without a server.
                Err(_) => drop(open.remove(at)),
            }
        }
        self.silent(to, begun);
        None
    }

    fn found(&self, told: Told, to: &BTreeSet<SocketAddr>, begun: Mono) -> Option<Told> {
        self.silent(to, begun);
        Some(told)
    }

    /// A connected socket: nobody else's datagrams come in, and a port without a server is told.
    async fn open(&self, server: SocketAddr, question: &Question, edns: bool) -> io::Result<Open> {
        let id = self.id();
        let bytes = wire::question(id, question, edns).ok_or(io::ErrorKind::InvalidInput)?;
        let socket = UdpSocket::bind(any(server)).await?;
        socket.connect(server).await?;
        // It may be told only now that nobody is there.
        let _ = socket.send(&bytes).await;
        Ok(Open { server, socket, id, edns })
    }

    /// RFC 7766 §8: each message has its length before it.
    async fn by_tcp(&self, server: SocketAddr, question: &Question) -> io::Result<Option<Told>> {
        let id = self.id();
        let Some(bytes) = wire::question(id, question, false) else { return Ok(None) };
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat()).await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; length.into()];
        stream.read_exact(&mut answer).await?;
        Ok(wire::answer(id, question, &answer).ok())
    }

    fn heard(&self, server: SocketAddr) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(&server).copied().unwrap_or_default()
    }

    fn speaks(&self, server: SocketAddr, answers: bool) {
        let now = clock::mono();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let of = heard.entry(server).or_default();
        (of.spoke, of.silent) = (Some(now), Mono::default());
        of.answered = Some(now).filter(|_| answers).or(of.answered);
    }

    /// Those that have said nothing since then come last for a while.
    fn silent(&self, to: &BTreeSet<SocketAddr>, begun: Mono) {
        let until = clock::mono().after(REST);
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        for server in to {
            let of = heard.entry(*server).or_default();
            if of.spoke.is_none_or(|at| at < begun) {
                of.silent = until;
            }
        }
    }

    fn in_order(&self) -> Vec<SocketAddr> {
        let (now, mut heard) = (clock::mono(), self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        let mut servers = self.servers.read().unwrap_or_else(PoisonError::into_inner).clone();
        heard.retain(|server, _| servers.contains(server));
        servers.sort_by_key(|server| heard.get(server).is_some_and(|of| now < of.silent));
        servers
    }

    /// Nobody guesses it who does not see the question (RFC 5452 §4.3).
    fn id(&self) -> u16 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).u32() as u16
    }

    fn asked(&self) -> MutexGuard<'_, BTreeSet<Question>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first datagram that comes, or error, and the one by whose socket.
async fn heard(open: &[Open], buffer: &mut [u8]) -> (usize, io::Result<usize>) {
    poll_fn(|cx| {
        for (at, one) in open.iter().enumerate() {
            let mut read = ReadBuf::new(buffer);
            if let Poll::Ready(end) = one.socket.poll_recv(cx, &mut read) {
                return Poll::Ready((at, end.map(|()| read.filled().len())));
            }
        }
        Poll::Pending
    })
    .await
}

fn any(server: SocketAddr) -> SocketAddr {
    let any = if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    SocketAddr::new(any, 0)
}

/// The servers that a resolver's file names (resolv.conf).
pub fn servers_in(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    };
    text.lines().filter_map(server).map(|ip| SocketAddr::new(ip, PORT)).take(MOST_SERVERS).collect()
}

/// Tells whether the hosts file (hosts(5)) has a name.
pub fn names(hosts: &str, name: &str) -> bool {
    let line = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_whitespace().skip(1).any(|known| known.eq_ignore_ascii_case(name))
    };
    hosts.lines().any(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_read() {
        let servers = servers_in(
            "# x\nnameserver 192.0.2.53\nnameserver  2001:db8::53 \noptions ndots:1\nnameserver fe80::1%eth0\nnameserver 192.0.2.54 # y\n",
        );
        let known = ["192.0.2.53:53", "[2001:db8::53]:53", "192.0.2.54:53"].map(|text| text.parse().unwrap());
        assert_eq!(servers, known);
        let hosts = "127.0.0.1 localhost\n192.0.2.7\tSBC.example.cn sbc # other\n";
        assert!(names(hosts, "sbc.example.cn") && names(hosts, "localhost"));
        assert!(!names(hosts, "other") && !names(hosts, "192.0.2.7"));
    }
}
