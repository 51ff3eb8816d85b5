//! The events that can happen to a wallet.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::grant::Grant;
use super::hold::{HoldRecord, Slice};
use super::key::IdempotencyKey;
use super::recurring::{AlignTerms, WindowKey};
use crate::money::Credits;
use crate::paid_time::Schedule;

/// An event in the life of a wallet. Displayed, it is told in a few words.
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
        /// The amount that was charged to the hold now.
        amount: Credits,
    },
    /// A hold ended with a charge; the rest went back to its grants.
    Settled {
        /// The hold's key.
        hold: IdempotencyKey,
        /// The cost of the operation.
        cost: Credits,
        /// The amount that was charged to the hold, earlier draws included.
        captured: Credits,
        /// The amounts that were charged beyond the hold, from free credits.
        beyond: Vec<Slice>,
        /// The amount that was charged beyond that, as a debt.
        debt: Credits,
    },
    /// An expired hold's operation was charged after all, from free credits.
    SettledLate {
        /// The hold's key.
        hold: IdempotencyKey,
        /// The cost of the operation.
        cost: Credits,
        /// The amounts that were charged, from free credits.
        slices: Vec<Slice>,
        /// The amount that was charged beyond that, as a debt.
        debt: Credits,
    },
    /// A hold ended; all of it that had not been drawn went back to its grants.
    Released {
        /// The hold's key.
        hold: IdempotencyKey,
    },
    /// A hold ran out.
    HoldExpired {
        /// The hold's key.
        hold: IdempotencyKey,
    },
    /// The free part of a grant ran out.
    GrantExpired {
        /// The grant's identifier.
        grant: Arc<str>,
        /// The free part.
        amount: Credits,
    },
    /// A grant was taken back: the free or scheduled part at once, the part that holds pin when
    /// they return it.
    Revoked {
        /// The grant's identifier.
        grant: Arc<str>,
        /// The free or scheduled part.
        amount: Credits,
    },
    /// The rest of the period before was granted again, within the bounds of the new period's
    /// grant.
    RolledOver {
        /// The new period's grant.
        grant: Arc<str>,
        /// The rest of the period before.
        left: Credits,
        /// The part of it that was granted.
        amount: Credits,
    },
    /// The paid time of a subscription was heard anew: its windows bring their credits by it.
    Aligned {
        /// What was paid.
        schedule: Schedule,
        /// The terms on which the wallet takes credits from it.
        terms: AlignTerms,
        /// Set where windows that ended until then are left to grants of another kind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory_from: Option<DateTime<Utc>>,
    },
    /// A window of paid time brought credits: its first, or more of them.
    Allotted {
        /// The window.
        key: WindowKey,
        /// The credits that it brought now.
        amount: Credits,
        /// The end of all credits that it has brought.
        expires_at: DateTime<Utc>,
    },
    /// Credits of a window were taken back, since less was paid for it than was known before.
    Lowered {
        /// The window.
        key: WindowKey,
        /// The credits that were taken back.
        amount: Credits,
        /// The part of them that was free.
        free: Credits,
        /// The part of them that had run out.
        unlapsed: Credits,
        /// The part of them that had been used, which became debt.
        debt: Credits,
        /// The end of the credits that were paid late and stay, which may be earlier by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
    },
    /// The free part of a window ran out, and some of it went over into the next window.
    CarriedOver {
        /// The window that ended.
        key: WindowKey,
        /// The part that went over.
        amount: Credits,
        /// The part that ran out.
        lapsed: Credits,
        /// The end of what went over.
        expires_at: DateTime<Utc>,
    },
    /// Free credits repaid debt.
    DebtRepaid {
        /// The grants that paid, and how much each.
        slices: Vec<Slice>,
    },
}

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
            Self::Aligned { schedule, .. } => {
                write!(f, "paid time of {}", schedule.subscription())
            }
            Self::Allotted { key, amount, .. } => write!(f, "paid time brought {amount} ({key})"),
            Self::Lowered { key, amount, .. } => write!(f, "took back {amount} ({key})"),
            Self::CarriedOver {
                key,
                amount,
                lapsed,
                ..
            } => write!(f, "carried over {amount}, expired {lapsed} ({key})"),
            Self::DebtRepaid { .. } => f.write_str("debt repaid"),
        }
    }
}
