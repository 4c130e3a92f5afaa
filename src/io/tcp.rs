//! SIP over TCP: one connection per (local, remote), opened when a send finds none, framed here. Reading stops while
//! the switch has no room, so that TCP itself slows the peer down.

use crate::base::{Flow, Proto};
use crate::io::inbox::Inbox;
use crate::switch::Input;
use crate::transport::{Frame, Framer};
use bytes::Bytes;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Until an outgoing connection must stand.
const CONNECT: Duration = Duration::from_secs(5);
/// A peer that takes nothing for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// A connection on which nothing whole arrives for so long is closed: the first message, and any later one.
const FIRST: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(3600);
/// How soon a full inbox is tried again.
const RETRY: Duration = Duration::from_millis(5);
/// Messages that wait to leave by one connection; their bytes have a bound of their own.
const MAX_WAITING: usize = 1024;
const READ_BUFFER: usize = 16 << 10;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections: usize,
    /// Bytes that wait to leave by one connection.
    pub backlog: usize,
}

/// Who may connect at all.
pub type Admit = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// All connections. The switch thread sends by it, tasks of the runtime read and write.
#[derive(Clone)]
pub struct Tcp(Arc<Shared>);

struct Shared {
    connections: DashMap<(SocketAddr, SocketAddr), Connection>,
    next: AtomicU64,
    inbox: Inbox,
    runtime: Handle,
    limits: Limits,
}

#[derive(Clone)]
struct Connection {
    /// Tells it from an earlier one between the same addresses.
    number: u64,
    queue: mpsc::Sender<Bytes>,
    backlog: Arc<AtomicUsize>,
}

/// What a connection's tasks work from.
struct Ends {
    flow: Flow,
    number: u64,
    queue: mpsc::Receiver<Bytes>,
    backlog: Arc<AtomicUsize>,
}

impl Tcp {
    pub fn new(inbox: Inbox, runtime: Handle, limits: Limits) -> Tcp {
        Tcp(Arc::new(Shared { connections: DashMap::new(), next: AtomicU64::new(0), inbox, runtime, limits }))
    }

    /// Accepts on `listener` as long as the runtime lives. `local`: its address.
    pub fn listen(&self, listener: TcpListener, local: SocketAddr, admit: Admit) {
        let tcp = self.clone();
        self.0.runtime.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, remote)) if admit(remote.ip()) => tcp.accepted(stream, local, remote),
                    Ok(_) => {}
                    // Out of descriptors, most likely: the ones in use must end first.
                    Err(error) => {
                        tracing::warn!(%local, %error, "cannot accept a connection");
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }

    /// Sends by the connection of `flow`, or a new one. Never waits. False: the flow has failed.
    pub fn send(&self, flow: Flow, data: Bytes) -> bool {
        if let Some(connection) = self.0.connections.get(&key(flow)) {
            return self.0.enqueue(&connection, data);
        }
        let Some((connection, ends)) = self.0.register(flow) else { return false };
        let queued = self.0.enqueue(&connection, data);
        let shared = self.0.clone();
        self.0.runtime.spawn(async move {
            match timeout(CONNECT, connect(flow)).await {
                Ok(Ok(stream)) => shared.serve(stream, ends).await,
                Ok(Err(error)) => tracing::info!(%flow, %error, "cannot connect"),
                Err(_) => tracing::info!(%flow, "no connection in time"),
            }
            shared.closed(flow, connection.number).await;
        });
        queued
    }

    pub fn connections(&self) -> usize {
        self.0.connections.len()
    }

    fn accepted(&self, stream: TcpStream, local: SocketAddr, remote: SocketAddr) {
        let flow = Flow { proto: Proto::Tcp, local, remote };
        let Some((connection, ends)) = self.0.register(flow) else { return };
        let shared = self.0.clone();
        self.0.runtime.spawn(async move {
            shared.serve(stream, ends).await;
            shared.closed(flow, connection.number).await;
        });
    }
}

impl Shared {
    /// A place in the table; none when it is full.
    fn register(&self, flow: Flow) -> Option<(Connection, Ends)> {
        if self.connections.len() >= self.limits.connections {
            tracing::warn!(%flow, "too many connections");
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, queue) = mpsc::channel(MAX_WAITING);
        let backlog = Arc::new(AtomicUsize::new(0));
        let connection = Connection { number, queue: sender, backlog: backlog.clone() };
        self.connections.insert(key(flow), connection.clone());
        Some((connection, Ends { flow, number, queue, backlog }))
    }

    fn enqueue(&self, connection: &Connection, data: Bytes) -> bool {
        let length = data.len();
        if connection.backlog.fetch_add(length, Ordering::Relaxed) + length > self.limits.backlog {
            connection.backlog.fetch_sub(length, Ordering::Relaxed);
            return false;
        }
        connection.queue.try_send(data).is_ok()
    }

    /// Reads and writes until either side ends.
    async fn serve(&self, stream: TcpStream, ends: Ends) {
        // Requests are small and wait for answers.
        let _ = stream.set_nodelay(true);
        let Ends { flow, number, queue, backlog } = ends;
        let (reader, writer) = stream.into_split();
        let ended = tokio::select! {
            ended = self.read(reader, flow, number) => ended,
            ended = write(writer, queue, &backlog) => ended,
        };
        if let Err(error) = ended {
            tracing::info!(%flow, %error, "connection lost");
        }
    }

    async fn read(&self, mut reader: OwnedReadHalf, flow: Flow, number: u64) -> io::Result<()> {
        let mut framer = Framer::default();
        let mut buffer = vec![0; READ_BUFFER];
        let mut patience = FIRST;
        loop {
            let count = timeout(patience, reader.read(&mut buffer)).await??;
            if count == 0 {
                return Ok(());
            }
            framer.push(&buffer[..count]);
            while let Some(frame) = framer.next().map_err(|lost| io::Error::other(lost.0))? {
                patience = IDLE;
                match frame {
                    Frame::Message(data) => self.tell(Input::Sip { flow, data }).await,
                    Frame::Ping => self.pong(flow, number),
                }
            }
        }
    }

    /// RFC 5626 §3.5.1. Dropped when the peer does not read: it is not waiting for it, then.
    fn pong(&self, flow: Flow, number: u64) {
        if let Some(connection) = self.connections.get(&key(flow)).filter(|connection| connection.number == number) {
            self.enqueue(&connection, Bytes::from_static(b"\r\n"));
        }
    }

    /// Waits while the switch has no room for traffic from outside.
    async fn tell(&self, mut input: Input) {
        while let Err(refused) = self.inbox.offer(input) {
            input = refused;
            sleep(RETRY).await;
        }
    }

    /// Takes the connection off the table, unless a later one took its place, and tells the switch.
    async fn closed(&self, flow: Flow, number: u64) {
        match self.connections.entry(key(flow)) {
            Entry::Occupied(entry) if entry.get().number == number => drop(entry.remove()),
            _ => return,
        }
        while self.inbox.try_send(Input::FlowFailed { flow }).is_err() {
            sleep(RETRY).await;
        }
    }
}

fn key(flow: Flow) -> (SocketAddr, SocketAddr) {
    (flow.local, flow.remote)
}

/// From our listening address, but another port: that one is taken.
async fn connect(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    socket.connect(flow.remote).await
}

async fn write(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>, backlog: &AtomicUsize) -> io::Result<()> {
    while let Some(data) = queue.recv().await {
        timeout(WRITE, writer.write_all(&data)).await??;
        backlog.fetch_sub(data.len(), Ordering::Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::inbox::{Outlet, inbox};

    const OPTIONS: &[u8] = b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nContent-Length: 2\r\n\r\nhi";

    struct Bench {
        tcp: Tcp,
        outlet: Outlet,
        local: SocketAddr,
    }

    async fn bench(limits: Limits) -> Bench {
        let (inbox, outlet) = inbox(64).unwrap();
        let tcp = Tcp::new(inbox, Handle::current(), limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        tcp.listen(listener, local, Arc::new(|ip| ip == IpAddr::from([127, 0, 0, 1])));
        Bench { tcp, outlet, local }
    }

    const LIMITS: Limits = Limits { connections: 4, backlog: 100_000 };

    impl Bench {
        async fn next(&self) -> Input {
            let wait = async {
                loop {
                    if let Some(input) = self.outlet.take() {
                        return input;
                    }
                    tokio::task::yield_now().await;
                }
            };
            timeout(Duration::from_secs(5), wait).await.unwrap()
        }

        async fn next_message(&self) -> (Flow, Bytes) {
            match self.next().await {
                Input::Sip { flow, data } => (flow, data),
                other => panic!("{other:?}"),
            }
        }

        fn flow(&self, remote: SocketAddr) -> Flow {
            Flow { proto: Proto::Tcp, local: self.local, remote }
        }
    }

    #[tokio::test]
    async fn a_request_comes_in_and_its_response_leaves_by_the_same_connection() {
        let bench = bench(LIMITS).await;
        let mut peer = TcpStream::connect(bench.local).await.unwrap();
        peer.write_all(&OPTIONS[..20]).await.unwrap();
        peer.flush().await.unwrap();
        peer.write_all(&OPTIONS[20..]).await.unwrap();
        let (flow, data) = bench.next_message().await;
        assert_eq!((flow, &data[..]), (bench.flow(peer.local_addr().unwrap()), OPTIONS));
        assert!(bench.tcp.send(flow, Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n")));
        let mut answer = [0; 18];
        peer.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"SIP/2.0 200 OK\r\n\r\n");
        drop(peer);
        assert!(matches!(bench.next().await, Input::FlowFailed { flow: gone } if gone == flow));
        assert_eq!(bench.tcp.connections(), 0);
    }

    #[tokio::test]
    async fn a_closed_connection_does_not_poison_the_next_send() {
        let bench = bench(LIMITS).await;
        let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let flow = bench.flow(peer.local_addr().unwrap());
        for text in [&b"one"[..], b"two"] {
            assert!(bench.tcp.send(flow, Bytes::copy_from_slice(text)));
            let (mut stream, from) = peer.accept().await.unwrap();
            assert_eq!(from.ip(), bench.local.ip());
            let mut got = [0; 3];
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, text);
            drop(stream);
            assert!(matches!(bench.next().await, Input::FlowFailed { flow: gone } if gone == flow));
        }
    }

    #[tokio::test]
    async fn a_refused_connection_is_told() {
        let bench = bench(LIMITS).await;
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(bench.tcp.send(bench.flow(nobody), Bytes::from_static(b"x")));
        assert!(matches!(bench.next().await, Input::FlowFailed { flow } if flow.remote == nobody));
    }

    #[tokio::test]
    async fn a_bad_message_keeps_the_connection_and_lost_framing_closes_it() {
        let bench = bench(LIMITS).await;
        let mut peer = TcpStream::connect(bench.local).await.unwrap();
        peer.write_all(b"NONSENSE\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        peer.write_all(OPTIONS).await.unwrap();
        bench.next_message().await;
        assert_eq!(bench.next_message().await.1, OPTIONS);
        peer.write_all(b"\r\n\r\n").await.unwrap();
        let mut pong = [0; 2];
        peer.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"\r\n");
        peer.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: none\r\n\r\n").await.unwrap();
        assert!(matches!(bench.next().await, Input::FlowFailed { .. }));
        assert_eq!(peer.read(&mut pong).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn connections_and_backlog_are_bounded_and_strangers_turned_away() {
        let bench = bench(Limits { connections: 1, backlog: 10 }).await;
        let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let flow = bench.flow(peer.local_addr().unwrap());
        assert!(!bench.tcp.send(flow, Bytes::from_static(b"more than ten bytes")));
        let other = Flow { remote: "127.0.0.1:9".parse().unwrap(), ..flow };
        assert!(!bench.tcp.send(other, Bytes::from_static(b"x")), "the table is full");
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut stranger = socket.connect(bench.local).await.unwrap();
        assert_eq!(stranger.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn a_full_inbox_slows_the_peer_and_loses_nothing() {
        let bench = bench(LIMITS).await;
        let mut peer = TcpStream::connect(bench.local).await.unwrap();
        for _ in 0..100 {
            peer.write_all(OPTIONS).await.unwrap();
        }
        for _ in 0..100 {
            assert_eq!(bench.next_message().await.1, OPTIONS);
        }
    }
}
