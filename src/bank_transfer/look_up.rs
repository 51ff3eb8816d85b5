//! The search for a transfer among the registry's rows of its identifier.

use super::error::ConfirmError;
use super::record::ConfirmedTransfer;
use super::transfer::BankTransfer;
use crate::change::{Answer, RowError};
use crate::id::{AccountId, ChargeId, SubscriptionId};

/// Looks a transfer up among the registry's rows of its identifier. Returns the row of the same
/// transfer, or the number of its retractions if it is to be confirmed now.
pub(super) fn look_up(
    prior: Vec<ConfirmedTransfer>,
    transfer: &BankTransfer,
    account: &AccountId,
    charge: Option<&ChargeId>,
    subscription: Option<&SubscriptionId>,
) -> Result<Answer<u32, ConfirmedTransfer>, ConfirmError> {
    let is_foreign = |row: &ConfirmedTransfer| !row.transfer.has_identifier_of(transfer);
    if prior.iter().any(is_foreign) {
        return Err(RowError::Mismatch {
            left: "confirmed transfer",
            right: "transfer",
        }
        .into());
    }

    let (retracted, open): (Vec<_>, Vec<_>) = prior
        .into_iter()
        .partition(|row| row.retracted_at.is_some());
    if let Some(row) = open.iter().find(|row| row.transfer.has_day_of(transfer)) {
        return if row.is_of(transfer, account, charge, subscription) {
            Ok(Answer::Replayed(row.clone()))
        } else {
            Err(ConfirmError::conflict(transfer))
        };
    }
    if let Some(day) = open
        .iter()
        .find_map(|row| transfer.similar_day(&row.transfer))
    {
        return Err(ConfirmError::similar(transfer, day));
    }

    let last = retracted.iter().map(|row| row.retractions).max();
    let retractions = last.map_or(Some(0), |last| last.checked_add(1));
    let overflow = RowError::Overflow {
        of: "number of retractions",
    };
    Ok(Answer::Fresh(retractions.ok_or(overflow)?))
}
