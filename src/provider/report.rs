//! Reports of providers, as far as they matter here.

use chrono::{DateTime, Utc};

use crate::money::Money;
use crate::payment_method::Provider;
use crate::period::Period;
use crate::subscription::SubscriptionStatus;

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
    /// The provider's name of what is paid for: Stripe's price, PayPal's plan. The host knows which
    /// plan that is.
    pub price: String,
    /// The provider's time of this state.
    pub at: DateTime<Utc>,
    /// The status.
    pub status: SubscriptionStatus,
    /// The instant from which the provider counts periods.
    pub anchor: DateTime<Utc>,
    /// The period that runs, or ran last.
    pub current_period: Option<Period>,
    /// The trial, if there is or was one.
    pub trial: Option<Period>,
    /// True if it ends with the current period.
    pub cancel_at_period_end: bool,
}

/// The purpose of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum PaidFor {
    /// A period, whose months' credits it brings.
    Period(Period),
    /// One interval of the plan from this instant on: the provider does not name its end.
    IntervalFrom(DateTime<Utc>),
    /// Something else, such as the difference between two plans: it brings no credits of its own.
    Other,
}

/// A payment that a provider received: a fact, from a verified webhook.
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
    /// The provider's name of what was paid for, if the report has it.
    pub price: Option<String>,
    /// The amount, in all.
    pub amount: Money,
    /// The purpose.
    pub paid_for: PaidFor,
    /// The cost of the period itself, after discounts: compared with the plan's price. Other lines
    /// of the invoice do not change it, nor does a payment from the customer's balance, so it may
    /// be more than `amount`.
    pub period_amount: Money,
}

/// The content of a provider's event, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProviderReport {
    /// The state of a subscription.
    Snapshot(ProviderSnapshot),
    /// A payment.
    Payment(ProviderPayment),
    /// A kind of event that has no meaning here. A host answers it with success, so that it is not
    /// sent again.
    Unmapped,
}
