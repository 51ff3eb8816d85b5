//! Refunds of confirmed transfers: cumulative, at most what arrived, and accounted for.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::confirmation::ConfirmedTransfer;
use super::deposit::Deposit;
use crate::change::Answer;
use crate::change::RowChange;
use crate::credit::{DueRevocation, Wallet, WalletError};
use crate::gate::{Denial, Operator};
use crate::money::Money;
use crate::problem::{Code, Explained};
use crate::right::Privilege;
use crate::subscription::{Command, Refusal, Subscription, Transition};

/// A sum that leaves the range that can be held.
const OVERFLOW: WalletError = WalletError::AmountOverflow;

/// What becomes of the service that a refunded transfer had paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterRefund {
    /// It goes on: a gesture.
    KeepService,
    /// The subscription ends at once, and what is left of its credits is taken back, unless the
    /// periods that the transfer paid are over: then there is nothing to end.
    EndService,
}

/// A refund that was sent to the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferRefund {
    /// What all refunds of this transfer come to, this one included: repeated, it gives nothing
    /// back twice.
    pub total: Money,
    /// What becomes of the service, where money is given back that had paid for it.
    pub then: AfterRefund,
}

/// What the host loads before it records a refund, in one transaction.
#[derive(Clone, Debug)]
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
    /// The registry's row to update.
    pub fn record(&self) -> &RowChange<ConfirmedTransfer> {
        &self.record
    }

    /// The deposit to update.
    pub fn deposit(&self) -> Option<&RowChange<Deposit>> {
        self.deposit.as_ref()
    }

    /// The subscription to update.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// The grants to take back: see [`Wallet::revoke_due`](crate::credit::Wallet::revoke_due).
    pub fn revocations(&self) -> &[DueRevocation] {
        &self.revocations
    }
}

/// Why a refund is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransferRefundError {
    /// The operator lacks the privilege.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The refund is in another currency than the transfer.
    #[error("the refund is {total}, and the transfer was {amount}: the currencies differ")]
    Currency {
        /// What all refunds would come to.
        total: Money,
        /// What arrived.
        amount: Money,
    },
    /// All refunds together would be more than what arrived.
    #[error("{total} is more than the {amount} that arrived")]
    ExceedsTransfer {
        /// What all refunds would come to.
        total: Money,
        /// What arrived.
        amount: Money,
    },
    /// More was refunded already.
    #[error("{refunded} were refunded already, which is more than {total}")]
    BelowRefunded {
        /// What all refunds would come to.
        total: Money,
        /// What was refunded.
        refunded: Money,
    },
    /// Later transfers have paid for later periods, whose money would be lost with them: refund
    /// those first.
    #[error("later transfers have paid for later periods: refund those first")]
    LaterPaid,
    /// It cannot be told which period this money paid for: it was a part of a price, or paid from
    /// the deposit. Refund the transfer that completed the price, or keep the service and cancel
    /// it.
    #[error(
        "it cannot be told which period this money paid for: refund what completed the price, or cancel by itself"
    )]
    Unattributed,
    /// The subscription's own data refuse to end it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] WalletError),
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
    /// Records that a transfer, or a part of it, was sent back. What was only noted goes first,
    /// then what the account has as a deposit; the rest takes back what had paid for a period, and
    /// then the service goes on or ends, as the refund says. Repeated with the same total, it
    /// changes nothing.
    ///
    /// It does not ask whether the method is still enabled: what arrived can always be sent back.
    /// The operator was admitted under [`Privilege::ConfirmPayments`] and belongs to another
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

        let (total, amount) = (refund.total, record.transfer.amount());
        if total.currency() != amount.currency() {
            return Err(TransferRefundError::Currency { total, amount });
        }
        if amount.checked_sub(total).is_none() {
            return Err(TransferRefundError::ExceedsTransfer { total, amount });
        }
        let refunded = record.refunded;
        let more = total
            .checked_sub(refunded)
            .ok_or(TransferRefundError::BelowRefunded { total, refunded })?;
        if more.is_zero() {
            return Ok(Answer::Replayed(record));
        }
        let is_foreign = |deposit: &Deposit| deposit.account != record.account;
        if deposit.as_ref().is_some_and(is_foreign) || *wallet.account() != record.account {
            return Err(WalletError::Mismatch.into());
        }
        let noted = record.noted.lesser(more).ok_or(OVERFLOW)?;
        let rest = more.checked_sub(noted).ok_or(OVERFLOW)?;
        // A deposit in another currency has nothing of this transfer.
        let kept = deposit
            .as_ref()
            .and_then(|deposit| deposit.amount.lesser(rest));
        let kept = kept.unwrap_or(Money::zero(amount.currency()));
        let taken_back = rest.checked_sub(kept).ok_or(OVERFLOW)?;
        let ends = !taken_back.is_zero() && refund.then == AfterRefund::EndService;
        let ending = match ends {
            true => Ending::of(&record, subscription, deposit.as_ref(), &wallet, now)?,
            false => Ending::default(),
        };
        let next = Self {
            noted: record.noted.checked_sub(noted).ok_or(OVERFLOW)?,
            refunded: total,
            taken_back: record.taken_back.checked_add(taken_back).ok_or(OVERFLOW)?,
            version: record.version.checked_add(1).ok_or(OVERFLOW)?,
            ..record.clone()
        };
        let left = deposit
            .as_ref()
            .and_then(|deposit| deposit.amount.checked_sub(kept));
        Ok(Answer::Fresh(TransferRefundChange {
            deposit: left.and_then(|left| Deposit::change(deposit.as_ref(), &record.account, left)),
            subscription: ending.transition.map(Transition::into_change),
            revocations: ending.revocations,
            record: RowChange::update(record.version, next),
        }))
    }
}

/// What the end of the service that a transfer had paid for means.
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
            let revocations = record.grants.iter().cloned().map(revoke).collect();
            return Ok(Self {
                transition: None,
                revocations,
            });
        };
        // Without the subscription, none of what it brought is left: neither months ahead nor what
        // a larger plan added.
        let revocations: Vec<DueRevocation> = wallet.grants_of(id).map(revoke).collect();
        let Some(paid) = subscription.filter(|paid| paid.id == *id && !paid.is_terminal()) else {
            return Ok(Self {
                transition: None,
                revocations,
            });
        };
        let Some(last) = paid
            .current_period
            .map(|period| period.end)
            .filter(|end| now < *end)
        else {
            return Ok(Self::default());
        };
        let by_deposit = deposit.is_some_and(|deposit| !deposit.applied.is_zero());
        match record.paid_until {
            Some(until) if until == last => Ok(Self {
                transition: Some(paid.apply(Command::CancelNow, now)?),
                revocations,
            }),
            Some(until) if now < until => Err(TransferRefundError::LaterPaid),
            Some(_) if !by_deposit => Ok(Self::default()),
            _ => Err(TransferRefundError::Unattributed),
        }
    }
}
