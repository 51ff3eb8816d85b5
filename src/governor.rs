//! Our quotas and keys on governor's limiters, for hosts that run governor 0.10 or a middleware
//! that is built on it.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::quota::Quota;

/// The same emission interval and the same burst, so that at one quota and by one clock the
/// decisions are the same.
///
/// A [`ThrottleKey`](crate::throttle::ThrottleKey) is the key: it hashes and compares without being
/// formatted.
///
/// What is lost beside [`Throttle`](crate::throttle::Throttle): a limiter has one quota for all its
/// keys, so there is one limiter a plan, and a change of plan begins with a full bucket. Several
/// quotas are charged one after the other, not all or none. It reads a clock of its own. Its memory
/// is bounded only as often as the host calls `retain_recent`. And a quota that takes longer than
/// 400 days to drain, which could overflow it, is none of ours.
///
/// ```
/// use bailiwick::{AccountId, Quota, throttle_scope};
/// use bailiwick::throttle::{ThrottleKey, ThrottleSubject};
/// use governor::RateLimiter;
///
/// let limiter = RateLimiter::hashmap(governor::Quota::from(&Quota::new(1, 60)?)); // one a minute
/// let key = ThrottleKey::derive(throttle_scope!("ai"), ThrottleSubject::Account(&AccountId::from(7)));
/// assert!(limiter.check_key(&key).is_ok());
/// assert!(limiter.check_key(&key).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl From<&Quota> for ::governor::Quota {
    fn from(quota: &Quota) -> Self {
        let interval = Duration::from_nanos(quota.interval_nanos().unsigned_abs());
        let burst = NonZeroU32::new(quota.burst()).unwrap_or(NonZeroU32::MIN);
        // A quota's interval is at least a nanosecond; the slowest of all would be the answer
        // otherwise.
        Self::with_period(interval)
            .unwrap_or_else(|| Self::per_hour(NonZeroU32::MIN))
            .allow_burst(burst)
    }
}
