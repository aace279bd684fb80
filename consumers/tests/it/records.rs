//! Records as the ingress would append them.

use schemas::{AccountId, EmailHmac, Fingerprint, Record, SessionId, Uuid, records::*};

/// An end of life that no test reaches.
pub(crate) const NEVER_MS: i64 = i64::MAX;

/// A request with a key: its event id and fingerprint.
pub(crate) type Envelope = (Uuid, Option<Fingerprint>);

/// A request without a key.
pub(crate) fn fresh() -> Envelope {
    (Uuid::new_v4(), None)
}

/// A request with a key of its own.
pub(crate) fn keyed(fingerprint: u8) -> Envelope {
    (Uuid::new_v4(), Some(Fingerprint([fingerprint; 16])))
}

pub(crate) fn guest((event_id, fingerprint): Envelope) -> Record {
    SignedUp { event_id, fingerprint, email_hmac: None, account: None }.into()
}

/// A guest of a partition.
pub(crate) fn guest_of(partition: i32) -> Record {
    // The last bits of the event id decide.
    let id = Uuid::new_v4().as_u128() & !3 | partition.unsigned_abs() as u128;
    guest((Uuid::from_u128(id), None))
}

/// The address with this number; it lives in partition `address % 4`.
pub(crate) fn hmac_of(address: u128) -> EmailHmac {
    EmailHmac((0x7e57_0000_0000_0000_0000_0000_0000_0000 | address).to_be_bytes())
}

pub(crate) fn sign_up((event_id, fingerprint): Envelope, address: u128) -> Record {
    let account = Some(AccountId(Uuid::new_v4().into_bytes()));
    SignedUp { event_id, fingerprint, email_hmac: Some(hmac_of(address)), account }.into()
}

pub(crate) fn erase((event_id, fingerprint): Envelope, user_id: i64) -> Record {
    AccountErased { event_id, fingerprint, user_id }.into()
}

pub(crate) fn revoke((event_id, fingerprint): Envelope, user_id: i64, expires_at_ms: i64) -> Record {
    let session_id = SessionId(Uuid::new_v4().into_bytes());
    SessionRevoked { event_id, fingerprint, user_id, session_id, expires_at_ms }.into()
}

pub(crate) fn open((event_id, fingerprint): Envelope, coupon_id: i64, total: i64) -> Record {
    let name = format!("coupon {coupon_id}");
    let expires_at_ms = NEVER_MS;
    CouponOpened { event_id, fingerprint, coupon_id, name, total, rate_bp: 1_000, expires_at_ms }.into()
}

pub(crate) fn extend((event_id, fingerprint): Envelope, coupon_id: i64, total: i64) -> Record {
    CouponExtended { event_id, fingerprint, coupon_id, total }.into()
}

pub(crate) fn close((event_id, fingerprint): Envelope, coupon_id: i64) -> Record {
    CouponClosed { event_id, fingerprint, coupon_id }.into()
}

pub(crate) fn claim((event_id, fingerprint): Envelope, coupon_id: i64, user_id: i64) -> Record {
    CouponClaimed { event_id, fingerprint, coupon_id, user_id }.into()
}

pub(crate) fn campaign((event_id, fingerprint): Envelope, campaign: &str, coupon_id: i64) -> Record {
    let (campaign, name) = (campaign.to_owned(), format!("{campaign} {coupon_id}"));
    let (total, rate_bp, expires_at_ms) = (3, 500, NEVER_MS);
    CampaignOpened { event_id, fingerprint, campaign, coupon_id, name, total, rate_bp, expires_at_ms }.into()
}
