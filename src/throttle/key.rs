//! Keys: they name the bucket that a request is charged to. Two different subjects, or one subject
//! in two scopes, never share a bucket.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use crate::id::{AccountId, ApiKeyId, SiteId, UserId};
use crate::problem::{Code, Explained};
use crate::quota::ThrottleScope;

/// The subject that is throttled: an account, a part of one, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a request: a host writes it, as a literal"
)]
pub enum ThrottleSubject<'a> {
    /// An account as a whole, which a plan's quotas apply to.
    Account(&'a AccountId),
    /// One person of an account.
    User(&'a AccountId, &'a UserId),
    /// One API key of an account.
    ApiKey(&'a AccountId, &'a ApiKeyId),
    /// One site of an account.
    Site(&'a AccountId, &'a SiteId),
    /// One person at one site of an account.
    UserAtSite(&'a AccountId, &'a UserId, &'a SiteId),
    /// One API key at one site of an account.
    ApiKeyAtSite(&'a AccountId, &'a ApiKeyId, &'a SiteId),
    /// An address that nobody has logged in from yet. Take it from the connection, or through
    /// [`TrustedHops`](crate::throttle::TrustedHops); never from a header that a client can set.
    Address(IpAddr),
    /// Requests from one address to an account: log-ins, for example, which should slow down
    /// neither another address nor another account.
    AccountFrom(&'a AccountId, IpAddr),
    /// Requests from one address for one person of an account.
    UserFrom(&'a AccountId, &'a UserId, IpAddr),
    /// Requests from one address by one API key of an account.
    ApiKeyFrom(&'a AccountId, &'a ApiKeyId, IpAddr),
}

/// The bucket that a request is charged to: a throttle scope and a subject.
///
/// As a value it hashes and compares without ever being formatted. As a text, for a shared store,
/// it is printable ASCII of at most 256 bytes, and two different keys never have the same text.
///
/// | subject | text |
/// |---|---|
/// | account 7 | `throttle:{7}:ai` |
/// | user 5 of account 7 | `throttle:{7}:ai:user:{5}` |
/// | API key 3 of account 7, at site 12 | `throttle:{7}:ai:api_key:{3}:site:{12}` |
/// | site 12 of account 7 | `throttle:{7}:ai:site:{12}` |
/// | user 5 of account 7, from 192.0.2.1 | `throttle:{7}:ai:user:{5}:address:192.0.2.1` |
/// | address 192.0.2.1 | `throttle:address:ai:192.0.2.1` |
/// | address 2001:db8::1 | `throttle:address:ai:2001:db8::/64` |
///
/// Identifiers contain no braces and scopes no colons, so the text can be read in one way only. The
/// first braces are the hash tag of Redis Cluster: all keys of one account live on one node. A key
/// of an address alone has no hash tag.
///
/// An IPv6 address is cut to its /64, the smallest block that a network gives to one customer. An
/// IPv4 address that is mapped into IPv6, or behind the well-known prefix of NAT64, counts as that
/// IPv4 address.
///
/// ```
/// use bailiwick::throttle::{ThrottleKey, ThrottleSubject};
/// use bailiwick::{AccountId, throttle_scope};
///
/// let account = AccountId::from(7);
/// let key = ThrottleKey::derive(throttle_scope!("ai"), ThrottleSubject::Account(&account));
/// assert_eq!(key.to_string(), "throttle:{7}:ai");
/// assert_eq!("throttle:{7}:ai".parse(), Ok(key));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ThrottleKey {
    scope: ThrottleScope,
    subject: Subject,
}

/// A subject as a key owns it: every part of an account is a member, a place, or both.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Account {
        account: AccountId,
        member: Option<Member>,
        place: Option<Place>,
    },
    Address(Address),
}

/// The one of an account's members that makes the request.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Member {
    User(UserId),
    ApiKey(ApiKeyId),
}

/// The place that a request to an account goes to, a site, or that it comes from, an address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Site(SiteId),
    Address(Address),
}

/// An address as far as it is told from others: IPv4 in full, IPv6 by its upper 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Address {
    V4(Ipv4Addr),
    /// The upper 64 bits. As bytes, so that a key is no larger than it must be.
    V6([u8; 8]),
}

impl From<IpAddr> for Address {
    #[inline]
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => match address.octets() {
                // NAT64 (RFC 6052): all of IPv4 is behind this one block.
                [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => {
                    Self::V4(Ipv4Addr::new(a, b, c, d))
                }
                [a, b, c, d, e, f, g, h, ..] => Self::V6([a, b, c, d, e, f, g, h]),
            },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(block) => {
                write!(
                    f,
                    "{}/64",
                    Ipv6Addr::from_bits(u128::from(u64::from_be_bytes(*block)) << 64)
                )
            }
        }
    }
}

/// A text that is not that of a throttle key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed throttle key: expected a text such as \"throttle:{{7}}:ai\"")]
#[non_exhaustive]
pub struct ThrottleKeyError;

impl Explained for ThrottleKeyError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}

impl ThrottleKey {
    /// Creates the key of a subject in a scope.
    #[inline]
    pub fn derive(scope: ThrottleScope, subject: ThrottleSubject<'_>) -> Self {
        let user = |id: &UserId| Some(Member::User(id.clone()));
        let key = |id: &ApiKeyId| Some(Member::ApiKey(id.clone()));
        let site = |id: &SiteId| Some(Place::Site(id.clone()));
        let from = |address: IpAddr| Some(Place::Address(address.into()));

        let (account, member, place) = match subject {
            ThrottleSubject::Address(address) => {
                return Self {
                    scope,
                    subject: Subject::Address(address.into()),
                };
            }
            ThrottleSubject::Account(account) => (account, None, None),
            ThrottleSubject::User(account, id) => (account, user(id), None),
            ThrottleSubject::ApiKey(account, id) => (account, key(id), None),
            ThrottleSubject::Site(account, at) => (account, None, site(at)),
            ThrottleSubject::UserAtSite(account, id, at) => (account, user(id), site(at)),
            ThrottleSubject::ApiKeyAtSite(account, id, at) => (account, key(id), site(at)),
            ThrottleSubject::AccountFrom(account, address) => (account, None, from(address)),
            ThrottleSubject::UserFrom(account, id, address) => (account, user(id), from(address)),
            ThrottleSubject::ApiKeyFrom(account, id, address) => (account, key(id), from(address)),
        };

        Self {
            scope,
            subject: Subject::Account {
                account: account.clone(),
                member,
                place,
            },
        }
    }

    /// Returns the scope.
    pub fn scope(&self) -> ThrottleScope {
        self.scope
    }

    /// Returns the account whose bucket it is; `None` for an address alone.
    pub fn account(&self) -> Option<&AccountId> {
        match &self.subject {
            Subject::Account { account, .. } => Some(account),
            Subject::Address(_) => None,
        }
    }

    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }
}

impl fmt::Display for ThrottleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.scope;
        let (account, member, place) = match &self.subject {
            Subject::Address(address) => return write!(f, "throttle:address:{scope}:{address}"),
            Subject::Account {
                account,
                member,
                place,
            } => (account, member, place),
        };

        // The account's braces come first: they are the hash tag of Redis Cluster.
        write!(f, "throttle:{{{account}}}:{scope}")?;
        match member {
            None => {}
            Some(Member::User(user)) => write!(f, ":user:{{{user}}}")?,
            Some(Member::ApiKey(key)) => write!(f, ":api_key:{{{key}}}")?,
        }
        match place {
            None => Ok(()),
            Some(Place::Site(site)) => write!(f, ":site:{{{site}}}"),
            Some(Place::Address(address)) => write!(f, ":address:{address}"),
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

    /// Reads a key. It accepts the text that `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, ThrottleKeyError> {
        let key = text
            .strip_prefix("throttle:")
            .and_then(parse)
            .ok_or(ThrottleKeyError)?;
        // An address can be written in many ways, but only one of them is the text of a key.
        if key.to_string() == text {
            Ok(key)
        } else {
            Err(ThrottleKeyError)
        }
    }
}

/// Reads the text after `throttle:`. An address may be written in any way here.
fn parse(text: &str) -> Option<ThrottleKey> {
    if let Some(rest) = text.strip_prefix("address:") {
        let (scope, address) = rest.split_once(':')?;
        let scope = ThrottleScope::new(scope).ok()?;
        return Some(ThrottleKey {
            scope,
            subject: Subject::Address(parse_address(address)?),
        });
    }

    let (account, rest) = text.strip_prefix('{')?.split_once("}:")?;
    let (scope, rest) = rest.split_at_checked(rest.find(':').unwrap_or(rest.len()))?;

    let (member, rest) = match (braced(rest, ":user:{"), braced(rest, ":api_key:{")) {
        (Some((user, rest)), _) => (Some(Member::User(user.parse().ok()?)), rest),
        (_, Some((key, rest))) => (Some(Member::ApiKey(key.parse().ok()?)), rest),
        (None, None) => (None, rest),
    };

    let place = match (braced(rest, ":site:{"), rest.strip_prefix(":address:")) {
        (Some((site, "")), _) => Some(Place::Site(site.parse().ok()?)),
        (_, Some(address)) => Some(Place::Address(parse_address(address)?)),
        _ if rest.is_empty() => None,
        _ => return None,
    };

    let subject = Subject::Account {
        account: account.parse().ok()?,
        member,
        place,
    };
    Some(ThrottleKey {
        scope: ThrottleScope::new(scope).ok()?,
        subject,
    })
}

/// Returns the text between a prefix that ends in a brace and the closing brace, and the text after
/// that.
fn braced<'a>(text: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(prefix)?.split_once('}')
}

fn parse_address(text: &str) -> Option<Address> {
    let address: IpAddr = text.strip_suffix("/64").unwrap_or(text).parse().ok()?;
    Some(address.into())
}
