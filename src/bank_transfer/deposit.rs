//! The deposit: money that an account has paid and that has paid for nothing yet, or no longer.

use serde::{Deserialize, Serialize};

use crate::change::{RowChange, RowError};
use crate::charge::DowngradeChange;
use crate::id::AccountId;
use crate::money::Money;

/// The money that an account has paid and not used up: parts of a price that have not reached it,
/// sums above one, and what a change to a smaller plan left over. A row that is unique by account; an account without one has no deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredDeposit")]
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
    /// The sum that came from changes to a smaller plan at once so far, and from no transfer. See
    /// [`with_credited`](Self::with_credited).
    pub credited: Money,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

impl Deposit {
    /// Adds to a deposit what a [change to a smaller plan](crate::Policy::downgrade_now) at once has
    /// left over. `before` is the account's deposit, if it has one. The row is inserted or updated
    /// under UNIQUE (account), in the transaction of the change; `None` where nothing was left over.
    ///
    /// # Errors
    /// In this order: [`RowError::Mismatch`] for a deposit of another account, or in another
    /// currency: give that back first; [`RowError::Overflow`], [`RowError::VersionExhausted`].
    ///
    /// ```
    /// use bailiwick::bank_transfer::Deposit;
    /// use bailiwick::change::{RowChange, RowError};
    /// use bailiwick::charge::DowngradeChange;
    ///
    /// fn deposit_after(
    ///     downgrade: &DowngradeChange,
    ///     before: Option<&Deposit>,
    /// ) -> Result<Option<RowChange<Deposit>>, RowError> {
    ///     Deposit::with_credited(before, downgrade)
    /// }
    /// ```
    pub fn with_credited(
        before: Option<&Self>,
        downgrade: &DowngradeChange,
    ) -> Result<Option<RowChange<Self>>, RowError> {
        let account = &downgrade.account().row().id;
        if before.is_some_and(|deposit| deposit.account != *account) {
            let (left, right) = ("deposit", "account");
            return Err(RowError::Mismatch { left, right });
        }

        let more = downgrade.credited();
        let zero = Money::zero(more.currency());
        if more.is_zero() {
            return Ok(None);
        }

        // A sum of zero is in no currency.
        let kept = before.map_or(zero, |deposit| or_zero(deposit.amount, zero));
        let credited = before.map_or(zero, |deposit| or_zero(deposit.credited, zero));
        let applied = before.map_or(zero, |deposit| deposit.applied_or(zero));
        if kept.currency() != more.currency() || credited.currency() != more.currency() {
            let (left, right) = ("deposit", "charge");
            return Err(RowError::Mismatch { left, right });
        }

        let overflow = RowError::Overflow {
            of: "sum of the deposit and what is left over",
        };
        let amount = kept.checked_add(more).ok_or(overflow)?;
        let credited = credited.checked_add(more).ok_or(overflow)?;
        let expected = before.map_or(0, |deposit| deposit.version);
        RowChange::next(expected, "deposit", |version| Self {
            account: account.clone(),
            amount,
            applied,
            credited,
            version,
        })
        .map(Some)
    }

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
            credited: before.map_or(zero, |deposit| or_zero(deposit.credited, zero)),
            version,
        })
        .map(Some)
    }

    /// Returns the sum that has paid for periods by itself, or `zero` in its place where it is
    /// zero: the currency of a sum of zero binds nobody.
    pub(super) fn applied_or(&self, zero: Money) -> Money {
        or_zero(self.applied, zero)
    }
}

/// Returns a sum, or `zero` in its place where it is zero.
fn or_zero(sum: Money, zero: Money) -> Money {
    if sum.is_zero() { zero } else { sum }
}

/// The fields of every version. An older version did not know what came from a smaller plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDeposit {
    account: AccountId,
    amount: Money,
    applied: Money,
    credited: Option<Money>,
    version: u64,
}

impl From<StoredDeposit> for Deposit {
    fn from(stored: StoredDeposit) -> Self {
        // Without `..`, a new field cannot be left unread.
        let StoredDeposit {
            account,
            amount,
            applied,
            credited,
            version,
        } = stored;

        Self {
            account,
            credited: credited.unwrap_or(Money::zero(amount.currency())),
            amount,
            applied,
            version,
        }
    }
}
