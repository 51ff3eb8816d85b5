//! PayPal's objects as they are sent, as far as they matter: fields that are not named here are
//! ignored.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::money::{Currency, Money, deserialize_decimal};
use crate::payment_method::Provider;
use crate::period::Period;
use crate::provider::{PaidFor, ProviderEvent, ProviderPayment, ProviderReport, ProviderSnapshot};
use crate::subscription::SubscriptionStatus;

#[derive(Deserialize)]
struct Event<'a> {
    id: String,
    event_type: String,
    create_time: DateTime<Utc>,
    /// Read only where the kind of event is known.
    #[serde(borrow)]
    resource: &'a RawValue,
}

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

#[derive(Deserialize)]
struct Sale {
    id: String,
    billing_agreement_id: Option<String>,
    create_time: DateTime<Utc>,
    state: Option<String>,
    amount: Total,
}

#[derive(Deserialize)]
struct Total {
    #[serde(deserialize_with = "deserialize_decimal")]
    total: Decimal,
    currency: Currency,
}

/// Reads an event whose signature was checked. It returns `None` where an event of a known kind is
/// not of a known shape.
pub(super) fn read(body: &[u8]) -> Option<ProviderEvent> {
    let Event {
        id,
        event_type,
        create_time,
        resource,
    } = serde_json::from_slice(body).ok()?;

    let report = match event_type.as_str() {
        "BILLING.SUBSCRIPTION.CREATED"
        | "BILLING.SUBSCRIPTION.ACTIVATED"
        | "BILLING.SUBSCRIPTION.UPDATED"
        | "BILLING.SUBSCRIPTION.RE-ACTIVATED"
        | "BILLING.SUBSCRIPTION.SUSPENDED"
        | "BILLING.SUBSCRIPTION.CANCELLED"
        | "BILLING.SUBSCRIPTION.EXPIRED"
        | "BILLING.SUBSCRIPTION.PAYMENT.FAILED" => {
            ProviderReport::Snapshot(snapshot(resource.get().as_bytes(), create_time)?)
        }
        "PAYMENT.SALE.COMPLETED" => payment(serde_json::from_str(resource.get()).ok()?)?,
        _ => ProviderReport::Unmapped,
    };

    Some(ProviderEvent {
        provider: Provider::Paypal,
        id,
        kind: event_type,
        at: create_time,
        report,
    })
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

    Some(ProviderSnapshot {
        provider: Provider::Paypal,
        subscription: subscription.id,
        reference: None,
        price: subscription.plan_id,
        at,
        status,
        anchor: began,
        // While a payment is outstanding, the next billing time does not tell what was paid.
        current_period: next
            .filter(|end| start < *end && !owes)
            .map(|end| Period { start, end }),
        trial: None,
        cancel_at_period_end: false,
    })
}

/// Reads a payment from a completed sale.
fn payment(sale: Sale) -> Option<ProviderReport> {
    // A sale outside a subscription pays for something that is not known here.
    let Some(subscription) = sale.billing_agreement_id else {
        return Some(ProviderReport::Unmapped);
    };
    if sale.state.as_deref() != Some("completed") {
        return None;
    }

    let amount = Money::new(sale.amount.total, sale.amount.currency).ok()?;
    Some(ProviderReport::Payment(ProviderPayment {
        provider: Provider::Paypal,
        subscription,
        reference: None,
        invoice: sale.id,
        price: None,
        amount,
        paid_for: PaidFor::IntervalFrom(sale.create_time),
        period_amount: amount,
    }))
}
