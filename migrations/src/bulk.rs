//! Many rows in few statements whose texts repeat, so that the connection's cache of prepared statements works.
//!
//! sqlx keeps 100 prepared statements per connection, by text; a text per batch size cost 31% of the row rate.
//! So rows go in sizes of [`BUCKETS_ROWS`], and lists of keys are padded to [`LOOKUP_VALUES`]: coarser, as a
//! repeated key is free where a repeated row is not.
//!
//! And every statement fits one TLS record: sqlx leaves Nagle's algorithm on, so the second record of a statement
//! waits for the server's delayed acknowledgement of the first. Measured with 256 rows of 10 columns on the loopback:
//! 53 ms, and 8 ms without TLS.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

/// Rows per statement, largest first; the first is the largest batch that still gained speed (10 columns).
pub const BUCKETS_ROWS: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// Keys per `IN` list, smallest first.
pub const LOOKUP_VALUES: [usize; 5] = [1, 4, 16, 64, 256];

/// Values of one statement on the wire, in bytes: what a TLS record holds (16,384) less the packet's and the command's
/// own. A row that is larger by itself goes alone.
const MAX_STATEMENT_BYTES: usize = 16_300;

/// Changes per `UPDATE` with a `CASE` for each of up to five columns, so that it stays below [`MAX_STATEMENT_BYTES`].
pub(crate) const CASE_ROWS: usize = 64;

/// Keys in the longest `IN` list.
const LOOKUP_MAX_VALUES: usize = LOOKUP_VALUES[LOOKUP_VALUES.len() - 1];

/// Placeholders in one prepared statement; MySQL's protocol counts them in 16 bits (error 1390 above).
const MAX_PLACEHOLDERS: usize = 65_535;

/// A row that can be written many at a time.
pub trait Row {
    /// The table.
    const TABLE: &'static str;
    /// All columns, in the order of [`Row::values`].
    const COLUMNS: &'static [&'static str];
    /// The primary key. Its order must be MySQL's: writers that lock in one order do not deadlock.
    type Key<'a>: Ord
    where
        Self: 'a;
    /// This row's primary key.
    fn key(&self) -> Self::Key<'_>;
    /// Appends one value per column.
    fn values(&self, to: &mut Vec<Value>);
}

/// A row that says how things stand, so that a newer one replaces it.
pub trait StateRow: Row {
    /// The columns a newer row replaces: all but the key, and but what never changes.
    const REPLACED: &'static [&'static str];
}

/// Inserts facts, sorted by primary key, none twice.
///
/// # Errors
/// A row that is there already is error 1062, never ignored; the buckets before it are in the caller's transaction.
pub async fn insert<R: Row + Sync, C: ConnectionTrait>(db: &C, rows: &[R]) -> Result<(), DbErr> {
    write(db, rows, "").await
}

/// Inserts states, sorted by primary key, none twice; one that is there takes over [`StateRow::REPLACED`].
///
/// # Errors
/// The database's own.
pub async fn upsert<R: StateRow + Sync, C: ConnectionTrait>(db: &C, rows: &[R]) -> Result<(), DbErr> {
    let replaced: Vec<String> = R::REPLACED.iter().map(|c| format!("`{c}` = new.`{c}`")).collect();
    write(db, rows, &format!(" AS new ON DUPLICATE KEY UPDATE {}", replaced.join(", "))).await
}

/// Inserts rows with `tail` behind each statement.
pub(crate) async fn write<R: Row + Sync, C: ConnectionTrait>(
    db: &C,
    rows: &[R],
    tail: &str,
) -> Result<(), DbErr> {
    const { assert!(R::COLUMNS.len() * BUCKETS_ROWS[0] <= MAX_PLACEHOLDERS) };
    debug_assert!(
        rows.is_sorted_by(|a, b| a.key() < b.key()),
        "rows of {} are not sorted by primary key",
        R::TABLE
    );
    let mut values = Vec::with_capacity(rows.len() * R::COLUMNS.len());
    rows.iter().for_each(|row| row.values(&mut values));
    debug_assert_eq!(values.len(), rows.len() * R::COLUMNS.len());
    let bytes: Vec<usize> =
        values.chunks(R::COLUMNS.len()).map(|row| row.iter().map(wire_bytes).sum()).collect();
    let mut values = values.into_iter();
    for rows in buckets(&bytes) {
        let bucket: Vec<Value> = values.by_ref().take(rows * R::COLUMNS.len()).collect();
        let sql = format!("{}{tail}", insert_sql::<R>(rows));
        db.execute_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, bucket)).await?;
    }
    Ok(())
}

/// At most what a value takes in the binary protocol: its type, its bit among the nulls, its length, itself.
fn wire_bytes(value: &Value) -> usize {
    const FRAME_BYTES: usize = 3;
    FRAME_BYTES
        + match value {
            Value::String(Some(text)) => 3 + text.len(),
            Value::Bytes(Some(bytes)) => 3 + bytes.len(),
            _ => size_of::<u64>(),
        }
}

fn insert_sql<R: Row>(rows: usize) -> String {
    let row = format!("({})", placeholders(R::COLUMNS.len()));
    let rows = vec![row.as_str(); rows].join(",");
    format!("INSERT INTO `{}` (`{}`) VALUES {rows}", R::TABLE, R::COLUMNS.join("`,`"))
}

/// `?,?,?`
pub(crate) fn placeholders(count: usize) -> String {
    vec!["?"; count].join(",")
}

/// Cuts rows of these sizes in bytes into runs of the lengths of [`BUCKETS_ROWS`], each as long as its rows are there
/// and fit into one statement.
fn buckets(mut bytes: &[usize]) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let fits = |rows: usize| {
            bytes.get(..rows).is_some_and(|bytes| bytes.iter().sum::<usize>() <= MAX_STATEMENT_BYTES)
        };
        let smallest = bytes.len().min(1);
        let rows = BUCKETS_ROWS.into_iter().find(|rows| fits(*rows)).unwrap_or(smallest);
        bytes = &bytes[rows..];
        (rows > 0).then_some(rows)
    })
}

/// Sorts `keys`, drops repetitions, and cuts them into lists of the sizes of [`LOOKUP_VALUES`], the last padded by
/// repeating its last key.
pub(crate) fn lookups<T: Ord + Clone>(mut keys: Vec<T>) -> Vec<Vec<T>> {
    keys.sort_unstable();
    keys.dedup();
    keys.chunks(LOOKUP_MAX_VALUES).map(padded).collect()
}

fn padded<T: Clone>(keys: &[T]) -> Vec<T> {
    let size = LOOKUP_VALUES.into_iter().find(|size| *size >= keys.len()).unwrap_or(keys.len());
    let padding = keys.last().into_iter().cycle().take(size - keys.len());
    keys.iter().chain(padding).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rows_is_cut_into_known_sizes_and_none_is_lost() {
        for count in [0, 1, 2, 3, 5, 31, 255, 256, 257, 1000, 1023] {
            let cut: Vec<usize> = buckets(&vec![50; count]).collect();
            assert!(cut.iter().all(|rows| BUCKETS_ROWS.contains(rows)), "{count}");
            assert!(cut.is_sorted_by(|a, b| a >= b), "{count}");
            assert_eq!(cut.iter().sum::<usize>(), count);
        }
    }

    #[test]
    fn a_statement_is_no_larger_than_a_tls_record_unless_a_single_row_is() {
        let bytes: Vec<usize> = (0..500).map(|n| [40, 100, 16_000, 3_000, 20_000][n / 100]).collect();
        let mut rest = bytes.as_slice();
        let mut lengths = Vec::new();
        for rows in buckets(&bytes) {
            let (bucket, after) = rest.split_at(rows);
            assert!(rows == 1 || bucket.iter().sum::<usize>() <= MAX_STATEMENT_BYTES, "{bucket:?}");
            lengths.push(rows);
            rest = after;
        }
        assert!(rest.is_empty());
        assert_eq!(lengths[..3], [128, 64, 8], "as many rows as fit: {lengths:?}");
        assert_eq!(lengths[lengths.len() - 100..], [1; 100]);
    }

    #[test]
    fn a_list_of_keys_is_padded_with_its_last_key() {
        assert_eq!(lookups(Vec::<u64>::new()), Vec::<Vec<u64>>::new());
        assert_eq!(lookups(vec![7]), [[7]]);
        assert_eq!(lookups(vec![9, 7, 9]), [[7, 9, 9, 9]]);
        let lists = lookups((0..300).collect());
        assert_eq!(lists.iter().map(Vec::len).collect::<Vec<_>>(), [256, 64]);
        assert_eq!((lists[1][43], lists[1][44], lists[1][63]), (299, 299, 299));
    }
}
