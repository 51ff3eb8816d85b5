//! Idempotency keys: a client's names for its requests.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::problem::{Code, Explained};

/// The longest idempotency key, in characters.
const MAX_LENGTH: usize = 255;

/// The error of a text that is no idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an idempotency key has 1 to {MAX_LENGTH} printable ASCII characters without spaces")]
#[allow(clippy::exhaustive_structs, reason = "a closed domain")]
pub struct IdempotencyKeyError;

impl Explained for IdempotencyKeyError {
    fn code(&self) -> Code {
        Code::KeyInvalid
    }
}

/// A client's name for one request, so that sending it again does nothing twice
/// (draft-ietf-httpapi-idempotency-key-header): 1 to 255 printable ASCII characters without spaces.
///
/// ```
/// use bailiwick::credit::IdempotencyKey;
///
/// assert!("request-1".parse::<IdempotencyKey>().is_ok());
/// assert!("request 1".parse::<IdempotencyKey>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// Returns the key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        let sound = !text.is_empty()
            && text.len() <= MAX_LENGTH
            && text.bytes().all(|byte| byte.is_ascii_graphic());

        if sound {
            Ok(Self(text.into()))
        } else {
            Err(IdempotencyKeyError)
        }
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = IdempotencyKeyError;

    fn try_from(text: String) -> Result<Self, IdempotencyKeyError> {
        text.parse()
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0.as_ref().to_owned()
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({self})")
    }
}
