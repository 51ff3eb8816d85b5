//! The lines of an invoice that are about time, and what becomes of each.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::period::Period;

/// The time that a line of an invoice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum LineKind {
    /// A whole period was paid.
    Period(Period),
    /// The time that remains of a period was paid, after a change within it.
    Remaining(Period),
    /// The unused time of a period was given back: a negative line.
    GivenBack(Period),
    /// One interval of the plan was paid, at this instant. The provider names no period.
    IntervalFrom(DateTime<Utc>),
}

impl LineKind {
    /// Returns the time that the line pays for or gives back, where the provider names it.
    fn period(self) -> Option<Period> {
        match self {
            Self::Period(period) | Self::Remaining(period) | Self::GivenBack(period) => {
                Some(period)
            }
            Self::IntervalFrom(_) => None,
        }
    }

    /// Returns whether the line gives time back.
    pub(super) fn gives_back(self) -> bool {
        matches!(self, Self::GivenBack(_))
    }
}

/// A line of an invoice that is about time of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct PaidLine {
    /// The line's identifier, unique within the invoice.
    pub key: String,
    /// The provider's name of the price; `None` where the provider does not say it.
    pub price: Option<String>,
    /// The quantity, such as a number of seats.
    pub quantity: u32,
    /// The amount of the line after discounts; of a line that gives time back, the amount that was
    /// credited.
    pub amount: Money,
    /// The time.
    pub kind: LineKind,
}

/// The reason why a line of an invoice brought time or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineOutcome {
    /// Its time is paid.
    Paid,
    /// Its time was given back.
    GivenBack,
    /// Another line of the invoice is about the same price, quantity and time, the other way round.
    Canceled,
    /// The negative half of a change within a period. The line that pays for the rest of it ends
    /// what was paid before.
    PartOfChange,
    /// The amount is less than its time costs.
    TooLittle,
    /// The host knows no plan of its price: an add-on, a meter.
    PriceUnknown,
    /// The subscription is paid in another way by now.
    OtherMethod,
    /// Its time is empty, or ends after the last date.
    TimeInvalid,
}

/// A line of an invoice, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RecordedLine {
    /// The line.
    pub line: PaidLine,
    /// What became of it.
    pub outcome: LineOutcome,
}

/// Returns for each line of an invoice whether another one cancels it: a line and a negative line
/// for the same price, quantity and time are as if neither were there.
pub(super) fn canceled(lines: &[PaidLine]) -> Vec<bool> {
    let mut canceled: Vec<bool> = lines.iter().map(|_| false).collect();
    for (index, line) in lines.iter().enumerate() {
        if !line.kind.gives_back() {
            continue;
        }

        let opposite = lines.iter().zip(&canceled).position(|(other, taken)| {
            !taken
                && !other.kind.gives_back()
                && other.price == line.price
                && other.quantity == line.quantity
                && other.kind.period() == line.kind.period()
        });
        if let Some(opposite) = opposite {
            for place in [index, opposite] {
                if let Some(flag) = canceled.get_mut(place) {
                    *flag = true;
                }
            }
        }
    }
    canceled
}
