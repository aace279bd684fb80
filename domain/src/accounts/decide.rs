//! How records of `signup` are judged.

use super::{AccountChange, AccountKey, AccountOutcome, Accounts, MAX_REVOCATION_MS, UserRow};
use crate::{
    digest::DigestInput,
    fold::{Applied, Context, State, Verdict},
    header::Header,
    slot::Slot,
};
use schemas::{
    Record, Topic, UserId,
    records::{AccountErased, SessionRevoked, SignedUp},
};

type Judged = Result<Verdict<AccountOutcome>, Vec<AccountKey>>;

impl State for Accounts {
    const TOPIC: Topic = Topic::Signup;
    type Outcome = AccountOutcome;
    type Key = AccountKey;
    type Change = AccountChange;

    fn decide(&self, context: Context<'_>, record: &Record) -> Judged {
        match record {
            Record::SignedUp(record) => self.sign_up(context, record),
            Record::SessionRevoked(record) => Ok(revoke(context, record)),
            Record::AccountErased(record) => self.erasure(context, record),
            _ => Ok(Verdict::Impossible),
        }
    }

    fn evolve(&mut self, header: &mut Header, now_ms: i64, outcome: &AccountOutcome) {
        match outcome {
            AccountOutcome::Registered { user_id, email } => {
                header.next_seq += 1;
                self.register(*user_id, *email);
            }
            AccountOutcome::SessionRevoked { session_id, expires_at_ms, .. } => {
                self.revoke(*session_id, *expires_at_ms, now_ms);
            }
            AccountOutcome::Erased { user_id, email_hmac } => self.erase(*user_id, *email_hmac),
            AccountOutcome::EmailTaken | AccountOutcome::AlreadyErased | AccountOutcome::UserNotFound => {}
        }
    }

    fn changes(&self, at: Applied, outcome: &AccountOutcome, out: &mut Vec<AccountChange>) {
        match outcome {
            AccountOutcome::Registered { user_id, email } => out.push(AccountChange::Registered(UserRow {
                user_id: *user_id,
                email: *email,
                created_at_ms: at.now_ms,
                erased_at_ms: None,
            })),
            AccountOutcome::Erased { user_id, .. } => {
                out.push(AccountChange::Erased { user_id: *user_id, at_ms: at.now_ms });
            }
            _ => {}
        }
    }

    fn digest(outcome: &AccountOutcome, begin: impl FnOnce(u8) -> DigestInput) -> u64 {
        match outcome {
            AccountOutcome::Registered { user_id, email } => {
                let mut input = begin(32);
                input.u64(user_id.get());
                input.optional(email.as_ref().map(|(hmac, _)| hmac.0.as_slice()));
                input.optional(email.as_ref().map(|(_, account)| account.0.as_slice()));
                input.finish()
            }
            AccountOutcome::EmailTaken => begin(33).finish(),
            AccountOutcome::SessionRevoked { user_id, session_id, expires_at_ms } => {
                begin(34).u64(user_id.get()).fixed(&session_id.0).i64(*expires_at_ms).finish()
            }
            AccountOutcome::Erased { user_id, email_hmac } => {
                let hmac = email_hmac.as_ref().map(|hmac| hmac.0.as_slice());
                begin(35).u64(user_id.get()).optional(hmac).finish()
            }
            AccountOutcome::AlreadyErased => begin(36).finish(),
            AccountOutcome::UserNotFound => begin(37).finish(),
        }
    }
}

fn revoke(context: Context<'_>, record: &SessionRevoked) -> Verdict<AccountOutcome> {
    let latest = context.now_ms.saturating_add(MAX_REVOCATION_MS);
    match UserId::from_wire(record.user_id) {
        Some(user_id) if record.expires_at_ms <= latest => Verdict::Decided(AccountOutcome::SessionRevoked {
            user_id,
            session_id: record.session_id,
            expires_at_ms: record.expires_at_ms,
        }),
        // An end beyond any session's life would be remembered for ever.
        Some(_) | None => Verdict::Impossible,
    }
}

impl Accounts {
    fn sign_up(&self, context: Context<'_>, record: &SignedUp) -> Judged {
        let email = match (record.email_hmac, record.account) {
            (None, None) => None,
            (Some(hmac), Some(account)) => Some((hmac, account)),
            _ => return Ok(Verdict::Impossible),
        };
        if let Some((hmac, _)) = email {
            match self.email(hmac) {
                Slot::NotLoaded => return Err(vec![AccountKey::Email(hmac)]),
                Slot::Loaded(_) => return Ok(Verdict::Decided(AccountOutcome::EmailTaken)),
                Slot::Absent => {}
            }
        }
        let partitions = Topic::Signup.partitions() as u64;
        let number = context.header.next_seq.checked_mul(partitions);
        let number = number.and_then(|n| n.checked_add(context.partition.unsigned_abs().into()));
        Ok(match number.and_then(|n| n.checked_add(1)).and_then(UserId::new) {
            Some(user_id) => Verdict::Decided(AccountOutcome::Registered { user_id, email }),
            None => Verdict::Impossible,
        })
    }

    fn erasure(&self, context: Context<'_>, record: &AccountErased) -> Judged {
        let Some(user_id) = UserId::from_wire(record.user_id) else {
            return Ok(Verdict::Impossible);
        };
        Ok(Verdict::Decided(match self.user(user_id, context.header) {
            Slot::NotLoaded => return Err(vec![AccountKey::User(user_id)]),
            Slot::Absent => AccountOutcome::UserNotFound,
            Slot::Loaded(facts) if facts.erased => AccountOutcome::AlreadyErased,
            Slot::Loaded(facts) => {
                let email_hmac = facts.email.map(|(hmac, _)| hmac);
                AccountOutcome::Erased { user_id, email_hmac }
            }
        }))
    }
}
