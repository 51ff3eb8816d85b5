//! PayPal's subscriptions as they are sent, as far as they matter. Fields that are not named here
//! are ignored.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::money::deserialize_decimal;
use crate::payment_method::Provider;
use crate::period::Period;
use crate::provider::{ProviderItem, ProviderSnapshot};
use crate::subscription::SubscriptionStatus;

#[derive(Deserialize)]
struct Subscription {
    id: String,
    plan_id: String,
    #[serde(default)]
    plan_overridden: bool,
    status: String,
    start_time: Option<DateTime<Utc>>,
    create_time: Option<DateTime<Utc>>,
    billing_info: Option<Billing>,
}

#[derive(Deserialize)]
struct Billing {
    outstanding_balance: Option<Amount>,
    last_payment: Option<Payment>,
    next_billing_time: Option<DateTime<Utc>>,
    #[serde(default)]
    failed_payments_count: u64,
}

#[derive(Deserialize)]
struct Amount {
    #[serde(deserialize_with = "deserialize_decimal")]
    value: Decimal,
}

#[derive(Deserialize)]
struct Payment {
    time: Option<DateTime<Utc>>,
}

/// Reads a subscription as PayPal's API answers it, for a host that fetches one when two reports
/// disagree. `at` is the time of the answer by PayPal's clock: its `Date` header. It returns `None`
/// where the body is not of a known shape.
///
/// PayPal's status stays *active* while it tries again for a payment that failed. So an active
/// subscription with a failed payment or an outstanding balance is past due here, and a suspended
/// one is unpaid. A subscription whose plan was overridden is of unknown status, which is denied
/// everywhere: its price is not the plan's.
pub fn snapshot(body: &[u8], at: DateTime<Utc>) -> Option<ProviderSnapshot> {
    let subscription: Subscription = serde_json::from_slice(body).ok()?;
    let billing = subscription.billing_info;

    let owes = billing.as_ref().is_some_and(|billing| {
        billing.failed_payments_count > 0
            || billing
                .outstanding_balance
                .as_ref()
                .is_some_and(|amount| amount.value > Decimal::ZERO)
    });
    let status = match subscription.status.as_str() {
        "APPROVAL_PENDING" | "APPROVED" => SubscriptionStatus::Incomplete,
        "ACTIVE" if owes => SubscriptionStatus::PastDue,
        "ACTIVE" => SubscriptionStatus::Active,
        "SUSPENDED" if owes => SubscriptionStatus::Unpaid,
        "SUSPENDED" => SubscriptionStatus::Paused,
        "CANCELLED" | "EXPIRED" => SubscriptionStatus::Canceled,
        _ => SubscriptionStatus::Unknown,
    };

    // A plan whose price or cycles were changed for this one subscription is another than its name
    // says.
    let is_other = subscription.plan_overridden && status != SubscriptionStatus::Canceled;
    let status = if is_other {
        SubscriptionStatus::Unknown
    } else {
        status
    };

    let began = subscription.start_time.or(subscription.create_time)?;
    let paid = billing
        .as_ref()
        .and_then(|billing| billing.last_payment.as_ref())
        .and_then(|payment| payment.time);
    let next = billing
        .as_ref()
        .and_then(|billing| billing.next_billing_time);
    // PayPal reports no start of a period: the last payment opened it.
    let start = paid.unwrap_or(began);
    // While a payment is outstanding, the next billing time does not tell what was paid.
    let period = next
        .filter(|end| start < *end && !owes)
        .map(|end| Period { start, end });

    Some(ProviderSnapshot {
        provider: Provider::Paypal,
        subscription: subscription.id,
        reference: None,
        items: vec![ProviderItem {
            price: subscription.plan_id,
            quantity: 1,
            period,
        }],
        at,
        status,
        anchor: began,
        trial: None,
        // PayPal knows no end at the end of what was paid, and names no instant of one.
        cancel_at_period_end: false,
        cancel_at: None,
        ended_at: None,
    })
}
