//! Subscriptions: the facts that a host stores, the commands that change them, and the table that
//! governs those.

mod command;
mod due;
mod effect;
mod proration;
mod stored;
mod succession;
mod table;
mod transition;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, PlanId, SubscriptionId};
use crate::payment_method::{PaymentMethod, Provider, STRIPE_PLACEHOLDER, is_stripe_id};
use crate::period::Period;

pub use command::{Command, RecordedPayment};
pub use effect::Effect;
pub use proration::{Proration, ProrationError};
pub use succession::{Succession, SuccessionError};
pub use table::{CommandKind, RefusalReason, transition};
pub use transition::{Refusal, Transition};

/// The status of a subscription, in Stripe's words. The status alone never grants access: the gate
/// asks for the time too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Retries are exhausted; the subscription stays, without service.
    Unpaid,
    /// Paused: a trial that ended without a payment method, or by command.
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

    /// The text to store.
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

    /// From a stored text: total, since whatever it does not know is `Unknown`.
    pub fn from_text(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for SubscriptionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change of plan that waits for the end of what is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingPlan {
    /// The plan from then on.
    pub plan: PlanId,
    /// When: the end of what was paid or in trial when the change was asked for.
    pub at: DateTime<Utc>,
}

/// A subscription of an account to a plan, as the host loads it. Stored as one text, a row from
/// before there was a choice of payment methods reads as [`PaymentMethod::of_row`] says, and one
/// that does not say is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "stored::StoredSubscription")]
pub struct Subscription {
    /// Its identifier.
    pub id: SubscriptionId,
    /// The account that subscribes. The gate refuses a subscription of another account.
    pub account: AccountId,
    /// The plan that it is for.
    pub plan: PlanId,
    /// Its status.
    pub status: SubscriptionStatus,
    /// Where periods are counted from: period `k` starts `k` intervals after it. Before the first
    /// payment it is when the subscription was made, in trial the trial's end.
    pub anchor: DateTime<Utc>,
    /// The latest trial or paid period, once there is one. Paid early, it may start in the future:
    /// the one before ends where it starts.
    pub current_period: Option<Period>,
    /// The end of the trial, if there is or was one.
    pub trial_end: Option<DateTime<Utc>>,
    /// Whether it ends with the current period.
    pub cancel_at_period_end: bool,
    /// The plan that follows with the next period, if a change waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_plan: Option<PendingPlan>,
    /// Since when a payment is past due; `None` in every other status. Commands set it once, on
    /// entering; for what a provider runs, each report sets it anew, at the latest to the end of
    /// what was paid.
    pub past_due_since: Option<DateTime<Utc>>,
    /// How it is paid.
    pub payment_method: PaymentMethod,
    /// Stripe's identifier, byte for byte; unique where present.
    pub stripe_subscription_id: Option<String>,
    /// PayPal's identifier; unique where present. A host stores it when its own server has made the
    /// subscription at PayPal: nothing that PayPal reports is adopted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paypal_subscription_id: Option<String>,
    /// The identifier of the latest payment outside Stripe, such as a bank's transaction.
    pub external_payment_id: Option<String>,
    /// The provider's time of the snapshot that was adopted last: only a newer one is adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_at: Option<DateTime<Utc>>,
    /// The latest period for which a provider received a payment: what is past due there, is past
    /// due since its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_paid: Option<Period>,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

impl Subscription {
    /// What a row without a Stripe identifier has in its place where old code demands one: this,
    /// and the row's key. It is no identifier of Stripe's, and is read as none. See `migration`.
    pub const PLACEHOLDER: &str = STRIPE_PLACEHOLDER;

    /// A new subscription: incomplete until its first payment or its trial, and in version 1. A
    /// host inserts it.
    pub fn new(
        id: SubscriptionId,
        account: AccountId,
        plan: PlanId,
        payment_method: PaymentMethod,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            account,
            plan,
            status: SubscriptionStatus::Incomplete,
            anchor: now,
            current_period: None,
            trial_end: None,
            cancel_at_period_end: false,
            pending_plan: None,
            past_due_since: None,
            payment_method,
            stripe_subscription_id: None,
            paypal_subscription_id: None,
            external_payment_id: None,
            provider_at: None,
            provider_paid: None,
            version: 1,
        }
    }

    /// Whether a plan that is pending is paid for already, since its period was paid early.
    pub(crate) fn is_pending_plan_paid(&self) -> bool {
        let starts = self.current_period.map(|period| period.start);
        self.pending_plan
            .as_ref()
            .is_some_and(|pending| starts.is_some_and(|start| pending.at <= start))
    }

    /// Whether it has ended for good.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(
            self.status,
            SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired
        )
    }

    /// The plan that the next payment is for: the pending one if a change waits for the next
    /// period, else the present one.
    pub fn next_plan(&self) -> &PlanId {
        self.pending_plan
            .as_ref()
            .map_or(&self.plan, |pending| &pending.plan)
    }
}

impl Subscription {
    /// The provider that runs it, and what it is called there.
    pub(crate) fn run_by(&self) -> Option<(Provider, String)> {
        let (provider, id) = match self.payment_method {
            PaymentMethod::Stripe => (Provider::Stripe, self.stripe_subscription_id.clone()),
            PaymentMethod::Paypal => (Provider::Paypal, self.paypal_subscription_id.clone()),
            PaymentMethod::BankTransfer => return None,
        };
        id.filter(|id| is_stripe_id(id)).map(|id| (provider, id))
    }
}
