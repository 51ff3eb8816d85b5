//! Extractors and responses for axum 0.8.
//!
//! The router's state is the [`Gatekeeper`]. A handler declares by its arguments what it needs, and
//! a refusal is a [`Problem`] with the right status and headers:
//!
//! ```
//! use axum::{Router, extract::State, routing::{get, post}};
//! use bailiwick::axum::{Json, method_not_allowed, not_found};
//! use bailiwick::{Access, Evidence, Policy, Principal, Problem, Tenant, WriteAccess, throttle_scope};
//! use bailiwick::http::{Gatekeeper, MayConfirmPayments, RequestHead};
//! use bailiwick::quota::ThrottleScope;
//! use bailiwick::throttle::Passage;
//! # use bailiwick::{AccountId, Throttle};
//! # use bailiwick::gate::CredentialFailure;
//! use chrono::{DateTime, Utc};
//! use std::sync::Arc;
//!
//! # struct Host { throttle: Throttle, policy: Policy }
//! # impl Host {
//! #     async fn principal(&self, _: &str) -> Result<Principal, CredentialFailure> { Err(CredentialFailure::Unknown) }
//! #     async fn load(&self, _: &AccountId) -> Option<Tenant> { None }
//! # }
//! impl Gatekeeper for Host {
//!     type Error = Problem;
//!
//!     async fn evidence(&self, head: &RequestHead<'_>) -> Result<Evidence, Problem> {
//!         Ok(match head.bearer() {
//!             Ok(Some(token)) => self.principal(token).await.map_or_else(Evidence::Failed, Evidence::Verified),
//!             Ok(None) => Evidence::Nothing,
//!             Err(failure) => Evidence::Failed(failure),
//!         })
//!     }
//!
//!     async fn tenant(&self, principal: &Principal) -> Result<Option<Tenant>, Problem> {
//!         let Some(account) = principal.account() else { return Ok(None) };
//!         Ok(self.load(account).await)
//!     }
//!
//!     fn policy(&self) -> &Policy { &self.policy }
//!     fn now(&self) -> DateTime<Utc> { Utc::now() }
//! }
//!
//! const AI: ThrottleScope = throttle_scope!("ai");
//!
//! async fn read(access: Access) -> String {
//!     format!("rows of account {}", access.account())
//! }
//!
//! async fn write(
//!     access: WriteAccess,
//!     State(host): State<Arc<Host>>,
//!     Json(title): Json<String>,
//! ) -> Result<(Passage, Json<String>), Problem> {
//!     let passage = host.throttle.check(&access, AI, host.now())?; // 429 with RateLimit headers
//!     Ok((passage, Json(title))) // 200 with RateLimit headers
//! }
//!
//! async fn confirm(MayConfirmPayments(operator): MayConfirmPayments) -> String {
//!     format!("an operator of account {}", operator.account())
//! }
//!
//! fn router(host: Arc<Host>) -> Router {
//!     Router::new()
//!         .route("/articles", get(read).post(write))
//!         .route("/confirm", post(confirm))
//!         .fallback(not_found)
//!         .method_not_allowed_fallback(method_not_allowed)
//!         .with_state(host)
//! }
//! ```
//!
//! A handler that takes none of them has nothing to reach a row with. What grants less does not
//! open more:
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
//! A router whose state is no gatekeeper cannot route to such a handler, and there is no
//! `Option<Access>` that would take a refusal for anonymity:
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
//!
//! In a handler, `?` turns every refusal into a [`Problem`]. A host with errors of its own has a
//! type of its own for them, made with [`from_refusals!`](crate::from_refusals), whose
//! `IntoResponse` converts into a `Problem` and responds with that. The same type can be its
//! [`Gatekeeper::Error`].

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
        /// Asks the gate; a refusal is a [`Problem`].
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

/// The request's one `Idempotency-Key` header; without it, or with another than one, the problem
/// `idempotency_key_invalid`.
impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        RequestHead::from(&*parts).idempotency_key()
    }
}

/// A body of JSON, whose faults are problems; as a response, a body of JSON.
#[derive(Clone, Copy, Debug)]
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

/// Parameters of the path, whose faults are problems.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let value = extract::Path::from_request_parts(parts, state).await;
        value
            .map(|extract::Path(value)| Self(value))
            .map_err(|rejection: PathRejection| {
                // The handler asks for parameters that its route does not have.
                let is_fault = rejection.status().is_server_error();
                if is_fault {
                    Problem::internal()
                } else {
                    Problem::new(Code::IdInvalid, rejection.body_text())
                }
            })
    }
}

/// Parameters of the query, whose faults are problems.
#[derive(Clone, Copy, Debug)]
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

/// The problem as a response: its status, its headers, and the body as `application/problem+json`.
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

/// A handler that returns `(passage, body)` tells the client of its quotas in the response's
/// headers.
impl IntoResponseParts for Passage {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        append(parts.headers_mut(), &self.headers());
        Ok(parts)
    }
}

fn append(headers: &mut HeaderMap, more: &[(&'static str, String)]) {
    for (name, value) in more {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
}

/// For [`Router::fallback`](::axum::Router::fallback): there is no such address.
pub async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is no such address here.")
}

/// For [`Router::method_not_allowed_fallback`](::axum::Router::method_not_allowed_fallback).
pub async fn method_not_allowed() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "This address does not take that method.",
    )
}
