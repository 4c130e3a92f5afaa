//! Commands on their way to the switch and back: who asked is found by the number that goes along.

use crate::control::{Command, Reply};
use crate::io::inbox::Inbox;
use crate::switch::Input;
use dashmap::DashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Commands that may wait at once.
const MOST_WAITING: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// Shared by the HTTP handlers, which ask, and the switch thread, which answers: neither may hold up the other.
#[derive(Default)]
pub struct SwitchRequests {
    next: AtomicU64,
    waiting: DashMap<u64, oneshot::Sender<Reply>>,
}

/// The switch did not take the command, or did not answer in time: it may have been carried out all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    Overloaded,
    TooLate,
}

impl SwitchRequests {
    pub async fn ask(&self, inbox: &Inbox, command: Command) -> Result<Reply, NoAnswer> {
        if self.waiting.len() >= MOST_WAITING {
            return Err(NoAnswer::Overloaded);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.insert(id, sender);
        if inbox.try_send(Input::Command { id, command }).is_err() {
            self.waiting.remove(&id);
            return Err(NoAnswer::Overloaded);
        }
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        self.waiting.remove(&id);
        answer.ok().and_then(Result::ok).ok_or(NoAnswer::TooLate)
    }

    /// Tells the switch something, and waits for no answer. Under load it is lost.
    pub fn tell(&self, inbox: &Inbox, command: Command) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let _ = inbox.try_send(Input::Command { id, command });
    }

    /// An answer that nobody waits for any more is dropped.
    pub fn answer(&self, id: u64, reply: Reply) {
        if let Some((_, sender)) = self.waiting.remove(&id) {
            let _ = sender.send(reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Numbers;
    use crate::io::inbox;

    #[tokio::test]
    async fn each_asker_gets_its_own_answer() {
        let (inbox, outlet) = inbox::inbox(16).unwrap();
        let requests = SwitchRequests::default();
        let switch = async {
            for _ in 0..2 {
                let input = loop {
                    match outlet.take() {
                        Some(input) => break input,
                        None => tokio::task::yield_now().await,
                    }
                };
                let Input::Command { id, .. } = input else { panic!("a command") };
                requests.answer(id, Reply::Calls { calls: Vec::new(), total: id as usize });
            }
        };
        let list = Command::Calls(Numbers::Masked);
        let (a, b, ()) = tokio::join!(requests.ask(&inbox, list.clone()), requests.ask(&inbox, list), switch);
        assert_ne!(a.unwrap(), b.unwrap());
        assert!(requests.waiting.is_empty());
        requests.answer(77, Reply::Done);
    }
}
