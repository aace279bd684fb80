//! The closed set of record types: one enum to match on, one table that names each type's schema.

use crate::{ids::Fingerprint, records::*};
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

        /// Serialises the record inside, without a tag: the framing's schema id says which it is.
        pub(crate) fn write<W: std::io::Write>(
            record: &Record,
            writer: &apache_avro::writer::datum::GenericDatumWriter<'_>,
            out: &mut W,
        ) -> Result<usize, apache_avro::Error> {
            match record { $(Record::$name(record) => writer.write_ser(out, record),)* }
        }

        /// Deserialises the record type that the schema id named.
        pub(crate) fn read(
            kind: RecordType,
            reader: &apache_avro::reader::datum::GenericDatumReader<'_>,
            input: &mut &[u8],
        ) -> Result<Record, apache_avro::Error> {
            match kind { $(RecordType::$name => reader.read_deser::<$name>(input).map(Record::$name),)* }
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
