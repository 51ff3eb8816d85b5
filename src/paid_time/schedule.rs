//! The time that the facts leave as paid, and what each window of it brings.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::known::Known;
use super::piece::{Piece, nanoseconds};
use crate::id::{AccountId, SubscriptionId};
use crate::money::Credits;
use crate::period::Period;

/// What was paid for one subscription: a few pieces of time, each with the credits of its windows.
///
/// It is the same for the same facts, in whatever order they were heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    account: AccountId,
    subscription: SubscriptionId,
    pieces: Vec<Piece>,
}

/// The credits that one window has earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The window.
    pub window: Period,
    /// All credits of the window, the late ones included.
    pub amount: Credits,
    /// The credits whose money was received when the window and its slack were over.
    pub late: Credits,
    /// The end of the window and its slack: until then its credits live, but for the late ones.
    pub expires_at: DateTime<Utc>,
    /// The end of the late credits: they live for the length of the window from the instant at
    /// which the last money for them was received.
    pub late_expires_at: DateTime<Utc>,
}

/// The part of a window's credits that one payment brought, as a billing page shows it. Displayed,
/// it is the [sentence](Self::sentence) with the key of the span.
///
/// The parts are rounded down one by one, so that they may be some millionths of a credit less than
/// the window's [`Target`] together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Share {
    /// The key of the span that paid it.
    pub span: Arc<str>,
    /// The window.
    pub window: Period,
    /// The part of the window that was paid.
    pub paid: Period,
    /// The credits of a whole window.
    pub amount: Credits,
    /// The credits of the part that was paid.
    pub earned: Credits,
}

impl Share {
    /// Returns the sentence that explains it, with a name of the payment that a customer knows.
    /// `name` is given the key of the span.
    ///
    /// ```
    /// use bailiwick::paid_time::Share;
    ///
    /// fn explain(share: &Share) -> String {
    ///     // "241.935483 credits: 500 from 2027-01-01 to 2027-02-01, the time from 2027-01-01 to
    ///     // 2027-01-16 paid by a bank transfer"
    ///     share.sentence(|span| match span.split('/').next() {
    ///         Some("transfer") => "a bank transfer".to_owned(),
    ///         Some("deposit") => "your deposit".to_owned(),
    ///         _ => "your card".to_owned(),
    ///     })
    /// }
    /// ```
    pub fn sentence(&self, name: impl Fn(&str) -> String) -> String {
        let Self {
            span,
            window,
            paid,
            amount,
            earned,
        } = self;
        let day = |at: DateTime<Utc>| at.format("%Y-%m-%d");

        let (start, end) = (day(window.start), day(window.end));
        let part = if paid == window {
            "all of it".to_owned()
        } else {
            format!("the time from {} to {}", day(paid.start), day(paid.end))
        };
        let payment = name(span);
        format!("{earned} credits: {amount} from {start} to {end}, {part} paid by {payment}")
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(str::to_owned))
    }
}

impl Schedule {
    /// Resolves a set of facts. It does not depend on their order.
    pub(super) fn of(account: AccountId, subscription: SubscriptionId, facts: &[Fact]) -> Self {
        let known = Known::of(facts);
        let mut pieces: Vec<Piece> = known
            .spans
            .iter()
            .filter_map(|span| known.piece(span))
            .collect();
        pieces.sort_by(|one, other| {
            (one.paid.start, one.paid.end, &one.span).cmp(&(
                other.paid.start,
                other.paid.end,
                &other.span,
            ))
        });

        Self {
            account,
            subscription,
            pieces,
        }
    }

    /// Returns the account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the subscription.
    pub fn subscription(&self) -> &SubscriptionId {
        &self.subscription
    }

    /// Returns the pieces of paid time, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Returns the end of the time that was paid, or of service where that ended before.
    pub fn paid_until(&self) -> Option<DateTime<Utc>> {
        self.pieces
            .iter()
            .map(|piece| {
                piece
                    .stopped_at
                    .map_or(piece.paid.end, |at| at.min(piece.paid.end))
            })
            .max()
    }

    /// Returns the windows that have begun by an instant and are paid, in order.
    pub fn windows_begun(&self, now: DateTime<Utc>) -> Vec<Period> {
        let mut windows: Vec<Period> = self
            .pieces
            .iter()
            .flat_map(|piece| {
                let windows = piece.grid.of_period(piece.period);
                windows
                    .take_while(move |window| window.start <= now)
                    .filter(|window| piece.paid_in(*window).is_some())
            })
            .collect();
        windows.sort_by_key(|window| (window.start, window.end));
        windows.dedup();

        windows
    }

    /// Returns the first window that begins after an instant and is paid, of those that a condition
    /// lets in.
    pub fn next_window(
        &self,
        after: DateTime<Utc>,
        accepts: impl Fn(Period) -> bool,
    ) -> Option<Period> {
        let accepts = &accepts;
        let firsts = self.pieces.iter().filter_map(|piece| {
            piece.grid.of_period(piece.period).find(|window| {
                window.start > after && piece.paid_in(*window).is_some() && accepts(*window)
            })
        });

        firsts.min_by_key(|window| (window.start, window.end))
    }

    /// Returns the paid window that contains an instant; of several, the one that ends last.
    pub fn window_at(&self, at: DateTime<Utc>) -> Option<Period> {
        self.pieces
            .iter()
            .filter_map(|piece| {
                let window = piece.grid.window_at(piece.period, at)?;
                piece.paid_in(window).map(|_| window)
            })
            .max_by_key(|window| (window.end, window.start))
    }

    /// Returns the payments that a window's credits come from, in the order of time.
    ///
    /// ```
    /// use bailiwick::paid_time::Schedule;
    /// use bailiwick::period::Period;
    ///
    /// // "241.935483 credits: 500 from 2027-01-01 to 2027-02-01, the time from 2027-01-01 to
    /// // 2027-01-16 paid by invoice-1/line-1"
    /// fn explain(schedule: &Schedule, window: Period) -> Vec<String> {
    ///     schedule.shares(window).map(|share| share.to_string()).collect()
    /// }
    /// ```
    pub fn shares(&self, window: Period) -> impl Iterator<Item = Share> {
        self.parts(window).map(move |(piece, paid)| Share {
            span: piece.span.clone(),
            window,
            paid,
            amount: piece.amount,
            earned: piece.earned_in(window, paid).unwrap_or(Credits::ZERO),
        })
    }

    /// Returns the credits that a window has earned: each payment's amount for the share of the
    /// window that it pays, rounded down once, over all of them. Money counts as late when it was
    /// received at or after the window's end and its slack, which is `slack`, but at most a quarter
    /// of the window. `None` beyond what amounts and dates can hold.
    pub fn target(&self, window: Period, slack: TimeDelta) -> Option<Target> {
        let slack = self
            .parts(window)
            .map(|(piece, _)| piece.grid.longest_slack())
            .fold(slack, TimeDelta::min);
        let expires_at = window.end.checked_add_signed(slack)?;
        let is_late = |piece: &Piece| piece.received >= expires_at;

        let amount = self.earned(window, |_| true)?;
        let in_time = self.earned(window, |piece| !is_late(piece))?;
        let late_received = self
            .parts(window)
            .filter(|(piece, _)| is_late(piece))
            .map(|(piece, _)| piece.received)
            .max();
        let length = window.end.signed_duration_since(window.start);

        Some(Target {
            window,
            amount,
            late: amount.checked_sub(in_time)?,
            expires_at,
            late_expires_at: late_received
                .map_or(Some(expires_at), |at| at.checked_add_signed(length))?,
        })
    }

    /// Returns the floor of the sum of shares of a window, of the pieces that `counts` lets in.
    fn earned(&self, window: Period, counts: impl Fn(&Piece) -> bool) -> Option<Credits> {
        let length = nanoseconds(window)?;
        let sum = self
            .parts(window)
            .filter(|(piece, _)| counts(piece))
            .try_fold(0_i128, |sum, (piece, paid)| {
                let share = i128::from(piece.amount.micros()).checked_mul(nanoseconds(paid)?)?;
                sum.checked_add(share)
            })?;

        let micros = i64::try_from(sum.checked_div(length)?).ok()?;
        Credits::from_micros(micros).ok()
    }

    /// Returns the pieces whose period has a window, each with the part of it that it pays.
    fn parts(&self, window: Period) -> impl Iterator<Item = (&Piece, Period)> {
        // Most pieces lie outside the window, and that is found sooner than that the window is theirs.
        self.pieces
            .iter()
            .filter_map(move |piece| Some((piece, piece.paid_in(window)?)))
            .filter(move |(piece, _)| piece.has(window))
    }
}
