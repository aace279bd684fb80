//! Load above the limit is shed before it reaches the log.

use crate::{
    run,
    server::{Server, fresh_user, fresh_users, stage},
};
use api::config::Config;

#[test]
fn what_is_shed_is_not_in_the_log_and_may_be_repeated() {
    run(async {
        let pair = stage().await;
        let server = Server::start(Config { max_in_flight: 1, ..pair.config.clone() }).await;
        let coupon = server.coupon(300).await;
        let claims: Vec<_> = fresh_users(300)
            .map(|user| (user, tokio::spawn(server.issue(coupon, user).key("k").send())))
            .collect();
        let (mut won, mut shed) = (Vec::new(), Vec::new());
        for (user, claim) in claims {
            let answer = claim.await.unwrap();
            assert_eq!(answer.header("idempotency-key"), Some("k"), "201 and 503 echo it: {answer:?}");
            if answer.status == 201 {
                won.push(user);
            } else {
                answer.assert_refused(503, "OVERLOADED");
                assert_eq!(answer.header("retry-after"), Some("1"));
                shed.push(user);
            }
        }
        assert!(!won.is_empty() && !shed.is_empty(), "{} won, {} were shed", won.len(), shed.len());
        // The lists are asked of the log itself; the number of pieces left counts every record of a claim.
        for user in &shed[..shed.len().min(20)] {
            assert!(pair.one.coupons_of(*user).await.is_empty(), "{user} was shed and has a piece");
        }
        let next = pair.one.issue(coupon, fresh_user()).expect(201).await;
        assert_eq!(next.json()["remainingQuantity"], 300 - won.len() - 1);
        let again = server.issue(coupon, shed[0]).key("k").expect(201).await;
        assert!(!again.is_replayed(), "{again:?}");
        server.stop().await;
    });
}
