//! What a command answered, stored under its key, so that the same command is answered again and
//! not carried out twice.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::WalletError;
use super::grant::{CauseKind, Grant};
use super::key::IdempotencyKey;
use super::life::Life;
use crate::id::AccountId;
use crate::money::Credits;
use crate::policy::LateSettle;
use crate::problem::{Code, Explained};

/// What a key was used for: the payload that a repeated command must match. It never holds a time
/// of day, so that the same request sent later is still the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(super) enum Intent {
    Hold {
        operation: Arc<str>,
        quantity: u64,
        time_to_live_micros: Option<i64>,
        fingerprint: Option<[u8; 32]>,
    },
    Deduct {
        operation: Arc<str>,
        quantity: u64,
        fingerprint: Option<[u8; 32]>,
    },
    Grant {
        cause: CauseKind,
        amount: Credits,
        priority: u8,
    },
    Revoke,
}

impl Intent {
    /// The same grant, whatever its amount.
    pub(super) fn is_of_grant(&self, kind: CauseKind, by: u8) -> bool {
        matches!(self, Self::Grant { cause, priority, .. } if (*cause, *priority) == (kind, by))
    }
}

/// How far the command has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    /// A hold that nobody has ended: open in the wallet, or expired.
    Pending(Pending),
    Settled {
        receipt: Receipt,
        /// Until when the credits that paid would have lived.
        paid_with: Life,
        /// How much was given back since.
        refunded: Credits,
    },
    /// A hold that was released; what had been drawn of it stays charged.
    Released(Pending),
    Granted(Grant),
    Revoked(Revocation),
}

/// What must be known of a hold once the wallet has forgotten it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    pub(super) operation: Arc<str>,
    /// What was drawn of it, and until when the credits that paid would have lived.
    pub(super) drawn: Credits,
    pub(super) paid_with: Life,
    /// How much of what was drawn was given back, once the hold had ended.
    pub(super) refunded: Credits,
    /// The first instant at which it is no longer open.
    pub(super) expires_at: DateTime<Utc>,
    /// What a late settlement may do, and the first instant at which it comes too late.
    pub(super) late: LateSettle,
    pub(super) late_until: DateTime<Utc>,
}

/// What a command answered, to be stored under UNIQUE (account, key) for as long as the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub(super) account: AccountId,
    pub(super) key: String,
    pub(super) intent: Intent,
    pub(super) state: State,
}

impl Outcome {
    /// The account that the command was about.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The key to store it under.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Fails unless this is the outcome of an account under a key.
    pub(super) fn check(&self, account: &AccountId, key: &str) -> Result<(), WalletError> {
        if self.account == *account && self.key == key {
            Ok(())
        } else {
            Err(WalletError::Mismatch)
        }
    }

    /// The stored key of a grant's revocation.
    pub fn revoke_key(grant: &str) -> String {
        format!("revoke/{grant}")
    }

    /// The stored key of a hold or a deduction with this idempotency key. Clients' keys and the
    /// crate's own never meet.
    pub fn spend_key(key: &IdempotencyKey) -> String {
        format!("spend/{key}")
    }
}

/// What was taken back of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The grant's identifier.
    pub grant: Arc<str>,
    /// What was free or scheduled of it, and is taken back now.
    pub revoked: Credits,
    /// What open holds pin of it: spent if they are settled, taken back when they return it.
    pub pinned: Credits,
}

/// How an outcome is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutcomeWrite {
    /// Insert it. A clash of (account, key) means: load again and ask again.
    Insert(Outcome),
    /// Replace the row of the same (account, key); the wallet's version guards it.
    Update(Outcome),
}

impl OutcomeWrite {
    /// The outcome itself.
    pub fn outcome(&self) -> &Outcome {
        match self {
            Self::Insert(outcome) | Self::Update(outcome) => outcome,
        }
    }
}

/// What a settlement charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The idempotency key of the hold.
    pub key: IdempotencyKey,
    /// The operation that was paid for.
    pub operation: Arc<str>,
    /// What it cost.
    pub cost: Credits,
    /// What was charged: the cost, unless the overage policy capped it.
    pub charged: Credits,
    /// When it was settled.
    pub settled_at: DateTime<Utc>,
}

/// What became of a hold under the same key before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The hold is still open: the first request is at work, or died.
    Pending,
    /// The hold was settled.
    Settled(Receipt),
    /// The hold was released.
    Released {
        /// What had been drawn of it, and stays charged.
        drawn: Credits,
    },
    /// The hold ran out before anyone ended it.
    Expired {
        /// What had been drawn of it, and stays charged.
        drawn: Credits,
    },
}

impl Replayed {
    /// The receipt of the first request, or why there is none.
    pub fn receipt(self) -> Result<Receipt, ReplayError> {
        match self {
            Self::Settled(receipt) => Ok(receipt),
            Self::Pending => Err(ReplayError::Pending),
            Self::Released { drawn } => Err(ReplayError::Released { drawn }),
            Self::Expired { drawn } => Err(ReplayError::Expired { drawn }),
        }
    }
}

/// Why a repeated request has no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// The first request is still being worked on.
    #[error("the first request with this key is still being worked on")]
    Pending,
    /// The first request failed and its hold was released.
    #[error("the first request with this key failed, and {}", tell_drawn(*.drawn))]
    Released {
        /// What had been drawn, and stays charged.
        drawn: Credits,
    },
    /// The first request's hold ran out.
    #[error("the first request with this key was not finished in time, and {}", tell_drawn(*.drawn))]
    Expired {
        /// What had been drawn, and stays charged.
        drawn: Credits,
    },
}

fn tell_drawn(drawn: Credits) -> String {
    if drawn.is_zero() {
        "was not charged".to_owned()
    } else {
        format!("was charged {drawn} credits for what was done")
    }
}

impl Explained for ReplayError {
    fn code(&self) -> Code {
        match self {
            Self::Pending => Code::RequestInProgress,
            Self::Released { .. } => Code::HoldReleased,
            Self::Expired { .. } => Code::HoldExpired,
        }
    }
}

/// How a hold ended without a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was released.
    Released,
    /// It ran out.
    Expired,
}
