//! A wallet as it is read from a store: it is believed only if it adds up.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::balance::Balance;
use super::error::WalletError;
use super::funds::{Funds, Lapse};
use super::hold::{HoldRecord, Slice};
use super::key::IdempotencyKey;
use super::recurring::Recurring;
use super::sums::total;
use super::wallet::Wallet;
use crate::id::AccountId;

/// The fields of a stored wallet, before they are believed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    account: AccountId,
    version: u64,
    as_of: DateTime<Utc>,
    sequence: u64,
    balance: Balance,
    grants: Vec<Funds>,
    holds: Vec<HoldRecord>,
    lapses: Vec<Lapse>,
    #[serde(default)]
    recurring: Vec<Recurring>,
    #[serde(default)]
    memory_from: Option<DateTime<Utc>>,
}

/// Reads a stored wallet, and refuses one that does not add up.
impl<'de> Deserialize<'de> for Wallet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored {
            account,
            version,
            as_of,
            sequence,
            balance,
            grants,
            holds,
            lapses,
            recurring,
            memory_from,
        } = Stored::deserialize(deserializer)?;

        let wallet = Self {
            account,
            version,
            as_of,
            sequence,
            balance,
            grants,
            holds,
            lapses,
            recurring,
            memory_from,
        };
        wallet.check_parts().map_err(D::Error::custom)?;

        Ok(wallet)
    }
}

impl Wallet {
    /// Checks that the parts are sound by themselves, that they add up to the balance, and the
    /// balance to what was granted.
    fn check_parts(&self) -> Result<(), WalletError> {
        self.balance.check()?;
        self.check_amounts()
    }

    /// Checks that the parts are sound by themselves and add up to the balance. It holds after each
    /// entry of the ledger, in the middle of a command too.
    pub(super) fn check_amounts(&self) -> Result<(), WalletError> {
        self.grants.iter().try_for_each(Funds::check)?;
        // Names before sums, since two holds of one key could make up for each other.
        self.check_names()?;
        self.check_sums()?;
        self.check_recurring()
    }

    /// Checks that no name is used twice, and that every slice names a grant.
    fn check_names(&self) -> Result<(), WalletError> {
        let keys: BTreeSet<&IdempotencyKey> = self.holds.iter().map(|hold| &hold.key).collect();
        let ids: BTreeSet<&Arc<str>> = self.grants.iter().map(|funds| &funds.grant.id).collect();
        let next = self.grants.iter().skip(1);

        let checks = [
            (
                "it remembers more lapsed periods than it may",
                self.lapses.len() <= Lapse::MAX,
            ),
            ("two holds have one key", keys.len() == self.holds.len()),
            (
                "two grants have one identifier",
                ids.len() == self.grants.len(),
            ),
            (
                "a hold pins a grant that is not there",
                self.slices_of_holds()
                    .all(|slice| ids.contains(&slice.grant)),
            ),
            (
                "the grants are not in the order in which they are spent",
                self.grants
                    .iter()
                    .zip(next)
                    .all(|(funds, next)| funds.grant.burn_order(&next.grant).is_lt()),
            ),
        ];

        WalletError::check(&checks)
    }

    /// Checks that holds, grants and balance agree on every amount.
    fn check_sums(&self) -> Result<(), WalletError> {
        let is_whole = |hold: &HoldRecord| {
            hold.amount.checked_sub(hold.drawn)
                == total(hold.slices.iter().map(|slice| slice.amount))
        };
        let is_pinned = |funds: &Funds| {
            let pins = self
                .slices_of_holds()
                .filter(|slice| slice.grant == funds.grant.id);
            total(pins.map(|slice| slice.amount)) == Some(funds.held)
        };
        let scheduled = self.grants.iter().filter(|funds| funds.scheduled);

        let checks = [
            (
                "the slices of a hold do not sum up to what is left of it",
                self.holds.iter().all(is_whole),
            ),
            (
                "the slices of the holds do not sum up to what is held of a grant",
                self.grants.iter().all(is_pinned),
            ),
            (
                "the scheduled grants do not sum up to the balance",
                total(scheduled.map(|funds| funds.grant.amount)) == Some(self.balance.scheduled),
            ),
            (
                "the free parts of the grants do not sum up to the balance",
                total(self.grants.iter().map(|funds| funds.free)) == Some(self.balance.free),
            ),
            (
                "the holds do not sum up to the balance",
                total(self.holds.iter().map(HoldRecord::left)) == Some(self.balance.held),
            ),
        ];

        WalletError::check(&checks)
    }

    /// Checks that paid time is the account's own, once for each subscription.
    fn check_recurring(&self) -> Result<(), WalletError> {
        let is_own = |recurring: &Recurring| *recurring.schedule.account() == self.account;
        let subscriptions: BTreeSet<_> = self
            .recurring
            .iter()
            .map(|recurring| recurring.schedule.subscription().to_string())
            .collect();

        let checks = [
            (
                "the paid time is another account's",
                self.recurring.iter().all(is_own),
            ),
            (
                "a subscription has its credits twice",
                subscriptions.len() == self.recurring.len(),
            ),
        ];

        WalletError::check(&checks)
    }

    fn slices_of_holds(&self) -> impl Iterator<Item = &Slice> {
        self.holds.iter().flat_map(|hold| &hold.slices)
    }
}
