//! What a change of plan in the middle of a period means in money.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::Subscription;
use crate::money::Money;
use crate::plan::Plan;
use crate::problem::{Code, Explained};

/// The money side of a change of plan at once, for what is left of the time that was paid. Its
/// credits are not divided: a larger plan brings what it has more to the running month, a smaller
/// one takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proration {
    /// What was paid for time that the present plan is no longer used.
    pub unused: Money,
    /// What the new plan costs for the same time.
    pub charge: Money,
}

impl Proration {
    /// What is to be paid: the charge less what is unused. Nothing where it is less; see
    /// [`credit`](Self::credit).
    pub fn due(&self) -> Money {
        self.charge
            .checked_sub(self.unused)
            .unwrap_or(Money::zero(self.charge.currency()))
    }

    /// What is to be given back or kept for the next payment: what is unused less the charge.
    pub fn credit(&self) -> Money {
        self.unused
            .checked_sub(self.charge)
            .unwrap_or(Money::zero(self.unused.currency()))
    }
}

/// Why a change of plan has no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProrationError {
    /// The plans are paid in different currencies.
    #[error("the plans cost {from} and {to}: the currencies differ")]
    Currency {
        /// What the present plan costs.
        from: Money,
        /// What the new plan costs.
        to: Money,
    },
    /// The present plan is not the subscription's.
    #[error("the subscription is for another plan than the one to change from")]
    PlanMismatch,
    /// Nothing is paid now, so that nothing is left to divide: the new plan's whole price is due.
    #[error("no paid period of the subscription is running")]
    NoPeriod,
    /// Another plan is paid for already, and follows with its period: until then, nothing can be
    /// changed.
    #[error("another plan is paid for already, and follows with its period")]
    PlanPaid,
    /// An amount would leave the range that can be held.
    #[error("an amount would leave the range that can be held")]
    OutOfRange,
}

impl Explained for ProrationError {
    fn code(&self) -> Code {
        match self {
            Self::Currency { .. } => Code::CurrencyMismatch,
            Self::PlanMismatch => Code::PlanMismatch,
            Self::NoPeriod | Self::PlanPaid => Code::TransitionRefused,
            Self::OutOfRange => Code::AmountOverflow,
        }
    }
}

impl Subscription {
    /// What changing the plan at `now` means in money: both prices are divided by time, to the
    /// second, as Stripe divides them, and each is rounded once, half to even, to the places of its
    /// currency. A period that was paid ahead counts as unused as well. A trial costs nothing, so
    /// nothing of it is left.
    ///
    /// # Errors
    /// In this order: [`ProrationError::PlanMismatch`], [`ProrationError::Currency`],
    /// [`ProrationError::PlanPaid`], [`ProrationError::NoPeriod`], [`ProrationError::OutOfRange`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use bailiwick::{Credits, Money, Plan, Subscription};
    /// # use bailiwick::money::Currency;
    /// # use bailiwick::payment_method::PaymentMethod;
    /// # use bailiwick::period::Interval;
    /// # use bailiwick::subscription::RecordedPayment;
    /// # use chrono::TimeDelta;
    /// # let plan = |id: i64, price: &str| -> Result<Plan, bailiwick::money::AmountError> { Ok(Plan {
    /// #     id: id.into(), active: true, price: Money::new(price.parse().unwrap(), Currency::EUR)?, interval: Interval::MONTHLY,
    /// #     credits_per_month: Credits::ZERO, needs_subscription: true, quotas: [].into(), concurrency: [].into(),
    /// # }) };
    /// let (basic, pro) = (plan(3, "30")?, plan(4, "90")?);
    /// let method = PaymentMethod::BankTransfer;
    /// let june = "2027-06-01T00:00:00Z".parse()?;
    /// let payment = RecordedPayment { interval: basic.interval, slack: TimeDelta::zero(), method, external_id: None };
    /// let subscription = Subscription::new(1.into(), 7.into(), 3.into(), method, june);
    /// let subscription = subscription.record_payment(payment, june)?.into_subscription();
    ///
    /// let proration = subscription.prorate(&basic, &pro, "2027-06-21T00:00:00Z".parse()?)?;
    /// assert_eq!((proration.unused.to_string(), proration.charge.to_string()), ("10 EUR".into(), "30 EUR".into()));
    /// assert_eq!(proration.due().to_string(), "20 EUR");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prorate(
        &self,
        from: &Plan,
        to: &Plan,
        now: DateTime<Utc>,
    ) -> Result<Proration, ProrationError> {
        if self.plan != from.id {
            return Err(ProrationError::PlanMismatch);
        }
        if from.price.currency() != to.price.currency() {
            return Err(ProrationError::Currency {
                from: from.price,
                to: to.price,
            });
        }
        if self.is_pending_plan_paid() {
            return Err(ProrationError::PlanPaid);
        }
        let in_trial = self.status == super::SubscriptionStatus::Trialing;
        let period = self
            .current_period
            .filter(|period| now < period.end && !in_trial)
            .ok_or(ProrationError::NoPeriod)?;
        let left = period.end.signed_duration_since(now).num_seconds();
        let share = |plan: &Plan| {
            // The length of one of the plan's own periods, begun where this one began.
            let length = plan.interval.period(period.start, 0)?;
            plan.price.share(
                left,
                length.end.signed_duration_since(length.start).num_seconds(),
            )
        };
        share(from)
            .zip(share(to))
            .map(|(unused, charge)| Proration { unused, charge })
            .ok_or(ProrationError::OutOfRange)
    }
}
