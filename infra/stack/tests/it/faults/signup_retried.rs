//! nginx repeats a sign-up whose answer it did not get: it is one sign-up, for nginx sends the same key each time.

use super::client::Client;
use super::deployment::Deployment;
use super::{SOON, wait_for};
use stack::private;
use stack::proxy::{Mode, Proxy};
use std::net::SocketAddr;

#[test]
fn a_sign_up_that_nginx_repeats_makes_one_user() {
    let deployment = Deployment::on_the_stack("signup-retried");
    let api = deployment.patient_api();
    let _consumers = deployment.consumers();
    // Two ways to the one API; nginx takes them for two servers.
    let target = SocketAddr::from(([127, 0, 0, 1], api.launch().port));
    let ways = [Proxy::start(target).unwrap(), Proxy::start(target).unwrap()];
    let nginx = private::nginx(ways.iter().map(|way| way.addr().port()).collect()).unwrap();
    let client = Client::at(&nginx.url());
    ways.iter().for_each(|way| way.set(Mode::DropAnswers).unwrap());
    let answer = std::thread::scope(|scope| {
        let answer = scope.spawn(|| client.post("/api/auth/signup", &[], None).unwrap());
        let lost =
            wait_for("an answer got lost", SOON, || ways.iter().position(|way| way.dropped_bytes() > 0));
        ways[1 - lost].set(Mode::Pass).unwrap();
        ways[lost].cut();
        answer.join().unwrap()
    });
    assert_eq!((answer.status, answer.replayed), (201, true), "{answer:?}");
    deployment.assert_clean(&api, 0);
    assert_eq!(deployment.rows("SELECT id FROM users"), [[answer.id("userId").to_string()]]);

    // The same without nginx: the key decides, and nothing else. It looks like nginx' own request ids, for a
    // sign-up takes no other.
    let direct = Client::of(&api);
    let keyed = |key: &str| direct.post("/api/auth/signup", &[("X-Retry-Key", key)], None).unwrap();
    let (one, two) = ("1".repeat(32), "2".repeat(32));
    let (first, again, other) = (keyed(&one), keyed(&one), keyed(&two));
    assert_eq!((first.status, first.replayed), (201, false));
    assert_eq!((again.status, again.replayed, again.id("userId")), (201, true, first.id("userId")));
    assert_eq!((other.status, other.replayed), (201, false));
    assert_ne!(other.id("userId"), first.id("userId"));
    deployment.assert_clean(&api, 0);
    assert_eq!(deployment.number("SELECT COUNT(*) FROM users"), 3);
}
