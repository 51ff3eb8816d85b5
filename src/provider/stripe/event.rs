//! Stripe's objects as they are sent, as far as they matter: fields that are not named here are
//! ignored.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::money::{Currency, Money};
use crate::payment_method::Provider;
use crate::period::Period;
use crate::provider::{PaidFor, ProviderEvent, ProviderPayment, ProviderReport, ProviderSnapshot};
use crate::subscription::SubscriptionStatus;

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
    #[serde(default)]
    metadata: Metadata,
    items: List<Item>,
}

/// The entries that the host wrote beside an object.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    subscription: Option<String>,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
}

#[derive(Deserialize)]
struct Item {
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
    price: Id,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// An object, or only its identifier.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Id(String),
    Object(Id),
}

impl Reference {
    fn into_id(self) -> String {
        let (Self::Id(id) | Self::Object(Id { id })) = self;
        id
    }
}

#[derive(Deserialize)]
struct Invoice {
    id: String,
    status: Option<String>,
    currency: String,
    amount_paid: i64,
    #[serde(default)]
    total: i64,
    subscription: Option<Reference>,
    /// Before *basil*.
    subscription_details: Option<SubscriptionDetails>,
    parent: Option<Parent>,
    lines: List<Line>,
}

#[derive(Deserialize)]
struct Parent {
    subscription_details: Option<SubscriptionDetails>,
}

#[derive(Default, Deserialize)]
struct SubscriptionDetails {
    subscription: Option<Reference>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Line {
    amount: i64,
    /// The discounts that were taken off it.
    discount_amounts: Option<Vec<Discount>>,
    period: LinePeriod,
    /// Before *basil*.
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    proration: bool,
    price: Option<Reference>,
    /// Since *basil*.
    parent: Option<LineParent>,
    pricing: Option<Pricing>,
}

#[derive(Deserialize)]
struct Discount {
    amount: i64,
}

#[derive(Deserialize)]
struct LinePeriod {
    start: i64,
    end: i64,
}

#[derive(Deserialize)]
struct LineParent {
    subscription_item_details: Option<LineDetails>,
}

#[derive(Deserialize)]
struct LineDetails {
    #[serde(default)]
    proration: bool,
}

#[derive(Deserialize)]
struct Pricing {
    price_details: Option<PriceDetails>,
}

#[derive(Deserialize)]
struct PriceDetails {
    price: Option<Reference>,
}

impl Line {
    /// Returns whether this is the price of a subscription's period: not a part of one, and not a
    /// trial, which is free.
    fn is_period(&self) -> bool {
        if self.amount <= 0 {
            return false;
        }

        match &self.parent {
            Some(parent) => parent
                .subscription_item_details
                .as_ref()
                .is_some_and(|details| !details.proration),
            None => self.kind.as_deref() == Some("subscription") && !self.proration,
        }
    }

    /// Returns the amount after discounts, in the currency's smallest unit.
    fn paid(&self) -> i64 {
        let discounts = self
            .discount_amounts
            .iter()
            .flatten()
            .map(|discount| discount.amount);
        discounts.fold(self.amount, i64::saturating_sub).max(0)
    }

    /// Returns the identifier of the price.
    fn price(self) -> Option<String> {
        let details = self
            .pricing
            .and_then(|pricing| pricing.price_details)
            .and_then(|details| details.price);

        details.or(self.price).map(Reference::into_id)
    }
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

    let report = match kind.as_str() {
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.deleted"
        | "customer.subscription.paused"
        | "customer.subscription.resumed" => {
            ProviderReport::Snapshot(snapshot(data.object.get().as_bytes(), at)?)
        }
        "invoice.paid" => payment(serde_json::from_str(data.object.get()).ok()?)?,
        _ => ProviderReport::Unmapped,
    };

    Some(ProviderEvent {
        provider: Provider::Stripe,
        id,
        kind,
        at,
        report,
    })
}

/// Reads a subscription as Stripe's API answers it, for a host that fetches one when two reports
/// disagree. `at` is the time of the answer by Stripe's clock: its `Date` header. It returns `None`
/// where the body is not of a known shape.
pub fn snapshot(body: &[u8], at: DateTime<Utc>) -> Option<ProviderSnapshot> {
    let subscription: Subscription = serde_json::from_slice(body).ok()?;
    let item = subscription.items.data.into_iter().next()?;

    // Before *basil* the period is the subscription's, since then it is the item's.
    let start = subscription
        .current_period_start
        .or(item.current_period_start);
    let end = subscription.current_period_end.or(item.current_period_end);
    let current_period = period(start, end);
    // A cancellation at a time within the period is one at its end.
    let ends =
        |at| current_period.is_some_and(|period| instant(at).is_some_and(|at| at <= period.end));

    Some(ProviderSnapshot {
        provider: Provider::Stripe,
        subscription: subscription.id,
        reference: subscription.metadata.subscription,
        price: item.price.id,
        at,
        status: subscription.status,
        anchor: instant(subscription.billing_cycle_anchor)?,
        current_period,
        trial: period(subscription.trial_start, subscription.trial_end),
        cancel_at_period_end: subscription.cancel_at_period_end
            || subscription.cancel_at.is_some_and(ends),
    })
}

/// Reads a payment from a paid invoice.
fn payment(invoice: Invoice) -> Option<ProviderReport> {
    let Invoice {
        id,
        status,
        currency,
        amount_paid,
        total,
        subscription,
        subscription_details,
        parent,
        lines,
    } = invoice;
    let details = parent
        .and_then(|parent| parent.subscription_details)
        .or(subscription_details)
        .unwrap_or_default();
    // An invoice without a subscription pays for something that is not known here.
    let Some(subscription) = details.subscription.or(subscription) else {
        return Some(ProviderReport::Unmapped);
    };
    // Refused and not skipped: Stripe documents no such event.
    if status.as_deref() != Some("paid") {
        return None;
    }

    let line = lines.data.into_iter().find(Line::is_period);
    let paid = line
        .as_ref()
        .and_then(|line| period(Some(line.period.start), Some(line.period.end)));
    let for_period = line.as_ref().map_or(0, Line::paid);
    // Of an invoice that was paid outside Stripe, older versions of the API report a paid amount of
    // zero.
    let minor = if amount_paid == 0 {
        total.max(0)
    } else {
        amount_paid
    };

    Some(ProviderReport::Payment(ProviderPayment {
        provider: Provider::Stripe,
        subscription: subscription.into_id(),
        reference: details.metadata.and_then(|metadata| metadata.subscription),
        invoice: id,
        price: line.and_then(Line::price),
        amount: money(minor, &currency)?,
        paid_for: paid.map_or(PaidFor::Other, PaidFor::Period),
        period_amount: money(for_period, &currency)?,
    }))
}

/// Reads an amount in the smallest unit in which Stripe counts a currency, which is not always the
/// currency's own: <https://docs.stripe.com/currencies>.
fn money(minor: i64, currency: &str) -> Option<Money> {
    let currency: Currency = currency.to_ascii_uppercase().parse().ok()?;
    let places = match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
        _ => 2,
    };

    Money::new(
        Decimal::try_from_i128_with_scale(minor.into(), places).ok()?,
        currency,
    )
    .ok()
}

fn instant(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

/// Reads a period, if both ends are there and the second is later.
fn period(start: Option<i64>, end: Option<i64>) -> Option<Period> {
    let period = Period {
        start: instant(start?)?,
        end: instant(end?)?,
    };

    (period.start < period.end).then_some(period)
}
