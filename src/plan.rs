//! The plan: what an account buys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::PlanId;
use crate::money::{Credits, Money};
use crate::period::Interval;
use crate::quota::{ConcurrencyLimit, QuotaSet, ThrottleScope};

/// What an account buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its identifier.
    pub id: PlanId,
    /// Whether it may be used at all.
    pub active: bool,
    /// The price of one interval.
    pub price: Money,
    /// How often it is paid.
    pub interval: Interval,
    /// Credits that each month brings, on a yearly plan too.
    pub credits_per_month: Credits,
    /// Whether an account needs a subscription to use it. A free or granted plan may not.
    pub needs_subscription: bool,
    /// What is throttled, and how fast it may go. What is not named here is not included in the
    /// plan.
    pub quotas: BTreeMap<ThrottleScope, QuotaSet>,
    /// How many requests may be at work at once. What is not named here cannot be leased.
    #[serde(default)]
    pub concurrency: BTreeMap<ThrottleScope, ConcurrencyLimit>,
}

impl Plan {
    /// Describes an active plan that brings nothing yet: no credits, no quotas, no leases. It needs
    /// a subscription if it has a price. The rest is told by struct update.
    ///
    /// ```
    /// use bailiwick::money::Currency;
    /// use bailiwick::period::Interval;
    /// use bailiwick::{Credits, Money, Plan};
    ///
    /// let price = Money::new("19".parse()?, Currency::EUR)?;
    /// let basic = Plan {
    ///     credits_per_month: Credits::whole(500),
    ///     ..Plan::new(1.into(), price, Interval::MONTHLY)
    /// };
    /// assert!(basic.needs_subscription);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(id: PlanId, price: Money, interval: Interval) -> Self {
        Self {
            id,
            active: true,
            price,
            interval,
            credits_per_month: Credits::ZERO,
            needs_subscription: !price.is_zero(),
            quotas: BTreeMap::new(),
            concurrency: BTreeMap::new(),
        }
    }
}
