//! Table `projection_offset`: how far a projection is in a partition, and the fence that keeps zombies out.
//!
//! The one who is assigned a partition claims it, which raises the epoch. Every transaction then first
//! advances from the offset and epoch it knows; one that matches no row is a zombie's and must roll back.

use super::Bytes;
use crate::bulk;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, DbBackend, QueryOrder, QuerySelect, Statement, Value};

/// The longest group name, in characters.
pub const GROUP_NAME_MAX_CHARS: usize = 64;
/// The longest topic name, in characters.
pub const TOPIC_MAX_CHARS: usize = 200;
/// The most that `active_rules` holds, in bytes.
pub const ACTIVE_RULES_MAX_BYTES: usize = 4096;

/// A projection's place in a partition.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "projection_offset")]
pub struct Model {
    /// The consumer group.
    #[sea_orm(primary_key, auto_increment = false)]
    pub group_name: String,
    /// The topic.
    #[sea_orm(primary_key, auto_increment = false)]
    pub topic: String,
    /// The partition.
    #[sea_orm(primary_key, auto_increment = false)]
    pub partition_id: i32,
    /// The first offset not yet applied.
    pub next_offset: u64,
    /// How often the partition was claimed.
    pub epoch: u64,
    /// Digest of all outcomes so far.
    pub digest: Bytes<8>,
    /// Hash of the record before `next_offset`.
    pub last_record_hash: Bytes<8>,
    /// The fold's clock, in ms since the epoch.
    pub clock_ms: i64,
    /// The rules version in force; 0 before the first.
    pub rules: u32,
    /// The rules in force; opaque here, at most [`ACTIVE_RULES_MAX_BYTES`].
    pub active_rules: Vec<u8>,
    /// The fold's next sequence number.
    pub next_seq: u64,
    /// When the first thing falls due, in ms since the epoch.
    pub earliest_due_ms: Option<i64>,
    /// Records of this partition that became dead letters.
    pub dead_lettered: u64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Whose place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The consumer group.
    pub group_name: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition_id: i32,
}

/// What [`advance`] writes: a row without its key and epoch; the fields are those of [`Model`].
#[expect(missing_docs, reason = "field by field the documented ones of Model")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub next_offset: u64,
    pub digest: Bytes<8>,
    pub last_record_hash: Bytes<8>,
    pub clock_ms: i64,
    pub rules: u32,
    pub active_rules: Vec<u8>,
    pub next_seq: u64,
    pub earliest_due_ms: Option<i64>,
    pub dead_lettered: u64,
}

/// What must still be true for [`advance`] to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The offset the transaction starts from.
    pub next_offset: u64,
    /// The epoch that [`claim`] gave.
    pub epoch: u64,
}

impl Model {
    /// This row's key.
    #[must_use]
    pub fn key(&self) -> Key {
        Key {
            group_name: self.group_name.clone(),
            topic: self.topic.clone(),
            partition_id: self.partition_id,
        }
    }

    /// What the next [`advance`] must expect.
    #[must_use]
    pub fn expected(&self) -> Expected {
        Expected { next_offset: self.next_offset, epoch: self.epoch }
    }

    /// This row without its key and epoch.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            next_offset: self.next_offset,
            digest: self.digest,
            last_record_hash: self.last_record_hash,
            clock_ms: self.clock_ms,
            rules: self.rules,
            active_rules: self.active_rules.clone(),
            next_seq: self.next_seq,
            earliest_due_ms: self.earliest_due_ms,
            dead_lettered: self.dead_lettered,
        }
    }
}

impl Key {
    fn values(&self) -> [Value; 3] {
        [self.group_name.as_str().into(), self.topic.as_str().into(), self.partition_id.into()]
    }
}

impl Progress {
    /// In the order of the columns from `next_offset` on, without `epoch`.
    fn values(&self) -> [Value; 9] {
        [
            self.next_offset.into(),
            self.digest.into(),
            self.last_record_hash.into(),
            self.clock_ms.into(),
            self.rules.into(),
            self.active_rules.as_slice().into(),
            self.next_seq.into(),
            self.earliest_due_ms.into(),
            self.dead_lettered.into(),
        ]
    }
}

const OF_KEY: &str = "WHERE group_name = ? AND topic = ? AND partition_id = ?";

/// The row of `key`, if there is one.
///
/// # Errors
/// The database's own.
pub async fn load<C: ConnectionTrait>(db: &C, key: &Key) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((key.group_name.clone(), key.topic.clone(), key.partition_id)).one(db).await
}

/// The rows of a group, sorted by topic and partition.
///
/// # Errors
/// The database's own.
pub async fn of_group<C: ConnectionTrait>(db: &C, group_name: &str) -> Result<Vec<Model>, DbErr> {
    let rows = Entity::find().filter(Column::GroupName.eq(group_name));
    rows.order_by_asc(Column::Topic).order_by_asc(Column::PartitionId).all(db).await
}

/// Creates the row of `key` at `start`, epoch 0; does nothing if it is there.
///
/// # Errors
/// The database's own.
pub async fn create_if_absent<C: ConnectionTrait>(db: &C, key: &Key, start: &Progress) -> Result<(), DbErr> {
    // Not INSERT IGNORE: that would also let a value that is too long pass, cut.
    let sql = "INSERT INTO projection_offset (group_name, topic, partition_id, epoch, next_offset, digest, \
               last_record_hash, clock_ms, rules, active_rules, next_seq, earliest_due_ms, dead_lettered) \
               VALUES (?,?,?,0,?,?,?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE epoch = epoch";
    run(db, sql, key.values().into_iter().chain(start.values())).await.map(drop)
}

/// Takes the partition over: raises the epoch and returns the row with that epoch; none if there is no row.
/// Waits for a transaction that is just advancing it.
///
/// Also right outside a transaction: of two that claim at once each gets an epoch of its own, and the smaller
/// one can no longer advance.
///
/// # Errors
/// The database's own.
pub async fn claim<C: ConnectionTrait>(db: &C, key: &Key) -> Result<Option<Model>, DbErr> {
    // LAST_INSERT_ID(x) hands x back with this very statement's answer.
    let sql = format!("UPDATE projection_offset SET epoch = LAST_INSERT_ID(epoch + 1) {OF_KEY}");
    let claimed = run(db, &sql, key.values()).await?;
    if claimed.rows_affected() != 1 {
        return Ok(None);
    }
    let row = load(db, key).await?;
    Ok(row.map(|row| Model { epoch: claimed.last_insert_id(), ..row }))
}

/// The epoch of `key`, if there is a row, under a shared lock: until this transaction ends, nobody claims or advances it.
/// Waits for a transaction that is just advancing it. For whoever writes beside the projection, before anything else.
///
/// # Errors
/// The database's own.
pub async fn share_epoch(transaction: &DatabaseTransaction, key: &Key) -> Result<Option<u64>, DbErr> {
    let row = Entity::find_by_id((key.group_name.clone(), key.topic.clone(), key.partition_id));
    Ok(row.lock_shared().one(transaction).await?.map(|row| row.epoch))
}

/// The rows of these partitions of a group's topic, locked as by [`share_epoch`], but for those that somebody is just
/// advancing or claiming: it never waits.
///
/// # Errors
/// The database's own.
pub async fn share_idle(
    transaction: &DatabaseTransaction,
    group_name: &str,
    topic: &str,
    partitions: &[i32],
) -> Result<Vec<Model>, DbErr> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    // Written out: what the library makes of a shared lock takes no SKIP LOCKED.
    let sql = format!(
        "SELECT * FROM projection_offset WHERE group_name = ? AND topic = ? AND partition_id IN ({}) \
         ORDER BY partition_id FOR SHARE SKIP LOCKED",
        bulk::placeholders(partitions.len()),
    );
    let values = [Value::from(group_name), topic.into()].into_iter();
    let values = values.chain(partitions.iter().map(|partition| Value::from(*partition)));
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    Entity::find().from_raw_sql(statement).all(transaction).await
}

/// Compare-and-set, to be the first statement of a projection's transaction: writes `to` if offset and epoch are still
/// as `expected`, and says whether they were. On `false` roll back and give the partition up.
///
/// # Errors
/// The database's own.
pub async fn advance<C: ConnectionTrait>(
    db: &C,
    key: &Key,
    expected: Expected,
    to: &Progress,
) -> Result<bool, DbErr> {
    debug_assert!(to.next_offset >= expected.next_offset, "a projection never goes back");
    let sql = format!(
        "UPDATE projection_offset SET next_offset = ?, digest = ?, last_record_hash = ?, clock_ms = ?, rules = ?, \
         active_rules = ?, next_seq = ?, earliest_due_ms = ?, dead_lettered = ? {OF_KEY} AND next_offset = ? AND epoch = ?"
    );
    let condition = key.values().into_iter().chain([expected.next_offset.into(), expected.epoch.into()]);
    // sqlx sets CLIENT_FOUND_ROWS: a row that matches but does not change is counted too.
    Ok(run(db, &sql, to.values().into_iter().chain(condition)).await?.rows_affected() == 1)
}

async fn run<C: ConnectionTrait>(
    db: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<sea_orm::ExecResult, DbErr> {
    db.execute_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, values)).await
}
