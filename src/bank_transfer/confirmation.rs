//! The confirmation of a bank transfer, by an operator who does not belong to the account that it
//! credits.

use std::slice;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::allotment::Split;
use super::charge_payment::Paid;
use super::deposit::Deposit;
use super::error::ConfirmError;
use super::look_up::look_up;
use super::opening::{Opened, Opening, paid_account};
use super::record::ConfirmedTransfer;
use super::rows::{check_paid_time, check_rows};
use super::transfer::BankTransfer;
use super::transfer_change::{TransferChange, TransferFacts};
use super::undo::TransferUndo;
use crate::account::Account;
use crate::change::{Answer, RowChange, RowError};
use crate::charge::{Charge, ChargePaymentFacts};
use crate::credit::{Cause, DueGrant, GrantTerms};
use crate::gate::Operator;
use crate::id::AccountId;
use crate::money::Money;
use crate::paid_time::PaidTime;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::right::Privilege;
use crate::subscription::{Subscription, Transition};

impl Policy {
    /// Confirms that a bank transfer arrived: the account's status, its subscription's next period,
    /// the time that was paid, and the registry's row change together. The same facts again give
    /// the same answer and change nothing.
    ///
    /// The money adds to the account's deposit. Below the plan's price it is recorded and kept; the
    /// transfer with which the sum reaches the price opens the period; it may miss the price by the
    /// policy's [tolerance](crate::policy::PolicySettings::transfer_tolerance), which is written off
    /// on record. The policy's
    /// [`Overpayment`](crate::policy::Overpayment) decides about the part above the price. A period
    /// that is paid lifts a suspension for an overdue payment; one for any other cause stays, and
    /// the payment counts all the same. The period continues the last one if the payment comes
    /// while tenants are still admitted, slack and grace included, so that no service is free. All
    /// that time had made due for the subscription is carried out first.
    ///
    /// Each period that opens is a [`Span`](crate::paid_time::Span) of paid time, and the credits of
    /// its windows follow from that.
    ///
    /// On a plan that needs no subscription, the transfer tops up: it brings the plan's credits, or
    /// the number that the policy names instead, and they never expire. While a change to a plan
    /// without a price, or without a subscription, waits for its time, all of the money becomes a
    /// deposit.
    ///
    /// A transfer that names a [charge](TransferFacts::charge) pays that instead, with the deposit
    /// before it: an upgrade changes the plan, a period opens, a pack is granted. The part above
    /// the charge goes as the policy's overpayment says. The charge must be valid on the day on
    /// which the transfer was booked. If it is not, or is void, paid, not reached, or no longer what
    /// was quoted, all of the money becomes a deposit, nothing else changes, and
    /// [`TransferChange::not_payable`] tells why.
    ///
    /// # Errors
    /// In this order: [`ConfirmError::Denied`] for the operator; [`ConfirmError::Row`] for records
    /// of another identifier, [`ConfirmError::Conflict`], [`ConfirmError::Similar`]; for the rows
    /// [`ConfirmError::Denied`], [`ConfirmError::Row`], [`ConfirmError::ClaimMismatch`],
    /// [`ConfirmError::PlanMismatch`]; [`ConfirmError::ComingSoon`], [`ConfirmError::Currency`],
    /// [`ConfirmError::Nothing`], [`ConfirmError::DepositCurrency`]; for the subscription
    /// [`ConfirmError::SubscriptionMissing`], [`ConfirmError::PlanMismatch`],
    /// [`ConfirmError::Refused`], [`ConfirmError::PaidTime`]; and [`ConfirmError::Row`] for a
    /// version or a sum. Rows of another account, and paid time that is left out, are refused with
    /// the rows.
    ///
    /// ```
    /// use bailiwick::Policy;
    /// use bailiwick::bank_transfer::{BankTransfer, ConfirmError, TransferFacts};
    /// use bailiwick::change::Answer;
    /// use bailiwick::gate::Operator;
    /// use chrono::{DateTime, Utc};
    ///
    /// fn confirm(
    ///     policy: &Policy,
    ///     operator: &Operator,
    ///     transfer: &BankTransfer,
    ///     facts: TransferFacts,
    ///     now: DateTime<Utc>,
    /// ) -> Result<(), ConfirmError> {
    ///     match policy.confirm_bank_transfer(operator, transfer, facts, now)? {
    ///         // Write every part of the change, align the wallet with the paid time, and grant
    ///         // the credits of a top-up, in one transaction.
    ///         Answer::Fresh(change) => println!("{} periods", change.record().periods),
    ///         // It was confirmed before: write nothing.
    ///         Answer::Replayed(record) => println!("confirmed at {}", record.confirmed_at),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn confirm_bank_transfer(
        &self,
        operator: &Operator,
        transfer: &BankTransfer,
        facts: TransferFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError> {
        let TransferFacts {
            account,
            charge,
            plan,
            subscription,
            paid_time,
            deposit,
            claim,
            prior,
        } = facts;
        operator.check_foreign(Privilege::ConfirmPayments, &account.id)?;

        let subscription = subscription.as_ref();
        let paid_for = paid_for(charge.as_ref(), &plan, subscription);
        let charge_id = charge.as_ref().map(|charge| charge.id.clone());
        // Before all else, so that a repeated request is answered alike whatever has changed since.
        let paid_id = paid_for.map(|subscription| &subscription.id);
        let retractions = match look_up(prior, transfer, &account.id, charge_id.as_ref(), paid_id)?
        {
            Answer::Replayed(prior) => return Ok(Answer::Replayed(prior)),
            Answer::Fresh(retractions) => retractions,
        };

        check_rows(
            &account,
            subscription,
            deposit.as_ref(),
            claim.as_ref(),
            charge.as_ref(),
        )?;
        let paid_time = paid_for
            .map(|paid_for| check_paid_time(paid_time, &account.id, &paid_for.id))
            .transpose()?;
        if charge.is_none() {
            check_top_up(&plan, subscription)?;
        }
        // After the replay: a transfer that was confirmed stays so, whatever is enabled now.
        if !self.is_enabled(PaymentMethod::BankTransfer) {
            return Err(ConfirmError::ComingSoon);
        }

        let Paid {
            split,
            account: paid,
            opened,
            grants,
            charge,
            not_payable,
        } = match charge {
            Some(charge) => {
                let rows = ChargePaymentFacts {
                    account: account.clone(),
                    subscription: paid_for.cloned(),
                    paid_time,
                };
                let deposit = deposit.as_ref();
                self.pay_named_charge(charge, transfer, retractions, rows, deposit, now)?
            }
            None => {
                let rows = (&account, paid_for.zip(paid_time), deposit.as_ref());
                self.pay_plan(&plan, subscription, transfer, retractions, rows, now)?
            }
        };
        let undo = TransferUndo::of(&account, paid.row(), paid_for, opened.subscription.as_ref());
        let record = ConfirmedTransfer {
            retractions,
            charge: charge_id,
            claim: claim.as_ref().map(|claim| claim.facts.reference().clone()),
            undo: Some(undo),
            ..record(
                operator,
                transfer,
                &account.id,
                paid_for,
                &split,
                (opened.until, &grants),
                now,
            )?
        };

        let after = opened
            .subscription
            .as_ref()
            .map(RowChange::row)
            .or(subscription.filter(|paid| paid_for.is_some() || !paid.is_terminal()));
        let plan_id = after.map_or(&plan.id, |subscription| &subscription.plan);
        Ok(Answer::Fresh(TransferChange {
            plan: plan_id.clone(),
            account: paid,
            subscription: opened.subscription,
            paid_time: opened.paid_time,
            charge,
            not_payable,
            deposit: Deposit::change(deposit.as_ref(), &account.id, split.kept)?,
            claim: claim.map(|claim| claim.confirm(transfer)).transpose()?,
            grants,
            record,
        }))
    }

    /// Pays for the plan: its next periods, or on a plan that needs no subscription a top-up.
    fn pay_plan(
        &self,
        plan: &Arc<Plan>,
        subscription: Option<&Subscription>,
        transfer: &BankTransfer,
        retractions: u32,
        (account, paid_for, deposit): PlanRows<'_>,
        now: DateTime<Utc>,
    ) -> Result<Paid, ConfirmError> {
        let amount = transfer.amount();
        let split = if takes_no_payment(plan, subscription) {
            Split::keep(amount, deposit, Money::zero(amount.currency()))?
        } else {
            self.split(plan.price, self.max_periods(plan.price), amount, deposit)?
        };

        let (opened, grants) = match paid_for {
            Some((paid_for, paid_time)) => {
                let opening = Opening {
                    plan,
                    periods: split.periods,
                    payment: transfer.payment(retractions).into(),
                    external_id: Some(transfer.transaction().to_string()),
                };
                let opened = self.open_due(paid_for, plan, paid_time, opening, now)?;
                (opened, Vec::new())
            }
            None if plan.needs_subscription => return Err(ConfirmError::SubscriptionMissing),
            None => {
                let cause = transfer.cause(&account.id, retractions);
                (Opened::default(), self.top_up(cause, plan, split.periods)?)
            }
        };

        Ok(Paid {
            account: paid_account(account, split.periods > 0)?,
            split,
            opened,
            grants,
            charge: None,
            not_payable: None,
        })
    }

    /// Opens the periods that a transfer pays for, after all that time has made due.
    fn open_due(
        &self,
        subscription: &Subscription,
        plan: &Arc<Plan>,
        paid_time: PaidTime,
        opening: Opening<'_>,
        now: DateTime<Utc>,
    ) -> Result<Opened, ConfirmError> {
        // No payment depends on whether a job ran in time: its last transition is as good as all.
        let due = self
            .advance_subscription(subscription, slice::from_ref(plan), now)
            .pop();
        let last = due.map_or_else(|| subscription.clone(), Transition::into_subscription);

        self.open_periods(subscription, last, paid_time, opening, now)
    }

    /// Makes the credits due that a transfer brings without a subscription.
    fn top_up(&self, cause: Cause, plan: &Plan, periods: u32) -> Result<Vec<DueGrant>, RowError> {
        let credits = self
            .top_up_credits
            .unwrap_or(plan.credits)
            .checked_mul(periods)
            .ok_or(RowError::Overflow {
                of: "credits of the transfer",
            })?;
        let due = DueGrant::new(cause, GrantTerms::forever(credits));

        Ok(due.into_iter().collect())
    }
}

/// The account, the subscription that is paid with its paid time, and the deposit.
type PlanRows<'a> = (
    &'a Account,
    Option<(&'a Subscription, PaidTime)>,
    Option<&'a Deposit>,
);

/// Returns the subscription that a transfer pays for: that of the charge that it names, or else the
/// account's, if the plan needs one.
fn paid_for<'a>(
    charge: Option<&Charge>,
    plan: &Plan,
    subscription: Option<&'a Subscription>,
) -> Option<&'a Subscription> {
    subscription.filter(|found| match charge {
        Some(charge) => charge.subscription() == Some(&found.id),
        None => plan.needs_subscription,
    })
}

/// Returns whether a plan will follow that of the subscription and takes no payment: it has no price,
/// or needs no subscription. Until it begins, there is nothing to pay for.
fn takes_no_payment(plan: &Plan, subscription: Option<&Subscription>) -> bool {
    let follows = |subscription: &Subscription| {
        !subscription.is_terminal()
            && subscription.plan != plan.id
            && *subscription.next_plan() == plan.id
    };

    (plan.price.is_zero() || !plan.needs_subscription) && subscription.is_some_and(follows)
}

/// Checks that no subscription stands in the way of a top-up: on a plan that needs none, there is
/// none, it has ended, or it is to this very plan or will change to it.
fn check_top_up(plan: &Plan, subscription: Option<&Subscription>) -> Result<(), ConfirmError> {
    let is_in_the_way = |subscription: &Subscription| {
        !subscription.is_terminal()
            && subscription.plan != plan.id
            && *subscription.next_plan() != plan.id
    };

    if !plan.needs_subscription && subscription.is_some_and(is_in_the_way) {
        Err(ConfirmError::PlanMismatch)
    } else {
        Ok(())
    }
}

/// Makes the registry's row of a transfer.
fn record(
    operator: &Operator,
    transfer: &BankTransfer,
    account: &AccountId,
    subscription: Option<&Subscription>,
    split: &Split,
    (paid_until, grants): (Option<DateTime<Utc>>, &[DueGrant]),
    now: DateTime<Utc>,
) -> Result<ConfirmedTransfer, RowError> {
    let zero = Money::zero(transfer.amount().currency());
    let credits = DueGrant::total(grants).ok_or(RowError::Overflow {
        of: "credits of the transfer",
    })?;

    Ok(ConfirmedTransfer {
        transfer: transfer.clone(),
        retractions: 0,
        account: account.clone(),
        charge: None,
        subscription: subscription.map(|subscription| subscription.id.clone()),
        periods: split.periods,
        paid_until,
        applied: split.applied,
        noted: split.noted,
        written_off: split.written_off,
        // A part of a price leaves the provider in charge.
        ends_at_provider: subscription
            .filter(|_| split.periods > 0)
            .and_then(Subscription::run_by),
        credits,
        grants: grants.iter().map(|due| due.key().into()).collect(),
        refunded: zero,
        taken_back: zero,
        claim: None,
        undo: None,
        confirmed_by_account: operator.account_id().clone(),
        confirmed_by: operator.user().cloned(),
        confirmed_at: now,
        retracted_at: None,
        retracted_by_account: None,
        retracted_by: None,
        version: 1,
    })
}
