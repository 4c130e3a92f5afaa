//! A DNS server that answers as a table says: records, nothing, or silence.

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, SRV};
use hickory_proto::rr::{Name, RData, Record};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Clone, Default)]
pub struct Dns(Arc<Shared>);

#[derive(Default)]
struct Shared {
    address: Mutex<Option<SocketAddr>>,
    /// By name with its last dot: how long they hold, and the records.
    records: Mutex<BTreeMap<String, (u32, Vec<RData>)>>,
    silent: AtomicBool,
    asked: AtomicUsize,
}

impl Dns {
    pub fn start() -> Dns {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let dns = Dns::default();
        *dns.0.address.lock().unwrap() = Some(socket.local_addr().unwrap());
        let serving = dns.clone();
        thread::spawn(move || serving.serve(&socket));
        dns
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address.lock().unwrap().unwrap()
    }

    /// Counts the questions that have come.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }

    pub fn is_silent(&self, silent: bool) {
        self.0.silent.store(silent, Ordering::Relaxed);
    }

    /// Priority, weight, port and host of each.
    pub fn services(&self, name: &str, ttl: u32, services: &[(u16, u16, u16, &str)]) {
        let data = services.iter().map(|(priority, weight, port, host)| {
            RData::SRV(SRV::new(*priority, *weight, *port, Name::from_ascii(format!("{host}.")).unwrap()))
        });
        self.put(name, ttl, data.collect());
    }

    pub fn host(&self, name: &str, ttl: u32, at: Ipv4Addr) {
        self.put(name, ttl, vec![RData::A(A(at))]);
    }

    fn put(&self, name: &str, ttl: u32, data: Vec<RData>) {
        self.0.records.lock().unwrap().insert(format!("{name}."), (ttl, data));
    }

    fn serve(&self, socket: &UdpSocket) {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let Ok(mut message) = Message::from_vec(&buffer[..length]) else { continue };
            self.0.asked.fetch_add(1, Ordering::Relaxed);
            if self.0.silent.load(Ordering::Relaxed) {
                continue;
            }
            message.metadata.message_type = MessageType::Response;
            let query = message.queries[0].clone();
            let known = self.0.records.lock().unwrap().get(&query.name().to_ascii().to_ascii_lowercase()).cloned();
            match known {
                None => message.metadata.response_code = ResponseCode::NXDomain,
                Some((ttl, data)) => {
                    let own = data.into_iter().filter(|data| data.record_type() == query.query_type());
                    let records: Vec<Record> = own.map(|data| Record::from_rdata(query.name().clone(), ttl, data)).collect();
                    message.add_answers(records);
                }
            }
            let _ = socket.send_to(&message.to_vec().unwrap(), from);
        }
    }
}
