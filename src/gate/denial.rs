//! Why the gate refuses: exactly one reason, in the documented order, with a stable code.

use thiserror::Error;

use crate::account::SuspensionCause;
use crate::problem::{Code, Explained, Problem, Severity};
use crate::right::Privilege;

/// Why a presented credential was not accepted, as the host's authentication found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum CredentialFailure {
    /// Not in the form of any credential.
    #[error("it is malformed")]
    Malformed,
    /// The signature does not match.
    #[error("its signature does not match")]
    BadSignature,
    /// Its time has run out.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It was revoked.
    #[error("it was revoked")]
    Revoked,
    /// Nobody was ever given it, or its owner is gone.
    #[error("it is unknown")]
    Unknown,
}

impl CredentialFailure {
    /// An expired credential is daily business; everything else may be an attack.
    pub fn severity(self) -> Severity {
        if self == Self::Expired {
            Severity::Info
        } else {
            Severity::Warning
        }
    }
}

/// Why the gate refused. The variants stand in the order in which they are checked; the first that
/// fits is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Denial {
    /// 401: a credential was presented and failed.
    #[error("the credential was not accepted: {0}")]
    CredentialRejected(CredentialFailure),
    /// 401: none was presented.
    #[error("this needs a credential, and none was presented")]
    CredentialMissing,
    /// 403: the principal lacks the stored privilege; or, checked where the account's standing is,
    /// its account does.
    #[error("this needs the privilege {0}")]
    PrivilegeMissing(Privilege),
    /// 403: the principal belongs to no account, or its account was not found.
    #[error("the principal belongs to no account")]
    AccountMissing,
    /// 403: the account or the subscription that was loaded is another's.
    #[error("the account is another than the principal's")]
    AccountMismatch,
    /// 403: the account is suspended.
    #[error("the account is suspended: {}", explain_suspension(*.0))]
    AccountSuspended(SuspensionCause),
    /// 403: the account is closed.
    #[error("the account is closed")]
    AccountClosed,
    /// 403: the account's stored status is unknown.
    #[error("the account's stored status is not known")]
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
    /// 402: the plan needs a subscription and there is none.
    #[error("the plan needs a subscription, and the account has none")]
    SubscriptionMissing,
    /// 402: the subscription is for another plan.
    #[error("the subscription is for another plan than the account's")]
    PlanMismatch,
    /// 402: the first payment is not complete.
    #[error("the subscription's first payment is not complete")]
    SubscriptionIncomplete,
    /// 402: the first payment was not made in time.
    #[error("the subscription's first payment was not made in time")]
    SubscriptionIncompleteExpired,
    /// 402: unpaid.
    #[error("the subscription is unpaid")]
    SubscriptionUnpaid,
    /// 402: paused.
    #[error("the subscription is paused")]
    SubscriptionPaused,
    /// 402: canceled.
    #[error("the subscription is canceled")]
    SubscriptionCanceled,
    /// 402: the subscription's stored status is unknown.
    #[error("the subscription's stored status is not known")]
    SubscriptionStatusUnknown,
    /// 402: the trial has ended.
    #[error("the trial has ended")]
    TrialEnded,
    /// 402: the paid period has ended.
    #[error("the paid period has ended")]
    PeriodEnded,
    /// 402: a payment is past due, and there is no grace, or no grace for writing.
    #[error("a payment is past due")]
    PaymentPastDue,
    /// 403: the principal is bound to sites, and the site asked for is not among them, or not the
    /// account's.
    #[error("the site is not among those that this credential may reach")]
    SiteNotInAccount,
    /// 403: the principal is bound to sites, and asked for the whole account.
    #[error("this credential is bound to sites and cannot reach the whole account")]
    AccountWideForbidden,
    /// 403: the access was granted for a time that has run out.
    #[error("the access that was granted has run out")]
    AccessExpired,
    /// 403: the handler asked for another kind of access than its route was declared for.
    #[error("this address cannot be used in this way")]
    RouteMismatch,
    /// 403: an operator asked for something that they may not do for an account of their own.
    #[error("an operator cannot do this for an account of their own")]
    OwnAccount,
}

fn explain_suspension(cause: SuspensionCause) -> &'static str {
    match cause {
        SuspensionCause::PaymentOverdue => "a payment is overdue",
        SuspensionCause::Abuse => "it was used against the rules",
        SuspensionCause::Requested => "its owner asked for it",
    }
}

impl Denial {
    /// The stable code.
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

    /// The HTTP status: 401, 402 or 403.
    pub fn status(&self) -> u16 {
        self.code().status()
    }

    /// What to do next.
    pub fn remedy(&self) -> &'static str {
        self.code().remedy()
    }

    /// How loud the log should be.
    pub fn severity(&self) -> Severity {
        match self {
            Self::CredentialRejected(failure) => failure.severity(),
            Self::PrivilegeMissing(_)
            | Self::AccountMismatch
            | Self::SiteNotInAccount
            | Self::AccountWideForbidden
            | Self::OwnAccount => Severity::Warning,
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

    /// A 401 names the scheme, as RFC 9110 section 11.6.1 demands, with the error of RFC 6750
    /// section 3.1 where a credential failed.
    fn decorate(&self, problem: Problem) -> Problem {
        match self {
            Self::CredentialMissing => problem.with_header("WWW-Authenticate", "Bearer"),
            Self::CredentialRejected(_) => {
                problem.with_header("WWW-Authenticate", r#"Bearer error="invalid_token""#)
            }
            _ => problem,
        }
    }
}
