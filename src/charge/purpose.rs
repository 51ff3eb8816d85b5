//! The purposes of a charge: what its payment brings, as it was quoted.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{PlanId, SubscriptionId};
use crate::money::{Credits, Money};
use crate::paid_time::Grid;
use crate::period::{Interval, Period};
use crate::subscription::Proration;

/// The most characters of the name of a pack of credits.
const MAX_NAME: usize = 200;

/// The purpose of a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChargeFor {
    /// A change to a plan that costs more for the rest of the time that was paid.
    Upgrade(PlanChange),
    /// A change to a plan that costs no more for that time. It was carried out when it was asked
    /// for, nothing was to be paid, and the rest went to the deposit.
    Downgrade(PlanChange),
    /// The next period of a subscription.
    Period(NextPeriod),
    /// A pack of credits.
    CreditPack(CreditPack),
}

/// A change of plan within the time that was paid, as it was quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PlanChange {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The plan before.
    pub from: PlanId,
    /// The plan after.
    pub to: PlanId,
    /// The instant for which it was quoted.
    pub at: DateTime<Utc>,
    /// The instant that places it among the facts of paid time: that of the quote, or just after the
    /// latest fact that it follows.
    pub made: DateTime<Utc>,
    /// The time of the new plan: the rest of the running period, and each period that was paid
    /// ahead, in order.
    pub times: Vec<QuotedTime>,
    /// The prices of both plans for that time.
    pub reckoning: Proration,
    /// True if the plan changed when the charge was opened.
    pub applied: bool,
}

impl PlanChange {
    /// Returns the time from the change to the end of what was paid; empty if no time is named.
    pub fn time(&self) -> Period {
        Period {
            start: self.at,
            end: self.times.last().map_or(self.at, |time| time.period.end),
        }
    }
}

/// A part of a period that a change of plan is for, with the credits of the new plan in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct QuotedTime {
    /// The whole period.
    pub period: Period,
    /// The first instant that the change is for. The last is the period's.
    pub from: DateTime<Utc>,
    /// The windows of the period.
    pub grid: Grid,
    /// The credits of each whole window.
    pub credits: Credits,
}

/// The next period of a subscription, as it was quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NextPeriod {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The plan that the period is paid for.
    pub plan: PlanId,
    /// The length of the period.
    pub interval: Interval,
    /// The windows of the period.
    pub grid: Grid,
    /// The credits of each window.
    pub credits: Credits,
}

/// A pack of credits in the host's price list.
///
/// ```
/// use bailiwick::charge::CreditPack;
/// use bailiwick::money::Currency;
/// use bailiwick::period::Interval;
/// use bailiwick::{Credits, Money};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let price = Money::new("20".parse()?, Currency::EUR)?;
///     let pack = CreditPack {
///         expires_after: Some(Interval::YEARLY),
///         ..CreditPack::new("Small pack", price, Credits::whole(1_000))
///     };
///     assert_eq!(pack.credits, Credits::whole(1_000));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct CreditPack {
    /// Its name, as a customer reads it: 1 to 200 characters, and no control characters.
    pub name: String,
    /// Its price.
    pub price: Money,
    /// The credits that it brings, once.
    pub credits: Credits,
    /// The time for which they live, from the payment on; `None` for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Interval>,
}

impl CreditPack {
    /// Creates a pack of credits that never expire. Set the rest by struct update.
    pub fn new(name: &str, price: Money, credits: Credits) -> Self {
        Self {
            name: name.to_owned(),
            price,
            credits,
            expires_after: None,
        }
    }

    /// Returns whether it has a name, a price and credits.
    pub(super) fn is_sound(&self) -> bool {
        let length = self.name.chars().count();
        let has_name = (1..=MAX_NAME).contains(&length) && !self.name.contains(char::is_control);

        has_name && !self.price.is_zero() && !self.credits.is_zero()
    }
}
