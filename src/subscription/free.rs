//! Plans without a price, which start and renew by time alone.

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::{Stop, check_over};
use super::facts::Subscription;
use super::status::SubscriptionStatus;
use super::table::RefusalReason;
use crate::plan::Plan;

impl Subscription {
    /// Starts the present plan, or a pending one whose time has come.
    pub(super) fn start_free(&mut self, plan: &Plan, now: DateTime<Utc>) -> Result<(), Stop> {
        check_free(plan)?;

        let pending = self
            .pending_plan
            .as_ref()
            .filter(|pending| pending.plan == plan.id);
        let from = match pending {
            // Its period was paid, when the plan still had a price: it is not cut short.
            Some(_) if self.is_pending_plan_paid() => return Err(RefusalReason::PlanPaid.into()),
            Some(pending) => pending.at,
            None if self.plan != plan.id => return Err(RefusalReason::OtherPlan.into()),
            None => match self.status {
                SubscriptionStatus::Incomplete => self.anchor,
                SubscriptionStatus::Trialing => self.running_until().unwrap_or(self.anchor),
                _ => return Err(RefusalReason::AlreadySo.into()),
            },
        };
        let is_pending = pending.is_some();
        check_over(Some(from), TimeDelta::zero(), now)?;

        self.open_free_period(plan, from, now)?;
        if is_pending {
            self.take_pending_plan();
        }
        Ok(())
    }

    /// Begins the period of the present plan that runs at `now`.
    pub(super) fn renew_free(
        &mut self,
        plan: &Plan,
        end: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(), Stop> {
        check_free(plan)?;
        if self.plan != plan.id {
            return Err(RefusalReason::OtherPlan.into());
        }

        // A payment that was due is due no more, and what is paid or runs goes on.
        let was_due = matches!(
            self.status,
            SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid
        );
        let is_paid = self.is_pending_plan_paid();
        if was_due && (is_paid || end.is_some_and(|end| now < end)) {
            return Ok(());
        }

        if is_paid {
            return Err(RefusalReason::PlanPaid.into());
        }
        check_over(end, TimeDelta::zero(), now)?;
        self.open_free_period(plan, end.unwrap_or(self.anchor), now)
    }

    /// Opens the period that runs at `now` of those that follow `from`. The ones before it are
    /// passed over at once, so that the outcome is the same however long nobody looked.
    fn open_free_period(
        &mut self,
        plan: &Plan,
        from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Stop> {
        let interval = plan.interval;
        let (anchor, first) = interval
            .following(self.anchor, from)
            .ok_or(RefusalReason::OutOfRange)?;
        let period = interval
            .number_at(anchor, now.max(first.start))
            .and_then(|number| interval.period(anchor, number))
            .ok_or(RefusalReason::OutOfRange)?;
        debug_assert!(from <= period.start, "periods follow each other");

        self.anchor = anchor;
        self.current_period = Some(period);
        self.free_period = true;
        Ok(())
    }
}

/// Checks that nothing is to be paid for a plan.
fn check_free(plan: &Plan) -> Result<(), RefusalReason> {
    if plan.price.is_zero() {
        Ok(())
    } else {
        Err(RefusalReason::NotFree)
    }
}
