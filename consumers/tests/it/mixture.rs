//! A log of everything at once, made from a seed: what is won and what is refused, replays, reused keys, records in
//! the wrong place, impossible values, bytes that are no record.

use crate::{
    records::{self, Envelope, NEVER_MS},
    world::{Entry, World},
};
use schemas::{Fingerprint, Record, Topic, Uuid, records::SignedUp};

/// Numbers that repeat with their seed (xorshift64*).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    pub(crate) fn from(&mut self, start: i64, end: i64) -> i64 {
        start + self.below((end - start) as u64) as i64
    }

    pub(crate) fn envelope(&mut self) -> Envelope {
        let key = self.below(3);
        let id = Uuid::from_u128(u128::from(self.below(u64::MAX)) << 64 | u128::from(self.below(u64::MAX)));
        (id, (key > 0).then_some(Fingerprint([key as u8; 16])))
    }
}

/// A log and how many of its entries are no records.
pub(crate) struct Mixture {
    pub(crate) entries: Vec<Entry>,
    pub(crate) malformed: u64,
}

/// Makes a log for `signup` and `coupon`.
pub(crate) async fn mixture(world: &World, seed: u64, count: usize) -> anyhow::Result<Mixture> {
    let mut dice = Dice(seed);
    let mut past: Vec<Record> = Vec::new();
    let mut mixture = Mixture { entries: Vec::with_capacity(count), malformed: 0 };
    while mixture.entries.len() < count {
        let mut entry = match dice.below(100) {
            0..8 => {
                mixture.malformed += 1;
                malformed(&mut dice, world).await?
            }
            8..18 if !past.is_empty() => {
                let first = &past[dice.below(past.len() as u64) as usize];
                world.entry(&again(&mut dice, first)).await?
            }
            18..24 => world.entry(&impossible(&mut dice)).await?,
            _ => {
                let record = sensible(&mut dice);
                past.push(record.clone());
                world.entry(&record).await?
            }
        };
        if dice.below(25) == 0 {
            entry.partition = (entry.partition + 1) % entry.topic.partitions();
        }
        mixture.entries.push(entry);
    }
    Ok(mixture)
}

fn sensible(dice: &mut Dice) -> Record {
    let envelope = dice.envelope();
    // Two coupons in most partitions, few pieces, few users: so that much of it is refused.
    let coupon = dice.from(1, 14);
    match dice.below(40) {
        0..16 => records::claim(envelope, coupon, dice.from(1, 30)),
        16..21 => records::open(envelope, coupon, dice.from(0, 6)),
        21..23 => records::extend(envelope, coupon, dice.from(0, 12)),
        23..24 => records::close(envelope, coupon),
        24..26 => {
            records::campaign(envelope, ["apply", "other "][dice.below(2) as usize], dice.from(1, 8) * 8 + 1)
        }
        26..30 => records::guest(envelope),
        30..35 => records::sign_up(envelope, u128::from(dice.below(12))),
        35..38 => records::erase(envelope, dice.from(1, 40)),
        _ => records::revoke(envelope, dice.from(1, 40), 1),
    }
}

fn impossible(dice: &mut Dice) -> Record {
    let envelope = dice.envelope();
    match dice.below(7) {
        0 => records::claim(envelope, 0, 1),
        1 => records::claim(envelope, 1, -1),
        2 => records::open(envelope, 1 << 21, 1),
        3 => records::open(envelope, 3, -1),
        4 => records::campaign(envelope, "elsewhere", 2),
        5 => records::revoke(envelope, 1, NEVER_MS),
        _ => {
            let (event_id, fingerprint) = envelope;
            let email_hmac = Some(records::hmac_of(1));
            SignedUp { event_id, fingerprint, email_hmac, account: None }.into()
        }
    }
}

/// The same request, or another one under its key.
fn again(dice: &mut Dice, first: &Record) -> Record {
    let (event_id, fingerprint) = first.envelope();
    match first {
        Record::CouponClaimed(first) if dice.below(2) == 0 => {
            let other = Some(Fingerprint([fingerprint.map_or(9, |f| f.0[0] ^ 1); 16]));
            records::claim((event_id, other), first.coupon_id, first.user_id)
        }
        first => first.clone(),
    }
}

async fn malformed(dice: &mut Dice, world: &World) -> anyhow::Result<Entry> {
    let record = match dice.below(2) {
        0 => records::guest(dice.envelope()),
        _ => records::claim(dice.envelope(), dice.from(1, 14), 1),
    };
    let mut entry = world.entry(&record).await?;
    entry.payload = match (dice.below(5), entry.payload.take().unwrap_or_default()) {
        (0, _) => None,
        (1, _) => Some(Vec::new()),
        (2, _) => Some(b"{\"coupon\":1}".to_vec()),
        (3, mut bytes) => {
            bytes.pop();
            Some(bytes)
        }
        (_, mut bytes) => {
            bytes.push(0);
            Some(bytes)
        }
    };
    debug_assert!(entry.topic != Topic::Order);
    Ok(entry)
}
