//! The same over TLS.

use super::*;
use crate::io::net::tls::{self, Identity, Roots};

fn shown(name: &str) -> Arc<Identity> {
    let file =
        |end: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(format!("{name}.{end}"));
    Arc::new(Identity::read(&file("pem"), &file("key")).unwrap())
}

async fn bench_by_tls(identity: &Arc<Identity>) -> Bench {
    let (inbox, outlet) = inbox(64).unwrap();
    let tcp = Tcp::new(inbox, Handle::current(), LIMITS, Arc::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    tcp.listen_by_tls(listener, local, Arc::new(|_| Some(Guest::Known)), identity.server(None).unwrap());
    Bench { tcp, outlet, local }
}

async fn connect_by_tls(bench: &Bench, trusted: &str) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/support/tls/{trusted}.pem"));
    let config = Arc::new(tls::client(Roots::File(&root)).unwrap());
    let stream = TcpStream::connect(bench.local).await.unwrap();
    tokio_rustls::TlsConnector::from(config).connect("127.0.0.1".try_into().unwrap(), stream).await
}

#[tokio::test]
async fn by_tls_a_request_comes_in_and_its_response_and_pong_leave_by_the_same_connection() {
    let bench = bench_by_tls(&shown("first")).await;
    let mut peer = connect_by_tls(&bench, "first").await.unwrap();
    peer.write_all(OPTIONS).await.unwrap();
    let (flow, data) = bench.next_message().await;
    let expected = Flow { proto: Proto::Tls, ..bench.flow(peer.get_ref().0.local_addr().unwrap()) };
    assert_eq!((flow, &data[..]), (expected, OPTIONS));
    assert!(bench.tcp.send(flow, Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n")));
    let mut answer = [0; 18];
    peer.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"SIP/2.0 200 OK\r\n\r\n");
    peer.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    peer.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\r\n");
    drop(peer);
    assert!(matches!(bench.next().await, Input::FlowFailed { flow: gone } if gone == flow));
    assert!(!bench.tcp.send(flow, Bytes::from_static(b"OPTIONS sip:a@h SIP/2.0\r\n\r\n")), "nobody is connected to by TLS");
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_the_next_peer_and_who_speaks_no_tls_is_cut_off() {
    let identity = shown("first");
    let bench = bench_by_tls(&identity).await;
    let mut before = connect_by_tls(&bench, "first").await.unwrap();
    identity.replace(Arc::into_inner(shown("second")).unwrap());
    assert!(connect_by_tls(&bench, "first").await.is_err(), "its certificate is another now");
    connect_by_tls(&bench, "second").await.unwrap();
    before.write_all(OPTIONS).await.unwrap();
    while !matches!(bench.next().await, Input::Sip { .. }) {}
    let mut plain = TcpStream::connect(bench.local).await.unwrap();
    plain.write_all(OPTIONS).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(5), plain.read_to_end(&mut rest)).await.unwrap();
    assert!(!rest.starts_with(b"SIP/2.0"));
}
