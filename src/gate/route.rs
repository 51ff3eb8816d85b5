//! The demands that a route can make.

use crate::right::Privilege;

/// The demand of a route, declared where the route is declared and never guessed from its path.
///
/// [`admit`](super::admit) takes one with every request. The adapters for web frameworks derive it
/// from a handler's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Route {
    /// Open to everyone.
    Public,
    /// Needs a valid credential, and no tenant.
    Authenticated,
    /// Reads the tenant's rows.
    TenantRead,
    /// Writes the tenant's rows.
    TenantWrite,
    /// Pays for an account. Open to a tenant whose payment is overdue.
    Billing,
    /// Operates the service itself, under a privilege.
    Operator(Privilege),
}

impl Route {
    /// Returns a label for logs and counters: one of six words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Authenticated => "authenticated",
            Self::TenantRead => "tenant_read",
            Self::TenantWrite => "tenant_write",
            Self::Billing => "billing",
            Self::Operator(_) => "operator",
        }
    }
}
