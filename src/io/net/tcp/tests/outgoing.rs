//! Connections that we open.

use super::*;
use crate::base::Cidr;
use crate::io::net::tls::{self, Identity};
use crate::io::net::trunk_tls::{TrunkTls, failures};
use std::path::PathBuf;
use tokio_rustls::server::TlsStream;

const INVITE: &[u8] = b"INVITE sip:a@h SIP/2.0\r\nTo: <sip:a@h>\r\n\r\n";
const BYE: &[u8] = b"BYE sip:a@h SIP/2.0\r\nTo: <sip:a@h>;tag=x\r\n\r\n";

fn file(name: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(name)
}

fn identity(name: &str) -> Arc<Identity> {
    Arc::new(Identity::read(&file(&format!("{name}.pem")), &file("trunk.key")).unwrap())
}

/// The loopback is a trunk's, which shows a name and comes from the authority of the tests.
fn trunk(name: &str, own: Option<Arc<Identity>>) -> (Vec<Cidr>, Option<Arc<TrunkTls>>) {
    let tls = TrunkTls::new(Some(&file("authority.pem")), name, own).unwrap();
    (vec!["127.0.0.0/8".parse().unwrap()], Some(Arc::new(tls)))
}

async fn bench(limits: Limits, trunk: (Vec<Cidr>, Option<Arc<TrunkTls>>)) -> Bench {
    let bench = super::bench(limits).await;
    bench.tcp.0.trunks.set(vec![trunk]);
    bench
}

/// The trunk's end of one connection.
async fn served(
    bench: &Bench,
    shows: &str,
    clients: Option<&str>,
    data: &'static [u8],
) -> (Flow, io::Result<TlsStream<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = Flow { proto: Proto::Tls, ..bench.flow(listener.local_addr().unwrap()) };
    assert!(bench.tcp.send(flow, Bytes::from_static(data)));
    let (stream, _) = listener.accept().await.unwrap();
    let clients = clients.map(file);
    let config = identity(shows).server(clients.as_deref()).unwrap();
    (flow, TlsAcceptor::from(Arc::new(config)).accept(stream).await)
}

fn failed(reason: &str) -> u64 {
    failures().find(|(known, _)| *known == reason).unwrap().1
}

#[tokio::test]
async fn a_trunk_is_connected_to_by_tls_and_speaks_by_the_same_connection() {
    for shows in ["trunk", "trunk-uri"] {
        let bench = bench(LIMITS, trunk("sbc.example.cn", None)).await;
        let (flow, stream) = served(&bench, shows, None, INVITE).await;
        let mut stream = stream.unwrap();
        let mut taken = vec![0; INVITE.len()];
        stream.read_exact(&mut taken).await.unwrap();
        assert_eq!(taken, INVITE);
        stream.write_all(OPTIONS).await.unwrap();
        assert_eq!(bench.next_message().await.0, flow, "one flow for both");
        assert!(bench.tcp.send(flow, Bytes::from_static(BYE)));
        let mut taken = vec![0; BYE.len()];
        stream.read_exact(&mut taken).await.unwrap();
        assert_eq!((&taken[..], bench.tcp.connections()), (BYE, 1));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_the_trunks_is_refused_and_the_reason_counted() {
    // The last one is its own authority.
    for (shows, reason) in [
        ("trunk-expired", "expired"),
        ("trunk-wrong", "wrong_name"),
        ("trunk-uri-wrong", "wrong_name"),
        ("first", "unknown_issuer"),
    ] {
        let bench = bench(LIMITS, trunk("sbc.example.cn", None)).await;
        let before = failed(reason);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let flow = Flow { proto: Proto::Tls, ..bench.flow(listener.local_addr().unwrap()) };
        assert!(bench.tcp.send(flow, Bytes::from_static(INVITE)));
        let (stream, _) = listener.accept().await.unwrap();
        let key = if shows == "first" { "first.key" } else { "trunk.key" };
        let identity = Arc::new(Identity::read(&file(&format!("{shows}.pem")), &file(key)).unwrap());
        let served = TlsAcceptor::from(Arc::new(identity.server(None).unwrap())).accept(stream).await;
        assert!(served.is_err(), "{shows}");
        assert!(matches!(bench.next().await, Input::FlowFailed { flow: gone } if gone == flow), "{shows}");
        assert!(failed(reason) > before, "{shows} is {reason}");
    }
}

#[tokio::test]
async fn a_trunk_that_asks_for_our_certificate_gets_it() {
    let bench = bench(LIMITS, trunk("sbc.example.cn", Some(identity("trunk")))).await;
    let (_, stream) = served(&bench, "trunk", Some("authority.pem"), INVITE).await;
    let stream = stream.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().map(<[_]>::len), Some(1));
    let without = self::bench(LIMITS, trunk("sbc.example.cn", None)).await;
    let before = failed("ours_refused");
    let (flow, stream) = served(&without, "trunk", Some("authority.pem"), INVITE).await;
    assert!(stream.is_err());
    assert!(matches!(without.next().await, Input::FlowFailed { flow: gone } if gone == flow));
    assert!(failed("ours_refused") > before);
}

#[tokio::test]
async fn a_peer_without_a_certificate_is_turned_away_where_one_is_asked_for() {
    let (inbox, outlet) = inbox(64).unwrap();
    let tcp = Tcp::new(inbox, Handle::current(), LIMITS, Arc::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    let config = identity("trunk").server(Some(&file("authority.pem"))).unwrap();
    tcp.listen_by_tls(listener, local, Arc::new(|_| Some(Guest::Known)), config);
    let bench = Bench { tcp, outlet, local };
    let connect = async |own: Option<Arc<Identity>>| {
        let mut config = tls::client(tls::Roots::File(&file("authority.pem"))).unwrap();
        if let Some(own) = own {
            config.client_auth_cert_resolver = own;
        }
        let stream = TcpStream::connect(local).await.unwrap();
        let mut stream =
            tokio_rustls::TlsConnector::from(Arc::new(config)).connect("sbc.example.cn".try_into().unwrap(), stream).await?;
        stream.write_all(OPTIONS).await?;
        stream.flush().await?;
        Ok::<_, io::Error>(stream)
    };
    let before = failed("no_certificate");
    // By TLS 1.3 it hears of it after the handshake.
    if let Ok(mut stream) = connect(None).await {
        assert!(stream.read(&mut [0; 16]).await.is_err());
    }
    assert!(matches!(bench.next().await, Input::FlowFailed { .. }));
    assert!(failed("no_certificate") > before);
    let _known = connect(Some(identity("trunk"))).await.unwrap();
    assert_eq!(bench.next_message().await.1, OPTIONS);
}

#[tokio::test]
async fn a_message_within_a_dialog_leaves_by_another_connection_when_its_own_has_died() {
    let bench = bench(LIMITS, trunk("sbc.example.cn", None)).await;
    let first = TcpStream::connect(bench.local).await.unwrap();
    let gone = bench.flow(first.local_addr().unwrap());
    let mut other = TcpStream::connect(bench.local).await.unwrap();
    other.write_all(OPTIONS).await.unwrap();
    bench.next_message().await;
    drop(first);
    assert!(matches!(bench.next().await, Input::FlowFailed { flow } if flow == gone));
    assert!(bench.tcp.send(gone, Bytes::from_static(BYE)));
    let mut taken = vec![0; BYE.len()];
    other.read_exact(&mut taken).await.unwrap();
    assert_eq!(taken, BYE);
    // A connection that we have opened leads to a server, which may be another one than the peer's.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = bench.flow(listener.local_addr().unwrap());
    assert!(bench.tcp.send(server, Bytes::from_static(INVITE)));
    let (line, _) = listener.accept().await.unwrap();
    assert!(bench.tcp.send(gone, Bytes::from_static(BYE)));
    other.read_exact(&mut taken).await.unwrap();
    assert_eq!(taken, BYE, "the newest is ours");
    // And what went by it goes to that server or nowhere, whoever else of the same host is connected.
    drop((line, listener));
    assert!(matches!(bench.next().await, Input::FlowFailed { flow } if flow == server));
    assert!(bench.tcp.send(server, Bytes::from_static(BYE)));
    assert!(matches!(bench.next().await, Input::FlowFailed { flow } if flow == server));
    // A request that begins a dialog goes where it is sent to, or nowhere.
    assert!(bench.tcp.send(gone, Bytes::from_static(INVITE)));
    assert!(matches!(bench.next().await, Input::FlowFailed { flow } if flow == gone));
    // A phone's neighbour behind the same address is somebody else.
    bench.tcp.0.trunks.set(Vec::new());
    assert!(bench.tcp.send(gone, Bytes::from_static(BYE)));
    assert!(matches!(bench.next().await, Input::FlowFailed { flow } if flow == gone));
}

#[tokio::test]
async fn a_peer_that_answers_keep_alives_and_falls_silent_has_lost_its_flow() {
    let limits = Limits { keep_alive: Duration::from_millis(20), pong: Duration::from_millis(200), ..LIMITS };
    let bench = bench(limits, trunk("sbc.example.cn", None)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = bench.flow(listener.local_addr().unwrap());
    assert!(bench.tcp.send(flow, Bytes::from_static(INVITE)));
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut taken = vec![0; INVITE.len()];
    peer.read_exact(&mut taken).await.unwrap();
    let mut ping = [0; 4];
    for _ in 0..3 {
        peer.read_exact(&mut ping).await.unwrap();
        assert_eq!(&ping, b"\r\n\r\n");
    }
    assert_eq!(bench.tcp.connections(), 1, "nobody must answer them");
    // One answer by itself may be anything: it binds nobody.
    peer.write_all(b"\r\n").await.unwrap();
    for _ in 0..4 {
        peer.read_exact(&mut ping).await.unwrap();
    }
    assert_eq!(bench.tcp.connections(), 1, "it was no answer to two in a row");
    for _ in 0..2 {
        peer.write_all(b"\r\n").await.unwrap();
        peer.read_exact(&mut ping).await.unwrap();
    }
    peer.write_all(OPTIONS).await.unwrap();
    assert_eq!(bench.next_message().await.1, OPTIONS, "the answer leaves the stream as it was");
    assert!(matches!(bench.next().await, Input::FlowFailed { flow: gone } if gone == flow));
}
