use super::{MARK, World, until};
use crate::{
    run,
    server::{fresh_user, fresh_users},
};
use serde_json::json;

#[test]
fn an_older_order_is_the_same_as_when_it_was_young() {
    run(async {
        let world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        let order = world.paid_order(user, option).await;
        let path = format!("/api/orders/{order}");
        let young = world.server.get(&path).expect(200).await.json();
        let young_list = world.server.get(&format!("/api/users/{user}/orders")).expect(200).await.json();
        world.let_go(order).await;
        // A quick projection had it in MySQL before the list was read: then there is a copy without the mark.
        world.flush().await;
        let marked = |text: serde_json::Value| text.to_string().replace("Runner", MARK);
        for _ in 0..2 {
            // From MySQL, and from the copy.
            assert_eq!(world.server.get(&path).expect(200).await.json().to_string(), marked(young.clone()));
            let list = world.server.get(&format!("/api/users/{user}/orders")).expect(200).await.json();
            assert_eq!(list.to_string(), marked(young_list.clone()));
        }
        world.stop().await;
    });
}

#[test]
fn copies_outlive_mysql_and_new_orders_stand_beside_them() {
    run(async {
        let mut world = World::start().await;
        let (user, another, option) = (fresh_user(), fresh_user(), world.option().await);
        let older = world.paid_order(user, option).await;
        let others = world.paid_order(another, option).await;
        world.let_go(older).await;
        world.let_go(others).await;
        assert_eq!(world.orders_of(user, "").await, [older]);
        tokio::join!(world.orders_copied(user), world.order_copied(older), world.order_copied(others));

        world.mysql.kill().unwrap();
        let newer = world.paid_order(user, option).await;
        let open = world.server.order(user, option, 1).await;
        assert_eq!(world.orders_of(user, "").await, [open, newer, older]);
        assert_eq!(world.orders_of(user, "?status=PAID").await, [newer, older]);
        assert_eq!(world.orders_of(user, "?status=PENDING").await, [open]);
        assert_eq!(world.name_in(older).await.as_deref(), Ok(MARK));
        assert_eq!(world.name_in(newer).await.as_deref(), Ok("Runner"));
        // Nobody read the other's list before, so there is no copy; but there is one of the order.
        let list = format!("/api/users/{another}/orders");
        until("MySQL is known to be away", async || world.refuses_history(&list).await).await;
        assert_eq!(world.name_in(others).await.as_deref(), Ok(MARK));
        // Whoever has no order yet needs nobody's help to hear that.
        assert_eq!(world.orders_of(fresh_user(), "").await, [0; 0]);

        world.flush().await;
        for path in [&list, &format!("/api/users/{user}/orders"), &format!("/api/orders/{older}")] {
            world.server.get(path).refused(503, "HISTORY_UNAVAILABLE").await;
        }
        assert_eq!(world.name_in(newer).await.as_deref(), Ok("Runner"), "what is recent is in memory");

        world.mysql.restart().unwrap();
        until("it is back", async || world.name_in(older).await).await;
        assert_eq!(world.orders_of(user, "").await, [open, newer, older]);
        assert_eq!(world.orders_of(another, "").await, [others]);
        world.stop().await;
    });
}

#[test]
fn a_copy_that_lacks_an_order_is_never_shown() {
    run(async {
        let mut world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        let first = world.paid_order(user, option).await;
        world.let_go(first).await;
        assert_eq!(world.orders_of(user, "").await, [first]);
        world.orders_copied(user).await;
        let second = world.paid_order(user, option).await;
        assert_eq!(world.orders_of(user, "").await, [second, first], "one is in the copy, one in memory");
        world.let_go(second).await;
        world.mysql.kill().unwrap();
        let list = format!("/api/users/{user}/orders");
        world.server.get(&list).refused(503, "HISTORY_UNAVAILABLE").await;
        world.mysql.restart().unwrap();
        until("it is back", async || world.server.get(&list).seen(200).await).await;
        assert_eq!(world.orders_of(user, "").await, [second, first]);
        world.stop().await;
    });
}

#[test]
fn a_copy_of_an_open_order_is_never_shown_once_it_is_paid() {
    run(async {
        let mut world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        let order = world.server.order(user, option, 1).await;
        until("it is in MySQL, open", async || world.has("SELECT status FROM orders", "0")).await;
        assert_eq!(world.orders_of(user, "?status=PENDING").await, [order]);
        world.orders_copied(user).await;
        world.server.pay(order, &json!({"userId": user})).expect(201).await;
        world.let_go(order).await;
        world.mysql.kill().unwrap();
        let list = format!("/api/users/{user}/orders");
        world.server.get(&list).refused(503, "HISTORY_UNAVAILABLE").await;
        world.mysql.restart().unwrap();
        until("it is back", async || world.server.get(&list).seen(200).await).await;
        assert_eq!(world.orders_of(user, "?status=PENDING").await, [0; 0]);
        assert_eq!(world.orders_of(user, "?status=PAID").await, [order]);
        world.stop().await;
    });
}

#[test]
fn a_copy_of_another_order_is_never_shown() {
    run(async {
        let mut world = World::start().await;
        let (user, another, option) = (fresh_user(), fresh_user(), world.option().await);
        let order = world.paid_order(user, option).await;
        world.let_go(order).await;
        let path = format!("/api/orders/{order}");
        let shown = world.server.get(&path).expect(200).await.json();
        // As it would be in a Redis that was filled from another log.
        for (field, wrong) in [("user", another), ("id", order + 1), ("status", 2)] {
            world.forge_copy(order, |copy| copy[field] = wrong.into()).await;
            assert_eq!(world.server.get(&path).expect(200).await.json(), shown, "MySQL knows: {field}");
        }
        world.forge_copy(order, |copy| copy["user"] = another.into()).await;
        world.mysql.kill().unwrap();
        world.server.get(&path).refused(503, "HISTORY_UNAVAILABLE").await;
        world.mysql.restart().unwrap();
        until("it is back", async || world.name_in(order).await).await;
        // And as it would be in such a MySQL.
        world.consumers.kill().unwrap();
        world.flush().await;
        world.sql(&format!("UPDATE orders SET user_id = {another} WHERE id = {order}"));
        world.server.get(&path).refused(503, "HISTORY_UNAVAILABLE").await;
        world.sql(&format!("UPDATE orders SET user_id = {user} WHERE id = {order}"));
        assert_eq!(world.server.get(&path).expect(200).await.json(), shown);
        world.stop().await;
    });
}

#[test]
fn tables_that_lost_orders_are_found_out() {
    run(async {
        let mut world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        let orders = [world.paid_order(user, option).await, world.paid_order(user, option).await];
        world.let_go(orders[0]).await;
        world.let_go(orders[1]).await;
        // A MySQL that was set back, while nobody fills it again.
        world.consumers.kill().unwrap();
        world.flush().await;
        world.sql(&format!("DELETE FROM order_items WHERE order_id = {}", orders[1]));
        world.sql(&format!("DELETE FROM orders WHERE id = {}", orders[1]));
        let list = format!("/api/users/{user}/orders");
        for path in [&list, &format!("/api/orders/{}", orders[1])] {
            world.server.get(path).refused(503, "HISTORY_UNAVAILABLE").await;
        }
        assert_eq!(world.name_in(orders[0]).await.as_deref(), Ok(MARK));
        // Or one that lost a payment.
        let back = "status = 0, paid = 0, closed_at_ms = NULL";
        world.sql(&format!("UPDATE orders SET {back} WHERE id = {}", orders[0]));
        world.flush().await;
        for path in [&list, &format!("/api/orders/{}", orders[0])] {
            world.server.get(path).refused(503, "HISTORY_UNAVAILABLE").await;
        }
        world.stop().await;
    });
}

#[test]
fn somebody_with_many_orders_sees_the_newest() {
    run(async {
        let mut world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        let paid = [world.paid_order(user, option).await, world.paid_order(user, option).await];
        let mut all = paid.to_vec();
        for _ in 0..130 {
            all.push(world.server.order(user, option, 1).await);
        }
        let others = fresh_users(3).map(|other| world.paid_order(other, option));
        let mut last = 0;
        for other in others {
            last = other.await;
        }
        world.let_go(last).await;
        all.reverse();
        for _ in 0..2 {
            assert_eq!(world.orders_of(user, "").await, all[..100]);
            assert_eq!(world.orders_of(user, "?status=PENDING").await, all[..100]);
            assert_eq!(world.orders_of(user, "?status=PAID").await, [paid[1], paid[0]]);
            assert_eq!(world.orders_of(user, "?status=EXPIRED").await, [0; 0]);
        }
        // The page that was asked for is in memory, so nobody else need be there; what is older is not.
        world.flush().await;
        world.mysql.kill().unwrap();
        let list = format!("/api/users/{user}/orders");
        let paid = format!("{list}?status=PAID");
        until("MySQL is known to be away", async || world.refuses_history(&paid).await).await;
        assert_eq!(world.orders_of(user, "").await, all[..100]);
        assert_eq!(world.orders_of(user, "?status=PENDING").await, all[..100]);
        world.server.get(&paid).refused(503, "HISTORY_UNAVAILABLE").await;
        world.stop().await;
    });
}
