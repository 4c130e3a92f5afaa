use crate::support::{free_port, pass};
use std::fmt;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The proxy before the ticket system treats requests and answers by its mood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// The answer comes later than the gateway waits.
    Slow,
    /// The request arrives and is answered; the answer is lost.
    Cut,
    /// 503 for everything.
    Refuse,
    /// 200 and a page for everything.
    Babble,
    /// Every second connection is well, the others are something else in turn.
    Changing,
}

/// Never so much trouble in a row that the gateway leaves it alone.
const CHANGES: [Mood; 8] = [Mood::Well, Mood::Slow, Mood::Well, Mood::Cut, Mood::Well, Mood::Refuse, Mood::Well, Mood::Babble];

pub struct Proxy {
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    served: Arc<Mutex<Vec<Mood>>>,
}

impl Proxy {
    pub fn start(to: u16) -> Proxy {
        let proxy = Proxy { port: free_port().port(), mood: Arc::new(Mutex::new(Mood::Well)), served: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", proxy.port)).unwrap();
        let (mood, served) = (proxy.mood.clone(), proxy.served.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut served = served.lock().unwrap();
                let mood = match *mood.lock().unwrap() {
                    Mood::Changing => CHANGES[served.len() % CHANGES.len()],
                    mood => mood,
                };
                served.push(mood);
                thread::spawn(move || serve(client, to, mood));
            }
        });
        proxy
    }

    /// From the next connection on.
    pub fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served = self.served.lock().unwrap();
        for mood in [Mood::Well, Mood::Slow, Mood::Cut, Mood::Refuse, Mood::Babble] {
            write!(f, "{mood:?} {} ", served.iter().filter(|served| **served == mood).count())?;
        }
        Ok(())
    }
}

/// One connection; Request Tracker closes each after its answer.
fn serve(mut client: TcpStream, to: u16, mood: Mood) -> Option<()> {
    let says = match mood {
        Mood::Refuse => Some("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        Mood::Babble => Some("HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>"),
        _ => None,
    };
    if let Some(says) = says {
        let _ = client.read(&mut [0; 16_384]);
        return client.write_all(says.as_bytes()).ok();
    }
    let mut server = TcpStream::connect(("127.0.0.1", to)).ok()?;
    let (mut from, mut into) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut into);
        let _ = into.shutdown(Shutdown::Write);
    });
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    match mood {
        Mood::Cut => return None,
        Mood::Slow => pass(5_000),
        _ => {}
    }
    client.write_all(&answer).ok()?;
    client.shutdown(Shutdown::Both).ok()
}
