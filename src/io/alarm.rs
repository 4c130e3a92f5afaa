//! Panics of all threads and tasks but the switch, which counts its own. Each is told and counted, and costs one piece of work:
//! a leg, a recording, a connection. A thread or task that lives as long as the program begins anew where it cannot go on.

use crate::io::http::Metric;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long a task that has panicked waits before it begins anew.
const BREATH: Duration = Duration::from_millis(100);

/// Panics that were caught and beginnings anew, by the name of a thread or task.
static ALARMS: Mutex<BTreeMap<String, [u64; 2]>> = Mutex::new(BTreeMap::new());

/// A panic has cost one piece of work.
pub fn panicked(name: &str) {
    tracing::error!(thread = name, "the program has panicked: what it worked on is given up");
    count(name, 0);
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

/// The same for work that waits.
pub async fn survived<F: Future>(name: &str, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|context| match guarded(name, || work.as_mut().poll(context)) {
        Some(poll) => poll.map(Some),
        None => Poll::Ready(None),
    })
    .await
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
        Metric::counter("thread_panics_total", "Panics outside the switch; each cost one piece of work.", *caught)
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

    fn counted(name: &str) -> [u64; 2] {
        ALARMS.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    #[test]
    fn a_panic_costs_one_piece_of_work() {
        assert_eq!(guarded("test-work", || 5), Some(5));
        assert_eq!(guarded("test-work", || panic!("as it was told to")), None::<()>);
        assert_eq!(counted("test-work"), [1, 0]);
        assert!(metrics().iter().any(|metric| metric.labels == "{thread=\"test-work\"}" && metric.value == 1));
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
        assert_eq!((runs.load(Ordering::Relaxed), counted("test-task")), (3, [2, 2]));
    }
}
