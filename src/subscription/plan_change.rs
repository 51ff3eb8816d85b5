//! Changes to another plan, at once or with the next period.

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::{Stop, check_over};
use super::facts::{PendingPlan, Subscription};
use super::table::RefusalReason;
use crate::id::PlanId;

impl Subscription {
    /// Changes the plan at once, and withdraws a change that was pending. Within a free period the
    /// change waits for its payment.
    pub(super) fn change_plan(
        &mut self,
        plan: PlanId,
        now: DateTime<Utc>,
    ) -> Result<(), RefusalReason> {
        // A period that was paid for at another plan's price cannot be used for this one.
        if self.is_pending_plan_paid() {
            return Err(RefusalReason::PlanPaid);
        }
        if plan == self.plan {
            return Err(RefusalReason::AlreadySo);
        }

        if self.free_period {
            // Nothing was paid for the rest of this period that another plan could use.
            if self.begins_when_paid(now) && plan == *self.next_plan() {
                return Err(RefusalReason::AlreadySo);
            }
            self.pending_plan = Some(PendingPlan { plan, at: now });
        } else {
            self.plan = plan;
            self.pending_plan = None;
        }
        Ok(())
    }

    /// Notes a plan for the end of the time that is paid; with the present plan, withdraws the
    /// note. The plan itself changes later.
    pub(super) fn schedule_plan(
        &mut self,
        plan: PlanId,
        end: Option<DateTime<Utc>>,
        over: bool,
    ) -> Result<(), RefusalReason> {
        if plan == *self.next_plan() {
            return Err(RefusalReason::AlreadySo);
        }
        if self.is_pending_plan_paid() {
            return Err(RefusalReason::PlanPaid);
        }
        if over {
            return Err(RefusalReason::NoPeriod);
        }
        debug_assert!(end.is_some(), "a period that is not over has an end");

        self.pending_plan = end
            .filter(|_| plan != self.plan)
            .map(|at| PendingPlan { plan, at });
        Ok(())
    }

    /// Puts the pending plan into force, once the period that was paid for it has begun.
    pub(super) fn start_pending_plan(&mut self, now: DateTime<Utc>) -> Result<(), Stop> {
        let at = self
            .pending_plan
            .as_ref()
            .ok_or(RefusalReason::NoChangePending)?
            .at;
        check_over(Some(at), TimeDelta::zero(), now)?;

        // The next period is not paid yet: its payment will put the plan into force.
        if self.current_period.is_none_or(|period| period.start < at) {
            return Err(RefusalReason::PaymentDue.into());
        }
        self.take_pending_plan();
        Ok(())
    }

    /// Makes the pending plan the present one, if there is one.
    pub(super) fn take_pending_plan(&mut self) {
        if let Some(PendingPlan { plan, .. }) = self.pending_plan.take() {
            self.plan = plan;
        }
    }
}
