//! The throttle beside governor, in process and as a service's middleware.

use std::hint::black_box;

use bailiwick::quota::QuotaSet;
use bailiwick_peers::service;
use bailiwick_peers::throttle::{
    Asking, Gate, Ours, START, Walk, clock, generous, generous_twice, text, theirs,
};
use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main,
};
use governor::RateLimiter;
use governor::clock::FakeRelativeClock;
use governor::middleware::StateInformationMiddleware;
use tower::Service;

const KEYS: u32 = 100_000;

/// So few requests that what the setup made is still in the nearest cache, as it is in a service,
/// and so many that looking at the clock before and after them does not count.
const BATCH: BatchSize = BatchSize::NumIterations(64);

/// Measures a check of the next request's key. The setup is the same for all: it takes a request
/// through the gate.
fn check(
    group: &mut BenchmarkGroup<'_, WallTime>,
    (name, time): (&str, &str),
    quotas: &QuotaSet,
    check: impl Fn(&Asking) -> bool,
) {
    let gate = Gate::new(quotas);
    group.bench_function(BenchmarkId::new(name, time), |bencher| {
        // Nothing is measured that was not the right answer, and no key is new.
        assert!((0..KEYS).all(|id| check(&gate.asking(id))));
        let mut walk = Walk::over(KEYS);
        bencher.iter_batched_ref(|| gate.asking(walk.step()), |asking| check(asking), BATCH);
    });
}

fn in_process(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("throttle check");
    let group = &mut group;
    let quota = generous();
    let (one, two) = (QuotaSet::from(quota), generous_twice());

    let (faked, own) = ("FakeRelativeClock", "its own clock");
    let limiter = theirs(&quota, FakeRelativeClock::default());
    check(group, ("governor, u64", faked), &one, |asking| {
        limiter.check_key(&u64::from(asking.id)).is_ok()
    });
    let limiter = RateLimiter::dashmap((&quota).into());
    check(group, ("governor, u64", own), &one, |asking| {
        limiter.check_key(&u64::from(asking.id)).is_ok()
    });
    // What our passage always has, the state that headers are made of, is an option there.
    let name = "governor, u64, with a snapshot";
    let limiter = theirs(&quota, FakeRelativeClock::default())
        .with_middleware::<StateInformationMiddleware>();
    check(group, (name, faked), &one, |asking| {
        limiter.check_key(&u64::from(asking.id)).is_ok()
    });
    let limiter =
        RateLimiter::dashmap((&quota).into()).with_middleware::<StateInformationMiddleware>();
    check(group, (name, own), &one, |asking| {
        limiter.check_key(&u64::from(asking.id)).is_ok()
    });
    let limiter = theirs(&quota, FakeRelativeClock::default());
    check(group, ("governor, formatted text", faked), &one, |asking| {
        limiter.check_key(&text(asking.id)).is_ok()
    });
    let limiter = RateLimiter::dashmap((&quota).into());
    check(group, ("governor, formatted text", own), &one, |asking| {
        limiter.check_key(&text(asking.id)).is_ok()
    });

    let (ready, read) = ("ready now", "Utc::now()");
    let now = || black_box(START);
    let ours = || Ours::new(KEYS, quota);
    let throttle = ours();
    check(group, ("bailiwick, addresses", ready), &one, |asking| {
        throttle.address(asking.id, now())
    });
    let throttle = ours();
    check(group, ("bailiwick, addresses", read), &one, |asking| {
        throttle.address(asking.id, clock())
    });
    let throttle = ours();
    check(group, ("bailiwick, accounts", ready), &one, |asking| {
        throttle.account(asking, now())
    });
    let throttle = ours();
    check(group, ("bailiwick, accounts", read), &one, |asking| {
        throttle.account(asking, clock())
    });
    let throttle = ours();
    check(
        group,
        ("bailiwick, accounts by key", ready),
        &one,
        |asking| throttle.key(asking.id, now()),
    );
    let throttle = ours();
    check(
        group,
        ("bailiwick, accounts by key", read),
        &one,
        |asking| throttle.key(asking.id, clock()),
    );
    let throttle = ours();
    check(
        group,
        ("bailiwick, accounts, two quotas", ready),
        &two,
        |asking| throttle.account(asking, now()),
    );
    let throttle = ours();
    check(
        group,
        ("bailiwick, accounts, two quotas", read),
        &two,
        |asking| throttle.account(asking, clock()),
    );
}

fn as_a_service(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("throttle service");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    // One of these starts a task of its own.
    let throttled = runtime.block_on(async { service::throttled(&generous(), KEYS) });
    let others = [
        ("no throttle", service::plain()),
        ("a middleware that does nothing", service::idle()),
        (
            "bailiwick, no headers",
            service::ours_without_headers(&generous(), KEYS),
        ),
        (
            "tower_governor, no headers",
            service::tower_governor_without_headers(&generous()),
        ),
    ];
    for (name, router) in others.into_iter().chain(throttled) {
        let mut service = router.into_service();
        // Nothing is refused, and no key is new.
        runtime.block_on(async {
            for id in 0..KEYS {
                assert!(
                    service
                        .call(service::request(id))
                        .await
                        .unwrap()
                        .status()
                        .is_success()
                );
            }
        });
        let mut walk = Walk::over(KEYS);
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter_batched(
                || service::request(walk.step()),
                |request| {
                    let response = service.call(request);
                    // The response is dropped here, so that its headers' end counts too.
                    async { response.await.unwrap().status() }
                },
                BATCH,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, in_process, as_a_service);
criterion_main!(benches);
