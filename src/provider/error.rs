//! The reasons why a provider's report changes nothing.

use thiserror::Error;

use crate::change::RowError;
use crate::payment_method::PaymentMethod;
use crate::problem::{Code, Explained};

/// The reason why a snapshot is not adopted. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The provider is not enabled.
    #[error("payment by {0} is coming soon")]
    ComingSoon(PaymentMethod),
    /// The subscription is paid in another way now, so the reports of its former provider no longer
    /// count. The host ends it there, and answers the webhook with success: a report that is
    /// refused is sent again for days.
    #[error("the subscription is paid by {0} now")]
    OtherMethod(PaymentMethod),
    /// The rows that were loaded do not belong together, or not to the report.
    #[error("the report is about another subscription than the one that was loaded")]
    Mismatch,
    /// A version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for AdoptError {
    fn code(&self) -> Code {
        match self {
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::OtherMethod(_) | Self::Mismatch => Code::ProviderMismatch,
            Self::Row(error) => error.code(),
        }
    }
}

/// The reason why a payment is not recorded. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PaymentError {
    /// The provider is not enabled.
    #[error("payment by {0} is coming soon")]
    ComingSoon(PaymentMethod),
    /// The payment is for another subscription.
    #[error(transparent)]
    Foreign(#[from] AdoptError),
    /// The same invoice was recorded with other facts.
    #[error("the invoice {0} was recorded before with other facts")]
    Conflict(String),
    /// The provider does not name what was paid for, and the amount is not the present plan's
    /// price. It may be the price of another plan, whose report is on its way: ask again once that
    /// is adopted.
    #[error(
        "the amount is not the price of the present plan: fetch the subscription first, then send the payment again"
    )]
    PlanUnknown,
    /// The subscription's present plan is another than the one that was loaded.
    #[error("the present plan that was loaded is not the subscription's")]
    PlanMismatch,
    /// A version is exhausted, or a sum or a date leaves its range.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for PaymentError {
    fn code(&self) -> Code {
        match self {
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::Foreign(error) => error.code(),
            Self::Conflict(_) => Code::PaymentConflict,
            Self::PlanUnknown => Code::PaymentUnplaced,
            Self::PlanMismatch => Code::PlanMismatch,
            Self::Row(error) => error.code(),
        }
    }
}
