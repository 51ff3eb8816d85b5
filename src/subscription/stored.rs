//! The stored form of a subscription, which may come from a version that knew no payment method but
//! Stripe.

use chrono::{DateTime, Utc};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::facts::{PendingPlan, Subscription, UnpaidPlan};
use super::status::SubscriptionStatus;
use crate::id::{AccountId, PlanId, SubscriptionId};
use crate::payment_method::{PaymentMethod, is_stripe_id};
use crate::period::Period;

/// The fields of every version. A field that an older version did not know is absent.
#[derive(Deserialize)]
struct StoredSubscription {
    id: SubscriptionId,
    account: AccountId,
    plan: PlanId,
    status: SubscriptionStatus,
    anchor: DateTime<Utc>,
    current_period: Option<Period>,
    #[serde(default)]
    free_period: bool,
    #[serde(default)]
    paid_until: Option<DateTime<Utc>>,
    trial_end: Option<DateTime<Utc>>,
    cancel_at_period_end: bool,
    #[serde(default)]
    ends_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pending_plan: Option<PendingPlan>,
    #[serde(default)]
    unpaid_plan: Option<UnpaidPlan>,
    past_due_since: Option<DateTime<Utc>>,
    #[serde(default)]
    payment_method: Option<PaymentMethod>,
    #[serde(default)]
    stripe_subscription_id: Option<String>,
    #[serde(default)]
    paypal_subscription_id: Option<String>,
    #[serde(default)]
    external_payment_id: Option<String>,
    #[serde(default)]
    provider_at: Option<DateTime<Utc>>,
    #[serde(default)]
    provider_paid: Option<Period>,
    version: u64,
}

impl<'de> Deserialize<'de> for Subscription {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = StoredSubscription::deserialize(deserializer)?;

        // An old row names no method, but if Stripe knows it, Stripe runs it.
        let stripe_subscription_id = stored.stripe_subscription_id.filter(|id| is_stripe_id(id));
        let payment_method = stored
            .payment_method
            .or_else(|| PaymentMethod::of_row(None, stripe_subscription_id.as_deref()))
            .ok_or_else(|| {
                D::Error::custom(
                    "the row has neither a payment method nor a Stripe identifier: choose a method",
                )
            })?;

        Ok(Self {
            id: stored.id,
            account: stored.account,
            plan: stored.plan,
            status: stored.status,
            anchor: stored.anchor,
            current_period: stored.current_period,
            free_period: stored.free_period,
            paid_until: stored.paid_until,
            trial_end: stored.trial_end,
            cancel_at_period_end: stored.cancel_at_period_end,
            ends_at: stored.ends_at,
            pending_plan: stored.pending_plan,
            unpaid_plan: stored.unpaid_plan,
            past_due_since: stored.past_due_since,
            payment_method,
            stripe_subscription_id,
            paypal_subscription_id: stored.paypal_subscription_id,
            external_payment_id: stored.external_payment_id,
            provider_at: stored.provider_at,
            provider_paid: stored.provider_paid,
            version: stored.version,
        })
    }
}
