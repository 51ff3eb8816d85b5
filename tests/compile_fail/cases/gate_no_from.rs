//! G3: no proof is made of the facts.
use bailiwick::{Access, Principal, Tenant, WriteAccess};
use bailiwick::gate::{BillingAccess, Operator};

fn made<T: From<F>, F>() {}

fn main() {
    made::<Access, Principal>();
    made::<Access, Tenant>();
    made::<WriteAccess, Access>();
    made::<BillingAccess, Principal>();
    made::<Operator, Principal>();
}
