//! The one who asks, as the host's authentication established it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ApiKeyId, SiteId, UserId};
use crate::right::Privileges;

/// The kind of credential that a principal presented. It goes to the audit log; no decision depends
/// on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Credential {
    /// A session cookie.
    Session,
    /// A signed token.
    Jwt,
    /// An API key, by its public identifier.
    ApiKey(ApiKeyId),
}

/// The person or the program that asks. To make one is to say that the host verified a credential;
/// it grants nothing until the gate has decided.
///
/// ```
/// use bailiwick::right::{Privilege, Privileges};
/// use bailiwick::{Principal, SiteId};
///
/// let person = Principal::session(1.into()).of_account(7.into());
/// let key = Principal::api_key(3.into())
///     .of_account(7.into())
///     .bound_to_sites([SiteId::from(12)]);
/// let operator = Principal::jwt(2.into())
///     .of_account(1.into())
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
        Self {
            credential,
            user,
            account: None,
            sites: None,
            privileges: Privileges::NONE,
        }
    }

    /// Describes a person with a session.
    pub fn session(user: UserId) -> Self {
        Self::new(Credential::Session, Some(user))
    }

    /// Describes a person with a signed token.
    pub fn jwt(user: UserId) -> Self {
        Self::new(Credential::Jwt, Some(user))
    }

    /// Describes a program with an API key.
    pub fn api_key(key: ApiKeyId) -> Self {
        Self::new(Credential::ApiKey(key), None)
    }

    /// Sets the account that the principal belongs to, as stored with the credential.
    pub fn of_account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// Binds the principal to these sites and no others. An empty list means none, never all.
    pub fn bound_to_sites(mut self, sites: impl Into<Arc<[SiteId]>>) -> Self {
        self.sites = Some(sites.into());
        self
    }

    /// Sets the privileges that are stored for the principal. A privilege counts only if its
    /// account has it, too.
    pub fn with_privileges(mut self, privileges: Privileges) -> Self {
        self.privileges = privileges;
        self
    }

    /// Returns the kind of credential, for the audit log.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Returns the person; `None` for an API key.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Returns the account that the principal belongs to.
    pub fn account_id(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// Returns the sites that the principal is bound to; `None` if it is not bound.
    pub fn sites(&self) -> Option<&Arc<[SiteId]>> {
        self.sites.as_ref()
    }

    /// Returns the privileges that are stored for the principal.
    pub fn privileges(&self) -> Privileges {
        self.privileges
    }
}
