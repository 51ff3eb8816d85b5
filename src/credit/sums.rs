//! Sums of credits, within the range that amounts can have.

use super::error::WalletError;
use crate::money::Credits;

/// Adds an amount to a total.
pub(super) fn add(total: &mut Credits, amount: Credits) -> Result<(), WalletError> {
    *total = total
        .checked_add(amount)
        .ok_or(WalletError::AmountOverflow)?;
    Ok(())
}

/// Takes an amount away from a total, which must be at least as large.
pub(super) fn take(total: &mut Credits, amount: Credits) -> Result<(), WalletError> {
    *total = total
        .checked_sub(amount)
        .ok_or(WalletError::AmountOverflow)?;
    Ok(())
}

/// Returns the sum of several amounts; `None` beyond the range of amounts.
pub(super) fn total(parts: impl IntoIterator<Item = Credits>) -> Option<Credits> {
    parts
        .into_iter()
        .try_fold(Credits::ZERO, Credits::checked_add)
}
