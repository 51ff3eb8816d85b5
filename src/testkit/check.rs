//! The checks, each by its name.

use std::fmt;

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $name:literal;)*) => {
        /// One check of the suite, to be run alone or with all others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $($(#[$doc])* $check,)*
        }

        impl Check {
            /// Every check, from the simplest to the hardest: the first that fails tells the most.
            pub const ALL: &[Self] = &[$(Self::$check,)*];

            /// Returns what the check makes sure of, in a few words.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$check => $name,)*
                }
            }
        }
    };
}

checks! {
    /// A new account has neither wallet, outcomes nor entries.
    StartsEmpty = "a new account is empty";
    /// A committed change is read at once.
    ReadsBack = "what was committed is read at once";
    /// A change is written only over the version that it was made from.
    GuardsVersion = "a stale version is refused";
    /// Another account's version does not let a change pass.
    GuardsRow = "the guard is on the account's own row";
    /// Version 0 inserts, and only once; any other updates what is there.
    InsertsOnce = "version 0 inserts, and once";
    /// A key is inserted once in an account, and free in every other.
    GuardsKey = "a key is inserted once in an account";
    /// Two entries never have one sequence.
    GuardsSequence = "a sequence is entered once";
    /// A change whose guard misses leaves no trace.
    RollsBack = "a refused change leaves no trace";
    /// A hold's end replaces its outcome.
    UpdatesOutcomes = "a hold's end replaces its outcome";
    /// Every entry is kept, in order and without a gap.
    KeepsLedger = "the ledger keeps every entry, in order";
    /// Amounts, times and keys are exact, at their limits too.
    KeepsAmounts = "amounts, times and keys are exact";
    /// Time alone ends a hold.
    ExpiresHolds = "a hold ends by time alone";
    /// A process that dies in mid-hold loses nothing.
    SurvivesDeath = "a death in mid-hold loses nothing";
    /// Tenants neither see nor touch each other's wallets.
    SeparatesTenants = "tenants do not touch";
    /// Every order in which three clients load and commit ends like one in which they came one by
    /// one.
    Interleaves = "90 interleavings end as if one by one";
    /// The same request from 32 threads is carried out once.
    ReplaysOnce = "32 threads, one request, one charge";
    /// 64 spenders of one wallet are charged what there is, and never more.
    SpendsOnce = "64 spenders never spend more than there is";
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
