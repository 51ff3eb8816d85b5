//! The commands that time alone has made due, which a host's job would give. Nobody is let in because
//! it did not run; a tenant in grace is let in only once it has written *past due*.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::Transition;
use super::command::Command;
use super::facts::Subscription;
use super::status::SubscriptionStatus;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::{AfterRetries, Policy};

/// More commands than can be due one after another: only a circle in the table would reach it,
/// which a test would find first.
const MAX_DUE: usize = 8;

/// A command that time makes due: the instant that is waited from, how long, and the command. Without
/// an instant it never becomes due.
type Waiting = (Option<DateTime<Utc>>, TimeDelta, Command);

impl Policy {
    /// Returns the command that time has made due for a subscription, by the policy's own times:
    /// its trial or its period is over, a pending plan's period has begun, or the time for the
    /// first payment or the grace for a later one has run out.
    ///
    /// `plans` are those that the host has: of them, the subscription's present and pending plan are
    /// looked up. A plan without a price starts and renews, and nothing is waited for. A plan that is
    /// not among them counts as one with a price.
    ///
    /// `None` where nothing is due, and for a subscription that a provider runs: there the
    /// provider's snapshots decide. PayPal alone knows no end at the end of what was paid, so that
    /// one which was called off there ends by time.
    pub fn command_due(
        &self,
        subscription: &Subscription,
        plans: &[Arc<Plan>],
        now: DateTime<Utc>,
    ) -> Option<Command> {
        let ends_by_time = subscription.payment_method == PaymentMethod::Paypal
            && subscription.cancel_at_period_end;
        if subscription.is_run_by_provider() && !ends_by_time {
            return None;
        }

        let free = plans.iter().find(|plan| subscription.is_free_on(plan));
        let pending = plans.iter().find(|plan| {
            let starts = self.pending_plan_starts(subscription, plan, free.is_some());
            starts.is_some_and(|at| at <= now) && !subscription.is_pending_plan_paid()
        });
        if let Some(plan) = pending {
            let plan = Arc::clone(plan);
            return Some(Command::StartFree { plan });
        }

        let (since, wait, command) = free
            .and_then(|plan| free_plan_due(subscription, plan))
            .or_else(|| self.paid_plan_due(subscription))?;
        since?
            .checked_add_signed(wait)
            .filter(|due| *due <= now)
            .map(|_| command)
    }

    /// Returns what is waited for on a plan with a price.
    fn paid_plan_due(&self, subscription: &Subscription) -> Option<Waiting> {
        let at_once = TimeDelta::zero();
        let end = subscription.running_until();
        let ends = subscription.cancel_at_period_end;
        let starts = subscription
            .pending_plan
            .as_ref()
            .filter(|_| subscription.is_pending_plan_paid());

        Some(match subscription.status {
            SubscriptionStatus::Incomplete => {
                let window = self.first_payment();
                let command = Command::ExpireIncomplete { window };
                (Some(subscription.anchor), window, command)
            }
            // A first payment may be on its way, unless it was called off.
            SubscriptionStatus::Trialing => {
                let then = self.after_trial();
                let slack = if ends { at_once } else { self.renewal_slack() };
                (end, slack, Command::EndTrial { then, slack })
            }
            // A renewal that was called off has no slack.
            SubscriptionStatus::Active
            | SubscriptionStatus::PastDue
            | SubscriptionStatus::Unpaid
            | SubscriptionStatus::Paused
                if ends =>
            {
                (end, at_once, Command::EndPeriod { slack: at_once })
            }
            SubscriptionStatus::Active => match starts {
                Some(pending) => (Some(pending.at), at_once, Command::StartPendingPlan),
                None => {
                    let slack = self.renewal_slack();
                    (end, slack, Command::EndPeriod { slack })
                }
            },
            SubscriptionStatus::PastDue => {
                let since = subscription.past_due_since;
                let then = self.after_grace();
                let command = Command::ExhaustRetries { then };
                (since, self.longest_admission(), command)
            }
            _ => return None,
        })
    }

    /// Returns the instant at which time alone puts the pending plan into force, if `plan` is that
    /// plan: its period was paid early, or it is without a price. `None` where it waits for a
    /// payment, where a provider decides, and where the subscription ends before. `is_free` says that
    /// the present plan is without a price.
    pub(crate) fn pending_plan_starts(
        &self,
        subscription: &Subscription,
        plan: &Plan,
        is_free: bool,
    ) -> Option<DateTime<Utc>> {
        let pending = subscription
            .pending_plan
            .as_ref()
            .filter(|pending| pending.plan == plan.id)?;
        if subscription.cancel_at_period_end || subscription.is_run_by_provider() {
            return None;
        }

        // Nothing that comes before it may end what it follows.
        let is_in_time = |end: Option<DateTime<Utc>>, wait: TimeDelta| {
            let limit = end.and_then(|end| end.checked_add_signed(wait));
            limit.is_none_or(|limit| pending.at <= limit)
        };
        let end = subscription.running_until();
        let is_paid = subscription.is_pending_plan_paid();
        let status = match subscription.status {
            // On a plan without a price, no payment is due for long.
            SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid if is_free => {
                SubscriptionStatus::Active
            }
            status => status,
        };
        let starts = match status {
            SubscriptionStatus::Active if is_paid => true,
            _ if is_paid || !plan.price.is_zero() => false,
            SubscriptionStatus::Active | SubscriptionStatus::Trialing => {
                is_free || is_in_time(end, self.renewal_slack())
            }
            SubscriptionStatus::PastDue => {
                self.after_grace() == AfterRetries::Unpaid
                    || is_in_time(subscription.past_due_since, self.longest_admission())
            }
            SubscriptionStatus::Unpaid | SubscriptionStatus::Paused => true,
            _ => false,
        };

        starts.then_some(pending.at)
    }

    /// Carries out everything that time has made due, one command after another; empty where
    /// nothing is due.
    ///
    /// `plans` are those that the host has, as for [`command_due`](Self::command_due).
    ///
    /// Write each transition in its order, or only the last one's subscription, over the first
    /// one's version and with the effects of all. The outcome is the same whether this ran every
    /// minute or once a year. It comes before anyone else's command;
    /// [`confirm_bank_transfer`](Self::confirm_bank_transfer) does it itself.
    pub fn advance_subscription(
        &self,
        subscription: &Subscription,
        plans: &[Arc<Plan>],
        now: DateTime<Utc>,
    ) -> Vec<Transition> {
        let mut transitions: Vec<Transition> = Vec::new();

        while transitions.len() < MAX_DUE {
            let last = transitions
                .last()
                .map_or(subscription, Transition::subscription);
            let Some(command) = self.command_due(last, plans, now) else {
                break;
            };
            // Only a row whose dates or version are at their limits refuses what is due.
            let Ok(transition) = last.clone().apply(command, now) else {
                break;
            };
            transitions.push(transition);
        }

        debug_assert!(transitions.len() < MAX_DUE, "the table has a circle");
        transitions
    }
}

/// Returns what is waited for on a plan without a price, which is the present one.
fn free_plan_due(subscription: &Subscription, plan: &Arc<Plan>) -> Option<Waiting> {
    let at_once = TimeDelta::zero();
    let plan = Arc::clone(plan);
    let end = subscription.running_until();

    Some(match subscription.status {
        SubscriptionStatus::Incomplete => {
            let since = Some(subscription.anchor);
            (since, at_once, Command::StartFree { plan })
        }
        SubscriptionStatus::Trialing => (end, at_once, Command::StartFree { plan }),
        SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid => {
            // No payment is waited for.
            let since = Some(DateTime::<Utc>::MIN_UTC);
            (since, at_once, Command::RenewFree { plan })
        }
        // Another plan was paid for, and begins.
        _ if subscription.is_pending_plan_paid() => return None,
        SubscriptionStatus::Active | SubscriptionStatus::Paused => {
            (end, at_once, Command::RenewFree { plan })
        }
        _ => return None,
    })
}
