//! What a transition means beyond the subscription itself, as data for the host to carry out, and
//! for its account.

use chrono::{DateTime, Utc};

use super::table::CommandKind;
use super::transition::Transition;
use crate::account::{Account, AccountStatus};
use crate::change::RowChange;
use crate::id::PlanId;
use crate::period::Period;

/// What a transition means for the rows beside the subscription. The host carries it out in the
/// same transaction. The list is closed: a host should match all of it, and a new effect is a
/// breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Service starts, or starts again after it had ended: an account that awaits its first payment
    /// becomes active. See [`Account::after`](crate::account::Account::after).
    ServiceStarted,
    /// Service ends.
    ServiceEnded,
    /// A payment is past due. Service goes on only as far as the policy's grace does.
    PastDueEntered {
        /// Since when: where grace is counted from.
        since: DateTime<Utc>,
    },
    /// What was past due is paid: an account that is suspended because of it becomes active.
    PastDueCleared,
    /// A trial or paid period opened, and with it the plan's credits for each month that starts
    /// within it: see [`Transition::grants`](crate::subscription::Transition::grants). Paid early,
    /// it lies in the future, and so do its grants. The cause of each is
    /// [`Cause::month`](crate::credit::Cause::month).
    CreditsDue {
        /// The period.
        period: Period,
        /// Where its months are counted from.
        anchor: DateTime<Utc>,
    },
    /// The plan changed: an upgrade adds credits to the current month, and quotas change at once.
    /// Write the account's plan in the same transaction; until then the gate refuses, since account
    /// and subscription name different plans.
    PlanChanged {
        /// The plan before.
        from: PlanId,
        /// The plan from now on.
        to: PlanId,
    },
}

impl Effect {
    /// A short label, which never changes: what a host names its notices to the tenant by.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::ServiceStarted => "service_started",
            Self::ServiceEnded => "service_ended",
            Self::PastDueEntered { .. } => "past_due_entered",
            Self::PastDueCleared => "past_due_cleared",
            Self::CreditsDue { .. } => "credits_due",
            Self::PlanChanged { .. } => "plan_changed",
        }
    }
}

impl Account {
    /// What a subscription's transition means for the account: one that awaited its first payment
    /// becomes active when service starts; one that is suspended because a payment is overdue, by a
    /// payment alone. Where the plan changed, the account's version rises too, so that nobody
    /// writes the former plan over it. The change is written in the same transaction; `None` where
    /// nothing changes.
    pub fn after(&self, transition: &Transition) -> Option<RowChange<Self>> {
        if transition.subscription().account != self.id {
            return None;
        }
        let is_payment = matches!(
            transition.command(),
            Some(CommandKind::Activate | CommandKind::RecordPayment)
        );
        let starts = transition
            .effects()
            .any(|effect| *effect == Effect::ServiceStarted);
        let status = match self.status {
            status if is_payment => status.after_payment(),
            AccountStatus::PendingPayment if starts => AccountStatus::Active,
            status => status,
        };
        let moves = transition
            .effects()
            .any(|effect| matches!(effect, Effect::PlanChanged { .. }));
        if moves {
            self.rewritten(status)
        } else {
            self.with_status(status)
        }
    }
}
