//! What becomes of money: which periods it pays for, what is kept and what is noted.

use chrono::{DateTime, Utc};

use super::confirmation::ConfirmError;
use super::deposit::Deposit;
use crate::account::Account;
use crate::change::RowChange;
use crate::credit::{DueGrant, WalletError};
use crate::money::Money;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::{Overpayment, Policy};
use crate::subscription::{RecordedPayment, Subscription};

/// The most periods that one transfer pays for.
const MAX_PERIODS: u32 = 120;

impl Policy {
    pub(super) fn payment(&self, plan: &Plan, external_id: Option<String>) -> RecordedPayment {
        let method = PaymentMethod::BankTransfer;
        RecordedPayment {
            interval: plan.interval,
            slack: self.longest_admission(),
            method,
            external_id,
        }
    }

    /// What becomes of the money.
    pub(super) fn split(
        &self,
        plan: &Plan,
        amount: Money,
        deposit: Option<&Deposit>,
    ) -> Result<Split, ConfirmError> {
        let price = plan.price;
        if amount.currency() != price.currency() {
            return Err(ConfirmError::Currency { amount, price });
        }
        if amount.is_zero() {
            return Err(ConfirmError::Nothing);
        }
        let zero = Money::zero(price.currency());
        // A deposit of nothing is in no currency.
        let kept = deposit
            .map(|deposit| deposit.amount)
            .filter(|kept| !kept.is_zero())
            .unwrap_or(zero);
        if kept.currency() != price.currency() {
            return Err(ConfirmError::DepositCurrency {
                deposit: kept,
                price,
            });
        }
        let mut left = kept
            .checked_add(amount)
            .ok_or(WalletError::AmountOverflow)?;
        let mut split = Split {
            periods: 0,
            applied: zero,
            noted: zero,
            kept: zero,
        };
        let most = match self.overpayment {
            // What costs nothing is not paid for.
            _ if price.is_zero() => 0,
            Overpayment::NextPeriods => MAX_PERIODS,
            Overpayment::Note | Overpayment::Deposit => 1,
        };
        while split.periods < most
            && let Some(rest) = left.checked_sub(price)
        {
            left = rest;
            split.applied = split
                .applied
                .checked_add(price)
                .ok_or(WalletError::AmountOverflow)?;
            split.periods = split.periods.saturating_add(1);
        }
        if (split.periods > 0 || price.is_zero()) && self.overpayment == Overpayment::Note {
            split.noted = left.lesser(amount).ok_or(WalletError::AmountOverflow)?;
        }
        split.kept = left
            .checked_sub(split.noted)
            .ok_or(WalletError::AmountOverflow)?;
        Ok(split)
    }
}

/// What a payment opened.
#[derive(Default)]
pub(super) struct Paid {
    pub(super) subscription: Option<Subscription>,
    pub(super) grants: Vec<DueGrant>,
    pub(super) until: Option<DateTime<Utc>>,
}

/// Opens so many periods of a subscription: `last` is what `before` has come to since it was
/// loaded.
pub(super) fn pay(
    before: &Subscription,
    mut last: Subscription,
    plan: &Plan,
    payment: &RecordedPayment,
    periods: u32,
    now: DateTime<Utc>,
) -> Result<Paid, ConfirmError> {
    if *last.next_plan() != plan.id {
        return Err(ConfirmError::PlanMismatch);
    }
    let mut grants = Vec::new();
    // One that has ended refuses a part of a price as well as the whole.
    if periods == 0 {
        let _ = last.clone().record_payment(payment.clone(), now)?;
    }
    for _ in 0..periods {
        let paid = last.record_payment(payment.clone(), now)?;
        grants.extend(paid.grants(plan));
        last = paid.into_subscription();
    }
    let until = last
        .current_period
        .filter(|_| periods > 0)
        .map(|period| period.end);
    // A change in one step, whatever was carried out on the way.
    last.version = before.version;
    let changed = last != *before;
    last.version = before
        .version
        .checked_add(1)
        .ok_or(WalletError::AmountOverflow)?;
    Ok(Paid {
        subscription: changed.then_some(last),
        grants,
        until,
    })
}

/// The account after money arrived; in good standing, and on this method, if it paid for a period.
pub(super) fn paid_account(
    account: &Account,
    has_paid: bool,
) -> Result<RowChange<Account>, WalletError> {
    let status = if has_paid {
        account.status.after_payment()
    } else {
        account.status
    };
    let payment_method = if has_paid {
        PaymentMethod::BankTransfer
    } else {
        account.payment_method
    };
    let version = account
        .version
        .checked_add(1)
        .ok_or(WalletError::AmountOverflow)?;
    let row = Account {
        status,
        payment_method,
        version,
        ..account.clone()
    };
    Ok(RowChange::update(account.version, row))
}

/// What becomes of a transfer's money, with the deposit before it: `applied + noted + kept` is the
/// sum of both.
pub(super) struct Split {
    pub(super) periods: u32,
    pub(super) applied: Money,
    pub(super) noted: Money,
    pub(super) kept: Money,
}
