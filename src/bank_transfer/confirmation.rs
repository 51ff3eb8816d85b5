//! The confirmation of a bank transfer, by an operator who does not belong to the account that it
//! credits.

use std::slice;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::allotment::Split;
use super::claim::Claim;
use super::deposit::Deposit;
use super::error::ConfirmError;
use super::opening::{Opened, Opening, paid_account};
use super::record::ConfirmedTransfer;
use super::rows::{check_paid_time, check_rows};
use super::transfer::BankTransfer;
use super::undo::TransferUndo;
use crate::account::Account;
use crate::change::{Answer, RowChange, RowError};
use crate::credit::{Cause, DueGrant, GrantTerms};
use crate::gate::Operator;
use crate::id::{AccountId, PlanId, SubscriptionId};
use crate::money::Money;
use crate::paid_time::PaidTime;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::right::Privilege;
use crate::subscription::{Subscription, Transition};

/// The rows that a host loads before it confirms a transfer, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct TransferFacts {
    /// The account to credit.
    pub account: Account,
    /// The plan to pay for: that of [`Subscription::next_plan`], or of an account without a
    /// subscription its own.
    pub plan: Arc<Plan>,
    /// Its subscription, if the plan needs one.
    pub subscription: Option<Subscription>,
    /// The paid time of that subscription: [`PaidTime::new`] where none is stored, and `None` only
    /// where there is no subscription to pay for.
    pub paid_time: Option<PaidTime>,
    /// Its deposit, if there is one.
    pub deposit: Option<Deposit>,
    /// The claim that the transfer answers, if there is one.
    pub claim: Option<Claim>,
    /// All of the registry's rows for this (receiving account, transaction): of every booking date,
    /// and those that were retracted too.
    pub prior: Vec<ConfirmedTransfer>,
}

/// Everything that a confirmed transfer changes, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct TransferChange {
    account: RowChange<Account>,
    plan: PlanId,
    subscription: Option<RowChange<Subscription>>,
    paid_time: Option<RowChange<PaidTime>>,
    deposit: Option<RowChange<Deposit>>,
    claim: Option<RowChange<Claim>>,
    grants: Vec<DueGrant>,
    record: ConfirmedTransfer,
}

impl TransferChange {
    /// Returns the account to update.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// Returns the account's plan from now on: another than before where a change was pending and
    /// is paid now.
    pub fn plan(&self) -> &PlanId {
        &self.plan
    }

    /// Returns the subscription to update.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// Returns the paid time to insert or update, under UNIQUE (account, subscription); `None` where
    /// no period was opened. Align the wallet with it in the same transaction: see
    /// [`Wallet::align`](crate::Wallet::align).
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid_time.as_ref()
    }

    /// Returns the deposit to insert or update, under UNIQUE (account).
    pub fn deposit(&self) -> Option<&RowChange<Deposit>> {
        self.deposit.as_ref()
    }

    /// Returns the claim to update.
    pub fn claim(&self) -> Option<&RowChange<Claim>> {
        self.claim.as_ref()
    }

    /// Returns the credits of a top-up, on a plan without a subscription: see [`DueGrant`]. Those of
    /// a period follow its [paid time](Self::paid_time).
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }

    /// Returns the row to insert into the registry, under UNIQUE (receiving account, transaction,
    /// booking date, retractions). A clash means: load again and ask again.
    pub fn record(&self) -> &ConfirmedTransfer {
        &self.record
    }
}

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
    /// the number that the policy names instead, and they never expire.
    ///
    /// # Errors
    /// In this order: [`ConfirmError::Denied`] for the operator; [`ConfirmError::Row`] for records
    /// of another identifier, [`ConfirmError::Conflict`], [`ConfirmError::Similar`]; for the rows [`ConfirmError::Denied`], [`ConfirmError::Row`], [`ConfirmError::ClaimMismatch`],
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
            plan,
            subscription,
            paid_time,
            deposit,
            claim,
            prior,
        } = facts;
        operator.check_foreign(Privilege::ConfirmPayments, &account.id)?;

        let subscription = subscription.as_ref();
        let paid_for = subscription.filter(|_| plan.needs_subscription);
        // Before all else, so that a repeated request is answered alike whatever has changed since.
        let paid_id = paid_for.map(|subscription| &subscription.id);
        let retractions = match look_up(prior, transfer, &account.id, paid_id)? {
            Answer::Replayed(prior) => return Ok(Answer::Replayed(prior)),
            Answer::Fresh(retractions) => retractions,
        };

        check_rows(&account, subscription, deposit.as_ref(), claim.as_ref())?;
        let paid_time = paid_for
            .map(|paid_for| check_paid_time(paid_time, &account.id, &paid_for.id))
            .transpose()?;
        check_top_up(&plan, subscription)?;
        // After the replay: a transfer that was confirmed stays so, whatever is enabled now.
        if !self.is_enabled(PaymentMethod::BankTransfer) {
            return Err(ConfirmError::ComingSoon);
        }

        let most = self.max_periods(plan.price);
        let split = self.split(plan.price, most, transfer.amount(), deposit.as_ref())?;
        let (opened, grants) = match paid_for.zip(paid_time) {
            Some((paid_for, paid_time)) => {
                let opening = Opening {
                    plan: &plan,
                    periods: split.periods,
                    payment: transfer.payment(retractions).into(),
                    external_id: Some(transfer.transaction().to_string()),
                };
                let opened = self.open_due(paid_for, &plan, paid_time, opening, now)?;
                (opened, Vec::new())
            }
            None if plan.needs_subscription => return Err(ConfirmError::SubscriptionMissing),
            None => {
                let cause = transfer.cause(&account.id, retractions);
                let due = self.top_up(cause, &plan, split.periods)?;
                (Opened::default(), due)
            }
        };
        let paid = paid_account(&account, split.periods > 0)?;
        let undo = TransferUndo::of(&account, paid.row(), paid_for, opened.subscription.as_ref());
        let record = ConfirmedTransfer {
            retractions,
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
            .or(paid_for);
        let plan_id = after.map_or(&plan.id, |subscription| &subscription.plan);
        Ok(Answer::Fresh(TransferChange {
            plan: plan_id.clone(),
            account: paid,
            subscription: opened.subscription,
            paid_time: opened.paid_time,
            deposit: Deposit::change(deposit.as_ref(), &account.id, split.kept)?,
            claim: claim.map(|claim| claim.confirm(transfer)).transpose()?,
            grants,
            record,
        }))
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

/// Looks a transfer up among the registry's rows of its identifier. Returns the row of the same
/// transfer, or the number of its retractions if it is to be confirmed now.
fn look_up(
    prior: Vec<ConfirmedTransfer>,
    transfer: &BankTransfer,
    account: &AccountId,
    subscription: Option<&SubscriptionId>,
) -> Result<Answer<u32, ConfirmedTransfer>, ConfirmError> {
    let is_foreign = |row: &ConfirmedTransfer| !row.transfer.has_identifier_of(transfer);
    if prior.iter().any(is_foreign) {
        return Err(RowError::Mismatch {
            left: "confirmed transfer",
            right: "transfer",
        }
        .into());
    }

    let (retracted, open): (Vec<_>, Vec<_>) = prior
        .into_iter()
        .partition(|row| row.retracted_at.is_some());
    if let Some(row) = open.iter().find(|row| row.transfer.has_day_of(transfer)) {
        return if row.is_of(transfer, account, subscription) {
            Ok(Answer::Replayed(row.clone()))
        } else {
            Err(ConfirmError::conflict(transfer))
        };
    }
    if let Some(day) = open
        .iter()
        .find_map(|row| transfer.similar_day(&row.transfer))
    {
        return Err(ConfirmError::similar(transfer, day));
    }

    let last = retracted.iter().map(|row| row.retractions).max();
    let retractions = last.map_or(Some(0), |last| last.checked_add(1));
    let overflow = RowError::Overflow {
        of: "number of retractions",
    };
    Ok(Answer::Fresh(retractions.ok_or(overflow)?))
}

/// Checks that no subscription stands in the way of a top-up: on a plan that needs none, there is
/// none, it has ended, or it is to this very plan.
fn check_top_up(plan: &Plan, subscription: Option<&Subscription>) -> Result<(), ConfirmError> {
    let is_in_the_way =
        |subscription: &Subscription| !subscription.is_terminal() && subscription.plan != plan.id;

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
