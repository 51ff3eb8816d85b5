//! Payment from the deposit: the next period is paid without another transfer.

use std::slice;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::deposit::Deposit;
use super::error::ConfirmError;
use super::opening::{Opening, paid_account};
use super::rows::{check_paid_time, check_rows};
use crate::account::{Account, AccountStatus, SuspensionCause};
use crate::change::{RowChange, RowError};
use crate::id::PlanId;
use crate::money::Money;
use crate::paid_time::PaidTime;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::subscription::{Subscription, SubscriptionStatus};

/// The rows that a host loads before it applies a deposit, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct DepositFacts {
    /// The account.
    pub account: Account,
    /// The plan to pay for: that of [`Subscription::next_plan`].
    pub plan: Arc<Plan>,
    /// Its subscription.
    pub subscription: Subscription,
    /// The paid time of the subscription; [`PaidTime::new`] where none is stored.
    pub paid_time: PaidTime,
    /// Its deposit.
    pub deposit: Deposit,
}

/// Everything that a deposit changes by paying for a period, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct DepositChange {
    account: RowChange<Account>,
    plan: PlanId,
    subscription: RowChange<Subscription>,
    paid_time: Option<RowChange<PaidTime>>,
    deposit: RowChange<Deposit>,
}

impl DepositChange {
    /// Returns the account to update.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// Returns the account's plan from now on.
    pub fn plan(&self) -> &PlanId {
        &self.plan
    }

    /// Returns the subscription to update.
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// Returns the paid time to insert or update. Align the wallet with it in the same transaction:
    /// see [`Wallet::align`](crate::Wallet::align).
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid_time.as_ref()
    }

    /// Returns the deposit to update.
    pub fn deposit(&self) -> &RowChange<Deposit> {
        &self.deposit
    }
}

impl Policy {
    /// Pays for the next period from the deposit, if the deposit covers the price: once the running
    /// one is over, or at once where a free period runs and a plan with a price waits for its first
    /// payment. A host's job asks this before it carries out [what time has made
    /// due](Self::advance_subscription).
    ///
    /// It returns `None` where there is nothing to pay, as for a plan without a price or one that
    /// needs no subscription, or not enough to pay it. A deposit does not
    /// pay for a subscription that is paid in another way, is paused or is to end, for a plan that
    /// is no longer offered, or for an account that is suspended for any cause but an overdue
    /// payment.
    ///
    /// # Errors
    /// In this order: [`ConfirmError::Denied`] for an account that is closed or of unknown status,
    /// [`ConfirmError::Row`] for rows of another account, [`ConfirmError::PlanMismatch`],
    /// [`ConfirmError::DepositCurrency`], then [`ConfirmError::Refused`],
    /// [`ConfirmError::PaidTime`] or [`ConfirmError::Row`].
    pub fn apply_deposit(
        &self,
        facts: DepositFacts,
        now: DateTime<Utc>,
    ) -> Result<Option<DepositChange>, ConfirmError> {
        let DepositFacts {
            account,
            plan,
            subscription,
            paid_time,
            deposit,
        } = facts;
        check_rows(&account, Some(&subscription), Some(&deposit), None, None)?;
        let paid_time = check_paid_time(Some(paid_time), &account.id, &subscription.id)?;

        if *subscription.next_plan() != plan.id {
            return Err(ConfirmError::PlanMismatch);
        }
        // What begins and goes on without a payment takes none.
        let price = plan.price;
        if price.is_zero() || !plan.needs_subscription {
            return Ok(None);
        }

        if !deposit.amount.is_zero() && deposit.amount.currency() != price.currency() {
            return Err(ConfirmError::DepositCurrency {
                deposit: deposit.amount,
                price,
            });
        }

        let is_over = subscription.running_until().is_none_or(|end| end <= now);
        // The rest of a free period is not paid for, so nothing of it is lost.
        let is_due = (is_over || subscription.begins_when_paid(now))
            && plan.active
            && is_served_from_deposit(&account, &subscription)
            && !self.is_lost(&subscription, &plan, now);
        let Some(left) = deposit.amount.checked_sub(price).filter(|_| is_due) else {
            return Ok(None);
        };

        let applied = deposit
            .applied_or(Money::zero(price.currency()))
            .checked_add(price)
            .ok_or(RowError::Overflow {
                of: "sum that the deposit has paid",
            })?;
        let deposit = RowChange::next(deposit.version, "deposit", |version| Deposit {
            amount: left,
            applied,
            version,
            ..deposit.clone()
        })?;

        // Each change of the deposit has a version of its own, so no two payments share a name.
        let opening = Opening {
            plan: &plan,
            periods: 1,
            payment: format!("deposit/{}", deposit.row().version).into(),
            external_id: None,
        };
        let last = subscription.clone();
        let opened = self.open_periods(&subscription, last, paid_time, opening, now)?;
        // A paid period always changes the subscription.
        let subscription = opened.subscription.ok_or(RowError::Mismatch {
            left: "subscription",
            right: "payment",
        })?;

        Ok(Some(DepositChange {
            account: paid_account(&account, true)?,
            plan: subscription.row().plan.clone(),
            subscription,
            paid_time: opened.paid_time,
            deposit,
        }))
    }

    /// Returns whether the subscription has ended, or time has made its end due: nothing revives it
    /// then.
    fn is_lost(&self, subscription: &Subscription, plan: &Arc<Plan>, now: DateTime<Utc>) -> bool {
        let transitions = self.advance_subscription(subscription, slice::from_ref(plan), now);

        subscription.is_terminal()
            || transitions
                .last()
                .is_some_and(|last| last.subscription().is_terminal())
    }
}

/// Returns whether a deposit may pay: for a subscription by bank transfer that is not paused, of an
/// account that gets service for its money.
fn is_served_from_deposit(account: &Account, subscription: &Subscription) -> bool {
    let is_welcome = matches!(
        account.status,
        AccountStatus::Active
            | AccountStatus::PendingPayment
            | AccountStatus::Suspended(SuspensionCause::PaymentOverdue)
    );
    let is_live = !matches!(
        subscription.status,
        SubscriptionStatus::Paused | SubscriptionStatus::Unknown
    );

    is_welcome && is_live && subscription.payment_method == PaymentMethod::BankTransfer
}
