//! Addresses: one user each, free again once the account is forgotten.

use crate::{
    records::{erase, fresh, hmac_of, sign_up},
    world::{World, in_world},
};
use migrations::entity::Bytes;

async fn check(world: &World) -> anyhow::Result<()> {
    world.clean_audit().await?;
    let rows = world.rows().await?;
    let addresses: Vec<_> = rows.users.iter().map(|user| (user.id, user.email_hmac)).collect();
    let taken = |address| Some(Bytes(hmac_of(address).0));
    assert_eq!(addresses, [(2, None), (6, None), (10, taken(9)), (14, taken(5)), (18, None)]);
    let consistent = rows.users.iter().all(|user| {
        user.email_hmac.is_some() == user.account.is_some()
            && user.email_hmac.is_some() != user.erased_at_ms.is_some()
    });
    assert!(consistent, "{:?}", rows.users);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_one_user_and_after_erasure_a_new_one() -> anyhow::Result<()> {
    in_world(async |world| {
        // All in partition 1: its users are 2, 6, 10 and so on.
        let records = [
            sign_up(fresh(), 5),
            sign_up(fresh(), 5), // taken
            erase(fresh(), 2),
            erase(fresh(), 2),   // already
            sign_up(fresh(), 5), // user 6
            sign_up(fresh(), 9), // user 10
            erase(fresh(), 6),
            sign_up(fresh(), 5),   // user 14
            erase(fresh(), 4_002), // nobody
            sign_up(fresh(), 13),  // user 18
            erase(fresh(), 18),
            sign_up(fresh(), 9), // taken
        ];
        world.append(&records).await?;
        let process = world.start().await?;
        check(world).await?;
        process.stop().await?;
        // One record a transaction: what a batch had in memory comes from MySQL now.
        world.empty().await?;
        let single = consumers::config::Config { batch_records: 1, ..world.config.clone() };
        let process = world.start_with(single).await?;
        check(world).await?;
        process.stop().await
    })
    .await
}
