//! Grants: credits with a cause, an order in which they are spent, and a time in which they live.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::outcome::IdempotencyKey;
use crate::gate::{Denial, Operator, Privilege};
use crate::money::Credits;
use crate::period::Period;
use crate::subscription::{Effect, Transition};

/// What kind of event a grant came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CauseKind {
    /// A new identity registered.
    Registration,
    /// A bank transfer was confirmed.
    BankTransfer,
    /// An operator granted it.
    Promotion,
    /// A month of a trial or of a paid period began.
    Period,
}

/// The proof that credits are due: only a registration, a confirmed payment, a month of a subscription or an
/// operator with the privilege makes one.
/// Its key makes the grant happen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub(super) kind: CauseKind,
    pub(super) key: Arc<str>,
}

impl Cause {
    /// Credits that nobody paid for. The operator must have been admitted under [`Privilege::GrantCredits`].
    pub fn promotion(operator: &Operator, key: &IdempotencyKey) -> Result<Self, Denial> {
        operator.check(Privilege::GrantCredits)?;
        Ok(Self { kind: CauseKind::Promotion, key: format!("grant/promotion/{key}").into() })
    }

    /// The credits of one month, if the transition opened it: see [`Effect::CreditsDue`](crate::Effect::CreditsDue). The
    /// key is the subscription and the start of the month, so that no month is granted twice.
    pub fn month(transition: &Transition, month: Period) -> Option<Self> {
        let opens = |effect: &Effect| match effect {
            Effect::CreditsDue { period, anchor } => period.months(*anchor).any(|due| due == month),
            _ => false,
        };
        let (subscription, start) = (&transition.subscription().id, month.start.timestamp_micros());
        let key = || format!("grant/period/{subscription}/{start}").into();
        transition.effects().any(opens).then(|| Self { kind: CauseKind::Period, key: key() })
    }

    /// The first credits of a verified identity: one key for each identity, whatever becomes of its accounts.
    pub(crate) fn registration(subject: &dyn fmt::Display) -> Self {
        Self { kind: CauseKind::Registration, key: format!("grant/registration/{subject}").into() }
    }

    /// The credits of a confirmed transfer. The length keeps two pairs of references from sharing a key.
    pub(crate) fn bank_transfer(receiving_account: &str, transaction: &str) -> Self {
        let length = receiving_account.len();
        let key = format!("grant/transfer/{length}/{receiving_account}/{transaction}").into();
        Self { kind: CauseKind::BankTransfer, key }
    }

    /// The stored key of the grant's outcome, which is the grant's identifier too.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// How much is granted, and when it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantTerms {
    /// How much; more than zero.
    pub amount: Credits,
    /// Lower is spent first.
    pub priority: u8,
    /// When it takes effect; at once if that is past or `None`.
    pub effective_at: Option<DateTime<Utc>>,
    /// The first instant at which it no longer lives; `None` for ever.
    pub expires_at: Option<DateTime<Utc>>,
}

impl GrantTerms {
    /// Credits that live at once and for ever, with a middling priority.
    pub fn forever(amount: Credits) -> Self {
        Self { amount, priority: 100, effective_at: None, expires_at: None }
    }
}

/// Credits with a cause, as the ledger records them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its identifier, derived from its cause.
    pub id: Arc<str>,
    /// What it came from.
    pub cause: CauseKind,
    /// How much.
    pub amount: Credits,
    /// Lower is spent first.
    pub priority: u8,
    /// When it takes effect.
    pub effective_at: DateTime<Utc>,
    /// The first instant at which it no longer lives; `None` for ever.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Grant {
    /// The order in which grants are spent: priority, expiry (never last), effective time, identifier. It follows
    /// OpenMeter's order, which ends in creation time and identifier.
    pub(super) fn burn_order(&self, other: &Self) -> Ordering {
        let expiry = |grant: &Self| (grant.expires_at.is_none(), grant.expires_at);
        (self.priority.cmp(&other.priority))
            .then_with(|| expiry(self).cmp(&expiry(other)))
            .then_with(|| self.effective_at.cmp(&other.effective_at))
            .then_with(|| self.id.cmp(&other.id))
    }

    pub(super) fn is_expired_at(&self, at: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= at)
    }
}
