//! What the codecs of records and of facts share: framing, the canonical form, one prepared reader and writer a schema.
//!
//! Strict: a datum must be byte for byte what our own writer makes of it, so that no leniency of a decoder (long
//! varints, split blocks, trailing bytes) can ever be judged differently by two versions of it.

use crate::{
    catalogue::{self, Kind},
    codec::{CodecError, DecodeError, EncodeError, MAX_PAYLOAD_BYTES},
    records::RegisteredSchema,
};
use apache_avro::{reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter};
use std::collections::HashMap;

/// A closed set of types that one codec writes and reads: records, or facts.
pub(crate) trait Family: Sized {
    /// Which type, without its content.
    type Type: Copy + Into<Kind>;
    /// How many types there are.
    const TYPES: usize;

    /// This family's type, if it is one of its own.
    fn type_of(kind: Kind) -> Option<Self::Type>;

    /// Its place below `TYPES`.
    fn index(kind: Self::Type) -> usize;

    /// Which type this value is.
    fn own_type(&self) -> Self::Type;

    /// Serialises what is inside, without a tag: the framing's schema id says which it is.
    fn write<W: std::io::Write>(
        &self,
        writer: &GenericDatumWriter<'_>,
        out: &mut W,
    ) -> Result<usize, apache_avro::Error>;

    /// Deserialises the type that the schema id named.
    fn read(
        kind: Self::Type,
        reader: &GenericDatumReader<'_>,
        input: &mut &[u8],
    ) -> Result<Self, apache_avro::Error>;
}

/// One listed schema: prepared where it is this family's, only known where it is the other's.
enum Listed<F: Family> {
    Own(Box<Prepared<F>>),
    Other(Kind),
}

struct Prepared<F: Family> {
    kind: F::Type,
    reader: GenericDatumReader<'static>,
    writer: GenericDatumWriter<'static>,
}

/// Prepared readers and writers for the schema ids of one log.
pub(crate) struct Framing<F: Family> {
    by_id: HashMap<i32, Listed<F>>,
    /// By type: the id to write it with; `None` where the log lists none.
    ids: Vec<Option<i32>>,
}

impl<F: Family> Framing<F> {
    /// From the schemas that the log's rules list, of both families.
    pub(crate) fn new(listed: &[RegisteredSchema]) -> Result<Self, CodecError> {
        // Once for the process: a length prefix must not make the decoder allocate more than a record can hold.
        let cap = apache_avro::util::max_allocation_bytes(MAX_PAYLOAD_BYTES);
        if cap != MAX_PAYLOAD_BYTES {
            return Err(CodecError::AllocationCap(cap));
        }
        let mut by_id = HashMap::new();
        let mut ids = vec![None; F::TYPES];
        for (n, &RegisteredSchema { id, crc64 }) in listed.iter().enumerate() {
            let entry = catalogue::by_crc64(crc64).ok_or(CodecError::NotCarried { id, crc64 })?;
            if listed[..n].iter().any(|before| before.id == id || before.crc64 == crc64) {
                return Err(CodecError::ListedTwice { id, crc64 });
            }
            let prepared = match F::type_of(entry.kind) {
                Some(kind) => {
                    ids[F::index(kind)] = Some(id);
                    let reader = GenericDatumReader::builder(&entry.schema).build()?;
                    let writer = GenericDatumWriter::builder(&entry.schema).build()?;
                    Listed::Own(Box::new(Prepared { kind, reader, writer }))
                }
                None => Listed::Other(entry.kind),
            };
            by_id.insert(id, prepared);
        }
        Ok(Self { by_id, ids })
    }

    /// Appends the framed value to `out`, or leaves `out` as it was.
    pub(crate) fn encode(&self, value: &F, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let kind = value.own_type();
        let id = self.ids[F::index(kind)].ok_or(EncodeError::NotListed(kind.into()))?;
        let Some(Listed::Own(prepared)) = self.by_id.get(&id) else {
            return Err(EncodeError::NotListed(kind.into()));
        };
        let before = out.len();
        out.push(0);
        out.extend_from_slice(&id.to_be_bytes());
        let written = value.write(&prepared.writer, out);
        let bytes = out.len() - before;
        if written.is_err() || bytes > MAX_PAYLOAD_BYTES {
            out.truncate(before);
            written?;
            return Err(EncodeError::TooLarge(bytes));
        }
        Ok(())
    }

    /// Decodes one payload of a topic that carries what `carries` says; returns its schema id beside it.
    pub(crate) fn decode(
        &self,
        carries: impl Fn(F::Type) -> bool,
        payload: Option<&[u8]>,
    ) -> Result<(i32, F), DecodeError> {
        let payload = payload.ok_or(DecodeError::Malformed("no payload"))?;
        let (id, datum) = split_frame(payload)?;
        let Prepared { kind, reader, writer } = match self.by_id.get(&id) {
            Some(Listed::Own(prepared)) => &**prepared,
            Some(Listed::Other(kind)) => return Err(DecodeError::ForeignType(*kind)),
            None => return Err(DecodeError::UnknownSchema(id)),
        };
        if !carries(*kind) {
            return Err(DecodeError::ForeignType((*kind).into()));
        }
        let value = F::read(*kind, reader, &mut &*datum)
            .map_err(|_| DecodeError::Malformed("not a datum of its schema"))?;
        let mut rest = Expecting(datum);
        if value.write(writer, &mut rest).is_err() || !rest.0.is_empty() {
            return Err(DecodeError::Malformed("not the canonical form of its datum"));
        }
        Ok((id, value))
    }
}

/// Takes only the very bytes that it expects, so that a value can be compared while it is written.
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
