//! One account and all its rows, written under the guards that each change names.

use std::collections::{BTreeMap, BTreeSet};

use super::at;
use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::Deposit;
use bailiwick::change::RowChange;
use bailiwick::charge::Charge;
use bailiwick::credit::{AlignTerms, Balance, Change, DueGrant, DueRevocation, Hold, Outcome};
use bailiwick::id::PlanId;
use bailiwick::paid_time::PaidTime;
use bailiwick::provider::{PaidInvoice, ProviderUndone};
use bailiwick::{Account, Credits, Money, Subscription, Wallet};

#[derive(Debug)]
pub struct Books {
    pub account: Account,
    /// The plan that the account is on.
    pub plan: PlanId,
    pub subscription: Subscription,
    pub paid_time: PaidTime,
    pub wallet: Wallet,
    pub outcomes: BTreeMap<String, Outcome>,
    pub holds: BTreeMap<String, Hold>,
    /// What was granted beside what paid time brings.
    pub granted: Credits,
    /// What was taken back of that.
    pub taken: Credits,
    /// What holds may yet give back of what was taken.
    pub pinned: Credits,
    pub deposit: Option<Deposit>,
    pub charges: BTreeMap<i64, Charge>,
    pub invoices: BTreeMap<String, PaidInvoice>,
    /// Payments that were undone before they were heard of.
    pub undone_early: Vec<ProviderUndone>,
    pub spent: Credits,
    pub answers: Vec<bool>,
}

impl Books {
    pub fn write<T>(&mut self, change: &Change<T>) {
        assert_eq!(change.expected_version(), self.wallet.version());
        self.wallet = change.wallet().clone();
        if let Some(write) = change.outcome() {
            let outcome = write.outcome();
            self.outcomes
                .insert(outcome.key().to_owned(), outcome.clone());
        }
    }

    pub fn grant(&mut self, due: &[DueGrant], now: i64) {
        for due in due {
            let prior = self.outcomes.get(due.key());
            if let Some(change) = self.wallet.clone().grant_due(due, prior, at(now)).unwrap() {
                self.write(&change);
                self.granted = self.granted.checked_add(due.terms().amount).unwrap();
            }
        }
    }

    pub fn revoke(&mut self, due: &[DueRevocation], now: i64) {
        for due in due {
            let prior = self.outcomes.get(&due.key());
            if let Some(change) = self.wallet.clone().revoke_due(due, prior, at(now)).unwrap() {
                self.write(&change);
                let revocation = change.into_result();
                self.taken = self.taken.checked_add(revocation.revoked).unwrap();
                self.pinned = self.pinned.checked_add(revocation.pinned).unwrap();
            }
        }
    }

    /// Writes paid time, and sets the wallet to it.
    pub fn set_paid_time(
        &mut self,
        change: Option<&RowChange<PaidTime>>,
        terms: AlignTerms,
        now: i64,
    ) {
        let Some(change) = change else { return };
        assert_eq!(change.expected_version(), self.paid_time.version());
        self.paid_time = change.row().clone();
        assert_eq!(self.subscription.paid_until, self.paid_time.paid_until());

        let schedule = self.paid_time.schedule();
        let aligned = self.wallet.clone().align(&schedule, terms, at(now));
        if let Some(change) = aligned.unwrap() {
            self.write(&change);
            assert!(change.into_result().before_memory.is_empty());
        }
    }

    pub fn set_account(&mut self, change: Option<&RowChange<Account>>) {
        if let Some(change) = change {
            assert_eq!(change.expected_version(), self.account.version);
            self.account = change.row().clone();
        }
    }

    pub fn set_subscription(&mut self, change: Option<&RowChange<Subscription>>) {
        if let Some(change) = change {
            assert_eq!(change.expected_version(), self.subscription.version);
            self.subscription = change.row().clone();
        }
    }

    pub fn set_plan(&mut self, plan: Option<&PlanId>) {
        if let Some(plan) = plan {
            self.plan = plan.clone();
        }
    }

    pub fn set_deposit(&mut self, change: Option<&RowChange<Deposit>>) {
        if let Some(change) = change {
            let before = self.deposit.as_ref().map_or(0, |deposit| deposit.version);
            assert_eq!(change.expected_version(), before);
            self.deposit = Some(change.row().clone());
        }
    }

    pub fn set_charge(&mut self, change: Option<&RowChange<Charge>>) {
        if let Some(change) = change {
            let charge = change.row();
            let id = charge.id.to_string().parse().unwrap();
            let before = self.charges.insert(id, charge.clone());
            let version = before.map_or(0, |before| before.version);
            assert_eq!(change.expected_version(), version);
        }
    }

    /// Everything but versions.
    #[allow(clippy::type_complexity, reason = "it is only compared")]
    pub fn state(
        &self,
        now: i64,
    ) -> (
        AccountStatus,
        PlanId,
        Subscription,
        Balance,
        Option<Money>,
        BTreeSet<String>,
        Vec<bool>,
    ) {
        (
            self.account.status,
            self.plan.clone(),
            Subscription {
                version: 0,
                ..self.subscription.clone()
            },
            self.wallet.balance_at(at(now)).unwrap(),
            self.deposit.as_ref().map(|deposit| deposit.amount),
            self.outcomes.keys().cloned().collect(),
            self.answers.clone(),
        )
    }
}
