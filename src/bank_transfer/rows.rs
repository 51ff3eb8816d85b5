//! The checks that every payment makes of the rows that were loaded for it.

use super::claim::{Claim, ClaimState};
use super::deposit::Deposit;
use super::error::ConfirmError;
use crate::account::{Account, AccountStatus};
use crate::change::RowError;
use crate::charge::Charge;
use crate::gate::Denial;
use crate::id::{AccountId, SubscriptionId};
use crate::paid_time::PaidTime;
use crate::subscription::Subscription;

/// Checks that the account may pay, and that the rows are its own.
pub(super) fn check_rows(
    account: &Account,
    subscription: Option<&Subscription>,
    deposit: Option<&Deposit>,
    claim: Option<&Claim>,
    charge: Option<&Charge>,
) -> Result<(), ConfirmError> {
    match account.status {
        AccountStatus::Closed => return Err(Denial::AccountClosed.into()),
        AccountStatus::Unknown => return Err(Denial::AccountStatusUnknown.into()),
        // Even a suspended account may pay: nobody's money is turned away.
        AccountStatus::PendingPayment | AccountStatus::Active | AccountStatus::Suspended(_) => {}
    }

    let right = "account";
    if subscription.is_some_and(|subscription| subscription.account != account.id) {
        let left = "subscription";
        return Err(RowError::Mismatch { left, right }.into());
    }
    if deposit.is_some_and(|deposit| deposit.account != account.id) {
        let left = "deposit";
        return Err(RowError::Mismatch { left, right }.into());
    }

    if charge.is_some_and(|charge| charge.account != account.id) {
        let left = "charge";
        return Err(RowError::Mismatch { left, right }.into());
    }

    match claim {
        Some(claim) if claim.account != account.id || claim.state != ClaimState::Submitted => {
            Err(ConfirmError::ClaimMismatch)
        }
        _ => Ok(()),
    }
}

/// Returns the paid time of a subscription. It cannot be left out: what was paid before would be
/// lost.
pub(super) fn check_paid_time(
    paid_time: Option<PaidTime>,
    account: &AccountId,
    subscription: &SubscriptionId,
) -> Result<PaidTime, RowError> {
    paid_time
        .filter(|row| row.account() == account && row.subscription() == subscription)
        .ok_or(RowError::Mismatch {
            left: "paid time",
            right: "subscription",
        })
}
