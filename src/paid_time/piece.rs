//! A piece of paid time, and its stored form, which says nothing that follows from its period.

use std::num::NonZeroU16;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::grid::Grid;
use crate::money::Credits;
use crate::period::{Interval, Period};

/// A piece of time that was paid, after everything that ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredPiece", into = "StoredPiece")]
#[non_exhaustive]
pub struct Piece {
    /// The key of the span that paid it.
    pub span: Arc<str>,
    /// The whole period that it is a part of.
    pub period: Period,
    /// The windows of that period.
    pub grid: Grid,
    /// The credits of each whole window.
    pub amount: Credits,
    /// The paid time.
    pub paid: Period,
    /// The instant at which the money was received.
    pub received: DateTime<Utc>,
    /// The end of service, if there was one: windows that begin there or later bring nothing.
    pub stopped_at: Option<DateTime<Utc>>,
}

impl Piece {
    /// Returns the part of a window that it pays; `None` if it brings nothing to the window.
    pub(super) fn paid_in(&self, window: Period) -> Option<Period> {
        let is_stopped = self.stopped_at.is_some_and(|at| at <= window.start);
        let part = Period {
            start: self.paid.start.max(window.start),
            end: self.paid.end.min(window.end),
        };

        (!is_stopped && part.start < part.end).then_some(part)
    }

    /// Returns the credits of a part of a window; `None` beyond what amounts can hold.
    pub(super) fn earned_in(&self, window: Period, paid: Period) -> Option<Credits> {
        let share = i128::from(self.amount.micros()).checked_mul(nanoseconds(paid)?)?;
        let micros = share.checked_div(nanoseconds(window)?)?;

        Credits::from_micros(i64::try_from(micros).ok()?).ok()
    }

    pub(super) fn has(&self, window: Period) -> bool {
        self.grid.window_at(self.period, window.start) == Some(window)
    }
}

/// Returns the length of a period; `None` beyond all dates.
pub(super) fn nanoseconds(period: Period) -> Option<i128> {
    let length = period.end.signed_duration_since(period.start);
    let seconds = i128::from(length.num_seconds()).checked_mul(1_000_000_000)?;

    seconds.checked_add(length.subsec_nanos().into())
}

/// A piece as it is stored: what is absent is the period's own start or end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPiece {
    span: Arc<str>,
    period: Period,
    every: Interval,
    windows: NonZeroU16,
    amount: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped_at: Option<DateTime<Utc>>,
}

impl From<Piece> for StoredPiece {
    fn from(piece: Piece) -> Self {
        let Piece {
            span,
            period,
            grid,
            amount,
            paid,
            received,
            stopped_at,
        } = piece;
        let unless = |at: DateTime<Utc>, usual: DateTime<Utc>| (at != usual).then_some(at);

        Self {
            span,
            period,
            every: grid.every,
            windows: grid.windows,
            amount,
            from: unless(paid.start, period.start),
            until: unless(paid.end, period.end),
            received: unless(received, period.start),
            stopped_at,
        }
    }
}

impl From<StoredPiece> for Piece {
    fn from(stored: StoredPiece) -> Self {
        let period = stored.period;

        Self {
            span: stored.span,
            period,
            grid: Grid {
                every: stored.every,
                windows: stored.windows,
            },
            amount: stored.amount,
            paid: Period {
                start: stored.from.unwrap_or(period.start),
                end: stored.until.unwrap_or(period.end),
            },
            received: stored.received.unwrap_or(period.start),
            stopped_at: stored.stopped_at,
        }
    }
}
