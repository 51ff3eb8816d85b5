//! Money that an account has paid and that has paid for nothing yet.

use serde::{Deserialize, Serialize};

use crate::change::RowChange;
use crate::id::AccountId;
use crate::money::Money;

/// What an account has paid and not used up: parts of a price that have not reached it, and what was paid above one. A
/// row that is unique by account; an account without one has no deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deposit {
    /// The account.
    pub account: AccountId,
    /// How much.
    pub amount: Money,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

impl Deposit {
    /// The row after a change, if there is one to write: none where an account that had no deposit still has none.
    pub(super) fn change(before: Option<&Self>, account: &AccountId, amount: Money) -> Option<RowChange<Self>> {
        let version = before.map_or(0, |deposit| deposit.version);
        let unchanged = before.map_or(amount.is_zero(), |deposit| deposit.amount == amount);
        let next = version.checked_add(1).filter(|_| !unchanged)?;
        Some(RowChange::update(version, Self { account: account.clone(), amount, version: next }))
    }
}
