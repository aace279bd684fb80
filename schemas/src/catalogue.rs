//! The schemas that this binary knows: parsed once, with the subject each is registered under.

use crate::{RecordType, ids::Crc64};
use apache_avro::{Schema, rabin::Rabin};
use std::sync::LazyLock;

/// One compiled-in schema version.
pub struct CatalogueEntry {
    /// The record type that it writes.
    pub kind: RecordType,
    /// Registry subject (record name strategy): the full name of the record.
    pub subject: String,
    /// Parsed schema.
    pub schema: Schema,
    /// CRC-64-AVRO of the parsing canonical form.
    pub crc64: Crc64,
}

static CATALOGUE: LazyLock<Vec<CatalogueEntry>> =
    LazyLock::new(|| RecordType::ALL.iter().map(|&kind| entry(kind)).collect());

#[expect(clippy::expect_used, reason = "the schemas are compiled in; a test parses every one of them")]
fn entry(kind: RecordType) -> CatalogueEntry {
    let schema = Schema::parse_str(kind.avsc()).expect("a compiled-in schema parses");
    let fingerprint = schema.fingerprint::<Rabin>();
    let mut crc64 = [0; 8];
    crc64.copy_from_slice(&fingerprint.bytes);
    CatalogueEntry { kind, subject: format!("tidemark.{}", kind.name()), schema, crc64: Crc64(crc64) }
}

/// Every schema version that this binary can read, in registration order.
#[must_use]
pub fn all() -> &'static [CatalogueEntry] {
    &CATALOGUE
}

/// The schema that a fingerprint names, if this binary carries it.
#[must_use]
pub fn by_crc64(crc64: Crc64) -> Option<&'static CatalogueEntry> {
    all().iter().find(|entry| entry.crc64 == crc64)
}

/// The schema of a record type (there is one version of each so far).
#[must_use]
pub fn of(kind: RecordType) -> &'static CatalogueEntry {
    &all()[kind as usize]
}
