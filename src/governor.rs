//! Quotas and keys for [governor](https://docs.rs/governor) 0.10, for hosts that run its limiters
//! or a middleware that is built on them.
//!
//! A [`Quota`] converts into a `governor::Quota` of the same emission interval and the same burst:
//! under one quota and one clock, both make the same decisions. A
//! [`ThrottleKey`](crate::throttle::ThrottleKey) serves as the key of a limiter, because it hashes
//! and compares without being formatted.
//!
//! ```
//! use bailiwick::throttle::{ThrottleKey, ThrottleSubject};
//! use bailiwick::{AccountId, Quota, throttle_scope};
//! use governor::RateLimiter;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let quota = Quota::new(1, 60)?; // one a minute
//!     let limiter = RateLimiter::hashmap(governor::Quota::from(&quota));
//!
//!     let account = AccountId::from(7);
//!     let key = ThrottleKey::derive(throttle_scope!("ai"), ThrottleSubject::Account(&account));
//!     assert!(limiter.check_key(&key).is_ok());
//!     assert!(limiter.check_key(&key).is_err());
//!     Ok(())
//! }
//! ```
//!
//! Prefer the [`Throttle`](crate::throttle::Throttle) where you can choose. With a limiter of
//! governor's:
//!
//! - All keys of a limiter share one quota. So there is one limiter for each plan, and a change of
//!   plan begins with a full burst.
//! - Several quotas are charged one after the other, not all or none.
//! - The limiter reads a clock of its own.
//! - Its memory is bounded only as often as the host calls `retain_recent`.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::quota::Quota;

/// Converts a quota into governor's, with the same emission interval and the same burst: see
/// [`governor`](crate::governor).
///
/// A [`Quota`] drains within 400 days, so it never reaches the range in which governor's arithmetic
/// could overflow.
impl From<&Quota> for ::governor::Quota {
    fn from(quota: &Quota) -> Self {
        let interval = Duration::from_nanos(quota.interval_nanos().unsigned_abs());
        debug_assert!(!interval.is_zero(), "a cell takes a nanosecond at least");
        let burst = NonZeroU32::new(quota.burst());
        debug_assert!(burst.is_some(), "a burst is one cell at least");

        // Where neither can be, the answer would be the slowest quota of all.
        Self::with_period(interval)
            .unwrap_or_else(|| Self::per_hour(NonZeroU32::MIN))
            .allow_burst(burst.unwrap_or(NonZeroU32::MIN))
    }
}
