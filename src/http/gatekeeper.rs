//! The gatekeeper, and how a request is put to the gate.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::head::RequestHead;
use crate::gate::{Access, Admission, Evidence, GateDecision, Principal, Route};
use crate::policy::Policy;
use crate::problem::Problem;
use crate::tenant::Tenant;
use crate::throttle::Throttled;

/// The host as an adapter asks it, once for all its routes: how a request authenticates, whose rows
/// it is about, under which policy and at what time. None of these methods can admit a request: the
/// gate decides.
///
/// The same host serves on axum and on actix-web. The [module's page](super) shows one in full.
pub trait Gatekeeper: Send + Sync + 'static {
    /// A fault of the host's own, such as a lost database. Log it where it becomes a [`Problem`],
    /// and tell the client nothing of it: [`Problem::internal`]. A host without such faults names
    /// `Problem` itself.
    type Error: Into<Problem> + Send;

    /// Reads the credential that the request presented. Only a request without any credential is
    /// [`Evidence::Nothing`]; a credential that failed, in whatever way, is [`Evidence::Failed`].
    fn evidence(
        &self,
        head: &RequestHead<'_>,
    ) -> impl Future<Output = Result<Evidence, Self::Error>> + Send;

    /// Loads the tenant of a principal's account, as it is stored now; `None` if there is no such
    /// account. It is not called for public and authenticated routes, nor before a credential was
    /// verified.
    ///
    /// Rows of another account than the principal's are refused with 403 `account_mismatch`. A
    /// client cannot cause that: it means that this method loaded the wrong rows. Alert on
    /// [`Denial::AccountMismatch`](crate::gate::Denial::AccountMismatch) in
    /// [`observe`](Self::observe).
    fn tenant(
        &self,
        principal: &Principal,
    ) -> impl Future<Output = Result<Option<Tenant>, Self::Error>> + Send;

    /// Returns the policy to decide under.
    fn policy(&self) -> &Policy;

    /// Returns the time. It is called after the rows were loaded, so that no decision is older than
    /// they are.
    fn now(&self) -> DateTime<Utc>;

    /// Takes note of a decision, for logs and counters. It is called with every decision: with
    /// those that admit, and on a public route with a credential that failed. See
    /// [`GateDecision::label`] and [`GateDecision::severity`]. The route is the one that the
    /// handler's argument demands; its [label](Route::label) suits a counter. By default it does
    /// nothing.
    fn observe(
        &self,
        head: &RequestHead<'_>,
        route: Route,
        evidence: &Evidence,
        decision: &GateDecision,
    ) {
        let _ = (head, route, evidence, decision);
    }

    /// Checks what every request with an [`Access`] or a [`WriteAccess`](crate::gate::WriteAccess)
    /// must pass besides the gate, such as a throttle for the whole service. By default everything
    /// passes.
    ///
    /// # Errors
    /// [`Throttled`], which is answered with 429.
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

/// Puts a request to the gate.
pub(crate) async fn admit<G: Gatekeeper>(
    keeper: &G,
    head: &RequestHead<'_>,
    route: Route,
) -> Result<Admission, Problem> {
    let evidence = keeper.evidence(head).await.map_err(Into::into)?;

    // No row is loaded for a request that has not proved who it is.
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
