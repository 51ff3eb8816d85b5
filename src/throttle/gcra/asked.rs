//! The arithmetic of the algorithm: one quota, one stored state, and some cells.

use super::decision::{Decision, Verdict};
use super::limits::Limits;
use super::state::GcraState;
use super::time::{LAST, MAX_WINDOW};
use crate::quota::Quota;

/// A quota that was asked for some cells, before it is known whether they are charged.
#[derive(Clone, Copy, Debug)]
pub(in crate::throttle) struct Asked<'a> {
    quota: &'a Quota,
    now: i64,
    /// The time left to drain before the cells are charged; never negative.
    backlog: i64,
    /// Set if the backlog differs from the one that was stored, so that it has to be written.
    is_changed: bool,
    cost: u32,
}

impl<'a> Asked<'a> {
    #[inline]
    pub(in crate::throttle) fn new(
        limits: Limits,
        quota: &'a Quota,
        stored: Option<GcraState>,
        now: i64,
        cost: u32,
    ) -> Self {
        let (backlog, is_changed) = match stored {
            Some(state) if state.tat_nanos() > now => carried_over(limits, quota, state, now),
            // No state, or a drained one, which decides alike.
            _ => (0, false),
        };
        debug_assert!(backlog >= 0, "a backlog is a span of time to come");

        Self {
            quota,
            now,
            backlog,
            is_changed,
            cost,
        }
    }

    /// Asks the same question again about a backlog that was found before.
    pub(in crate::throttle) fn again(quota: &'a Quota, backlog: i64, now: i64, cost: u32) -> Self {
        Self {
            quota,
            now,
            backlog,
            is_changed: false,
            cost,
        }
    }

    /// Returns the state once the cells were given back: those of the charged cells that have not
    /// drained since. `charged` is the state as that charge left it.
    pub(in crate::throttle) fn refunded(&self, charged: GcraState) -> GcraState {
        let t = self.quota.interval_nanos();
        let charged_t = charged.interval_nanos();

        // Rounded down, so that a refund under another quota never gives back more than was taken.
        let left = charged.tat_nanos().saturating_sub(self.now).max(0);
        let left = if charged_t == t || charged_t <= 0 {
            left
        } else {
            scale_down(left, t, charged_t)
        };

        let cells = t.saturating_mul(self.cost.into()).min(left);
        let backlog = self.backlog.saturating_sub(cells).max(0);
        GcraState::from_parts(self.now.saturating_add(backlog), t)
    }

    /// Returns how long the backlog would be with the cells in it.
    #[inline]
    fn charged(&self) -> i64 {
        // Within the burst, the product stays within the window; the sum may not, since a store's
        // answer can tell of any backlog.
        debug_assert!(
            self.cost <= self.quota.burst(),
            "only asked once the cost is known to be within the burst"
        );
        self.backlog
            .saturating_add(self.quota.interval_nanos().saturating_mul(self.cost.into()))
    }

    #[inline]
    pub(in crate::throttle) fn verdict(&self) -> Verdict {
        if self.cost > self.quota.burst() {
            Verdict::CostExceedsBurst
        } else if self.charged() <= self.quota.window_nanos() {
            Verdict::Allowed
        } else {
            Verdict::Exceeded
        }
    }

    /// Returns the answer. `is_charged` tells whether all the quotas that the cells were asked of
    /// agreed.
    #[inline]
    pub(in crate::throttle) fn answer(self, is_charged: bool) -> Decision {
        let verdict = self.verdict();

        let wait = if verdict == Verdict::Exceeded {
            self.charged().saturating_sub(self.quota.window_nanos())
        } else {
            0
        };
        let backlog = if is_charged {
            self.charged()
        } else {
            self.backlog
        };

        Decision {
            quota: *self.quota,
            now: self.now,
            backlog,
            wait,
            verdict,
            must_store: self.is_changed || (is_charged && self.cost > 0),
        }
    }
}

/// Returns the backlog of a state that is not drained, and whether it differs from the one that was
/// stored.
#[inline]
fn carried_over(limits: Limits, quota: &Quota, state: GcraState, now: i64) -> (i64, bool) {
    let t = state.interval_nanos();
    let backlog = state.tat_nanos().saturating_sub(now);
    // The usual case: the same quota wrote the state, and its burst explains it.
    if t == quota.interval_nanos() && backlog <= quota.window_nanos() {
        return (backlog, false);
    }

    // Cut once more, so that another burst can be charged without leaving 64 bits.
    let (backlog, is_changed) = mended(limits, quota, backlog, t);
    (backlog.min(LAST.saturating_sub(now)), is_changed)
}

/// Returns the backlog of a state of another interval, or of a state whose backlog is longer than
/// the quota's own burst explains.
#[cold]
fn mended(limits: Limits, quota: &Quota, backlog: i64, t_old: i64) -> (i64, bool) {
    let t_new = quota.interval_nanos();
    let burst = quota.burst();

    // No quota has such an interval, so the backlog counts nothing that could be converted.
    if !(1..=MAX_WINDOW).contains(&t_old) {
        return (limits.longest_backlog(burst, t_new), true);
    }

    let longest = limits.longest_backlog(burst, t_old);
    let is_corrupt = backlog > longest.saturating_add(limits.max_skew());
    let cells = backlog.min(longest);
    // Whatever exceeds the longest backlog is the difference of two clocks: time, and not cells to
    // be repriced.
    let skew = if is_corrupt {
        0
    } else {
        backlog.saturating_sub(cells)
    };
    if t_old == t_new {
        return (cells.saturating_add(skew), is_corrupt);
    }

    // Cell by cell, rounded up, so that a change of plan and back refills nothing.
    let repriced = scale_up(cells, t_new, t_old).min(limits.longest_backlog(burst, t_new));
    (repriced.saturating_add(skew), true)
}

/// Returns `ceil(nanos * numerator / denominator)`, held within 64 bits.
fn scale_up(nanos: i64, numerator: i64, denominator: i64) -> i64 {
    let denominator = i128::from(denominator);
    i128::from(nanos)
        .checked_mul(numerator.into())
        .and_then(|product| product.checked_add(denominator.saturating_sub(1)))
        .and_then(|sum| sum.checked_div(denominator))
        .and_then(|scaled| i64::try_from(scaled).ok())
        .unwrap_or(i64::MAX)
}

/// Returns `floor(nanos * numerator / denominator)`, held within 64 bits.
fn scale_down(nanos: i64, numerator: i64, denominator: i64) -> i64 {
    i128::from(nanos)
        .checked_mul(numerator.into())
        .and_then(|product| product.checked_div(denominator.into()))
        .and_then(|scaled| i64::try_from(scaled).ok())
        .unwrap_or(i64::MAX)
}
