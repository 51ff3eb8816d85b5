//! What time alone has made due: the commands that a host's job would give. No access depends on whether it ran.

use chrono::{DateTime, TimeDelta, Utc};

use super::command::Command;
use super::transition::Transition;
use super::{PaymentMethod, Subscription, SubscriptionStatus};
use crate::policy::Policy;

/// The most commands that can be due one after another: the end of a period, then of its grace. One more tells that the
/// table was given a circle of commands, which a test would find first.
const MOST_DUE: usize = 8;

impl Policy {
    /// The command that time has made due for a subscription, by the policy's own times: its trial or its period is over,
    /// a pending plan's period has begun, the first payment or the grace for a later one has run out. `None` where nothing
    /// is due, and for what a provider runs: there its snapshots say what became of it.
    pub fn command_due(&self, subscription: &Subscription, now: DateTime<Utc>) -> Option<Command> {
        let by_provider =
            subscription.payment_method != PaymentMethod::BankTransfer && subscription.provider_at.is_some();
        if by_provider {
            return None;
        }
        let is_over = |end: Option<DateTime<Utc>>, slack: TimeDelta| {
            end.and_then(|end| end.checked_add_signed(slack)).is_some_and(|end| end <= now)
        };
        let end = subscription.running_until();
        let command = match subscription.status {
            SubscriptionStatus::Incomplete => {
                let window = self.first_payment();
                (Command::ExpireIncomplete { window }, is_over(Some(subscription.anchor), window))
            }
            SubscriptionStatus::Trialing => {
                (Command::EndTrial { then: self.after_trial() }, is_over(end, TimeDelta::zero()))
            }
            SubscriptionStatus::Active | SubscriptionStatus::Unpaid | SubscriptionStatus::Paused
                if subscription.cancel_at_period_end =>
            {
                (Command::EndPeriod { slack: TimeDelta::zero() }, is_over(end, TimeDelta::zero()))
            }
            SubscriptionStatus::Active => match &subscription.pending_plan {
                Some(pending)
                    if pending.at <= now
                        && subscription.current_period.is_some_and(|period| pending.at <= period.start) =>
                {
                    (Command::StartPendingPlan, true)
                }
                _ => (Command::EndPeriod { slack: self.renewal_slack() }, is_over(end, self.renewal_slack())),
            },
            SubscriptionStatus::PastDue if subscription.cancel_at_period_end => {
                (Command::EndPeriod { slack: TimeDelta::zero() }, is_over(end, TimeDelta::zero()))
            }
            SubscriptionStatus::PastDue => {
                let then = self.after_grace();
                (Command::ExhaustRetries { then }, is_over(subscription.past_due_since, self.longest_admission()))
            }
            _ => return None,
        };
        command.1.then_some(command.0)
    }

    /// Carries out all that time has made due, one after another. Each transition is written in its order, or all of them
    /// as their last subscription over the first one's version; empty where nothing is due. The outcome is the same
    /// whether this ran every minute or once in a year, and it comes before a command of anyone else's:
    /// [`confirm_bank_transfer`](Self::confirm_bank_transfer) does so itself.
    pub fn advance_subscription(&self, subscription: &Subscription, now: DateTime<Utc>) -> Vec<Transition> {
        let mut transitions: Vec<Transition> = Vec::new();
        while transitions.len() < MOST_DUE {
            let last = transitions.last().map_or(subscription, Transition::subscription);
            let Some(command) = self.command_due(last, now) else { break };
            let Ok(transition) = last.clone().apply(command, now) else { break };
            transitions.push(transition);
        }
        transitions
    }
}
