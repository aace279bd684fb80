//! `POST /coupon/apply` and the campaign behind it.

use crate::{
    client::Call,
    run,
    server::{Server, fresh_user, stage},
};
use serde_json::json;
use std::time::{Duration, Instant};

fn apply(server: &Server, user: u64) -> Call {
    server.post(&format!("/coupon/apply?userId={user}"))
}

/// One test, because a log has one campaign of that name.
#[test]
fn a_campaign_gives_its_pieces_and_starts_again_when_it_is_reset() {
    run(async {
        let pair = stage().await;
        let one = &pair.one;
        let reset = || one.admin_post("/admin/campaigns/apply/reset");
        let (first, second, third) = (fresh_user(), fresh_user(), fresh_user());
        apply(one, first).refused(422, "C006").await;
        reset().json(&json!({})).refused(404, "CAMPAIGN_NOT_FOUND").await;
        let terms = json!({"couponId": 1, "name": "선착순", "total": 2, "discountRate": 10,
            "expiresAt": "2029-12-31T23:59:59Z"});
        let opened = json!({"campaign": "apply", "couponId": 1, "closedCouponId": null, "name": "선착순",
            "total": 2, "discountRate": 10, "expiresAt": "2029-12-31T23:59:59.000Z"});
        assert_eq!(reset().json(&terms).expect(201).await.json(), opened);

        let won = apply(one, first).expect(200).await;
        assert_eq!(won.text, "");
        apply(one, second).body("application/json", "").expect(200).await;
        apply(one, first).refused(409, "C005").await;
        apply(one, third).refused(422, "C001").await;
        apply(&pair.other, third).refused(422, "C001").await;

        // What is not given stays as it was; the former coupon is closed.
        let again = reset().key("reset-1").expect(201).await;
        let fresh = json!({"couponId": 9, "closedCouponId": 1, "total": 2});
        for field in ["couponId", "closedCouponId", "total"] {
            assert_eq!(again.json()[field], fresh[field], "{again:?}");
        }
        let repeated = reset().key("reset-1").expect(201).await;
        assert_eq!(repeated.json(), again.json());
        assert!(repeated.is_replayed(), "{repeated:?}");
        one.issue(1, third).refused(400, "C003").await;
        apply(one, first).expect(200).await;
        apply_soon(&pair.other, third).await;
        apply(one, second).refused(422, "C001").await;

        one.admin_post("/admin/coupons/9/close").expect(200).await;
        apply(one, second).refused(422, "C003").await;
        let keyed = |user| apply(one, user).key("apply-1");
        reset().json(&json!({"total": 1})).expect(201).await;
        keyed(second).expect(200).await;
        assert!(keyed(second).expect(200).await.is_replayed());
        assert_eq!(one.coupons_of(first).await.len(), 2);
    });
}

/// A process that was not asked for the reset may follow the former coupon for half a second.
async fn apply_soon(server: &Server, user: u64) {
    let began = Instant::now();
    loop {
        // What was asked within the second may be answered after it.
        let asked = began.elapsed();
        let answer = apply(server, user).send().await;
        if answer.status == 200 {
            return;
        }
        answer.assert_refused(422, "C003");
        assert!(asked < Duration::from_secs(1), "{answer:?}");
    }
}
