//! The account's rows as they were before a transfer was confirmed, so that it can be retracted.

use serde::{Deserialize, Serialize};

use crate::account::{Account, AccountStatus};
use crate::change::RowChange;
use crate::payment_method::PaymentMethod;
use crate::period::Period;
use crate::subscription::{PendingPlan, Subscription, SubscriptionStatus};

/// The values that a confirmation changed, before and after it. A retraction puts back those that
/// nobody has changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferUndo {
    /// The account's version after the confirmation.
    account_version: u64,
    status: Step<AccountStatus>,
    payment_method: Step<PaymentMethod>,
    /// `None` if the subscription stayed as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subscription: Option<Box<Step<Subscription>>>,
}

/// A value before and after a confirmation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step<T> {
    before: T,
    after: T,
}

impl<T: Clone + PartialEq> Step<T> {
    /// Returns the value before, if the present one is that after; else somebody has changed it
    /// since, and it stays.
    fn back(&self, now: T) -> T {
        back(&self.before, &self.after, now)
    }
}

fn back<T: Clone + PartialEq>(before: &T, after: &T, now: T) -> T {
    if now == *after { before.clone() } else { now }
}

impl TransferUndo {
    /// Keeps what a confirmation changes.
    pub(super) fn of(
        before: &Account,
        after: &Account,
        subscription: Option<&Subscription>,
        change: Option<&RowChange<Subscription>>,
    ) -> Self {
        let step = |(before, change): (&Subscription, &RowChange<Subscription>)| {
            Box::new(Step {
                before: before.clone(),
                after: change.row().clone(),
            })
        };

        Self {
            account_version: after.version,
            status: Step {
                before: before.status,
                after: after.status,
            },
            payment_method: Step {
                before: before.payment_method,
                after: after.payment_method,
            },
            subscription: subscription.zip(change).map(step),
        }
    }

    /// Returns the latest period that the confirmation opened.
    pub(super) fn opened(&self) -> Option<Period> {
        self.subscription.as_ref()?.after.current_period
    }

    /// Returns the account as it was, in its present version. If a later payment may be why it is
    /// as it is, it stays so.
    pub(super) fn account(&self, now: Account, is_latest: bool) -> Account {
        if !is_latest && now.version != self.account_version {
            return now;
        }

        Account {
            status: self.status.back(now.status),
            payment_method: self.payment_method.back(now.payment_method),
            ..now
        }
    }

    /// Returns the subscription as it was, in its present version. The end of the paid time is not
    /// put back here: it follows from the facts.
    pub(super) fn subscription(&self, now: Subscription) -> Subscription {
        let Some(step) = &self.subscription else {
            return now;
        };
        let (was, after) = (&step.before, &step.after);

        // Without `..`, a new field cannot be left out.
        let Subscription {
            id,
            account,
            plan,
            status,
            anchor,
            current_period,
            free_period,
            paid_until,
            trial_end,
            cancel_at_period_end,
            ends_at,
            pending_plan,
            unpaid_plan,
            past_due_since,
            payment_method,
            stripe_subscription_id,
            paypal_subscription_id,
            external_payment_id,
            provider_at,
            provider_paid,
            version,
        } = now;

        // A time since which it is past due means something in that status only.
        let past_due_since = if status == after.status {
            back(&was.past_due_since, &after.past_due_since, past_due_since)
        } else {
            past_due_since
        };
        // A pending plan that has begun since did so for the time that never was.
        let is_begun = pending_plan.is_none()
            && after.pending_plan.as_ref().map(|pending| &pending.plan) == Some(&plan);
        let (plan, pending_plan) = if is_begun {
            (after.plan.clone(), after.pending_plan.clone())
        } else {
            (plan, pending_plan)
        };

        let plan = back(&was.plan, &after.plan, plan);
        let status = back(&was.status, &after.status, status);
        let has_ended = matches!(
            status,
            SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired
        );
        let current_period = back(&was.current_period, &after.current_period, current_period);
        let pending_plan = back(&was.pending_plan, &after.pending_plan, pending_plan)
            // A change to the plan that it is back on is none, and nothing follows an end.
            .filter(|pending| pending.plan != plan && !has_ended)
            .map(|pending| {
                // One that waited for the end of the period that never was waits for the end of the
                // one before it.
                let waits = after.current_period.map(|period| period.end) == Some(pending.at);
                match current_period.filter(|_| waits) {
                    Some(period) => PendingPlan {
                        at: period.end,
                        ..pending
                    },
                    None => pending,
                }
            });

        Subscription {
            id,
            account,
            plan,
            status,
            anchor: back(&was.anchor, &after.anchor, anchor),
            current_period,
            free_period: back(&was.free_period, &after.free_period, free_period),
            paid_until,
            trial_end: back(&was.trial_end, &after.trial_end, trial_end),
            cancel_at_period_end: back(
                &was.cancel_at_period_end,
                &after.cancel_at_period_end,
                cancel_at_period_end,
            ),
            ends_at: back(&was.ends_at, &after.ends_at, ends_at),
            pending_plan,
            unpaid_plan: back(&was.unpaid_plan, &after.unpaid_plan, unpaid_plan),
            past_due_since,
            payment_method: back(&was.payment_method, &after.payment_method, payment_method),
            external_payment_id: back(
                &was.external_payment_id,
                &after.external_payment_id,
                external_payment_id,
            ),
            // No confirmation changes these.
            stripe_subscription_id,
            paypal_subscription_id,
            provider_at,
            provider_paid,
            version,
        }
    }
}
