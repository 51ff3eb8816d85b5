//! The ledger: immutable entries, each with what happened, when, and the balance after it. A wallet
//! is what its entries add up to, since an entry's event is the only thing that ever changes one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::balance::Balance;
use super::error::WalletError;
use super::event::Event;
use super::wallet::Wallet;
use crate::id::AccountId;
use crate::problem::{Code, Explained};

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Whose wallet.
    pub account: AccountId,
    /// Its place in the wallet's ledger, from 1, without gaps.
    pub sequence: u64,
    /// When it took effect: for an expiry, the very instant, however late it was noticed.
    pub at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The balance after it.
    pub balance: Balance,
}

/// The first entry of a ledger that is wrong, and how. What comes before it is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("entry {sequence} of the ledger is wrong: {fault}")]
pub struct LedgerError {
    /// The sequence number that the entry has, or should have.
    pub sequence: u64,
    /// What is wrong with it.
    pub fault: LedgerFault,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LedgerFault {
    /// Its number does not follow the one before: an entry is missing, doubled or out of order.
    #[error("its number does not follow the one before")]
    Sequence,
    /// It belongs to another account.
    #[error("it belongs to another account")]
    Account,
    /// It took effect before the entry before it.
    #[error("it took effect before the entry before it")]
    Time,
    /// What it says cannot have happened to the wallet as it was then.
    #[error("it cannot have happened to the wallet as it was then")]
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
    /// The wallet that a ledger adds up to, from its first entry, checking every one: its number,
    /// its account, its time, its event and its balance. It equals the stored wallet but for the
    /// version, which is 0, and `as_of`, which is that of the last entry;
    /// [`advance`](Self::advance) gives the view at a later time.
    ///
    /// The entries come one by one, so a ledger of any length takes the memory of one wallet.
    ///
    /// # Errors
    /// The first entry that is wrong, with its sequence number.
    ///
    /// ```
    /// # use bailiwick::Wallet;
    /// # use bailiwick::credit::LedgerEntry;
    /// fn audit(stored: &Wallet, ledger: Vec<LedgerEntry>) -> Result<(), String> {
    ///     let replayed = Wallet::replay(stored.account(), ledger).map_err(|error| error.to_string())?;
    ///     if replayed.equals_but_for_version(stored) { Ok(()) } else { Err("the wallet is not its ledger".to_owned()) }
    /// }
    /// # let wallet = Wallet::open(7.into(), "2026-01-01T00:00:00Z".parse()?);
    /// # audit(&wallet, vec![])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay(
        account: &AccountId,
        entries: impl IntoIterator<Item = LedgerEntry>,
    ) -> Result<Self, LedgerError> {
        let mut wallet = Self::open(account.clone(), DateTime::<Utc>::MIN_UTC);
        for entry in entries {
            let sequence = wallet.sequence.saturating_add(1);
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
            let applied: Result<(), WalletError> = wallet.apply(&entry.event, entry.at);
            applied.map_err(|_| wrong(LedgerFault::Event))?;
            if wallet.balance != entry.balance || !wallet.balance.adds_up() {
                return Err(wrong(LedgerFault::Balance));
            }
            (wallet.sequence, wallet.as_of) = (sequence, entry.at);
        }
        Ok(wallet)
    }

    /// Whether two wallets are one but for the version of the row and the time up to which they
    /// were advanced.
    pub fn equals_but_for_version(&self, other: &Self) -> bool {
        let Self {
            account,
            version: _,
            as_of: _,
            sequence,
            balance,
            grants,
            holds,
            lapses,
        } = self;
        (account, sequence, balance, grants, lapses)
            == (
                &other.account,
                &other.sequence,
                &other.balance,
                &other.grants,
                &other.lapses,
            )
            && holds.len() == other.holds.len()
            && holds.iter().all(|hold| other.holds.contains(hold))
    }
}
