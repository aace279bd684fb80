//! Whatever MySQL says that is not proved to be a broken promise: the partition is held while it lasts, and flows again by
//! itself. What is proved stops it, and is asked again.

use crate::{
    patience::until_true,
    process::Process,
    records::{claim, fresh, open},
    world::{World, in_world_on},
};
use consumers::config::Config;
use schemas::Topic;
use stack::{private, services::MySql};

/// Three for each of the eight partitions: full disks, lost sessions, locked and expired accounts, tables that are altered,
/// statements and columns that are wrong, numbers that no server has.
const CODES: [[u16; 8]; 3] = [
    [1105, 1927, 1020, 1615, 1021, 1030, 1054, 3118],
    [1862, 1412, 1114, 1290, 1146, 1064, 1142, 3024],
    [1364, 1305, 1041, 1180, 4031, 3572, 9_999, 65_534],
];
/// Proved: NULL where none may be, out of range, too long, a duplicate key, a CHECK, another type, a foreign key.
const PROVED: [u16; 8] = [1048, 1264, 1406, 1062, 3819, 1366, 1690, 1452];

/// From now on each claim of the coupon of partition n fails with the nth of these errors.
fn fail_inserts(mysql: &MySql, world: &World, codes: [u16; 8]) -> anyhow::Result<()> {
    let case = (1..).zip(codes).map(|(coupon, code)| {
        format!(
            "IF NEW.coupon_id = {coupon} THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'planted {code}'; END IF;"
        )
    });
    let body: String = case.collect();
    let schema = &world.schema;
    mysql.sql(&format!(
        "DELIMITER //\nCREATE TRIGGER {schema}.planted BEFORE INSERT ON {schema}.user_coupons FOR EACH ROW BEGIN {body} END//"
    ))?;
    Ok(())
}

fn mend(mysql: &MySql, world: &World) -> anyhow::Result<()> {
    mysql.sql(&format!("DROP TRIGGER {}.planted", world.schema))?;
    Ok(())
}

async fn claim_of_each(world: &World, user: i64) -> anyhow::Result<()> {
    world.append(&(1..=8).map(|coupon| claim(fresh(), coupon, user)).collect::<Vec<_>>()).await
}

/// Whether the group says that of each of its eight partitions.
async fn all_are(process: &Process, state: &str) -> anyhow::Result<bool> {
    let (_, answer) = process.get("/admin/consumers", true).await?;
    Ok(answer.to_string().matches(&format!("\"{state}\"")).count() >= 8)
}

async fn is_ready(process: &Process) -> anyhow::Result<()> {
    until_true("it is ready", async || Ok(process.not_ready().await?.is_none())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_foresaw_is_waited_for_and_what_is_proved_stops() -> anyhow::Result<()> {
    let mysql = private::mysql()?;
    in_world_on(&mysql.url(), async |world| {
        world.append(&(1..=8).map(|coupon| open(fresh(), coupon, 100)).collect::<Vec<_>>()).await?;
        let process = world.start_and_open().await?;
        let mut user = 0;
        for codes in CODES {
            user += 1;
            fail_inserts(&mysql, world, codes)?;
            claim_of_each(world, user).await?;
            until_true("each partition is held", async || all_are(&process, "HELD").await).await?;
            let reason = process.until_not_ready("coupon-projection holds: partition 0: ").await?;
            assert!(reason.contains(&format!("planted {}", codes[0])), "{reason}");
            assert_eq!(world.rows().await?.claims.len() as i64, 8 * (user - 1));
            mend(&mysql, world)?;
            for partition in 0..8 {
                world
                    .until_applied(Topic::Coupon, partition, world.ends().await?[4 + partition as usize])
                    .await?;
            }
            is_ready(&process).await?;
        }
        user += 1;
        fail_inserts(&mysql, world, PROVED)?;
        claim_of_each(world, user).await?;
        until_true("each partition has stopped", async || all_are(&process, "STOPPED").await).await?;
        process.until_not_ready("coupon-projection stopped partition 0: ").await?;
        mend(&mysql, world)?;
        // Asked again without a restart; until then it is told.
        is_ready(&process).await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?.claims.len() as i64, 8 * user);
        process.stop().await
    })
    .await
}

/// A user of the process' own, whom the tests may lock out.
fn a_user(mysql: &MySql, world: &World) -> anyhow::Result<String> {
    let schema = &world.schema;
    mysql.sql(&format!(
        "CREATE USER 'worker'@'%' IDENTIFIED BY 'worker'; GRANT ALL ON {schema}.* TO 'worker'@'%'"
    ))?;
    Ok(format!("mysql://worker:worker@127.0.0.1:{}/{schema}", mysql.port()))
}

/// The sessions of that user.
fn sessions(mysql: &MySql) -> anyhow::Result<Vec<String>> {
    let ids = mysql.sql("SELECT id FROM information_schema.processlist WHERE user = 'worker'")?;
    Ok(ids.split_whitespace().map(str::to_owned).collect())
}

fn kill_sessions(mysql: &MySql) -> anyhow::Result<()> {
    for id in sessions(mysql)? {
        // One that is gone already is as good as killed.
        let _ = mysql.sql(&format!("KILL {id}"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_account_a_lock_of_all_tables_and_a_demoted_server_are_waited_for() -> anyhow::Result<()> {
    let mysql = private::mysql()?;
    in_world_on(&mysql.url(), async |world| {
        world.append(&(1..=8).map(|coupon| open(fresh(), coupon, 100)).collect::<Vec<_>>()).await?;
        let config = Config {
            database_url: a_user(&mysql, world)?,
            groups: "coupon-projection".to_owned(),
            ..world.config.clone()
        };
        let process = world.start_with(config).await?;
        is_ready(&process).await?;

        for (closed, opened) in
            [("ACCOUNT LOCK", "ACCOUNT UNLOCK"), ("PASSWORD EXPIRE", "IDENTIFIED BY 'worker'")]
        {
            mysql.sql(&format!("ALTER USER 'worker'@'%' {closed}"))?;
            kill_sessions(&mysql)?;
            claim_of_each(world, 1).await?;
            process.until_not_ready("coupon-projection holds").await?;
            mysql.sql(&format!("ALTER USER 'worker'@'%' {opened}"))?;
            is_ready(&process).await?;
        }

        // Whoever was connected before stays connected to the server that was demoted: none of these is used again.
        let before = sessions(&mysql)?;
        mysql.sql("SET GLOBAL super_read_only = ON")?;
        claim_of_each(world, 2).await?;
        process.until_not_ready("coupon-projection holds").await?;
        mysql.sql("SET GLOBAL read_only = OFF")?;
        is_ready(&process).await?;
        until_true("the old sessions are closed", async || {
            Ok(!sessions(&mysql)?.iter().any(|id| before.contains(id)))
        })
        .await?;

        // It answers, and takes no write.
        let root = sea_orm::Database::connect(format!("mysql://root@127.0.0.1:{}/", mysql.port())).await?;
        let mut locking = root.get_mysql_connection_pool().acquire().await?.detach();
        sea_orm::sqlx::Executor::execute(&mut locking, "FLUSH TABLES WITH READ LOCK").await?;
        claim_of_each(world, 3).await?;
        process.until_not_ready("coupon-projection holds").await?;
        assert_eq!(world.rows().await?.claims.len(), 16);
        let told = process.not_ready().await?;
        assert!(told.is_some(), "a write goes through that nobody has seen");
        sea_orm::sqlx::Executor::execute(&mut locking, "UNLOCK TABLES").await?;
        is_ready(&process).await?;
        until_true("all rows are there", async || Ok(world.rows().await?.claims.len() == 24)).await?;
        process.stop().await
    })
    .await
}
