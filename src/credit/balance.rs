//! The balance of a wallet, in parts that always add up.

use serde::{Deserialize, Serialize};

use super::error::WalletError;
use crate::money::Credits;

/// The balance of a wallet, by where its credits are. At every moment
/// `granted = scheduled + free + held + spent + expired + revoked - debt`, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a closed domain: the parts add up"
)]
pub struct Balance {
    /// All credits that were ever granted.
    pub granted: Credits,
    /// Granted, and not yet in effect.
    pub scheduled: Credits,
    /// In effect, and neither held nor spent.
    pub free: Credits,
    /// Set aside by open holds.
    pub held: Credits,
    /// Charged, debt included.
    pub spent: Credits,
    /// Run out unspent.
    pub expired: Credits,
    /// Taken back.
    pub revoked: Credits,
    /// Charged beyond what there was. While there is debt, nothing is free.
    pub debt: Credits,
}

impl Balance {
    pub(super) const ZERO: Self = Self {
        granted: Credits::ZERO,
        scheduled: Credits::ZERO,
        free: Credits::ZERO,
        held: Credits::ZERO,
        spent: Credits::ZERO,
        expired: Credits::ZERO,
        revoked: Credits::ZERO,
        debt: Credits::ZERO,
    };

    /// Returns the credits that can be held now: `free - debt`, or zero while there is debt.
    pub fn available(&self) -> Credits {
        self.free.saturating_sub(self.debt)
    }

    /// Returns whether an amount can be held now. While there is any debt this is false, even for
    /// zero.
    pub fn covers(&self, amount: Credits) -> bool {
        self.debt.is_zero() && amount <= self.free
    }

    /// Checks that the parts add up, and that nothing is free beside a debt. The second may fail
    /// between the entries of one command, until the debt is repaid.
    pub(super) fn check(&self) -> Result<(), WalletError> {
        if !self.adds_up() {
            return Err(WalletError::inexact(
                "the parts of the balance do not sum up to what was granted",
            ));
        }
        if !self.free.is_zero() && !self.debt.is_zero() {
            return Err(WalletError::inexact("credits are free beside a debt"));
        }
        Ok(())
    }

    /// Returns whether the parts add up.
    pub(super) fn adds_up(&self) -> bool {
        let parts = [
            self.scheduled,
            self.free,
            self.held,
            self.spent,
            self.expired,
            self.revoked,
        ];
        let sum: i128 = parts.iter().map(|part| i128::from(part.micros())).sum();

        i128::from(self.granted.micros()).checked_add(self.debt.micros().into()) == Some(sum)
    }
}
