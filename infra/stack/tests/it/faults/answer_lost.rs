//! The broker appends a record and its answer is lost on the way back.

use super::client::{Answer, Client, open_coupon};
use super::deployment::Deployment;
use super::{SOON, raw_log, wait_for, wait_until};
use stack::proxy::Mode;
use stack::{Endpoints, private, testing};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const COUPON: u64 = 1;
const USER: u64 = 77;

#[test]
fn a_request_whose_record_was_appended_unheard_gets_its_outcome_when_repeated() {
    let (kafka, proxy) = private::kafka_behind_proxy().unwrap();
    let endpoints = Endpoints { kafka: kafka.bootstrap(), ..testing::endpoints().clone() };
    let deployment = Deployment::on("answer-lost", &endpoints);
    // Only the API is cut off; the consumers see what it cannot see.
    let api = deployment.api_at(&proxy.addr().to_string());
    let _consumers = deployment.consumers();
    open_coupon(&api, COUPON, 10);
    let client = Client::of(&api);
    assert_eq!(client.claim(COUPON, 1, "first").unwrap().status, 201);

    let end = |base: &str, partitions: i32| -> u64 {
        let topic = deployment.topic(base);
        (0..partitions).map(|p| raw_log::end(&kafka.bootstrap(), &topic, p)).sum()
    };
    let before = (end("coupon", 8), end("signup", 4));
    proxy.set(Mode::DropAnswers).unwrap();
    let (claim, sign_up) = std::thread::scope(|scope| {
        let sign_up = scope.spawn(|| client.sign_up(KEY).unwrap());
        (client.claim(COUPON, USER, KEY).unwrap(), sign_up.join().unwrap())
    });
    for answer in [&claim, &sign_up] {
        let unknown = answer.status == 503 && answer.code() == "OUTCOME_UNKNOWN" && answer.retry_after;
        assert!(unknown || answer.status == 202, "{answer:?}");
    }
    assert!(proxy.dropped_bytes() > 0);
    wait_until("the log holds both records", SOON, || {
        end("coupon", 8) > before.0 && end("signup", 4) > before.1
    });

    proxy.set(Mode::Pass).unwrap();
    let decided = |answer: Answer| (!matches!(answer.status, 202 | 503)).then_some(answer);
    let claimed = || client.claim(COUPON, USER, KEY).unwrap();
    let signed_up = || client.sign_up(KEY).unwrap();
    let claim = wait_for("the claim's outcome", SOON, || decided(claimed()));
    let sign_up = wait_for("the sign-up's outcome", SOON, || decided(signed_up()));
    assert_eq!((claim.status, sign_up.status), (201, 201), "{claim:?} {sign_up:?}");
    let (claim_again, sign_up_again) = (claimed(), signed_up());
    assert!(claim_again.replayed && sign_up_again.replayed);
    assert_eq!((&claim_again.body, &sign_up_again.body), (&claim.body, &sign_up.body));
    deployment.assert_clean(&api, 0);
    let pieces = deployment.rows("SELECT id FROM user_coupons WHERE user_id = 77");
    assert_eq!(pieces, [[claim.id("userCouponId").to_string()]]);
    assert_eq!(deployment.number("SELECT COUNT(*) FROM user_coupons"), 2);
    assert_eq!(deployment.rows("SELECT id FROM users"), [[sign_up.id("userId").to_string()]]);
}
