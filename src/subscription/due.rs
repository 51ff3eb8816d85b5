//! What time alone has made due: the commands that a host's job would give. No access depends on
//! whether it ran.

use chrono::{DateTime, TimeDelta, Utc};

use super::command::Command;
use super::transition::Transition;
use super::{PaymentMethod, Subscription, SubscriptionStatus};
use crate::policy::Policy;

/// More commands than can be due one after another: only a circle in the table would reach it,
/// which a test would find first.
const MAX_DUE: usize = 8;

impl Policy {
    /// The command that time has made due for a subscription, by the policy's own times: its trial
    /// or its period is over, a pending plan's period has begun, the first payment or the grace for
    /// a later one has run out. `None` where nothing is due, and for what a provider runs: there
    /// its snapshots say what became of it.
    pub fn command_due(&self, subscription: &Subscription, now: DateTime<Utc>) -> Option<Command> {
        let by_provider = subscription.payment_method != PaymentMethod::BankTransfer
            && subscription.provider_at.is_some();
        if by_provider {
            return None;
        }
        let (end, none) = (subscription.running_until(), TimeDelta::zero());
        let ends = subscription.cancel_at_period_end;
        let starts = subscription
            .pending_plan
            .as_ref()
            .filter(|_| subscription.is_pending_plan_paid());
        // Since when, how long it waits after that, and what is due then.
        let (since, wait, command) = match subscription.status {
            SubscriptionStatus::Incomplete => {
                let window = self.first_payment();
                (
                    Some(subscription.anchor),
                    window,
                    Command::ExpireIncomplete { window },
                )
            }
            SubscriptionStatus::Trialing => (
                end,
                none,
                Command::EndTrial {
                    then: self.after_trial(),
                },
            ),
            SubscriptionStatus::Active
            | SubscriptionStatus::PastDue
            | SubscriptionStatus::Unpaid
            | SubscriptionStatus::Paused
                if ends =>
            {
                (end, none, Command::EndPeriod { slack: none })
            }
            SubscriptionStatus::Active => match starts {
                Some(pending) => (Some(pending.at), none, Command::StartPendingPlan),
                None => (
                    end,
                    self.renewal_slack(),
                    Command::EndPeriod {
                        slack: self.renewal_slack(),
                    },
                ),
            },
            SubscriptionStatus::PastDue => {
                let then = self.after_grace();
                (
                    subscription.past_due_since,
                    self.longest_admission(),
                    Command::ExhaustRetries { then },
                )
            }
            _ => return None,
        };
        since?
            .checked_add_signed(wait)
            .filter(|due| *due <= now)
            .map(|_| command)
    }

    /// Carries out all that time has made due, one after another. Each transition is written in its
    /// order, or all of them as their last subscription over the first one's version; empty where
    /// nothing is due. The outcome is the same whether this ran every minute or once in a year, and
    /// it comes before a command of anyone else's:
    /// [`confirm_bank_transfer`](Self::confirm_bank_transfer) does so itself.
    pub fn advance_subscription(
        &self,
        subscription: &Subscription,
        now: DateTime<Utc>,
    ) -> Vec<Transition> {
        let mut transitions: Vec<Transition> = Vec::new();
        while transitions.len() < MAX_DUE {
            let last = transitions
                .last()
                .map_or(subscription, Transition::subscription);
            let Some(command) = self.command_due(last, now) else {
                break;
            };
            let Ok(transition) = last.clone().apply(command, now) else {
                break;
            };
            transitions.push(transition);
        }
        transitions
    }
}
