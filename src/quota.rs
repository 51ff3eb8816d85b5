//! Quotas: how many cells a plan allows in a period, and how many at once. Checked when they are
//! made, so that no arithmetic on them can overflow later.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::problem::{Code, Explained};

/// Longest time, in nanoseconds, that a full burst may take to drain: 400 days, so that a yearly
/// quota fits.
const MAX_WINDOW: i64 = 400 * 86_400 * 1_000_000_000;
/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// What is throttled: a short name such as `api` or `ai`, of 1 to 32 characters `a-z`, `0-9`, `_`
/// and `-`.
///
/// ```
/// use bailiwick::throttle_scope;
/// use bailiwick::quota::ThrottleScope;
/// const AI: ThrottleScope = throttle_scope!("ai");
/// assert_eq!(AI.as_str(), "ai");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThrottleScope {
    length: u8,
    bytes: [u8; 32],
}

/// A [`ThrottleScope`] constant. A malformed name does not compile.
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
    pub const fn new(name: &str) -> Result<Self, QuotaError> {
        let mut rest = name.as_bytes();
        let mut bytes = [0; 32];
        let mut free: &mut [u8] = &mut bytes;
        let mut length: u8 = 0;
        while let [character, tail @ ..] = rest {
            let [slot, others @ ..] = free else {
                return Err(QuotaError::ScopeName);
            };
            if !matches!(character, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-') {
                return Err(QuotaError::ScopeName);
            }
            *slot = *character;
            length = length.saturating_add(1);
            (rest, free) = (tail, others);
        }
        if length == 0 {
            Err(QuotaError::ScopeName)
        } else {
            Ok(Self { length, bytes })
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let name = self
            .bytes
            .get(..usize::from(self.length))
            .unwrap_or_default();
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

/// Why a quota or the name of a throttle scope is not sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// The name of a throttle scope is malformed.
    #[error("a throttle scope has 1 to 32 characters a-z, 0-9, _ and -")]
    ScopeName,
    /// Zero cells, zero seconds or a burst of zero.
    #[error("a quota's cells, seconds and burst are all at least 1")]
    Zero,
    /// A full burst would take longer than 400 days to drain.
    #[error("a quota's burst takes longer than 400 days to drain")]
    TooSlow,
    /// More than 10^9 cells a second.
    #[error("a quota allows more than a cell a nanosecond")]
    TooFast,
    /// A concurrency limit of none, or of leases that last no time or longer than a day.
    #[error("a concurrency limit is 1 to 1000 at once, each for 1 to 86400 seconds")]
    Concurrency,
    /// A set of quotas is empty, has more than four, or has two with one period.
    #[error("a throttle scope has one to four quotas, each with a period of its own")]
    Set,
}

impl Explained for QuotaError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}

/// A GCRA rate: `cells` in `seconds`, at most `burst` at once.
///
/// ```
/// use bailiwick::Quota;
/// let quota = Quota::new(60, 60)?.with_burst(10)?; // one a second on average, ten at once
/// assert_eq!(quota.interval_nanos(), 1_000_000_000);
/// # Ok::<(), bailiwick::quota::QuotaError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "QuotaText", into = "QuotaText")]
pub struct Quota {
    cells: u32,
    seconds: u32,
    burst: u32,
    interval: i64,
}

impl Quota {
    /// `cells` in every `seconds`, all of which may come at once. Fails when a number is zero or
    /// the quota is out of range.
    pub fn new(cells: u32, seconds: u32) -> Result<Self, QuotaError> {
        Self::checked(cells, seconds, cells)
    }

    /// The same rate with another burst.
    pub fn with_burst(self, burst: u32) -> Result<Self, QuotaError> {
        Self::checked(self.cells, self.seconds, burst)
    }

    fn checked(cells: u32, seconds: u32, burst: u32) -> Result<Self, QuotaError> {
        if cells == 0 || seconds == 0 || burst == 0 {
            return Err(QuotaError::Zero);
        }
        let period = i64::from(seconds)
            .checked_mul(SECOND)
            .ok_or(QuotaError::TooSlow)?;
        // Rounded up, so that rounding never lets more through than was bought.
        let round_up = i64::from(cells).saturating_sub(1);
        let interval = period
            .checked_add(round_up)
            .and_then(|sum| sum.checked_div(i64::from(cells)))
            .ok_or(QuotaError::TooSlow)?;
        if i64::from(cells) > period {
            return Err(QuotaError::TooFast);
        }
        match interval.checked_mul(i64::from(burst)) {
            Some(window) if window <= MAX_WINDOW => Ok(Self {
                cells,
                seconds,
                burst,
                interval,
            }),
            _ => Err(QuotaError::TooSlow),
        }
    }

    /// Cells in every [`seconds`](Self::seconds).
    pub fn cells(&self) -> u32 {
        self.cells
    }

    /// The period of the rate, in seconds.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// The most cells that can pass at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// The emission interval `T`: whole nanoseconds for one cell, rounded up.
    pub fn interval_nanos(&self) -> i64 {
        self.interval
    }

    /// Nanoseconds that a full burst takes to drain: `burst * T`, at most 400 days.
    pub fn window_nanos(&self) -> i64 {
        self.interval.saturating_mul(self.burst.into())
    }
}

/// A quota as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaText {
    cells: u32,
    seconds: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
}

impl TryFrom<QuotaText> for Quota {
    type Error = QuotaError;

    fn try_from(text: QuotaText) -> Result<Self, QuotaError> {
        Self::checked(text.cells, text.seconds, text.burst.unwrap_or(text.cells))
    }
}

impl From<Quota> for QuotaText {
    fn from(quota: Quota) -> Self {
        Self {
            cells: quota.cells,
            seconds: quota.seconds,
            burst: Some(quota.burst),
        }
    }
}

/// The quotas of one throttle scope, such as ten a second and a thousand a day: one to four, each
/// with a period of its own, in ascending order of period. They are charged all or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Quota>", into = "Vec<Quota>")]
pub struct QuotaSet(Vec<Quota>);

impl QuotaSet {
    /// The most quotas that one throttle scope has.
    pub const MAX: usize = 4;

    /// The quotas, by ascending period.
    pub fn as_slice(&self) -> &[Quota] {
        &self.0
    }
}

impl From<Quota> for QuotaSet {
    fn from(quota: Quota) -> Self {
        Self(vec![quota])
    }
}

impl TryFrom<Vec<Quota>> for QuotaSet {
    type Error = QuotaError;

    fn try_from(mut quotas: Vec<Quota>) -> Result<Self, QuotaError> {
        quotas.sort_by_key(Quota::seconds);
        let distinct = quotas
            .iter()
            .zip(quotas.iter().skip(1))
            .all(|(a, b)| a.seconds != b.seconds);
        if quotas.is_empty() || quotas.len() > Self::MAX || !distinct {
            Err(QuotaError::Set)
        } else {
            Ok(Self(quotas))
        }
    }
}

impl From<QuotaSet> for Vec<Quota> {
    fn from(set: QuotaSet) -> Self {
        set.0
    }
}

/// How many requests of an account may be at work at once in a throttle scope, and how long each
/// may take. Each holds a lease; one that is never returned, since its process died, ends by
/// itself.
///
/// ```
/// use bailiwick::quota::ConcurrencyLimit;
/// let limit = ConcurrencyLimit::new(4, 120)?; // four at once, two minutes each
/// assert_eq!((limit.at_once(), limit.seconds()), (4, 120));
/// # Ok::<(), bailiwick::quota::QuotaError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConcurrencyText", into = "ConcurrencyText")]
pub struct ConcurrencyLimit {
    at_once: u16,
    seconds: u32,
}

impl ConcurrencyLimit {
    /// The most leases at once.
    pub const MAX: u16 = 1000;
    /// The longest time that a lease lasts, in seconds: a day.
    pub const MAX_SECONDS: u32 = 86_400;

    /// 1 to 1000 at once, each for 1 to 86,400 seconds. Fails with [`QuotaError::Concurrency`]
    /// otherwise.
    pub const fn new(at_once: u16, seconds: u32) -> Result<Self, QuotaError> {
        let is_sound =
            at_once >= 1 && at_once <= Self::MAX && seconds >= 1 && seconds <= Self::MAX_SECONDS;
        if is_sound {
            Ok(Self { at_once, seconds })
        } else {
            Err(QuotaError::Concurrency)
        }
    }

    /// The most leases at once.
    pub const fn at_once(&self) -> u16 {
        self.at_once
    }

    /// How long a lease lasts that is not returned, in seconds.
    pub const fn seconds(&self) -> u32 {
        self.seconds
    }
}

/// A concurrency limit as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConcurrencyText {
    at_once: u16,
    seconds: u32,
}

impl TryFrom<ConcurrencyText> for ConcurrencyLimit {
    type Error = QuotaError;

    fn try_from(text: ConcurrencyText) -> Result<Self, QuotaError> {
        Self::new(text.at_once, text.seconds)
    }
}

impl From<ConcurrencyLimit> for ConcurrencyText {
    fn from(limit: ConcurrencyLimit) -> Self {
        Self {
            at_once: limit.at_once,
            seconds: limit.seconds,
        }
    }
}
