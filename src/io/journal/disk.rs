//! How much room the journal takes and has left, with the alarm before there is none, and what of it is damaged.

use crate::base::Text;
use crate::io::journal::Health;
use crate::io::metrics::Metric;
use nix::sys::statvfs::statvfs;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const LOOK: Duration = Duration::from_secs(10);
/// The alarm goes at so many per cent of the journal's bound.
const PER_CENT: u64 = 80;

pub struct Disk {
    journal: PathBuf,
    /// 0: no bound but the disk's.
    max_bytes: u64,
    min_free: u64,
    health: Arc<Health>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// The bytes that the journal takes.
    pub bytes: u64,
    /// The bytes that its disk has left for us.
    pub free: u64,
}

impl Disk {
    /// `max_bytes`: 0 means no bound but the disk's.
    pub fn of(journal: PathBuf, max_bytes: u64, min_free: u64, health: Arc<Health>) -> Disk {
        Disk { journal, max_bytes, min_free, health }
    }

    /// Why new calls had better go elsewhere, until somebody has looked at what is damaged. They are taken all the same.
    pub fn damage(&self) -> Option<Text> {
        self.health.obstacle()
    }

    pub fn space(&self) -> Space {
        let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        let bytes = size(self.journal.clone()) + size(self.journal.with_extension("db-wal"));
        Space { bytes, free: free(&self.journal) }
    }

    /// Says that there is too little room, before the journal cannot write.
    pub fn alarm(&self, space: Space) -> Option<Text> {
        let Space { bytes, free } = space;
        if self.max_bytes > 0 && bytes / PER_CENT >= self.max_bytes / 100 {
            return Some(both!(
                "the journal takes {bytes} of the {0} bytes that records.max_bytes allows",
                "日志数据库已占 {bytes} 字节，records.max_bytes 允许 {0} 字节",
                self.max_bytes
            ));
        }
        (free < self.min_free).then(|| {
            both!(
                "the journal's disk has {free} bytes left, less than records.min_free",
                "日志数据库所在磁盘剩余 {free} 字节，少于 records.min_free"
            )
        })
    }

    /// Says in the log when it becomes too little, and when it is enough again.
    pub async fn watch(self: Arc<Disk>) {
        let mut before = false;
        loop {
            let alarm = self.alarm(self.space());
            match &alarm {
                Some(why) if !before => tracing::error!("{why}; see records.keep_days, or make room"),
                None if before => tracing::info!("there is room for the journal again"),
                _ => {}
            }
            before = alarm.is_some();
            sleep(LOOK).await;
        }
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let space = self.space();
        let count = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        vec![
            Metric::gauge("journal_bytes", "What the journal takes of its disk.", count(space.bytes)),
            Metric::gauge("journal_free_bytes", "What the journal's disk has left.", count(space.free)),
            Metric::gauge(
                "journal_damaged",
                "Places of the journal that are damaged and set aside.",
                count(self.health.damaged()),
            ),
            Metric::gauge(
                "journal_inspected_seconds",
                "Seconds since the journal was last looked through.",
                count(self.health.looked().0.as_secs()),
            ),
            Metric::gauge(
                "journal_inspection_ms",
                "How long the last look through the journal took.",
                usize::try_from(self.health.looked().1.as_millis()).unwrap_or(usize::MAX),
            ),
            Metric::gauge("journal_alarm", "1 while there is little room for the journal.", self.alarm(space).is_some().into()),
        ]
    }
}

/// The bytes that the disk of a file or folder has left for us; for one that is not there yet, its parent's.
pub fn free(place: &Path) -> u64 {
    let mut place: PathBuf = path::absolute(place).unwrap_or_else(|_| place.to_owned());
    loop {
        match statvfs(&place) {
            Ok(disk) => return disk.blocks_available() * disk.fragment_size(),
            Err(_) if place.pop() => {}
            Err(_) => return u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_told_before_there_is_none() {
        let disk = |max_bytes, min_free| Disk { journal: "/nowhere".into(), max_bytes, min_free, health: Arc::default() };
        let space = |bytes, free| Space { bytes, free };
        assert_eq!(disk(0, 100).alarm(space(u64::MAX, 100)), None);
        assert_eq!(disk(1000, 100).alarm(space(799, 100)), None);
        assert!(disk(1000, 100).alarm(space(800, 100)).unwrap().en.contains("800 of the 1000 bytes"));
        assert!(disk(1000, 100).alarm(space(0, 99)).unwrap().en.contains("99 bytes left"));
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        std::fs::write(&journal, [0; 300]).unwrap();
        std::fs::write(journal.with_extension("db-wal"), [0; 40]).unwrap();
        let space = Disk { journal, ..disk(0, 0) }.space();
        assert!(space.bytes == 340 && space.free > 0, "{space:?}");
    }
}
