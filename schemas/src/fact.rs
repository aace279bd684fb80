//! The closed set of facts: one enum to match on, one table that names each type's schema.

use crate::{facts::*, framing::Family};

macro_rules! fact_types {
    ($($name:ident),* $(,)?) => {
        /// Any record of `payment` or `external-platform`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the fact of its name")]
        pub enum Fact { $($name($name),)* }

        /// Which fact, without its content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each variant is the fact of its name")]
        pub enum FactType { $($name,)* }

        impl FactType {
            /// Every fact, in the order in which schemas are registered, after the records.
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

        impl Fact {
            /// Which type this is.
            #[must_use]
            pub const fn fact_type(&self) -> FactType {
                match self { $(Self::$name(_) => FactType::$name,)* }
            }
        }

        $(impl From<$name> for Fact {
            fn from(fact: $name) -> Self { Self::$name(fact) }
        })*

        impl Family for Fact {
            type Type = FactType;
            const TYPES: usize = FactType::ALL.len();

            fn type_of(kind: crate::catalogue::Kind) -> Option<FactType> {
                match kind { crate::catalogue::Kind::Fact(kind) => Some(kind), _ => None }
            }

            fn index(kind: FactType) -> usize {
                kind as usize
            }

            fn own_type(&self) -> FactType {
                self.fact_type()
            }

            fn write<W: std::io::Write>(
                &self,
                writer: &apache_avro::writer::datum::GenericDatumWriter<'_>,
                out: &mut W,
            ) -> Result<usize, apache_avro::Error> {
                match self { $(Self::$name(fact) => writer.write_ser(out, fact),)* }
            }

            fn read(
                kind: FactType,
                reader: &apache_avro::reader::datum::GenericDatumReader<'_>,
                input: &mut &[u8],
            ) -> Result<Self, apache_avro::Error> {
                match kind { $(FactType::$name => reader.read_deser::<$name>(input).map(Self::$name),)* }
            }
        }
    };
}

fact_types!(
    PaymentCaptured,
    PaymentDeclined,
    DispatchRequested,
    DispatchDelivered,
    DispatchFailed,
    PlatformEventReceived,
);
