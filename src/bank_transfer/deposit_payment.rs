//! Payment from the deposit: the next period is paid without another transfer.

use std::slice;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::allotment::{paid_account, pay};
use super::deposit::Deposit;
use super::error::ConfirmError;
use super::rows::check_rows;
use crate::account::{Account, AccountStatus, SuspensionCause};
use crate::change::{RowChange, RowError};
use crate::credit::DueGrant;
use crate::id::PlanId;
use crate::money::Money;
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
    deposit: RowChange<Deposit>,
    grants: Vec<DueGrant>,
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

    /// Returns the deposit to update.
    pub fn deposit(&self) -> &RowChange<Deposit> {
        &self.deposit
    }

    /// Returns the credits to grant: see [`DueGrant`].
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }
}

impl Policy {
    /// Pays for the next period from the deposit, once the running one is over and if the deposit
    /// covers the price. A host's job asks this before it carries out [what time has made
    /// due](Self::advance_subscription).
    ///
    /// It returns `None` where there is nothing to pay, or not enough to pay it. A deposit does not
    /// pay for a subscription that is paid in another way, is paused or is to end, for a plan that
    /// is no longer offered, or for an account that is suspended for any cause but an overdue
    /// payment.
    ///
    /// # Errors
    /// In this order: [`ConfirmError::Denied`] for an account that is closed or of unknown status,
    /// [`ConfirmError::Row`] for rows of another account, [`ConfirmError::PlanMismatch`],
    /// [`ConfirmError::DepositCurrency`], then [`ConfirmError::Refused`] or [`ConfirmError::Row`].
    pub fn apply_deposit(
        &self,
        facts: DepositFacts,
        now: DateTime<Utc>,
    ) -> Result<Option<DepositChange>, ConfirmError> {
        let DepositFacts {
            account,
            plan,
            subscription,
            deposit,
        } = facts;
        check_rows(&account, Some(&subscription), Some(&deposit), None)?;

        if *subscription.next_plan() != plan.id || !plan.needs_subscription {
            return Err(ConfirmError::PlanMismatch);
        }

        let price = plan.price;
        if !deposit.amount.is_zero() && deposit.amount.currency() != price.currency() {
            return Err(ConfirmError::DepositCurrency {
                deposit: deposit.amount,
                price,
            });
        }

        let is_over = subscription.running_until().is_none_or(|end| end <= now);
        let is_due = is_over
            && plan.active
            && !price.is_zero()
            && is_served_from_deposit(&account, &subscription)
            && !self.is_lost(&subscription, &plan, now);
        let Some(left) = deposit.amount.checked_sub(price).filter(|_| is_due) else {
            return Ok(None);
        };

        let payment = self.recorded_payment(&plan, None);
        let paid = pay(&subscription, subscription.clone(), &plan, &payment, 1, now)?;
        // A paid period always changes the subscription.
        let subscription = paid.subscription.ok_or(RowError::Mismatch {
            left: "subscription",
            right: "payment",
        })?;

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

        Ok(Some(DepositChange {
            account: paid_account(&account, true)?,
            plan: subscription.row().plan.clone(),
            subscription,
            deposit,
            grants: paid.grants,
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
