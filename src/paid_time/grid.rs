//! The windows into which a period is divided: each brings a plan's credits once.

use std::num::NonZeroU16;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::period::{Interval, IntervalUnit, Period};
use crate::plan::Plan;

/// The windows of a period: each is one interval long, and the last ends with the period.
///
/// ```
/// use bailiwick::paid_time::Grid;
/// use bailiwick::period::Interval;
///
/// // A year that brings credits every month.
/// let grid = Grid::of(Interval::YEARLY, Interval::MONTHLY);
/// assert_eq!(grid.windows.get(), 12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Grid {
    /// The length of a window.
    pub every: Interval,
    /// The number of windows of a whole period.
    pub windows: NonZeroU16,
}

impl Grid {
    /// Returns the windows of a plan that is paid once an interval and brings credits so often. If
    /// the interval is not a whole number of windows, it is one window.
    pub fn of(interval: Interval, every: Interval) -> Self {
        let windows = match (units(interval), units(every)) {
            ((kind, whole), (other, part)) if kind == other => whole
                .checked_rem(part)
                .filter(|rest| *rest == 0)
                .and_then(|_| whole.checked_div(part))
                .and_then(|count| u16::try_from(count).ok())
                .and_then(NonZeroU16::new),
            _ => None,
        };

        Self {
            every: windows.map_or(interval, |_| every),
            windows: windows.unwrap_or(NonZeroU16::MIN),
        }
    }

    /// Returns the windows of a period of a plan.
    pub fn of_plan(plan: &Plan) -> Self {
        Self::of(plan.interval, plan.credits_every)
    }

    /// Returns the windows of a period, in order.
    pub fn of_period(self, period: Period) -> impl Iterator<Item = Period> {
        let count = u32::from(self.windows.get());

        (0..count)
            .map_while(move |k| self.window(period, k))
            .take_while(move |window| window.start < period.end)
    }

    /// Returns the window of a period that contains an instant; `None` outside the period.
    pub fn window_at(self, period: Period, at: DateTime<Utc>) -> Option<Period> {
        if !period.contains(at) {
            return None;
        }
        let last = u32::from(self.windows.get()).checked_sub(1)?;
        let number = self.every.number_at(period.start, at)?;

        self.window(period, number.min(last))
    }

    /// Returns the longest time after a window's end for which what is left of it may live on: a
    /// quarter of the shortest window of this length.
    pub fn longest_slack(self) -> TimeDelta {
        let hours: i64 = match self.every.unit {
            IntervalUnit::Day => 6,
            IntervalUnit::Week => 42,
            // The shortest month has 28 days, and the shortest year 365.
            IntervalUnit::Month => 168,
            IntervalUnit::Year => 2_190,
        };
        // A count is below 2^16, so this is far from the range of times.
        let hours = hours.saturating_mul(self.every.count.get().into());

        TimeDelta::try_hours(hours).unwrap_or(TimeDelta::MAX)
    }

    /// Returns window `k` of a period: from `k` intervals after the period's start until the next
    /// one, or the period's end.
    fn window(self, period: Period, k: u32) -> Option<Period> {
        let start = self.every.after(period.start, k)?;
        let next = k.checked_add(1)?;
        let is_last = next >= u32::from(self.windows.get());

        let end = if is_last {
            period.end
        } else {
            self.every
                .after(period.start, next)
                .map_or(period.end, |end| end.min(period.end))
        };
        Some(Period { start, end })
    }
}

/// Returns an interval as a number of days or of months.
fn units(interval: Interval) -> (IntervalUnit, u32) {
    let count = u32::from(interval.count.get());
    match interval.unit {
        IntervalUnit::Day | IntervalUnit::Month => (interval.unit, count),
        IntervalUnit::Week => (IntervalUnit::Day, count.saturating_mul(7)),
        IntervalUnit::Year => (IntervalUnit::Month, count.saturating_mul(12)),
    }
}
