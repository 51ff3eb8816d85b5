//! Runs the checks, and audits one account.

use super::check::Check;
use super::fault::Fault;
use super::probe::Probe;
use super::report::{Checked, Report};
use super::store::CreditStore;
use super::{auditor, crowd, guards, interleaving, keeping};
use crate::credit::{LedgerEntry, Wallet};
use crate::id::AccountId;

impl Check {
    /// Runs this check alone.
    ///
    /// # Errors
    /// The [`Fault`] that it finds.
    pub fn run<S: CreditStore>(self, store: &S) -> Result<Checked, Fault> {
        self.run_through(store, store)
    }

    /// Runs this check alone, through two handles of one store: see [`check_pair`].
    ///
    /// # Errors
    /// The [`Fault`] that it finds.
    pub fn run_through<S: CreditStore>(self, first: &S, second: &S) -> Result<Checked, Fault> {
        let probe = Probe::new(self.as_str(), first, second);
        self.carry_out(&probe)?;

        Ok(Checked {
            check: self,
            operations: probe.operations(),
        })
    }

    fn carry_out<S: CreditStore>(self, probe: &Probe<'_, S>) -> Result<(), Fault> {
        match self {
            // From the simplest to the hardest.
            Self::StartsEmpty => guards::starts_empty(probe),
            Self::ReadsBack => keeping::reads_back(probe),
            Self::GuardsVersion => guards::guards_version(probe),
            Self::GuardsRow => guards::guards_row(probe),
            Self::InsertsOnce => guards::inserts_once(probe),
            Self::GuardsKey => guards::guards_key(probe),
            Self::GuardsSequence => guards::guards_sequence(probe),
            Self::RollsBack => guards::rolls_back(probe),
            Self::UpdatesOutcomes => keeping::updates_outcomes(probe),
            Self::KeepsLedger => keeping::keeps_ledger(probe),
            Self::KeepsAmounts => keeping::keeps_amounts(probe),
            Self::ExpiresHolds => keeping::expires_holds(probe),
            Self::SurvivesDeath => keeping::survives_death(probe),
            Self::SeparatesTenants => keeping::separates_tenants(probe),
            Self::Interleaves => interleaving::interleaves(probe),
            Self::ReplaysOnce => crowd::replays_once(probe),
            Self::SpendsOnce => crowd::spends_once(probe),
        }
    }
}

/// Runs every check on a store, until one fails.
///
/// The store may have other accounts in it, and may have been checked before.
///
/// # Errors
/// The [`Fault`] of the first check that fails.
pub fn check_store<S: CreditStore>(store: &S) -> Result<Report, Fault> {
    check_pair(store, store)
}

/// Runs every check through two handles of one store, as two processes have them: a change that is
/// written through the first is read through the second, and threads use both. This finds state
/// that a handle keeps to itself, such as a cache.
///
/// # Errors
/// The [`Fault`] of the first check that fails.
pub fn check_pair<S: CreditStore>(first: &S, second: &S) -> Result<Report, Fault> {
    let checked: Result<Vec<Checked>, Fault> = Check::ALL
        .iter()
        .map(|check| check.run_through(first, second))
        .collect();
    checked.map(Report)
}

/// Audits one account, which may be one of the host's own: its ledger has every sequence from 1 on,
/// in order; every balance in it adds up; and the wallet is the one that the ledger replays to.
/// Returns the wallet and the entries, for whatever else the host knows of them.
///
/// Nothing is written. Audit an account that is at rest: while commands are at work on it, the
/// wallet and the ledger may be of two moments.
///
/// # Errors
/// The first [`Fault`] that it finds.
pub fn audit<S: CreditStore>(
    store: &S,
    account: &AccountId,
) -> Result<(Wallet, Vec<LedgerEntry>), Fault> {
    auditor::audited(
        &Probe::new("the audit of an account", store, store),
        account,
    )
}
