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

/// The error of a hold that cannot be released. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The hold was settled.
    #[error("the hold is settled already")]
    Settled,
    /// A later attempt has taken the hold's key.
    #[error("a later attempt has taken the hold's key")]
    Superseded,
    /// The wallet cannot take part.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for ReleaseError {
    fn code(&self) -> Code {
        match self {
            Self::Settled => Code::HoldSettled,
            Self::Superseded => Code::HoldSuperseded,
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Wallet {
    /// Charges a part of a hold while the call goes on, as a stream does. `total` is the sum of all
    /// draws, so a repeated draw adds nothing. The hold stays open. If a draw is refused, the host
    /// should abort the call.
    ///
    /// `prior` is the same as for [`settle`](Self::settle).
    ///
    /// # Errors
    /// [`SettleError::Wallet`] for rows that do not belong together; [`SettleError::Superseded`] once
    /// a later attempt has taken the key; [`SettleError::Settled`],
    /// [`SettleError::Released`] and [`SettleError::Expired`] once the hold has ended;
    /// [`SettleError::CostExceedsHold`] beyond the hold, whatever the overage policy, which is for
    /// the settlement.
    pub fn draw(
        self,
        hold: &Hold,
        total: Credits,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Credits>, Credits>, SettleError> {
        let prior = self.prior_of_hold(hold, prior)?;
        if is_superseded(hold, prior) {
            return Err(SettleError::Superseded);
        }

        // A draw that was made before is answered as then, whatever became of the hold.
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

        // By the wallet's own record, since the version guards it.
        let amount = total.saturating_sub(record.drawn);
        if amount.is_zero() {
            return Ok(Answer::Replayed(record.drawn));
        }
        if total > record.amount {
            return Err(SettleError::CostExceedsHold {
                cost: total,
                held: record.amount,
            });
        }

        let paid_with = draft.wallet.life_of(&record.slices, amount);
        draft.record(
            draft.now,
            Event::Drawn {
                hold: hold.key.clone(),
                amount,
            },
        )?;

        let outcome = Outcome {
            state: State::Pending(Pending {
                drawn: total,
                paid_with: pending.paid_with.max(paid_with),
                ..pending.clone()
            }),
            ..prior.clone()
        };

        let outcome = OutcomeWrite::Update(outcome);
        Ok(Answer::Fresh(draft.finish(Some(outcome), total)?))
    }

    /// Charges the real cost of the call, draws included, and gives the rest back. Repeated with
    /// the same cost, it answers with the same receipt.
    ///
    /// A cost beyond the hold is refused, unless the overage policy under which the hold was made
    /// says otherwise. A hold that has expired stays so; a settlement that comes late is a new
    /// charge, once, if that policy says so too.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`] of the hold's key, read after the
    /// wallet in the same transaction. A hold that was written has one, so it is an error to pass
    /// `None`.
    ///
    /// # Errors
    /// In this order: [`SettleError::Wallet`] for rows that do not belong together;
    /// [`SettleError::Superseded`]; [`SettleError::Settled`] with another cost, [`SettleError::Released`];
    /// [`SettleError::LessThanDrawn`]; then [`SettleError::CostExceedsHold`] for an open hold, and
    /// [`SettleError::Expired`] or [`SettleError::LateInsufficient`] for one that has expired.
    pub fn settle(
        self,
        hold: &Hold,
        cost: Credits,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Receipt>, Receipt>, SettleError> {
        let prior = self.prior_of_hold(hold, prior)?;
        if is_superseded(hold, prior) {
            return Err(SettleError::Superseded);
        }
        if let State::Settled { receipt, .. } = &prior.state
            && receipt.cost == cost
        {
            return Ok(Answer::Replayed(receipt.clone()));
        }

        let pending = pending(prior)?;
        // A draw is spent for good, and only a refund gives it back.
        if cost < pending.drawn {
            return Err(SettleError::LessThanDrawn {
                total: cost,
                drawn: pending.drawn,
            });
        }

        let mut draft = Draft::begin(self, now)?;
        // The hold may have run out just now, by advancing.
        let (receipt, paid_with) = match draft.wallet.open_hold(&hold.key).cloned() {
            Some(record) => draft.settle(&record, cost)?,
            None => draft.settle_late(&hold.key, pending, cost)?,
        };

        let outcome = Outcome {
            state: State::Settled {
                receipt: receipt.clone(),
                paid_with: pending.paid_with.max(paid_with),
                refunded: pending.refunded,
            },
            ..prior.clone()
        };

        let outcome = OutcomeWrite::Update(outcome);
        Ok(Answer::Fresh(draft.finish(Some(outcome), receipt)?))
    }

    /// Gives back all of a hold that was not drawn. A hold that ran out meanwhile gave it back
    /// already, and a repeated release does nothing: both are answers, not errors. If nothing was
    /// drawn, the key is free again, and the same request may be sent anew.
    ///
    /// `prior` is the same as for [`settle`](Self::settle).
    ///
    /// # Errors
    /// In this order: [`ReleaseError::Wallet`] for rows that do not belong together,
    /// [`ReleaseError::Superseded`], [`ReleaseError::Settled`].
    pub fn release(
        self,
        hold: &Hold,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Ended>, Ended>, ReleaseError> {
        let prior = self.prior_of_hold(hold, prior)?;
        if is_superseded(hold, prior) {
            return Err(ReleaseError::Superseded);
        }
        let pending = match &prior.state {
            State::Pending(pending) => pending,
            State::Settled { .. } => return Err(ReleaseError::Settled),
            State::Released(_) => return Ok(Answer::Replayed(Ended::Released)),
            State::Granted(_) | State::Revoked(_) => return Err(NOT_OF_HOLD.into()),
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

        let outcome = OutcomeWrite::Update(outcome);
        Ok(Answer::Fresh(draft.finish(Some(outcome), Ended::Released)?))
    }

    /// Returns the outcome that the hold stored, or that a later attempt stored over it. A hold
    /// without one was never written.
    fn prior_of_hold<'a>(
        &self,
        hold: &Hold,
        prior: Option<&'a Outcome>,
    ) -> Result<&'a Outcome, WalletError> {
        let prior = prior.ok_or(NOT_OF_HOLD)?;
        prior.check(self.account(), &Outcome::spend_key(&hold.key))?;

        if hold.account != *self.account() {
            return Err(WalletError::mismatch("wallet", "hold"));
        }
        // A hold is stored with its outcome, so there is none before it.
        if prior.attempt < hold.attempt {
            return Err(NOT_OF_HOLD);
        }
        // Wallet and outcome were read in the wrong order, and a later attempt came between.
        let is_newer = self
            .open_hold(&hold.key)
            .is_some_and(|record| record.attempt > prior.attempt);
        if is_newer {
            return Err(WalletError::mismatch("wallet", "outcome"));
        }

        Ok(prior)
    }
}

/// Returns whether a later attempt has taken a hold's key. Whatever the older attempt does then, it
/// may charge nothing and end nothing.
fn is_superseded(hold: &Hold, prior: &Outcome) -> bool {
    hold.attempt < prior.attempt
}

/// There is no outcome, or it is one that no hold has.
const NOT_OF_HOLD: WalletError = WalletError::mismatch("hold", "outcome");

/// Returns the facts of a hold that nobody has ended.
fn pending(prior: &Outcome) -> Result<&Pending, SettleError> {
    match &prior.state {
        State::Pending(pending) => Ok(pending),
        State::Settled { receipt, .. } => Err(SettleError::Settled { cost: receipt.cost }),
        State::Released(_) => Err(SettleError::Released),
        State::Granted(_) | State::Revoked(_) => Err(NOT_OF_HOLD.into()),
    }
}
