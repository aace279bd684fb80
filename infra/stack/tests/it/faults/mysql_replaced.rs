//! MySQL is emptied, or set back to an older copy, under load: it is filled again from the log, and other systems hear
//! of nothing twice, not even as a repetition under the same key.

use super::client::{Client, list_product, open_coupon};
use super::deployment::Deployment;
use super::shoppers::{Goods, Shoppers};
use super::{SOON, wait_until};
use stack::process::Process;
use stack::services::MySql;
use stack::{Endpoints, private, testing};
use std::path::Path;
use std::process::Command;

const THREADS: u64 = 4;
const COUPON: u64 = 1;
/// Orders before and after each change.
const ORDERS: u64 = 150;
const PRICE: u64 = 39_000;

#[test]
fn an_emptied_mysql_is_filled_from_the_log_and_nothing_is_published_again() {
    let deployment = Deployment::on_the_stack("mysql-emptied");
    let api = deployment.patient_api();
    let mut consumers = deployment.consumers();
    let (goods, clients) = (goods(&api), [Client::of(&api)]);
    let shoppers = Shoppers::start(&clients, &goods, THREADS, 1);
    shoppers.advance(ORDERS);
    wait_until("the partner hears of orders", SOON, || deployment.partner().totals().orders >= ORDERS / 2);

    consumers.stop().unwrap();
    deployment.empty_mysql();
    consumers.restart().unwrap();
    shoppers.advance(ORDERS);
    let visits = shoppers.end();
    deployment.assert_clean(&api, 0);
    visits.assert_stored(&deployment);
    visits.assert_published_once(&deployment);
    deployment.assert_each_called_once(visits.0.len() as u64);
}

#[test]
fn a_mysql_set_back_to_an_older_copy_catches_up_and_nothing_is_published_again() {
    let mut mysql = private::mysql().unwrap();
    let endpoints = Endpoints { mysql: mysql.url(), ..testing::endpoints().clone() };
    let deployment = Deployment::on("mysql-set-back", &endpoints);
    let api = deployment.patient_api();
    let mut consumers = deployment.consumers();
    let (goods, clients) = (goods(&api), [Client::of(&api)]);
    let shoppers = Shoppers::start(&clients, &goods, THREADS, 1);
    shoppers.advance(ORDERS);
    copy(&mut mysql);
    shoppers.advance(ORDERS);
    wait_until("the partner hears of later orders", SOON, || {
        deployment.partner().totals().orders >= 2 * ORDERS
    });
    let known = deployment.place("order", 0);

    // The consumers go on all the while: they must notice by themselves that the rows are not those they wrote.
    set_back(&mut mysql);
    assert!(deployment.place("order", 0) < known, "the copy is as new as the original");
    shoppers.advance(ORDERS);
    assert!(consumers.is_alive(), "a restored database is no reason to end");
    let visits = shoppers.end();
    deployment.assert_clean(&api, 0);
    visits.assert_stored(&deployment);
    visits.assert_published_once(&deployment);
    deployment.assert_each_called_once(visits.0.len() as u64);
}

fn goods(api: &Process) -> Goods {
    open_coupon(api, COUPON, 1_000_000);
    Goods { coupon: COUPON, options: list_product(api, 3, PRICE) }
}

fn copy(mysql: &mut MySql) {
    let data = mysql.launch().folder.join("data");
    mysql.stop().unwrap();
    run("cp", &["-a".as_ref(), &data, &data.with_extension("older")]);
    mysql.restart().unwrap();
}

fn set_back(mysql: &mut MySql) {
    let data = mysql.launch().folder.join("data");
    mysql.kill().unwrap();
    run("rm", &["-r".as_ref(), &data]);
    run("mv", &[&data.with_extension("older"), &data]);
    mysql.restart().unwrap();
}

fn run(program: &str, args: &[&Path]) {
    assert!(Command::new(program).args(args).status().unwrap().success(), "{program} {args:?}");
}
