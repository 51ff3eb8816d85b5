//! The store as the suite calls it: through two handles, with its calls counted and its errors made
//! faults.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::attempts::{TransactError, transact};
use super::facts::{Broken, at};
use super::fault::{self, Fault, Lesson};
use super::store::{CreditStore, Loaded, Written};
use crate::change::Answer;
use crate::credit::{Change, LedgerEntry, Outcome, Wallet};
use crate::id::AccountId;

/// A key that no command of the suite uses.
pub(super) const NO_KEY: &str = "spend/none";

/// One check at work on a store.
pub(super) struct Probe<'a, S> {
    check: &'static str,
    handles: [&'a S; 2],
    operations: AtomicU64,
}

impl<'a, S: CreditStore> Probe<'a, S> {
    pub(super) fn new(check: &'static str, first: &'a S, second: &'a S) -> Self {
        Self {
            check,
            handles: [first, second],
            operations: AtomicU64::new(0),
        }
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    pub(super) fn fault(
        &self,
        lesson: Lesson,
        expected: impl fmt::Display,
        seen: impl fmt::Display,
    ) -> Fault {
        Fault {
            check: self.check,
            lesson,
            expected: expected.to_string(),
            seen: seen.to_string(),
        }
    }

    /// Unwraps a result that cannot be an error, unless the suite is wrong.
    pub(super) fn own<T>(&self, result: Result<T, Broken>) -> Result<T, Fault> {
        result.map_err(|Broken(error)| self.fault(fault::SUITE, "facts that are sound", error))
    }

    /// Unwraps the result of a command that a right store lets pass.
    pub(super) fn allowed<T, E: fmt::Display>(&self, result: Result<T, E>) -> Result<T, Fault> {
        result.map_err(|error| self.fault(fault::REFUSED, "a command that is carried out", error))
    }

    /// Counts a call, and makes its error a fault.
    fn told<T>(&self, call: &str, result: Result<T, S::Error>) -> Result<T, Fault> {
        self.operations.fetch_add(1, Ordering::Relaxed);
        result.map_err(|error| {
            self.fault(
                fault::STORE,
                format_args!("`{call}` succeeds"),
                format_args!("{error:#}"),
            )
        })
    }

    // Writes go through the first handle and reads through the second, so that what is read is
    // never the writer's copy.

    pub(super) fn new_account(&self) -> Result<AccountId, Fault> {
        let [first, _] = self.handles;
        self.told("new_account", first.new_account())
    }

    pub(super) fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, Fault> {
        let [_, second] = self.handles;
        self.told("load", second.load(account, key))
    }

    pub(super) fn commit<T>(&self, change: &Change<T>) -> Result<Written, Fault> {
        let [first, _] = self.handles;
        self.told("commit", first.commit(change))
    }

    pub(super) fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, Fault> {
        let [_, second] = self.handles;
        self.told("ledger", second.ledger(account))
    }

    /// Loads, asks and commits until the guards hold, through one of the handles.
    pub(super) fn transact<T, R, E>(
        &self,
        number: usize,
        account: &AccountId,
        key: &str,
        mut decide: impl FnMut(Wallet, Option<&Outcome>) -> Result<Answer<Change<T>, R>, E>,
    ) -> Result<Result<Answer<T, R>, E>, Fault> {
        let [first, second] = self.handles;
        let counted = Counted {
            // Half of the threads use each handle.
            store: if number.is_multiple_of(2) {
                first
            } else {
                second
            },
            count: &self.operations,
        };
        let decide = |loaded: Loaded| {
            let wallet = loaded
                .wallet
                .unwrap_or_else(|| Wallet::open(account.clone(), at(0)));
            decide(wallet, loaded.outcome.as_ref())
        };

        match transact(&counted, account, key, decide) {
            Ok(answer) => Ok(Ok(answer)),
            Err(TransactError::Refused(refused)) => Ok(Err(refused)),
            Err(TransactError::Store(error)) => Err(self.fault(
                fault::STORE,
                "concurrent transactions succeed or miss",
                format_args!("{error:#}"),
            )),
            Err(TransactError::Missed) => Err(self.fault(
                fault::LIVELOCK,
                "a commit that succeeds in the end",
                "misses alone",
            )),
        }
    }

    /// Does the same work in many threads at once, all let go at one moment.
    pub(super) fn together<T: Send>(
        &self,
        count: usize,
        work: impl Fn(usize) -> Result<T, Fault> + Sync,
    ) -> Result<Vec<T>, Fault> {
        // Each thread waits for this lock, which is held until all of them are there.
        let start = RwLock::new(());

        thread::scope(|scope| {
            let closed = start.write();
            let start = &start;
            let work = &work;
            let spawn = |number| {
                let run = move || {
                    drop(start.read());
                    work(number)
                };
                thread::Builder::new().spawn_scoped(scope, run)
            };
            let threads: Result<Vec<_>, _> = (0..count).map(spawn).collect();
            drop(closed);

            let threads = threads.map_err(|error| {
                self.fault(fault::THREADS, format_args!("{count} threads"), error)
            })?;

            // A panic of the store's own is for the host to see.
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            };

            let answers: Vec<Result<T, Fault>> = threads.into_iter().map(join).collect();
            answers.into_iter().collect()
        })
    }
}

/// A handle of the store, whose calls are counted.
struct Counted<'a, S> {
    store: &'a S,
    count: &'a AtomicU64,
}

impl<S> Counted<'_, S> {
    fn count(&self) -> &S {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.store
    }
}

impl<S: CreditStore> CreditStore for Counted<'_, S> {
    type Error = S::Error;

    fn new_account(&self) -> Result<AccountId, S::Error> {
        self.count().new_account()
    }

    fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, S::Error> {
        self.count().load(account, key)
    }

    fn commit<T>(&self, change: &Change<T>) -> Result<Written, S::Error> {
        self.count().commit(change)
    }

    fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, S::Error> {
        self.count().ledger(account)
    }
}
