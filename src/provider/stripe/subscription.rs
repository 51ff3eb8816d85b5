//! Stripe's subscriptions as they are sent, as far as they matter.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::objects::{Id, List, Metadata, instant, period};
use crate::payment_method::Provider;
use crate::provider::{ProviderItem, ProviderSnapshot};
use crate::subscription::SubscriptionStatus;

#[derive(Deserialize)]
struct Subscription {
    id: String,
    status: SubscriptionStatus,
    billing_cycle_anchor: i64,
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
    trial_start: Option<i64>,
    trial_end: Option<i64>,
    #[serde(default)]
    cancel_at_period_end: bool,
    cancel_at: Option<i64>,
    ended_at: Option<i64>,
    #[serde(default)]
    metadata: Metadata,
    items: List<Item>,
}

#[derive(Deserialize)]
struct Item {
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
    price: Id,
    /// A meter has none.
    quantity: Option<u32>,
}

/// Reads a subscription as Stripe's API answers it, for a host that fetches one when two reports
/// disagree. `at` is the time of the answer by Stripe's clock: its `Date` header. It returns `None`
/// where the body is not of a known shape.
pub fn snapshot(body: &[u8], at: DateTime<Utc>) -> Option<ProviderSnapshot> {
    let subscription: Subscription = serde_json::from_slice(body).ok()?;
    if subscription.items.data.is_empty() {
        return None;
    }

    // Before *basil* the period is the subscription's, since then it is the item's.
    let whole_start = subscription.current_period_start;
    let whole_end = subscription.current_period_end;
    let items = subscription.items.data.into_iter().map(|item| {
        let start = whole_start.or(item.current_period_start);
        let end = whole_end.or(item.current_period_end);
        ProviderItem {
            price: item.price.id,
            quantity: item.quantity.unwrap_or(1),
            period: period(start, end),
        }
    });

    Some(ProviderSnapshot {
        provider: Provider::Stripe,
        subscription: subscription.id,
        reference: subscription.metadata.subscription,
        items: items.collect(),
        at,
        status: subscription.status,
        anchor: instant(subscription.billing_cycle_anchor)?,
        trial: period(subscription.trial_start, subscription.trial_end),
        cancel_at_period_end: subscription.cancel_at_period_end,
        cancel_at: subscription.cancel_at.and_then(instant),
        ended_at: subscription.ended_at.and_then(instant),
    })
}
