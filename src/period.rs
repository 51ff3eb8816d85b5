//! Billing intervals and periods, computed in UTC. A period includes its start and excludes its
//! end.
//!
//! Periods are counted from an anchor, never from the period before, so a short month does not
//! shift the ones after it.
//!
//! # First program
//! ```
//! use bailiwick::chrono::{DateTime, Utc};
//! use bailiwick::period::Interval;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let anchor: DateTime<Utc> = "2026-01-31T12:00:00Z".parse()?;
//!
//!     // February is short; March is back at the anchor's day.
//!     let february = Interval::MONTHLY.period(anchor, 1).ok_or("the calendar ended")?;
//!     assert_eq!(february.start.to_string(), "2026-02-28 12:00:00 UTC");
//!     assert_eq!(february.end.to_string(), "2026-03-31 12:00:00 UTC");
//!
//!     // The end belongs to the next period.
//!     assert!(!february.contains(february.end));
//!     assert_eq!(Interval::MONTHLY.number_at(anchor, february.end), Some(2));
//!     Ok(())
//! }
//! ```
//!
//! # The types
//! | type | role |
//! |---|---|
//! | [`Interval`], [`IntervalUnit`] | one or more days, weeks, months or years |
//! | [`Period`] | a paid or trial period: its first instant, and the first instant after it |

use std::num::NonZeroU16;

use chrono::{DateTime, Datelike, Days, Months, Utc};
use serde::{Deserialize, Serialize};

/// The unit of an [`Interval`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum IntervalUnit {
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
    /// A calendar month. In a month that is too short, the day of the month is its last.
    Month,
    /// Twelve calendar months.
    Year,
}

/// The interval at which a plan is paid: one or more days, weeks, months or years.
///
/// ```
/// use bailiwick::period::{Interval, IntervalUnit};
///
/// let quarterly: Interval = serde_json::from_str(r#"{ "unit": "month", "count": 3 }"#).unwrap();
/// assert_eq!((quarterly.unit, quarterly.count.get()), (IntervalUnit::Month, 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Interval {
    /// The unit.
    pub unit: IntervalUnit,
    /// The number of units.
    pub count: NonZeroU16,
}

impl Interval {
    /// One calendar month.
    pub const MONTHLY: Self = Self {
        unit: IntervalUnit::Month,
        count: NonZeroU16::MIN,
    };
    /// One calendar year.
    pub const YEARLY: Self = Self {
        unit: IntervalUnit::Year,
        count: NonZeroU16::MIN,
    };

    /// Returns the instant `k` intervals after the anchor; `None` if the calendar ends first. The
    /// anchor's day is kept: a short month has its last day instead, and a longer one after it has
    /// the anchor's day again.
    ///
    /// ```
    /// use bailiwick::chrono::{DateTime, Utc};
    /// use bailiwick::period::Interval;
    ///
    /// let anchor: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().unwrap();
    /// let day = |k| Interval::MONTHLY.after(anchor, k).unwrap().format("%d %b").to_string();
    /// assert_eq!([day(0), day(1), day(2), day(3)], ["31 Jan", "28 Feb", "31 Mar", "30 Apr"]);
    /// ```
    pub fn after(self, anchor: DateTime<Utc>, k: u32) -> Option<DateTime<Utc>> {
        let units = u32::from(self.count.get()).checked_mul(k)?;

        match self.unit {
            IntervalUnit::Day => anchor.checked_add_days(Days::new(units.into())),
            IntervalUnit::Week => {
                anchor.checked_add_days(Days::new(u64::from(units).checked_mul(7)?))
            }
            IntervalUnit::Month => anchor.checked_add_months(Months::new(units)),
            IntervalUnit::Year => anchor.checked_add_months(Months::new(units.checked_mul(12)?)),
        }
    }

    /// Returns the instant one interval before another; `None` if the calendar begins after it. Of
    /// the periods of this interval that may end there, the one from that instant is the longest.
    pub(crate) fn before(self, end: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let count = u32::from(self.count.get());

        match self.unit {
            IntervalUnit::Day => end.checked_sub_days(Days::new(count.into())),
            IntervalUnit::Week => end.checked_sub_days(Days::new(u64::from(count).checked_mul(7)?)),
            IntervalUnit::Month => end.checked_sub_months(Months::new(count)),
            IntervalUnit::Year => end.checked_sub_months(Months::new(count.checked_mul(12)?)),
        }
    }

    /// Returns period `k`: from `k` intervals after the anchor until `k + 1` intervals after it, so
    /// that periods neither overlap nor leave a gap. `None` if the calendar ends first.
    pub fn period(self, anchor: DateTime<Utc>, k: u32) -> Option<Period> {
        let start = self.after(anchor, k)?;
        let end = self.after(anchor, k.checked_add(1)?)?;
        debug_assert!(start < end, "an interval is at least one unit");

        Some(Period { start, end })
    }

    /// Returns the number of the period that contains `at`: the greatest `k` for which `k`
    /// intervals after the anchor is not later. `None` before the anchor.
    pub fn number_at(self, anchor: DateTime<Utc>, at: DateTime<Utc>) -> Option<u32> {
        if at < anchor {
            return None;
        }

        let count = i64::from(self.count.get());
        let units = match self.unit {
            IntervalUnit::Day | IntervalUnit::Month => count,
            IntervalUnit::Week => count.checked_mul(7)?,
            IntervalUnit::Year => count.checked_mul(12)?,
        };
        let elapsed = match self.unit {
            IntervalUnit::Day | IntervalUnit::Week => at.signed_duration_since(anchor).num_days(),
            IntervalUnit::Month | IntervalUnit::Year => months(at)?.checked_sub(months(anchor)?)?,
        };

        // The difference in the calendar gives the number without counting up. For months it is
        // exact, or one too many where the day or the hour is not reached yet. It is never worse,
        // since cutting a day to a short month does not leave the month.
        let most = u32::try_from(elapsed.checked_div(units)?).ok()?;
        if self.after(anchor, most)? <= at {
            return Some(most);
        }

        let number = most.checked_sub(1)?;
        debug_assert!(
            self.after(anchor, number).is_some_and(|start| start <= at),
            "the difference in months is at most one too many"
        );
        Some(number)
    }

    /// Returns the period that follows one that ended at `end`, with the anchor that it is counted
    /// from. The anchor is kept if `end` is a boundary of this interval. If it is not, the plan's
    /// interval has changed, and `end` is the new anchor.
    pub(crate) fn following(
        self,
        anchor: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> Option<(DateTime<Utc>, Period)> {
        let kept = self
            .number_at(anchor, end)
            .and_then(|k| self.period(anchor, k));

        match kept {
            Some(period) if period.start == end => Some((anchor, period)),
            _ => Some((end, self.period(end, 0)?)),
        }
    }
}

/// Returns the number of months since the year 0.
fn months(at: DateTime<Utc>) -> Option<i64> {
    i64::from(at.year())
        .checked_mul(12)?
        .checked_add(at.month0().into())
}

/// A paid or trial period: `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Period {
    /// The first instant that belongs to the period.
    pub start: DateTime<Utc>,
    /// The first instant that no longer belongs to it.
    pub end: DateTime<Utc>,
}

impl Period {
    /// Returns true if an instant belongs to the period.
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        self.start <= at && at < self.end
    }
}
