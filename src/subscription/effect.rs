//! The effects of a transition beyond the subscription itself, as data for the host to carry out.

use chrono::{DateTime, Utc};

use super::facts::Subscription;
use super::status::SubscriptionStatus;
use crate::id::PlanId;
use crate::period::Period;

/// A consequence of a transition for the rows beside the subscription, which the host carries out
/// in the same transaction. The list is closed: a host should match all of it, and a new effect is
/// a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Effect {
    /// Service starts, or starts again after it had ended. An account that awaits its first payment
    /// becomes active: see [`Account::after`](crate::account::Account::after).
    ServiceStarted,
    /// Service ends.
    ServiceEnded,
    /// A payment is past due. Service goes on only as far as the policy's grace does.
    PastDueEntered {
        /// The instant from which grace is counted.
        since: DateTime<Utc>,
    },
    /// The payment that was past due is made. An account that is suspended because of it becomes
    /// active.
    PastDueCleared,
    /// A trial started. Its credits are a gift, once for an identity and once for an account: see
    /// [`Policy::start_trial`](crate::policy::Policy::start_trial).
    TrialStarted {
        /// The trial.
        period: Period,
    },
    /// A paid period opened. Its credits come with its paid time. The change sets of
    /// [`bank_transfer`](crate::bank_transfer), [`charge`](crate::charge) and
    /// [`provider`](crate::provider) record that time themselves. A host that records a payment by
    /// [`Subscription::record_payment`] does it in the same transaction: it makes a
    /// [`Span`](crate::paid_time::Span) for [the whole
    /// period](crate::paid_time::BilledPeriod::Whole), from its start, with the plan's
    /// [grid](crate::paid_time::Grid::of_plan) and credits, under the payment's own identifier;
    /// [records](crate::paid_time::PaidTime::record) it; and
    /// [aligns](crate::credit::Wallet::align) the wallet. The first program of
    /// [`credit`](crate::credit) shows it. A period that was paid early lies in the future, and so
    /// do its credits.
    PeriodPaid {
        /// The period.
        period: Period,
    },
    /// The plan changed, and quotas with it, at once. Credits follow what was paid, so the change
    /// alone brings none. Write the account's plan in the same transaction: until then the gate
    /// refuses, since account and subscription name different plans.
    PlanChanged {
        /// The plan before.
        from: PlanId,
        /// The plan from now on.
        to: PlanId,
    },
}

/// The effects of one transition: on service, of a period that it opened, and on the plan.
pub(super) type Effects = [Option<Effect>; 3];

impl Effect {
    /// Returns a short label, which never changes. A host may name its notices to the tenant by it.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::ServiceStarted => "service_started",
            Self::ServiceEnded => "service_ended",
            Self::PastDueEntered { .. } => "past_due_entered",
            Self::PastDueCleared => "past_due_cleared",
            Self::TrialStarted { .. } => "trial_started",
            Self::PeriodPaid { .. } => "period_paid",
            Self::PlanChanged { .. } => "plan_changed",
        }
    }

    /// Returns the effect on service of the step from a status to the subscription's present one.
    pub(super) fn of_status(from: SubscriptionStatus, after: &Subscription) -> Option<Self> {
        match (from, after.status) {
            (before, after) if before == after => None,
            (SubscriptionStatus::PastDue, SubscriptionStatus::Active) => Some(Self::PastDueCleared),
            (_, SubscriptionStatus::PastDue) => after
                .past_due_since
                .map(|since| Self::PastDueEntered { since }),
            (before, after) => match (before.is_served(), after.is_served()) {
                (false, true) => Some(Self::ServiceStarted),
                (true, false) => Some(Self::ServiceEnded),
                _ => None,
            },
        }
    }

    /// Returns the effect of the step from a plan to another, if it is another.
    pub(super) fn of_plan(before: &PlanId, after: &PlanId) -> Option<Self> {
        (after != before).then(|| Self::PlanChanged {
            from: before.clone(),
            to: after.clone(),
        })
    }
}
