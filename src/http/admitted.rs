//! The arguments by which a handler declares its route.

use crate::gate::{
    Access, Admission, BillingAccess, Denial, Operator, Principal, Route, WriteAccess,
};
use crate::right::Privilege;

/// The caller of a public route: the principal, if a valid credential was presented. A caller whose
/// credential failed passes as `None`, and the failure is told to
/// [`Gatekeeper::observe`](super::Gatekeeper::observe).
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a handler takes it apart")]
pub struct Anyone(pub Option<Principal>);

/// An operator who was admitted under [`Privilege::ConfirmPayments`].
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a handler takes it apart")]
pub struct MayConfirmPayments(pub Operator);

/// An operator who was admitted under [`Privilege::GrantCredits`].
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a handler takes it apart")]
pub struct MayGrantCredits(pub Operator);

/// An operator who was admitted under [`Privilege::CrossTenants`].
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a handler takes it apart")]
pub struct MayCrossTenants(pub Operator);

/// An argument of a handler, which declares the handler's route.
pub(crate) trait Admitted: Sized {
    /// The route that the gate is asked for.
    const ROUTE: Route;

    /// Takes the argument out of the gate's admission to that route.
    fn of(admission: Admission) -> Result<Self, Denial>;
}

impl Admitted for Anyone {
    const ROUTE: Route = Route::Public;

    fn of(admission: Admission) -> Result<Self, Denial> {
        if let Admission::Public(principal) = admission {
            Ok(Self(principal))
        } else {
            Err(Denial::RouteMismatch)
        }
    }
}

impl Admitted for Principal {
    const ROUTE: Route = Route::Authenticated;

    fn of(admission: Admission) -> Result<Self, Denial> {
        if let Admission::Authenticated(principal) = admission {
            Ok(principal)
        } else {
            Err(Denial::RouteMismatch)
        }
    }
}

impl Admitted for Access {
    const ROUTE: Route = Route::TenantRead;

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_access()
    }
}

impl Admitted for WriteAccess {
    const ROUTE: Route = Route::TenantWrite;

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_write()
    }
}

impl Admitted for BillingAccess {
    const ROUTE: Route = Route::Billing;

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_billing()
    }
}

impl Admitted for MayConfirmPayments {
    const ROUTE: Route = Route::Operator(Privilege::ConfirmPayments);

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_operator().map(Self)
    }
}

impl Admitted for MayGrantCredits {
    const ROUTE: Route = Route::Operator(Privilege::GrantCredits);

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_operator().map(Self)
    }
}

impl Admitted for MayCrossTenants {
    const ROUTE: Route = Route::Operator(Privilege::CrossTenants);

    fn of(admission: Admission) -> Result<Self, Denial> {
        admission.into_operator().map(Self)
    }
}

/// Runs a macro once for every argument that asks the gate.
macro_rules! for_each_admitted {
    ($run:ident) => {
        $run! {
            Anyone, Principal, Access, WriteAccess, BillingAccess,
            MayConfirmPayments, MayCrossTenants, MayGrantCredits
        }
    };
}
pub(crate) use for_each_admitted;
