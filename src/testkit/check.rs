//! The checks, each by its name.

use std::fmt;

use super::fault::Fault;
use super::probe::Probe;
use super::report::{Checked, Report};
use super::{CreditStore, book, crowd, guards, keeping};
use crate::credit::{LedgerEntry, Wallet};
use crate::id::AccountId;

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $name:literal, $run:path;)*) => {
        /// One check of the suite, to be run alone or with all others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $($(#[$doc])* $check,)*
        }

        impl Check {
            /// Every check, from the simplest to the hardest: the first that fails tells the most.
            pub const ALL: &[Self] = &[$(Self::$check,)*];

            /// What holds, in a few words.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$check => $name,)*
                }
            }

            fn carry_out<S: CreditStore>(self, probe: &Probe<'_, S>) -> Result<(), Fault> {
                match self {
                    $(Self::$check => $run(probe),)*
                }
            }
        }
    };
}

checks! {
    /// A new account has neither wallet, outcomes nor entries.
    StartsEmpty = "a new account is empty", guards::starts_empty;
    /// What was committed is read at once.
    ReadsBack = "what was committed is read at once", keeping::reads_back;
    /// A change is written only over the version that it was made from.
    GuardsVersion = "a stale version is refused", guards::guards_version;
    /// Another account's version does not let a change pass.
    GuardsRow = "the guard is on the account's own row", guards::guards_row;
    /// Version 0 inserts, and only once; any other updates what is there.
    InsertsOnce = "version 0 inserts, and once", guards::inserts_once;
    /// A key is inserted once in an account, and free in every other.
    GuardsKey = "a key is inserted once in an account", guards::guards_key;
    /// Two entries never have one sequence.
    GuardsSequence = "a sequence is entered once", guards::guards_sequence;
    /// A change whose guard misses leaves no trace.
    RollsBack = "a refused change leaves no trace", guards::rolls_back;
    /// A hold's end replaces its outcome.
    UpdatesOutcomes = "a hold's end replaces its outcome", keeping::updates_outcomes;
    /// Every entry is kept, in order and without a gap.
    KeepsLedger = "the ledger keeps every entry, in order", keeping::keeps_ledger;
    /// Amounts, times and keys are exact, at their limits too.
    KeepsAmounts = "amounts, times and keys are exact", keeping::keeps_amounts;
    /// Time alone ends a hold.
    ExpiresHolds = "a hold ends by time alone", keeping::expires_holds;
    /// A process that dies in mid-hold loses nothing.
    SurvivesDeath = "a death in mid-hold loses nothing", keeping::survives_death;
    /// Tenants neither see nor touch each other's wallets.
    SeparatesTenants = "tenants do not touch", keeping::separates_tenants;
    /// Every order in which three clients load and commit ends like one in which they came one by
    /// one.
    Interleaves = "90 interleavings end as if one by one", guards::interleaves;
    /// The same request from 32 threads is carried out once.
    ReplaysOnce = "32 threads, one request, one charge", crowd::replays_once;
    /// 64 spenders of one wallet are charged what there is, and never more.
    SpendsOnce = "64 spenders never spend more than there is", crowd::spends_once;
}

impl Check {
    /// Runs this check alone.
    pub fn run<S: CreditStore>(self, store: &S) -> Result<Checked, Fault> {
        self.run_through(store, store)
    }

    /// Runs this check alone, through two handles of one store: see [`check_pair`].
    pub fn run_through<S: CreditStore>(self, first: &S, second: &S) -> Result<Checked, Fault> {
        let probe = Probe::new(self.as_str(), first, second);
        self.carry_out(&probe)?;
        Ok(Checked {
            check: self,
            operations: probe.operations(),
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Runs every check on a store. The first that fails is the answer: its [`Fault`] names what is
/// wrong and what to do.
///
/// The store may have other accounts in it, and may have been checked before.
pub fn check_store<S: CreditStore>(store: &S) -> Result<Report, Fault> {
    check_pair(store, store)
}

/// Runs every check through two handles of one store, as two processes have them: what is written
/// through the first is read through the second, and threads use both. It finds what a handle keeps
/// to itself, such as a cache.
pub fn check_pair<S: CreditStore>(first: &S, second: &S) -> Result<Report, Fault> {
    let checked: Result<Vec<Checked>, Fault> = Check::ALL
        .iter()
        .map(|check| check.run_through(first, second))
        .collect();
    checked.map(Report)
}

/// Audits one account, the host's own too: its ledger has every sequence from 1 on, in order; every
/// balance in it adds up; and the wallet is what the last entry says. What is audited is given
/// back, for what else the host knows of it.
///
/// Nothing is written. Where commands are at work on the account meanwhile, the wallet and the
/// ledger may be of two moments, so audit one that is at rest.
pub fn audit<S: CreditStore>(
    store: &S,
    account: &AccountId,
) -> Result<(Wallet, Vec<LedgerEntry>), Fault> {
    book::audited(
        &Probe::new("the audit of an account", store, store),
        account,
    )
}
