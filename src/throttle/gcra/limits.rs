//! The bounds within which a stored state is sound.

use chrono::TimeDelta;

use super::time::{MAX_WINDOW, SECOND};
use crate::plan::Plan;
use crate::quota::{Quota, QuotaSet, ThrottleScope};

/// The bounds within which a stored state is sound: the greatest burst that any plan has for the
/// throttle scope, and the greatest difference between the clocks of the service's nodes.
///
/// A state that lies further in the future is corrupt, or comes from a clock that was set back.
///
/// The greatest burst has to be known, because a state that was written under a larger plan is not
/// corrupt. The default does not know it, so it treats a state as corrupt only if it drains for
/// longer than 400 days, the longest that any quota may take. That also cuts a state of a much
/// slower plan that would take longer to drain, so a host whose plans differ by so much states the
/// greatest burst: see [`of_plans`](Self::of_plans). The default skew is one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    largest_burst: Option<u32>,
    max_skew: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            largest_burst: None,
            max_skew: SECOND,
        }
    }
}

impl Limits {
    /// Creates the limits of a throttle scope from all plans of a service, including plans that
    /// are no longer sold but that accounts may still be on.
    ///
    /// ```
    /// use bailiwick::throttle::gcra::Limits;
    /// use bailiwick::{Plan, throttle_scope};
    ///
    /// fn limits(plans: &[Plan]) -> Limits {
    ///     Limits::of_plans(plans, throttle_scope!("ai"))
    /// }
    /// ```
    pub fn of_plans<'a>(plans: impl IntoIterator<Item = &'a Plan>, scope: ThrottleScope) -> Self {
        let quotas = plans
            .into_iter()
            .filter_map(|plan| plan.quotas.get(&scope))
            .flat_map(QuotaSet::as_slice);

        // Without any such plan the burst is zero, and that of the quota at hand takes its place.
        Self::default().with_largest_burst(quotas.map(Quota::burst).max().unwrap_or_default())
    }

    /// Sets the greatest burst that any plan has for the scope. The burst of the quota that is
    /// being decided is always allowed, even if it is greater.
    pub const fn with_largest_burst(self, cells: u32) -> Self {
        Self {
            largest_burst: Some(cells),
            ..self
        }
    }

    /// Sets the greatest difference between clocks, from zero to 400 days. Values outside that
    /// range are cut to it.
    pub fn with_max_skew(self, skew: TimeDelta) -> Self {
        let beyond = if skew < TimeDelta::zero() {
            0
        } else {
            MAX_WINDOW
        };
        let skew = skew.num_nanoseconds().unwrap_or(beyond);

        Self {
            max_skew: skew.clamp(0, MAX_WINDOW),
            ..self
        }
    }

    #[inline]
    pub(in crate::throttle) const fn max_skew(self) -> i64 {
        self.max_skew
    }

    /// Returns the greatest burst that a state can have been written under, if it is known.
    pub(in crate::throttle) fn greatest_burst(self, own_burst: u32) -> Option<u32> {
        self.largest_burst.map(|largest| largest.max(own_burst))
    }

    /// Returns the longest backlog that charging alone can leave, at an emission interval of `t`.
    pub(in crate::throttle) fn longest_backlog(self, own_burst: u32, t: i64) -> i64 {
        // The interval of a stored state may be anything, so the product may leave 64 bits.
        self.greatest_burst(own_burst)
            .map_or(MAX_WINDOW, |burst| i64::from(burst).saturating_mul(t))
    }
}
