//! The intermediate result between the checks and the access.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::deadline::Deadline;
use crate::plan::Plan;
use crate::tenant::Tenant;

/// A tenant that passed the checks, the plan that it may use, and until when.
pub(super) struct Standing<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) writable: bool,
    pub(super) until: Option<Deadline>,
    /// The instant at which time alone puts another plan into force.
    pub(super) changes_at: Option<DateTime<Utc>>,
}
