//! The rows that must be in the store for one account. Every write is compared with what is read
//! back, and so is every refusal.

use std::collections::BTreeMap;
use std::fmt;

use super::auditor::audit;
use super::difference::{Kept, Last, ledger_fault, outcome_fault, wallet_fault};
use super::facts::{self, at};
use super::fault::{self, Fault, Lesson};
use super::probe::{NO_KEY, Probe};
use super::store::{CreditStore, Loaded, Written};
use super::tell::{tell_entries, tell_wallet};
use crate::credit::{Balance, Change, LedgerEntry, Outcome, Wallet};
use crate::gate::Access;
use crate::id::AccountId;

/// The rows that must be in the store for one account.
pub(super) struct Book<'p, 'a, S> {
    pub(super) probe: &'p Probe<'a, S>,
    pub(super) account: AccountId,
    pub(super) access: Access,
    wallet: Option<Wallet>,
    entries: Vec<LedgerEntry>,
    outcomes: BTreeMap<String, Outcome>,
    /// The outcomes that were replaced, by which a lost update is known.
    replaced: Vec<Outcome>,
}

impl<'p, 'a, S: CreditStore> Book<'p, 'a, S> {
    /// Makes a new account, and checks that it is empty.
    pub(super) fn open(probe: &'p Probe<'a, S>) -> Result<Self, Fault> {
        let account = probe.new_account()?;
        let access = probe.own(facts::access(&account))?;

        let loaded = probe.load(&account, NO_KEY)?;
        let entries = probe.ledger(&account)?;
        if loaded.wallet.is_some() || loaded.outcome.is_some() || !entries.is_empty() {
            let seen = format!(
                "{}, {} outcomes, {}",
                tell_wallet(loaded.wallet.as_ref()),
                u8::from(loaded.outcome.is_some()),
                tell_entries(&entries)
            );
            return Err(probe.fault(fault::NOT_EMPTY, "no wallet, no outcomes, no entries", seen));
        }

        Ok(Self {
            probe,
            account,
            access,
            wallet: None,
            entries: Vec::new(),
            outcomes: BTreeMap::new(),
            replaced: Vec::new(),
        })
    }

    /// Returns the wallet that must be stored; before the first, an empty one.
    pub(super) fn wallet(&self) -> Wallet {
        self.wallet
            .clone()
            .unwrap_or_else(|| Wallet::open(self.account.clone(), at(0)))
    }

    pub(super) fn balance(&self) -> Balance {
        self.wallet().balance()
    }

    pub(super) fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// Reads the wallet and the outcome of a key, which must be as the book has them.
    pub(super) fn load(&self, key: &str) -> Result<(Wallet, Option<Outcome>), Fault> {
        self.read(key, Last::Commit)
    }

    /// Writes a change, which must be committed and then read back as it is.
    pub(super) fn write<T>(&mut self, change: Change<T>) -> Result<T, Fault> {
        self.write_or(change, fault::SPURIOUS)
    }

    /// Writes a change as [`write`](Self::write) does, where a refusal has a name of its own.
    pub(super) fn write_or<T>(&mut self, change: Change<T>, lesson: Lesson) -> Result<T, Fault> {
        if self.probe.commit(&change)? == Written::Missed {
            let seen = format!("missed, over {}", tell_wallet(self.wallet.as_ref()));
            let version = change.expected_version();
            let expected = format!("committed: it expects version {version}");
            return Err(self.probe.fault(lesson, expected, seen));
        }

        self.note(&change);
        self.read(key_of(&change), Last::Commit)?;
        self.read_ledger(Last::Commit)?;
        Ok(change.into_result())
    }

    /// Takes note of a change that was committed.
    fn note<T>(&mut self, change: &Change<T>) {
        self.wallet = Some(change.wallet().clone());
        self.entries.extend(change.entries().iter().cloned());

        if let Some(write) = change.outcome() {
            let outcome = write.outcome();
            let former = self
                .outcomes
                .insert(outcome.key().to_owned(), outcome.clone());
            self.replaced.extend(former);
        }
    }

    /// Tries to write a change whose guard misses: it must be refused, and leave no trace.
    pub(super) fn refuse<T>(
        &self,
        change: &Change<T>,
        lesson: Lesson,
        why: impl fmt::Display,
    ) -> Result<(), Fault> {
        if self.probe.commit(change)? == Written::Committed {
            let wallet = tell_wallet(Some(change.wallet()));
            let seen = format!("committed; the wallet is now {wallet}");
            let expected = format_args!("missed: {why}");
            return Err(self.probe.fault(lesson, expected, seen));
        }

        self.read(key_of(change), Last::Refusal)?;
        self.read_ledger(Last::Refusal)
    }

    /// Checks that everything is as the book has it, and adds up.
    pub(super) fn verify(&self) -> Result<(), Fault> {
        self.read(NO_KEY, Last::Commit)?;
        for key in self.outcomes.keys() {
            self.read(key, Last::Commit)?;
        }
        self.read_ledger(Last::Commit)?;

        audit(self.probe, &self.account)?;
        Ok(())
    }

    fn read(&self, key: &str, last: Last) -> Result<(Wallet, Option<Outcome>), Fault> {
        let Loaded { wallet, outcome } = self.probe.load(&self.account, key)?;
        if wallet != self.wallet {
            let kept = self.kept(self.wallet.as_ref());
            return Err(wallet_fault(self.probe, &kept, wallet.as_ref(), last));
        }
        let expected = self.outcomes.get(key);
        if outcome.as_ref() != expected {
            let kept = self.kept(expected);
            let replaced = &self.replaced;
            let seen = outcome.as_ref();
            return Err(outcome_fault(self.probe, &kept, key, replaced, seen, last));
        }
        Ok((self.wallet(), outcome))
    }

    fn read_ledger(&self, last: Last) -> Result<(), Fault> {
        let seen = self.probe.ledger(&self.account)?;
        if seen == self.entries {
            return Ok(());
        }
        Err(ledger_fault(
            self.probe,
            &self.kept(&*self.entries),
            &seen,
            last,
        ))
    }

    fn kept<T>(&self, expected: T) -> Kept<'_, T> {
        Kept {
            account: &self.account,
            expected,
        }
    }
}

/// Returns the key of the outcome that a change writes, or one that no command uses.
fn key_of<T>(change: &Change<T>) -> &str {
    change
        .outcome()
        .map_or(NO_KEY, |write| write.outcome().key())
}
