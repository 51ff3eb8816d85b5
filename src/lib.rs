//! bailiwick decides, for a multi-tenant web service, **who may act, on which rows, how fast, on whose credit, and under
//! which subscription**. It decides; the host stores.
//!
//! It is a pure library: no I/O, no clock, no global state, no async. Every operation has one shape: facts in, an explained
//! decision out, with the change to write. The host loads rows, asks, and writes the answer back in one transaction, under
//! the versions and unique keys that the change names. Whatever grants power is a value that only this crate makes, so a
//! host that skips the gate or the hold does not compile. Time is a parameter.
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
//! use bailiwick::*;
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
//!   [`manual::rejected_designs`]; [`manual::credit_cases`]: what happens to credits where two rules meet.
//! - [`Code`]: everything that a client can be told. [`transition`]: the table of subscriptions.
//! - [`manual::rollout`]: from a schema that knew Stripe only to bank transfers, and back.
//! - [`manual::drivers`]: how sqlx, SeaORM, rusqlite and others run the statements.
//! - Databases: SQLite and PostgreSQL. MySQL is left out: it has neither a guarded upsert nor `RETURNING`.
//!
//! # Features
//! - `sql` (default): `table!`, scopes and statements, rendered by sea-query.
//! - `tracing`: [`GateDecision`]'s `trace`, one event for each decision, emitted when the host asks for it.
//! - `decimal`, `json`: columns of these types.
//! - `uuid`: conversions between identifiers and [`uuid::Uuid`](https://docs.rs/uuid), and UUID columns.
//! - `governor`: [`Quota`] as governor's, for hosts that run its limiters or its middleware, with a [`ThrottleKey`].
//! - `testkit`: a conformance suite for the host's own store of wallets, and strategies for its own property tests. It
//!   belongs among a host's dev-dependencies.
//! - `stripe`, `paypal`: the checks of their webhooks' signatures, and their events as snapshots and payments. Whether a
//!   provider is enabled is the policy's to say.
//! - `axum`, `actix`: extractors and responses for axum 0.8 and actix-web 4. A handler's arguments declare its route.
//!
//! Enabling a feature never changes a decision.
#![cfg_attr(not(feature = "sql"), allow(rustdoc::broken_intra_doc_links))]
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub)]
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

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
pub mod axum;
mod change;
mod credit;
#[cfg(feature = "sql")]
pub mod danger;
mod digest;
mod gate;
#[cfg(feature = "governor")]
mod governor;
#[cfg(any(feature = "axum", feature = "actix"))]
mod http;
mod id;
#[cfg(doc)]
pub mod manual;
#[cfg(feature = "sql")]
pub mod migration;
mod money;
mod payment;
#[cfg(feature = "paypal")]
pub mod paypal;
mod period;
mod policy;
mod privilege;
mod problem;
mod provider;
mod quota;
mod registration;
#[cfg(feature = "sql")]
mod scope;
#[cfg(feature = "stripe")]
pub mod stripe;
mod subscription;
mod tenant;
#[cfg(feature = "testkit")]
pub mod testkit;
mod throttle;

// What the public interface is made of, in the versions that it is made of.
#[doc(no_inline)]
pub use rust_decimal;
#[cfg(feature = "sql")]
#[doc(no_inline)]
pub use sea_query;

pub use change::RowChange;
pub use credit::{
    AccountStatement, Allowance, AllowanceError, Answer, Balance, Cause, CauseError, CauseKind, Change, DeductError,
    DeductRequest, DueGrant, DueRevocation, Ended, Event, Grant, GrantError, GrantTerms, Held, Hold, HoldError,
    HoldRecord, HoldRequest, IdempotencyKey, KeyError, LedgerEntry, LedgerError, LedgerFault, Outcome, OutcomeWrite,
    Price, PriceError, PriceList, Quote, Receipt, RefundError, ReleaseError, ReplayError, Replayed, Revocation,
    RevokeError, Rollover, Rounding, SettleError, Slice, Tier, Wallet, WalletError,
};
pub use gate::{
    Access, Admission, BillingAccess, Credential, CredentialFailure, Denial, Evidence, GateDecision, JobTenant,
    Operator, Principal, Route, WriteAccess, admit, validate_account_and_plan,
};
#[cfg(any(feature = "axum", feature = "actix"))]
pub use http::{Anyone, Gatekeeper, MayConfirmPayments, MayCrossTenants, MayGrantCredits, RequestHead};
pub use id::{AccountId, ApiKeyId, IdError, IdKind, LeaseId, PlanId, SectorId, SiteId, SubscriptionId, UserId};
pub use money::{AmountError, Credits, Currency, Money};
pub use payment::{
    AfterRefund, BankReference, BankTransfer, Claim, ClaimError, ClaimFacts, ClaimState, ConfirmError,
    ConfirmedTransfer, Deposit, DepositChange, DepositFacts, RefundFacts, TransferChange, TransferError, TransferFacts,
    TransferRefund, TransferRefundChange, TransferRefundError,
};
pub use period::{Interval, IntervalUnit, Period};
pub use policy::{
    CreditPolicy, FailureMode, GraceMode, GraceSettings, LateSettle, Overage, Overpayment, Policy, PolicyError,
    PolicySettings, ThrottleBypass,
};
pub use privilege::{Privilege, Privileges};
pub use problem::{Code, Explained, Problem, Severity};
pub use provider::{
    AdoptError, Adoption, AdoptionFacts, Freshness, PaidFor, PaidInvoice, PaymentChange, PaymentError, PaymentFacts,
    Plausibility, Provider, ProviderEvent, ProviderPayment, ProviderReport, ProviderSnapshot, WebhookError,
};
pub use quota::{ConcurrencyLimit, Quota, QuotaError, QuotaSet, ThrottleScope};
pub use registration::{
    Invitation, JoinChange, JoinError, JoinFacts, Registered, Registration, RegistrationChange, RegistrationError,
    RegistrationFacts, Subject, SubjectError, SubjectRecord, Succession, SuccessionError,
};
#[cfg(feature = "sql")]
pub use scope::{
    Aggregate, Bound, BoundValues, BuildError, Column, ColumnValue, Columns, Comparable, Count, Covers, Cursor,
    CursorError, Data, Delete, Dialect, Entry, Exists, Filter, Global, Insert, InsertMany, Joined, Key, KeyValue,
    Keyed, KeyedIn, Level, Mode, NoFilter, NoKey, NoOutput, NotFound, Operand, Operands, OrderBy, Parameter,
    ParameterValue, Parameters, Permits, Prepared, Rankable, Reachable, Read, Ready, ReferenceTo, Refers, Scope,
    ScopeLevel, Select, SettableIn, SeveralSites, Shape, Stamps, Statement, Subquery, Summable, Table, Template,
    TenantKeyed, TenantLevel, Unbound, Unique, Update, Upsert, ValueKind, ValueRef, Within, Write, create_table,
    row_level_security,
};
#[cfg(all(feature = "sql", feature = "decimal"))]
pub use scope::{Fixed, FixedError};
pub use subscription::{
    AfterRetries, AfterTrial, Command, CommandKind, Effect, PaymentMethod, PendingPlan, Proration, ProrationError,
    RecordedPayment, Refusal, RefusalReason, Subscription, SubscriptionStatus, Transition, transition,
};
pub use tenant::{Account, AccountStatus, Plan, Sector, Site, SuspensionCause, Tenant};
pub use throttle::{
    Exceeded, ForwardedError, HeaderDialect, Lease, Passage, QuotaReport, SharedCheck, SharedError, Throttle,
    ThrottleCapacity, ThrottleKey, ThrottleKeyError, ThrottleSubject, Throttled, TrustedHops,
};

/// The throttle's pure decision, for hosts that keep rate state in a store of their own: read the state, decide, write it
/// back under the store's guard.
pub mod gcra {
    pub use crate::throttle::gcra::{Decision, GcraState, Limits, Verdict, decide, decide_within, refund, reprice};
    pub use crate::throttle::states::{Decisions, GcraStates, decide_all, refund_all};
}

/// How many may be at work at once, decided purely, for hosts that keep leases in a store of their own: read them,
/// [`acquire`](concurrency::acquire) or release, write them back under the store's guard.
pub mod concurrency {
    pub use crate::throttle::lease::{Acquisition, Leases, acquire};
}

/// What `table!` expands to needs these; they grant nothing, and no one else should name them.
#[cfg(feature = "sql")]
#[doc(hidden)]
pub mod __private {
    pub use crate::scope::{
        DataColumn, IdColumn, KeyColumn, Reference, ReferenceTarget, Schema, Steps, assert_reference,
    };
}
