//! A wallet as it is read from a store: it is believed only if it adds up.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::balance::Balance;
use super::error::WalletError;
use super::funds::{Funds, Lapse};
use super::hold::HoldRecord;
use super::key::IdempotencyKey;
use super::wallet::Wallet;
use crate::id::AccountId;
use crate::money::Credits;

impl Wallet {
    /// Whether every part adds up to the balance, and the balance to itself.
    fn is_exact(&self) -> bool {
        let scheduled = self
            .grants
            .iter()
            .filter(|funds| funds.scheduled)
            .map(|funds| funds.grant.amount);
        let pinned = |id: &Arc<str>| {
            let slices = self.holds.iter().flat_map(|hold| &hold.slices);
            total(
                slices
                    .filter(|slice| slice.grant == *id)
                    .map(|slice| slice.amount),
            )
        };
        let keys: BTreeSet<&IdempotencyKey> = self.holds.iter().map(|hold| &hold.key).collect();
        let ids: BTreeSet<&Arc<str>> = self.grants.iter().map(|funds| &funds.grant.id).collect();
        let slices = |hold: &HoldRecord| total(hold.slices.iter().map(|slice| slice.amount));
        self.balance.is_exact()
            && self.lapses.len() <= Lapse::MAX
            && keys.len() == self.holds.len()
            && ids.len() == self.grants.len()
            && self.grants.iter().all(Funds::is_sound)
            && self
                .holds
                .iter()
                .all(|hold| hold.amount.checked_sub(hold.drawn) == slices(hold))
            && self
                .holds
                .iter()
                .flat_map(|hold| &hold.slices)
                .all(|slice| ids.contains(&slice.grant))
            && total(scheduled) == Some(self.balance.scheduled)
            && total(self.grants.iter().map(|funds| funds.free)) == Some(self.balance.free)
            && total(self.holds.iter().map(HoldRecord::left)) == Some(self.balance.held)
            && self
                .grants
                .iter()
                .all(|funds| pinned(&funds.grant.id) == Some(funds.held))
            && self
                .grants
                .iter()
                .zip(self.grants.iter().skip(1))
                .all(|(a, b)| a.grant.burn_order(&b.grant).is_lt())
    }
}

fn total(mut parts: impl Iterator<Item = Credits>) -> Option<Credits> {
    parts.try_fold(Credits::ZERO, Credits::checked_add)
}

/// A wallet as it is read, before it is believed.
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
}

impl TryFrom<Stored> for Wallet {
    type Error = WalletError;

    fn try_from(stored: Stored) -> Result<Self, WalletError> {
        let Stored {
            account,
            version,
            as_of,
            sequence,
            balance,
            grants,
            holds,
            lapses,
        } = stored;
        let wallet = Self {
            account,
            version,
            as_of,
            sequence,
            balance,
            grants,
            holds,
            lapses,
        };
        if wallet.is_exact() {
            Ok(wallet)
        } else {
            Err(WalletError::Inexact)
        }
    }
}

impl<'de> Deserialize<'de> for Wallet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        Self::try_from(stored).map_err(D::Error::custom)
    }
}
