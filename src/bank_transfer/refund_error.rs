//! The reasons why a refund is not recorded.

use thiserror::Error;

use crate::change::RowError;
use crate::gate::Denial;
use crate::money::Money;
use crate::paid_time::RecordError;
use crate::problem::{Code, Explained};
use crate::subscription::Refusal;

/// The reason why a refund is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransferRefundError {
    /// The operator lacks the privilege, or belongs to the account.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The transfer was retracted: it never was, so there is nothing to send back.
    #[error("the transfer was retracted, so there is nothing of it to refund")]
    Retracted,
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
    /// Nothing tells which period this money paid for: it was a part of a price, paid from the
    /// deposit, or paid before there was paid time. Refund the transfer that completed the price, or keep the service and cancel the
    /// subscription by a command.
    #[error(
        "nothing tells which period this money paid for: refund the transfer that completed the price, or keep the service and cancel the subscription"
    )]
    Unattributed,
    /// The subscription's own data refuse to end it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The paid time cannot take the refund: it knows its key with other contents, or is full.
    #[error(transparent)]
    PaidTime(#[from] RecordError),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for TransferRefundError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Currency { .. } => Code::CurrencyMismatch,
            Self::Retracted
            | Self::ExceedsTransfer { .. }
            | Self::BelowRefunded { .. }
            | Self::LaterPaid
            | Self::Unattributed => Code::RefundInvalid,
            Self::Refused(refusal) => refusal.code(),
            Self::PaidTime(error) => error.code(),
            Self::Row(error) => error.code(),
        }
    }
}
