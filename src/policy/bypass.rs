//! The one way past the throttle.

use std::sync::Arc;

use super::checked::Policy;

/// A permission to pass the throttle, with its reason.
///
/// [`Throttle::bypass`](crate::throttle::Throttle::bypass) takes one, and the
/// [`Passage`](crate::throttle::Passage) that it returns tells the reason. Only
/// [`Policy::bypass_throttle`] makes one, under a development policy.
#[derive(Clone, Debug)]
pub struct ThrottleBypass {
    reason: Arc<str>,
}

impl ThrottleBypass {
    /// Returns the reason for the bypass, for the log.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl Policy {
    /// Makes the one value that passes the throttle without being counted, for a reason that is
    /// recorded. Returns `None` if the reason is blank, or unless the policy is one of development
    /// and allows it: no role, login or credential ever does.
    ///
    /// ```
    /// use bailiwick::Policy;
    /// use bailiwick::policy::PolicySettings;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let settings = PolicySettings {
    ///         development: true,
    ///         throttle_bypass: true,
    ///         ..PolicySettings::default()
    ///     };
    ///     assert!(Policy::load(settings)?.bypass_throttle("load test").is_some());
    ///     assert!(Policy::default().bypass_throttle("load test").is_none());
    ///     Ok(())
    /// }
    /// ```
    pub fn bypass_throttle(&self, reason: &str) -> Option<ThrottleBypass> {
        (self.throttle_bypass && !reason.trim().is_empty()).then(|| ThrottleBypass {
            reason: reason.into(),
        })
    }
}
