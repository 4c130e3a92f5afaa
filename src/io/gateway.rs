//! Everything that runs: the switch thread, media threads, journal, delivery, TCP and HTTP, put together.

mod edges;
mod machine;
mod records;
mod sockets;

use crate::base::{Rng, Text};
use crate::event::Kept;
use crate::io::clock;
use crate::io::config::fit::Fit;
use crate::io::config::outward::{Outward, Ways};
use crate::io::config::reload::{Reloader, Running, Site};
use crate::io::config::tokens::Tokens;
use crate::io::config::trail::Trail;
use crate::io::config::{Config, KeyFault, plans, secrets, setup};
use crate::io::deliver::{Deliverer, Deliveries, Target};
use crate::io::engine::{self, Engine};
use crate::io::http::intake::Intake;
use crate::io::http::{self, ApiState, Connections};
use crate::io::inbox::figures::{Figures, SwitchFigures};
use crate::io::inbox::requests::SwitchRequests;
use crate::io::inbox::{self, Inbox, Outlet};
use crate::io::journal::Journal;
use crate::io::journal::disk::Disk;
use crate::io::metrics::Metric;
use crate::io::net::admission::Admission;
use crate::io::net::resolver::Resolver;
use crate::io::net::tcp::Tcp;
use crate::io::net::tls::Identity;
use crate::io::net::trunk_tls;
use crate::io::process::audit::Audit;
use crate::io::process::{descriptors, files, log, private, threads};
use crate::io::recorder::{self, Recorder};
use crate::io::shards::shard::{self, ShardHandle};
use crate::io::shards::tap::{self, Frame, Sink};
use crate::media;
use crate::record::zone::Zone;
use crate::switch::{Input, Output, Setup, Switch};
use crossbeam_channel::Receiver;
use edges::Edges;
use records::Opened;
use sockets::{Sockets, bind_tcp, on_runtime};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// HTTP, TCP and delivery together: the switch and media have threads of their own.
const RUNTIME_THREADS: usize = 2;
/// How often a drain looks whether calls are left.
const LOOK: Duration = Duration::from_millis(50);
/// How long tasks may take to end.
const GOODBYE: Duration = Duration::from_secs(2);

/// A running gateway. Stop it with [`Gateway::stop`]; dropping it does not wait for its threads.
pub struct Gateway {
    /// Where SIP is really listened on: port 0 in the configuration has become a number.
    pub listen: Vec<SocketAddr>,
    pub http: SocketAddr,
    /// The interface by which the switch is told and asked.
    api: ApiState,
    stop: Arc<AtomicBool>,
    switch: JoinHandle<()>,
    deliverers: Vec<Deliverer>,
    journal: Journal,
    recorder: Recorder,
    reloader: Arc<Reloader>,
    signals: Signals,
    runtime: Runtime,
}

/// The signals that the process takes from before it is ready on: until somebody asks for them they wait.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen(runtime: &Runtime) -> Result<Signals, Text> {
        let _inside = runtime.enter();
        let of = |kind| signal(kind).map_err(|e| files::told(&e));
        let (terminate, interrupt) = (of(SignalKind::terminate())?, of(SignalKind::interrupt())?);
        Ok(Signals { terminate, interrupt, hangup: of(SignalKind::hangup())? })
    }
}

impl Gateway {
    /// Returns when everything is up, or says what is not. `file`: where a reload finds the configuration; none: where
    /// it is looked for when no file is named.
    pub fn start(config: Config, file: Option<&Path>) -> Result<Gateway, Text> {
        let trail = Trail::default();
        let loaded = plans::load_noting(&config, &trail).map_err(|problems| Text::lines(&problems))?;
        let fit = setup::fit(&config, descriptors::raise())?;
        if let Some(lowered) = fit.lowered() {
            tracing::warn!("{lowered}");
        }
        Gateway::start_with(config, file, loaded, trail, fit)
    }

    fn start_with(config: Config, file: Option<&Path>, loaded: plans::Loaded, trail: Trail, fit: Fit) -> Result<Gateway, Text> {
        let live = setup::live(&config, loaded)?;
        // All that is made once is made of this, and so cannot know what a reload may change.
        let mut fixed = config.fixed();
        fit.keep(&mut fixed);
        let mut rng = clock::rng()?;
        let (signals, runtime) = start_runtime().and_then(|runtime| Ok((Signals::listen(&runtime)?, runtime)))?;
        let (inbox, outlet) = inbox::inbox(fixed.limits.inbox).map_err(|e| files::told(&e))?;

        let (sockets, listen) = Sockets::bind(&fixed)?;
        let door = bind_tcp(fixed.http.listen, "http.listen")?;
        let http = door.local_addr().map_err(|e| files::told(&e))?;

        private::from_now_on();
        [&fixed.node.state, &fixed.recordings()].into_iter().for_each(|folder| private::tighten(folder));
        let targets: Vec<_> = Target::all(&fixed)?.into_iter().map(|target| (target, Arc::new(Notify::new()))).collect();
        let Opened { journal, newest, kept, seat_log, figures: counted } = records::open_journal(&fixed, &inbox, &targets, http)?;
        let deliverers = records::start_delivery(targets, &runtime, &journal, &mut rng)?;
        let (shards, taps) = start_shards(&fixed, &inbox, &mut rng)?;
        let recorder = start_recorder(&fixed, &journal, taps, &inbox, &mut rng)?;
        let (tcp, outward) = start_network(&fixed, &runtime, &inbox, &mut rng);

        let setup = Setup { fixed: setup::fixed(&fixed, (&listen, &sockets.tls()), &fit), live: live.clone() };
        let (switch, out) = make_switch(setup, kept, rng);
        let admission = Arc::new(Admission::of(setup::known(&config)));
        let (datagrams, sip_identity) = sockets.open(&fixed.sip, &tcp, &runtime, &admission)?;
        outward.set(Ways::read(&config, sip_identity.as_ref()).map_err(|fault| KeyFault::told(&[fault]))?);
        let (switch_figures, requests, stop): (Arc<SwitchFigures>, Arc<SwitchRequests>, Arc<AtomicBool>) = Default::default();
        let edges = Edges::new(&tcp, shards, (&journal, &seat_log), &switch_figures, &requests, outward.resolver.clone())
            .recorded(recorder.notes());
        let switch =
            SwitchThread { switch, edges, datagrams, outlet, out, limits: bounds(&fixed), stop: stop.clone() }.start()?;

        let (tokens, identity) = doorkeepers(&config, &fixed)?;
        let site = Site {
            file: file.map(Path::to_path_buf),
            inbox: inbox.clone(),
            switch_figures: switch_figures.clone(),
            admission,
            tokens: tokens.clone(),
            identity: identity.clone(),
            sip_identity,
            outward: outward.clone(),
        };
        let reloader = Arc::new(Reloader::new(site, Running { config: config.clone(), live: Arc::new(live), trail }));
        keep_watching(&runtime, reloader.clone());
        let intake = Arc::new(Intake::new(&fixed, &journal, newest, reloader.handle())?);
        let api = ApiState {
            switch_figures,
            inbox,
            more: figures(&journal, (tcp, outward.resolver), recorder.metrics(), reloader.clone(), intake.clone(), fit),
            intake,
            reload: asked_by_api(reloader.clone()),
            requests,
            done: Arc::default(),
            tokens,
            audit: Arc::new(Audit::of(&fixed.node.state)),
            recordings: recorder.store(),
            disk: Arc::new(disk(&fixed, &journal)),
            deliveries: Arc::new(Deliveries::of(&deliverers, &journal)?),
            seat_log,
            figures: counted,
            patience: fixed.http.timeout,
            fit,
            shortage: descriptors::shortage,
        };
        start_http(&fixed, &runtime, (door, identity), api.clone())?;
        tracing::info!(sip = ?listen, http = %http, plan = %config.plan.file.display(), "ready");
        Ok(Gateway { listen, http, api, stop, switch, deliverers, journal, recorder, reloader, signals, runtime })
    }

    /// Waits for SIGTERM or SIGINT, and says which; or until the switch thread has died. SIGHUP reloads.
    pub fn signalled(&mut self) -> Result<&'static str, Text> {
        let Signals { terminate, interrupt, hangup } = &mut self.signals;
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => return Ok("SIGTERM"),
                    _ = interrupt.recv() => return Ok("SIGINT"),
                    // The log has what becomes of it.
                    _ = hangup.recv() => drop(threads::task(self.runtime.handle(), "reload", {
                        let reloader = self.reloader.clone();
                        async move { reloader.reload("SIGHUP").await }
                    })),
                    () = sleep(Duration::from_secs(1)) => {}
                }
                if self.switch.is_finished() {
                    return Err(both!("the switch thread died", "交换线程已退出"));
                }
                if self.api.switch_figures.read().dead > 0 {
                    return Err(both!("a media thread died", "有媒体线程已退出"));
                }
            }
        })
    }

    /// Takes no new calls and waits for those in progress, up to `limit`. How many are left.
    pub fn drain(&self, limit: Duration) -> usize {
        // Only a switch that is gone refuses it.
        self.api.inbox.send(Input::End);
        self.wait_until_idle(limit)
    }

    /// Hangs up whatever the drain left; gives the calls whose end is not on disk.
    pub fn hang_up(&self) -> usize {
        self.api.inbox.send(Input::HangUp);
        self.wait_until_idle(GOODBYE)
    }

    /// The carriers with which we are registered hear that we go, where they listen.
    fn wait_until_withdrawn(&self) {
        let until = clock::mono().after(GOODBYE);
        self.runtime.block_on(async {
            while self.figures().gauges.accounts.open > 0 && self.figures().alive() && clock::mono() < until {
                sleep(LOOK).await;
            }
        });
    }

    fn wait_until_idle(&self, limit: Duration) -> usize {
        let until = clock::mono().after(limit);
        self.runtime.block_on(async {
            loop {
                let figures = self.api.switch_figures.read();
                // Transactions that only absorb retransmissions need not be waited for.
                let done = figures.gauges.draining && figures.gauges.calls == 0 && figures.gauges.unwritten == 0;
                if done || !figures.alive() || clock::mono() >= until {
                    return figures.gauges.calls;
                }
                sleep(LOOK).await;
            }
        })
    }

    /// The switch's figures of its last heartbeat.
    pub fn figures(&self) -> Figures {
        self.api.switch_figures.read()
    }

    /// Ends every thread; what the journal has been told is on disk afterwards.
    pub fn stop(self) {
        if self.figures().gauges.draining {
            self.wait_until_withdrawn();
        }
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.switch.join();
        for deliverer in self.deliverers {
            self.runtime.block_on(deliverer.stop());
        }
        self.recorder.stop();
        // Nothing comes after it: those who follow are told the rest, and that it was.
        self.journal.close();
        let _ = self.runtime.block_on(async { timeout(GOODBYE, self.api.intake.feed.places.deserted()).await });
        self.runtime.shutdown_timeout(GOODBYE);
    }
}

struct SwitchThread {
    switch: Switch,
    edges: Edges,
    datagrams: Vec<UdpSocket>,
    outlet: Outlet,
    out: Vec<Output>,
    limits: engine::Limits,
    stop: Arc<AtomicBool>,
}

impl SwitchThread {
    fn start(self) -> Result<JoinHandle<()>, Text> {
        threads::thread(engine::THREAD, move || self.run())
            .map_err(|e| both!("cannot start the switch thread: {}", "无法启动交换线程：{}"; files::told(&e)))
    }

    fn run(self) {
        let SwitchThread { switch, edges, datagrams, outlet, out, limits, stop } = self;
        let ended = Engine::new(switch, edges, (datagrams, outlet), out, limits).and_then(|engine| engine.run(&stop));
        if let Err(error) = ended {
            tracing::error!(%error, "the switch thread cannot go on");
        }
    }
}

fn start_runtime() -> Result<Runtime, Text> {
    let runtime = Builder::new_multi_thread().worker_threads(RUNTIME_THREADS).enable_all().thread_name("edge").build();
    runtime.map_err(|e| both!("cannot start threads: {}", "无法启动线程：{}"; files::told(&e)))
}

/// The media threads; where the copies of calls' audio come out, and what counts them.
type Shards = (Vec<ShardHandle>, Option<(Receiver<Frame>, Sink)>);

fn start_shards(config: &Config, inbox: &Inbox, rng: &mut Rng) -> Result<Shards, Text> {
    let (sink, taps) = config.records().then(|| tap::queue(config.recording.queue)).unzip();
    let start = |index: u16| {
        let inbox = inbox.clone();
        let events = move |event| {
            inbox.send(Input::Media { shard: index, event });
        };
        let settings = media::Config { silence: config.media.silence };
        match sink.clone() {
            Some(sink) => shard::start_tapped(index, settings, rng.fork(), events, move |tapped, codes| sink.take(tapped, codes)),
            None => shard::start(index, settings, rng.fork(), events),
        }
    };
    let shards: io::Result<_> = (0..setup::shards(config)).map(start).collect();
    Ok((
        shards.map_err(|e| both!("cannot start the media threads: {}", "无法启动媒体线程：{}"; files::told(&e)))?,
        taps.zip(sink),
    ))
}

fn start_recorder(
    config: &Config,
    journal: &Journal,
    frames: Option<(Receiver<Frame>, Sink)>,
    inbox: &Inbox,
    rng: &mut Rng,
) -> Result<Recorder, Text> {
    let owed = journal.reader(Zone::default()).and_then(|reader| reader.owed_recordings())?;
    let (settler, clock) = (journal.settler(), journal.clock());
    let inbox = inbox.clone();
    let down = Box::new(move |down| _ = inbox.send(Input::RecorderDown(down)));
    Recorder::start(config, recorder::Parts { journal: settler, owed, clock, frames, seed: rng.map_seed(), down })
}

/// The tokens, and the certificate where TLS is spoken.
fn doorkeepers(config: &Config, fixed: &Config) -> Result<(Arc<Tokens>, Option<Arc<Identity>>), Text> {
    let tokens = Tokens::of(&config.http).map_err(|faults| KeyFault::told(&faults))?;
    let identity = secrets::identity(&fixed.http).map_err(|fault| KeyFault::told(&[fault]))?;
    Ok((Arc::new(tokens), identity.map(Arc::new)))
}

/// Reloads when a file has changed, as long as the program runs.
fn keep_watching(runtime: &Runtime, reloader: Arc<Reloader>) {
    threads::keep(runtime.handle(), "reload", move || reloader.clone().watch());
}

/// The switch, and what it has to say at once.
fn make_switch(setup: Setup, kept: Kept, rng: Rng) -> (Switch, Vec<Output>) {
    let mut out = Vec::new();
    (Switch::new(setup, kept, rng, clock::now(), &mut out), out)
}

fn disk(config: &Config, journal: &Journal) -> Disk {
    Disk::of(config.journal(), config.records.max_bytes, config.records.min_free, journal.appender().health())
}

fn bounds(config: &Config) -> engine::Limits {
    engine::Limits { lane: setup::lanes(&config.limits), turn: config.limits.turn }
}

/// The connections, and what tells how others are reached.
fn start_network(config: &Config, runtime: &Runtime, inbox: &Inbox, rng: &mut Rng) -> (Tcp, Outward) {
    let times = (config.sip.resolve_timeout, config.sip.names_kept);
    let outward = Outward::new(Resolver::new(inbox.clone(), runtime.handle().clone(), times, rng.fork()));
    (Tcp::new(inbox.clone(), runtime.handle().clone(), setup::tcp(config), outward.trunks.clone()), outward)
}

/// `identity`: the certificate that is shown where TLS is spoken.
fn start_http(
    config: &Config,
    runtime: &Runtime,
    (listener, identity): (TcpListener, Option<Arc<Identity>>),
    mut api: ApiState,
) -> Result<(), Text> {
    let listener = on_runtime(runtime, listener)?;
    let doors = Connections::new(http::Limits::of(&config.http, api.fit.porch));
    let doors = match &identity {
        Some(identity) => doors.by_tls(identity.server(None)?),
        None => doors,
    };
    let (counted, others, disk, deliveries) = (doors.clone(), api.more.clone(), api.disk.clone(), api.deliveries.clone());
    let live_figures = api.figures.clone();
    let edges =
        move || counted.metrics().into_iter().chain(disk.metrics()).chain(deliveries.metrics()).chain(live_figures.metrics());
    api.more = Arc::new(move || others().into_iter().chain(edges()).collect());
    let (disk, listener) = (api.disk.clone(), Arc::new(listener));
    threads::keep(runtime.handle(), "disk", move || disk.clone().watch());
    let (router, health) = (http::router(api.clone()), http::health_alone(api));
    threads::keep(runtime.handle(), "http", move || doors.clone().serve(listener.clone(), router.clone(), health.clone()));
    Ok(())
}

/// Does what `POST /api/v1/reload` asks for.
fn asked_by_api(reloader: Arc<Reloader>) -> http::Reload {
    Arc::new(move || {
        let reloader = reloader.clone();
        Box::pin(async move { reloader.reload("the API").await })
    })
}

/// Collects what the threads beside the switch count.
fn figures(
    journal: &Journal,
    (tcp, resolver): (Tcp, Resolver),
    recorder: http::Figures,
    reloader: Arc<Reloader>,
    intake: Arc<Intake>,
    fit: Fit,
) -> Arc<dyn Fn() -> Vec<Metric> + Send + Sync> {
    let (clock, journal) = (journal.clock(), journal.appender());
    Arc::new(move || {
        let own = vec![
            Metric::gauge(
                "clock_doubted",
                "1 while the wall clock has jumped and nothing is deleted by it.",
                usize::from(clock.doubts()),
            ),
            Metric::gauge("journal_waiting", "Journal entries that wait for the journal's thread.", journal.waiting()),
            Metric::counter("journal_lost_total", "Journal entries that found no room.", journal.lost()),
            Metric::counter(
                "records_purged_total",
                "Calls of which the journal has only the id and tickets left.",
                journal.purged(),
            ),
            Metric::gauge("tcp_connections", "SIP connections over TCP.", tcp.connections()),
            Metric::counter("log_lines_lost_total", "Lines of the log that nobody took in time.", log::lost()),
        ];
        let (unanswered, stale, down) = resolver.counts();
        let names = [
            Metric::counter("dns_failed_total", "Questions that no DNS server answered.", unanswered),
            Metric::counter("dns_stale_total", "Lookups served by what had outlived its time while no server answered.", stale),
            Metric::gauge("dns_down", "Trunks whose DNS servers do not answer; all seats count as one.", down),
        ];
        let failed = |(reason, count)| {
            let failed = Metric::counter("tls_failed_total", "TLS connections of SIP that came to nothing.", count);
            failed.labelled(&[("reason", reason)])
        };
        let own = own.into_iter().chain(names).chain(trunk_tls::failures().map(failed));
        let more = own.chain(threads::metrics()).chain(fit.metrics());
        more.chain(recorder()).chain(reloader.metrics()).chain(intake.metrics()).collect()
    })
}
