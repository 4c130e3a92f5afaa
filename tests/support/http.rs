use super::PATIENCE;
use hotline::io::http::schemas;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// A ticket backend: takes what is posted to it.
pub struct Backend {
    pub address: SocketAddr,
    status: Arc<AtomicU16>,
    posts: Receiver<Post>,
}

/// Names in lower case.
type Headers = Vec<(String, String)>;

/// One request, with the status that it was answered with.
#[derive(Clone, Debug)]
pub struct Post {
    headers: Headers,
    /// As it was signed; looked into by the tests of the feed.
    #[allow(dead_code)]
    pub body: Vec<u8>,
    pub event: Value,
    pub status: u16,
}

impl Backend {
    pub fn start(address: SocketAddr) -> Backend {
        let listener = TcpListener::bind(address).unwrap();
        let status = Arc::new(AtomicU16::new(200));
        let (sender, posts) = channel();
        let says = status.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (sender, says) = (sender.clone(), says.clone());
                thread::spawn(move || serve(stream, &sender, &says));
            }
        });
        Backend { address, status, posts }
    }

    /// Answers every request from now on with this.
    pub fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// The next post of this type of event.
    pub fn next(&self, kind: &str) -> Post {
        loop {
            let post = self.posts.recv_timeout(PATIENCE);
            let post = post.unwrap_or_else(|_| panic!("no {kind} was posted"));
            let faults = schemas::EVENT.faults(&post.event);
            assert!(faults.is_empty(), "{faults:#?} in {:#}", post.event);
            if post.event["type"] == kind {
                return post;
            }
        }
    }

    /// All that was posted and not looked at yet.
    pub fn rest(&self) -> Vec<Post> {
        self.posts.try_iter().collect()
    }
}

impl Post {
    /// By its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn serve(stream: TcpStream, posts: &Sender<Post>, status: &AtomicU16) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (headers, body) = read_request(&mut reader)?;
        let status = status.load(Ordering::SeqCst);
        if let Ok(event) = serde_json::from_slice(&body) {
            posts.send(Post { headers, body, event, status }).ok()?;
        }
        write!(writer, "HTTP/1.1 {status} so\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(Headers, Vec<u8>)> {
    let mut headers = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 && !line.trim().is_empty() {
        if let Some((name, value)) = line.trim().split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
        line.clear();
    }
    let (_, length) = headers.iter().find(|(name, _)| name == "content-length")?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((headers, body))
}

/// Status and body of a GET; none when nobody listens.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    send(address, "GET", path, "", "")
}

/// A figure that has no labels.
pub fn metric(address: SocketAddr, name: &str) -> u64 {
    let (status, text) = get(address, "/metrics").unwrap();
    assert_eq!(status, 200);
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("hotline_{name} ")));
    line.unwrap_or_else(|| panic!("no metric {name} in\n{text}")).parse().unwrap()
}

/// Status, head and body of a GET, whatever the body is made of.
pub fn fetch(address: SocketAddr, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, answer[end + 4..].to_vec())
}

/// Status and body of any request; `headers` are whole lines.
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    write!(stream, "{head}{headers}\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_string()))
}
