//! Carries out a command: the table decides first, then time and the subscription's own data.

use std::mem;

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::{Refusal, Stop, Transition, check_over};
use super::command::{Command, RecordedPayment};
use super::effect::{Effect, Effects};
use super::facts::Subscription;
use super::status::SubscriptionStatus;
use super::table::{CommandKind, RefusalReason, transition};

impl Subscription {
    /// Carries out a command at `now`, as the [table](transition) says, unless time or the
    /// subscription's own data refuse it: a period that is still running cannot be ended, and one
    /// that is over can be neither paused nor resumed. A subscription that was to end with a period
    /// that is over can only be canceled, whether or not a job did so in time.
    ///
    /// # Errors
    /// A [`Refusal`], with the reason. A terminal subscription refuses every command, cancellation
    /// too: a host that wanted it canceled may treat [`RefusalReason::Terminal`] as success.
    ///
    /// ```
    /// use bailiwick::Subscription;
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::subscription::{Command, RefusalReason, SubscriptionStatus};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let now = "2026-01-01T00:00:00Z".parse()?;
    ///     let until = "2026-01-15T00:00:00Z".parse()?;
    ///     let method = PaymentMethod::BankTransfer;
    ///     let subscription = Subscription::new(1.into(), 7.into(), 3.into(), method, now);
    ///
    ///     let transition = subscription.apply(Command::StartTrial { until }, now)?;
    ///     assert_eq!(transition.to(), SubscriptionStatus::Trialing);
    ///
    ///     let in_trial = transition.into_subscription();
    ///     let refusal = in_trial.apply(Command::Pause, now).unwrap_err();
    ///     assert_eq!(refusal.reason(), RefusalReason::InTrial);
    ///     Ok(())
    /// }
    /// ```
    pub fn apply(mut self, command: Command, now: DateTime<Utc>) -> Result<Transition, Refusal> {
        let kind = command.kind(self.cancel_at_period_end);
        let from = self.status;
        let expected_version = self.version;

        match self.change(kind, command, now) {
            Ok(effects) => {
                debug_assert!(
                    self.version > expected_version,
                    "every change has a version of its own"
                );
                Ok(Transition {
                    subscription: self,
                    from,
                    command: Some(kind),
                    expected_version,
                    at: now,
                    effects,
                })
            }
            Err(Stop { reason, until }) => Err(Refusal {
                status: from,
                command: kind,
                reason,
                until,
            }),
        }
    }

    /// Records a confirmed payment in whatever status the subscription is: as
    /// [`Command::Activate`] before the first payment and in trial, and as
    /// [`Command::RecordPayment`] otherwise.
    ///
    /// # Errors
    /// A [`Refusal`] where the subscription has ended, or a date would leave the range that can be
    /// stored.
    pub fn record_payment(
        self,
        payment: RecordedPayment,
        now: DateTime<Utc>,
    ) -> Result<Transition, Refusal> {
        let command = match self.status {
            SubscriptionStatus::Incomplete | SubscriptionStatus::Trialing => {
                Command::Activate(payment)
            }
            _ => Command::RecordPayment(payment),
        };
        self.apply(command, now)
    }

    /// Changes the subscription in place. After a refusal it may be half changed, and is dropped.
    fn change(
        &mut self,
        kind: CommandKind,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<Effects, Stop> {
        let from = self.status;
        let plan = self.plan.clone();
        let to = transition(from, kind)?;

        let end = self.running_until();
        let over = end.is_none_or(|end| end <= now);
        // It ended with its period, whether or not a job has noticed yet.
        if self.cancel_at_period_end && over && to != SubscriptionStatus::Canceled {
            return Err(RefusalReason::Ended.into());
        }

        let opened = self.carry_out(command, end, over, now)?;

        if to != SubscriptionStatus::PastDue {
            self.past_due_since = None;
        } else if from != SubscriptionStatus::PastDue {
            // A payment that falls due at the end of a period is past due from then on, however
            // late that is noticed.
            self.past_due_since = Some(end.map_or(now, |end| end.min(now)));
        }
        if to == SubscriptionStatus::Canceled {
            self.cancel_at_period_end = false;
            self.ends_at = None;
            self.pending_plan = None;
        }
        self.status = to;
        self.version = self
            .version
            .checked_add(1)
            .ok_or(RefusalReason::OutOfRange)?;

        Ok([
            Effect::of_status(from, self),
            opened,
            Effect::of_plan(&plan, &self.plan),
        ])
    }

    /// Does what a command does besides changing the status; the effect is that of a period that it
    /// opened. `end` and `over` are those of the period before the command.
    fn carry_out(
        &mut self,
        command: Command,
        end: Option<DateTime<Utc>>,
        over: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<Effect>, Stop> {
        match command {
            Command::StartTrial { until } => return Ok(Some(self.start_trial(until, now)?)),
            Command::Activate(payment) | Command::RecordPayment(payment) => {
                return Ok(Some(self.extend(payment, now)?));
            }
            Command::ChangePlan { plan } => self.change_plan(plan, now)?,
            Command::ChangePlanAtPeriodEnd { plan } => self.schedule_plan(plan, end, over)?,
            Command::StartPendingPlan => self.start_pending_plan(now)?,
            Command::StartFree { plan } => self.start_free(&plan, now)?,
            Command::RenewFree { plan } => self.renew_free(&plan, end, now)?,
            Command::ExpireIncomplete { window } => check_over(Some(self.anchor), window, now)?,
            // Nobody waits for a payment that was called off.
            Command::EndTrial { .. } | Command::EndPeriod { .. } if self.cancel_at_period_end => {
                check_over(end, TimeDelta::zero(), now)?;
            }
            Command::EndTrial { slack, .. } | Command::EndPeriod { slack } => {
                check_over(end, slack, now)?;
            }
            Command::Pause | Command::Resume if over => return Err(RefusalReason::NoPeriod.into()),
            Command::CancelAtPeriodEnd => self.schedule_cancellation(over)?,
            Command::WithdrawCancellation => self.withdraw_cancellation()?,
            // The table alone decides on these.
            Command::FailFirstPayment
            | Command::FailPayment
            | Command::ExhaustRetries { .. }
            | Command::MarkUnpaid
            | Command::Pause
            | Command::Resume
            | Command::CancelNow => {}
        }
        Ok(None)
    }

    fn schedule_cancellation(&mut self, over: bool) -> Result<(), RefusalReason> {
        if self.cancel_at_period_end {
            return Err(RefusalReason::AlreadySo);
        }
        if over {
            return Err(RefusalReason::NoPeriod);
        }
        self.cancel_at_period_end = true;
        Ok(())
    }

    fn withdraw_cancellation(&mut self) -> Result<(), RefusalReason> {
        if mem::take(&mut self.cancel_at_period_end) {
            self.ends_at = None;
            Ok(())
        } else {
            Err(RefusalReason::NothingToWithdraw)
        }
    }
}
