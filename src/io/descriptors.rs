//! How many files and sockets this process may hold.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A call with media takes up to four descriptors; the usual limit is 1,024.
pub fn raise() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}
