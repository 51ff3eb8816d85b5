//! Billing intervals and periods. Calendar arithmetic is in UTC; a period includes its start and excludes its end.

use std::num::NonZeroU16;

use chrono::{DateTime, Days, Months, Utc};
use serde::{Deserialize, Serialize};

/// The unit of an [`Interval`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalUnit {
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
    /// A calendar month; the day of month is cut to the month's length.
    Month,
    /// Twelve calendar months.
    Year,
}

/// How often a plan is paid: one or more days, weeks, months or years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The unit.
    pub unit: IntervalUnit,
    /// How many units.
    pub count: NonZeroU16,
}

impl Interval {
    /// One calendar month.
    pub const MONTHLY: Self = Self { unit: IntervalUnit::Month, count: NonZeroU16::MIN };
    /// One calendar year.
    pub const YEARLY: Self = Self { unit: IntervalUnit::Year, count: NonZeroU16::MIN };

    /// The instant `k` intervals after the anchor. The anchor's day is kept: it is cut to the length of a short month,
    /// and comes back in a longer one. `None` when the calendar ends first.
    ///
    /// ```
    /// use bailiwick::Interval;
    /// let anchor = "2026-01-31T12:00:00Z".parse()?;
    /// let days: Vec<String> = (0..4).filter_map(|k| Interval::MONTHLY.after(anchor, k)).map(|at| at.format("%d %b").to_string()).collect();
    /// assert_eq!(days, ["31 Jan", "28 Feb", "31 Mar", "30 Apr"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after(self, anchor: DateTime<Utc>, k: u32) -> Option<DateTime<Utc>> {
        let units = u32::from(self.count.get()).checked_mul(k)?;
        match self.unit {
            IntervalUnit::Day => anchor.checked_add_days(Days::new(units.into())),
            IntervalUnit::Week => anchor.checked_add_days(Days::new(u64::from(units).checked_mul(7)?)),
            IntervalUnit::Month => anchor.checked_add_months(Months::new(units)),
            IntervalUnit::Year => anchor.checked_add_months(Months::new(units.checked_mul(12)?)),
        }
    }
}

/// A paid or trial period: `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first instant that belongs to the period.
    pub start: DateTime<Utc>,
    /// The first instant that no longer belongs to it.
    pub end: DateTime<Utc>,
}
