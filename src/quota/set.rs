//! The quotas of one throttle scope.

use serde::{Deserialize, Serialize};

use super::error::QuotaError;
use super::rate::Quota;

/// The quotas of one throttle scope, such as ten a second and a thousand a day: one to four, each
/// with a period of its own, in ascending order of period. A request is charged to all of them, or
/// to none.
///
/// ```
/// use bailiwick::Quota;
/// use bailiwick::quota::{QuotaError, QuotaSet};
///
/// fn main() -> Result<(), QuotaError> {
///     let set = QuotaSet::try_from(vec![Quota::new(1_000, 86_400)?, Quota::new(10, 1)?])?;
///     assert_eq!(set.as_slice()[0].cells(), 10, "the shortest period comes first");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Quota>", into = "Vec<Quota>")]
pub struct QuotaSet(Vec<Quota>);

impl QuotaSet {
    /// The greatest number of quotas that a throttle scope can have.
    pub const MAX: usize = 4;

    /// Returns the quotas, by ascending period.
    #[inline]
    pub fn as_slice(&self) -> &[Quota] {
        &self.0
    }

    /// Returns the least burst of the quotas: a greater cost can never pass.
    pub(crate) fn least_burst(&self) -> u32 {
        let least = self.0.iter().map(Quota::burst).min();
        debug_assert!(least.is_some(), "a set has at least one quota");
        least.unwrap_or_default()
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
        let is_distinct = quotas
            .iter()
            .zip(quotas.iter().skip(1))
            .all(|(a, b)| a.seconds() != b.seconds());

        if quotas.is_empty() || quotas.len() > Self::MAX || !is_distinct {
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
