//! The service: its state, its routes, and its answers to the gate's questions.

mod accounts;
mod articles;
mod auth;
mod billing;
mod change_sets;
mod charges;
mod claims;
mod due;
pub mod error;
pub mod ledger;
mod metrics;
mod paid_time;
mod providers;
pub mod seed;
pub mod store;
mod subscriptions;
mod tables;
mod transfers;
pub mod webhooks;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post};
use bailiwick::axum::{method_not_allowed, not_found};
use bailiwick::credit::PriceList;
use bailiwick::gate::GateDecision;
use bailiwick::http::{Gatekeeper, RequestHead};
use bailiwick::policy::PolicySettings;
use bailiwick::quota::{QuotaSet, ThrottleScope};
use bailiwick::throttle::{ThrottleCapacity, Throttled};
use bailiwick::{
    Access, Evidence, Policy, Principal, Quota, Route, Tenant, Throttle, throttle_scope,
};
use chrono::{DateTime, Utc};
use tokio::net::TcpListener;

pub use auth::Auth;
use error::AppError;
use metrics::Metrics;
pub use store::Store;
pub use webhooks::Webhooks;
pub use writer::Writer;

/// Every request for a tenant's rows.
const API: ThrottleScope = throttle_scope!("api");
/// Requests that call the writer.
const AI: ThrottleScope = throttle_scope!("ai");
/// Registrations from one address.
const REGISTER: ThrottleScope = throttle_scope!("register");

/// The largest request body, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// The service's state, which its handlers share.
pub struct App {
    pub store: Store,
    pub auth: Auth,
    pub writer: Writer,
    metrics: Metrics,
    policy: Policy,
    webhooks: Webhooks,
    prices: PriceList,
    throttle: Throttle,
    /// The quota of registrations from one address.
    registrations: QuotaSet,
}

impl App {
    /// Makes the service over a store, under the policy of `policy.json`: customers pay by bank
    /// transfer, and Stripe and PayPal are coming soon.
    pub fn new(store: Store) -> anyhow::Result<Arc<Self>> {
        let settings = serde_json::from_str(include_str!("../policy.json"))?;
        Self::under(store, settings, Webhooks::default())
    }

    /// Makes the service over a store, under a policy, with what its webhooks are checked with.
    pub fn under(
        store: Store,
        settings: PolicySettings,
        webhooks: Webhooks,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            store,
            auth: Auth::new()?,
            writer: Writer::default(),
            metrics: Metrics::new(),
            policy: Policy::load(settings)?,
            webhooks,
            prices: serde_json::from_str(include_str!("../prices.json"))?,
            throttle: Throttle::new(ThrottleCapacity {
                accounts: 100_000,
                addresses: 100_000,
            }),
            registrations: Quota::new(60, 60)?.with_burst(20)?.into(),
        }))
    }

    /// Lists the routes. None of them says here who may call it: its handler's arguments do.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/register", post(accounts::register))
            .route("/account", get(accounts::show))
            .route("/articles", get(articles::list).post(articles::write))
            .route(
                "/articles/{id}",
                patch(articles::edit).delete(articles::delete),
            )
            .route("/billing", get(billing::show))
            .route("/billing/subscribe", post(billing::subscribe))
            .route("/billing/trial", post(billing::start_trial))
            .route("/billing/subscription", post(billing::change))
            .route("/billing/upgrade", post(billing::upgrade))
            .route("/billing/credit-pack", post(billing::buy_credits))
            .route("/billing/downgrade", post(billing::downgrade))
            .route("/billing/claims", post(billing::claim))
            .route("/billing/reject-claim", post(billing::reject))
            .route("/billing/confirm-bank-transfer", post(billing::confirm))
            .route("/billing/refund-bank-transfer", post(billing::refund))
            .route("/billing/retract-bank-transfer", post(billing::retract))
            .route("/webhooks/stripe", post(webhooks::from_stripe))
            .route("/webhooks/paypal", post(webhooks::from_paypal))
            .route("/metrics", get(metrics::show))
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(self.clone())
    }

    /// Carries out what time has made due, every minute.
    pub async fn run_jobs(&self) {
        let mut minutes = tokio::time::interval(Duration::from_secs(60));
        loop {
            minutes.tick().await;
            if let Err(fault) = self.store.carry_out_due(&self.policy, self.now()).await {
                tracing::error!(?fault, "what is due could not be carried out");
            }
        }
    }

    /// Serves until `stop` resolves, then lets open requests finish.
    pub async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let router = self.router();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service)
            .with_graceful_shutdown(stop)
            .await
    }
}

/// The gate's questions. It asks them for every handler that takes an access, before the handler
/// runs.
impl Gatekeeper for App {
    type Error = AppError;

    async fn evidence(&self, head: &RequestHead<'_>) -> Result<Evidence, AppError> {
        Ok(self.auth.evidence(head, &self.store).await?)
    }

    async fn tenant(&self, principal: &Principal) -> Result<Option<Tenant>, AppError> {
        Ok(self.store.tenant(principal).await?)
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Reads the clock: the one place in which the service does. Everything below takes `now`.
    #[allow(
        clippy::disallowed_methods,
        reason = "the edge of the service is where time comes in"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Logs and counts a decision.
    fn observe(
        &self,
        head: &RequestHead<'_>,
        route: Route,
        evidence: &Evidence,
        decision: &GateDecision,
    ) {
        let account = match evidence {
            Evidence::Verified(principal) => principal.account_id(),
            _ => None,
        };

        tracing::info_span!("request", method = head.method(), path = head.path())
            .in_scope(|| decision.trace(route, account));
        self.metrics.count(route, decision);
    }

    fn throttle(&self, access: &Access, now: DateTime<Utc>) -> Result<(), Throttled> {
        self.throttle.check(access, API, now).map(drop)
    }
}
