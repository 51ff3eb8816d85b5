//! Outcomes: the answers of commands, stored under their keys, so that the same command is answered
//! again and not carried out twice.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::WalletError;
use super::grant::{CauseKind, Grant};
use super::hold::{first_attempt, is_first_attempt};
use super::key::IdempotencyKey;
use super::life::Life;
use crate::change::RowError;
use crate::id::AccountId;
use crate::money::Credits;
use crate::policy::LateSettle;
use crate::problem::{Code, Explained};

/// The payload of the command that a key was used for, which a repeated command must match. It
/// never holds a time of day, so that the same request sent later is still the same.
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
    /// Returns whether it is a grant of this kind and priority, whatever its amount.
    pub(super) fn is_of_grant(&self, kind: CauseKind, by: u8) -> bool {
        matches!(self, Self::Grant { cause, priority, .. } if (*cause, *priority) == (kind, by))
    }
}

/// The state of what the command began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    /// A hold that nobody has ended: open in the wallet, or expired.
    Pending(Pending),
    Settled {
        receipt: Receipt,
        /// The life that the credits that paid would have had.
        paid_with: Life,
        /// The amount that was refunded since.
        refunded: Credits,
    },
    /// A hold that was released; what had been drawn of it stays charged.
    Released(Pending),
    Granted(Grant),
    Revoked(Revocation),
}

/// The facts of a hold that are still needed once the wallet has forgotten it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    pub(super) operation: Arc<str>,
    /// The amount that was drawn of it, and the life that the credits that paid would have had.
    pub(super) drawn: Credits,
    pub(super) paid_with: Life,
    /// The amount of it that was refunded, once the hold had ended.
    pub(super) refunded: Credits,
    /// The first instant at which it is no longer open.
    pub(super) expires_at: DateTime<Utc>,
    /// The rule for a late settlement, and the first instant at which that comes too late.
    pub(super) late: LateSettle,
    pub(super) late_until: DateTime<Utc>,
}

/// A charge that may be refunded, as an outcome tells it.
pub(super) struct Charge<'a> {
    pub(super) charged: Credits,
    /// The life that the credits that paid would have had.
    pub(super) paid_with: Life,
    /// The amount that was refunded so far, to be raised by a refund.
    pub(super) refunded: &'a mut Credits,
}

impl State {
    /// Returns the charge of a settlement, of a deduction, or of the draws on a hold; `None` for
    /// all that charges nothing.
    pub(super) fn charge_mut(&mut self) -> Option<Charge<'_>> {
        match self {
            Self::Settled {
                receipt,
                paid_with,
                refunded,
            } => Some(Charge {
                charged: receipt.charged,
                paid_with: *paid_with,
                refunded,
            }),
            Self::Pending(hold) | Self::Released(hold) => Some(Charge {
                charged: hold.drawn,
                paid_with: hold.paid_with,
                refunded: &mut hold.refunded,
            }),
            Self::Granted(_) | Self::Revoked(_) => None,
        }
    }
}

/// The answer of a command, to be stored under UNIQUE (account, key) for as long as the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub(super) account: AccountId,
    pub(super) key: String,
    pub(super) intent: Intent,
    /// The attempt of the key whose state this is: a hold that ended without a charge frees its
    /// key for the next one.
    #[serde(default = "first_attempt", skip_serializing_if = "is_first_attempt")]
    pub(super) attempt: u32,
    pub(super) state: State,
}

impl Outcome {
    /// Returns the account that the command was about.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the key to store it under.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the attempt of the key that it tells of, from 1. A hold that ended without a charge
    /// frees its key, and the same request again is the next attempt.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the number of the attempt that follows.
    pub(super) fn next_attempt(&self) -> Result<u32, WalletError> {
        let overflow = RowError::Overflow {
            of: "number of the key's next attempt",
        };

        Ok(self.attempt.checked_add(1).ok_or(overflow)?)
    }

    /// Returns the key under which the outcome of a grant's revocation is stored.
    pub fn revoke_key(grant: &str) -> String {
        format!("revoke/{grant}")
    }

    /// Returns the key under which the outcome of a hold or a deduction with this idempotency key
    /// is stored. Clients' keys and the crate's own never meet.
    pub fn spend_key(key: &IdempotencyKey) -> String {
        format!("spend/{key}")
    }

    /// Returns whether this is the outcome of an account under a key.
    pub(crate) fn is_of(&self, account: &AccountId, key: &str) -> bool {
        self.check(account, key).is_ok()
    }

    /// Checks that this is the outcome of an account under a key.
    pub(super) fn check(&self, account: &AccountId, key: &str) -> Result<(), WalletError> {
        if self.account != *account {
            return Err(WalletError::mismatch("wallet", "outcome"));
        }
        if self.key != key {
            return Err(WalletError::mismatch("command's key", "outcome"));
        }
        Ok(())
    }
}

/// The effect of a revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revocation {
    /// The grant's identifier.
    pub grant: Arc<str>,
    /// The amount that was free or scheduled, and is taken back now.
    pub revoked: Credits,
    /// The amount that open holds pin: spent if they are settled, taken back when they return it.
    pub pinned: Credits,
}

/// An outcome with the way in which it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum OutcomeWrite {
    /// Insert it. If (account, key) is taken, load again and call the command again.
    Insert(Outcome),
    /// Replace the row of the same (account, key); the wallet's version guards it.
    Update(Outcome),
}

impl OutcomeWrite {
    /// Returns the outcome itself.
    pub fn outcome(&self) -> &Outcome {
        match self {
            Self::Insert(outcome) | Self::Update(outcome) => outcome,
        }
    }
}

/// The receipt of a settlement or a deduction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The idempotency key of the hold.
    pub key: IdempotencyKey,
    /// The operation that was paid for.
    pub operation: Arc<str>,
    /// The cost of the operation.
    pub cost: Credits,
    /// The amount that was charged: the cost, unless the overage policy capped it.
    pub charged: Credits,
    /// The time of the settlement.
    pub settled_at: DateTime<Utc>,
}

/// The answer to a repeated hold: what became of the first one under the same key. A hold that
/// ended and charged nothing is no answer: its key is free, and the same request holds anew.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Replayed {
    /// The hold is still open: the first request is at work, or died.
    Pending,
    /// The hold was settled.
    Settled(Receipt),
    /// The hold was released, after something had been drawn.
    Released {
        /// The amount that had been drawn, and stays charged.
        drawn: Credits,
    },
    /// The hold ran out before anyone ended it, after something had been drawn.
    Expired {
        /// The amount that had been drawn, and stays charged.
        drawn: Credits,
    },
}

impl Replayed {
    /// Returns the receipt of the first request.
    ///
    /// # Errors
    /// [`ReplayError`], if the first request was not settled.
    pub fn receipt(self) -> Result<Receipt, ReplayError> {
        match self {
            Self::Settled(receipt) => Ok(receipt),
            Self::Pending => Err(ReplayError::Pending),
            Self::Released { drawn } => Err(ReplayError::Released { drawn }),
            Self::Expired { drawn } => Err(ReplayError::Expired { drawn }),
        }
    }
}

/// The error of a repeated request whose first one was not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The first request is still being worked on.
    #[error("the first request with this key is still being worked on")]
    Pending,
    /// The first request failed and its hold was released.
    #[error("the first request with this key failed, and {}", tell_drawn(*.drawn))]
    Released {
        /// The amount that had been drawn, and stays charged.
        drawn: Credits,
    },
    /// The first request's hold ran out.
    #[error("the first request with this key was not finished in time, and {}", tell_drawn(*.drawn))]
    Expired {
        /// The amount that had been drawn, and stays charged.
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

/// The way in which a hold ended without a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Ended {
    /// It was released.
    Released,
    /// It ran out.
    Expired,
}
