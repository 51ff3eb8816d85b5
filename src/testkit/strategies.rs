//! Strategies of proptest for facts and for what commands take: a host's own property tests start
//! from them. Whatever is drawn is sound by itself; the edges are drawn far more often than chance
//! would.
//!
//! ```
//! use bailiwick::testkit::proptest::prelude::*;
//! use bailiwick::testkit::strategies;
//! use bailiwick::{Principal, validate_account_and_plan};
//!
//! let now = "2027-01-01T00:00:00Z".parse()?;
//! proptest!(|(tenant in strategies::tenant_in_good_standing(now))| {
//!     let principal = Principal::session(1.into()).of_account(tenant.account.id.clone());
//!     prop_assert!(validate_account_and_plan(&principal, Some(&tenant), now).is_ok());
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use crate::account::{Account, AccountStatus, SuspensionCause};
use crate::credit::{
    DeductRequest, GrantTerms, HoldRequest, IdempotencyKey, Price, PriceList, Quote, Rollover,
    Rounding, Tier,
};
use crate::id::{AccountId, PlanId, SiteId};
use crate::money::{Credits, Currency, Money};
use crate::payment_method::PaymentMethod;
use crate::period::{Interval, Period};
use crate::plan::Plan;
use crate::policy::{CreditPolicy, LateSettle, Overage};
use crate::quota::{ConcurrencyLimit, Quota, QuotaSet, ThrottleScope};
use crate::right::{Privilege, Privileges};
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::tenant::Tenant;

/// Micro-credits at the limit of amounts.
const MAX_MICROS: i64 = 1_000_000_000_000_000_000;
const DAY: i64 = 86_400;

/// Printable ASCII without spaces.
fn text(longest: usize) -> impl Strategy<Value = String> {
    vec(0x21_u8..=0x7E, 1..=longest).prop_map(|bytes| bytes.into_iter().map(char::from).collect())
}

/// The text of an identifier: an integer, a UUID or a short text.
fn identifier() -> impl Strategy<Value = String> {
    let uuid = (
        any::<u32>(),
        any::<u16>(),
        any::<u16>(),
        any::<u16>(),
        0..1_u64 << 48,
    )
        .prop_map(|(a, b, c, d, e)| format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"));
    prop_oneof![
        4 => (1..1000_i64).prop_map(|id| id.to_string()),
        1 => any::<i64>().prop_map(|id| id.to_string()),
        2 => uuid,
        2 => text(64).prop_filter("no braces", |text| !text.contains(['{', '}'])),
    ]
}

/// Accounts' identifiers: integers, UUIDs and texts.
pub fn account_id() -> impl Strategy<Value = AccountId> {
    identifier().prop_filter_map("an identifier", |text| text.parse().ok())
}

/// Sites' identifiers: integers, UUIDs and texts.
pub fn site_id() -> impl Strategy<Value = SiteId> {
    identifier().prop_filter_map("an identifier", |text| text.parse().ok())
}

/// Idempotency keys, the shortest and the longest too.
pub fn idempotency_key() -> impl Strategy<Value = IdempotencyKey> {
    let text = prop_oneof![
        4 => (0..20_u8).prop_map(|number| format!("request-{number}")),
        2 => text(40),
        1 => text(255),
    ];
    text.prop_filter_map("a key", |text| text.parse().ok())
}

/// Amounts of credits, nothing and the limit among them.
pub fn credits() -> impl Strategy<Value = Credits> {
    prop_oneof![
        1 => Just(Credits::ZERO),
        4 => (0..1000_u32).prop_map(Credits::whole),
        4 => credits_between(1, 1_000_000_000),
        1 => credits_between(MAX_MICROS.saturating_sub(1000), MAX_MICROS),
        1 => credits_between(0, MAX_MICROS),
    ]
}

/// Amounts of at most so many credits; nothing and all of them among them.
pub fn credits_up_to(most: Credits) -> impl Strategy<Value = Credits> {
    prop_oneof![1 => Just(Credits::ZERO), 1 => Just(most), 6 => credits_between(0, most.micros())]
}

fn credits_between(least: i64, most: i64) -> impl Strategy<Value = Credits> {
    (least..=most).prop_filter_map("an amount", |micros| Credits::from_micros(micros).ok())
}

/// What rolls over from the grant with this key, nothing and all of it among the bounds.
pub fn rollover(from: impl Into<Arc<str>>) -> impl Strategy<Value = Rollover> {
    let from = from.into();
    (
        credits_up_to(Credits::whole(100)),
        credits_up_to(Credits::whole(1_000)),
    )
        .prop_map(move |(minimum, maximum)| Rollover {
            from: from.clone(),
            minimum,
            maximum,
        })
}

/// Terms of grants that can be granted at `now`: some live at once and for ever, some later, some
/// for a moment. Nothing rolls over into them: [`rollover`] says what may.
pub fn grant_terms(now: DateTime<Utc>) -> impl Strategy<Value = GrantTerms> {
    let amount = credits().prop_filter("more than nothing", |amount| !amount.is_zero());
    let wait = prop_oneof![Just(0_i64), -DAY..0, 1..60_i64, 1..40 * DAY];
    let life = prop_oneof![Just(1_i64), 1..60_i64, 1..400 * DAY];
    (amount, any::<u8>(), option::of(wait), option::of(life)).prop_map(
        move |(amount, priority, wait, life)| {
            let effective_at = wait.map(|wait| later(now, wait));
            let from = effective_at.map_or(now, |at| at.max(now));
            GrantTerms {
                amount,
                priority,
                effective_at,
                expires_at: life.map(|life| later(from, life)),
                rollover: None,
            }
        },
    )
}

/// Price lists of the operations `a`, `b` and `c`, with every way of rounding.
pub fn price_list() -> impl Strategy<Value = PriceList> {
    let rounding = select(&[Rounding::Up, Rounding::Down, Rounding::HalfEven][..]);
    let decimal = (0..1_000_000_000_i64, 0..=12_u32)
        .prop_filter_map("a price", |(mantissa, places)| {
            Decimal::try_new(mantissa, places).ok()
        });
    let minimum = prop_oneof![3 => Just(Credits::ZERO), 1 => credits_between(0, 5_000_000)];
    // Each tier ends some units after the one before.
    let tiers = vec((1..1_000_u64, decimal.clone()), 0..3).prop_map(|lengths| {
        lengths
            .into_iter()
            .scan(0_u64, |end, (length, per_unit)| {
                *end = end.saturating_add(length);
                Some(Tier {
                    up_to: *end,
                    per_unit,
                })
            })
            .collect()
    });
    let price = (decimal.clone(), decimal, tiers, minimum, rounding).prop_map(
        |(base, per_unit, tiers, minimum, rounding)| Price {
            base,
            per_unit,
            tiers,
            minimum,
            rounding,
        },
    );
    vec(price, 3).prop_filter_map("a price list", |prices| {
        let names = ["a", "b", "c"].map(Arc::from);
        PriceList::try_from(names.into_iter().zip(prices).collect::<BTreeMap<_, _>>()).ok()
    })
}

/// Quotes of at most so many credits, for an operation named `spend` that is charged by the
/// millionth of a credit.
pub fn quote(most: Credits) -> impl Strategy<Value = Quote> {
    credits_up_to(most).prop_filter_map("a quote", |price| {
        let per_unit = Credits::from_micros(1).ok()?.to_decimal();
        let spend = Price {
            base: Decimal::ZERO,
            per_unit,
            tiers: Vec::new(),
            minimum: Credits::ZERO,
            rounding: Rounding::Up,
        };
        let list = PriceList::try_from(BTreeMap::from([(Arc::from("spend"), spend)])).ok()?;
        list.quote("spend", u64::try_from(price.micros()).ok()?)
            .ok()
    })
}

/// Requests to hold at most so many credits. Few keys are drawn, so that requests repeat, and
/// clash.
pub fn hold_request(most: Credits) -> impl Strategy<Value = HoldRequest> {
    let life = prop_oneof![Just(1_i64), 1..60_i64, 1..366 * DAY, Just(366 * DAY)];
    let fingerprint = option::weighted(0.3, (0..3_u8).prop_map(|digest| [digest; 32]));
    (idempotency_key(), quote(most), life, fingerprint).prop_map(
        |(key, quote, life, fingerprint)| HoldRequest {
            key,
            quote,
            time_to_live: TimeDelta::try_seconds(life).unwrap_or_default(),
            fingerprint,
        },
    )
}

/// Requests to deduct at most so many credits. Few keys are drawn, so that requests repeat, and
/// clash.
pub fn deduct_request(most: Credits) -> impl Strategy<Value = DeductRequest> {
    hold_request(most).prop_map(
        |HoldRequest {
             key,
             quote,
             fingerprint,
             ..
         }| DeductRequest {
            key,
            quote,
            fingerprint,
        },
    )
}

/// What all draws on a hold, or all refunds of a charge, come to: nothing, a part, all of it, a
/// millionth more, far more.
pub fn total_of(amount: Credits) -> impl Strategy<Value = Credits> {
    settle_cost(amount)
}

/// What a call that held so much may really cost: nothing, less, just that, a millionth more, far
/// more.
pub fn settle_cost(held: Credits) -> impl Strategy<Value = Credits> {
    let more = held.micros().saturating_add(1).min(MAX_MICROS);
    prop_oneof![
        6 => credits_up_to(held),
        1 => credits_between(more, more),
        1 => credits_between(held.micros(), held.micros().saturating_mul(3).min(MAX_MICROS)),
    ]
}

/// What a settlement beyond its hold may do.
pub fn overage() -> impl Strategy<Value = Overage> {
    prop_oneof![
        Just(Overage::Reject),
        Just(Overage::Cap),
        Just(Overage::Available),
        credits_up_to(Credits::whole(100)).prop_map(Overage::Debt),
    ]
}

/// What a settlement after its hold's end may do.
pub fn late_settle() -> impl Strategy<Value = LateSettle> {
    prop_oneof![
        Just(LateSettle::Refuse),
        Just(LateSettle::Available),
        credits_up_to(Credits::whole(100)).prop_map(LateSettle::Debt),
    ]
}

/// Policies of credit, with few open holds and many, and every way of settling beyond a hold and
/// after its end.
pub fn credit_policy() -> impl Strategy<Value = CreditPolicy> {
    (
        1..=4096_u16,
        overage(),
        late_settle(),
        0..=86_400_u32,
        0..=86_400_u32,
    )
        .prop_map(
            |(max_open_holds, overage, late_settle, late_settle_seconds, refund_life_seconds)| {
                CreditPolicy {
                    max_open_holds,
                    overage,
                    late_settle,
                    late_settle_seconds,
                    refund_life_seconds,
                }
            },
        )
}

/// How far a clock moves between two looks at it: not at all, by microseconds, by days, and
/// sometimes back.
pub fn clock_step() -> impl Strategy<Value = TimeDelta> {
    prop_oneof![
        2 => Just(0_i64),
        2 => 1..1_000_000_i64,
        4 => (1..120_i64).prop_map(|seconds| seconds.saturating_mul(1_000_000)),
        2 => (1..400_i64).prop_map(|days| days.saturating_mul(DAY).saturating_mul(1_000_000)),
        1 => -5_000_000..0_i64,
    ]
    .prop_map(TimeDelta::microseconds)
}

/// Instants of the years 2001 to 2100, to the microsecond.
pub fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (978_307_200_000_000..4_102_444_800_000_000_i64)
        .prop_filter_map("an instant", DateTime::from_timestamp_micros)
}

fn later(now: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    TimeDelta::try_seconds(seconds)
        .and_then(|step| now.checked_add_signed(step))
        .unwrap_or(now)
}

fn throttle_scope() -> impl Strategy<Value = ThrottleScope> {
    select(&["api", "ai", "export"][..])
        .prop_filter_map("a scope", |name| ThrottleScope::new(name).ok())
}

/// Plans, active and not, free and paid, with quotas and without.
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
            |(
                id,
                active,
                price,
                interval,
                credits_per_month,
                needs_subscription,
                quotas,
                concurrency,
            )| Plan {
                id,
                active,
                price,
                interval,
                credits_per_month,
                needs_subscription,
                quotas,
                concurrency,
            },
        )
}

fn payment_method() -> impl Strategy<Value = PaymentMethod> {
    select(&PaymentMethod::ALL[..])
}

/// Accounts in every standing, unknown ones too. One in ten holds a privilege.
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
            },
        )
}

/// Tenants that the gate admits at `now`, under the default policy and so under every other: on a
/// plan that needs no subscription, in trial, or paid. `now` is a few years away from the
/// calendar's ends.
pub fn tenant_in_good_standing(now: DateTime<Utc>) -> impl Strategy<Value = Tenant> {
    let lives = (0..300 * DAY, 1..300 * DAY);
    let sites = btree_set(site_id(), 0..4);
    let kind = 0..4_u8;
    (
        account(),
        plan(),
        sites,
        lives,
        kind,
        any::<bool>(),
        payment_method(),
    )
        .prop_map(
            move |(
                mut account,
                mut plan,
                sites,
                (before, after),
                kind,
                cancels,
                payment_method,
            )| {
                account.status = AccountStatus::Active;
                plan.active = true;
                plan.needs_subscription = kind > 1;
                let (start, end) = (later(now, before.saturating_neg()), later(now, after));
                let (id, owner) = (1.into(), account.id.clone());
                let mut subscription =
                    Subscription::new(id, owner, plan.id.clone(), payment_method, start);
                if kind == 2 {
                    subscription.status = SubscriptionStatus::Trialing;
                    subscription.trial_end = Some(end);
                } else {
                    subscription.status = SubscriptionStatus::Active;
                    subscription.cancel_at_period_end = cancels;
                }
                subscription.current_period = Some(Period { start, end });
                let subscription = (kind > 0).then_some(subscription);
                Tenant {
                    account,
                    plan: Some(plan.into()),
                    subscription,
                    sites: shared(sites),
                }
            },
        )
}

fn shared(sites: BTreeSet<SiteId>) -> Arc<[SiteId]> {
    sites.into_iter().collect()
}

/// What takes a tenant out of good standing.
#[derive(Clone, Copy, Debug)]
enum Lapse {
    Account(AccountStatus),
    NoPlan,
    PlanInactive,
    NoSubscription,
    OtherPlan,
    OtherAccount,
    Status(SubscriptionStatus),
    TrialEnded,
    PeriodEnded,
    NoPeriod,
}

/// Tenants that the gate refuses at `now` under the default policy, each for one reason alone: an
/// account that is not active, no plan, a subscription that is missing, unpaid, over or another's.
pub fn tenant_out_of_good_standing(now: DateTime<Utc>) -> impl Strategy<Value = Tenant> {
    let accounts = [
        AccountStatus::PendingPayment,
        AccountStatus::Suspended(SuspensionCause::PaymentOverdue),
        AccountStatus::Suspended(SuspensionCause::Abuse),
        AccountStatus::Suspended(SuspensionCause::Requested),
        AccountStatus::Closed,
        AccountStatus::Unknown,
    ];
    let statuses = [
        SubscriptionStatus::Incomplete,
        SubscriptionStatus::IncompleteExpired,
        SubscriptionStatus::PastDue,
        SubscriptionStatus::Unpaid,
        SubscriptionStatus::Paused,
        SubscriptionStatus::Canceled,
        SubscriptionStatus::Unknown,
    ];
    let rest = [
        Lapse::NoPlan,
        Lapse::PlanInactive,
        Lapse::NoSubscription,
        Lapse::OtherPlan,
        Lapse::OtherAccount,
        Lapse::TrialEnded,
        Lapse::PeriodEnded,
        Lapse::NoPeriod,
    ];
    let lapses: Vec<Lapse> = accounts
        .map(Lapse::Account)
        .into_iter()
        .chain(statuses.map(Lapse::Status))
        .chain(rest)
        .collect();
    (tenant_in_good_standing(now), select(lapses))
        .prop_map(move |(tenant, lapse)| lapsed(tenant, lapse, now))
}

/// Tenants in good standing and out of it, as often.
pub fn tenant(now: DateTime<Utc>) -> impl Strategy<Value = Tenant> {
    prop_oneof![
        tenant_in_good_standing(now),
        tenant_out_of_good_standing(now)
    ]
}

fn lapsed(mut tenant: Tenant, lapse: Lapse, now: DateTime<Utc>) -> Tenant {
    let Some(plan) = tenant.plan.as_mut().map(Arc::make_mut) else {
        return tenant;
    };
    let (start, end) = (later(now, DAY.saturating_neg()), later(now, DAY));
    let mut subscription = tenant.subscription.take().unwrap_or_else(|| {
        let (owner, method) = (tenant.account.id.clone(), PaymentMethod::BankTransfer);
        let mut paid = Subscription::new(1.into(), owner, plan.id.clone(), method, start);
        (paid.status, paid.current_period) =
            (SubscriptionStatus::Active, Some(Period { start, end }));
        paid
    });
    // Where it is the subscription that lapses, the plan needs one.
    let needs_subscription = !matches!(
        lapse,
        Lapse::Account(_) | Lapse::NoPlan | Lapse::PlanInactive
    );
    plan.needs_subscription |= needs_subscription;
    match lapse {
        Lapse::Account(status) => tenant.account.status = status,
        Lapse::NoPlan => tenant.plan = None,
        Lapse::PlanInactive => plan.active = false,
        Lapse::NoSubscription => return tenant,
        Lapse::OtherPlan => subscription.plan = PlanId::from(99),
        Lapse::OtherAccount => subscription.account = AccountId::from(i64::MIN),
        Lapse::Status(status) => {
            subscription.status = status;
            subscription.past_due_since = (status == SubscriptionStatus::PastDue).then_some(start);
        }
        // What ends, ends exactly then.
        Lapse::TrialEnded => {
            subscription.status = SubscriptionStatus::Trialing;
            subscription.trial_end = Some(now);
        }
        Lapse::PeriodEnded => {
            subscription.status = SubscriptionStatus::Active;
            subscription.current_period = Some(Period { start, end: now });
        }
        Lapse::NoPeriod => {
            subscription.status = SubscriptionStatus::Active;
            subscription.current_period = None;
        }
    }
    tenant.subscription = Some(subscription);
    tenant
}
