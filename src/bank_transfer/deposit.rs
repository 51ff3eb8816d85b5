//! The deposit: money that an account has paid and that has paid for nothing yet.

use serde::{Deserialize, Serialize};

use crate::change::{RowChange, RowError};
use crate::id::AccountId;
use crate::money::Money;

/// The money that an account has paid and not used up: parts of a price that have not reached it,
/// and sums above one. A row that is unique by account; an account without one has no deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct Deposit {
    /// The account.
    pub account: AccountId,
    /// The sum that is left.
    pub amount: Money,
    /// The sum that the deposit has paid for periods without a transfer so far. It is no part of
    /// `amount`. See [`Policy::apply_deposit`](crate::Policy::apply_deposit).
    pub applied: Money,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

impl Deposit {
    /// Returns the row with another amount, or `None` where there is nothing to write: the amount
    /// stays, or an account that had no deposit still has none.
    pub(super) fn change(
        before: Option<&Self>,
        account: &AccountId,
        amount: Money,
    ) -> Result<Option<RowChange<Self>>, RowError> {
        let is_unchanged = before.map_or(amount.is_zero(), |deposit| deposit.amount == amount);
        if is_unchanged {
            return Ok(None);
        }

        let zero = Money::zero(amount.currency());
        let expected = before.map_or(0, |deposit| deposit.version);
        RowChange::next(expected, "deposit", |version| Self {
            account: account.clone(),
            amount,
            applied: before.map_or(zero, |deposit| deposit.applied_or(zero)),
            version,
        })
        .map(Some)
    }

    /// Returns the sum that has paid for periods by itself, or `zero` in its place where it is
    /// zero: the currency of a sum of zero binds nobody.
    pub(super) fn applied_or(&self, zero: Money) -> Money {
        if self.applied.is_zero() {
            zero
        } else {
            self.applied
        }
    }
}
