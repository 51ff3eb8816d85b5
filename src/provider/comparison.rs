//! The comparison of a report with the one that was adopted last.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use crate::period::Period;
use crate::subscription::{Subscription, SubscriptionStatus};

/// The age of a snapshot, compared with the one that was adopted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Freshness {
    /// It is newer: adopted.
    Newer,
    /// It is of the same time and says the same.
    Same,
    /// It is of the same time and says something else. The one of the higher rank stands, and the
    /// host fetches the subscription from the provider and adopts that.
    Tie,
    /// It is older.
    Stale,
}

impl Freshness {
    /// Compares the times of two reports, and their contents where the times are equal.
    pub(super) fn of(
        at: DateTime<Utc>,
        adopted_at: Option<DateTime<Utc>>,
        content: Ordering,
    ) -> Self {
        match adopted_at.map(|adopted_at| at.cmp(&adopted_at)) {
            None | Some(Ordering::Greater) => Self::Newer,
            Some(Ordering::Equal) if content.is_eq() => Self::Same,
            Some(Ordering::Equal) => Self::Tie,
            Some(Ordering::Less) => Self::Stale,
        }
    }
}

/// Compares everything that a report says of a subscription. The greater of two reports of one time
/// stands. Nothing that a report says is left out, so no two that differ compare as equal, and the
/// outcome does not depend on the order of delivery.
pub(super) fn compare_content(one: &Subscription, other: &Subscription) -> Ordering {
    let later = |one: Option<Period>, other: Option<Period>| {
        let end_then_start = |period: Period| (period.end, period.start);
        one.map(end_then_start).cmp(&other.map(end_then_start))
    };

    // The status decides first; after it, the choice is arbitrary but fixed.
    rank(one.status)
        .cmp(&rank(other.status))
        .then_with(|| later(one.current_period, other.current_period))
        .then_with(|| one.cancel_at_period_end.cmp(&other.cancel_at_period_end))
        .then_with(|| one.ends_at.cmp(&other.ends_at))
        .then_with(|| one.trial_end.cmp(&other.trial_end))
        .then_with(|| one.anchor.cmp(&other.anchor))
        .then_with(|| one.plan.cmp(&other.plan))
}

/// Returns how far along its life a subscription is.
const fn rank(status: SubscriptionStatus) -> u8 {
    match status {
        SubscriptionStatus::Unknown => 0,
        SubscriptionStatus::Incomplete => 1,
        SubscriptionStatus::Trialing => 2,
        SubscriptionStatus::Active => 3,
        SubscriptionStatus::PastDue => 4,
        SubscriptionStatus::Paused => 5,
        SubscriptionStatus::Unpaid => 6,
        SubscriptionStatus::IncompleteExpired => 7,
        SubscriptionStatus::Canceled => 8,
    }
}
