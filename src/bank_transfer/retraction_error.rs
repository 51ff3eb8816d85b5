//! The reasons why a transfer is not retracted.

use thiserror::Error;

use crate::change::RowError;
use crate::gate::Denial;
use crate::money::Money;
use crate::paid_time::RecordError;
use crate::problem::{Code, Explained};

/// The reason why a transfer is not retracted. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RetractionError {
    /// The operator lacks the privilege, or belongs to the account.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// A part of the transfer was refunded, so it did arrive: refund the rest.
    #[error("{refunded} of the transfer was refunded, so it did arrive: refund the rest instead")]
    Refunded {
        /// The sum of all refunds.
        refunded: Money,
    },
    /// The record is of before there were retractions, and does not tell how the account's rows
    /// were: refund it, or cancel the subscription.
    #[error("the record does not tell how the account's rows were before: refund it instead")]
    NotKept,
    /// Time was paid on top of what the transfer had paid: retract or refund that first.
    #[error("later payments have paid for time on top of it: retract or refund those first")]
    LaterPaid,
    /// What was left of the transfer as a deposit was used since: retract or refund what it paid
    /// for first.
    #[error(
        "the account's deposit is {deposit}, and what was left of the transfer was used since: retract or refund that first"
    )]
    DepositUsed {
        /// The account's deposit.
        deposit: Money,
    },
    /// The account's deposit is in another currency than the transfer.
    #[error(
        "the currencies differ: the account's deposit is {deposit}, and the transfer was {amount}"
    )]
    DepositCurrency {
        /// The account's deposit.
        deposit: Money,
        /// The amount of the transfer.
        amount: Money,
    },
    /// The paid time cannot take the retraction: it knows its key with other contents, or is full.
    #[error(transparent)]
    PaidTime(#[from] RecordError),
    /// The rows that were loaded do not belong together, a version is exhausted, or a sum leaves
    /// its range.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for RetractionError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Refunded { .. } | Self::NotKept | Self::LaterPaid | Self::DepositUsed { .. } => {
                Code::RetractionRefused
            }
            Self::DepositCurrency { .. } => Code::CurrencyMismatch,
            Self::PaidTime(error) => error.code(),
            Self::Row(error) => error.code(),
        }
    }
}
