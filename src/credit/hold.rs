//! Holds: the proof that a call may be made, and the record of it that the wallet stores.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::key::IdempotencyKey;
use crate::id::AccountId;
use crate::money::Credits;
use crate::policy::Overage;

/// A part of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The grant's identifier.
    pub grant: Arc<str>,
    /// How much of it.
    pub amount: Credits,
}

/// An open hold as the wallet stores it: a record, no proof of anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRecord {
    /// Its key.
    pub key: IdempotencyKey,
    /// What it is for.
    pub operation: Arc<str>,
    /// How much was set aside at first.
    pub amount: Credits,
    /// How much of it was drawn already.
    pub drawn: Credits,
    /// What is still set aside: from which grants, in the order in which they will be spent.
    pub slices: Vec<Slice>,
    /// The first instant at which it is no longer open.
    pub expires_at: DateTime<Utc>,
    /// What a cost beyond it may do.
    pub overage: Overage,
}

impl HoldRecord {
    /// What is still set aside.
    pub fn left(&self) -> Credits {
        self.amount.saturating_sub(self.drawn)
    }
}

/// The proof that credits are set aside for one expensive call. Only a wallet makes it, once for
/// each key; it can be settled or released, and it cannot be copied.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a hold keeps credits aside until it is settled or released"]
pub struct Hold {
    pub(super) account: AccountId,
    pub(super) key: IdempotencyKey,
    pub(super) amount: Credits,
    pub(super) expires_at: DateTime<Utc>,
}

impl Hold {
    /// Whose credits.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Its key.
    pub fn key(&self) -> &IdempotencyKey {
        &self.key
    }

    /// How much is set aside.
    pub fn amount(&self) -> Credits {
        self.amount
    }

    /// The first instant at which it is no longer open.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }
}
