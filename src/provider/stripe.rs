//! Stripe's webhooks: the signature, checked over the bytes as they came, and the events, in the
//! shapes of the API's versions before and since 2025-03-31
//! ([*basil*](https://docs.stripe.com/changelog/basil)), which moved periods to items and
//! subscriptions to parents.
//!
//! Write the host's own subscription identifier into the metadata of the *subscription*, as its
//! entry `subscription` (at Checkout: `subscription_data[metadata][subscription]`; the session's
//! own metadata does not reach it). Have these sent: `customer.subscription.created`, `.updated`,
//! `.deleted`, `.paused`, `.resumed` and `invoice.paid`; others are
//! [`Unmapped`](crate::provider::ProviderReport::Unmapped). Only the first item of a subscription
//! counts.
//!
//! ```
//! use bailiwick::provider::ProviderReport;
//! use bailiwick::provider::stripe::SigningSecret;
//! use bailiwick::subscription::SubscriptionStatus;
//! # use hmac::{KeyInit, Mac};
//! # let secret_text = "whsec_test";
//! # let body = include_bytes!("../tests/payloads/stripe_subscription_updated_2025.json");
//! # let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret_text.as_bytes())?;
//! # mac.update(b"1769817606.");
//! # mac.update(body);
//! # let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
//! # let header = format!("t=1769817606,v1={hex}");
//! let secret = SigningSecret::new(secret_text);
//! // `body` is the request's body as it came, byte for byte; `header` is its Stripe-Signature.
//! let now = "2026-01-31T00:01:00Z".parse()?;
//! let event = bailiwick::provider::stripe::verify(&[secret], &header, body, now)?;
//! assert_eq!(event.kind(), "customer.subscription.updated");
//! let ProviderReport::Snapshot(snapshot) = event.report() else { panic!() };
//! assert_eq!(snapshot.status, SubscriptionStatus::Active);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::digest::read_digest;
use crate::provider::{ProviderEvent, WebhookError};

pub use event::snapshot;

/// How far from `now` a signature may have been made, in either direction: five minutes, as in
/// Stripe's own libraries, most of which do not look ahead.
pub const TOLERANCE: TimeDelta = match TimeDelta::try_minutes(5) {
    Some(tolerance) => tolerance,
    None => TimeDelta::zero(),
};

/// The most signatures that one header may carry.
const MAX_SIGNATURES: usize = 16;

/// The secret of a webhook endpoint, `whsec_…`, as Stripe shows it. It is never printed.
#[derive(Clone)]
pub struct SigningSecret(Box<[u8]>);

impl SigningSecret {
    /// From the text, prefix included.
    pub fn new(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Checks a `Stripe-Signature` header over a body and reads the event. The secrets are those that
/// are valid now: two, for as long as one replaces the other.
///
/// The scheme is [Stripe's](https://docs.stripe.com/webhooks#verify-manually): HMAC-SHA-256 over
/// the time, a full stop and the body, compared in constant time; every scheme but `v1` is ignored.
/// Only a body whose signature fits is read at all.
///
/// # Errors
/// In this order: [`WebhookError::HeaderMalformed`], [`WebhookError::SignatureMismatch`],
/// [`WebhookError::OutOfTime`], [`WebhookError::Malformed`].
pub fn verify(
    secrets: &[SigningSecret],
    header: &str,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<ProviderEvent, WebhookError> {
    let (time, signatures) = read_header(header).ok_or(WebhookError::HeaderMalformed)?;
    let fits = secrets.iter().any(|secret| {
        signatures
            .iter()
            .any(|signature| is_signed(secret, time, body, signature))
    });
    if !fits {
        return Err(WebhookError::SignatureMismatch);
    }
    let seconds: i64 = time.parse().map_err(|_| WebhookError::HeaderMalformed)?;
    let signed = DateTime::from_timestamp(seconds, 0).ok_or(WebhookError::HeaderMalformed)?;
    if now.signed_duration_since(signed).abs() > TOLERANCE {
        return Err(WebhookError::OutOfTime);
    }
    event::read(body).ok_or(WebhookError::Malformed)
}

fn is_signed(secret: &SigningSecret, time: &str, body: &[u8], signature: &[u8]) -> bool {
    // Whoever has no secret is not asked for one: an empty one would let anyone sign.
    let Some(mac) = Hmac::<Sha256>::new_from_slice(&secret.0)
        .ok()
        .filter(|_| !secret.0.is_empty())
    else {
        return false;
    };
    mac.chain_update(time)
        .chain_update(b".")
        .chain_update(body)
        .verify_slice(signature)
        .is_ok()
}

/// The time as it was signed, and the signatures of scheme `v1`.
fn read_header(header: &str) -> Option<(&str, Vec<[u8; 32]>)> {
    let (mut time, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        let (name, value) = part.trim().split_once('=')?;
        match name {
            "t" if time.is_none() => time = Some(value),
            "t" => return None,
            "v1" if signatures.len() < MAX_SIGNATURES => signatures.extend(read_digest(value)),
            _ => {}
        }
    }
    let sound = |time: &&str| !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    time.filter(sound).map(|time| (time, signatures))
}
