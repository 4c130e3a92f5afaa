//! Asks one backend over HTTP: makes requests of events, authenticates them, reads what the answers mean.

use super::{Error, READING, Target, reason};
use crate::base::{Rng, Wall};
use crate::io::clock::{self, Running};
use crate::io::journal::Reader;
use crate::io::journal::{Journal, Settler};
use crate::io::metrics;
use crate::io::process::threads;
use crate::record::cloudevent::CloudEvent;
use crate::record::delivery::{Answer, Item};
use crate::record::error_text::{error_text, hide_secrets};
use crate::record::exchange::{Change, Exchange, Next, Reply, Step, Ticket};
use crate::record::profile::{Auth, Fresh, Rendered};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client as HttpClient, Method, Response};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// An answer is read no further.
const BODY: usize = 256 << 10;

pub(super) struct Sender {
    pub client: Client,
    reader: Arc<Mutex<Reader>>,
    settler: Settler,
    clock: Running,
    began: Wall,
}

/// Makes single requests of one backend.
pub struct Client {
    http: HttpClient,
    pub target: Target,
    rng: Mutex<Rng>,
    /// The bearer token in use, where tokens are asked for.
    token: Mutex<Option<String>>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// An answer with a body that has ended.
struct HttpAnswer {
    code: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Sender {
    pub fn new(target: Target, reader: Reader, journal: &Journal, rng: Rng) -> Result<Sender, Error> {
        let (settler, clock) = (journal.settler(), journal.running());
        let began = clock.at(clock::mono());
        Ok(Sender { client: Client::new(target, rng)?, reader: Arc::new(Mutex::new(reader)), settler, clock, began })
    }

    fn now(&self) -> Wall {
        self.clock.at(clock::mono())
    }

    pub fn due(&self, now: Wall, most: u32) -> Result<(Vec<Item>, Option<Wall>), Error> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let items = reader.due(&self.client.target.name, now, most)?;
        let next = reader.next_due(&self.client.target.name, now)?;
        Ok((items, next))
    }

    /// One attempt, from the search to the answer.
    pub async fn send(self: Arc<Self>, item: Item) -> (Answer, Change) {
        let (sender, wanted) = (self.clone(), item.clone());
        let read = threads::aside(READING, move || sender.read(&wanted)).await;
        let (event, ticket) = match read.unwrap_or_else(|| Err(Error::panicked())) {
            Ok(Some(read)) => read,
            Ok(None) => return (Answer::Missing, Change::None),
            Err(error) if error.may_pass() => return (Answer::Unread(error.to_string()), Change::None),
            // It would fail again: somebody must look at this call.
            Err(error) => return (Answer::Unmade(error.to_string()), Change::None),
        };
        let mut exchange = Exchange::new(self.client.target.profile.way(), ticket);
        let mut next = exchange.start(self.now(), self.began);
        loop {
            next = match next {
                Next::Ask(step) => exchange.answered(self.client.ask(&step, &event).await),
                Next::Note => {
                    self.note(&item).await;
                    exchange.noted()
                }
                Next::End(answer, change) => {
                    if matches!(answer, Answer::Done) {
                        metrics::DELIVERY_LAG.observe(self.since(&event));
                    }
                    return (answer, change);
                }
            }
        }
    }

    /// How long ago it happened.
    fn since(&self, event: &CloudEvent) -> Duration {
        let happened = event.time.parse::<jiff::Timestamp>().map_or(0, |time| time.as_microsecond());
        Duration::from_micros(u64::try_from(self.now().0.saturating_sub(happened)).unwrap_or(0))
    }

    fn read(&self, item: &Item) -> Result<Option<(CloudEvent, Ticket)>, Error> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let event = reader.event(item)?;
        let ticket = reader.ticket(&self.client.target.name, item.call)?;
        Ok(event.map(|event| (event, ticket)))
    }

    /// Returns when it is durable that a create is asked. A journal that has ended never answers: the process ends too.
    async fn note(&self, item: &Item) {
        let (done, durable) = oneshot::channel();
        self.settler.creating(&self.client.target.name, item.call, self.now(), move || {
            let _ = done.send(());
        });
        if durable.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Client {
    pub fn new(target: Target, rng: Rng) -> Result<Client, Error> {
        Ok(Client { http: super::http_client(&target)?, target, rng: Mutex::new(rng), token: Mutex::default() })
    }

    pub async fn ask(&self, step: &Step, event: &CloudEvent) -> Reply {
        let profile = &self.target.profile;
        let mut request = match profile.render(step, event) {
            Ok(Some(request)) => request,
            Ok(None) => return Reply::Good { id: None, url: None },
            Err(error) => return Reply::Unmade(error.en),
        };
        if let Err(error) = profile.authenticate(&mut request, &self.target.secrets, &self.fresh()) {
            return Reply::Unmade(error.en);
        }
        let mut reply = match self.exchange(&request, &event.id).await {
            Ok(HttpAnswer { code, retry_after, body }) => profile.judge(step, event.kind, code, retry_after, &body),
            Err(reply) => reply,
        };
        if let Reply::Status { said, .. } | Reply::Refused { why: said, .. } = &mut reply {
            hide_secrets(said, self.target.secrets.values());
        }
        reply
    }

    /// Refused with a token that was asked for earlier, it asks for another one, once.
    async fn exchange(&self, request: &Rendered, id: &str) -> Result<HttpAnswer, Reply> {
        let answer = self.once(request, id).await?;
        let oauth = matches!(self.target.profile.auth(), Auth::Oauth2 { .. });
        if !oauth || answer.code != 401 {
            return Ok(answer);
        }
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.once(request, id).await
    }

    async fn once(&self, request: &Rendered, id: &str) -> Result<HttpAnswer, Reply> {
        let method = Method::from_bytes(request.method.name().as_bytes()).unwrap_or(Method::POST);
        let mut built = self.http.request(method, &request.url);
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        match self.target.profile.auth() {
            Auth::Webhook => {
                for (name, value) in self.webhook(id, request.body.as_deref().unwrap_or_default()) {
                    built = built.header(name, value);
                }
            }
            Auth::Oauth2 { .. } => built = built.bearer_auth(self.token().await?),
            _ => {}
        }
        if let Some(body) = &request.body {
            built = built.body(body.clone());
        }
        answer(built).await
    }

    /// Standard Webhooks.
    fn webhook(&self, id: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let seconds = clock::now().wall.0 / 1_000_000;
        let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", seconds.to_string())];
        headers.extend(self.target.keys.sign(id, seconds, body).map(|signature| ("webhook-signature", signature)));
        headers
    }

    /// RFC 6749 §4.4.
    async fn token(&self) -> Result<String, Reply> {
        if let Some(token) = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(token);
        }
        let request = self.target.profile.token_request(&self.target.secrets).map_err(|error| Reply::Unmade(error.en))?;
        let form = "application/x-www-form-urlencoded";
        let built = self.http.post(request.url).header(reqwest::header::CONTENT_TYPE, form).body(request.form);
        let before = |reply| match reply {
            Reply::Broken(why) => Reply::Unsent(why),
            reply => reply,
        };
        let answer = answer(built).await.map_err(before)?;
        match serde_json::from_slice::<Token>(&answer.body) {
            Ok(token) if answer.code == 200 => {
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.access_token.clone());
                Ok(token.access_token)
            }
            // RFC 6749 §5.2: 400 and 401 both say that it does not know us. A status that says nothing of us stays what it
            // is.
            _ if matches!(answer.code, 407 | 408 | 421 | 423 | 425 | 429) => {
                Err(Reply::Status { code: answer.code, retry_after: answer.retry_after, said: error_text(&answer.body) })
            }
            _ if (400..500).contains(&answer.code) => {
                Err(Reply::Status { code: 401, retry_after: answer.retry_after, said: error_text(&answer.body) })
            }
            _ => Err(Reply::Unsent(format!("HTTP {} from where tokens are asked for", answer.code))),
        }
    }

    fn fresh(&self) -> Fresh {
        let nonce = self.rng.lock().unwrap_or_else(PoisonError::into_inner).token();
        Fresh { millis: clock::now().wall.0 / 1_000, nonce }
    }
}

/// Tells a request that was never sent from one that was: only the latter may have been done.
async fn answer(request: reqwest::RequestBuilder) -> Result<HttpAnswer, Reply> {
    match request.send().await {
        Ok(response) => body(response).await,
        Err(error) if error.is_connect() || error.is_builder() => Err(Reply::Unsent(reason(error))),
        Err(error) => Err(Reply::Broken(reason(error))),
    }
}

/// The answer counts when its body has ended too, or is longer than any we read.
async fn body(mut response: Response) -> Result<HttpAnswer, Reply> {
    let (code, retry_after) = (response.status().as_u16(), retry_after(response.headers(), clock::now().wall));
    let mut body = Vec::new();
    while body.len() <= BODY {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) if (200..300).contains(&code) => return Err(Reply::Broken(reason(error))),
            Err(_) => break,
        }
    }
    Ok(HttpAnswer { code, retry_after, body })
}

/// Seconds or a date (RFC 9110 §10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: Wall) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    u64::try_from(http_date(text, now)?.0 - now.0).ok().map(Duration::from_micros)
}

/// In each of the forms that a recipient must accept (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`,
/// `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`. The day of the week is not compared.
fn http_date(text: &str, now: Wall) -> Option<Wall> {
    const CENTURY: i64 = 100;
    let text = text.strip_suffix("GMT").unwrap_or(text).trim_end();
    let read = |format: &str, text: &str| jiff::civil::DateTime::strptime(format, text).ok();
    let date = match text.split_once(", ") {
        Some((_, rest)) => match read("%d-%b-%y %H:%M:%S", rest) {
            // A year that seems to be more than 50 years ahead is of the century before.
            Some(date) if i64::from(date.year()) > year(now)? + 50 => date.checked_sub(jiff::Span::new().years(CENTURY)).ok(),
            Some(date) => Some(date),
            None => read("%d %b %Y %H:%M:%S", rest),
        },
        None => read("%b %e %H:%M:%S %Y", text.split_once(' ')?.1.trim_start()),
    }?;
    Some(Wall(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond()))
}

fn year(now: Wall) -> Option<i64> {
    let now = jiff::Timestamp::from_microsecond(now.0).ok()?;
    Some(now.to_zoned(jiff::tz::TimeZone::UTC).year().into())
}
