//! Events of providers, once their signatures are checked.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::report::ProviderReport;
use crate::payment_method::Provider;
use crate::problem::{Code, Explained};

/// An event whose signature was checked. Only the checks of `stripe` and `paypal` create one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEvent {
    pub(super) provider: Provider,
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) at: DateTime<Utc>,
    pub(super) report: ProviderReport,
}

impl ProviderEvent {
    /// Returns the provider that sent it.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns the event's identifier. Nothing depends on it: the same invoice under another event
    /// is the same payment.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the provider's name of the kind of event, such as `invoice.paid`, for the log.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the time at which the provider created it.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Returns its content.
    pub fn report(&self) -> &ProviderReport {
        &self.report
    }
}

/// The reason why an event is not believed or not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The headers that carry the signature are missing or malformed.
    #[error("the headers of the signature are missing or malformed")]
    HeaderMalformed,
    /// No signature fits the body under any of the secrets or certificates.
    #[error("no signature fits the body")]
    SignatureMismatch,
    /// It was signed longer ago, or further ahead, than is tolerated.
    #[error("the time of the signature is too far from now")]
    OutOfTime,
    /// The certificate is not the provider's.
    #[error("the certificate is not the provider's")]
    CertificateUntrusted,
    /// The signature fits, and the body has another shape than the provider documents.
    #[error("the signed event does not have the shape that the provider documents")]
    Malformed,
}

impl Explained for WebhookError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed => Code::ProviderEventInvalid,
            _ => Code::SignatureInvalid,
        }
    }
}
