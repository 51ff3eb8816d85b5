//! Extractors and responses for axum 0.8.
//!
//! The router's state is the [`Gatekeeper`], and a handler declares by its arguments what it needs:
//! the [table of arguments](crate::http) is the same for both frameworks. A refusal is answered
//! with a [`Problem`], with the right status and headers. This is a whole service, with one tenant
//! in memory:
//!
//! ```no_run
//! use std::collections::HashMap;
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::extract::State;
//! use axum::routing::get;
//! use bailiwick::account::AccountStatus;
//! use bailiwick::axum::{Json, method_not_allowed, not_found};
//! use bailiwick::gate::CredentialFailure;
//! use bailiwick::http::{Gatekeeper, RequestHead};
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::quota::ThrottleScope;
//! use bailiwick::throttle::{Passage, ThrottleCapacity};
//! use bailiwick::{
//!     Access, Account, AccountId, Evidence, Money, Plan, Policy, Principal, Problem, Quota,
//!     Tenant, Throttle, WriteAccess, throttle_scope,
//! };
//! use chrono::{DateTime, Utc};
//!
//! const WRITE: ThrottleScope = throttle_scope!("write");
//!
//! struct Host {
//!     sessions: HashMap<String, Principal>,
//!     tenants: HashMap<AccountId, Tenant>,
//!     policy: Policy,
//!     throttle: Throttle,
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
//!
//! async fn read(access: Access) -> String {
//!     format!("the notes of account {}", access.account_id())
//! }
//!
//! async fn write(
//!     access: WriteAccess,
//!     State(host): State<Arc<Host>>,
//!     Json(note): Json<String>,
//! ) -> Result<(Passage, Json<String>), Problem> {
//!     // Too many requests are refused with 429; the others are told of the quota in headers.
//!     let passage = host.throttle.check(&access, WRITE, host.now())?;
//!     Ok((passage, Json(note)))
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
//!     let free = Plan {
//!         quotas: [(WRITE, Quota::new(6, 60)?.into())].into(),
//!         ..Plan::new(1.into(), Money::zero(Currency::EUR), Interval::MONTHLY)
//!     };
//!     let tenant = Tenant { plan: Some(free.into()), ..Tenant::new(account) };
//!     let ada = Principal::session(1.into()).of_account(7.into());
//!     let host = Arc::new(Host {
//!         sessions: [("ada".to_owned(), ada)].into(),
//!         tenants: [(7.into(), tenant)].into(),
//!         policy: Policy::default(),
//!         throttle: Throttle::new(ThrottleCapacity { accounts: 10_000, addresses: 10_000 }),
//!     });
//!
//!     let router: Router = Router::new()
//!         .route("/notes", get(read).post(write))
//!         .fallback(not_found)
//!         .method_not_allowed_fallback(method_not_allowed)
//!         .with_state(host);
//!
//!     tokio::runtime::Runtime::new()?.block_on(async {
//!         let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!         Ok(axum::serve(listener, router).await?)
//!     })
//! }
//! ```
//!
//! Without a credential, `GET /notes` is answered with 401; with `Authorization: Bearer ada` it is
//! answered with 200. `examples/axum_minimal.rs` is the same service, to be run, and
//! `examples/saas` is one with a database.
//!
//! # Errors of the host's own
//! In a handler, `?` turns every refusal into a [`Problem`]. A host that has errors of its own
//! makes a type for them, and [`from_refusals!`](crate::from_refusals) lets `?` turn every refusal
//! into that type too. Its `IntoResponse` converts into a `Problem` and responds with that:
//!
//! ```
//! use axum::response::{IntoResponse, Response};
//! use bailiwick::{Access, AccountId, Problem};
//!
//! enum AppError {
//!     Refused(Problem),
//!     Fault(std::io::Error), // such as your database's error
//! }
//!
//! bailiwick::from_refusals!(AppError => AppError::Refused);
//!
//! impl From<Problem> for AppError {
//!     fn from(problem: Problem) -> Self {
//!         Self::Refused(problem)
//!     }
//! }
//!
//! impl From<std::io::Error> for AppError {
//!     fn from(fault: std::io::Error) -> Self {
//!         Self::Fault(fault)
//!     }
//! }
//!
//! impl From<AppError> for Problem {
//!     fn from(error: AppError) -> Self {
//!         match error {
//!             AppError::Refused(problem) => problem,
//!             AppError::Fault(fault) => {
//!                 eprintln!("a request failed: {fault}"); // for the log alone
//!                 Self::internal()
//!             }
//!         }
//!     }
//! }
//!
//! impl IntoResponse for AppError {
//!     fn into_response(self) -> Response {
//!         Problem::from(self).into_response()
//!     }
//! }
//!
//! /// Your database's part.
//! async fn insert_note(account: &AccountId) -> std::io::Result<String> {
//!     Ok(format!("a note of account {account}"))
//! }
//!
//! async fn write(access: Access) -> Result<String, AppError> {
//!     let access = access.into_write()?; // a refusal
//!     Ok(insert_note(access.account_id()).await?) // a fault
//! }
//! ```
//!
//! Since it converts into a `Problem`, the same type can be the host's [`Gatekeeper::Error`].
//!
//! # Mistakes that do not compile
//! A proof that grants less does not open more:
//!
//! ```compile_fail,E0599
//! async fn read(access: bailiwick::gate::BillingAccess) {
//!     access.read(); // paying opens no rows
//! }
//! ```
//! ```compile_fail,E0599
//! async fn write(access: bailiwick::Access) {
//!     access.write(); // only a `WriteAccess` writes
//! }
//! ```
//!
//! A router whose state is not a gatekeeper cannot route to such a handler, and there is no
//! `Option<Access>` that would take a refusal for an anonymous caller:
//!
//! ```compile_fail,E0277
//! async fn read(_: bailiwick::Access) {}
//! let _ = axum::Router::<()>::new().route("/", axum::routing::get(read));
//! ```
//! ```compile_fail,E0277
//! async fn read<G: bailiwick::http::Gatekeeper + Clone>(_: Option<bailiwick::Access>) {}
//! fn router<G: bailiwick::http::Gatekeeper + Clone>() -> axum::Router<G> {
//!     axum::Router::new().route("/", axum::routing::get(read::<G>))
//! }
//! ```

use std::convert::Infallible;

use ::axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use ::axum::extract::{self, FromRequest, FromRequestParts, OriginalUri, Request};
use ::axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ::axum::http::request::Parts;
use ::axum::http::{StatusCode, Uri};
use ::axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::credit::IdempotencyKey;
use crate::gate::{Access, BillingAccess, Principal, WriteAccess};
use crate::http::{
    Admitted, Anyone, Gatekeeper, Headers, MayConfirmPayments, MayCrossTenants, MayGrantCredits,
    RequestHead, admit, for_each_admitted,
};
use crate::problem::{Code, Problem};
use crate::throttle::Passage;

impl<'a> From<&'a Parts> for RequestHead<'a> {
    fn from(parts: &'a Parts) -> Self {
        // A nested router sees the rest of the path only.
        let uri: &Uri = parts
            .extensions
            .get::<OriginalUri>()
            .map_or(&parts.uri, |OriginalUri(uri)| uri);
        Self {
            method: parts.method.as_str(),
            path: uri.path(),
            headers: Headers::Axum(&parts.headers),
        }
    }
}

macro_rules! extractors {
    ($($admitted:ident),*) => {$(
        /// Asks the gate, and is a [`Problem`] if the gate refuses.
        impl<S: Gatekeeper> FromRequestParts<S> for $admitted {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, keeper: &S) -> Result<Self, Problem> {
                let admission = admit(keeper, &RequestHead::from(&*parts), Self::ROUTE).await?;
                Ok(Self::of(admission)?)
            }
        }
    )*};
}
for_each_admitted!(extractors);

/// Takes the request's one `Idempotency-Key` header. If there is none or more than one, the request
/// is refused with the problem `idempotency_key_invalid`.
impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        RequestHead::from(&*parts).idempotency_key()
    }
}

/// A body of JSON, as an argument and as a response. A body that cannot be read is refused with a
/// [`Problem`].
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a handler takes it apart")]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = ::axum::Json::from_request(request, state).await;
        body.map(|::axum::Json(body)| Self(body))
            .map_err(|rejection: JsonRejection| {
                let code = match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::MediaTypeUnsupported,
                    _ => Code::InputInvalid,
                };
                Problem::new(code, rejection.body_text())
            })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        ::axum::Json(self.0).into_response()
    }
}

/// The parameters of the path. Parameters that cannot be read are refused with a [`Problem`].
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a handler takes it apart")]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let value = extract::Path::from_request_parts(parts, state).await;
        value
            .map(|extract::Path(value)| Self(value))
            .map_err(|rejection: PathRejection| {
                // The fault is the service's: the route has no such parameters.
                let is_fault = rejection.status().is_server_error();
                if is_fault {
                    Problem::internal()
                } else {
                    Problem::new(Code::IdInvalid, rejection.body_text())
                }
            })
    }
}

/// The parameters of the query. Parameters that cannot be read are refused with a [`Problem`].
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a handler takes it apart")]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let value = extract::Query::from_request_parts(parts, state).await;
        value
            .map(|extract::Query(value)| Self(value))
            .map_err(|rejection: QueryRejection| {
                Problem::new(Code::InputInvalid, rejection.body_text())
            })
    }
}

/// Responds with the problem: its status, its headers, and a body of `application/problem+json`.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (
            status,
            [(CONTENT_TYPE, Self::CONTENT_TYPE)],
            ::axum::Json(&self),
        )
            .into_response();

        append(response.headers_mut(), self.headers());
        response
    }
}

/// Tells the client of its quotas in the response's headers, where a handler returns `(passage,
/// body)`.
impl IntoResponseParts for Passage {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        append(parts.headers_mut(), &self.headers());
        Ok(parts)
    }
}

/// Appends headers, and leaves out one that HTTP cannot carry.
fn append(headers: &mut HeaderMap, more: &[(&'static str, String)]) {
    for (name, value) in more {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
}

/// Refuses an address that does not exist, as the [`Router::fallback`](::axum::Router::fallback).
pub async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is no such address here.")
}

/// Refuses a method that an address does not take, as the
/// [`Router::method_not_allowed_fallback`](::axum::Router::method_not_allowed_fallback).
pub async fn method_not_allowed() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "This address does not take that method.",
    )
}
