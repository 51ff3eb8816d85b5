//! What the gate answered, counted for a scraper.

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

/// The route's word and the decision's. Neither names a tenant, so there are few series, and they
/// tell nobody's business.
type Labels = [(&'static str, &'static str); 2];

/// The service's counters.
pub struct Metrics {
    registry: Registry,
    decisions: Family<Labels, Counter>,
}

impl Metrics {
    pub fn new() -> Self {
        let (mut registry, decisions) = (Registry::default(), Family::<Labels, Counter>::default());
        registry.register(
            "gate_decisions",
            "Requests, by what their route demands and the code",
            decisions.clone(),
        );
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

/// `GET /metrics`, in the text format of OpenMetrics 1.0. It is not a tenant's route and asks no
/// gate, since it tells of no tenant; a service that faces the world listens for its scraper on
/// another port.
pub async fn show(State(app): State<App>) -> Result<impl IntoResponse, AppError> {
    let mut text = String::new();
    encode(&mut text, &app.metrics.registry).map_err(|error| AppError::Fault(error.into()))?;
    Ok((
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    ))
}
