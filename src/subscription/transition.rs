//! Transitions: a command carried out on a subscription, as a change for the host to write.

use std::{fmt, mem};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::command::{Command, RecordedPayment};
use super::effect::Effect;
use super::table::{CommandKind, RefusalReason, transition};
use super::{PendingPlan, Subscription, SubscriptionStatus};
use crate::change::RowChange;
use crate::id::PlanId;
use crate::period::Period;
use crate::problem::{Code, Explained};

/// A command that was carried out: the subscription to write, over which version, and what else to
/// do in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Transition {
    subscription: Subscription,
    from: SubscriptionStatus,
    command: Option<CommandKind>,
    expected_version: u64,
    at: DateTime<Utc>,
    effects: Effects,
}

/// What a step means for service, what it opened, and whether it changed the plan.
type Effects = [Option<Effect>; 3];

impl Transition {
    /// A provider's snapshot that was adopted: no command of ours, so the table did not decide.
    pub(crate) fn adopted(before: &Subscription, after: Subscription, now: DateTime<Utc>) -> Self {
        let effects = [
            after.standing_effect(before.status),
            None,
            after.plan_effect(&before.plan),
        ];
        let (from, expected_version) = (before.status, before.version);
        Self {
            subscription: after,
            from,
            command: None,
            expected_version,
            at: now,
            effects,
        }
    }

    /// When it was made.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The subscription as it is from now on.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// The subscription as it is from now on, to keep.
    pub fn into_subscription(self) -> Subscription {
        self.subscription
    }

    /// The subscription to write, over the version that it was made from.
    pub fn into_change(self) -> RowChange<Subscription> {
        RowChange::update(self.expected_version, self.subscription)
    }

    /// The version that the stored row must still have. If it has another, load again and apply
    /// again.
    pub fn expected_version(&self) -> u64 {
        self.expected_version
    }

    /// The status before.
    pub fn from(&self) -> SubscriptionStatus {
        self.from
    }

    /// The status from now on. It may be the same.
    pub fn to(&self) -> SubscriptionStatus {
        self.subscription.status
    }

    /// The row of the table that was applied; `None` where a provider's snapshot was adopted.
    pub fn command(&self) -> Option<CommandKind> {
        self.command
    }

    /// What else to do in the same transaction.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().flatten()
    }
}

/// A command that a subscription refuses, and why. Nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: SubscriptionStatus,
    command: CommandKind,
    reason: RefusalReason,
    until: Option<DateTime<Utc>>,
}

impl Refusal {
    /// The subscription's status.
    pub fn status(&self) -> SubscriptionStatus {
        self.status
    }

    /// The row of the table that was looked up.
    pub fn command(&self) -> CommandKind {
        self.command
    }

    /// Why it is refused.
    pub fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// The instant from which it is no longer too early; `None` if waiting does not help.
    pub fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.until
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            command,
            reason,
            until,
        } = self;
        write!(
            f,
            "a subscription that is {} refuses the command {}: {reason}",
            status.as_str(),
            command.as_str()
        )?;
        match until {
            Some(until) => write!(
                f,
                " until {}",
                until.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            ),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

impl Explained for Refusal {
    fn code(&self) -> Code {
        Code::TransitionRefused
    }
}

/// Why a change stopped, before status and command are added.
struct Stop {
    reason: RefusalReason,
    until: Option<DateTime<Utc>>,
}

impl From<RefusalReason> for Stop {
    fn from(reason: RefusalReason) -> Self {
        Self {
            reason,
            until: None,
        }
    }
}

impl Subscription {
    /// Carries out a command at `now`, as the [table](transition) says, unless time or the
    /// subscription's own data refuse it: what is not over yet cannot be ended, and what is over
    /// can be neither paused nor resumed. A subscription that was to end with a period that is over
    /// can only be canceled, whether or not a job did so in time. A terminal one refuses every
    /// command, cancellation too: a host may take [`RefusalReason::Terminal`] for the answer it
    /// wanted.
    ///
    /// ```
    /// use bailiwick::Subscription;
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::subscription::{Command, Effect, SubscriptionStatus};
    /// let now = "2026-01-01T00:00:00Z".parse()?;
    /// let subscription = Subscription::new(1.into(), 7.into(), 3.into(), PaymentMethod::BankTransfer, now);
    ///
    /// let transition = subscription.apply(Command::StartTrial { until: "2026-01-15T00:00:00Z".parse()? }, now)?;
    /// assert_eq!(transition.to(), SubscriptionStatus::Trialing);
    /// assert!(transition.effects().any(|effect| *effect == Effect::ServiceStarted));
    ///
    /// let refusal = transition.into_subscription().apply(Command::Pause, now).unwrap_err();
    /// assert_eq!(refusal.to_string(), "a subscription that is trialing refuses the command pause: \
    ///     it is in trial: a payment activates it, or the trial is ended");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(mut self, command: Command, now: DateTime<Utc>) -> Result<Transition, Refusal> {
        let kind = command.kind(self.cancel_at_period_end);
        let (from, expected_version) = (self.status, self.version);
        match self.change(kind, command, now) {
            Ok(effects) => Ok(Transition {
                subscription: self,
                from,
                command: Some(kind),
                expected_version,
                at: now,
                effects,
            }),
            Err(Stop { reason, until }) => Err(Refusal {
                status: from,
                command: kind,
                reason,
                until,
            }),
        }
    }

    /// Records a confirmed payment in whatever status it finds: [`Command::Activate`] before the
    /// first payment and in trial, [`Command::RecordPayment`] otherwise. Refused only by what has
    /// ended.
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

    fn change(
        &mut self,
        kind: CommandKind,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<Effects, Stop> {
        let (from, plan) = (self.status, self.plan.clone());
        let to = transition(from, kind)?;
        let end = self.running_until();
        let over = end.is_none_or(|end| end <= now);
        // Whether or not a job has ended it yet.
        if self.cancel_at_period_end && over && to != SubscriptionStatus::Canceled {
            return Err(RefusalReason::Ended.into());
        }
        let own = match command {
            Command::StartTrial { until } => Some(self.start_trial(until, now)?),
            Command::Activate(payment) | Command::RecordPayment(payment) => {
                Some(self.extend(payment, now)?)
            }
            Command::ChangePlan { plan } => self.change_plan(plan)?,
            Command::ChangePlanAtPeriodEnd { plan } => self.schedule_plan(plan, end, over)?,
            Command::StartPendingPlan => self.start_pending_plan(now)?,
            Command::ExpireIncomplete { window } => check_over(Some(self.anchor), window, now)?,
            Command::EndTrial { .. } => check_over(end, TimeDelta::zero(), now)?,
            Command::EndPeriod { .. } if self.cancel_at_period_end => {
                check_over(end, TimeDelta::zero(), now)?
            }
            Command::EndPeriod { slack } => check_over(end, slack, now)?,
            Command::Pause | Command::Resume if over => return Err(RefusalReason::NoPeriod.into()),
            Command::CancelAtPeriodEnd => self.schedule_cancellation(over)?,
            Command::WithdrawCancellation => self.withdraw_cancellation()?,
            Command::FailFirstPayment
            | Command::FailPayment
            | Command::ExhaustRetries { .. }
            | Command::MarkUnpaid
            | Command::Pause
            | Command::Resume
            | Command::CancelNow => None,
        };
        if to != SubscriptionStatus::PastDue {
            self.past_due_since = None;
        } else if from != SubscriptionStatus::PastDue {
            // What falls due at the end of a period is past due from then on, however late that is
            // noticed.
            self.past_due_since = Some(end.map_or(now, |end| end.min(now)));
        }
        if to == SubscriptionStatus::Canceled {
            self.cancel_at_period_end = false;
            self.pending_plan = None;
        }
        self.status = to;
        self.version = self
            .version
            .checked_add(1)
            .ok_or(RefusalReason::OutOfRange)?;
        Ok([self.standing_effect(from), own, self.plan_effect(&plan)])
    }

    /// The end of the trial or of the latest paid period.
    pub(crate) fn running_until(&self) -> Option<DateTime<Utc>> {
        match self.status {
            SubscriptionStatus::Trialing => self.trial_end,
            _ => self.current_period.map(|period| period.end),
        }
    }

    fn start_trial(
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
        Ok(Effect::CreditsDue {
            period: trial,
            anchor: now,
        })
    }

    fn extend(
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
        // Who was shut out has had nothing of the time since.
        let slack = if is_served(self.status) {
            slack
        } else {
            TimeDelta::zero()
        };
        let next = match self.running_until() {
            Some(end) if check_over(Some(end), slack, now).is_err() => {
                interval.following(self.anchor, end)
            }
            _ => interval.period(now, 0).map(|period| (now, period)),
        };
        let (anchor, period) = next.ok_or(RefusalReason::OutOfRange)?;
        self.anchor = anchor;
        self.current_period = Some(period);
        self.payment_method = method;
        self.external_payment_id = external_id.or(self.external_payment_id.take());
        if period.start <= now {
            self.take_pending_plan();
        }
        Ok(Effect::CreditsDue { period, anchor })
    }

    fn change_plan(&mut self, plan: PlanId) -> Result<Option<Effect>, RefusalReason> {
        // What was paid for at another price cannot be used for this one.
        if self.is_pending_plan_paid() {
            return Err(RefusalReason::PlanPaid);
        }
        if plan == self.plan {
            return Err(RefusalReason::AlreadySo);
        }
        self.plan = plan;
        self.pending_plan = None;
        Ok(None)
    }

    /// Notes a plan for the end of what is paid; with the present plan, withdraws what was noted.
    /// The effect is that the plan changes, later.
    fn schedule_plan(
        &mut self,
        plan: PlanId,
        end: Option<DateTime<Utc>>,
        over: bool,
    ) -> Result<Option<Effect>, RefusalReason> {
        if plan == *self.next_plan() {
            return Err(RefusalReason::AlreadySo);
        }
        if self.is_pending_plan_paid() {
            return Err(RefusalReason::PlanPaid);
        }
        if over {
            return Err(RefusalReason::NoPeriod);
        }
        self.pending_plan = end
            .filter(|_| plan != self.plan)
            .map(|at| PendingPlan { plan, at });
        Ok(None)
    }

    fn start_pending_plan(&mut self, now: DateTime<Utc>) -> Result<Option<Effect>, Stop> {
        let at = self
            .pending_plan
            .as_ref()
            .ok_or(RefusalReason::NoChangePending)?
            .at;
        check_over(Some(at), TimeDelta::zero(), now)?;
        // What follows was not paid yet: the payment puts the plan into force.
        if self.current_period.is_none_or(|period| period.start < at) {
            return Err(RefusalReason::PaymentDue.into());
        }
        self.take_pending_plan();
        Ok(None)
    }

    fn take_pending_plan(&mut self) {
        if let Some(PendingPlan { plan, .. }) = self.pending_plan.take() {
            self.plan = plan;
        }
    }

    /// That the plan is another than before, if it is.
    fn plan_effect(&self, before: &PlanId) -> Option<Effect> {
        (self.plan != *before).then(|| Effect::PlanChanged {
            from: before.clone(),
            to: self.plan.clone(),
        })
    }

    fn schedule_cancellation(&mut self, over: bool) -> Result<Option<Effect>, RefusalReason> {
        if self.cancel_at_period_end {
            return Err(RefusalReason::AlreadySo);
        }
        if over {
            return Err(RefusalReason::NoPeriod);
        }
        self.cancel_at_period_end = true;
        Ok(None)
    }

    fn withdraw_cancellation(&mut self) -> Result<Option<Effect>, RefusalReason> {
        if mem::take(&mut self.cancel_at_period_end) {
            Ok(None)
        } else {
            Err(RefusalReason::NothingToWithdraw)
        }
    }

    /// What the step from a status to the present one means for service.
    fn standing_effect(&self, from: SubscriptionStatus) -> Option<Effect> {
        match (from, self.status) {
            (before, after) if before == after => None,
            (SubscriptionStatus::PastDue, SubscriptionStatus::Active) => {
                Some(Effect::PastDueCleared)
            }
            (_, SubscriptionStatus::PastDue) => self
                .past_due_since
                .map(|since| Effect::PastDueEntered { since }),
            (before, after) => match (is_served(before), is_served(after)) {
                (false, true) => Some(Effect::ServiceStarted),
                (true, false) => Some(Effect::ServiceEnded),
                _ => None,
            },
        }
    }
}

/// Whether a status may give access at all, given the time and the policy.
const fn is_served(status: SubscriptionStatus) -> bool {
    matches!(
        status,
        SubscriptionStatus::Trialing | SubscriptionStatus::Active | SubscriptionStatus::PastDue
    )
}

/// Refuses what comes before an end and its slack are over. What has no end is over.
fn check_over(
    end: Option<DateTime<Utc>>,
    slack: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Option<Effect>, Stop> {
    let Some(end) = end else { return Ok(None) };
    match end.checked_add_signed(slack.max(TimeDelta::zero())) {
        Some(limit) if limit <= now => Ok(None),
        until => Err(Stop {
            reason: RefusalReason::TooEarly,
            until,
        }),
    }
}
