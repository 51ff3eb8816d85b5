//! The conversion of a subscription whose credits were granted month by month, to credits that
//! follow paid time.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::align::{AlignError, Alignment};
use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::grant::Grant;
use super::recurring::AlignTerms;
use super::sums::total;
use super::wallet::Wallet;
use crate::account::Account;
use crate::change::{RowChange, RowError};
use crate::id::{PlanId, SubscriptionId};
use crate::money::Credits;
use crate::paid_time::{
    BilledPeriod, Fact, Grid, PaidTime, RecordError, Schedule, Span, Stop, Void,
};
use crate::period::{Interval, Period};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::subscription::{Subscription, SubscriptionStatus};

/// The most days by which the ends of short months move a month.
const MAX_CLAMPED_DAYS: i64 = 3;

/// The rows that a host loads to convert a subscription, in one transaction.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct ConversionFacts {
    /// The account.
    pub account: Account,
    /// One of its subscriptions.
    pub subscription: Subscription,
    /// The plan of the subscription's latest period: its own, or the pending one if that period was
    /// paid for it already.
    pub plan: Arc<Plan>,
    /// What was recorded of its paid time; [`PaidTime::new`] if there is no row.
    pub paid_time: PaidTime,
    /// The account's wallet; [`Wallet::open`] if there is no row.
    pub wallet: Wallet,
    /// The time of the first entry in the wallet's ledger, if it has any.
    pub first_entry_at: Option<DateTime<Utc>>,
}

/// The changes of a conversion, written in one transaction or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Conversion {
    account: Option<RowChange<Account>>,
    subscription: Option<RowChange<Subscription>>,
    paid_time: Option<RowChange<PaidTime>>,
    wallet: Option<Change<Alignment>>,
}

impl Conversion {
    /// Returns the account to update, which has an instant of registration from now on.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.account.as_ref()
    }

    /// Returns the subscription to update, with the end of its paid time.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// Returns the paid time to write.
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid_time.as_ref()
    }

    /// Returns the wallet's change. What its alignment could not place is for the desk, as after
    /// every alignment.
    pub fn wallet(&self) -> Option<&Change<Alignment>> {
        self.wallet.as_ref()
    }
}

/// The error of a conversion that is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// The rows are not of one account, subscription and plan, or cannot take part.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The paid time cannot take another fact.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The wallet cannot be aligned.
    #[error(transparent)]
    Align(#[from] AlignError),
}

impl From<WalletError> for ConversionError {
    fn from(error: WalletError) -> Self {
        Self::Align(error.into())
    }
}

impl Explained for ConversionError {
    fn code(&self) -> Code {
        match self {
            Self::Row(error) => error.code(),
            Self::Record(error) => error.code(),
            Self::Align(error) => error.code(),
        }
    }
}

impl Policy {
    /// Converts a subscription whose credits were granted month by month, so that they follow its
    /// paid time from now on. Returns `None` if there is nothing to write, as after a conversion
    /// before.
    ///
    /// - Grants that are in effect stay, to their end. No payment raises or lowers them.
    /// - The months that were granted ahead are revoked, and windows of the same amount take their
    ///   place, one for each. Months that do not fit the windows of the paid period stay as well.
    /// - The paid period becomes one span, under the key `converted/` and the subscription's
    ///   identifier. The wallet takes windows of it only from the first revoked month on. A payment
    ///   that is heard later for a window before that is listed in
    ///   [`Alignment::before_memory`], for the desk.
    /// - A subscription that has ended gets the end of service with it, so nothing more comes.
    /// - A trial, and a period that was not paid, become no paid time.
    /// - An account without an instant of registration gets that of the wallet's first entry, or
    ///   else `now`. A subscription gets the end of its paid time.
    ///
    /// Convert every subscription that is older than paid time, once, before or in the transaction
    /// of the first change that is recorded for it in the new way. Afterwards, a host whose terms
    /// are not [`align_terms`](Self::align_terms) aligns the wallet on its own terms.
    ///
    /// # Errors
    /// In this order: [`ConversionError::Row`] for rows of another account, subscription or plan;
    /// [`ConversionError::Record`], [`ConversionError::Align`].
    ///
    /// ```
    /// use bailiwick::Policy;
    /// use bailiwick::chrono::{DateTime, Utc};
    /// use bailiwick::credit::{ConversionError, ConversionFacts};
    ///
    /// fn convert(
    ///     policy: &Policy,
    ///     facts: ConversionFacts,
    ///     now: DateTime<Utc>,
    /// ) -> Result<(), ConversionError> {
    ///     let Some(conversion) = policy.convert_subscription(facts, now)? else {
    ///         return Ok(()); // converted before
    ///     };
    ///     if let Some(paid_time) = conversion.paid_time() {
    ///         println!("write the paid time over version {}", paid_time.expected_version());
    ///     }
    ///     if let Some(wallet) = conversion.wallet() {
    ///         println!("write the wallet over version {}", wallet.expected_version());
    ///     }
    ///     // The account and the subscription likewise, in the same transaction.
    ///     Ok(())
    /// }
    /// ```
    pub fn convert_subscription(
        &self,
        facts: ConversionFacts,
        now: DateTime<Utc>,
    ) -> Result<Option<Conversion>, ConversionError> {
        check_rows(&facts)?;
        let ConversionFacts {
            account,
            subscription,
            plan,
            paid_time,
            wallet,
            first_entry_at,
        } = facts;

        let registered_at = first_entry_at.map_or(now, |first| first.min(now));
        let account = account
            .registered_at
            .is_none()
            .then(|| {
                RowChange::next(account.version, "account", |version| Account {
                    registered_at: Some(registered_at),
                    version,
                    ..account
                })
            })
            .transpose()?;

        let terms = self.align_terms();
        let converted = convert(terms, &subscription, &plan, paid_time, wallet, now)?;
        let (paid_time, wallet) = converted.unzip();
        let paid_until = paid_time
            .as_ref()
            .and_then(|change| change.row().paid_until());
        let subscription = (paid_until.is_some() && paid_until != subscription.paid_until)
            .then(|| {
                RowChange::next(subscription.version, "subscription", |version| {
                    Subscription {
                        paid_until,
                        version,
                        ..subscription
                    }
                })
            })
            .transpose()?;

        let is_empty = account.is_none() && wallet.is_none();
        Ok((!is_empty).then_some(Conversion {
            account,
            subscription,
            paid_time,
            wallet,
        }))
    }
}

/// Checks that all rows are of one account, one subscription and one plan.
fn check_rows(facts: &ConversionFacts) -> Result<(), RowError> {
    let ConversionFacts {
        account,
        subscription,
        plan,
        paid_time,
        wallet,
        first_entry_at: _,
    } = facts;
    let mismatch = |left, right| RowError::Mismatch { left, right };

    if subscription.account != account.id {
        return Err(mismatch("account", "subscription"));
    }
    if *plan_of_latest_period(subscription) != plan.id {
        return Err(mismatch("subscription", "plan"));
    }
    if *paid_time.account() != account.id || *paid_time.subscription() != subscription.id {
        return Err(mismatch("subscription", "paid time"));
    }
    if *wallet.account() != account.id {
        return Err(mismatch("account", "wallet"));
    }
    Ok(())
}

fn plan_of_latest_period(subscription: &Subscription) -> &PlanId {
    if subscription.is_pending_plan_paid() {
        subscription.next_plan()
    } else {
        &subscription.plan
    }
}

/// The paid time and the wallet, converted.
type Converted = (RowChange<PaidTime>, Change<Alignment>);

/// Converts the paid time and the wallet; `None` if there is nothing to convert.
fn convert(
    terms: AlignTerms,
    subscription: &Subscription,
    plan: &Plan,
    paid_time: PaidTime,
    wallet: Wallet,
    now: DateTime<Utc>,
) -> Result<Option<Converted>, ConversionError> {
    let key: Arc<str> = format!("converted/{}", subscription.id).into();
    if paid_time.facts().iter().any(|fact| *fact.key() == key) {
        return Ok(None);
    }
    let Some((period, is_paid)) = latest_period(subscription) else {
        return Ok(None);
    };

    // Time may have brought some of the months into effect meanwhile.
    let mut draft = Draft::begin(wallet, now)?;
    let now = draft.now;
    let grid = Grid::of(plan.interval, Interval::MONTHLY);
    let ahead = MonthsAhead::of(&draft.wallet, &subscription.id, period, grid);
    // A period that was heard of in the new way brought no month in the old one.
    if ahead.is_none() && (!is_paid || has_period(&paid_time, period)) {
        return Ok(None);
    }

    let takes_over = ahead.as_ref().map_or(period.end, |ahead| ahead.from);
    let amount = ahead.as_ref().map_or(plan.credits, |ahead| ahead.amount);
    let made = period.start.min(now);
    let paid = if is_paid {
        Fact::Span(Span {
            key: key.clone(),
            payment: key.clone(),
            period: BilledPeriod::Whole(period),
            // From the start: an upgrade from now on must begin later than this.
            from: period.start,
            grid,
            amount,
            made,
            received: made,
        })
    } else {
        Fact::Void(Void {
            key: key.clone(),
            payment: key.clone(),
        })
    };
    let ended = subscription.is_terminal().then(|| {
        Fact::Stop(Stop {
            key: format!("{key}/stop").into(),
            at: now.min(takes_over).max(period.start),
            made: now,
        })
    });
    let facts = [Some(paid), ended].into_iter().flatten();

    let alone = PaidTime::new(subscription.account.clone(), subscription.id.clone())
        .record(facts.clone())?
        .map(|change| change.row().schedule());
    let Some(paid_time) = paid_time.record(facts)? else {
        return Ok(None);
    };

    for (grant, amount) in ahead.into_iter().flat_map(|ahead| ahead.grants) {
        draft.record(now, Event::Revoked { grant, amount })?;
    }
    let schedule = paid_time.row().schedule();
    let (mut alignment, _) = draft.align(&schedule, terms, Some(takes_over))?;
    leave_to_grants(&mut alignment, alone.as_ref(), terms);

    Ok(Some((paid_time, draft.finish(None, alignment)?)))
}

/// Returns the latest period that was paid, or may have been, and whether it was. A trial is none.
fn latest_period(subscription: &Subscription) -> Option<(Period, bool)> {
    let has_begun = !matches!(
        subscription.status,
        SubscriptionStatus::Incomplete
            | SubscriptionStatus::IncompleteExpired
            | SubscriptionStatus::Trialing
            | SubscriptionStatus::Unknown
    );
    if !has_begun {
        return None;
    }

    // A provider reports periods that nobody has paid yet. Our own commands open only paid ones.
    let (period, is_paid) = match (subscription.run_by(), subscription.provider_paid) {
        (Some(_), Some(paid)) => (paid, true),
        (Some(_), None) => {
            let is_active = subscription.status == SubscriptionStatus::Active;
            (subscription.current_period?, is_active)
        }
        (None, _) => (subscription.current_period?, true),
    };
    let is_trial = subscription.trial_end.is_some_and(|end| period.end <= end);

    (!is_trial && period.start < period.end).then_some((period, is_paid))
}

fn has_period(paid_time: &PaidTime, period: Period) -> bool {
    paid_time.facts().iter().any(|fact| match fact {
        Fact::Span(span) => span.period == BilledPeriod::Whole(period),
        _ => false,
    })
}

/// Lists for the desk only the windows to which a fact beside the conversion's own makes a
/// difference: the others were granted in the old way.
fn leave_to_grants(alignment: &mut Alignment, alone: Option<&Schedule>, terms: AlignTerms) {
    alignment.before_memory.retain_mut(|one| {
        one.before = alone
            .and_then(|schedule| schedule.target(one.window, terms.slack))
            .map_or(Credits::ZERO, |target| target.amount);
        one.before != one.after
    });
}

/// The months of a period that were granted ahead and are still to come.
struct MonthsAhead {
    /// The start of the window that takes the place of the first.
    from: DateTime<Utc>,
    /// The credits of each.
    amount: Credits,
    grants: Vec<(Arc<str>, Credits)>,
}

impl MonthsAhead {
    /// Finds the months whose place the last windows of a period can take, one for one and for one
    /// amount; `None` if there are none, or if they do not fit.
    fn of(
        wallet: &Wallet,
        subscription: &SubscriptionId,
        period: Period,
        grid: Grid,
    ) -> Option<Self> {
        let windows: Vec<Period> = grid.of_period(period).collect();
        let month_of = |window: &Period| {
            let grants: Vec<(Arc<str>, Credits)> = wallet
                .months_of(subscription)
                .filter(|funds| funds.scheduled && is_month(&funds.grant, *window))
                .map(|funds| (funds.grant.id.clone(), funds.grant.amount))
                .collect();
            let amount = total(grants.iter().map(|(_, amount)| *amount))?;

            (!grants.is_empty()).then_some((*window, amount, grants))
        };
        let months: Vec<_> = windows.iter().filter_map(month_of).collect();
        let (from, amount) = months
            .first()
            .map(|(first, amount, _)| (first.start, *amount))?;

        let mut pairs = windows.iter().rev().zip(months.iter().rev());
        let fits = pairs.all(|(window, (month, other, _))| window == month && *other == amount);
        fits.then(|| Self {
            from,
            amount,
            grants: months
                .into_iter()
                .flat_map(|(_, _, grants)| grants)
                .collect(),
        })
    }
}

/// Returns whether a grant is for the same month as a window. Both were counted from another day, if
/// one of them was cut to a short month.
fn is_month(grant: &Grant, window: Period) -> bool {
    let is_near = |one: DateTime<Utc>, other: DateTime<Utc>| {
        Some(one.signed_duration_since(other).abs()) <= TimeDelta::try_days(MAX_CLAMPED_DAYS)
    };

    is_near(grant.effective_at, window.start)
        && grant.expires_at.is_some_and(|end| is_near(end, window.end))
}
