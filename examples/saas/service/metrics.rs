//! Counts of the gate's answers, for a scraper.

use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bailiwick::Route;
use bailiwick::gate::GateDecision;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::App;
use super::error::AppError;

/// The media type of OpenMetrics 1.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The labels of a counter: the route's and the decision's. Neither names a tenant, so there are
/// few counters, and they give no tenant's business away.
type Labels = [(&'static str, &'static str); 2];

/// The service's counters.
pub struct Metrics {
    registry: Registry,
    decisions: Family<Labels, Counter>,
}

impl Metrics {
    /// Starts all counters at zero.
    pub fn new() -> Self {
        let decisions = Family::<Labels, Counter>::default();
        let help = "Requests, by what their route demands and by the gate's answer";
        let mut registry = Registry::default();
        registry.register("gate_decisions", help, decisions.clone());

        Self {
            registry,
            decisions,
        }
    }

    /// Counts a decision of the gate.
    pub fn count(&self, route: Route, decision: &GateDecision) {
        self.decisions
            .get_or_create(&[("route", route.label()), ("code", decision.label())])
            .inc();
    }
}

/// `GET /metrics`: asks no gate, since it tells nothing of any tenant. A service that faces the
/// world listens for its scraper on another port.
pub async fn show(State(app): State<Arc<App>>) -> Result<impl IntoResponse, AppError> {
    let mut text = String::new();
    encode(&mut text, &app.metrics.registry).context("the counters cannot be written")?;

    Ok(([(CONTENT_TYPE, OPENMETRICS)], text))
}
