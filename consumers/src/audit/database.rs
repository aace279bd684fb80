//! What MySQL holds, read in one snapshot, so that an audit is exact while projections go on writing.

use super::{expected::Expected, report::Report};
use crate::projection::coupons::model_of;
use migrations::entity::{campaigns, coupons, projection_offset, user_coupons, users};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, IsolationLevel, TransactionTrait};
use std::{collections::BTreeMap, fmt::Debug};

/// Rows in one page.
const PAGE_ROWS: u64 = 10_000;

/// All tables at one moment.
pub struct Snapshot {
    places: Vec<projection_offset::Model>,
    users: BTreeMap<u64, users::Model>,
    coupons: BTreeMap<u64, coupons::Model>,
    claims: BTreeMap<u64, user_coupons::Model>,
    campaigns: BTreeMap<String, u64>,
}

/// Every place of every projection.
///
/// # Errors
/// The database's own.
pub async fn places(db: &DatabaseConnection) -> Result<Vec<projection_offset::Model>, DbErr> {
    projection_offset::Entity::find().all(db).await
}

impl Snapshot {
    /// Reads everything in one transaction.
    ///
    /// # Errors
    /// The database's own.
    pub async fn take(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let snapshot = db.begin_with_config(Some(IsolationLevel::RepeatableRead), None).await?;
        let places = projection_offset::Entity::find().all(&snapshot).await?;
        let mut users = BTreeMap::new();
        loop {
            let after = users.last_key_value().map_or(0, |(id, _)| *id);
            let page = users::page(&snapshot, after, PAGE_ROWS).await?;
            if page.is_empty() {
                break;
            }
            users.extend(page.into_iter().map(|row| (row.id, row)));
        }
        let mut claims = BTreeMap::new();
        loop {
            let after = claims.last_key_value().map_or(0, |(id, _)| *id);
            let page = user_coupons::page(&snapshot, after, PAGE_ROWS).await?;
            if page.is_empty() {
                break;
            }
            claims.extend(page.into_iter().map(|row| (row.id, row)));
        }
        let coupons = coupons::all(&snapshot).await?.into_iter().map(|row| (row.id, row)).collect();
        let campaigns =
            campaigns::all(&snapshot).await?.into_iter().map(|row| (row.name, row.coupon_id)).collect();
        snapshot.rollback().await?;
        Ok(Self { places, users, coupons, claims, campaigns })
    }

    /// Where a projection stands.
    pub fn place(&self, group: &str, topic: &str, partition: i32) -> Option<&projection_offset::Model> {
        self.places.iter().find(|place| {
            place.group_name == group && place.partition_id == partition && place.topic == topic
        })
    }

    /// Row by row against the log.
    pub fn compare(&self, expected: &Expected, report: &mut Report) {
        differences("users", &expected.users, &self.users, report);
        let coupons: BTreeMap<u64, coupons::Model> =
            expected.coupons.iter().map(|(id, coupon)| (id.get(), model_of(*id, coupon))).collect();
        differences("coupons", &coupons, &self.coupons, report);
        differences("user_coupons", &expected.claims, &self.claims, report);
        differences("campaigns", &expected.campaigns, &self.campaigns, report);
        report.users(expected.users.len(), self.users.len());
        let mut held: BTreeMap<u64, u64> = BTreeMap::new();
        for claim in self.claims.values() {
            *held.entry(claim.coupon_id).or_default() += 1;
        }
        for (id, coupon) in &coupons {
            report.coupon(*id, coupon.total, coupon.issued, held.get(id).copied().unwrap_or(0));
        }
    }
}

fn differences<K: Ord + Debug, V: PartialEq + Debug>(
    table: &str,
    log: &BTreeMap<K, V>,
    mysql: &BTreeMap<K, V>,
    report: &mut Report,
) {
    for (key, row) in log {
        match mysql.get(key) {
            Some(found) if found == row => {}
            Some(found) => report.finding(format!("{table} {key:?}: the log says {row:?}, MySQL {found:?}")),
            None => report.finding(format!("{table} {key:?}: MySQL lacks {row:?}")),
        }
    }
    for (key, row) in mysql.iter().filter(|(key, _)| !log.contains_key(key)) {
        report.finding(format!("{table} {key:?}: the log knows nothing of {row:?}"));
    }
}
