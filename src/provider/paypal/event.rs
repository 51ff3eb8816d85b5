//! PayPal's events. Fields that are not named here are ignored.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::subscription::snapshot;
use crate::money::{Currency, Money, deserialize_decimal};
use crate::payment_method::Provider;
use crate::provider::{
    LineKind, PaidLine, ProviderEvent, ProviderPayment, ProviderReport, ProviderUndone, Undoing,
    Unmapped,
};

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
struct Sale {
    id: String,
    billing_agreement_id: Option<String>,
    create_time: DateTime<Utc>,
    update_time: Option<DateTime<Utc>>,
    state: Option<String>,
    amount: Total,
}

#[derive(Deserialize)]
struct Total {
    #[serde(deserialize_with = "deserialize_decimal")]
    total: Decimal,
    currency: Currency,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    sale_id: Option<String>,
    amount: Total,
    total_refunded_amount: Option<Value>,
}

#[derive(Deserialize)]
struct Value {
    #[serde(deserialize_with = "deserialize_decimal")]
    value: Decimal,
    #[serde(alias = "currency_code")]
    currency: Currency,
}

#[derive(Deserialize)]
struct Dispute {
    dispute_id: String,
    #[serde(default)]
    disputed_transactions: Vec<Transaction>,
    dispute_amount: Option<Value>,
    dispute_outcome: Option<Outcome>,
}

#[derive(Deserialize)]
struct Transaction {
    seller_transaction_id: Option<String>,
}

#[derive(Deserialize)]
struct Outcome {
    outcome_code: String,
    amount_refunded: Option<Value>,
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

    let at = create_time;
    let resource = resource.get();
    let report = match event_type.as_str() {
        "BILLING.SUBSCRIPTION.CREATED"
        | "BILLING.SUBSCRIPTION.ACTIVATED"
        | "BILLING.SUBSCRIPTION.UPDATED"
        | "BILLING.SUBSCRIPTION.RE-ACTIVATED"
        | "BILLING.SUBSCRIPTION.SUSPENDED"
        | "BILLING.SUBSCRIPTION.CANCELLED"
        | "BILLING.SUBSCRIPTION.EXPIRED"
        | "BILLING.SUBSCRIPTION.PAYMENT.FAILED" => {
            ProviderReport::Snapshot(snapshot(resource.as_bytes(), at)?)
        }
        "PAYMENT.SALE.COMPLETED" => payment(serde_json::from_str(resource).ok()?, at)?,
        "PAYMENT.SALE.REFUNDED" => {
            undone(serde_json::from_str(resource).ok()?, Undoing::Refunded, at)?
        }
        "PAYMENT.SALE.REVERSED" => {
            undone(serde_json::from_str(resource).ok()?, Undoing::Reversed, at)?
        }
        "CUSTOMER.DISPUTE.RESOLVED" => dispute(serde_json::from_str(resource).ok()?, at)?,
        _ => ProviderReport::Unmapped(Unmapped::OtherKind),
    };

    Some(ProviderEvent {
        provider: Provider::Paypal,
        id,
        kind: event_type,
        at,
        report,
    })
}

/// Reads a payment from a completed sale.
fn payment(sale: Sale, at: DateTime<Utc>) -> Option<ProviderReport> {
    let Some(subscription) = sale.billing_agreement_id else {
        return Some(ProviderReport::Unmapped(Unmapped::ForeignPayment));
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
        made: sale.create_time,
        received: sale.update_time.unwrap_or(at),
        amount,
        lines: vec![PaidLine {
            key: "sale".to_owned(),
            price: None,
            quantity: 1,
            amount,
            kind: LineKind::IntervalFrom(sale.create_time),
        }],
    }))
}

/// Reads a refund or a reversal. Of a reversal the amount is negative, and in PayPal's own samples
/// its identifier is the reversal's, which names no sale.
fn undone(refund: Refund, how: Undoing, at: DateTime<Utc>) -> Option<ProviderReport> {
    let amount = match refund.total_refunded_amount {
        Some(total) => Money::new(total.value, total.currency),
        None => Money::new(refund.amount.total.abs(), refund.amount.currency),
    };

    Some(ProviderReport::Undone(ProviderUndone {
        provider: Provider::Paypal,
        invoice: refund.sale_id,
        reference: refund.id,
        how,
        amount: amount.ok()?,
        at,
    }))
}

/// Reads a dispute that was resolved.
fn dispute(dispute: Dispute, at: DateTime<Utc>) -> Option<ProviderReport> {
    let outcome = dispute.dispute_outcome;
    let is_lost = outcome.as_ref().is_some_and(|outcome| {
        matches!(
            outcome.outcome_code.as_str(),
            "RESOLVED_BUYER_FAVOUR" | "ACCEPTED"
        )
    });
    if !is_lost {
        return Some(ProviderReport::Unmapped(Unmapped::NothingUndone));
    }

    let amount = outcome
        .and_then(|outcome| outcome.amount_refunded)
        .or(dispute.dispute_amount)?;
    // One sum for several sales does not say what was given back of each.
    let mut sales = dispute.disputed_transactions.into_iter();
    let invoice = match (sales.next(), sales.next()) {
        (Some(only), None) => only.seller_transaction_id,
        _ => None,
    };

    Some(ProviderReport::Undone(ProviderUndone {
        provider: Provider::Paypal,
        invoice,
        reference: dispute.dispute_id,
        how: Undoing::Reversed,
        amount: Money::new(amount.value, amount.currency).ok()?,
        at,
    }))
}
