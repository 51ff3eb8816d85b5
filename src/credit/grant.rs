//! Grants: credits with a cause, an order in which they are spent, and a time in which they live.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::key::IdempotencyKey;
use crate::gate::{Denial, Operator};
use crate::id::{AccountId, ChargeId, SubscriptionId};
use crate::money::Credits;
use crate::period::Period;
use crate::problem::{Code, Explained};
use crate::right::Privilege;

/// The kind of event that a grant came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CauseKind {
    /// A new identity registered.
    Registration,
    /// A bank transfer was confirmed.
    BankTransfer,
    /// A charge for a pack of credits was paid.
    TopUp,
    /// An operator granted it.
    Promotion,
    /// A month of a trial or of a paid period began. It is read from ledgers of before; the credits
    /// of paid time are [`PaidTime`](Self::PaidTime).
    Period,
    /// A window of paid time began, or was paid.
    PaidTime,
    /// A trial began.
    Trial,
    /// A month of a free plan began.
    FreePlan,
    /// The period before had credits left.
    Rollover,
    /// A charge was given back.
    Refund,
}

/// The proof that credits are due to an account. Only a registration, a trial, a free plan, a
/// confirmed payment or an operator with the privilege makes one. Its key makes the grant happen
/// once. The credits of paid time need none: they follow [what was paid](crate::paid_time).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub(super) account: AccountId,
    pub(super) kind: CauseKind,
    pub(super) key: Arc<str>,
}

impl Cause {
    /// Creates the cause of credits that nobody paid for. The operator must have been admitted
    /// under [`Privilege::GrantCredits`], and belong to another account.
    ///
    /// # Errors
    /// [`CauseError::Denied`].
    pub fn promotion(
        operator: &Operator,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Self, CauseError> {
        operator.check_foreign(Privilege::GrantCredits, account)?;

        let key = format!("grant/promotion/{key}");
        Ok(Self::new(account, CauseKind::Promotion, key))
    }

    /// Returns the prefix of the keys under which the months of a subscription were granted, before
    /// credits followed paid time.
    pub(super) fn months_key(subscription: &SubscriptionId) -> String {
        format!("grant/period/{subscription}/")
    }

    /// Creates the cause of a verified identity's first credits: one key for each identity,
    /// whatever becomes of its accounts.
    pub(crate) fn registration(account: &AccountId, subject: &dyn fmt::Display) -> Self {
        let key = format!("grant/registration/{subject}");
        Self::new(account, CauseKind::Registration, key)
    }

    /// The key of the outcome of a trial's credits.
    pub(crate) const TRIAL: &str = "grant/trial";

    /// Creates the cause of a trial's credits: one key for each account, however many subscriptions
    /// it has had.
    pub(crate) fn trial(account: &AccountId) -> Self {
        Self::new(account, CauseKind::Trial, Self::TRIAL.to_owned())
    }

    /// Creates the cause of a free plan's credits: one key for each window of an account's calendar,
    /// whichever free plan it is on.
    pub(super) fn free_plan(account: &AccountId, window: Period) -> Self {
        let key = format!("grant/free/{}", window.start.timestamp_micros());
        Self::new(account, CauseKind::FreePlan, key)
    }

    /// Creates the cause of the credits of a top-up, from the name of the transfer that pays it.
    pub(crate) fn bank_transfer(account: &AccountId, payment: &str) -> Self {
        let key = format!("grant/{payment}");
        Self::new(account, CauseKind::BankTransfer, key)
    }

    /// Creates the cause of a paid charge's credits. A payment that was taken back frees the charge
    /// for another one, which has a key of its own.
    pub(crate) fn charge(account: &AccountId, charge: &ChargeId, retractions: u32) -> Self {
        let key = format!("grant/charge/{retractions}/{charge}");
        Self::new(account, CauseKind::TopUp, key)
    }

    fn new(account: &AccountId, kind: CauseKind, key: String) -> Self {
        Self {
            account: account.clone(),
            kind,
            key: key.into(),
        }
    }

    /// Returns the stored key of the grant's outcome, which is the grant's identifier too.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The error of a cause that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CauseError {
    /// The operator lacks the privilege.
    #[error(transparent)]
    Denied(#[from] Denial),
}

impl Explained for CauseError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
        }
    }
}

/// The terms on which a grant takes over the rest of a month that was granted by key, before credits
/// followed paid time: it is granted `min(maximum, max(minimum, left))`, as OpenMeter has it, once the
/// grant has taken effect and the rest has expired. Credits that holds pin at that time, and return
/// later, lapse. No other grant leaves a rest; that of paid time goes over by
/// [`AlignTerms::rollover`](crate::credit::AlignTerms::rollover).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it as a literal"
)]
pub struct Rollover {
    /// The identifier of the month's grant: [`Grant::id`].
    pub from: Arc<str>,
    /// The least to grant, even if nothing was left.
    pub minimum: Credits,
    /// The most to grant.
    pub maximum: Credits,
}

impl Rollover {
    pub(super) fn amount(&self, left: Credits) -> Credits {
        self.maximum.min(left.max(self.minimum))
    }
}

/// The terms of a grant: its amount, its place in the order of spending, and its life.
///
/// ```
/// use bailiwick::Credits;
/// use bailiwick::credit::GrantTerms;
///
/// // Credits that are spent before all others.
/// let terms = GrantTerms { priority: 0, ..GrantTerms::forever(Credits::whole(50)) };
/// assert_eq!(terms.expires_at, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it, by struct update"
)]
pub struct GrantTerms {
    /// The amount; more than zero.
    pub amount: Credits,
    /// The priority; lower is spent first.
    pub priority: u8,
    /// The instant at which it takes effect; at once if that is past or `None`.
    pub effective_at: Option<DateTime<Utc>>,
    /// The first instant at which it no longer lives; `None` for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// The terms on which it takes over the rest of a month that was granted by key.
    pub rollover: Option<Rollover>,
}

impl GrantTerms {
    /// The usual priority, which leaves room on both sides.
    pub const PRIORITY: u8 = 100;

    /// Creates the terms of a month's credits: they live for its length.
    pub fn month(amount: Credits, month: Period) -> Self {
        Self {
            effective_at: Some(month.start),
            expires_at: Some(month.end),
            ..Self::forever(amount)
        }
    }

    /// Creates the terms of credits that live at once and for ever, with the usual priority.
    pub fn forever(amount: Credits) -> Self {
        Self {
            amount,
            priority: Self::PRIORITY,
            effective_at: None,
            expires_at: None,
            rollover: None,
        }
    }
}

/// A grant of credits, as the ledger records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Grant {
    /// Its identifier, derived from its cause.
    pub id: Arc<str>,
    /// The kind of event that it came from.
    pub cause: CauseKind,
    /// The amount.
    pub amount: Credits,
    /// The priority; lower is spent first.
    pub priority: u8,
    /// The instant at which it takes effect.
    pub effective_at: DateTime<Utc>,
    /// The first instant at which it no longer lives; `None` for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// The terms on which it takes over the rest of the period before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Rollover>,
    /// The grant of the month that it adds to, if it does. It is read from ledgers of before: a
    /// larger plan added its difference so, under a month's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raises: Option<Arc<str>>,
}

impl Grant {
    /// Returns the grant of its month: itself, or the one that it adds to.
    pub(super) fn root(&self) -> &Arc<str> {
        self.raises.as_ref().unwrap_or(&self.id)
    }

    /// Compares two grants by the order in which they are spent: priority, expiry (never comes
    /// last), effective time, identifier. It follows OpenMeter's order, which ends in creation time
    /// and identifier.
    pub(super) fn burn_order(&self, other: &Self) -> Ordering {
        // `None` sorts before every instant, so whether there is one comes first.
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
