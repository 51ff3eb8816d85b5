//! Who asks: a principal, as the host's authentication established it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ApiKeyId, SiteId, UserId};
use crate::right::Privileges;

/// The kind of credential that a principal presented. It goes to the audit log; no decision depends
/// on it.
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

/// Who asks. Making one says that the host verified a credential; it grants nothing until the gate
/// has spoken.
///
/// ```
/// use bailiwick::{Principal, SiteId};
/// use bailiwick::id::{ApiKeyId, UserId};
/// use bailiwick::right::{Privilege, Privileges};
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
        Self {
            credential,
            user,
            account: None,
            sites: None,
            privileges: Privileges::NONE,
        }
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

    /// The privileges that are stored for the principal. They count where its account has them,
    /// too.
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
    pub fn account_id(&self) -> Option<&AccountId> {
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
