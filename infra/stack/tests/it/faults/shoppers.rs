//! The production scenario as a load: people sign up, win a piece of a coupon, order and pay with it, each step at
//! another process than the one before, and repeat under its key what was not answered.

use super::client::{Answer, Client};
use super::deployment::Deployment;
use super::facts::{self, Facts};
use super::load::{Ask, Request, pursue};
use super::{once, wait_seeing};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two visits of one thread.
const PACE: Duration = Duration::from_millis(20);
/// How long the partner may take to hear of everything: a dispatch whose sender died waits until its lease is over.
const HEARD_WITHIN: Duration = Duration::from_secs(180);

/// One person's visit, with every answer to every attempt.
#[derive(Debug)]
pub struct Visit {
    pub sign_up: Request,
    pub claim: Request,
    pub order: Request,
    pub payment: Request,
}

/// What there is to buy, and with which coupon.
#[derive(Debug, Clone)]
pub struct Goods {
    pub coupon: u64,
    pub options: Vec<u64>,
}

/// Running load. Ends with the test, however that ends.
pub struct Shoppers {
    stop: Arc<AtomicBool>,
    given_up: Arc<AtomicBool>,
    paid: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<Visit>>>,
}

impl Shoppers {
    /// Starts so many threads. Two loads on one log need different numbers.
    pub fn start(clients: &[Client], goods: &Goods, threads: u64, load: u64) -> Self {
        let (stop, given_up, paid) = (Arc::default(), Arc::default(), Arc::default());
        let mut shoppers = Self { stop, given_up, paid, threads: Vec::new() };
        for thread in 0..threads {
            let (clients, goods) = (clients.to_vec(), goods.clone());
            let (stop, given_up) = (shoppers.stop.clone(), shoppers.given_up.clone());
            let paid = shoppers.paid.clone();
            let work = move || {
                let mut visits = Vec::new();
                for n in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = u128::from(load) << 96 | u128::from(thread) << 64 | u128::from(n) << 8;
                    match visit(&clients, &goods, key, &given_up) {
                        Some(visit) => visits.push(visit),
                        None => break,
                    }
                    paid.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(PACE);
                }
                visits
            };
            shoppers.threads.push(std::thread::spawn(work));
        }
        shoppers
    }

    /// Waits until so many more orders were paid.
    pub fn advance(&self, orders: u64) {
        let from = self.paid.load(Ordering::Relaxed);
        wait_seeing(&format!("{orders} more orders paid"), super::SOON, || {
            once(self.paid.load(Ordering::Relaxed) - from, |more| *more >= orders)
        });
    }

    /// Ends the load once everybody has paid.
    pub fn end(mut self) -> Visits {
        self.stop.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        Visits(threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect())
    }
}

impl Drop for Shoppers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.given_up.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of its own would only hide the test's.
            let _ = thread.join();
        }
    }
}

/// One visit from the door to the till; nothing where the test has given up.
fn visit(clients: &[Client], goods: &Goods, key: u128, given_up: &AtomicBool) -> Option<Visit> {
    let first = (key >> 64 ^ key >> 8) as usize;
    let step = |number: usize, ask: Ask| {
        let mut request = Request::new(ask, key | number as u128);
        pursue(&mut request, &clients[(first + number) % clients.len()], given_up);
        let over = given_up.load(Ordering::Relaxed);
        (!over).then_some(request)
    };
    let sign_up = step(0, Ask::SignUp)?;
    let user = sign_up.won();
    let claim = step(1, Ask::Claim { coupon: goods.coupon, user })?;
    let option = goods.options[first % goods.options.len()];
    let order = step(2, Ask::Order { user, option })?;
    let payment = step(3, Ask::Pay { order: order.won(), user, piece: claim.won() })?;
    Some(Visit { sign_up, claim, order, payment })
}

impl Visit {
    fn answers(&self) -> impl Iterator<Item = &Result<Answer, String>> {
        let all = [&self.sign_up, &self.claim, &self.order, &self.payment];
        all.into_iter().flat_map(|request| &request.answers)
    }
}

/// What a load bought.
pub struct Visits(pub Vec<Visit>);

impl Visits {
    /// Paid orders.
    pub fn orders(&self) -> Vec<u64> {
        let mut orders: Vec<u64> = self.0.iter().map(|visit| visit.order.won()).collect();
        orders.sort_unstable();
        orders
    }

    /// How many attempts were answered by nobody.
    pub fn broken(&self) -> usize {
        self.0.iter().flat_map(Visit::answers).filter(|answer| answer.is_err()).count()
    }

    /// Every request was won, by a 201 at its first attempt.
    pub fn assert_undisturbed(&self) {
        for visit in &self.0 {
            let won = |answer: &Result<Answer, String>| matches!(answer, Ok(answer) if answer.status == 201);
            assert!(visit.answers().count() == 4 && visit.answers().all(won), "{visit:?}");
        }
    }

    /// How long requests took, the shortest first.
    pub fn latencies(&self) -> Vec<Duration> {
        let answered = self.0.iter().flat_map(Visit::answers).flatten();
        let mut latencies: Vec<Duration> = answered.map(|answer| answer.took).collect();
        latencies.sort_unstable();
        latencies
    }

    /// MySQL holds exactly what was answered: users, pieces, orders as paid, balances, redemptions.
    pub fn assert_stored(&self, deployment: &Deployment) {
        let expected = |row: fn(&Visit) -> Vec<u64>| {
            let mut rows: Vec<Vec<u64>> = self.0.iter().map(row).collect();
            rows.sort_unstable();
            rows
        };
        let stored = |query: &str| {
            let numbers = |row: &Vec<String>| row.iter().map(|text| text.parse().unwrap()).collect();
            let mut rows: Vec<Vec<u64>> = deployment.rows(query).iter().map(numbers).collect();
            rows.sort_unstable();
            rows
        };
        let users = stored("SELECT id FROM users");
        assert_eq!(users, expected(|visit| vec![visit.sign_up.won()]), "users");
        let pieces = stored("SELECT id, user_id FROM user_coupons");
        assert_eq!(pieces, expected(|visit| vec![visit.claim.won(), visit.sign_up.won()]), "pieces");
        let orders = stored(
            "SELECT id, user_id, status, total, discount, paid, COALESCE(user_coupon_id, 0) FROM orders",
        );
        assert_eq!(orders, expected(paid_order), "orders");
        let balances = stored("SELECT user_id, balance FROM balances");
        assert_eq!(
            balances,
            expected(|visit| vec![visit.sign_up.won(), visit.payment.success().id("remainingBalance")]),
            "balances"
        );
        let redeemed = stored("SELECT user_coupon_id, order_id FROM coupon_redemptions");
        assert_eq!(redeemed, expected(|visit| vec![visit.claim.won(), visit.order.won()]), "redemptions");
    }

    /// Every paid order is captured once, requested once, delivered once, and took effect once; nothing else is there.
    pub fn assert_published_once(&self, deployment: &Deployment) {
        let all: BTreeMap<u64, u64> = self.orders().into_iter().map(|order| (order, 1)).collect();
        let only = |name: &str| Facts::from([(name.to_owned(), all.clone())]);
        let partner = deployment.partner();
        wait_seeing("the partner heard of all orders", HEARD_WITHIN, || {
            once(partner.totals().orders, |orders| *orders >= all.len() as u64)
        });
        let effects: BTreeMap<u64, u64> =
            partner.effects().into_iter().map(|(order, count)| (order.parse().unwrap(), count)).collect();
        assert_eq!(effects, all, "the partner's effects");
        assert_eq!(facts::payments(deployment), only("PaymentCaptured"), "topic payment");
        let dispatches = wait_seeing("all deliveries are published", HEARD_WITHIN, || {
            let found = facts::dispatches(deployment);
            let delivered = found.get("DispatchDelivered").map_or(0, BTreeMap::len);
            if delivered >= all.len() { Ok(found) } else { Err(format!("{delivered} of {}", all.len())) }
        });
        let mut both = only("DispatchRequested");
        both.extend(only("DispatchDelivered"));
        assert_eq!(dispatches, both, "topic external-platform");
    }

    /// A repetition of any payment gets the first outcome and says so, at every process.
    pub fn assert_repeatable(&self, clients: &[Client]) {
        for (visit, client) in self.0.iter().zip(clients.iter().cycle()) {
            let again = visit.payment.send(client).unwrap();
            let first = visit.payment.success();
            assert_eq!((again.status, again.replayed, &again.body), (201, true, &first.body), "{visit:?}");
        }
    }
}

fn paid_order(visit: &Visit) -> Vec<u64> {
    let (order, payment): (&Answer, &Answer) = (visit.order.success(), visit.payment.success());
    vec![
        order.id("orderId"),
        visit.sign_up.won(),
        1,
        order.id("totalAmount"),
        payment.id("discountAmount"),
        payment.id("paidAmount"),
        visit.claim.won(),
    ]
}
