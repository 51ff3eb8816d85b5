//! A conformance suite for a host's own store of wallets, and strategies for a host's own property
//! tests. Enabled by the feature `testkit`, which belongs among a host's dev-dependencies.
//!
//! The library decides and the host stores, so what the library promises about credits is only as
//! good as the guards of that store. A host implements the four small methods of [`CreditStore`] on
//! what its service runs on, and lets [`check_store`] look for what goes wrong in stores: a guard
//! on the wrong row, a change that is written in part, a read that is stale, a key that counts
//! twice. Each [`Fault`] says what was expected, what was seen and what to do.
//!
//! # A host's test, in full
//! The store here is a map under a lock; on a database, `load` and `commit` call the functions that
//! the service calls.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::convert::Infallible;
//! use std::sync::{Mutex, PoisonError};
//!
//! use bailiwick::testkit::{CreditStore, Fault, Loaded, Written, check_store};
//! use bailiwick::{AccountId, Wallet};
//! use bailiwick::credit::{Change, LedgerEntry, Outcome, OutcomeWrite};
//!
//! #[derive(Default)]
//! struct Rows {
//!     accounts: i64,
//!     wallets: BTreeMap<AccountId, Wallet>,
//!     ledger: BTreeMap<(AccountId, u64), LedgerEntry>,
//!     outcomes: BTreeMap<(AccountId, String), Outcome>,
//! }
//!
//! #[derive(Default)]
//! struct Host(Mutex<Rows>);
//!
//! impl CreditStore for Host {
//!     type Error = Infallible; // a database has errors; a map has none
//!
//!     fn new_account(&self) -> Result<AccountId, Infallible> {
//!         let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
//!         rows.accounts += 1;
//!         Ok(rows.accounts.into())
//!     }
//!
//!     fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, Infallible> {
//!         // Both under one lock.
//!         let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
//!         let wallet = rows.wallets.get(account).cloned();
//!         Ok(Loaded { wallet, outcome: rows.outcomes.get(&(account.clone(), key.to_owned())).cloned() })
//!     }
//!
//!     fn commit<T>(&self, change: &Change<T>) -> Result<Written, Infallible> {
//!         let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
//!         let account = change.wallet().account();
//!         let place = |outcome: &Outcome| (account.clone(), outcome.key().to_owned());
//!         // Every guard first, so that a miss leaves no trace.
//!         let version = rows.wallets.get(account).map_or(0, Wallet::version);
//!         let is_taken = |entry: &LedgerEntry| rows.ledger.contains_key(&(account.clone(), entry.sequence));
//!         let clashes = match change.outcome() {
//!             Some(OutcomeWrite::Insert(outcome)) => rows.outcomes.contains_key(&place(outcome)),
//!             Some(OutcomeWrite::Update(outcome)) => !rows.outcomes.contains_key(&place(outcome)),
//!             None => false,
//!         };
//!         if version != change.expected_version() || change.entries().iter().any(is_taken) || clashes {
//!             return Ok(Written::Missed);
//!         }
//!         rows.wallets.insert(account.clone(), change.wallet().clone());
//!         for entry in change.entries() {
//!             rows.ledger.insert((account.clone(), entry.sequence), entry.clone());
//!         }
//!         if let Some(write) = change.outcome() {
//!             rows.outcomes.insert(place(write.outcome()), write.outcome().clone());
//!         }
//!         Ok(Written::Committed)
//!     }
//!
//!     fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, Infallible> {
//!         let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
//!         Ok(rows.ledger.values().filter(|entry| entry.account == *account).cloned().collect())
//!     }
//! }
//!
//! // #[test]
//! fn the_store_conforms() -> Result<(), Fault> {
//!     let report = check_store(&Host::default())?;
//!     println!("{report}");
//!     assert!(report.operations() > 1000);
//!     Ok(())
//! }
//! # the_store_conforms()?;
//! # Ok::<(), Fault>(())
//! ```
//!
//! # A store with an async driver
//! The trait is synchronous, since the suite's threads are. A store that is async is wrapped with
//! its runtime; the test is a plain `#[test]`, not one that runs inside a runtime itself.
//!
//! ```
//! # use bailiwick::testkit::{CreditStore, Loaded, Written};
//! # use bailiwick::AccountId;
//! # use bailiwick::credit::{Change, LedgerEntry};
//! # struct Store;
//! # impl Store {
//! #     async fn insert_account(&self) -> std::io::Result<AccountId> { Ok(7.into()) }
//! #     async fn load(&self, _: &AccountId, _: &str) -> std::io::Result<Loaded> { Ok(Loaded::default()) }
//! #     async fn write<T>(&self, _: &Change<T>) -> std::io::Result<Written> { Ok(Written::Missed) }
//! #     async fn ledger(&self, _: &AccountId) -> std::io::Result<Vec<LedgerEntry>> { Ok(vec![]) }
//! # }
//! struct Blocking {
//!     runtime: tokio::runtime::Runtime,
//!     store: Store,
//! }
//!
//! impl CreditStore for Blocking {
//!     type Error = std::io::Error; // whatever the store's own methods fail with
//!
//!     fn new_account(&self) -> Result<AccountId, Self::Error> {
//!         self.runtime.block_on(self.store.insert_account())
//!     }
//!
//!     fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, Self::Error> {
//!         self.runtime.block_on(self.store.load(account, key))
//!     }
//!
//!     fn commit<T>(&self, change: &Change<T>) -> Result<Written, Self::Error> {
//!         self.runtime.block_on(self.store.write(change))
//!     }
//!
//!     fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, Self::Error> {
//!         self.runtime.block_on(self.store.ledger(account))
//!     }
//! }
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # assert!(Blocking { runtime, store: Store }.new_account().is_ok());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What the suite does, and does not
//! It runs [`Check::ALL`] in turn, some thousand calls and a few seconds on SQLite or PostgreSQL,
//! on accounts of its own that it asks the store for. It deletes nothing, and may run again on the
//! same database. It starts up to 64 threads, has no clock, and does no I/O but through the store.
//! Its times, all in 2027, have whole microseconds, as PostgreSQL's do: a host whose clock is finer
//! and whose columns are not cuts `now` before it asks.
//!
//! What it looks for:
//! - guards: a version that is not compared, or only before the write; a guard on another account's
//!   row; an upsert in place of an insert; keys and sequences that are not unique, or unique over
//!   all tenants; two keys that are folded into one;
//! - transactions: a refused change of which a part stays; a miss without a reason, without end, or
//!   told as an error;
//! - reads: caches and replicas that lag, a wallet and an outcome of two moments, a ledger in
//!   another order;
//! - rows: an entry or an outcome that is lost, an amount that went through a float, a time that
//!   lost its fraction;
//! - all of it at once: 90 interleavings of three clients, one request from 32 threads, 64 spenders
//!   of one wallet.
//!
//! What it cannot see is a service that loads through one function here and another there, or that
//! takes a hold before the commit. Let the service run through [`transact`], or a loop like it. To
//! find what one handle keeps to itself, give [`check_pair`] two.

mod book;
mod check;
mod crowd;
mod facts;
mod fault;
mod guards;
mod keeping;
mod probe;
mod report;
pub mod strategies;

use std::fmt;
use std::thread;

use thiserror::Error;

#[doc(no_inline)]
pub use proptest;

pub use check::{Check, audit, check_pair, check_store};
pub use fault::Fault;
pub use report::{Checked, Report};

use crate::change::Answer;
use crate::credit::{Change, LedgerEntry, Outcome, Wallet};
use crate::id::AccountId;

/// How often [`transact`] begins again. Each miss means that another change was committed, so a
/// wallet that is contended by so many clients is one that a host would rather spend by allowance.
const ATTEMPTS: usize = 1000;

/// A host's store of wallets, ledgers and outcomes, as the suite asks it. Threads share it.
///
/// The module's documentation shows one in full.
pub trait CreditStore: Sync {
    /// What the store fails with. A guard that misses is no failure: see [`Written::Missed`].
    type Error: fmt::Display;

    /// Makes an account that has neither wallet, outcomes nor entries, another one each time. Where
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

/// What a store has for an account and a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The wallet, if one was ever inserted.
    pub wallet: Option<Wallet>,
    /// The outcome stored under (account, key).
    pub outcome: Option<Outcome>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a change that missed is not written"]
pub enum Written {
    /// It is committed, whole.
    Committed,
    /// A guard missed and nothing was written: another version, a key or a sequence that is taken,
    /// a deadlock, a serialisation failure. Load again and ask again.
    Missed,
}

/// Why a transaction has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransactError<S, E> {
    /// The store failed. Whether the change was committed is not known; the same command with the
    /// same key finds out.
    #[error("the store failed: {0}")]
    Store(S),
    /// The answer is no.
    #[error("{0}")]
    Refused(E),
    /// A guard missed time and again.
    #[error("a guard missed {ATTEMPTS} times")]
    Missed,
}

/// Loads, asks and commits until the guards hold: the loop around every command, and a model for
/// the host's own.
///
/// ```
/// use bailiwick::testkit::{CreditStore, TransactError, transact};
/// use bailiwick::{Access, Wallet};
/// use bailiwick::credit::{Held, HoldError, HoldRequest, Outcome};
/// use chrono::{DateTime, Utc};
///
/// fn hold<S: CreditStore>(
///     store: &S,
///     access: &Access,
///     request: &HoldRequest,
///     now: DateTime<Utc>,
/// ) -> Result<Held, TransactError<S::Error, HoldError>> {
///     transact(store, access.account(), &Outcome::spend_key(&request.key), |loaded| {
///         let wallet = loaded.wallet.unwrap_or_else(|| Wallet::open(access.account().clone(), now));
///         wallet.hold(access, request, loaded.outcome.as_ref(), now)
///     })
/// }
/// ```
pub fn transact<S: CreditStore, T, R, E>(
    store: &S,
    account: &AccountId,
    key: &str,
    mut decide: impl FnMut(Loaded) -> Result<Answer<Change<T>, R>, E>,
) -> Result<Answer<T, R>, TransactError<S::Error, E>> {
    for _ in 0..ATTEMPTS {
        let loaded = store.load(account, key).map_err(TransactError::Store)?;
        match decide(loaded).map_err(TransactError::Refused)? {
            Answer::Replayed(earlier) => return Ok(Answer::Replayed(earlier)),
            Answer::Fresh(change) => match store.commit(&change).map_err(TransactError::Store)? {
                // Only now is the result anyone's to act on.
                Written::Committed => return Ok(Answer::Fresh(change.into_result())),
                Written::Missed => thread::yield_now(),
            },
        }
    }
    Err(TransactError::Missed)
}
