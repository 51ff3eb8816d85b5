//! Any course of requests under any quota: the decisions are governor's (T4), no window lets more
//! through than the quota says (T3), a refusal names the instant at which the same request passes
//! (T9); and from any stored state, by any clock, nothing panics and nothing blocks for longer than
//! a burst and the skew (T5).
#![no_main]

use std::num::NonZeroU32;
use std::time::Duration;

use arbitrary::Arbitrary;
use bailiwick::Quota;
use bailiwick::throttle::gcra::{self, GcraState, Limits, Verdict};
use chrono::{DateTime, TimeDelta};
use governor::RateLimiter;
use governor::clock::FakeRelativeClock;
use libfuzzer_sys::fuzz_target;

const START: i64 = 1_767_225_600_000_000_000;

#[derive(Arbitrary, Debug)]
struct Input {
    cells: u32,
    seconds: u32,
    burst: u32,
    requests: Vec<(u32, u8, u32)>,
    stored: (i64, i64),
    now: i64,
    cost: u32,
}

fuzz_target!(|input: Input| {
    let quota =
        Quota::new(input.cells, input.seconds).and_then(|quota| quota.with_burst(input.burst));
    let Ok(quota) = quota else { return };
    course(&quota, &input.requests);
    any_state(&quota, input.stored, input.now, input.cost);
});

fn course(quota: &Quota, requests: &[(u32, u8, u32)]) {
    // Governor counts in 64 bits from its own start, so that a slow quota and a long course would
    // leave its range.
    let clock = FakeRelativeClock::default();
    let theirs = RateLimiter::direct_with_clock(governor::Quota::from(quota), clock.clone());
    let (mut now, mut state, mut passed) = (START, None, Vec::new());
    for (pause, scale, cost) in requests.iter().take(100) {
        let pause = i64::from(*pause) << (scale % 24);
        let cost = cost % 64;
        now += pause;
        clock.advance(Duration::from_nanos(pause.unsigned_abs()));
        let ours = gcra::decide(quota, state, DateTime::from_timestamp_nanos(now), cost);
        if let Some(cost) = NonZeroU32::new(cost) {
            let answer = theirs.check_n(cost);
            assert_eq!(
                ours.is_allowed(),
                matches!(answer, Ok(Ok(()))),
                "{quota:?} {ours:?} {answer:?}"
            );
            assert_eq!(ours.verdict() == Verdict::CostExceedsBurst, answer.is_err());
        }
        if let Some(retry_at) = ours.retry_at() {
            let again = |at| gcra::decide(quota, Some(ours.state()), at, cost).is_allowed();
            assert!(again(retry_at) && !again(retry_at - TimeDelta::nanoseconds(1)));
        }
        if ours.must_store() {
            state = Some(ours.state());
        }
        if ours.is_allowed() {
            passed.push((now, i128::from(cost)));
        }
    }
    for (first, (start, _)) in passed.iter().enumerate() {
        let mut sum = 0;
        for (end, cost) in &passed[first..] {
            sum += cost;
            let bound = i128::from(quota.burst())
                + i128::from(end - start) / i128::from(quota.interval_nanos());
            assert!(
                sum <= bound,
                "{sum} in {} ns, of {bound}: {quota:?}",
                end - start
            );
        }
    }
}

fn any_state(quota: &Quota, (tat, t): (i64, i64), now: i64, cost: u32) {
    // Within the years that nanoseconds reach; what is beyond them is taken as their end.
    let now = DateTime::from_timestamp_nanos(now % 8_000_000_000_000_000_000);
    let limits = Limits::default().with_largest_burst(quota.burst());
    let decision = gcra::decide_within(
        &limits,
        quota,
        Some(GcraState::from_parts(tat, t)),
        now,
        cost,
    );
    let _ = (
        decision.reset_at(),
        decision.next_at(),
        decision.remaining(),
        decision.retry_after_seconds(),
    );
    // What blocks is the burst at the stored interval, or at the quota's own, whichever is longer.
    let longest = i128::from(
        quota
            .interval_nanos()
            .max(t.clamp(1, 400 * 86_400 * 1_000_000_000)),
    );
    let bound = longest * i128::from(quota.burst()) + 1_000_000_000 + longest;
    if let Some(retry_at) = decision.retry_at() {
        let wait = retry_at
            .signed_duration_since(now)
            .num_nanoseconds()
            .map_or(i128::MAX, i128::from);
        assert!(wait <= bound, "{wait} of {bound}");
    }
}
