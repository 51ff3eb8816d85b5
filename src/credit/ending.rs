//! The commands that draw on a hold and end it: draw, settle, release.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::hold::Hold;
use super::outcome::{Ended, Outcome, OutcomeWrite, Pending, Receipt, State};
use super::settlement::SettleError;
use super::wallet::Wallet;
use crate::change::Answer;
use crate::money::Credits;
use crate::problem::{Code, Explained};

/// Why a hold cannot be released.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The hold was settled.
    #[error("the hold is settled already")]
    Settled,
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for ReleaseError {
    fn code(&self) -> Code {
        match self {
            Self::Settled => Code::HoldSettled,
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Wallet {
    /// Charges a part of a hold while the call goes on, as a stream does: `total` is what all draws
    /// together come to, so a repeated draw adds nothing. The hold stays open. A refused draw is
    /// the host's sign to abort the call.
    ///
    /// `prior` is the same as for [`settle`](Self::settle).
    ///
    /// # Errors
    /// [`SettleError::CostExceedsHold`] beyond the hold, whatever the overage policy; that is for
    /// the settlement.
    pub fn draw(
        self,
        hold: &Hold,
        total: Credits,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Credits>, Credits>, SettleError> {
        let prior = self.prior_of_hold(hold, prior)?;
        // What was drawn before is answered as then, whatever became of the hold.
        if let State::Pending(earlier) | State::Released(earlier) = &prior.state
            && total <= earlier.drawn
            && !earlier.drawn.is_zero()
        {
            return Ok(Answer::Replayed(earlier.drawn));
        }
        let pending = pending(prior)?;
        let mut draft = Draft::begin(self, now)?;
        let record = draft
            .wallet
            .open_hold(&hold.key)
            .cloned()
            .ok_or(SettleError::Expired)?;
        let Some(amount) = total
            .checked_sub(record.drawn)
            .filter(|amount| !amount.is_zero())
        else {
            return Ok(Answer::Replayed(record.drawn));
        };
        if total > record.amount {
            return Err(SettleError::CostExceedsHold {
                cost: total,
                held: record.amount,
            });
        }
        let paid_with = pending
            .paid_with
            .max(draft.wallet.life_of(&record.slices, amount));
        draft.record(
            draft.now,
            Event::Drawn {
                hold: hold.key.clone(),
                amount,
            },
        )?;
        let state = State::Pending(Pending {
            drawn: total,
            paid_with,
            ..pending.clone()
        });
        let outcome = Outcome {
            state,
            ..prior.clone()
        };
        Ok(Answer::Fresh(
            draft.finish(Some(OutcomeWrite::Update(outcome)), total)?,
        ))
    }

    /// Charges what the call really cost, draws included, and gives the rest back. Repeated with
    /// the same cost, it answers with the same receipt.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`] of the hold's key, read after the
    /// wallet in the same transaction; without it the answer is [`WalletError::Mismatch`], since a
    /// hold that was written has one.
    ///
    /// A cost beyond the hold is refused, unless the overage policy under which the hold was made
    /// says otherwise. A hold that has expired stays so; a settlement that comes late is a new
    /// charge, once, if that policy says so too.
    pub fn settle(
        self,
        hold: &Hold,
        cost: Credits,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Receipt>, Receipt>, SettleError> {
        let prior = self.prior_of_hold(hold, prior)?;
        if let State::Settled { receipt, .. } = &prior.state
            && receipt.cost == cost
        {
            return Ok(Answer::Replayed(receipt.clone()));
        }
        let pending = pending(prior)?;
        if cost < pending.drawn {
            return Err(SettleError::LessThanDrawn {
                total: cost,
                drawn: pending.drawn,
            });
        }
        let mut draft = Draft::begin(self, now)?;
        let (receipt, paid_with) = match draft.wallet.open_hold(&hold.key).cloned() {
            Some(record) => draft.settle(&record, cost)?,
            None => draft.settle_late(&hold.key, pending, cost)?,
        };
        let state = State::Settled {
            receipt: receipt.clone(),
            paid_with: pending.paid_with.max(paid_with),
            refunded: pending.refunded,
        };
        let outcome = Outcome {
            state,
            ..prior.clone()
        };
        Ok(Answer::Fresh(
            draft.finish(Some(OutcomeWrite::Update(outcome)), receipt)?,
        ))
    }

    /// Gives back all of a hold that was not drawn. A hold that ran out meanwhile gave it back
    /// already, and a repeated release does nothing: both are answers, not errors.
    ///
    /// `prior` is the same as for [`settle`](Self::settle).
    pub fn release(
        self,
        hold: &Hold,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Ended>, Ended>, ReleaseError> {
        let prior = self.prior_of_hold(hold, prior)?;
        let pending = match &prior.state {
            State::Pending(pending) => pending,
            State::Settled { .. } => return Err(ReleaseError::Settled),
            State::Released(_) => return Ok(Answer::Replayed(Ended::Released)),
            State::Granted(_) | State::Revoked(_) => return Err(WalletError::Mismatch.into()),
        };
        let mut draft = Draft::begin(self, now)?;
        if draft.wallet.open_hold(&hold.key).is_none() {
            return Ok(Answer::Replayed(Ended::Expired));
        }
        draft.record(
            draft.now,
            Event::Released {
                hold: hold.key.clone(),
            },
        )?;
        let outcome = Outcome {
            state: State::Released(pending.clone()),
            ..prior.clone()
        };
        Ok(Answer::Fresh(draft.finish(
            Some(OutcomeWrite::Update(outcome)),
            Ended::Released,
        )?))
    }

    /// The outcome that the hold stored. A hold without one was never written.
    fn prior_of_hold<'a>(
        &self,
        hold: &Hold,
        prior: Option<&'a Outcome>,
    ) -> Result<&'a Outcome, WalletError> {
        let prior = prior.ok_or(WalletError::Mismatch)?;
        prior.check(self.account(), &Outcome::spend_key(&hold.key))?;
        if hold.account == *self.account() {
            Ok(prior)
        } else {
            Err(WalletError::Mismatch)
        }
    }
}

/// What is known of a hold that nobody has ended.
fn pending(prior: &Outcome) -> Result<&Pending, SettleError> {
    match &prior.state {
        State::Pending(pending) => Ok(pending),
        State::Settled { receipt, .. } => Err(SettleError::Settled { cost: receipt.cost }),
        State::Released(_) => Err(SettleError::Released),
        State::Granted(_) | State::Revoked(_) => Err(WalletError::Mismatch.into()),
    }
}
