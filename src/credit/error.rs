//! What is wrong with a wallet, or with what was loaded beside it.

use thiserror::Error;

use crate::problem::{Code, Explained};

/// Why a wallet cannot take part in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WalletError {
    /// Wallet, access, hold and outcome are not all of one account and one key: the host loaded the
    /// wrong row.
    #[error("the wallet, the proof and the outcome do not belong together")]
    Mismatch,
    /// A sum leaves the range of 0 to 10^12 credits.
    #[error("a sum of credits leaves the range of 0 to 10^12")]
    AmountOverflow,
    /// A stored wallet does not add up.
    #[error("the stored wallet does not add up")]
    Inexact,
}

impl Explained for WalletError {
    fn code(&self) -> Code {
        match self {
            Self::Mismatch | Self::Inexact => Code::WalletMismatch,
            Self::AmountOverflow => Code::AmountOverflow,
        }
    }
}
