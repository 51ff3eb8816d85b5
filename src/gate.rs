//! The gate: who may act. Facts in, one explained answer out; the decision depends on the tenant
//! and the time, never on the kind of credential.

mod access;
mod deadline;
mod denial;
mod job;
mod principal;
#[cfg(feature = "tracing")]
mod trace;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::account::{AccountStatus, SuspensionCause};
use crate::plan::Plan;
use crate::policy::{GraceMode, Policy};
use crate::problem::Severity;
use crate::right::Privilege;
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::tenant::Tenant;

#[cfg(feature = "sql")]
pub(crate) use access::Reach;
pub use access::{Access, BillingAccess, Operator, WriteAccess};
use deadline::Deadline;
pub use denial::{CredentialFailure, Denial};
pub use job::JobTenant;
pub use principal::{Credential, Principal};

/// What a route demands, declared where the route is declared, never guessed from its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// Open to everyone.
    Public,
    /// A valid credential, and nothing of the tenant.
    Authenticated,
    /// Reads the tenant's rows.
    TenantRead,
    /// Writes the tenant's rows.
    TenantWrite,
    /// Pays: open to a tenant who owes.
    Billing,
    /// Operates the service itself, under a privilege.
    Operator(Privilege),
}

impl Route {
    /// A label for logs and counters: a word of a fixed few.
    pub fn label(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Authenticated => "authenticated",
            Self::TenantRead => "tenant_read",
            Self::TenantWrite => "tenant_write",
            Self::Billing => "billing",
            Self::Operator(_) => "operator",
        }
    }
}

/// What a request presented for a credential, as the host's authentication found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// No credential at all.
    Nothing,
    /// A credential that failed, and why. It is never taken for anonymous.
    Failed(CredentialFailure),
    /// A valid credential.
    Verified(Principal),
}

/// What the gate admitted a request to.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one request, on the stack; boxing would allocate"
)]
pub enum Admission {
    /// A public route; the principal, if a valid credential was presented.
    Public(Option<Principal>),
    /// An authenticated route.
    Authenticated(Principal),
    /// A tenant's route. On a write route its access is known to be writable.
    Tenant(Access),
    /// A billing route.
    Billing(BillingAccess),
    /// An operator's route.
    Operator(Operator),
}

impl Admission {
    /// The access to the tenant's rows, or `RouteMismatch` where the route was declared for
    /// something else.
    pub fn into_access(self) -> Result<Access, Denial> {
        if let Self::Tenant(access) = self {
            Ok(access)
        } else {
            Err(Denial::RouteMismatch)
        }
    }

    /// The access that may write. `RouteMismatch` where the route was declared for something else,
    /// `PaymentPastDue` where it may only read.
    pub fn into_write(self) -> Result<WriteAccess, Denial> {
        self.into_access()?.into_write()
    }

    /// The access to billing, or `RouteMismatch` where the route was declared for something else.
    pub fn into_billing(self) -> Result<BillingAccess, Denial> {
        if let Self::Billing(access) = self {
            Ok(access)
        } else {
            Err(Denial::RouteMismatch)
        }
    }

    /// The operator, or `RouteMismatch` where the route was declared for something else.
    pub fn into_operator(self) -> Result<Operator, Denial> {
        if let Self::Operator(operator) = self {
            Ok(operator)
        } else {
            Err(Denial::RouteMismatch)
        }
    }
}

/// The gate's answer about a whole request, with what a log and a cache want to know of it.
#[derive(Clone, Debug)]
#[must_use]
pub struct GateDecision {
    result: Result<Admission, TimedDenial>,
    failure: Option<CredentialFailure>,
}

/// A denial, and until when it is this one.
#[derive(Clone, Debug)]
struct TimedDenial {
    denial: Denial,
    until: Option<Deadline>,
}

/// Almost every denial stays as it is until other facts are loaded, however much time passes.
impl From<Denial> for TimedDenial {
    fn from(denial: Denial) -> Self {
        Self {
            denial,
            until: None,
        }
    }
}

impl GateDecision {
    /// The admission, or the one denial.
    pub fn into_result(self) -> Result<Admission, Denial> {
        self.result.map_err(|refusal| refusal.denial)
    }

    /// The denial, if it is one.
    pub fn denial(&self) -> Option<&Denial> {
        self.result.as_ref().err().map(|refusal| &refusal.denial)
    }

    /// A label for logs and counters: `admitted`, or the denial's code. A counter by this and by
    /// [`Route::label`] stays small, however many tenants there are.
    pub fn label(&self) -> &'static str {
        self.denial()
            .map_or("admitted", |denial| denial.code().as_str())
    }

    /// A credential that failed, on a public route too, where the request passes as anonymous all
    /// the same.
    pub fn credential_failure(&self) -> Option<CredentialFailure> {
        self.failure
    }

    /// How loud the log should be.
    pub fn severity(&self) -> Severity {
        let failure = self
            .failure
            .map_or(Severity::Info, CredentialFailure::severity);
        self.denial()
            .map_or(Severity::Info, Denial::severity)
            .max(failure)
    }

    /// The earliest instant at which the same facts may give another answer; `None` if only other
    /// facts can change it.
    pub fn valid_until(&self) -> Option<DateTime<Utc>> {
        match &self.result {
            Ok(Admission::Tenant(access)) => access.valid_until(),
            Ok(_) => None,
            Err(refusal) => refusal.until.map(Deadline::instant),
        }
    }
}

/// Whether a principal may act for a tenant at `now`, under the default policy: see
/// [`Policy::validate_account_and_plan`].
pub fn validate_account_and_plan(
    principal: &Principal,
    tenant: Option<&Tenant>,
    now: DateTime<Utc>,
) -> Result<Access, Denial> {
    Policy::default().validate_account_and_plan(principal, tenant, now)
}

/// Decides about a whole request under the default policy: see [`Policy::admit`].
pub fn admit(
    route: Route,
    evidence: &Evidence,
    tenant: Option<&Tenant>,
    now: DateTime<Utc>,
) -> GateDecision {
    Policy::default().admit(route, evidence, tenant, now)
}

impl Policy {
    /// Whether a principal may act for a tenant at `now`: an [`Access`], or exactly one [`Denial`],
    /// the first that fits in the order of [`Denial`]'s variants. Total: whatever is missing,
    /// foreign or unknown is a denial. A host that keeps denials as well asks
    /// [`admit`](Self::admit), whose decision says until when.
    pub fn validate_account_and_plan(
        &self,
        principal: &Principal,
        tenant: Option<&Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Access, Denial> {
        let standing = self
            .check_tenant(principal, tenant, now)
            .map_err(|refusal| refusal.denial)?;
        Ok(Access::grant(principal, standing, self.credit))
    }

    /// Decides about a whole request: what its route demands, what it presented, whose rows it is
    /// about, and when.
    ///
    /// ```
    /// use bailiwick::{Evidence, Route, admit};
    /// let decision = admit(Route::TenantRead, &Evidence::Nothing, None, "2026-01-01T00:00:00Z".parse()?);
    /// assert_eq!(decision.label(), "credential_missing");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn admit(
        &self,
        route: Route,
        evidence: &Evidence,
        tenant: Option<&Tenant>,
        now: DateTime<Utc>,
    ) -> GateDecision {
        let failure = if let Evidence::Failed(failure) = evidence {
            Some(*failure)
        } else {
            None
        };
        GateDecision {
            result: self.decide(route, evidence, tenant, now),
            failure,
        }
    }

    fn decide(
        &self,
        route: Route,
        evidence: &Evidence,
        tenant: Option<&Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Admission, TimedDenial> {
        let principal = match (route, evidence) {
            (Route::Public, Evidence::Verified(principal)) => {
                return Ok(Admission::Public(Some(principal.clone())));
            }
            (Route::Public, _) => return Ok(Admission::Public(None)),
            (_, Evidence::Failed(failure)) => {
                return Err(Denial::CredentialRejected(*failure).into());
            }
            (_, Evidence::Nothing) => return Err(Denial::CredentialMissing.into()),
            (_, Evidence::Verified(principal)) => principal,
        };
        match route {
            Route::Public | Route::Authenticated => Ok(Admission::Authenticated(principal.clone())),
            Route::TenantRead | Route::TenantWrite => {
                let standing = self.check_tenant(principal, tenant, now)?;
                if route == Route::TenantWrite && !standing.writable {
                    return Err(Denial::PaymentPastDue.into());
                }
                Ok(Admission::Tenant(Access::grant(
                    principal,
                    standing,
                    self.credit,
                )))
            }
            Route::Billing => {
                let tenant = own_tenant(principal, tenant)?;
                match tenant.account.status {
                    // Who owes must be able to pay.
                    AccountStatus::Suspended(SuspensionCause::PaymentOverdue) => {}
                    status => check_standing(status)?,
                }
                if principal.sites().is_some() {
                    return Err(Denial::AccountWideForbidden.into());
                }
                Ok(Admission::Billing(BillingAccess::grant(
                    principal,
                    &tenant.account,
                )))
            }
            Route::Operator(privilege) => {
                if !principal.privileges().contains(privilege) {
                    return Err(Denial::PrivilegeMissing(privilege).into());
                }
                let tenant = own_tenant(principal, tenant)?;
                check_standing(tenant.account.status)?;
                if !tenant.account.privileges.contains(privilege) {
                    return Err(Denial::PrivilegeMissing(privilege).into());
                }
                // Who cannot reach all of their own account does not operate on all the others.
                if principal.sites().is_some() {
                    return Err(Denial::AccountWideForbidden.into());
                }
                Ok(Admission::Operator(Operator::grant(
                    principal,
                    &tenant.account,
                    privilege,
                )))
            }
        }
    }

    // Inlined, here and below, so that the access is made in its place: copying the parts of it
    // costs as much as deciding.
    #[inline(always)]
    fn check_tenant<'a>(
        &self,
        principal: &Principal,
        tenant: Option<&'a Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Standing<'a>, TimedDenial> {
        let tenant = own_tenant(principal, tenant)?;
        check_standing(tenant.account.status)?;
        if tenant.account.status == AccountStatus::PendingPayment {
            return Err(Denial::PaymentPending.into());
        }
        let plan = tenant.plan.as_ref().ok_or(Denial::PlanMissing)?;
        if !plan.active {
            return Err(Denial::PlanInactive.into());
        }
        let standing = self.check_subscription(tenant, plan, now)?;
        if principal
            .sites()
            .is_some_and(|bound| !bound.iter().any(|site| tenant.sites.contains(site)))
        {
            // What was paid for runs out all the same, and is the reason from then on.
            return Err(TimedDenial {
                denial: Denial::SiteNotInAccount,
                until: standing.until,
            });
        }
        Ok(standing)
    }

    #[inline(always)]
    fn check_subscription<'a>(
        &self,
        tenant: &'a Tenant,
        plan: &'a Arc<Plan>,
        now: DateTime<Utc>,
    ) -> Result<Standing<'a>, Denial> {
        if !plan.needs_subscription {
            return Ok(Standing {
                tenant,
                plan,
                writable: true,
                until: None,
            });
        }
        let subscription = tenant
            .subscription
            .as_ref()
            .ok_or(Denial::SubscriptionMissing)?;
        // Else the payment for a cheap plan would open a dear one.
        if subscription.plan != plan.id {
            return Err(Denial::PlanMismatch);
        }
        let (until, mode, ended) = match subscription.status {
            SubscriptionStatus::Trialing => {
                let until = subscription
                    .trial_end
                    .map(|end| Deadline::new(end, TimeDelta::zero()));
                (until, GraceMode::Full, Denial::TrialEnded)
            }
            SubscriptionStatus::Active => (
                self.paid_until(subscription),
                GraceMode::Full,
                Denial::PeriodEnded,
            ),
            SubscriptionStatus::PastDue => {
                let grace = self.past_due_grace.zip(subscription.past_due_since);
                let until = grace.map(|((length, _), since)| Deadline::new(since, length));
                let mode = self
                    .past_due_grace
                    .map_or(GraceMode::ReadOnly, |(_, mode)| mode);
                (until, mode, Denial::PaymentPastDue)
            }
            SubscriptionStatus::Incomplete => return Err(Denial::SubscriptionIncomplete),
            SubscriptionStatus::IncompleteExpired => {
                return Err(Denial::SubscriptionIncompleteExpired);
            }
            SubscriptionStatus::Unpaid => return Err(Denial::SubscriptionUnpaid),
            SubscriptionStatus::Paused => return Err(Denial::SubscriptionPaused),
            SubscriptionStatus::Canceled => return Err(Denial::SubscriptionCanceled),
            SubscriptionStatus::Unknown => return Err(Denial::SubscriptionStatusUnknown),
        };
        match until {
            Some(until) if until.is_ahead(now) => Ok(Standing {
                tenant,
                plan,
                writable: mode == GraceMode::Full,
                until: Some(until),
            }),
            _ => Err(ended),
        }
    }

    /// The end of the paid period, with the slack for a renewal that is on its way. What ends, ends
    /// exactly there.
    fn paid_until(&self, subscription: &Subscription) -> Option<Deadline> {
        let slack = if subscription.cancel_at_period_end {
            TimeDelta::zero()
        } else {
            self.renewal_slack
        };
        subscription
            .current_period
            .map(|period| Deadline::new(period.end, slack))
    }
}

/// What a tenant that passed is entitled to, and until when.
struct Standing<'a> {
    tenant: &'a Tenant,
    plan: &'a Arc<Plan>,
    writable: bool,
    until: Option<Deadline>,
}

/// The principal's own tenant. Rows of two accounts in one tenant were loaded by mistake, so none
/// of them is believed.
fn own_tenant<'a>(principal: &Principal, tenant: Option<&'a Tenant>) -> Result<&'a Tenant, Denial> {
    let own = principal.account_id().ok_or(Denial::AccountMissing)?;
    let tenant = tenant.ok_or(Denial::AccountMissing)?;
    if tenant.account.id != *own || tenant.mixes_accounts() {
        Err(Denial::AccountMismatch)
    } else {
        Ok(tenant)
    }
}

fn check_standing(status: AccountStatus) -> Result<(), Denial> {
    match status {
        AccountStatus::Active | AccountStatus::PendingPayment => Ok(()),
        AccountStatus::Suspended(cause) => Err(Denial::AccountSuspended(cause)),
        AccountStatus::Closed => Err(Denial::AccountClosed),
        AccountStatus::Unknown => Err(Denial::AccountStatusUnknown),
    }
}
