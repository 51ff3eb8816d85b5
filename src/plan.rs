//! The plan: what an account buys.
//!
//! A plan is a fact that a host loads and shares between all tenants that use it. It names a price
//! and an interval, the credits of a month, and the throttle scopes that it includes.
//!
//! # First program
//! ```
//! use bailiwick::money::Currency;
//! use bailiwick::period::Interval;
//! use bailiwick::{Credits, Money, Plan, Quota, throttle_scope};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let price = Money::new("19".parse()?, Currency::EUR)?;
//!     let basic = Plan {
//!         credits_per_month: Credits::whole(500),
//!         // At most 6 requests a minute to the scope "ai". No other scope is included.
//!         quotas: [(throttle_scope!("ai"), Quota::new(6, 60)?.into())].into(),
//!         ..Plan::new(1.into(), price, Interval::MONTHLY)
//!     };
//!     assert!(basic.active && basic.needs_subscription);
//!     Ok(())
//! }
//! ```
//!
//! [`Plan`] is the only type here. Its parts are described in [`money`](crate::money),
//! [`period`](crate::period) and [`quota`](crate::quota).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::PlanId;
use crate::money::{Credits, Money};
use crate::period::Interval;
use crate::quota::{ConcurrencyLimit, QuotaSet, ThrottleScope};

/// A plan: what an account buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct Plan {
    /// The plan's identifier.
    pub id: PlanId,
    /// True if the plan may be used at all. An account whose plan is not active is refused.
    pub active: bool,
    /// The price of one interval.
    pub price: Money,
    /// The interval at which the price is paid.
    pub interval: Interval,
    /// The credits of each month, on a yearly plan too.
    pub credits_per_month: Credits,
    /// True if an account needs a subscription to use the plan. A free or granted plan may not.
    pub needs_subscription: bool,
    /// The quotas of each throttle scope. A scope that is not named here is not included in the
    /// plan.
    pub quotas: BTreeMap<ThrottleScope, QuotaSet>,
    /// The most requests that may be at work at once, for each throttle scope. A scope that is not
    /// named here cannot be leased.
    #[serde(default)]
    pub concurrency: BTreeMap<ThrottleScope, ConcurrencyLimit>,
}

impl Plan {
    /// Creates an active plan without credits, quotas and leases. It needs a subscription if it has
    /// a price. Set the rest by struct update.
    ///
    /// ```
    /// use bailiwick::money::Currency;
    /// use bailiwick::period::Interval;
    /// use bailiwick::{Credits, Money, Plan};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let price = Money::new("19".parse()?, Currency::EUR)?;
    ///     let basic = Plan {
    ///         credits_per_month: Credits::whole(500),
    ///         ..Plan::new(1.into(), price, Interval::MONTHLY)
    ///     };
    ///     assert!(basic.needs_subscription);
    ///     Ok(())
    /// }
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
