//! A shop's log of everything at once, made from a seed: what is sold and what is refused, payments with coupons,
//! replays, reused keys, impossible values, bytes that are no record.

use crate::{
    mixture::Dice,
    patience::until_true,
    records::{NEVER_MS, claim, fresh, open},
    shop_records as shop,
    world::{Entry, World},
};
use consumers::config::Config;
use domain::{
    Fold, Input, LogPosition, Scope,
    shop::{Shop, ShopChange},
};
use schemas::{Fingerprint, Record, Topic};

/// Users who buy; each has a piece of coupon 1.
const USERS: i64 = 12;
/// Products listed at the beginning; more come later.
const PRODUCTS: i64 = 4;

/// Settings of a process that does all there is to do. Nobody says where the partner is, so nothing is dispatched.
pub(crate) fn every_group(world: &World) -> Config {
    let groups = "signup-projection,coupon-projection,order-projection,external-platform".to_owned();
    Config { groups, ..world.config.clone() }
}

/// A log and how many of its entries are no records.
pub(crate) struct ShopMixture {
    pub(crate) entries: Vec<Entry>,
    pub(crate) malformed: u64,
}

impl ShopMixture {
    /// Takes the first entries off, with how many of them are no records.
    pub(crate) fn first(&mut self, count: usize) -> Self {
        let rest = self.entries.split_off(count);
        let entries = std::mem::replace(&mut self.entries, rest);
        let malformed = entries.iter().filter(|entry| is_malformed(entry)).count() as u64;
        self.malformed -= malformed;
        Self { entries, malformed }
    }
}

/// As this module makes them.
fn is_malformed(entry: &Entry) -> bool {
    entry.payload.as_ref().is_none_or(|payload| payload.iter().all(|byte| *byte == 0xff))
}

/// Lets time pass until orders that nobody paid are expired; the log's clock moves with its records only.
pub(crate) async fn until_expired(world: &World) -> anyhow::Result<()> {
    until_true("open orders are expired", async || {
        world.append(&[shop::tick(fresh())]).await?;
        Ok(world.number("SELECT COUNT(*) AS n FROM orders WHERE status = 2").await? > 0)
    })
    .await
}

/// What the log would come to if no time passed: payments must name orders that are there.
struct Shadow {
    fold: Fold<Shop>,
    next: u64,
    /// Order and user.
    orders: Vec<(i64, i64)>,
}

impl Shadow {
    fn take(&mut self, record: &Record) -> anyhow::Result<()> {
        let at = LogPosition { offset: self.next, timestamp_ms: 1, record_hash: self.next };
        let decision = self.fold.decide(at, Input::Record(record));
        let decision = decision.map_err(|undecided| anyhow::anyhow!("{undecided:?}"))?;
        let mut changes = Vec::new();
        self.fold.changes(&decision, &mut changes);
        self.fold.evolve(&decision);
        self.next += 1;
        self.orders.extend(changes.iter().filter_map(|change| match change {
            ShopChange::Placed(order) => Some((order.order_id.get() as i64, order.user_id.get() as i64)),
            _ => None,
        }));
        Ok(())
    }

    /// One of the last orders, mostly with its own user.
    fn order(&self, dice: &mut Dice) -> (i64, i64) {
        let last = &self.orders[self.orders.len().saturating_sub(30)..];
        let (order, user) = match last.len() {
            0 => (1, 1),
            count => last[dice.below(count as u64) as usize],
        };
        if dice.below(8) == 0 { (order, dice.from(1, USERS + 1)) } else { (order, user) }
    }
}

/// Makes a log for `order`, and wins the coupons that are redeemed in it.
pub(crate) async fn shop_mixture(world: &World, seed: u64, count: usize) -> anyhow::Result<ShopMixture> {
    let mut coupons = vec![open(fresh(), 1, USERS)];
    coupons.extend((1..=USERS).map(|user| claim(fresh(), 1, user)));
    world.append(&coupons).await?;
    let mut dice = Dice(seed);
    let mut mixture = ShopMixture { entries: Vec::with_capacity(count), malformed: 0 };
    let mut past: Vec<Record> = Vec::new();
    let name = |n| if n == 3 { "withdrawn boots".to_owned() } else { format!("shoe {n}") };
    let listed = (1..=PRODUCTS).map(|n| shop::list(dice.envelope(), &name(n), 10 * n, &[300, 5, 0]));
    past.extend(listed);
    let mut shadow = Shadow { fold: Fold::new(0, Shop::new(Scope::Full)), next: 0, orders: Vec::new() };
    shadow.take(&world.foundation().await?.into())?;
    for record in &past {
        shadow.take(record)?;
        mixture.entries.push(world.entry(record).await?);
    }
    while mixture.entries.len() < count {
        let entry = match dice.below(100) {
            0..4 => {
                mixture.malformed += 1;
                let payload = Some(vec![0xff; dice.below(9) as usize]);
                Entry { topic: Topic::Order, partition: 0, payload }
            }
            4..12 => {
                let first = &past[dice.below(past.len() as u64) as usize];
                world.entry(&again(&mut dice, first)).await?
            }
            12..16 => world.entry(&impossible(&mut dice)).await?,
            _ => {
                let record = sensible(&mut dice, &shadow);
                shadow.take(&record)?;
                past.push(record.clone());
                world.entry(&record).await?
            }
        };
        mixture.entries.push(entry);
    }
    Ok(mixture)
}

fn sensible(dice: &mut Dice, shadow: &Shadow) -> Record {
    let envelope = dice.envelope();
    let user = dice.from(1, USERS + 1);
    match dice.below(40) {
        0..14 => {
            let lines: Vec<(i64, i64)> = (0..dice.from(1, 5)).map(|_| line(dice)).collect();
            shop::order(envelope, user, &lines)
        }
        14..22 => {
            let (order, user) = shadow.order(dice);
            shop::pay(envelope, order, user)
        }
        22..29 => {
            let (order, user) = shadow.order(dice);
            // The user's own piece, now and then a second time: an ingress vouches for no other.
            shop::pay_with(envelope, order, user, (1, user))
        }
        29..31 => shop::set(envelope, user, dice.from(0, 2_000)),
        31..34 => shop::charge(envelope, user, dice.from(1, 500)),
        34..37 => shop::adjust(envelope, dice.from(1, 3 * PRODUCTS + 2), dice.from(-20, 60)),
        37..38 => shop::list(envelope, "late shoe", 7, &[9]),
        _ => shop::tick(envelope),
    }
}

/// Mostly one that can be had: the first option of the first product, or of the last.
fn line(dice: &mut Dice) -> (i64, i64) {
    match dice.below(6) {
        0 => (dice.from(1, 3 * PRODUCTS + 2), dice.from(0, 4)),
        1 | 2 => (3 * PRODUCTS - 2, dice.from(1, 3)),
        _ => (1, 1),
    }
}

fn impossible(dice: &mut Dice) -> Record {
    let envelope = dice.envelope();
    match dice.below(8) {
        0 => shop::order(envelope, 0, &[(1, 1)]),
        1 => shop::order(envelope, 1, &[]),
        2 => shop::order(envelope, 1, &[(1, NEVER_MS), (1, NEVER_MS)]),
        3 => shop::charge(envelope, 1, -1),
        4 => shop::set(envelope, 1, -1),
        5 => shop::list(envelope, "", 1, &[1]),
        6 => shop::pay(envelope, 1, 0),
        _ => shop::adjust(envelope, 1, 0),
    }
}

/// The same request, or another one under its key.
fn again(dice: &mut Dice, first: &Record) -> Record {
    let (event_id, fingerprint) = first.envelope();
    match first {
        Record::PaymentRequested(first) if dice.below(2) == 0 => {
            let other = Some(Fingerprint([fingerprint.map_or(9, |f| f.0[0] ^ 1); 16]));
            shop::pay((event_id, other), first.order_id, first.user_id)
        }
        first => first.clone(),
    }
}
