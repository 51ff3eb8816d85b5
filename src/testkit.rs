//! Tests for a host to run on its own code: a conformance suite for its store of wallets, and
//! strategies for its property tests.
//!
//! The library decides and the host stores, so the library's promises about credits are only as
//! good as the guards of that store. The feature `testkit` belongs among a host's dev-dependencies.
//!
//! | suite | a host implements | and calls |
//! |---|---|---|
//! | the store of wallets | the four methods of [`CreditStore`] | [`check_store`] |
//! | the same, by two processes | the same | [`check_pair`] |
//! | one check of the suite alone | the same | [`Check::run`] |
//! | one account of the host's own | the same | [`audit`] |
//! | property tests | nothing | the [`strategies`] |
//!
//! # A host's test, in full
//! The store here is a map under a lock. On a database, `load` and `commit` call the functions that
//! the service calls.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::convert::Infallible;
//! use std::sync::{Mutex, MutexGuard, PoisonError};
//!
//! use bailiwick::credit::{Change, LedgerEntry, Outcome, OutcomeWrite};
//! use bailiwick::testkit::{CreditStore, Fault, Loaded, Written, check_store};
//! use bailiwick::{AccountId, Wallet};
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
//! impl Host {
//!     fn rows(&self) -> MutexGuard<'_, Rows> {
//!         self.0.lock().unwrap_or_else(PoisonError::into_inner)
//!     }
//! }
//!
//! impl CreditStore for Host {
//!     type Error = Infallible; // a database has errors, a map has none
//!
//!     fn new_account(&self) -> Result<AccountId, Infallible> {
//!         let mut rows = self.rows();
//!         rows.accounts += 1;
//!         Ok(rows.accounts.into())
//!     }
//!
//!     fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, Infallible> {
//!         // Both under one lock.
//!         let rows = self.rows();
//!         Ok(Loaded {
//!             wallet: rows.wallets.get(account).cloned(),
//!             outcome: rows.outcomes.get(&(account.clone(), key.to_owned())).cloned(),
//!         })
//!     }
//!
//!     fn commit<T>(&self, change: &Change<T>) -> Result<Written, Infallible> {
//!         let mut rows = self.rows();
//!         let account = change.wallet().account();
//!         let slot = |outcome: &Outcome| (account.clone(), outcome.key().to_owned());
//!
//!         // Every guard first, so that a miss leaves no trace.
//!         let version = rows.wallets.get(account).map_or(0, Wallet::version);
//!         if version != change.expected_version() {
//!             return Ok(Written::Missed);
//!         }
//!         for entry in change.entries() {
//!             if rows.ledger.contains_key(&(account.clone(), entry.sequence)) {
//!                 return Ok(Written::Missed);
//!             }
//!         }
//!         let is_missed = match change.outcome() {
//!             Some(OutcomeWrite::Insert(outcome)) => rows.outcomes.contains_key(&slot(outcome)),
//!             Some(OutcomeWrite::Update(outcome)) => !rows.outcomes.contains_key(&slot(outcome)),
//!             None => false,
//!         };
//!         if is_missed {
//!             return Ok(Written::Missed);
//!         }
//!
//!         rows.wallets.insert(account.clone(), change.wallet().clone());
//!         for entry in change.entries() {
//!             rows.ledger.insert((account.clone(), entry.sequence), entry.clone());
//!         }
//!         if let Some(write) = change.outcome() {
//!             rows.outcomes.insert(slot(write.outcome()), write.outcome().clone());
//!         }
//!         Ok(Written::Committed)
//!     }
//!
//!     fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, Infallible> {
//!         let rows = self.rows();
//!         Ok(rows.ledger.values().filter(|entry| entry.account == *account).cloned().collect())
//!     }
//! }
//!
//! // In a host this is a #[test].
//! fn main() -> Result<(), Fault> {
//!     let report = check_store(&Host::default())?;
//!     println!("{report}");
//!     assert!(report.operations() > 1000);
//!     Ok(())
//! }
//! ```
//!
//! # A store with an async driver
//! The trait is synchronous, since the suite's threads are. Wrap an async store together with its
//! runtime, and let the test be a plain `#[test]`, not one that itself runs inside a runtime.
//!
//! ```
//! use std::io::Error;
//!
//! use bailiwick::AccountId;
//! use bailiwick::credit::{Change, LedgerEntry};
//! use bailiwick::testkit::{CreditStore, Loaded, Written};
//! use tokio::runtime::Runtime;
//!
//! /// The service's own functions.
//! trait Store {
//!     async fn insert_account(&self) -> Result<AccountId, Error>;
//!     async fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, Error>;
//!     async fn write<T>(&self, change: &Change<T>) -> Result<Written, Error>;
//!     async fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, Error>;
//! }
//!
//! struct Blocking<S>(Runtime, S);
//!
//! impl<S: Store + Sync> CreditStore for Blocking<S> {
//!     type Error = Error; // the error of the store's own methods
//!
//!     fn new_account(&self) -> Result<AccountId, Error> {
//!         self.0.block_on(self.1.insert_account())
//!     }
//!
//!     fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, Error> {
//!         self.0.block_on(self.1.load(account, key))
//!     }
//!
//!     fn commit<T>(&self, change: &Change<T>) -> Result<Written, Error> {
//!         self.0.block_on(self.1.write(change))
//!     }
//!
//!     fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, Error> {
//!         self.0.block_on(self.1.ledger(account))
//!     }
//! }
//! ```
//!
//! # What the suite looks for
//! - Guards: a version that is not compared, or only before the write; a guard on another account's
//!   row; an upsert in place of an insert; keys and sequences that are not unique, or unique over
//!   all tenants; two keys that are folded into one.
//! - Transactions: a refused change of which a part stays; a miss without a reason, without end, or
//!   reported as an error.
//! - Reads: caches and replicas that lag, a wallet and an outcome of two moments, a ledger in
//!   another order.
//! - Rows: an entry or an outcome that is lost, an amount that went through a float, a time that
//!   lost its fraction.
//! - All of it at once: 90 interleavings of three clients, one request from 32 threads, 64 spenders
//!   of one wallet.
//!
//! Each [`Fault`] says what was expected, what was seen, and what to do.
//!
//! # What it does to the store
//! The suite runs [`Check::ALL`] in turn: some thousand calls, and a few seconds on SQLite or
//! PostgreSQL. It works on accounts of its own, which it asks the store for. It deletes nothing,
//! and may run again on the same database. It starts up to 64 threads, has no clock, and does no
//! I/O except through the store. Its times, all in 2027, have whole microseconds, as PostgreSQL's
//! do: a host whose clock is finer than its columns truncates `now` before it asks the library.
//!
//! A panic of the store's own passes through, for the host's test to show.
//!
//! # What it cannot see
//! The suite cannot see a service that loads by one function here and by another there, or that
//! hands out a hold before the commit. Let the service run through [`transact`], or a loop like it.
//! To find state that one handle keeps to itself, such as a cache, give [`check_pair`] two handles.
//!
//! # The types, in the order in which one meets them
//! - [`CreditStore`], [`Loaded`], [`Written`]: what a host implements.
//! - [`check_store`], [`check_pair`], [`Check`], [`Checked`], [`Report`]: the suite, and its
//!   result.
//! - [`Fault`]: the first thing that is wrong.
//! - [`audit`]: one account of the host's own, compared with its ledger.
//! - [`transact`], [`TransactError`]: the loop around every command.
//! - [`strategies`], and [`proptest`] in the version that they are made for.

mod attempts;
mod auditor;
mod book;
mod check;
mod commands;
mod crowd;
mod difference;
mod facts;
mod fault;
mod guards;
mod interleaving;
mod keeping;
mod probe;
mod report;
mod run;
mod store;
pub mod strategies;
mod tell;

#[doc(no_inline)]
pub use proptest;

pub use attempts::{TransactError, transact};
pub use check::Check;
pub use fault::Fault;
pub use report::{Checked, Report};
pub use run::{audit, check_pair, check_store};
pub use store::{CreditStore, Loaded, Written};
