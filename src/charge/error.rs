//! The reasons why a charge is not opened, a plan not changed, or a charge not voided; and why money
//! does not pay a charge.

use std::fmt;

use thiserror::Error;

use crate::change::RowError;
use crate::gate::Denial;
use crate::id::ChargeId;
use crate::money::Money;
use crate::paid_time::RecordError;
use crate::problem::{Code, Explained};
use crate::subscription::{ProrationError, Refusal, RefusalReason};

/// The most characters of the reason for which a charge is voided.
pub(super) const MAX_REASON: usize = 500;

/// The reason why a charge is not opened. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChargeError {
    /// The identifier was used for a charge with other facts.
    #[error("the charge {0} was opened before with other facts")]
    Conflict(ChargeId),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The plan is the subscription's already.
    #[error("the subscription is for this plan already")]
    AlreadySo,
    /// A provider runs the subscription, and charges for it there.
    #[error("a payment provider runs the subscription: it is changed and paid there")]
    RunByProvider,
    /// The plan is inactive.
    #[error("the plan is not offered")]
    PlanInactive,
    /// The plan to pay for is not the subscription's next one.
    #[error("the subscription's next period is for another plan")]
    PlanMismatch,
    /// The change of plan has no price.
    #[error(transparent)]
    Unpriced(#[from] ProrationError),
    /// Nothing is to be paid: the change is one to a smaller plan, or the plan has no price.
    #[error("nothing is to be paid for this")]
    NothingDue,
    /// The pack has no price, no credits or no sound name.
    #[error(
        "a pack of credits must have a price, credits, and a name of 1 to 200 characters without control characters"
    )]
    PackInvalid,
    /// The subscription refuses what the charge would pay for.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Explained for ChargeError {
    fn code(&self) -> Code {
        match self {
            Self::Conflict(_) => Code::ChargeConflict,
            Self::Row(error) => error.code(),
            Self::AlreadySo | Self::RunByProvider | Self::NothingDue => Code::ChargeRefused,
            Self::PlanInactive => Code::PlanInactive,
            Self::PlanMismatch => Code::PlanMismatch,
            Self::Unpriced(error) => error.code(),
            Self::PackInvalid => Code::InputInvalid,
            Self::Refused(refusal) => refusal.code(),
        }
    }
}

/// The reason why a plan is not changed to a smaller one at once. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DowngradeError {
    /// The rows, the plans or the subscription refuse the change.
    #[error(transparent)]
    Charge(#[from] ChargeError),
    /// The new plan costs more for the time that is left: that is an upgrade.
    #[error("{0} is due for this plan: open a charge for it")]
    SomethingDue(Money),
    /// The change cannot be recorded as paid time.
    #[error(transparent)]
    PaidTime(#[from] RecordError),
}

impl From<RowError> for DowngradeError {
    fn from(error: RowError) -> Self {
        Self::Charge(error.into())
    }
}

impl Explained for DowngradeError {
    fn code(&self) -> Code {
        match self {
            Self::Charge(error) => error.code(),
            Self::SomethingDue(_) => Code::ChargeRefused,
            Self::PaidTime(error) => error.code(),
        }
    }
}

/// The reason why a charge is not voided. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VoidError {
    /// The operator lacks the privilege, or belongs to the account.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The charge was paid.
    #[error("the charge is paid")]
    Paid,
    /// The plan that the charge is for serves already, so only an operator can void it.
    #[error("the plan that the charge is for serves already: only an operator can void it")]
    Applied,
    /// The reason is empty or too long.
    #[error("the reason for which a charge is voided must have 1 to {MAX_REASON} characters")]
    Reason,
    /// The charge is another account's, or its version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for VoidError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Paid | Self::Applied => Code::ChargeConflict,
            Self::Reason => Code::InputInvalid,
            Self::Row(error) => error.code(),
        }
    }
}

/// The reason why money does not pay a charge. The money is kept as the account's deposit, and
/// nothing else changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotPayable {
    /// The charge was paid before.
    Paid,
    /// The charge was voided.
    Void,
    /// The money was received when the charge was no longer valid.
    Expired,
    /// The money is less than the charge, or in another currency.
    Short,
    /// The subscription, its plan or its paid time is no longer what the charge was quoted for.
    Changed,
    /// The subscription refuses the payment.
    Refused(RefusalReason),
}

impl NotPayable {
    /// Returns a short label, which never changes.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Expired => "expired",
            Self::Short => "short",
            Self::Changed => "changed",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for NotPayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paid => f.write_str("the charge was paid before"),
            Self::Void => f.write_str("the charge is void"),
            Self::Expired => f.write_str("the money came when the charge was no longer valid"),
            Self::Short => f.write_str("the money is less than the charge, or in another currency"),
            Self::Changed => {
                f.write_str("the subscription is no longer what the charge was quoted for")
            }
            Self::Refused(reason) => write!(f, "the subscription refuses the payment: {reason}"),
        }
    }
}
