//! Credits that a change elsewhere makes due or takes back: a paid month, a transfer, a refund.
//! That change lists them, and the host grants each in the same transaction.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, TimeDelta, Utc};

use super::change::Change;
use super::error::WalletError;
use super::grant::{Cause, Grant, GrantTerms};
use super::granting::GrantError;
use super::outcome::{Outcome, Revocation};
use super::revocation::RevokeError;
use super::sums::total;
use super::wallet::Wallet;
use crate::change::Answer;
use crate::id::AccountId;
use crate::money::Credits;
use crate::period::{Interval, IntervalUnit, Period};
use crate::plan::Plan;
use crate::subscription::{Effect, SubscriptionStatus, Transition};

/// Credits that are due, with the key under which they are granted once. The host grants each of
/// them in the transaction of the change that lists it:
///
/// ```
/// use bailiwick::Wallet;
/// use bailiwick::chrono::{DateTime, Utc};
/// use bailiwick::credit::{Change, DueGrant, Grant, GrantError, Outcome};
///
/// /// The host's store, within one transaction.
/// trait Transaction {
///     /// Reads the wallet, then the outcome of the key.
///     fn read(&self, key: &str) -> (Wallet, Option<Outcome>);
///     /// Writes the wallet over its version, the entries and the outcome.
///     fn write(&mut self, change: Change<Grant>);
/// }
///
/// fn grant_all(
///     store: &mut impl Transaction,
///     due: &[DueGrant],
///     now: DateTime<Utc>,
/// ) -> Result<(), GrantError> {
///     for grant in due {
///         let (wallet, prior) = store.read(grant.key());
///         if let Some(change) = wallet.grant_due(grant, prior.as_ref(), now)? {
///             store.write(change);
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "credits are granted only when they are written"]
pub struct DueGrant {
    cause: Cause,
    terms: GrantTerms,
}

impl DueGrant {
    /// Returns the key of its outcome, which the host loads before it grants.
    pub fn key(&self) -> &str {
        self.cause.key()
    }

    /// Returns the account whose credits they are.
    pub fn account(&self) -> &AccountId {
        &self.cause.account
    }

    /// Returns the amount and its life.
    pub fn terms(&self) -> &GrantTerms {
        &self.terms
    }

    /// Returns whether a wallet still has some of it, so that it was granted before and its outcome
    /// need not be read. False says nothing: what is spent leaves the wallet.
    pub fn is_in(&self, wallet: &Wallet) -> bool {
        let key = self.key();
        self.account() == wallet.account()
            && wallet.grants.iter().any(|funds| *funds.grant.id == *key)
    }

    /// Creates what is due; `None` where the amount is zero.
    pub(crate) fn new(cause: Cause, terms: GrantTerms) -> Option<Self> {
        (!terms.amount.is_zero()).then_some(Self { cause, terms })
    }

    /// Creates the credits of a trial, which live to its end and the slack after it. They are a gift:
    /// paying does not lower them. `None` where the plan gives none.
    pub(crate) fn trial(
        account: &AccountId,
        plan: &Plan,
        trial: Period,
        slack: TimeDelta,
    ) -> Option<Self> {
        let terms = GrantTerms {
            effective_at: Some(trial.start),
            expires_at: Some(trial.end.checked_add_signed(slack).unwrap_or(trial.end)),
            ..GrantTerms::forever(plan.trial_credits.unwrap_or(plan.credits))
        };

        Self::new(Cause::trial(account), terms)
    }

    /// Returns the sum of several; `None` beyond what amounts can hold.
    pub(crate) fn total(due: &[Self]) -> Option<Credits> {
        total(due.iter().map(|due| due.terms.amount))
    }
}

/// A grant that is taken back by the change that lists it, such as a refund: [`Wallet::revoke_due`]
/// carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "credits are taken back only when that is written"]
pub struct DueRevocation {
    account: AccountId,
    grant: Arc<str>,
}

impl DueRevocation {
    pub(crate) fn new(account: AccountId, grant: Arc<str>) -> Self {
        Self { account, grant }
    }

    /// Returns the key of its outcome, which the host loads before it revokes.
    pub fn key(&self) -> String {
        Outcome::revoke_key(&self.grant)
    }

    /// Returns the grant's identifier.
    pub fn grant(&self) -> &str {
        &self.grant
    }
}

impl Wallet {
    /// Grants what is due. Returns `None` if there is nothing to write: it was granted before, its
    /// month is over, or a change of plan would raise a month that was not granted under its own
    /// key.
    ///
    /// `prior` is the stored outcome of [`DueGrant::key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// As [`grant`](Self::grant).
    pub fn grant_due(
        self,
        due: &DueGrant,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Option<Change<Grant>>, GrantError> {
        // The wallet's time is never earlier than what it has seen.
        let now = now.max(self.as_of());
        let is_over = due.terms.expires_at.is_some_and(|end| end <= now);
        let raises_nothing = due.cause.is_raise && prior.is_none();
        if is_over || raises_nothing {
            return Ok(None);
        }

        match self.grant(&due.cause, due.terms.clone(), prior, now)? {
            Answer::Fresh(change) => Ok(Some(change)),
            Answer::Replayed(_) => Ok(None),
        }
    }

    /// Takes back what is left of a grant, as [`revoke`](Self::revoke) does. Returns `None` if
    /// there is nothing to write: it was taken back before, or nothing of it is left.
    ///
    /// `prior` is the stored outcome of [`DueRevocation::key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// [`RevokeError::Wallet`].
    pub fn revoke_due(
        self,
        due: &DueRevocation,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Option<Change<Revocation>>, RevokeError> {
        if due.account != *self.account() {
            return Err(WalletError::mismatch("wallet", "revocation").into());
        }

        match self.take_back(&due.grant, prior, now) {
            Ok(Answer::Fresh(change)) => Ok(Some(change)),
            // Credits that are spent by now stay spent: that is no reason to refuse the refund.
            Ok(Answer::Replayed(_)) | Err(RevokeError::NothingLeft) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Transition {
    /// Returns the credits that this transition makes due on a plan: those of each month that the
    /// period opened, and the difference that a larger plan brings for the month that runs. The
    /// plan is the one that was paid for, or changed to. The credits live for their month.
    ///
    /// In trial there are none: a trial's credits are a gift of their own, which
    /// [`Policy::start_trial`](crate::Policy::start_trial) and
    /// [`Policy::register`](crate::Policy::register) make.
    ///
    /// A host with other terms, such as a rollover, builds them itself with [`Cause::month`].
    ///
    /// ```
    /// use bailiwick::chrono::{DateTime, TimeDelta};
    /// use bailiwick::money::Currency;
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::period::Interval;
    /// use bailiwick::subscription::RecordedPayment;
    /// use bailiwick::{Credits, Money, Plan, Subscription};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let price = Money::new("588".parse()?, Currency::EUR)?;
    ///     let plan = Plan {
    ///         credits: Credits::whole(500),
    ///         ..Plan::new(3.into(), price, Interval::YEARLY)
    ///     };
    ///
    ///     let now = DateTime::UNIX_EPOCH;
    ///     let method = PaymentMethod::BankTransfer;
    ///     let payment = RecordedPayment {
    ///         interval: plan.interval,
    ///         slack: TimeDelta::zero(),
    ///         method,
    ///         external_id: None,
    ///     };
    ///     let paid = Subscription::new(1.into(), 7.into(), plan.id.clone(), method, now)
    ///         .record_payment(payment, now)?;
    ///
    ///     // A year was paid: twelve months are due.
    ///     assert_eq!(paid.grants(&plan).len(), 12);
    ///     Ok(())
    /// }
    /// ```
    pub fn grants(&self, plan: &Plan) -> Vec<DueGrant> {
        let mut due: Vec<DueGrant> = Vec::new();
        if self.to() == SubscriptionStatus::Trialing {
            return due;
        }

        for effect in self.effects() {
            match effect {
                Effect::CreditsDue { period, anchor } => {
                    let months = credit_months(plan.interval, *period, *anchor);
                    due.extend(self.opened_months(plan, months));
                }
                Effect::PlanChanged { to, .. } if *to == plan.id => {
                    // A payment that puts a plan into force has opened this month for it already.
                    let raise = self
                        .raised_month(plan)
                        .filter(|raise| due.iter().all(|other| other.key() != raise.key()));
                    due.extend(raise);
                }
                _ => {}
            }
        }

        due
    }

    /// Returns the credits of the months of a period that was opened.
    fn opened_months(&self, plan: &Plan, months: Vec<Period>) -> impl Iterator<Item = DueGrant> {
        let subscription = self.subscription();

        months.into_iter().filter_map(move |month| {
            let cause = Cause::of_month(&subscription.account, &subscription.id, month);
            DueGrant::new(cause, GrantTerms::month(plan.credits, month))
        })
    }

    /// Returns the credits that a plan which was changed to brings for the month that runs.
    fn raised_month(&self, plan: &Plan) -> Option<DueGrant> {
        let subscription = self.subscription();
        let period = subscription
            .current_period
            .filter(|period| period.contains(self.at()))?;
        let month = credit_months(plan.interval, period, subscription.anchor)
            .into_iter()
            .find(|month| month.contains(self.at()))?;

        let cause = Cause::of_month(&subscription.account, &subscription.id, month).into_raise();
        DueGrant::new(cause, GrantTerms::month(plan.credits, month))
    }
}

/// Returns the months whose credits a period brings. For a plan that is paid by months or years,
/// they are those that start within it. For one that is paid by days or weeks, it is the calendar
/// month (UTC) in which the period starts, so that a month's credits come once however many weeks
/// are paid in it.
fn credit_months(interval: Interval, period: Period, anchor: DateTime<Utc>) -> Vec<Period> {
    match interval.unit {
        IntervalUnit::Month | IntervalUnit::Year => period.months(anchor).collect(),
        IntervalUnit::Day | IntervalUnit::Week => {
            calendar_month(period.start).into_iter().collect()
        }
    }
}

/// Returns the calendar month (UTC) of an instant; `None` at the end of all dates.
fn calendar_month(at: DateTime<Utc>) -> Option<Period> {
    let first = at
        .date_naive()
        .checked_sub_days(Days::new(at.day0().into()))?
        .and_time(NaiveTime::MIN)
        .and_utc();

    Some(Period {
        start: first,
        end: first.checked_add_months(Months::new(1))?,
    })
}
