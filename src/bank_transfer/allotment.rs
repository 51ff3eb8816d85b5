//! The allotment of money: the periods that it pays for, the part that is kept and the part that is
//! noted.

use chrono::{DateTime, Utc};

use super::deposit::Deposit;
use super::error::ConfirmError;
use crate::account::Account;
use crate::change::{RowChange, RowError};
use crate::credit::DueGrant;
use crate::money::Money;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::{Overpayment, Policy};
use crate::subscription::{RecordedPayment, Subscription};

/// The most periods that one transfer pays for.
const MAX_PERIODS: u32 = 120;

/// The fault of a sum of a transfer and a deposit that leaves its range.
const OVERFLOW: RowError = RowError::Overflow {
    of: "sum of the transfer and the deposit",
};

/// The parts of a transfer's money and of the deposit before it: `applied + noted + kept` is the
/// sum of both.
pub(super) struct Split {
    /// The number of periods that are paid.
    pub(super) periods: u32,
    /// The price of those periods.
    pub(super) applied: Money,
    /// The part for somebody to give back.
    pub(super) noted: Money,
    /// The deposit from now on.
    pub(super) kept: Money,
}

impl Policy {
    /// Describes the payment of one period of a plan by bank transfer.
    pub(super) fn recorded_payment(
        &self,
        plan: &Plan,
        external_id: Option<String>,
    ) -> RecordedPayment {
        RecordedPayment {
            interval: plan.interval,
            slack: self.longest_admission(),
            method: PaymentMethod::BankTransfer,
            external_id,
        }
    }

    /// Splits a transfer, with the deposit before it, into its parts.
    ///
    /// # Errors
    /// In this order: [`ConfirmError::Currency`], [`ConfirmError::Nothing`],
    /// [`ConfirmError::DepositCurrency`], [`ConfirmError::Row`].
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

        let before = kept_before(deposit, price)?;
        let sum = before.checked_add(amount).ok_or(OVERFLOW)?;

        let most = match self.overpayment {
            // A free plan has no period to pay for.
            _ if price.is_zero() => 0,
            Overpayment::NextPeriods => MAX_PERIODS,
            Overpayment::Note | Overpayment::Deposit => 1,
        };
        let zero = Money::zero(price.currency());
        let mut left = sum;
        let mut applied = zero;
        let mut periods: u32 = 0;
        while periods < most
            && let Some(rest) = left.checked_sub(price)
        {
            left = rest;
            applied = applied.checked_add(price).ok_or(OVERFLOW)?;
            periods = periods.saturating_add(1);
        }

        // A part of a price is kept until the rest arrives; only what is above one is noted, and
        // never more than this transfer brought.
        let is_reached = periods > 0 || price.is_zero();
        let noted = if is_reached && self.overpayment == Overpayment::Note {
            left.lesser(amount).ok_or(OVERFLOW)?
        } else {
            zero
        };
        let kept = left.checked_sub(noted).ok_or(OVERFLOW)?;

        debug_assert_eq!(
            applied
                .checked_add(noted)
                .and_then(|parts| parts.checked_add(kept)),
            Some(sum),
            "every cent is in one part"
        );
        Ok(Split {
            periods,
            applied,
            noted,
            kept,
        })
    }
}

/// Returns the deposit before a transfer, in the currency of the price.
fn kept_before(deposit: Option<&Deposit>, price: Money) -> Result<Money, ConfirmError> {
    // A deposit of zero is in no currency.
    let Some(deposit) = deposit.filter(|deposit| !deposit.amount.is_zero()) else {
        return Ok(Money::zero(price.currency()));
    };

    if deposit.amount.currency() == price.currency() {
        Ok(deposit.amount)
    } else {
        Err(ConfirmError::DepositCurrency {
            deposit: deposit.amount,
            price,
        })
    }
}

/// The outcome of a payment for the subscription and for the wallet.
#[derive(Default)]
pub(super) struct Paid {
    /// The subscription to write, if it changed.
    pub(super) subscription: Option<RowChange<Subscription>>,
    /// The credits that are due.
    pub(super) grants: Vec<DueGrant>,
    /// The end of the last period that was opened.
    pub(super) until: Option<DateTime<Utc>>,
}

/// Opens a number of periods of a subscription. `before` is the subscription as it was loaded, and
/// `last` is the same after all that time had made due.
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

    // A subscription that has ended refuses a part of a price as it refuses the whole: try, and
    // keep only the refusal.
    if periods == 0 {
        let _ = last.clone().record_payment(payment.clone(), now)?;
    }

    let mut grants = Vec::new();
    for _ in 0..periods {
        let paid = last.record_payment(payment.clone(), now)?;
        grants.extend(paid.grants(plan));
        last = paid.into_subscription();
    }
    let until = last
        .current_period
        .filter(|_| periods > 0)
        .map(|period| period.end);

    // However many commands were carried out, the row changes in one step.
    last.version = before.version;
    let is_changed = last != *before;
    let subscription = RowChange::next(before.version, "subscription", |version| Subscription {
        version,
        ..last
    })?;

    Ok(Paid {
        subscription: is_changed.then_some(subscription),
        grants,
        until,
    })
}

/// Returns the account after money arrived: active and on this method if it paid for a period.
pub(super) fn paid_account(
    account: &Account,
    has_paid: bool,
) -> Result<RowChange<Account>, RowError> {
    RowChange::next(account.version, "account", |version| {
        let before = account.clone();

        if has_paid {
            Account {
                status: account.status.after_payment(),
                payment_method: PaymentMethod::BankTransfer,
                version,
                ..before
            }
        } else {
            // It is written all the same, so that no two transfers are confirmed at once.
            Account { version, ..before }
        }
    })
}
