//! The journal and those who deliver from it, as the gateway starts them.

use crate::base::{Rng, Text};
use crate::event::Kept;
use crate::io::clock;
use crate::io::config::{Config, KeyFault, secrets};
use crate::io::deliver::{self, Deliverer, Target};
use crate::io::figures;
use crate::io::inbox::Inbox;
use crate::io::journal::{self, Inspection, Journal, Options, Outbox, Report};
use crate::io::process::files;
use crate::io::seat_log::SeatLog;
use crate::record::zone::Zone;
use crate::switch::Input;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The journal, and what stands in it that others go on from.
pub(super) struct Opened {
    pub journal: Journal,
    /// The feed's newest number.
    pub newest: watch::Receiver<u64>,
    pub kept: Kept,
    pub seat_log: Arc<SeatLog>,
    pub figures: Arc<figures::Live>,
}

pub(super) fn open_journal(
    config: &Config,
    inbox: &Inbox,
    targets: &[(Target, Arc<Notify>)],
    api: SocketAddr,
) -> Result<Opened, Text> {
    let (fed, newest) = watch::channel(0);
    let path = config.journal();
    std::fs::create_dir_all(&config.node.state).map_err(|e| {
        let folder = config.node.state.display();
        both!("node.state: {folder}: {}", "node.state：{folder}：{}"; files::told(&e))
    })?;
    let sealer = secrets::sealer(&config.records).map_err(|faults| KeyFault::told(&faults))?;
    let options = Options {
        keep: Some(config.records.keep_days).filter(|days| *days > 0).map(|days| DAY * days),
        sealer: Arc::new(sealer),
        inspection: Inspection { every: config.records.inspect_every, percent: config.records.inspect_percent },
        max_bytes: Some(config.records.max_bytes).filter(|bytes| *bytes > 0),
        outbox: Outbox { backends: targets.iter().map(|(target, _)| target.outbox()).collect(), feed: config.records.feed_keep },
        api: Some(api),
        ..Options::new(path)
    };
    let (inbox, posted) = (inbox.clone(), targets.iter().map(|(_, posted)| posted.clone()).collect::<Vec<_>>());
    // The past of both stands in the journal. Nothing is reported before they are there.
    let (figures, seats) = (Arc::new(OnceLock::<Arc<figures::Live>>::new()), Arc::new(OnceLock::<Arc<SeatLog>>::new()));
    let (counted, followed) = (figures.clone(), seats.clone());
    let report = move |report| match report {
        Report::Durable(ticket) => {
            // Followers hear of a verb before its reply does.
            followed.get().into_iter().for_each(|seats| seats.written(ticket));
            inbox.send(Input::Journaled { ticket });
        }
        Report::Down(why) => {
            tracing::error!(why, "the journal cannot write");
            followed.get().into_iter().for_each(|seats| seats.journal_down(true));
            inbox.send(Input::JournalDown(true));
        }
        Report::Up => {
            tracing::info!("the journal writes again");
            followed.get().into_iter().for_each(|seats| seats.journal_down(false));
            inbox.send(Input::JournalDown(false));
        }
        Report::Posted => posted.iter().for_each(|posted| posted.notify_one()),
        Report::Fed(newest) => drop(fed.send_replace(newest)),
        Report::Added(all) => {
            // It comes before anything does.
            if let Some(figures) = counted.get() {
                figures.take(all);
            }
        }
    };
    let (journal, recovered) = Journal::open(options, clock::now().wall, report)?;
    journal::interrupted::log(&recovered.interrupted, &journal, &config.records.zone)?;
    let zone = Zone::named(&config.records.zone)?;
    let live = start_figures(config, &journal, zone.clone(), recovered.kept.seat_n)?;
    let _ = figures.set(live.clone());
    let past = journal.reader(zone)?;
    let seat_log = Arc::new(SeatLog::new(Some(past), recovered.kept.seat_n, config.records.seat_log));
    let _ = seats.set(seat_log.clone());
    Ok(Opened { journal, newest, kept: recovered.kept, seat_log, figures: live })
}

/// Before anything is added: what the journal has is the past.
fn start_figures(config: &Config, journal: &Journal, zone: Zone, newest: u64) -> Result<Arc<figures::Live>, Text> {
    let reader = journal.reader(zone.clone())?;
    let past = figures::Past::of(&reader, newest, clock::now().wall)?;
    figures::Live::start(config.figures.within, zone, reader, past)
}

pub(super) fn start_delivery(
    targets: Vec<(Target, Arc<Notify>)>,
    runtime: &Runtime,
    journal: &Journal,
    rng: &mut Rng,
) -> Result<Vec<Deliverer>, deliver::Error> {
    let start = |(target, posted)| Deliverer::start(runtime.handle(), journal, target, posted, rng.fork());
    targets.into_iter().map(start).collect()
}
