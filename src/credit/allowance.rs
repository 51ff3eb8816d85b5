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
/// The node checkpoints what was drawn, from time to time, by
/// [`Wallet::draw`](crate::credit::Wallet::draw) with [`drawn`](Self::drawn), and at shutdown
/// settles with [`end`](Self::end). After a crash the hold expires: what the last checkpoint had
/// drawn is spent, the rest goes back, so the loss is at most what was drawn since. Drawing stops a
/// skew before the hold's end, so that clocks that differ by less cannot draw from a hold that has
/// expired. What makes a charge happen once within an allowance is the node's to see to.
///
/// ```
/// use bailiwick::{Credits, Hold, Problem, Wallet};
/// use bailiwick::change::Answer;
/// use bailiwick::credit::{Allowance, Outcome};
/// # use chrono::{DateTime, TimeDelta, Utc};
/// fn serve(hold: Hold, wallet: Wallet, outcome: &Outcome, now: DateTime<Utc>) -> Result<Wallet, Problem> {
///     let allowance = Allowance::of(hold, Credits::ZERO, TimeDelta::seconds(2));
///     allowance.spend(Credits::whole(2), now)?; // no store is asked
///     allowance.spend(Credits::whole(3), now)?;
///     // A checkpoint; the host writes the change as any other.
///     let drawn = wallet.draw(allowance.hold(), allowance.drawn(), Some(outcome), now)?;
///     let Answer::Fresh(change) = drawn else { panic!("nothing was drawn before") };
///     assert_eq!(change.wallet().balance().spent, Credits::whole(5));
///     // At shutdown, after the last request.
///     let (hold, total) = allowance.end();
///     # let (wallet, outcome) = (change.wallet().clone(), change.outcome().unwrap().outcome().clone());
///     let Answer::Fresh(settled) = wallet.settle(&hold, total, Some(&outcome), now)? else { panic!("settled before") };
///     Ok(settled.wallet().clone())
/// }
/// # let _ = serve;
/// ```
#[derive(Debug)]
#[must_use = "an allowance keeps its hold open until it is ended"]
pub struct Allowance {
    hold: Hold,
    stops_at: DateTime<Utc>,
    drawn: AtomicI64,
}

/// Why a charge cannot be drawn from an allowance. Nothing was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AllowanceError {
    /// There is not enough left of it: end it, and hold another.
    #[error("this needs {needed} credits, and {left} are left of the allowance")]
    Exhausted {
        /// What it would cost.
        needed: Credits,
        /// What is left.
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
    /// An allowance of what is held, less what was drawn of it before. `skew` is how far clocks
    /// differ at most; a negative one counts as none.
    pub fn of(hold: Hold, drawn: Credits, skew: TimeDelta) -> Self {
        let stops_at = hold
            .expires_at()
            .checked_sub_signed(skew.max(TimeDelta::zero()));
        Self {
            stops_at: stops_at.unwrap_or(DateTime::<Utc>::MIN_UTC),
            hold,
            drawn: AtomicI64::new(drawn.micros()),
        }
    }

    /// Draws an amount, or nothing of it; the total that is drawn with it.
    ///
    /// # Errors
    /// [`AllowanceError::Ended`], [`AllowanceError::Exhausted`].
    pub fn spend(&self, amount: Credits, now: DateTime<Utc>) -> Result<Credits, AllowanceError> {
        if now >= self.stops_at {
            return Err(AllowanceError::Ended);
        }
        let most = self.hold.amount().micros();
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

    /// What was drawn in all: the total for a checkpoint.
    pub fn drawn(&self) -> Credits {
        self.within(self.drawn.load(Ordering::Acquire))
    }

    /// What is left.
    pub fn left(&self) -> Credits {
        self.hold.amount().saturating_sub(self.drawn())
    }

    /// Never more than the hold, so within what amounts can be.
    fn within(&self, micros: i64) -> Credits {
        Credits::from_micros(micros).unwrap_or(self.hold.amount())
    }

    /// When drawing stops.
    pub fn stops_at(&self) -> DateTime<Utc> {
        self.stops_at
    }

    /// The hold, for a checkpoint.
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Ends it: the hold, and the total to settle it with.
    pub fn end(self) -> (Hold, Credits) {
        let total = self.drawn();
        (self.hold, total)
    }
}
