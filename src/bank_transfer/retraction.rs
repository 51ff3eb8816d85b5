//! Retractions: a transfer that never was, since it bounced or was confirmed for the wrong account.

use chrono::{DateTime, Utc};

use super::claim::Claim;
use super::deposit::Deposit;
use super::record::ConfirmedTransfer;
use super::retraction_error::RetractionError;
use crate::account::Account;
use crate::change::{Answer, RowChange, RowError};
use crate::charge::Charge;
use crate::credit::DueRevocation;
use crate::gate::Operator;
use crate::id::PlanId;
use crate::money::Money;
use crate::paid_time::{Fact, PaidTime, RecordError, Void};
use crate::right::Privilege;
use crate::subscription::Subscription;

/// The fault of a sum that leaves its range.
const OVERFLOW: RowError = RowError::Overflow {
    of: "sum of the deposit and the transfer",
};

/// The rows that a host loads before it retracts a transfer, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct RetractionFacts {
    /// The registry's row of the transfer.
    pub record: ConfirmedTransfer,
    /// The account that was credited.
    pub account: Account,
    /// The account's subscription, if it has one.
    pub subscription: Option<Subscription>,
    /// The paid time of the subscription that the record names; `None` where it names none.
    pub paid_time: Option<PaidTime>,
    /// The account's deposit, if it has one.
    pub deposit: Option<Deposit>,
    /// The claim that the record names; `None` where it names none.
    pub claim: Option<Claim>,
    /// The charge that the record names; `None` where it names none.
    pub charge: Option<Charge>,
}

/// Everything that a retraction changes, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct RetractionChange {
    record: RowChange<ConfirmedTransfer>,
    account: RowChange<Account>,
    subscription: Option<RowChange<Subscription>>,
    paid_time: Option<RowChange<PaidTime>>,
    deposit: Option<RowChange<Deposit>>,
    claim: Option<RowChange<Claim>>,
    charge: Option<RowChange<Charge>>,
    revocations: Vec<DueRevocation>,
}

impl RetractionChange {
    /// Returns the registry's row to update.
    pub fn record(&self) -> &RowChange<ConfirmedTransfer> {
        &self.record
    }

    /// Returns the account to update.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// Returns the account's plan from now on; `None` if it stays.
    pub fn plan(&self) -> Option<&PlanId> {
        self.subscription.as_ref().map(|change| &change.row().plan)
    }

    /// Returns the subscription to update.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// Returns the paid time to update. Align the wallet with it in the same transaction: see
    /// [`Wallet::align`](crate::Wallet::align).
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid_time.as_ref()
    }

    /// Returns the deposit to insert or update, under UNIQUE (account).
    pub fn deposit(&self) -> Option<&RowChange<Deposit>> {
        self.deposit.as_ref()
    }

    /// Returns the claim to update: it waits for its transfer again.
    pub fn claim(&self) -> Option<&RowChange<Claim>> {
        self.claim.as_ref()
    }

    /// Returns the charge to update, if the transfer had paid it: it is open again, and its next
    /// payment has keys of its own.
    pub fn charge(&self) -> Option<&RowChange<Charge>> {
        self.charge.as_ref()
    }

    /// Returns the grants of a top-up or a pack to take back, as far as they are not spent: see
    /// [`Wallet::revoke_due`](crate::Wallet::revoke_due).
    pub fn revocations(&self) -> &[DueRevocation] {
        &self.revocations
    }
}

impl ConfirmedTransfer {
    /// Retracts a transfer: it bounced, or was confirmed for the wrong account, so it never was.
    /// Its time is [void](Void), and the account's other rows are as they were before. A value that
    /// somebody has changed since stays as it is: a cancellation, for example. Its record stays in
    /// the registry, and the transfer may be confirmed again, for the right account. Repeated, it
    /// changes nothing.
    ///
    /// The charge that it had paid is open again: an upgrade's plan is the one before.
    ///
    /// Credits of its time that were spent become a debt. Those of a top-up or a pack are taken back as far as
    /// they are not spent. A subscription that was [ended at its provider](Self::ends_at_provider)
    /// stays so.
    ///
    /// Money that arrived and goes back to its payer is a [refund](Self::refund) instead. The
    /// operator was admitted under [`Privilege::ConfirmPayments`] and belongs to another account.
    ///
    /// # Errors
    /// In this order: [`RetractionError::Denied`], [`RetractionError::Row`] for rows of another
    /// account, [`RetractionError::Refunded`], [`RetractionError::NotKept`],
    /// [`RetractionError::LaterPaid`], [`RetractionError::DepositCurrency`],
    /// [`RetractionError::DepositUsed`], [`RetractionError::PaidTime`]; and
    /// [`RetractionError::Row`] for a version or a sum.
    ///
    /// ```
    /// use bailiwick::bank_transfer::{ConfirmedTransfer, RetractionError, RetractionFacts};
    /// use bailiwick::change::Answer;
    /// use bailiwick::gate::Operator;
    /// use chrono::{DateTime, Utc};
    ///
    /// fn retract(
    ///     operator: &Operator,
    ///     facts: RetractionFacts,
    ///     now: DateTime<Utc>,
    /// ) -> Result<(), RetractionError> {
    ///     match ConfirmedTransfer::retract(operator, facts, now)? {
    ///         // Write every part of the change, and align the wallet, in one transaction.
    ///         Answer::Fresh(change) => println!("{:?}", change.account().row().status),
    ///         // It was retracted before: write nothing.
    ///         Answer::Replayed(record) => println!("retracted at {:?}", record.retracted_at),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn retract(
        operator: &Operator,
        facts: RetractionFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<RetractionChange, Self>, RetractionError> {
        let RetractionFacts {
            record,
            account,
            subscription,
            paid_time,
            deposit,
            claim,
            charge,
        } = facts;
        operator.check_foreign(Privilege::ConfirmPayments, &record.account)?;

        if record.retracted_at.is_some() {
            return Ok(Answer::Replayed(record));
        }
        if account.id != record.account {
            let (left, right) = ("account", "confirmed transfer");
            return Err(RowError::Mismatch { left, right }.into());
        }
        let paid_time = record.check_own(subscription.as_ref(), deposit.as_ref(), paid_time)?;
        let claim = record.check_claim(claim)?;
        let charge = record.check_charge(charge)?;

        let subscription =
            subscription.filter(|paid| Some(&paid.id) == record.subscription.as_ref());
        record.check_retractable(subscription.as_ref(), paid_time.as_ref())?;
        let deposit = record.deposit_without(deposit.as_ref())?;

        let paid_time = paid_time
            .and_then(|paid_time| record.void(paid_time).transpose())
            .transpose()?;
        let account = record.account_before(account, subscription.is_some())?;
        let subscription = subscription
            .map(|paid| record.subscription_before(paid, paid_time.as_ref()))
            .transpose()?
            .flatten();
        let claim = claim.map(Claim::reopen).transpose()?;
        let charge = charge.map(Charge::reopen).transpose()?;
        let revocations = record.revocations();

        let record = RowChange::next(record.version, "confirmed transfer", |version| Self {
            retracted_at: Some(now),
            retracted_by_account: Some(operator.account_id().clone()),
            retracted_by: operator.user().cloned(),
            version,
            ..record
        })?;
        Ok(Answer::Fresh(RetractionChange {
            record,
            account,
            subscription,
            paid_time,
            deposit,
            claim,
            charge,
            revocations,
        }))
    }

    /// Returns the claim that this transfer answered. It cannot be left out: it would count as
    /// answered for ever.
    fn check_claim(&self, claim: Option<Claim>) -> Result<Option<Claim>, RowError> {
        let is_own = |claim: &Claim| {
            claim.account == self.account
                && self.claim.as_ref() == Some(claim.facts.reference())
                && claim.is_answered_by(&self.transfer)
        };

        match claim {
            Some(claim) if is_own(&claim) => Ok(Some(claim)),
            None if self.claim.is_none() => Ok(None),
            _ => Err(RowError::Mismatch {
                left: "claim",
                right: "confirmed transfer",
            }),
        }
    }

    /// Returns the charge that this transfer paid. It cannot be left out: it would count as paid for
    /// ever.
    fn check_charge(&self, charge: Option<Charge>) -> Result<Option<Charge>, RowError> {
        let mismatch = RowError::Mismatch {
            left: "charge",
            right: "confirmed transfer",
        };
        let is_named = |charge: &Charge| {
            charge.account == self.account && self.charge.as_ref() == Some(&charge.id)
        };

        match charge {
            Some(charge) if !is_named(&charge) => Err(mismatch),
            // The money did not pay it, and was kept.
            _ if self.paid_charge().is_none() => Ok(None),
            Some(charge) if charge.is_paid_by(&self.payment()) => Ok(Some(charge)),
            _ => Err(mismatch),
        }
    }

    /// Checks that the money is still where the confirmation has put it.
    fn check_retractable(
        &self,
        subscription: Option<&Subscription>,
        paid_time: Option<&PaidTime>,
    ) -> Result<(), RetractionError> {
        if !self.refunded.is_zero() {
            let refunded = self.refunded;
            return Err(RetractionError::Refunded { refunded });
        }

        // A part of a price, a top-up and a pack have paid for no time.
        let has_paid = self.periods > 0 || self.paid_charge().is_some();
        let Some(paid_time) = paid_time.filter(|_| has_paid) else {
            return Ok(());
        };
        let undo = self.undo.as_ref().ok_or(RetractionError::NotKept)?;
        let is_followed = subscription.is_some_and(|paid| paid.current_period != undo.opened());
        if is_followed || self.is_paid_upon(paid_time) {
            return Err(RetractionError::LaterPaid);
        }

        Ok(())
    }

    /// Returns the deposit without what this transfer left in it, and with what it used up.
    fn deposit_without(
        &self,
        deposit: Option<&Deposit>,
    ) -> Result<Option<RowChange<Deposit>>, RetractionError> {
        let amount = self.transfer.amount();
        let used = self.applied.checked_add(self.noted).ok_or(OVERFLOW)?;
        let arrived = amount.checked_add(self.written_off).ok_or(OVERFLOW)?;
        if used == arrived {
            return Ok(None);
        }

        // A deposit of zero is in no currency.
        let zero = Money::zero(amount.currency());
        let before = deposit.map_or(zero, |deposit| deposit.amount);
        let before = if before.is_zero() { zero } else { before };
        if before.currency() != amount.currency() {
            let deposit = before;
            return Err(RetractionError::DepositCurrency { deposit, amount });
        }

        let left = before
            .checked_add(used)
            .ok_or(OVERFLOW)?
            .checked_sub(arrived)
            .ok_or(RetractionError::DepositUsed { deposit: before })?;
        Ok(Deposit::change(deposit, &self.account, left)?)
    }

    /// Records that its payment never was; `None` if it paid for no time.
    fn void(&self, paid_time: PaidTime) -> Result<Option<RowChange<PaidTime>>, RecordError> {
        let payment = self.payment();
        let is_line = |fact: &Fact| matches!(fact, Fact::Span(span) if *span.payment == *payment);
        if !paid_time.facts().iter().any(is_line) {
            return Ok(None);
        }

        let void = Fact::Void(Void {
            key: format!("void/{payment}").into(),
            payment: payment.into(),
        });
        paid_time.record([void])
    }

    /// Returns the account as it was before. `is_paid` tells that the subscription is still the one
    /// that was paid, and nothing was paid on top.
    fn account_before(
        &self,
        account: Account,
        is_paid: bool,
    ) -> Result<RowChange<Account>, RowError> {
        let expected = account.version;
        let before = match &self.undo {
            Some(undo) => undo.account(account, is_paid),
            None => account,
        };

        // It is written all the same, so that no payment is confirmed at once.
        RowChange::next(expected, "account", |version| Account { version, ..before })
    }

    /// Returns the subscription as it was before; `None` if it stays as it is.
    fn subscription_before(
        &self,
        now: Subscription,
        paid_time: Option<&RowChange<PaidTime>>,
    ) -> Result<Option<RowChange<Subscription>>, RowError> {
        let mut before = match &self.undo {
            Some(undo) => undo.subscription(now.clone()),
            None => now.clone(),
        };
        if let Some(paid_time) = paid_time {
            before.paid_until = paid_time.row().paid_until();
        }
        if before == now {
            return Ok(None);
        }

        let change = RowChange::next(now.version, "subscription", |version| Subscription {
            version,
            ..before
        })?;
        Ok(Some(change))
    }
}
