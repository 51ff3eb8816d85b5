//! The rows that the confirmation of a transfer reads, and those that it changes.

use std::sync::Arc;

use super::claim::Claim;
use super::deposit::Deposit;
use super::record::ConfirmedTransfer;
use crate::account::Account;
use crate::change::RowChange;
use crate::charge::{Charge, NotPayable};
use crate::credit::DueGrant;
use crate::id::PlanId;
use crate::paid_time::PaidTime;
use crate::plan::Plan;
use crate::subscription::Subscription;

/// The rows that a host loads before it confirms a transfer, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct TransferFacts {
    /// The account to credit.
    pub account: Account,
    /// The charge that the transfer names, or whose [reference](Charge::reference) it carries, if it
    /// does: then the money pays that, and never the plan's period.
    pub charge: Option<Charge>,
    /// The plan to pay for: that of [`Subscription::next_plan`], or of an account without a
    /// subscription its own.
    pub plan: Arc<Plan>,
    /// Its subscription, if the plan needs one.
    pub subscription: Option<Subscription>,
    /// The paid time of that subscription: [`PaidTime::new`] where none is stored, and `None` only
    /// where there is no subscription to pay for, as there is none for a pack of credits.
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
    pub(super) account: RowChange<Account>,
    pub(super) plan: PlanId,
    pub(super) subscription: Option<RowChange<Subscription>>,
    pub(super) paid_time: Option<RowChange<PaidTime>>,
    pub(super) charge: Option<RowChange<Charge>>,
    pub(super) not_payable: Option<NotPayable>,
    pub(super) deposit: Option<RowChange<Deposit>>,
    pub(super) claim: Option<RowChange<Claim>>,
    pub(super) grants: Vec<DueGrant>,
    pub(super) record: ConfirmedTransfer,
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

    /// Returns the charge to update, if the money paid it.
    pub fn charge(&self) -> Option<&RowChange<Charge>> {
        self.charge.as_ref()
    }

    /// Returns the reason why the charge that the transfer names was not paid, for the operator: the
    /// money is kept as the account's deposit.
    pub fn not_payable(&self) -> Option<NotPayable> {
        self.not_payable
    }

    /// Returns the deposit to insert or update, under UNIQUE (account).
    pub fn deposit(&self) -> Option<&RowChange<Deposit>> {
        self.deposit.as_ref()
    }

    /// Returns the claim to update.
    pub fn claim(&self) -> Option<&RowChange<Claim>> {
        self.claim.as_ref()
    }

    /// Returns the credits of a top-up, on a plan without a subscription, or of a pack that was paid:
    /// see [`DueGrant`]. Those of a period follow its [paid time](Self::paid_time).
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }

    /// Returns the row to insert into the registry, under UNIQUE (receiving account, transaction,
    /// booking date, retractions). A clash means: load again and ask again.
    pub fn record(&self) -> &ConfirmedTransfer {
        &self.record
    }
}
