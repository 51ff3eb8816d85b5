//! bailiwick decides, for a multi-tenant web service, **who may act, on which rows, how fast, on
//! whose credit, and under which subscription**. It decides; the host stores.
//!
//! It is a pure library: no I/O, no clock, no global state, no async. Every operation has one
//! shape: facts in, an explained decision out, with the change to write. The host loads rows, asks,
//! and writes the answer back in one transaction, under the versions and unique keys that the
//! change names. Whatever grants power is a value that only this crate makes, so a host that skips
//! the gate or the hold does not compile. Time is a parameter.
//!
//! # One request, five decisions
#![doc = include_str!("manual/decisions.svg")]
//!
//! | decision | facts in | out |
//! |---|---|---|
//! | gate | [`Principal`], [`Tenant`] | [`Access`], [`BillingAccess`], [`Operator`] or one [`Denial`] |
//! | scope | [`Access`] | statements that can only see the tenant's rows |
//! | throttle | [`Access`], [`QuotaSet`] | [`Passage`] or [`Throttled`] |
//! | credit | [`Access`], [`Wallet`], [`Quote`] | a [`Change`] with a [`Hold`], later a [`Receipt`] |
//! | subscription | [`Subscription`], [`Command`] or a [`ProviderSnapshot`] | [`Transition`]: the new state and its effects |
//!
//! ```
//! use bailiwick::{Account, Credits, Evidence, Money, Plan, Principal, Problem, Quota, Route, Tenant, Throttle, Wallet, admit, table, throttle_scope, validate_account_and_plan};
//! use bailiwick::account::AccountStatus;
//! use bailiwick::change::Answer;
//! use bailiwick::credit::{Cause, GrantTerms, HoldRequest, PriceList};
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::quota::ThrottleScope;
//! use bailiwick::right::{Privilege, Privileges};
//! use bailiwick::scope::Dialect;
//! use bailiwick::tenant::Site;
//! use bailiwick::throttle::ThrottleCapacity;
//! # use chrono::{DateTime, TimeDelta, Utc};
//! const AI: ThrottleScope = throttle_scope!("ai");
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
//! fn request(host: &Host, now: DateTime<Utc>) -> Result<(), Problem> {
//!     // Who may act? The decision depends on the tenant and the time, not on the kind of credential.
//!     let access = validate_account_and_plan(&host.principal, Some(&host.tenant), now)?.into_write()?;
//!     // On which rows? Whatever is built from here carries the tenant's predicate.
//!     let site = access.write().site(12.into())?;
//!     // How fast?
//!     host.throttle.check(&access, AI, now)?;
//!     // On whose credit? Only a fresh hold may run the expensive call.
//!     let quote = host.prices.quote("article", 150)?;
//!     let request = HoldRequest { key: "request-1".parse()?, quote, time_to_live: TimeDelta::minutes(2), fingerprint: None };
//!     let held = match host.wallet.clone().hold(&access, &request, None, now)? {
//!         Answer::Fresh(change) => change, // the host writes it, and takes the hold when it is committed
//!         Answer::Replayed(earlier) => { earlier.receipt()?; return Ok(()) }
//!     };
//!     let (wallet, outcome) = (held.wallet().clone(), held.outcome().map(|write| write.outcome().clone()));
//!     let hold = held.into_result();
//!     let insert = site.insert::<Article>().set(Article::TITLE, "On bailiffs").build(Dialect::Sqlite)?;
//!     let Answer::Fresh(settled) = wallet.settle(&hold, Credits::whole(3), outcome.as_ref(), now)? else { return Ok(()) };
//!     // Ledger and article go into one transaction.
//!     assert_eq!(settled.wallet().balance().spent, Credits::whole(3));
//!     assert!(insert.sql().starts_with(r#"INSERT INTO "articles" ("account_id", "site_id", "title")"#));
//!     Ok(())
//! }
//! # struct Host { principal: Principal, tenant: Tenant, throttle: Throttle, prices: PriceList, wallet: Wallet }
//! # let now = "2026-01-01T00:00:00Z".parse()?;
//! # let plan = Plan {
//! #     id: 1.into(), active: true, price: Money::new("0".parse()?, Currency::EUR)?, interval: Interval::MONTHLY,
//! #     credits_per_month: Credits::ZERO, needs_subscription: false, quotas: [(AI, Quota::new(6, 60)?.into())].into(),
//! #     concurrency: Default::default(),
//! # };
//! # let (status, staff) = (AccountStatus::Active, Privileges::from_iter([Privilege::GrantCredits]));
//! # let tenant = |id: i64| {
//! #     let payment_method = PaymentMethod::BankTransfer;
//! #     let account = Account { id: id.into(), status, payment_method, version: 1, privileges: staff };
//! #     Tenant { account, plan: Some(plan.clone().into()), subscription: None, sites: [12.into()].into() }
//! # };
//! # let privilege = Privilege::GrantCredits;
//! # let staff = Principal::session(1.into()).of_account(1.into()).with_privileges([privilege].into_iter().collect());
//! # let operator = admit(Route::Operator(privilege), &Evidence::Verified(staff), Some(&tenant(1)), now);
//! # let operator = operator.into_result()?.into_operator()?;
//! # let cause = Cause::promotion(&operator, &7.into(), &"welcome".parse()?)?;
//! # let wallet = Wallet::open(7.into(), now);
//! # let Answer::Fresh(granted) = wallet.grant(&cause, GrantTerms::forever(Credits::whole(50)), None, now)? else { panic!() };
//! # let host = Host {
//! #     principal: Principal::session(2.into()).of_account(7.into()), tenant: tenant(7),
//! #     throttle: Throttle::new(ThrottleCapacity { accounts: 1000, addresses: 1000 }),
//! #     prices: serde_json::from_str(r#"{ "article": { "base": "1", "per_unit": "0.02" } }"#)?,
//! #     wallet: granted.wallet().clone(),
//! # };
//! # request(&host, now).map_err(|problem| problem.detail().to_owned())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same over HTTP, with a database, is `examples/saas`.
//!
//! # Where to look
//! - [`manual::invariants`]: every promise and the test that holds it; [`manual::threat_model`];
//!   [`manual::rejected_designs`]; [`manual::credit_cases`]: what happens to credits where two
//!   rules meet.
//! - [`Code`]: everything that a client can be told. [`transition`]: the table of subscriptions.
//! - [`manual::rollout`]: from a schema that knew Stripe only to bank transfers, and back.
//! - [`manual::drivers`]: how sqlx, SeaORM, rusqlite and others run the statements.
//! - Databases: SQLite and PostgreSQL. MySQL is left out: it has neither a guarded upsert nor
//!   `RETURNING`.
//!
//! # Features
//! - `sql` (default): `table!`, scopes and statements, rendered by sea-query.
//! - `tracing`: [`GateDecision`]'s `trace`, one event for each decision, emitted when the host asks
//!   for it.
//! - `decimal`, `json`: columns of these types.
//! - `uuid`: conversions between identifiers and [`uuid::Uuid`](https://docs.rs/uuid), and UUID
//!   columns.
//! - `governor`: [`Quota`] as governor's, for hosts that run its limiters or its middleware, with a
//!   [`ThrottleKey`].
//! - `testkit`: a conformance suite for the host's own store of wallets, and strategies for its own
//!   property tests. It belongs among a host's dev-dependencies.
//! - `stripe`, `paypal`: the checks of their webhooks' signatures, and their events as snapshots
//!   and payments. Whether a provider is enabled is the policy's to say.
//! - `axum`, `actix`: extractors and responses for axum 0.8 and actix-web 4. A handler's arguments
//!   declare its route.
//!
//! Enabling a feature never changes a decision.
#![cfg_attr(not(feature = "sql"), allow(rustdoc::broken_intra_doc_links))]
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]
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
