//! Connections of HTTP clients: how many at once, and for how long a slow one is waited for.

use super::CONNECTION;
use crate::base::{Counts, owner};
use crate::io::config;
use crate::io::metrics::Metric;
use crate::io::process::descriptors::{self, Purpose};
use crate::io::process::threads;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// A request's head is no longer.
const HEAD: usize = 32 << 10;
/// How long such a one may take for all of it.
const FAREWELL: Duration = Duration::from_secs(1);
/// Until accepting is tried again: there are no descriptors.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections: usize,
    /// Limits the connections from one address (an IPv6 host owns its /64).
    pub per_source: usize,
    /// Limits the connections beyond them that still get an answer.
    pub porch: usize,
    /// For a request's head, and for a client that takes nothing of its answer.
    pub timeout: Duration,
}

/// The connections that there are, and what they are served by.
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
}

impl Limits {
    pub fn of(http: &config::Http, porch: usize) -> Limits {
        let config::Http { connections, connections_per_source: per_source, timeout, .. } = *http;
        Limits { connections, per_source, porch, timeout }
    }
}

struct Shared {
    limits: Limits,
    room: Arc<Semaphore>,
    porch: Arc<Semaphore>,
    sources: Mutex<Counts<IpAddr>>,
    refused: AtomicU64,
}

impl Connections {
    pub fn new(limits: Limits) -> Connections {
        let (room, porch) = (Arc::new(Semaphore::new(limits.connections)), Arc::new(Semaphore::new(limits.porch)));
        let shared = Shared { limits, room, porch, sources: Mutex::default(), refused: AtomicU64::new(0) };
        Connections { shared: Arc::new(shared), tls: None }
    }

    /// Speaks TLS alone.
    pub fn by_tls(self, config: ServerConfig) -> Connections {
        Connections { tls: Some(Arc::new(config).into()), ..self }
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let open = self.shared.limits.connections.saturating_sub(self.shared.room.available_permits());
        let refused = self.shared.refused.load(Ordering::Relaxed);
        vec![
            Metric::gauge("http_connections", "Connections of HTTP clients.", open),
            Metric::counter("http_connections_refused_total", "Connections of HTTP clients beyond the limit.", refused),
        ]
    }

    /// Serves as long as the runtime lives; `health` those for whom there is no room, for a moment.
    pub async fn serve(self, listener: Arc<TcpListener>, router: Router, health: Router) {
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !descriptors::missed(Purpose::Http, &error) {
                        tracing::warn!(%error, "cannot accept an HTTP connection");
                    }
                    sleep(RETRY).await;
                    continue;
                }
            };
            match self.place(from.ip()) {
                Some(place) => drop(threads::task(
                    &Handle::current(),
                    CONNECTION,
                    secured(stream, self.tls.clone(), router.clone(), self.shared.limits, Arc::new(place)),
                )),
                None => self.turn_away(stream, health.clone()),
            }
        }
    }

    /// None where there is no room, or the source has its share.
    fn place(&self, ip: IpAddr) -> Option<Held> {
        let permit = self.shared.room.clone().try_acquire_owned().ok()?;
        let source = owner(ip);
        let mut sources = self.shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.of(&source) >= self.shared.limits.per_source {
            return None;
        }
        sources.add(source);
        Some(Held { _permit: permit, of: Some((self.shared.clone(), source)) })
    }

    fn turn_away(&self, stream: TcpStream, health: Router) {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
        if let Ok(place) = self.shared.porch.clone().try_acquire_owned() {
            let limits = Limits { timeout: FAREWELL, ..self.shared.limits };
            let place = Held { _permit: place, of: None };
            threads::task(
                &Handle::current(),
                CONNECTION,
                timeout(FAREWELL, secured(stream, self.tls.clone(), health, limits, Arc::new(place))),
            );
        }
    }
}

/// A connection's place among all; with each of its requests, for what outlives HTTP on it.
pub type Place = Arc<Held>;

pub struct Held {
    _permit: OwnedSemaphorePermit,
    /// The source whose share it counts against.
    of: Option<(Arc<Shared>, IpAddr)>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some((shared, source)) = self.of.take() else { return };
        shared.sources.lock().unwrap_or_else(PoisonError::into_inner).remove(&source);
    }
}

/// Serves a connection, by TLS where that is spoken: a client has as long for its handshake as for a request's head.
async fn secured(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, limits: Limits, place: Place) {
    // A client that acknowledges nothing, or lets nothing in, for so long is gone (RFC 5482).
    let socket = socket2::SockRef::from(&stream);
    let _ = socket.set_tcp_user_timeout(Some(limits.timeout));
    let _ = stream.set_nodelay(true);
    match tls {
        None => one(stream, router, limits, place).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(limits.timeout, tls.accept(stream)).await {
                one(stream, router, limits, place).await;
            }
        }
    }
}

async fn one(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, limits: Limits, place: Place) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.timeout).max_buf_size(HEAD);
    let served = TowerToHyperService::new(router);
    let served = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(place.clone());
        served.call(request)
    });
    // Trouble with a connection is its client's matter.
    let _ = server.serve_connection(TokioIo::new(stream), served).with_upgrades().await;
}

#[cfg(test)]
mod tests {
    use super::super::tests::state;
    use super::*;
    use crate::io::config::setup::PORCH;
    use crate::io::http::{health_alone, router};
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn open(connections: usize, timeout: u64) -> (SocketAddr, Connections) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Connections::new(Limits {
            connections,
            per_source: connections,
            porch: PORCH,
            timeout: Duration::from_millis(timeout),
        });
        tokio::spawn(connections.clone().serve(Arc::new(listener), router(state()), health_alone(state())));
        (address, connections)
    }

    /// Reads all that comes until the gateway closes.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut text)).await;
        assert!(read.is_ok(), "not closed; so far: {}", String::from_utf8_lossy(&text));
        String::from_utf8(text).unwrap()
    }

    async fn asking(address: SocketAddr, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    const WHOLE: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn slow_clients_hide_nobody_s_health() {
        let (address, connections) = open(8, 60_000).await;
        let mut slow = Vec::new();
        for _ in 0..8 + PORCH / 2 {
            slow.push(asking(address, "GET /healthz HTTP/1.1\r\n").await);
        }
        for path in ["/healthz", "/readyz"] {
            let answer = rest(asking(address, &WHOLE.replace("/healthz", path)).await).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        }
        let answer = rest(asking(address, &WHOLE.replace("/healthz", "/metrics")).await).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        // Those beyond the limit do not stay.
        for stream in slow.drain(8..) {
            rest(stream).await;
        }
        assert_eq!(connections.metrics()[0].value, 8);
    }

    #[tokio::test]
    async fn one_connection_too_many_is_told_so_and_the_next_is_served_when_there_is_room() {
        let (address, connections) = open(2, 60_000).await;
        let first = asking(address, "GET /healthz HTTP/1.1\r\n").await;
        let second = asking(address, "GET").await;
        let refused = rest(asking(address, &WHOLE.replace("/healthz", "/metrics")).await).await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("too many connections"), "{refused}");
        assert!(refused.contains("application/problem+json") && refused.contains("\"status\":503"), "{refused}");
        let refusals = |connections: &Connections| connections.metrics().iter().map(|m| m.value).collect::<Vec<_>>();
        assert_eq!(refusals(&connections), [2, 1]);
        drop(first);
        loop {
            let answer = rest(asking(address, &WHOLE.replace("/healthz", "/metrics")).await).await;
            if answer.starts_with("HTTP/1.1 200 ") {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(second);
    }

    #[tokio::test]
    async fn one_address_keeps_out_no_other() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections =
            Connections::new(Limits { connections: 8, per_source: 5, porch: PORCH, timeout: Duration::from_secs(60) });
        tokio::spawn(connections.clone().serve(Arc::new(listener), router(state()), health_alone(state())));
        let from = |ip: &str| {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{ip}:0").parse().unwrap()).unwrap();
            socket.connect(address)
        };
        let mut held = Vec::new();
        for _ in 0..5 {
            let mut stream = from("127.0.0.2").await.unwrap();
            stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
            held.push(stream);
        }
        let ask = async |ip: &str| {
            let mut stream = from(ip).await.unwrap();
            stream.write_all(WHOLE.replace("/healthz", "/metrics").as_bytes()).await.unwrap();
            rest(stream).await
        };
        assert!(ask("127.0.0.2").await.starts_with("HTTP/1.1 503 "), "its share is taken");
        assert!(ask("127.0.0.3").await.starts_with("HTTP/1.1 200 "), "there is room for others");
        held.clear();
        while !ask("127.0.0.2").await.starts_with("HTTP/1.1 200 ") {
            tokio::task::yield_now().await;
        }
        assert!(connections.shared.sources.lock().unwrap().len() <= 1, "none that has gone is remembered");
    }

    #[tokio::test]
    async fn who_dribbles_is_sent_away() {
        let (address, connections) = open(8, 200).await;
        let mut slow = asking(address, "GET /healthz HTTP/1.1\r\n").await;
        let (head, silent) = (asking(address, "GET /hea").await, TcpStream::connect(address).await.unwrap());
        let mut idle = asking(address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(idle.read(&mut [0; 1024]).await.unwrap() > 0);
        let dribble = tokio::spawn(async move {
            while slow.write_all(b"X: y\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        for stream in [head, silent, idle] {
            rest(stream).await;
        }
        tokio::time::timeout(Duration::from_secs(5), dribble).await.unwrap().unwrap();
        assert_eq!(connections.metrics()[0].value, 0, "none is left");
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let (address, _) = open(8, 60_000).await;
        let long = format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(100_000));
        let answer = rest(asking(address, &long).await).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}
