//! Stripe's invoices as they are sent, as far as they matter.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::objects::period as period_between;
use super::objects::{List, Metadata, Reference, instant, money};
use crate::payment_method::Provider;
use crate::provider::{
    LineKind, PaidLine, ProviderCharge, ProviderPayment, ProviderReport, Unmapped,
};

#[derive(Deserialize)]
struct Invoice {
    id: String,
    status: Option<String>,
    currency: String,
    created: i64,
    amount_paid: i64,
    subtotal: i64,
    #[serde(default)]
    total: i64,
    status_transitions: Option<Transitions>,
    #[serde(default)]
    metadata: Option<Metadata>,
    subscription: Option<Reference>,
    /// Before *basil*.
    subscription_details: Option<SubscriptionDetails>,
    parent: Option<Parent>,
    lines: List<Line>,
}

#[derive(Deserialize)]
struct Transitions {
    paid_at: Option<i64>,
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
    id: String,
    amount: i64,
    /// The discounts that were taken off it.
    discount_amounts: Option<Vec<Discount>>,
    period: LinePeriod,
    quantity: Option<u32>,
    subscription: Option<Reference>,
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
    /// An item that waited for this invoice, such as the proration of a change.
    invoice_item_details: Option<LineDetails>,
}

#[derive(Deserialize)]
struct LineDetails {
    #[serde(default)]
    proration: bool,
    subscription: Option<String>,
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
    /// Returns the time that the line is about; `None` for a trial, which is free, and for what has
    /// no time.
    fn kind(&self) -> Option<LineKind> {
        let of_item = self
            .parent
            .as_ref()
            .and_then(|parent| parent.subscription_item_details.as_ref());
        let of_waiting = self
            .parent
            .as_ref()
            .and_then(|parent| parent.invoice_item_details.as_ref());
        let (is_proration, is_item) = match (of_item, of_waiting) {
            (Some(details), _) => (details.proration, true),
            (None, Some(details)) => (details.proration, false),
            (None, None) => (self.proration, self.kind.as_deref() == Some("subscription")),
        };

        let period = period_between(Some(self.period.start), Some(self.period.end))?;
        match (is_proration, self.amount.signum()) {
            (true, -1) => Some(LineKind::GivenBack(period)),
            (true, 1) => Some(LineKind::Remaining(period)),
            (false, 1) if is_item => Some(LineKind::Period(period)),
            _ => None,
        }
    }

    /// Returns whether the line is about a subscription, as far as it says.
    fn is_of(&self, subscription: &str) -> bool {
        let parent = self.parent.as_ref();
        let details = parent.and_then(|parent| {
            let item = parent.subscription_item_details.as_ref();
            item.or(parent.invoice_item_details.as_ref())
        });
        let named = match (details, &self.subscription) {
            (Some(details), _) => details.subscription.as_deref(),
            (None, Some(Reference::Id(id))) => Some(id.as_str()),
            (None, Some(Reference::Object(object))) => Some(object.id.as_str()),
            (None, None) => None,
        };

        named.is_none_or(|named| named == subscription)
    }

    /// Returns the amount after discounts, in the currency's smallest unit, without its sign.
    fn amount(&self) -> Option<i64> {
        let discounts = self
            .discount_amounts
            .iter()
            .flatten()
            .map(|discount| discount.amount);
        let rest = discounts.fold(self.amount.checked_abs()?, i64::saturating_sub);

        Some(rest.max(0))
    }

    fn into_paid(self, currency: &str) -> Option<PaidLine> {
        let amount = money(self.amount()?, currency)?;
        let kind = self.kind()?;
        let details = self
            .pricing
            .and_then(|pricing| pricing.price_details)
            .and_then(|details| details.price);

        // A line without a price is of one that the host does not know.
        Some(PaidLine {
            key: self.id,
            price: Some(
                details
                    .or(self.price)
                    .map_or_else(String::new, Reference::into_id),
            ),
            quantity: self.quantity.unwrap_or(1),
            amount,
            kind,
        })
    }
}

/// Reads an invoice as Stripe's API answers it, for a host whose event was
/// [`Incomplete`](ProviderReport::Incomplete): the invoice, with `lines` replaced by the list of
/// all of its lines, and `has_more` false. `at` is the time of the answer by Stripe's clock: its
/// `Date` header. It returns `None` where the body is not of a known shape, or the invoice is not
/// paid.
///
/// If the lines still do not add up to the subtotal, the answer is `Incomplete` again, and somebody
/// must look at the invoice.
pub fn invoice(body: &[u8], at: DateTime<Utc>) -> Option<ProviderReport> {
    let Invoice {
        id,
        status,
        currency,
        created,
        amount_paid,
        subtotal,
        total,
        status_transitions,
        metadata,
        subscription,
        subscription_details,
        parent,
        lines,
    } = serde_json::from_slice(body).ok()?;
    // Refused and not skipped: Stripe documents no such event.
    if status.as_deref() != Some("paid") {
        return None;
    }

    // Of an invoice that was paid outside Stripe, older versions of the API report a paid amount of
    // zero.
    let minor = if amount_paid == 0 {
        total.max(0)
    } else {
        amount_paid
    };
    let amount = money(minor, &currency)?;
    let paid_at = status_transitions.and_then(|transitions| transitions.paid_at);
    let received = paid_at.and_then(instant).unwrap_or(at);

    let details = parent
        .and_then(|parent| parent.subscription_details)
        .or(subscription_details)
        .unwrap_or_default();
    let Some(subscription) = details.subscription.or(subscription) else {
        let charge = metadata.and_then(|metadata| metadata.charge);
        return Some(match charge {
            Some(charge) => ProviderReport::ChargePaid(ProviderCharge {
                provider: Provider::Stripe,
                charge,
                payment: id,
                amount,
                at: received,
            }),
            None => ProviderReport::Unmapped(Unmapped::ForeignPayment),
        });
    };

    // Half of a change, without the other half, would be another change.
    let sum = lines
        .data
        .iter()
        .try_fold(0_i64, |sum, line| sum.checked_add(line.amount));
    if lines.has_more || sum != Some(subtotal) {
        return Some(ProviderReport::Incomplete { invoice: id });
    }

    let subscription = subscription.into_id();
    let lines = lines.data.into_iter();
    let lines = lines
        .filter(|line| line.is_of(&subscription))
        .filter_map(|line| line.into_paid(&currency));

    Some(ProviderReport::Payment(ProviderPayment {
        provider: Provider::Stripe,
        reference: details.metadata.and_then(|metadata| metadata.subscription),
        invoice: id,
        made: instant(created)?,
        received,
        amount,
        lines: lines.collect(),
        subscription,
    }))
}
