//! The price of a change of plan in the middle of a period.

use std::iter;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::facts::{Subscription, UnpaidPlan};
use super::status::SubscriptionStatus;
use crate::money::Money;
use crate::period::{Interval, IntervalUnit, Period};
use crate::plan::Plan;
use crate::problem::{Code, Explained};

/// The most periods that are divided: nobody has paid for more of them ahead.
const MAX_PERIODS_AHEAD: usize = 1_200;

/// The price of a change of plan at once, for the rest of the time that was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Proration {
    /// The part of the paid price that falls to the time in which the present plan is no longer
    /// used.
    pub unused: Money,
    /// The price of the new plan for the same time.
    pub charge: Money,
}

impl Proration {
    /// Returns the amount to be paid: the charge less the unused part, and zero where the unused
    /// part is larger: see [`credit`](Self::credit).
    pub fn due(&self) -> Money {
        self.charge
            .checked_sub(self.unused)
            .unwrap_or(Money::zero(self.charge.currency()))
    }

    /// Returns the amount to be given back or kept for the next payment: the unused part less the
    /// charge, and zero where the charge is larger.
    pub fn credit(&self) -> Money {
        self.unused
            .checked_sub(self.charge)
            .unwrap_or(Money::zero(self.unused.currency()))
    }
}

/// The reason why a change of plan has no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProrationError {
    /// The plans are paid in different currencies.
    #[error("the plans are paid in different currencies: {from} and {to}")]
    Currency {
        /// The price of the present plan.
        from: Money,
        /// The price of the new plan.
        to: Money,
    },
    /// The present plan is not the subscription's.
    #[error("the subscription is not for the plan to change from")]
    PlanMismatch,
    /// The present plan serves before its charge is paid, so nothing of it was paid that could be
    /// divided.
    #[error("the charge for the present plan is not paid yet")]
    PlanUnpaid,
    /// No paid time is left to divide: the new plan's whole price is due.
    #[error("the subscription has no running paid period")]
    NoPeriod,
    /// The next period is already paid for another plan. Nothing can be changed until it begins.
    #[error("the next period is already paid for another plan")]
    PlanPaid,
    /// An amount would leave the range that can be stored exactly.
    #[error("an amount would leave the range that can be stored exactly")]
    OutOfRange,
}

impl Explained for ProrationError {
    fn code(&self) -> Code {
        match self {
            Self::Currency { .. } => Code::CurrencyMismatch,
            Self::PlanMismatch => Code::PlanMismatch,
            Self::NoPeriod | Self::PlanPaid | Self::PlanUnpaid => Code::TransitionRefused,
            Self::OutOfRange => Code::AmountOverflow,
        }
    }
}

impl Subscription {
    /// Prices a change of plan at `now`. Both prices are divided by time, to the second, as Stripe
    /// divides them, and are rounded half to even to the places of their currency. A period is
    /// divided by its own length, so the unused part is never more than what was paid. Where a plan
    /// of another interval came in the middle of the period, both plans are divided by an interval
    /// of their own from the period's start, as that change was. A period that was paid ahead counts
    /// as unused too, rounded by itself. A trial costs nothing, so nothing of it is given back.
    ///
    /// # Errors
    /// In this order: [`ProrationError::PlanMismatch`], [`ProrationError::Currency`],
    /// [`ProrationError::PlanPaid`], [`ProrationError::PlanUnpaid`], [`ProrationError::NoPeriod`],
    /// [`ProrationError::OutOfRange`].
    ///
    /// ```
    /// use bailiwick::money::Currency;
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::period::Interval;
    /// use bailiwick::subscription::SubscriptionStatus;
    /// use bailiwick::{Money, Plan, Subscription};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let euros = |text: &str| Money::new(text.parse().unwrap_or_default(), Currency::EUR);
    ///     let basic = Plan::new(3.into(), euros("30")?, Interval::MONTHLY);
    ///     let pro = Plan::new(4.into(), euros("90")?, Interval::MONTHLY);
    ///
    ///     // Basic is paid for June.
    ///     let june = "2027-06-01T00:00:00Z".parse()?;
    ///     let subscription = Subscription {
    ///         status: SubscriptionStatus::Active,
    ///         current_period: Interval::MONTHLY.period(june, 0),
    ///         ..Subscription::new(1.into(), 7.into(), 3.into(), PaymentMethod::BankTransfer, june)
    ///     };
    ///
    ///     // Ten of June's thirty days are left.
    ///     let proration = subscription.prorate(&basic, &pro, "2027-06-21T00:00:00Z".parse()?)?;
    ///     assert_eq!(proration.unused.to_string(), "10 EUR");
    ///     assert_eq!(proration.charge.to_string(), "30 EUR");
    ///     assert_eq!(proration.due().to_string(), "20 EUR");
    ///     Ok(())
    /// }
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

        let is_unpaid = |unpaid: &UnpaidPlan| now < unpaid.until;
        if self.unpaid_plan.as_ref().is_some_and(is_unpaid) {
            return Err(ProrationError::PlanUnpaid);
        }
        let unused = self
            .unused_periods(from, now)
            .ok_or(ProrationError::NoPeriod)?;

        // The period as it was billed, since a month may have from 28 to 31 days; for a plan of
        // another interval, one of its own.
        let billed = |plan: &Plan, period: Period| {
            if plan.interval == from.interval && is_one(plan.interval, period) {
                Some(period)
            } else {
                plan.interval.period(period.start, 0)
            }
        };
        let share = |plan: &Plan, period: Period| {
            let left = seconds(now.max(period.start), period.end);
            let whole = billed(plan, period)?;
            plan.price.share(left, seconds(whole.start, whole.end))
        };
        let share = |plan: &Plan| {
            let zero = Money::zero(plan.price.currency());
            unused
                .iter()
                .try_fold(zero, |sum, period| sum.checked_add(share(plan, *period)?))
        };

        share(from)
            .zip(share(to))
            .map(|(unused, charge)| Proration { unused, charge })
            .ok_or(ProrationError::OutOfRange)
    }

    /// Returns the paid periods that are not over, the latest one first; `None` if there is none.
    pub(crate) fn unused_periods(&self, plan: &Plan, now: DateTime<Utc>) -> Option<Vec<Period>> {
        // Neither a trial's period is paid, nor one of a plan without a price.
        let is_paid = self.status != SubscriptionStatus::Trialing && !self.free_period;
        let period = self
            .current_period
            .filter(|period| now < period.end && is_paid)?;

        // What was paid ahead is whole, and the period that runs until then is unused in part.
        let periods = iter::successors(Some(period), |next| self.period_before(plan, *next));
        Some(
            periods
                .take(MAX_PERIODS_AHEAD)
                .take_while(|unused| now < unused.end)
                .collect(),
        )
    }

    /// Returns the period that ends where another one begins.
    fn period_before(&self, plan: &Plan, period: Period) -> Option<Period> {
        let number = plan.interval.number_at(self.anchor, period.start);
        let before = number
            .and_then(|number| plan.interval.period(self.anchor, number.checked_sub(1)?))
            .filter(|before| before.end == period.start);

        // A new anchor tells nothing of the period before it, which was as long as this one.
        before.or_else(|| {
            let length = period.end.signed_duration_since(period.start);
            let start = period.start.checked_sub_signed(length)?;
            Some(Period {
                start,
                end: period.start,
            })
        })
    }
}

/// Returns whether a period is one interval. A month that was cut to its last day lets the next
/// boundary be up to three days later.
fn is_one(interval: Interval, period: Period) -> bool {
    let most = match interval.unit {
        IntervalUnit::Day | IntervalUnit::Week => 0,
        IntervalUnit::Month | IntervalUnit::Year => 3 * 86_400,
    };

    interval
        .after(period.start, 1)
        .is_none_or(|end| seconds(end, period.end).unsigned_abs() <= most)
}

fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    to.signed_duration_since(from).num_seconds()
}
