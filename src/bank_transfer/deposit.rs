//! Money that an account has paid and that has paid for nothing yet.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::allotment::{paid_account, pay};
use super::confirmation::{ConfirmError, check_rows};
use crate::account::{Account, AccountStatus, SuspensionCause};
use crate::change::RowChange;
use crate::credit::{DueGrant, WalletError};
use crate::id::{AccountId, PlanId};
use crate::money::Money;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::subscription::{Subscription, SubscriptionStatus};

/// What an account has paid and not used up: parts of a price that have not reached it, and what
/// was paid above one. A row that is unique by account; an account without one has no deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deposit {
    /// The account.
    pub account: AccountId,
    /// How much.
    pub amount: Money,
    /// What deposits have paid for periods without a transfer, in all; it is no part of `amount`.
    /// See [`Policy::apply_deposit`].
    pub applied: Money,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

/// What the host loads before it applies a deposit, in one transaction.
#[derive(Clone, Debug)]
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
    /// The account to update.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// The account's plan from now on.
    pub fn plan(&self) -> &PlanId {
        &self.plan
    }

    /// The subscription to update.
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// The deposit to update.
    pub fn deposit(&self) -> &RowChange<Deposit> {
        &self.deposit
    }

    /// The credits to grant: see [`DueGrant`].
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }
}

impl Deposit {
    /// The row after a change, if there is one to write: none where an account that had no deposit
    /// still has none.
    pub(super) fn change(
        before: Option<&Self>,
        account: &AccountId,
        amount: Money,
    ) -> Option<RowChange<Self>> {
        let nothing = Money::zero(amount.currency());
        let version = before.map_or(0, |deposit| deposit.version);
        let unchanged = before.map_or(amount.is_zero(), |deposit| deposit.amount == amount);
        let next = version.checked_add(1).filter(|_| !unchanged)?;
        let applied = before.map_or(nothing, |deposit| deposit.applied_or(nothing));
        Some(RowChange::update(
            version,
            Self {
                account: account.clone(),
                amount,
                applied,
                version: next,
            },
        ))
    }

    /// What has paid by itself; nothing is in no currency.
    fn applied_or(&self, nothing: Money) -> Money {
        if self.applied.is_zero() {
            nothing
        } else {
            self.applied
        }
    }
}

impl Policy {
    /// Pays for the next period from the deposit, once the running one is over and if there is
    /// enough: what a host's job asks before it carries out [what time has made
    /// due](Self::advance_subscription). `None` where there is nothing to pay, or not enough to pay
    /// it; nor does it pay for a subscription that is paid in another way, is paused or is to end,
    /// for a plan that is no longer offered, or for an account that is suspended for anything but
    /// its payment.
    ///
    /// # Errors
    /// As for a transfer: the account is closed, the plan is not the one that is due, the
    /// currencies differ, the rows do not belong together.
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
        let left = deposit
            .amount
            .checked_sub(price)
            .filter(|_| is_over && !price.is_zero() && plan.active);
        let Some(left) = left.filter(|_| {
            is_served_from_deposit(&account, &subscription) && !self.is_lost(&subscription, now)
        }) else {
            return Ok(None);
        };
        let payment = self.payment(&plan, None);
        let paid = pay(&subscription, subscription.clone(), &plan, &payment, 1, now)?;
        let after = paid.subscription.ok_or(WalletError::Mismatch)?;
        let applied = deposit.applied_or(Money::zero(price.currency()));
        let applied = applied
            .checked_add(price)
            .ok_or(WalletError::AmountOverflow)?;
        let version = deposit
            .version
            .checked_add(1)
            .ok_or(WalletError::AmountOverflow)?;
        Ok(Some(DepositChange {
            account: paid_account(&account, true)?,
            plan: after.plan.clone(),
            subscription: RowChange::update(subscription.version, after),
            deposit: RowChange::update(
                deposit.version,
                Deposit {
                    amount: left,
                    applied,
                    version,
                    ..deposit.clone()
                },
            ),
            grants: paid.grants,
        }))
    }

    /// Whether time has made due that the subscription ends: then nothing revives it.
    fn is_lost(&self, subscription: &Subscription, now: DateTime<Utc>) -> bool {
        let transitions = self.advance_subscription(subscription, now);
        subscription.is_terminal()
            || transitions
                .last()
                .is_some_and(|last| last.subscription().is_terminal())
    }
}

/// Whether a deposit may pay: by bank transfer, for an account that gets something for it, and for
/// no one who has paused.
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
