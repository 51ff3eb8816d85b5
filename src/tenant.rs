//! The facts about a tenant that a host loads before it asks: plain data, trusted from the host's store, proof of nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::change::RowChange;
use crate::id::{AccountId, PlanId, SectorId, SiteId};
use crate::money::{Credits, Money};
use crate::period::Interval;
use crate::privilege::Privileges;
use crate::quota::{ConcurrencyLimit, QuotaSet, ThrottleScope};
use crate::subscription::{PaymentMethod, Subscription};

/// Why an account is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SuspensionCause {
    /// A payment is overdue. A confirmed payment lifts it, and the billing route stays open.
    PaymentOverdue,
    /// Abuse. Only the service's own staff lift it.
    Abuse,
    /// The account asked for it.
    Requested,
}

/// The standing of an account. It is stored as one text, so that a suspension cannot lose its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "&'static str")]
pub enum AccountStatus {
    /// Registered, and awaiting its first payment.
    PendingPayment,
    /// In good standing.
    Active,
    /// Suspended, and why.
    Suspended(SuspensionCause),
    /// Closed for good.
    Closed,
    /// A stored text that this version does not know. It is denied everywhere.
    Unknown,
}

impl AccountStatus {
    /// Every known status.
    pub const ALL: [Self; 6] = [
        Self::PendingPayment,
        Self::Active,
        Self::Suspended(SuspensionCause::PaymentOverdue),
        Self::Suspended(SuspensionCause::Abuse),
        Self::Suspended(SuspensionCause::Requested),
        Self::Closed,
    ];

    /// The text to store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending_payment",
            Self::Active => "active",
            Self::Suspended(SuspensionCause::PaymentOverdue) => "suspended_payment_overdue",
            Self::Suspended(SuspensionCause::Abuse) => "suspended_abuse",
            Self::Suspended(SuspensionCause::Requested) => "suspended_requested",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }

    /// From a stored text: total, since whatever it does not know is `Unknown`.
    pub fn from_text(text: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.as_str() == text).unwrap_or(Self::Unknown)
    }

    /// The standing of an account that has paid: what only waited for a payment is active. Nothing else is lifted.
    pub(crate) fn after_payment(self) -> Self {
        match self {
            Self::PendingPayment | Self::Suspended(SuspensionCause::PaymentOverdue) => Self::Active,
            other => other,
        }
    }
}

impl fmt::Display for AccountStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for AccountStatus {
    fn from(text: String) -> Self {
        Self::from_text(&text)
    }
}

impl From<AccountStatus> for &'static str {
    fn from(status: AccountStatus) -> Self {
        status.as_str()
    }
}

/// An account: the tenant. As a type parameter it marks the account level of a scope or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its identifier.
    pub id: AccountId,
    /// Its standing.
    pub status: AccountStatus,
    /// How it chose to pay.
    pub payment_method: PaymentMethod,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
    /// What its members may hold of power over the service itself, stored one by one: none, for every customer. An
    /// operator needs the privilege here and as a principal, so a word that slipped into a customer's row of users grants
    /// nothing. A row from before there was such a field has none.
    #[serde(default = "Privileges::none")]
    pub privileges: Privileges,
}

impl Account {
    /// The account in another standing, if it is another.
    pub(crate) fn with_status(&self, status: AccountStatus) -> Option<RowChange<Self>> {
        if status == self.status { None } else { self.rewritten(status) }
    }

    /// The account in a standing, in its next version. `None` where no version is left.
    pub(crate) fn rewritten(&self, status: AccountStatus) -> Option<RowChange<Self>> {
        let version = self.version.checked_add(1)?;
        Some(RowChange::update(self.version, Self { status, version, ..self.clone() }))
    }
}

/// A site: a property of an account. As a type parameter it marks the site level of a scope or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its identifier.
    pub id: SiteId,
    /// The account that it belongs to.
    pub account: AccountId,
}

/// A sector: a division of a site. As a type parameter it marks the sector level of a scope or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sector {
    /// Its identifier.
    pub id: SectorId,
    /// The site that it belongs to.
    pub site: SiteId,
}

/// What an account buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its identifier.
    pub id: PlanId,
    /// Whether it may be used at all.
    pub active: bool,
    /// The price of one interval.
    pub price: Money,
    /// How often it is paid.
    pub interval: Interval,
    /// Credits that each month brings, on a yearly plan too.
    pub credits_per_month: Credits,
    /// Whether an account needs a subscription to use it. A free or granted plan may not.
    pub needs_subscription: bool,
    /// What is throttled, and how fast it may go. What is not named here is not included in the plan.
    pub quotas: BTreeMap<ThrottleScope, QuotaSet>,
    /// How many requests may be at work at once. What is not named here cannot be leased.
    #[serde(default)]
    pub concurrency: BTreeMap<ThrottleScope, ConcurrencyLimit>,
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
    /// Whether the subscription is another account's: then the rows were loaded by mistake.
    pub(crate) fn mixes_accounts(&self) -> bool {
        self.subscription.as_ref().is_some_and(|subscription| subscription.account != self.account.id)
    }
}
