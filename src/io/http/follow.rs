//! Following the feed, whatever way the events go out: read at the follower's own pace, told one by one, waited for
//! when there are none. A follower that takes nothing is let go.

use super::WORK;
use crate::io::journal::feed::{Feed, FeedEvent, Subscription};
use crate::io::process::threads;
use bytes::Bytes;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A quiet line says that it lives, and how far it is.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A follower that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a journal that could not be read is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// A follower's wishes, and what it may see.
pub struct Wanted {
    /// Hotline numbers; none: all.
    pub lines: Vec<String>,
    pub unmasked: bool,
}

/// The news that a follower is told.
pub enum FeedUpdate<'a> {
    Event {
        told: &'a FeedEvent,
        json: &'a Bytes,
    },
    /// Nothing else was told for a while; all up to this number was.
    Alive(u64),
}

/// Why no more is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The follower is gone, or is not to be served any more.
    Gone,
    TookNothing,
    /// The gateway's: all has been told.
    Over,
}

pub trait Follower {
    /// Tells whether the news could be handed over.
    fn tell(&mut self, news: FeedUpdate<'_>) -> impl Future<Output = bool> + Send;

    /// Until nothing more can be told; may be asked again.
    fn gone(&mut self) -> impl Future<Output = ()> + Send;

    fn part(self, end: End) -> impl Future<Output = ()> + Send;
}

/// Tells everything after `n` until either side ends.
pub async fn follow(feed: Arc<Feed>, wanted: Wanted, n: u64, mut follower: impl Follower, _place: Subscription) {
    let end = Following { feed: &feed, wanted: &wanted, n }.tell_all(&mut follower).await;
    if end == End::TookNothing {
        feed.cut_off();
    }
    follower.part(end).await;
}

struct Following<'a> {
    feed: &'a Arc<Feed>,
    wanted: &'a Wanted,
    /// All up to here has been told.
    n: u64,
}

impl Following<'_> {
    async fn tell_all(&mut self, follower: &mut impl Follower) -> End {
        let mut newest = self.feed.newest();
        let mut beat = Instant::now();
        loop {
            newest.borrow_and_update();
            if beat <= Instant::now() {
                if let Err(end) = tell(follower, FeedUpdate::Alive(self.n)).await {
                    return end;
                }
                beat = Instant::now() + HEARTBEAT;
            }
            let (reader, n) = (self.feed.clone(), self.n);
            let events = match threads::aside(WORK, move || reader.after(n)).await {
                Some(Ok(events)) => events,
                Some(Err(trouble)) => {
                    tracing::error!("the feed: {trouble}");
                    sleep(AGAIN).await;
                    Vec::new()
                }
                None => return End::Over,
            };
            if let Err(end) = self.tell_these(&events, follower).await {
                return end;
            }
            // Also one that is far behind is listened to between chunks.
            tokio::select! {
                biased;
                () = follower.gone() => return End::Gone,
                () = ready(()), if !events.is_empty() => {}
                changed = newest.changed() => if changed.is_err() { return End::Over },
                () = sleep_until(beat) => {}
            }
        }
    }

    async fn tell_these(&mut self, events: &[Arc<FeedEvent>], follower: &mut impl Follower) -> Result<(), End> {
        for told in events {
            self.n = told.n;
            if let Some(json) = self.wanted.of(told) {
                tell(follower, FeedUpdate::Event { told, json }).await?;
            }
        }
        Ok(())
    }
}

async fn tell(follower: &mut impl Follower, news: FeedUpdate<'_>) -> Result<(), End> {
    match timeout(PATIENCE, follower.tell(news)).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(End::Gone),
        Err(_) => Err(End::TookNothing),
    }
}

impl Wanted {
    /// The event as it may be seen, if it is wanted and the journal has it still.
    fn of<'a>(&self, told: &'a FeedEvent) -> Option<&'a Bytes> {
        let wanted = self.lines.is_empty() || self.lines.contains(&told.line);
        if wanted { told.json(self.unmasked) } else { None }
    }
}
