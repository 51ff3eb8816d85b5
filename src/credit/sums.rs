//! Sums of credits, within the range that amounts can have.

use super::error::WalletError;
use crate::money::Credits;

/// Adds, within what amounts can hold.
pub(super) fn add(total: &mut Credits, amount: Credits) -> Result<(), WalletError> {
    *total = total
        .checked_add(amount)
        .ok_or(WalletError::AmountOverflow)?;
    Ok(())
}

/// Takes away what is there.
pub(super) fn take(total: &mut Credits, amount: Credits) -> Result<(), WalletError> {
    *total = total
        .checked_sub(amount)
        .ok_or(WalletError::AmountOverflow)?;
    Ok(())
}
