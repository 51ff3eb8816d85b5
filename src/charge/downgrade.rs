//! A change to a plan that costs no more, at once.

use chrono::{DateTime, Utc};

use super::error::DowngradeError;
use super::opening::next_account;
use super::purpose::ChargeFor;
use super::quote::{PlanChangeFacts, Quote};
use super::row::{Charge, ChargeState};
use super::spans::spans;
use crate::account::Account;
use crate::change::{Answer, RowChange};
use crate::gate::BillingAccess;
use crate::id::{ChargeId, PlanId};
use crate::money::Money;
use crate::paid_time::PaidTime;
use crate::policy::Policy;
use crate::subscription::Subscription;

/// Everything that a change to a smaller plan changes at once, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct DowngradeChange {
    charge: RowChange<Charge>,
    account: RowChange<Account>,
    subscription: RowChange<Subscription>,
    paid_time: Option<RowChange<PaidTime>>,
}

impl DowngradeChange {
    /// Returns the charge to insert, which is the record of the change: nothing is to be paid, and it
    /// says what was left over. It is written under UNIQUE (identifier) and UNIQUE (reference).
    pub fn charge(&self) -> &RowChange<Charge> {
        &self.charge
    }

    /// Returns the account to update.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// Returns the account's plan from now on.
    pub fn plan(&self) -> &PlanId {
        &self.subscription.row().plan
    }

    /// Returns the subscription to update.
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// Returns the paid time to insert or update. The wallet is
    /// [aligned](crate::Wallet::align) with it in the same transaction.
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid_time.as_ref()
    }

    /// Returns the amount that is left over. In the same transaction, write the deposit that
    /// [`Deposit::with_credited`](crate::bank_transfer::Deposit::with_credited) returns for this
    /// change.
    pub fn credited(&self) -> Money {
        self.charge.row().credited()
    }
}

impl Policy {
    /// Changes at once to a plan that costs no more for the rest of the time that was paid. The rest
    /// of what was paid is [`credited`](DowngradeChange::credited) to the account's deposit, by
    /// [`Deposit::with_credited`](crate::bank_transfer::Deposit::with_credited). The credits of the running window go down by the difference for the days that are
    /// left, when the wallet is aligned; what was used of them already becomes debt.
    ///
    /// The charge that it returns is the record of it, and is paid by itself. The same identifier
    /// again, for the same subscription and new plan, is answered with that charge.
    ///
    /// # Errors
    /// In this order: [`DowngradeError::Charge`], as for
    /// [`open_upgrade`](Self::open_upgrade); [`DowngradeError::SomethingDue`] where the new plan
    /// costs more; [`DowngradeError::PaidTime`]; [`DowngradeError::Charge`] for a version.
    pub fn downgrade_now(
        &self,
        access: &BillingAccess,
        id: ChargeId,
        facts: PlanChangeFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<DowngradeChange, Charge>, DowngradeError> {
        if facts.is_repeated(&id)?
            && let Some(prior) = facts.prior
        {
            return Ok(Answer::Replayed(prior));
        }

        let Quote {
            subscription,
            change,
        } = self.quote(access, &facts, now)?;
        let due = change.reckoning.due();
        if !due.is_zero() {
            return Err(DowngradeError::SomethingDue(due));
        }

        let purpose = ChargeFor::Downgrade(change.clone());
        let charge = record(access, id, purpose, due, now);
        let time = spans(&charge, &change, &charge.key().into(), now);
        let paid_time = facts.paid_time.clone().record(time)?;

        let recorded = paid_time.as_ref().map_or(&facts.paid_time, RowChange::row);
        let expected = subscription.expected_version();
        let subscription = Subscription {
            paid_until: recorded.paid_until(),
            ..subscription.into_row()
        };

        Ok(Answer::Fresh(DowngradeChange {
            account: next_account(&facts.account)?,
            subscription: RowChange::update(expected, subscription),
            charge: RowChange::update(0, charge),
            paid_time,
        }))
    }
}

/// Makes the row of a change for which nothing is to be paid.
fn record(
    access: &BillingAccess,
    id: ChargeId,
    purpose: ChargeFor,
    due: Money,
    now: DateTime<Utc>,
) -> Charge {
    let charge = Charge {
        id,
        account: access.account_id().clone(),
        purpose,
        amount: due,
        opened_by: access.user().cloned(),
        opened_at: now,
        valid_until: now,
        state: ChargeState::Open,
        retractions: 0,
        version: 1,
    };

    Charge {
        state: ChargeState::Paid {
            payment: charge.key().into(),
            received: now,
        },
        ..charge
    }
}
