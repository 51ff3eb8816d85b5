//! Stripe's webhooks: the signature, checked over the body's bytes as they came, and the events, in
//! the shapes of the API's versions before and since 2025-03-31
//! ([*basil*](https://docs.stripe.com/changelog/basil)), which moved periods to items and
//! subscriptions to parents.
//!
//! ```
//! use bailiwick::provider::stripe::{self, SigningSecret};
//! use bailiwick::provider::{ProviderReport, WebhookError};
//! use chrono::{DateTime, Utc};
//!
//! /// `header` is the request's `Stripe-Signature`, and `body` its body, byte for byte.
//! fn webhook(header: &str, body: &[u8], now: DateTime<Utc>) -> Result<(), WebhookError> {
//!     let secret = SigningSecret::new("whsec_test");
//!     let event = stripe::verify(&[secret], header, body, now)?;
//!     match event.report() {
//!         ProviderReport::Snapshot(snapshot) => println!("adopt {}", snapshot.subscription),
//!         ProviderReport::Payment(payment) => println!("record {}", payment.invoice),
//!         _ => println!("answer {} with success", event.kind()),
//!     }
//!     Ok(())
//! }
//!
//! let now = DateTime::from_timestamp(1_769_817_606, 0).unwrap_or_default();
//! let forged = format!("t=1769817606,v1={}", "0".repeat(64));
//! assert_eq!(webhook(&forged, b"{}", now), Err(WebhookError::SignatureMismatch));
//! ```
//!
//! # Types, in the order in which one meets them
//!
//! - [`SigningSecret`]: the secret of the webhook's endpoint.
//! - [`verify`]: checks a signature, within [`TOLERANCE`], and reads the event. It returns a
//!   [`ProviderEvent`], or a [`WebhookError`].
//! - [`snapshot`] and [`invoice`]: read a subscription and an invoice that the host fetched from
//!   Stripe's API.
//!
//! [The provider's page](crate::provider) has the order in which a host loads and writes.
//!
//! # Setup at Stripe
//!
//! Write the host's own subscription identifier into the metadata of the *subscription*, as its
//! entry `subscription` (at Checkout: `subscription_data[metadata][subscription]`; the session's
//! own metadata does not reach it). Write the identifier of a charge of the host's own that is paid
//! once into the metadata of the session or of the invoice, as its entry `charge`.
//!
//! Have these events sent; all others are [`Unmapped`](crate::provider::ProviderReport::Unmapped):
//!
//! | event | report |
//! |---|---|
//! | `customer.subscription.created`, `.updated`, `.deleted`, `.paused`, `.resumed` | a snapshot, with all items |
//! | `invoice.paid` | a payment with its lines; without a subscription, a charge that is paid |
//! | `checkout.session.completed`, `.async_payment_succeeded` | a charge that is paid |
//! | `charge.refunded`, `charge.dispute.closed` | a payment that was undone |
//!
//! An event has only the first lines of a long invoice, which is then
//! [`Incomplete`](crate::provider::ProviderReport::Incomplete).
//!
//! Events of the kind `refund.*` tell of one refund, while `charge.refunded` has the sum of all, so
//! the former have no meaning here. A refund that fails after all is the desk's.

mod event;
mod invoice;
mod objects;
mod subscription;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::digest::read_digest;
use crate::provider::{ProviderEvent, WebhookError};

pub use invoice::invoice;
pub use subscription::snapshot;

/// The longest time between a signature and `now`, in either direction: five minutes, as in
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
    /// Creates a secret from its text, prefix included.
    pub fn new(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Checks a `Stripe-Signature` header over a body and reads the event. The secrets are all that are
/// valid now: two, while one replaces the other.
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

    // The time is read only once the signature fits: until then anyone could have written it.
    let seconds: i64 = time.parse().map_err(|_| WebhookError::HeaderMalformed)?;
    let signed = DateTime::from_timestamp(seconds, 0).ok_or(WebhookError::HeaderMalformed)?;
    if now.signed_duration_since(signed).abs() > TOLERANCE {
        return Err(WebhookError::OutOfTime);
    }

    event::read(body).ok_or(WebhookError::Malformed)
}

/// Returns whether a signature of a time and a body was made with a secret.
fn is_signed(secret: &SigningSecret, time: &str, body: &[u8], signature: &[u8]) -> bool {
    // An empty secret, of a host that was not configured, would let anyone sign.
    let Some(mac) = Hmac::<Sha256>::new_from_slice(&secret.0)
        .ok()
        .filter(|_| !secret.0.is_empty())
    else {
        return false;
    };

    // `verify_slice` compares in constant time.
    mac.chain_update(time)
        .chain_update(b".")
        .chain_update(body)
        .verify_slice(signature)
        .is_ok()
}

/// Returns the time as it was signed, and the signatures of scheme `v1`.
fn read_header(header: &str) -> Option<(&str, Vec<[u8; 32]>)> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        let (name, value) = part.trim().split_once('=')?;
        match name {
            "t" if time.is_none() => time = Some(value),
            // Two times: nothing tells which one was signed.
            "t" => return None,
            "v1" if signatures.len() < MAX_SIGNATURES => signatures.extend(read_digest(value)),
            _ => {}
        }
    }

    let is_number =
        |time: &&str| !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    time.filter(is_number).map(|time| (time, signatures))
}
