//! Stripe's events, and the objects in them that are no subscription and no invoice. Fields that
//! are not named here are ignored.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::invoice::invoice;
use super::objects::{Metadata, Reference, instant, money};
use super::subscription::snapshot;
use crate::payment_method::Provider;
use crate::provider::{
    ProviderCharge, ProviderEvent, ProviderReport, ProviderUndone, Undoing, Unmapped,
};

#[derive(Deserialize)]
struct Event<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    /// Read only where the kind of event is known.
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    currency: String,
    amount_refunded: i64,
    /// Before *basil*.
    invoice: Option<Reference>,
    payment_intent: Option<Reference>,
}

#[derive(Deserialize)]
struct Dispute {
    charge: Reference,
    payment_intent: Option<Reference>,
    currency: String,
    amount: i64,
    status: String,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    mode: String,
    payment_status: String,
    currency: Option<String>,
    amount_total: Option<i64>,
    invoice: Option<Reference>,
    payment_intent: Option<Reference>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

/// Reads an event whose signature was checked. It returns `None` where an event of a known kind is
/// not of a known shape.
pub(super) fn read(body: &[u8]) -> Option<ProviderEvent> {
    let Event {
        id,
        kind,
        created,
        data,
    } = serde_json::from_slice(body).ok()?;
    let at = instant(created)?;

    let object = data.object.get().as_bytes();
    let report = match kind.as_str() {
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.deleted"
        | "customer.subscription.paused"
        | "customer.subscription.resumed" => ProviderReport::Snapshot(snapshot(object, at)?),
        "invoice.paid" => invoice(object, at)?,
        "invoice.voided" => ProviderReport::Unmapped(Unmapped::NeverPaid),
        "charge.refunded" => refund(serde_json::from_slice(object).ok()?, at)?,
        "charge.dispute.closed" => dispute(serde_json::from_slice(object).ok()?, at)?,
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            checkout(serde_json::from_slice(object).ok()?, at)?
        }
        _ => ProviderReport::Unmapped(Unmapped::OtherKind),
    };

    Some(ProviderEvent {
        provider: Provider::Stripe,
        id,
        kind,
        at,
        report,
    })
}

/// Reads a charge of which something was refunded.
fn refund(charge: Charge, at: DateTime<Utc>) -> Option<ProviderReport> {
    let amount = money(charge.amount_refunded, &charge.currency)?;

    Some(ProviderReport::Undone(ProviderUndone {
        provider: Provider::Stripe,
        invoice: charge.invoice.map(Reference::into_id),
        reference: charge.payment_intent.map_or(charge.id, Reference::into_id),
        how: Undoing::Refunded,
        amount,
        at,
    }))
}

/// Reads a dispute that was closed.
fn dispute(dispute: Dispute, at: DateTime<Utc>) -> Option<ProviderReport> {
    if dispute.status != "lost" {
        return Some(ProviderReport::Unmapped(Unmapped::NothingUndone));
    }

    let reference = dispute.payment_intent.unwrap_or(dispute.charge);
    Some(ProviderReport::Undone(ProviderUndone {
        provider: Provider::Stripe,
        invoice: None,
        reference: reference.into_id(),
        how: Undoing::Reversed,
        amount: money(dispute.amount, &dispute.currency)?,
        at,
    }))
}

/// Reads a checkout that was completed. That of a subscription has an invoice, which tells more.
fn checkout(session: Session, at: DateTime<Utc>) -> Option<ProviderReport> {
    if session.mode != "payment" {
        return Some(ProviderReport::Unmapped(Unmapped::OtherKind));
    }
    let Some(charge) = session.metadata.and_then(|metadata| metadata.charge) else {
        return Some(ProviderReport::Unmapped(Unmapped::ForeignPayment));
    };
    // Nothing to pay is paid, too.
    if session.payment_status == "unpaid" {
        return Some(ProviderReport::Unmapped(Unmapped::NotPaidYet));
    }

    let payment = session.invoice.or(session.payment_intent);
    Some(ProviderReport::ChargePaid(ProviderCharge {
        provider: Provider::Stripe,
        charge,
        payment: payment.map_or(session.id, Reference::into_id),
        amount: money(session.amount_total?, &session.currency?)?,
        at,
    }))
}
