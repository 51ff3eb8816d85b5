//! Charges that are no longer owed.

use chrono::{DateTime, Utc};

use super::error::{MAX_REASON, VoidError};
use super::purpose::ChargeFor;
use super::row::{Charge, ChargeState};
use crate::change::{Answer, RowChange, RowError};
use crate::gate::{BillingAccess, Operator};
use crate::right::Privilege;

impl Charge {
    /// Withdraws a charge that the account does not want to pay. Withdrawn or voided again, it
    /// gives the same answer.
    ///
    /// A plan that serves before its charge is paid cannot be had for nothing, so an account cannot
    /// withdraw such a charge.
    ///
    /// # Errors
    /// In this order: [`VoidError::Row`] for another account's charge, [`VoidError::Paid`],
    /// [`VoidError::Applied`], [`VoidError::Row`] for an exhausted version.
    pub fn withdraw(
        self,
        access: &BillingAccess,
        now: DateTime<Utc>,
    ) -> Result<Answer<RowChange<Self>, Self>, VoidError> {
        if self.account != *access.account_id() {
            return Err(RowError::Mismatch {
                left: "access",
                right: "charge",
            }
            .into());
        }

        let is_applied = matches!(&self.purpose, ChargeFor::Upgrade(change) if change.applied);
        match self.state {
            ChargeState::Open if is_applied => Err(VoidError::Applied),
            _ => self.end(None, now),
        }
    }

    /// Voids a charge, by an operator of another account who was admitted under
    /// [`Privilege::ConfirmPayments`]. A plan that serves already goes on serving: change it too, if
    /// it should not. Voided again, it gives the first answer.
    ///
    /// # Errors
    /// In this order: [`VoidError::Denied`], [`VoidError::Reason`], [`VoidError::Paid`],
    /// [`VoidError::Row`].
    pub fn void(
        self,
        operator: &Operator,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<Answer<RowChange<Self>, Self>, VoidError> {
        operator.check_foreign(Privilege::ConfirmPayments, &self.account)?;

        let reason = reason.trim();
        if !(1..=MAX_REASON).contains(&reason.chars().count()) {
            return Err(VoidError::Reason);
        }

        self.end(Some(reason.to_owned()), now)
    }

    fn end(
        self,
        reason: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<Answer<RowChange<Self>, Self>, VoidError> {
        match self.state {
            ChargeState::Open => {
                let change = self.into_state(ChargeState::Void { at: now, reason })?;
                Ok(Answer::Fresh(change))
            }
            ChargeState::Paid { .. } => Err(VoidError::Paid),
            ChargeState::Void { .. } => Ok(Answer::Replayed(self)),
        }
    }
}
