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
