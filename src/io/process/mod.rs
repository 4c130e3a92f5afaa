//! This process and the machine: threads and tasks, descriptors, files, the log and the audit log.

pub mod audit;
pub mod descriptors;
pub mod files;
pub mod log;
pub mod places;
pub mod private;
pub mod threads;
