//! Payments that a provider received: a set by invoice, which only grows. Each brings the credits
//! of the months that it paid for, under their own keys.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::adoption::{AdoptError, check_identity, past_due_since};
use super::{PaidFor, ProviderPayment};
use crate::account::Account;
use crate::change::Answer;
use crate::change::RowChange;
use crate::credit::{Cause, DueGrant, GrantTerms, WalletError, credit_months};
use crate::id::{AccountId, SubscriptionId};
use crate::money::{Credits, Money};
use crate::payment_method::PaymentMethod;
use crate::payment_method::Provider;
use crate::period::{Interval, IntervalUnit, Period};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::subscription::Subscription;

/// A payment that was recorded: a row that is unique by (account, provider, invoice).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaidInvoice {
    /// Who received it.
    pub provider: Provider,
    /// The provider's identifier of the invoice or sale.
    pub invoice: String,
    /// The account that paid.
    pub account: AccountId,
    /// The subscription that was paid.
    pub subscription: SubscriptionId,
    /// How much.
    pub amount: Money,
    /// The period that was paid, if it was one, and paid in full.
    pub period: Option<Period>,
    /// The credits that were due for it.
    pub credits: Credits,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// What the host loads before it records a payment, in one transaction.
#[derive(Clone, Debug)]
pub struct PaymentFacts {
    /// The account of the subscription.
    pub account: Account,
    /// The subscription.
    pub subscription: Subscription,
    /// The plan that the payment's price stands for; the subscription's plan where the payment does
    /// not say.
    pub plan: Arc<Plan>,
    /// The subscription's plan as it is now. A larger one raises the month that runs.
    pub current_plan: Arc<Plan>,
    /// The row of the same account, provider and invoice, if there is one.
    pub prior: Option<PaidInvoice>,
}

/// Everything that a payment changes, to be written whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct PaymentChange {
    record: PaidInvoice,
    account: Option<RowChange<Account>>,
    subscription: RowChange<Subscription>,
    grants: Vec<DueGrant>,
}

impl PaymentChange {
    /// The row to insert, under UNIQUE (account, provider, invoice). A clash means: load again and
    /// ask again.
    pub fn record(&self) -> &PaidInvoice {
        &self.record
    }

    /// The account to update: active, if it only waited for a payment.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.account.as_ref()
    }

    /// The subscription to update: it knows until when it was paid. Its status stays.
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// The credits to grant: see [`DueGrant`].
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }
}

/// Why a payment is not recorded. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PaymentError {
    /// The provider is not enabled.
    #[error("payment by {0} is coming soon")]
    ComingSoon(PaymentMethod),
    /// The payment is for another subscription.
    #[error(transparent)]
    Foreign(#[from] AdoptError),
    /// The same invoice was recorded with other facts.
    #[error("the invoice {0} was recorded before with other facts")]
    Conflict(String),
    /// The provider does not say what was paid for, and the amount is not the present plan's price:
    /// it may be another's, whose report is on its way. Ask again once that is adopted.
    #[error(
        "the payment is not the price of the plan that is known: fetch the subscription first, then send it again"
    )]
    PlanUnknown,
    /// The subscription's present plan is another than the one that was loaded.
    #[error("the present plan that was loaded is not the subscription's")]
    PlanMismatch,
    /// A sum or a date would leave the range that can be held.
    #[error(transparent)]
    Row(#[from] WalletError),
}

impl Explained for PaymentError {
    fn code(&self) -> Code {
        match self {
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::Foreign(error) => error.code(),
            Self::Conflict(_) => Code::PaymentConflict,
            Self::PlanUnknown => Code::PaymentUnplaced,
            Self::PlanMismatch => Code::PlanMismatch,
            Self::Row(error) => error.code(),
        }
    }
}

impl Policy {
    /// Records a payment that a provider received: once for each invoice, whatever event reported
    /// it and however often. It brings the credits of the months that it paid for, and lifts what
    /// only waited for a payment. What the subscription's status is now, its snapshots say: see
    /// [`adopt_snapshot`](Self::adopt_snapshot).
    ///
    /// Months are counted from the start of the paid period, so the keys of their grants depend on
    /// the payment alone. A payment that comes when its month is over brings none of that month:
    /// they would have lapsed.
    ///
    /// Below the plan's price, in another currency, or for a subscription that is paid in another
    /// way by now, it is recorded and brings nothing: the amount at a provider is not always the
    /// host's to set. A host that gives discounts there says so in its policy. A payment that does
    /// not name its price (PayPal's never does) is refused with [`PaymentError::PlanUnknown`]
    /// unless it is the plan's price to the cent, or the policy allows discounts: give a PayPal
    /// plan a price with tax included.
    ///
    /// # Errors
    /// In this order: [`PaymentError::ComingSoon`], [`PaymentError::PlanMismatch`],
    /// [`PaymentError::Conflict`], [`PaymentError::Foreign`], [`PaymentError::PlanUnknown`],
    /// [`PaymentError::Row`].
    pub fn record_provider_payment(
        &self,
        payment: &ProviderPayment,
        facts: PaymentFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<PaymentChange, PaidInvoice>, PaymentError> {
        let PaymentFacts {
            account,
            subscription,
            plan,
            current_plan,
            prior,
        } = facts;
        let method = payment.provider.payment_method();
        if !self.is_enabled(method) {
            return Err(PaymentError::ComingSoon(method));
        }
        if current_plan.id != subscription.plan {
            return Err(PaymentError::PlanMismatch);
        }
        if let Some(prior) = prior {
            let same = prior.provider == payment.provider
                && prior.invoice == payment.invoice
                && prior.account == account.id
                && prior.amount == payment.amount;
            return if same {
                Ok(Answer::Replayed(prior))
            } else {
                Err(PaymentError::Conflict(payment.invoice.clone()))
            };
        }
        let reference = payment.reference.as_deref();
        check_identity(
            payment.provider,
            &payment.subscription,
            reference,
            &account,
            &subscription,
        )?;
        let is_own = subscription.payment_method == method;
        let is_enough = is_own && self.is_enough(payment.period_amount, plan.price);
        // The plan may have changed with a report that is still on its way.
        if is_own
            && payment.price.is_none()
            && payment.period_amount != plan.price
            && !self.provider_discounts
        {
            return Err(PaymentError::PlanUnknown);
        }
        let period = match payment.paid_for {
            PaidFor::Period(period) => Some(period),
            PaidFor::IntervalFrom(start) => Some(
                plan.interval
                    .period(start, 0)
                    .ok_or(WalletError::AmountOverflow)?,
            ),
            PaidFor::Other => None,
        };
        let period = period.filter(|period| is_enough && period.start < period.end);
        let mut grants = Vec::new();
        for month in period
            .into_iter()
            .flat_map(|period| paid_months(plan.interval, period))
        {
            let cause = Cause::of_month(&account.id, &subscription.id, month);
            // A report that the plan was changed to a larger one may have overtaken this one.
            let current = if month.contains(now) {
                current_plan.credits_per_month
            } else {
                Credits::ZERO
            };
            grants.extend(DueGrant::new(
                cause,
                GrantTerms::month(plan.credits_per_month.max(current), month),
            ));
        }
        let status = if period.is_some() {
            account.status.after_payment()
        } else {
            account.status
        };
        let latest = |period: &Period| (period.end, period.start);
        let mut paid = Subscription {
            provider_paid: subscription
                .provider_paid
                .into_iter()
                .chain(period)
                .max_by_key(latest),
            version: subscription
                .version
                .checked_add(1)
                .ok_or(WalletError::AmountOverflow)?,
            ..subscription.clone()
        };
        if is_own {
            paid.past_due_since = past_due_since(&paid);
        }
        let record = PaidInvoice {
            provider: payment.provider,
            invoice: payment.invoice.clone(),
            account: account.id.clone(),
            subscription: subscription.id,
            amount: payment.amount,
            period,
            credits: DueGrant::total(&grants).ok_or(WalletError::AmountOverflow)?,
            recorded_at: now,
        };
        let subscription = RowChange::update(subscription.version, paid);
        Ok(Answer::Fresh(PaymentChange {
            record,
            account: account.with_status(status),
            subscription,
            grants,
        }))
    }

    /// Whether a provider's payment pays for a period.
    fn is_enough(&self, amount: Money, price: Money) -> bool {
        amount.currency() == price.currency()
            && (self.provider_discounts || amount.checked_sub(price).is_some())
    }
}

/// The months of a paid period, counted from its own start and no more than the plan's interval
/// has: a period from 28 February to 31 March is one month.
pub(super) fn paid_months(interval: Interval, period: Period) -> Vec<Period> {
    let count = usize::from(interval.count.get());
    let most = match interval.unit {
        IntervalUnit::Day | IntervalUnit::Week => 1,
        IntervalUnit::Month => count,
        IntervalUnit::Year => count.saturating_mul(12),
    };
    credit_months(interval, period, period.start)
        .into_iter()
        .take(most)
        .collect()
}
