//! Servers of the DNS that answer as a table says, or do not.

use super::ask::View;
use super::cache::RECHECK;
use super::wire;
use super::{Kind, Question};
use crate::base::{Rng, Target, Transport};
use crate::io::clock;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::Instant;

type Table = fn(&str, RecordType) -> Option<Vec<RData>>;

/// A server's ways.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Honest,
    Silent,
    Refuses,
    /// Sends somebody else's answer first.
    Confused,
    /// Says little by UDP.
    Short,
    /// Says nothing about what it does not know.
    Reserved,
    /// Knows no EDNS, and says so or says nothing.
    Old,
    Shy,
    /// Its answers hold for a second.
    Brief,
}

struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    /// It loses whatever comes.
    away: Arc<AtomicBool>,
}

fn answer(query: &Message, table: Table, way: Way) -> Option<Message> {
    let asked = query.queries[0].clone();
    let mut message = query.clone();
    message.metadata.message_type = MessageType::Response;
    let ttl = if way == Way::Brief { 1 } else { 60 };
    let records = table(&asked.name().to_ascii(), asked.query_type());
    match (records, way) {
        (_, Way::Old) if query.edns.is_some() => {
            (message.metadata.response_code, message.edns) = (ResponseCode::FormErr, None);
            message.queries.clear();
        }
        (_, Way::Shy) if query.edns.is_some() => return None,
        (_, Way::Refuses) => message.metadata.response_code = ResponseCode::Refused,
        (None, Way::Reserved) => return None,
        (None, _) => message.metadata.response_code = ResponseCode::NXDomain,
        (Some(all), _) => {
            message.add_answers(all.into_iter().map(|data| Record::from_rdata(asked.name().clone(), ttl, data)));
        }
    }
    Some(message)
}

async fn server(table: Table, way: Way) -> Server {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let (address, asked) = (udp.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let (counted, away) = (asked.clone(), Arc::new(AtomicBool::new(false)));
    let lost = away.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        loop {
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let silent = way == Way::Silent || lost.load(Ordering::Relaxed);
            let Some(mut told) = answer(&query, table, way).filter(|_| !silent) else { continue };
            if way == Way::Confused {
                let mut other = told.clone();
                other.metadata.id = other.metadata.id.wrapping_add(1);
                udp.send_to(&other.to_vec().unwrap(), from).await.unwrap();
                udp.send_to(b"nonsense", from).await.unwrap();
            }
            if way == Way::Short {
                told.metadata.truncation = true;
                told.answers.clear();
            }
            udp.send_to(&told.to_vec().unwrap(), from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            let told = answer(&Message::from_vec(&query).unwrap(), table, way).unwrap().to_vec().unwrap();
            stream.write_u16(told.len() as u16).await.unwrap();
            stream.write_all(&told).await.unwrap();
        }
    });
    Server { address, asked, away }
}

fn zone(name: &str, kind: RecordType) -> Option<Vec<RData>> {
    let srv = |priority, port, host: &str| RData::SRV(SRV::new(priority, 0, port, Name::from_ascii(host).unwrap()));
    match (name, kind) {
        ("_sip._udp.example.cn.", RecordType::SRV) => Some(vec![srv(2, 5062, "b.example.cn."), srv(1, 5061, "a.example.cn.")]),
        ("a.example.cn.", RecordType::A) => Some(vec![RData::A(A::new(192, 0, 2, 1))]),
        ("b.example.cn.", RecordType::A) => Some(vec![RData::A(A::new(192, 0, 2, 2))]),
        _ => None,
    }
}

async fn resolved(view: &Arc<View>, place: &str) -> Vec<String> {
    let target = Target { transport: Transport::Udp, place: place.parse().unwrap() };
    view.hops(&target, true).await.iter().map(|hop| hop.address.to_string()).collect()
}

/// By what is kept, and whether the servers are to be asked behind.
fn known(view: &View, place: &str) -> Option<(Vec<String>, bool)> {
    let target = Target { transport: Transport::Udp, place: place.parse().unwrap() };
    let (hops, old) = view.known(clock::mono(), &target)?;
    Some((hops.iter().map(|hop| hop.address.to_string()).collect(), old))
}

fn view(servers: &[&Server]) -> Arc<View> {
    view_with(servers, RECHECK)
}

fn view_with(servers: &[&Server], recheck: Duration) -> Arc<View> {
    let mut view = View::new(servers.iter().map(|server| server.address).collect(), Rng::from_number(1));
    view.recheck = recheck;
    Arc::new(view)
}

const BOTH: [&str; 2] = ["192.0.2.1:5061", "192.0.2.2:5062"];

#[tokio::test]
async fn a_domain_comes_to_its_servers_in_order_and_is_not_asked_for_again() {
    for way in [Way::Honest, Way::Confused, Way::Short, Way::Old] {
        let server = server(zone, way).await;
        let view = view(&[&server]);
        assert_eq!(resolved(&view, "example.cn").await, BOTH);
        let asked = server.asked.load(Ordering::Relaxed);
        assert_eq!(resolved(&view, "EXAMPLE.cn").await, BOTH);
        assert_eq!(server.asked.load(Ordering::Relaxed), asked);
        assert_eq!(resolved(&view, "nothing.example.cn:5060").await, [""; 0]);
    }
}

#[tokio::test]
async fn a_server_that_is_silent_or_refuses_leaves_it_to_the_next_and_comes_last() {
    for way in [Way::Silent, Way::Refuses] {
        let (bad, good) = (server(zone, way).await, server(zone, Way::Honest).await);
        let view = view(&[&bad, &good]);
        assert_eq!(resolved(&view, "a.example.cn:5060").await, ["192.0.2.1:5060"]);
        let asked = bad.asked.load(Ordering::Relaxed);
        assert_eq!(resolved(&view, "b.example.cn:5060").await, ["192.0.2.2:5060"]);
        assert_eq!(bad.asked.load(Ordering::Relaxed) == asked, way == Way::Silent, "one that speaks is asked first again");
        assert!(!view.is_down());
    }
}

#[tokio::test]
async fn a_server_that_is_silent_about_what_it_does_not_know_delays_one_call() {
    let server = server(zone, Way::Reserved).await;
    let view = view(&[&server]);
    let begun = Instant::now();
    assert_eq!(resolved(&view, "example.cn").await, BOTH, "it is silent about NAPTR and AAAA");
    assert!(begun.elapsed().as_millis() < 2600, "each question has its own time: {:?}", begun.elapsed());
    let asked = server.asked.load(Ordering::Relaxed);
    assert_eq!(known(&view, "example.cn"), Some((BOTH.map(str::to_owned).to_vec(), false)));
    assert_eq!(server.asked.load(Ordering::Relaxed), asked);
    assert!(!view.is_down());
}

#[tokio::test]
async fn a_host_between_that_lets_no_edns_through_is_asked_without() {
    let server = server(zone, Way::Shy).await;
    assert_eq!(resolved(&view(&[&server]), "a.example.cn:5060").await, ["192.0.2.1:5060"]);
}

#[tokio::test]
async fn lost_datagrams_on_a_cold_cache_cost_one_lookup_and_no_five_minutes() {
    let server = server(zone, Way::Honest).await;
    let view = view(&[&server]);
    server.away.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    assert_eq!(resolved(&view, "example.cn").await, [""; 0]);
    assert!(begun.elapsed().as_millis() < 4000, "{:?}", begun.elapsed());
    assert!(view.is_down() && view.counts().failed.load(Ordering::Relaxed) >= 4);
    // The next call finds the DNS well again: whatever may give an address is asked.
    server.away.store(false, Ordering::Relaxed);
    assert_eq!(known(&view, "example.cn"), None);
    assert_eq!(resolved(&view, "example.cn").await, BOTH);
    assert!(!view.is_down());
}

#[tokio::test]
async fn what_was_known_serves_at_once_and_is_asked_for_behind() {
    let server = server(zone, Way::Brief).await;
    let view = view_with(&[&server], Duration::from_secs(3));
    let there = vec!["192.0.2.1:5060".to_owned()];
    assert_eq!(resolved(&view, "a.example.cn:5060").await, there);
    server.away.store(true, Ordering::Relaxed);
    let until = async |wanted: Option<(Vec<String>, bool)>| {
        let met = async {
            while known(&view, "a.example.cn:5060") != wanted {
                assert_eq!(known(&view, "a.example.cn:5060").unwrap().0, there, "no call waits");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), met).await.unwrap();
    };
    until(Some((there.clone(), true))).await;
    assert_eq!((view.counts().stale.load(Ordering::Relaxed), view.is_down()), (0, false));
    assert_eq!(resolved(&view, "a.example.cn:5060").await, there, "whoever asks behind");
    assert!(view.is_down());
    assert_eq!(known(&view, "a.example.cn:5060"), Some((there.clone(), false)), "for a while nobody asks again");
    assert!(view.counts().stale.load(Ordering::Relaxed) > 0);
    until(Some((there.clone(), true))).await;
    server.away.store(false, Ordering::Relaxed);
    assert_eq!(resolved(&view, "a.example.cn:5060").await, there);
    assert!(!view.is_down());
}

#[test]
fn a_question_has_a_name_of_the_dns() {
    assert!(wire::question(1, &Question::new("sbc.example.cn", Kind::Srv), true).is_some());
    assert!(wire::question(1, &Question::new(&"a".repeat(300), Kind::A), true).is_none());
}
