//! Payment methods, and the providers that run two of them.
//!
//! A payment method is always chosen explicitly: there is no default. A policy says which are
//! enabled; the others are "coming soon".
//!
//! # First program
//! ```
//! use bailiwick::Policy;
//! use bailiwick::payment_method::{PaymentMethod, Provider};
//!
//! // Stored as a text.
//! let method = PaymentMethod::from_text("bank_transfer");
//! assert_eq!(method, Some(PaymentMethod::BankTransfer));
//!
//! // The default policy enables the bank transfer only.
//! let policy = Policy::default();
//! assert!(policy.is_enabled(PaymentMethod::BankTransfer));
//! assert!(!policy.is_enabled(Provider::Stripe.payment_method()));
//! ```
//!
//! # The types
//! | type | role |
//! |---|---|
//! | [`PaymentMethod`] | the way in which a tenant pays |
//! | [`Provider`] | a payment provider whose events are understood: see [`provider`](crate::provider) |

use std::fmt;

use serde::{Deserialize, Serialize};

/// The way in which a tenant pays. It is always chosen explicitly; there is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
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

    /// Returns the text to store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Paypal => "paypal",
            Self::BankTransfer => "bank_transfer",
        }
    }

    /// Reads a stored text. Returns `None` for a text that names no payment method.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// Reads the payment method from the columns of a row that may be older than the choice of one.
    ///
    /// It is the method that is stored, or Stripe if none is stored and there is a Stripe
    /// identifier. It is `None` if the row does not say: then somebody must choose. A stored text
    /// that names no payment method gives `None`, too, whatever else the row holds.
    ///
    /// An account's row has no Stripe identifier of its own: pass that of any of its subscriptions.
    ///
    /// ```
    /// use bailiwick::payment_method::PaymentMethod;
    ///
    /// let transfer = PaymentMethod::of_row(Some("bank_transfer"), None);
    /// assert_eq!(transfer, Some(PaymentMethod::BankTransfer));
    ///
    /// let old_row = PaymentMethod::of_row(None, Some("sub_1"));
    /// assert_eq!(old_row, Some(PaymentMethod::Stripe));
    ///
    /// assert_eq!(PaymentMethod::of_row(None, None), None);
    /// ```
    pub fn of_row(
        payment_method: Option<&str>,
        stripe_subscription_id: Option<&str>,
    ) -> Option<Self> {
        match (payment_method, stripe_subscription_id) {
            // A text that is not known must not be taken for Stripe: it was written by new code.
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

/// The beginning of a text that fills the column of the Stripe identifier, where old code demands
/// one and there is none.
pub(crate) const STRIPE_PLACEHOLDER: &str = "no-stripe-subscription:";

/// Returns true if a stored text is an identifier of Stripe's, and not a placeholder for one.
pub(crate) fn is_stripe_id(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(STRIPE_PLACEHOLDER)
}

/// A payment provider whose events are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// PayPal.
    Paypal,
}

impl Provider {
    /// Returns the payment method that the provider runs.
    pub const fn payment_method(self) -> PaymentMethod {
        match self {
            Self::Stripe => PaymentMethod::Stripe,
            Self::Paypal => PaymentMethod::Paypal,
        }
    }
}
