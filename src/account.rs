//! The account: the tenant itself, its standing, and how it pays.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::change::RowChange;
use crate::id::AccountId;
use crate::payment_method::PaymentMethod;
use crate::right::Privileges;

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

/// The standing of an account. It is stored as one text, so that a suspension cannot lose its
/// cause.
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
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .unwrap_or(Self::Unknown)
    }

    /// The standing of an account that has paid: what only waited for a payment is active. Nothing
    /// else is lifted.
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
    /// What its members may hold of power over the service itself, stored one by one: none, for
    /// every customer. An operator needs the privilege here and as a principal, so a word that
    /// slipped into a customer's row of users grants nothing. A row from before there was such a
    /// field has none.
    #[serde(default = "Privileges::none")]
    pub privileges: Privileges,
}

impl Account {
    /// Describes an account by what must be said of every one: version 1, and no privileges. The
    /// rest is told by struct update.
    ///
    /// ```
    /// use bailiwick::Account;
    /// use bailiwick::account::AccountStatus;
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::right::Privileges;
    ///
    /// let account = Account {
    ///     version: 3,
    ///     ..Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer)
    /// };
    /// assert_eq!(account.privileges, Privileges::NONE);
    /// ```
    pub fn new(id: AccountId, status: AccountStatus, payment_method: PaymentMethod) -> Self {
        Self {
            id,
            status,
            payment_method,
            version: 1,
            privileges: Privileges::NONE,
        }
    }

    /// The account in another standing, if it is another.
    pub(crate) fn with_status(&self, status: AccountStatus) -> Option<RowChange<Self>> {
        if status == self.status {
            None
        } else {
            self.rewritten(status)
        }
    }

    /// The account in a standing, in its next version. `None` where no version is left.
    pub(crate) fn rewritten(&self, status: AccountStatus) -> Option<RowChange<Self>> {
        let version = self.version.checked_add(1)?;
        Some(RowChange::update(
            self.version,
            Self {
                status,
                version,
                ..self.clone()
            },
        ))
    }
}
