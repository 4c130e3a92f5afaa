//! Errors of delivery: each says whose matter it is, and whether another try may help. A ticket system's own failures are
//! replies (`record/exchange.rs`).

use crate::base::Text;
use crate::io::journal;
use crate::io::process::threads;
use std::fmt;

/// Why a ticket system cannot be asked, or nothing can be read for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Ours: the program, or the machine that it runs on.
    Program(Text),
    /// The operator's: a setting that cannot be used.
    Configuration(Text),
    /// The journal's, with its own cause.
    Journal(journal::Error),
}

impl Error {
    /// Whoever was asked has panicked.
    pub fn panicked() -> Error {
        Error::Program(threads::fault())
    }

    /// Tells whether to try again without anybody changing the program or its configuration. The journal is read again
    /// whatever its cause: an operator may repair or restore it, and no event is given up because it could not be read.
    pub fn may_pass(&self) -> bool {
        matches!(self, Error::Journal(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Program(what) | Error::Configuration(what) => what.fmt(f),
            Error::Journal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<journal::Error> for Error {
    fn from(error: journal::Error) -> Error {
        Error::Journal(error)
    }
}

impl From<Error> for Text {
    fn from(error: Error) -> Text {
        match error {
            Error::Program(what) | Error::Configuration(what) => what,
            Error::Journal(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crate::io::config::Webhook;
    use crate::io::deliver::{Client, Target};
    use crate::io::journal::Reader;
    use crate::record::zone::Zone;

    #[test]
    fn a_proxy_that_cannot_be_used_is_the_operators_matter() {
        let webhook = Webhook { url: "http://tickets.invalid/".into(), proxy: "http://[".into(), ..Webhook::default() };
        let target = Target::webhook(&webhook, Zone::default()).unwrap();
        let error = Client::new(target, Rng::from_number(1)).err().unwrap();
        assert!(matches!(&error, Error::Configuration(what) if what.en.starts_with("its proxy: ")), "{error:?}");
        assert!(!error.may_pass() && Text::from(error).zh.starts_with("代理有误："));
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_read_again_and_a_panic_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        let unread = Reader::open(&dir.path().join("journal.db"), Zone::default()).err().unwrap();
        let error = Error::from(unread.clone());
        assert!(error.may_pass());
        assert_eq!((error.to_string(), Text::from(error)), (unread.to_string(), Text::from(unread)));
        assert!(!Error::panicked().may_pass());
        assert_eq!(Error::panicked().to_string(), threads::fault().en);
    }
}
