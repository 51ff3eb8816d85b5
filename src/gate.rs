//! The gate decides who may act: it takes facts, and returns one [`Access`] or one [`Denial`].
//!
//! The decision depends on the tenant's rows, the [`Policy`](crate::Policy) and the time, never on
//! the kind of credential. A session, a signed token and an API key of the same account get the
//! same answer. Nothing else in this crate makes an [`Access`], so a handler that takes one has
//! been through the gate.
//!
//! # First program
//! ```
//! use bailiwick::account::AccountStatus;
//! use bailiwick::gate::Denial;
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::subscription::SubscriptionStatus;
//! use bailiwick::{Account, Evidence, Money, Plan, Principal, Route, Subscription, Tenant};
//! use bailiwick::{admit, validate_account_and_plan};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!
//!     // The tenant, as the host loaded it: account 7 has paid for January.
//!     let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
//!     let price = Money::new("19".parse()?, Currency::EUR)?;
//!     let subscription = Subscription {
//!         status: SubscriptionStatus::Active,
//!         current_period: Interval::MONTHLY.period(now, 0),
//!         ..Subscription::new(3.into(), 7.into(), 1.into(), PaymentMethod::BankTransfer, now)
//!     };
//!     let tenant = Tenant {
//!         plan: Some(Plan::new(1.into(), price, Interval::MONTHLY).into()),
//!         subscription: Some(subscription),
//!         sites: [12.into()].into(),
//!         ..Tenant::new(account)
//!     };
//!
//!     // The principal, as the host's authentication established it.
//!     let principal = Principal::session(2.into()).of_account(7.into());
//!
//!     // May it act? The answer holds until the paid period ends.
//!     let access = validate_account_and_plan(&principal, Some(&tenant), now)?;
//!     assert_eq!(access.valid_until(), Some("2026-02-01T00:00:00Z".parse()?));
//!
//!     // May it write? Afterwards the type says so.
//!     let write = access.into_write()?;
//!     assert_eq!(write.account_id(), &7.into());
//!
//!     // `admit` answers for a whole request: its route and its credential are facts, too.
//!     let decision = admit(Route::TenantRead, &Evidence::Verified(principal), Some(&tenant), now);
//!     assert_eq!(decision.label(), "admitted");
//!     let decision = admit(Route::TenantRead, &Evidence::Nothing, None, now);
//!     assert_eq!(decision.denial(), Some(&Denial::CredentialMissing));
//!     Ok(())
//! }
//! ```
//!
//! # The types, in the order in which one meets them
//! | type | role |
//! |---|---|
//! | [`Principal`], [`Credential`] | the one who asks, as the host's authentication established it |
//! | [`Evidence`], [`CredentialFailure`] | the credential that a request presented: none, one that failed, or a principal |
//! | [`Route`] | the demand that a route makes, declared where the route is declared |
//! | [`Tenant`](crate::Tenant) | the account, its plans, its subscription and its sites, loaded by the host |
//! | [`validate_account_and_plan`] | decides for one principal and one tenant, under the default policy |
//! | [`admit`] | decides for a whole request, under the default policy |
//! | [`Access`], [`WriteAccess`] | proofs that open the tenant's rows, throttle and wallet |
//! | [`BillingAccess`] | proof that the principal may pay for the account |
//! | [`Operator`] | proof that the principal may operate the service under one privilege |
//! | [`GateDecision`], [`Admission`] | the answer of [`admit`], with a label, a severity and its end |
//! | [`Denial`] | the one reason for a refusal, with a stable code |
//! | [`JobTenant`] | the part of an access that a background job keeps until it asks the gate again |
//!
//! A host with a policy of its own calls the methods of the same names on
//! [`Policy`](crate::Policy).
//!
//! # The order of the checks
//! The first row that fits is the answer. [`Denial`] lists its variants in the same order.
//!
//! | facts | answer |
//! |---|---|
//! | public route | [`Admission::Public`] |
//! | a credential was presented and failed | 401 `credential_rejected` |
//! | no credential was presented | 401 `credential_missing` |
//! | authenticated route | [`Admission::Authenticated`] |
//! | operator's route, and the principal lacks the privilege | 403 `privilege_missing` |
//! | the principal has no account, or its account was not found | 403 `account_missing` |
//! | the rows that were loaded belong to another account | 403 `account_mismatch` |
//! | the account is suspended, closed, or of unknown status | 403 `account_suspended`, `account_closed`, `account_status_unknown`; an overdue payment does not close the billing route |
//! | operator's route, and the account lacks the privilege | 403 `privilege_missing` |
//! | billing or operator's route, and the principal is bound to sites | 403 `account_wide_forbidden` |
//! | billing or operator's route | [`Admission::Billing`], [`Admission::Operator`] |
//! | the account awaits its first payment, and its plan has a price | 402 `payment_pending` |
//! | no plan, or one that is not active | 402 `plan_missing`, `plan_inactive` |
//! | the plan needs a subscription, and there is none, or one for another plan | 402 `subscription_missing`, `plan_mismatch` |
//! | the subscription is incomplete, unpaid, paused, canceled, or of unknown status | 402, a code for each |
//! | the trial, the paid period with its slack, or the grace period is over | 402 `trial_ended`, `period_ended`, `payment_past_due` |
//! | the principal is bound to sites, and none of them belongs to the account | 403 `site_not_in_account` |
//! | a write route in a grace period that is read-only | 402 `payment_past_due` |
//! | otherwise | [`Admission::Tenant`] |
//!
//! # Plans without a price
//! A subscription to such a plan needs no payment, so it is admitted in trial, before it was started
//! and after its period, whether or not a job has written that down. The rows of the table about
//! payments and ends do not apply to it, unless it is paused, has ended, is to end with its period, or
//! is run by a provider. A plan that the subscription waits to change to is served from that instant
//! on, if it is without a price or its period was paid early: load it as
//! [`Tenant::next_plan`](crate::Tenant::next_plan).
//!
//! # Rules for a host
//! - **Load the tenant of the principal's own account**, all of it in one transaction. Rows of two
//!   accounts in one [`Tenant`](crate::Tenant) are refused as `account_mismatch`.
//! - **Report a credential that failed** as [`Evidence::Failed`], never as [`Evidence::Nothing`].
//! - **A cached answer ends** at [`Access::valid_until`] or [`GateDecision::valid_until`]; it also
//!   ends when the host writes one of the rows that it was made from.
//! - **Two names that read alike:** [`Access::account_id`] returns an identifier and opens nothing.
//!   `access.read().account()` opens the account's rows: it returns a scope, and is refused for a
//!   principal that is bound to sites.

mod access;
mod check;
mod deadline;
mod decision;
mod denial;
mod evidence;
mod job;
mod principal;
mod reach;
mod route;
mod service;
mod standing;
#[cfg(feature = "tracing")]
mod trace;

pub use access::{Access, BillingAccess, Operator, WriteAccess};
pub use check::{admit, validate_account_and_plan};
pub use decision::{Admission, GateDecision};
pub use denial::Denial;
pub use evidence::{CredentialFailure, Evidence};
pub use job::JobTenant;
pub use principal::{Credential, Principal};
#[cfg(feature = "sql")]
pub(crate) use reach::Reach;
pub use route::Route;
