//! What a call of `POST /orders` gets.

use serde::{Deserialize, Serialize};

/// What happens to calls. As JSON: `{"mode":"slow","ms":30000}`, `{"mode":"rate-limited","retry_after_s":1}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Mode {
    /// 200 at once.
    #[default]
    Fast,
    /// The effect happens at once, the 200 comes that much later.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// 429 with `Retry-After`; no effect.
    RateLimited {
        /// Seconds.
        retry_after_s: u64,
    },
    /// 500 although the effect happened.
    ErrorAfterEffect,
    /// 503; no effect.
    Unavailable,
    /// Another refusal of the partner, as 400 or 422; no effect.
    Refusal {
        /// The status.
        status: u16,
    },
    /// Bytes that are no HTTP, although the effect happened.
    Garbage,
    /// The effect happens, and the connection ends in the middle of the answer.
    HalfAnswer,
    /// 307 to an address of its own that counts who follows; no effect.
    Redirect,
    /// Nobody listens, and open connections are closed.
    Refusing,
    /// Every call gets one of the others (but for refusing), decided by this number and the call's own.
    Flaky {
        /// The same seed breaks the same calls.
        seed: u64,
    },
}

/// How long a flaky partner holds an answer back, in milliseconds.
const FLAKY_MS: u64 = 50;

impl Mode {
    /// What this call gets.
    pub(super) fn of_call(self, number: u64) -> Self {
        let Self::Flaky { seed } = self else {
            return self;
        };
        match mix(seed.wrapping_add(number)) % 10 {
            0 => Self::Slow { ms: FLAKY_MS },
            1 => Self::RateLimited { retry_after_s: 0 },
            2 => Self::ErrorAfterEffect,
            3 => Self::Unavailable,
            4 => Self::Garbage,
            5 => Self::HalfAnswer,
            _ => Self::Fast,
        }
    }
}

/// SplitMix64's step: neighbouring numbers come out unrelated.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
