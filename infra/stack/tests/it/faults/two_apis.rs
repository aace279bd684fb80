//! Two API processes: what one has answered, the other knows in the next millisecond.

use super::client::{Answer, Client, list_product, open_coupon};
use super::deployment::Deployment;
use super::{SOON, wait_until};
use std::sync::Barrier;

const ROUNDS: u64 = 100;
const COUPON: u64 = 1;
const PRICE: u64 = 1_000;
/// Stage mode gives everybody this much.
const OPENING: u64 = 1_000_000_000;

#[test]
fn an_order_placed_at_one_process_is_paid_at_the_other_at_once_and_seen_paid_at_both() {
    let deployment = Deployment::on_the_stack("two-apis");
    let (one, two) = (deployment.patient_api(), deployment.patient_api());
    let _consumers = deployment.consumers();
    open_coupon(&one, COUPON, 1_000_000);
    let option = list_product(&one, 1, PRICE)[0];
    let clients = [Client::of(&one), Client::of(&two)];
    for user in 1..=ROUNDS {
        let (here, there) = (&clients[(user % 2) as usize], &clients[(1 - user % 2) as usize]);
        let piece = here.claim(COUPON, user, "claim").unwrap().id("userCouponId");
        let placed = there.order(user, option, "order").unwrap();
        assert_eq!(placed.status, 201, "{placed:?}");
        let order = placed.id("orderId");
        let paid = here.pay(order, user, Some(piece), "pay").unwrap();
        assert_eq!((paid.status, paid.replayed), (201, false), "{paid:?}");
        assert_eq!(paid.id("remainingBalance"), OPENING - paid.id("paidAmount"));
        for client in [there, here] {
            let seen = client.get(&format!("/api/orders/{order}")).unwrap();
            assert_eq!(seen.body["orderDetail"]["status"], "PAID", "{seen:?}");
            let balance = client.get(&format!("/api/users/{user}/balance")).unwrap();
            assert_eq!(balance.id("balance"), paid.id("remainingBalance"), "{balance:?}");
        }
    }
    deployment.assert_all_clean(&[&one, &two], 0);
    wait_until("the partner heard of all orders", SOON, || deployment.partner().totals().orders == ROUNDS);
    assert_eq!(deployment.partner().calls(), ROUNDS);
}

#[test]
fn an_order_paid_at_two_processes_in_the_same_instant_is_paid_once() {
    let deployment = Deployment::on_the_stack("two-payments");
    let (one, two) = (deployment.patient_api(), deployment.patient_api());
    let _consumers = deployment.consumers();
    let option = list_product(&one, 1, PRICE)[0];
    let clients = [Client::of(&one), Client::of(&two)];
    for user in 1..=ROUNDS {
        let placed = clients[0].order(user, option, "order").unwrap();
        assert_eq!(placed.status, 201, "{placed:?}");
        let (order, start) = (placed.id("orderId"), Barrier::new(2));
        let pay = |client: &Client, key: &str| {
            start.wait();
            client.pay(order, user, None, key).unwrap()
        };
        let mut answers: [Answer; 2] = std::thread::scope(|scope| {
            let other = scope.spawn(|| pay(&clients[1], "two"));
            [pay(&clients[0], "one"), other.join().unwrap()]
        });
        answers.sort_by_key(|answer| answer.status);
        let [paid, refused] = &answers;
        assert_eq!((paid.status, refused.status, refused.code()), (201, 400, "O004"), "{answers:?}");
        let balance = clients[1].get(&format!("/api/users/{user}/balance")).unwrap();
        assert_eq!(balance.id("balance"), OPENING - PRICE, "{balance:?}");
    }
    deployment.assert_all_clean(&[&one, &two], 0);
    wait_until("the partner heard of all orders", SOON, || deployment.partner().totals().orders == ROUNDS);
    assert_eq!(deployment.partner().calls(), ROUNDS);
}
