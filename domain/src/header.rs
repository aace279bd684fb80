//! The header of a partition: what decides besides the rows, and what proves where a fold stands.

/// Kept beside the rows (`projection_offset`) and at the head of every fold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The next offset to be folded.
    pub next_offset: u64,
    /// The log's clock: the largest record timestamp so far, in ms since the epoch.
    pub clock_ms: i64,
    /// Active rules version; 0 before the first `RulesActivated`.
    pub rules: i32,
    /// Next sequence number of what this partition numbers (users).
    pub next_seq: u64,
    /// When the earliest open order falls due, in ms since the epoch.
    pub earliest_due_ms: Option<i64>,
    /// Chained over every offset so far; two folds at one offset must hold the same.
    pub digest: u64,
    /// xxh3-64 of the last record's payload: shows a log that was cut and grew again.
    pub last_record_hash: u64,
}
