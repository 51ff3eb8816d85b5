//! The change that a command makes to one wallet.

use super::ledger::LedgerEntry;
use super::outcome::OutcomeWrite;
use super::wallet::Wallet;
use crate::change::RowChange;
use crate::money::Credits;

/// The change that a command makes to one wallet: the row, ledger entries and often an outcome, to
/// be written in one transaction or not at all. The [room's page](super) says in which order.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Change<T = ()> {
    /// The credits that were available when the wallet was loaded.
    pub(super) before: Credits,
    pub(super) row: RowChange<Wallet>,
    pub(super) entries: Vec<LedgerEntry>,
    pub(super) outcome: Option<OutcomeWrite>,
    pub(super) result: T,
}

impl<T> Change<T> {
    /// Returns the version that the stored wallet must still have; 0 means that there must be no
    /// wallet yet.
    pub fn expected_version(&self) -> u64 {
        self.row.expected_version()
    }

    /// Returns the wallet to store.
    pub fn wallet(&self) -> &Wallet {
        self.row.row()
    }

    /// Returns the entries to append to the ledger, under UNIQUE (account, sequence).
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// Returns the outcome to store, under UNIQUE (account, key), if there is one.
    pub fn outcome(&self) -> Option<&OutcomeWrite> {
        self.outcome.as_ref()
    }

    /// Returns which of these thresholds the available credits have crossed on their way down, from
    /// what they were in the wallet that was loaded: so many or more before, fewer after. A host
    /// tells its customer that credits run low, or opens a charge for more of them.
    ///
    /// A threshold is crossed once, by the change that crosses it, and again only after the balance
    /// has been above it.
    ///
    /// ```
    /// use bailiwick::Credits;
    /// use bailiwick::credit::{Change, Receipt};
    ///
    /// fn warnings(change: &Change<Receipt>) -> Vec<String> {
    ///     let thresholds = [Credits::whole(100), Credits::whole(10)];
    ///     let crossed = change.crossed(&thresholds);
    ///     crossed.map(|threshold| format!("fewer than {threshold} credits are left")).collect()
    /// }
    /// ```
    pub fn crossed(&self, thresholds: &[Credits]) -> impl Iterator<Item = Credits> {
        let (before, after) = (self.before, self.wallet().balance().available());

        thresholds
            .iter()
            .copied()
            .filter(move |threshold| after < *threshold && *threshold <= before)
    }

    /// Returns the same change for a caller that needs no result.
    pub fn without_result(self) -> Change {
        let Self {
            before,
            row,
            entries,
            outcome,
            result: _,
        } = self;

        Change {
            before,
            row,
            entries,
            outcome,
            result: (),
        }
    }

    /// Returns what the command was for, such as the [`Hold`](super::Hold). Take it only once the
    /// change is committed.
    pub fn into_result(self) -> T {
        self.result
    }
}
