//! Calls in which the last process died: their ends are told in the log like any other's, by what the journal has of them.

use super::Journal;
use crate::base::{CallId, Text};
use crate::record::ending::Ending;
use crate::record::zone::Zone;

pub fn log(calls: &[CallId], journal: &Journal, zone: &str) -> Result<(), Text> {
    if calls.is_empty() {
        return Ok(());
    }
    tracing::warn!(calls = calls.len(), "the last process ended in calls; their records say interrupted");
    let reader = journal.reader(Zone::named(zone)?).map_err(Text::from)?;
    for call in calls {
        match reader.record(*call) {
            Ok(Some(record)) => Ending::of_record(&record).log(*call, "the call is over: the last process ended in it"),
            Ok(None) => tracing::warn!(%call, "the last process ended in this call, and nothing is known of it"),
            Err(trouble) => {
                tracing::warn!(%call, "the last process ended in this call, and its record cannot be read: {trouble}")
            }
        }
    }
    Ok(())
}
