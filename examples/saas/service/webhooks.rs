//! Webhooks: reports from Stripe and PayPal. A provider that the policy does not enable is "coming
//! soon": its event is refused unread.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bailiwick::http::Gatekeeper;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::provider::paypal::{Endpoint, Transmission};
use bailiwick::provider::stripe::{self, SigningSecret};
use bailiwick::provider::{AdoptError, ProviderEvent, ProviderReport, WebhookError};

use super::App;
use super::error::AppError;
use super::providers::Reported;

/// The secrets and certificates that the providers' webhooks are checked with.
#[derive(Default)]
pub struct Webhooks {
    /// Stripe's signing secrets.
    pub stripe: Vec<SigningSecret>,
    /// PayPal's webhook, and the certificates that its events name. A real service fetches these
    /// from `Endpoint::certificate_url` and keeps them by that address.
    pub paypal: Option<(Endpoint, Arc<[u8]>)>,
}

/// `POST /webhooks/stripe`
pub async fn from_stripe(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, AppError> {
    check_enabled(&app, PaymentMethod::Stripe)?;

    let secrets = &app.webhooks.stripe;
    let signature = header(&headers, "stripe-signature");
    let event = stripe::verify(secrets, signature, &body, app.now())?;
    carry_out(&app, &event).await
}

/// `POST /webhooks/paypal`
pub async fn from_paypal(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, AppError> {
    check_enabled(&app, PaymentMethod::Paypal)?;

    let paypal = app.webhooks.paypal.as_ref();
    let (endpoint, certificates) = paypal.ok_or(WebhookError::CertificateUntrusted)?;
    let transmission = Transmission {
        id: header(&headers, "paypal-transmission-id"),
        time: header(&headers, "paypal-transmission-time"),
        certificate_url: header(&headers, "paypal-cert-url"),
        algorithm: header(&headers, "paypal-auth-algo"),
        signature: header(&headers, "paypal-transmission-sig"),
    };
    let event = endpoint.verify(&transmission, certificates, &body, app.now())?;
    carry_out(&app, &event).await
}

fn check_enabled(app: &App, method: PaymentMethod) -> Result<(), AdoptError> {
    if app.policy.is_enabled(method) {
        Ok(())
    } else {
        Err(AdoptError::ComingSoon(method))
    }
}

/// Returns a header's value, or an empty text, which no signature fits.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Carries out an event. A status of success tells the provider that it need not send it again.
async fn carry_out(app: &App, event: &ProviderEvent) -> Result<StatusCode, AppError> {
    let id = event.id();
    let kind = event.kind();
    let now = app.now();
    let store = &app.store;
    let policy = &app.policy;
    let reported = match event.report() {
        ProviderReport::Snapshot(snapshot) => store.adopt(policy, snapshot, now).await?,
        ProviderReport::Payment(payment) => store.record_payment(policy, payment, now).await?,
        ProviderReport::Undone(undone) => store.undo_payment(policy, undone, now).await?,
        ProviderReport::Incomplete { .. } => Reported::Fetch("the invoice, with all of its lines"),
        // This service sells nothing but subscriptions.
        ProviderReport::ChargePaid(paid) => {
            Reported::ignored(format_args!("no charge {} is known", paid.charge))
        }
        ProviderReport::Unmapped(reason) => Reported::ignored(reason),
        _ => Reported::ignored("this service has no use for it"),
    };
    tracing::info!(id, kind, ?reported, "a provider's event");

    Ok(match reported {
        Reported::Adopted => StatusCode::OK,
        Reported::Known | Reported::Ignored => StatusCode::NO_CONTENT,
        // A real service fetches it from the provider here, and carries out what it gets.
        Reported::Fetch(what) => {
            tracing::warn!(id, what, "fetch it from the provider");
            StatusCode::ACCEPTED
        }
    })
}
