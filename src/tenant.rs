//! The facts about a tenant that a host loads before it asks the gate.
//!
//! They are plain data, trusted from the host's store, and prove nothing: only the gate turns them
//! into an [`Access`](crate::Access).
//!
//! # First program
//! ```
//! use bailiwick::account::AccountStatus;
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::{Account, Money, Plan, Principal, Tenant, validate_account_and_plan};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!     let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
//!     let free = Plan::new(1.into(), Money::zero(Currency::EUR), Interval::MONTHLY);
//!     let tenant = Tenant {
//!         plan: Some(free.into()),
//!         sites: [12.into(), 13.into()].into(),
//!         ..Tenant::new(account)
//!     };
//!
//!     let principal = Principal::session(2.into()).of_account(7.into());
//!     let access = validate_account_and_plan(&principal, Some(&tenant), now)?;
//!     assert!(access.reaches(&13.into()) && !access.reaches(&14.into()));
//!     Ok(())
//! }
//! ```
//!
//! # The types
//! | type | role |
//! |---|---|
//! | [`Tenant`] | the account, its plans, its subscription and its sites |
//! | [`Site`] | a property of an account; as a type parameter, the site level of a scope or a table |
//! | [`Sector`] | a division of a site; as a type parameter, the sector level of a scope or a table |
//!
//! # Rules for a host
//! - Load all parts of a tenant in one transaction, by the account of the principal.
//! - Load the plan of [`Subscription::pending_plan`] as [`Tenant::next_plan`], where a change waits.
//! - Share a plan between its tenants: it is behind an [`Arc`], and a cached
//!   one needs no copy.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::id::{AccountId, SectorId, SiteId};
use crate::plan::Plan;
use crate::subscription::Subscription;

/// A site: a property of an account. As a type parameter it marks the site level of a scope or a
/// table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Site {
    /// The site's identifier.
    pub id: SiteId,
    /// The account that it belongs to.
    pub account: AccountId,
}

/// A sector: a division of a site. As a type parameter it marks the sector level of a scope or a
/// table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Sector {
    /// The sector's identifier.
    pub id: SectorId,
    /// The site that it belongs to.
    pub site: SiteId,
}

/// Everything about a tenant that the gate asks for, as the host loaded it for this request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct Tenant {
    /// The account.
    pub account: Account,
    /// Its plan, shared with all other tenants of the plan.
    pub plan: Option<Arc<Plan>>,
    /// The plan that its subscription waits to change to: that of
    /// [`Subscription::pending_plan`]. If its period was paid early, or it is without a price, the
    /// gate serves it from the instant of the change, whether or not a job has carried that out by
    /// then. Without it, the gate serves the present plan to the end of what was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_plan: Option<Arc<Plan>>,
    /// Its subscription.
    pub subscription: Option<Subscription>,
    /// Its sites.
    pub sites: Arc<[SiteId]>,
}

impl Tenant {
    /// Creates the tenant of an account, with neither plan nor subscription nor sites. Set the rest
    /// by struct update.
    ///
    /// ```
    /// use bailiwick::account::AccountStatus;
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::{Account, Tenant};
    ///
    /// let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
    /// let tenant = Tenant { sites: [12.into()].into(), ..Tenant::new(account) };
    /// assert_eq!(tenant.plan, None);
    /// ```
    pub fn new(account: Account) -> Self {
        Self {
            account,
            plan: None,
            next_plan: None,
            subscription: None,
            sites: Arc::from([]),
        }
    }

    /// Returns true if the subscription belongs to another account: then the rows were loaded by
    /// mistake.
    pub(crate) fn mixes_accounts(&self) -> bool {
        self.subscription
            .as_ref()
            .is_some_and(|subscription| subscription.account != self.account.id)
    }
}
