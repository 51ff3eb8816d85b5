//! The subscription as a host stores it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::status::SubscriptionStatus;
use crate::id::{AccountId, ChargeId, PlanId, SubscriptionId};
use crate::payment_method::{PaymentMethod, Provider, STRIPE_PLACEHOLDER, is_stripe_id};
use crate::period::Period;
use crate::plan::Plan;

/// A change of plan that waits for the end of the time that is paid or in trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct PendingPlan {
    /// The plan from then on.
    pub plan: PlanId,
    /// The instant of the change: the end of the paid or trial period, as it was when the change
    /// was asked for.
    pub at: DateTime<Utc>,
}

/// A plan that serves already, although the charge for it is not paid yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct UnpaidPlan {
    /// The charge.
    pub charge: ChargeId,
    /// The end of the time that it is for: from then on, each period is paid at the plan's price.
    pub until: DateTime<Utc>,
}

/// The subscription of an account to a plan, as the host loads it.
///
/// It is stored as one text. In a row that is older than the choice of payment methods, the method
/// is read as [`PaymentMethod::of_row`] says; a row from which no method follows cannot be read.
///
/// In tests and examples, a subscription in a given state is written by struct update:
///
/// ```
/// use bailiwick::Subscription;
/// use bailiwick::payment_method::PaymentMethod;
/// use bailiwick::period::Interval;
/// use bailiwick::subscription::SubscriptionStatus;
///
/// let june = "2027-06-01T00:00:00Z".parse()?;
/// let paid = Subscription {
///     status: SubscriptionStatus::Active,
///     current_period: Interval::MONTHLY.period(june, 0),
///     ..Subscription::new(1.into(), 7.into(), 3.into(), PaymentMethod::BankTransfer, june)
/// };
/// assert_eq!(paid.version, 1);
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct Subscription {
    /// Its identifier.
    pub id: SubscriptionId,
    /// The account that subscribes. The gate refuses a subscription of another account.
    pub account: AccountId,
    /// The plan that it is for.
    pub plan: PlanId,
    /// Its status.
    pub status: SubscriptionStatus,
    /// The instant from which periods are counted: period `k` starts `k` intervals after it. Before
    /// the first payment it is the instant at which the subscription was made; in trial it is the
    /// trial's end.
    pub anchor: DateTime<Utc>,
    /// The latest trial or paid period, once there is one. A period that was paid early may start
    /// in the future; the one before it ends where it starts.
    pub current_period: Option<Period>,
    /// True if the current period is of a plan without a price, and began by time alone. Another
    /// plan then begins with its first payment, and not at once.
    #[serde(skip_serializing_if = "is_false")]
    pub free_period: bool,
    /// The end of the time that was paid, as [`PaidTime::paid_until`] tells it; `None` where none
    /// was recorded there. Write it with every fact of paid time. Paid until is the later of this
    /// and the current period's end.
    ///
    /// [`PaidTime::paid_until`]: crate::paid_time::PaidTime::paid_until
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_until: Option<DateTime<Utc>>,
    /// The end of the trial, if there is or was one.
    pub trial_end: Option<DateTime<Utc>>,
    /// True if it ends with the current period.
    pub cancel_at_period_end: bool,
    /// The instant at which it ends, if a provider named one: nothing serves it after that, however
    /// long the time is that was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// The plan that follows with the next period, if a change waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_plan: Option<PendingPlan>,
    /// The present plan's charge, if the plan serves before it is paid. Until it is, or its time is
    /// over, the plan has no value that could be divided or given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpaid_plan: Option<UnpaidPlan>,
    /// The instant since which a payment is past due; `None` in every other status. A command sets
    /// it once, when the subscription becomes past due. Where a provider runs the subscription,
    /// each report sets it anew, to the end of the time that was paid at the latest.
    ///
    /// If the status is past due and this is `None`, there is no grace: the gate refuses with 402
    /// `payment_past_due`, whatever the policy grants.
    pub past_due_since: Option<DateTime<Utc>>,
    /// The way it is paid.
    pub payment_method: PaymentMethod,
    /// Stripe's identifier, byte for byte; unique where present.
    pub stripe_subscription_id: Option<String>,
    /// PayPal's identifier; unique where present. A host stores it when its own server has made the
    /// subscription at PayPal: no report of PayPal's is adopted before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paypal_subscription_id: Option<String>,
    /// The identifier of the latest payment outside Stripe, such as a bank's transaction.
    pub external_payment_id: Option<String>,
    /// The provider's time of the snapshot that was adopted last: only a newer one is adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_at: Option<DateTime<Utc>>,
    /// The latest period for which a provider received a payment. A payment that is past due there
    /// is past due since that period's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_paid: Option<Period>,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

impl Subscription {
    /// The prefix of the text that fills the column of Stripe's identifier where old code demands
    /// one and there is none; the row's key follows it. Such a text is read as no identifier. See
    /// `migration`.
    pub const PLACEHOLDER: &str = STRIPE_PLACEHOLDER;

    /// Creates a subscription that is incomplete until its first payment or its trial, in version
    /// 1. A host inserts it.
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
            version: 1,
            // Nothing was tried or paid yet.
            current_period: None,
            free_period: false,
            paid_until: None,
            trial_end: None,
            past_due_since: None,
            external_payment_id: None,
            // Nothing was asked for yet.
            cancel_at_period_end: false,
            ends_at: None,
            pending_plan: None,
            unpaid_plan: None,

            payment_method,
            stripe_subscription_id: None,
            paypal_subscription_id: None,
            provider_at: None,
            provider_paid: None,
        }
    }

    /// Returns the plan that the next payment is for: the pending one if a change waits for the
    /// next period, else the present one.
    pub fn next_plan(&self) -> &PlanId {
        self.pending_plan
            .as_ref()
            .map_or(&self.plan, |pending| &pending.plan)
    }

    /// Returns whether the pending plan is already paid for, since its period was paid early.
    pub(crate) fn is_pending_plan_paid(&self) -> bool {
        // Nothing was paid for a period that began by time alone.
        let paid = self.current_period.filter(|_| !self.free_period);
        let starts = paid.map(|period| period.start);
        self.pending_plan
            .as_ref()
            .is_some_and(|pending| starts.is_some_and(|start| pending.at <= start))
    }

    /// Returns whether the pending plan begins with its payment: the present plan is without a price,
    /// and the time of the change has come.
    pub(crate) fn begins_when_paid(&self, now: DateTime<Utc>) -> bool {
        let asked = self.pending_plan.as_ref().map(|pending| pending.at);
        self.free_period && asked.is_some_and(|at| at <= now)
    }

    /// Returns whether a provider runs it: then the provider's reports decide, and time alone does
    /// not.
    pub(crate) fn is_run_by_provider(&self) -> bool {
        self.payment_method != PaymentMethod::BankTransfer && self.provider_at.is_some()
    }

    /// Returns whether a plan is the present one and needs no payment, so that it starts and renews
    /// by time alone. One that is to end with its period does not renew.
    pub(crate) fn is_free_on(&self, plan: &Plan) -> bool {
        self.plan == plan.id
            && plan.price.is_zero()
            && !self.cancel_at_period_end
            && !self.is_run_by_provider()
    }

    /// Returns whether it has ended for good.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(
            self.status,
            SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired
        )
    }

    /// Returns the end of the trial or of the latest paid period.
    pub(crate) fn running_until(&self) -> Option<DateTime<Utc>> {
        match self.status {
            SubscriptionStatus::Trialing => self.trial_end.map(|end| self.cut(end)),
            _ => self.paid_until(),
        }
    }

    /// Returns the end of the latest paid period, or of the paid time if that is later.
    pub(crate) fn paid_until(&self) -> Option<DateTime<Utc>> {
        // `None` sorts before every instant.
        self.current_period
            .map(|period| period.end)
            .max(self.paid_until)
            .map(|end| self.cut(end))
    }

    /// Returns an instant, but no later one than that at which it is to end.
    fn cut(&self, end: DateTime<Utc>) -> DateTime<Utc> {
        self.ends_at.map_or(end, |at| at.min(end))
    }

    /// Returns the provider that runs it, and its identifier there.
    pub(crate) fn run_by(&self) -> Option<(Provider, String)> {
        let (provider, id) = match self.payment_method {
            PaymentMethod::Stripe => (Provider::Stripe, self.stripe_subscription_id.clone()),
            PaymentMethod::Paypal => (Provider::Paypal, self.paypal_subscription_id.clone()),
            PaymentMethod::BankTransfer => return None,
        };
        id.filter(|id| is_stripe_id(id)).map(|id| (provider, id))
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to the field"
)]
fn is_false(value: &bool) -> bool {
    !*value
}
