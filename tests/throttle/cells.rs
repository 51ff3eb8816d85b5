//! The throttle's invariants T1 to T10, through the public interface.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::policy::PolicySettings;
use bailiwick::quota::{QuotaSet, ThrottleScope};
use bailiwick::right::{Privilege, Privileges};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::throttle::gcra::{self, GcraState, GcraStates, Limits, Verdict};
use bailiwick::throttle::{HeaderDialect, ThrottleCapacity, Throttled};
use bailiwick::{
    Access, Account, Code, Credits, Money, Plan, Policy, Principal, Problem, Quota, SiteId,
    Subscription, Tenant, Throttle, throttle_scope, validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};
use governor::RateLimiter;
use governor::clock::{Clock, FakeRelativeClock};
use proptest::prelude::*;
use sfv::{BareItem, Key, List, ListEntry, Parser};

const AI: ThrottleScope = throttle_scope!("ai");
const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600 * SECOND;

fn at(nanos: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanos)
}

fn quota(cells: u32, seconds: u32) -> Quota {
    Quota::new(cells, seconds).unwrap()
}

fn set(quotas: &[Quota]) -> QuotaSet {
    quotas.to_vec().try_into().unwrap()
}

fn tenant(account: i64, quotas: &QuotaSet) -> Tenant {
    let plan = Plan {
        id: 1.into(),
        active: true,
        price: Money::new("49".parse().unwrap(), Currency::EUR).unwrap(),
        interval: Interval::MONTHLY,
        credits: Credits::ZERO,
        credits_every: Interval::MONTHLY,
        trial_credits: None,
        needs_subscription: false,
        quotas: [(AI, quotas.clone())].into(),
        concurrency: Default::default(),
    };
    let account = Account {
        id: account.into(),
        status: AccountStatus::Active,
        payment_method: PaymentMethod::BankTransfer,
        version: 1,
        privileges: Privileges::NONE,
        registered_at: None,
    };
    Tenant {
        account,
        plan: Some(Arc::new(plan)),
        next_plan: None,
        subscription: None,
        sites: [12.into()].into(),
    }
}

fn access(account: i64, quotas: &QuotaSet) -> Access {
    let principal = Principal::session(1.into()).of_account(account.into());
    validate_account_and_plan(&principal, Some(&tenant(account, quotas)), at(START)).unwrap()
}

fn throttle(accounts: u32, addresses: u32) -> Throttle {
    Throttle::new(ThrottleCapacity {
        accounts,
        addresses,
    })
}

fn within(burst: u32, skew: i64) -> Limits {
    Limits::default()
        .with_largest_burst(burst)
        .with_max_skew(TimeDelta::nanoseconds(skew))
}

/// Quotas of all speeds whose emission interval is a whole number of nanoseconds and not.
fn any_quota() -> impl Strategy<Value = Quota> {
    let parts = (
        1_u32..2000,
        prop_oneof![Just(1_u32), Just(7), Just(60), Just(3600), Just(86_400)],
        1_u32..200,
    );
    parts.prop_filter_map("in range", |(cells, seconds, burst)| {
        quota(cells, seconds).with_burst(burst).ok()
    })
}

fn any_set() -> impl Strategy<Value = QuotaSet> {
    let seconds = proptest::sample::subsequence(vec![1_u32, 10, 60, 3600, 86_400], 1..=4);
    seconds.prop_flat_map(|seconds| {
        let quotas: Vec<_> = seconds
            .into_iter()
            .map(|seconds| {
                (1_u32..200, 1_u32..60)
                    .prop_map(move |(n, burst)| quota(n, seconds).with_burst(burst).unwrap())
            })
            .collect();
        quotas.prop_map(|quotas| set(&quotas))
    })
}

#[test]
fn t1_no_two_keys_share_a_bucket_in_process() {
    const OTHER: ThrottleScope = throttle_scope!("other");
    let (throttle, quotas) = (throttle(1000, 1000), QuotaSet::from(quota(1, 60)));
    let mut plan = (*tenant(1, &quotas).plan.unwrap()).clone();
    plan.quotas.insert(OTHER, quotas.clone());
    for id in [
        "7",
        "07",
        "8",
        "a",
        "7:ai",
        "192.0.2.1",
        "00000000-0000-0000-0000-000000000007",
    ] {
        let mut tenant = tenant(1, &quotas);
        (tenant.account.id, tenant.plan) = (id.parse().unwrap(), Some(Arc::new(plan.clone())));
        let principal = Principal::session(1.into()).of_account(id.parse().unwrap());
        let access = validate_account_and_plan(&principal, Some(&tenant), at(START)).unwrap();
        for scope in [AI, OTHER] {
            throttle.check(&access, scope, at(START)).unwrap();
            throttle.check(&access, scope, at(START)).unwrap_err();
        }
    }
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"] {
        throttle
            .check_address(address.parse().unwrap(), AI, &quotas, at(START))
            .unwrap();
    }
    for address in ["::ffff:192.0.2.1", "2001:db8::2"] {
        throttle
            .check_address(address.parse().unwrap(), AI, &quotas, at(START))
            .unwrap_err();
    }
}

// T3, T4, T5: the decision.

/// One request: time since the one before, cells, and how far ahead its node's clock is, in parts
/// of the skew.
fn any_requests() -> impl Strategy<Value = Vec<(i64, u32, i64)>> {
    let pause = prop_oneof![Just(0_i64), 0..SECOND / 1000, 0..SECOND, 0..100 * SECOND];
    proptest::collection::vec((pause, 1_u32..20, 0_i64..=100), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t3_no_window_lets_more_through(quota in any_quota(), requests in any_requests(), skew in prop_oneof![Just(0), 0..5 * SECOND]) {
        let (t, burst) = (i128::from(quota.interval_nanos()), i128::from(quota.burst()));
        let (mut real, mut state, mut passed) = (START, None, Vec::new());
        for (pause, cost, ahead) in requests {
            real += pause;
            let now = at(real + skew * ahead / 100);
            let decision = gcra::decide_within(&within(quota.burst(), skew), &quota, state, now, cost);
            if decision.must_store() {
                state = Some(decision.state());
            }
            if decision.is_allowed() {
                passed.push((real, i128::from(cost)));
            }
        }
        for (first, (from, _)) in passed.iter().enumerate() {
            let mut cells = 0;
            for (to, cost) in &passed[first..] {
                cells += cost;
                prop_assert!(cells <= burst + i128::from(to - from + skew) / t);
            }
        }
    }

    #[test]
    fn t4_decisions_equal_governors(quota in any_quota(), requests in any_requests()) {
        let period = Duration::from_nanos(u64::try_from(quota.interval_nanos()).unwrap());
        let burst = NonZeroU32::new(quota.burst()).unwrap();
        let clock = FakeRelativeClock::default();
        let theirs = governor::Quota::with_period(period).unwrap().allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(theirs, clock.clone());
        let (mut now, mut state) = (START, None);
        for (pause, cost, _) in requests {
            now += pause;
            clock.advance(Duration::from_nanos(u64::try_from(pause).unwrap()));
            let decision = gcra::decide(&quota, state, at(now), cost);
            if decision.must_store() {
                state = Some(decision.state());
            }
            let wait = match limiter.check_n(NonZeroU32::new(cost).unwrap()) {
                Err(_) => {
                    prop_assert_eq!(decision.verdict(), Verdict::CostExceedsBurst);
                    continue;
                }
                Ok(Ok(())) => None,
                Ok(Err(until)) => Some(until.wait_time_from(clock.now())),
            };
            prop_assert_eq!(decision.is_allowed(), wait.is_none());
            prop_assert_eq!(decision.retry_at(), wait.map(|wait| at(now) + TimeDelta::from_std(wait).unwrap()));
        }
    }
}

fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![
        any::<i64>().prop_map(at),
        (START - DAY..START + DAY).prop_map(at),
        Just(DateTime::<Utc>::MIN_UTC),
        Just(DateTime::<Utc>::MAX_UTC),
    ]
}

fn any_number() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        START - DAY..START + 400 * DAY,
        Just(i64::MIN),
        Just(i64::MAX),
        -2_i64..3,
        0..DAY
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t5_no_stored_state_blocks_longer_than_the_greatest_burst(
        (quota, t) in any_quota().prop_flat_map(|quota| (Just(quota), prop_oneof![any_number(), Just(quota.interval_nanos())])),
        tat in any_number(), now in any_instant(), cost in any::<u32>(),
        largest in prop_oneof![Just(0_u32), 0..10_000_u32, Just(u32::MAX)], skew in prop_oneof![Just(0), 0..5 * SECOND],
    ) {
        let stored = GcraState::from_parts(tat, t);
        let most = (i128::from(quota.burst().max(largest)) * i128::from(quota.interval_nanos())).min(i128::from(i64::MAX));
        let longest = i64::try_from(most).unwrap().saturating_add(skew);
        let seconds = u64::try_from(longest.saturating_add(SECOND - 1) / SECOND).unwrap();
        let limits = within(largest, skew);
        for cost in [cost, cost % quota.burst() + 1, 0] {
            let decision = gcra::decide_within(&limits, &quota, Some(stored), now, cost);
            prop_assert!(decision.retry_after_seconds().is_none_or(|wait| wait <= seconds));
            prop_assert_eq!(decision.verdict() == Verdict::CostExceedsBurst, cost > quota.burst());
            // Written once, it does not recede: what is found again is no later than what was found
            // first.
            if decision.must_store() && !decision.is_allowed() {
                let again = gcra::decide_within(&limits, &quota, Some(decision.state()), now, cost);
                prop_assert_eq!(again.retry_at(), decision.retry_at());
                prop_assert!(!again.must_store());
            }
        }
        let unlimited = gcra::decide(&quota, Some(stored), now, 1);
        prop_assert!(unlimited.retry_after_seconds().is_none_or(|wait| wait <= 400 * 86_400 + 1));
        gcra::reprice(&limits, &quota, stored, now);
    }

    #[test]
    fn t5_a_blocked_key_is_free_once_the_greatest_burst_has_drained(
        (quota, t) in any_quota().prop_flat_map(|quota| (Just(quota), prop_oneof![any_number(), Just(quota.interval_nanos())])),
        tat in any_number(), largest in 0..10_000_u32, skew in 0..5 * SECOND,
    ) {
        let limits = within(largest, skew);
        let decision = gcra::decide_within(&limits, &quota, Some(GcraState::from_parts(tat, t)), at(START), 1);
        let state = if decision.must_store() { decision.state() } else { GcraState::from_parts(tat, t) };
        let longest = i64::from(quota.burst().max(largest)) * quota.interval_nanos() + skew;
        let later = gcra::decide_within(&limits, &quota, Some(state), at(START + longest), 1);
        prop_assert!(later.is_allowed());
    }
}

#[test]
fn t5_a_clock_set_back_blocks_no_longer_than_the_burst() {
    let (throttle, access) = (throttle(10, 10), access(7, &quota(10, 10).into()));
    throttle.check_cost(&access, AI, 10, at(START)).unwrap();
    let back = START - 3650 * DAY;
    let Err(Throttled::QuotaExceeded(exceeded)) = throttle.check(&access, AI, at(back)) else {
        panic!("it passed")
    };
    assert_eq!(exceeded.retry_after_seconds(), 1);
    // The correction was written, although the answer was no: time counts from it.
    throttle.check(&access, AI, exceeded.retry_at()).unwrap();
}

#[test]
fn t5_clocks_that_differ_share_one_quota() {
    // A clamp to `now + window` on every look would let each of two nodes, a second apart, undo
    // what the other charged.
    let quota = quota(10, 1);
    let (mut state, mut passed) = (None, 0);
    for turn in 0..2000 {
        let now = START + if turn % 2 == 0 { SECOND } else { 0 };
        let decision = gcra::decide_within(&within(10, SECOND), &quota, state, at(now), 1);
        state = if decision.must_store() {
            Some(decision.state())
        } else {
            state
        };
        passed += u32::from(decision.is_allowed());
    }
    assert_eq!(passed, 10);
}

#[test]
fn t5_every_time_can_be_asked() {
    let (throttle, access) = (throttle(10, 10), access(7, &quota(10, 10).into()));
    for now in [
        DateTime::<Utc>::MAX_UTC,
        DateTime::<Utc>::MIN_UTC,
        at(i64::MAX),
        at(i64::MIN),
        at(0),
    ] {
        let answers: Vec<bool> = (0..12)
            .map(|_| throttle.check(&access, AI, now).is_ok())
            .collect();
        assert!(
            answers.iter().filter(|passed| **passed).count() <= 10,
            "the burst holds at {now}"
        );
    }
}

// T6: plan changes.

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t6_no_plan_change_lets_more_through(
        plans in proptest::collection::vec(any_quota(), 2..4), requests in any_requests(),
        flips in proptest::collection::vec(any::<proptest::sample::Index>(), 120),
    ) {
        const MILLION: i128 = 1_000_000;
        let greatest = plans.iter().map(Quota::burst).max().unwrap();
        let (mut now, mut state) = (START, None::<GcraState>);
        // What passed at each look, and the millionths of cells that drained since the look before.
        let mut looks = Vec::new();
        for ((pause, cost, _), flip) in requests.into_iter().zip(flips) {
            now += pause;
            let drained = state.map_or(0, |state| {
                let t = i128::from(state.interval_nanos());
                (i128::from(pause) * MILLION + t - 1) / t
            });
            let decision = gcra::decide_within(&within(greatest, 0), flip.get(&plans), state, at(now), cost);
            state = if decision.must_store() { Some(decision.state()) } else { state };
            looks.push((if decision.is_allowed() { i128::from(cost) } else { 0 }, drained));
        }
        for first in 0..looks.len() {
            let (mut cells, mut bound) = (0, i128::from(greatest) * MILLION);
            for (place, (cost, drained)) in looks[first..].iter().enumerate() {
                bound += if place == 0 { 0 } else { *drained };
                cells += cost * MILLION;
                prop_assert!(cells <= bound);
            }
        }
    }

    #[test]
    fn t6_changing_sets_and_back_refills_nothing(
        one in any_set(), other in any_set(), first in 1_u32..60, second in 1_u32..60, pause in 0..10 * SECOND,
    ) {
        let limits = Limits::default();
        let used = gcra::decide_all(&limits, &one, None, at(START), first);
        let states = *used.states();
        let before = gcra::decide_all(&limits, &one, Some(&states), at(START + pause), 0);
        let visit = gcra::decide_all(&limits, &other, Some(&states), at(START + pause), second);
        let states = if visit.must_store() { *visit.states() } else { states };
        let after = gcra::decide_all(&limits, &one, Some(&states), at(START + pause), 0);
        for (before, after) in before.iter().zip(after.iter()) {
            prop_assert!(after.remaining() <= before.remaining());
        }
    }
}

/// Takes one cell after the other until one is refused.
fn exhaust(quota: &Quota, state: &mut Option<GcraState>, now: i64) -> u32 {
    let mut passed = 0;
    loop {
        let decision = gcra::decide_within(&within(1000, 0), quota, *state, at(now), 1);
        if decision.must_store() {
            *state = Some(decision.state());
        }
        if !decision.is_allowed() {
            return passed;
        }
        passed += 1;
    }
}

#[test]
fn t6_scaling_by_fraction_would_refill_the_larger_plan() {
    // A small plan that drains within a second, a large one that takes a quarter of an hour. If the
    // share that is used were carried over, each second in the small plan would free all of the
    // large one.
    let (small, large) = (quota(10, 1), quota(1000, 1000));
    let (mut state, mut passed) = (None, 0);
    for turn in 0..6 {
        passed += exhaust(&large, &mut state, START + turn * 2 * SECOND);
        passed += exhaust(&small, &mut state, START + turn * 2 * SECOND);
        passed += exhaust(&small, &mut state, START + turn * 2 * SECOND + SECOND);
    }
    // 1000 at once, and eleven seconds at ten a second at most.
    assert!((1000..=1000 + 11 * 10).contains(&passed), "{passed}");
}

#[test]
fn t6_clamping_on_a_downgrade_would_free_what_was_used() {
    let (small, large) = (quota(10, 1000), quota(1000, 1000));
    let mut state = None;
    assert_eq!(exhaust(&large, &mut state, START), 1000);
    assert_eq!(exhaust(&small, &mut state, START), 0);
    assert_eq!(exhaust(&large, &mut state, START), 0);
}

#[test]
fn t6_a_fresh_bucket_at_each_flip_would_be_unbounded() {
    let (one, other) = (quota(100, 60), quota(90, 60));
    let (mut state, mut passed) = (None, 0);
    for _ in 0..100 {
        passed += exhaust(&one, &mut state, START) + exhaust(&other, &mut state, START);
    }
    assert_eq!(passed, 100);
}

#[test]
fn t6_an_upgrade_takes_effect_at_once() {
    let (small, large) = (
        access(7, &quota(10, 3600).into()),
        access(7, &quota(1000, 3600).into()),
    );
    let throttle = throttle(10, 10);
    throttle.check_cost(&small, AI, 10, at(START)).unwrap();
    throttle.check(&small, AI, at(START)).unwrap_err();
    assert_eq!(
        throttle.check(&large, AI, at(START)).unwrap().remaining(),
        Some(989)
    );
    // And the state of the large plan is no corrupt one to the small plan.
    throttle.check_cost(&large, AI, 989, at(START)).unwrap();
    throttle.check(&small, AI, at(START)).unwrap_err();
    throttle.check(&large, AI, at(START)).unwrap_err();
}

#[test]
fn t6_repricing_keeps_the_cells() {
    let (slow, fast) = (quota(1, 3), quota(1, 1));
    let state = GcraState::from_parts(START + 10, slow.interval_nanos());
    // Ten nanoseconds of three seconds a cell are 3.33 of one second a cell, rounded up.
    let repriced = gcra::reprice(&Limits::default(), &fast, state, at(START));
    assert_eq!(
        repriced,
        GcraState::from_parts(START + 4, fast.interval_nanos())
    );
    assert_eq!(
        gcra::reprice(&Limits::default(), &fast, repriced, at(START)),
        repriced
    );
}

#[test]
fn t6_usage_is_carried_between_sets_of_other_periods() {
    let (second, hour, day) = (quota(10, 1), quota(40, 3600), quota(1000, 86_400));
    let states = GcraStates::from_parts([(
        86_400,
        GcraState::from_parts(START + DAY, day.interval_nanos()),
    )])
    .unwrap();
    let remaining = |quotas: &[Quota], states: &GcraStates| {
        let decisions =
            gcra::decide_all(&Limits::default(), &set(quotas), Some(states), at(START), 0);
        let left: Vec<u32> = decisions
            .iter()
            .map(|decision| decision.remaining())
            .collect();
        (left, *decisions.states())
    };
    // The day's usage goes over to the hour, and back.
    let (left, moved) = remaining(&[hour], &states);
    assert_eq!(left, [0]);
    assert_eq!(remaining(&[day], &moved).0, [0]);
    // A quota that is left out for a while is not forgotten.
    assert_eq!(remaining(&[second, day], &states).0, [10, 0]);
    let used = gcra::decide_all(
        &Limits::default(),
        &set(&[second, day]),
        Some(
            &GcraStates::from_parts([(
                86_400,
                GcraState::from_parts(START + DAY / 2, day.interval_nanos()),
            )])
            .unwrap(),
        ),
        at(START),
        4,
    );
    let (left, kept) = remaining(&[second], used.states());
    assert_eq!(left, [6]);
    assert_eq!(remaining(&[second, day], &kept).0, [6, 496]);
    // Wherever the state lies, it is found.
    let (ten, minute) = (quota(5, 10), quota(5, 60));
    let states = GcraStates::from_parts([(
        10,
        GcraState::from_parts(START + 10 * SECOND, ten.interval_nanos()),
    )])
    .unwrap();
    let (left, states) = remaining(&[second, ten], &states);
    assert_eq!(left, [10, 0]);
    assert_eq!(remaining(&[minute], &states).0, [0]);
}

// T7: all or none.

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t7_quotas_are_charged_all_or_none(quotas in any_set(), requests in any_requests()) {
        let (mut now, mut states) = (START, GcraStates::default());
        let mut single: Vec<Option<GcraState>> = vec![None; quotas.as_slice().len()];
        for (pause, cost, _) in requests {
            now += pause;
            let decisions = gcra::decide_all(&Limits::default(), &quotas, Some(&states), at(now), cost);
            let alone: Vec<gcra::Decision> = quotas.as_slice().iter().zip(&single)
                .map(|(quota, state)| gcra::decide(quota, *state, at(now), cost))
                .collect();
            let verdicts: Vec<Verdict> = decisions.iter().map(|decision| decision.verdict()).collect();
            prop_assert_eq!(&verdicts, &alone.iter().map(gcra::Decision::verdict).collect::<Vec<_>>());
            let all = alone.iter().all(gcra::Decision::is_allowed);
            prop_assert_eq!(decisions.is_allowed(), all);
            prop_assert_eq!(decisions.must_store(), all);
            if all {
                single = alone.iter().map(|decision| Some(decision.state())).collect();
            }
            states = *decisions.states();
            let stored: Vec<(u32, GcraState)> = states.iter().collect();
            let expected: Vec<(u32, GcraState)> =
                quotas.as_slice().iter().zip(&single).filter_map(|(quota, state)| Some((quota.seconds(), (*state)?))).collect();
            prop_assert_eq!(stored, expected);
            let never = alone.iter().any(|decision| decision.verdict() == Verdict::CostExceedsBurst);
            let latest = alone.iter().filter_map(gcra::Decision::retry_at).max();
            prop_assert_eq!(decisions.retry_at(), if never { None } else { latest });
        }
    }

    #[test]
    fn t7_states_go_through_a_store_unchanged(quotas in any_set(), cost in 1_u32..10) {
        let decisions = gcra::decide_all(&Limits::default(), &quotas, None, at(START), cost);
        let text = serde_json::to_string(decisions.states()).unwrap();
        prop_assert_eq!(serde_json::from_str::<GcraStates>(&text).unwrap(), *decisions.states());
        prop_assert_eq!(GcraStates::from_parts(decisions.states().iter()).unwrap(), *decisions.states());
    }
}

#[test]
fn t7_states_from_a_store_are_checked() {
    let state = GcraState::from_parts(0, 1);
    assert!(GcraStates::from_parts((1..=5).map(|seconds| (seconds, state))).is_err());
    assert!(GcraStates::from_parts([(1, state), (1, state)]).is_err());
    assert!(GcraStates::from_parts([(0, state)]).is_err());
    assert!(serde_json::from_str::<GcraStates>(r#"[{"seconds":0,"tat":1,"t":1}]"#).is_err());
    assert!(serde_json::from_str::<GcraStates>(r#"[{"seconds":1,"tat":1,"t":1,"x":1}]"#).is_err());
}

// T8: no bypass.

#[test]
fn t8_no_credential_or_privilege_changes_a_decision() {
    let quotas = set(&[quota(3, 1), quota(5, 60)]);
    let tenant = tenant(7, &quotas);
    let everything: Privileges = Privilege::ALL.into_iter().collect();
    let principals = [
        Principal::session(1.into()),
        Principal::jwt(2.into()),
        Principal::api_key(3.into()),
        Principal::api_key(4.into()).bound_to_sites([SiteId::from(12)]),
        Principal::session(1.into()).with_privileges(everything),
    ];
    let accesses = principals.map(|who| {
        validate_account_and_plan(&who.of_account(7.into()), Some(&tenant), at(START)).unwrap()
    });
    let course = |throttle: &Throttle, accesses: &mut dyn Iterator<Item = &Access>| -> Vec<_> {
        let times = (0..12).map(|step| at(START + step * SECOND / 4));
        times
            .zip(accesses)
            .map(|(now, access)| {
                throttle
                    .check(access, AI, now)
                    .map(|passage| passage.headers())
            })
            .collect()
    };
    let expected = course(&throttle(9, 9), &mut std::iter::repeat(&accesses[0]));
    assert_eq!(expected.iter().filter(|answer| answer.is_ok()).count(), 5);
    for access in &accesses {
        assert_eq!(
            course(&throttle(9, 9), &mut std::iter::repeat(access)),
            expected
        );
    }
    // They share one bucket, too.
    assert_eq!(
        course(&throttle(9, 9), &mut accesses.iter().cycle()),
        expected
    );
}

#[test]
fn t8_only_a_development_policy_bypasses() {
    let load = |json| Policy::load(serde_json::from_str::<PolicySettings>(json).unwrap());
    assert!(Policy::default().bypass_throttle("load test").is_none());
    assert!(
        load(r#"{ "development": true }"#)
            .unwrap()
            .bypass_throttle("load test")
            .is_none()
    );
    assert!(load(r#"{ "throttle_bypass": true }"#).is_err());
    let policy = load(r#"{ "development": true, "throttle_bypass": true }"#).unwrap();
    assert!(policy.bypass_throttle(" ").is_none(), "without a reason");

    let (throttle, access) = (throttle(9, 9), access(7, &quota(1, 60).into()));
    let passage = throttle.bypass(&policy.bypass_throttle("load test").unwrap());
    assert_eq!(
        (passage.bypass_reason(), passage.remaining()),
        (Some("load test"), None)
    );
    assert!(passage.headers().is_empty());
    let passage = throttle.check(&access, AI, at(START)).unwrap();
    assert_eq!(passage.bypass_reason(), None);
    throttle.check(&access, AI, at(START)).unwrap_err();
}

#[test]
fn t8_the_access_must_hold_and_the_plan_name_the_scope() {
    let throttle = throttle(9, 9);
    let mut tenant = tenant(7, &quota(1, 60).into());
    let code = |result: Result<_, Throttled>| {
        Problem::from(
            result
                .map(|_: bailiwick::throttle::Passage| ())
                .unwrap_err(),
        )
        .code()
    };
    let other = throttle.check(
        &access(7, &quota(1, 60).into()),
        throttle_scope!("other"),
        at(START),
    );
    assert_eq!(code(other), Code::QuotaMissing);

    let mut plan = (**tenant.plan.as_ref().unwrap()).clone();
    plan.needs_subscription = true;
    tenant.plan = Some(Arc::new(plan));
    tenant.subscription = Some(Subscription {
        id: 1.into(),
        account: 7.into(),
        plan: 1.into(),
        status: SubscriptionStatus::Active,
        anchor: at(START - DAY),
        current_period: Some(Period {
            start: at(START - DAY),
            end: at(START + DAY),
        }),
        free_period: false,
        trial_end: None,
        cancel_at_period_end: false,
        ends_at: None,
        pending_plan: None,
        unpaid_plan: None,
        past_due_since: None,
        payment_method: PaymentMethod::BankTransfer,
        stripe_subscription_id: None,
        paypal_subscription_id: None,
        external_payment_id: None,
        provider_at: None,
        provider_paid: None,
        paid_until: None,
        version: 1,
    });
    let principal = Principal::session(1.into()).of_account(7.into());
    let access = validate_account_and_plan(&principal, Some(&tenant), at(START)).unwrap();
    throttle.check(&access, AI, at(START + DAY - 1)).unwrap();
    assert_eq!(
        code(throttle.check(&access, AI, at(START + DAY))),
        Code::AccessExpired
    );
}

// T9: when to come back.

/// The members of a list of RFC 9651, each a string with integer parameters.
fn parse_list(text: &str) -> Vec<(String, HashMap<String, u64>)> {
    let list: List = Parser::new(text).parse().unwrap();
    let members = list.into_iter().map(|member| {
        let ListEntry::Item(item) = member else {
            panic!("an inner list: {text}")
        };
        let parameter = |(key, value): (Key, BareItem)| {
            (
                key.as_str().to_owned(),
                u64::try_from(i64::from(value.as_integer().unwrap())).unwrap(),
            )
        };
        (
            item.bare_item.as_string().unwrap().as_str().to_owned(),
            item.params.into_iter().map(parameter).collect(),
        )
    });
    members.collect()
}

fn header<'a>(headers: &'a [(&'static str, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(own, _)| *own == name)
        .map(|(_, value)| value.as_str())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t9_retry_after_is_sound_and_minimal(quota in any_quota(), t in 1..10 * SECOND, ahead in 0..2 * DAY, cost in 1_u32..300, now in START..START + SECOND) {
        let limits = within(100_000, 0);
        let stored = GcraState::from_parts(now + ahead, t);
        let decision = gcra::decide_within(&limits, &quota, Some(stored), at(now), cost);
        let state = if decision.must_store() { decision.state() } else { stored };
        let retry = |now: i64| gcra::decide_within(&limits, &quota, Some(state), at(now), cost).is_allowed();
        match decision.verdict() {
            Verdict::CostExceedsBurst => prop_assert_eq!((decision.retry_at(), decision.retry_after_seconds()), (None, None)),
            Verdict::Allowed => prop_assert_eq!((decision.retry_at(), decision.retry_after_seconds()), (None, None)),
            Verdict::Exceeded => {
                let seconds = i64::try_from(decision.retry_after_seconds().unwrap()).unwrap();
                prop_assert!(seconds >= 1);
                prop_assert!(retry(now + seconds * SECOND));
                prop_assert!(!retry(now + (seconds - 1) * SECOND));
                let exactly = decision.retry_at().unwrap().timestamp_nanos_opt().unwrap();
                prop_assert!(retry(exactly) && !retry(exactly - 1));
            }
        }
    }

    #[test]
    fn t9_what_remains_passes_and_one_more_does_not(quota in any_quota(), ahead in 0..DAY, now in START..START + SECOND) {
        let state = Some(GcraState::from_parts(now + ahead, quota.interval_nanos()));
        let limits = within(u32::MAX, 0);
        let allowed = |now: DateTime<Utc>, cost| gcra::decide_within(&limits, &quota, state, now, cost).is_allowed();
        let peek = gcra::decide_within(&limits, &quota, state, at(now), 0);
        let left = peek.remaining();
        prop_assert!(!peek.must_store());
        prop_assert!(left == 0 || allowed(at(now), left));
        prop_assert!(!allowed(at(now), left + 1));
        match peek.next_at() {
            Some(next) => prop_assert!(allowed(next, left + 1) && !allowed(next - TimeDelta::nanoseconds(1), left + 1)),
            None => prop_assert_eq!(left, quota.burst()),
        }
        prop_assert!(allowed(peek.reset_at(), quota.burst()));
    }

    #[test]
    fn t9_headers_parse_and_agree(quotas in any_set(), requests in any_requests()) {
        let (throttle, access) = (throttle(9, 9), access(7, &quotas));
        let mut now = START;
        for (pause, cost, _) in requests {
            now += pause;
            let (headers, is_refused) = match throttle.check_cost(&access, AI, cost, at(now)) {
                Ok(passage) => (passage.headers(), false),
                Err(Throttled::QuotaExceeded(exceeded)) => (exceeded.headers(), true),
                Err(other) => {
                    prop_assert_eq!(bailiwick::problem::Explained::code(&other), Code::CostExceedsBurst);
                    prop_assert!(Problem::from(other).headers().is_empty());
                    continue;
                }
            };
            let policies = parse_list(header(&headers, "RateLimit-Policy").unwrap());
            let limits = parse_list(header(&headers, "RateLimit").unwrap());
            let retry_after: Option<u64> = header(&headers, "Retry-After").map(|value| value.parse().unwrap());
            prop_assert_eq!(retry_after.is_some(), is_refused);
            prop_assert_eq!(policies.len(), quotas.as_slice().len());
            for ((policy, limit), quota) in policies.iter().zip(&limits).zip(quotas.as_slice()) {
                prop_assert_eq!(&policy.0, &limit.0);
                prop_assert_eq!(policy.1["q"], u64::from(quota.burst()));
                prop_assert!(policy.1["w"] >= 1 && limit.1["r"] <= policy.1["q"]);
                prop_assert!(retry_after.is_none_or(|retry| limit.1.get("t").is_none_or(|t| *t <= retry)));
            }
        }
    }

    #[test]
    fn t9_a_client_that_keeps_to_the_policy_is_never_refused(quota in any_quota()) {
        let (throttle, access) = (throttle(9, 9), access(7, &quota.into()));
        let mut now = START;
        for _ in 0..5 {
            let passage = throttle.check_cost(&access, AI, quota.burst(), at(now)).unwrap();
            let policy = parse_list(header(&passage.headers(), "RateLimit-Policy").unwrap());
            // An emission interval is rounded up to whole nanoseconds, which is too little for
            // seconds to tell.
            now += i64::try_from(policy[0].1["w"]).unwrap() * SECOND + i64::from(quota.burst());
        }
    }
}

#[test]
fn t9_the_headers_are_those_of_the_draft() {
    const BURST: ThrottleScope = throttle_scope!("burst");
    let (throttle, address) = (throttle(9, 9), IpAddr::from([192, 0, 2, 1]));
    let one = QuotaSet::from(quota(100, 60));
    for _ in 0..49 {
        throttle
            .check_address(address, BURST, &one, at(START))
            .unwrap();
    }
    let passage = throttle
        .check_address(address, BURST, &one, at(START))
        .unwrap();
    assert_eq!(
        passage.headers(),
        [
            ("RateLimit-Policy", r#""burst";q=100;w=60"#.to_owned()),
            // Sixty seconds for a hundred: one more in 0.6 seconds.
            ("RateLimit", r#""burst";r=50;t=1"#.to_owned()),
        ]
    );
    // A hundred at once, two a minute: one more in thirty seconds.
    let slow = QuotaSet::from(quota(2, 60).with_burst(51).unwrap());
    let passage = throttle
        .check_address([192, 0, 2, 2].into(), BURST, &slow, at(START))
        .unwrap();
    assert_eq!(
        passage.headers(),
        [
            ("RateLimit-Policy", r#""burst";q=51;w=1530"#.to_owned()),
            ("RateLimit", r#""burst";r=50;t=30"#.to_owned()),
        ]
    );
}

#[test]
fn t9_a_refusal_names_the_quotas_that_refuse() {
    let quotas = set(&[quota(2, 1), quota(1000, 86_400)]);
    let (throttle, access) = (throttle(9, 9), access(7, &quotas));
    throttle.check_cost(&access, AI, 2, at(START)).unwrap();
    let refusal = throttle.check(&access, AI, at(START)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the quota for ai is spent; try again in 1 second"
    );
    let problem = Problem::from(refusal);
    assert_eq!(
        (problem.status(), problem.code()),
        (429, Code::QuotaExceeded)
    );
    assert_eq!(
        problem.headers(),
        [
            (
                "RateLimit-Policy",
                r#""ai/1s";q=2;w=1,"ai/86400s";q=1000;w=86400"#.to_owned()
            ),
            (
                "RateLimit",
                r#""ai/1s";r=0;t=1,"ai/86400s";r=998"#.to_owned()
            ),
            ("Retry-After", "1".to_owned()),
        ]
    );
    let body = serde_json::to_value(&problem).unwrap();
    assert_eq!(
        body["type"],
        "https://iana.org/assignments/http-problem-types#quota-exceeded"
    );
    assert_eq!(body["violated-policies"], serde_json::json!(["ai/1s"]));
}

#[test]
fn t9_what_can_never_pass_says_so() {
    let quotas = set(&[quota(5, 1), quota(1000, 86_400)]);
    let (throttle, access) = (throttle(9, 9), access(7, &quotas));
    let refusal = throttle.check_cost(&access, AI, 6, at(START)).unwrap_err();
    assert_eq!(refusal, Throttled::CostExceedsBurst { cost: 6, burst: 5 });
    let problem = Problem::from(refusal);
    assert_eq!((problem.status(), problem.headers()), (422, &[][..]));
    assert_eq!(
        throttle.check(&access, AI, at(START)).unwrap().remaining(),
        Some(4),
        "nothing was charged"
    );
}

#[test]
fn t9_the_legacy_headers_tell_of_the_nearest_quota() {
    let throttle = throttle(9, 9).with_dialect(HeaderDialect::Legacy);
    let access = access(7, &set(&[quota(2, 1), quota(3, 3600)]));
    let legacy = |limit: &str, remaining: &str, reset: i64| {
        let reset = (START / SECOND + reset).to_string();
        [
            ("X-RateLimit-Limit", limit),
            ("X-RateLimit-Remaining", remaining),
            ("X-RateLimit-Reset", &reset),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
    };
    assert_eq!(
        throttle.check(&access, AI, at(START)).unwrap().headers(),
        legacy("2", "1", 1)
    );
    let passage = throttle
        .check_cost(&access, AI, 2, at(START + SECOND))
        .unwrap();
    assert_eq!(passage.headers(), legacy("2", "0", 2));
    let problem = Problem::from(
        throttle
            .check(&access, AI, at(START + 2 * SECOND))
            .unwrap_err(),
    );
    let mut expected = legacy("3", "0", 3600);
    expected.push(("Retry-After", "1198".to_owned()));
    assert_eq!(problem.headers(), expected);
}

#[test]
fn t9_no_request_is_free() {
    let (throttle, access) = (throttle(9, 9), access(7, &quota(2, 60).into()));
    assert_eq!(
        throttle
            .check_cost(&access, AI, 0, at(START))
            .unwrap()
            .remaining(),
        Some(1)
    );
}

// T10: bounded memory.

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t10_only_drained_keys_give_way(
        quota in any_quota(), room in 0_u32..6, requests in proptest::collection::vec((0_i64..9, 0..20 * SECOND, 1_u32..20), 1..200),
    ) {
        let throttle = throttle(room, 0);
        let quotas = QuotaSet::from(quota);
        let accesses: Vec<Access> = (0..9).map(|account| access(account, &quotas)).collect();
        // The oracle forgets nothing.
        let mut all: HashMap<i64, GcraState> = HashMap::new();
        let mut now = START;
        for (account, pause, cost) in requests {
            now += pause;
            let expected = gcra::decide(&quota, all.get(&account).copied(), at(now), cost);
            match throttle.check_cost(&accesses[usize::try_from(account).unwrap()], AI, cost, at(now)) {
                Err(Throttled::Full) => {
                    let busy = all.iter().filter(|(other, state)| **other != account && state.tat_nanos() > now - SECOND).count();
                    prop_assert!(busy >= usize::try_from(room).unwrap(), "turned away although there was room");
                    continue;
                }
                answer => {
                    let verdict = match &answer {
                        Ok(_) => Verdict::Allowed,
                        Err(Throttled::QuotaExceeded(exceeded)) => {
                            prop_assert_eq!(Some(exceeded.retry_at()), expected.retry_at());
                            Verdict::Exceeded
                        }
                        Err(_) => Verdict::CostExceedsBurst,
                    };
                    prop_assert_eq!(verdict, expected.verdict());
                }
            }
            if expected.must_store() {
                all.insert(account, expected.state());
            }
            prop_assert!(throttle.tracked_accounts() <= usize::try_from(room).unwrap());
        }
    }
}

#[test]
fn t10_memory_is_bounded_under_chosen_addresses() {
    let (throttle, quotas) = (throttle(2000, 2000), QuotaSet::from(quota(5, 60)));
    let mut full = 0;
    for chosen in 0..20_000_u128 {
        let address = Ipv6Addr::from_bits(chosen << 64).into();
        match throttle.check_address(address, AI, &quotas, at(START)) {
            Ok(_) => {}
            Err(refusal) => {
                assert_eq!(refusal, Throttled::Full);
                full += 1;
            }
        }
    }
    assert!(throttle.tracked_addresses() <= 2000 && full >= 18_000);
    assert_eq!(throttle.tracked_accounts(), 0);
    // Accounts have a room of their own.
    throttle.check(&access(7, &quotas), AI, at(START)).unwrap();
    // Who is being tracked is still decided, and the room is free again when they have drained.
    let problem = Problem::from(Throttled::Full);
    assert_eq!(
        (problem.status(), problem.code()),
        (503, Code::ThrottleFull)
    );
    let later = at(START + 14 * SECOND);
    throttle
        .check_address(Ipv6Addr::from_bits(u128::MAX).into(), AI, &quotas, later)
        .unwrap();
}

#[test]
fn t10_a_key_that_is_held_is_decided_when_full() {
    let (throttle, quotas) = (throttle(1, 1), QuotaSet::from(quota(2, 60)));
    let (one, other) = (access(1, &quotas), access(2, &quotas));
    throttle.check(&one, AI, at(START)).unwrap();
    assert_eq!(
        throttle.check(&other, AI, at(START)).unwrap_err(),
        Throttled::Full
    );
    throttle.check(&one, AI, at(START)).unwrap();
    assert!(matches!(
        throttle.check(&one, AI, at(START)),
        Err(Throttled::QuotaExceeded(_))
    ));
}

#[test]
fn t10_a_key_gives_way_once_it_is_drained_on_every_clock() {
    let (throttle, quotas) = (throttle(1, 1), QuotaSet::from(quota(2, 60)));
    let (one, other) = (access(1, &quotas), access(2, &quotas));
    throttle.check(&one, AI, at(START)).unwrap();
    // Drained after thirty seconds, and one more for clocks that are behind.
    let drained = START + 31 * SECOND;
    assert_eq!(
        throttle.check(&other, AI, at(drained - 1)).unwrap_err(),
        Throttled::Full
    );
    throttle.check(&other, AI, at(drained)).unwrap();
    assert_eq!(throttle.tracked_accounts(), 1);
}

#[test]
fn t10_a_clock_that_ran_ahead_does_not_fill_the_room_for_good() {
    let (throttle, quotas) = (throttle(1, 1), QuotaSet::from(quota(2, 60)));
    let (one, other) = (access(1, &quotas), access(2, &quotas));
    throttle.check(&one, AI, at(START + 3650 * DAY)).unwrap();
    assert_eq!(
        throttle.check(&other, AI, at(START)).unwrap_err(),
        Throttled::Full
    );
    throttle.check(&other, AI, at(START + 61 * SECOND)).unwrap();
}

// Threads.

#[test]
fn t3_threads_that_hammer_one_key_share_its_burst() {
    fn shareable<T: Send + Sync + 'static>() {}
    shareable::<Throttle>();
    let (throttle, access) = (
        throttle(1000, 0),
        access(7, &set(&[quota(500, 1), quota(700, 60)])),
    );
    let passed = AtomicU32::new(0);
    let hammer = |milliseconds: i64| {
        for _ in 0..1000 {
            let cells = u32::from(
                throttle
                    .check(&access, AI, at(START + milliseconds * SECOND / 1000))
                    .is_ok(),
            );
            passed.fetch_add(cells, Ordering::Relaxed);
        }
    };
    std::thread::scope(|threads| (0..16).for_each(|_| drop(threads.spawn(|| hammer(0)))));
    assert_eq!(passed.swap(0, Ordering::Relaxed), 500);
    // Then the 200 that the minute has left, and what drains from it within half a second.
    std::thread::scope(|threads| {
        for thread in 0..16 {
            let hammer = &hammer;
            threads.spawn(move || hammer(thread * 30));
        }
    });
    assert!((200..=205).contains(&passed.load(Ordering::Relaxed)));
}

#[test]
fn t3_threads_that_bring_new_keys_share_each_burst() {
    let (throttle, quotas) = (throttle(4000, 0), QuotaSet::from(quota(3, 60)));
    let accesses: Vec<Access> = (0..500).map(|account| access(account, &quotas)).collect();
    let passed = AtomicU32::new(0);
    std::thread::scope(|threads| {
        for _ in 0..16 {
            threads.spawn(|| {
                let cells = accesses
                    .iter()
                    .filter(|access| throttle.check(access, AI, at(START)).is_ok())
                    .count();
                passed.fetch_add(u32::try_from(cells).unwrap(), Ordering::Relaxed);
            });
        }
    });
    assert_eq!(passed.into_inner(), 3 * 500);
}
