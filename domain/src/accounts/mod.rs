//! Accounts: who exists, which addresses are taken, which sessions were ended early.

mod decide;
mod state;

pub use state::{Accounts, UserRow};

use schemas::{AccountId, EmailHmac, SessionId, UserId};

/// Longest time that an ended session is remembered, in ms of log clock: above the life of any session (12 h).
pub const MAX_REVOCATION_MS: i64 = 24 * 60 * 60 * 1_000;

/// An ended session is remembered this much longer than it would have lived, in ms: its end is by the ingress' wall
/// clock, the memory by the log's, and neither may be trusted to the second.
pub const REVOCATION_MARGIN_MS: i64 = 60 * 60 * 1_000;

/// What came of a record of `signup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountOutcome {
    /// A new user.
    Registered {
        /// `seq * 4 + partition + 1`.
        user_id: UserId,
        /// Absent for a guest: address and the account that holds its credential.
        email: Option<(EmailHmac, AccountId)>,
    },
    /// Somebody has that address.
    EmailTaken,
    /// The session is dead.
    SessionRevoked {
        /// Its owner.
        user_id: UserId,
        /// The session.
        session_id: SessionId,
        /// When it would have ended by itself, in ms since the epoch.
        expires_at_ms: i64,
    },
    /// The account is forgotten and its address free.
    Erased {
        /// The account.
        user_id: UserId,
        /// The address that is free now.
        email_hmac: Option<EmailHmac>,
    },
    /// It was forgotten before.
    AlreadyErased,
    /// No such user.
    UserNotFound,
}

/// Names a row of this fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountKey {
    /// Who has an address.
    Email(EmailHmac),
    /// A user.
    User(UserId),
}

/// A change of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// A new row.
    Registered(UserRow),
    /// The row loses its address.
    Erased {
        /// Which.
        user_id: UserId,
        /// When, in ms since the epoch.
        at_ms: i64,
    },
}
