//! The credential of a request, as the host's authentication found it.

use thiserror::Error;

use super::principal::Principal;
use crate::problem::Severity;

/// The credential that a request presented, as the host's authentication found it.
///
/// ```
/// use bailiwick::gate::CredentialFailure;
/// use bailiwick::{Evidence, Route, admit};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let now = "2026-01-01T00:00:00Z".parse()?;
///     let expired = Evidence::Failed(CredentialFailure::Expired);
///
///     // A failed credential is refused wherever a credential is needed ...
///     let decision = admit(Route::Authenticated, &expired, None, now);
///     assert_eq!(decision.label(), "credential_rejected");
///
///     // ... and reported even where none is.
///     let decision = admit(Route::Public, &expired, None, now);
///     assert_eq!(decision.label(), "admitted");
///     assert_eq!(decision.credential_failure(), Some(CredentialFailure::Expired));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Evidence {
    /// The request presented no credential at all.
    Nothing,
    /// The request presented a credential that failed. It is never treated as anonymous.
    Failed(CredentialFailure),
    /// The request presented a valid credential.
    Verified(Principal),
}

/// The reason why the host's authentication rejected a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum CredentialFailure {
    /// It does not have the form of any credential.
    #[error("it is malformed")]
    Malformed,
    /// Its signature does not match.
    #[error("its signature does not match")]
    BadSignature,
    /// Its time has run out.
    #[error("it has expired")]
    Expired,
    /// Its time has not come yet.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It was revoked.
    #[error("it was revoked")]
    Revoked,
    /// It was never issued, or its owner is gone.
    #[error("it is unknown")]
    Unknown,
}

impl CredentialFailure {
    /// Returns how loud the log should be: an expired credential is daily business, and every other
    /// failure may be an attack.
    pub fn severity(self) -> Severity {
        if self == Self::Expired {
            Severity::Info
        } else {
            Severity::Warning
        }
    }
}
