//! Connections that we open: to a seat, or a trunk by TCP or TLS. One is kept alive, so that a dead one is noticed, and serves
//! the requests that come by it as well.

use super::{CONNECT, CONNECTION, Connection, Ends, Shared, Tcp, is_response, key};
use crate::base::{Flow, Proto};
use crate::io::net::trunk_tls::{self, TrunkTls};
use crate::io::process::descriptors::{self, Purpose};
use crate::io::process::threads;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// A peer that we have connected to may take longer than one that has connected to us: other systems stand before it.
const OURS_DEAD: Duration = Duration::from_secs(60);
/// Connections that are remembered when they are gone.
const MOST_DEPARTED: usize = 1024;
/// A keep-alive (RFC 5626 §3.5.1).
const PING: &[u8] = b"\r\n\r\n";

/// Signs of the peer's on a connection.
#[derive(Default)]
pub(super) struct Life {
    /// How often something was read.
    pub heard: AtomicU64,
    /// Pings have gone out: a line alone is an answer, even a late one.
    pub asked: AtomicBool,
    /// One has come since the last of them.
    pub answered: AtomicBool,
}

/// Connections that peers had opened and that are gone, the newest last: calls that began by one may outlive it.
#[derive(Default)]
pub(super) struct Departed(Mutex<VecDeque<(SocketAddr, SocketAddr)>>);

impl Departed {
    fn note(&self, flow: Flow) {
        let mut gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gone.retain(|known| *known != key(flow));
        if gone.len() >= MOST_DEPARTED {
            gone.pop_front();
        }
        gone.push_back(key(flow));
    }

    fn has(&self, flow: Flow) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&key(flow))
    }
}

impl Tcp {
    /// Sends by a new connection. False: there can be none.
    pub(super) fn by_new(&self, flow: Flow, data: Bytes) -> bool {
        let tls = self.0.trunks.find(flow.remote.ip()).flatten();
        // A phone has no certificate: only trunks are connected to by TLS.
        if flow.proto == Proto::Tls && tls.is_none() {
            return false;
        }
        let Some((connection, ends)) = self.0.register(flow, true) else { return false };
        let queued = self.0.enqueue(&connection, data);
        let shared = self.0.clone();
        let tls = tls.filter(|_| flow.proto == Proto::Tls);
        threads::task(&self.0.runtime, CONNECTION, async move {
            match timeout(CONNECT, connect(flow)).await {
                Ok(Ok(stream)) => drop(threads::survived(CONNECTION, shared.connected(stream, tls, ends)).await),
                Ok(Err(error)) => {
                    descriptors::missed(Purpose::Sip, &error);
                    tracing::info!(%flow, %error, "cannot connect");
                }
                Err(_) => tracing::info!(%flow, "no connection in time"),
            }
            shared.closed(flow, connection.number).await;
        });
        queued
    }
}

impl Shared {
    async fn connected(&self, stream: TcpStream, tls: Option<Arc<TrunkTls>>, ends: Ends) {
        super::watch(&stream, OURS_DEAD);
        let Some(tls) = tls else { return self.plain(stream, ends).await };
        let _ = stream.set_nodelay(true);
        let flow = ends.flow;
        match timeout(CONNECT, tls.connector.connect(tls.name.clone(), stream)).await {
            Ok(Ok(stream)) => {
                let (reader, writer) = tokio::io::split(stream);
                self.serve(reader, writer, ends).await;
            }
            Ok(Err(error)) => {
                let reason = trunk_tls::count(&error).unwrap_or("closed");
                tracing::warn!(%flow, reason, %error, "no TLS with a trunk");
            }
            Err(_) => tracing::warn!(%flow, reason = "timeout", "no TLS with a trunk"),
        }
    }

    /// A connection that a peer has opened is over. Only of trunks more is to come.
    pub(super) fn departs(&self, flow: Flow) {
        if self.trunks.find(flow.remote.ip()).is_some() {
            self.departed.note(flow);
        }
    }

    /// The newest other connection that the same trunk's host has opened, where a message within a dialog may leave whose own
    /// has died. That one the host must have opened as well: nobody listens at its port, while one that we have opened leads to a
    /// server, and another port may be another server. For the same reason it may not begin anything.
    pub(super) fn other_way(&self, flow: Flow, data: &[u8]) -> Option<Connection> {
        let within = is_response(data) || is_within_dialog(data);
        if !within || self.trunks.find(flow.remote.ip()).is_none() || !self.departed.has(flow) {
            return None;
        }
        let same = |at: &(SocketAddr, SocketAddr)| at.0 == flow.local && at.1.ip() == flow.remote.ip();
        let fits = |connection: &Connection| !connection.ours && !connection.ended.load(Ordering::Relaxed);
        let open = self.connections.iter().filter(|entry| same(entry.key()) && fits(entry));
        open.max_by_key(|entry| entry.number).map(|entry| entry.value().clone())
    }

    /// Asks a peer that we have connected to whether it is there. One that has answered two such questions in a row, each in its time,
    /// answers them (RFC 5626 §4.4.1); its end is that it is silent about two in a row. Others may know no such questions.
    pub(super) async fn keep_alive(&self, flow: Flow, number: u64, life: &Life) -> io::Result<()> {
        let (mut in_row, mut answers, mut missed) = (0, false, 0);
        loop {
            sleep(self.limits.keep_alive).await;
            let heard = life.heard.load(Ordering::Relaxed);
            life.answered.store(false, Ordering::Relaxed);
            life.asked.store(true, Ordering::Relaxed);
            if let Some(connection) = self.connections.get(&key(flow)).filter(|connection| connection.number == number) {
                self.enqueue(&connection, Bytes::from_static(PING));
            }
            sleep(self.limits.pong).await;
            let answered = life.answered.load(Ordering::Relaxed);
            in_row = if answered { in_row + 1 } else { 0 };
            answers |= in_row >= 2;
            missed = if life.heard.load(Ordering::Relaxed) == heard { missed + 1 } else { 0 };
            if answers && missed >= 2 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer to a keep-alive"));
            }
        }
    }
}

/// A request of ours with a tag in To.
fn is_within_dialog(data: &[u8]) -> bool {
    let mut lines = data.split(|byte| *byte == b'\n').take_while(|line| line.len() > 1);
    let to = lines.find(|line| line.starts_with(b"To: "));
    to.is_some_and(|to| to.windows(5).any(|part| part == b";tag="))
}

/// From our listening address, but another port: that one is taken.
async fn connect(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    socket.connect(flow.remote).await
}
