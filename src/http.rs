//! The part that the adapters for [axum](crate::axum) and [actix-web](crate::actix) share: a host
//! says once how its requests authenticate, and each handler declares by its arguments which route
//! of the gate it is.
//!
//! # Once in a host: the gatekeeper
//! The host here keeps everything in memory. On a database, `evidence` and `tenant` run queries.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use bailiwick::gate::CredentialFailure;
//! use bailiwick::http::{Gatekeeper, RequestHead};
//! use bailiwick::{AccountId, Evidence, Policy, Principal, Problem, Tenant};
//! use chrono::{DateTime, Utc};
//!
//! struct Host {
//!     sessions: HashMap<String, Principal>,
//!     tenants: HashMap<AccountId, Tenant>,
//!     policy: Policy,
//! }
//!
//! impl Gatekeeper for Host {
//!     type Error = Problem;
//!
//!     async fn evidence(&self, head: &RequestHead<'_>) -> Result<Evidence, Problem> {
//!         // A real host verifies a signature, or looks up a digest of the token.
//!         Ok(match head.bearer() {
//!             Ok(Some(token)) => match self.sessions.get(token) {
//!                 Some(principal) => Evidence::Verified(principal.clone()),
//!                 None => Evidence::Failed(CredentialFailure::Unknown),
//!             },
//!             Ok(None) => Evidence::Nothing,
//!             Err(failure) => Evidence::Failed(failure),
//!         })
//!     }
//!
//!     async fn tenant(&self, principal: &Principal) -> Result<Option<Tenant>, Problem> {
//!         // A real host loads the account, its plan, subscription and sites.
//!         Ok(principal.account_id().and_then(|id| self.tenants.get(id)).cloned())
//!     }
//!
//!     fn policy(&self) -> &Policy {
//!         &self.policy
//!     }
//!
//!     fn now(&self) -> DateTime<Utc> {
//!         Utc::now()
//!     }
//! }
//! ```
//!
//! # In each handler: an argument
//! The argument asks the gate, so a handler takes one of these. Without one it has nothing to reach
//! a row with.
//!
//! | argument | route | a handler that |
//! |---|---|---|
//! | [`Anyone`] | [`Route::Public`] | serves everybody, and may know the caller |
//! | [`Principal`] | [`Route::Authenticated`] | needs to know the caller, and no account |
//! | [`Access`] | [`Route::TenantRead`] | reads the account's rows, and spends its credits |
//! | [`WriteAccess`] | [`Route::TenantWrite`] | writes them too |
//! | [`BillingAccess`] | [`Route::Billing`] | lets an account pay, in arrears too |
//! | [`MayConfirmPayments`], [`MayGrantCredits`], [`MayCrossTenants`] | [`Route::Operator`] | is for the service's own staff, under that [`Privilege`] |
//!
//! [`IdempotencyKey`](crate::credit::IdempotencyKey) is an argument too, for the header of that
//! name.
//!
//! ```
//! use bailiwick::http::{Anyone, MayGrantCredits};
//! use bailiwick::{Access, WriteAccess};
//!
//! async fn welcome(Anyone(principal): Anyone) -> &'static str {
//!     if principal.is_some() { "Welcome back." } else { "Welcome." }
//! }
//!
//! async fn list(access: Access) -> String {
//!     format!("the articles of account {}", access.account_id())
//! }
//!
//! async fn write(access: WriteAccess) -> String {
//!     format!("one more article of account {}", access.account_id())
//! }
//!
//! async fn grant(MayGrantCredits(operator): MayGrantCredits) -> String {
//!     format!("granted by an operator of account {}", operator.account_id())
//! }
//! ```
//!
//! A refusal never reaches the handler: it is answered with a [`Problem`], that is with the right
//! status (401, 402, 403 or 429), its headers, and a body of `application/problem+json`.
//!
//! # What happens on a request, in order
//! 1. [`Gatekeeper::evidence`] says what the request presented for a credential.
//! 2. [`Gatekeeper::tenant`] loads the tenant, only for a verified principal on a route that needs
//!    one.
//! 3. [`Gatekeeper::now`] is asked, and [`Policy::admit`] decides.
//! 4. [`Gatekeeper::observe`] is told the decision, whichever it is.
//! 5. [`Gatekeeper::throttle`] is asked, for an [`Access`] or a [`WriteAccess`].
//!
//! The routes themselves are on the pages of the adapters: [`axum`](crate::axum) and
//! [`actix`](crate::actix).
//!
//! [`Access`]: crate::gate::Access
//! [`BillingAccess`]: crate::gate::BillingAccess
//! [`Policy::admit`]: crate::policy::Policy::admit
//! [`Principal`]: crate::gate::Principal
//! [`Privilege`]: crate::right::Privilege
//! [`Problem`]: crate::problem::Problem
//! [`Route::Authenticated`]: crate::gate::Route::Authenticated
//! [`Route::Billing`]: crate::gate::Route::Billing
//! [`Route::Operator`]: crate::gate::Route::Operator
//! [`Route::Public`]: crate::gate::Route::Public
//! [`Route::TenantRead`]: crate::gate::Route::TenantRead
//! [`Route::TenantWrite`]: crate::gate::Route::TenantWrite
//! [`WriteAccess`]: crate::gate::WriteAccess

mod admitted;
mod gatekeeper;
mod head;

pub(crate) use admitted::{Admitted, for_each_admitted};
pub use admitted::{Anyone, MayConfirmPayments, MayCrossTenants, MayGrantCredits};
pub use gatekeeper::Gatekeeper;
pub(crate) use gatekeeper::admit;
pub(crate) use head::Headers;
pub use head::RequestHead;
