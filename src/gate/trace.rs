//! The gate's decisions as events, for hosts that use `tracing`.

use tracing::field::display;

use super::{GateDecision, Route};
use crate::id::AccountId;
use crate::problem::Severity;

/// Where the events come from, for a host's filter.
const TARGET: &str = "bailiwick::gate";

impl GateDecision {
    /// Emits one event about the decision, at the level of its [severity](Self::severity), with the
    /// target `bailiwick::gate`. Deciding itself emits nothing: the host calls this once for each
    /// request, within the span that tells its requests apart.
    ///
    /// The fields are `code` (the decision's [label](Self::label)), `route` (the
    /// [route's](Route::label)), `account` (the account that was loaded, if one was) and `failure`
    /// (why a credential that was presented failed). There is nothing else in it: no credential, no
    /// user, no site.
    ///
    /// ```
    /// use bailiwick::{Evidence, Route, admit};
    /// let decision = admit(Route::TenantRead, &Evidence::Nothing, None, "2026-01-01T00:00:00Z".parse()?);
    /// decision.trace(Route::TenantRead, None); // INFO bailiwick::gate: code="credential_missing" route="tenant_read"
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trace(&self, route: Route, account: Option<&AccountId>) {
        let (code, route, account) = (self.label(), route.label(), account.map(display));
        let failure = self.credential_failure().map(display);
        // A level is part of an event's place in the source, so each has a line of its own.
        match self.severity() {
            Severity::Info => tracing::info!(target: TARGET, code, route, account, failure),
            Severity::Warning => tracing::warn!(target: TARGET, code, route, account, failure),
            Severity::Error => tracing::error!(target: TARGET, code, route, account, failure),
        }
    }
}
