//! The plan's limits for a scope, behind an access that still holds.

use chrono::{DateTime, Utc};

use super::refusal::Throttled;
use crate::gate::Access;
use crate::quota::{ConcurrencyLimit, QuotaSet, ThrottleScope};

/// Returns the plan's quotas for a scope, if the access holds.
#[inline]
pub(super) fn quotas(
    access: &Access,
    scope: ThrottleScope,
    now: DateTime<Utc>,
) -> Result<&QuotaSet, Throttled> {
    if !access.is_valid_at(now) {
        return Err(Throttled::AccessExpired);
    }

    access
        .plan()
        .quotas
        .get(&scope)
        .ok_or(Throttled::QuotaMissing(scope))
}

/// Returns the plan's concurrency limit for a scope, if the access holds.
pub(super) fn concurrency(
    access: &Access,
    scope: ThrottleScope,
    now: DateTime<Utc>,
) -> Result<&ConcurrencyLimit, Throttled> {
    if !access.is_valid_at(now) {
        return Err(Throttled::AccessExpired);
    }

    access
        .plan()
        .concurrency
        .get(&scope)
        .ok_or(Throttled::QuotaMissing(scope))
}
