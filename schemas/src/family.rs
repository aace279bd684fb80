//! One table a family of types: records, and facts. The enum to match on, its types, and how the codec reads and
//! writes each come from the same list.

/// The enum, the enum of its types, and what names each type's schema.
macro_rules! family {
    ($(#[$doc:meta])* $family:ident, $(#[$type_doc:meta])* $type:ident, $own_type:ident:
        $($name:ident),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the struct of its name")]
        pub enum $family { $($name($name),)* }

        $(#[$type_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each variant is the struct of its name")]
        pub enum $type { $($name,)* }

        impl $type {
            /// Every type, in the order in which schemas are registered; facts stand after the records.
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

        impl $family {
            /// Which type this is.
            #[must_use]
            pub const fn $own_type(&self) -> $type {
                match self { $(Self::$name(_) => $type::$name,)* }
            }
        }

        $(impl From<$name> for $family {
            fn from(value: $name) -> Self { Self::$name(value) }
        })*

        #[cfg(feature = "codec")]
        impl crate::framing::Family for $family {
            type Type = $type;
            const TYPES: usize = $type::ALL.len();

            fn type_of(kind: crate::catalogue::Kind) -> Option<$type> {
                match kind { crate::catalogue::Kind::$family(kind) => Some(kind), _ => None }
            }

            fn index(kind: $type) -> usize {
                kind as usize
            }

            fn own_type(&self) -> $type {
                self.$own_type()
            }

            fn write<W: std::io::Write>(
                &self,
                writer: &apache_avro::writer::datum::GenericDatumWriter<'_>,
                out: &mut W,
            ) -> Result<usize, apache_avro::Error> {
                match self { $(Self::$name(value) => writer.write_ser(out, value),)* }
            }

            fn read(
                kind: $type,
                reader: &apache_avro::reader::datum::GenericDatumReader<'_>,
                input: &mut &[u8],
            ) -> Result<Self, apache_avro::Error> {
                match kind { $($type::$name => reader.read_deser::<$name>(input).map(Self::$name),)* }
            }
        }
    };
}

pub(crate) use family;
