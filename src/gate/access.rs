//! The proofs that the gate hands out. Nothing else makes them: no constructor, no `Default`, no
//! `Deserialize`.

use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::deadline::Deadline;
use super::denial::Denial;
use super::principal::{Credential, Principal};
use super::reach::Reach;
use super::standing::Standing;
use crate::account::Account;
use crate::id::{AccountId, SiteId, UserId};
use crate::plan::Plan;
use crate::policy::CreditPolicy;
use crate::right::{Privilege, Privileges};

/// The proof that the gate admitted a principal to a tenant. It opens the tenant's rows for
/// reading, and the tenant's throttle and wallet.
///
/// Only the gate makes one: by [`validate_account_and_plan`](crate::validate_account_and_plan), by
/// [`admit`](crate::admit), or from a [`JobTenant`](super::JobTenant). It is owned and `'static`,
/// so a framework can carry it from an extractor into a handler.
///
/// `access.read()` leads to the rows: `access.read().account()` returns a scope over the whole
/// account, and `access.read().site(id)` one over a site.
/// [`account_id`](Self::account_id), by contrast, is only the account's identifier.
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
        let tenant = standing.tenant;
        debug_assert_eq!(
            principal.account_id(),
            Some(&tenant.account.id),
            "the gate admits a principal to its own account only"
        );

        Self {
            account: tenant.account.id.clone(),
            credential: principal.credential().clone(),
            user: principal.user().cloned(),
            reach: Reach::new(tenant.sites.clone(), principal.sites().cloned()),
            privileges: principal
                .privileges()
                .intersection(tenant.account.privileges),
            plan: standing.plan.clone(),
            credit,
            writable: standing.writable,
            until: standing.until,
        }
    }

    /// Returns the identifier of the account that the principal acts for.
    ///
    /// It opens nothing. The account's rows are opened by `access.read().account()`, which returns
    /// a scope and is refused for a principal that is bound to sites.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// Returns the kind of credential that was presented, for the audit log.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Returns the person who acts; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Returns the account's plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the privileges that are stored both for the principal and for its account: those
    /// that an operator's route would admit it under. They open nothing here; a page may use them
    /// to show links to the operators' pages.
    pub fn privileges(&self) -> Privileges {
        self.privileges
    }

    /// Returns true if a site belongs to the account and, for a principal that is bound to sites,
    /// is one of those.
    pub fn reaches(&self, site: &SiteId) -> bool {
        self.reach.contains(site)
    }

    /// Returns true if the principal is bound to sites, and so cannot reach the whole account.
    pub fn is_bound_to_sites(&self) -> bool {
        self.reach.is_bound()
    }

    /// Returns true if the tenant's rows may be written as well as read. It is false only in a
    /// grace period that the policy makes [read-only](crate::policy::GraceMode::ReadOnly).
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Returns the earliest instant at which the gate may answer otherwise; `None` if only other
    /// facts can change it. A host may cache the access until then.
    pub fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.until.map(Deadline::instant)
    }

    /// Returns true if the access still holds at `now`. The throttle and the wallet check this
    /// again before they charge anything.
    pub fn is_valid_at(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| until.is_ahead(now))
    }

    /// Turns the access into one that may write as well.
    ///
    /// # Errors
    /// [`Denial::PaymentPastDue`] in a grace period that is read-only.
    pub fn into_write(self) -> Result<WriteAccess, Denial> {
        if self.writable {
            Ok(WriteAccess(self))
        } else {
            Err(Denial::PaymentPastDue)
        }
    }
}

/// The proof that the tenant's rows may be written. It dereferences to its [`Access`], and comes
/// from [`Access::into_write`] or [`Admission::into_write`](super::Admission::into_write).
#[derive(Clone, Debug)]
pub struct WriteAccess(Access);

impl Deref for WriteAccess {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.0
    }
}

/// The proof that a principal may pay for an account. It rests on identity alone, so that a tenant
/// who owes can pay. It opens no rows.
///
/// [`admit`](crate::admit) makes one for [`Route::Billing`](super::Route::Billing). It is what
/// [`Policy::submit_claim`](crate::Policy::submit_claim) takes.
#[derive(Clone, Debug)]
pub struct BillingAccess {
    account: AccountId,
    user: Option<UserId>,
}

impl BillingAccess {
    pub(super) fn grant(principal: &Principal, account: &Account) -> Self {
        debug_assert!(
            principal.sites().is_none(),
            "a payment is for the whole account"
        );

        Self {
            account: account.id.clone(),
            user: principal.user().cloned(),
        }
    }

    /// Returns the account that may be paid for.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// Returns the person who acts; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }
}

/// The proof that a principal may operate the service under one stored privilege. It opens no
/// tenant's rows by itself.
///
/// [`admit`](crate::admit) makes one for [`Route::Operator`](super::Route::Operator).
#[derive(Clone, Debug)]
pub struct Operator {
    account: AccountId,
    credential: Credential,
    user: Option<UserId>,
    privilege: Privilege,
}

impl Operator {
    pub(super) fn grant(principal: &Principal, account: &Account, privilege: Privilege) -> Self {
        debug_assert!(
            principal.privileges().contains(privilege) && account.privileges.contains(privilege),
            "a privilege is stored for the principal and for its account"
        );

        Self {
            account: account.id.clone(),
            credential: principal.credential().clone(),
            user: principal.user().cloned(),
            privilege,
        }
    }

    /// Returns the account that the operator belongs to.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// Returns the kind of credential that the operator presented, for the audit log.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Returns the person who acts; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Returns the privilege that the route demanded and the principal has.
    pub fn privilege(&self) -> Privilege {
        self.privilege
    }

    /// Checks that the operator was admitted under this very privilege, and that `account` is not
    /// their own.
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

    /// Checks that the operator was admitted under this very privilege.
    ///
    /// # Errors
    /// [`Denial::PrivilegeMissing`].
    pub(crate) fn check(&self, privilege: Privilege) -> Result<(), Denial> {
        if self.privilege == privilege {
            Ok(())
        } else {
            Err(Denial::PrivilegeMissing(privilege))
        }
    }
}
