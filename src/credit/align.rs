//! The command that sets a subscription's credits to what was paid, up or down.

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::recurring::{AlignTerms, Recurring, WindowKey};
use super::sums::add;
use super::wallet::Wallet;
use crate::money::Credits;
use crate::paid_time::Schedule;
use crate::period::Period;
use crate::problem::{Code, Explained};

/// The most subscriptions whose credits a wallet keeps at once.
const MAX_SUBSCRIPTIONS: usize = 64;

/// The error of an alignment that is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AlignError {
    /// The slack or the time for disputes is negative, or has a fraction of a second, which the
    /// stored wallet does not keep.
    #[error("the slack and the time for disputes must be whole seconds, and not negative")]
    TermsInvalid,
    /// The wallet keeps the credits of as many subscriptions as it can.
    #[error(
        "the wallet keeps the credits of {MAX_SUBSCRIPTIONS} subscriptions, which is the most that it can"
    )]
    TooManySubscriptions,
    /// The wallet cannot take part.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for AlignError {
    fn code(&self) -> Code {
        match self {
            Self::TermsInvalid => Code::GrantInvalid,
            Self::TooManySubscriptions => Code::TooManyGrants,
            Self::Wallet(error) => error.code(),
        }
    }
}

/// The result of an alignment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alignment {
    /// The credits that windows brought by it.
    pub raised: Credits,
    /// The credits that it took back.
    pub lowered: Credits,
    /// The part of those that was used before, and became debt.
    pub debt: Credits,
    /// Differences in windows that the wallet no longer remembers. Nothing was done about them: an
    /// operator decides.
    pub before_memory: Vec<BeforeMemory>,
}

/// A difference in a window that the wallet no longer remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BeforeMemory {
    /// The window.
    pub window: Period,
    /// The credits that it had earned when the wallet was aligned last.
    pub before: Credits,
    /// The credits that it has earned now.
    pub after: Credits,
}

impl Wallet {
    /// Sets the credits of a subscription to what was paid: each window that has begun brings its
    /// [`Target`](crate::paid_time::Target), and those to come bring theirs when they begin, by
    /// time alone. Returns `None` if the wallet is so already, and there is nothing to write.
    ///
    /// More than before is granted, and repays debt first. A window that is over, with its slack,
    /// keeps none of it, unless the money was received after that: then it lives for the length of
    /// the window from the receipt. Less than before is taken from what is free of the window, then
    /// from what had run out; what was used by then becomes debt, without a limit.
    ///
    /// The host calls it in the transaction of every change that records facts of paid time, once all
    /// of them are recorded, with [`PaidTime::schedule`](crate::paid_time::PaidTime::schedule) of the
    /// row that it writes. The order in which facts are recorded makes no difference. Several
    /// alignments at one instant may: credits of a month that is over repay a debt only if that was
    /// there first.
    ///
    /// # Errors
    /// In this order: [`AlignError::Wallet`] for another account's paid time,
    /// [`AlignError::TermsInvalid`], [`AlignError::TooManySubscriptions`]; then
    /// [`AlignError::Wallet`], if a sum leaves its range.
    ///
    /// ```
    /// use bailiwick::chrono::{DateTime, TimeDelta, Utc};
    /// use bailiwick::credit::AlignTerms;
    /// use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span};
    /// use bailiwick::period::Interval;
    /// use bailiwick::{Credits, Wallet};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let january: DateTime<Utc> = "2027-01-01T00:00:00Z".parse()?;
    ///     let year = Interval::YEARLY.period(january, 0).ok_or("the calendar ended")?;
    ///     let paid = Span {
    ///         key: "invoice-1/line-1".into(),
    ///         payment: "invoice-1".into(),
    ///         period: BilledPeriod::Whole(year),
    ///         from: january,
    ///         grid: Grid::of(Interval::YEARLY, Interval::MONTHLY),
    ///         amount: Credits::whole(500),
    ///         made: january,
    ///         received: january,
    ///     };
    ///     let paid_time = PaidTime::new(7.into(), 1.into());
    ///     let paid_time = paid_time.record([Fact::Span(paid)])?.ok_or("nothing new")?;
    ///
    ///     let terms = AlignTerms::new(TimeDelta::hours(1));
    ///     let schedule = paid_time.row().schedule();
    ///     let wallet = Wallet::open(7.into(), january);
    ///     let change = wallet.align(&schedule, terms, january)?.ok_or("nothing to write")?;
    ///     assert_eq!(change.wallet().balance().free, Credits::whole(500));
    ///
    ///     // March's credits come by time alone.
    ///     let march: DateTime<Utc> = "2027-03-02T00:00:00Z".parse()?;
    ///     let balance = change.wallet().balance_at(march)?;
    ///     assert_eq!((balance.free, balance.expired), (Credits::whole(500), Credits::whole(1_000)));
    ///     Ok(())
    /// }
    /// ```
    pub fn align(
        self,
        schedule: &Schedule,
        terms: AlignTerms,
        now: DateTime<Utc>,
    ) -> Result<Option<Change<Alignment>>, AlignError> {
        // Under the old terms, up to now.
        let mut draft = Draft::begin(self, now)?;
        let (alignment, is_changed) = draft.align(schedule, terms, None)?;

        is_changed
            .then(|| draft.finish(None, alignment))
            .transpose()
            .map_err(AlignError::from)
    }

    pub(super) fn recurring_of(&self, schedule: &Schedule) -> Option<&Recurring> {
        self.recurring
            .iter()
            .find(|recurring| recurring.schedule.subscription() == schedule.subscription())
    }
}

impl Change<Alignment> {
    /// Returns the result of the alignment, of which a host lists
    /// [`before_memory`](Alignment::before_memory) for its desk.
    pub fn alignment(&self) -> &Alignment {
        &self.result
    }
}

impl Draft {
    /// Sets the credits of a subscription to what was paid, and returns whether anything has
    /// changed. Windows that ended until `memory_from` are left alone.
    pub(super) fn align(
        &mut self,
        schedule: &Schedule,
        terms: AlignTerms,
        memory_from: Option<DateTime<Utc>>,
    ) -> Result<(Alignment, bool), AlignError> {
        if schedule.account() != self.wallet.account() {
            return Err(WalletError::mismatch("wallet", "paid time").into());
        }
        let is_sound = |time: TimeDelta| time >= TimeDelta::zero() && time.subsec_nanos() == 0;
        if !is_sound(terms.slack) || !is_sound(terms.dispute_time) {
            return Err(AlignError::TermsInvalid);
        }

        let before = self.wallet.recurring_of(schedule).cloned();
        if before.is_none() && self.wallet.recurring.len() >= MAX_SUBSCRIPTIONS {
            return Err(AlignError::TooManySubscriptions);
        }

        let is_new = memory_from.is_some()
            || before
                .as_ref()
                .is_none_or(|before| before.schedule != *schedule || before.terms != terms);
        if is_new {
            self.record(
                self.now,
                Event::Aligned {
                    schedule: schedule.clone(),
                    terms,
                    memory_from,
                },
            )?;
        }

        let mut alignment = Alignment {
            raised: Credits::ZERO,
            lowered: Credits::ZERO,
            debt: Credits::ZERO,
            before_memory: Vec::new(),
        };
        for window in self.windows_begun(schedule, before.as_ref()) {
            self.align_window(schedule, window, before.as_ref(), &mut alignment)?;
        }

        let is_changed = is_new || !alignment.raised.is_zero() || !alignment.lowered.is_zero();
        Ok((alignment, is_changed))
    }

    /// Returns the windows that have begun, in order: those that are paid now, those that were, and
    /// those that have brought something.
    fn windows_begun(&self, schedule: &Schedule, before: Option<&Recurring>) -> Vec<Period> {
        let mut windows = schedule.windows_begun(self.now);
        if let Some(before) = before {
            windows.extend(before.schedule.windows_begun(self.now));
            windows.extend(before.windows.iter().map(|one| one.window()));
        }
        windows.sort_by_key(|window| (window.start, window.end));
        windows.dedup();

        windows
    }

    /// Sets one window to what it has earned.
    fn align_window(
        &mut self,
        schedule: &Schedule,
        window: Period,
        before: Option<&Recurring>,
        alignment: &mut Alignment,
    ) -> Result<(), WalletError> {
        let Some(recurring) = self.wallet.recurring_of(schedule) else {
            return Ok(());
        };
        let target = recurring.target(window)?;

        if window.end <= recurring.memory_from {
            let last = before.map_or(Ok(Credits::ZERO), |before| {
                before.target(window).map(|target| target.amount)
            })?;
            if last != target.amount {
                alignment.before_memory.push(BeforeMemory {
                    window,
                    before: last,
                    after: target.amount,
                });
            }
            return Ok(());
        }

        let in_time = target.amount.saturating_sub(target.late);
        let parts = [
            (false, in_time, target.expires_at),
            (true, target.late, target.late_expires_at),
        ];
        for (late, earned, expires_at) in parts {
            let Some(recurring) = self.wallet.recurring_of(schedule) else {
                return Ok(());
            };
            let brought = recurring.brought(window, late);
            let key = recurring.key(window, late);

            let more = earned.saturating_sub(brought);
            let less = brought.saturating_sub(earned);
            if !more.is_zero() {
                self.allot(key, more, expires_at)?;
                add(&mut alignment.raised, more)?;
            } else if !less.is_zero() {
                // Of late money, the last that is left decides how long its credits live.
                let expires_at = (late && !earned.is_zero()).then_some(expires_at);
                let debt = self.lower(key, less, expires_at)?;
                add(&mut alignment.lowered, less)?;
                add(&mut alignment.debt, debt)?;
            }
        }

        Ok(())
    }

    /// Brings credits of a window, which repay debt; what is left of a window that is over runs
    /// out.
    fn allot(
        &mut self,
        key: WindowKey,
        amount: Credits,
        expires_at: DateTime<Utc>,
    ) -> Result<(), WalletError> {
        self.record(
            self.now,
            Event::Allotted {
                key,
                amount,
                expires_at,
            },
        )?;

        self.repay(self.now)?;
        self.record_due(self.now)
    }

    /// Takes credits of a window back, and returns the part that becomes debt.
    fn lower(
        &mut self,
        key: WindowKey,
        amount: Credits,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<Credits, WalletError> {
        let id = key.grant_id();
        let funds = self.wallet.grants.iter().find(|funds| funds.grant.id == id);
        let free = funds.map_or(Credits::ZERO, |funds| funds.free.min(amount));

        let rest = amount.saturating_sub(free);
        let unlapsed = self.wallet.lapsed_of(&key).min(rest);
        let debt = rest.saturating_sub(unlapsed);
        self.record(
            self.now,
            Event::Lowered {
                key,
                amount,
                free,
                unlapsed,
                debt,
                expires_at,
            },
        )?;

        Ok(debt)
    }
}
