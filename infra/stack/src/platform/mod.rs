//! The partner that hears of paid orders: a real HTTP server that keeps its promise and breaks everything else.
//!
//! Its promise is idempotency: the first call under a key has an effect, a repetition of that key has none. Effects
//! are counted by order, so a caller that changes its key from call to call is found out. It knows nothing of how
//! orders come about, and must never repair a mistake of its caller.
//!
//! `POST /orders` (header `Idempotency-Key`, JSON body with `orderId`) follows the [`Mode`]; `PUT /control`,
//! `GET /effects` and `GET /health` do not. Those are served by a second port too, which is never refused.

mod answers;
mod door;
mod exchange;
mod ledger;
mod mode;

pub use ledger::Totals;
pub use mode::Mode;

use crate::error::Result;
use crate::ports::{Lease, lease};
use door::Door;
use ledger::Ledger;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A partner on ports of 127.0.0.1, until stopped or dropped.
#[derive(Debug)]
pub struct Platform {
    shared: Arc<Shared>,
    // After what listens on them.
    _leases: Vec<Lease>,
}

/// What its threads share.
#[derive(Debug)]
struct Shared {
    /// Where partners call; closed while it refuses.
    orders: Door,
    /// Where it is controlled and asked.
    control: Door,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    mode: Mode,
    /// Goes up with every change of mode, so that an answer that waits notices.
    generation: u64,
    ledger: Ledger,
}

impl Platform {
    /// Starts one on free ports, in mode [`Mode::Fast`].
    ///
    /// # Errors
    /// No port is free, or no thread starts.
    pub fn start() -> Result<Self> {
        let (orders, control) = (lease()?, lease()?);
        let mut platform = Self::start_on(orders.port(), control.port())?;
        platform._leases = vec![orders, control];
        Ok(platform)
    }

    /// Starts one on these ports.
    ///
    /// # Errors
    /// A port is in use, or no thread starts.
    pub fn start_on(orders: u16, control: u16) -> Result<Self> {
        let shared = Arc::new(Shared {
            orders: Door::on(orders),
            control: Door::on(control),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let platform = Self { shared, _leases: Vec::new() };
        platform.shared.orders.open(&platform.shared)?;
        platform.shared.control.open(&platform.shared)?;
        Ok(platform)
    }

    /// `http://127.0.0.1:PORT`: what `TIDEMARK_PLATFORM_URL` is to be.
    pub fn url(&self) -> String {
        self.shared.orders.url()
    }

    /// `http://127.0.0.1:PORT` of the port that is never refused.
    pub fn control_url(&self) -> String {
        self.shared.control.url()
    }

    /// Changes what calls get from now on; returns when it holds. Answers that [`Mode::Slow`] holds back go out.
    ///
    /// # Errors
    /// Its port was taken while it was refused.
    pub fn set_mode(&self, mode: Mode) -> Result<()> {
        self.shared.set_mode(mode)
    }

    /// How often each order took effect, by the order id as text.
    pub fn effects(&self) -> BTreeMap<String, u64> {
        self.shared.lock().ledger.effects()
    }

    /// Calls of `POST /orders` that were read, whatever came of them.
    pub fn calls(&self) -> u64 {
        self.totals().calls
    }

    /// Calls under that key.
    pub fn calls_of(&self, key: &str) -> u64 {
        self.shared.lock().ledger.calls_of(key)
    }

    /// What `GET /effects` answers.
    pub fn totals(&self) -> Totals {
        self.shared.lock().ledger.totals()
    }

    /// Ends it: its ports are free and its connections closed when this returns.
    pub fn stop(self) {
        // Dropping does it.
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.shared.orders.close();
        self.shared.control.close();
        // Answers that are held back find their connections closed.
        self.shared.lock().generation += 1;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_mode(self: &Arc<Self>, mode: Mode) -> Result<()> {
        {
            let mut state = self.lock();
            state.mode = mode;
            state.generation += 1;
        }
        self.changed.notify_all();
        match mode {
            Mode::Refusing => {
                self.orders.close();
                Ok(())
            }
            _ => self.orders.open(self),
        }
    }

    /// Waits that long, or until the mode of that generation has changed.
    fn hold_back(&self, time: Duration, generation: u64) {
        let deadline = Instant::now() + time;
        let mut state = self.lock();
        while state.generation == generation {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return;
            };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests;
