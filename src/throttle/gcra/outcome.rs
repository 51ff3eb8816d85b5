//! The outcome of a decision about a set of quotas, and the usage of each of them after it.

use chrono::{DateTime, Utc};

use super::asked::Asked;
use super::decision::{Decision, Verdict};
use super::slot::Slot;
use super::state::GcraState;
use crate::quota::Quota;

/// A quota, and the time left to drain of it once the decision's state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::throttle) struct Usage {
    pub(in crate::throttle) quota: Quota,
    pub(in crate::throttle) backlog: i64,
}

impl Usage {
    /// Returns the slot as the decision at `now` left it.
    pub(in crate::throttle) fn slot(&self, now: i64) -> Option<Slot> {
        let tat = now.saturating_add(self.backlog);
        let state = GcraState::from_parts(tat, self.quota.interval_nanos());
        Slot::new(self.quota.seconds(), state)
    }
}

/// The outcome of one decision about a set of quotas. The usage of each quota is kept beside it, in
/// an array or a list, as suits the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::throttle) struct Outcome {
    pub(in crate::throttle) now: i64,
    pub(in crate::throttle) cost: u32,
    pub(in crate::throttle) verdict: Verdict,
    pub(in crate::throttle) must_store: bool,
}

impl Outcome {
    /// Returns each quota's own decision, from its usage.
    pub(in crate::throttle) fn decisions(
        self,
        usages: &[Option<Usage>],
    ) -> impl Iterator<Item = Decision> {
        // Cells that were charged are in the backlog already.
        let cost = if self.verdict == Verdict::Allowed {
            0
        } else {
            self.cost
        };

        usages.iter().flatten().map(move |usage| {
            Asked::again(&usage.quota, usage.backlog, self.now, cost).answer(false)
        })
    }

    /// Returns the seconds until all quotas allow the cells. `None` if they pass now or never.
    pub(in crate::throttle) fn retry_after_seconds(self, usages: &[Option<Usage>]) -> Option<u64> {
        // The cells are charged to all quotas or to none, so the longest wait decides.
        let waits = self
            .decisions(usages)
            .filter_map(|decision| decision.retry_after_seconds());

        if self.verdict == Verdict::Exceeded {
            waits.max()
        } else {
            None
        }
    }

    /// Returns when all quotas allow the cells. `None` if they pass now or never.
    pub(in crate::throttle) fn retry_at(self, usages: &[Option<Usage>]) -> Option<DateTime<Utc>> {
        let times = self
            .decisions(usages)
            .filter_map(|decision| decision.retry_at());

        if self.verdict == Verdict::Exceeded {
            times.max()
        } else {
            None
        }
    }
}
