//! A running gateway, asked over its HTTP interface.

use super::ConfigFile;
use crate::base::{Shown, Text, Tongue};
use crate::io::config::Http;
use crate::io::net::tls::{self, Roots};
use crate::io::process::files;
use clap::Args;
use reqwest::header::ACCEPT_LANGUAGE;
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Longer than the gateway waits for its switch.
const PATIENCE: Duration = Duration::from_secs(10);
const TOKEN: &str = "HOTLINE_TOKEN";
/// A stream says more often than this that it lives.
const QUIET: Duration = Duration::from_secs(45);
/// Before a stream that broke off is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// An event is no longer.
const LONGEST_EVENT: usize = 1 << 20;

#[derive(Args)]
pub struct Api {
    #[command(flatten)]
    config: ConfigFile,
    /// Where the gateway's HTTP interface is; by default at the configuration's http.listen
    ///
    /// 网关 HTTP 接口的地址，缺省为配置的 http.listen
    #[arg(long, value_name = "URL", global = true)]
    url: Option<String>,
    #[command(flatten)]
    token: Token,
}

/// A running gateway, and the form in which its answers are printed.
#[derive(Args)]
pub struct Answers {
    #[command(flatten)]
    api: Api,
    /// The gateway's answer as it is
    ///
    /// 原样输出网关的回答（JSON）
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Args)]
pub struct Unmasked {
    /// Shows callers' numbers in full; needs the role `unmasked`, and is noted in the gateway's audit log
    ///
    /// 显示完整主叫号码；需要角色 `unmasked`，并记入审计日志
    #[arg(long, global = true)]
    unmasked: bool,
}

#[derive(Args)]
pub struct Token {
    /// A file whose first line is a token of [http.tokens]; by default the token is that of the variable HOTLINE_TOKEN
    ///
    /// 首行为 [http.tokens] 令牌的文件；缺省用环境变量 HOTLINE_TOKEN
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
}

/// News of a stream that is followed.
pub enum Follow {
    Begun,
    Event(Value),
    /// It broke off, and is asked for again.
    Lost(Text),
}

/// Asks one gateway, one thing after another.
pub struct Client {
    http: reqwest::Client,
    runtime: Runtime,
    base: String,
    token: Option<String>,
}

impl Api {
    pub fn open(&self) -> Result<Client, Text> {
        if let Some(url) = &self.url {
            return self.token.open(url);
        }
        let http = self.config.load()?.http;
        self.token.open_at(http.listen, &http)
    }
}

impl Answers {
    pub fn open(&self) -> Result<Client, Text> {
        self.api.open()
    }

    /// Prints the answer as JSON where that is wanted, and else for people.
    pub fn show(&self, answer: &Value, print: impl FnOnce(&Value)) {
        if self.json { say_json!("{answer:#}") } else { print(answer) }
    }
}

impl Unmasked {
    /// The query of a path that gives numbers.
    pub fn query(&self) -> &'static str {
        if self.unmasked { "?unmasked=true" } else { "" }
    }
}

impl Token {
    /// With this token at the gateway there.
    pub fn open(&self, url: &str) -> Result<Client, Text> {
        self.open_trusting(url, if url.starts_with("http://") { Roots::Nobody } else { Roots::System })
    }

    /// At the gateway of this machine that listens there, by TLS where it shows a certificate: the one that we trust then.
    pub fn open_at(&self, listen: SocketAddr, http: &Http) -> Result<Client, Text> {
        let at = reachable(listen);
        match http.certificate.as_os_str().is_empty() {
            true => self.open_trusting(&format!("http://{at}"), Roots::Nobody),
            false => self.open_trusting(&format!("https://{at}"), Roots::File(&http.certificate)),
        }
    }

    fn open_trusting(&self, url: &str, roots: Roots<'_>) -> Result<Client, Text> {
        let base = url.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
        let http = http
            .tls_backend_preconfigured(tls::client(roots)?)
            .build()
            .map_err(|e| both!("cannot prepare a request: {e}", "无法准备请求：{e}"))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| files::told(&e))?;
        Ok(Client { http, runtime, base, token: self.token()? })
    }

    fn token(&self) -> Result<Option<String>, Text> {
        let Some(file) = &self.token_file else { return Ok(std::env::var(TOKEN).ok().filter(|token| !token.is_empty())) };
        let text = files::secret(file).map_err(|why| {
            let name = file.display();
            both!("{name}: {}", "{name}：{}"; why)
        })?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.is_empty() {
            let name = file.display();
            return Err(both!("{name}: its first line is empty: there stands no token", "{name}：首行为空，没有令牌"));
        }
        Ok(Some(token.to_owned()))
    }
}

/// A gateway that listens everywhere listens on loopback too.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

impl Client {
    pub fn get(&self, path: &str) -> Result<Value, Text> {
        self.ask(Method::GET, path, None)
    }

    /// With a query.
    pub fn find(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Text> {
        let url = Url::parse_with_params(&format!("{}{path}", self.base), query);
        let query = url.as_ref().ok().and_then(|url| url.query()).unwrap_or_default();
        self.get(&format!("{path}?{query}"))
    }

    pub fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Text> {
        self.ask(Method::POST, path, body)
    }

    pub fn delete(&self, path: &str) -> Result<Value, Text> {
        self.ask(Method::DELETE, path, None)
    }

    pub fn sleep(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    /// Follows a stream of events (WHATWG HTML §9.2) until the gateway refuses it. One that breaks off goes on after the last
    /// event; the first connection alone must be reached.
    pub fn follow(&self, path: &str, query: &[(&str, String)], mut tell: impl FnMut(Follow)) -> Result<(), Text> {
        let url = Url::parse_with_params(&format!("{}{path}", self.base), query);
        let url = url.map_err(|_| {
            both!("{0} is no address such as http://127.0.0.1:8080", "{0} 不是 http://127.0.0.1:8080 这样的地址", self.base)
        })?;
        let (mut last, mut begun) = (None, false);
        loop {
            let ended = self.runtime.block_on(self.stream(&url, &mut last, &mut begun, &mut tell));
            match ended {
                Ended::Refused(why) => return Err(why),
                Ended::Lost(why) if !begun => return Err(why),
                Ended::Lost(why) => tell(Follow::Lost(why)),
            }
            self.sleep(AGAIN);
        }
    }

    async fn stream(&self, url: &Url, last: &mut Option<String>, begun: &mut bool, tell: &mut impl FnMut(Follow)) -> Ended {
        // The whole may last for ever; a stream that says nothing does not.
        let mut request = self.prepared(Method::GET, url.as_str()).timeout(Duration::from_secs(u32::MAX.into()));
        if let Some(last) = &*last {
            request = request.header("last-event-id", last);
        }
        let mut response = match timeout(PATIENCE, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(e)) => return Ended::Lost(self.unreached(&e)),
            Err(_) => return Ended::Lost(self.silent()),
        };
        let status = response.status();
        if !status.is_success() {
            let problem = response.json().await.unwrap_or_default();
            let why = self.told(status, &problem);
            // A gateway that starts or ends has no time for it yet.
            return if status.is_server_error() { Ended::Lost(why) } else { Ended::Refused(why) };
        }
        if !std::mem::replace(begun, true) {
            tell(Follow::Begun);
        }
        let mut events = Events::default();
        loop {
            match timeout(QUIET, response.chunk()).await {
                Ok(Ok(Some(bytes))) if events.take(&bytes, last, tell) => {}
                Ok(Ok(_)) => return Ended::Lost(both!("the stream has ended", "事件流已结束")),
                Ok(Err(e)) => return Ended::Lost(self.unreached(&e)),
                Err(_) => return Ended::Lost(self.silent()),
            }
        }
    }

    fn silent(&self) -> Text {
        both!("the gateway at {0} says nothing", "{0} 的网关没有应答", self.base)
    }

    /// A request in the reader's language, with the token.
    fn prepared(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.http.request(method, url);
        let request = request.header(ACCEPT_LANGUAGE, if super::tongue() == Tongue::Chinese { "zh" } else { "en" });
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Text> {
        let mut request = self.prepared(method, &format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|e| self.unreached(&e))?;
            let status = response.status();
            let text = response.text().await.map_err(|e| self.unreached(&e))?;
            let answer = serde_json::from_str(&text);
            match answer {
                Ok(answer) if status.is_success() => Ok(answer),
                Ok(problem) => Err(self.told(status, &problem)),
                Err(_) => Err(both!(
                    "{0}: HTTP {status}, and no JSON: is this a gateway's http.listen?",
                    "{0}：HTTP {status}，且不是 JSON：这是网关的 http.listen 吗？",
                    self.base
                )),
            }
        })
    }

    fn unreached(&self, error: &reqwest::Error) -> Text {
        let base = &self.base;
        match error {
            e if e.is_connect() => {
                both!(
                    "no gateway answers at {base}: start one (`hotline run`), or say where with --url or --config",
                    "{base} 没有网关应答：请启动（`hotline run`），或用 --url、--config 指明地址"
                )
            }
            e if e.is_timeout() => both!(
                "the gateway at {base} does not answer in time; see its log and {base}/healthz",
                "{base} 的网关未及时应答，请看其日志和 {base}/healthz"
            ),
            e if e.is_builder() => {
                both!("{base} is no address such as http://127.0.0.1:8080", "{base} 不是 http://127.0.0.1:8080 这样的地址")
            }
            e => both!("{base}: {e}", "{base}：{e}"),
        }
    }

    /// A problem as one or more lines.
    fn told(&self, status: StatusCode, problem: &Value) -> Text {
        let text = |value: &Value| value.as_str().map(Shown::whole);
        let detail = text(&problem["detail"]).unwrap_or_else(|| status.as_str().to_owned());
        let place = |error: &Value| Some(format!("{}: {}", text(&error["pointer"])?, text(&error["detail"])?));
        let error = |error: &Value| text(error).or_else(|| place(error));
        let more = problem["errors"].as_array().into_iter().flatten().filter_map(error).map(|error| format!("\n{error}"));
        let hint = match status {
            StatusCode::UNAUTHORIZED => {
                both!("; give one with --token-file or in {TOKEN}", "；请用 --token-file 或环境变量 {TOKEN} 给出令牌")
            }
            _ => Text::default(),
        };
        Text::foreign(detail).then(&hint).then(&Text::foreign(more.collect::<String>()))
    }
}

enum Ended {
    Refused(Text),
    Lost(Text),
}

/// Server-sent events out of the pieces in which they come.
#[derive(Default)]
struct Events {
    /// Not a whole line yet.
    rest: Vec<u8>,
    data: String,
}

impl Events {
    /// Tells the events that are whole now, and keeps the number of the last; false where one is too long, or says the end.
    fn take(&mut self, bytes: &[u8], last: &mut Option<String>, tell: &mut impl FnMut(Follow)) -> bool {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(id) = line.strip_prefix("id:") {
                *last = Some(id.trim().to_owned());
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            } else if line.is_empty() && !self.data.is_empty() {
                let event: Value = serde_json::from_str(&std::mem::take(&mut self.data)).unwrap_or_default();
                if event["type"] == "end" {
                    return false;
                }
                tell(Follow::Event(event));
            }
        }
        self.rest.len().max(self.data.len()) <= LONGEST_EVENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_in_whatever_pieces_they_come() {
        let stream = "id: 1\nevent: ready\ndata: {\"n\": 1}\n\n:\nid: 5\n\nid: 6\nevent: break\ndata: {\"n\": 6}\n\n";
        for size in [1, 2, 7, 1000] {
            let (mut events, mut last, mut told) = (Events::default(), None, Vec::new());
            let mut tell = |news| {
                if let Follow::Event(event) = news {
                    told.push(event["n"].clone())
                }
            };
            assert!(stream.as_bytes().chunks(size).all(|piece| events.take(piece, &mut last, &mut tell)), "{size}");
            assert_eq!((told, last.as_deref()), (vec![1.into(), 6.into()], Some("6")), "{size}");
        }
        let (mut events, mut last) = (Events::default(), None);
        assert!(!events.take(&vec![b'x'; LONGEST_EVENT + 1], &mut last, &mut |_| ()), "without an end");
        let end = "id: 9\nevent: end\ndata: {\"type\": \"end\"}\n\n";
        assert!(!Events::default().take(end.as_bytes(), &mut last, &mut |_| panic!("no event")));
        assert_eq!(last.as_deref(), Some("9"));
    }

    #[test]
    fn a_gateway_that_listens_everywhere_is_asked_on_loopback() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:8080"), "[::1]:8080");
        assert_eq!(asked("192.0.2.7:8080"), "192.0.2.7:8080");
    }
}
