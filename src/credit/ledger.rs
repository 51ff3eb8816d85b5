//! The ledger: immutable entries, each with what happened, when, and the balance after it. A wallet is what its entries
//! add up to, since an entry's event is the only thing that ever changes one.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::grant::Grant;
use super::hold::{HoldRecord, Slice};
use super::outcome::IdempotencyKey;
use super::wallet::Balance;
use crate::id::AccountId;
use crate::money::Credits;

/// What happened to a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Credits were granted; they are free at once, or scheduled.
    Granted {
        /// The grant.
        grant: Grant,
    },
    /// A scheduled grant took effect.
    TookEffect {
        /// The grant's identifier.
        grant: Arc<str>,
    },
    /// Credits were set aside for one operation.
    Held {
        /// The hold, with the slices of grants that it pins.
        hold: HoldRecord,
    },
    /// A hold ended with a charge; what was not charged went back to its grants.
    Settled {
        /// The hold's key.
        hold: IdempotencyKey,
        /// What the operation cost.
        cost: Credits,
        /// What was charged to the hold.
        captured: Credits,
        /// What was charged beyond the hold, from free credits.
        beyond: Vec<Slice>,
        /// What was charged beyond that, as a debt.
        debt: Credits,
    },
    /// A hold ended without a charge.
    Released {
        /// The hold's key.
        hold: IdempotencyKey,
    },
    /// A hold ran out.
    HoldExpired {
        /// The hold's key.
        hold: IdempotencyKey,
    },
    /// What was free of a grant ran out.
    GrantExpired {
        /// The grant's identifier.
        grant: Arc<str>,
        /// What was free of it.
        amount: Credits,
    },
    /// Free credits repaid debt.
    DebtRepaid {
        /// Which grants paid how much.
        slices: Vec<Slice>,
    },
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Whose wallet.
    pub account: AccountId,
    /// Its place in the wallet's ledger, from 1, without gaps.
    pub sequence: u64,
    /// When it took effect: for an expiry, the very instant, however late it was noticed.
    pub at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The balance after it.
    pub balance: Balance,
}
