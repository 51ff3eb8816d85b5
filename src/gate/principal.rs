//! Who asks: a principal, as the host's authentication established it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ApiKeyId, SiteId, UserId};

/// The kind of credential that a principal presented. It goes to the audit log; no decision depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A session cookie.
    Session,
    /// A signed token.
    Jwt,
    /// An API key, by its public identifier.
    ApiKey(ApiKeyId),
}

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
    pub const ALL: [Self; 3] = [Self::ConfirmPayments, Self::GrantCredits, Self::CrossTenants];

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
        Self::ALL.into_iter().find(|privilege| privilege.as_str() == text)
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The privileges that are stored for a principal, one by one. Never inferred from a role, a flag or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privileges {
    confirm_payments: bool,
    grant_credits: bool,
    cross_tenants: bool,
}

impl Privileges {
    /// No privilege at all.
    pub const NONE: Self = Self { confirm_payments: false, grant_credits: false, cross_tenants: false };

    /// Whether a privilege is among them.
    pub const fn contains(self, privilege: Privilege) -> bool {
        match privilege {
            Privilege::ConfirmPayments => self.confirm_payments,
            Privilege::GrantCredits => self.grant_credits,
            Privilege::CrossTenants => self.cross_tenants,
        }
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

/// Who asks. Making one says that the host verified a credential; it grants nothing until the gate has spoken.
///
/// ```
/// use bailiwick::{ApiKeyId, Principal, Privilege, Privileges, SiteId, UserId};
/// let person = Principal::session(UserId::from(1)).of_account(7.into());
/// let key = Principal::api_key(ApiKeyId::from(3)).of_account(7.into()).bound_to_sites([SiteId::from(12)]);
/// let operator = Principal::jwt(UserId::from(2)).of_account(1.into())
///     .with_privileges(Privileges::from_iter([Privilege::ConfirmPayments]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    credential: Credential,
    user: Option<UserId>,
    account: Option<AccountId>,
    sites: Option<Arc<[SiteId]>>,
    privileges: Privileges,
}

impl Principal {
    pub(super) fn new(credential: Credential, user: Option<UserId>) -> Self {
        Self { credential, user, account: None, sites: None, privileges: Privileges::NONE }
    }

    /// A person with a session.
    pub fn session(user: UserId) -> Self {
        Self::new(Credential::Session, Some(user))
    }

    /// A person with a signed token.
    pub fn jwt(user: UserId) -> Self {
        Self::new(Credential::Jwt, Some(user))
    }

    /// A program with an API key.
    pub fn api_key(key: ApiKeyId) -> Self {
        Self::new(Credential::ApiKey(key), None)
    }

    /// The account that the principal belongs to, as stored with the credential.
    pub fn of_account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// Binds the principal to these sites and no others. An empty list means none, never all.
    pub fn bound_to_sites(mut self, sites: impl Into<Arc<[SiteId]>>) -> Self {
        self.sites = Some(sites.into());
        self
    }

    /// The privileges that are stored for the principal.
    pub fn with_privileges(mut self, privileges: Privileges) -> Self {
        self.privileges = privileges;
        self
    }

    /// The kind of credential, for the audit log.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The person; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// The account that the principal belongs to.
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// The sites that the principal is bound to; `None` if it is not bound.
    pub fn sites(&self) -> Option<&Arc<[SiteId]>> {
        self.sites.as_ref()
    }

    /// The privileges that are stored for the principal.
    pub fn privileges(&self) -> Privileges {
        self.privileges
    }
}
