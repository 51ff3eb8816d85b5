//! Credit: on whose account an expensive call is made. A [`Wallet`] is plain data; every command
//! takes it, advances it to `now`, and returns the [`Change`] that the host writes in one
//! transaction, or the answer of an earlier time.
//!
//! All that a host has to keep to is this order of loading and writing:
//!
//! 1. read the wallet, then the outcome of the key, in this order;
//! 2. call the command;
//! 3. write the wallet over [`Change::expected_version`] (0: insert it), append the entries, write
//!    the outcome under UNIQUE (account, key), commit; if a guard misses, begin again at 1.

mod allowance;
mod balance;
mod boundary;
mod draft;
mod due;
mod ending;
mod explain;
mod funds;
mod grant;
mod granting;
mod hold;
mod key;
mod ledger;
mod outcome;
mod price;
mod spending;
mod stored;
mod wallet;

use crate::money::Credits;

pub use allowance::{Allowance, AllowanceError};
pub use balance::Balance;
pub(crate) use due::credit_months;
pub use due::{DueGrant, DueRevocation};
pub use ending::{ReleaseError, SettleError};
pub use explain::LedgerStatement;
pub use grant::{Cause, CauseError, CauseKind, Grant, GrantTerms, Rollover};
pub use granting::{GrantError, RefundError, RevokeError};
pub use hold::{Hold, HoldRecord, Slice};
pub use key::{IdempotencyKey, IdempotencyKeyError};
pub use ledger::{Event, LedgerEntry, LedgerError, LedgerFault};
pub use outcome::{Ended, Outcome, OutcomeWrite, Receipt, ReplayError, Replayed, Revocation};
pub use price::{Price, PriceError, PriceList, Quote, Rounding, Tier};
pub use spending::{DeductRequest, HoldError, HoldRequest};
pub use wallet::{Wallet, WalletError};

/// The change that a command makes to one wallet, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Change<T = ()> {
    expected_version: u64,
    wallet: Wallet,
    entries: Vec<LedgerEntry>,
    outcome: Option<OutcomeWrite>,
    result: T,
}

impl<T> Change<T> {
    /// The version that the stored wallet must still have; 0 means that there must be none yet.
    pub fn expected_version(&self) -> u64 {
        self.expected_version
    }

    /// The wallet to store.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The entries to append to the ledger, under UNIQUE (account, sequence).
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// The outcome to store, under UNIQUE (account, key).
    pub fn outcome(&self) -> Option<&OutcomeWrite> {
        self.outcome.as_ref()
    }

    /// The same change for a caller that needs no result.
    pub fn without_result(self) -> Change {
        let Self {
            expected_version,
            wallet,
            entries,
            outcome,
            ..
        } = self;
        Change {
            expected_version,
            wallet,
            entries,
            outcome,
            result: (),
        }
    }

    /// What the command was for, to be taken once the change is committed.
    pub fn into_result(self) -> T {
        self.result
    }
}

/// Adds, within what amounts can hold.
fn add(total: &mut Credits, amount: Credits) -> Result<(), WalletError> {
    *total = total
        .checked_add(amount)
        .ok_or(WalletError::AmountOverflow)?;
    Ok(())
}

/// Takes away what is there.
fn take(total: &mut Credits, amount: Credits) -> Result<(), WalletError> {
    *total = total
        .checked_sub(amount)
        .ok_or(WalletError::AmountOverflow)?;
    Ok(())
}
