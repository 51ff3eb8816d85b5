//! S10: a crossing comes from `CrossTenant::open` alone, is for one account, and reads.
use bailiwick::danger::{AuditRecord, CrossTenant};
use bailiwick::{AccountId, Tenant};
use bailiwick::gate::Operator;
use chrono::{DateTime, Utc};

fn open(operator: &Operator, tenants: &[Tenant], now: DateTime<Utc>) {
    let _ = CrossTenant {};
    let _ = CrossTenant::default();
    let _ = CrossTenant::from(AccountId::from(7));
    let _ = serde_json::from_str::<CrossTenant>("{}");
    let _ = CrossTenant::open(operator, tenants, "all of them", now);
}

fn use_it(crossing: CrossTenant, record: AuditRecord) {
    let _ = crossing.clone();
    let _ = crossing.write();
    let _ = record.read();
}

fn main() {}
