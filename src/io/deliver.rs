//! Brings events to a ticket system: drives the delivery machine with HTTP, the journal and the clock.
//!
//! What is to be sent stands in the journal and nowhere else. A request that was under way when the process ended is
//! made again after the start, with the same id.

mod sender;
mod target;

pub use sender::Asker;
pub use target::{Target, WEBHOOK, profile_text};

use super::clock;
use super::journal::{Journal, Settler};
use crate::base::{Mono, Now, Rng, Wall};
use crate::record::delivery::{Alarm, Delivery, Input, Item, Output, Settlement, Verdict};
use reqwest::{Client, Proxy, redirect};
use sender::Sender;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::sleep;

/// A journal that cannot be read is read again after this.
const UNREADABLE: Duration = Duration::from_secs(1);
/// Nothing waits longer than this without a look: the command line writes into the journal too.
const IDLE: Duration = Duration::from_secs(15);

/// The running delivery. Dropping it ends it; what was not delivered stays pending in the journal.
pub struct Deliverer {
    task: JoinHandle<()>,
}

impl Deliverer {
    /// `wake` is notified whenever the journal says `Posted`.
    pub fn start(
        runtime: &Handle,
        journal: &Journal,
        target: Target,
        wake: Arc<Notify>,
        mut rng: Rng,
    ) -> Result<Deliverer, String> {
        let ledger = journal.ledger(target.zone.clone()).map_err(|e| e.to_string())?;
        let (events, inbox) = mpsc::unbounded_channel();
        let limits = target.limits;
        let sender = Sender::new(target, ledger, journal.settler(), rng.fork())?;
        let driver = Driver {
            machine: Delivery::new(limits, rng),
            most: u32::try_from(limits.lanes).unwrap_or(u32::MAX),
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

fn client(target: &Target) -> Result<Client, String> {
    // An error says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = Client::builder()
        .timeout(target.timeout)
        .connect_timeout(target.timeout)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("hotline/", env!("CARGO_PKG_VERSION")));
    client = match target.proxy.as_str() {
        "" => client.no_proxy(),
        proxy => client.proxy(Proxy::all(proxy).map_err(|e| format!("its proxy: {}", reason(e)))?),
    };
    if target.url.starts_with("http://") && !target.proxy.starts_with("https://") {
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
            None => {
                self.look = true;
                self.machine.tick(now, &mut out);
            }
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
                    let (answer, change) = sender.send(item).await;
                    Input::Answer { call, answer, change }
                });
            }
            Output::Save(settlement) => self.save(settlement),
            Output::Alarm(Alarm::Down(why)) => {
                tracing::error!(backend = self.sender.asker.target.name, "the ticket system fails: {why}")
            }
            Output::Alarm(Alarm::Paused(why)) => {
                tracing::error!(backend = self.sender.asker.target.name, "the ticket system refuses us: {why}")
            }
            Output::Alarm(Alarm::Up) => {
                tracing::info!(backend = self.sender.asker.target.name, "the ticket system takes records again")
            }
        }
    }

    fn save(&mut self, settlement: Settlement) {
        let (call, backend) = (settlement.call, &self.sender.asker.target.name);
        match &settlement.verdict {
            Verdict::Done => {}
            Verdict::Retry { at, error, .. } => {
                tracing::warn!(%call, backend, "delivery failed and is tried again: {error}");
                self.next = Some(self.next.map_or(*at, |next| next.min(*at)));
            }
            Verdict::Dead { error } => tracing::error!(%call, backend, "a record was refused and is a dead letter: {error}"),
        }
        let events = self.events.clone();
        self.settler.settle(&self.sender.asker.target.name, settlement, move || drop(events.send(Input::Saved { call })));
    }

    fn patience(&self, now: Now) -> Duration {
        let probe = self.machine.deadline().map(|at: Mono| at.since(now.mono));
        let due = self.next.map(|at| Duration::from_micros(u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0)));
        probe.into_iter().chain(due).min().unwrap_or(IDLE).min(IDLE)
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
