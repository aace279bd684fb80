//! Rules versions: every number that influences a decision, looked up by the version that the log activated.

use schemas::{
    KeyCheck, LogId,
    records::{Mode, RegisteredSchema, RulesActivated},
};

/// The newest rules version that this binary can apply.
pub const SUPPORTED_RULES: i32 = 1;

/// How far back a record with the same event id makes a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayReach {
    /// Offsets, where the client gave a key.
    pub keyed_offsets: u64,
    /// Offsets, where it gave none (null fingerprint): only a proxy's own retry.
    pub unkeyed_offsets: u64,
    /// Log clock, in ms.
    pub age_ms: i64,
}

/// The reach of rules version 1 (and of every version so far).
pub const REPLAY_REACH: ReplayReach =
    ReplayReach { keyed_offsets: 1_000_000, unkeyed_offsets: 65_536, age_ms: 24 * 60 * 60 * 1_000 };

/// The rules in force on a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRules {
    /// Version; decides which numbers of this module hold.
    pub version: i32,
    /// Fixed by the first activation.
    pub log_id: LogId,
    /// Fixed by the first activation.
    pub mode: Mode,
    /// Fixed by the first activation; minor units.
    pub opening_balance: i64,
    /// Fixed by the first activation.
    pub email_key_check: KeyCheck,
    /// Fixed by the first activation.
    pub fingerprint_key_check: KeyCheck,
    /// Ms until an unpaid order expires.
    pub order_ttl_ms: i64,
    /// What may be written.
    pub schemas: Vec<RegisteredSchema>,
}

impl ActiveRules {
    /// What a record would put in force; `None` where its numbers make no sense.
    #[must_use]
    pub fn of(record: &RulesActivated) -> Option<Self> {
        record.is_sensible().then(|| Self {
            version: record.version,
            log_id: record.log_id,
            mode: record.mode,
            opening_balance: record.opening_balance,
            email_key_check: record.email_key_check,
            fingerprint_key_check: record.fingerprint_key_check,
            order_ttl_ms: record.order_ttl_ms,
            schemas: record.schemas.clone(),
        })
    }

    /// Whether what the first activation fixed is the same in both, and no listed schema is lost: an instance that
    /// has not seen the newer rules yet still writes with the older list.
    #[must_use]
    pub fn may_become(&self, other: &Self) -> bool {
        self.log_id == other.log_id
            && self.mode == other.mode
            && self.opening_balance == other.opening_balance
            && self.email_key_check == other.email_key_check
            && self.fingerprint_key_check == other.fingerprint_key_check
            && self.schemas.iter().all(|schema| other.schemas.contains(schema))
    }
}
