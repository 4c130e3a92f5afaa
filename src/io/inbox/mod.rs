//! The way into the switch thread from every other thread: a bounded channel and an eventfd that wakes the sleeper.

pub mod figures;
pub mod requests;

use crate::switch::Input;
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::OwnedSemaphorePermit;

/// The part of the channel that traffic from outside may fill; the rest is for media, journal and commands.
const OUTSIDE_SHARE: (usize, usize) = (3, 4);

/// An input on its way, with the place that it takes among its connection's until it has been served.
pub struct Arrival {
    pub input: Input,
    pub place: Option<OwnedSemaphorePermit>,
}

impl From<Input> for Arrival {
    fn from(input: Input) -> Arrival {
        Arrival { input, place: None }
    }
}

/// The sending end; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    sender: Sender<Arrival>,
    bell: Arc<Bell>,
}

/// The switch thread's end.
pub struct Outlet {
    receiver: Receiver<Arrival>,
    bell: Arc<Bell>,
}

struct Bell {
    wake: EventFd,
    /// Only a sleeper needs the bell: a system call saved for each input that meets the thread at work.
    asleep: AtomicBool,
    refused: AtomicU64,
}

pub fn inbox(capacity: usize) -> io::Result<(Inbox, Outlet)> {
    let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
    let bell = Arc::new(Bell { wake, asleep: AtomicBool::new(false), refused: AtomicU64::new(0) });
    let (sender, receiver) = bounded(capacity);
    Ok((Inbox { sender, bell: bell.clone() }, Outlet { receiver, bell }))
}

impl Inbox {
    /// Sends what must arrive: it waits while the channel is full. False when the switch is gone.
    pub fn send(&self, input: Input) -> bool {
        let sent = self.sender.send(input.into()).is_ok();
        self.bell.ring();
        sent
    }

    /// Sends what may wait or be dropped under load: it is handed back when outside traffic has filled its share.
    pub fn offer(&self, arrival: Arrival) -> Result<(), Arrival> {
        let capacity = self.sender.capacity().unwrap_or(usize::MAX);
        if self.sender.len() >= capacity / OUTSIDE_SHARE.1 * OUTSIDE_SHARE.0 {
            return self.refuse(arrival);
        }
        self.try_put(arrival)
    }

    /// Sends what must arrive, from where nobody may wait: it is handed back when the channel is full.
    pub fn try_send(&self, input: Input) -> Result<(), Input> {
        self.try_put(input.into()).map_err(|arrival| arrival.input)
    }

    fn try_put(&self, arrival: Arrival) -> Result<(), Arrival> {
        match self.sender.try_send(arrival) {
            Ok(()) => {
                self.bell.ring();
                Ok(())
            }
            Err(error) => self.refuse(error.into_inner()),
        }
    }

    fn refuse(&self, arrival: Arrival) -> Result<(), Arrival> {
        self.bell.refused.fetch_add(1, Ordering::Relaxed);
        Err(arrival)
    }

    /// The switch thread has a look around, though nothing is sent to it.
    pub fn wake(&self) {
        self.bell.ring();
    }

    pub fn len(&self) -> usize {
        self.sender.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sender.is_empty()
    }

    /// How often an input was handed back so far.
    pub fn refused(&self) -> u64 {
        self.bell.refused.load(Ordering::Relaxed)
    }
}

impl Outlet {
    pub fn arrival(&self) -> Option<Arrival> {
        self.receiver.try_recv().ok()
    }

    /// One that waits for nobody's turn.
    pub fn take(&self) -> Option<Input> {
        self.arrival().map(|arrival| arrival.input)
    }

    /// Says that the thread is about to sleep. False when something came in the meantime: do not sleep.
    pub fn may_sleep(&self) -> bool {
        self.bell.asleep.store(true, Ordering::SeqCst);
        let empty = self.receiver.is_empty();
        if !empty {
            self.bell.asleep.store(false, Ordering::SeqCst);
        }
        empty
    }

    pub fn awake(&self) {
        self.bell.asleep.store(false, Ordering::SeqCst);
        // Reading resets the counter; "nothing there" is no error.
        let _ = self.bell.wake.read();
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.bell.wake.as_fd()
    }
}

impl Bell {
    fn ring(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            // Fails only when the counter is full, and then the sleeper is awake anyway.
            let _ = self.wake.write(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_traffic_leaves_room_for_the_rest() {
        let (inbox, outlet) = inbox(8).unwrap();
        let offered = (0..8).filter(|_| inbox.offer(Input::End.into()).is_ok()).count();
        assert_eq!((offered, inbox.refused()), (6, 2));
        assert!(inbox.send(Input::End) && inbox.send(Input::End));
        assert_eq!(std::iter::from_fn(|| outlet.take()).count(), 8);
        assert!(inbox.offer(Input::End.into()).is_ok());
    }

    #[test]
    fn a_sleeper_is_woken_and_no_one_sleeps_over_an_input() {
        let (inbox, outlet) = inbox(8).unwrap();
        assert!(outlet.may_sleep());
        assert_eq!(outlet.bell.wake.read().ok(), None);
        inbox.send(Input::End);
        assert_eq!(outlet.bell.wake.read().ok(), Some(1));
        assert!(!outlet.may_sleep());
        inbox.send(Input::End);
        assert_eq!(outlet.bell.wake.read().ok(), None, "awake: the bell stays silent");
    }
}
