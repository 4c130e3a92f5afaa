//! The journal as others read it, whatever its engine.

use super::engine::Read;
use super::error::Error;
use super::sqlite::reader::View;
use crate::record::delivery::Item;
use crate::record::seal::Sealer;
use crate::record::zone::Zone;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// A read-only view; its verbs are those of [`Read`].
pub struct Reader(Box<dyn Read>);

impl Reader {
    pub fn open(path: &Path, zone: Zone) -> Result<Reader, Error> {
        Ok(Reader(Box::new(View::open(path, zone)?)))
    }

    /// Reads what was sealed, too.
    pub fn unsealing(mut self, sealer: Arc<Sealer>) -> Reader {
        self.0.unseal(sealer);
        self
    }
}

impl Deref for Reader {
    type Target = dyn Read;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// The caller whose calls are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As the plan reads it, and as records have it.
    pub number: String,
    /// As somebody wrote it: so it stands in what was handed in before the plan read those.
    pub written: String,
}

impl Caller {
    pub(super) fn is(&self, known: &str) -> bool {
        known == self.number || known == self.written
    }
}

/// One event's way to one backend.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Delivery {
    pub backend: String,
    pub event: String,
    /// `pending`, `done`, `merged` or `dead`.
    pub state: String,
    pub attempts: u32,
    pub error: Option<String>,
}

/// The deliveries that wait for one backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub backend: String,
    pub calls: u64,
    pub oldest_seconds: u64,
    /// Calls that are set aside: the backend refuses their next event.
    pub aside: u64,
    /// Events that are dead letters.
    pub dead: u64,
}

/// One event's place in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedItem {
    pub n: u64,
    /// The hotline's number.
    pub line: String,
    /// None: of a kind that only a later release knows.
    pub item: Option<Item>,
}
