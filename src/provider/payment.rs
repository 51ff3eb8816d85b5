//! Payments that a provider received: a set by invoice, which only grows. Each brings the credits
//! of the months that it paid for, under their own keys.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::PaymentError;
use super::identity::check_identity;
use super::reckoning::{paid_grants, past_due_since};
use super::report::{PaidFor, ProviderPayment};
use crate::account::Account;
use crate::change::{Answer, RowChange, RowError};
use crate::credit::DueGrant;
use crate::id::{AccountId, SubscriptionId};
use crate::money::{Credits, Money};
use crate::payment_method::Provider;
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::subscription::Subscription;

/// A payment that was recorded: a row that is unique by (account, provider, invoice).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PaidInvoice {
    /// The provider that received it.
    pub provider: Provider,
    /// The provider's identifier of the invoice or sale.
    pub invoice: String,
    /// The account that paid.
    pub account: AccountId,
    /// The subscription that was paid.
    pub subscription: SubscriptionId,
    /// The amount.
    pub amount: Money,
    /// The period that was paid, if it was one, and paid in full.
    pub period: Option<Period>,
    /// The credits that were due for it.
    pub credits: Credits,
    /// The time at which it was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// The rows that a host loads before it records a payment, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct PaymentFacts {
    /// The account of the subscription.
    pub account: Account,
    /// The subscription.
    pub subscription: Subscription,
    /// The plan that the payment's price stands for; the subscription's plan where the payment
    /// names no price.
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
    /// Returns the row to insert, under UNIQUE (account, provider, invoice). A clash means: load
    /// again and ask again.
    pub fn record(&self) -> &PaidInvoice {
        &self.record
    }

    /// Returns the account to update: active, if it only waited for a payment.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.account.as_ref()
    }

    /// Returns the subscription to update, with the latest period that was paid. Its status stays.
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// Returns the credits to grant: see [`DueGrant`].
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }
}

impl Policy {
    /// Records a payment that a provider received: once for each invoice, whatever event reported
    /// it and however often. It brings the credits of the months that it paid for, and lifts a
    /// status that only waited for a payment. The subscription's own status comes from its
    /// snapshots: see [`adopt_snapshot`](Self::adopt_snapshot).
    ///
    /// Months are counted from the start of the paid period, so the keys of their grants depend on
    /// the payment alone. A payment that arrives after its month is over brings no credits of that
    /// month: they would have lapsed.
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
            return if prior.is_of(payment, &account.id) {
                Ok(Answer::Replayed(prior))
            } else {
                Err(PaymentError::Conflict(payment.invoice.clone()))
            };
        }
        check_identity(
            payment.provider,
            &payment.subscription,
            payment.reference.as_deref(),
            &account,
            &subscription,
        )?;

        // A subscription that moved to another method is no longer served by this payment.
        let is_own = subscription.payment_method == method;
        if is_own && self.is_unplaced(payment, plan.price) {
            return Err(PaymentError::PlanUnknown);
        }
        let is_enough = is_own && self.is_enough(payment.period_amount, plan.price);
        let period = payment
            .period(&plan)?
            .filter(|period| is_enough && period.start < period.end);

        let grants = period.map_or_else(Vec::new, |period| {
            paid_grants(&subscription, &plan, &current_plan, period, now)
        });
        // A part of a price lifts nothing.
        let status = if period.is_some() {
            account.status.after_payment()
        } else {
            account.status
        };

        Ok(Answer::Fresh(PaymentChange {
            record: PaidInvoice::of(payment, &subscription, period, &grants, now)?,
            account: account.with_status(status),
            subscription: paid_subscription(&subscription, period, is_own)?,
            grants,
        }))
    }

    /// Returns whether nothing tells which plan a payment is for: it does not name its price, and
    /// the plan may have changed with a report that is still on its way.
    fn is_unplaced(&self, payment: &ProviderPayment, price: Money) -> bool {
        payment.price.is_none() && payment.period_amount != price && !self.provider_discounts
    }

    /// Returns whether a provider's payment pays for a period.
    fn is_enough(&self, amount: Money, price: Money) -> bool {
        amount.currency() == price.currency()
            && (self.provider_discounts || amount.checked_sub(price).is_some())
    }
}

impl PaidInvoice {
    /// Makes the row of a payment for a subscription.
    fn of(
        payment: &ProviderPayment,
        subscription: &Subscription,
        period: Option<Period>,
        grants: &[DueGrant],
        now: DateTime<Utc>,
    ) -> Result<Self, RowError> {
        let credits = DueGrant::total(grants).ok_or(RowError::Overflow {
            of: "credits of the payment",
        })?;

        Ok(Self {
            provider: payment.provider,
            invoice: payment.invoice.clone(),
            account: subscription.account.clone(),
            subscription: subscription.id.clone(),
            amount: payment.amount,
            period,
            credits,
            recorded_at: now,
        })
    }

    /// Returns whether this row is the record of the same payment, by the same account.
    fn is_of(&self, payment: &ProviderPayment, account: &AccountId) -> bool {
        self.provider == payment.provider
            && self.invoice == payment.invoice
            && self.account == *account
            && self.amount == payment.amount
    }
}

impl ProviderPayment {
    /// Returns the period that the payment is for, if it is for one.
    fn period(&self, plan: &Plan) -> Result<Option<Period>, RowError> {
        match self.paid_for {
            PaidFor::Period(period) => Ok(Some(period)),
            PaidFor::IntervalFrom(start) => {
                let end_out_of_range = RowError::Overflow {
                    of: "end of the paid period",
                };
                let period = plan.interval.period(start, 0).ok_or(end_out_of_range)?;
                Ok(Some(period))
            }
            PaidFor::Other => Ok(None),
        }
    }
}

/// Returns the subscription with the latest of the periods that were paid.
fn paid_subscription(
    before: &Subscription,
    period: Option<Period>,
    is_own: bool,
) -> Result<RowChange<Subscription>, RowError> {
    // Payments may come in any order, so the latest period counts, not the last one reported.
    let end_then_start = |period: &Period| (period.end, period.start);
    let provider_paid = before
        .provider_paid
        .into_iter()
        .chain(period)
        .max_by_key(end_then_start);

    RowChange::next(before.version, "subscription", |version| {
        let mut after = Subscription {
            provider_paid,
            version,
            ..before.clone()
        };
        // Of a subscription that moved on, its own commands say since when it is past due.
        if is_own {
            after.past_due_since = past_due_since(&after);
        }
        after
    })
}
