//! The throttle decides how fast an account may go, and how many of its requests may run at once.
//!
//! A plan allows quotas in a [`ThrottleScope`](crate::quota::ThrottleScope), a named group of
//! operations such as `api` or `ai`. A quota counts *cells*: one for a request, or more for an
//! expensive one. Everything that is counted together is a *key*: an account in a scope, or one
//! user of it, or an address. No two keys count together.
//!
//! A scope that the plan does not list is refused with 403 `quota_missing`
//! ([`Throttled::QuotaMissing`]): no quota applies by default.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bailiwick::account::AccountStatus;
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::quota::ThrottleScope;
//! use bailiwick::throttle::ThrottleCapacity;
//! use bailiwick::{
//!     Account, Money, Plan, Principal, Problem, Quota, Tenant, Throttle, throttle_scope,
//!     validate_account_and_plan,
//! };
//!
//! const AI: ThrottleScope = throttle_scope!("ai");
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // A plan that allows two requests a minute, and an account that is on it.
//!     let free = Money::new("0".parse()?, Currency::EUR)?;
//!     let plan = Plan {
//!         quotas: [(AI, Quota::new(2, 60)?.into())].into(),
//!         ..Plan::new(1.into(), free, Interval::MONTHLY)
//!     };
//!     let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
//!     let tenant = Tenant { plan: Some(Arc::new(plan)), ..Tenant::new(account) };
//!     let principal = Principal::session(1.into()).of_account(7.into());
//!
//!     // The application has one throttle. Each request passes the gate, then the throttle.
//!     let throttle = Throttle::new(ThrottleCapacity { accounts: 100_000, addresses: 100_000 });
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!     let access = validate_account_and_plan(&principal, Some(&tenant), now)?;
//!
//!     let passage = throttle.check(&access, AI, now)?;
//!     assert_eq!(passage.remaining(), Some(1));
//!     assert!(passage.headers().contains(&("RateLimit", "\"ai\";r=1;t=30".to_owned())));
//!
//!     // The third request within the minute is refused.
//!     throttle.check(&access, AI, now)?;
//!     let problem = Problem::from(throttle.check(&access, AI, now).unwrap_err());
//!     assert_eq!(problem.status(), 429);
//!     assert!(problem.headers().contains(&("Retry-After", "30".to_owned())));
//!     Ok(())
//! }
//! ```
//!
//! # Where the counts are kept
//!
//! | counts in | made by | use it if |
//! |---|---|---|
//! | the memory of one process | [`Throttle`] | each process may count on its own |
//! | Redis or PostgreSQL | [`SharedCheck`] | several processes share a quota |
//! | a store of the host's own | [`gcra`], [`leases`] | nothing else fits |
//!
//! All of them decide alike.
//!
//! # Types, in the order in which one meets them
//!
//! - [`Throttle`] and its [`ThrottleCapacity`]: the throttle of one process.
//! - [`Passage`]: a request that passed. [`Throttled`], [`Exceeded`]: one that did not, and why.
//! - [`QuotaReport`]: the rest of a key's quotas. [`HeaderDialect`]: the headers that tell a client
//!   of it.
//! - [`ThrottleKey`], [`ThrottleSubject`], [`ThrottleKeyError`]: keys of users, API keys, sites and
//!   addresses.
//! - [`TrustedHops`], [`ForwardedError`]: the client's address behind proxies.
//! - [`Lease`]: one of the requests that may run at once.
//! - [`SharedCheck`], [`SharedError`]: a check in a store that several processes share.
//!
//! The [`Policy`](crate::Policy) says which scopes pass uncounted while the counts are unavailable:
//! [`Policy::pass_uncounted`](crate::Policy::pass_uncounted), [`Throttle::with_failure_modes`]. A
//! policy for development gives leave to bypass the throttle: [`Throttle::bypass`].
//!
//! # Order
//!
//! 1. Check an address before its credential is examined ([`Throttle::check_address`]), and the
//!    account after the gate ([`Throttle::check`]).
//! 2. Read the clock at the check. A time that is older than a second looks like a clock that was
//!    set back.
//! 3. Do the work only with a [`Passage`], and while holding a [`Lease`] where one is needed.
//! 4. Give a passage back at most once, and only for work that was not done:
//!    [`Throttle::refund`].

mod answers;
mod capacity;
mod client;
pub mod gcra;
mod headers;
mod held;
mod included;
mod key;
mod lease;
pub mod leases;
mod passage;
mod process;
mod refusal;
mod room;
mod scopes;
mod shared;

pub use capacity::ThrottleCapacity;
pub use client::{ForwardedError, TrustedHops};
pub use headers::HeaderDialect;
pub use key::{ThrottleKey, ThrottleKeyError, ThrottleSubject};
pub use lease::Lease;
pub use passage::{Passage, QuotaReport};
pub use process::Throttle;
pub use refusal::{Exceeded, Throttled};
pub use shared::{SharedCheck, SharedError};
