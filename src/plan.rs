//! The plan: what an account buys.
//!
//! A plan is a fact that a host loads and shares between all tenants that use it. It names a price
//! and an interval, the credits that come each month, and the throttle scopes that it includes.
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
//!         credits: Credits::whole(500),
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
use crate::period::{Interval, IntervalUnit};
use crate::quota::{ConcurrencyLimit, QuotaSet, ThrottleScope};

/// A plan: what an account buys.
///
/// A stored plan that says nothing of `credits_every` has the value that [`Plan::new`] sets, and
/// `credits` may have its former name, `credits_per_month`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredPlan")]
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
    /// The credits that it brings each time, such as 500 a month: see [`Plan::credits_every`].
    pub credits: Credits,
    /// The interval at which it brings its credits: a month, on a yearly plan too. A plan that is
    /// paid by weeks or days brings them by that same week or day.
    pub credits_every: Interval,
    /// The credits of a trial, in all; `None` for as many as [`Plan::credits`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial_credits: Option<Credits>,
    /// True if an account needs a subscription to use the plan. A free or granted plan may not.
    pub needs_subscription: bool,
    /// The quotas of each throttle scope. A scope that is not named here is not included in the
    /// plan.
    pub quotas: BTreeMap<ThrottleScope, QuotaSet>,
    /// The most requests that may be at work at once, for each throttle scope. A scope that is not
    /// named here cannot be leased.
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
    ///         credits: Credits::whole(500),
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
            credits: Credits::ZERO,
            credits_every: usual_credit_interval(interval),
            trial_credits: None,
            needs_subscription: !price.is_zero(),
            quotas: BTreeMap::new(),
            concurrency: BTreeMap::new(),
        }
    }
}

/// Returns the interval at which a plan's credits come where nothing else is said.
fn usual_credit_interval(interval: Interval) -> Interval {
    match interval.unit {
        IntervalUnit::Month | IntervalUnit::Year => Interval::MONTHLY,
        IntervalUnit::Day | IntervalUnit::Week => interval,
    }
}

/// A plan as any version has stored it.
#[derive(Deserialize)]
struct StoredPlan {
    id: PlanId,
    active: bool,
    price: Money,
    interval: Interval,
    #[serde(alias = "credits_per_month")]
    credits: Credits,
    credits_every: Option<Interval>,
    trial_credits: Option<Credits>,
    needs_subscription: bool,
    quotas: BTreeMap<ThrottleScope, QuotaSet>,
    #[serde(default)]
    concurrency: BTreeMap<ThrottleScope, ConcurrencyLimit>,
}

impl From<StoredPlan> for Plan {
    fn from(stored: StoredPlan) -> Self {
        // Without `..`, a new field cannot be left unread.
        let StoredPlan {
            id,
            active,
            price,
            interval,
            credits,
            credits_every,
            trial_credits,
            needs_subscription,
            quotas,
            concurrency,
        } = stored;

        Self {
            id,
            active,
            price,
            interval,
            credits,
            credits_every: credits_every.unwrap_or(usual_credit_interval(interval)),
            trial_credits,
            needs_subscription,
            quotas,
            concurrency,
        }
    }
}
