//! Trials and payments, which open a period.

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::check_over;
use super::command::RecordedPayment;
use super::effect::Effect;
use super::facts::Subscription;
use super::table::RefusalReason;
use crate::period::Period;

impl Subscription {
    /// Opens a trial. The periods that are paid later are counted from its end.
    pub(super) fn start_trial(
        &mut self,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Effect, RefusalReason> {
        if until <= now {
            return Err(RefusalReason::TrialEmpty);
        }

        let trial = Period {
            start: now,
            end: until,
        };
        self.trial_end = Some(until);
        self.anchor = until;
        self.current_period = Some(trial);
        self.free_period = false;

        Ok(Effect::TrialStarted { period: trial })
    }

    /// Opens the period that a payment pays for.
    pub(super) fn extend(
        &mut self,
        payment: RecordedPayment,
        now: DateTime<Utc>,
    ) -> Result<Effect, RefusalReason> {
        let RecordedPayment {
            interval,
            slack,
            method,
            external_id,
        } = payment;

        // A tenant that was shut out since the period's end has used none of the time since, so
        // that time is not paid for.
        let slack = if self.status.is_served() {
            slack
        } else {
            TimeDelta::zero()
        };
        let next = match self.running_until() {
            // What is left of a free period is not paid for, and the plan that waits begins now.
            _ if self.begins_when_paid(now) => interval.period(now, 0).map(|period| (now, period)),
            Some(end) if check_over(Some(end), slack, now).is_err() => {
                interval.following(self.anchor, end)
            }
            _ => interval.period(now, 0).map(|period| (now, period)),
        };
        let (anchor, period) = next.ok_or(RefusalReason::OutOfRange)?;

        self.anchor = anchor;
        self.current_period = Some(period);
        self.free_period = false;
        // The end that a provider named is not that of time which is paid elsewhere.
        self.ends_at = None;
        self.payment_method = method;
        self.external_payment_id = external_id.or(self.external_payment_id.take());
        // A period that was paid early starts later, and the pending plan with it.
        if period.start <= now {
            self.take_pending_plan();
        }

        Ok(Effect::PeriodPaid { period })
    }
}
