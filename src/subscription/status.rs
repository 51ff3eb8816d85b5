//! The status of a subscription.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The status of a subscription, in Stripe's words. The status alone never grants access: the gate
/// looks at the time as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum SubscriptionStatus {
    /// The first payment has not succeeded yet.
    Incomplete,
    /// The first payment was not made in time. Terminal.
    IncompleteExpired,
    /// In trial.
    Trialing,
    /// Paid.
    Active,
    /// A payment failed and is being retried.
    PastDue,
    /// Retries are exhausted. The subscription goes on without service.
    Unpaid,
    /// Paused, by command or because a trial ended without a payment.
    Paused,
    /// Ended. Terminal.
    Canceled,
    /// A stored text that this version does not know. It is denied everywhere.
    #[serde(other)]
    Unknown,
}

impl SubscriptionStatus {
    /// Every known status, in the order of the transition table's columns.
    pub const ALL: [Self; 8] = [
        Self::Incomplete,
        Self::IncompleteExpired,
        Self::Trialing,
        Self::Active,
        Self::PastDue,
        Self::Unpaid,
        Self::Paused,
        Self::Canceled,
    ];

    /// Returns the text to store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a stored text. Every text is read: one that this version does not know is
    /// [`Unknown`](Self::Unknown).
    pub fn from_text(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .unwrap_or(Self::Unknown)
    }

    /// Returns whether the status may give access at all, given the time and the policy.
    pub(super) const fn is_served(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue)
    }
}

impl fmt::Display for SubscriptionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
