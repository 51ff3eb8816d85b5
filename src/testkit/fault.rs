//! The faults of a store, each by its name, with what was expected, what was seen and what to do.

use std::error::Error;
use std::fmt;

/// The name of a fault, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lesson {
    pub(super) name: &'static str,
    pub(super) remedy: &'static str,
}

macro_rules! lessons {
    ($($lesson:ident: $name:literal, $remedy:literal;)*) => {$(
        pub(super) const $lesson: Lesson = Lesson { name: $name, remedy: $remedy };
    )*};
}

lessons! {
    STORE: "the store failed",
        "a clash of a unique key, a deadlock and a serialisation failure are `Written::Missed`, not errors; and let \
         transactions wait for one another's locks";
    REFUSED: "a command was refused that the committed rows allow",
        "the rows that were loaded are not those that were committed: read wallet and outcome as they were written";
    NOT_EMPTY: "a new account is not empty",
        "make an account that has neither wallet, outcomes nor entries, and name the account in every WHERE";
    UNGUARDED: "the version is not guarded: a change was written over a wallet that it was not made from",
        "UPDATE … WHERE account = ? AND version = the change's expected version; zero rows written are `Written::Missed`";
    SECOND_INSERT: "a second wallet was inserted for one account",
        "expected version 0 is a plain INSERT under UNIQUE (account): no upsert; a clash is `Written::Missed`";
    NOTHING_UPDATED: "a wallet that is not there was updated",
        "count the rows that the UPDATE wrote: zero rows are `Written::Missed`; never insert instead";
    WRONG_ROW: "the guard is on the wrong row: a version of one account's wallet let a change to another's pass",
        "name the account and the version in the same WHERE";
    SPURIOUS: "a change was refused though nobody else had written",
        "compare the stored version with the change's expected version, write the wallet's own version, and begin every \
         unique key with the account";
    KEY_TWICE: "a key was accepted twice in one account",
        "keep UNIQUE (account, key) over outcomes and make `OutcomeWrite::Insert` a plain INSERT; a clash is \
         `Written::Missed`";
    KEY_ELSEWHERE: "a key that one account used is refused to another",
        "make the unique key (account, key), not (key)";
    KEY_FOLDED: "two different keys are taken for one",
        "store keys whole, and compare them byte for byte: no folding of case, no cutting, no pattern";
    SEQUENCE_TWICE: "two entries have one sequence",
        "keep UNIQUE (account, sequence) over the ledger; a clash undoes the whole change";
    NOT_UNDONE: "a refused change was written in part",
        "write wallet, entries and outcome in one transaction, and roll it back when a guard misses";
    STALE: "a stale read, or a lost write: what was committed is not what is read",
        "answer `Written::Committed` only after the commit, and read from where it was written: no cache, no replica";
    AMOUNT: "an amount was changed on its way through the store",
        "store micro-credits as 64-bit integers, or amounts as text: never as a float or a rounded decimal";
    WALLET_CHANGED: "the wallet that is read is not the one that was committed",
        "store the wallet as its serde text, whole; times have microseconds";
    OUTCOME_LOST: "an outcome is lost",
        "insert the outcome in the same transaction, under (account, key)";
    OUTCOME_STALE: "the update of an outcome was dropped",
        "carry out `OutcomeWrite::Update`, over the row of the same (account, key)";
    OUTCOME_FOREIGN: "an outcome is found that was never stored under this account and key",
        "look outcomes up by the account and the whole key";
    OUTCOME_CHANGED: "the outcome that is read is not the one that was committed",
        "store the outcome as its serde text, whole";
    ENTRY_LOST: "an entry of the ledger is lost",
        "append every entry of the change, in the same transaction, and read the ledger without a limit";
    ENTRY_ORDER: "the ledger is out of order",
        "read the ledger ORDER BY sequence, compared as a number";
    ENTRY_CHANGED: "an entry that is read is not the one that was committed",
        "store the entry as its serde text, whole, and never touch it again";
    ENTRY_FOREIGN: "the ledger shows an entry that the account never had",
        "name the account in the WHERE of the ledger, and append nothing but the change's entries";
    NOT_ONCE: "a request was carried out more than once, or never",
        "guard the version and keep UNIQUE (account, key), in one transaction";
    OVERSPENT: "the money is wrong after concurrent commands",
        "guard the version in the same statement that writes the wallet, and undo the whole change when it misses";
    LEDGER_DIFFERS: "the wallet is not what its ledger says",
        "write the wallet and its entries in one transaction, under the wallet's version";
    EXPIRY: "a hold does not end at its time",
        "store and read back `expires_at` and `as_of` as they are, to the microsecond and in UTC";
    LIVELOCK: "a guard misses without end",
        "a miss must mean that another change was committed: read the wallet from where it was committed";
    THREADS: "the threads of the suite could not be started",
        "run the suite where 64 threads may be started";
    SUITE: "the suite itself failed",
        "this is a fault of the suite, not of the store: please report it";
}

/// A fault of a store: the check that found it, the fault's name, what was expected, what was seen
/// and what to do.
///
/// `Debug` shows the same text as `Display`, so that `unwrap` in a test reads well.
///
/// ```
/// use std::convert::Infallible;
/// use std::sync::atomic::{AtomicI64, Ordering};
///
/// use bailiwick::AccountId;
/// use bailiwick::credit::{Change, LedgerEntry};
/// use bailiwick::testkit::{Check, CreditStore, Loaded, Written};
///
/// /// A store that claims to have written, and has not.
/// struct Forgetful(AtomicI64);
///
/// impl CreditStore for Forgetful {
///     type Error = Infallible;
///
///     fn new_account(&self) -> Result<AccountId, Infallible> {
///         Ok(self.0.fetch_add(1, Ordering::Relaxed).into())
///     }
///
///     fn load(&self, _: &AccountId, _: &str) -> Result<Loaded, Infallible> {
///         Ok(Loaded::default())
///     }
///
///     fn commit<T>(&self, _: &Change<T>) -> Result<Written, Infallible> {
///         Ok(Written::Committed)
///     }
///
///     fn ledger(&self, _: &AccountId) -> Result<Vec<LedgerEntry>, Infallible> {
///         Ok(vec![])
///     }
/// }
///
/// let store = Forgetful(AtomicI64::new(0));
/// let fault = Check::ReadsBack.run(&store).unwrap_err();
/// assert_eq!(
///     fault.name(),
///     "a stale read, or a lost write: what was committed is not what is read"
/// );
/// assert!(fault.expected().starts_with("account 0 at version 1: granted 10,"));
/// assert_eq!(fault.seen(), "no wallet");
/// assert!(fault.remedy().ends_with("no cache, no replica"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Fault {
    pub(super) check: &'static str,
    pub(super) lesson: Lesson,
    pub(super) expected: String,
    pub(super) seen: String,
}

impl Fault {
    /// Returns the check that found it, as [`Check::as_str`](super::Check::as_str) names it, or an
    /// audit.
    pub fn check(&self) -> &'static str {
        self.check
    }

    /// Returns the fault's name.
    pub fn name(&self) -> &'static str {
        self.lesson.name
    }

    /// Returns what a right store does.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// Returns what this one did.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// Returns what to do about it.
    pub fn remedy(&self) -> &'static str {
        self.lesson.remedy
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            check,
            lesson,
            expected,
            seen,
        } = self;

        writeln!(f, "{}", lesson.name)?;
        writeln!(f, "  check:    {check}")?;
        writeln!(f, "  expected: {expected}")?;
        writeln!(f, "  seen:     {seen}")?;
        write!(f, "  to do:    {}", lesson.remedy)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Fault {}
