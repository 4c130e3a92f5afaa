//! A carrier's registrar that challenges each REGISTER and remembers all that it took.

use super::message::Message;
use super::{PATIENCE, wait_for};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

pub struct Registry {
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// A REGISTER that was signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub number: String,
    /// The name in its Authorization.
    pub user: String,
    pub expires: String,
}

impl Registry {
    /// It ends when it has heard nothing for a while, or with the test's process.
    pub fn start(ip: Ipv4Addr, port: u16) -> Registry {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (socket, all) = (UdpSocket::bind((ip, port)).unwrap(), taken.clone());
        socket.set_read_timeout(Some(PATIENCE * 4)).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 65_535];
            while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                let message = Message::new(&String::from_utf8_lossy(&buffer[..n]));
                if message.is_request("REGISTER") {
                    let answer = register(&message, &all);
                    socket.send_to(answer.as_bytes(), from).unwrap();
                }
            }
        });
        Registry { taken }
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// The numbers that are registered, each with the name in its last REGISTER.
    pub fn bindings(&self) -> BTreeMap<String, String> {
        let mut bindings = BTreeMap::new();
        for Taken { number, user, expires } in self.taken() {
            match expires.as_str() {
                "0" => bindings.remove(&number),
                _ => bindings.insert(number, user),
            };
        }
        bindings
    }

    /// Until these numbers are registered by these names, and no others.
    pub fn wait(&self, numbers: &[(&str, &str)]) {
        let wanted = numbers.iter().map(|(number, user)| (number.to_string(), user.to_string())).collect();
        wait_for(&format!("{numbers:?} to be registered"), || (self.bindings() == wanted).then_some(()));
    }
}

fn register(message: &Message, taken: &Mutex<Vec<Taken>>) -> String {
    let same: String =
        ["Via", "From", "Call-ID", "CSeq"].iter().map(|name| format!("{name}: {}\r\n", message.header(name))).collect();
    let reply = |status: &str, more: &str| {
        format!("SIP/2.0 {status}\r\n{same}To: {};tag=r\r\n{more}Content-Length: 0\r\n\r\n", message.header("To"))
    };
    let proof = message.headers("Authorization").concat();
    if proof.is_empty() {
        return reply("401 Prove It", "WWW-Authenticate: Digest realm=\"ims.invalid\", nonce=\"1\", qop=\"auth\"\r\n");
    }
    let part = |text: &str, from: &str, to: char| -> String {
        text.split(from).nth(1).and_then(|rest| rest.split(to).next()).unwrap_or_default().to_string()
    };
    let (number, user) = (part(message.header("To"), "sip:", '@'), part(&proof, "username=\"", '"'));
    let one = Taken { number, user, expires: message.header("Expires").to_string() };
    let mut taken = taken.lock().unwrap();
    if taken.last() != Some(&one) {
        taken.push(one);
    }
    reply("200 OK", &format!("Contact: {}\r\n", message.header("Contact")))
}
