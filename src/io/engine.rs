//! The switch thread: takes inputs from its UDP sockets and its inbox, keeps the deadline, carries out what the switch
//! says. A turn takes a bounded number of each, so that neither a flood nor a full inbox keeps the timers waiting.

use crate::base::{Flow, Mono, Now, Proto, Source, Target};
use crate::control::Reply;
use crate::event::{Entry, Keep, SeatEntry};
use crate::io::clock;
use crate::io::inbox::{Arrival, Outlet};
use crate::io::metrics;
use crate::io::net::udp::{UdpPort, Unsent};
use crate::io::process::threads;
use crate::media::Command;
use crate::switch::{Input, Output, Recording, Timed};
use crate::transport::{Bounds, Lanes};
use bytes::Bytes;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub const THREAD: &str = "switch";
/// Inputs of the inbox in one turn.
const INBOX_BATCH: usize = 256;
/// Batches of datagrams of one socket in one turn: more than can be served, so that each source waits in its own lane and not
/// behind others in the socket's buffer.
const BATCHES: usize = 16;
/// The thread looks around at least so often: to report, and to see that it should stop.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// How late a timer may be. Each call leaves some that end quietly (RFC 3261 timers D to K), and those that are due within
/// this share one wake-up; the shortest interval of SIP is 500 ms.
const LATE: Duration = Duration::from_millis(10);
/// How soon a full socket is tried again.
const RETRY: Duration = Duration::from_millis(1);
/// How often a machine may panic while it gives up what it worked on.
const RESCUES: u32 = 4;
/// The inbox's mark among the poll's events; sockets have their index.
const INBOX: u64 = u64::MAX;

/// A state machine that the thread drives.
pub trait Machine {
    fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>);
    fn tick(&mut self, now: Now, out: &mut Vec<Output>);
    fn deadline(&self) -> Option<Mono>;
    /// The sender that a message from there counts as.
    fn source(&self, host: IpAddr) -> Source;
    /// True for a message that is dropped last.
    fn spares(&self, flow: Flow, data: &[u8]) -> bool;
    /// A message was dropped, since too many of its source's wait.
    fn dropped(&mut self);
    /// The last `handle` or `tick` has panicked: gives up what it worked on, and goes on with the rest.
    fn recover(&mut self, now: Now, out: &mut Vec<Output>);
}

/// The bounds that an operator sets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A burst of one source waits here while others are served.
    pub lane: Bounds,
    /// How long messages are served in one turn: so long one waits at most before it is seen, however many others wait.
    pub turn: Duration,
}

/// Where outputs go that are no datagrams. None of these may wait.
pub trait Ends<M> {
    /// False when it cannot be sent.
    fn stream(&mut self, flow: Flow, data: Bytes) -> bool;
    fn media(&mut self, shard: u16, command: Command);
    fn journal(&mut self, ticket: u64, entry: Entry);
    /// Without a ticket it is told only to those who follow.
    fn seat(&mut self, ticket: Option<u64>, entry: SeatEntry);
    fn keep(&mut self, ticket: u64, keep: Keep);
    fn recording(&mut self, recording: Recording);
    /// All outputs of a turn are handed over.
    fn flush(&mut self);
    fn reply(&mut self, id: u64, reply: Reply);
    /// Answered by [`Input::Resolved`].
    fn resolve(&mut self, id: u64, trunk: Option<Arc<str>>, target: Target);
    /// Somebody waits for a report.
    fn wanted(&self) -> bool;
    /// Called every heartbeat, and whenever it is wanted.
    fn report(&mut self, now: Now, machine: &M);
}

pub struct Engine<M, E> {
    machine: M,
    ends: E,
    ports: Vec<UdpPort>,
    /// True for the ports that have something to read.
    ready: Vec<bool>,
    outlet: Outlet,
    lanes: Lanes<Arrival>,
    turn: Duration,
    poll: Epoll,
    out: Vec<Output>,
    /// Messages that could not be sent, to be told after the turn.
    unsent: Vec<Unsent>,
    reported: Mono,
}

impl<M: Machine, E: Ends<M>> Engine<M, E> {
    /// `out`: what the machine wanted when it was made. Call it in the thread that will run it.
    pub fn new(
        machine: M,
        ends: E,
        inputs: (Vec<UdpSocket>, Outlet),
        out: Vec<Output>,
        limits: Limits,
    ) -> io::Result<Engine<M, E>> {
        let (sockets, outlet) = inputs;
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        poll.add(outlet.descriptor(), EpollEvent::new(EpollFlags::EPOLLIN, INBOX))?;
        let ports = sockets.into_iter().map(UdpPort::new).collect::<io::Result<Vec<_>>>()?;
        for (index, port) in (0..).zip(&ports) {
            poll.add(port.descriptor(), EpollEvent::new(EpollFlags::EPOLLIN, index))?;
        }
        let ready = vec![false; ports.len()];
        let (lanes, turn, unsent) = (Lanes::new(limits.lane), limits.turn, Vec::new());
        Ok(Engine { machine, ends, ports, ready, outlet, lanes, turn, poll, out, unsent, reported: Mono(0) })
    }

    /// Runs until `stop`, then gives the ends back.
    pub fn run(mut self, stop: &AtomicBool) -> io::Result<E> {
        self.carry_out();
        while !stop.load(Ordering::Relaxed) {
            let all_sent = self.turn();
            self.sleep(all_sent)?;
        }
        Ok(self.ends)
    }

    /// Everything that is due now, up to the bounds. True when nothing waits for a full socket.
    fn turn(&mut self) -> bool {
        let now = clock::now();
        self.take_inputs(now);
        self.take_datagrams();
        self.serve(now);
        if self.machine.deadline().is_some_and(|at| at <= now.mono) {
            guarded(&mut self.machine, now, &mut self.out, |machine, out| machine.tick(now, out));
        }
        self.carry_out();
        let all_sent = self.send(now);
        if self.ends.wanted() || now.mono.since(self.reported) >= HEARTBEAT {
            self.reported = now.mono;
            threads::guarded(THREAD, || self.ends.report(now, &self.machine));
        }
        all_sent
    }

    /// Messages from outside wait for their source's turn; what we tell ourselves does not.
    fn take_inputs(&mut self, now: Now) {
        for _ in 0..INBOX_BATCH {
            let Some(arrival) = self.outlet.arrival() else { break };
            match arrival.input {
                Input::Sip { flow, .. } | Input::FlowFailed { flow } | Input::PeerEnded { flow } => {
                    self.lanes.push(self.machine.source(flow.remote.ip()), 0, arrival);
                }
                input => guarded(&mut self.machine, now, &mut self.out, |machine, out| machine.handle(now, input, out)),
            }
        }
    }

    fn take_datagrams(&mut self) {
        let Engine { machine, ports, ready, lanes, .. } = self;
        for (port, ready) in ports.iter_mut().zip(ready).filter(|(_, ready)| **ready) {
            *ready = (0..BATCHES).all(|_| {
                port.receive(|flow, data| {
                    let (source, length) = (machine.source(flow.remote.ip()), data.len());
                    let spared = |arrival: &Arrival| {
                        let Input::Sip { flow, data } = &arrival.input else { return true };
                        threads::guarded(THREAD, || machine.spares(*flow, data)).unwrap_or(false)
                    };
                    if !lanes.offer(source, length, Input::Sip { flow, data }.into(), spared) {
                        machine.dropped();
                    }
                })
            });
        }
    }

    /// Serves what waits, source by source, for a while.
    fn serve(&mut self, now: Now) {
        let Engine { machine, out, lanes, turn, .. } = self;
        let mut begun = clock::mono();
        let until = begun.after(*turn);
        while begun < until
            && lanes.serve(|Arrival { input, place: _place }| {
                guarded(machine, now, out, |machine, out| machine.handle(now, input, out));
                let done = clock::mono();
                done.since(std::mem::replace(&mut begun, done)).as_micros() as u64
            })
        {}
    }

    /// A panic costs the output that was being handed over.
    fn carry_out(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        let mut outputs = out.drain(..);
        while threads::guarded(THREAD, || outputs.by_ref().for_each(|output| self.hand_over(output))).is_none() {}
        drop(outputs);
        self.out = out;
        threads::guarded(THREAD, || self.ends.flush());
    }

    fn hand_over(&mut self, output: Output) {
        match output {
            Output::Sip { flow, data } if flow.proto == Proto::Udp => {
                match self.ports.iter_mut().find(|port| port.local() == flow.local) {
                    Some(port) => port.queue(flow.remote, data),
                    None => self.unsent.push(Unsent { flow, data, too_long: false }),
                }
            }
            Output::Sip { flow, data } => {
                if !self.ends.stream(flow, data.clone()) {
                    self.unsent.push(Unsent { flow, data, too_long: false });
                }
            }
            Output::Media { shard, command } => self.ends.media(shard, command),
            Output::Journal { ticket, entry } => self.ends.journal(ticket, entry),
            Output::Seat { ticket, entry } => self.ends.seat(ticket, entry),
            Output::Keep { ticket, keep } => self.ends.keep(ticket, keep),
            Output::Recording(recording) => self.ends.recording(recording),
            Output::Reply { id, reply } => self.ends.reply(id, reply),
            Output::Resolve { id, trunk, target } => self.ends.resolve(id, trunk, target),
            Output::Timed(Timed::CallSetup(duration)) => metrics::CALL_SETUP.observe(duration),
            Output::Timed(Timed::QueueWait(duration)) => metrics::QUEUE_WAIT.observe(duration),
        }
    }

    /// Sends what waits; what cannot be sent is told to the machine, whose answer leaves in the next turn.
    fn send(&mut self, now: Now) -> bool {
        let mut all_sent = true;
        for port in &mut self.ports {
            all_sent &= port.flush(|unsent| self.unsent.push(unsent));
        }
        for Unsent { flow, data, too_long } in self.unsent.drain(..) {
            let unsent = Input::Unsent { flow, data, too_long };
            guarded(&mut self.machine, now, &mut self.out, |machine, out| machine.handle(now, unsent, out));
        }
        all_sent && self.out.is_empty()
    }

    fn sleep(&mut self, all_sent: bool) -> io::Result<()> {
        // In this order: who wants a report rings after saying so.
        let busy = self.ready.contains(&true) || !self.lanes.is_empty() || !self.outlet.may_sleep() || self.ends.wanted();
        let timeout = if busy { Duration::ZERO } else { self.patience(all_sent) };
        let mut events = [EpollEvent::empty(); 16];
        let count = match self.poll.wait(&mut events, milliseconds(timeout)) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for event in &events[..count] {
            if event.data() == INBOX {
                self.outlet.awake();
            } else if let Some(ready) = usize::try_from(event.data()).ok().and_then(|index| self.ready.get_mut(index)) {
                *ready = true;
            }
        }
        Ok(())
    }

    /// How long the thread may sleep.
    fn patience(&self, all_sent: bool) -> Duration {
        let to_deadline = self.machine.deadline().map(|at| at.after(LATE).since(clock::mono()));
        let limit = if all_sent { HEARTBEAT } else { RETRY };
        to_deadline.unwrap_or(limit).min(limit)
    }
}

/// A panic costs what the machine worked on, not the process: it gives that up. One that cannot even do this is broken, and
/// the process ends; another one takes over, with what is in the journal.
fn guarded<M: Machine>(machine: &mut M, now: Now, out: &mut Vec<Output>, act: impl FnOnce(&mut M, &mut Vec<Output>)) {
    let Err(mut panic) = catch_unwind(AssertUnwindSafe(|| act(machine, out))) else { return };
    for _ in 0..RESCUES {
        match catch_unwind(AssertUnwindSafe(|| machine.recover(now, out))) {
            Ok(()) => return,
            Err(another) => panic = another,
        }
    }
    resume_unwind(panic)
}

/// Rounded up: waking too early would only mean to sleep again.
fn milliseconds(timeout: Duration) -> EpollTimeout {
    let rounded = timeout.as_micros().div_ceil(1000);
    u16::try_from(rounded).map_or(EpollTimeout::MAX, EpollTimeout::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::inbox::inbox;
    use crate::io::net::udp;
    use std::sync::mpsc;
    use std::thread;

    const LIMITS: Limits = Limits { lane: Bounds { messages: 4096, bytes: 4 << 20 }, turn: Duration::from_millis(2) };

    /// Answers each datagram with itself, counts inputs, ticks every 20 ms.
    struct Echo {
        next: Mono,
        recoveries: u32,
        heard: mpsc::Sender<String>,
    }

    impl Machine for Echo {
        fn source(&self, host: IpAddr) -> Source {
            Source::Host(host)
        }

        fn spares(&self, _flow: Flow, _data: &[u8]) -> bool {
            false
        }

        fn dropped(&mut self) {
            let _ = self.heard.send("dropped".to_string());
        }

        fn recover(&mut self, _now: Now, _out: &mut Vec<Output>) {
            self.recoveries += 1;
            let _ = self.heard.send("recover".to_string());
            assert!(self.recoveries.is_multiple_of(3), "it takes three to recover it");
        }

        fn handle(&mut self, _now: Now, input: Input, out: &mut Vec<Output>) {
            let _ = self.heard.send(format!("{input:?}").split([' ', '{']).next().unwrap().to_string());
            if let Input::Sip { flow, data } = input {
                assert!(data != "panic", "as it was told to");
                out.push(Output::Sip { flow, data });
            }
        }

        fn tick(&mut self, now: Now, _out: &mut Vec<Output>) {
            self.next = now.mono.after(Duration::from_millis(20));
            let _ = self.heard.send("tick".to_string());
        }

        fn deadline(&self) -> Option<Mono> {
            Some(self.next)
        }
    }

    struct Nowhere(mpsc::Sender<String>);

    impl<M> Ends<M> for Nowhere {
        fn stream(&mut self, _flow: Flow, data: Bytes) -> bool {
            assert!(data != "panic", "as it was told to");
            self.0.send("stream".to_string()).is_ok()
        }
        fn media(&mut self, _shard: u16, _command: Command) {}
        fn journal(&mut self, _ticket: u64, _entry: Entry) {}
        fn seat(&mut self, _ticket: Option<u64>, _entry: SeatEntry) {}
        fn keep(&mut self, _ticket: u64, _keep: Keep) {}
        fn recording(&mut self, _recording: Recording) {}
        fn flush(&mut self) {}
        fn reply(&mut self, _id: u64, _reply: Reply) {}
        fn resolve(&mut self, _id: u64, _trunk: Option<Arc<str>>, _target: Target) {}
        fn wanted(&self) -> bool {
            false
        }
        fn report(&mut self, _now: Now, _machine: &M) {
            let _ = self.0.send("report".to_string());
        }
    }

    fn wait_for(heard: &mpsc::Receiver<String>, what: &str) {
        while heard.recv_timeout(Duration::from_secs(5)).unwrap() != what {}
    }

    #[test]
    fn datagrams_inputs_deadlines_and_reports_all_get_their_turn() {
        let socket = udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let local = socket.local_addr().unwrap();
        let (sender, heard) = mpsc::channel();
        let (inbox, outlet) = inbox(64).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = stop.clone();
            move || {
                let flow = Flow { proto: Proto::Tcp, local, remote: local };
                // A panic costs its own output.
                let outputs = [&b"panic"[..], b"panic", b""];
                let first = outputs.map(|data| Output::Sip { flow, data: Bytes::from_static(data) }).into();
                let machine = Echo { next: Mono(0), recoveries: 0, heard: sender.clone() };
                Engine::new(machine, Nowhere(sender), (vec![socket], outlet), first, LIMITS).unwrap().run(&stop).unwrap();
            }
        });
        wait_for(&heard, "stream");
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for i in 0..200_u32 {
            peer.send_to(&i.to_be_bytes(), local).unwrap();
        }
        let mut buffer = [0; 16];
        for i in 0..200_u32 {
            assert_eq!(peer.recv(&mut buffer).unwrap(), 4);
            assert_eq!(buffer[..4], i.to_be_bytes());
        }
        inbox.send(Input::End);
        wait_for(&heard, "End");
        wait_for(&heard, "tick");
        wait_for(&heard, "report");
        // A panic costs its own input.
        for text in [&b"panic"[..], b"panic", b"after"] {
            peer.send_to(text, local).unwrap();
        }
        assert_eq!(peer.recv(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"after");
        (0..6).for_each(|_| wait_for(&heard, "recover"));
        // No datagram can leave from an address that is not ours.
        let flow = Flow { proto: Proto::Udp, local: "127.0.0.9:1".parse().unwrap(), remote: local };
        inbox.send(Input::Sip { flow, data: Bytes::from_static(b"x") });
        wait_for(&heard, "Unsent");
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }

    /// Takes a while for each message, and tells whose it was.
    struct Slow(mpsc::Sender<IpAddr>);

    impl Machine for Slow {
        fn handle(&mut self, _now: Now, input: Input, _out: &mut Vec<Output>) {
            if let Input::Sip { flow, .. } = input {
                thread::sleep(Duration::from_millis(1));
                let _ = self.0.send(flow.remote.ip());
            }
        }

        fn tick(&mut self, _now: Now, _out: &mut Vec<Output>) {}

        fn deadline(&self) -> Option<Mono> {
            None
        }

        fn source(&self, host: IpAddr) -> Source {
            Source::Host(host)
        }

        fn spares(&self, _flow: Flow, _data: &[u8]) -> bool {
            false
        }

        fn dropped(&mut self) {}

        fn recover(&mut self, _now: Now, _out: &mut Vec<Output>) {}
    }

    #[test]
    fn a_flood_of_one_source_keeps_another_waiting_for_a_few_of_its_messages() {
        let socket = udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let local = socket.local_addr().unwrap();
        let (inbox, outlet) = inbox(64).unwrap();
        let (sender, served) = mpsc::channel();
        let (flood, other) = (UdpSocket::bind("127.0.0.2:0").unwrap(), UdpSocket::bind("127.0.0.3:0").unwrap());
        // As many as the receive buffer of an ordinary kernel holds (net.core.rmem_max = 212992).
        for _ in 0..400 {
            flood.send_to(b"x", local).unwrap();
        }
        other.send_to(b"x", local).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = stop.clone();
            move || {
                Engine::new(Slow(sender), Nowhere(mpsc::channel().0), (vec![socket], outlet), vec![], LIMITS)
                    .unwrap()
                    .run(&stop)
                    .map(drop)
            }
        });
        let other = other.local_addr().unwrap().ip();
        let before = served.iter().take_while(|source| *source != other).count();
        assert!(before < 100, "it had to wait for {before}");
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap().unwrap();
        drop(inbox);
    }
}
