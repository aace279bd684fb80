//! What MySQL holds, read in one snapshot, so that an audit is exact while projections go on writing.

use super::{expected::Expected, report::Report};
use crate::projection::coupons::model_of;
use migrations::{
    bulk::Row,
    entity::{
        Numbered, balance_logs, balances, campaigns, coupon_redemptions, coupons, external_dispatches,
        order_items, orders, outbox, platform_events, product_options, products, projection_offset,
        user_coupons, users,
    },
};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, IsolationLevel, TransactionTrait,
};
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
    pub shop: ShopRows,
    pub dispatches: BTreeMap<u64, external_dispatches::Model>,
    pub events: BTreeMap<String, platform_events::Model>,
}

/// The tables of the shop.
pub struct ShopRows {
    pub products: BTreeMap<u64, products::Model>,
    pub options: BTreeMap<u64, product_options::Model>,
    pub orders: BTreeMap<u64, orders::Model>,
    pub items: BTreeMap<u64, order_items::Model>,
    pub redemptions: BTreeMap<u64, coupon_redemptions::Model>,
    pub balances: BTreeMap<u64, balances::Model>,
    pub logs: BTreeMap<u64, balance_logs::Model>,
    pub outbox: BTreeMap<u64, outbox::Model>,
}

/// Every place of every projection.
///
/// # Errors
/// The database's own.
pub async fn places(db: &DatabaseConnection) -> Result<Vec<projection_offset::Model>, DbErr> {
    projection_offset::Entity::find().all(db).await
}

/// A table's rows by their key.
type Rows<E> = BTreeMap<u64, <E as EntityTrait>::Model>;

/// All rows of a table, page by page: each begins after the last key of the one before it. Nothing of ours has key 0,
/// so a row that has it is looked for by itself.
async fn all<E: Numbered>(tx: &DatabaseTransaction) -> Result<Rows<E>, DbErr>
where
    E::Model: for<'a> Row<Key<'a> = u64>,
{
    all_by::<E, _>(tx, |after| E::page(tx, after, PAGE_ROWS)).await
}

/// As [`all`], by pages of the table's own.
async fn all_by<E: Numbered, P>(tx: &DatabaseTransaction, page: impl Fn(u64) -> P) -> Result<Rows<E>, DbErr>
where
    E::Model: for<'a> Row<Key<'a> = u64>,
    P: Future<Output = Result<Vec<E::Model>, DbErr>>,
{
    let mut rows = Rows::<E>::new();
    rows.extend(E::find_by_id(0_u64).one(tx).await?.map(|row| (0, row)));
    loop {
        let after = rows.last_key_value().map_or(0, |(id, _)| *id);
        let found = page(after).await?;
        if found.is_empty() {
            return Ok(rows);
        }
        rows.extend(found.into_iter().map(|row| (row.key(), row)));
    }
}

impl Snapshot {
    /// Reads everything in one transaction.
    ///
    /// # Errors
    /// The database's own.
    pub async fn take(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let snapshot = db.begin_with_config(Some(IsolationLevel::RepeatableRead), None).await?;
        let tx = &snapshot;
        let taken = Self {
            places: projection_offset::Entity::find().all(tx).await?,
            users: all::<users::Entity>(tx).await?,
            claims: all::<user_coupons::Entity>(tx).await?,
            coupons: coupons::all(tx).await?.into_iter().map(|row| (row.id, row)).collect(),
            campaigns: campaigns::all(tx).await?.into_iter().map(|row| (row.name, row.coupon_id)).collect(),
            shop: ShopRows::take(tx).await?,
            dispatches: all::<external_dispatches::Entity>(tx).await?,
            events: events(tx).await?,
        };
        snapshot.rollback().await?;
        Ok(taken)
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
        self.shop.compare(expected, report);
    }
}

async fn events(tx: &DatabaseTransaction) -> Result<BTreeMap<String, platform_events::Model>, DbErr> {
    let mut rows: BTreeMap<String, platform_events::Model> = BTreeMap::new();
    loop {
        let after = rows.last_key_value().map(|(id, _)| id.as_str()).unwrap_or_default();
        let page = platform_events::page(tx, after, PAGE_ROWS).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page.into_iter().map(|row| (row.event_id.clone(), row)));
    }
}

impl ShopRows {
    async fn take(tx: &DatabaseTransaction) -> Result<Self, DbErr> {
        Ok(Self {
            products: all::<products::Entity>(tx).await?,
            options: all::<product_options::Entity>(tx).await?,
            orders: all::<orders::Entity>(tx).await?,
            items: all::<order_items::Entity>(tx).await?,
            redemptions: all::<coupon_redemptions::Entity>(tx).await?,
            balances: all::<balances::Entity>(tx).await?,
            logs: all::<balance_logs::Entity>(tx).await?,
            // Its pages begin at an offset, not after it.
            outbox: all_by::<outbox::Entity, _>(tx, |after| outbox::page(tx, after + 1, PAGE_ROWS)).await?,
        })
    }

    fn compare(&self, expected: &Expected, report: &mut Report) {
        let log = &expected.shop;
        differences("products", &log.products, &self.products, report);
        differences("product_options", &log.options, &self.options, report);
        differences("orders", &log.orders, &self.orders, report);
        differences("order_items", &log.items, &self.items, report);
        differences("balances", &log.balances, &self.balances, report);
        differences("balance_logs", &log.logs, &self.logs, report);
        let redeemed = log.redemptions.iter().map(|row| (row.user_coupon_id, row.clone())).collect();
        differences("coupon_redemptions", &redeemed, &self.redemptions, report);
        // What the relay has deleted may be missing; what stands there must be right.
        let kept = log.outbox.iter().filter(|(offset, _)| self.outbox.contains_key(offset));
        let kept = kept.map(|(offset, row)| (*offset, row.clone())).collect();
        differences("outbox", &kept, &self.outbox, report);
    }
}

/// Tells every row that is not the same in both.
pub fn differences<K: Ord + Debug, V: PartialEq + Debug>(
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
