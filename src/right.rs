//! Privileges: named powers over the service itself.
//!
//! A privilege is stored by its name, once for the person and once for the person's account. It is
//! never inferred from a role, a flag or a name, and it never widens the rows that a tenant's
//! routes see.
//!
//! # First program
//! ```
//! use bailiwick::account::AccountStatus;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::right::{Privilege, Privileges};
//! use bailiwick::{Account, Evidence, Principal, Route, Tenant, admit};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!
//!     // Stored as a list of words, for the person and for the account of the staff.
//!     let stored: Privileges = serde_json::from_str(r#"["confirm_payments"]"#)?;
//!     let account = Account {
//!         privileges: stored,
//!         ..Account::new(1.into(), AccountStatus::Active, PaymentMethod::BankTransfer)
//!     };
//!     let clerk = Principal::session(2.into()).of_account(1.into()).with_privileges(stored);
//!
//!     // A route demands one of them, and the gate checks both places.
//!     let route = Route::Operator(Privilege::ConfirmPayments);
//!     let decision = admit(route, &Evidence::Verified(clerk), Some(&Tenant::new(account)), now);
//!     let operator = decision.into_result()?.into_operator()?;
//!     assert_eq!(operator.privilege(), Privilege::ConfirmPayments);
//!     Ok(())
//! }
//! ```
//!
//! # The types
//! | type | role |
//! |---|---|
//! | [`Privilege`] | one power, such as confirming that a payment arrived |
//! | [`Privileges`] | a set of them, as it is stored for a principal or an account |

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A named power over the service itself. None of them widens the rows that a tenant's routes see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Privilege {
    /// Allows confirming that a bank transfer arrived.
    ConfirmPayments,
    /// Allows granting credits that nobody paid for.
    GrantCredits,
    /// Allows reading another tenant's rows, one account at a time, for a reason that is recorded:
    /// see [`danger`](crate::danger).
    CrossTenants,
}

impl Privilege {
    /// Every privilege.
    pub const ALL: [Self; 3] = [
        Self::ConfirmPayments,
        Self::GrantCredits,
        Self::CrossTenants,
    ];

    /// Returns the text to store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmPayments => "confirm_payments",
            Self::GrantCredits => "grant_credits",
            Self::CrossTenants => "cross_tenants",
        }
    }

    /// Reads a stored text. Returns `None` for a text that names no privilege: an unknown word
    /// grants nothing.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|privilege| privilege.as_str() == text)
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The privileges that are stored for a principal or an account. They are stored as a list of
/// words; a word that names no privilege grants nothing.
///
/// ```
/// use bailiwick::right::{Privilege, Privileges};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let stored: Privileges = serde_json::from_str(r#"["grant_credits", "admin"]"#)?;
///     assert!(stored.contains(Privilege::GrantCredits));
///     assert_eq!(serde_json::to_string(&stored)?, r#"["grant_credits"]"#);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privileges {
    confirm_payments: bool,
    grant_credits: bool,
    cross_tenants: bool,
}

impl Privileges {
    /// No privilege at all.
    pub const NONE: Self = Self {
        confirm_payments: false,
        grant_credits: false,
        cross_tenants: false,
    };

    /// Returns [`NONE`](Self::NONE), for rows that were stored before there was such a field.
    pub(crate) const fn none() -> Self {
        Self::NONE
    }

    /// Returns true if a privilege is among them.
    pub const fn contains(self, privilege: Privilege) -> bool {
        match privilege {
            Privilege::ConfirmPayments => self.confirm_payments,
            Privilege::GrantCredits => self.grant_credits,
            Privilege::CrossTenants => self.cross_tenants,
        }
    }

    /// Returns the privileges that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self {
            confirm_payments: self.confirm_payments && other.confirm_payments,
            grant_credits: self.grant_credits && other.grant_credits,
            cross_tenants: self.cross_tenants && other.cross_tenants,
        }
    }

    /// Returns each of them, in the order of [`Privilege::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Privilege> {
        Privilege::ALL
            .into_iter()
            .filter(move |privilege| self.contains(*privilege))
    }
}

impl FromIterator<Privilege> for Privileges {
    fn from_iter<I: IntoIterator<Item = Privilege>>(privileges: I) -> Self {
        let mut all = Self::NONE;
        for privilege in privileges {
            match privilege {
                Privilege::ConfirmPayments => all.confirm_payments = true,
                Privilege::GrantCredits => all.grant_credits = true,
                Privilege::CrossTenants => all.cross_tenants = true,
            }
        }
        all
    }
}

impl Serialize for Privileges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Privileges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;

        // Unknown words are dropped rather than refused, so that a newer release may write more.
        Ok(words
            .iter()
            .filter_map(|word| Privilege::from_text(word))
            .collect())
    }
}
