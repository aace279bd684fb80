//! Load: threads that sign up and claim without a break, repeat what was not answered under the same key, and
//! remember every answer.

use super::client::{Answer, Client};
use super::deployment::Deployment;
use super::{once, wait_seeing};
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two requests of one thread; it sets the rate.
const PACE: Duration = Duration::from_millis(10);
/// Between two attempts at one request.
const AGAIN: Duration = Duration::from_millis(100);
/// Attempts at one request; with the API's own waits this is far longer than any outage here.
const MAX_ATTEMPTS: usize = 300;
/// Users of one thread are this far from those of the next.
const USERS: u64 = 1_000_000;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    SignUp,
    Claim { coupon: u64, user: u64 },
    Order { user: u64, option: u64 },
    Pay { order: u64, user: u64, piece: u64 },
}

/// One request with all its answers; an attempt without one has the client's error.
#[derive(Debug)]
pub struct Request {
    pub ask: Ask,
    pub key: String,
    pub answers: Vec<Result<Answer, String>>,
}

impl Request {
    pub fn new(ask: Ask, key: u128) -> Self {
        Self { ask, key: format!("{key:032x}"), answers: Vec::new() }
    }

    pub fn send(&self, client: &Client) -> Result<Answer, String> {
        let sent = match self.ask {
            Ask::SignUp => client.sign_up(&self.key),
            Ask::Claim { coupon, user } => client.claim(coupon, user, &self.key),
            Ask::Order { user, option } => client.order(user, option, &self.key),
            Ask::Pay { order, user, piece } => client.pay(order, user, Some(piece), &self.key),
        };
        sent.map_err(|error| error.to_string())
    }

    /// The id in a 201: the user's, the piece's, or the order's.
    fn id(&self, answer: &Answer) -> u64 {
        answer.id(match self.ask {
            Ask::SignUp => "userId",
            Ask::Claim { .. } => "userCouponId",
            Ask::Order { .. } | Ask::Pay { .. } => "orderId",
        })
    }

    /// What the last attempt won; every request of these loads can be won.
    pub fn won(&self) -> u64 {
        self.id(self.success())
    }

    /// The answer to the last attempt, which must be a success.
    pub fn success(&self) -> &Answer {
        match self.answers.last() {
            Some(Ok(answer)) if answer.status == 201 => answer,
            _ => panic!("never answered: {self:?}"),
        }
    }
}

/// Running load. Ends with the test, however that ends.
pub struct Load {
    stop: Arc<AtomicBool>,
    given_up: Arc<AtomicBool>,
    won: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<Request>>>,
}

impl Load {
    /// Starts so many threads; each request in turn is a sign-up or a claim on one of the coupons.
    pub fn start(client: &Client, coupons: &[u64], threads: u64) -> Self {
        Self::numbered(client, coupons, 1..=threads)
    }

    /// As [`Load::start`], beside another load: their threads need different numbers.
    pub fn numbered(client: &Client, coupons: &[u64], threads: RangeInclusive<u64>) -> Self {
        let (stop, given_up, won) = (Arc::default(), Arc::default(), Arc::default());
        let mut load = Self { stop, given_up, won, threads: Vec::new() };
        for thread in threads {
            let (client, coupons) = (client.clone(), coupons.to_vec());
            let (stop, given_up, won) = (load.stop.clone(), load.given_up.clone(), load.won.clone());
            let work = move || {
                let mut requests = Vec::new();
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let turn = n as usize % (coupons.len() + 1);
                    let claim = |coupon: &u64| Ask::Claim { coupon: *coupon, user: thread * USERS + n };
                    let ask = coupons.get(turn).map_or(Ask::SignUp, claim);
                    let key = u128::from(std::process::id()) << 96 | u128::from(thread) << 64 | u128::from(n);
                    let mut request = Request::new(ask, key);
                    pursue(&mut request, &client, &given_up);
                    requests.push(request);
                    won.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(PACE);
                }
                requests
            };
            load.threads.push(std::thread::spawn(work));
        }
        load
    }

    /// Waits until so many more requests were won.
    pub fn advance(&self, requests: u64) {
        let from = self.won.load(Ordering::Relaxed);
        let what = format!("{requests} more requests answered");
        let more = || once(self.won.load(Ordering::Relaxed) - from, |more| *more >= requests);
        wait_seeing(&what, super::SOON, more);
    }

    /// Requests won so far.
    pub fn won(&self) -> u64 {
        self.won.load(Ordering::Relaxed)
    }

    /// Ends the load once every open request has its answer.
    pub fn end(mut self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        let requests = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        History(requests)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.given_up.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of its own would only hide the test's.
            let _ = thread.join();
        }
    }
}

/// Repeats a request under its key until it has an answer that is one.
pub fn pursue(request: &mut Request, client: &Client, given_up: &AtomicBool) {
    while request.answers.len() < MAX_ATTEMPTS && !given_up.load(Ordering::Relaxed) {
        let answer = request.send(client);
        let open = !matches!(&answer, Ok(answer) if !matches!(answer.status, 202 | 503));
        request.answers.push(answer);
        if !open {
            return;
        }
        std::thread::sleep(AGAIN);
    }
}

/// What a load asked and was told.
pub struct History(pub Vec<Request>);

impl History {
    /// Answers of all attempts.
    pub fn answers(&self) -> impl Iterator<Item = &Result<Answer, String>> {
        self.0.iter().flat_map(|request| &request.answers)
    }

    /// Every request was won, by a 201 at its first attempt.
    pub fn assert_undisturbed(&self) {
        for request in &self.0 {
            let first = matches!(request.answers.as_slice(), [Ok(answer)] if answer.status == 201);
            assert!(first, "{request:?}");
        }
    }

    /// Every request was won, and what it won is a row of MySQL of its own: nothing else is there.
    pub fn assert_kept(&self, deployment: &Deployment) {
        let mut users = ids(deployment.rows("SELECT id, 0, id FROM users"));
        let mut pieces = ids(deployment.rows("SELECT coupon_id, user_id, id FROM user_coupons"));
        for request in &self.0 {
            let id = request.won();
            let row = match request.ask {
                Ask::SignUp => users.remove(&(id, 0)),
                Ask::Claim { coupon, user } => pieces.remove(&(coupon, user)),
                Ask::Order { .. } | Ask::Pay { .. } => panic!("not of this load: {request:?}"),
            };
            assert_eq!(row, Some(id), "lost, or given twice: {request:?}");
        }
        assert!(users.is_empty() && pieces.is_empty(), "nobody was told of {users:?} {pieces:?}");
    }

    /// A repetition of any request gets the first outcome and says so.
    pub fn assert_repeatable(&self, client: &Client) {
        for request in &self.0 {
            let answer = request.send(client).unwrap();
            assert_eq!((answer.status, answer.replayed), (201, true), "{answer:?} to {request:?}");
            assert_eq!(request.id(&answer), request.won(), "{answer:?} to {request:?}");
        }
    }
}

fn ids(rows: Vec<Vec<String>>) -> HashMap<(u64, u64), u64> {
    let number = |text: &String| text.parse().unwrap();
    rows.iter().map(|row| ((number(&row[0]), number(&row[1])), number(&row[2]))).collect()
}
