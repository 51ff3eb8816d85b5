//! The change that a command makes to one wallet.

use super::ledger::LedgerEntry;
use super::outcome::OutcomeWrite;
use super::wallet::Wallet;

/// The change that a command makes to one wallet, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Change<T = ()> {
    pub(super) expected_version: u64,
    pub(super) wallet: Wallet,
    pub(super) entries: Vec<LedgerEntry>,
    pub(super) outcome: Option<OutcomeWrite>,
    pub(super) result: T,
}

impl<T> Change<T> {
    /// The version that the stored wallet must still have; 0 means that there must be none yet.
    pub fn expected_version(&self) -> u64 {
        self.expected_version
    }

    /// The wallet to store.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The entries to append to the ledger, under UNIQUE (account, sequence).
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// The outcome to store, under UNIQUE (account, key).
    pub fn outcome(&self) -> Option<&OutcomeWrite> {
        self.outcome.as_ref()
    }

    /// The same change for a caller that needs no result.
    pub fn without_result(self) -> Change {
        let Self {
            expected_version,
            wallet,
            entries,
            outcome,
            ..
        } = self;
        Change {
            expected_version,
            wallet,
            entries,
            outcome,
            result: (),
        }
    }

    /// What the command was for, to be taken once the change is committed.
    pub fn into_result(self) -> T {
        self.result
    }
}
