//! Billing intervals and periods. Calendar arithmetic is in UTC; a period includes its start and
//! excludes its end.

use std::num::NonZeroU16;

use chrono::{DateTime, Datelike, Days, Months, Utc};
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
    pub const MONTHLY: Self = Self {
        unit: IntervalUnit::Month,
        count: NonZeroU16::MIN,
    };
    /// One calendar year.
    pub const YEARLY: Self = Self {
        unit: IntervalUnit::Year,
        count: NonZeroU16::MIN,
    };

    /// The instant `k` intervals after the anchor. The anchor's day is kept: it is cut to the
    /// length of a short month, and comes back in a longer one. `None` when the calendar ends
    /// first.
    ///
    /// ```
    /// use bailiwick::period::Interval;
    /// let anchor = "2026-01-31T12:00:00Z".parse()?;
    /// let days: Vec<String> = (0..4).filter_map(|k| Interval::MONTHLY.after(anchor, k)).map(|at| at.format("%d %b").to_string()).collect();
    /// assert_eq!(days, ["31 Jan", "28 Feb", "31 Mar", "30 Apr"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
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

    /// Period `k`: from `k` intervals after the anchor until `k + 1` intervals after it, so that
    /// periods neither overlap nor leave a gap. `None` when the calendar ends first.
    pub fn period(self, anchor: DateTime<Utc>, k: u32) -> Option<Period> {
        Some(Period {
            start: self.after(anchor, k)?,
            end: self.after(anchor, k.checked_add(1)?)?,
        })
    }

    /// The number of the period that contains `at`: the greatest `k` for which `k` intervals after
    /// the anchor is not later. `None` before the anchor.
    ///
    /// It is found from the difference in the calendar, not by counting up. For months that
    /// difference is exact, or one too many where the day or the hour is not reached yet; clamping
    /// never leaves the month, so it is never worse.
    pub fn number_at(self, anchor: DateTime<Utc>, at: DateTime<Utc>) -> Option<u32> {
        if at < anchor {
            return None;
        }
        let count = i64::from(self.count.get());
        let (elapsed, units) = match self.unit {
            IntervalUnit::Day => (at.signed_duration_since(anchor).num_days(), count),
            IntervalUnit::Week => (
                at.signed_duration_since(anchor).num_days(),
                count.checked_mul(7)?,
            ),
            IntervalUnit::Month => (months(at)?.checked_sub(months(anchor)?)?, count),
            IntervalUnit::Year => (
                months(at)?.checked_sub(months(anchor)?)?,
                count.checked_mul(12)?,
            ),
        };
        let most = u32::try_from(elapsed.checked_div(units)?).ok()?;
        if self.after(anchor, most)? <= at {
            Some(most)
        } else {
            most.checked_sub(1)
        }
    }

    /// The period that follows one that ended at `end`, with the anchor that it is counted from.
    /// The anchor is kept where `end` is one of its interval's boundaries. It is not where the
    /// plan's interval has changed: then `end` is the new anchor.
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

/// Months since the year 0.
fn months(at: DateTime<Utc>) -> Option<i64> {
    i64::from(at.year())
        .checked_mul(12)?
        .checked_add(at.month0().into())
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

impl Period {
    /// Whether an instant belongs to the period.
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        self.start <= at && at < self.end
    }

    /// The credit periods that this period opens: the months, counted from the anchor, that start
    /// within it. A yearly period opens twelve, a monthly one itself. Of the weeks of a month only
    /// the first opens it, so that credits are a month's however often the plan is paid.
    ///
    /// ```
    /// use bailiwick::period::Interval;
    /// let anchor = "2027-01-31T00:00:00Z".parse()?;
    /// let year = Interval::YEARLY.period(anchor, 0).ok_or("the calendar ended")?;
    /// let starts: Vec<String> = year.months(anchor).map(|month| month.start.format("%d %b").to_string()).collect();
    /// assert_eq!((starts.len(), &starts[..3]), (12, &["31 Jan".into(), "28 Feb".into(), "31 Mar".into()][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn months(self, anchor: DateTime<Utc>) -> impl Iterator<Item = Period> {
        let month = Interval::MONTHLY;
        // The month that runs when the period starts was opened by an earlier one, unless it starts
        // just there.
        let first = month.number_at(anchor, self.start).unwrap_or(0);
        (first..)
            .map_while(move |k| month.period(anchor, k))
            .skip_while(move |month| month.start < self.start)
            .take_while(move |month| month.start < self.end)
    }
}
