//! The feed over WebSocket, with a client that is not ours.

use super::*;
use crate::io::http::{Connections, Limits};
use data_encoding::BASE64URL_NOPAD;
use std::net::TcpStream;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response as Agreed;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

type Client = WebSocket<TcpStream>;
/// The headers of a request, one by one.
type Headers<'a> = &'a [(&'static str, &'a str)];

fn dial(address: SocketAddr, path: &str, headers: Headers) -> Result<(Client, Agreed), Error> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    tungstenite::client(request, stream).map_err(|error| match error {
        tungstenite::HandshakeError::Failure(error) => error,
        tungstenite::HandshakeError::Interrupted(_) => panic!("no answer"),
    })
}

fn follow(bench: &Bench, path: &str, role: &str) -> Client {
    let token = format!("Bearer {TOKEN}{role}");
    dial(bench.address, path, &[("authorization", &token)]).unwrap().0
}

fn refused(bench: &Bench, path: &str, headers: Headers) -> (u16, String) {
    match dial(bench.address, path, headers) {
        Err(Error::Http(answer)) => {
            let detail: Value = serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).unwrap_or_default();
            (answer.status().as_u16(), detail["detail"].as_str().unwrap_or_default().to_owned())
        }
        other => panic!("{path}: not refused: {other:?}"),
    }
}

/// Else the answers pile up, as fast as the network is.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_only_pings_and_reads_nothing_takes_no_more_than_a_bound() {
    const PINGS: usize = 400_000;
    let bench = Bench::new().await;
    let answered = tokio::task::spawn_blocking(move || {
        let client = follow(&bench, "/api/v1/events", "feed");
        let mut stream = client.get_ref().try_clone().unwrap();
        let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
        let many = ping.repeat(500);
        for _ in 0..PINGS / 500 {
            std::io::Write::write_all(&mut stream, &many).unwrap();
        }
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let (mut answered, mut block) = (0, vec![0; 1 << 20]);
        while let Ok(count) = std::io::Read::read(&mut stream, &mut block)
            && count > 0
        {
            answered += count;
        }
        answered
    });
    let answered = answered.await.unwrap();
    // The bytes that the network holds by itself come on top.
    assert!(answered < PINGS * 127 / 2, "{answered} bytes of {} pings", PINGS);
}

/// (number, event) of the next message; pings are answered and skipped.
fn next(client: &mut Client) -> (u64, Value) {
    loop {
        match client.read().unwrap() {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                return (message["number"].as_u64().unwrap(), message["event"].clone());
            }
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn numbers(client: &mut Client, many: usize) -> Vec<u64> {
    (0..many).map(|_| next(client).0).collect()
}

/// With which code the gateway closes, and the numbers that it told before.
fn closing(client: &mut Client) -> (Vec<u64>, Option<CloseCode>) {
    let mut told = Vec::new();
    loop {
        match client.read() {
            Ok(Message::Text(text)) => told.push(serde_json::from_str::<Value>(&text).unwrap()["number"].as_u64().unwrap()),
            Ok(Message::Close(frame)) => return (told, frame.map(|frame| frame.code)),
            Ok(_) => {}
            Err(_) => return (told, None),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_messages_of_the_lines_that_are_wanted_and_masked() {
    let bench = Bench::new().await;
    let mut all = follow(&bench, "/api/v1/events", "feed");
    let mut some = follow(&bench, "/api/v1/events?lines=12366,12315", "both");
    bench.calls(0..2);
    assert_eq!(numbers(&mut all, 5), [1, 2, 3, 4, 5]);
    let (n, event) = next(&mut all);
    assert_eq!((n, event["type"].as_str(), event["data"]["caller"].as_str()), (6, Some("call.record"), Some("138******00")));
    assert!(crate::io::http::schemas::EVENT.faults(&event).is_empty(), "{event:#}");
    let (n, event) = next(&mut some);
    assert_eq!((n, event["type"].as_str(), event["data"]["caller"].as_str()), (4, Some("call.offered"), Some("13800138000")));
    let noted = std::fs::read_to_string(bench.folder.join("audit.log")).unwrap();
    assert!(noted.contains("\"who\":\"both\"") && noted.lines().count() == 1, "{noted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_tells_the_rest_and_who_comes_back_goes_on_from_there() {
    let bench = Bench::new().await;
    let mut first = follow(&bench, "/api/v1/events?since=0", "feed");
    bench.calls(0..1000);
    assert_eq!(numbers(&mut first, 1500), (1..=1500).collect::<Vec<_>>());
    let bench = bench.restarted().await;
    assert_eq!(closing(&mut first), ((1501..=3000).collect(), Some(CloseCode::Away)));
    bench.calls(1000..1100);
    let mut again = follow(&bench, "/api/v1/events?since=1500", "feed");
    assert_eq!(numbers(&mut again, 1800), (1501..=3300).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_a_browser_gives_its_token_as_a_subprotocol() {
    let bench = Bench::new().await;
    bench.calls(0..1);
    let protocols =
        |role: &str| format!("hotline.events, bearer.{}", BASE64URL_NOPAD.encode(format!("{TOKEN}{role}").as_bytes()));
    let page = |protocols: &str| -> Result<(Client, Agreed), Error> {
        let headers = [("sec-websocket-protocol", protocols), ("origin", "https://orders.example")];
        dial(bench.address, "/api/v1/events?since=0", &headers)
    };
    let (mut client, agreed) = page(&protocols("feed")).unwrap();
    assert_eq!(agreed.headers()["sec-websocket-protocol"], "hotline.events", "the token is not said again");
    assert_eq!(numbers(&mut client, 3), [1, 2, 3]);
    let refused = |protocols: &str| refused(&bench, "/api/v1/events", &[("sec-websocket-protocol", protocols)]);
    assert_eq!(refused(&protocols("viewer")).0, 403);
    assert_eq!(refused(&protocols("nobody")).0, 401);
    assert_eq!(refused("hotline.events").0, 401);
    assert_eq!(refused("hotline.events, bearer.&").0, 401);
    let (status, why) = refused(protocols("feed").trim_start_matches("hotline.events, "));
    assert!(status == 400 && why.contains("the subprotocol is hotline.events"), "{why}");

    // Where nobody needs a token, pages are not let in.
    bench.state.tokens.set(&Http::default()).unwrap();
    assert!(dial(bench.address, "/api/v1/events", &[]).is_ok());
    let origin = [("origin", "https://orders.example")];
    assert_eq!(super::websocket::refused(&bench, "/api/v1/events", &origin).0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_refused_before_switching_over() {
    let mut config = config(tempfile::tempdir().unwrap().keep());
    config.records.feed_keep = 300;
    let bench = Bench::of(config).await;
    bench.calls(0..200);
    bench.fed(600).await;
    let token = format!("Bearer {TOKEN}feed");
    let ask = |path: &str, more: Headers| refused(&bench, path, &[&[("authorization", token.as_str())], more].concat());
    let (status, why) = ask("/api/v1/events?since=5", &[]);
    assert!(status == 410 && why.contains("the oldest event that is kept is 213"), "{why}");
    assert_eq!(ask("/api/v1/events?since=601", &[]).0, 410);
    assert_eq!(ask("/api/v1/events?sinze=1", &[]).0, 400);
    assert_eq!(ask("/api/v1/events", &[("last-event-id", "one")]).0, 400);
    let old = [("authorization", token.as_str()), ("sec-websocket-version", "8")];
    let told = dial(bench.address, "/api/v1/events", &old);
    assert!(
        matches!(told, Err(Error::Http(answer)) if answer.status() == 426 && answer.headers()["sec-websocket-version"] == "13")
    );
    assert_eq!(ask("/api/v1/status", &[]).0, 403, "nothing else is served this way");
    assert_eq!(bench.state.intake.feed.places.taken(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_and_a_close_are_answered_also_while_much_is_told() {
    let bench = Bench::new().await;
    bench.calls(0..1000);
    bench.fed(3000).await;
    let mut client = follow(&bench, "/api/v1/events?since=0", "feed");
    assert_eq!(client.read().unwrap(), Message::Ping("0".into()), "says at once that it lives, and how far it is");
    client.send(Message::Ping("still there?".into())).unwrap();
    let mut before = 0;
    while client.read().unwrap() != Message::Pong("still there?".into()) {
        before += 1;
    }
    assert!(before < 2990, "answered when all was told: after {before}");
    client.close(None).unwrap();
    while client.read().is_ok() {}
    assert!(matches!(client.read(), Err(Error::ConnectionClosed | Error::AlreadyClosed)), "closed in order");
    bench.state.intake.feed.places.deserted().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_talks_to_the_feed_is_told_that_it_does_not_listen() {
    let bench = Bench::new().await;
    for message in [Message::text("{\"subscribe\":\"12345\"}"), Message::binary(vec![0; 1000])] {
        let mut client = follow(&bench, "/api/v1/events", "feed");
        client.send(message).unwrap();
        assert_eq!(closing(&mut client), (Vec::new(), Some(CloseCode::Unsupported)));
    }
    let mut client = follow(&bench, "/api/v1/events", "feed");
    let _ = client.send(Message::binary(vec![0; 1 << 20]));
    assert_eq!(closing(&mut client).1, None, "cut off");
    bench.state.intake.feed.places.deserted().await;
    assert_eq!(bench.state.intake.feed.places.cut_offs(), 0);
}

/// One takes nothing: it is let go when its patience, and all room on the way, is used up; another has everything.
#[tokio::test]
async fn who_takes_nothing_is_let_go_and_holds_up_nobody() {
    let bench = Bench::new().await;
    bench.calls(0..3000);
    bench.fed(9000).await;
    let (address, token) = (bench.address, format!("Bearer {TOKEN}feed"));
    let open = move || dial(address, "/api/v1/events?since=0", &[("authorization", &token)]).unwrap().0;
    let mut stuck = tokio::task::spawn_blocking(open.clone()).await.unwrap();
    let quick = tokio::task::spawn_blocking(move || numbers(&mut open(), 9000)).await.unwrap();
    assert_eq!(quick, (1..=9000).collect::<Vec<_>>());
    tokio::time::pause();
    for _ in 0..1000 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((bench.state.intake.feed.places.taken(), bench.state.intake.feed.places.cut_offs()), (0, 1));
    let (told, code) = tokio::task::spawn_blocking(move || closing(&mut stuck)).await.unwrap();
    assert!(told.len() < 9000 && code.is_none(), "{} told, closed with {code:?}", told.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_among_the_connections_as_long_as_it_lives() {
    let bench = Bench::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections::new(Limits { connections: 1, per_source: 1, porch: 4, timeout: SOON });
    tokio::spawn(connections.clone().serve(
        Arc::new(listener),
        router(bench.state.clone()),
        crate::io::http::health_alone(bench.state.clone()),
    ));
    let token = format!("Bearer {TOKEN}feed");
    let headers = [("authorization", token.as_str())];
    let (mut first, _) = dial(address, "/api/v1/events", &headers).unwrap();
    bench.calls(0..1);
    assert_eq!(numbers(&mut first, 3), [1, 2, 3]);
    assert!(matches!(dial(address, "/api/v1/events", &headers), Err(Error::Http(answer)) if answer.status() == 503));
    drop(first);
    while dial(address, "/api/v1/events", &headers).is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_a_reload_takes_away_ends_what_follows_by_it_before_the_next_event() {
    let bench = Bench::new().await;
    let (mut gone, mut stays) = (follow(&bench, "/api/v1/events", "feed"), follow(&bench, "/api/v1/events", "both"));
    let mut read = bench.follow("/api/v1/events", "feed").await;
    let both = Token { roles: vec![Role::Feed, Role::Unmasked], secret: format!("{TOKEN}both"), ..Token::default() };
    bench.state.tokens.set(&Http { tokens: [("both".to_owned(), both)].into(), ..Http::default() }).unwrap();
    bench.calls(0..1);
    assert_eq!(numbers(&mut stays, 3), [1, 2, 3]);
    assert_eq!(closing(&mut gone), (vec![], Some(CloseCode::Policy)));
    assert_eq!(read.next().await.1, "end");
}
