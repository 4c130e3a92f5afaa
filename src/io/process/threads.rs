//! Panics of all threads and tasks; the switch counts those in calls besides. Each is told and counted, and costs one piece of
//! work: a leg, a recording, a journal entry, a connection, an answer. A thread or task that lives as long as the program goes
//! on with the next piece, or begins anew where it cannot. All threads and tasks of the gateway are started here, so that none
//! is without an answer:
//!
//! - [`thread`] for threads, most of which go by [`turns`];
//! - [`keep`] for tasks that live as long as the program;
//! - [`task`] for a task that ends with its work, [`survived`] for one that others start;
//! - [`aside`] for work that may wait for a disk.

use crate::base::Text;
use crate::io::metrics::Metric;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

/// How long a thread or task that has panicked waits before it goes on or begins anew.
const BREATH: Duration = Duration::from_millis(100);

/// Panics that were caught and beginnings anew, by the name of a thread or task.
static ALARMS: Mutex<BTreeMap<String, [u64; 2]>> = Mutex::new(BTreeMap::new());

/// A panic has cost one piece of work.
pub fn panicked(name: &str) {
    tracing::error!(thread = name, "the program has panicked: what it worked on is given up");
    count(name, 0);
}

/// As those are told who wait for what has panicked. Its own words may quote anything.
pub fn fault() -> Text {
    both!("a fault of the gateway's; see its log", "网关内部错误，请看其日志")
}

/// A panic has cost all that the thread or task had.
pub fn replaced(name: &str) {
    tracing::error!(thread = name, "the program has panicked: the thread begins anew");
    count(name, 1);
}

/// Does a piece of work; a panic in it is told and counted. Whoever calls it makes whole what was half done.
pub fn guarded<R>(name: &str, act: impl FnOnce() -> R) -> Option<R> {
    let done = catch_unwind(AssertUnwindSafe(act)).ok();
    if done.is_none() {
        panicked(name);
    }
    done
}

/// The same for the log's own thread: a line about it would come back to it.
pub fn counted<R>(name: &str, act: impl FnOnce() -> R) -> Option<R> {
    let done = catch_unwind(AssertUnwindSafe(act)).ok();
    if done.is_none() {
        count(name, 0);
    }
    done
}

/// Starts a thread. A panic that it does not answer itself ends it.
pub fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    let own = name.to_owned();
    thread::Builder::new().name(own.clone()).spawn(move || guarded(&own, run).unwrap_or_default())
}

/// Does a thread's work turn by turn, until one says that it was the last. A panic costs the turn in which it happens.
pub fn turns(name: &str, mut turn: impl FnMut() -> ControlFlow<()>) {
    loop {
        match guarded(name, &mut turn) {
            Some(ControlFlow::Break(())) => return,
            Some(ControlFlow::Continue(())) => {}
            None => thread::sleep(BREATH),
        }
    }
}

/// The same for work that waits.
pub async fn survived<F: Future>(name: &str, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|context| match guarded(name, || work.as_mut().poll(context)) {
        Some(poll) => poll.map(Some),
        None => Poll::Ready(None),
    })
    .await
}

/// Starts a task that ends with its work.
pub fn task<F>(runtime: &Handle, name: &'static str, work: F) -> JoinHandle<Option<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    runtime.spawn(survived(name, work))
}

/// Does work that may wait for a disk, or takes long, where nobody else waits for it. None: it has panicked, or the process
/// ends.
pub async fn aside<R: Send + 'static>(name: &'static str, work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    spawn_blocking(move || guarded(name, work)).await.ok().flatten()
}

/// Starts a task that runs as long as the program, or until it ends by itself; after a panic it begins anew.
pub fn keep<F>(runtime: &Handle, name: &'static str, mut start: impl FnMut() -> F + Send + 'static) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.spawn(async move {
        while survived(name, start()).await.is_none() {
            replaced(name);
            sleep(BREATH).await;
        }
    })
}

pub fn metrics() -> Vec<Metric> {
    let alarms = ALARMS.lock().unwrap_or_else(PoisonError::into_inner);
    let caught = alarms.iter().map(|(name, [caught, _])| {
        Metric::counter("thread_panics_total", "Panics that were caught; each cost one piece of work.", *caught)
            .labelled(&[("thread", name)])
    });
    let replaced = alarms.iter().map(|(name, [_, replaced])| {
        Metric::counter("threads_replaced_total", "Threads and tasks that began anew after a panic.", *replaced)
            .labelled(&[("thread", name)])
    });
    caught.chain(replaced).collect()
}

fn count(name: &str, which: usize) {
    let mut alarms = ALARMS.lock().unwrap_or_else(PoisonError::into_inner);
    alarms.entry(name.to_owned()).or_default()[which] += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn counted_of(name: &str) -> [u64; 2] {
        ALARMS.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    #[test]
    fn a_panic_costs_one_piece_of_work() {
        assert_eq!(guarded("test-work", || 5), Some(5));
        assert_eq!(guarded("test-work", || panic!("as it was told to")), None::<()>);
        assert_eq!(counted_of("test-work"), [1, 0]);
        assert!(metrics().iter().any(|metric| metric.labels == [("thread", "test-work".to_owned())] && metric.value == 1));
    }

    #[test]
    fn a_thread_goes_on_with_its_next_turn() {
        let turns_of = Arc::new(AtomicU32::new(0));
        let counting = turns_of.clone();
        let thread = thread("test-turns", move || {
            turns("test-turns", || match counting.fetch_add(1, Ordering::Relaxed) {
                0 | 2 => panic!("as it was told to"),
                4 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            });
        });
        thread.unwrap().join().unwrap();
        assert_eq!((turns_of.load(Ordering::Relaxed), counted_of("test-turns")), (5, [2, 0]));
    }

    #[tokio::test]
    async fn work_aside_and_tasks_that_panic_are_told_to_have_done_nothing() {
        assert_eq!(aside("test-aside", || 5).await, Some(5));
        assert_eq!(aside("test-aside", || panic!("as it was told to")).await, None::<()>);
        assert_eq!(task(&Handle::current(), "test-own", async { panic!("as it was told to") }).await.unwrap(), None::<()>);
        assert_eq!((counted_of("test-aside"), counted_of("test-own")), ([1, 0], [1, 0]));
    }

    #[tokio::test]
    async fn a_task_begins_anew_until_it_ends_by_itself() {
        let runs = Arc::new(AtomicU32::new(0));
        let task = keep(&Handle::current(), "test-task", {
            let runs = runs.clone();
            move || {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                async move { assert!(run >= 2, "as it was told to") }
            }
        });
        task.await.unwrap();
        assert_eq!((runs.load(Ordering::Relaxed), counted_of("test-task")), (3, [2, 2]));
    }
}
