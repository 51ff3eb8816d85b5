//! Facts that several test files need.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test file uses what it needs"
)]

pub mod host;
pub mod root;
pub mod script;

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick::account::AccountStatus;
use bailiwick::gate::Operator;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::right::{Privilege, Privileges};
use bailiwick::{Account, Credits, Evidence, Money, Plan, Principal, Route, Tenant, admit};
use chrono::{DateTime, Utc};

/// So many seconds after a fixed day in 2027.
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub fn credits(whole: i64) -> Credits {
    Credits::whole(whole.try_into().unwrap())
}

pub fn euros(amount: i64) -> Money {
    Money::new(amount.into(), Currency::EUR).unwrap()
}

pub fn plan(price: i64, needs_subscription: bool) -> Plan {
    Plan {
        id: 1.into(),
        active: true,
        price: euros(price),
        interval: Interval::MONTHLY,
        credits: credits(500),
        credits_every: Interval::MONTHLY,
        trial_credits: None,
        needs_subscription,
        quotas: BTreeMap::new(),
        concurrency: Default::default(),
    }
}

pub fn account(id: i64, status: AccountStatus) -> Account {
    Account {
        id: id.into(),
        status,
        payment_method: PaymentMethod::BankTransfer,
        version: 1,
        privileges: Privileges::NONE,
        registered_at: None,
    }
}

/// An account in good standing on a free plan.
pub fn tenant(id: i64) -> Tenant {
    let plan = Some(Arc::new(plan(0, false)));
    Tenant {
        account: account(id, AccountStatus::Active),
        plan,
        next_plan: None,
        subscription: None,
        sites: Arc::new([]),
    }
}

/// An account that holds every privilege, so that its members' own decide.
pub fn staff(id: i64) -> Tenant {
    let mut staff = tenant(id);
    staff.account.privileges = Privilege::ALL.into_iter().collect();
    staff
}

/// An operator of account 1.
pub fn operator(privilege: Privilege) -> Operator {
    operator_of(1, privilege)
}

pub fn operator_of(account: i64, privilege: Privilege) -> Operator {
    let privileges = Privileges::from_iter([privilege]);
    let principal = Principal::session(2.into())
        .of_account(account.into())
        .with_privileges(privileges);
    let decision = admit(
        Route::Operator(privilege),
        &Evidence::Verified(principal),
        Some(&staff(account)),
        at(0),
    );
    decision.into_result().unwrap().into_operator().unwrap()
}
