//! Over real connections on loopback.

mod by_tls;
mod outgoing;

use super::*;
use crate::io::inbox::{Outlet, inbox};
use tokio::net::TcpSocket;

const OPTIONS: &[u8] = b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nContent-Length: 2\r\n\r\nhi";

struct Bench {
    tcp: Tcp,
    outlet: Outlet,
    local: SocketAddr,
}

async fn bench(limits: Limits) -> Bench {
    let (inbox, outlet) = inbox(64).unwrap();
    let tcp = Tcp::new(inbox, Handle::current(), limits, Arc::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    tcp.listen(listener, local, Arc::new(|ip| (ip == IpAddr::from([127, 0, 0, 1])).then_some(Guest::Known)));
    Bench { tcp, outlet, local }
}

const LIMITS: Limits = Limits { pong: Duration::from_secs(10), ..places::tests::LIMITS };

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
    // No test listens there.
    let nobody = SocketAddr::from(([127, 77, 0, 1], 1));
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
    let answer = Bytes::from_static(b"SIP/2.0 400 No\r\n\r\n");
    let flow = bench.flow(peer.local_addr().unwrap());
    for _ in 0..2 {
        assert!(bench.tcp.send(flow, answer.clone()));
        peer.read_exact(&mut [0; 18]).await.unwrap();
    }
    peer.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: none\r\n\r\n").await.unwrap();
    assert!(matches!(bench.next().await, Input::FlowFailed { .. }));
    assert_eq!(peer.read(&mut pong).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn connections_and_backlog_are_bounded_and_strangers_turned_away() {
    let bench = bench(Limits { connections: 1, backlog: 10, ..LIMITS }).await;
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

/// The answers that a peer gets that says `text` and, `half`, ends its half: those to two requests, then the end.
async fn answers_to(text: &[u8], half: bool) -> Vec<u8> {
    let bench = bench(LIMITS).await;
    let mut peer = TcpStream::connect(bench.local).await.unwrap();
    let flow = bench.flow(peer.local_addr().unwrap());
    peer.write_all(text).await.unwrap();
    if half {
        peer.shutdown().await.unwrap();
    }
    bench.next_message().await;
    bench.next_message().await;
    assert!(matches!(bench.next().await, Input::PeerEnded { flow: ended } if ended == flow));
    for answer in ["SIP/2.0 180 Ringing\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", "SIP/2.0 486 Busy\r\n\r\n"] {
        sleep(LOOK * 3).await;
        assert!(bench.tcp.send(flow, answer.into()));
    }
    let mut got = Vec::new();
    timeout(Duration::from_secs(5), peer.read_to_end(&mut got)).await.unwrap().unwrap();
    drop(peer);
    assert!(matches!(bench.next().await, Input::FlowFailed { flow: gone } if gone == flow));
    assert_eq!(bench.tcp.connections(), 0);
    got
}

#[tokio::test]
async fn who_asked_is_answered_though_it_ended_or_went_on_with_nonsense() {
    let all = b"SIP/2.0 180 Ringing\r\n\r\nSIP/2.0 200 OK\r\n\r\nSIP/2.0 486 Busy\r\n\r\n";
    let two = OPTIONS.repeat(2);
    assert_eq!(answers_to(&two, true).await, all);
    for bad in ["OPTIONS sip:a SIP/2.0\r\nContent-Length: none\r\n\r\nmore", "x\r\n\r\n", "OPTIONS a\r\nl: 99999999\r\n\r\n"] {
        assert_eq!(answers_to(&[&two[..], bad.as_bytes()].concat(), false).await, all, "{bad}");
    }
}

#[tokio::test]
async fn a_request_of_ours_goes_by_no_connection_that_its_peer_has_ended() {
    let bench = bench(LIMITS).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = bench.flow(listener.local_addr().unwrap());
    assert!(bench.tcp.send(flow, Bytes::from_static(b"INVITE x")));
    let (mut first, _) = listener.accept().await.unwrap();
    first.write_all(OPTIONS).await.unwrap();
    first.shutdown().await.unwrap();
    bench.next_message().await;
    assert!(matches!(bench.next().await, Input::PeerEnded { .. }));
    assert!(bench.tcp.send(flow, Bytes::from_static(b"BYE x")));
    let (mut second, _) = listener.accept().await.unwrap();
    let mut got = [0; 5];
    second.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"BYE x");
}

#[tokio::test]
async fn a_byte_now_and_then_keeps_no_connection() {
    let bench = bench(Limits { message: Duration::from_millis(300), ..LIMITS }).await;
    for begun in [&b""[..], OPTIONS] {
        let mut peer = TcpStream::connect(bench.local).await.unwrap();
        peer.write_all(begun).await.unwrap();
        let began = Instant::now();
        while peer.write_all(b"x").await.is_ok() && began.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_millis(50)).await;
            if !begun.is_empty() {
                let _ = bench.tcp.send(bench.flow(peer.local_addr().unwrap()), Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n"));
            }
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{begun:?}");
    }
}
