//! Named powers over the service itself: stored one by one, never inferred from a role, a flag or a
//! name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A named power over the service itself. None of them widens which rows a tenant's routes see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// May confirm that a bank transfer arrived.
    ConfirmPayments,
    /// May grant credits that nobody paid for.
    GrantCredits,
    /// May read another tenant's rows, one account at a time, for a reason that is recorded.
    CrossTenants,
}

impl Privilege {
    /// Every privilege.
    pub const ALL: [Self; 3] = [
        Self::ConfirmPayments,
        Self::GrantCredits,
        Self::CrossTenants,
    ];

    /// The text to store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmPayments => "confirm_payments",
            Self::GrantCredits => "grant_credits",
            Self::CrossTenants => "cross_tenants",
        }
    }

    /// From a stored text. `None` for what is no privilege: unknown words grant nothing.
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
/// words, of which those that are no privilege grant nothing.
///
/// ```
/// use bailiwick::right::{Privilege, Privileges};
/// let stored: Privileges = serde_json::from_str(r#"["grant_credits", "admin"]"#)?;
/// assert!(stored.contains(Privilege::GrantCredits) && !stored.contains(Privilege::ConfirmPayments));
/// assert_eq!(serde_json::to_string(&stored)?, r#"["grant_credits"]"#);
/// # Ok::<(), serde_json::Error>(())
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

    /// For facts that were stored before there was such a field.
    pub(crate) const fn none() -> Self {
        Self::NONE
    }

    /// Whether a privilege is among them.
    pub const fn contains(self, privilege: Privilege) -> bool {
        match privilege {
            Privilege::ConfirmPayments => self.confirm_payments,
            Privilege::GrantCredits => self.grant_credits,
            Privilege::CrossTenants => self.cross_tenants,
        }
    }

    /// Those that are among both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self {
            confirm_payments: self.confirm_payments && other.confirm_payments,
            grant_credits: self.grant_credits && other.grant_credits,
            cross_tenants: self.cross_tenants && other.cross_tenants,
        }
    }

    /// Each of them, in the order of [`Privilege::ALL`].
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
        Ok(words
            .iter()
            .filter_map(|word| Privilege::from_text(word))
            .collect())
    }
}
