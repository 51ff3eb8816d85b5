//! What a background job carries of the access that it was accepted under: facts to ask the gate
//! with again, and no power.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Access, Credential, Denial, Principal};
use crate::id::{AccountId, SiteId, UserId};
use crate::policy::Policy;
use crate::tenant::Tenant;

/// For whom a background job works: written into the queue when the job is accepted, and turned
/// into an [`Access`] by [`revalidate`](Self::revalidate) when it runs. Between the two the tenant
/// may have been suspended, or may owe.
///
/// It opens nothing by itself, so it can be stored and read back. Revalidation is the gate's own
/// decision over the facts as they are then, for as much as the first access reached and no more:
/// its sites, and reading only where it could only read.
///
/// **The queue is trusted as the session store is.** The gate judges the tenant that the text
/// names, not whether the text is still the one that was written: who can write to the queue can
/// name any account, and drop a binding, as who can write to the session table can. What is
/// suspended, unpaid or closed stays so for a forged job too. Keep the queue in a store that
/// tenants cannot write to; where it leaves that store, authenticate the message.
///
/// Whether the credential still exists is authentication, and the host's to ask by
/// [`credential`](Self::credential) and [`user`](Self::user): a job outlives a session by design,
/// and should not outlive a revoked key.
///
/// ```
/// use bailiwick::{Policy, Principal, validate_account_and_plan};
/// use bailiwick::account::SuspensionCause;
/// use bailiwick::gate::{Denial, JobTenant};
/// # use bailiwick::{Account, Credits, Money, Plan, Tenant};
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::money::Currency;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::period::Interval;
/// # use bailiwick::right::Privileges;
/// # let now = "2026-01-01T00:00:00Z".parse()?;
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: Money::new(0.into(), Currency::EUR)?, interval: Interval::MONTHLY,
/// #     credits_per_month: Credits::ZERO, needs_subscription: false, quotas: Default::default(),
/// #     concurrency: Default::default(),
/// # };
/// # let status = AccountStatus::Active;
/// # let payment_method = PaymentMethod::BankTransfer;
/// # let account = Account { id: 7.into(), status, payment_method, version: 1, privileges: Privileges::NONE };
/// # let mut tenant = Tenant { account, plan: Some(plan.into()), subscription: None, sites: [12.into()].into() };
/// let key = Principal::api_key(3.into()).of_account(7.into()).bound_to_sites([12.into()]);
/// let access = validate_account_and_plan(&key, Some(&tenant), now)?;
/// let queued = serde_json::to_string(&JobTenant::of(&access))?;
///
/// // Later, in a worker, which loads the tenant of `job.account()`:
/// let job: JobTenant = serde_json::from_str(&queued)?;
/// let access = job.revalidate(&Policy::default(), Some(&tenant), now)?;
/// assert!(access.reaches(&12.into()) && access.is_bound_to_sites());
///
/// tenant.account.status = AccountStatus::Suspended(SuspensionCause::Abuse);
/// let refused = job.revalidate(&Policy::default(), Some(&tenant), now).unwrap_err();
/// assert_eq!(refused, Denial::AccountSuspended(SuspensionCause::Abuse));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobTenant {
    account: AccountId,
    credential: Credential,
    #[serde(deserialize_with = "Option::deserialize")]
    user: Option<UserId>,
    reach: JobReach,
    may_write: bool,
}

/// Both are said in full: a field that went missing must never mean "everything".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JobReach {
    Account,
    Sites(Arc<[SiteId]>),
}

impl JobTenant {
    /// What a job needs of an access. Taken from an access that may write, the job may write.
    pub fn of(access: &Access) -> Self {
        Self {
            account: access.account.clone(),
            credential: access.credential.clone(),
            user: access.user.clone(),
            reach: access
                .reach
                .bound_sites()
                .map_or(JobReach::Account, JobReach::Sites),
            may_write: access.writable,
        }
    }

    /// The account to load.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// The kind of credential that the job was accepted by. No decision depends on it.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The person for whom the job was accepted, if it was one.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Asks the gate again, as for a request, about the tenant as it is now.
    ///
    /// # Errors
    /// Those of [`Policy::validate_account_and_plan`], in its order. A job of an access that could
    /// only read gets one that can only read, whatever has been paid since, so
    /// [`Access::into_write`] refuses it.
    pub fn revalidate(
        &self,
        policy: &Policy,
        tenant: Option<&Tenant>,
        now: DateTime<Utc>,
    ) -> Result<Access, Denial> {
        let mut access = policy.validate_account_and_plan(&self.principal(), tenant, now)?;
        access.writable &= self.may_write;
        Ok(access)
    }

    /// The principal that the job was accepted for. It brings no privileges, so it can never
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
