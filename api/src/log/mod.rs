//! The ingress' side of the log: append, read back, fold, wake whoever asked.

pub mod cell;
pub mod facts;
pub mod foundation;
pub mod producer;
pub mod read_index;
pub mod tail;
pub mod topic_log;
