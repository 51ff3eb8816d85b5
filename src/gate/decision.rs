//! The gate's answer about a whole request.

use chrono::{DateTime, Utc};

use super::access::{Access, BillingAccess, Operator, WriteAccess};
use super::deadline::Deadline;
use super::denial::Denial;
use super::evidence::CredentialFailure;
use super::principal::Principal;
use crate::problem::Severity;

/// The proof that a request was admitted, by the kind of its route.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one request, on the stack; boxing would allocate"
)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a closed domain: one for each kind of route"
)]
pub enum Admission {
    /// A public route. Holds the principal if a valid credential was presented.
    Public(Option<Principal>),
    /// An authenticated route.
    Authenticated(Principal),
    /// A tenant's route. On a write route, the access is known to be writable.
    Tenant(Access),
    /// A billing route.
    Billing(BillingAccess),
    /// An operator's route.
    Operator(Operator),
}

impl Admission {
    /// Returns the access to the tenant's rows.
    ///
    /// # Errors
    /// [`Denial::RouteMismatch`] if the route was declared for something else.
    pub fn into_access(self) -> Result<Access, Denial> {
        if let Self::Tenant(access) = self {
            Ok(access)
        } else {
            Err(Denial::RouteMismatch)
        }
    }

    /// Returns the access that may write the tenant's rows.
    ///
    /// # Errors
    /// In this order: [`Denial::RouteMismatch`] if the route was declared for something else,
    /// [`Denial::PaymentPastDue`] if the access may only read.
    pub fn into_write(self) -> Result<WriteAccess, Denial> {
        self.into_access()?.into_write()
    }

    /// Returns the access to billing.
    ///
    /// # Errors
    /// [`Denial::RouteMismatch`] if the route was declared for something else.
    pub fn into_billing(self) -> Result<BillingAccess, Denial> {
        if let Self::Billing(access) = self {
            Ok(access)
        } else {
            Err(Denial::RouteMismatch)
        }
    }

    /// Returns the operator.
    ///
    /// # Errors
    /// [`Denial::RouteMismatch`] if the route was declared for something else.
    pub fn into_operator(self) -> Result<Operator, Denial> {
        if let Self::Operator(operator) = self {
            Ok(operator)
        } else {
            Err(Denial::RouteMismatch)
        }
    }
}

/// The gate's answer about a whole request, with the facts that a log and a cache need about it.
///
/// ```
/// use bailiwick::problem::Severity;
/// use bailiwick::{Evidence, Route, admit};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let now = "2026-01-01T00:00:00Z".parse()?;
///     let decision = admit(Route::TenantRead, &Evidence::Nothing, None, now);
///
///     assert_eq!((decision.label(), decision.severity()), ("credential_missing", Severity::Info));
///     assert_eq!(decision.valid_until(), None, "no passage of time changes this answer");
///     assert!(decision.into_result().is_err());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct GateDecision {
    pub(super) result: Result<Admission, TimedDenial>,
    pub(super) failure: Option<CredentialFailure>,
}

/// A denial, and the end of the time for which it is the answer.
#[derive(Clone, Debug)]
pub(super) struct TimedDenial {
    pub(super) denial: Denial,
    pub(super) until: Option<Deadline>,
}

/// Almost every denial stays the answer until other facts are loaded, however much time passes.
impl From<Denial> for TimedDenial {
    fn from(denial: Denial) -> Self {
        Self {
            denial,
            until: None,
        }
    }
}

impl GateDecision {
    /// Returns the admission, or the one denial.
    pub fn into_result(self) -> Result<Admission, Denial> {
        self.result.map_err(|refusal| refusal.denial)
    }

    /// Returns the denial, if the request was refused.
    pub fn denial(&self) -> Option<&Denial> {
        self.result.as_ref().err().map(|refusal| &refusal.denial)
    }

    /// Returns a label for logs and counters: `admitted`, or the denial's code. A counter by this
    /// label and by [`Route::label`](super::Route::label) stays small, however many tenants there
    /// are.
    pub fn label(&self) -> &'static str {
        self.denial()
            .map_or("admitted", |denial| denial.code().as_str())
    }

    /// Returns why the credential failed, if one was presented and failed. This includes public
    /// routes, where the request passes as anonymous all the same.
    pub fn credential_failure(&self) -> Option<CredentialFailure> {
        self.failure
    }

    /// Returns how loud the log should be: the higher of the denial's severity and that of the
    /// credential's failure.
    pub fn severity(&self) -> Severity {
        let failure = self
            .failure
            .map_or(Severity::Info, CredentialFailure::severity);

        self.denial()
            .map_or(Severity::Info, Denial::severity)
            .max(failure)
    }

    /// Returns the earliest instant at which the same facts may give another answer; `None` if only
    /// other facts can change it.
    pub fn valid_until(&self) -> Option<DateTime<Utc>> {
        match &self.result {
            Ok(Admission::Tenant(access)) => access.valid_until(),
            Ok(_) => None,
            Err(refusal) => refusal.until.map(Deadline::instant),
        }
    }
}
