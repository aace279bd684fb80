//! What every drill begins with: a shop on real services, an API, some consumers processes, people who buy.

use super::k6;
use super::operator::Operator;
use super::{CONFIRMED, ORDERS};
use crate::faults::client::{Client, list_product, open_coupon};
use crate::faults::deployment::Deployment;
use crate::faults::shoppers::{Goods, Shoppers, Visits};
use crate::faults::{SOON, once, wait_seeing};
use serde_json::{Value, json};
use stack::Endpoints;
use stack::private::Private;
use stack::process::Process;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Another one than a backlog's own.
const COUPON: u64 = 101;
const PRICE: u64 = 39_000;
const THREADS: u64 = 4;
/// How long the partner may take to hear of the last order.
const HEARD: Duration = Duration::from_secs(60);
/// How long partitions may take to be handed around.
const SHARED: Duration = Duration::from_secs(60);

/// See the module.
pub struct Scene {
    // Dropped in this order.
    pub consumers: Vec<Private<Process>>,
    pub api: Private<Process>,
    pub deployment: Deployment,
    goods: Goods,
}

impl Scene {
    /// On these services.
    pub fn on(name: &str, endpoints: &Endpoints, processes: usize) -> Self {
        Self::with(Deployment::on(name, endpoints), processes, &[])
    }

    /// As [`Scene::on`], with settings of the consumers processes.
    pub fn with(deployment: Deployment, processes: usize, settings: &[(&str, &str)]) -> Self {
        let api = deployment.patient_api();
        open_coupon(&api, COUPON, 1_000_000);
        let goods = Goods { coupon: COUPON, options: list_product(&api, 3, PRICE) };
        let mut scene = Self { consumers: Vec::new(), api, deployment, goods };
        scene.grow(processes, settings);
        scene
    }

    /// With the sample data, which the production scenario needs, for two consumers processes.
    pub fn seeded(name: &str, endpoints: &Endpoints) -> Self {
        let deployment = Deployment::on(name, endpoints);
        let seeded = deployment.tool(&["seed"], &[]);
        assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stderr));
        let scene = Self::with(deployment, 2, &[]);
        scene.deployment.assert_clean(&scene.api, 0);
        scene
    }

    /// Starts consumers until there are so many, and waits until each has partitions.
    pub fn grow(&mut self, processes: usize, settings: &[(&str, &str)]) {
        while self.consumers.len() < processes {
            self.consumers.push(self.deployment.consumers_with(settings));
        }
        let all: BTreeSet<String> = self.consumers.iter().map(|process| process.name().to_owned()).collect();
        wait_seeing("all processes have partitions, and all partitions flow", SHARED, || {
            once(self.operator().rows(), |rows| {
                let having: BTreeSet<String> = rows.iter().map(|row| row.instance.clone()).collect();
                having == all && rows.iter().all(|row| row.observed == row.desired)
            })
        });
    }

    /// Who is asked: the API.
    pub fn operator(&self) -> Operator {
        Operator::at(&self.api)
    }

    /// Lets people shop. Two loads on one scene need different numbers.
    pub fn shoppers(&self, load: u64) -> Shoppers {
        Shoppers::start(&[Client::of(&self.api)], &self.goods, THREADS, load)
    }

    /// How far MySQL is, and a checksum of every table. Not of the claims: who takes a paused partition over raises its
    /// epoch, so that the former owner writes nothing.
    pub fn written(&self) -> Vec<Vec<String>> {
        let tables = "SELECT GROUP_CONCAT(table_name) FROM information_schema.tables
            WHERE table_schema = DATABASE() AND table_name <> 'projection_offset'";
        let tables = self.deployment.rows(tables)[0][0].clone();
        let places =
            "SELECT group_name, topic, partition_id, next_offset FROM projection_offset ORDER BY 1, 2, 3";
        self.deployment.rows(&format!("{places}; CHECKSUM TABLE {tables}"))
    }

    /// Offsets that MySQL has passed, over all partitions.
    pub fn passed(&self) -> u64 {
        self.deployment.number("SELECT COALESCE(SUM(next_offset), 0) FROM projection_offset")
    }

    /// That more is written.
    pub fn advances(&self) {
        let before = self.passed();
        wait_seeing("more is projected", SOON, || once(self.passed(), |passed| *passed > before + ORDERS));
    }

    /// That nothing is written while people go on shopping.
    pub fn assert_still(&self, shoppers: &Shoppers) {
        let before = self.written();
        shoppers.advance(ORDERS);
        assert_eq!(self.written(), before, "something was written");
    }

    /// Resumes, and returns how long it took until MySQL had more.
    pub fn resume(&self) -> Duration {
        let (before, operator, began) = (self.passed(), self.operator(), Instant::now());
        let operation = operator.resume(json!({}));
        wait_seeing("rows are written again", SOON, || once(self.passed(), |passed| *passed > before));
        let first = began.elapsed();
        operator.until(&operation, "RUNNING", CONFIRMED);
        first
    }

    /// Everything was acknowledged at the first attempt, and everything acknowledged is in MySQL and published, once.
    pub fn judge_undisturbed(&self, visits: &Visits) {
        visits.assert_undisturbed();
        self.judge(visits);
    }

    /// As [`Scene::judge_undisturbed`], of k6's summary of the production scenario; the partner was called once for each.
    pub fn judge_k6(&self, summary: &Value) {
        k6::assert_undisturbed(summary);
        self.deployment.assert_clean(&self.api, 0);
        let paid = self.deployment.number("SELECT COUNT(*) FROM orders WHERE status = 1");
        wait_seeing("the partner heard of all orders", HEARD, || {
            once(self.deployment.partner().totals().orders, |orders| *orders >= paid)
        });
        self.deployment.assert_each_called_once(paid);
    }

    /// Everything acknowledged is in MySQL and published, once.
    pub fn judge(&self, visits: &Visits) {
        self.deployment.assert_clean(&self.api, 0);
        visits.assert_stored(&self.deployment);
        visits.assert_published_once(&self.deployment);
    }
}
