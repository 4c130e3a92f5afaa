//! The interface by TLS, over real connections.

use super::serve::{Connections, Limits};
use super::tests::state;
use super::{health_alone, router};
use crate::io::net::tls::{self, Identity, Roots};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(name)
}

fn identity(name: &str) -> Identity {
    Identity::read(&file(&format!("{name}.pem")), &file(&format!("{name}.key"))).unwrap()
}

async fn open(timeout: Duration) -> (SocketAddr, Arc<Identity>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shown) = (listener.local_addr().unwrap(), Arc::new(identity("first")));
    let connections =
        Connections::new(Limits { connections: 8, per_source: 8, porch: 8, timeout }).by_tls(shown.server(None).unwrap());
    tokio::spawn(connections.serve(Arc::new(listener), router(state()), health_alone(state())));
    (address, shown)
}

/// The status that a client gets who trusts this certificate; none: it does not speak to this server.
async fn status(address: SocketAddr, trusted: &str) -> Option<u16> {
    let tls = tls::client(Roots::File(&file(&format!("{trusted}.pem")))).unwrap();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
    client.get(format!("https://{address}/healthz")).send().await.ok().map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn who_trusts_the_certificate_is_served_and_a_reload_shows_another_one() {
    let (address, shown) = open(Duration::from_secs(60)).await;
    assert_eq!((status(address, "first").await, status(address, "second").await), (Some(200), None));
    shown.replace(identity("second"));
    assert_eq!((status(address, "first").await, status(address, "second").await), (None, Some(200)));
}

#[tokio::test]
async fn a_client_that_shakes_no_hands_is_let_go() {
    let (address, _shown) = open(Duration::from_millis(300)).await;
    for words in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The end of the connection may come as a reset.
        let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok() && !answer.starts_with(b"HTTP"), "{words}");
    }
}
