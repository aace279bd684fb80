//! What the accounts fold remembers. Guests cost nothing: they exist because the next number is beyond them.

use crate::{
    accounts::{AccountKey, REVOCATION_MARGIN_MS},
    header::Header,
    slot::{Scope, Slot},
};
use schemas::{AccountId, EmailHmac, SessionId, Topic, UserId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A user as the projection stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Id.
    pub user_id: UserId,
    /// Absent for a guest and for a forgotten account.
    pub email: Option<(EmailHmac, AccountId)>,
    /// Log clock, in ms since the epoch.
    pub created_at_ms: i64,
    /// Log clock, in ms since the epoch.
    pub erased_at_ms: Option<i64>,
}

/// What decides about a user besides being there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserFacts {
    /// Absent for a guest.
    pub email: Option<(EmailHmac, AccountId)>,
    /// Forgotten.
    pub erased: bool,
}

/// State of one partition of `signup`.
#[derive(Debug)]
pub struct Accounts {
    scope: Scope,
    emails: HashMap<EmailHmac, Slot<UserId>>,
    users: HashMap<UserId, UserFacts>,
    revoked: HashSet<SessionId>,
    revoked_until: BTreeSet<(i64, SessionId)>,
}

impl Accounts {
    /// Nothing known yet.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            emails: HashMap::new(),
            users: HashMap::new(),
            revoked: HashSet::new(),
            revoked_until: BTreeSet::new(),
        }
    }

    /// The sequence number of a user id; its partition is not checked.
    #[must_use]
    pub const fn seq_of(user_id: UserId) -> u64 {
        (user_id.get() - 1) / Topic::Signup.partitions() as u64
    }

    /// Who has an address.
    #[must_use]
    pub fn email(&self, hmac: EmailHmac) -> Slot<UserId> {
        self.emails.get(&hmac).copied().unwrap_or_else(|| self.scope.unknown())
    }

    /// A user of this partition.
    #[must_use]
    pub fn user(&self, user_id: UserId, header: &Header) -> Slot<UserFacts> {
        if Self::seq_of(user_id) >= header.next_seq {
            return Slot::Absent;
        }
        match (self.users.get(&user_id), self.scope) {
            (Some(facts), _) => Slot::Loaded(*facts),
            (None, Scope::Full) => Slot::Loaded(UserFacts::default()),
            (None, Scope::Partial) => Slot::NotLoaded,
        }
    }

    /// Whether a session must not be trusted any more.
    #[must_use]
    pub fn is_dead(&self, user_id: UserId, session_id: SessionId) -> bool {
        self.revoked.contains(&session_id) || self.users.get(&user_id).is_some_and(|facts| facts.erased)
    }

    /// Puts a stored row where `Missing` asked for it (projection only).
    pub fn load(&mut self, key: AccountKey, row: Option<&UserRow>) {
        match (key, row) {
            (AccountKey::Email(hmac), row) => {
                let slot = row.map_or(Slot::Absent, |row| Slot::Loaded(row.user_id));
                self.emails.insert(hmac, slot);
            }
            (AccountKey::User(user_id), Some(row)) => {
                let erased = row.erased_at_ms.is_some();
                self.users.insert(user_id, UserFacts { email: row.email, erased });
            }
            // Below the next number every user has a row: a hole is a projection that lost one, not an absence.
            (AccountKey::User(_), None) => {}
        }
    }

    /// Drops what was loaded, so that memory stays bounded by a batch (projection only).
    pub fn forget_loaded(&mut self) {
        self.emails.clear();
        self.users.clear();
    }

    pub(super) fn register(&mut self, user_id: UserId, email: Option<(EmailHmac, AccountId)>) {
        if let Some((hmac, account)) = email {
            self.emails.insert(hmac, Slot::Loaded(user_id));
            self.users.insert(user_id, UserFacts { email: Some((hmac, account)), erased: false });
        } else if self.scope == Scope::Partial {
            self.users.insert(user_id, UserFacts::default());
        }
    }

    pub(super) fn erase(&mut self, user_id: UserId, hmac: Option<EmailHmac>) {
        if let Some(hmac) = hmac {
            match self.scope {
                Scope::Full => self.emails.remove(&hmac),
                Scope::Partial => self.emails.insert(hmac, Slot::Absent),
            };
        }
        self.users.insert(user_id, UserFacts { email: None, erased: true });
    }

    pub(super) fn revoke(&mut self, session_id: SessionId, expires_at_ms: i64, now_ms: i64) {
        if self.scope == Scope::Partial {
            return; // Nothing that a projection writes depends on it.
        }
        while let Some(&(until, old)) = self.revoked_until.first()
            && until.saturating_add(REVOCATION_MARGIN_MS) <= now_ms
        {
            self.revoked_until.pop_first();
            self.revoked.remove(&old);
        }
        if self.revoked.insert(session_id) {
            self.revoked_until.insert((expires_at_ms, session_id));
        }
    }

    /// Sessions remembered as ended early.
    #[must_use]
    pub fn revoked_sessions(&self) -> usize {
        self.revoked.len()
    }
}
