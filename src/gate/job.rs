//! The part of an access that a background job keeps: facts to ask the gate with again, and no
//! power.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::denial::Denial;
use super::principal::{Credential, Principal};
use crate::id::{AccountId, SiteId, UserId};
use crate::policy::Policy;
use crate::tenant::Tenant;

/// The tenant that a background job works for. The host writes it into the queue when it accepts
/// the job; [`revalidate`](Self::revalidate) turns it into an [`Access`] when the job runs. Between
/// the two, the tenant may have been suspended, or may have fallen behind with a payment.
///
/// It opens nothing by itself, so it can be stored and read back. Revalidation is the gate's own
/// decision over the facts as they are then. The new access reaches no more than the first did: its
/// sites, and reading only where it could only read.
///
/// **The queue is trusted as the session store is.** The gate judges the tenant that the text
/// names, not if the text is still the one that was written: an attacker who can write to the queue
/// can name any account and drop a binding, as one who can write to the session table can. An
/// account that is suspended, unpaid or closed stays so for a forged job, too. Keep the queue in a
/// store that tenants cannot write to; if it leaves that store, authenticate the message.
///
/// The host must check that the credential still exists: that is authentication. It asks by
/// [`credential`](Self::credential) and [`user`](Self::user). A job outlives a session by design,
/// and should not outlive a revoked key.
///
/// ```
/// use bailiwick::account::{AccountStatus, SuspensionCause};
/// use bailiwick::gate::{Denial, JobTenant};
/// use bailiwick::money::Currency;
/// use bailiwick::payment_method::PaymentMethod;
/// use bailiwick::period::Interval;
/// use bailiwick::{Account, Money, Plan, Policy, Principal, Tenant, validate_account_and_plan};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let now = "2026-01-01T00:00:00Z".parse()?;
///     let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
///     let free = Plan::new(1.into(), Money::zero(Currency::EUR), Interval::MONTHLY);
///     let mut tenant = Tenant { plan: Some(free.into()), ..Tenant::new(account) };
///
///     let principal = Principal::session(2.into()).of_account(7.into());
///     let access = validate_account_and_plan(&principal, Some(&tenant), now)?;
///     let queued = serde_json::to_string(&JobTenant::of(&access))?;
///
///     // Later, a worker loads the tenant of `job.account_id()`. It was suspended in between.
///     let job: JobTenant = serde_json::from_str(&queued)?;
///     tenant.account.status = AccountStatus::Suspended(SuspensionCause::Abuse);
///     let refused = job.revalidate(&Policy::default(), Some(&tenant), now).unwrap_err();
///     assert_eq!(refused, Denial::AccountSuspended(SuspensionCause::Abuse));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobTenant {
    account: AccountId,
    credential: Credential,
    // An absent field is an error here; only an explicit null means "no person".
    #[serde(deserialize_with = "Option::deserialize")]
    user: Option<UserId>,
    reach: JobReach,
    may_write: bool,
}

/// The reach of a job. Both cases are written out: a field that is missing must never mean
/// "everything".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JobReach {
    Account,
    Sites(Arc<[SiteId]>),
}

impl JobTenant {
    /// Keeps the facts of an access that a job needs. If the access may write, the job may write.
    pub fn of(access: &Access) -> Self {
        let reach = access
            .reach
            .bound_sites()
            .map_or(JobReach::Account, JobReach::Sites);

        Self {
            account: access.account.clone(),
            credential: access.credential.clone(),
            user: access.user.clone(),
            reach,
            may_write: access.writable,
        }
    }

    /// Returns the account whose tenant the worker has to load.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// Returns the kind of credential that the job was accepted by. No decision depends on it.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Returns the person that the job was accepted for; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Asks the gate again, as for a request, about the tenant as it is now.
    ///
    /// # Errors
    /// Those of [`Policy::validate_account_and_plan`], in its order. A job whose first access could
    /// only read gets one that can only read, whatever has been paid since, so
    /// [`Access::into_write`] refuses it.
    pub fn revalidate(
        &self,
        policy: &Policy,
        tenant: Option<&Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Access, Denial> {
        let mut access = policy.validate_account_and_plan(&self.principal(), tenant, now)?;
        // A payment since then must not widen what the job was accepted for.
        access.writable &= self.may_write;

        Ok(access)
    }

    /// Rebuilds the principal that the job was accepted for. It has no privileges, so it can never
    /// operate the service.
    fn principal(&self) -> Principal {
        let principal = Principal::new(self.credential.clone(), self.user.clone())
            .of_account(self.account.clone());

        match &self.reach {
            JobReach::Account => principal,
            JobReach::Sites(sites) => principal.bound_to_sites(Arc::clone(sites)),
        }
    }
}
