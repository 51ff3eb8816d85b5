//! The reasons for which the gate refuses, each with a stable code.

use thiserror::Error;

use super::evidence::CredentialFailure;
use crate::account::SuspensionCause;
use crate::problem::{Code, Explained, Problem, Severity};
use crate::right::Privilege;

/// The one reason for which the gate refused. The variants stand in the order in which they are
/// checked, and the first that fits is the answer.
///
/// ```
/// use bailiwick::Problem;
/// use bailiwick::account::SuspensionCause;
/// use bailiwick::gate::Denial;
///
/// let denial = Denial::AccountSuspended(SuspensionCause::PaymentOverdue);
/// assert_eq!(denial.status(), 403);
///
/// // A denial becomes a response body, whose remedy fits the cause.
/// let problem = Problem::from(denial);
/// assert_eq!(problem.detail(), "The account is suspended: a payment is overdue.");
/// assert_eq!(problem.remedy(), "Pay the overdue invoice on the billing page.");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Denial {
    /// 401: a credential was presented and failed.
    #[error("the credential was not accepted: {0}")]
    CredentialRejected(CredentialFailure),
    /// 401: no credential was presented.
    #[error("no credential was presented")]
    CredentialMissing,
    /// 403: the principal lacks the privilege that the route demands; or, checked after the
    /// account's status, its account lacks it.
    #[error("the privilege {0} is missing")]
    PrivilegeMissing(Privilege),
    /// 403: the principal belongs to no account, or its account was not found.
    #[error("the principal belongs to no account")]
    AccountMissing,
    /// 403: the account or the subscription that was loaded belongs to another account.
    #[error("the principal does not belong to this account")]
    AccountMismatch,
    /// 403: the account is suspended.
    #[error("the account is suspended: {}", explain_suspension(*.0))]
    AccountSuspended(SuspensionCause),
    /// 403: the account is closed.
    #[error("the account is closed")]
    AccountClosed,
    /// 403: the account's stored status is not one that this version knows.
    #[error("the account's stored status is unknown")]
    AccountStatusUnknown,
    /// 402: the account awaits its first payment.
    #[error("the account awaits its first payment")]
    PaymentPending,
    /// 402: the account has no plan.
    #[error("the account has no plan")]
    PlanMissing,
    /// 402: the plan is not active.
    #[error("the account's plan is not active")]
    PlanInactive,
    /// 402: the plan needs a subscription, and the account has none.
    #[error("the plan needs a subscription, and the account has none")]
    SubscriptionMissing,
    /// 402: the subscription is for another plan than the account's.
    #[error("the subscription is not for the account's plan")]
    PlanMismatch,
    /// 402: the subscription's first payment is not complete.
    #[error("the subscription's first payment is not complete")]
    SubscriptionIncomplete,
    /// 402: the subscription's first payment was not made in time.
    #[error("the subscription's first payment was not made in time")]
    SubscriptionIncompleteExpired,
    /// 402: the subscription is unpaid.
    #[error("the subscription is unpaid")]
    SubscriptionUnpaid,
    /// 402: the subscription is paused.
    #[error("the subscription is paused")]
    SubscriptionPaused,
    /// 402: the subscription is canceled.
    #[error("the subscription is canceled")]
    SubscriptionCanceled,
    /// 402: the subscription's stored status is not one that this version knows.
    #[error("the subscription's stored status is unknown")]
    SubscriptionStatusUnknown,
    /// 402: the trial has ended.
    #[error("the trial has ended")]
    TrialEnded,
    /// 402: the paid period has ended.
    #[error("the paid period has ended")]
    PeriodEnded,
    /// 402: a payment is past due, and the policy gives no grace, the grace period is over, or it
    /// is read-only and writing was asked for.
    #[error("a payment is past due")]
    PaymentPastDue,
    /// 403: the site does not belong to the account, or the principal is bound to other sites.
    #[error("this credential does not reach the site")]
    SiteNotInAccount,
    /// 403: the principal is bound to sites, and asked for the whole account.
    #[error("this credential is bound to sites, and cannot reach the whole account")]
    AccountWideForbidden,
    /// 403: the access was granted for a time that is over.
    #[error("the access that was granted has run out")]
    AccessExpired,
    /// 403: the handler asked for another kind of access than its route was declared for. This is a
    /// mistake in the host's code.
    #[error("this address cannot be used in this way")]
    RouteMismatch,
    /// 403: an operator asked for something that they may not do for their own account.
    #[error("an operator cannot do this for their own account")]
    OwnAccount,
}

/// Completes the sentence "the account is suspended: ...".
fn explain_suspension(cause: SuspensionCause) -> &'static str {
    match cause {
        SuspensionCause::PaymentOverdue => "a payment is overdue",
        SuspensionCause::Abuse => "it was used against the rules",
        SuspensionCause::Requested => "its owner asked for it",
    }
}

impl Denial {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::CredentialRejected(_) => Code::CredentialRejected,
            Self::CredentialMissing => Code::CredentialMissing,
            Self::PrivilegeMissing(_) => Code::PrivilegeMissing,
            Self::AccountMissing => Code::AccountMissing,
            Self::AccountMismatch => Code::AccountMismatch,
            Self::AccountSuspended(_) => Code::AccountSuspended,
            Self::AccountClosed => Code::AccountClosed,
            Self::AccountStatusUnknown => Code::AccountStatusUnknown,
            Self::PaymentPending => Code::PaymentPending,
            Self::PlanMissing => Code::PlanMissing,
            Self::PlanInactive => Code::PlanInactive,
            Self::SubscriptionMissing => Code::SubscriptionMissing,
            Self::PlanMismatch => Code::PlanMismatch,

            Self::SubscriptionIncomplete => Code::SubscriptionIncomplete,
            Self::SubscriptionIncompleteExpired => Code::SubscriptionIncompleteExpired,
            Self::SubscriptionUnpaid => Code::SubscriptionUnpaid,
            Self::SubscriptionPaused => Code::SubscriptionPaused,
            Self::SubscriptionCanceled => Code::SubscriptionCanceled,
            Self::SubscriptionStatusUnknown => Code::SubscriptionStatusUnknown,
            Self::TrialEnded => Code::TrialEnded,
            Self::PeriodEnded => Code::PeriodEnded,
            Self::PaymentPastDue => Code::PaymentPastDue,

            Self::SiteNotInAccount => Code::SiteNotInAccount,
            Self::AccountWideForbidden => Code::AccountWideForbidden,
            Self::AccessExpired => Code::AccessExpired,
            Self::RouteMismatch => Code::RouteMismatch,
            Self::OwnAccount => Code::OwnAccount,
        }
    }

    /// Returns the HTTP status: 401, 402 or 403.
    pub fn status(&self) -> u16 {
        self.code().status()
    }

    /// Returns the next step for the person who was refused. For a suspension it depends on the
    /// cause; otherwise it is the code's.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::AccountSuspended(SuspensionCause::PaymentOverdue) => {
                "Pay the overdue invoice on the billing page."
            }
            Self::AccountSuspended(SuspensionCause::Requested) => {
                "Ask support to lift the suspension."
            }
            // A suspension for abuse has the code's: to contact support.
            _ => self.code().remedy(),
        }
    }

    /// Returns how loud the log should be.
    pub fn severity(&self) -> Severity {
        match self {
            Self::CredentialRejected(failure) => failure.severity(),
            // Each of these may be an attempt to reach what belongs to others.
            Self::PrivilegeMissing(_)
            | Self::AccountMismatch
            | Self::SiteNotInAccount
            | Self::AccountWideForbidden
            | Self::OwnAccount => Severity::Warning,
            // The host's own data or code is at fault.
            Self::AccountStatusUnknown | Self::SubscriptionStatusUnknown | Self::RouteMismatch => {
                Severity::Error
            }
            _ => Severity::Info,
        }
    }
}

impl Explained for Denial {
    fn code(&self) -> Code {
        self.code()
    }

    /// Adds the remedy, and to a 401 the scheme, as RFC 9110 section 11.6.1 demands, with the error
    /// of RFC 6750 section 3.1 where a credential failed.
    fn decorate(&self, problem: Problem) -> Problem {
        let problem = problem.with_remedy(self.remedy());

        match self {
            Self::CredentialMissing => problem.with_header("WWW-Authenticate", "Bearer"),
            Self::CredentialRejected(_) => {
                problem.with_header("WWW-Authenticate", r#"Bearer error="invalid_token""#)
            }
            _ => problem,
        }
    }
}
