//! Holds: the proof that a call may be made, and the record of it that the wallet stores.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::key::IdempotencyKey;
use crate::id::AccountId;
use crate::money::Credits;
use crate::policy::Overage;

/// The number of the first attempt of a key.
pub(super) const FIRST_ATTEMPT: u32 = 1;

/// Returns the attempt of a row that names none: the first.
pub(super) fn first_attempt() -> u32 {
    FIRST_ATTEMPT
}

pub(super) fn is_first_attempt(attempt: &u32) -> bool {
    *attempt == FIRST_ATTEMPT
}

/// A part of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slice {
    /// The grant's identifier.
    pub grant: Arc<str>,
    /// The size of the part.
    pub amount: Credits,
}

/// An open hold as the wallet stores it. It is a record, and proves nothing: only a [`Hold`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldRecord {
    /// Its key.
    pub key: IdempotencyKey,
    /// The attempt of the key that it is, from 1: a hold that ended without a charge frees its key
    /// for the next.
    #[serde(default = "first_attempt", skip_serializing_if = "is_first_attempt")]
    pub attempt: u32,
    /// The operation that it is for.
    pub operation: Arc<str>,
    /// The amount that was set aside at first.
    pub amount: Credits,
    /// The part of it that was drawn already.
    pub drawn: Credits,
    /// The parts of grants that are still set aside, in the order in which they will be spent.
    pub slices: Vec<Slice>,
    /// The first instant at which it is no longer open.
    pub expires_at: DateTime<Utc>,
    /// The rule for a cost beyond it.
    pub overage: Overage,
}

impl HoldRecord {
    /// Returns the amount that is still set aside.
    pub fn left(&self) -> Credits {
        self.amount.saturating_sub(self.drawn)
    }
}

/// The proof that credits are set aside for one expensive call. Only a wallet makes it, once for
/// each attempt of a key; it can be settled or released, and it cannot be copied.
///
/// A function that takes a `Hold` cannot be called without one:
///
/// ```
/// use bailiwick::{Credits, Hold};
///
/// fn write_article(words: u64, hold: &Hold) -> String {
///     assert!(hold.amount() > Credits::ZERO);
///     format!("{words} words about bailiffs")
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a hold keeps credits aside until it is settled or released"]
pub struct Hold {
    pub(super) account: AccountId,
    pub(super) key: IdempotencyKey,
    pub(super) attempt: u32,
    pub(super) amount: Credits,
    pub(super) expires_at: DateTime<Utc>,
}

impl Hold {
    /// Returns the account whose credits are held.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns its key.
    pub fn key(&self) -> &IdempotencyKey {
        &self.key
    }

    /// Returns the attempt of its key that it is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the amount that is set aside.
    pub fn amount(&self) -> Credits {
        self.amount
    }

    /// Returns the first instant at which it is no longer open.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }
}
