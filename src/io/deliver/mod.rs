//! Brings events to a ticket system: drives the delivery machine with HTTP, the journal and the clock.
//!
//! Deliveries that are due stand in the journal and nowhere else. A request that was under way when the process ended is
//! made again after the start, with the same id.

mod error;
mod figures;
mod sender;
mod target;

pub use error::Error;
pub use figures::{Deliveries, Figures};
pub use sender::Client;
pub use target::{Fault, Target, WEBHOOK, profile};

use super::clock::{self, Running};
use super::journal::{Journal, Settler};
use super::net::tls::{self, Roots};
use super::process::threads;
use crate::base::{CallId, Now, Rng};
use crate::record::delivery::{Alarm, Answer, Input, Output, Settlement, Verdict};
use crate::record::exchange::Change;
use crate::record::scheduler::Scheduler;
use reqwest::{Client as HttpClient, Proxy, redirect};
use sender::Sender;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::{self, JoinError, JoinHandle, JoinSet};
use tokio::time::sleep;

/// The names of its task, of what reads the journal for it, and of a request.
const TASK: &str = "delivery";
const READING: &str = "delivery-reading";
const REQUEST: &str = "delivery-request";

/// The running delivery. Dropping it ends it; what was not delivered stays pending in the journal.
pub struct Deliverer {
    task: JoinHandle<()>,
    figures: Arc<Figures>,
}

impl Deliverer {
    /// `wake` is notified whenever the journal says `Posted`.
    pub fn start(
        runtime: &Handle,
        journal: &Journal,
        target: Target,
        wake: Arc<Notify>,
        mut rng: Rng,
    ) -> Result<Deliverer, Error> {
        let reader = journal.reader(target.zone.clone())?;
        let limits = target.limits;
        let figures = Arc::new(Figures::of(&target.name));
        let sender = Arc::new(Sender::new(target, reader, journal, rng.fork())?);
        let (clock, settler, shown) = (journal.running(), journal.settler(), figures.clone());
        // After a panic it reads anew what is due; a request that was under way is made again, with the same id.
        let task = threads::keep(runtime, TASK, move || {
            let (events, inbox) = mpsc::unbounded_channel();
            let driver = Driver {
                clock,
                scheduler: Scheduler::new(limits, rng.fork()),
                sender: sender.clone(),
                settler: settler.clone(),
                events,
                requests: JoinSet::new(),
                asked: BTreeMap::new(),
                figures: shown.clone(),
            };
            driver.run(inbox, wake.clone())
        });
        Ok(Deliverer { task, figures })
    }

    pub fn figures(&self) -> Arc<Figures> {
        self.figures.clone()
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

fn http_client(target: &Target) -> Result<HttpClient, Error> {
    let plain = target.url.starts_with("http://") && !target.proxy.starts_with("https://");
    let roots = if plain { Roots::Nobody } else { Roots::System };
    let mut client = HttpClient::builder()
        .tls_backend_preconfigured(tls::client(roots).map_err(Error::Program)?)
        .timeout(target.timeout)
        .connect_timeout(target.timeout)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("hotline/", env!("CARGO_PKG_VERSION")));
    client = match target.proxy.as_str() {
        "" => client.no_proxy(),
        proxy => client.proxy(Proxy::all(proxy).map_err(|e| unusable(&reason(e)))?),
    };
    client.build().map_err(|e| {
        let why = reason(e);
        Error::Program(both!("cannot prepare delivery: {why}", "无法准备投递：{why}"))
    })
}

fn unusable(why: &str) -> Error {
    Error::Configuration(both!("its proxy: {why}", "代理有误：{why}"))
}

struct Driver {
    clock: Running,
    scheduler: Scheduler,
    sender: Arc<Sender>,
    settler: Settler,
    events: mpsc::UnboundedSender<Input>,
    requests: JoinSet<Option<(Answer, Change)>>,
    /// The call of each request.
    asked: BTreeMap<task::Id, CallId>,
    figures: Arc<Figures>,
}

impl Driver {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Input>, wake: Arc<Notify>) {
        loop {
            if let Some(lanes) = self.scheduler.wants() {
                self.pull(lanes).await;
            }
            let now = self.now();
            let input = tokio::select! {
                () = wake.notified() => None,
                () = sleep(self.scheduler.deadline(now).since(now.mono)) => None,
                Some(input) = inbox.recv() => Some(input),
                Some(ended) = self.requests.join_next_with_id() => self.ended(ended),
            };
            let now = self.now();
            self.plan(|scheduler, out| match input {
                Some(input) => scheduler.handle(now, input, out),
                None => scheduler.tick(now, out),
            });
        }
    }

    /// A panic costs the call that it was about: it waits until the journal is read again.
    fn plan(&mut self, act: impl FnOnce(&mut Scheduler, &mut Vec<Output>)) {
        let mut out = Vec::new();
        threads::guarded(TASK, || act(&mut self.scheduler, &mut out));
        self.carry_out(out);
    }

    /// Its wall clock is that of deliveries: what is planned by it waits no longer and ages no faster when somebody sets the
    /// machine's.
    fn now(&self) -> Now {
        self.clock.now(clock::mono())
    }

    /// A request that died is its event's end, and nobody else's.
    fn ended(&mut self, ended: Result<(task::Id, Option<(Answer, Change)>), JoinError>) -> Option<Input> {
        let (id, done) = ended.unwrap_or_else(|died| (died.id(), None));
        let (answer, change) = done.unwrap_or_else(|| (Answer::Unmade(threads::fault().en), Change::None));
        Some(Input::Answer { call: self.asked.remove(&id)?, answer, change })
    }

    async fn pull(&mut self, lanes: u32) {
        let sender = self.sender.clone();
        let now = self.now();
        let read = threads::aside(READING, move || sender.due(now.wall, lanes)).await;
        match read.unwrap_or_else(|| Err(Error::panicked())) {
            Ok((items, next)) => {
                for offer in self.scheduler.read(&items, next) {
                    self.plan(|scheduler, out| scheduler.handle(now, offer, out));
                }
            }
            Err(error) => {
                tracing::error!("delivery: {error}");
                self.scheduler.unreadable(now);
            }
        }
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        outputs.into_iter().for_each(|output| self.carry_out_one(output));
    }

    fn carry_out_one(&mut self, output: Output) {
        match output {
            Output::Send(item) => {
                let call = item.call;
                let request = self.requests.spawn(threads::survived(REQUEST, self.sender.clone().send(item)));
                self.asked.insert(request.id(), call);
            }
            Output::Save(settlement) => self.save(settlement),
            Output::Alarm(alarm) => self.alarm(&alarm),
        }
    }

    fn alarm(&self, alarm: &Alarm) {
        let backend = &self.sender.client.target.name;
        self.figures.alarm(alarm);
        match alarm {
            Alarm::Down(why) => tracing::error!(backend, "the ticket system fails and is only probed until it answers: {why}"),
            Alarm::Paused(why) => {
                tracing::error!(
                    backend,
                    "the ticket system refuses us and is only probed: look at address and credentials: {why}"
                );
            }
            Alarm::Up => tracing::info!(backend, "the ticket system takes records again"),
        }
    }

    fn save(&mut self, settlement: Settlement) {
        let (call, backend) = (settlement.call, &self.sender.client.target.name);
        self.figures.settled(&settlement.verdict);
        match &settlement.verdict {
            Verdict::Done => {}
            Verdict::Aside { error, .. } => {
                tracing::error!(%call, backend, "a record was refused and is set aside; others go on: {error}");
            }
            Verdict::Retry { error, .. } => {
                tracing::warn!(%call, backend, "delivery failed and is tried again: {error}");
            }
            Verdict::Dead { error } => tracing::error!(%call, backend, "a record was refused and is a dead letter: {error}"),
        }
        let events = self.events.clone();
        self.settler.settle(&self.sender.client.target.name, settlement, move || drop(events.send(Input::Saved { call })));
    }
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
