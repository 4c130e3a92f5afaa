//! Recordings over HTTP: for whom they open, in which parts, and what is noted of it.

use super::*;
use crate::base::{CallId, Rng, Wall};
use crate::io::config::{Config, SealingKey};
use crate::io::recorder::store::WAV;
use axum::http::header::HeaderMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

struct Bench {
    state: ApiState,
    address: SocketAddr,
    folder: TempDir,
    call: CallId,
}

impl Bench {
    /// With one recording, of a thousand bytes.
    async fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.node.state = folder.path().to_owned();
        config.http.public_url = "http://a.example".to_owned();
        (config.recording.link_key, config.recording.link_days) = ("links".to_owned(), 1);
        let key = SealingKey { secret: "01".repeat(32), ..SealingKey::default() };
        config.records.keys.insert("links".to_owned(), key);
        let (mut state, outlet) = desk_of(&one_for_each_role());
        std::mem::forget(outlet);
        state.recordings = Arc::new(RecordingStore::of(&config).unwrap());
        state.audit = Arc::new(Audit::of(&config.node.state));
        let call = CallId::new(Wall(1_638_316_800_000_000), &mut Rng::from_number(1));
        let path = state.recordings.file(call, WAV).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes()).unwrap();
        let address = serve(&state).await;
        Bench { state, address, folder, call }
    }

    /// Status, headers and body.
    async fn get(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = reqwest::Client::new().request(method.parse().unwrap(), format!("http://{}{path}", self.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.headers().clone(), response.bytes().await.unwrap().to_vec())
    }

    async fn status(&self, path: &str) -> u16 {
        self.get("GET", path, &[]).await.0
    }

    fn path(&self) -> String {
        format!("/api/v1/recordings/{}", self.call)
    }

    /// A link of that moment.
    fn link(&self, made: Wall) -> String {
        self.state.recordings.link(self.call, made).unwrap().replace("http://a.example", "")
    }

    fn audit(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    /// Reads from the audit who listened to what, so far.
    fn noted(&self) -> Vec<String> {
        let text = fs::read_to_string(self.audit()).unwrap_or_default();
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["did"], "recording");
            format!("{} {}", line["who"].as_str().unwrap(), line["what"].as_str().unwrap())
        };
        text.lines().map(line).collect()
    }
}

fn bytes() -> Vec<u8> {
    (0..1000u32).map(|n| n as u8).collect()
}

#[tokio::test]
async fn a_listener_gets_all_or_a_part_and_each_time_is_noted_first() {
    let bench = Bench::new().await;
    let token = format!("Bearer {}", secret(Role::Listener));
    let token = ("authorization", token.as_str());
    let (status, headers, body) = bench.get("GET", &bench.path(), &[token]).await;
    assert_eq!(
        (status, &headers["content-type"], &headers["content-length"], body),
        (200, &"audio/wav".parse().unwrap(), &"1000".parse().unwrap(), bytes())
    );
    assert!(headers["accept-ranges"] == "bytes" && headers["cache-control"] == "private, no-store");
    let (status, headers, body) = bench.get("GET", &bench.path(), &[token, ("range", "bytes=100-199")]).await;
    assert_eq!((status, body), (206, bytes()[100..200].to_vec()));
    assert_eq!(headers["content-range"], "bytes 100-199/1000");
    let call = bench.call;
    let noted = [format!("listener {call}"), format!("listener {call} bytes 100-199")];
    assert_eq!(bench.noted(), noted);
    let (status, headers, body) = bench.get("HEAD", &bench.path(), &[token]).await;
    assert_eq!((status, headers["content-length"].to_str().unwrap(), body.len()), (200, "1000", 0));
    let (status, headers, _) = bench.get("GET", &bench.path(), &[token, ("range", "bytes=1000-")]).await;
    assert_eq!((status, headers["content-range"].to_str().unwrap()), (416, "bytes */1000"));
    assert_eq!(bench.noted(), noted, "nothing was heard");
}

#[tokio::test]
async fn a_link_opens_its_own_recording_until_its_time_is_over() {
    let bench = Bench::new().await;
    let now = clock::now().wall;
    let link = bench.link(now);
    let (status, _, body) = bench.get("GET", &link, &[]).await;
    assert_eq!((status, body), (200, bytes()));
    let day = 86_400_000_000;
    assert_eq!(bench.status(&bench.link(Wall(now.0 - day + 60_000_000))).await, 200);
    assert_eq!(bench.noted().len(), 2);
    let another = CallId::new(now, &mut Rng::from_number(2)).to_string();
    let forged = [
        bench.link(Wall(now.0 - day - 1_000_000)),
        link.replace("expires=1", "expires=2"),
        link.replace(&bench.call.to_string(), &another),
        format!("{}?signature=", bench.path()),
        format!("{}?expires=99999999999&signature={}", bench.path(), "0".repeat(64)),
    ];
    for link in forged {
        let (status, _, body) = bench.get("GET", &link, &[]).await;
        assert_eq!(status, 403, "{link}: {}", String::from_utf8_lossy(&body));
    }
    assert_eq!((bench.status(&bench.path()).await, bench.noted().len()), (401, 2));
    let stale = bench.link(Wall(now.0 - 2 * day));
    for (role, expected) in [(Role::Listener, 200), (Role::Admin, 403)] {
        let token = format!("Bearer {}", secret(role));
        assert_eq!(bench.get("GET", &stale, &[("authorization", &token)]).await.0, expected, "{role:?}");
    }
    assert!(bench.noted().last().unwrap().starts_with("listener "), "a token does without its link");
}

#[tokio::test]
async fn what_cannot_be_noted_is_not_heard() {
    let bench = Bench::new().await;
    fs::create_dir(bench.audit()).unwrap();
    let (status, _, body) = bench.get("GET", &bench.link(clock::now().wall), &[]).await;
    assert_eq!(status, 503);
    assert!(String::from_utf8_lossy(&body).contains("cannot be noted"));
}

#[tokio::test]
async fn nothing_but_recordings_is_found() {
    let bench = Bench::new().await;
    let token = format!("Bearer {}", secret(Role::Listener));
    for (id, expected) in [
        ("..%2f..%2f..%2fetc%2fpasswd", 400),
        ("../audit.log", 404),
        ("2021-12-01", 400),
        ("9d3a4e1c-52f6-4b0c-8f62-0c7f5c1f7e11", 404),
        ("0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80", 404),
    ] {
        let path = format!("/api/v1/recordings/{id}");
        assert_eq!(bench.get("GET", &path, &[("authorization", &token)]).await.0, expected, "{id}");
    }
    assert!(bench.noted().is_empty());
}

/// Whatever else has come to stand in a recording's place is not read, and nobody waits for it.
#[tokio::test]
async fn a_folder_or_a_pipe_is_no_recording() {
    let bench = Bench::new().await;
    let path = bench.state.recordings.file(bench.call, WAV).unwrap();
    let token = format!("Bearer {}", secret(Role::Listener));
    let stands = |make: &dyn Fn()| {
        let _ = fs::remove_file(&path);
        make();
    };
    let makes: [&dyn Fn(); 4] = [
        &|| nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        &|| std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
        &|| std::os::unix::fs::symlink("nowhere", &path).unwrap(),
        &|| fs::create_dir(&path).unwrap(),
    ];
    for make in makes {
        stands(make);
        let (path, headers) = (bench.path(), [("authorization", token.as_str())]);
        let answer = bench.get("GET", &path, &headers);
        let (status, _, body) = tokio::time::timeout(Duration::from_secs(60), answer).await.expect("an answer");
        assert!(status == 404 || status == 503, "{status}: {}", String::from_utf8_lossy(&body));
    }
    assert!(bench.noted().is_empty());
}
