//! One rate: cells in a period, and a burst.

use serde::{Deserialize, Serialize};

use super::error::QuotaError;

/// The longest time, in nanoseconds, that a full burst may take to drain: 400 days, so that a
/// yearly quota fits.
const MAX_WINDOW: i64 = 400 * 86_400 * SECOND;
/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// A rate: `cells` in `seconds` on average, at most `burst` at once. It is decided by the generic
/// cell rate algorithm: see [`gcra`](crate::throttle::gcra).
///
/// ```
/// use bailiwick::Quota;
/// use bailiwick::quota::QuotaError;
///
/// fn main() -> Result<(), QuotaError> {
///     let quota = Quota::new(60, 60)?.with_burst(10)?; // one a second on average, ten at once
///     assert_eq!(quota.interval_nanos(), 1_000_000_000);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "QuotaText", into = "QuotaText")]
pub struct Quota {
    cells: u32,
    seconds: u32,
    burst: u32,
    interval: i64,
}

impl Quota {
    /// Creates a quota of `cells` in every `seconds`, all of which may come at once.
    ///
    /// # Errors
    /// [`QuotaError::Zero`], [`QuotaError::TooFast`], [`QuotaError::TooSlow`].
    pub fn new(cells: u32, seconds: u32) -> Result<Self, QuotaError> {
        Self::checked(cells, seconds, cells)
    }

    /// Sets the burst, at the same rate.
    ///
    /// # Errors
    /// [`QuotaError::Zero`], [`QuotaError::TooSlow`].
    pub fn with_burst(self, burst: u32) -> Result<Self, QuotaError> {
        Self::checked(self.cells, self.seconds, burst)
    }

    fn checked(cells: u32, seconds: u32, burst: u32) -> Result<Self, QuotaError> {
        if cells == 0 || seconds == 0 || burst == 0 {
            return Err(QuotaError::Zero);
        }

        let period = i64::from(seconds)
            .checked_mul(SECOND)
            .ok_or(QuotaError::TooSlow)?;
        // Rounded up, so that rounding never lets more through than was bought.
        let round_up = i64::from(cells).saturating_sub(1);
        let interval = period
            .checked_add(round_up)
            .and_then(|sum| sum.checked_div(i64::from(cells)))
            .ok_or(QuotaError::TooSlow)?;
        if i64::from(cells) > period {
            return Err(QuotaError::TooFast);
        }

        match interval.checked_mul(i64::from(burst)) {
            Some(window) if window <= MAX_WINDOW => Ok(Self {
                cells,
                seconds,
                burst,
                interval,
            }),
            _ => Err(QuotaError::TooSlow),
        }
    }

    /// Returns the cells in every [`seconds`](Self::seconds).
    pub fn cells(&self) -> u32 {
        self.cells
    }

    /// Returns the period of the rate, in seconds.
    #[inline]
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Returns the number of cells that can pass at once.
    #[inline]
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// Returns the emission interval `T`: the time that one cell takes to drain, in whole
    /// nanoseconds, rounded up.
    #[inline]
    pub fn interval_nanos(&self) -> i64 {
        self.interval
    }

    /// Returns the time that a full burst takes to drain, in nanoseconds: `burst * T`, at most 400
    /// days.
    #[inline]
    pub fn window_nanos(&self) -> i64 {
        let window = self.interval.saturating_mul(self.burst.into());
        debug_assert!(window <= MAX_WINDOW, "checked when the quota was made");
        window
    }
}

/// A quota in its stored form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaText {
    cells: u32,
    seconds: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
}

impl TryFrom<QuotaText> for Quota {
    type Error = QuotaError;

    fn try_from(text: QuotaText) -> Result<Self, QuotaError> {
        Self::checked(text.cells, text.seconds, text.burst.unwrap_or(text.cells))
    }
}

impl From<Quota> for QuotaText {
    fn from(quota: Quota) -> Self {
        Self {
            cells: quota.cells,
            seconds: quota.seconds,
            burst: Some(quota.burst),
        }
    }
}
