//! SIP over TCP and TLS: one connection per (local, remote), opened when a send finds none, framed here. Reading stops while
//! the switch has no room, so that TCP itself slows the peer down. A peer that says nothing more, or nothing that can be
//! read, still gets the answers to what it asked before. A message within a dialog whose connection has died leaves by another
//! one that the same peer has opened.

mod outgoing;
mod places;
#[cfg(test)]
mod tests;

use super::trunk_tls::{self, Trunks};
use crate::base::{Flow, Proto};
use crate::io::inbox::{Arrival, Inbox};
use crate::io::process::descriptors::{self, Purpose};
use crate::io::process::threads;
use crate::switch::Input;
use crate::transport::{Frame, Framer};
use bytes::Bytes;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use outgoing::{Departed, Life};
use places::Places;
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

/// The name of what serves a connection.
const CONNECTION: &str = "tcp-connection";
/// Until an outgoing connection must stand.
const CONNECT: Duration = Duration::from_secs(5);
/// A peer that takes nothing for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// A connection on which nothing begins for so long is closed, once there was a message.
const IDLE: Duration = Duration::from_secs(3600);
/// How long a peer that says nothing more is owed its answers (64·T1; later ones get a connection of their own), and how
/// often it is looked whether it has them.
const OWED: Duration = Duration::from_secs(32);
const LOOK: Duration = Duration::from_millis(10);
/// How long what a peer still sends is thrown away, so that it takes the last answer before it sees the end.
const FAREWELL: Duration = Duration::from_secs(1);
/// How soon a full inbox is tried again.
const RETRY: Duration = Duration::from_millis(5);
/// Messages that wait to leave by one connection; their bytes have a bound of their own.
const MAX_WAITING: usize = 1024;
/// TLS handshakes at once, each of which costs the processor some milliseconds, and how long one may take with its wait.
const HANDSHAKES: usize = 32;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A peer that connected is asked whether it is there when it has said nothing for so long, and this often again; one that
/// acknowledges nothing for the last of these is gone (RFC 5482). So a phone whose network is cut has no flow 32 s later.
const QUIET: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(5);
const DEAD: Duration = Duration::from_secs(20);
const READ_BUFFER: usize = 16 << 10;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections: usize,
    /// One address may have so many of these (an IPv6 host owns its /64).
    pub per_source: usize,
    /// How long a message may take, from its first byte on; and the first one, from the connection's beginning.
    pub message: Duration,
    /// Bytes that wait to leave by one connection.
    pub backlog: usize,
    /// Messages of one connection that wait for the switch.
    pub unserved: usize,
    /// How often a peer that we have connected to is asked whether it is there, and how long it has to answer.
    pub keep_alive: Duration,
    pub pong: Duration,
}

/// Tells how an address may connect; none: not at all.
pub type Admit = Arc<dyn Fn(IpAddr) -> Option<Guest> + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// A trunk or a seat.
    Known,
    Stranger,
}

/// All connections. The switch thread sends by it, tasks of the runtime read and write.
#[derive(Clone)]
pub struct Tcp(Arc<Shared>);

struct Shared {
    connections: DashMap<(SocketAddr, SocketAddr), Connection>,
    places: Arc<Places>,
    next: AtomicU64,
    inbox: Inbox,
    runtime: Handle,
    limits: Limits,
    handshakes: Semaphore,
    trunks: Arc<Trunks>,
    departed: Departed,
}

/// An address that peers connect to.
#[derive(Clone)]
struct Door {
    local: SocketAddr,
    admit: Admit,
    tls: Option<TlsAcceptor>,
}

#[derive(Clone)]
struct Connection {
    /// Tells it from an earlier one between the same addresses.
    number: u64,
    queue: mpsc::Sender<Bytes>,
    backlog: Arc<AtomicUsize>,
    /// The peer will say nothing more by it.
    ended: Arc<AtomicBool>,
    /// We have opened it.
    ours: bool,
}

/// The ends of a connection that its tasks work from.
struct Ends {
    flow: Flow,
    number: u64,
    queue: mpsc::Receiver<Bytes>,
    backlog: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    /// Requests of the peer's that have no final response yet.
    owed: AtomicIsize,
    ours: bool,
}

impl Tcp {
    pub fn new(inbox: Inbox, runtime: Handle, limits: Limits, trunks: Arc<Trunks>) -> Tcp {
        Tcp(Arc::new(Shared {
            connections: DashMap::new(),
            places: Arc::default(),
            next: AtomicU64::new(0),
            inbox,
            runtime,
            limits,
            handshakes: Semaphore::new(HANDSHAKES),
            trunks,
            departed: Departed::default(),
        }))
    }

    /// Accepts on `listener` as long as the runtime lives. `local`: its address.
    pub fn listen(&self, listener: TcpListener, local: SocketAddr, admit: Admit) {
        self.open(listener, Door { local, admit, tls: None });
    }

    /// The same, where peers speak TLS.
    pub fn listen_by_tls(&self, listener: TcpListener, local: SocketAddr, admit: Admit, tls: ServerConfig) {
        self.open(listener, Door { local, admit, tls: Some(Arc::new(tls).into()) });
    }

    fn open(&self, listener: TcpListener, door: Door) {
        let (tcp, listener) = (self.clone(), Arc::new(listener));
        threads::keep(&self.0.runtime, "tcp", move || tcp.clone().accept(listener.clone(), door.clone()));
    }

    async fn accept(self, listener: Arc<TcpListener>, door: Door) {
        let local = door.local;
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    if let Some(guest) = (door.admit)(remote.ip()) {
                        self.accepted(stream, &door, remote, guest);
                    }
                }
                // Out of descriptors, most likely: the ones in use must end first.
                Err(error) => {
                    if !descriptors::missed(Purpose::Sip, &error) {
                        tracing::warn!(%local, %error, "cannot accept a connection");
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Sends by the connection of `flow`, or a new one. Never waits. False: the flow has failed.
    pub fn send(&self, flow: Flow, data: Bytes) -> bool {
        // No response would come to a request by one that the peer has ended.
        let takes = |connection: &Connection| is_response(&data) || !connection.ended.load(Ordering::Relaxed);
        if let Some(connection) = self.0.connections.get(&key(flow)).filter(|connection| takes(connection)) {
            return self.0.enqueue(&connection, data);
        }
        match self.0.other_way(flow, &data) {
            Some(other) => self.0.enqueue(&other, data),
            None => self.by_new(flow, data),
        }
    }

    pub fn connections(&self) -> usize {
        self.0.connections.len()
    }

    fn accepted(&self, stream: TcpStream, door: &Door, remote: SocketAddr, guest: Guest) {
        let proto = if door.tls.is_some() { Proto::Tls } else { Proto::Tcp };
        let flow = Flow { proto, local: door.local, remote };
        let Some(place) = self.0.places.take(remote.ip(), guest, self.0.limits) else {
            tracing::info!(%flow, "a connection more than its share");
            return;
        };
        let Some((connection, ends)) = self.0.register(flow, false) else { return };
        watch(&stream, DEAD);
        let (shared, tls) = (self.0.clone(), door.tls.clone());
        threads::task(&self.0.runtime, CONNECTION, async move {
            let served = async {
                match tls {
                    None => shared.plain(stream, ends).await,
                    Some(tls) => shared.by_tls(stream, &tls, ends).await,
                }
            };
            threads::survived(CONNECTION, served).await;
            drop(place);
            shared.departs(flow);
            shared.closed(flow, connection.number).await;
        });
    }
}

impl Shared {
    /// A place in the table; none when it is full.
    fn register(&self, flow: Flow, ours: bool) -> Option<(Connection, Ends)> {
        if self.connections.len() >= self.limits.connections {
            tracing::warn!(%flow, "too many connections");
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, queue) = mpsc::channel(MAX_WAITING);
        let backlog = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let connection = Connection { number, queue: sender, backlog: backlog.clone(), ended: ended.clone(), ours };
        self.connections.insert(key(flow), connection.clone());
        Some((connection, Ends { flow, number, queue, backlog, ended, owed: AtomicIsize::new(0), ours }))
    }

    fn enqueue(&self, connection: &Connection, data: Bytes) -> bool {
        let length = data.len();
        if connection.backlog.fetch_add(length, Ordering::Relaxed) + length > self.limits.backlog {
            connection.backlog.fetch_sub(length, Ordering::Relaxed);
            return false;
        }
        connection.queue.try_send(data).is_ok()
    }

    async fn plain(&self, stream: TcpStream, ends: Ends) {
        // Requests are small and wait for answers.
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        self.serve(reader, writer, ends).await;
    }

    async fn by_tls(&self, stream: TcpStream, tls: &TlsAcceptor, ends: Ends) {
        let _ = stream.set_nodelay(true);
        let handshake = async {
            let _turn = self.handshakes.acquire().await;
            tls.accept(stream).await
        };
        match timeout(HANDSHAKE, handshake).await {
            Ok(Ok(stream)) => {
                let (reader, writer) = tokio::io::split(stream);
                self.serve(reader, writer, ends).await;
            }
            Ok(Err(error)) => {
                let reason = trunk_tls::count(&error).unwrap_or("closed");
                tracing::info!(flow = %ends.flow, reason, %error, "no TLS with a peer");
            }
            Err(_) => tracing::info!(flow = %ends.flow, "no TLS with a peer in time"),
        }
    }

    /// Reads and writes until either side ends; what a peer that ended has asked before is answered.
    async fn serve(&self, mut reader: impl AsyncRead + Unpin, writer: impl AsyncWrite + Unpin, ends: Ends) {
        let Ends { flow, number, queue, backlog, ended, owed, ours } = ends;
        let life = Life::default();
        let mut writing = Box::pin(write(writer, queue, &backlog, &owed));
        let end = tokio::select! {
            end = self.read(&mut reader, (flow, number), &owed, &life) => end,
            end = &mut writing => return lost(flow, end),
            end = self.keep_alive(flow, number, &life), if ours && !self.limits.keep_alive.is_zero() => return lost(flow, end),
        };
        ended.store(true, Ordering::Relaxed);
        if !ours {
            self.departs(flow);
        }
        if owed.load(Ordering::Relaxed) > 0 {
            self.say(Input::PeerEnded { flow }).await;
            let paid = async {
                while owed.load(Ordering::Relaxed) > 0 || backlog.load(Ordering::Relaxed) > 0 {
                    sleep(LOOK).await;
                }
            };
            tokio::select! {
                _ = timeout(OWED, paid) => {}
                end = &mut writing => return lost(flow, end),
            }
        }
        // Ends our half of it.
        drop(writing);
        if end.is_err() {
            let _ = timeout(FAREWELL, tokio::io::copy(&mut reader, &mut tokio::io::sink())).await;
        }
        lost(flow, end);
    }

    async fn read(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        (flow, number): (Flow, u64),
        owed: &AtomicIsize,
        life: &Life,
    ) -> io::Result<()> {
        let mut framer = Framer::default();
        let mut buffer = vec![0; READ_BUFFER];
        let (mut spoke, mut until) = (false, Instant::now() + self.limits.message);
        let places = Arc::new(Semaphore::new(self.limits.unserved));
        loop {
            let count = timeout_at(until, reader.read(&mut buffer)).await??;
            if count == 0 {
                return Ok(());
            }
            life.heard.fetch_add(1, Ordering::Relaxed);
            let begun = framer.holds_part();
            framer.push(&buffer[..count]);
            let mut whole = false;
            while let Some(frame) = framer.next().map_err(|lost| io::Error::other(lost.0))? {
                whole = true;
                match frame {
                    Frame::Message(data) => {
                        spoke = true;
                        owed.fetch_add(isize::from(wants_answer(&data)), Ordering::Relaxed);
                        self.tell(&places, Input::Sip { flow, data }).await;
                    }
                    Frame::Ping => self.pong(flow, number),
                }
            }
            if life.asked.load(Ordering::Relaxed) && framer.take_pong() {
                life.answered.store(true, Ordering::Relaxed);
            }
            // A byte now and then keeps no connection.
            match framer.holds_part() {
                false if spoke => until = Instant::now() + IDLE,
                true if spoke && (whole || !begun) => until = Instant::now() + self.limits.message,
                _ => {}
            }
        }
    }

    /// RFC 5626 §3.5.1. Dropped when the peer does not read: it is not waiting for it, then.
    fn pong(&self, flow: Flow, number: u64) {
        if let Some(connection) = self.connections.get(&key(flow)).filter(|connection| connection.number == number) {
            self.enqueue(&connection, Bytes::from_static(b"\r\n"));
        }
    }

    /// Waits while the switch has no room for traffic from outside, or much of this connection's to serve.
    async fn tell(&self, places: &Arc<Semaphore>, input: Input) {
        let mut arrival = Arrival { input, place: places.clone().acquire_owned().await.ok() };
        while let Err(refused) = self.inbox.offer(arrival) {
            arrival = refused;
            sleep(RETRY).await;
        }
    }

    /// Takes the connection off the table, unless a later one took its place, and tells the switch.
    async fn closed(&self, flow: Flow, number: u64) {
        match self.connections.entry(key(flow)) {
            Entry::Occupied(entry) if entry.get().number == number => drop(entry.remove()),
            _ => return,
        }
        self.say(Input::FlowFailed { flow }).await;
    }

    async fn say(&self, mut input: Input) {
        while let Err(refused) = self.inbox.try_send(input) {
            input = refused;
            sleep(RETRY).await;
        }
    }
}

fn lost(flow: Flow, end: io::Result<()>) {
    if let Err(error) = end {
        // The last word on a certificate of ours comes after the handshake (RFC 8446 §4.4.2.4).
        let reason = trunk_tls::count(&error);
        tracing::info!(%flow, reason, %error, "connection lost");
    }
}

fn is_response(data: &[u8]) -> bool {
    data.starts_with(b"SIP/2.0 ")
}

fn wants_answer(data: &[u8]) -> bool {
    !is_response(data) && !data.starts_with(b"ACK ")
}

fn key(flow: Flow) -> (SocketAddr, SocketAddr) {
    (flow.local, flow.remote)
}

/// Looks after a connection on which nothing comes.
fn watch(stream: &TcpStream, dead: Duration) {
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(QUIET).with_interval(AGAIN));
    let _ = socket.set_tcp_user_timeout(Some(dead));
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Bytes>,
    backlog: &AtomicUsize,
    owed: &AtomicIsize,
) -> io::Result<()> {
    while let Some(data) = queue.recv().await {
        timeout(WRITE, async {
            writer.write_all(&data).await?;
            // TLS keeps what is not flushed.
            writer.flush().await
        })
        .await??;
        let answered = is_response(&data) && data.get(8) != Some(&b'1');
        owed.fetch_sub(isize::from(answered), Ordering::Relaxed);
        backlog.fetch_sub(data.len(), Ordering::Relaxed);
    }
    Ok(())
}
