//! The explained answer about one quota.

use chrono::{DateTime, Utc};

use super::state::GcraState;
use super::time::seconds_up;
use crate::quota::Quota;

/// The result of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Verdict {
    /// The cells pass.
    Allowed,
    /// The cells do not pass now; [`Decision::retry_at`] says when they would.
    Exceeded,
    /// The cost is more than the quota's burst, so the cells can never pass at once.
    CostExceedsBurst,
}

/// The explained answer about one quota, with the state to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    pub(super) quota: Quota,
    pub(super) now: i64,
    /// The time left to drain, once the state to write is written.
    pub(super) backlog: i64,
    /// The time until the cells would pass; zero if they pass now or never.
    pub(super) wait: i64,
    pub(super) verdict: Verdict,
    pub(super) must_store: bool,
}

impl Decision {
    /// Returns the result.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Returns whether the cells pass.
    pub fn is_allowed(&self) -> bool {
        self.verdict == Verdict::Allowed
    }

    /// Returns the quota that was asked.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Returns the state to write. It replaces the one that was read, under the store's guard
    /// against concurrent writers.
    #[inline]
    pub fn state(&self) -> GcraState {
        GcraState::from_parts(
            self.now.saturating_add(self.backlog),
            self.quota.interval_nanos(),
        )
    }

    /// Returns whether the state has to be written.
    ///
    /// That can be so after a refusal too, where the state was carried over to another quota or was
    /// corrupt: if it were not written, the next decision would find the same fault again, and the
    /// time to retry would recede for ever.
    pub const fn must_store(&self) -> bool {
        self.must_store
    }

    /// Returns the cells that would pass at once after this decision.
    pub fn remaining(&self) -> u32 {
        debug_assert!(self.backlog >= 0, "a backlog is a span of time to come");

        // A backlog may be longer than the burst, where it was charged under a larger plan.
        let free = self
            .quota
            .window_nanos()
            .saturating_sub(self.backlog)
            .max(0);
        free.checked_div(self.quota.interval_nanos())
            .and_then(|cells| u32::try_from(cells).ok())
            .unwrap_or_default()
            .min(self.quota.burst())
    }

    /// Returns the earliest instant at which the same cells pass if no others come between. `None`
    /// if they pass now or never.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        (self.verdict == Verdict::Exceeded).then(|| self.after(self.wait))
    }

    /// Returns the seconds until [`retry_at`](Self::retry_at), rounded up, as `Retry-After` states
    /// them.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        (self.verdict == Verdict::Exceeded)
            .then(|| u64::try_from(seconds_up(self.wait)).unwrap_or_default())
    }

    /// Returns when one cell more than [`remaining`](Self::remaining) would pass; `None` if the
    /// whole burst would.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        self.until_next().map(|wait| self.after(wait))
    }

    /// Returns when everything has drained, so that the whole burst would pass again.
    pub fn reset_at(&self) -> DateTime<Utc> {
        self.after(self.backlog)
    }

    pub(in crate::throttle) fn wait(&self) -> i64 {
        self.wait
    }

    pub(in crate::throttle) fn backlog(&self) -> i64 {
        self.backlog
    }

    pub(in crate::throttle) fn until_next(&self) -> Option<i64> {
        // That many cells fit once the backlog is short enough to leave them room in the window.
        let cells = i64::from(self.remaining()).saturating_add(1);
        let needed = cells.saturating_mul(self.quota.interval_nanos());

        (self.backlog > 0).then(|| {
            self.backlog
                .saturating_sub(self.quota.window_nanos())
                .saturating_add(needed)
        })
    }

    fn after(&self, wait: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.now.saturating_add(wait))
    }
}
