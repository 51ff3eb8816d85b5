//! The reckoning of reports: the time that is paid or past due, and a status that follows from it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::paid_time::{Fact, PaidTime};
use crate::payment_method::PaymentMethod;
use crate::period::Period;
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

/// Returns the latest period for which a provider received a payment. Where no fact of paid time is
/// stored yet, that is what the subscription has known so far.
pub(super) fn latest_period(subscription: &Subscription, paid_time: &PaidTime) -> Option<Period> {
    let is_run_elsewhere = subscription.payment_method == PaymentMethod::BankTransfer;
    if paid_time.facts().is_empty() || is_run_elsewhere {
        return subscription.provider_paid;
    }

    let schedule = paid_time.schedule();
    let periods = schedule.pieces().iter().map(|piece| piece.period);
    periods.max_by_key(|period| (period.end, period.start))
}

/// Sets what follows from the paid time: its end, the instant since which a payment is past due,
/// and at PayPal the status.
///
/// PayPal renews with a sale alone, so a sale that is newer than the latest snapshot proves that
/// nothing is past due. And it knows no end at the end of what was paid: a subscription that was
/// called off there runs on, until its paid time is over.
pub(super) fn go_by_paid_time(after: &mut Subscription, paid_time: &PaidTime, now: DateTime<Utc>) {
    if !paid_time.facts().is_empty() {
        after.paid_until = paid_time.paid_until();
    }

    if after.payment_method == PaymentMethod::Paypal {
        // Without a period of its own, an active one that ends goes by its paid time already.
        let is_called_off = match after.status {
            SubscriptionStatus::Canceled => true,
            SubscriptionStatus::Active => {
                after.cancel_at_period_end && after.current_period.is_none()
            }
            _ => false,
        };
        let waits = matches!(
            after.status,
            SubscriptionStatus::Incomplete | SubscriptionStatus::PastDue
        );
        if is_called_off {
            end_with_paid_time(after, now);
        } else if waits && has_newer_payment(after, paid_time) {
            after.status = SubscriptionStatus::Active;
        }
    }

    // Of a subscription that moved on, its own commands say since when it is past due.
    if after.payment_method != PaymentMethod::BankTransfer {
        after.past_due_since = past_due_since(after);
    }
}

/// Ends a subscription that was called off when its paid time is over, and not before.
fn end_with_paid_time(after: &mut Subscription, now: DateTime<Utc>) {
    let end = after
        .paid_until
        .or(after.provider_paid.map(|period| period.end));
    let runs = end.is_some_and(|end| now < end);

    after.paid_until = end;
    after.cancel_at_period_end = runs;
    after.status = if runs {
        SubscriptionStatus::Active
    } else {
        SubscriptionStatus::Canceled
    };
    // The period that a snapshot tells may be one that is not paid.
    after.current_period = None;
}

/// Returns whether a payment was received after the latest snapshot was made.
fn has_newer_payment(subscription: &Subscription, paid_time: &PaidTime) -> bool {
    let voided: BTreeSet<&str> = paid_time
        .facts()
        .iter()
        .filter_map(|fact| match fact {
            Fact::Void(void) => Some(void.payment.as_ref()),
            _ => None,
        })
        .collect();

    paid_time.facts().iter().any(|fact| match fact {
        Fact::Span(span) => {
            let is_newer = subscription.provider_at.is_none_or(|at| at < span.received);
            is_newer && !voided.contains(span.payment.as_ref())
        }
        _ => false,
    })
}

/// Returns the instant since which a provider's subscription is past due: the end of the time that
/// was paid, the start of a later period that was not, or the report, whichever is earliest.
/// However often a provider tries again, it never moves past the end of the time that was paid.
fn past_due_since(subscription: &Subscription) -> Option<DateTime<Utc>> {
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
