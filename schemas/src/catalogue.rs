//! The schemas that this binary knows: parsed once, with the subject each is registered under.

use crate::{FactType, RecordType, ids::Crc64};
use apache_avro::{Schema, rabin::Rabin};
use std::{fmt, sync::LazyLock};

/// What a schema writes: something asked for, or something that came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A record of a request log.
    Record(RecordType),
    /// A fact for other systems.
    Fact(FactType),
}

impl Kind {
    /// The Avro record's simple name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record(kind) => kind.name(),
            Self::Fact(kind) => kind.name(),
        }
    }

    /// The compiled-in Avro schema (version 1 of each type).
    #[must_use]
    pub const fn avsc(self) -> &'static str {
        match self {
            Self::Record(kind) => kind.avsc(),
            Self::Fact(kind) => kind.avsc(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<RecordType> for Kind {
    fn from(kind: RecordType) -> Self {
        Self::Record(kind)
    }
}

impl From<FactType> for Kind {
    fn from(kind: FactType) -> Self {
        Self::Fact(kind)
    }
}

/// One compiled-in schema version.
pub struct CatalogueEntry {
    /// What it writes.
    pub kind: Kind,
    /// Registry subject (record name strategy): the full name of the record.
    pub subject: String,
    /// Parsed schema.
    pub schema: Schema,
    /// CRC-64-AVRO of the parsing canonical form.
    pub crc64: Crc64,
}

static CATALOGUE: LazyLock<Vec<CatalogueEntry>> = LazyLock::new(|| {
    let records = RecordType::ALL.iter().map(|&kind| entry(kind.into()));
    records.chain(FactType::ALL.iter().map(|&kind| entry(kind.into()))).collect()
});

#[expect(clippy::expect_used, reason = "the schemas are compiled in; a test parses every one of them")]
fn entry(kind: Kind) -> CatalogueEntry {
    let schema = Schema::parse_str(kind.avsc()).expect("a compiled-in schema parses");
    let fingerprint = schema.fingerprint::<Rabin>();
    let mut crc64 = [0; 8];
    crc64.copy_from_slice(&fingerprint.bytes);
    CatalogueEntry { kind, subject: format!("tidemark.{}", kind.name()), schema, crc64: Crc64(crc64) }
}

/// Every schema version that this binary can read, in registration order: records, then facts.
#[must_use]
pub fn all() -> &'static [CatalogueEntry] {
    &CATALOGUE
}

/// The schema that a fingerprint names, if this binary carries it.
#[must_use]
pub fn by_crc64(crc64: Crc64) -> Option<&'static CatalogueEntry> {
    all().iter().find(|entry| entry.crc64 == crc64)
}

/// The schema of a record or a fact (there is one version of each so far).
#[must_use]
pub fn of(kind: impl Into<Kind>) -> &'static CatalogueEntry {
    match kind.into() {
        Kind::Record(kind) => &all()[kind as usize],
        Kind::Fact(kind) => &all()[RecordType::ALL.len() + kind as usize],
    }
}
