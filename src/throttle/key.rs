//! Keys: which bucket a request is charged to. Two different subjects, or one subject in two scopes, never share one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use crate::id::{AccountId, ApiKeyId, SiteId, UserId};
use crate::problem::{Code, Explained};
use crate::quota::ThrottleScope;

/// Who or what is throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThrottleSubject<'a> {
    /// An account as a whole: what a plan's quotas are about.
    Account(&'a AccountId),
    /// One person of an account.
    User(&'a AccountId, &'a UserId),
    /// One API key of an account.
    ApiKey(&'a AccountId, &'a ApiKeyId),
    /// One site of an account.
    Site(&'a AccountId, &'a SiteId),
    /// An address that nobody has logged in from yet. Take it from the connection or from a proxy that is trusted,
    /// never from a header that a client can set.
    Address(IpAddr),
}

/// The bucket that a request is charged to: a throttle scope and a subject.
///
/// As a value it hashes and compares without ever being formatted. As a text, for a shared store, it is printable ASCII
/// of at most 256 bytes, and a bijection: two different keys never have one text.
///
/// | subject | text |
/// |---|---|
/// | account 7 | `throttle:{7}:ai` |
/// | user 5 of account 7 | `throttle:{7}:ai:user:5` |
/// | API key 3 of account 7 | `throttle:{7}:ai:api_key:3` |
/// | site 12 of account 7 | `throttle:{7}:ai:site:12` |
/// | address 192.0.2.1 | `throttle:address:ai:192.0.2.1` |
/// | address 2001:db8::1 | `throttle:address:ai:2001:db8::/64` |
///
/// Identifiers hold no braces and scopes no colons, so the text can be read in one way only. The braces are the hash
/// tag of Redis Cluster: all keys of one account live on one node. A key of an address has none.
///
/// An IPv6 address is cut to its /64, the smallest block that a network hands to one customer; an IPv4 address that is
/// mapped into IPv6 is that IPv4 address.
///
/// ```
/// use bailiwick::{throttle_scope, AccountId, ThrottleKey, ThrottleSubject};
/// let key = ThrottleKey::derive(throttle_scope!("ai"), ThrottleSubject::Account(&AccountId::from(7)));
/// assert_eq!(key.to_string(), "throttle:{7}:ai");
/// assert_eq!("throttle:{7}:ai".parse(), Ok(key));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ThrottleKey {
    scope: ThrottleScope,
    subject: Subject,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Subject {
    Account(AccountId),
    User(AccountId, UserId),
    ApiKey(AccountId, ApiKeyId),
    Site(AccountId, SiteId),
    Address(Address),
}

/// An address as it is told apart from others: IPv4 whole, IPv6 by its upper 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Address {
    V4(Ipv4Addr),
    /// The lower 64 bits are zero.
    V6(Ipv6Addr),
}

impl From<IpAddr> for Address {
    #[inline]
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// A text is not that of a throttle key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the text of a throttle key, such as \"throttle:{{7}}:ai\"")]
pub struct ThrottleKeyError;

impl Explained for ThrottleKeyError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}

impl ThrottleKey {
    /// The key of a subject in a scope.
    #[inline]
    pub fn derive(scope: ThrottleScope, subject: ThrottleSubject<'_>) -> Self {
        let subject = match subject {
            ThrottleSubject::Account(account) => Subject::Account(account.clone()),
            ThrottleSubject::User(account, user) => Subject::User(account.clone(), user.clone()),
            ThrottleSubject::ApiKey(account, key) => Subject::ApiKey(account.clone(), key.clone()),
            ThrottleSubject::Site(account, site) => Subject::Site(account.clone(), site.clone()),
            ThrottleSubject::Address(address) => Subject::Address(address.into()),
        };
        Self { scope, subject }
    }

    /// The scope.
    pub fn scope(&self) -> ThrottleScope {
        self.scope
    }

    /// The account whose bucket it is; `None` for an address.
    pub fn account(&self) -> Option<&AccountId> {
        match &self.subject {
            Subject::Account(account)
            | Subject::User(account, _)
            | Subject::ApiKey(account, _)
            | Subject::Site(account, _) => Some(account),
            Subject::Address(_) => None,
        }
    }
}

impl fmt::Display for ThrottleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.scope;
        match &self.subject {
            Subject::Account(account) => write!(f, "throttle:{{{account}}}:{scope}"),
            Subject::User(account, user) => write!(f, "throttle:{{{account}}}:{scope}:user:{user}"),
            Subject::ApiKey(account, key) => write!(f, "throttle:{{{account}}}:{scope}:api_key:{key}"),
            Subject::Site(account, site) => write!(f, "throttle:{{{account}}}:{scope}:site:{site}"),
            Subject::Address(address) => write!(f, "throttle:address:{scope}:{address}"),
        }
    }
}

impl fmt::Debug for ThrottleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThrottleKey({self})")
    }
}

impl FromStr for ThrottleKey {
    type Err = ThrottleKeyError;

    /// The inverse of the text: it accepts what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, ThrottleKeyError> {
        let key = text.strip_prefix("throttle:").and_then(parse).ok_or(ThrottleKeyError)?;
        // An address can be written in many ways, but is the text of a key in one only.
        if key.to_string() == text { Ok(key) } else { Err(ThrottleKeyError) }
    }
}

fn parse(text: &str) -> Option<ThrottleKey> {
    if let Some(address) = text.strip_prefix("address:") {
        let (scope, address) = address.split_once(':')?;
        let address = address.strip_suffix("/64").unwrap_or(address).parse().ok()?;
        let scope = ThrottleScope::new(scope).ok()?;
        return Some(ThrottleKey::derive(scope, ThrottleSubject::Address(address)));
    }
    let (account, rest) = text.strip_prefix('{')?.split_once("}:")?;
    let account = account.parse().ok()?;
    let (scope, subject) = match rest.split_once(':') {
        None => (rest, Subject::Account(account)),
        Some((scope, member)) => {
            let (kind, id) = member.split_once(':')?;
            let subject = match kind {
                "user" => Subject::User(account, id.parse().ok()?),
                "api_key" => Subject::ApiKey(account, id.parse().ok()?),
                "site" => Subject::Site(account, id.parse().ok()?),
                _ => return None,
            };
            (scope, subject)
        }
    };
    Some(ThrottleKey { scope: ThrottleScope::new(scope).ok()?, subject })
}
