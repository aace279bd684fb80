//! The three topics, each with one partition.

/// What operators want; compacted.
pub const CONTROL: &str = "control";
/// What each instance really does; compacted, key = instance.
pub const ACKS: &str = "control.acks";
/// Every change; kept whole.
pub const AUDIT: &str = "control.audit";
/// All of them.
pub const ALL: [&str; 3] = [CONTROL, ACKS, AUDIT];

/// Name on the broker.
#[must_use]
pub fn name(prefix: &str, topic: &str) -> String {
    format!("{prefix}{topic}")
}
