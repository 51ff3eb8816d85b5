//! What can happen to a wallet.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grant::Grant;
use super::hold::{HoldRecord, Slice};
use super::key::IdempotencyKey;
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
    /// A part of a hold was charged; the hold stays open.
    Drawn {
        /// The hold's key.
        hold: IdempotencyKey,
        /// What was charged to the hold now.
        amount: Credits,
    },
    /// A hold ended with a charge; what was not charged went back to its grants.
    Settled {
        /// The hold's key.
        hold: IdempotencyKey,
        /// What the operation cost.
        cost: Credits,
        /// What was charged to the hold, what had been drawn before included.
        captured: Credits,
        /// What was charged beyond the hold, from free credits.
        beyond: Vec<Slice>,
        /// What was charged beyond that, as a debt.
        debt: Credits,
    },
    /// An expired hold's operation was charged after all, from free credits.
    SettledLate {
        /// The hold's key.
        hold: IdempotencyKey,
        /// What the operation cost.
        cost: Credits,
        /// What was charged, from free credits.
        slices: Vec<Slice>,
        /// What was charged beyond that, as a debt.
        debt: Credits,
    },
    /// A hold ended; what had not been drawn of it went back to its grants.
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
    /// A grant was taken back: what was free or scheduled of it, now; what holds pin of it, when
    /// they return it.
    Revoked {
        /// The grant's identifier.
        grant: Arc<str>,
        /// What was free or scheduled of it.
        amount: Credits,
    },
    /// What the period before had left was granted again, within the bounds of the new period's
    /// grant.
    RolledOver {
        /// The new period's grant.
        grant: Arc<str>,
        /// What had been left.
        left: Credits,
        /// What was granted of it.
        amount: Credits,
    },
    /// Free credits repaid debt.
    DebtRepaid {
        /// Which grants paid how much.
        slices: Vec<Slice>,
    },
}

/// What happened, in a few words.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted { grant } => write!(f, "granted {} ({})", grant.amount, grant.id),
            Self::TookEffect { grant } => write!(f, "took effect ({grant})"),
            Self::Held { hold } => write!(f, "held for {} ({})", hold.key, hold.operation),
            Self::Drawn { hold, amount } => write!(f, "drew {amount} of {hold}"),
            Self::Settled { hold, cost, .. } => write!(f, "settled {hold}: {cost}"),
            Self::SettledLate { hold, cost, .. } => write!(f, "settled {hold} late: {cost}"),
            Self::Released { hold } => write!(f, "released {hold}"),
            Self::HoldExpired { hold } => write!(f, "hold expired: {hold}"),
            Self::GrantExpired { grant, amount } => write!(f, "expired {amount} ({grant})"),
            Self::Revoked { grant, amount } => write!(f, "revoked {amount} ({grant})"),
            Self::RolledOver {
                grant,
                left,
                amount,
            } => write!(f, "rolled over {amount} of {left} ({grant})"),
            Self::DebtRepaid { .. } => f.write_str("debt repaid"),
        }
    }
}
