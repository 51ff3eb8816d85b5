//! The reasons why a payment by bank transfer, or from a deposit, is refused.

use chrono::NaiveDate;
use thiserror::Error;

use super::transfer::{BankReference, BankTransfer};
use crate::change::RowError;
use crate::gate::Denial;
use crate::money::Money;
use crate::paid_time::RecordError;
use crate::problem::{Code, Explained};
use crate::subscription::Refusal;

/// The reason why a transfer is not confirmed, or a deposit not applied. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// The operator lacks the privilege or belongs to the account, or the account is closed or of
    /// unknown status.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Bank transfer is not enabled.
    #[error("payment by bank transfer is coming soon")]
    ComingSoon,
    /// The same transfer was confirmed for another account, or with other facts.
    #[error(
        "the transfer {transaction} to {receiving_account} was confirmed before with other facts"
    )]
    Conflict {
        /// The account that received it.
        receiving_account: BankReference,
        /// The bank's identifier of it.
        transaction: BankReference,
    },
    /// A transfer of the same identifier was confirmed whose booking date is at most ten days away,
    /// so that one of the dates may be mistyped. If they are two transfers, say so by
    /// [`BankTransfer::different_from`].
    #[error(
        "a transfer {transaction} to {receiving_account} that was booked on {booked_on} was confirmed before: it may be the same"
    )]
    Similar {
        /// The account that received it.
        receiving_account: BankReference,
        /// The bank's identifier of both.
        transaction: BankReference,
        /// The booking date of the one that was confirmed.
        booked_on: NaiveDate,
    },
    /// The transfer is in another currency than the plan's price.
    #[error("the currencies differ: the transfer is {amount}, and the plan costs {price}")]
    Currency {
        /// The amount that arrived.
        amount: Money,
        /// The plan's price.
        price: Money,
    },
    /// The account's deposit is in another currency than the plan's price: give it back first.
    #[error(
        "the currencies differ: the account's deposit is {deposit}, and the plan costs {price}"
    )]
    DepositCurrency {
        /// The account's deposit.
        deposit: Money,
        /// The plan's price.
        price: Money,
    },
    /// The amount of the transfer is zero.
    #[error("the amount of the transfer must be positive")]
    Nothing,
    /// The claim is another account's, or was answered by another transfer.
    #[error("the claim is another account's, or no longer waits for a transfer")]
    ClaimMismatch,
    /// The plan needs a subscription and the account has none.
    #[error("the plan needs a subscription, and the account has none")]
    SubscriptionMissing,
    /// The plan that was loaded is not the one to pay for, which is
    /// [`Subscription::next_plan`](crate::Subscription::next_plan); or it needs no subscription,
    /// and the account has one to another plan that has not ended.
    #[error("the plan is not the one that the next payment is for")]
    PlanMismatch,
    /// The subscription's status does not allow a payment.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The paid time cannot take the periods: it knows one of their keys with other contents, or is
    /// full.
    #[error(transparent)]
    PaidTime(#[from] RecordError),
    /// The rows that were loaded do not belong together, a version is exhausted, or a sum leaves
    /// its range.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl ConfirmError {
    /// Names the day of the transfer that was confirmed and may be the same.
    pub(super) fn similar(transfer: &BankTransfer, booked_on: NaiveDate) -> Self {
        Self::Similar {
            receiving_account: transfer.receiving_account().clone(),
            transaction: transfer.transaction().clone(),
            booked_on,
        }
    }

    /// Names the transfer that was confirmed before with other facts.
    pub(super) fn conflict(transfer: &BankTransfer) -> Self {
        Self::Conflict {
            receiving_account: transfer.receiving_account().clone(),
            transaction: transfer.transaction().clone(),
        }
    }
}

impl Explained for ConfirmError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::ComingSoon => Code::PaymentMethodComingSoon,
            Self::Conflict { .. } => Code::TransferConflict,
            Self::Similar { .. } => Code::TransferSimilar,
            Self::Currency { .. } | Self::DepositCurrency { .. } => Code::CurrencyMismatch,
            Self::Nothing => Code::TransferInvalid,
            Self::ClaimMismatch => Code::ClaimConflict,
            Self::SubscriptionMissing => Code::SubscriptionMissing,
            Self::PlanMismatch => Code::PlanMismatch,
            Self::Refused(refusal) => refusal.code(),
            Self::PaidTime(error) => error.code(),
            Self::Row(error) => error.code(),
        }
    }
}
