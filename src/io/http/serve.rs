//! Connections of HTTP clients: how many at once, and for how long a slow one is waited for.

use super::Metric;
use axum::Router;
use axum::http::StatusCode;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// A request's head is no longer.
const HEAD: usize = 32 << 10;
/// Clients beyond the limit that are told so, rather than cut off.
const TURNED_AWAY: usize = 64;
/// How long such a one may take to read it.
const FAREWELL: Duration = Duration::from_secs(1);
/// Until accepting is tried again: there are no descriptors.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections: usize,
    /// For a request's head, and for a client that takes nothing of its answer.
    pub timeout: Duration,
}

/// What is counted of connections.
#[derive(Clone)]
pub struct Doors(Arc<Shared>);

struct Shared {
    limits: Limits,
    room: Arc<Semaphore>,
    porch: Arc<Semaphore>,
    refused: AtomicU64,
}

impl Doors {
    pub fn new(limits: Limits) -> Doors {
        let (room, porch) = (Arc::new(Semaphore::new(limits.connections)), Arc::new(Semaphore::new(TURNED_AWAY)));
        Doors(Arc::new(Shared { limits, room, porch, refused: AtomicU64::new(0) }))
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let open = self.0.limits.connections.saturating_sub(self.0.room.available_permits());
        let refused = self.0.refused.load(Ordering::Relaxed);
        vec![
            Metric::gauge("http_connections", "Connections of HTTP clients.", open),
            Metric::counter("http_connections_refused_total", "Connections of HTTP clients beyond the limit.", refused),
        ]
    }

    /// Serves as long as the runtime lives.
    pub async fn serve(self, listener: TcpListener, router: Router) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(RETRY).await;
                continue;
            };
            match self.0.room.clone().try_acquire_owned() {
                Ok(place) => drop(tokio::spawn(one(stream, router.clone(), self.0.limits, Arc::new(place)))),
                Err(_) => self.turn_away(stream),
            }
        }
    }

    fn turn_away(&self, stream: TcpStream) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        if let Ok(place) = self.0.porch.clone().try_acquire_owned() {
            tokio::spawn(timeout(FAREWELL, say_goodbye(stream, place)));
        }
    }
}

/// A connection's place among all; with each of its requests, for what outlives HTTP on it.
pub type Place = Arc<OwnedSemaphorePermit>;

async fn one(stream: TcpStream, router: Router, limits: Limits, place: Place) {
    // A client that acknowledges nothing, or lets nothing in, for so long is gone (RFC 5482).
    let socket = socket2::SockRef::from(&stream);
    let _ = socket.set_tcp_user_timeout(Some(limits.timeout));
    let _ = stream.set_nodelay(true);
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.timeout).max_buf_size(HEAD);
    let served = TowerToHyperService::new(router);
    let served = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(place.clone());
        served.call(request)
    });
    // What goes wrong with a connection is its client's matter.
    let _ = server.serve_connection(TokioIo::new(stream), served).with_upgrades().await;
}

/// Waits until the client has closed, so that it is not cut off before it has read this.
async fn say_goodbye(mut stream: TcpStream, _place: OwnedSemaphorePermit) -> std::io::Result<()> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let title = status.canonical_reason().unwrap_or_default();
    let detail = "too many connections; ask again later";
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail }).to_string();
    let (length, kind) = (body.len(), "application/problem+json");
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nRetry-After: 1\r\nConnection: close");
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::desk;
    use super::*;
    use crate::io::http::router;
    use std::net::SocketAddr;

    async fn open(connections: usize, timeout: u64) -> (SocketAddr, Doors) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let doors = Doors::new(Limits { connections, timeout: Duration::from_millis(timeout) });
        tokio::spawn(doors.clone().serve(listener, router(desk())));
        (address, doors)
    }

    /// What comes until the gateway closes.
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
    async fn one_connection_too_many_is_told_so_and_the_next_is_served_when_there_is_room() {
        let (address, doors) = open(2, 60_000).await;
        let first = asking(address, "GET /healthz HTTP/1.1\r\n").await;
        let second = asking(address, "GET").await;
        let refused = rest(asking(address, WHOLE).await).await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("too many connections"), "{refused}");
        assert!(refused.contains("application/problem+json") && refused.contains("\"status\":503"), "{refused}");
        let refusals = |doors: &Doors| doors.metrics().iter().map(|m| m.value).collect::<Vec<_>>();
        assert_eq!(refusals(&doors), [2, 1]);
        drop(first);
        loop {
            let answer = rest(asking(address, WHOLE).await).await;
            if answer.starts_with("HTTP/1.1 200 ") {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(second);
    }

    #[tokio::test]
    async fn who_dribbles_is_sent_away() {
        let (address, doors) = open(8, 200).await;
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
        assert_eq!(doors.metrics()[0].value, 0, "none is left");
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let (address, _) = open(8, 60_000).await;
        let long = format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(100_000));
        let answer = rest(asking(address, &long).await).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}
