//! Accounts, rule by rule.

use crate::logs::{START_MS, accounts, verdicts};
use domain::{
    Scope, Verdict,
    accounts::{AccountOutcome as O, MAX_REVOCATION_MS, REVOCATION_MARGIN_MS},
};
use schemas::{AccountId, EmailHmac, Record, SessionId, UserId, Uuid, records::*};

fn guest(n: u128) -> Record {
    SignedUp { event_id: Uuid::from_u128(n * 4), fingerprint: None, email_hmac: None, account: None }.into()
}

fn with_email(n: u128, hmac: u8) -> Record {
    SignedUp {
        event_id: Uuid::from_u128(n),
        fingerprint: None,
        email_hmac: Some(EmailHmac([hmac; 16])),
        account: Some(AccountId([n as u8; 16])),
    }
    .into()
}

fn erase(n: u128, user_id: i64) -> Record {
    AccountErased { event_id: Uuid::from_u128(n), fingerprint: None, user_id }.into()
}

fn user_id(verdict: &Verdict<O>) -> Option<u64> {
    match verdict {
        Verdict::Decided(O::Registered { user_id, .. }) => Some(user_id.get()),
        _ => None,
    }
}

#[test]
fn ids_are_the_partition_s_own_and_dense() {
    let found = verdicts(&mut accounts(0, Scope::Full), vec![guest(1), guest(2), with_email(3, 4), guest(4)]);
    assert_eq!(found.iter().map(user_id).collect::<Vec<_>>(), [Some(1), Some(5), Some(9), Some(13)]);
}

#[test]
fn the_first_of_an_address_wins_until_it_is_forgotten() {
    let mut fold = accounts(0, Scope::Full);
    let found = verdicts(
        &mut fold,
        vec![with_email(1, 4), with_email(2, 4), erase(3, 1), with_email(5, 4), erase(6, 1), erase(7, 401)],
    );
    assert_eq!(found[1], Verdict::Decided(O::EmailTaken));
    assert!(matches!(found[2], Verdict::Decided(O::Erased { email_hmac: Some(_), .. })));
    assert_eq!(user_id(&found[3]), Some(5), "same address, new user");
    assert_eq!(found[4], Verdict::Decided(O::AlreadyErased));
    assert_eq!(found[5], Verdict::Decided(O::UserNotFound));
    let first = UserId::new(1).expect("in bounds");
    assert!(fold.state().is_dead(first, SessionId([0; 16])), "a forgotten account has no session");
}

#[test]
fn an_ended_session_is_dead_and_forgotten_after_it_would_have_ended() {
    let mut fold = accounts(0, Scope::Full);
    let revoke = |n: u128, session: u8, expires_at_ms| {
        let session_id = SessionId([session; 16]);
        Record::from(SessionRevoked {
            event_id: Uuid::from_u128(n),
            fingerprint: None,
            user_id: 1,
            session_id,
            expires_at_ms,
        })
    };
    let found = verdicts(
        &mut fold,
        vec![
            revoke(1, 1, START_MS + 1_500 - REVOCATION_MARGIN_MS),
            revoke(2, 2, START_MS + 60_000),
            revoke(3, 3, START_MS + 4_000 + MAX_REVOCATION_MS + 1),
        ],
    );
    let user = UserId::new(1).expect("in bounds");
    assert!(fold.state().is_dead(user, SessionId([2; 16])));
    assert!(!fold.state().is_dead(user, SessionId([1; 16])), "expired by itself: no need to remember it");
    assert_eq!(fold.state().revoked_sessions(), 1);
    assert_eq!(found[2], Verdict::Impossible, "nothing is remembered for ever");
}

#[test]
fn half_an_account_is_impossible() {
    let half = SignedUp {
        event_id: Uuid::from_u128(4),
        fingerprint: None,
        email_hmac: None,
        account: Some(AccountId([1; 16])),
    };
    assert_eq!(verdicts(&mut accounts(0, Scope::Full), vec![half.into()]), [Verdict::Impossible]);
}
