//! Where recordings stand, and the links that lead to them.

use crate::base::{CallId, Text, Wall};
use crate::io::config::secrets;
use crate::io::config::{Config, Sound};
use crate::media::wav::Format;
use crate::record::link::Signer;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};

/// A recording that is done, and one that is not.
pub const WAV: &str = "wav";
pub const PART: &str = "part";

const DAY: i64 = 24 * 60 * 60;

pub struct RecordingStore {
    pub folder: PathBuf,
    pub format: Format,
    /// How others reach us; none: nobody is told.
    base: Option<String>,
    signer: Option<Signer>,
    link_days: u32,
}

impl RecordingStore {
    pub fn of(config: &Config) -> Result<RecordingStore, Text> {
        let recording = &config.recording;
        let secret = secrets::link(&config.records, &recording.link_key)
            .map_err(|e| both!("recording.link_key: {}", "recording.link_key：{}"; e))?;
        let base = config.http.public_url.trim_end_matches('/');
        Ok(RecordingStore {
            folder: config.recordings(),
            format: match recording.format {
                Sound::Pcm => Format::Pcm,
                Sound::ALaw => Format::ALaw,
            },
            base: (!base.is_empty()).then(|| base.to_owned()),
            signer: secret.as_ref().map(Signer::new),
            link_days: recording.link_days,
        })
    }

    /// Where a call's recording is: in the folder of the day (UTC) that its id begins with. None: not one of our ids.
    pub fn file(&self, call: CallId, ending: &str) -> Option<PathBuf> {
        let (seconds, _) = call.0.get_timestamp()?.to_unix();
        let day = day_of(Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?);
        Some(self.folder.join(day.to_string()).join(format!("{call}.{ending}")))
    }

    /// Where the recordings of calls that begin now are written.
    pub fn day(&self, now: Wall) -> Option<PathBuf> {
        Timestamp::from_microsecond(now.0).ok().map(|at| self.folder.join(day_of(at).to_string()))
    }

    /// How others get it.
    pub fn link(&self, call: CallId, now: Wall) -> Option<String> {
        let url = format!("{}/api/v1/recordings/{call}", self.base.as_ref()?);
        let expires = now.0 / 1_000_000 + i64::from(self.link_days) * DAY;
        Some(self.signer.as_ref().map_or(url.clone(), |signer| format!("{url}?{}", signer.query(call, expires))))
    }

    /// Tells whether a link is one of ours and still holds.
    pub fn opens(&self, call: CallId, expires: i64, signature: &str, now: Wall) -> bool {
        self.signer.as_ref().is_some_and(|signer| signer.holds(call, expires, signature, now))
    }

    /// The folders of days of which nothing is kept any more.
    pub fn old_days(&self, now: Wall, keep_days: u32) -> Vec<PathBuf> {
        let until = now.0.saturating_sub(i64::from(keep_days).saturating_mul(DAY * 1_000_000));
        let until = Timestamp::from_microsecond(until).map(day_of);
        let Ok(until) = until else { return Vec::new() };
        let old = |path: &PathBuf| day_named(path).is_some_and(|day| day < until);
        entries(&self.folder).into_iter().filter(old).collect()
    }
}

/// The entries of a folder, in order; none where there is no folder.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    all.sort();
    all
}

/// The call whose recording a file is.
pub fn call_of(path: &Path) -> Option<CallId> {
    let ours = path.extension().is_some_and(|ending| ending == WAV || ending == PART);
    path.file_stem().filter(|_| ours)?.to_str()?.parse().ok()
}

fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn day_named(path: &Path) -> Option<Date> {
    path.file_name()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crate::io::config::SealingKey;

    /// 2021-12-01T00:00:00Z.
    const NOON: Wall = Wall(1_638_316_800_000_000);

    fn config(public_url: &str) -> Config {
        let mut config = Config::default();
        config.http.public_url = public_url.to_owned();
        config.recording.link_days = 2;
        config.node.state = "var".into();
        config
    }

    #[test]
    fn a_call_s_file_follows_from_its_id_alone() {
        let store = RecordingStore::of(&config("")).unwrap();
        let call = CallId::new(NOON, &mut Rng::from_number(1));
        let path = store.file(call, WAV).unwrap();
        assert_eq!(path, Path::new("var/recordings/2021-12-01").join(format!("{call}.wav")));
        assert_eq!(call_of(&path), Some(call));
        assert_eq!(call_of(Path::new("notes.wav")), None);
        assert_eq!(store.file("9d3a4e1c-52f6-4b0c-8f62-0c7f5c1f7e11".parse().unwrap(), WAV), None, "no id of a call of ours");
        assert_eq!(store.link(call, NOON), None);
    }

    #[test]
    fn links_open_by_themselves_where_there_is_a_key() {
        let call = CallId::new(NOON, &mut Rng::from_number(1));
        let plain = RecordingStore::of(&config("https://a.example/hotline/")).unwrap();
        assert_eq!(plain.link(call, NOON).unwrap(), format!("https://a.example/hotline/api/v1/recordings/{call}"));
        let mut config = config("https://a.example");
        config.recording.link_key = "links".to_owned();
        assert_eq!(RecordingStore::of(&config).err().unwrap().en, "recording.link_key: no key `links` in [records.keys]");
        let key = SealingKey { secret: "0123456789abcdef".repeat(4), ..SealingKey::default() };
        config.records.keys.insert("links".to_owned(), key);
        let store = RecordingStore::of(&config).unwrap();
        let link = store.link(call, NOON).unwrap();
        let (_, query) = link.split_once("?expires=").unwrap();
        let (expires, signature) = query.split_once("&signature=").unwrap();
        assert_eq!(expires, (1_638_316_800 + 2 * 86_400).to_string());
        assert!(store.opens(call, expires.parse().unwrap(), signature, NOON));
        assert!(!plain.opens(call, expires.parse().unwrap(), signature, NOON), "without a key no link opens");
    }

    #[test]
    fn old_days_are_found_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config("");
        config.recording.folder = folder.path().to_owned();
        for name in ["2021-11-28", "2021-11-29", "2021-11-30", "music", "2021-1"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let store = RecordingStore::of(&config).unwrap();
        assert_eq!(store.old_days(NOON, 2), [folder.path().join("2021-11-28")]);
        assert!(store.old_days(NOON, 3).is_empty());
    }
}
