//! The only way across tenants. Every use reads `danger::CrossTenant`, so that a search for it
//! finds them all.
//!
//! A support case or an inquiry may need the rows of an account that is not one's own. No role and
//! no flag opens them: an operator who was admitted under the stored privilege
//! [`CrossTenants`](Privilege::CrossTenants) opens one named account, for a reason, and gets a
//! record of it to keep. There is no way to open all accounts at once, and none to write in
//! another's name: what must be changed for a tenant is done by a command that says what it is.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::gate::{Credential, Denial, Operator, Reach};
use crate::id::{AccountId, UserId};
use crate::problem::{Code, Explained};
use crate::right::Privilege;
use crate::scope::Entry;
use crate::scope::state::Read;
use crate::tenant::Tenant;

/// The most characters of a reason.
const MAX_REASON: usize = 500;

/// The proof that an operator may read the rows of one other account.
///
/// It comes with its [`AuditRecord`] and is not `Clone`: one opening, one record. Commit the record
/// before the first statement runs, so that a look that fails is on record too.
///
/// ```
/// use bailiwick::danger::CrossTenant;
/// use bailiwick::{Evidence, Principal, Route, Tenant, admit};
/// use bailiwick::right::Privilege;
/// # use bailiwick::Account;
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::right::Privileges;
/// # let staff = Privileges::from_iter([Privilege::CrossTenants]);
/// # let now = "2026-01-01T00:00:00Z".parse()?;
/// # let tenant = |id: i64| {
/// #     let status = AccountStatus::Active;
/// #     let payment_method = PaymentMethod::BankTransfer;
/// #     let account = Account { id: id.into(), status, payment_method, version: 1, privileges: staff };
/// #     Tenant { account, plan: None, subscription: None, sites: [12.into()].into() }
/// # };
/// # let (staff, customer): (Tenant, Tenant) = (tenant(1), tenant(7));
/// // The privilege is stored for this very person.
/// let person = Principal::session(2.into()).of_account(1.into())
///     .with_privileges([Privilege::CrossTenants].into_iter().collect());
/// let decision = admit(Route::Operator(Privilege::CrossTenants), &Evidence::Verified(person), Some(&staff), now);
/// let operator = decision.into_result()?.into_operator()?;
///
/// let (crossing, record) = CrossTenant::open(&operator, &customer, "ticket 4711: an article is missing", now)?;
/// // The host commits the record here. From then on the customer's rows can be read, and nobody else's.
/// let site = crossing.read().site(12.into())?;
/// assert_eq!((record.operator_account, record.account), (1.into(), 7.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct CrossTenant {
    account: AccountId,
    reach: Reach,
}

impl CrossTenant {
    /// Opens one account for reading, and writes down who did so, when and why.
    ///
    /// The account's own standing does not matter: one that is suspended or closed may be looked at
    /// as well. The reason has 1 to 500 characters on one line, one letter or digit at the least;
    /// it is trimmed.
    ///
    /// # Errors
    /// In this order:
    /// - [`CrossTenantError::Denied`]: the operator was admitted under another privilege
    ///   (`PrivilegeMissing`); the rows that were loaded are of two accounts (`AccountMismatch`);
    ///   the account is the operator's own (`OwnAccount`).
    /// - [`CrossTenantError::Reason`]: the reason is no reason.
    pub fn open(
        operator: &Operator,
        target: &Tenant,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(Self, AuditRecord), CrossTenantError> {
        operator.check(Privilege::CrossTenants)?;
        if target.mixes_accounts() {
            return Err(Denial::AccountMismatch.into());
        }
        operator.check_foreign(Privilege::CrossTenants, &target.account.id)?;
        let record = AuditRecord {
            credential: operator.credential().clone(),
            user: operator.user().cloned(),
            operator_account: operator.account_id().clone(),
            account: target.account.id.clone(),
            reason: check_reason(reason)?,
            at: now,
        };
        Ok((
            Self {
                account: target.account.id.clone(),
                reach: Reach::whole(Arc::clone(&target.sites)),
            },
            record,
        ))
    }

    /// The account that was opened.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// The way into the account's rows, for reading.
    pub fn read(&self) -> Entry<Read> {
        Entry::of(&self.account, &self.reach)
    }
}

/// A reason as it is kept. A line break or another control character could forge a line of the log.
fn check_reason(reason: &str) -> Result<String, CrossTenantError> {
    let reason = reason.trim();
    let says_something = reason.chars().any(char::is_alphanumeric);
    if !says_something
        || reason.chars().any(char::is_control)
        || reason.chars().count() > MAX_REASON
    {
        return Err(CrossTenantError::Reason);
    }
    Ok(reason.to_owned())
}

/// What the audit log keeps of one crossing. Plain data, proof of nothing: append it, and let
/// nobody update or delete it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct AuditRecord {
    /// What the operator presented: for an API key, which one.
    pub credential: Credential,
    /// The person, if it was one.
    pub user: Option<UserId>,
    /// The account that the operator belongs to.
    pub operator_account: AccountId,
    /// The account that was opened.
    pub account: AccountId,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why an account was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CrossTenantError {
    /// The operator may not cross tenants, or the rows that were loaded do not belong together.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The reason is empty, too long, or has line breaks or other control characters.
    #[error(
        "a reason has 1 to {MAX_REASON} characters on one line, one letter or digit at the least"
    )]
    Reason,
}

impl Explained for CrossTenantError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Reason => Code::InputInvalid,
        }
    }
}
