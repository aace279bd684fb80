//! What stands in topics `payment` and `external-platform`, read from end to beginning: compaction, retention and the
//! marks of transactions leave gaps.

use crate::{config::Config, newest};
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
    /// By order, with their offsets.
    pub ends: BTreeMap<u64, Vec<(u64, End)>>,
    /// The partner's, by event id, with partition and offset.
    pub events: BTreeMap<String, Vec<(i32, u64, PlatformEventReceived)>>,
    /// Offsets by partition of `external-platform` that hold no fact, or one that belongs elsewhere: dead letters.
    pub malformed: BTreeMap<i32, Vec<u64>>,
    /// What has no place in `payment`.
    pub strange: Vec<String>,
    /// By partition of `payment`: older payments are gone, for they were kept for their time.
    gone_before: BTreeMap<i32, u64>,
}

/// One partition's records, in whatever order.
type Records = Vec<(u64, Result<Fact, DecodeError>)>;

impl Told {
    /// Reads both topics; blocking.
    ///
    /// # Errors
    /// Topics that cannot be read, or schemas that this binary does not carry.
    pub fn read(config: &Config, schemas: &[RegisteredSchema]) -> anyhow::Result<Self> {
        let codec = FactCodec::new(schemas)?;
        let settings = kafka::reader(&config.kafka, &config.instance);
        let reader = LogReader::new(settings.clone())?;
        let mut told = Self::default();
        for topic in FactTopic::ALL {
            let name = topic.name(&config.topic_prefix);
            let partitions: Vec<(i32, u64)> = (0..topic.partitions()).map(|p| (p, 0)).collect();
            let take = |found: &mut Records, raw: &RawRecord<&[u8]>| {
                found.push((raw.offset, codec.decode(topic, raw.payload)));
            };
            for (partition, mut records) in newest::search(&settings, &name, &partitions, take, |_| false)? {
                records.sort_unstable_by_key(|(offset, _)| *offset);
                for (offset, record) in records {
                    told.take(topic, partition, offset, record);
                }
                if topic == FactTopic::Payment && reader.bounds(&name, partition)?.0 > 0 {
                    told.note_retention(partition);
                }
            }
        }
        Ok(told)
    }

    fn take(&mut self, topic: FactTopic, partition: i32, offset: u64, record: Result<Fact, DecodeError>) {
        let strange = match record {
            Ok(fact) if home_of_fact(&fact) == partition => return self.note(offset, partition, fact),
            Ok(fact) => format!("what belongs elsewhere: {fact:?}"),
            Err(error) => format!("no fact: {error}"),
        };
        match topic {
            // Nobody but the relay writes there, and nobody keeps its dead letters.
            FactTopic::Payment => {
                self.strange.push(format!("payment-{partition} offset {offset} holds {strange}"))
            }
            FactTopic::ExternalPlatform => self.malformed.entry(partition).or_default().push(offset),
        }
    }

    fn note(&mut self, offset: u64, partition: i32, fact: Fact) {
        match fact {
            Fact::PaymentCaptured(fact) => self.payment(captured(&fact)),
            Fact::PaymentDeclined(fact) => self.payment(declined(&fact)),
            Fact::DispatchRequested(fact) => {
                let requests = self.requests.entry(fact.order_id.unsigned_abs()).or_default();
                let list = if fact.redriven { &mut requests.redriven } else { &mut requests.first };
                list.push((offset, fact));
            }
            Fact::DispatchDelivered(fact) => self.end(fact.order_id, offset, End::Delivered),
            Fact::DispatchFailed(fact) => self.end(fact.order_id, offset, End::Failed),
            Fact::PlatformEventReceived(fact) => {
                self.events.entry(fact.event_id.clone()).or_default().push((partition, offset, fact));
            }
        }
    }

    fn payment(&mut self, row: outbox::Model) {
        self.payments.entry(row.source_offset).or_default().push(row);
    }

    fn end(&mut self, order_id: i64, offset: u64, end: End) {
        self.ends.entry(order_id.unsigned_abs()).or_default().push((offset, end));
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
        let ends = self.ends.get(&order_id).into_iter().flatten().filter(|(offset, _)| *offset < before);
        let last = |wanted| ends.clone().filter(|(_, end)| *end == wanted).map(|(offset, _)| *offset).max();
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

fn captured(fact: &PaymentCaptured) -> outbox::Model {
    outbox::Model {
        source_offset: fact.source_offset.unsigned_abs(),
        kind: CAPTURED,
        order_id: fact.order_id.unsigned_abs(),
        user_id: fact.user_id.unsigned_abs(),
        total: fact.total.unsigned_abs(),
        discount: fact.discount.unsigned_abs(),
        paid: fact.paid.unsigned_abs(),
        user_coupon_id: fact.user_coupon_id.map(i64::unsigned_abs),
        reason: None,
        at_ms: fact.at_ms,
    }
}

fn declined(fact: &PaymentDeclined) -> outbox::Model {
    outbox::Model {
        source_offset: fact.source_offset.unsigned_abs(),
        kind: DECLINED,
        order_id: fact.order_id.unsigned_abs(),
        user_id: fact.user_id.unsigned_abs(),
        total: fact.total.unsigned_abs(),
        discount: fact.discount.unsigned_abs(),
        paid: fact.paid.unsigned_abs(),
        user_coupon_id: fact.user_coupon_id.map(i64::unsigned_abs),
        reason: Some(fact.reason.clone()),
        at_ms: fact.at_ms,
    }
}
