//! The commands that time alone has made due, which a host's job would give. No access depends on
//! whether it ran.

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::Transition;
use super::command::Command;
use super::facts::Subscription;
use super::status::SubscriptionStatus;
use crate::payment_method::PaymentMethod;
use crate::policy::Policy;

/// More commands than can be due one after another: only a circle in the table would reach it,
/// which a test would find first.
const MAX_DUE: usize = 8;

impl Policy {
    /// Returns the command that time has made due for a subscription, by the policy's own times:
    /// its trial or its period is over, a pending plan's period has begun, or the time for the
    /// first payment or the grace for a later one has run out.
    ///
    /// `None` where nothing is due, and for a subscription that a provider runs: there the
    /// provider's snapshots decide. PayPal alone knows no end at the end of what was paid, so that
    /// one which was called off there ends by time.
    pub fn command_due(&self, subscription: &Subscription, now: DateTime<Utc>) -> Option<Command> {
        let by_provider = subscription.payment_method != PaymentMethod::BankTransfer
            && subscription.provider_at.is_some();
        let ends_by_time = subscription.payment_method == PaymentMethod::Paypal
            && subscription.cancel_at_period_end;
        if by_provider && !ends_by_time {
            return None;
        }

        let at_once = TimeDelta::zero();
        let end = subscription.running_until();
        let ends = subscription.cancel_at_period_end;
        let starts = subscription
            .pending_plan
            .as_ref()
            .filter(|_| subscription.is_pending_plan_paid());

        // The instant that is waited from, how long, and the command that is due then.
        let (since, wait, command) = match subscription.status {
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
        };

        since?
            .checked_add_signed(wait)
            .filter(|due| *due <= now)
            .map(|_| command)
    }

    /// Carries out everything that time has made due, one command after another; empty where
    /// nothing is due.
    ///
    /// Write each transition in its order, or only the last one's subscription, over the first
    /// one's version and with the effects of all. The outcome is the same whether this ran every
    /// minute or once a year. It comes before anyone else's command;
    /// [`confirm_bank_transfer`](Self::confirm_bank_transfer) does it itself.
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
