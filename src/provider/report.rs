//! Reports of providers, as far as they matter here.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::line::PaidLine;
use crate::money::Money;
use crate::payment_method::Provider;
use crate::period::Period;
use crate::subscription::SubscriptionStatus;

/// The time for which a payment may still be on its way when a report of its undoing comes first.
const EARLY: TimeDelta = match TimeDelta::try_days(1) {
    Some(day) => day,
    None => TimeDelta::zero(),
};

/// An item of a subscription: the price that is paid each period, and how many times. The plan is
/// one of them; others are add-ons and meters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ProviderItem {
    /// The provider's name of the price: Stripe's price, PayPal's plan.
    pub price: String,
    /// The quantity, such as a number of seats.
    pub quantity: u32,
    /// The period that runs, or ran last.
    pub period: Option<Period>,
}

/// A subscription as its provider had it at one time: a fact, from a verified webhook or fetched
/// from the provider's API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ProviderSnapshot {
    /// The provider.
    pub provider: Provider,
    /// The provider's identifier of the subscription.
    pub subscription: String,
    /// The identifier of the host's own subscription, which the host's server wrote beside the
    /// provider's at Stripe, as the metadata's entry `subscription`. Without it, no row takes an
    /// identifier of Stripe's. PayPal has no such entry: there, anyone can write one.
    pub reference: Option<String>,
    /// The items, in the provider's order. The plan's is the first whose price the host knows.
    pub items: Vec<ProviderItem>,
    /// The provider's time of this state.
    pub at: DateTime<Utc>,
    /// The status.
    pub status: SubscriptionStatus,
    /// The instant from which the provider counts periods.
    pub anchor: DateTime<Utc>,
    /// The trial, if there is or was one.
    pub trial: Option<Period>,
    /// True if it ends with the current period.
    pub cancel_at_period_end: bool,
    /// The instant at which it is to end, if the provider names one.
    pub cancel_at: Option<DateTime<Utc>>,
    /// The instant at which it ended, if the provider names one.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A payment that a provider received: a fact, from a verified webhook or fetched from the
/// provider's API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ProviderPayment {
    /// The provider that received it.
    pub provider: Provider,
    /// The provider's identifier of the subscription.
    pub subscription: String,
    /// The identifier of the host's own subscription: see [`ProviderSnapshot::reference`].
    pub reference: Option<String>,
    /// The provider's identifier of the invoice or sale. Two reports of one invoice are one
    /// payment.
    pub invoice: String,
    /// The instant at which the invoice or sale was made.
    pub made: DateTime<Utc>,
    /// The instant at which the money was received.
    pub received: DateTime<Utc>,
    /// The amount, in all.
    pub amount: Money,
    /// The lines that are about time of the subscription. There may be none: the invoice of a trial
    /// and one for something else are payments too.
    pub lines: Vec<PaidLine>,
}

/// The way in which a payment was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Undoing {
    /// Money was given back. If it was all of it, the time that is left was given back with it.
    Refunded,
    /// The payment never was: a dispute was lost, or the bank took the money back.
    Reversed,
}

/// A payment that was undone, in whole or in part: a fact, from a verified webhook.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ProviderUndone {
    /// The provider.
    pub provider: Provider,
    /// The provider's identifier of the invoice or sale, if the report names it. If it does not,
    /// the host asks the provider for the invoice of [`reference`](Self::reference), and sets it.
    ///
    /// Stripe's charges and disputes [name no
    /// invoice](https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices)
    /// since 2025-03-31; `GET /v1/invoice_payments` finds it by the payment intent.
    pub invoice: Option<String>,
    /// What the report names instead: Stripe's payment intent, or its charge; PayPal's reversal or
    /// dispute.
    pub reference: String,
    /// The way.
    pub how: Undoing,
    /// The money that was given back so far, in all.
    pub amount: Money,
    /// The instant.
    pub at: DateTime<Utc>,
}

impl ProviderUndone {
    /// Returns whether the payment may still be on its way, where the host has no record of it: the
    /// report is less than a day old. A host answers it with a failure then, so that it is sent
    /// again; and later with success, since the payment was none of its own.
    pub fn is_early(&self, now: DateTime<Utc>) -> bool {
        now.signed_duration_since(self.at) < EARLY
    }
}

/// A payment that pays for no subscription, but for one of the host's own charges: a fact, from a
/// verified webhook.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ProviderCharge {
    /// The provider that received it.
    pub provider: Provider,
    /// The identifier of the host's own charge, which the host's server wrote beside the payment,
    /// as the metadata's entry `charge`.
    pub charge: String,
    /// The provider's identifier of the payment: the invoice where there is one, else the payment
    /// intent, else the checkout session.
    pub payment: String,
    /// The amount.
    pub amount: Money,
    /// The instant at which it was received.
    pub at: DateTime<Utc>,
}

/// The reason why an authentic event has no meaning here. Displayed, it is a line for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unmapped {
    /// Its kind has none.
    OtherKind,
    /// It pays for no subscription, and names no charge of the host's.
    ForeignPayment,
    /// Money is promised, and not received yet. Another event tells of the receipt.
    NotPaidYet,
    /// A dispute ended without a loss.
    NothingUndone,
    /// An invoice was voided. Stripe voids an invoice [only before it is
    /// paid](https://docs.stripe.com/invoicing/overview#workflow-overview), so it brought nothing.
    NeverPaid,
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherKind => "events of this kind have no meaning here",
            Self::ForeignPayment => "the payment is for no subscription and names no charge",
            Self::NotPaidYet => "the money is not received yet",
            Self::NothingUndone => "the dispute ended without a loss",
            Self::NeverPaid => "the invoice was voided before it was paid",
        })
    }
}

/// The content of a provider's event, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProviderReport {
    /// The state of a subscription.
    Snapshot(ProviderSnapshot),
    /// A payment.
    Payment(ProviderPayment),
    /// A payment whose invoice is not here as a whole: its list of lines was cut short, or they do
    /// not add up to its subtotal. The host fetches the invoice with all of its lines, and reads
    /// that with `stripe::invoice`.
    Incomplete {
        /// The provider's identifier of the invoice.
        invoice: String,
    },
    /// A payment that was undone.
    Undone(ProviderUndone),
    /// A payment for one of the host's own charges.
    ChargePaid(ProviderCharge),
    /// An event that has no meaning here. A host answers it with success, so that it is not sent
    /// again, and logs the reason.
    Unmapped(Unmapped),
}
