use super::{OPENING, listed, option};
use crate::{
    run,
    server::{fresh_user, fresh_users, stage},
};
use serde_json::{Value, json};

#[test]
fn a_payment_with_a_coupon_takes_the_discounted_total_from_the_balance() {
    run(async {
        let pair = stage().await;
        let (product, option) = listed(&pair.one, json!({"price": 1_999})).await;
        let user = fresh_user();
        let coupon = pair.one.coupon_with(json!({"discountRate": 15})).await;
        let won = pair.one.issue(coupon, user).expect(201).await.json();
        let order = pair.one.order(user, option, 3).await;
        // In the next moment, at the other process: coupon and order are known there.
        let body = json!({"userId": user, "couponId": won["userCouponId"]});
        let paid = pair.other.pay(order, &body).expect(201).await.json();
        // floor(5997 * 15 %) = 899
        assert_eq!(
            (&paid["status"], &paid["discountAmount"], &paid["paidAmount"]),
            (&json!("PAID"), &json!(899), &json!(5_098))
        );
        assert_eq!(paid["remainingBalance"], OPENING - 5_098);
        assert_eq!(pair.one.balance(user).await, OPENING - 5_098);
        assert_eq!(pair.one.stock(product).await, (7, 7));
        let detail = pair.one.get(&format!("/api/orders/{order}")).expect(200).await.json();
        let detail = &detail["orderDetail"];
        assert_eq!((&detail["status"], &detail["paidAmount"]), (&json!("PAID"), &json!(5_098)));
        assert_eq!(detail["paidAt"], paid["paidAt"]);
        // The coupon is used up, under either of its names, and whoever looks at their coupons next sees it.
        let of = async |status: &str| {
            let path = format!("/api/users/{user}/coupons?status={status}");
            pair.one.get(&path).expect(200).await.json()["data"].take()
        };
        assert_eq!(
            (of("USED").await[0]["userCouponId"].take(), of("AVAILABLE").await),
            (won["userCouponId"].clone(), json!([]))
        );
        let second = pair.one.order(user, option, 1).await;
        for id in [won["userCouponId"].clone(), json!(coupon)] {
            pair.one.pay(second, &json!({"userId": user, "couponId": id})).refused(400, "C004").await;
        }
    });
}

#[test]
fn an_order_is_paid_once_however_many_try_at_the_same_instant() {
    run(async {
        let pair = stage().await;
        let option = option(&pair.one, 100, 5).await;
        for user in fresh_users(5) {
            let order = pair.one.order(user, option, 1).await;
            let body = json!({"userId": user});
            let calls: Vec<_> =
                (0..10).map(|n| tokio::spawn(pair.either(n).pay(order, &body).send())).collect();
            let mut paid = 0;
            for call in calls {
                let answer = call.await.unwrap();
                if answer.status == 201 {
                    paid += 1;
                } else {
                    answer.assert_refused(400, "O004");
                }
            }
            assert_eq!(paid, 1);
            assert_eq!(pair.other.balance(user).await, OPENING - 100);
        }
    });
}

#[test]
fn a_payment_is_refused_in_the_order_of_the_contract_and_changes_nothing() {
    run(async {
        let pair = stage().await;
        let server = &pair.one;
        let dear = option(server, OPENING, 5).await;
        let (user, stranger) = (fresh_user(), fresh_user());
        let order = server.order(user, dear, 2).await;
        let pay = |user: u64, coupon: Value| server.pay(order, &json!({"userId": user, "couponId": coupon}));
        pay(stranger, json!(1_u64 << 50)).refused(403, "U002").await;
        // No such coupon, somebody else's, a number that names none.
        let foreign = server.coupon(5).await;
        server.issue(foreign, stranger).expect(201).await;
        for coupon in
            [json!(foreign), json!(foreign << 32 | 1), json!(0), json!((1_u64 << 53) - 1), json!(9_999_999)]
        {
            pay(user, coupon).refused(400, "C002").await;
        }
        let over = server.coupon_with(json!({"expiresAt": 1_000_000_000_000_u64 * 2})).await;
        let won = server.issue(over, user).expect(201).await.json();
        pay(user, won["userCouponId"].clone()).refused(400, "PAY001").await;
        pay(user, json!(null)).refused(400, "PAY001").await;
        assert_eq!(server.balance(user).await, OPENING);
        server
            .call("PATCH", &format!("/api/users/{user}/balance"))
            .json(&json!({"amount": OPENING}))
            .expect(200)
            .await;
        let paid = pay(user, json!(null)).expect(201).await.json();
        assert_eq!(paid["remainingBalance"], 0);
        pay(user, json!(null)).refused(400, "O004").await;
        pay(stranger, json!(null)).refused(403, "U002").await;
    });
}

#[test]
fn a_repeated_payment_is_answered_with_the_first_outcome() {
    run(async {
        let pair = stage().await;
        let option = option(&pair.one, 100, 5).await;
        let user = fresh_user();
        let order = pair.one.order(user, option, 1).await;
        let pay = |n: u64| pair.either(n).pay(order, &json!({"userId": user})).key("my-payment");
        let first = pay(0).expect(201).await.json();
        let again = pay(1).expect(201).await;
        assert!(again.is_replayed());
        assert_eq!(again.json(), first);
        assert_eq!(pair.one.balance(user).await, OPENING - 100);
    });
}
