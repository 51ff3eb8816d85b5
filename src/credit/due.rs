//! Credits that something else makes due, or takes back: a paid month, a transfer, a refund. The
//! change that makes them due lists them; the host grants each in the same transaction.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, Utc};

use super::change::Change;
use super::error::WalletError;
use super::grant::{Cause, Grant, GrantTerms};
use super::granting::GrantError;
use super::outcome::{Outcome, Revocation};
use super::revocation::RevokeError;
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
/// # use bailiwick::{Credits, Money, Plan, Subscription, Wallet, chrono};
/// # use bailiwick::credit::{Change, DueGrant, Grant, GrantError, Outcome};
/// # use bailiwick::money::Currency;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::period::Interval;
/// # use bailiwick::subscription::RecordedPayment;
/// # use std::collections::BTreeMap;
/// # type Transaction = (Wallet, BTreeMap<String, Outcome>);
/// # fn write(transaction: &mut Transaction, change: Change<Grant>) {
/// #     let outcome = change.outcome().unwrap().outcome().clone();
/// #     transaction.0 = change.wallet().clone();
/// #     transaction.1.insert(outcome.key().to_owned(), outcome);
/// # }
/// fn grant_all(rows: &mut Transaction, due: &[DueGrant], now: chrono::DateTime<chrono::Utc>) -> Result<(), GrantError> {
///     for grant in due {
///         let (wallet, prior) = (rows.0.clone(), rows.1.get(grant.key())); // the wallet is read first
///         if let Some(change) = wallet.grant_due(grant, prior, now)? {
///             write(rows, change); // the wallet over its version, the entries, the outcome
///         }
///     }
///     Ok(())
/// }
/// # let now = "2027-01-31T00:00:00Z".parse()?;
/// # let plan = Plan {
/// #     id: 3.into(), active: true, price: Money::new("588".parse()?, Currency::EUR)?, interval: Interval::YEARLY,
/// #     credits_per_month: Credits::whole(500), needs_subscription: true, quotas: [].into(), concurrency: [].into(),
/// # };
/// # let method = PaymentMethod::BankTransfer;
/// # let new = Subscription::new(1.into(), 7.into(), 3.into(), method, now);
/// # let slack = chrono::TimeDelta::zero();
/// // A year was paid: twelve months are due, the first of them at once.
/// let payment = RecordedPayment { interval: plan.interval, slack, method, external_id: None };
/// let paid = new.record_payment(payment, now)?;
/// let mut rows = (Wallet::open(7.into(), now), BTreeMap::new());
/// grant_all(&mut rows, &paid.grants(&plan), now)?;
/// assert_eq!(rows.0.balance().free, Credits::whole(500));
/// assert_eq!(rows.0.balance().scheduled, Credits::whole(5500));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "credits are granted only when they are written"]
pub struct DueGrant {
    cause: Cause,
    terms: GrantTerms,
}

impl DueGrant {
    /// The key of its outcome: what the host loads before it grants.
    pub fn key(&self) -> &str {
        self.cause.key()
    }

    /// The account whose credits they are.
    pub fn account(&self) -> &AccountId {
        &self.cause.account
    }

    /// How much, and when it lives.
    pub fn terms(&self) -> &GrantTerms {
        &self.terms
    }

    /// `None` where the amount is nothing.
    pub(crate) fn new(cause: Cause, terms: GrantTerms) -> Option<Self> {
        (!terms.amount.is_zero()).then_some(Self { cause, terms })
    }

    /// The sum of several, within what amounts can hold.
    pub(crate) fn total(due: &[Self]) -> Option<Credits> {
        due.iter()
            .try_fold(Credits::ZERO, |sum, due| sum.checked_add(due.terms.amount))
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

    /// The key of its outcome: what the host loads before it revokes.
    pub fn key(&self) -> String {
        Outcome::revoke_key(&self.grant)
    }

    /// The grant.
    pub fn grant(&self) -> &str {
        &self.grant
    }
}

impl Wallet {
    /// Grants what is due. `None` where there is nothing to write: it was granted before, its month
    /// is over, or a change of plan would raise a month that was not granted under its own key.
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
        if due.terms.expires_at.is_some_and(|end| end <= now)
            || (due.cause.is_raise && prior.is_none())
        {
            return Ok(None);
        }
        match self.grant(&due.cause, due.terms.clone(), prior, now)? {
            Answer::Fresh(change) => Ok(Some(change)),
            Answer::Replayed(_) => Ok(None),
        }
    }

    /// Takes back what is left of a grant, as [`revoke`](Self::revoke) does. `None` where there is
    /// nothing to write: it was taken back before, or nothing of it is left.
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
            return Err(WalletError::Mismatch.into());
        }
        match self.take_back(&due.grant, prior, now) {
            Ok(Answer::Fresh(change)) => Ok(Some(change)),
            Ok(Answer::Replayed(_)) | Err(RevokeError::NothingLeft) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Transition {
    /// The credits that this transition makes due on a plan: those of each month that the period
    /// opened, and what a larger plan brings more in the month that runs. The plan is the one that
    /// was paid for, or changed to. They live for their month; those of a trial end with it.
    ///
    /// A host with other terms, a rollover say, builds them itself with [`Cause::month`].
    pub fn grants(&self, plan: &Plan) -> Vec<DueGrant> {
        let subscription = self.subscription();
        let mut due = Vec::new();
        for effect in self.effects() {
            match effect {
                Effect::CreditsDue { period, anchor } => {
                    let end = (self.to() == SubscriptionStatus::Trialing).then_some(period.end);
                    for month in credit_months(plan.interval, *period, *anchor) {
                        let cause = Cause::of_month(&subscription.account, &subscription.id, month);
                        due.extend(DueGrant::new(cause, month_terms(plan, month, end)));
                    }
                }
                Effect::PlanChanged { to, .. } if *to == plan.id => {
                    let running = subscription
                        .current_period
                        .filter(|period| period.contains(self.at()));
                    let months = running
                        .map(|period| credit_months(plan.interval, period, subscription.anchor));
                    let month = months
                        .into_iter()
                        .flatten()
                        .find(|month| month.contains(self.at()));
                    let cause = |month| {
                        Cause::of_month(&subscription.account, &subscription.id, month).into_raise()
                    };
                    let raise = month.and_then(|month| {
                        DueGrant::new(cause(month), month_terms(plan, month, None))
                    });
                    // A payment that puts a plan into force has opened this month for it already.
                    due.extend(
                        raise.filter(|raise| due.iter().all(|other| other.key() != raise.key())),
                    );
                }
                _ => {}
            }
        }
        due
    }
}

fn month_terms(plan: &Plan, month: Period, end: Option<DateTime<Utc>>) -> GrantTerms {
    let month = Period {
        end: end.map_or(month.end, |end| end.min(month.end)),
        ..month
    };
    GrantTerms::month(plan.credits_per_month, month)
}

/// The months whose credits a period brings. Of a plan that is paid by months or years, those that
/// start within it; of one that is paid by days or weeks, the calendar month (UTC) in which it
/// starts, so that a month's credits come once however many weeks are paid in it.
pub(crate) fn credit_months(
    interval: Interval,
    period: Period,
    anchor: DateTime<Utc>,
) -> Vec<Period> {
    match interval.unit {
        IntervalUnit::Month | IntervalUnit::Year => period.months(anchor).collect(),
        IntervalUnit::Day | IntervalUnit::Week => {
            calendar_month(period.start).into_iter().collect()
        }
    }
}

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
