//! The checks, in their documented order.

use chrono::{DateTime, Utc};

use super::access::{Access, BillingAccess, Operator};
use super::deadline::Deadline;
use super::decision::{Admission, GateDecision, TimedDenial};
use super::denial::Denial;
use super::evidence::Evidence;
use super::principal::Principal;
use super::route::Route;
use super::standing::Standing;
use crate::account::{AccountStatus, SuspensionCause};
use crate::policy::Policy;
use crate::right::Privilege;
use crate::tenant::Tenant;

/// Decides whether a principal may act for a tenant at `now`, under the default policy: see
/// [`Policy::validate_account_and_plan`].
///
/// # Errors
/// The first denial that fits, in the order of [`Denial`]'s variants.
///
/// ```
/// use bailiwick::account::AccountStatus;
/// use bailiwick::gate::Denial;
/// use bailiwick::payment_method::PaymentMethod;
/// use bailiwick::{Account, Principal, Tenant, validate_account_and_plan};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let now = "2026-01-01T00:00:00Z".parse()?;
///     let principal = Principal::session(2.into()).of_account(7.into());
///     let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::Stripe);
///
///     let refused = validate_account_and_plan(&principal, Some(&Tenant::new(account)), now);
///     assert_eq!(refused.unwrap_err(), Denial::PlanMissing);
///     Ok(())
/// }
/// ```
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
    /// Decides whether a principal may act for a tenant at `now`.
    ///
    /// The answer is total: whatever is missing, foreign or unknown is a denial. A host that caches
    /// denials as well calls [`admit`](Self::admit), whose decision says until when it holds. The
    /// [gate's page](crate::gate) shows a first program.
    ///
    /// # Errors
    /// The first denial that fits, in the order of [`Denial`]'s variants.
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

    /// Decides about a whole request: the demand of its route, the credential that it presented,
    /// the tenant that it is about, and the time.
    ///
    /// The tenant is read for a tenant's, a billing and an operator's route only; for others, pass
    /// `None` and spare the load.
    ///
    /// ```
    /// use bailiwick::{Evidence, Policy, Route};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let now = "2026-01-01T00:00:00Z".parse()?;
    ///     let policy = Policy::default();
    ///     let decision = policy.admit(Route::TenantRead, &Evidence::Nothing, None, now);
    ///     assert_eq!(decision.label(), "credential_missing");
    ///     Ok(())
    /// }
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
            // With a failed credential a public route is open as without one; `admit` reports it.
            (Route::Public, _) => return Ok(Admission::Public(None)),
            (_, Evidence::Failed(failure)) => {
                return Err(Denial::CredentialRejected(*failure).into());
            }
            (_, Evidence::Nothing) => return Err(Denial::CredentialMissing.into()),
            (_, Evidence::Verified(principal)) => principal,
        };

        debug_assert_ne!(route, Route::Public, "public routes were admitted above");

        match route {
            Route::Public | Route::Authenticated => Ok(Admission::Authenticated(principal.clone())),
            Route::TenantRead | Route::TenantWrite => {
                let standing = self.check_tenant(principal, tenant, now)?;
                if route == Route::TenantWrite && !standing.writable {
                    return Err(TimedDenial {
                        denial: Denial::PaymentPastDue,
                        until: standing.changes_at.map(Deadline::at),
                    });
                }

                Ok(Admission::Tenant(Access::grant(
                    principal,
                    standing,
                    self.credit,
                )))
            }
            Route::Billing => Ok(Admission::Billing(admit_to_billing(principal, tenant)?)),
            Route::Operator(privilege) => Ok(Admission::Operator(admit_operator(
                principal, tenant, privilege,
            )?)),
        }
    }

    // Inlined, here and below, so that the access is built in its final place: copying its parts
    // costs as much as deciding.
    #[inline(always)]
    fn check_tenant<'a>(
        &self,
        principal: &Principal,
        tenant: Option<&'a Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Standing<'a>, TimedDenial> {
        let tenant = own_tenant(principal, tenant)?;
        check_status(tenant.account.status)?;

        if tenant.next_plan.is_some() {
            return self.check_plans(principal, tenant, now);
        }
        self.check_plan(principal, tenant, tenant.plan.as_ref(), false, now)
    }
}

fn admit_to_billing(
    principal: &Principal,
    tenant: Option<&Tenant>,
) -> Result<BillingAccess, Denial> {
    let tenant = own_tenant(principal, tenant)?;
    match tenant.account.status {
        // A tenant who owes must be able to pay.
        AccountStatus::Suspended(SuspensionCause::PaymentOverdue) => {}
        status => check_status(status)?,
    }

    // A payment is for the whole account.
    if principal.sites().is_some() {
        return Err(Denial::AccountWideForbidden);
    }
    Ok(BillingAccess::grant(principal, &tenant.account))
}

fn admit_operator(
    principal: &Principal,
    tenant: Option<&Tenant>,
    privilege: Privilege,
) -> Result<Operator, Denial> {
    if !principal.privileges().contains(privilege) {
        return Err(Denial::PrivilegeMissing(privilege));
    }

    let tenant = own_tenant(principal, tenant)?;
    check_status(tenant.account.status)?;

    // A privilege that slipped into a customer's row of users opens nothing by itself.
    if !tenant.account.privileges.contains(privilege) {
        return Err(Denial::PrivilegeMissing(privilege));
    }

    // An operator acts on every account, so a principal that is bound to some sites of its own
    // account must not be one.
    if principal.sites().is_some() {
        return Err(Denial::AccountWideForbidden);
    }
    Ok(Operator::grant(principal, &tenant.account, privilege))
}

/// Returns the principal's own tenant. Rows of two accounts in one tenant were loaded by mistake,
/// so none of them is believed.
fn own_tenant<'a>(principal: &Principal, tenant: Option<&'a Tenant>) -> Result<&'a Tenant, Denial> {
    let own = principal.account_id().ok_or(Denial::AccountMissing)?;
    // An account that was not found is answered like none, so nobody can probe which ones exist.
    let tenant = tenant.ok_or(Denial::AccountMissing)?;
    if tenant.account.id != *own || tenant.mixes_accounts() {
        Err(Denial::AccountMismatch)
    } else {
        Ok(tenant)
    }
}

fn check_status(status: AccountStatus) -> Result<(), Denial> {
    match status {
        AccountStatus::Active | AccountStatus::PendingPayment => Ok(()),
        AccountStatus::Suspended(cause) => Err(Denial::AccountSuspended(cause)),
        AccountStatus::Closed => Err(Denial::AccountClosed),
        AccountStatus::Unknown => Err(Denial::AccountStatusUnknown),
    }
}
