//! The recurring credits of a subscription as they stand in a wallet: what was paid, and what each
//! window of it has brought.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::error::WalletError;
use super::grant::GrantTerms;
use super::sums::{add, take};
use crate::id::SubscriptionId;
use crate::money::Credits;
use crate::paid_time::{Schedule, Target};
use crate::period::Period;
use crate::policy::Policy;

/// Half a year. Card networks usually let a payment be disputed for 120 days.
const DISPUTE_DAYS: i64 = 180;

/// The terms on which a wallet takes credits from paid time.
///
/// ```
/// use bailiwick::Credits;
/// use bailiwick::chrono::TimeDelta;
/// use bailiwick::credit::AlignTerms;
///
/// // Up to 100 credits that a window leaves go over into the next one.
/// let terms = AlignTerms {
///     rollover: Some(Credits::whole(100)),
///     ..AlignTerms::new(TimeDelta::hours(1))
/// };
/// assert_eq!(terms.dispute_time, TimeDelta::days(180));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it, by struct update"
)]
pub struct AlignTerms {
    /// The time after a window's end for which its credits live on, so that a renewal may be heard
    /// late; at most a quarter of the window. It is the policy's renewal slack.
    #[serde(with = "seconds")]
    pub slack: TimeDelta,
    /// The time after a window's end for which the wallet can still change what it brought. Until
    /// then a payment may be disputed.
    #[serde(with = "seconds")]
    pub dispute_time: TimeDelta,
    /// The priority; lower is spent first.
    #[serde(default = "usual_priority", skip_serializing_if = "is_usual_priority")]
    pub priority: u8,
    /// The most that goes over from a window into the next one; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Credits>,
}

impl AlignTerms {
    /// Creates terms with the usual priority, 180 days for disputes and without a rollover.
    pub fn new(slack: TimeDelta) -> Self {
        Self {
            slack,
            dispute_time: TimeDelta::try_days(DISPUTE_DAYS).unwrap_or(TimeDelta::MAX),
            priority: GrantTerms::PRIORITY,
            rollover: None,
        }
    }
}

impl Policy {
    /// Returns the terms on which a wallet takes credits from paid time under this policy: its
    /// renewal slack and its time for disputes, without a rollover.
    ///
    /// ```
    /// use bailiwick::credit::{AlignError, AlignTerms};
    /// use bailiwick::paid_time::PaidTime;
    /// use bailiwick::{Credits, Policy, Wallet};
    /// use chrono::{DateTime, Utc};
    ///
    /// /// Sets a wallet to what was paid, in the transaction that writes the paid time.
    /// fn align(
    ///     policy: &Policy,
    ///     wallet: Wallet,
    ///     paid_time: &PaidTime,
    ///     now: DateTime<Utc>,
    /// ) -> Result<(), AlignError> {
    ///     // Up to 100 credits that a month leaves go over into the next one.
    ///     let rollover = Some(Credits::whole(100));
    ///     let terms = AlignTerms { rollover, ..policy.align_terms() };
    ///     if let Some(change) = wallet.align(&paid_time.schedule(), terms, now)? {
    ///         println!("write the wallet over version {}", change.expected_version());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn align_terms(&self) -> AlignTerms {
        AlignTerms {
            dispute_time: self.dispute_time(),
            ..AlignTerms::new(self.renewal_slack())
        }
    }
}

fn usual_priority() -> u8 {
    GrantTerms::PRIORITY
}

fn is_usual_priority(priority: &u8) -> bool {
    *priority == GrantTerms::PRIORITY
}

/// A window of a subscription's paid time, as the key of the grant that it brings. Money that was
/// received only after the window and its slack has a grant of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WindowKey {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The window.
    pub window: Period,
    /// True for the part whose money was received after the window and its slack.
    pub late: bool,
}

impl WindowKey {
    /// Returns the identifier of the window's grant. No key of a cause has a space, so no other
    /// grant has this identifier.
    pub(super) fn grant_id(&self) -> Arc<str> {
        let Self {
            subscription,
            window,
            late,
        } = self;
        let (start, end) = (
            window.start.timestamp_micros(),
            window.end.timestamp_micros(),
        );
        let part = if *late { " late" } else { "" };

        format!("window {subscription} {start} {end}{part}").into()
    }
}

impl fmt::Display for WindowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (self.window.start, self.window.end);
        let day = |at: DateTime<Utc>| at.format("%Y-%m-%d");
        let part = if self.late { ", paid late" } else { "" };

        write!(f, "{} to {}{part}", day(start), day(end))
    }
}

/// What a window has brought, remembered for as long as that may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered {
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) late: bool,
    /// All that it has brought.
    pub(super) amount: Credits,
    /// The part of it that ran out unspent.
    #[serde(default = "nothing", skip_serializing_if = "is_nothing")]
    pub(super) lapsed: Credits,
    /// Set once a part of it has gone over into the next window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) carried: bool,
}

impl Remembered {
    pub(super) fn window(&self) -> Period {
        Period {
            start: self.start,
            end: self.end,
        }
    }
}

fn nothing() -> Credits {
    Credits::ZERO
}

fn is_nothing(amount: &Credits) -> bool {
    amount.is_zero()
}

/// The recurring credits of one subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Recurring {
    pub(super) schedule: Schedule,
    pub(super) terms: AlignTerms,
    /// The instant of the latest alignment: windows that had begun were judged by it.
    pub(super) aligned_at: DateTime<Utc>,
    /// Windows that ended until then are forgotten.
    pub(super) memory_from: DateTime<Utc>,
    pub(super) windows: Vec<Remembered>,
    /// The first window that is still to come and brings something. It follows from the rest.
    #[serde(skip)]
    pub(super) next: Option<Target>,
}

impl Recurring {
    /// Creates the recurring credits of a subscription, at its first alignment. Windows that ended
    /// until `memory_from` are forgotten.
    pub(super) fn new(
        schedule: Schedule,
        terms: AlignTerms,
        memory_from: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Self {
        let from = before(at, terms.dispute_time);
        let mut recurring = Self {
            schedule,
            terms,
            aligned_at: at,
            memory_from: memory_from.map_or(from, |forgotten| forgotten.max(from)),
            windows: Vec::new(),
            next: None,
        };
        recurring.find_next();

        recurring
    }

    /// Takes over what was paid by now, and forgets windows that nobody can dispute any more, and
    /// those that ended until `memory_from`.
    pub(super) fn align(
        &mut self,
        schedule: Schedule,
        terms: AlignTerms,
        memory_from: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) {
        self.schedule = schedule;
        self.terms = terms;
        self.aligned_at = at;

        let from = before(at, terms.dispute_time).max(self.memory_from);
        let from = memory_from.map_or(from, |forgotten| forgotten.max(from));
        self.memory_from = from;
        self.windows.retain(|remembered| remembered.end > from);
        self.find_next();
    }

    /// Returns what a window has earned.
    pub(super) fn target(&self, window: Period) -> Result<Target, WalletError> {
        self.schedule
            .target(window, self.terms.slack)
            .ok_or(WalletError::AmountOverflow)
    }

    /// Returns what a part of a window has brought so far.
    pub(super) fn brought(&self, window: Period, late: bool) -> Credits {
        self.windows
            .iter()
            .find(|one| one.window() == window && one.late == late)
            .map_or(Credits::ZERO, |one| one.amount)
    }

    /// Enters credits that a part of a window brings.
    pub(super) fn bring(
        &mut self,
        window: Period,
        late: bool,
        amount: Credits,
    ) -> Result<(), WalletError> {
        match self.remembered(window, late) {
            Some(remembered) => add(&mut remembered.amount, amount)?,
            None => self.windows.push(Remembered {
                start: window.start,
                end: window.end,
                late,
                amount,
                lapsed: Credits::ZERO,
                carried: false,
            }),
        }
        self.find_next();

        Ok(())
    }

    /// Takes credits back that a part of a window had brought, `unlapsed` of them from what had run
    /// out.
    pub(super) fn take(
        &mut self,
        window: Period,
        late: bool,
        amount: Credits,
        unlapsed: Credits,
    ) -> Result<(), WalletError> {
        let remembered = self
            .remembered(window, late)
            .ok_or(WalletError::inexact("a window is not remembered"))?;
        take(&mut remembered.amount, amount)?;
        take(&mut remembered.lapsed, unlapsed)
    }

    pub(super) fn remembered(&mut self, window: Period, late: bool) -> Option<&mut Remembered> {
        self.windows
            .iter_mut()
            .find(|one| one.window() == window && one.late == late)
    }

    /// Returns whether a part of a window has gone over into the next one: that happens once.
    pub(super) fn has_carried(&self, window: Period) -> bool {
        let mut windows = self.windows.iter();
        windows.any(|one| one.window() == window && one.carried)
    }

    /// Returns the key of a part of a window.
    pub(super) fn key(&self, window: Period, late: bool) -> WindowKey {
        WindowKey {
            subscription: self.schedule.subscription().clone(),
            window,
            late,
        }
    }

    /// Returns whether nothing is left of it that could still matter. A memory that begins later
    /// than usual is its own alone, so it is kept for as long.
    pub(super) fn is_over(&self, at: DateTime<Utc>) -> bool {
        let has_usual_memory = self.memory_from <= before(at, self.terms.dispute_time);

        self.windows.is_empty() && self.next.is_none() && has_usual_memory
    }

    /// Finds the first window that begins after the latest alignment, brings something, and is not
    /// there yet. Those that began by then are the alignment's own.
    fn find_next(&mut self) {
        let is_known = |window: Period| self.windows.iter().any(|one| one.window() == window);
        let target = |window: Period| self.schedule.target(window, self.terms.slack);
        // Less than a millionth of a credit is nothing.
        let brings = |window: Period| {
            let is_open = !is_known(window) && window.end > self.memory_from;
            is_open && target(window).is_some_and(|target| !target.amount.is_zero())
        };

        self.next = self
            .schedule
            .next_window(self.aligned_at, brings)
            .and_then(target);
    }
}

/// Returns an instant so much earlier, or the first of all.
fn before(at: DateTime<Utc>, time: TimeDelta) -> DateTime<Utc> {
    at.checked_sub_signed(time)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// The stored form, without what follows from it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    schedule: Schedule,
    terms: AlignTerms,
    aligned_at: DateTime<Utc>,
    memory_from: DateTime<Utc>,
    windows: Vec<Remembered>,
}

impl<'de> Deserialize<'de> for Recurring {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored {
            schedule,
            terms,
            aligned_at,
            memory_from,
            windows,
        } = Stored::deserialize(deserializer)?;

        let mut recurring = Self {
            schedule,
            terms,
            aligned_at,
            memory_from,
            windows,
            next: None,
        };
        recurring.find_next();

        Ok(recurring)
    }
}

/// A time as whole seconds.
mod seconds {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        time: &TimeDelta,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.num_seconds())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<TimeDelta, D::Error> {
        let seconds = i64::deserialize(deserializer)?;
        TimeDelta::try_seconds(seconds).ok_or_else(|| de::Error::custom("a time is out of range"))
    }
}
