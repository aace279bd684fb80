//! The digest chains every outcome of a partition, so that divergence shows at the very offset where it begins.
//!
//! Bytes are written by hand in little endian: a derived hash may change with a compiler or a field's order.

use xxhash_rust::xxh3::xxh3_64;

/// Collects one outcome's bytes: previous digest, offset, tag, fields.
pub struct DigestInput(Vec<u8>);

/// Room for the outcomes of the hot path without growing, in bytes.
const TYPICAL_BYTES: usize = 64;

impl DigestInput {
    /// Begins an outcome. Tags are for ever: a number is never used for something else.
    #[must_use]
    pub fn new(previous: u64, offset: u64, tag: u8) -> Self {
        let mut bytes = Vec::with_capacity(TYPICAL_BYTES);
        bytes.extend_from_slice(&previous.to_le_bytes());
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.push(tag);
        Self(bytes)
    }

    /// An unsigned number, always 8 bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A signed number, always 8 bytes.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A fixed id, without a length.
    pub fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// An optional fixed id: one byte that tells, then the id.
    pub fn optional(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        self.0.push(u8::from(bytes.is_some()));
        self.fixed(bytes.unwrap_or_default())
    }

    /// A text: length in bytes, then UTF-8.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.u64(text.len() as u64).fixed(text.as_bytes())
    }

    /// The chained digest.
    #[must_use]
    pub fn finish(&self) -> u64 {
        xxh3_64(&self.0)
    }
}

/// The hash by which a record is recognised on assign and reconnect; a missing payload has its own.
#[must_use]
pub fn record_hash(payload: Option<&[u8]>) -> u64 {
    match payload {
        Some(payload) => xxh3_64(payload),
        None => xxh3_64(b"tidemark: no payload"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden: the bytes under a digest never change.
    #[test]
    fn the_digest_of_a_known_outcome_is_golden() {
        let mut input = DigestInput::new(7, 3, 64);
        input.u64(1).i64(-2).optional(None).optional(Some(&[9])).text("쿠폰").fixed(&[1, 2]);
        assert_eq!(
            input.0,
            [
                7, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 0, 0, 0, 0, 0, 254, 255, 255,
                255, 255, 255, 255, 255, 0, 1, 9, 6, 0, 0, 0, 0, 0, 0, 0, 236, 191, 160, 237, 143, 176, 1, 2
            ]
        );
        assert_eq!(
            DigestInput::new(0, 0, 1).finish(),
            xxh3_64(&{
                let mut bytes = [0; 17];
                bytes[16] = 1;
                bytes
            })
        );
    }
}
