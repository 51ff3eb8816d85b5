//! Where a wallet's credits are, in parts that always add up.

use serde::{Deserialize, Serialize};

use crate::money::Credits;

/// Where a wallet's credits are. At every moment
/// `granted = scheduled + free + held + spent + expired + revoked - debt`, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// All that was ever granted.
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

    /// What can be held now: `free - debt`, or nothing while there is debt.
    pub fn available(&self) -> Credits {
        self.free.saturating_sub(self.debt)
    }

    /// Whether `free - debt` covers an amount. While there is debt, it covers not even nothing.
    pub fn covers(&self, amount: Credits) -> bool {
        self.debt.is_zero() && amount <= self.free
    }

    /// Whether the parts add up, and nothing is free beside a debt. Between the entries of one
    /// command that may be so, until the debt is repaid.
    pub(super) fn is_exact(&self) -> bool {
        self.adds_up() && (self.free.is_zero() || self.debt.is_zero())
    }

    /// Whether the parts add up.
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
