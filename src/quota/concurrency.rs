//! The number of requests that may run at once.

use serde::{Deserialize, Serialize};

use super::error::QuotaError;

/// The number of requests of an account that may run at once in a throttle scope, and the longest
/// time that each may take.
///
/// Each request holds a [`Lease`](crate::throttle::Lease). A lease that is never returned, because
/// its process died, ends by itself after that time.
///
/// ```
/// use bailiwick::quota::{ConcurrencyLimit, QuotaError};
///
/// fn main() -> Result<(), QuotaError> {
///     let limit = ConcurrencyLimit::new(4, 120)?; // four at once, two minutes each
///     assert_eq!((limit.at_once(), limit.seconds()), (4, 120));
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConcurrencyText", into = "ConcurrencyText")]
pub struct ConcurrencyLimit {
    at_once: u16,
    seconds: u32,
}

impl ConcurrencyLimit {
    /// The greatest number of leases at once.
    pub const MAX: u16 = 1000;
    /// The longest time that a lease lasts, in seconds: a day.
    pub const MAX_SECONDS: u32 = 86_400;

    /// Creates a limit of 1 to 1000 at once, each for 1 to 86,400 seconds.
    ///
    /// # Errors
    /// [`QuotaError::Concurrency`].
    pub const fn new(at_once: u16, seconds: u32) -> Result<Self, QuotaError> {
        let is_sound =
            at_once >= 1 && at_once <= Self::MAX && seconds >= 1 && seconds <= Self::MAX_SECONDS;
        if is_sound {
            Ok(Self { at_once, seconds })
        } else {
            Err(QuotaError::Concurrency)
        }
    }

    /// Returns the number of leases at once.
    pub const fn at_once(&self) -> u16 {
        self.at_once
    }

    /// Returns the time that a lease lasts if it is not returned, in seconds.
    pub const fn seconds(&self) -> u32 {
        self.seconds
    }
}

/// A concurrency limit in its stored form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConcurrencyText {
    at_once: u16,
    seconds: u32,
}

impl TryFrom<ConcurrencyText> for ConcurrencyLimit {
    type Error = QuotaError;

    fn try_from(text: ConcurrencyText) -> Result<Self, QuotaError> {
        Self::new(text.at_once, text.seconds)
    }
}

impl From<ConcurrencyLimit> for ConcurrencyText {
    fn from(limit: ConcurrencyLimit) -> Self {
        Self {
            at_once: limit.at_once,
            seconds: limit.seconds,
        }
    }
}
