//! The gate's decisions as events, for hosts that use `tracing`.

use tracing::field::display;

use super::decision::GateDecision;
use super::route::Route;
use crate::id::AccountId;
use crate::problem::Severity;

/// The target of the events, for a host's filter.
const TARGET: &str = "bailiwick::gate";

impl GateDecision {
    /// Emits one event about the decision, at the level of its [severity](Self::severity), with the
    /// target `bailiwick::gate`. Deciding itself emits nothing: the host calls this once for each
    /// request, within the span that tells its requests apart.
    ///
    /// The fields are `code` (the decision's [label](Self::label)), `route` (the
    /// [route's](Route::label)), `account` (the account that was loaded, if one was) and `failure`
    /// (the reason why a credential failed, if one did). The event holds nothing else: no
    /// credential, no user, no site.
    ///
    /// ```
    /// use bailiwick::{Evidence, Route, admit};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let now = "2026-01-01T00:00:00Z".parse()?;
    ///     let decision = admit(Route::TenantRead, &Evidence::Nothing, None, now);
    ///
    ///     // INFO bailiwick::gate: code="credential_missing" route="tenant_read"
    ///     decision.trace(Route::TenantRead, None);
    ///     Ok(())
    /// }
    /// ```
    pub fn trace(&self, route: Route, account: Option<&AccountId>) {
        let code = self.label();
        let route = route.label();
        let account = account.map(display);
        let failure = self.credential_failure().map(display);

        // The level is part of an event's static metadata, so each level has a line of its own.
        match self.severity() {
            Severity::Info => tracing::info!(target: TARGET, code, route, account, failure),
            Severity::Warning => tracing::warn!(target: TARGET, code, route, account, failure),
            Severity::Error => tracing::error!(target: TARGET, code, route, account, failure),
        }
    }
}
