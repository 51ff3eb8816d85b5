//! S10: neither an access nor a principal crosses tenants, and a crossing is no access: it can
//! neither spend nor write.
use bailiwick::danger::CrossTenant;
use bailiwick::{Access, Principal, Tenant};
use chrono::{DateTime, Utc};

fn by_access(access: &Access, target: &Tenant, now: DateTime<Utc>) {
    let _ = CrossTenant::open(access, target, "a reason", now);
}

fn by_principal(principal: &Principal, target: &Tenant, now: DateTime<Utc>) {
    let _ = CrossTenant::open(principal, target, "a reason", now);
}

fn as_access(crossing: CrossTenant) -> Access {
    crossing
}

fn main() {}
