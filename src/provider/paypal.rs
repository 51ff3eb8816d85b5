//! PayPal's webhooks: the signature, checked over the body's bytes as they came under PayPal's
//! certificate and the host's own trusted roots, and the events.
//!
//! ```
//! use bailiwick::provider::paypal::{Endpoint, Transmission};
//! use bailiwick::provider::{ProviderReport, WebhookError};
//! use chrono::{DateTime, Utc};
//!
//! /// `body` is the request's body as it came, byte for byte, and `fetch` gets a certificate.
//! fn webhook(
//!     endpoint: &Endpoint, // made once, by `Endpoint::new`
//!     header: impl Fn(&str) -> &'static str,
//!     fetch: impl Fn(&str) -> Vec<u8>,
//!     body: &[u8],
//!     now: DateTime<Utc>,
//! ) -> Result<(), WebhookError> {
//!     let transmission = Transmission {
//!         id: header("paypal-transmission-id"),
//!         time: header("paypal-transmission-time"),
//!         certificate_url: header("paypal-cert-url"),
//!         algorithm: header("paypal-auth-algo"),
//!         signature: header("paypal-transmission-sig"),
//!     };
//!
//!     // Only an address of PayPal's is fetched. The host keeps the certificate by its address.
//!     let certificates = fetch(endpoint.certificate_url(&transmission)?);
//!     let event = endpoint.verify(&transmission, &certificates, body, now)?;
//!     match event.report() {
//!         ProviderReport::Snapshot(snapshot) => println!("adopt {}", snapshot.subscription),
//!         ProviderReport::Payment(payment) => println!("record {}", payment.invoice),
//!         _ => println!("answer {} with success", event.kind()),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Types, in the order in which one meets them
//!
//! - [`Endpoint`]: the webhook, on one [`Environment`] of PayPal's, with the trusted roots;
//!   [`EndpointError`] where they are malformed.
//! - [`Transmission`]: the headers of one webhook.
//! - [`Endpoint::certificate_url`] checks the address of the certificate, and [`Endpoint::verify`]
//!   the signature, within [`MAX_AGE`] and [`CLOCK_SKEW`]. It returns a [`ProviderEvent`], or a
//!   [`WebhookError`].
//! - [`snapshot`]: reads a subscription that the host fetched from PayPal's API.
//!
//! [The provider's page](crate::provider) has the order in which a host loads and writes.
//!
//! # Setup at PayPal
//!
//! Anyone can make a subscription to a plan at PayPal, and write any text into its `custom_id`. So
//! a host makes it from its own server, or asks PayPal's API about the one that a browser made, and
//! stores its identifier as [`paypal_subscription_id`](crate::Subscription::paypal_subscription_id)
//! before any report of it is adopted. It then fetches the subscription, and the sales that were
//! made before. Give a plan no setup fee: PayPal's sales do not say what they are for, and one of a
//! whole price counts as an interval.
//!
//! PayPal collects at an hour of its own, so let
//! [`renewal_slack_seconds`](crate::policy::PolicySettings::renewal_slack_seconds) be a day: a sale
//! that misses the end of the paid time by less than that continues it.
//!
//! Have these events sent; all others are [`Unmapped`](crate::provider::ProviderReport::Unmapped):
//!
//! | event | report |
//! |---|---|
//! | `BILLING.SUBSCRIPTION.CREATED`, `.ACTIVATED`, `.UPDATED`, `.RE-ACTIVATED`, `.SUSPENDED`, `.CANCELLED`, `.EXPIRED`, `.PAYMENT.FAILED` | a snapshot |
//! | `PAYMENT.SALE.COMPLETED` | a payment for an interval |
//! | `PAYMENT.SALE.REFUNDED`, `PAYMENT.SALE.REVERSED`, `CUSTOMER.DISPUTE.RESOLVED` | a payment that was undone |

mod event;
mod subscription;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring};

use crate::problem::{Code, Explained};
use crate::provider::{ProviderEvent, WebhookError};

pub use subscription::snapshot;

/// The longest time since an event was signed: PayPal [sends one again for three
/// days](https://developer.paypal.com/api/rest/webhooks/), and does not document whether it signs
/// it again. A repeated event changes nothing, so this opens no window for replay.
pub const MAX_AGE: TimeDelta = match TimeDelta::try_days(4) {
    Some(age) => age,
    None => TimeDelta::zero(),
};

/// The longest time by which PayPal's clock may be ahead of `now`.
pub const CLOCK_SKEW: TimeDelta = match TimeDelta::try_minutes(5) {
    Some(skew) => skew,
    None => TimeDelta::zero(),
};

/// The only algorithm that is accepted; SHA-1, which PayPal once used, is not.
const ALGORITHM: &str = "SHA256withRSA";

/// The path of certificates.
const CERTIFICATES: &str = "/v1/notifications/certs/";

/// The most certificates that lead to a root.
const MAX_CHAIN: usize = 8;

/// The most roots that are trusted: more than any system has.
const MAX_ROOTS: usize = 512;

/// The system of PayPal's that sends the events. Each signs with a certificate of its own, so the
/// sandbox's events are never believed by a live endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Environment {
    /// The real one.
    Live,
    /// The sandbox.
    Sandbox,
}

impl Environment {
    /// Returns the servers that hold its certificates. The address comes in a header that anyone
    /// can send, so a host that fetched any address would fetch from within its own network too.
    const fn hosts(self) -> [&'static str; 2] {
        match self {
            Self::Live => ["api.paypal.com", "api-m.paypal.com"],
            Self::Sandbox => ["api.sandbox.paypal.com", "api-m.sandbox.paypal.com"],
        }
    }

    /// Returns the name that its certificate for webhooks must have, as [PayPal's own
    /// library](https://github.com/paypal/PayPal-Java-SDK) checks it.
    const fn signer(self) -> &'static str {
        match self {
            Self::Live => "messageverificationcerts.paypal.com",
            Self::Sandbox => "messageverificationcerts.sandbox.paypal.com",
        }
    }
}

/// The headers of a webhook, as they came.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it, by struct update"
)]
pub struct Transmission<'a> {
    /// `PAYPAL-TRANSMISSION-ID`.
    pub id: &'a str,
    /// `PAYPAL-TRANSMISSION-TIME`.
    pub time: &'a str,
    /// `PAYPAL-CERT-URL`. Fetch only the address that [`Endpoint::certificate_url`] returns.
    pub certificate_url: &'a str,
    /// `PAYPAL-AUTH-ALGO`.
    pub algorithm: &'a str,
    /// `PAYPAL-TRANSMISSION-SIG`.
    pub signature: &'a str,
}

/// The reason why an endpoint cannot be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The webhook's identifier is empty, or holds the bar that separates what is signed.
    #[error("the webhook's identifier must not be empty or contain a bar")]
    WebhookId,
    /// The roots are not certificates in PEM, there are none, or there are too many.
    #[error("the trusted roots must be 1 to {MAX_ROOTS} certificates in PEM")]
    Roots,
}

impl Explained for EndpointError {
    fn code(&self) -> Code {
        Code::Internal
    }
}

/// A webhook as PayPal knows it, with the roots that the host trusts to sign PayPal's certificate.
/// PayPal has changed them before, so they are the host's to choose: DigiCert's, at the time of
/// writing. Those of the sandbox may be others.
#[derive(Clone, Debug)]
pub struct Endpoint {
    webhook_id: String,
    environment: Environment,
    roots: Vec<TrustAnchor<'static>>,
}

impl Endpoint {
    /// Sets an endpoint up. `webhook_id` is the webhook's own identifier, not the application's;
    /// `roots` are PEM, and all of them are trusted.
    ///
    /// # Errors
    /// [`EndpointError::WebhookId`], then [`EndpointError::Roots`].
    pub fn new(
        webhook_id: &str,
        environment: Environment,
        roots: &[u8],
    ) -> Result<Self, EndpointError> {
        if webhook_id.is_empty() || webhook_id.contains('|') {
            return Err(EndpointError::WebhookId);
        }

        let roots = certificates(roots, MAX_ROOTS)
            .ok_or(EndpointError::Roots)?
            .iter()
            .map(|root| anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned()))
            .collect::<Result<_, _>>()
            .map_err(|_| EndpointError::Roots)?;

        Ok(Self {
            webhook_id: webhook_id.to_owned(),
            environment,
            roots,
        })
    }

    /// Returns the address of the certificate, if it is one of PayPal's. The host may keep what it
    /// fetched from there for as long as the address stays the same.
    ///
    /// # Errors
    /// [`WebhookError::CertificateUntrusted`].
    pub fn certificate_url<'a>(
        &self,
        transmission: &Transmission<'a>,
    ) -> Result<&'a str, WebhookError> {
        let url = transmission.certificate_url;
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let is_at = |host: &str| {
            url.strip_prefix("https://")
                .and_then(|rest| rest.strip_prefix(host))
                .and_then(|path| path.strip_prefix(CERTIFICATES))
                .is_some_and(is_name)
        };

        // Compared as text and as a whole: no query, no dots and no second server fit.
        if self.environment.hosts().into_iter().any(is_at) {
            Ok(url)
        } else {
            Err(WebhookError::CertificateUntrusted)
        }
    }

    /// Checks a webhook's signature over its body and reads the event. `certificates` is what was
    /// fetched from [`certificate_url`](Self::certificate_url): PayPal's certificate first, then
    /// those that lead to a root.
    ///
    /// The scheme is [PayPal's](https://developer.paypal.com/api/rest/webhooks/rest/): RSA with
    /// SHA-256 over transmission, time, webhook and the body's CRC-32. That sum is no digest, so
    /// the signature binds the body no better than 32 bits do: a host that wants more asks PayPal's
    /// API for the subscription and adopts that, by [`snapshot`].
    ///
    /// # Errors
    /// In this order: [`WebhookError::HeaderMalformed`], [`WebhookError::CertificateUntrusted`],
    /// [`WebhookError::SignatureMismatch`], [`WebhookError::OutOfTime`],
    /// [`WebhookError::Malformed`]; last, [`WebhookError::OutOfTime`] for an event that says that
    /// it was made after it was signed, by more than [`CLOCK_SKEW`].
    pub fn verify(
        &self,
        transmission: &Transmission<'_>,
        certificates: &[u8],
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<ProviderEvent, WebhookError> {
        let Transmission {
            id,
            time,
            algorithm,
            signature,
            ..
        } = *transmission;

        let signed: DateTime<Utc> = time.parse().map_err(|_| WebhookError::HeaderMalformed)?;
        if id.is_empty() || id.contains('|') || time.contains('|') || algorithm != ALGORITHM {
            return Err(WebhookError::HeaderMalformed);
        }
        let signature = STANDARD
            .decode(signature)
            .map_err(|_| WebhookError::HeaderMalformed)?;

        // Asked again, since a host may have kept the certificate by another address.
        self.certificate_url(transmission)?;
        let chain = self::certificates(certificates, MAX_CHAIN)
            .ok_or(WebhookError::CertificateUntrusted)?;
        let signer = self
            .signer(&chain, now)
            .ok_or(WebhookError::CertificateUntrusted)?;

        // Neither the identifiers nor the time holds a bar, so only one reading has this text.
        let text = format!("{id}|{time}|{}|{}", self.webhook_id, crc32fast::hash(body));
        signer
            .verify_signature(
                ring::RSA_PKCS1_2048_8192_SHA256,
                text.as_bytes(),
                &signature,
            )
            .map_err(|_| WebhookError::SignatureMismatch)?;

        let age = now.signed_duration_since(signed);
        if age > MAX_AGE || -CLOCK_SKEW > age {
            return Err(WebhookError::OutOfTime);
        }

        let event = event::read(body).ok_or(WebhookError::Malformed)?;
        // The newest snapshot stands, so one of next year would stand for a year.
        if event.at.signed_duration_since(signed) > CLOCK_SKEW {
            return Err(WebhookError::OutOfTime);
        }
        Ok(event)
    }

    /// Returns PayPal's certificate, if a trusted root leads to it at `now`.
    fn signer<'a>(
        &'a self,
        chain: &'a [CertificateDer<'static>],
        now: DateTime<Utc>,
    ) -> Option<EndEntityCert<'a>> {
        let (leaf, rest) = chain.split_first()?;
        let certificate = EndEntityCert::try_from(leaf).ok()?;

        let seconds = u64::try_from(now.timestamp()).ok()?;
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        certificate
            .verify_for_usage(
                algorithms,
                &self.roots,
                rest,
                time,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .ok()?;

        // Any certificate under the roots would pass so far: it must be PayPal's own.
        let name = ServerName::try_from(self.environment.signer()).ok()?;
        certificate.verify_is_valid_for_subject_name(&name).ok()?;

        Some(certificate)
    }
}

/// Reads the certificates of a PEM file. It returns `None` where the file is malformed, has no
/// certificate, or has more than `most`.
fn certificates(pem: &[u8], most: usize) -> Option<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_slice_iter(pem).take(most.saturating_add(1));
    let read: Vec<_> = read.collect::<Result<_, _>>().ok()?;

    (1..=most).contains(&read.len()).then_some(read)
}
