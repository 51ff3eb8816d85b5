//! Quotas say how fast an account may go, and concurrency limits how many of its requests may run
//! at once. A plan carries both, for each throttle scope.
//!
//! A *throttle scope* is a named group of operations that count together, such as `api` or `ai`. A
//! *cell* is one unit of a request's cost: one for most requests, more for expensive ones. A
//! *burst* is the number of cells that may pass at once.
//!
//! ```
//! use bailiwick::quota::{ConcurrencyLimit, QuotaSet, ThrottleScope};
//! use bailiwick::{Plan, Quota, throttle_scope};
//!
//! const API: ThrottleScope = throttle_scope!("api");
//! const AI: ThrottleScope = throttle_scope!("ai");
//!
//! fn with_quotas(plan: Plan) -> Result<Plan, Box<dyn std::error::Error>> {
//!     // Ten a second, but at most a thousand a day.
//!     let api = QuotaSet::try_from(vec![Quota::new(10, 1)?, Quota::new(1_000, 86_400)?])?;
//!     // Sixty in an hour, but at most five at once.
//!     let ai = Quota::new(60, 3_600)?.with_burst(5)?;
//!
//!     Ok(Plan {
//!         quotas: [(API, api), (AI, ai.into())].into(),
//!         concurrency: [(AI, ConcurrencyLimit::new(2, 120)?)].into(),
//!         ..plan
//!     })
//! }
//! ```
//!
//! Everything is checked when it is made, so that no arithmetic on it can overflow later. The
//! types, in the order in which one meets them:
//!
//! - [`ThrottleScope`], made by [`throttle_scope!`](crate::throttle_scope).
//! - [`Quota`]: one rate. [`QuotaSet`]: the one to four quotas of a scope.
//! - [`ConcurrencyLimit`]: the number of requests that may run at once.
//! - [`QuotaError`]: the reason for which one of them is not sound.
//!
//! The [throttle](crate::throttle) decides by them.

mod concurrency;
mod error;
mod rate;
mod scope;
mod set;

pub use concurrency::ConcurrencyLimit;
pub use error::QuotaError;
pub use rate::Quota;
pub use scope::ThrottleScope;
pub use set::QuotaSet;
