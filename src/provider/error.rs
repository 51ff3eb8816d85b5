//! The reasons why a provider's report changes nothing.

use thiserror::Error;

use crate::change::RowError;
use crate::paid_time::RecordError;
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
    /// count. The host ends it there.
    #[error("the subscription is paid by {0} now")]
    OtherMethod(PaymentMethod),
    /// The rows that were loaded do not belong together, or not to the report: it is about a former
    /// subscription, or one that is not the host's.
    #[error("the report is about another subscription than the one that was loaded")]
    Mismatch,
    /// The host knows a plan of none of the subscription's prices.
    #[error("no plan is known for any of the subscription's prices: {}", .prices.join(", "))]
    PriceUnknown {
        /// The provider's names of the prices.
        prices: Vec<String>,
    },
    /// The end of service is refused as a fact of paid time.
    #[error(transparent)]
    PaidTime(#[from] RecordError),
    /// The rows that were loaded cannot take part.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl AdoptError {
    /// Returns whether the same report would be refused again: the host answers the webhook with
    /// success and logs the error. If it is false, the host answers with a failure, so that the
    /// provider sends the report again: the provider may be enabled, or the row corrected, by then.
    pub fn is_final(&self) -> bool {
        match self {
            Self::OtherMethod(_) | Self::Mismatch | Self::PriceUnknown { .. } => true,
            Self::ComingSoon(_) | Self::Row(_) => false,
            Self::PaidTime(error) => is_final(error),
        }
    }
}

impl Explained for AdoptError {
    fn code(&self) -> Code {
        match self {
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::OtherMethod(_) | Self::Mismatch => Code::ProviderMismatch,
            Self::PriceUnknown { .. } => Code::PaymentUnplaced,
            Self::PaidTime(error) => error.code(),
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
    /// A line is refused as a fact of paid time.
    #[error(transparent)]
    PaidTime(#[from] RecordError),
    /// The rows that were loaded cannot take part, or a sum leaves its range.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl PaymentError {
    /// Returns whether the same report would be refused again: see [`AdoptError::is_final`].
    pub fn is_final(&self) -> bool {
        match self {
            Self::Conflict(_) => true,
            Self::Foreign(error) => error.is_final(),
            Self::ComingSoon(_) | Self::Row(_) => false,
            Self::PaidTime(error) => is_final(error),
        }
    }
}

impl Explained for PaymentError {
    fn code(&self) -> Code {
        match self {
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::Foreign(error) => error.code(),
            Self::Conflict(_) => Code::PaymentConflict,
            Self::PaidTime(error) => error.code(),
            Self::Row(error) => error.code(),
        }
    }
}

/// The reason why the undoing of a payment is not recorded. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UndoneError {
    /// The rows that were loaded do not belong together, or not to the report. It may name no
    /// invoice yet.
    #[error("the report is about another payment than the one that was loaded")]
    Mismatch,
    /// A fact of paid time is refused.
    #[error(transparent)]
    PaidTime(#[from] RecordError),
    /// The rows that were loaded cannot take part.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl UndoneError {
    /// Returns whether the same report would be refused again: see [`AdoptError::is_final`].
    pub fn is_final(&self) -> bool {
        match self {
            Self::Mismatch => true,
            Self::Row(_) => false,
            Self::PaidTime(error) => is_final(error),
        }
    }
}

impl Explained for UndoneError {
    fn code(&self) -> Code {
        match self {
            Self::Mismatch => Code::ProviderMismatch,
            Self::PaidTime(error) => error.code(),
            Self::Row(error) => error.code(),
        }
    }
}

/// Returns whether a fact of paid time would be refused again.
fn is_final(error: &RecordError) -> bool {
    !matches!(error, RecordError::Row(_))
}
