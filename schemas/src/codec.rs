//! Confluent framing around an Avro datum: byte 0, schema id (big endian), datum.
//!
//! Two failures that must never be mixed up: `Malformed` is a property of the bytes, so every process skips them
//! alike; `UnknownSchema` and `ForeignType` are a property of this binary, so the partition stops.

use crate::{
    Fact, FactTopic, Record, RecordType, Topic,
    catalogue::{self, Kind},
    framing::{Family, Framing},
    ids::Crc64,
    records::{RegisteredSchema, RulesActivated},
};
use apache_avro::reader::datum::GenericDatumReader;

pub use crate::framing::split_frame;

/// Framing before the datum, in bytes.
pub const FRAME_BYTES: usize = 5;

/// Largest payload that is decoded, in bytes; the brokers' own default limit on a record.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not framed, or not a datum of the schema that the frame names. Everybody skips it alike.
    #[error("malformed record: {0}")]
    Malformed(&'static str),
    /// A schema id that the active rules do not list. The partition stops.
    #[error("schema id {0} is not among those that the log's rules list")]
    UnknownSchema(i32),
    /// A known record type that has no place in this topic. The partition stops.
    #[error("record type {0} has no place in this topic")]
    ForeignType(Kind),
}

/// The log lists a schema that this binary does not carry, or lacks one that it writes.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// An older binary meets newer schemas.
    #[error(
        "the log lists schema id {id} ({crc64:?}), which this binary does not carry; start a newer binary"
    )]
    NotCarried {
        /// Registry id.
        id: i32,
        /// The schema's fingerprint.
        crc64: Crc64,
    },
    /// One id or one schema stands twice in the list.
    #[error("the log lists schema id {id} or schema {crc64:?} twice")]
    ListedTwice {
        /// Registry id.
        id: i32,
        /// The schema's fingerprint.
        crc64: Crc64,
    },
    /// Somebody decoded before us under another allocation cap.
    #[error("the Avro allocation cap is {0} bytes already; prepare the codec first")]
    AllocationCap(usize),
    /// Avro refused to prepare a reader or a writer.
    #[error("preparing the Avro codec")]
    Avro(#[from] apache_avro::Error),
}

/// Why a record was not encoded; nothing was appended to the buffer.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The log's rules list no schema for it yet; a newer version must be activated first.
    #[error("the log's rules list no schema for {0}; activate newer rules first")]
    NotListed(Kind),
    /// Larger than `MAX_PAYLOAD_BYTES`.
    #[error("a record of {0} bytes is larger than a record may be")]
    TooLarge(usize),
    /// Its own schema refuses it: a bug of the caller.
    #[error("encoding a record")]
    Avro(#[from] apache_avro::Error),
}

/// Prepared readers and writers of records, for the schema ids of one log.
pub struct Codec(Framing<Record>);

impl Codec {
    /// From the schemas that the log's rules list; facts among them are no records.
    ///
    /// # Errors
    /// Where the list and this binary disagree.
    pub fn new(listed: &[RegisteredSchema]) -> Result<Self, CodecError> {
        Framing::new(listed).map(Self)
    }

    /// Appends the framed record to `out`.
    ///
    /// # Errors
    /// See [`EncodeError`]; `out` is as it was.
    pub fn encode(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.encode(record, out)
    }

    /// Decodes one payload of `topic`, strictly: only the canonical form of a datum is one.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(&self, topic: Topic, payload: Option<&[u8]>) -> Result<Record, DecodeError> {
        match self.0.decode(|kind| topic.carries(kind), payload)? {
            (id, Record::RulesActivated(rules)) if !lists_itself(&rules, id) => {
                Err(DecodeError::Malformed("rules that do not list themselves"))
            }
            (_, record) => Ok(record),
        }
    }
}

/// Prepared readers and writers of facts, for the schema ids of one log.
pub struct FactCodec(Framing<Fact>);

impl FactCodec {
    /// From the schemas that the log's rules list; records among them are no facts.
    ///
    /// # Errors
    /// Where the list and this binary disagree.
    pub fn new(listed: &[RegisteredSchema]) -> Result<Self, CodecError> {
        Framing::new(listed).map(Self)
    }

    /// Appends the framed fact to `out`.
    ///
    /// # Errors
    /// See [`EncodeError`]; `out` is as it was.
    pub fn encode(&self, fact: &Fact, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.encode(fact, out)
    }

    /// Decodes one payload of `topic`, as strictly as [`Codec::decode`].
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(&self, topic: FactTopic, payload: Option<&[u8]>) -> Result<Fact, DecodeError> {
        self.0.decode(|kind| topic.carries(kind), payload).map(|(_, fact)| fact)
    }
}

fn lists_itself(rules: &RulesActivated, id: i32) -> bool {
    let own = catalogue::of(RecordType::RulesActivated).crc64;
    rules.schemas.iter().any(|schema| schema.id == id && schema.crc64 == own)
}

/// Decodes a log's first `RulesActivated`, before the list of schema ids is known: the record itself lists them.
/// `None` for anything else; what stands before a log's first rules is skipped whatever it is.
///
/// # Errors
/// Rules that are well-formed and list a schema that this binary does not carry: it must stop.
pub fn decode_founding(payload: &[u8]) -> Result<Option<RulesActivated>, CodecError> {
    let Some((id, rules)) = read_rules(payload) else {
        return Ok(None);
    };
    if !lists_itself(&rules, id) || !rules.is_sensible() {
        return Ok(None);
    }
    // The strict decoder has the last word: the same bytes must found a log for everybody.
    let codec = Codec::new(&rules.schemas)?;
    Ok(codec.decode(Topic::Signup, Some(payload)).is_ok().then_some(rules))
}

fn read_rules(payload: &[u8]) -> Option<(i32, RulesActivated)> {
    let (id, mut datum) = split_frame(payload).ok()?;
    let schema = &catalogue::of(RecordType::RulesActivated).schema;
    let reader = GenericDatumReader::builder(schema).build().ok()?;
    match Record::read(RecordType::RulesActivated, &reader, &mut datum).ok()? {
        Record::RulesActivated(rules) => Some((id, rules)),
        _ => None,
    }
}
