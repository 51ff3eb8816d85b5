//! The account after a transition of its subscription.

use super::answer::Transition;
use super::effect::Effect;
use super::table::CommandKind;
use crate::account::{Account, AccountStatus};
use crate::change::RowChange;

impl Account {
    /// Returns the account as a transition of its subscription leaves it, to be written in the same
    /// transaction; `None` where nothing changes.
    ///
    /// An account that awaited its first payment becomes active when service starts, or when its plan
    /// turns out to need no payment. One that is
    /// suspended because a payment is overdue becomes active by a payment alone. Where the plan
    /// changed, the account's version rises too, so that nobody writes the former plan over it.
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
        let is_free = matches!(
            transition.command(),
            Some(CommandKind::StartFree | CommandKind::RenewFree)
        );
        let status = match self.status {
            status if is_payment => status.after_payment(),
            AccountStatus::PendingPayment if starts || is_free => AccountStatus::Active,
            status => status,
        };

        let changes_plan = transition
            .effects()
            .any(|effect| matches!(effect, Effect::PlanChanged { .. }));
        if changes_plan {
            self.rewritten(status)
        } else {
            self.with_status(status)
        }
    }
}
