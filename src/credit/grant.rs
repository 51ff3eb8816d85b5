//! Grants: credits with a cause, an order in which they are spent, and a time in which they live.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::key::IdempotencyKey;
use crate::gate::{Denial, Operator};
use crate::id::{AccountId, SubscriptionId};
use crate::money::Credits;
use crate::period::Period;
use crate::problem::{Code, Explained};
use crate::right::Privilege;
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
    /// What the month before had left.
    Rollover,
    /// A charge was given back.
    Refund,
}

/// The proof that credits are due to an account: only a registration, a confirmed payment, a month
/// of a subscription or an operator with the privilege makes one. Its key makes the grant happen
/// once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub(super) account: AccountId,
    pub(super) kind: CauseKind,
    pub(super) key: Arc<str>,
    /// Whether it only adds to what was granted under its key before.
    pub(super) is_raise: bool,
}

impl Cause {
    /// Credits for an account that nobody paid for. The operator must have been admitted under
    /// [`Privilege::GrantCredits`], and belong to another account.
    pub fn promotion(
        operator: &Operator,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Self, CauseError> {
        operator.check_foreign(Privilege::GrantCredits, account)?;
        let key = format!("grant/promotion/{key}").into();
        Ok(Self {
            account: account.clone(),
            kind: CauseKind::Promotion,
            key,
            is_raise: false,
        })
    }

    /// The credits of one month, if the transition opened it: see
    /// [`Effect::CreditsDue`](crate::subscription::Effect::CreditsDue). The key is the subscription
    /// and the start of the month, so that no month is granted twice. Write the transition in the
    /// same transaction: one that was never written has paid for nothing.
    ///
    /// A change of plan is a cause for the month in which it happens:
    /// [`Wallet::grant`](crate::credit::Wallet::grant) adds what the larger plan brings more than
    /// was granted for that month, once, and nothing to a month that was not granted under its own
    /// key, such as one that a bank transfer brought. Months that were granted ahead keep their
    /// amounts.
    ///
    /// Months are counted from the anchor. A payment later than the slack starts a new one, so on a
    /// plan that is paid by days or weeks it opens a month again; give such plans no credits by the
    /// month.
    pub fn month(transition: &Transition, month: Period) -> Option<Self> {
        let subscription = transition.subscription();
        let is_now = month.start <= transition.at() && transition.at() < month.end;
        let is_raise = |effect: &Effect| match effect {
            Effect::CreditsDue { period, anchor } => period
                .months(*anchor)
                .any(|due| due == month)
                .then_some(false),
            Effect::PlanChanged { .. } => {
                let mut months = subscription.current_period?.months(subscription.anchor);
                (is_now && months.any(|due| due == month)).then_some(true)
            }
            _ => None,
        };
        let is_raise = transition.effects().find_map(is_raise)?;
        let cause = Self::of_month(&subscription.account, &subscription.id, month);
        Some(if is_raise { cause.into_raise() } else { cause })
    }

    /// The credits of a month of a subscription, for whoever knows that it was paid.
    pub(crate) fn of_month(
        account: &AccountId,
        subscription: &SubscriptionId,
        month: Period,
    ) -> Self {
        let key = Self::month_key(subscription, month).into();
        Self {
            account: account.clone(),
            kind: CauseKind::Period,
            key,
            is_raise: false,
        }
    }

    /// The same, as an addition to what was granted before, and nothing where nothing was.
    pub(crate) fn into_raise(self) -> Self {
        Self {
            is_raise: true,
            ..self
        }
    }

    /// The stored key of a month's grant, for what rolls over from it: see [`Rollover`].
    pub fn month_key(subscription: &SubscriptionId, month: Period) -> String {
        format!(
            "{}{}",
            Self::months_key(subscription),
            month.start.timestamp_micros()
        )
    }

    /// What the keys of all of a subscription's months begin with.
    pub(super) fn months_key(subscription: &SubscriptionId) -> String {
        format!("grant/period/{subscription}/")
    }

    /// The first credits of a verified identity: one key for each identity, whatever becomes of its
    /// accounts.
    pub(crate) fn registration(account: &AccountId, subject: &dyn fmt::Display) -> Self {
        let key = format!("grant/registration/{subject}").into();
        Self {
            account: account.clone(),
            kind: CauseKind::Registration,
            key,
            is_raise: false,
        }
    }

    /// The credits of a confirmed transfer. The length keeps two pairs of references from sharing a
    /// key.
    pub(crate) fn bank_transfer(
        account: &AccountId,
        receiving_account: &str,
        transaction: &str,
    ) -> Self {
        let length = receiving_account.len();
        let key = format!("grant/transfer/{length}/{receiving_account}/{transaction}").into();
        Self {
            account: account.clone(),
            kind: CauseKind::BankTransfer,
            key,
            is_raise: false,
        }
    }

    /// The stored key of the grant's outcome, which is the grant's identifier too.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Why there is no cause for credits.
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

/// What a new period takes over from the one before: `min(maximum, max(minimum, left))`, as
/// OpenMeter has it, granted anew when the period's own grant takes effect and what was left has
/// expired. What holds had pinned by then, and give back later, lapses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollover {
    /// The key of the grant of the period before: [`Cause::month_key`].
    pub from: Arc<str>,
    /// At least so much, even if nothing was left.
    pub minimum: Credits,
    /// At most so much.
    pub maximum: Credits,
}

impl Rollover {
    pub(super) fn amount(&self, left: Credits) -> Credits {
        self.maximum.min(left.max(self.minimum))
    }
}

/// How much is granted, and when it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantTerms {
    /// How much; more than zero.
    pub amount: Credits,
    /// Lower is spent first.
    pub priority: u8,
    /// When it takes effect; at once if that is past or `None`.
    pub effective_at: Option<DateTime<Utc>>,
    /// The first instant at which it no longer lives; `None` for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// What it takes over from the period before.
    pub rollover: Option<Rollover>,
}

impl GrantTerms {
    /// A middling priority.
    pub const PRIORITY: u8 = 100;

    /// Credits of one month: they live for its length.
    pub fn month(amount: Credits, month: Period) -> Self {
        Self {
            effective_at: Some(month.start),
            expires_at: Some(month.end),
            ..Self::forever(amount)
        }
    }

    /// Credits that live at once and for ever, with a middling priority.
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
    /// What it takes over from the period before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Rollover>,
    /// The grant of the month that it adds to, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raises: Option<Arc<str>>,
}

impl Grant {
    /// The grant of its month: itself, or the one that it adds to.
    pub(super) fn root(&self) -> &Arc<str> {
        self.raises.as_ref().unwrap_or(&self.id)
    }

    /// The order in which grants are spent: priority, expiry (never last), effective time,
    /// identifier. It follows OpenMeter's order, which ends in creation time and identifier.
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
