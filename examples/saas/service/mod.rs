//! The service: a router whose every tenant route passes the gate, is scoped, throttled, charged
//! and recorded.

mod accounts;
mod articles;
mod auth;
mod billing;
mod change_sets;
mod due;
pub mod error;
mod extract;
pub mod ledger;
mod metrics;
mod payments;
pub mod seed;
pub mod store;
mod tables;
pub mod webhooks;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post};
use bailiwick::credit::PriceList;
use bailiwick::policy::PolicySettings;
use bailiwick::quota::{QuotaSet, ThrottleScope};
use bailiwick::throttle::ThrottleCapacity;
use bailiwick::{Policy, Quota, Throttle, throttle_scope};
use chrono::{DateTime, Utc};

pub use auth::Auth;
use metrics::Metrics;
pub use store::Store;
pub use webhooks::Webhooks;
pub use writer::Writer;

/// Every request of a tenant.
const API: ThrottleScope = throttle_scope!("api");
/// Requests that call the writer.
const AI: ThrottleScope = throttle_scope!("ai");
/// Registrations from one address.
const REGISTER: ThrottleScope = throttle_scope!("register");

/// The largest request body, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

pub struct Shared {
    pub store: Store,
    pub auth: Auth,
    pub writer: Writer,
    metrics: Metrics,
    policy: Policy,
    webhooks: Webhooks,
    prices: PriceList,
    throttle: Throttle,
    /// How many registrations one address may send.
    registrations: QuotaSet,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// The service over a store, under the policy of `policy.json`: by bank transfer, with the
    /// providers coming soon.
    pub fn new(store: Store) -> anyhow::Result<Self> {
        Self::under(
            store,
            serde_json::from_str(include_str!("../policy.json"))?,
            Webhooks::default(),
        )
    }

    /// The service over a store, under a policy, with what its webhooks are checked with.
    pub fn under(
        store: Store,
        settings: PolicySettings,
        webhooks: Webhooks,
    ) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Shared {
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
        })))
    }

    /// The routes.
    pub fn router(&self) -> Router {
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
            .route("/billing/claims", post(billing::claim))
            .route("/billing/reject-claim", post(billing::reject))
            .route(
                "/billing/confirm-bank-transfer",
                post(billing::confirm_bank_transfer),
            )
            .route(
                "/billing/refund-bank-transfer",
                post(billing::refund_bank_transfer),
            )
            .route("/webhooks/stripe", post(webhooks::from_stripe))
            .route("/webhooks/paypal", post(webhooks::from_paypal))
            .route("/metrics", get(metrics::show))
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed)
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(self.clone())
    }

    /// Carries out what time has made due, every minute.
    pub async fn run_jobs(&self) {
        let mut minutes = tokio::time::interval(std::time::Duration::from_secs(60));
        loop {
            minutes.tick().await;
            if let Err(fault) = self.store.carry_out_due(&self.policy, self.now()).await {
                tracing::error!(?fault, "what is due could not be carried out");
            }
        }
    }

    /// Serves until `stop` resolves, then lets open requests finish.
    pub async fn serve(
        &self,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let router = self
            .router()
            .into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, router)
            .with_graceful_shutdown(stop)
            .await
    }
}

impl Shared {
    /// The one place in which the service reads a clock; everything below takes `now`.
    #[allow(
        clippy::disallowed_methods,
        reason = "the edge of the service is where time comes in"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
