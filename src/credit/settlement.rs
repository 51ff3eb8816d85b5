//! The charge of a settlement: in time, or late.

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
use super::sums::total;
use crate::money::Credits;
use crate::policy::{LateSettle, Overage};
use crate::problem::{Code, Explained};

/// The error of a hold that cannot be drawn on or settled. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The cost is more than was held, and the overage policy does not allow it. The hold stays
    /// open.
    #[error("the cost is {cost} credits, and {held} were held")]
    CostExceedsHold {
        /// The cost.
        cost: Credits,
        /// The amount that was held.
        held: Credits,
    },
    /// The total is less than what was drawn already, which is spent.
    #[error("the total is {total} credits, and {drawn} were drawn already")]
    LessThanDrawn {
        /// The total that was stated.
        total: Credits,
        /// The amount that was drawn.
        drawn: Credits,
    },
    /// The hold has expired, and a late settlement may not charge enough to cover the cost.
    #[error("the hold expired, and {available} credits are available for a cost of {cost}")]
    LateInsufficient {
        /// The amount that is still to be charged.
        cost: Credits,
        /// The credits that are available.
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
    /// A later attempt has taken the hold's key.
    #[error("a later attempt has taken the hold's key")]
    Superseded,
    /// The hold ran out.
    #[error("the hold expired before it was settled")]
    Expired,
    /// The wallet cannot take part.
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
            Self::Superseded => Code::HoldSuperseded,
            Self::Expired => Code::HoldExpired,
            Self::Wallet(error) => error.code(),
        }
    }
}

/// The part of a charge that no hold covers.
struct Beyond {
    from_free: Credits,
    debt: Credits,
}

impl Beyond {
    const NOTHING: Self = Self {
        from_free: Credits::ZERO,
        debt: Credits::ZERO,
    };

    /// Takes as much as is free, and leaves the rest uncharged.
    fn available(balance: &Balance, amount: Credits) -> Self {
        Self {
            from_free: amount.min(balance.free),
            debt: Credits::ZERO,
        }
    }

    /// Takes what is free, and makes the rest a debt; `None` if all debt together would be beyond
    /// the limit.
    fn within(balance: &Balance, amount: Credits, limit: Credits) -> Option<Self> {
        let from_free = amount.min(balance.free);
        let debt = amount.saturating_sub(from_free);
        let total = balance.debt.checked_add(debt)?;

        (total <= limit).then_some(Self { from_free, debt })
    }
}

impl Draft {
    /// Settles an open hold, and returns the receipt and the life of the credits that paid.
    pub(super) fn settle(
        &mut self,
        hold: &HoldRecord,
        cost: Credits,
    ) -> Result<(Receipt, Life), SettleError> {
        let captured = cost.min(hold.amount);
        let excess = cost.saturating_sub(hold.amount);
        let balance = self.wallet.balance();
        let refused = SettleError::CostExceedsHold {
            cost,
            held: hold.amount,
        };

        // By the policy under which the hold was made, whatever it is by now.
        let Beyond { from_free, debt } = match hold.overage {
            _ if excess.is_zero() => Beyond::NOTHING,
            Overage::Cap => Beyond::NOTHING,
            Overage::Available => Beyond::available(&balance, excess),
            Overage::Debt(limit) => Beyond::within(&balance, excess, limit).ok_or(refused)?,
            Overage::Reject => return Err(refused),
        };

        let beyond = self.wallet.slices(from_free);
        // The draws before this have told their life to the outcome already.
        let drawn_now = captured.saturating_sub(hold.drawn);
        let life = self
            .wallet
            .life_of(&hold.slices, drawn_now)
            .max(self.wallet.life_of(&beyond, from_free));

        let charged = [captured, from_free, debt];
        let receipt = self.receipt(&hold.key, &hold.operation, cost, charged)?;
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

    /// Charges anew for an operation whose hold has expired: all that was not drawn before.
    pub(super) fn settle_late(
        &mut self,
        key: &IdempotencyKey,
        pending: &Pending,
        cost: Credits,
    ) -> Result<(Receipt, Life), SettleError> {
        let due = cost.saturating_sub(pending.drawn);
        let balance = self.wallet.balance();

        // The draws were in time and cover it all: nothing new is charged, so nothing can come too
        // late.
        let is_covered = due.is_zero() && !pending.drawn.is_zero();
        if self.now >= pending.late_until && !is_covered {
            return Err(SettleError::Expired);
        }

        let Beyond { from_free, debt } = match pending.late {
            _ if is_covered => Beyond::NOTHING,
            LateSettle::Refuse => return Err(SettleError::Expired),
            LateSettle::Available => Beyond::available(&balance, due),
            LateSettle::Debt(limit) => {
                Beyond::within(&balance, due, limit).ok_or(SettleError::LateInsufficient {
                    cost: due,
                    available: balance.available(),
                })?
            }
        };

        let slices = self.wallet.slices(from_free);
        let life = self.wallet.life_of(&slices, from_free);

        let charged = [pending.drawn, from_free, debt];
        let receipt = self.receipt(key, &pending.operation, cost, charged)?;
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
        Ok(Receipt {
            key: key.clone(),
            operation: operation.clone(),
            cost,
            charged: total(charged).ok_or(WalletError::AmountOverflow)?,
            settled_at: self.now,
        })
    }
}
