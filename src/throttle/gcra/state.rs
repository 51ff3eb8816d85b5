//! The state of one quota of one key: two numbers that any store can hold.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::time::nanos;

/// The stored state of one quota: the theoretical arrival time, and the emission interval under
/// which it was written.
///
/// A state is a fact from the host's store, so it may be anything. The next decision recognizes a
/// state that no quota could have written as corrupt, and replaces it.
///
/// ```
/// use bailiwick::throttle::gcra::GcraState;
///
/// let state = GcraState::from_parts(1_767_225_600_000_000_000, 1_000_000_000);
/// assert_eq!(state.tat_nanos(), 1_767_225_600_000_000_000);
/// assert_eq!(state.interval_nanos(), 1_000_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcraState {
    tat: i64,
    t: i64,
}

impl GcraState {
    /// Restores a state from its stored parts: nanoseconds since the epoch, and the emission
    /// interval in nanoseconds.
    #[inline]
    pub const fn from_parts(tat_nanos: i64, interval_nanos: i64) -> Self {
        Self {
            tat: tat_nanos,
            t: interval_nanos,
        }
    }

    /// Returns the theoretical arrival time, in nanoseconds since the epoch.
    #[inline]
    pub const fn tat_nanos(self) -> i64 {
        self.tat
    }

    /// Returns the emission interval under which the state was written, in nanoseconds.
    #[inline]
    pub const fn interval_nanos(self) -> i64 {
        self.t
    }

    /// Returns whether nothing is left to drain at `now`.
    ///
    /// A drained state decides as no state does, so a store may drop it. Where clocks differ, it
    /// may do so only once the state is drained on all of them.
    pub fn is_drained_at(self, now: DateTime<Utc>) -> bool {
        self.tat <= nanos(now)
    }
}
