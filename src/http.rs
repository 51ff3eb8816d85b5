//! What the adapters for web frameworks share: how a request is put to the gate, and what a handler
//! takes from it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::credit::IdempotencyKey;
use crate::gate::{
    Access, Admission, BillingAccess, CredentialFailure, Denial, Evidence, GateDecision, Operator,
    Principal, Route, WriteAccess,
};
use crate::policy::Policy;
use crate::problem::{Code, Problem};
use crate::right::Privilege;
use crate::tenant::Tenant;
use crate::throttle::Throttled;

/// What a host tells an adapter, once for all its routes: how a request authenticates, whose rows
/// it is about, under which policy and at what time. The gate decides; none of these methods can.
///
/// The same host serves on axum and on actix-web. A handler then declares by its arguments what it
/// needs:
///
/// | argument | route |
/// |---|---|
/// | [`Anyone`] | [`Route::Public`] |
/// | [`Principal`] | [`Route::Authenticated`] |
/// | [`Access`] | [`Route::TenantRead`] |
/// | [`WriteAccess`] | [`Route::TenantWrite`] |
/// | [`BillingAccess`] | [`Route::Billing`] |
/// | [`MayConfirmPayments`], [`MayCrossTenants`], [`MayGrantCredits`] | [`Route::Operator`] under that [`Privilege`] |
///
/// [`IdempotencyKey`] is an argument too, for the header of that name. Each argument asks the gate,
/// so a handler takes one of the table.
pub trait Gatekeeper: Send + Sync + 'static {
    /// A fault of the host's own, such as a lost database. Log it where it becomes a [`Problem`],
    /// and let the client know nothing of it: [`Problem::internal`]. A host that has no such faults
    /// says `Problem`.
    type Error: Into<Problem> + Send;

    /// What the request presented for a credential. Only a request that presented nothing at all is
    /// [`Evidence::Nothing`]; whatever failed is [`Evidence::Failed`].
    fn evidence(
        &self,
        head: &RequestHead<'_>,
    ) -> impl Future<Output = Result<Evidence, Self::Error>> + Send;

    /// The tenant of a principal's account, as it is stored now. `None` if there is no such
    /// account. It is not asked for public and authenticated routes, nor before a credential was
    /// verified.
    fn tenant(
        &self,
        principal: &Principal,
    ) -> impl Future<Output = Result<Option<Tenant>, Self::Error>> + Send;

    /// The policy to decide under.
    fn policy(&self) -> &Policy;

    /// The time. It is asked after the rows were loaded, so that no decision is older than they
    /// are.
    fn now(&self) -> DateTime<Utc>;

    /// Called with every decision, for logs and counters: with those that admit, and on a public
    /// route with a credential that failed. See [`GateDecision::label`] and
    /// [`GateDecision::severity`]. The route is what the handler's argument demands: a counter by
    /// [`Route::label`] and [`GateDecision::label`] stays small.
    fn observe(
        &self,
        head: &RequestHead<'_>,
        route: Route,
        evidence: &Evidence,
        decision: &GateDecision,
    ) {
        let _ = (head, route, evidence, decision);
    }

    /// What every request with an [`Access`] or a [`WriteAccess`] must pass besides the gate, such
    /// as a throttle for the whole interface. Nothing, unless the host says so.
    fn throttle(&self, access: &Access, now: DateTime<Utc>) -> Result<(), Throttled> {
        let _ = (access, now);
        Ok(())
    }
}

impl<G: Gatekeeper> Gatekeeper for Arc<G> {
    type Error = G::Error;

    fn evidence(
        &self,
        head: &RequestHead<'_>,
    ) -> impl Future<Output = Result<Evidence, Self::Error>> + Send {
        G::evidence(self, head)
    }

    fn tenant(
        &self,
        principal: &Principal,
    ) -> impl Future<Output = Result<Option<Tenant>, Self::Error>> + Send {
        G::tenant(self, principal)
    }

    fn policy(&self) -> &Policy {
        G::policy(self)
    }

    fn now(&self) -> DateTime<Utc> {
        G::now(self)
    }

    fn observe(
        &self,
        head: &RequestHead<'_>,
        route: Route,
        evidence: &Evidence,
        decision: &GateDecision,
    ) {
        G::observe(self, head, route, evidence, decision);
    }

    fn throttle(&self, access: &Access, now: DateTime<Utc>) -> Result<(), Throttled> {
        G::throttle(self, access, now)
    }
}

/// What a request says before its body: method, path and headers, whichever framework received it.
/// All of it is the client's word.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Headers<'a>,
}

/// The headers as the framework has them; the two frameworks have different types of one name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Headers<'a> {
    #[cfg(feature = "axum")]
    Axum(&'a ::axum::http::HeaderMap),
    #[cfg(feature = "actix")]
    Actix(&'a ::actix_web::http::header::HeaderMap),
}

impl<'a> RequestHead<'a> {
    /// The method, such as `GET`.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The whole path, percent-encoded as it was sent, without the query.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// All values of a header, whatever bytes they hold. The name's case does not matter.
    pub fn headers(&self, name: &str) -> Vec<&'a [u8]> {
        match self.headers {
            #[cfg(feature = "axum")]
            Headers::Axum(headers) => headers
                .get_all(name)
                .iter()
                .map(|value| value.as_bytes())
                .collect(),
            #[cfg(feature = "actix")]
            Headers::Actix(headers) => headers
                .get_all(name)
                .map(|value| value.as_bytes())
                .collect(),
        }
    }

    /// The one value of a header that carries a credential; `None` if there is no such header.
    ///
    /// # Errors
    /// [`CredentialFailure::Malformed`] if it was sent twice, or is not visible ASCII, spaces and
    /// tabs. Which of two credentials counts is not for a server to guess.
    pub fn header(&self, name: &str) -> Result<Option<&'a str>, CredentialFailure> {
        match self.headers(name).as_slice() {
            [] => Ok(None),
            [value] if value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) => {
                std::str::from_utf8(value)
                    .map(Some)
                    .map_err(|_| CredentialFailure::Malformed)
            }
            _ => Err(CredentialFailure::Malformed),
        }
    }

    /// The token of `Authorization: Bearer <token>`; `None` if there is no `Authorization` header
    /// at all. The scheme's case does not matter (RFC 9110 section 11.1).
    ///
    /// # Errors
    /// [`CredentialFailure::Malformed`] if the header was sent twice, names another scheme, or has
    /// no token.
    pub fn bearer(&self) -> Result<Option<&'a str>, CredentialFailure> {
        let Some(value) = self.header("authorization")? else {
            return Ok(None);
        };
        let (scheme, token) = value.split_once(' ').ok_or(CredentialFailure::Malformed)?;
        let token = token.trim_matches(' ');
        let is_token = scheme.eq_ignore_ascii_case("bearer")
            && !token.is_empty()
            && !token.contains([' ', '\t']);
        if is_token {
            Ok(Some(token))
        } else {
            Err(CredentialFailure::Malformed)
        }
    }

    /// The request's one `Idempotency-Key` header, or the problem `idempotency_key_invalid`.
    pub(crate) fn idempotency_key(&self) -> Result<IdempotencyKey, Problem> {
        match self.header("idempotency-key") {
            Ok(Some(key)) => Ok(key.parse::<IdempotencyKey>()?),
            _ => Err(Problem::new(
                Code::KeyInvalid,
                "This needs exactly one Idempotency-Key header.",
            )),
        }
    }
}

/// Whoever calls a public route: the principal, if a valid credential was presented. One that
/// failed passes as nobody, and is told to [`Gatekeeper::observe`].
#[derive(Clone, Debug)]
pub struct Anyone(pub Option<Principal>);

/// An operator who was admitted under [`Privilege::ConfirmPayments`].
#[derive(Clone, Debug)]
pub struct MayConfirmPayments(pub Operator);

/// An operator who was admitted under [`Privilege::GrantCredits`].
#[derive(Clone, Debug)]
pub struct MayGrantCredits(pub Operator);

/// An operator who was admitted under [`Privilege::CrossTenants`].
#[derive(Clone, Debug)]
pub struct MayCrossTenants(pub Operator);

/// What a handler takes as an argument, and so declares its route by.
pub(crate) trait Admitted: Sized {
    const ROUTE: Route;

    fn of(admission: Admission) -> Result<Self, Denial>;
}

impl Admitted for Anyone {
    const ROUTE: Route = Route::Public;

    fn of(admission: Admission) -> Result<Self, Denial> {
        if let Admission::Public(principal) = admission {
            Ok(Self(principal))
        } else {
            Err(Denial::RouteMismatch)
        }
    }
}

impl Admitted for Principal {
    const ROUTE: Route = Route::Authenticated;

    fn of(admission: Admission) -> Result<Self, Denial> {
        if let Admission::Authenticated(principal) = admission {
            Ok(principal)
        } else {
            Err(Denial::RouteMismatch)
        }
    }
}

impl Admitted for Access {
    const ROUTE: Route = Route::TenantRead;

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_access()
    }
}

impl Admitted for WriteAccess {
    const ROUTE: Route = Route::TenantWrite;

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_write()
    }
}

impl Admitted for BillingAccess {
    const ROUTE: Route = Route::Billing;

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_billing()
    }
}

impl Admitted for MayConfirmPayments {
    const ROUTE: Route = Route::Operator(Privilege::ConfirmPayments);

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_operator().map(Self)
    }
}

impl Admitted for MayGrantCredits {
    const ROUTE: Route = Route::Operator(Privilege::GrantCredits);

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_operator().map(Self)
    }
}

impl Admitted for MayCrossTenants {
    const ROUTE: Route = Route::Operator(Privilege::CrossTenants);

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_operator().map(Self)
    }
}

/// Runs a macro once for every argument that asks the gate.
macro_rules! for_each_admitted {
    ($run:ident) => {
        $run! {
            Anyone, Principal, Access, WriteAccess, BillingAccess, MayConfirmPayments, MayCrossTenants, MayGrantCredits
        }
    };
}
pub(crate) use for_each_admitted;

/// Puts a request to the gate.
pub(crate) async fn admit<G: Gatekeeper>(
    keeper: &G,
    head: &RequestHead<'_>,
    route: Route,
) -> Result<Admission, Problem> {
    let evidence = keeper.evidence(head).await.map_err(Into::into)?;
    let tenant = match (route, &evidence) {
        (Route::Public | Route::Authenticated, _) => None,
        (_, Evidence::Verified(principal)) => keeper.tenant(principal).await.map_err(Into::into)?,
        _ => None,
    };
    let now = keeper.now();
    let decision = keeper
        .policy()
        .admit(route, &evidence, tenant.as_ref(), now);
    keeper.observe(head, route, &evidence, &decision);
    let admission = decision.into_result()?;
    if let Admission::Tenant(access) = &admission {
        keeper.throttle(access, now)?;
    }
    Ok(admission)
}
