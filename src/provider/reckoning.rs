//! The reckoning of reports: the time that is paid or past due, and the credits that are due.

use chrono::{DateTime, Utc};

use crate::credit::{Cause, DueGrant, GrantTerms, credit_months};
use crate::money::Credits;
use crate::period::{Interval, IntervalUnit, Period};
use crate::plan::Plan;
use crate::subscription::{Subscription, SubscriptionStatus};

/// Returns whether a subscription in this status was ever served: one that was canceled before it
/// was paid was not.
pub(super) const fn has_begun(status: SubscriptionStatus) -> bool {
    matches!(
        status,
        SubscriptionStatus::Trialing
            | SubscriptionStatus::Active
            | SubscriptionStatus::PastDue
            | SubscriptionStatus::Paused
    )
}

/// Returns the instant since which a provider's subscription is past due: the end of the time that
/// was paid, the start of a later period that was not, or the report, whichever is earliest.
/// However often a provider tries again, it never moves past the end of the time that was paid.
pub(super) fn past_due_since(subscription: &Subscription) -> Option<DateTime<Utc>> {
    let reported = subscription
        .provider_at
        .filter(|_| subscription.status == SubscriptionStatus::PastDue)?;

    let unpaid = match (subscription.provider_paid, subscription.current_period) {
        // The running period is paid: the debt is for something else, up to the period's end.
        (Some(paid), Some(period)) if paid.start == period.start => paid.end,
        (Some(paid), Some(period)) => paid.end.min(period.start),
        (Some(paid), None) => paid.end,
        (None, Some(period)) => period.start,
        (None, None) => subscription.anchor,
    };

    Some(reported.min(unpaid))
}

/// Returns the months of a paid period, counted from its own start and no more than the plan's
/// interval has: a period from 28 February to 31 March is one month.
fn paid_months(interval: Interval, period: Period) -> impl Iterator<Item = Period> {
    let count = usize::from(interval.count.get());
    let most = match interval.unit {
        IntervalUnit::Day | IntervalUnit::Week => 1,
        IntervalUnit::Month => count,
        IntervalUnit::Year => count.saturating_mul(12),
    };

    credit_months(interval, period, period.start)
        .into_iter()
        .take(most)
}

/// Returns the credits of the months that a payment paid for, each under the month's own key.
pub(super) fn paid_grants(
    subscription: &Subscription,
    plan: &Plan,
    current_plan: &Plan,
    period: Period,
    now: DateTime<Utc>,
) -> Vec<DueGrant> {
    let due = |month: Period| {
        // A report that the plan was changed to a larger one may have overtaken this payment.
        let current = if month.contains(now) {
            current_plan.credits
        } else {
            Credits::ZERO
        };
        let credits = plan.credits.max(current);

        let cause = Cause::of_month(&subscription.account, &subscription.id, month);
        DueGrant::new(cause, GrantTerms::month(credits, month))
    };

    paid_months(plan.interval, period).filter_map(due).collect()
}

/// Returns the credits that a larger plan adds to the month that runs, if a payment brought that
/// month: under the key that the payment gave it.
pub(super) fn raise(
    subscription: &Subscription,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Option<DueGrant> {
    let paid = subscription
        .provider_paid
        .filter(|period| period.contains(now))?;
    let month = paid_months(plan.interval, paid).find(|month| month.contains(now))?;

    let cause = Cause::of_month(&subscription.account, &subscription.id, month).into_raise();
    DueGrant::new(cause, GrantTerms::month(plan.credits, month))
}

/// Returns the credits of a trial, which end with it. Every snapshot that knows of the trial makes
/// them due, an older one too: their keys let them be granted once.
pub(super) fn trial_grants(
    trial: Period,
    subscription: &Subscription,
    plan: &Plan,
) -> Vec<DueGrant> {
    let due = |month: Period| {
        // The key is that of the whole month; only the life of its credits is cut to the trial.
        let cause = Cause::of_month(&subscription.account, &subscription.id, month);
        let within = Period {
            end: month.end.min(trial.end),
            ..month
        };
        DueGrant::new(cause, GrantTerms::month(plan.credits, within))
    };

    credit_months(plan.interval, trial, trial.start)
        .into_iter()
        .filter_map(due)
        .collect()
}
