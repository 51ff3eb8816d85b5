//! Identifiers: an integer, a UUID or a short text, each with one canonical form.
//!
//! Text and identifier correspond one to one. So the JSON number `7`, the path segment `7` and a
//! column that holds 7 are one and the same identifier, to the scope, the throttle and the wallet
//! alike:
//!
//! | text | identifier |
//! |---|---|
//! | canonical decimal `i64`: `7`, `-3` (not `07`, not `+7`) | an integer |
//! | hyphenated lower-case UUID | a UUID |
//! | any other 1 to 64 printable ASCII characters without space and braces | a text |
//!
//! # First program
//! ```
//! use bailiwick::id::IdError;
//! use bailiwick::{AccountId, SiteId};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // From a database, from a path, from JSON: always the same identifier.
//!     let account = AccountId::from(7);
//!     assert_eq!(account, "7".parse()?);
//!     assert_eq!(account, serde_json::from_str("7")?);
//!
//!     // Leading zeros are not canonical, so `07` is a text, and another identifier.
//!     let other: AccountId = "07".parse()?;
//!     assert_ne!(account, other);
//!     assert_eq!(other.as_integer(), None);
//!
//!     assert_eq!("two words".parse::<SiteId>(), Err(IdError::Character));
//!     Ok(())
//! }
//! ```
//!
//! # The types
//! | type | identifies |
//! |---|---|
//! | [`AccountId`], [`SiteId`], [`SectorId`] | the tenant; a property of it; a division of that |
//! | [`UserId`], [`ApiKeyId`] | a person; an API key, by its public part |
//! | [`PlanId`], [`SubscriptionId`] | a plan; a subscription of an account to a plan |
//! | [`ChargeId`] | a charge: an amount that an account owes |
//! | [`LeaseId`] | a lease of a concurrency limit |
//! | [`IdKind`] | the kind of a column that holds identifiers |
//! | [`IdError`] | |
//!
//! The types have the same methods, and do not convert into each other.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::digest::{Hex, read_hex};
use crate::problem::{Code, Explained};

/// The most bytes of a textual identifier.
const MAX_TEXT: usize = 64;

/// The kind of an identifier. A `table!` declares the kind of each tenant and key column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum IdKind {
    /// A 64-bit integer.
    Int,
    /// A UUID, bound as the database's own type. It needs the feature `uuid`.
    #[cfg(feature = "uuid")]
    Uuid,
    /// A text. A UUID is bound as its hyphenated lower-case text.
    Text,
}

/// The reason why a text is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("an identifier must not be empty")]
    Empty,
    /// The text has more than 64 characters.
    #[error("an identifier has at most {MAX_TEXT} characters")]
    TooLong,
    /// A character is not printable ASCII, or is a space or a brace.
    #[error("an identifier has printable ASCII characters only, without spaces and braces")]
    Character,
}

impl Explained for IdError {
    fn code(&self) -> Code {
        Code::IdInvalid
    }
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Identifier {
    Integer(i64),
    Uuid([u8; 16]),
    Text(Arc<str>),
}

impl Identifier {
    fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_TEXT {
            return Err(IdError::TooLong);
        }
        // Braces are kept free: a throttle key marks the account with them.
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'{' && byte != b'}';
        if !text.bytes().all(is_allowed) {
            return Err(IdError::Character);
        }

        Ok(parse_integer(text)
            .map(Self::Integer)
            .or_else(|| parse_uuid(text).map(Self::Uuid))
            .unwrap_or_else(|| Self::Text(text.into())))
    }
}

/// Reads a canonical decimal: no sign but a minus, no leading zero, no minus zero.
fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [first, ..] => (b'1'..=b'9').contains(first),
        [] => false,
    };

    if canonical { text.parse().ok() } else { None }
}

/// Reads a hyphenated lower-case UUID.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let groups: Vec<&str> = text.split('-').collect();
    if !groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) {
        return None;
    }

    // Upper-case digits are refused: they would be a second text for the same identifier.
    read_hex(&groups.concat())
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Uuid([a, b, c, d, e, g, h, i, j, k, last @ ..]) => {
                let head = [&[*a, *b, *c, *d][..], &[*e, *g], &[*h, *i], &[*j, *k]];
                head.iter()
                    .try_for_each(|group| write!(f, "{}-", Hex(group)))?;
                Hex(last).fmt(f)
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(integer) => serializer.serialize_i64(*integer),
            other => serializer.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Identifier;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an identifier: an integer, a UUID or a short text")
            }

            fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Identifier, E> {
                Ok(Identifier::Integer(integer))
            }

            fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Identifier, E> {
                // As a text, an integer beyond i64 would be an identifier. As a JSON number it is
                // more likely a mistake.
                i64::try_from(integer)
                    .map(Identifier::Integer)
                    .map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Identifier, E> {
                Identifier::parse(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use bailiwick::id::", stringify!($name), ";")]
        ///
        #[doc = concat!("let seven: ", stringify!($name), " = \"7\".parse().unwrap();")]
        #[doc = concat!("assert_eq!(seven, ", stringify!($name), "::from(7));")]
        /// assert_eq!(seven.to_string(), "7");
        /// ```
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Identifier);

        impl $name {
            /// Returns the integer, if this identifier is one.
            pub fn as_integer(&self) -> Option<i64> {
                match self.0 {
                    Identifier::Integer(integer) => Some(integer),
                    _ => None,
                }
            }

            /// Returns the UUID, if this identifier is one.
            #[cfg(feature = "uuid")]
            pub fn as_uuid(&self) -> Option<uuid::Uuid> {
                match self.0 {
                    Identifier::Uuid(bytes) => Some(uuid::Uuid::from_bytes(bytes)),
                    _ => None,
                }
            }

            #[allow(dead_code, reason = "only tenant and key columns are bound as identifiers")]
            pub(crate) fn identifier(&self) -> &Identifier {
                &self.0
            }
        }

        impl From<i64> for $name {
            fn from(integer: i64) -> Self {
                Self(Identifier::Integer(integer))
            }
        }

        #[cfg(feature = "uuid")]
        impl From<uuid::Uuid> for $name {
            fn from(uuid: uuid::Uuid) -> Self {
                Self(Identifier::Uuid(uuid.into_bytes()))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Identifier::parse(text).map(Self)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

identifiers! {
    /// An account: the tenant.
    AccountId;
    /// A site: a property of an account.
    SiteId;
    /// A sector: a division of a site.
    SectorId;
    /// A person who may belong to an account.
    UserId;
    /// An API key's public identifier, never its secret.
    ApiKeyId;
    /// A plan: what an account buys.
    PlanId;
    /// A subscription of an account to a plan.
    SubscriptionId;
    /// A charge: an amount that an account owes.
    ChargeId;
    /// A lease of a concurrency limit, unique within its account and throttle scope: for example, a
    /// request's identifier.
    LeaseId;
}
