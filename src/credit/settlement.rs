//! What a settlement charges: in time, or late.

use std::sync::Arc;

use thiserror::Error;

use super::balance::Balance;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::hold::HoldRecord;
use super::key::IdempotencyKey;
use super::life::Life;
use super::outcome::{Pending, Receipt};
use crate::money::Credits;
use crate::policy::{LateSettle, Overage};
use crate::problem::{Code, Explained};

/// Why a hold cannot be settled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The cost is more than was held, and the overage policy does not allow it. The hold stays
    /// open.
    #[error("the cost is {cost} credits, and {held} were held")]
    CostExceedsHold {
        /// The cost.
        cost: Credits,
        /// What was held.
        held: Credits,
    },
    /// The total is less than what was drawn already; what was drawn is spent.
    #[error("the total is {total} credits, and {drawn} were drawn already")]
    LessThanDrawn {
        /// The total that was stated.
        total: Credits,
        /// What was drawn.
        drawn: Credits,
    },
    /// The hold has expired, and what the late settlement may charge does not cover the cost.
    #[error("the hold expired, and {available} credits are available for a cost of {cost}")]
    LateInsufficient {
        /// What there is to be charged.
        cost: Credits,
        /// What is available.
        available: Credits,
    },
    /// The hold was settled before with another cost.
    #[error("the hold is settled already, with a cost of {cost} credits")]
    Settled {
        /// The cost that it was settled with.
        cost: Credits,
    },
    /// The hold was released.
    #[error("the hold was released")]
    Released,
    /// The hold ran out.
    #[error("the hold expired before it was settled")]
    Expired,
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for SettleError {
    fn code(&self) -> Code {
        match self {
            Self::CostExceedsHold { .. } => Code::CostExceedsHold,
            Self::LessThanDrawn { .. } => Code::LessThanDrawn,
            Self::LateInsufficient { .. } => Code::CreditsInsufficient,
            Self::Settled { .. } => Code::HoldSettled,
            Self::Released => Code::HoldReleased,
            Self::Expired => Code::HoldExpired,
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Draft {
    pub(super) fn settle(
        &mut self,
        hold: &HoldRecord,
        cost: Credits,
    ) -> Result<(Receipt, Life), SettleError> {
        let captured = cost.min(hold.amount);
        let excess = cost.saturating_sub(hold.amount);
        let balance = self.wallet.balance();
        let (from_free, debt) = match hold.overage {
            _ if excess.is_zero() => (Credits::ZERO, Credits::ZERO),
            Overage::Cap => (Credits::ZERO, Credits::ZERO),
            Overage::Available => (excess.min(balance.free), Credits::ZERO),
            Overage::Debt(limit) => match beyond(&balance, excess, limit) {
                Some(parts) => parts,
                None => {
                    return Err(SettleError::CostExceedsHold {
                        cost,
                        held: hold.amount,
                    });
                }
            },
            Overage::Reject => {
                return Err(SettleError::CostExceedsHold {
                    cost,
                    held: hold.amount,
                });
            }
        };
        let beyond = self.wallet.slices(from_free);
        let life = (self
            .wallet
            .life_of(&hold.slices, captured.saturating_sub(hold.drawn)))
        .max(self.wallet.life_of(&beyond, from_free));
        let receipt = self.receipt(
            &hold.key,
            &hold.operation,
            cost,
            [captured, from_free, debt],
        )?;
        self.record(
            self.now,
            Event::Settled {
                hold: hold.key.clone(),
                cost,
                captured,
                beyond,
                debt,
            },
        )?;
        Ok((receipt, life))
    }

    /// A new charge for an operation whose hold has expired, of what was not drawn before.
    pub(super) fn settle_late(
        &mut self,
        key: &IdempotencyKey,
        pending: &Pending,
        cost: Credits,
    ) -> Result<(Receipt, Life), SettleError> {
        let (due, balance) = (cost.saturating_sub(pending.drawn), self.wallet.balance());
        // What was drawn in time covers it all: nothing new is charged, so nothing can come too
        // late.
        let is_covered = due.is_zero() && !pending.drawn.is_zero();
        if self.now >= pending.late_until && !is_covered {
            return Err(SettleError::Expired);
        }
        let (from_free, debt) = match pending.late {
            _ if is_covered => (Credits::ZERO, Credits::ZERO),
            LateSettle::Refuse => return Err(SettleError::Expired),
            LateSettle::Available => (due.min(balance.free), Credits::ZERO),
            LateSettle::Debt(limit) => match beyond(&balance, due, limit) {
                Some(parts) => parts,
                None => {
                    return Err(SettleError::LateInsufficient {
                        cost: due,
                        available: balance.available(),
                    });
                }
            },
        };
        let slices = self.wallet.slices(from_free);
        let life = self.wallet.life_of(&slices, from_free);
        let receipt = self.receipt(
            key,
            &pending.operation,
            cost,
            [pending.drawn, from_free, debt],
        )?;
        self.record(
            self.now,
            Event::SettledLate {
                hold: key.clone(),
                cost,
                slices,
                debt,
            },
        )?;
        Ok((receipt, life))
    }

    fn receipt(
        &self,
        key: &IdempotencyKey,
        operation: &Arc<str>,
        cost: Credits,
        charged: [Credits; 3],
    ) -> Result<Receipt, WalletError> {
        let charged = charged
            .into_iter()
            .try_fold(Credits::ZERO, Credits::checked_add);
        let charged = charged.ok_or(WalletError::AmountOverflow)?;
        Ok(Receipt {
            key: key.clone(),
            operation: operation.clone(),
            cost,
            charged,
            settled_at: self.now,
        })
    }
}

/// What free credits and a debt within its limit contribute to an amount; `None` if they do not
/// cover it.
fn beyond(balance: &Balance, amount: Credits, limit: Credits) -> Option<(Credits, Credits)> {
    let from_free = amount.min(balance.free);
    let debt = amount.saturating_sub(from_free);
    balance
        .debt
        .checked_add(debt)
        .filter(|total| *total <= limit)
        .map(|_| (from_free, debt))
}
