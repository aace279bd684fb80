//! Confluent framing around an Avro datum: byte 0, schema id (big endian), datum.
//!
//! Two failures that must never be mixed up: `Malformed` is a property of the bytes, so every process skips them
//! alike; `UnknownSchema` and `ForeignType` are a property of this binary, so the partition stops.

use crate::{
    Record, RecordType, Topic, catalogue,
    ids::Crc64,
    record::{read, write},
    records::{RegisteredSchema, RulesActivated},
};
use apache_avro::{reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter};
use std::collections::HashMap;

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
    #[error("record type {0:?} has no place in this topic")]
    ForeignType(RecordType),
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
    #[error("the log's rules list no schema for {0:?}; activate newer rules first")]
    NotListed(RecordType),
    /// Larger than `MAX_PAYLOAD_BYTES`.
    #[error("a record of {0} bytes is larger than a record may be")]
    TooLarge(usize),
    /// Its own schema refuses it: a bug of the caller.
    #[error("encoding a record")]
    Avro(#[from] apache_avro::Error),
}

/// One listed schema, prepared.
struct Prepared {
    kind: RecordType,
    reader: GenericDatumReader<'static>,
    writer: GenericDatumWriter<'static>,
}

/// Prepared readers and writers for the schema ids of one log.
pub struct Codec {
    by_id: HashMap<i32, Prepared>,
    /// By record type: the id to write it with; `None` where the log lists none.
    ids: Vec<Option<i32>>,
}

impl Codec {
    /// From the schemas that the log's rules list.
    ///
    /// # Errors
    /// Where the list and this binary disagree.
    pub fn new(listed: &[RegisteredSchema]) -> Result<Self, CodecError> {
        // Once for the process: a length prefix must not make the decoder allocate more than a record can hold.
        let cap = apache_avro::util::max_allocation_bytes(MAX_PAYLOAD_BYTES);
        if cap != MAX_PAYLOAD_BYTES {
            return Err(CodecError::AllocationCap(cap));
        }
        let mut by_id = HashMap::new();
        let mut ids = vec![None; RecordType::ALL.len()];
        for &RegisteredSchema { id, crc64 } in listed {
            let entry = catalogue::by_crc64(crc64).ok_or(CodecError::NotCarried { id, crc64 })?;
            let reader = GenericDatumReader::builder(&entry.schema).build()?;
            let writer = GenericDatumWriter::builder(&entry.schema).build()?;
            let twice = by_id.insert(id, Prepared { kind: entry.kind, reader, writer }).is_some();
            if twice || ids[entry.kind as usize].replace(id).is_some() {
                return Err(CodecError::ListedTwice { id, crc64 });
            }
        }
        Ok(Self { by_id, ids })
    }

    /// Appends the framed record to `out`.
    ///
    /// # Errors
    /// See [`EncodeError`]; `out` is as it was.
    pub fn encode(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let kind = record.record_type();
        let id = self.ids[kind as usize].ok_or(EncodeError::NotListed(kind))?;
        let prepared = self.by_id.get(&id).ok_or(EncodeError::NotListed(kind))?;
        let before = out.len();
        out.push(0);
        out.extend_from_slice(&id.to_be_bytes());
        let written = write(record, &prepared.writer, out);
        let bytes = out.len() - before;
        if written.is_err() || bytes > MAX_PAYLOAD_BYTES {
            out.truncate(before);
            written?;
            return Err(EncodeError::TooLarge(bytes));
        }
        Ok(())
    }

    /// Decodes one payload of `topic`. Strict: the datum must be byte for byte what our own writer makes of the
    /// record, so that no leniency of a decoder (long varints, split blocks, trailing bytes) can ever be judged
    /// differently by two versions of it.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(&self, topic: Topic, payload: Option<&[u8]>) -> Result<Record, DecodeError> {
        let payload = payload.ok_or(DecodeError::Malformed("no payload"))?;
        let (id, datum) = split_frame(payload)?;
        let Prepared { kind, reader, writer } = self.by_id.get(&id).ok_or(DecodeError::UnknownSchema(id))?;
        if !topic.carries(*kind) {
            return Err(DecodeError::ForeignType(*kind));
        }
        let record = read(*kind, reader, &mut &*datum)
            .map_err(|_| DecodeError::Malformed("not a datum of its schema"))?;
        let mut rest = Expecting(datum);
        if write(&record, writer, &mut rest).is_err() || !rest.0.is_empty() {
            return Err(DecodeError::Malformed("not the canonical form of its datum"));
        }
        match record {
            Record::RulesActivated(rules) if !lists_itself(&rules, id) => {
                Err(DecodeError::Malformed("rules that do not list themselves"))
            }
            record => Ok(record),
        }
    }
}

/// Takes only the very bytes that it expects, so that a record can be compared while it is written.
struct Expecting<'a>(&'a [u8]);

impl std::io::Write for Expecting<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.strip_prefix(bytes) {
            Some(rest) => {
                self.0 = rest;
                Ok(bytes.len())
            }
            None => Err(std::io::ErrorKind::InvalidData.into()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lists_itself(rules: &RulesActivated, id: i32) -> bool {
    let own = catalogue::of(RecordType::RulesActivated).crc64;
    rules.schemas.iter().any(|schema| schema.id == id && schema.crc64 == own)
}

/// Splits a payload into schema id and datum.
///
/// # Errors
/// `Malformed` where it is not framed or larger than a record may be.
pub fn split_frame(payload: &[u8]) -> Result<(i32, &[u8]), DecodeError> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(DecodeError::Malformed("larger than a record may be"));
    }
    match payload {
        [0, a, b, c, d, datum @ ..] => Ok((i32::from_be_bytes([*a, *b, *c, *d]), datum)),
        _ => Err(DecodeError::Malformed("not framed")),
    }
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
    match read(RecordType::RulesActivated, &reader, &mut datum).ok()? {
        Record::RulesActivated(rules) => Some((id, rules)),
        _ => None,
    }
}
