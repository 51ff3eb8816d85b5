//! How a tenant pays, and the providers that run two of these methods.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a tenant pays. It is always chosen explicitly; there is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethod {
    /// Stripe.
    Stripe,
    /// PayPal.
    Paypal,
    /// A bank transfer, confirmed by an operator.
    BankTransfer,
}

impl PaymentMethod {
    /// Every payment method.
    pub const ALL: [Self; 3] = [Self::Stripe, Self::Paypal, Self::BankTransfer];

    /// The text to store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Paypal => "paypal",
            Self::BankTransfer => "bank_transfer",
        }
    }

    /// From a stored text. `None` for what is no payment method.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// From the columns of a row that may be older than the choice of a payment method: what is
    /// stored, or Stripe where nothing is stored and there is a Stripe identifier. `None` where the
    /// row does not say: then somebody must choose. A text that is no payment method is not one,
    /// whatever else the row holds.
    ///
    /// ```
    /// use bailiwick::payment_method::PaymentMethod;
    /// assert_eq!(PaymentMethod::of_row(Some("bank_transfer"), None), Some(PaymentMethod::BankTransfer));
    /// assert_eq!(PaymentMethod::of_row(None, Some("sub_1")), Some(PaymentMethod::Stripe));
    /// assert_eq!(PaymentMethod::of_row(None, None), None);
    /// ```
    ///
    /// An account's row has no Stripe identifier of its own: give that of any of its subscriptions.
    pub fn of_row(
        payment_method: Option<&str>,
        stripe_subscription_id: Option<&str>,
    ) -> Option<Self> {
        match (payment_method, stripe_subscription_id) {
            (Some(text), _) => Self::from_text(text),
            (None, Some(id)) if is_stripe_id(id) => Some(Self::Stripe),
            (None, _) => None,
        }
    }
}

impl fmt::Display for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a text begins that stands for a Stripe identifier where old code demands one.
pub(crate) const STRIPE_PLACEHOLDER: &str = "no-stripe-subscription:";

/// Whether a stored text is an identifier of Stripe's, and not what stands for none.
pub(crate) fn is_stripe_id(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(STRIPE_PLACEHOLDER)
}

/// A payment provider whose reports are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// PayPal.
    Paypal,
}

impl Provider {
    /// The payment method that it runs.
    pub const fn payment_method(self) -> PaymentMethod {
        match self {
            Self::Stripe => PaymentMethod::Stripe,
            Self::Paypal => PaymentMethod::Paypal,
        }
    }
}
