//! Refunds of confirmed transfers: cumulative, at most what arrived, and accounted for.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::deposit::Deposit;
use super::record::ConfirmedTransfer;
use crate::change::{Answer, RowChange, RowError};
use crate::credit::{DueRevocation, Wallet};
use crate::gate::{Denial, Operator};
use crate::money::Money;
use crate::problem::{Code, Explained};
use crate::right::Privilege;
use crate::subscription::{Command, Refusal, Subscription, Transition};

/// The fault of a sum that leaves its range.
const OVERFLOW: RowError = RowError::Overflow {
    of: "sum of the refunds",
};

/// The choice about the service that a refunded transfer had paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum AfterRefund {
    /// The service goes on, as a gesture.
    KeepService,
    /// The subscription ends at once, and the rest of its credits is taken back, unless the periods
    /// that the transfer paid are over: then there is nothing to end.
    EndService,
}

/// A refund that was sent to the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it, by struct update"
)]
pub struct TransferRefund {
    /// The sum of all refunds of this transfer, this one included: repeated, it gives nothing back
    /// twice.
    pub total: Money,
    /// The choice about the service, where money is given back that had paid for it.
    pub then: AfterRefund,
}

/// The rows that a host loads before it records a refund, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct RefundFacts {
    /// The registry's row of the transfer.
    pub record: ConfirmedTransfer,
    /// The account's subscription, if it has one.
    pub subscription: Option<Subscription>,
    /// The account's deposit, if it has one.
    pub deposit: Option<Deposit>,
    /// The account's wallet.
    pub wallet: Wallet,
}

/// Everything that a refund changes, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct TransferRefundChange {
    record: RowChange<ConfirmedTransfer>,
    deposit: Option<RowChange<Deposit>>,
    subscription: Option<RowChange<Subscription>>,
    revocations: Vec<DueRevocation>,
}

impl TransferRefundChange {
    /// Returns the registry's row to update.
    pub fn record(&self) -> &RowChange<ConfirmedTransfer> {
        &self.record
    }

    /// Returns the deposit to update.
    pub fn deposit(&self) -> Option<&RowChange<Deposit>> {
        self.deposit.as_ref()
    }

    /// Returns the subscription to update.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// Returns the grants to take back: see [`Wallet::revoke_due`].
    pub fn revocations(&self) -> &[DueRevocation] {
        &self.revocations
    }
}

/// The reason why a refund is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransferRefundError {
    /// The operator lacks the privilege, or belongs to the account.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The refund is in another currency than the transfer.
    #[error("the currencies differ: the refund is {total}, and the transfer was {amount}")]
    Currency {
        /// The sum of all refunds.
        total: Money,
        /// The amount that arrived.
        amount: Money,
    },
    /// All refunds together would be more than the amount that arrived.
    #[error("refunds of {total} in all are more than the {amount} that arrived")]
    ExceedsTransfer {
        /// The sum of all refunds.
        total: Money,
        /// The amount that arrived.
        amount: Money,
    },
    /// More was refunded already.
    #[error("refunds of {total} in all are less than the {refunded} that were refunded already")]
    BelowRefunded {
        /// The sum of all refunds.
        total: Money,
        /// The sum that was refunded before.
        refunded: Money,
    },
    /// Later transfers have paid for later periods, whose money would be lost if the subscription
    /// ended: refund those first.
    #[error("later transfers have paid for later periods: refund those first")]
    LaterPaid,
    /// Nothing tells which period this money paid for: it was a part of a price, or paid from the
    /// deposit. Refund the transfer that completed the price, or keep the service and cancel the
    /// subscription by a command.
    #[error(
        "nothing tells which period this money paid for: refund the transfer that completed the price, or keep the service and cancel the subscription"
    )]
    Unattributed,
    /// The subscription's own data refuse to end it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for TransferRefundError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Currency { .. } => Code::CurrencyMismatch,
            Self::ExceedsTransfer { .. }
            | Self::BelowRefunded { .. }
            | Self::LaterPaid
            | Self::Unattributed => Code::RefundInvalid,
            Self::Refused(refusal) => refusal.code(),
            Self::Row(error) => error.code(),
        }
    }
}

impl ConfirmedTransfer {
    /// Records that a transfer, or a part of it, was sent back. The noted part goes first, then the
    /// account's deposit; the rest takes back what had paid for a period, and then the service goes
    /// on or ends, as the refund says. Repeated with the same total, it changes nothing.
    ///
    /// It does not ask whether the method is still enabled: money that arrived can always be sent
    /// back. The operator was admitted under [`Privilege::ConfirmPayments`] and belongs to another
    /// account.
    ///
    /// # Errors
    /// In this order: [`TransferRefundError::Denied`], [`TransferRefundError::Currency`],
    /// [`TransferRefundError::ExceedsTransfer`], [`TransferRefundError::BelowRefunded`],
    /// [`TransferRefundError::Row`]; and where the service is to end,
    /// [`TransferRefundError::LaterPaid`], [`TransferRefundError::Unattributed`],
    /// [`TransferRefundError::Refused`].
    pub fn refund(
        operator: &Operator,
        refund: TransferRefund,
        facts: RefundFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<TransferRefundChange, Self>, TransferRefundError> {
        let RefundFacts {
            record,
            subscription,
            deposit,
            wallet,
        } = facts;
        operator.check_foreign(Privilege::ConfirmPayments, &record.account)?;

        let more = record.still_to_refund(refund.total)?;
        if more.is_zero() {
            return Ok(Answer::Replayed(record));
        }
        record.check_own(deposit.as_ref(), &wallet)?;

        // First the money that has paid for nothing, so that service ends only if it must.
        let noted = record.noted.lesser(more).ok_or(OVERFLOW)?;
        let rest = more.checked_sub(noted).ok_or(OVERFLOW)?;
        // A deposit in another currency has nothing of this transfer.
        let kept = deposit
            .as_ref()
            .and_then(|deposit| deposit.amount.lesser(rest))
            .unwrap_or(Money::zero(rest.currency()));
        let taken_back = rest.checked_sub(kept).ok_or(OVERFLOW)?;
        debug_assert_eq!(
            noted
                .checked_add(kept)
                .and_then(|parts| parts.checked_add(taken_back)),
            Some(more),
            "every cent that goes back comes from one part"
        );

        let ends = !taken_back.is_zero() && refund.then == AfterRefund::EndService;
        let ending = if ends {
            Ending::of(&record, subscription, deposit.as_ref(), &wallet, now)?
        } else {
            Ending::default()
        };

        let left = deposit
            .as_ref()
            .and_then(|deposit| deposit.amount.checked_sub(kept));
        let deposit = left
            .map(|left| Deposit::change(deposit.as_ref(), &record.account, left))
            .transpose()?
            .flatten();

        let noted = record.noted.checked_sub(noted).ok_or(OVERFLOW)?;
        let taken_back = record.taken_back.checked_add(taken_back).ok_or(OVERFLOW)?;
        let record = RowChange::next(record.version, "confirmed transfer", |version| Self {
            noted,
            refunded: refund.total,
            taken_back,
            version,
            ..record
        })?;

        Ok(Answer::Fresh(TransferRefundChange {
            record,
            deposit,
            subscription: ending.transition.map(Transition::into_change),
            revocations: ending.revocations,
        }))
    }

    /// Returns the part of a total that was not refunded before.
    fn still_to_refund(&self, total: Money) -> Result<Money, TransferRefundError> {
        let amount = self.transfer.amount();
        if total.currency() != amount.currency() {
            return Err(TransferRefundError::Currency { total, amount });
        }
        if amount.checked_sub(total).is_none() {
            return Err(TransferRefundError::ExceedsTransfer { total, amount });
        }

        let refunded = self.refunded;
        total
            .checked_sub(refunded)
            .ok_or(TransferRefundError::BelowRefunded { total, refunded })
    }

    /// Checks that a deposit and a wallet are those of the account that was credited.
    fn check_own(&self, deposit: Option<&Deposit>, wallet: &Wallet) -> Result<(), RowError> {
        let right = "confirmed transfer";
        if deposit.is_some_and(|deposit| deposit.account != self.account) {
            let left = "deposit";
            return Err(RowError::Mismatch { left, right });
        }
        if *wallet.account() != self.account {
            let left = "wallet";
            return Err(RowError::Mismatch { left, right });
        }

        Ok(())
    }
}

/// The end of the service that a transfer had paid for: a default one ends nothing.
#[derive(Default)]
struct Ending {
    transition: Option<Transition>,
    revocations: Vec<DueRevocation>,
}

impl Ending {
    fn of(
        record: &ConfirmedTransfer,
        subscription: Option<Subscription>,
        deposit: Option<&Deposit>,
        wallet: &Wallet,
        now: DateTime<Utc>,
    ) -> Result<Self, TransferRefundError> {
        let revoke = |grant: Arc<str>| DueRevocation::new(record.account.clone(), grant);
        let Some(id) = &record.subscription else {
            // A top-up: its own credits.
            return Ok(Self {
                transition: None,
                revocations: record.grants.iter().cloned().map(revoke).collect(),
            });
        };

        // Without the subscription, all that it brought goes too: months ahead, and the credits
        // that a larger plan added.
        let revocations: Vec<DueRevocation> = wallet.grants_of(id).map(revoke).collect();
        let Some(paid) = subscription.filter(|paid| paid.id == *id && !paid.is_terminal()) else {
            return Ok(Self {
                transition: None,
                revocations,
            });
        };

        let running = paid.current_period.filter(|period| now < period.end);
        let Some(running) = running else {
            return Ok(Self::default());
        };

        let has_paid_from_deposit = deposit.is_some_and(|deposit| !deposit.applied.is_zero());
        match record.paid_until {
            Some(until) if until == running.end => Ok(Self {
                transition: Some(paid.apply(Command::CancelNow, now)?),
                revocations,
            }),
            Some(until) if now < until => Err(TransferRefundError::LaterPaid),
            // Its periods are over, and the one that runs was paid by another transfer.
            Some(_) if !has_paid_from_deposit => Ok(Self::default()),
            _ => Err(TransferRefundError::Unattributed),
        }
    }
}
