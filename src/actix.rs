//! Extractors and responses for actix-web 4.
//!
//! [`install`] gives an application its [`Gatekeeper`], and makes actix's own refusals of paths,
//! queries and bodies problems too. A handler declares by its arguments what it needs, and a
//! refusal is a [`Problem`] with the right status and headers:
//!
//! ```
//! use actix_web::{App, HttpServer, web};
//! use bailiwick::actix::{Passed, install};
//! use bailiwick::{Access, Evidence, Policy, Principal, Problem, Tenant, WriteAccess, throttle_scope};
//! use bailiwick::http::{Gatekeeper, RequestHead};
//! use bailiwick::quota::ThrottleScope;
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
//!     host: web::Data<Host>,
//!     title: web::Json<String>,
//! ) -> Result<Passed<web::Json<String>>, Problem> {
//!     let passage = host.throttle.check(&access, AI, host.now())?; // 429 with RateLimit headers
//!     Ok(Passed(passage, title)) // 200 with RateLimit headers
//! }
//!
//! # let _ = |host: Arc<Host>| {
//! HttpServer::new(move || {
//!     App::new()
//!         .configure(install(host.clone()))
//!         .app_data(web::Data::from(host.clone()))
//!         .route("/articles", web::get().to(read))
//!         .route("/articles", web::post().to(write))
//! })
//! # };
//! ```
//!
//! A handler that takes none of them has nothing to reach a row with, and what grants less does not
//! open more:
//!
//! ```compile_fail,E0599
//! async fn write(access: bailiwick::Access) {
//!     access.write(); // only a `WriteAccess` writes
//! }
//! ```
//!
//! An application without [`install`] answers every such route with 500 and lets nobody in:
//! actix-web looks its data up when a request comes. Nor can this crate keep a host from taking an
//! `Option<Access>`, which actix-web makes of every extractor: it opens nothing, but hides why.
//! Take [`Anyone`] for a public route.

use std::pin::Pin;
use std::sync::Arc;

use ::actix_web::dev::Payload;
use ::actix_web::error::JsonPayloadError;
use ::actix_web::http::StatusCode;
use ::actix_web::http::header::{HeaderName, HeaderValue};
use ::actix_web::web::{self, JsonConfig, PathConfig, QueryConfig, ServiceConfig};
use ::actix_web::{FromRequest, HttpRequest, HttpResponse, Responder, ResponseError};

use crate::credit::IdempotencyKey;
use crate::gate::{Access, Admission, BillingAccess, Principal, Route, WriteAccess};
use crate::http::{
    Admitted, Anyone, Gatekeeper, Headers, MayConfirmPayments, MayCrossTenants, MayGrantCredits,
    RequestHead, admit, for_each_admitted,
};
use crate::problem::{Code, Problem};
use crate::throttle::Passage;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + 'a>>;

/// A gatekeeper of whatever type: an extractor of actix-web does not know the application's types.
#[derive(Clone)]
struct Gate(Arc<dyn Admit>);

trait Admit: Send + Sync {
    fn admit<'a>(&'a self, head: &'a RequestHead<'a>, route: Route) -> Answer<'a, Admission>;
}

impl<G: Gatekeeper> Admit for G {
    fn admit<'a>(&'a self, head: &'a RequestHead<'a>, route: Route) -> Answer<'a, Admission> {
        Box::pin(admit(self, head, route))
    }
}

/// For [`App::configure`](::actix_web::App::configure): the gatekeeper of all routes, problems for
/// what actix-web itself refuses in a JSON body, a path or a query, and for an address that there
/// is not. What the host sets afterwards, such as a `JsonConfig` with another limit, replaces it.
pub fn install<G: Gatekeeper>(keeper: Arc<G>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(Gate(keeper))
            .app_data(JsonConfig::default().error_handler(|error, _| body_problem(&error).into()))
            .app_data(
                PathConfig::default().error_handler(|error, _| {
                    Problem::new(Code::IdInvalid, error.to_string()).into()
                }),
            )
            .app_data(QueryConfig::default().error_handler(|error, _| {
                Problem::new(Code::InputInvalid, error.to_string()).into()
            }))
            .default_service(web::to(not_found));
    }
}

/// What a client is told of a JSON body that could not be taken, for a host with a `JsonConfig` of
/// its own.
pub fn body_problem(error: &JsonPayloadError) -> Problem {
    let code = match error {
        JsonPayloadError::ContentType => Code::MediaTypeUnsupported,
        JsonPayloadError::Serialize(_) => return Problem::internal(),
        error if error.status_code() == StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        _ => Code::InputInvalid,
    };
    Problem::new(code, error.to_string())
}

/// Refuses an address that there is not.
pub async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(
        Code::NotFound,
        "There is no such address here.",
    ))
}

/// Refuses a method, as the default service of a [`Resource`](::actix_web::Resource).
pub async fn method_not_allowed() -> Result<HttpResponse, Problem> {
    Err(Problem::new(
        Code::MethodNotAllowed,
        "This address does not take that method.",
    ))
}

impl<'a> From<&'a HttpRequest> for RequestHead<'a> {
    fn from(request: &'a HttpRequest) -> Self {
        Self {
            method: request.method().as_str(),
            path: request.uri().path(),
            headers: Headers::Actix(request.headers()),
        }
    }
}

macro_rules! extractors {
    ($($admitted:ident),*) => {$(
        /// Asks the gate; a refusal is a [`Problem`].
        impl FromRequest for $admitted {
            type Error = Problem;
            type Future = Answer<'static, Self>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let request = request.clone();
                Box::pin(async move {
                    let gate = request.app_data::<Gate>().ok_or_else(Problem::internal)?;
                    let admission = gate.0.admit(&RequestHead::from(&request), Self::ROUTE).await?;
                    Ok(Self::of(admission)?)
                })
            }
        }
    )*};
}
for_each_admitted!(extractors);

/// The request's one `Idempotency-Key` header; without it, or with another than one, the problem
/// `idempotency_key_invalid`.
impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(RequestHead::from(request).idempotency_key())
    }
}

/// The problem as a response: its status, its headers, and the body as `application/problem+json`.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code())
            .content_type(Self::CONTENT_TYPE)
            .json(self);
        append(&mut response, self.headers());
        response
    }
}

/// A response that tells the client of its quotas: the headers of a [`Passage`], with any other
/// response.
#[derive(Debug)]
pub struct Passed<R>(pub Passage, pub R);

impl<R: Responder> Responder for Passed<R> {
    type Body = R::Body;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse<R::Body> {
        let mut response = self.1.respond_to(request);
        append(&mut response, &self.0.headers());
        response
    }
}

fn append<B>(response: &mut HttpResponse<B>, more: &[(&'static str, String)]) {
    for (name, value) in more {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
}
