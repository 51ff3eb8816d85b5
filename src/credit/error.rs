//! Faults of a wallet, or of what was loaded beside it.

use thiserror::Error;

use crate::change::RowError;
use crate::problem::{Code, Explained};

/// A fault of the wallet, or of what was loaded beside it. Nothing was changed.
///
/// Except for a sum that is too large, these are faults of the host's own code or data: a client is
/// told only that something went wrong, and the log gets the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WalletError {
    /// Two of wallet, access, cause, hold and outcome are not of one account and one key, or the
    /// wallet has no version or ledger number left.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A sum of credits leaves the range of 0 to 10^12.
    #[error("a sum of credits leaves the range of 0 to 10^12")]
    AmountOverflow,
    /// The wallet does not add up, so it is not what a command of this crate wrote.
    #[error("the stored wallet does not add up: {fault}")]
    Inexact {
        /// The part that is wrong, as a fixed clause for the log.
        fault: &'static str,
    },
}

impl WalletError {
    /// Two things that were passed to one command do not belong together.
    pub(super) const fn mismatch(left: &'static str, right: &'static str) -> Self {
        Self::Row(RowError::Mismatch { left, right })
    }

    /// The wallet does not add up.
    pub(super) const fn inexact(fault: &'static str) -> Self {
        Self::Inexact { fault }
    }

    /// Checks a list of conditions, each with the fault that it rules out: the first that does not
    /// hold is the error.
    pub(super) fn check(checks: &[(&'static str, bool)]) -> Result<(), Self> {
        match checks.iter().find(|(_, holds)| !holds) {
            Some(&(fault, _)) => Err(Self::inexact(fault)),
            None => Ok(()),
        }
    }
}

impl Explained for WalletError {
    fn code(&self) -> Code {
        match self {
            Self::Row(error) => error.code(),
            Self::Inexact { .. } => Code::WalletMismatch,
            Self::AmountOverflow => Code::AmountOverflow,
        }
    }
}
