//! An allowance: a large hold that one node draws down by itself, so that a thousand small charges
//! cost one write.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::hold::Hold;
use crate::money::Credits;
use crate::problem::{Code, Explained};

/// A hold that is drawn down in memory, from many threads at once, without asking the store.
///
/// From time to time the node writes a checkpoint, by [`Wallet::draw`](crate::credit::Wallet::draw)
/// with [`drawn`](Self::drawn); at shutdown it settles with what [`end`](Self::end) returns. After
/// a crash the hold expires: the amount of the last checkpoint is spent and the rest goes back, so
/// at most the charges since that checkpoint are lost. Drawing stops a skew before the hold's end,
/// so that clocks that differ by less cannot draw from a hold that has expired.
///
/// An allowance knows no keys: the node itself must see to it that a charge happens once.
///
/// ```
/// use bailiwick::chrono::{DateTime, TimeDelta, Utc};
/// use bailiwick::credit::{Allowance, AllowanceError};
/// use bailiwick::{Credits, Hold};
///
/// fn serve(hold: Hold, now: DateTime<Utc>) -> Result<(Hold, Credits), AllowanceError> {
///     let allowance = Allowance::of(hold, Credits::ZERO, TimeDelta::seconds(2));
///     allowance.spend(Credits::whole(2), now)?; // no store is asked
///     allowance.spend(Credits::whole(3), now)?;
///     assert_eq!(allowance.drawn(), Credits::whole(5)); // a checkpoint: `Wallet::draw` so much
///
///     Ok(allowance.end()) // after the last request: `Wallet::settle` the hold with this total
/// }
/// ```
#[derive(Debug)]
#[must_use = "an allowance keeps its hold open until it is ended"]
pub struct Allowance {
    hold: Hold,
    stops_at: DateTime<Utc>,
    drawn: AtomicI64,
}

/// The error of a charge that cannot be drawn from an allowance. Nothing was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AllowanceError {
    /// Too little is left of it: end it, and hold another.
    #[error("this needs {needed} credits, and {left} are left of the allowance")]
    Exhausted {
        /// The cost of the charge.
        needed: Credits,
        /// The credits that are left.
        left: Credits,
    },
    /// Its hold ends, or is about to.
    #[error("the allowance has ended")]
    Ended,
}

impl Explained for AllowanceError {
    fn code(&self) -> Code {
        match self {
            Self::Exhausted { .. } => Code::CreditsInsufficient,
            Self::Ended => Code::HoldExpired,
        }
    }
}

impl Allowance {
    /// Creates an allowance of a hold, less what was drawn of it before. `skew` is the most by
    /// which clocks differ; a negative one counts as zero.
    pub fn of(hold: Hold, drawn: Credits, skew: TimeDelta) -> Self {
        let stops_at = hold
            .expires_at()
            .checked_sub_signed(skew.max(TimeDelta::zero()));

        Self {
            // A skew beyond all dates leaves no time to draw in.
            stops_at: stops_at.unwrap_or(DateTime::<Utc>::MIN_UTC),
            hold,
            drawn: AtomicI64::new(drawn.micros()),
        }
    }

    /// Draws an amount, all of it or nothing, and returns the total that is drawn with it.
    ///
    /// # Errors
    /// In this order: [`AllowanceError::Ended`], [`AllowanceError::Exhausted`].
    pub fn spend(&self, amount: Credits, now: DateTime<Utc>) -> Result<Credits, AllowanceError> {
        if now >= self.stops_at {
            return Err(AllowanceError::Ended);
        }

        let most = self.hold.amount().micros();
        // Checked within the exchange itself, so that two threads cannot overdraw together.
        let more = |drawn: i64| {
            drawn
                .checked_add(amount.micros())
                .filter(|total| *total <= most)
        };

        match self
            .drawn
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
        {
            Ok(before) => Ok(self.within(before.saturating_add(amount.micros()))),
            Err(_) => Err(AllowanceError::Exhausted {
                needed: amount,
                left: self.left(),
            }),
        }
    }

    /// Returns the amount that was drawn in all: the total for a checkpoint.
    pub fn drawn(&self) -> Credits {
        self.within(self.drawn.load(Ordering::Acquire))
    }

    /// Returns the amount that is left.
    pub fn left(&self) -> Credits {
        self.hold.amount().saturating_sub(self.drawn())
    }

    /// Returns the first instant at which nothing can be drawn any more.
    pub fn stops_at(&self) -> DateTime<Utc> {
        self.stops_at
    }

    /// Returns the hold, for a checkpoint.
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Ends the allowance, and returns the hold with the total to settle it with.
    pub fn end(self) -> (Hold, Credits) {
        let total = self.drawn();
        (self.hold, total)
    }

    /// Returns drawn micro-credits as an amount.
    fn within(&self, micros: i64) -> Credits {
        let amount = Credits::from_micros(micros);
        // It began as an amount, and grows only up to the hold, which is an amount too.
        debug_assert!(amount.is_ok());

        amount.unwrap_or(self.hold.amount())
    }
}
