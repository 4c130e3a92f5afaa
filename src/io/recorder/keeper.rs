//! The thread that finishes recordings: header, sync, hash, its own name, and then the journal, which tells everybody. What
//! another process left behind it finishes first; what is too old it deletes.

use super::figures::Figures;
use super::files::Done;
use super::shelf::{PART, Shelf, WAV, call_of, entries};
use crate::base::{CallId, Mono};
use crate::io::audit::Audit;
use crate::io::clock;
use crate::io::journal::{Settler, Taken};
use crate::media::wav::Format;
use crate::record::recording::{Recorded, State};
use crossbeam_channel::{Receiver, Sender, bounded};
use ring::digest::{Context, SHA256};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether something is too old.
const PURGE_LOOK: Duration = Duration::from_secs(3600);
/// What waits for the journal's word at once.
const UNDER_WAY: usize = 256;
const PIECE: usize = 1 << 20;

pub struct Keeper {
    shelf: Arc<Shelf>,
    figures: Arc<Figures>,
    journal: Settler,
    audit: Audit,
    /// 0: for ever.
    keep_days: u32,
    purge_at: Mono,
    slots: (Sender<()>, Receiver<()>),
}

impl Keeper {
    pub fn new(shelf: Arc<Shelf>, figures: Arc<Figures>, journal: Settler, audit: Audit, keep_days: u32) -> Keeper {
        Keeper { shelf, figures, journal, audit, keep_days, purge_at: Mono(0), slots: bounded(UNDER_WAY) }
    }

    /// `owed`: calls in which the last process died, or died before it told what became of their recordings.
    pub fn run(mut self, owed: Vec<CallId>, done: &Receiver<Done>) {
        owed.into_iter().for_each(|call| self.finish(Done { call, state: State::Interrupted }));
        loop {
            self.purge();
            match done.recv_timeout(PURGE_LOOK) {
                Ok(done) => self.finish(done),
                Err(error) if error.is_disconnected() => return,
                Err(_) => {}
            }
        }
    }

    fn finish(&self, done: Done) {
        let Done { call, state } = done;
        let told = match state {
            State::Ready | State::Partial | State::Interrupted => match self.file(call, state) {
                Ok(told) => told,
                // It stays as it is: the next start tries again, and tells then.
                Err(error) => return tracing::error!(%call, %error, "a recording cannot be finished"),
            },
            State::Empty | State::Missing | State::Purged => {
                // Perhaps a header, and then the disk was full.
                let _ = self.shelf.file(call, PART).map(fs::remove_file);
                Recorded::without_file(state)
            }
        };
        self.tell(call, told);
    }

    fn tell(&self, call: CallId, recorded: Recorded) {
        self.figures.told(recorded.state);
        // Only a journal that is gone does not give them back.
        if self.slots.0.send(()).is_err() {
            return;
        }
        let free = self.slots.1.clone();
        let quiet = recorded.is_purge();
        self.journal.recorded(call, recorded, move |taken| {
            if taken == Taken::NoSuchCall && !quiet {
                tracing::error!(%call, "it cannot be told what became of a call's recording: the journal has no such call");
            }
            let _ = free.try_recv();
        });
    }

    /// Brings a file into its final form and place.
    fn file(&self, call: CallId, state: State) -> io::Result<Recorded> {
        let missing = || Recorded::without_file(State::Missing);
        let (Some(part), Some(path)) = (self.shelf.file(call, PART), self.shelf.file(call, WAV)) else { return Ok(missing()) };
        if part.exists() {
            if !mend(&part)? {
                fs::remove_file(&part)?;
                return Ok(missing());
            }
            fs::rename(&part, &path)?;
            path.parent().map_or(Ok(()), |day| File::open(day)?.sync_all())?;
        }
        match File::open(&path) {
            Ok(file) => {
                let (sha256, ms) = measure(&file)?;
                let url = self.shelf.link(call, clock::now().wall);
                Ok(Recorded { state, url, sha256: Some(sha256), ms: Some(ms) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(missing()),
            Err(error) => Err(error),
        }
    }

    /// What is deleted is told first.
    fn purge(&mut self) {
        let now = clock::now();
        if self.keep_days == 0 || now.mono < self.purge_at {
            return;
        }
        self.purge_at = now.mono.after(PURGE_LOOK);
        for day in self.shelf.old_days(now.wall, self.keep_days) {
            let files: Vec<_> = entries(&day).into_iter().filter(|path| call_of(path).is_some()).collect();
            let what = format!("{}: {} recordings, older than {} days", day.display(), files.len(), self.keep_days);
            if let Err(why) = self.audit.note(now.wall, "hotline", "recordings purged", &what) {
                return tracing::error!("recordings are not purged: {why}");
            }
            tracing::info!(day = %day.display(), recordings = files.len(), "purged");
            for path in files {
                call_of(&path).into_iter().for_each(|call| self.tell(call, Recorded::without_file(State::Purged)));
                if let Err(error) = fs::remove_file(&path) {
                    tracing::error!(file = %path.display(), %error, "a recording cannot be deleted");
                }
            }
            // What else stands there is not ours.
            let _ = fs::remove_dir(&day);
        }
    }
}

/// Makes the header fit what is there, and brings all to the disk. False when there is no audio.
fn mend(part: &Path) -> io::Result<bool> {
    let file = File::options().read(true).write(true).open(part)?;
    let Some((format, data)) = audio(&file)? else { return Ok(false) };
    file.set_len(format.header_length() + data)?;
    file.write_all_at(&format.header(data), 0)?;
    file.sync_all()?;
    Ok(data > 0)
}

/// In which form, and how many bytes.
fn audio(file: &File) -> io::Result<Option<(Format, u64)>> {
    let mut start = [0; 22];
    let length = file.metadata()?.len();
    if length < Format::Pcm.header_length() {
        return Ok(None);
    }
    file.read_exact_at(&mut start, 0)?;
    let format = Format::of(&start);
    Ok(format
        .map(|format| (format, length.saturating_sub(format.header_length()) / format.frame() as u64 * format.frame() as u64)))
}

/// A finished file's hash and how long it lasts.
fn measure(file: &File) -> io::Result<(String, u64)> {
    let (mut hash, mut piece, mut at) = (Context::new(&SHA256), vec![0; PIECE], 0);
    loop {
        let count = file.read_at(&mut piece, at)?;
        if count == 0 {
            break;
        }
        hash.update(&piece[..count]);
        at += count as u64;
    }
    let hex = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hex, audio(file)?.map_or(0, |(format, data)| format.millis(data))))
}
