//! The throttle beside its peers, in one run: the pure decision beside a GCRA written by hand, the
//! check in process beside governor's keyed limiter.

use std::cell::Cell;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::quota::{QuotaSet, ThrottleScope};
use bailiwick::right::Privileges;
use bailiwick::throttle::{ThrottleCapacity, gcra};
use bailiwick::{
    Access, Account, Credits, Money, Plan, Principal, Quota, Tenant, Throttle, throttle_scope,
    validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use governor::RateLimiter;
use governor::clock::FakeRelativeClock;

const AI: ThrottleScope = throttle_scope!("ai");
const KEYS: u32 = 100_000;

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A clock that moves on by a millisecond at each look, for the pure decision.
struct Ticks(Cell<DateTime<Utc>>);

impl Ticks {
    fn new() -> Self {
        Self(Cell::new(start()))
    }

    fn next(&self) -> DateTime<Utc> {
        self.0
            .set(self.0.get() + TimeDelta::try_milliseconds(1).unwrap());
        self.0.get()
    }
}

/// What a host would write: the time, two numbers, a comparison, and how long to wait.
fn by_hand(t: i64, burst: i64, tat: i64, now: DateTime<Utc>) -> Result<i64, i64> {
    let now = now.timestamp_nanos_opt().unwrap();
    let next = tat.max(now) + t;
    if next - now <= burst * t {
        Ok(next)
    } else {
        Err(next - now - burst * t)
    }
}

fn pure(c: &mut Criterion) {
    let mut group = c.benchmark_group("gcra");
    let quota = Quota::new(600, 1).unwrap();
    let (t, burst) = (quota.interval_nanos(), i64::from(quota.burst()));

    group.bench_function("by hand", |b| {
        let (ticks, mut tat) = (Ticks::new(), 0);
        b.iter(|| {
            let answer = by_hand(black_box(t), black_box(burst), tat, ticks.next());
            if let Ok(next) = answer {
                tat = next;
            }
            answer
        });
    });
    group.bench_function("decide", |b| {
        let (ticks, mut state) = (Ticks::new(), None);
        b.iter(|| {
            let decision = gcra::decide(black_box(&quota), state, ticks.next(), 1);
            if decision.must_store() {
                state = Some(decision.state());
            }
            decision.is_allowed()
        });
    });
    group.bench_function("decide_all, two quotas", |b| {
        let quotas =
            QuotaSet::try_from(vec![quota, Quota::new(10_000_000, 86_400).unwrap()]).unwrap();
        let (ticks, mut states) = (Ticks::new(), gcra::GcraStates::default());
        b.iter(|| {
            let decisions = gcra::decide_all(
                &gcra::Limits::default(),
                black_box(&quotas),
                Some(&states),
                ticks.next(),
                1,
            );
            if decisions.must_store() {
                states = *decisions.states();
            }
            decisions.is_allowed()
        });
    });
    group.finish();
}

/// Walks over all keys in an order that is neither that of their insertion nor one that a cache
/// foresees.
struct Walk(u32);

impl Walk {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % KEYS
    }
}

/// Makes the access of an account, as the gate does at the beginning of a request: it is at hand
/// when it is checked.
fn accesses(quotas: &QuotaSet, text: bool) -> impl Fn(u32) -> Access {
    let plan = Arc::new(Plan {
        id: 1.into(),
        active: true,
        price: Money::new("49".parse().unwrap(), Currency::EUR).unwrap(),
        interval: Interval::MONTHLY,
        credits: Credits::ZERO,
        credits_every: Interval::MONTHLY,
        trial_credits: None,
        needs_subscription: false,
        quotas: [throttle_scope!("api"), AI, throttle_scope!("export")]
            .map(|scope| (scope, quotas.clone()))
            .into(),
        concurrency: Default::default(),
    });
    move |account: u32| {
        let id = if text {
            format!("acct_{account}").parse().unwrap()
        } else {
            i64::from(account).into()
        };
        let tenant = Tenant {
            account: Account {
                id,
                status: AccountStatus::Active,
                payment_method: PaymentMethod::BankTransfer,
                version: 1,
                privileges: Privileges::NONE,
                registered_at: None,
            },
            plan: Some(plan.clone()),
            next_plan: None,
            subscription: None,
            sites: [].into(),
        };
        let principal = Principal::session(1.into()).of_account(tenant.account.id.clone());
        validate_account_and_plan(&principal, Some(&tenant), start()).unwrap()
    }
}

fn in_process(c: &mut Criterion) {
    let mut group = c.benchmark_group("check, 100k keys");
    let most = NonZeroU32::new(1_000_000_000).unwrap();
    let theirs = governor::Quota::with_period(Duration::from_nanos(1))
        .unwrap()
        .allow_burst(most);
    let one = QuotaSet::from(Quota::new(1_000_000_000, 1).unwrap());
    let two = QuotaSet::try_from(vec![
        Quota::new(1_000_000_000, 1).unwrap(),
        Quota::new(4_000_000_000, 86_400).unwrap(),
    ])
    .unwrap();

    let at = start();
    let now = || black_box(at);

    group.bench_function("governor, u64", |b| {
        let limiter = RateLimiter::dashmap_with_clock(theirs, FakeRelativeClock::default());
        (0..KEYS).for_each(|key| drop(limiter.check_key(&u64::from(key))));
        let mut walk = Walk(0);
        b.iter(|| limiter.check_key(&u64::from(walk.next())).is_ok());
    });
    group.bench_function("governor, u64, its own clock", |b| {
        let limiter = RateLimiter::dashmap(theirs);
        (0..KEYS).for_each(|key| drop(limiter.check_key(&u64::from(key))));
        let mut walk = Walk(0);
        b.iter(|| limiter.check_key(&u64::from(walk.next())).is_ok());
    });
    group.bench_function("governor, formatted text", |b| {
        let limiter = RateLimiter::dashmap_with_clock(theirs, FakeRelativeClock::default());
        let key = |account: u32| format!("throttle:{{{account}}}:ai");
        (0..KEYS).for_each(|account| drop(limiter.check_key(&key(account))));
        let mut walk = Walk(0);
        b.iter(|| limiter.check_key(&key(walk.next())).is_ok());
    });
    // The key is derived from a number in a register, as governor's is.
    group.bench_function("ours, addresses", |b| {
        let throttle = Throttle::new(ThrottleCapacity {
            accounts: 0,
            addresses: 2 * KEYS,
        });
        let check = |key| {
            throttle
                .check_address(Ipv4Addr::from_bits(key).into(), AI, &one, now())
                .is_ok()
        };
        assert!((0..KEYS).all(check));
        let mut walk = Walk(0);
        b.iter(|| check(walk.next()));
    });
    for (name, quotas, text) in [
        ("ours, accounts", &one, false),
        ("ours, accounts, two quotas", &two, false),
        ("ours, textual accounts", &one, true),
    ] {
        let access = accesses(quotas, text);
        group.bench_function(name, |b| {
            let throttle = Throttle::new(ThrottleCapacity {
                accounts: 2 * KEYS,
                addresses: 0,
            });
            (0..KEYS).for_each(|account| drop(throttle.check(&access(account), AI, now())));
            let mut walk = Walk(0);
            b.iter_batched_ref(
                || access(walk.next()),
                |access| throttle.check(access, AI, now()).is_ok(),
                BatchSize::NumIterations(64),
            );
        });
    }
    group.finish();

    let mut group = c.benchmark_group("check, one key");
    group.bench_function("governor, u64", |b| {
        let limiter = RateLimiter::dashmap_with_clock(theirs, FakeRelativeClock::default());
        b.iter(|| limiter.check_key(black_box(&7_u64)).is_ok());
    });
    group.bench_function("governor, formatted text", |b| {
        let limiter = RateLimiter::dashmap_with_clock(theirs, FakeRelativeClock::default());
        b.iter(|| {
            limiter
                .check_key(&format!("throttle:{{{}}}:ai", black_box(7_u32)))
                .is_ok()
        });
    });
    for (name, quotas) in [("ours", &one), ("ours, two quotas", &two)] {
        let throttle = Throttle::new(ThrottleCapacity {
            accounts: 1000,
            addresses: 0,
        });
        let access = accesses(quotas, false)(7);
        group.bench_function(name, |b| {
            b.iter(|| throttle.check(&access, AI, now()).is_ok())
        });
    }
    group.finish();
}

criterion_group!(benches, pure, in_process);
criterion_main!(benches);
