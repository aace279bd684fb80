//! `coupon-projection`: tables `coupons`, `campaigns` and `user_coupons`.

use super::Projection;
use domain::{
    Scope,
    coupons::{Coupon, CouponChange, CouponKey, CouponTerms, Coupons, Won},
};
use migrations::entity::{Numbered, campaigns, coupons, user_coupons};
use schemas::{CouponId, Record, UserId};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

impl Projection for Coupons {
    const GROUP: &'static str = schemas::groups::COUPON;

    fn empty(scope: Scope) -> Self {
        Self::new(scope)
    }

    fn wanted(&self, records: &[&Record]) -> Vec<CouponKey> {
        let mut keys = BTreeSet::new();
        for record in records {
            if let Record::CouponClaimed(claim) = record
                && let (Some(coupon), Some(user)) =
                    (CouponId::from_wire(claim.coupon_id), UserId::from_wire(claim.user_id))
            {
                keys.extend(self.keys_of_claim(coupon, user));
            }
        }
        keys.into_iter().collect()
    }

    async fn load(&mut self, db: &DatabaseConnection, keys: &[CouponKey]) -> Result<(), DbErr> {
        let (mut ids, mut claims, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for key in keys {
            match key {
                CouponKey::Coupon(id) => ids.push(id.get()),
                CouponKey::Claim(id, user) => claims.push((id.get(), user.get())),
                CouponKey::Campaign(name) => names.push(name.as_str()),
            }
        }
        if !ids.is_empty() {
            let found = coupons::Entity::find_by_ids(db, &ids).await?;
            let mut found: HashMap<u64, Coupon> = found.into_iter().filter_map(coupon_of).collect();
            for id in ids.into_iter().filter_map(CouponId::new) {
                self.load_coupon(id, found.remove(&id.get()));
            }
        }
        if !claims.is_empty() {
            let found = user_coupons::find_claims(db, &claims).await?;
            let found: HashMap<(u64, u64), u32> =
                found.iter().map(|row| ((row.coupon_id, row.user_id), row.number as u32)).collect();
            for (id, user) in claims {
                if let (Some(coupon), Some(user_id)) = (CouponId::new(id), UserId::new(user)) {
                    self.load_claim(coupon, user_id, found.get(&(id, user)).copied());
                }
            }
        }
        if !names.is_empty() {
            let found = campaigns::find_by_names(db, &names).await?;
            for name in names {
                let row = found.iter().find(|row| row.name == name);
                self.load_campaign(name, row.and_then(|row| CouponId::new(row.coupon_id)));
            }
        }
        Ok(())
    }

    async fn write(transaction: &DatabaseTransaction, changes: &[CouponChange]) -> Result<(), DbErr> {
        let mut rows: BTreeMap<CouponId, Coupon> = BTreeMap::new();
        let mut issued: BTreeMap<u64, u64> = BTreeMap::new();
        let mut pointers: BTreeMap<Arc<str>, CouponId> = BTreeMap::new();
        let mut claims = Vec::new();
        for change in changes {
            match change {
                CouponChange::Coupon(id, coupon) => {
                    rows.insert(*id, coupon.clone());
                }
                CouponChange::Won { won, at_ms } => {
                    issued.insert(won.coupon_id.into(), won.number.into());
                    claims.push(claim_of(won, *at_ms));
                }
                CouponChange::Campaign { campaign, coupon_id } => {
                    pointers.insert(campaign.clone(), *coupon_id);
                }
            }
        }
        // A row that stands here whole carries its own count; a later win in the batch raises it.
        for (id, coupon) in &mut rows {
            if let Some(number) = issued.remove(&id.get()) {
                coupon.issued = coupon.issued.max(number as u32);
            }
        }
        let rows: Vec<_> = rows.into_iter().map(|(id, coupon)| model_of(id, &coupon)).collect();
        coupons::upsert_many(transaction, &rows).await?;
        let issued: Vec<(u64, u64)> = issued.into_iter().collect();
        let found = coupons::set_issued(transaction, &issued).await?;
        if found != issued.len() as u64 {
            // Winners without their coupon would be a count that nobody raises.
            let lost = format!("MySQL lost coupons: {found} of {issued:?} are there");
            return Err(DbErr::RecordNotFound(lost));
        }
        claims.sort_unstable_by_key(|row| row.id);
        user_coupons::insert_many(transaction, &claims).await?;
        let pointers: Vec<_> = pointers
            .into_iter()
            .map(|(name, id)| campaigns::Model { name: name.to_string(), coupon_id: id.get() })
            .collect();
        campaigns::upsert(transaction, &pointers).await
    }

    fn settle(&mut self) {
        self.forget_claims();
    }
}

/// The table's row of a coupon.
#[must_use]
pub fn model_of(id: CouponId, coupon: &Coupon) -> coupons::Model {
    coupons::Model {
        id: id.get(),
        name: coupon.terms.name.clone(),
        total: coupon.total.into(),
        issued: coupon.issued.into(),
        rate_bp: coupon.terms.rate_bp.into(),
        expires_at_ms: coupon.terms.expires_at_ms,
        closed_at_ms: coupon.closed_at_ms,
        opened_at_ms: coupon.opened_at_ms,
    }
}

/// The table's row of a piece.
#[must_use]
pub fn claim_of(won: &Won, at_ms: i64) -> user_coupons::Model {
    user_coupons::Model {
        id: won.user_coupon_id(),
        coupon_id: won.coupon_id.into(),
        number: won.number.into(),
        user_id: won.user_id.get(),
        issued_at_ms: at_ms,
    }
}

fn coupon_of(model: coupons::Model) -> Option<(u64, Coupon)> {
    let terms = CouponTerms {
        name: model.name,
        rate_bp: u16::try_from(model.rate_bp).ok()?,
        expires_at_ms: model.expires_at_ms,
    };
    let coupon = Coupon {
        terms: Arc::new(terms),
        total: u32::try_from(model.total).ok()?,
        issued: u32::try_from(model.issued).ok()?,
        opened_at_ms: model.opened_at_ms,
        closed_at_ms: model.closed_at_ms,
    };
    Some((model.id, coupon))
}
