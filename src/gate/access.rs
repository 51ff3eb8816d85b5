//! The proofs that the gate hands out. Nothing else makes them: no constructor, no `Default`, no
//! `Deserialize`.

use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::deadline::Deadline;
use super::{Credential, Denial, Principal, Standing};
use crate::account::Account;
use crate::id::{AccountId, SiteId, UserId};
use crate::plan::Plan;
use crate::policy::CreditPolicy;
use crate::right::{Privilege, Privileges};

/// The proof that the gate admitted a principal to a tenant. It opens the tenant's rows for
/// reading, and the tenant's throttle and wallet.
///
/// It is owned and `'static`, so a framework can carry it from an extractor into a handler.
#[derive(Clone, Debug)]
pub struct Access {
    pub(crate) account: AccountId,
    pub(super) credential: Credential,
    pub(super) user: Option<UserId>,
    pub(crate) reach: Reach,
    privileges: Privileges,
    plan: Arc<Plan>,
    pub(crate) credit: CreditPolicy,
    pub(super) writable: bool,
    until: Option<Deadline>,
}

impl Access {
    #[inline(always)]
    pub(super) fn grant(
        principal: &Principal,
        standing: Standing<'_>,
        credit: CreditPolicy,
    ) -> Self {
        Self {
            account: standing.tenant.account.id.clone(),
            credential: principal.credential().clone(),
            user: principal.user().cloned(),
            reach: Reach {
                sites: standing.tenant.sites.clone(),
                bound: principal.sites().cloned(),
            },
            privileges: principal
                .privileges()
                .intersection(standing.tenant.account.privileges),
            plan: standing.plan.clone(),
            credit,
            writable: standing.writable,
            until: standing.until,
        }
    }

    /// The account that may be acted for.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// The kind of credential that was presented, for the audit log.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The person who acts; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// The account's plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The privileges that are stored for the principal and for its account both: what an
    /// operator's route would admit it to. They open nothing here; a page may show by them what
    /// else there is.
    pub fn privileges(&self) -> Privileges {
        self.privileges
    }

    /// Whether a site is the account's, and among those that the principal is bound to, if it is
    /// bound to any.
    pub fn reaches(&self, site: &SiteId) -> bool {
        self.reach.contains(site)
    }

    /// Whether the principal is bound to sites, and so cannot reach the whole account.
    pub fn is_bound_to_sites(&self) -> bool {
        self.reach.is_bound()
    }

    /// Whether the tenant's rows may be written, too.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The earliest instant at which the gate may answer otherwise; `None` if only other facts can
    /// change it.
    pub fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.until.map(Deadline::instant)
    }

    /// Whether the access still holds at `now`. Whatever is charged asks this again.
    pub fn is_valid_at(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| until.is_ahead(now))
    }

    /// The access that may write as well. Fails with [`Denial::PaymentPastDue`] in a grace time
    /// that is read-only.
    pub fn into_write(self) -> Result<WriteAccess, Denial> {
        if self.writable {
            Ok(WriteAccess(self))
        } else {
            Err(Denial::PaymentPastDue)
        }
    }
}

/// The sites that an access reaches: the account's own, and of these the ones that its principal is
/// bound to, if it is bound to any. An empty list means none.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    sites: Arc<[SiteId]>,
    bound: Option<Arc<[SiteId]>>,
}

impl Reach {
    /// All of an account that has these sites.
    #[cfg(feature = "sql")]
    pub(crate) fn whole(sites: Arc<[SiteId]>) -> Self {
        Self { sites, bound: None }
    }

    pub(crate) fn contains(&self, site: &SiteId) -> bool {
        self.sites.contains(site) && self.bound.as_ref().is_none_or(|bound| bound.contains(site))
    }

    #[cfg(feature = "sql")]
    pub(crate) fn sites(&self) -> impl Iterator<Item = &SiteId> {
        self.sites
            .iter()
            .filter(|site| self.bound.as_ref().is_none_or(|bound| bound.contains(site)))
    }

    /// The sites of the account that a bound principal reaches; `None` if it is not bound.
    pub(super) fn bound_sites(&self) -> Option<Arc<[SiteId]>> {
        self.bound.as_ref().map(|bound| {
            bound
                .iter()
                .filter(|site| self.sites.contains(site))
                .cloned()
                .collect()
        })
    }

    pub(crate) fn is_bound(&self) -> bool {
        self.bound.is_some()
    }
}

/// The proof that the tenant's rows may be written. It is an [`Access`] too.
#[derive(Clone, Debug)]
pub struct WriteAccess(Access);

impl Deref for WriteAccess {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.0
    }
}

/// The proof that a principal may pay for an account: identity alone, so that a tenant who owes can
/// pay. It opens no rows.
#[derive(Clone, Debug)]
pub struct BillingAccess {
    account: AccountId,
    user: Option<UserId>,
}

impl BillingAccess {
    pub(super) fn grant(principal: &Principal, account: &Account) -> Self {
        Self {
            account: account.id.clone(),
            user: principal.user().cloned(),
        }
    }

    /// The account that may be paid for.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// The person who acts; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }
}

/// The proof that a principal may operate the service under one stored privilege. It opens no
/// tenant's rows by itself.
#[derive(Clone, Debug)]
pub struct Operator {
    account: AccountId,
    credential: Credential,
    user: Option<UserId>,
    privilege: Privilege,
}

impl Operator {
    pub(super) fn grant(principal: &Principal, account: &Account, privilege: Privilege) -> Self {
        Self {
            account: account.id.clone(),
            credential: principal.credential().clone(),
            user: principal.user().cloned(),
            privilege,
        }
    }

    /// The account that the operator belongs to.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// The kind of credential that the operator presented, for the audit log.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The person who acts; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// The privilege that the route demanded and the principal has.
    pub fn privilege(&self) -> Privilege {
        self.privilege
    }

    /// Fails unless the operator was admitted under this very privilege, and `account` is not their
    /// own.
    ///
    /// # Errors
    /// In this order: [`Denial::PrivilegeMissing`], [`Denial::OwnAccount`].
    pub(crate) fn check_foreign(
        &self,
        privilege: Privilege,
        account: &AccountId,
    ) -> Result<(), Denial> {
        self.check(privilege)?;

        if self.account == *account {
            Err(Denial::OwnAccount)
        } else {
            Ok(())
        }
    }

    /// Fails unless the operator was admitted under this very privilege.
    pub(crate) fn check(&self, privilege: Privilege) -> Result<(), Denial> {
        if self.privilege == privilege {
            Ok(())
        } else {
            Err(Denial::PrivilegeMissing(privilege))
        }
    }
}
