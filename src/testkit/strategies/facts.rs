//! Plans and accounts.

use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use super::value::{account_id, credits_between};
use crate::account::{Account, AccountStatus};
use crate::id::PlanId;
use crate::money::{Currency, Money};
use crate::payment_method::PaymentMethod;
use crate::period::Interval;
use crate::plan::Plan;
use crate::quota::{ConcurrencyLimit, Quota, QuotaSet, ThrottleScope};
use crate::right::{Privilege, Privileges};

fn throttle_scope() -> impl Strategy<Value = ThrottleScope> {
    select(&["api", "ai", "export"][..])
        .prop_filter_map("a scope", |name| ThrottleScope::new(name).ok())
}

/// Draws plans, active and not, free and paid, with quotas and without.
pub fn plan() -> impl Strategy<Value = Plan> {
    let id = (1..4_i64).prop_map(PlanId::from);
    let price = prop_oneof![Just(0_i64), 1..100_000_i64].prop_filter_map("a price", |cents| {
        Money::new(Decimal::try_new(cents, 2).ok()?, Currency::EUR).ok()
    });
    let interval = select(&[Interval::MONTHLY, Interval::YEARLY][..]);
    let quota = (1..1000_u32, 1..3600_u32).prop_filter_map("a quota", |(cells, seconds)| {
        Quota::new(cells, seconds).ok().map(QuotaSet::from)
    });
    let limit = (1..100_u16, 1..3600_u32).prop_filter_map("a limit", |(at_once, seconds)| {
        ConcurrencyLimit::new(at_once, seconds).ok()
    });

    let quotas = btree_map(throttle_scope(), quota, 0..3);
    let concurrency = btree_map(throttle_scope(), limit, 0..3);

    (
        id,
        any::<bool>(),
        price,
        interval,
        credits_between(0, 1_000_000_000),
        any::<bool>(),
        quotas,
        concurrency,
    )
        .prop_map(
            |(id, active, price, interval, credits, needs_subscription, quotas, concurrency)| {
                Plan {
                    active,
                    credits,
                    needs_subscription,
                    quotas,
                    concurrency,
                    ..Plan::new(id, price, interval)
                }
            },
        )
}

pub(super) fn payment_method() -> impl Strategy<Value = PaymentMethod> {
    select(&PaymentMethod::ALL[..])
}

/// Draws accounts in every standing, unknown ones too. One in ten holds a privilege.
pub fn account() -> impl Strategy<Value = Account> {
    let status = prop_oneof![
        3 => Just(AccountStatus::Active),
        3 => select(&AccountStatus::ALL[..]),
        1 => Just(AccountStatus::Unknown),
    ];
    let privileges = prop_oneof![
        9 => Just(Privileges::NONE),
        1 => select(&Privilege::ALL[..]).prop_map(|privilege| Privileges::from_iter([privilege])),
    ];

    (
        account_id(),
        status,
        payment_method(),
        1..1000_u64,
        privileges,
    )
        .prop_map(
            |(id, status, payment_method, version, privileges)| Account {
                id,
                status,
                payment_method,
                version,
                privileges,
                registered_at: None,
            },
        )
}
