//! Extractors and responses for actix-web 4.
//!
//! [`install`] gives an application its [`Gatekeeper`], and turns actix-web's own refusals of
//! paths, queries and bodies into problems. A handler declares by its arguments what it needs: the
//! [table of arguments](crate::http) is the same for both frameworks. A refusal is answered with a
//! [`Problem`], with the right status and headers. This is a whole service, with one tenant in
//! memory:
//!
//! ```no_run
//! use std::collections::HashMap;
//! use std::sync::Arc;
//!
//! use actix_web::{App, HttpServer, web};
//! use bailiwick::account::AccountStatus;
//! use bailiwick::actix::{Passed, install};
//! use bailiwick::gate::CredentialFailure;
//! use bailiwick::http::{Gatekeeper, RequestHead};
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::quota::ThrottleScope;
//! use bailiwick::throttle::ThrottleCapacity;
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
//!     host: web::Data<Host>,
//!     note: web::Json<String>,
//! ) -> Result<Passed<web::Json<String>>, Problem> {
//!     // Too many requests are refused with 429; the others are told of the quota in headers.
//!     let passage = host.throttle.check(&access, WRITE, host.now())?;
//!     Ok(Passed(passage, note))
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
//!     let server = HttpServer::new(move || {
//!         App::new()
//!             .configure(install(host.clone()))
//!             .app_data(web::Data::from(host.clone()))
//!             .route("/notes", web::get().to(read))
//!             .route("/notes", web::post().to(write))
//!     });
//!     let server = server.bind("127.0.0.1:3000")?;
//!     Ok(actix_web::rt::System::new().block_on(server.run())?)
//! }
//! ```
//!
//! Without a credential, `GET /notes` is answered with 401; with `Authorization: Bearer ada` it is
//! answered with 200. `examples/actix_minimal.rs` is the same service, to be run.
//!
//! # Mistakes, and how they show
//! A proof that grants less does not open more:
//!
//! ```compile_fail,E0599
//! async fn write(access: bailiwick::Access) {
//!     access.write(); // only a `WriteAccess` writes
//! }
//! ```
//!
//! An application without [`install`] answers every such route with 500 and lets nobody in:
//! actix-web looks its data up only when a request comes. Nor can this crate keep a host from
//! taking an `Option<Access>`, which actix-web makes of every extractor: it opens nothing, but
//! hides the reason of a refusal. Take [`Anyone`] for a public route.

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

/// An extractor's answer, once it has one.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + 'a>>;

/// The application's gatekeeper, its type erased: an extractor of actix-web does not know the
/// application's types.
#[derive(Clone)]
struct Gate(Arc<dyn Admit>);

/// A gatekeeper of any type, as an extractor asks it.
trait Admit: Send + Sync {
    fn admit<'a>(&'a self, head: &'a RequestHead<'a>, route: Route) -> Answer<'a, Admission>;
}

impl<G: Gatekeeper> Admit for G {
    fn admit<'a>(&'a self, head: &'a RequestHead<'a>, route: Route) -> Answer<'a, Admission> {
        Box::pin(admit(self, head, route))
    }
}

/// Installs a gatekeeper for all routes, by [`App::configure`](::actix_web::App::configure). It
/// also makes problems of actix-web's own refusals: of a JSON body, a path, a query, and an address
/// that does not exist. Settings that the host makes afterwards, such as a `JsonConfig` with
/// another limit, replace these; see [`body_problem`].
pub fn install<G: Gatekeeper>(keeper: Arc<G>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let bodies = JsonConfig::default().error_handler(|error, _| body_problem(&error).into());
        let paths = PathConfig::default()
            .error_handler(|error, _| Problem::new(Code::IdInvalid, error.to_string()).into());
        let queries = QueryConfig::default()
            .error_handler(|error, _| Problem::new(Code::InputInvalid, error.to_string()).into());

        config
            .app_data(Gate(keeper))
            .app_data(bodies)
            .app_data(paths)
            .app_data(queries)
            .default_service(web::to(not_found));
    }
}

/// Makes the problem of a JSON body that could not be read, for a host with a `JsonConfig` of its
/// own.
pub fn body_problem(error: &JsonPayloadError) -> Problem {
    let code = match error {
        JsonPayloadError::ContentType => Code::MediaTypeUnsupported,
        JsonPayloadError::Serialize(_) => return Problem::internal(),
        error if error.status_code() == StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        _ => Code::InputInvalid,
    };
    Problem::new(code, error.to_string())
}

/// Refuses an address that does not exist.
pub async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(
        Code::NotFound,
        "There is no such address here.",
    ))
}

/// Refuses a method that an address does not take, as the default service of a
/// [`Resource`](::actix_web::Resource).
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
        /// Asks the gate, and is a [`Problem`] if the gate refuses.
        impl FromRequest for $admitted {
            type Error = Problem;
            type Future = Answer<'static, Self>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let request = request.clone();
                // Without a gatekeeper nobody is let in.
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

/// Takes the request's one `Idempotency-Key` header. If there is none or more than one, the request
/// is refused with the problem `idempotency_key_invalid`.
impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(RequestHead::from(request).idempotency_key())
    }
}

/// Responds with the problem: its status, its headers, and a body of `application/problem+json`.
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

/// A response that tells the client of its quotas: the headers of a [`Passage`] on any other
/// response.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "a handler makes it")]
pub struct Passed<R>(pub Passage, pub R);

impl<R: Responder> Responder for Passed<R> {
    type Body = R::Body;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse<R::Body> {
        let mut response = self.1.respond_to(request);
        append(&mut response, &self.0.headers());
        response
    }
}

/// Appends headers, and leaves out one that HTTP cannot carry.
fn append<B>(response: &mut HttpResponse<B>, more: &[(&'static str, String)]) {
    for (name, value) in more {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
}
