//! The only way across tenants. Every use reads `danger::CrossTenant`, so a search for that text
//! finds them all.
//!
//! A support case or an inquiry may need the rows of another account than one's own. No role and no
//! flag opens them. An operator who was admitted under the stored privilege
//! [`CrossTenants`](Privilege::CrossTenants) opens one named account, for a reason, and gets a
//! record of it to keep.
//!
//! There is no way to open all accounts at once, and none to write in the name of another: a change
//! to a tenant's rows is made by a command of its own.
//!
//! # First program
//! ```
//! use bailiwick::account::AccountStatus;
//! use bailiwick::danger::CrossTenant;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::right::{Privilege, Privileges};
//! use bailiwick::{Account, Evidence, Principal, Route, Tenant, admit};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!     let account = |id: i64, privileges| Account {
//!         privileges,
//!         ..Account::new(id.into(), AccountStatus::Active, PaymentMethod::BankTransfer)
//!     };
//!
//!     // The privilege is stored for this person, and for the account of the staff.
//!     let may_cross = Privileges::from_iter([Privilege::CrossTenants]);
//!     let staff = Tenant::new(account(1, may_cross));
//!     let person = Principal::session(2.into()).of_account(1.into()).with_privileges(may_cross);
//!     let route = Route::Operator(Privilege::CrossTenants);
//!     let decision = admit(route, &Evidence::Verified(person), Some(&staff), now);
//!     let operator = decision.into_result()?.into_operator()?;
//!
//!     let customer = Tenant {
//!         sites: [12.into()].into(),
//!         ..Tenant::new(account(7, Privileges::NONE))
//!     };
//!     let reason = "ticket 4711: an article is missing";
//!     let (crossing, record) = CrossTenant::open(&operator, &customer, reason, now)?;
//!     assert_eq!((record.operator_account, record.account), (1.into(), 7.into()));
//!
//!     // The host commits the record first. Then it may read this customer's rows, and no others.
//!     let site = crossing.read().site(12.into())?;
//!     Ok(())
//! }
//! ```
//!
//! # The types, in the order in which one meets them
//! | type | role |
//! |---|---|
//! | [`CrossTenant`] | proof that an operator may read the rows of one other account |
//! | [`AuditRecord`] | the record of one crossing, to be kept for ever |
//! | [`CrossTenantError`] | the reason why an account was not opened |
//!
//! # Rules for a host
//! - Commit the [`AuditRecord`] **before** the first statement runs, so that an attempt that fails
//!   is on record, too.
//! - Append records only: let nobody update or delete them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::gate::{Credential, Denial, Operator, Reach};
use crate::id::{AccountId, UserId};
use crate::problem::{Code, Explained, Problem};
use crate::right::Privilege;
use crate::scope::Entry;
use crate::scope::state::Read;
use crate::tenant::Tenant;

/// The most characters of a reason.
const MAX_REASON: usize = 500;

/// The proof that an operator may read the rows of one other account.
///
/// It comes with its [`AuditRecord`] and is not `Clone`: one opening, one record. Commit the record
/// before the first statement runs, so that an attempt that fails is on record, too. The
/// [page of this module](self) shows a program.
#[derive(Debug)]
#[must_use]
pub struct CrossTenant {
    account: AccountId,
    reach: Reach,
}

impl CrossTenant {
    /// Opens one account for reading, and makes the record that says who did so, when and why.
    ///
    /// The account's own status does not matter: one that is suspended or closed may be read, too.
    /// The reason has 1 to 500 characters on one line, with at least one letter or digit; it is
    /// trimmed.
    ///
    /// # Errors
    /// In this order:
    /// - [`CrossTenantError::Denied`]: the operator was admitted under another privilege
    ///   (`PrivilegeMissing`); the rows that were loaded belong to two accounts
    ///   (`AccountMismatch`); the account is the operator's own (`OwnAccount`).
    /// - [`CrossTenantError::Reason`]: the reason is not in the form above.
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
        let crossing = Self {
            account: target.account.id.clone(),
            reach: Reach::whole(Arc::clone(&target.sites)),
        };

        Ok((crossing, record))
    }

    /// Returns the account that was opened.
    pub fn account_id(&self) -> &AccountId {
        &self.account
    }

    /// Opens the account's rows for reading, as [`Access::read`](crate::Access::read) does for
    /// one's own.
    pub fn read(&self) -> Entry<Read> {
        Entry::of(&self.account, &self.reach)
    }
}

/// Returns a reason in the form in which it is kept.
fn check_reason(reason: &str) -> Result<String, CrossTenantError> {
    let reason = reason.trim();
    let says_something = reason.chars().any(char::is_alphanumeric);
    // A line break or another control character could forge a line of the log.
    let may_forge = reason.chars().any(char::is_control);

    if says_something && !may_forge && reason.chars().count() <= MAX_REASON {
        Ok(reason.to_owned())
    } else {
        Err(CrossTenantError::Reason)
    }
}

/// The record of one crossing, for the audit log. It is plain data and proves nothing. Append it,
/// and let nobody update or delete it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host reads it back")]
pub struct AuditRecord {
    /// The kind of credential that the operator presented, with the identifier of an API key.
    pub credential: Credential,
    /// The person; `None` for an API key.
    pub user: Option<UserId>,
    /// The account that the operator belongs to.
    pub operator_account: AccountId,
    /// The account that was opened.
    pub account: AccountId,
    /// The reason that the operator gave.
    pub reason: String,
    /// The time at which the account was opened.
    pub at: DateTime<Utc>,
}

/// The reason why an account was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CrossTenantError {
    /// The operator may not cross tenants, or the rows that were loaded do not belong together.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The reason says nothing, is too long, or has line breaks or other control characters.
    #[error("a reason has 1 to {MAX_REASON} characters on one line, with a letter or a digit")]
    Reason,
}

impl Explained for CrossTenantError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Reason => Code::InputInvalid,
        }
    }

    fn decorate(&self, problem: Problem) -> Problem {
        match self {
            Self::Denied(denial) => denial.decorate(problem),
            Self::Reason => problem,
        }
    }
}
