//! What stands in topics `payment` and `external-platform`, read from end to beginning: compaction, retention and the
//! marks of transactions leave gaps.

use crate::{config::Config, dispatch::is_possible, newest};
use chassis::{
    kafka,
    log_reader::{LogReader, RawRecord},
};
use migrations::entity::{
    external_dispatches::{DELIVERED, FAILED, PENDING},
    outbox::{self, CAPTURED, DECLINED},
};
use schemas::{
    Fact, FactTopic,
    codec::{DecodeError, FactCodec},
    facts::{DispatchRequested, PaymentCaptured, PaymentDeclined, PlatformEventReceived},
    partition::home_of_fact,
    records::RegisteredSchema,
};
use std::collections::BTreeMap;

/// Requests for one order, with their offsets.
#[derive(Default)]
pub struct Requests {
    /// The outbox' own.
    pub first: Vec<(u64, DispatchRequested)>,
    /// An operator's.
    pub redriven: Vec<(u64, DispatchRequested)>,
}

/// How a dispatch ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Offset of the fact.
    pub offset: u64,
    /// How.
    pub end: End,
    /// When, in ms since the epoch, by the dispatcher.
    pub at_ms: i64,
}

/// Where a fact stands.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Partition.
    pub partition: i32,
    /// Offset there.
    pub offset: u64,
    /// When it was appended, where the topic says so, in ms since the epoch.
    pub appended_at_ms: Option<i64>,
}

/// How the platform took an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It did.
    Delivered,
    /// It did not, and nobody tries any more.
    Failed,
}

/// Everything that was told.
#[derive(Default)]
pub struct Told {
    /// By offset of the payment, each as the row of the outbox that it must come from.
    pub payments: BTreeMap<u64, Vec<outbox::Model>>,
    /// By order.
    pub requests: BTreeMap<u64, Requests>,
    /// By order, in the order of the topic.
    pub ends: BTreeMap<u64, Vec<Ended>>,
    /// The partner's, by event id.
    pub events: BTreeMap<String, Vec<(At, PlatformEventReceived)>>,
    /// Offsets by partition of `external-platform` that hold no fact, or one that cannot be: dead letters.
    pub malformed: BTreeMap<i32, Vec<u64>>,
    /// Where the partitions of `external-platform` end.
    pub bounds: BTreeMap<i32, u64>,
    /// What has no place in `payment`, and what stands behind later facts.
    pub strange: Vec<String>,
    /// By partition of `payment`: older payments are gone, for they were kept for their time.
    gone_before: BTreeMap<i32, u64>,
}

/// One partition's records, in whatever order.
type Records = Vec<Found>;

struct Found {
    offset: u64,
    appended_at_ms: Option<i64>,
    fact: Result<Fact, DecodeError>,
}

impl Told {
    /// Reads both topics; blocking.
    ///
    /// # Errors
    /// Topics that cannot be read, or schemas that this binary does not carry.
    pub fn read(config: &Config, reader: &LogReader, schemas: &[RegisteredSchema]) -> anyhow::Result<Self> {
        let codec = FactCodec::new(schemas)?;
        let settings = kafka::reader(&config.kafka, &config.instance);
        let mut told = Self::default();
        for topic in FactTopic::ALL {
            let name = topic.name(&config.topic_prefix);
            let partitions: Vec<(i32, u64)> = (0..topic.partitions()).map(|p| (p, 0)).collect();
            let take = |_, found: &mut Records, raw: &RawRecord<&[u8]>| {
                let fact = codec.decode(topic, raw.payload);
                found.push(Found { offset: raw.offset, appended_at_ms: raw.append_time_ms, fact });
            };
            for (partition, mut records) in newest::search(&settings, &name, &partitions, take, |_| false)? {
                records.sort_unstable_by_key(|found| found.offset);
                told.note_order(topic, partition, &records);
                for found in records {
                    told.take(topic, partition, found);
                }
                let (low, end) = reader.bounds(&name, partition)?;
                match topic {
                    FactTopic::Payment if low > 0 => told.note_retention(partition),
                    FactTopic::Payment => {}
                    FactTopic::ExternalPlatform => drop(told.bounds.insert(partition, end)),
                }
            }
        }
        Ok(told)
    }

    /// Readers keep the newest offset of a partition and skip what is not beyond it.
    fn note_order(&mut self, topic: FactTopic, partition: i32, records: &[Found]) {
        let mut newest = 0;
        for Found { offset, fact, .. } in records {
            let source = match fact {
                Ok(Fact::PaymentCaptured(fact)) => fact.source_offset,
                Ok(Fact::PaymentDeclined(fact)) => fact.source_offset,
                Ok(Fact::DispatchRequested(fact)) if !fact.redriven => fact.source_offset,
                _ => continue,
            };
            if source < newest {
                let at = format!("{}-{partition} offset {offset}", topic.base_name());
                self.strange.push(format!("{at} tells of offset {source}, behind what tells of {newest}"));
            }
            newest = newest.max(source);
        }
    }

    fn take(&mut self, topic: FactTopic, partition: i32, found: Found) {
        let Found { offset, appended_at_ms, fact } = found;
        match (topic, fact) {
            (FactTopic::Payment, Ok(fact)) if home_of_fact(&fact) == partition => match payment_of(&fact) {
                Some(row) => self.payments.entry(row.source_offset).or_default().push(row),
                None => self.strange_payment(partition, offset, &format!("what cannot be: {fact:?}")),
            },
            // Nobody but the relay writes there, and nobody keeps its dead letters.
            (FactTopic::Payment, Ok(fact)) => {
                self.strange_payment(partition, offset, &format!("what belongs elsewhere: {fact:?}"));
            }
            (FactTopic::Payment, Err(error)) => {
                self.strange_payment(partition, offset, &format!("no fact: {error}"));
            }
            (FactTopic::ExternalPlatform, Ok(fact)) if is_possible(&fact, partition) => {
                self.note(At { partition, offset, appended_at_ms }, fact);
            }
            (FactTopic::ExternalPlatform, _) => self.malformed.entry(partition).or_default().push(offset),
        }
    }

    fn strange_payment(&mut self, partition: i32, offset: u64, what: &str) {
        self.strange.push(format!("payment-{partition} offset {offset} holds {what}"));
    }

    fn note(&mut self, at: At, fact: Fact) {
        match fact {
            Fact::DispatchRequested(fact) => {
                let requests = self.requests.entry(fact.order_id.unsigned_abs()).or_default();
                let list = if fact.redriven { &mut requests.redriven } else { &mut requests.first };
                list.push((at.offset, fact));
            }
            Fact::DispatchDelivered(fact) => self.end(fact.order_id, at, End::Delivered, fact.at_ms),
            Fact::DispatchFailed(fact) => self.end(fact.order_id, at, End::Failed, fact.at_ms),
            Fact::PlatformEventReceived(fact) => {
                self.events.entry(fact.event_id.clone()).or_default().push((at, fact));
            }
            // Foreign there: the codec has said so.
            Fact::PaymentCaptured(_) | Fact::PaymentDeclined(_) => {}
        }
    }

    fn end(&mut self, order_id: i64, at: At, end: End, at_ms: i64) {
        let ended = Ended { offset: at.offset, end, at_ms };
        self.ends.entry(order_id.unsigned_abs()).or_default().push(ended);
    }

    /// Of a partition whose beginning is gone, nothing is known before the first payment that is left.
    fn note_retention(&mut self, partition: i32) {
        let here = self.payments.values().flatten().filter(|row| home_of_user(row.user_id) == partition);
        let first = here.map(|row| row.source_offset).min().unwrap_or(u64::MAX);
        self.gone_before.insert(partition, first);
    }

    /// Payments of a kind.
    pub fn payments_of(&self, kind: u8) -> u64 {
        self.payments.values().filter(|told| told.first().is_some_and(|row| row.kind == kind)).count() as u64
    }

    /// Where a dispatch stands by the facts before an offset: a delivery dominates, else the later of a failure and of
    /// an operator's request counts.
    pub fn state(&self, order_id: u64, before: u64) -> u8 {
        let ends = self.ends.get(&order_id).into_iter().flatten().filter(|ended| ended.offset < before);
        let last = |wanted| ends.clone().filter(|ended| ended.end == wanted).map(|ended| ended.offset).max();
        let redriven = self.requests.get(&order_id).into_iter().flat_map(|requests| &requests.redriven);
        let redriven = redriven.map(|(offset, _)| *offset).filter(|offset| *offset < before).max();
        if last(End::Delivered).is_some() {
            DELIVERED
        } else if last(End::Failed) > redriven {
            FAILED
        } else {
            PENDING
        }
    }

    /// In which topics a decided payment is not told.
    pub fn lacks(&self, row: &outbox::Model) -> Vec<&'static str> {
        let gone = self.gone_before.get(&home_of_user(row.user_id)).copied().unwrap_or(0);
        let mut lacks = Vec::new();
        if row.source_offset >= gone && !self.payments.contains_key(&row.source_offset) {
            lacks.push(FactTopic::Payment.base_name());
        }
        if row.kind == CAPTURED && !self.requests.contains_key(&row.order_id) {
            lacks.push(FactTopic::ExternalPlatform.base_name());
        }
        lacks
    }
}

fn home_of_user(user_id: u64) -> i32 {
    (user_id.wrapping_sub(1) % FactTopic::Payment.partitions().unsigned_abs() as u64) as i32
}

/// The row of the outbox that a payment must come from; nothing for what no row can say.
// Apart from the relay's `facts_of`, which it judges: one mapping for both would agree with itself, right or wrong.
fn payment_of(fact: &Fact) -> Option<outbox::Model> {
    let (kind, numbers, user_coupon_id, reason, at_ms) = match fact {
        Fact::PaymentCaptured(PaymentCaptured {
            source_offset,
            order_id,
            user_id,
            total,
            discount,
            paid,
            user_coupon_id,
            at_ms,
        }) => {
            (CAPTURED, [source_offset, order_id, user_id, total, discount, paid], user_coupon_id, None, at_ms)
        }
        Fact::PaymentDeclined(PaymentDeclined {
            source_offset,
            order_id,
            user_id,
            total,
            discount,
            paid,
            user_coupon_id,
            at_ms,
            reason,
        }) => (
            DECLINED,
            [source_offset, order_id, user_id, total, discount, paid],
            user_coupon_id,
            Some(reason),
            at_ms,
        ),
        _ => return None,
    };
    let number = |value: &i64| u64::try_from(*value).ok();
    let [source_offset, order_id, user_id, total, discount, paid] = numbers;
    Some(outbox::Model {
        source_offset: number(source_offset)?,
        kind,
        order_id: number(order_id)?,
        user_id: number(user_id)?,
        total: number(total)?,
        discount: number(discount)?,
        paid: number(paid)?,
        user_coupon_id: user_coupon_id.map(u64::try_from).transpose().ok()?,
        reason: reason.cloned(),
        at_ms: *at_ms,
    })
}
