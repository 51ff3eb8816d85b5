//! The fault of an amount.

use thiserror::Error;

use crate::problem::{Code, Explained};

/// The reason why a value is not an amount of credits or of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AmountError {
    /// It is negative. Amounts never are: taking credits away is a command of its own.
    #[error("an amount must not be negative")]
    Negative,
    /// It has more decimal places than the amount can hold. It is refused, never rounded.
    #[error("an amount has at most {places} decimal places")]
    TooPrecise {
        /// The most decimal places that are allowed.
        places: u32,
    },
    /// It is larger than 10^12.
    #[error("an amount is at most 1000000000000")]
    TooLarge,
    /// It is not a decimal number.
    #[error("an amount must be a decimal number such as \"12.5\"")]
    NotANumber,
    /// Its currency is not a code of three upper-case letters.
    #[error("a currency must be three upper-case letters such as \"EUR\"")]
    Currency,
}

impl Explained for AmountError {
    fn code(&self) -> Code {
        Code::AmountInvalid
    }
}
