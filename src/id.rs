//! Identifiers: an integer, a UUID or a short text, with one canonical form each.
//!
//! Text and identifier are a bijection, so the JSON number `7`, the path segment `7` and a column
//! that holds 7 are one and the same identifier, to the scope, the throttle and the wallet alike:
//!
//! | text | identifier |
//! |---|---|
//! | canonical decimal `i64`: `7`, `-3` (not `07`, not `+7`) | an integer |
//! | hyphenated lower-case UUID | a UUID |
//! | any other 1 to 64 printable ASCII characters without space and braces | a text |

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::problem::{Code, Explained};

/// The most bytes that a textual identifier has.
const MAX: usize = 64;

/// The three kinds of identifier; a `table!` declares which of them each tenant and key column
/// holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// A 64-bit integer.
    Int,
    /// A UUID, bound as the database's own type. Needs the feature `uuid`.
    #[cfg(feature = "uuid")]
    Uuid,
    /// A text. UUIDs are bound as their hyphenated lower-case text.
    Text,
}

/// Why a text is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text is empty.
    #[error("an identifier is empty")]
    Empty,
    /// The text has more than 64 characters.
    #[error("an identifier has more than {MAX} characters")]
    TooLong,
    /// A character is not printable ASCII, or is a space or a brace.
    #[error(
        "an identifier may hold printable ASCII characters only, and neither spaces nor braces"
    )]
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
        if text.len() > MAX {
            return Err(IdError::TooLong);
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'{' && b != b'}')
        {
            return Err(IdError::Character);
        }
        Ok(parse_integer(text)
            .map(Self::Integer)
            .or_else(|| parse_uuid(text).map(Self::Uuid))
            .unwrap_or_else(|| Self::Text(text.into())))
    }
}

/// Canonical decimals only: no sign but a minus, no leading zero, no minus zero.
fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [first, ..] => (b'1'..=b'9').contains(first),
        [] => false,
    };
    if canonical { text.parse().ok() } else { None }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let groups: Vec<&str> = text.split('-').collect();
    if !groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) {
        return None;
    }
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let digits: String = groups.concat();
    if !digits.bytes().all(lower_hex) {
        return None;
    }
    u128::from_str_radix(&digits, 16)
        .ok()
        .map(u128::to_be_bytes)
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Uuid([a, b, c, d, e, g, h, i, j, k, l, m, n, o, p, q]) => write!(
                f,
                "{a:02x}{b:02x}{c:02x}{d:02x}-{e:02x}{g:02x}-{h:02x}{i:02x}-{j:02x}{k:02x}-{l:02x}{m:02x}{n:02x}{o:02x}{p:02x}{q:02x}"
            ),
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
                // An integer beyond i64 would be a text; as a JSON number it is more likely a
                // mistake.
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
        ///         #[doc = concat!("use bailiwick::", stringify!($name), ";")]
        ///         #[doc = concat!("let seven: ", stringify!($name), " = \"7\".parse()?;")]
        ///         #[doc = concat!("assert_eq!(seven, ", stringify!($name), "::from(7));")]
        /// assert_eq!(seven.to_string(), "7");
        /// # Ok::<(), bailiwick::id::IdError>(())
        /// ```
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Identifier);

        impl $name {
            /// The integer, if this identifier is one.
            pub fn as_integer(&self) -> Option<i64> {
                match self.0 {
                    Identifier::Integer(integer) => Some(integer),
                    _ => None,
                }
            }

            /// The UUID, if this identifier is one.
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
    /// A lease of a concurrency limit, unique in its account and throttle scope: a request's
    /// identifier, say.
    LeaseId;
}
