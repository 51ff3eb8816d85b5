//! bailiwick decides, for a multi-tenant web service, **who may act, on which rows, how fast, on
//! whose credit, and under which subscription**. It decides; the host stores.
//!
//! Mistakes that other back ends make on one code path out of many either fail to compile here, or
//! break a numbered invariant that has its own test: see [`manual::invariants`].
//!
//! # The contract
//!
//! - bailiwick is a pure library: no I/O, no clock, no threads, no global state, no async. Time is a
//!   parameter, and the same inputs give the same answer.
//! - Every operation has one shape: facts in, an explained decision out, with the change to write.
//!   The host loads rows, asks, and writes the answer back in one transaction, under the versions
//!   and unique keys that the change names.
//! - Whatever grants power is a value that only this crate makes. A host that skips the gate, or
//!   pays for a call without a hold, does not compile.
//! - Every refusal has a stable [`Code`], a sentence for a person, and a next step. Every error of
//!   this crate converts to one [`Problem`], the body of an HTTP answer.
//!
//! # One request, five decisions
#![doc = include_str!("manual/decisions.svg")]
//!
//! | decision | room | facts in | out |
//! |---|---|---|---|
//! | Who may act? | [`gate`] | [`Principal`], [`Tenant`] | [`Access`], [`gate::BillingAccess`], [`gate::Operator`], or one [`gate::Denial`] |
//! | On which rows? | [`scope`] | [`Access`] | statements that can only see the tenant's rows |
//! | How fast? | [`throttle`] | [`Access`], [`quota::QuotaSet`] | [`throttle::Passage`] or [`throttle::Throttled`] |
//! | On whose credit? | [`credit`] | [`Access`], [`Wallet`], [`credit::Quote`] | a [`credit::Change`] with a [`Hold`], later a [`credit::Receipt`] |
//! | Under which subscription? | [`subscription`] | [`Subscription`], [`subscription::Command`] | [`subscription::Transition`]: the new state and its effects |
//!
//! # The first program
//!
//! ```
//! use bailiwick::account::AccountStatus;
//! use bailiwick::credit::{HoldError, HoldRequest, PriceList};
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::quota::ThrottleScope;
//! use bailiwick::scope::Dialect;
//! use bailiwick::throttle::ThrottleCapacity;
//! use bailiwick::{
//!     Account, Money, Plan, Principal, Quota, Tenant, Throttle, Wallet, chrono, table,
//!     throttle_scope, validate_account_and_plan,
//! };
//!
//! const AI: ThrottleScope = throttle_scope!("ai");
//!
//! table! { pub struct Sites: Account in "sites" {
//!     tenant "account_id" Int;
//!     key ID = "id" i64 generated;
//! } }
//! table! { pub struct Article: Site in "articles" {
//!     tenant "account_id" Int, "site_id" Int of Sites;
//!     key ID = "id" i64 generated;
//!     column TITLE = "title" String;
//! } }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // The facts, as a host loads them for a request.
//!     let now = "2027-01-01T00:00:00Z".parse()?;
//!     let plan = Plan {
//!         quotas: [(AI, Quota::new(6, 60)?.into())].into(),
//!         ..Plan::new(1.into(), Money::zero(Currency::EUR), Interval::MONTHLY)
//!     };
//!     let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
//!     let tenant = Tenant {
//!         plan: Some(plan.into()),
//!         sites: [12.into()].into(),
//!         ..Tenant::new(account)
//!     };
//!     let principal = Principal::session(2.into()).of_account(7.into());
//!
//!     // Who may act? The answer depends on the tenant and the time, not on the kind of credential.
//!     let access = validate_account_and_plan(&principal, Some(&tenant), now)?.into_write()?;
//!
//!     // On which rows? Every statement that is built from here carries the tenant's predicate.
//!     let site = access.write().site(12.into())?;
//!     let insert = site.insert::<Article>().set(Article::TITLE, "On bailiffs");
//!     let insert = insert.build(Dialect::Sqlite)?;
//!     assert!(insert.sql().starts_with(r#"INSERT INTO "articles" ("account_id", "site_id", "title")"#));
//!
//!     // How fast? The quota is the plan's.
//!     let throttle = Throttle::new(ThrottleCapacity { accounts: 1000, addresses: 1000 });
//!     throttle.check(&access, AI, now)?;
//!
//!     // On whose credit? The expensive call needs a hold, and an empty wallet gives none: 402.
//!     let prices: PriceList = serde_json::from_str(r#"{ "article": { "base": "1" } }"#)?;
//!     let request = HoldRequest {
//!         key: "request-1".parse()?,
//!         quote: prices.quote("article", 150)?,
//!         time_to_live: chrono::TimeDelta::minutes(2),
//!         fingerprint: None,
//!     };
//!     let refused = Wallet::open(7.into(), now).hold(&access, &request, None, now);
//!     assert!(matches!(refused, Err(HoldError::Insufficient { .. })));
//!
//!     Ok(())
//! }
//! ```
//!
//! [`manual::guide`] goes on from here, step by step. `examples/saas` is a whole service over HTTP
//! with a database.
//!
//! # The rooms
//!
//! Each decision has a public module, a *room*, with a page of its own: what it decides, its first
//! program, and its types in the order in which one meets them. The root repeats the names that
//! nearly every host writes; everything else is named through its room.
//!
//! | rooms | what they hold |
//! |---|---|
//! | [`id`], [`money`], [`payment_method`], [`period`], [`quota`], [`right`] | values, checked where they are parsed |
//! | [`change`] | rows and their versions: what a command answers, and what can be wrong with rows |
//! | [`problem`] | every refusal as an HTTP answer |
//! | [`account`], [`plan`], [`tenant`] | the facts that a host loads |
//! | [`policy`] | the numbers that a host chooses |
//! | [`gate`], [`scope`], [`throttle`], [`credit`], [`subscription`] | the five decisions |
//! | [`paid_time`] | the time that payments and refunds leave as paid, and the credits of each window |
//! | [`charge`] | what an account owes, and how it was reckoned |
//! | [`bank_transfer`], [`provider`], [`registration`] | how money and people come in |
//! | [`danger`] | the only way across tenants |
//! | [`http`], [`axum`], [`actix`] | thin adapters |
//! | [`migration`] | the way over from a schema that knew Stripe only |
//! | [`testkit`] | the conformance suites that a host runs on its own store |
//! | [`manual`] | guide, threat model, invariants and their tests, rejected designs, runbooks |
//!
//! Most decisions are methods of [`Policy`], because the numbers that a host chose decide with
//! them. They stand in the rooms that they belong to; [`policy`] lists all of them.
//!
//! # Features
//!
//! Enabling a feature never changes a decision.
//!
//! - `sql` (default): `table!`, scopes and statements, rendered by sea-query.
//! - `decimal`, `json`, `uuid`: columns of these types; `uuid` also converts identifiers.
//! - `axum`, `actix`: extractors and responses for axum 0.8 and actix-web 4.
//! - `stripe`, `paypal`: webhook signatures, and the providers' events as snapshots and payments.
//!   The policy says whether a provider is enabled.
//! - `governor`: a [`Quota`] as governor's, for hosts that run its limiters or middleware.
//! - `tracing`: `GateDecision::trace`, one event a decision, emitted when the host asks for it.
//! - `testkit`: conformance suites and proptest strategies, for a host's dev-dependencies.
//!
//! The databases are SQLite and PostgreSQL. MySQL is left out, because it has neither a guarded
//! upsert nor `RETURNING`.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(
        feature = "sql",
        feature = "axum",
        feature = "actix",
        feature = "testkit"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub)]
// Errors and what the crate hands out may grow; facts and closed domains may not: CONTRIBUTING.md.
#![deny(clippy::exhaustive_enums, clippy::exhaustive_structs)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod account;
#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
pub mod axum;
pub mod bank_transfer;
pub mod change;
pub mod charge;
pub mod credit;
#[cfg(feature = "sql")]
pub mod danger;
mod digest;
pub mod gate;
#[cfg(feature = "governor")]
pub mod governor;
#[cfg(any(feature = "axum", feature = "actix"))]
pub mod http;
pub mod id;
#[cfg(doc)]
pub mod manual;
#[cfg(feature = "sql")]
pub mod migration;
pub mod money;
pub mod paid_time;
pub mod payment_method;
pub mod period;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod provider;
pub mod quota;
pub mod registration;
pub mod right;
#[cfg(feature = "sql")]
pub mod scope;
pub mod subscription;
pub mod tenant;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod throttle;

// The crates that the public interface is made of, in the versions that it is made of.
#[doc(no_inline)]
pub use chrono;
#[doc(no_inline)]
pub use rust_decimal;
#[cfg(feature = "sql")]
#[doc(no_inline)]
pub use sea_query;

// The paved path: what nearly every host names. Everything else is named through its room.
#[doc(no_inline)]
pub use account::Account;
#[doc(no_inline)]
pub use credit::{Hold, Wallet};
#[doc(no_inline)]
pub use gate::{Access, Evidence, Principal, Route, WriteAccess, admit, validate_account_and_plan};
#[doc(no_inline)]
pub use id::{AccountId, SiteId};
#[doc(no_inline)]
pub use money::{Credits, Money};
#[doc(no_inline)]
pub use plan::Plan;
#[doc(no_inline)]
pub use policy::Policy;
#[doc(no_inline)]
pub use problem::{Code, Problem};
#[doc(no_inline)]
pub use quota::Quota;
#[cfg(feature = "sql")]
#[doc(no_inline)]
pub use scope::Scope;
#[doc(no_inline)]
pub use subscription::{Subscription, transition};
#[doc(no_inline)]
pub use tenant::Tenant;
#[doc(no_inline)]
pub use throttle::Throttle;

/// What `table!` expands to needs these; they grant nothing, and no one else should name them.
#[cfg(feature = "sql")]
#[doc(hidden)]
pub mod __private {
    pub use crate::scope::{
        DataColumn, IdColumn, KeyColumn, Reference, ReferenceTarget, Schema, Steps,
        assert_reference,
    };
}
