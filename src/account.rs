//! The account: the tenant itself, its status, and its payment method.
//!
//! An account is a fact that a host loads and writes. The gate decides by its status; payments and
//! suspensions change it.
//!
//! # First program
//! ```
//! use bailiwick::Account;
//! use bailiwick::account::{AccountStatus, SuspensionCause};
//! use bailiwick::payment_method::PaymentMethod;
//!
//! // As it stands in the host's row: the status is one text, together with its cause.
//! let status = AccountStatus::from_text("suspended_abuse");
//! assert_eq!(status, AccountStatus::Suspended(SuspensionCause::Abuse));
//!
//! let account = Account {
//!     version: 3,
//!     ..Account::new(7.into(), status, PaymentMethod::BankTransfer)
//! };
//! assert_eq!(account.status.as_str(), "suspended_abuse");
//! ```
//!
//! # The types
//! | type | role |
//! |---|---|
//! | [`Account`] | the tenant; as a type parameter, the account level of a scope or a table |
//! | [`AccountStatus`] | awaiting its first payment, active, suspended or closed |
//! | [`SuspensionCause`] | the reason of a suspension, which decides what lifts it |
//!
//! # Rules for a host
//! - Write a changed account only over the version that the change was made from.
//! - A stored status that this version does not know reads as [`AccountStatus::Unknown`], and is
//!   denied everywhere.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::change::RowChange;
use crate::id::AccountId;
use crate::payment_method::PaymentMethod;
use crate::right::Privileges;

/// The reason of a suspension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum SuspensionCause {
    /// A payment is overdue. A confirmed payment lifts the suspension, and the billing route stays
    /// open for it.
    PaymentOverdue,
    /// The account was used against the rules. Only the service's own staff lift it.
    Abuse,
    /// The account asked for it.
    Requested,
}

/// The status of an account. It is stored as one text, so that a suspension cannot lose its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "&'static str")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum AccountStatus {
    /// Registered, and awaiting its first payment.
    PendingPayment,
    /// In good standing.
    Active,
    /// Suspended, with the cause.
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

    /// Returns the text to store.
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

    /// Reads a stored text. This never fails: a text that is not known becomes `Unknown`.
    pub fn from_text(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .unwrap_or(Self::Unknown)
    }

    /// Returns the status after a payment: an account that only waited for one is active. A payment
    /// lifts nothing else.
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
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct Account {
    /// The account's identifier.
    pub id: AccountId,
    /// Its status.
    pub status: AccountStatus,
    /// The payment method that it chose.
    pub payment_method: PaymentMethod,
    /// The version of the row. A change is written only over the version that it was made from.
    pub version: u64,
    /// The powers over the service itself that its members may hold: for every customer, none.
    ///
    /// An operator needs the privilege here and as a principal, so a word that slipped into a
    /// customer's row of users grants nothing. A row from before there was such a field has none.
    #[serde(default = "Privileges::none")]
    pub privileges: Privileges,
    /// The instant of its registration, from which the months of a free plan are counted. A row from
    /// before there was such a field has none, and gets no free credits until the host writes one:
    /// the instant of the wallet's first entry, or else the present, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<DateTime<Utc>>,
}

impl Account {
    /// Creates an account of the values that every one has, in version 1 and without privileges.
    /// Set the rest by struct update.
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
            registered_at: None,
        }
    }

    /// Returns the change that gives the account another status; `None` if it has that status
    /// already, or if no version is left.
    pub(crate) fn with_status(&self, status: AccountStatus) -> Option<RowChange<Self>> {
        if status == self.status {
            None
        } else {
            self.rewritten(status)
        }
    }

    /// Returns the change that writes the account with a status, in its next version, even if it
    /// has that status already; `None` if no version is left.
    pub(crate) fn rewritten(&self, status: AccountStatus) -> Option<RowChange<Self>> {
        let version = self.version.checked_add(1)?;
        let next = Self {
            status,
            version,
            ..self.clone()
        };

        Some(RowChange::update(self.version, next))
    }
}
