//! The throttles are compared only if they give the same answers.

use std::time::Duration;

use axum::http::StatusCode;
use bailiwick::Quota;
use bailiwick_peers::service;
use bailiwick_peers::throttle::{Gate, Ours, START, Walk, text, theirs};
use chrono::TimeDelta;
use governor::clock::FakeRelativeClock;
use tower::ServiceExt;

#[test]
fn bailiwick_and_governor_allow_and_deny_the_same() {
    let quota = Quota::new(6, 60).unwrap().with_burst(3).unwrap();
    let (gate, clock, mut now) = (
        Gate::new(&quota.into()),
        FakeRelativeClock::default(),
        START,
    );
    let (addresses, accounts, keys) = (
        Ours::new(10, quota),
        Ours::new(10, quota),
        Ours::new(10, quota),
    );
    let (by_number, by_text) = (theirs(&quota, clock.clone()), theirs(&quota, clock.clone()));
    let (mut walk, mut pauses, mut answers) = (Walk::over(5), Walk::over(4_000), [0, 0]);
    for step in 0..20_000 {
        let asking = gate.asking(walk.step());
        let id = asking.id;
        let expected = by_number.check_key(&u64::from(id)).is_ok();
        let all = [
            by_text.check_key(&text(id)).is_ok(),
            addresses.address(id, now),
            accounts.account(&asking, now),
            keys.key(id, now),
        ];
        assert_eq!(all, [expected; 4], "step {step}, key {id}");
        answers[usize::from(expected)] += 1;
        let pause = pauses.step();
        clock.advance(Duration::from_millis(pause.into()));
        now += TimeDelta::try_milliseconds(pause.into()).unwrap();
    }
    assert!(answers[0] > 1_000 && answers[1] > 1_000, "{answers:?}");
}

#[test]
fn every_service_passes_the_same_burst_and_tells_of_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        // One an hour: none comes back while this runs.
        let quota = Quota::new(1, 3_600).unwrap().with_burst(3).unwrap();
        for (name, router) in service::throttled(&quota, 10) {
            for id in [7, 8] {
                for request in 0..5 {
                    let response = router.clone().oneshot(service::request(id)).await.unwrap();
                    let expected = if request < 3 {
                        StatusCode::OK
                    } else {
                        StatusCode::TOO_MANY_REQUESTS
                    };
                    assert_eq!(response.status(), expected, "{name}, {id}, {request}");
                    let told = |header| response.headers().contains_key(header);
                    assert!(told("ratelimit") || told("x-ratelimit-remaining"), "{name}");
                }
            }
        }
    });
}
