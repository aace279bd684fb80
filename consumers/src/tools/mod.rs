//! What an operator runs once: founding a log, sample data, replays.

pub mod init;
pub mod measure;
pub mod replay;
pub mod seed;
mod writer;
