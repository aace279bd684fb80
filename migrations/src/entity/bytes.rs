//! Bytes of a fixed length: what a `BINARY(N)` column holds, which sea-orm would hand out as a `Vec`.

use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr};
use sea_orm::{ActiveValue, ColIdx, DbErr, IntoActiveValue, QueryResult, TryGetError, TryGetable, Value};
use std::fmt;

/// Exactly `N` bytes, shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes<const N: usize>(pub [u8; N]);

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> From<[u8; N]> for Bytes<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> From<Bytes<N>> for [u8; N] {
    fn from(bytes: Bytes<N>) -> Self {
        bytes.0
    }
}

impl<const N: usize> From<Bytes<N>> for Value {
    fn from(bytes: Bytes<N>) -> Self {
        bytes.0.to_vec().into()
    }
}

impl<const N: usize> TryGetable for Bytes<N> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let bytes = Vec::<u8>::try_get_by(row, index)?;
        let array = bytes
            .try_into()
            .map_err(|b: Vec<u8>| DbErr::Type(format!("{} bytes where {N} belong", b.len())))?;
        Ok(Self(array))
    }
}

impl<const N: usize> ValueType for Bytes<N> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        let bytes = <Vec<u8> as ValueType>::try_from(value)?;
        bytes.try_into().map(Self).map_err(|_| ValueTypeErr)
    }

    fn type_name() -> String {
        format!("Bytes<{N}>")
    }

    fn array_type() -> ArrayType {
        ArrayType::Bytes
    }

    fn column_type() -> ColumnType {
        <u32 as TryFrom<usize>>::try_from(N).map_or(ColumnType::Blob, ColumnType::Binary)
    }
}

impl<const N: usize> Nullable for Bytes<N> {
    fn null() -> Value {
        Value::Bytes(None)
    }
}

impl<const N: usize> IntoActiveValue<Self> for Bytes<N> {
    fn into_active_value(self) -> ActiveValue<Self> {
        ActiveValue::Set(self)
    }
}
