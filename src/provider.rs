//! What Stripe and PayPal report, in words of our own: snapshots of subscriptions, which are
//! adopted by the provider's time, and payments, which are a set that only grows. Whatever the
//! order of delivery, and however often each report comes, the outcome is the same.
//!
//! A report is never taken for a command: applied one after another to a table that refuses, *paid,
//! failed* and *failed, paid* would end differently.

mod adoption;
mod payment;
#[cfg(feature = "paypal")]
pub mod paypal;
#[cfg(feature = "stripe")]
pub mod stripe;

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::money::Money;
use crate::payment_method::Provider;
use crate::period::Period;
use crate::problem::{Code, Explained};
use crate::subscription::SubscriptionStatus;

pub use adoption::{AdoptError, Adoption, AdoptionFacts, Freshness, Plausibility};
pub use payment::{PaidInvoice, PaymentChange, PaymentError, PaymentFacts};

/// A subscription as its provider had it at one time: a fact, from a verified webhook or fetched
/// from the provider's API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProviderSnapshot {
    /// Whose it is.
    pub provider: Provider,
    /// The provider's identifier of the subscription.
    pub subscription: String,
    /// What the host's server wrote beside it at Stripe, as the metadata's entry `subscription`:
    /// the identifier of its own subscription, without which no row takes an identifier of
    /// Stripe's. PayPal has none: there, anyone can write what looks like it.
    pub reference: Option<String>,
    /// The provider's name of what is paid for: Stripe's price, PayPal's plan. The host knows which
    /// plan that is.
    pub price: String,
    /// The provider's time of this state.
    pub at: DateTime<Utc>,
    /// The status.
    pub status: SubscriptionStatus,
    /// Where the provider counts periods from.
    pub anchor: DateTime<Utc>,
    /// The period that runs, or ran last.
    pub current_period: Option<Period>,
    /// The trial, if there is or was one.
    pub trial: Option<Period>,
    /// Whether it ends with the current period.
    pub cancel_at_period_end: bool,
}

/// What a payment was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaidFor {
    /// A period, whose months' credits it brings.
    Period(Period),
    /// One interval of the plan from this instant on: the provider does not say until when.
    IntervalFrom(DateTime<Utc>),
    /// Something else, such as the difference between two plans: it brings no credits of its own.
    Other,
}

/// A payment that a provider received: a fact, from a verified webhook.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProviderPayment {
    /// Who received it.
    pub provider: Provider,
    /// The provider's identifier of the subscription.
    pub subscription: String,
    /// See [`ProviderSnapshot::reference`].
    pub reference: Option<String>,
    /// The provider's identifier of the invoice or sale: what makes the payment one.
    pub invoice: String,
    /// The provider's name of what was paid for, if it says so.
    pub price: Option<String>,
    /// How much, in all.
    pub amount: Money,
    /// What for.
    pub paid_for: PaidFor,
    /// What the period itself cost, after discounts: compared with the plan's price. Other lines of
    /// the invoice do not change it, nor does what was paid from the customer's balance, so it may
    /// be more than `amount`.
    pub period_amount: Money,
}

/// What a provider's event reports, as far as it matters here.
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

/// An event whose signature was checked. Only the checks of `stripe` and `paypal` make
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEvent {
    pub(crate) provider: Provider,
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) report: ProviderReport,
}

impl ProviderEvent {
    /// Who sent it.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The event's identifier. Nothing depends on it: the same invoice under another event is the
    /// same payment.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The provider's name of the kind of event, such as `invoice.paid`, for the log.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// When the provider made it.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// What it reports.
    pub fn report(&self) -> &ProviderReport {
        &self.report
    }
}

/// Why an event is not believed or not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The headers that carry the signature are missing or malformed.
    #[error("the signature's headers are missing or malformed")]
    HeaderMalformed,
    /// No signature fits the body under any of the secrets or certificates.
    #[error("the signature does not fit")]
    SignatureMismatch,
    /// It was signed longer ago, or further ahead, than is tolerated.
    #[error("it was signed at a time that is not tolerated")]
    OutOfTime,
    /// The certificate is not the provider's.
    #[error("the certificate is not the provider's")]
    CertificateUntrusted,
    /// The signature fits, and the body is not what the provider documents: its shape has changed.
    #[error("the event is not of a known shape")]
    Malformed,
}

impl Explained for WebhookError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed => Code::ProviderEventInvalid,
            _ => Code::SignatureInvalid,
        }
    }
}
