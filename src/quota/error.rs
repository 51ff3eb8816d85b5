//! The reasons for which a quota, a limit or the name of a scope is not sound.

use thiserror::Error;

use crate::problem::{Code, Explained};

/// A reason for which a quota, a concurrency limit or the name of a throttle scope is not sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// The name of a throttle scope is malformed.
    #[error("malformed throttle scope: a name has 1 to 32 characters a-z, 0-9, _ and -")]
    ScopeName,
    /// The cells, the seconds or the burst are zero.
    #[error("a quota of zero: the cells, the seconds and the burst must each be at least 1")]
    Zero,
    /// A full burst would take longer than 400 days to drain.
    #[error("the quota's burst drains too slowly: it must drain within 400 days")]
    TooSlow,
    /// There would be more than 10^9 cells a second.
    #[error("the quota is too fast: it must allow at most one cell a nanosecond")]
    TooFast,
    /// A concurrency limit is zero or more than 1000, or its leases last no time or longer than a
    /// day.
    #[error(
        "the concurrency limit is out of range: \
         it must be 1 to 1000 at once, for 1 to 86400 seconds each"
    )]
    Concurrency,
    /// A set of quotas is empty, has more than four, or has two of one period.
    #[error(
        "the set of quotas is not sound: it must have one to four, each with a period of its own"
    )]
    Set,
}

impl Explained for QuotaError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}
