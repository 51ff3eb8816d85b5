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
mod apply;
mod balance;
mod boundary;
mod change;
mod draft;
mod due;
mod ending;
mod error;
mod event;
mod funds;
mod grant;
mod granting;
mod hold;
mod key;
mod ledger;
mod life;
mod outcome;
mod price;
mod refund;
mod request;
mod revocation;
mod settlement;
mod spending;
mod statement;
mod stored;
mod sums;
mod wallet;

pub use allowance::{Allowance, AllowanceError};
pub use balance::Balance;
pub use change::Change;
pub(crate) use due::credit_months;
pub use due::{DueGrant, DueRevocation};
pub use ending::ReleaseError;
pub use error::WalletError;
pub use event::Event;
pub use grant::{Cause, CauseError, CauseKind, Grant, GrantTerms, Rollover};
pub use granting::GrantError;
pub use hold::{Hold, HoldRecord, Slice};
pub use key::{IdempotencyKey, IdempotencyKeyError};
pub use ledger::{LedgerEntry, LedgerError, LedgerFault};
pub use outcome::{Ended, Outcome, OutcomeWrite, Receipt, ReplayError, Replayed, Revocation};
pub use price::{Price, PriceError, PriceList, Quote, Rounding, Tier};
pub use refund::RefundError;
pub use request::{DeductRequest, HoldRequest};
pub use revocation::RevokeError;
pub use settlement::SettleError;
pub use spending::HoldError;
pub use statement::LedgerStatement;
pub use wallet::Wallet;
