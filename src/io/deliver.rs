//! Posts events to the ticket system: drives the delivery machine with HTTP, the journal and the clock.
//!
//! What is to be sent stands in the journal and nowhere else. A request that was under way when the process ended is
//! made again after the start, with the same id.

use super::clock;
use super::journal::{Journal, Settler};
use super::ledger::Ledger;
use crate::base::{Mono, Now, Rng, Wall};
use crate::record::delivery::{Alarm, Answer, Delivery, Input, Item, Limits, Output, Settlement, Verdict};
use crate::record::signature::Keys;
use crate::record::zone::Zone;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::sleep;

/// The webhook's name in the journal's outbox.
pub const BACKEND: &str = "webhook";
/// Of an answer's body so much is read, that the connection can serve again.
const BODY: usize = 64 << 10;
/// A journal that cannot be read is read again after this.
const UNREADABLE: Duration = Duration::from_secs(1);
/// Nothing waits longer than this without a look.
const IDLE: Duration = Duration::from_secs(3_600);

#[derive(Clone, Debug)]
pub struct Webhook {
    pub url: String,
    /// For the whole exchange.
    pub timeout: Duration,
    pub keys: Keys,
    pub limits: Limits,
    pub zone: Zone,
}

/// The running delivery. Dropping it ends it; what was not delivered stays pending in the journal.
pub struct Deliverer {
    task: JoinHandle<()>,
}

impl Deliverer {
    /// `wake` is notified whenever the journal says `Posted`.
    pub fn start(
        runtime: &Handle,
        journal: &Journal,
        webhook: Webhook,
        wake: Arc<Notify>,
        rng: Rng,
    ) -> Result<Deliverer, String> {
        let client = client(&webhook)?;
        let ledger = Ledger::open(journal.path(), webhook.zone.clone()).map_err(|e| e.to_string())?;
        let (events, inbox) = mpsc::unbounded_channel();
        let sender = Sender { client, webhook: webhook.clone(), ledger: Arc::new(Mutex::new(ledger)) };
        let driver = Driver {
            machine: Delivery::new(webhook.limits, rng),
            most: u32::try_from(webhook.limits.lanes).unwrap_or(u32::MAX),
            sender: Arc::new(sender),
            settler: journal.settler(),
            events,
            requests: JoinSet::new(),
            look: true,
            next: None,
        };
        Ok(Deliverer { task: runtime.spawn(driver.run(inbox, wake)) })
    }

    /// Ends it and waits until it has ended.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Deliverer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn client(webhook: &Webhook) -> Result<Client, String> {
    // An error says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = Client::builder()
        .timeout(webhook.timeout)
        .connect_timeout(webhook.timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("hotline/", env!("CARGO_PKG_VERSION")));
    if webhook.url.starts_with("http://") {
        // No need of the system's certificates, which a small container does not have.
        client = client.tls_certs_only([]);
    }
    client.build().map_err(|e| format!("cannot prepare delivery: {}", reason(e)))
}

struct Driver {
    machine: Delivery,
    /// Lanes that are read at once.
    most: u32,
    sender: Arc<Sender>,
    settler: Settler,
    events: mpsc::UnboundedSender<Input>,
    requests: JoinSet<Input>,
    /// The journal may hold something that the machine has not seen.
    look: bool,
    /// When the journal will have something due.
    next: Option<Wall>,
}

impl Driver {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Input>, wake: Arc<Notify>) {
        loop {
            if self.look && self.machine.room() >= (self.most / 4) as usize {
                self.pull().await;
            }
            let input = tokio::select! {
                () = wake.notified() => { self.look = true; None }
                () = sleep(self.patience(clock::now())) => None,
                Some(input) = inbox.recv() => Some(input),
                Some(Ok(input)) = self.requests.join_next() => Some(input),
            };
            self.turn(input);
        }
    }

    fn turn(&mut self, input: Option<Input>) {
        let (now, mut out) = (clock::now(), Vec::new());
        if self.next.is_some_and(|next| next <= now.wall) {
            (self.look, self.next) = (true, None);
        }
        match input {
            Some(input) => self.machine.handle(now, input, &mut out),
            None => self.machine.tick(now, &mut out),
        }
        out.into_iter().for_each(|output| self.carry_out(output));
    }

    /// Reads what is due. Nothing else may happen meanwhile: an event that is settled while it is being read would
    /// be sent again.
    async fn pull(&mut self) {
        let (sender, most) = (self.sender.clone(), self.most);
        let now = clock::now();
        let read = spawn_blocking(move || sender.due(now.wall, most)).await;
        let (items, next) = match read {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => return self.unreadable(now, &error),
            Err(error) => return self.unreadable(now, &error.to_string()),
        };
        let lanes: Vec<Vec<Item>> = items.chunk_by(|a, b| a.call == b.call).map(<[Item]>::to_vec).collect();
        self.look = lanes.len() >= self.most as usize;
        self.next = next;
        for lane in lanes {
            self.turn(Some(Input::Offer(lane)));
        }
    }

    fn unreadable(&mut self, now: Now, error: &str) {
        tracing::error!("delivery: {error}");
        (self.look, self.next) = (false, Some(now.after(UNREADABLE).wall));
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send(item) => {
                let sender = self.sender.clone();
                self.requests.spawn(async move {
                    let call = item.call;
                    Input::Answer { call, answer: sender.send(item).await }
                });
            }
            Output::Save(settlement) => self.save(settlement),
            Output::Alarm(Alarm::Down(why)) => tracing::error!(url = self.sender.place(), "the ticket system fails: {why}"),
            Output::Alarm(Alarm::Paused(why)) => {
                tracing::error!(url = self.sender.place(), "the ticket system refuses us: {why}")
            }
            Output::Alarm(Alarm::Up) => tracing::info!(url = self.sender.place(), "the ticket system takes records again"),
        }
    }

    fn save(&mut self, settlement: Settlement) {
        let call = settlement.call;
        match &settlement.verdict {
            Verdict::Done => {}
            Verdict::Retry { at, error, .. } => {
                tracing::warn!(%call, "delivery failed and is tried again: {error}");
                self.next = Some(self.next.map_or(*at, |next| next.min(*at)));
            }
            Verdict::Dead { error } => tracing::error!(%call, "a record was refused and is a dead letter: {error}"),
        }
        let events = self.events.clone();
        self.settler.settle(BACKEND, settlement, move || drop(events.send(Input::Saved { call })));
    }

    fn patience(&self, now: Now) -> Duration {
        let probe = self.machine.deadline().map(|at: Mono| at.since(now.mono));
        let due = self.next.map(|at| Duration::from_micros(u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0)));
        probe.into_iter().chain(due).min().unwrap_or(IDLE).min(IDLE)
    }
}

struct Sender {
    client: Client,
    webhook: Webhook,
    ledger: Arc<Mutex<Ledger>>,
}

impl Sender {
    fn due(&self, now: Wall, most: u32) -> Result<(Vec<Item>, Option<Wall>), String> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let items = ledger.due(BACKEND, now, most).map_err(|e| e.to_string())?;
        let next = ledger.next_due(BACKEND, now).map_err(|e| e.to_string())?;
        Ok((items, next))
    }

    async fn send(self: Arc<Self>, item: Item) -> Answer {
        let sender = self.clone();
        match spawn_blocking(move || sender.body(&item)).await {
            Ok(Ok(Some((id, body)))) => self.post(&id, body).await,
            Ok(Ok(None)) => Answer::Missing,
            Ok(Err(error)) => Answer::Unread(error),
            Err(error) => Answer::Unread(error.to_string()),
        }
    }

    fn body(&self, item: &Item) -> Result<Option<(String, Vec<u8>)>, String> {
        let event = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).event(item).map_err(|e| e.to_string())?;
        let Some(event) = event else { return Ok(None) };
        let body = serde_json::to_vec(&event).map_err(|_| "the record does not print".to_owned())?;
        Ok(Some((event.id, body)))
    }

    async fn post(&self, id: &str, body: Vec<u8>) -> Answer {
        let seconds = clock::now().wall.0 / 1_000_000;
        let mut request = self
            .client
            .post(&self.webhook.url)
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string());
        if let Some(signature) = self.webhook.keys.sign(id, seconds, &body) {
            request = request.header("webhook-signature", signature);
        }
        match request.body(body).send().await {
            Ok(response) => answer(response).await,
            Err(error) => Answer::Unreachable(reason(error)),
        }
    }

    /// The address without what may be secret in it.
    fn place(&self) -> &str {
        let url = self.webhook.url.split('?').next().unwrap_or_default();
        url.rsplit_once('@').map_or(url, |(_, place)| place)
    }
}

/// The answer counts when its body has ended too.
async fn answer(mut response: Response) -> Answer {
    let (code, retry_after) = (response.status().as_u16(), retry_after(response.headers(), clock::now().wall));
    let mut read = 0;
    while read <= BODY {
        match response.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => break,
            Err(error) if (200..300).contains(&code) => return Answer::Unreachable(reason(error)),
            Err(_) => break,
        }
    }
    Answer::Status { code, retry_after }
}

/// Seconds or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: Wall) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(date.as_microsecond() - now.0).ok().map(Duration::from_micros)
}

/// Every cause, and not the address, which may hold a secret.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
