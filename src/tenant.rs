//! The facts about a tenant that a host loads before it asks: plain data, trusted from the host's
//! store, proof of nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::id::{AccountId, SectorId, SiteId};
use crate::plan::Plan;
use crate::subscription::Subscription;

/// A site: a property of an account. As a type parameter it marks the site level of a scope or a
/// table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its identifier.
    pub id: SiteId,
    /// The account that it belongs to.
    pub account: AccountId,
}

/// A sector: a division of a site. As a type parameter it marks the sector level of a scope or a
/// table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sector {
    /// Its identifier.
    pub id: SectorId,
    /// The site that it belongs to.
    pub site: SiteId,
}

/// Everything about a tenant that the gate asks for, as the host loaded it for this request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The account.
    pub account: Account,
    /// Its plan, shared with all other tenants of the plan.
    pub plan: Option<Arc<Plan>>,
    /// Its subscription.
    pub subscription: Option<Subscription>,
    /// Its sites.
    pub sites: Arc<[SiteId]>,
}

impl Tenant {
    /// Describes an account that has neither plan nor subscription nor sites. The rest is told by
    /// struct update.
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
            subscription: None,
            sites: Arc::from([]),
        }
    }

    /// Whether the subscription is another account's: then the rows were loaded by mistake.
    pub(crate) fn mixes_accounts(&self) -> bool {
        self.subscription
            .as_ref()
            .is_some_and(|subscription| subscription.account != self.account.id)
    }
}
