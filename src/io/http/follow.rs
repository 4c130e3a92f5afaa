//! Following a source of events, whatever it is and whatever way they go out: read at the follower's own pace, told one by
//! one, waited for when there are none. A follower that takes nothing is let go.

use crate::io::config::tokens::Admitted;
use crate::io::process::places::{Places, Subscription};
use bytes::Bytes;
use std::future::{Future, ready};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// A quiet line says that it lives, and how far it is.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A follower that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(30);

/// A place that events come from, each under a number that only rises.
pub trait Source: Send {
    type Event: Send + Sync;

    /// The next events after this number.
    fn after(&mut self, n: u64) -> impl Future<Output = Result<Chunk<Self::Event>, End>> + Send;

    fn number(&self, event: &Self::Event) -> u64;

    /// The event as this follower may see it: its kind and its JSON; none when it is not wanted.
    fn shown<'a>(&self, event: &'a Self::Event) -> Option<(&'a str, Bytes)>;

    /// Until there may be more. False: there will be no more.
    fn changed(&mut self) -> impl Future<Output = bool> + Send;

    /// The follower has taken something, and so lives.
    fn follower_lives(&mut self) {}

    fn places(&self) -> &Places;
}

/// Some events, oldest first; none when there are no more yet.
pub struct Chunk<E> {
    pub events: Vec<E>,
    /// All that there is up to this number has been read.
    pub upto: u64,
}

/// The news that a follower is told.
pub enum FeedUpdate<'a> {
    Event {
        n: u64,
        kind: &'a str,
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
    /// Its token is not valid any more.
    Expelled,
    /// The gateway's: all has been told.
    Over,
}

pub trait Follower {
    /// Tells whether the news could be handed over.
    fn tell(&mut self, news: FeedUpdate<'_>) -> impl Future<Output = bool> + Send;

    /// Until nothing more can be told; may be asked again.
    fn gone(&mut self) -> impl Future<Output = ()> + Send;

    /// `n`: all up to there was told.
    fn part(self, end: End, n: u64) -> impl Future<Output = ()> + Send;
}

/// Tells everything after `from` until either side ends.
pub async fn follow(start: Start<impl Source>, mut follower: impl Follower) {
    let Start { source, from: n, who, place: _place } = start;
    let mut following = Following { source, who, n };
    let end = following.tell_all(&mut follower).await;
    if end == End::TookNothing {
        following.source.places().cut_off();
    }
    follower.part(end, following.n).await;
}

/// A source that may be followed, from where and by whom, and the place that its follower has.
pub struct Start<S> {
    pub source: S,
    /// The number after which it begins.
    pub from: u64,
    pub who: Admitted,
    pub place: Subscription,
}

struct Following<S> {
    source: S,
    who: Admitted,
    /// All up to here has been told.
    n: u64,
}

impl<S: Source> Following<S> {
    async fn tell_all(&mut self, follower: &mut impl Follower) -> End {
        let mut beat = Instant::now();
        loop {
            if !self.who.stands() {
                return End::Expelled;
            }
            if beat <= Instant::now() {
                if let Err(end) = tell(follower, FeedUpdate::Alive(self.n)).await {
                    return end;
                }
                self.source.follower_lives();
                beat = Instant::now() + HEARTBEAT;
            }
            let Chunk { events, upto } = match self.source.after(self.n).await {
                Ok(chunk) => chunk,
                Err(end) => return end,
            };
            if let Err(end) = self.tell_these(&events, follower).await {
                return end;
            }
            self.n = upto;
            // Also one that is far behind is listened to between chunks.
            tokio::select! {
                biased;
                () = follower.gone() => return End::Gone,
                () = ready(()), if !events.is_empty() => {}
                more = self.source.changed() => if !more { return End::Over },
                () = sleep_until(beat) => {}
            }
        }
    }

    async fn tell_these(&mut self, events: &[S::Event], follower: &mut impl Follower) -> Result<(), End> {
        for event in events {
            let n = self.source.number(event);
            if let Some((kind, json)) = self.source.shown(event) {
                tell(follower, FeedUpdate::Event { n, kind, json: &json }).await?;
            }
            self.n = n;
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
