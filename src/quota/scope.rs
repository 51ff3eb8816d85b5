//! The name of a group of operations that are throttled together.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::error::QuotaError;

/// The name of a group of operations that are throttled together, such as `api` or `ai`: 1 to 32
/// characters `a-z`, `0-9`, `_` and `-`.
///
/// ```
/// use bailiwick::quota::ThrottleScope;
/// use bailiwick::throttle_scope;
///
/// const AI: ThrottleScope = throttle_scope!("ai");
/// assert_eq!(AI.as_str(), "ai");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThrottleScope {
    length: u8,
    bytes: [u8; 32],
}

/// Creates a constant [`ThrottleScope`](crate::quota::ThrottleScope). A malformed name does not
/// compile.
///
/// ```
/// use bailiwick::quota::ThrottleScope;
///
/// const EXPORT: ThrottleScope = bailiwick::throttle_scope!("export");
/// ```
///
/// ```compile_fail
/// const EXPORT: bailiwick::quota::ThrottleScope = bailiwick::throttle_scope!("Export");
/// ```
#[macro_export]
macro_rules! throttle_scope {
    ($name:literal) => {
        const {
            match $crate::quota::ThrottleScope::new($name) {
                Ok(scope) => scope,
                Err(_) => panic!("a throttle scope has 1 to 32 characters a-z, 0-9, _ and -"),
            }
        }
    };
}

impl ThrottleScope {
    /// Checks a name. In a constant, write [`throttle_scope!`](crate::throttle_scope).
    ///
    /// # Errors
    /// [`QuotaError::ScopeName`].
    pub const fn new(name: &str) -> Result<Self, QuotaError> {
        let mut rest = name.as_bytes();
        let mut bytes = [0; 32];
        let mut free: &mut [u8] = &mut bytes;
        let mut length: u8 = 0;

        // By hand, because a constant function can use neither iterators nor `get_mut`.
        while let [character, tail @ ..] = rest {
            let [next, others @ ..] = free else {
                return Err(QuotaError::ScopeName);
            };
            if !matches!(character, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-') {
                return Err(QuotaError::ScopeName);
            }
            *next = *character;
            length = length.saturating_add(1);
            rest = tail;
            free = others;
        }

        if length == 0 {
            Err(QuotaError::ScopeName)
        } else {
            Ok(Self { length, bytes })
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        let name = self
            .bytes
            .get(..usize::from(self.length))
            .unwrap_or_default();
        debug_assert!(name.is_ascii() && !name.is_empty(), "checked when made");

        // Only ASCII was let in, so this is never empty.
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Display for ThrottleScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ThrottleScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThrottleScope({self})")
    }
}

impl Serialize for ThrottleScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ThrottleScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
