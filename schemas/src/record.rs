//! The closed set of record types: one enum to match on, one table that names each type's schema.

use crate::{framing::Family, ids::Fingerprint, records::*};
use uuid::Uuid;

macro_rules! record_types {
    ($($name:ident),* $(,)?) => {
        /// Any record of `signup`, `coupon` or `order`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the record of its name")]
        pub enum Record { $($name($name),)* }

        /// Which record type, without its content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each variant is the record of its name")]
        pub enum RecordType { $($name,)* }

        impl RecordType {
            /// Every record type, in the order in which schemas are registered.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The Avro record's simple name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The compiled-in Avro schema (version 1 of each type).
            #[must_use]
            pub const fn avsc(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("../avro/", stringify!($name), ".v1.avsc")),)* }
            }
        }

        impl Record {
            /// Which type this is.
            #[must_use]
            pub const fn record_type(&self) -> RecordType {
                match self { $(Self::$name(_) => RecordType::$name,)* }
            }

            /// The envelope: the request's id, and what it asked for in a hashed form.
            #[must_use]
            pub const fn envelope(&self) -> (Uuid, Option<Fingerprint>) {
                match self { $(Self::$name(record) => (record.event_id, record.fingerprint),)* }
            }
        }

        $(impl From<$name> for Record {
            fn from(record: $name) -> Self { Self::$name(record) }
        })*

        impl Family for Record {
            type Type = RecordType;
            const TYPES: usize = RecordType::ALL.len();

            fn type_of(kind: crate::catalogue::Kind) -> Option<RecordType> {
                match kind { crate::catalogue::Kind::Record(kind) => Some(kind), _ => None }
            }

            fn index(kind: RecordType) -> usize {
                kind as usize
            }

            fn own_type(&self) -> RecordType {
                self.record_type()
            }

            fn write<W: std::io::Write>(
                &self,
                writer: &apache_avro::writer::datum::GenericDatumWriter<'_>,
                out: &mut W,
            ) -> Result<usize, apache_avro::Error> {
                match self { $(Self::$name(record) => writer.write_ser(out, record),)* }
            }

            fn read(
                kind: RecordType,
                reader: &apache_avro::reader::datum::GenericDatumReader<'_>,
                input: &mut &[u8],
            ) -> Result<Self, apache_avro::Error> {
                match kind { $(RecordType::$name => reader.read_deser::<$name>(input).map(Self::$name),)* }
            }
        }
    };
}

record_types!(
    RulesActivated,
    SignedUp,
    SessionRevoked,
    AccountErased,
    CouponOpened,
    CouponExtended,
    CouponClosed,
    CampaignOpened,
    CouponClaimed,
    ProductListed,
    StockAdjusted,
    BalanceSet,
    BalanceCharged,
    OrderPlaced,
    PaymentRequested,
    Ticked,
);
