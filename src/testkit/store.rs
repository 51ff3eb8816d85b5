//! The host's store, as the suite asks it.

use std::fmt;

use crate::credit::{Change, LedgerEntry, Outcome, Wallet};
use crate::id::AccountId;

/// A host's store of wallets, ledgers and outcomes, as the suite asks it. Threads share it.
///
/// The [module's page](super) shows one in full.
pub trait CreditStore: Sync {
    /// The store's failures. A guard that misses is not a failure: see [`Written::Missed`].
    type Error: fmt::Display;

    /// Makes an account without wallet, outcomes and entries, a different one each time. Where
    /// wallets refer to a table of accounts, this inserts the row there.
    fn new_account(&self) -> Result<AccountId, Self::Error>;

    /// Reads the wallet, and then the outcome stored under (account, key), in this order; or both
    /// in one statement.
    fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, Self::Error>;

    /// Writes a change in one transaction, whole or not at all: the wallet over
    /// [`expected_version`](Change::expected_version) (0: insert it), the entries under UNIQUE
    /// (account, sequence), the outcome under UNIQUE (account, key).
    fn commit<T>(&self, change: &Change<T>) -> Result<Written, Self::Error>;

    /// Reads all entries of an account's ledger, by sequence.
    fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, Self::Error>;
}

/// The rows that a store has for an account and a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Loaded {
    /// The wallet, if one was ever inserted.
    pub wallet: Option<Wallet>,
    /// The outcome stored under (account, key).
    pub outcome: Option<Outcome>,
}

/// The result of writing a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a change that missed is not written"]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Written {
    /// The change is committed, whole.
    Committed,
    /// A guard missed and nothing was written: another version, a key or a sequence that is taken,
    /// a deadlock, a serialisation failure. Load again and ask again.
    Missed,
}
