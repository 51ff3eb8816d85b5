//! The facts of paid time, as payments and refunds tell them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::grid::Grid;
use crate::money::Credits;
use crate::period::{Interval, Period};

/// The period that a [`Span`] or a [`TimeCredit`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum BilledPeriod {
    /// The period itself, where the source tells it.
    Whole(Period),
    /// The whole period that ends then, where the source tells only the time that remains of it, as
    /// a provider's proration does. Until another fact tells that period, this one brings nothing.
    EndingAt(DateTime<Utc>),
    /// One interval, where the source tells neither its end nor the period before it, as PayPal's
    /// sales do. Sales make a chain, in the order of their instants: one within the slack of the
    /// end of the period that runs begins at that end; one that begins earlier ends that period;
    /// any other begins where it was made. A [`TimeCredit`] of it gives back the period of the sale
    /// that it falls into, the one that began last.
    Interval {
        /// The interval that was paid for.
        interval: Interval,
        /// The time by which a sale may miss the end of the period before, in seconds.
        slack_seconds: u32,
    },
}

impl BilledPeriod {
    /// Returns the end of the period; `None` where it follows from other facts.
    pub fn end(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Whole(period) => Some(period.end),
            Self::EndingAt(end) => Some(end),
            Self::Interval { .. } => None,
        }
    }
}

/// Time of a plan that was paid: one line of an invoice, a transfer that reached the price, or a
/// charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Span {
    /// The key of the line, unique among the facts of a subscription.
    pub key: Arc<str>,
    /// The payment whose line it is. A [`Void`] of the payment leaves out all of its lines.
    pub payment: Arc<str>,
    /// The period that the time is a part of. The time is paid to that period's end.
    pub period: BilledPeriod,
    /// The first instant that was paid for: the period's start, or the instant of a change within
    /// it.
    pub from: DateTime<Utc>,
    /// The windows of the plan that was paid for.
    pub grid: Grid,
    /// The credits of each whole window: the plan's amount, times the quantity that was paid for,
    /// as it was when the invoice was made.
    pub amount: Credits,
    /// The instant at which the invoice or quote was made.
    pub made: DateTime<Utc>,
    /// The instant at which the money was received.
    pub received: DateTime<Utc>,
}

/// The unused time of a period that was given back: a negative line of an invoice, or a refund.
///
/// The negative half of a change within a period is none: the span that begins there ends the one
/// before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct TimeCredit {
    /// The key of the line, unique among the facts of a subscription.
    pub key: Arc<str>,
    /// The invoice whose line it is. It ends no span of the same invoice.
    pub payment: Arc<str>,
    /// The period that it is a part of.
    pub period: BilledPeriod,
    /// The first instant that was given back.
    pub at: DateTime<Utc>,
    /// The instant at which the invoice or refund was made.
    pub made: DateTime<Utc>,
}

/// The end of service where nothing was given back. Windows that have begun stay; later ones bring
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Stop {
    /// Its key, unique among the facts of a subscription.
    pub key: Arc<str>,
    /// The instant at which service ended.
    pub at: DateTime<Utc>,
    /// The instant at which that was decided.
    pub made: DateTime<Utc>,
}

/// A payment that never was: it bounced, or was confirmed for the wrong account. All of its lines
/// are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct Void {
    /// Its key, unique among the facts of a subscription.
    pub key: Arc<str>,
    /// The payment.
    pub payment: Arc<str>,
}

/// A fact of paid time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Fact {
    /// Time was paid.
    Span(Span),
    /// Time was given back.
    Credit(TimeCredit),
    /// Service ended, and nothing was given back.
    Stop(Stop),
    /// A payment never was.
    Void(Void),
}

impl Fact {
    /// Returns its key. Two facts with one key are the same fact, or a conflict.
    pub fn key(&self) -> &Arc<str> {
        match self {
            Self::Span(span) => &span.key,
            Self::Credit(credit) => &credit.key,
            Self::Stop(stop) => &stop.key,
            Self::Void(void) => &void.key,
        }
    }

    /// Returns whether its times are in order and within its period.
    pub(super) fn is_sound(&self) -> bool {
        let is_within = |period: BilledPeriod, at: DateTime<Utc>| match period {
            BilledPeriod::Whole(period) => period.contains(at),
            BilledPeriod::EndingAt(end) => at < end,
            BilledPeriod::Interval { interval, .. } => interval.period(at, 0).is_some(),
        };

        match self {
            Self::Span(span) => is_within(span.period, span.from),
            Self::Credit(credit) => is_within(credit.period, credit.at),
            Self::Stop(_) | Self::Void(_) => true,
        }
    }
}
