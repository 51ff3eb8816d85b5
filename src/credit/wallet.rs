//! The wallet: its grants, its open holds, and the balance that always adds up.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::balance::Balance;
use super::funds::{Funds, Lapse};
use super::grant::{Cause, CauseKind};
use super::hold::{HoldRecord, Slice};
use super::key::IdempotencyKey;
use super::life::Life;
use super::outcome::{Outcome, Revocation};
use super::recurring::{Recurring, WindowKey};
use crate::id::{AccountId, SubscriptionId};
use crate::money::Credits;

/// An account's credits, as the host stores them: one row, guarded by its version.
///
/// Commands take the wallet and return a [`Change`](crate::credit::Change) with the next one. Each
/// begins by applying what time has decided meanwhile, so nothing depends on a job that expires
/// things. The [room's page](super) shows a wallet at work, from its first grant to a settlement.
///
/// A wallet is stored by serde, whole. One that does not add up is refused when it is read: see
/// [`WalletError::Inexact`](crate::credit::WalletError::Inexact).
///
/// ```
/// use bailiwick::chrono::DateTime;
/// use bailiwick::{Credits, Wallet};
///
/// let wallet = Wallet::open(7.into(), DateTime::UNIX_EPOCH);
/// assert_eq!(wallet.version(), 0); // not stored yet
/// assert_eq!(wallet.balance().available(), Credits::ZERO);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wallet {
    pub(super) account: AccountId,
    pub(super) version: u64,
    pub(super) as_of: DateTime<Utc>,
    pub(super) sequence: u64,
    pub(super) balance: Balance,
    /// In burn order.
    pub(super) grants: Vec<Funds>,
    pub(super) holds: Vec<HoldRecord>,
    /// The rests of expired periods, the latest last.
    pub(super) lapses: Vec<Lapse>,
    /// The credits that paid time brings, by subscription, in the order of their first alignment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) recurring: Vec<Recurring>,
    /// Windows that ended until then are forgotten, of subscriptions that are no longer kept too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_from: Option<DateTime<Utc>>,
}

impl Wallet {
    /// Creates the empty wallet of an account, not stored yet: version 0.
    pub fn open(account: AccountId, now: DateTime<Utc>) -> Self {
        Self {
            account,
            version: 0,
            as_of: now,
            sequence: 0,
            balance: Balance::ZERO,
            grants: Vec::new(),
            holds: Vec::new(),
            lapses: Vec::new(),
            recurring: Vec::new(),
            memory_from: None,
        }
    }

    /// Returns the account that owns the wallet.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the version of the row.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the number of the last entry in its ledger; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the time up to which everything that time decides has been applied.
    pub fn as_of(&self) -> DateTime<Utc> {
        self.as_of
    }

    /// Returns the balance at [`as_of`](Self::as_of).
    pub fn balance(&self) -> Balance {
        self.balance
    }

    /// Returns the holds that are open at [`as_of`](Self::as_of).
    pub fn holds(&self) -> &[HoldRecord] {
        &self.holds
    }

    pub(super) fn open_hold(&self, key: &IdempotencyKey) -> Option<&HoldRecord> {
        self.holds.iter().find(|hold| hold.key == *key)
    }

    /// Returns slices of free credits in burn order, which sum up to `amount` or to all that is
    /// free.
    pub(super) fn slices(&self, amount: Credits) -> Vec<Slice> {
        let mut missing = amount;
        let mut slices = Vec::new();

        for funds in &self.grants {
            if missing.is_zero() {
                break;
            }

            let part = missing.min(funds.free);
            if !part.is_zero() {
                missing = missing.saturating_sub(part);
                slices.push(Slice {
                    grant: funds.grant.id.clone(),
                    amount: part,
                });
            }
        }

        slices
    }

    /// Returns whether the hold of a stored outcome is open.
    pub(super) fn is_open(&self, outcome_key: &str) -> bool {
        self.holds
            .iter()
            .any(|hold| Outcome::spend_key(&hold.key) == *outcome_key)
    }

    /// Returns what a revocation of a grant would take back: what is free or scheduled of it, and
    /// what holds pin. `None` if there is no such grant, or it was taken back before.
    pub(super) fn left_of(&self, id: &str) -> Option<Revocation> {
        let funds = self
            .grants
            .iter()
            .find(|funds| *funds.grant.id == *id && !funds.revoked)
            // A window's credits follow what was paid for it, and nothing else.
            .filter(|funds| funds.grant.cause != CauseKind::PaidTime)?;

        Some(Revocation {
            grant: funds.grant.id.clone(),
            revoked: if funds.scheduled {
                funds.grant.amount
            } else {
                funds.free
            },
            pinned: funds.held,
        })
    }

    /// Returns the grants of a subscription's months, with all that was added to them, as they were
    /// made before credits followed paid time.
    pub(super) fn months_of(&self, subscription: &SubscriptionId) -> impl Iterator<Item = &Funds> {
        let months = Cause::months_key(subscription);
        // The identifier of a subscription may hold a slash, so its key may begin another's.
        let is_of = move |id: &str| {
            id.strip_prefix(&*months)
                .is_some_and(|rest| !rest.contains('/'))
        };

        self.grants
            .iter()
            .filter(move |funds| is_of(&funds.grant.id))
    }

    /// Returns the window of paid time whose grant has an identifier, as far as it is remembered.
    pub(super) fn window_of(&self, id: &str) -> Option<(&Recurring, WindowKey)> {
        self.recurring.iter().find_map(|recurring| {
            let keys = recurring
                .windows
                .iter()
                .map(|one| recurring.key(one.window(), one.late));
            let key = keys.into_iter().find(|key| *key.grant_id() == *id)?;
            Some((recurring, key))
        })
    }

    /// Returns the credits of a part of a window that have run out.
    pub(super) fn lapsed_of(&self, key: &WindowKey) -> Credits {
        self.recurring
            .iter()
            .filter(|recurring| *recurring.schedule.subscription() == key.subscription)
            .flat_map(|recurring| &recurring.windows)
            .find(|one| one.window() == key.window && one.late == key.late)
            .map_or(Credits::ZERO, |one| one.lapsed)
    }

    /// Returns the longest life among these slices, of as many of them as an amount takes in order.
    pub(super) fn life_of(&self, slices: &[Slice], amount: Credits) -> Life {
        let mut missing = amount;
        let mut life = Life::None;

        for slice in slices {
            if missing.is_zero() {
                break;
            }
            // The last slice may be larger than what is missing.
            missing = missing.saturating_sub(slice.amount);

            let funds = self
                .grants
                .iter()
                .find(|funds| funds.grant.id == slice.grant);
            let own = funds.map_or(Life::None, |funds| {
                funds.grant.expires_at.map_or(Life::Forever, Life::Until)
            });
            life = life.max(own);
        }

        life
    }
}
