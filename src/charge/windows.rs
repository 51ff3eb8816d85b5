//! The windows of a plan in a period that was paid for another plan.

use std::num::NonZeroU16;

use chrono::{DateTime, Utc};

use crate::money::Credits;
use crate::paid_time::Grid;
use crate::period::{Interval, IntervalUnit, Period};
use crate::plan::Plan;

/// Returns the windows of a plan in a period, and the credits of each; `None` beyond what amounts
/// can hold.
///
/// A period that is a whole number of the plan's windows is divided into them: a year of a plan that
/// brings credits each month has twelve, whichever plan it was paid for first. Any other period is
/// one window, with the credits for its length, so that a week does not bring a month's. A plan
/// without a price brings nothing here: its credits come by the calendar.
pub(super) fn windows_of(plan: &Plan, period: Period) -> Option<(Grid, Credits)> {
    let every = plan.credits_every;
    let whole = windows_in(every, period);
    let grid = Grid {
        every: whole.map_or_else(|| days_of(period), |_| every),
        windows: whole.unwrap_or(NonZeroU16::MIN),
    };
    if plan.price.is_zero() {
        return Some((grid, Credits::ZERO));
    }

    let credits = match whole {
        Some(_) => plan.credits,
        None => scaled(plan.credits, period, every.period(period.start, 0)?)?,
    };
    Some((grid, credits))
}

/// Returns the number of windows of a period, if it is a whole one.
fn windows_in(every: Interval, period: Period) -> Option<NonZeroU16> {
    // A month that was cut to its last day lets the next boundary be up to three days later.
    let most: u64 = match every.unit {
        IntervalUnit::Day | IntervalUnit::Week => 0,
        IntervalUnit::Month | IntervalUnit::Year => 3 * 86_400,
    };
    let last = every.number_at(period.start, period.end)?;

    [Some(last), last.checked_add(1)]
        .into_iter()
        .flatten()
        .filter(|count| {
            every
                .after(period.start, *count)
                .is_some_and(|end| seconds(end, period.end).unsigned_abs() <= most)
        })
        .find_map(|count| NonZeroU16::new(u16::try_from(count).ok()?))
}

/// Returns the credits of one window for a period of another length, rounded down.
fn scaled(credits: Credits, period: Period, window: Period) -> Option<Credits> {
    let part = i128::from(seconds(period.start, period.end));
    let whole = i128::from(seconds(window.start, window.end));
    let micros = i128::from(credits.micros())
        .checked_mul(part)?
        .checked_div(whole)?;

    Credits::from_micros(i64::try_from(micros).ok()?).ok()
}

/// Returns the length of a period in days, of which it has at least one.
fn days_of(period: Period) -> Interval {
    let days = period.end.signed_duration_since(period.start).num_days();
    let days = u16::try_from(days).ok().and_then(NonZeroU16::new);

    Interval {
        unit: IntervalUnit::Day,
        count: days.unwrap_or(NonZeroU16::MIN),
    }
}

fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    to.signed_duration_since(from).num_seconds()
}
