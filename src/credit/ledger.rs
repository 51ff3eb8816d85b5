//! The ledger: immutable entries, each with what happened, when, and the balance after it. A wallet
//! is what its entries add up to, since an entry's event is the only thing that ever changes one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::balance::Balance;
use super::event::Event;
use super::wallet::Wallet;
use crate::id::AccountId;
use crate::problem::{Code, Explained};

/// One entry of the ledger. Entries are appended, and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host may build it from its columns"
)]
pub struct LedgerEntry {
    /// The account of the wallet.
    pub account: AccountId,
    /// Its number in the wallet's ledger, from 1, without gaps.
    pub sequence: u64,
    /// The time at which it took effect: for an expiry, the very instant, however late it was
    /// noticed.
    pub at: DateTime<Utc>,
    /// The time at which it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// The balance after it.
    pub balance: Balance,
}

/// The first wrong entry of a ledger. The entries before it are sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("entry {sequence} of the ledger is wrong: {fault}")]
#[allow(
    clippy::exhaustive_structs,
    reason = "a closed domain: a number and a fault"
)]
pub struct LedgerError {
    /// The sequence number that the entry has, or should have.
    pub sequence: u64,
    /// The fault of it.
    pub fault: LedgerFault,
}

/// The fault of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LedgerFault {
    /// Its number does not follow the one before: an entry is missing, doubled or out of order.
    #[error("its number does not follow the one before")]
    Sequence,
    /// It belongs to another account.
    #[error("it belongs to another account")]
    Account,
    /// It took effect before the entry before it, or outside the period of the statement.
    #[error("it took effect before the entry before it, or outside the period")]
    Time,
    /// Its event cannot have happened to the wallet as it was then.
    #[error("its event cannot have happened to the wallet as it was then")]
    Event,
    /// Its balance is not the one that its event leads to.
    #[error("its balance is not the one that its event leads to")]
    Balance,
}

impl Explained for LedgerError {
    fn code(&self) -> Code {
        Code::WalletMismatch
    }
}

impl Wallet {
    /// Rebuilds a wallet from its ledger, and checks every entry from the first one on: its number,
    /// its account, its time, its event and its balance.
    ///
    /// The result equals the stored wallet but for the version, which is 0, and
    /// [`as_of`](Self::as_of), which is that of the last entry; [`advance`](Self::advance) gives
    /// the view at a later time. The entries come one by one, so a ledger of any length takes the
    /// memory of one wallet.
    ///
    /// # Errors
    /// The first entry that is wrong, with its sequence number.
    ///
    /// ```
    /// use bailiwick::Wallet;
    /// use bailiwick::credit::{LedgerEntry, LedgerError};
    ///
    /// /// Returns whether the stored wallet is what its ledger adds up to.
    /// fn audit(stored: &Wallet, ledger: Vec<LedgerEntry>) -> Result<bool, LedgerError> {
    ///     let replayed = Wallet::replay(stored.account(), ledger)?;
    ///     Ok(replayed.equals_but_for_version(stored))
    /// }
    /// ```
    pub fn replay(
        account: &AccountId,
        entries: impl IntoIterator<Item = LedgerEntry>,
    ) -> Result<Self, LedgerError> {
        // Before all time, so that the first entry may be of any time.
        let mut wallet = Self::open(account.clone(), DateTime::<Utc>::MIN_UTC);

        for entry in entries {
            let sequence = wallet.sequence.saturating_add(1);
            // No ledger has 2^64 entries, and the wallet counts them from 0.
            debug_assert!(sequence > wallet.sequence);
            let wrong = |fault| LedgerError { sequence, fault };

            if entry.sequence != sequence {
                return Err(wrong(LedgerFault::Sequence));
            }
            if entry.account != *account {
                return Err(wrong(LedgerFault::Account));
            }
            if entry.at < wallet.as_of {
                return Err(wrong(LedgerFault::Time));
            }

            wallet
                .apply(&entry.event, entry.at)
                .map_err(|_| wrong(LedgerFault::Event))?;
            if wallet.balance != entry.balance || !wallet.balance.adds_up() {
                return Err(wrong(LedgerFault::Balance));
            }

            wallet.sequence = sequence;
            wallet.as_of = entry.at;
        }

        // Forged entries can add up in every balance, and still not in the grants beneath it.
        let sequence = wallet.sequence;
        let fault = LedgerFault::Event;
        wallet
            .check_amounts()
            .map_err(|_| LedgerError { sequence, fault })?;

        Ok(wallet)
    }

    /// Returns whether two wallets are equal but for the version of the row and the time up to
    /// which they were advanced.
    pub fn equals_but_for_version(&self, other: &Self) -> bool {
        // By name, so that a new field does not compile until it is compared or left out here.
        let Self {
            account,
            version: _,
            as_of: _,
            sequence,
            balance,
            grants,
            holds,
            lapses,
            recurring,
            memory_from,
        } = self;

        // The order of holds means nothing.
        let same_holds =
            holds.len() == other.holds.len() && holds.iter().all(|hold| other.holds.contains(hold));

        same_holds
            && *account == other.account
            && *sequence == other.sequence
            && *balance == other.balance
            && *grants == other.grants
            && *lapses == other.lapses
            && *recurring == other.recurring
            && *memory_from == other.memory_from
    }
}
