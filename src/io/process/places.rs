//! Places for those who follow something without end: bounded for all together, and for each token, so that one that comes
//! back without end leaves room for others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub struct Places {
    most: usize,
    /// Each token's, of all.
    share: usize,
    free: Arc<Semaphore>,
    shares: Mutex<BTreeMap<String, Weak<Semaphore>>>,
    cut_off: AtomicU64,
}

/// One follower's place, among all and among its token's.
pub struct Subscription {
    _of_token: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(most: usize, share: usize) -> Places {
        Places { most, share, free: Arc::new(Semaphore::new(most)), shares: Mutex::default(), cut_off: AtomicU64::new(0) }
    }

    /// Room for one more of this token's to follow, until it is dropped.
    pub fn take(&self, token: &str) -> Option<Subscription> {
        let of_all = self.free.clone().try_acquire_owned().ok()?;
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        let share = shares.get(token).and_then(Weak::upgrade).unwrap_or_else(|| Arc::new(Semaphore::new(self.share)));
        shares.insert(token.to_owned(), Arc::downgrade(&share));
        Some(Subscription { _of_token: share.try_acquire_owned().ok()?, _of_all: of_all })
    }

    /// Until nobody follows any more; meanwhile nobody begins to.
    pub async fn deserted(&self) {
        let _all = self.free.acquire_many(self.most as u32).await;
    }

    pub fn taken(&self) -> usize {
        self.most - self.free.available_permits()
    }

    /// Somebody did not read for so long that it was let go.
    pub fn cut_off(&self) {
        self.cut_off.fetch_add(1, Ordering::Relaxed);
    }

    pub fn cut_offs(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }
}
