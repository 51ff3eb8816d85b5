//! Opening a charge: for an upgrade, for the next period, for a pack of credits.

use std::slice;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::ChargeError;
use super::purpose::{ChargeFor, CreditPack, NextPeriod, PlanChange};
use super::quote::{PlanChangeFacts, Quote, check_account, check_subscription, is_repeated};
use super::row::{Charge, ChargeState};
use crate::account::Account;
use crate::change::{Answer, RowChange, RowError};
use crate::gate::{Access, BillingAccess};
use crate::id::{AccountId, ChargeId, PlanId, UserId};
use crate::money::Money;
use crate::paid_time::Grid;
use crate::plan::Plan;
use crate::policy::{Policy, Upgrades};
use crate::subscription::{RecordedPayment, Subscription, UnpaidPlan};

/// The rows that a host loads before it opens the charge for a next period, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct NextPeriodFacts {
    /// The account.
    pub account: Account,
    /// Its subscription.
    pub subscription: Subscription,
    /// The plan to pay for: that of [`Subscription::next_plan`].
    pub plan: Arc<Plan>,
    /// The charge that is stored under the identifier, if there is one.
    pub prior: Option<Charge>,
}

/// Everything that opening a charge changes, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct ChargeOpened {
    charge: RowChange<Charge>,
    account: Option<RowChange<Account>>,
    subscription: Option<RowChange<Subscription>>,
}

impl ChargeOpened {
    /// Returns the charge to insert, under UNIQUE (identifier) and UNIQUE (reference). A clash
    /// means: load again and ask again.
    pub fn charge(&self) -> &RowChange<Charge> {
        &self.charge
    }

    /// Returns the account to update, if its plan changed with the opening.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.account.as_ref()
    }

    /// Returns the subscription to update, if its plan changed with the opening.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// Returns the account's plan from now on, if it changed with the opening.
    pub fn plan(&self) -> Option<&PlanId> {
        self.subscription.as_ref().map(|change| &change.row().plan)
    }

    /// Creates the change that inserts a charge, and no more.
    fn of(charge: RowChange<Charge>) -> Self {
        Self {
            charge,
            account: None,
            subscription: None,
        }
    }
}

impl Policy {
    /// Opens the charge for a change to a plan that costs more for the rest of the time that was
    /// paid. The policy's [`Upgrades`] say when the plan changes: when the charge is paid, or with
    /// this change, which then names the account and the subscription too. Credits come with the
    /// money in both cases, from the instant of the quote on.
    ///
    /// The price is [`Subscription::prorate`]'s. It holds until the charge is no longer valid: for
    /// as long as the policy says, and no longer than the running period. If the subscription
    /// changes before that, the charge no longer fits it, and money for it is kept as the deposit.
    ///
    /// The same identifier again, for the same subscription and new plan, is answered with the first
    /// charge, also when the plan has changed.
    ///
    /// # Errors
    /// In this order: [`ChargeError::Row`] for a charge of another identifier,
    /// [`ChargeError::Conflict`]; [`ChargeError::Row`] for the rows,
    /// [`ChargeError::RunByProvider`], [`ChargeError::AlreadySo`], [`ChargeError::PlanInactive`],
    /// [`ChargeError::Unpriced`], [`ChargeError::Refused`]; [`ChargeError::NothingDue`], where
    /// [`downgrade_now`](Self::downgrade_now) changes the plan; [`ChargeError::Row`] for a version
    /// or an amount.
    pub fn open_upgrade(
        &self,
        access: &BillingAccess,
        id: ChargeId,
        facts: PlanChangeFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<ChargeOpened, Charge>, ChargeError> {
        if facts.is_repeated(&id)?
            && let Some(prior) = facts.prior
        {
            return Ok(Answer::Replayed(prior));
        }

        let Quote {
            subscription,
            change,
        } = self.quote(access, &facts, now)?;
        let due = change.reckoning.due();
        if due.is_zero() {
            return Err(ChargeError::NothingDue);
        }

        let at_once = self.upgrades() == Upgrades::AtOnce;
        let ends = change.times.first().map(|time| time.period.end);
        let until = change.time().end;
        let purpose = ChargeFor::Upgrade(PlanChange {
            applied: at_once,
            ..change
        });
        let opener = Opener::of(access);
        let mut charge = self.open_charge(opener, id.clone(), purpose, due, now)?;
        charge.valid_until = ends.map_or(charge.valid_until, |end| end.min(charge.valid_until));
        let opened = ChargeOpened::of(RowChange::update(0, charge));
        if !at_once {
            return Ok(Answer::Fresh(opened));
        }

        // Until it is paid, or its time is over, nothing of the new plan can be given back.
        let expected = subscription.expected_version();
        let subscription = Subscription {
            unpaid_plan: Some(UnpaidPlan { charge: id, until }),
            ..subscription.into_row()
        };
        Ok(Answer::Fresh(ChargeOpened {
            account: Some(next_account(&facts.account)?),
            subscription: Some(RowChange::update(expected, subscription)),
            ..opened
        }))
    }

    /// Opens the charge for a subscription's next period, at its plan's price of today.
    ///
    /// The same identifier again, for the same subscription and plan, is answered with the first
    /// charge.
    ///
    /// # Errors
    /// In this order: [`ChargeError::Row`] for a charge of another identifier,
    /// [`ChargeError::Conflict`]; [`ChargeError::Row`] for the rows,
    /// [`ChargeError::RunByProvider`], [`ChargeError::PlanMismatch`],
    /// [`ChargeError::PlanInactive`], [`ChargeError::NothingDue`] for a plan without a price,
    /// [`ChargeError::Refused`] where the subscription takes no payment; [`ChargeError::Row`] for a
    /// date.
    pub fn open_period(
        &self,
        access: &BillingAccess,
        id: ChargeId,
        facts: NextPeriodFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<ChargeOpened, Charge>, ChargeError> {
        let NextPeriodFacts {
            account,
            subscription,
            plan,
            prior,
        } = facts;
        let is_same = |purpose: &ChargeFor| {
            matches!(purpose, ChargeFor::Period(next)
                if next.subscription == subscription.id && next.plan == plan.id)
        };
        if is_repeated(prior.as_ref(), &id, &account.id, is_same)?
            && let Some(prior) = prior
        {
            return Ok(Answer::Replayed(prior));
        }

        check_account(access, &account)?;
        check_subscription(&account.id, &subscription)?;
        let last = self.advanced(&subscription, slice::from_ref(&plan), now);
        if *last.next_plan() != plan.id {
            return Err(ChargeError::PlanMismatch);
        }
        if !plan.active {
            return Err(ChargeError::PlanInactive);
        }
        if plan.price.is_zero() {
            return Err(ChargeError::NothingDue);
        }

        // A subscription that has ended takes no payment: try, and keep only the refusal.
        let payment = RecordedPayment {
            interval: plan.interval,
            slack: self.longest_admission(),
            method: subscription.payment_method,
            external_id: None,
        };
        let _ = last.record_payment(payment, now)?;

        let purpose = ChargeFor::Period(NextPeriod {
            subscription: subscription.id,
            plan: plan.id.clone(),
            interval: plan.interval,
            grid: Grid::of_plan(&plan),
            credits: plan.credits,
        });
        let charge = self.open_charge(Opener::of(access), id, purpose, plan.price, now)?;
        Ok(Answer::Fresh(ChargeOpened::of(RowChange::update(
            0, charge,
        ))))
    }

    /// Opens the charge for a pack of credits. The pack is stored with it, so that a price list that
    /// changes meanwhile does not change the charge.
    ///
    /// `prior` is the charge that is stored under the identifier, if there is one. The same
    /// identifier again, for the same pack, is answered with the first charge.
    ///
    /// # Errors
    /// In this order: [`ChargeError::Row`] for a charge of another identifier,
    /// [`ChargeError::Conflict`], [`ChargeError::PackInvalid`], [`ChargeError::Row`] for a date.
    pub fn open_credit_pack(
        &self,
        access: &BillingAccess,
        id: ChargeId,
        pack: CreditPack,
        prior: Option<Charge>,
        now: DateTime<Utc>,
    ) -> Result<Answer<ChargeOpened, Charge>, ChargeError> {
        self.open_pack(Opener::of(access), id, pack, prior, now)
    }

    /// Opens the charge for a pack of credits when the balance is low, by the access that used the
    /// credits: see [`Change::crossed`](crate::credit::Change::crossed). Nobody is charged by that.
    /// The credits come when the charge is paid.
    ///
    /// # Errors
    /// As [`open_credit_pack`](Self::open_credit_pack).
    ///
    /// ```
    /// use bailiwick::chrono::{DateTime, Utc};
    /// use bailiwick::change::Answer;
    /// use bailiwick::charge::{Charge, ChargeError, CreditPack};
    /// use bailiwick::credit::{Change, Receipt};
    /// use bailiwick::{Access, Credits, Policy};
    ///
    /// /// Returns the charge to insert, if the settlement has left fewer than 100 credits.
    /// fn top_up(
    ///     policy: &Policy,
    ///     access: &Access,
    ///     settled: &Change<Receipt>,
    ///     pack: CreditPack,
    ///     now: DateTime<Utc>,
    /// ) -> Result<Option<Charge>, ChargeError> {
    ///     if settled.crossed(&[Credits::whole(100)]).next().is_none() {
    ///         return Ok(None);
    ///     }
    ///
    ///     match policy.open_auto_top_up(access, 70.into(), pack, None, now)? {
    ///         Answer::Fresh(opened) => Ok(Some(opened.charge().row().clone())),
    ///         Answer::Replayed(_) => Ok(None),
    ///     }
    /// }
    /// ```
    pub fn open_auto_top_up(
        &self,
        access: &Access,
        id: ChargeId,
        pack: CreditPack,
        prior: Option<Charge>,
        now: DateTime<Utc>,
    ) -> Result<Answer<ChargeOpened, Charge>, ChargeError> {
        let opener = Opener {
            account: access.account_id(),
            user: None,
        };

        self.open_pack(opener, id, pack, prior, now)
    }

    fn open_pack(
        &self,
        opener: Opener<'_>,
        id: ChargeId,
        pack: CreditPack,
        prior: Option<Charge>,
        now: DateTime<Utc>,
    ) -> Result<Answer<ChargeOpened, Charge>, ChargeError> {
        let is_same =
            |purpose: &ChargeFor| matches!(purpose, ChargeFor::CreditPack(other) if *other == pack);
        if is_repeated(prior.as_ref(), &id, opener.account, is_same)?
            && let Some(prior) = prior
        {
            return Ok(Answer::Replayed(prior));
        }
        if !pack.is_sound() {
            return Err(ChargeError::PackInvalid);
        }

        let price = pack.price;
        let charge = self.open_charge(opener, id, ChargeFor::CreditPack(pack), price, now)?;
        Ok(Answer::Fresh(ChargeOpened::of(RowChange::update(
            0, charge,
        ))))
    }

    /// Makes the row of a charge that is open for as long as the policy says.
    fn open_charge(
        &self,
        opener: Opener<'_>,
        id: ChargeId,
        purpose: ChargeFor,
        amount: Money,
        now: DateTime<Utc>,
    ) -> Result<Charge, RowError> {
        let valid_until =
            now.checked_add_signed(self.charge_validity())
                .ok_or(RowError::Overflow {
                    of: "validity of the charge",
                })?;

        Ok(Charge {
            id,
            account: opener.account.clone(),
            purpose,
            amount,
            opened_by: opener.user.cloned(),
            opened_at: now,
            valid_until,
            state: ChargeState::Open,
            retractions: 0,
            version: 1,
        })
    }
}

/// The one who opens a charge: an account, and the person who acts for it.
#[derive(Clone, Copy)]
struct Opener<'a> {
    account: &'a AccountId,
    user: Option<&'a UserId>,
}

impl<'a> Opener<'a> {
    fn of(access: &'a BillingAccess) -> Self {
        Self {
            account: access.account_id(),
            user: access.user(),
        }
    }
}

/// Returns the account in its next version, so that nobody writes its former plan over the new one.
pub(super) fn next_account(account: &Account) -> Result<RowChange<Account>, RowError> {
    RowChange::next(account.version, "account", |version| Account {
        version,
        ..account.clone()
    })
}
