//! The quote of a change of plan: what is checked, what it costs, and the time that it is for.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::ChargeError;
use super::purpose::{ChargeFor, PlanChange, QuotedTime};
use super::row::Charge;
use super::windows::windows_of;
use crate::account::Account;
use crate::change::{RowChange, RowError};
use crate::gate::BillingAccess;
use crate::id::{AccountId, ChargeId};
use crate::paid_time::{Fact, PaidTime};
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::subscription::{Command, Proration, ProrationError, Subscription, Transition};

/// The rows that a host loads before it quotes a change of plan, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct PlanChangeFacts {
    /// The account.
    pub account: Account,
    /// Its subscription.
    pub subscription: Subscription,
    /// The subscription's plan, at the price that was paid for it. A host that changes a price makes
    /// a new plan, or more than was paid could be left over.
    pub from: Arc<Plan>,
    /// The plan to change to.
    pub to: Arc<Plan>,
    /// The subscription's paid time: [`PaidTime::new`] where none is stored.
    pub paid_time: PaidTime,
    /// The charge that is stored under the identifier, if there is one.
    pub prior: Option<Charge>,
}

/// A change of plan that the subscription takes, and its price.
pub(super) struct Quote {
    /// The subscription after all that time had made due and after the change, in the version that
    /// follows the stored one.
    pub(super) subscription: RowChange<Subscription>,
    /// The change.
    pub(super) change: PlanChange,
}

impl PlanChangeFacts {
    /// Returns whether the charge that is stored under the identifier is for this change: of this
    /// subscription to this plan. Once the change was made, the subscription's plan is the new one,
    /// so the former plan tells nothing.
    ///
    /// # Errors
    /// [`ChargeError::Row`] for a charge of another identifier, [`ChargeError::Conflict`].
    pub(super) fn is_repeated(&self, id: &ChargeId) -> Result<bool, ChargeError> {
        is_repeated(self.prior.as_ref(), id, &self.account.id, |purpose| {
            let (ChargeFor::Upgrade(change) | ChargeFor::Downgrade(change)) = purpose else {
                return false;
            };
            (&change.subscription, &change.to) == (&self.subscription.id, &self.to.id)
        })
    }

    /// Checks that the rows are the account's, and that the host runs the subscription itself.
    ///
    /// # Errors
    /// In this order: [`ChargeError::Row`], [`ChargeError::RunByProvider`].
    fn check(&self, access: &BillingAccess) -> Result<(), ChargeError> {
        check_account(access, &self.account)?;
        check_subscription(&self.account.id, &self.subscription)?;

        let is_of = self.paid_time.account() == &self.account.id
            && self.paid_time.subscription() == &self.subscription.id;
        if is_of {
            Ok(())
        } else {
            Err(RowError::Mismatch {
                left: "paid time",
                right: "subscription",
            }
            .into())
        }
    }
}

impl Policy {
    /// Quotes a change of plan.
    ///
    /// # Errors
    /// In this order: [`ChargeError::Row`], [`ChargeError::RunByProvider`],
    /// [`ChargeError::AlreadySo`], [`ChargeError::PlanInactive`], [`ChargeError::Unpriced`],
    /// [`ChargeError::Refused`], [`ChargeError::Row`] for an amount or a version.
    pub(super) fn quote(
        &self,
        access: &BillingAccess,
        facts: &PlanChangeFacts,
        now: DateTime<Utc>,
    ) -> Result<Quote, ChargeError> {
        facts.check(access)?;
        let PlanChangeFacts {
            subscription,
            from,
            to,
            paid_time,
            ..
        } = facts;

        // No price depends on whether a job ran in time.
        let plans = [Arc::clone(from), Arc::clone(to)];
        let last = self.advanced(subscription, &plans, now);
        if last.plan == to.id {
            return Err(ChargeError::AlreadySo);
        }
        if !to.active {
            return Err(ChargeError::PlanInactive);
        }
        let reckoning = last.prorate(from, to, now)?;
        let periods = last
            .unused_periods(from, now)
            .ok_or(ProrationError::NoPeriod)?;

        if !from.price.is_zero() && !is_paid_to_the_end(paid_time, &periods) {
            return Err(ProrationError::NoPeriod.into());
        }

        let plan = to.id.clone();
        let changed = last
            .apply(Command::ChangePlan { plan }, now)?
            .into_subscription();
        let subscription = RowChange::next(subscription.version, "subscription", |version| {
            Subscription { version, ..changed }
        })?;

        Ok(Quote {
            change: plan_change(facts, reckoning, &periods, now)?,
            subscription,
        })
    }

    /// Returns a subscription after all that time has made due.
    pub(super) fn advanced(
        &self,
        subscription: &Subscription,
        plans: &[Arc<Plan>],
        now: DateTime<Utc>,
    ) -> Subscription {
        self.advance_subscription(subscription, plans, now)
            .pop()
            .map_or_else(|| subscription.clone(), Transition::into_subscription)
    }
}

/// Returns whether every period is paid to its end, after all that was given back. Time that was
/// paid before there was a record of it counts as paid.
fn is_paid_to_the_end(paid_time: &PaidTime, periods: &[Period]) -> bool {
    let schedule = paid_time.schedule();
    let is_paid = |period: &Period| {
        let mut pieces = schedule.pieces().iter();
        pieces.any(|piece| piece.period.end == period.end && piece.paid.end == period.end)
    };

    paid_time.facts().is_empty() || periods.iter().all(is_paid)
}

/// Describes a change. The periods come latest first.
fn plan_change(
    facts: &PlanChangeFacts,
    reckoning: Proration,
    periods: &[Period],
    now: DateTime<Utc>,
) -> Result<PlanChange, ChargeError> {
    let schedule = facts.paid_time.schedule();
    let times = periods.iter().rev().map(|period| {
        let from = now.max(period.start);
        // The span of the new plan ends the one before only if both name the same period, so what
        // was recorded counts more than what the anchor says.
        let period = schedule
            .pieces()
            .iter()
            .map(|piece| piece.period)
            .filter(|known| known.end == period.end && known.start <= from)
            .max_by_key(|known| known.start)
            .unwrap_or(*period);
        let (grid, credits) = windows_of(&facts.to, period)?;

        Some(QuotedTime {
            period,
            from,
            grid,
            credits,
        })
    });
    let times: Option<Vec<QuotedTime>> = times.collect();
    let times = times.ok_or(RowError::Overflow {
        of: "credits of the change of plan",
    })?;

    Ok(PlanChange {
        subscription: facts.subscription.id.clone(),
        from: facts.from.id.clone(),
        to: facts.to.id.clone(),
        at: now,
        made: made(&facts.paid_time, &times, now),
        times,
        reckoning,
        applied: false,
    })
}

/// Returns the instant at which a change was made. Several changes in one instant follow each other,
/// so it is later than what is recorded from the same instant on.
fn made(paid_time: &PaidTime, times: &[QuotedTime], now: DateTime<Utc>) -> DateTime<Utc> {
    let latest = paid_time.facts().iter().filter_map(|fact| match fact {
        Fact::Span(span) => times
            .iter()
            .any(|time| span.period.end() == Some(time.period.end) && time.from == span.from)
            .then_some(span.made),
        _ => None,
    });
    let next = latest
        .max()
        .and_then(|made| made.checked_add_signed(TimeDelta::microseconds(1)));

    next.map_or(now, |next| next.max(now))
}

/// Returns whether a charge that is stored under an identifier is the one that is asked for again.
///
/// # Errors
/// [`ChargeError::Row`] for a charge of another identifier, [`ChargeError::Conflict`].
pub(super) fn is_repeated(
    prior: Option<&Charge>,
    id: &ChargeId,
    account: &AccountId,
    is_same: impl FnOnce(&ChargeFor) -> bool,
) -> Result<bool, ChargeError> {
    let Some(prior) = prior else {
        return Ok(false);
    };
    if prior.id != *id {
        return Err(RowError::Mismatch {
            left: "charge",
            right: "identifier",
        }
        .into());
    }

    // Another account learns nothing but that the identifier is taken.
    if prior.account == *account && is_same(&prior.purpose) {
        Ok(true)
    } else {
        Err(ChargeError::Conflict(id.clone()))
    }
}

/// Checks that the account is the one that may be paid for.
pub(super) fn check_account(access: &BillingAccess, account: &Account) -> Result<(), RowError> {
    if *access.account_id() == account.id {
        Ok(())
    } else {
        Err(RowError::Mismatch {
            left: "access",
            right: "account",
        })
    }
}

/// Checks that a subscription is the account's, and that no provider runs it.
pub(super) fn check_subscription(
    account: &AccountId,
    subscription: &Subscription,
) -> Result<(), ChargeError> {
    if subscription.account != *account {
        return Err(RowError::Mismatch {
            left: "subscription",
            right: "account",
        }
        .into());
    }

    if subscription.run_by().is_some() {
        Err(ChargeError::RunByProvider)
    } else {
        Ok(())
    }
}
