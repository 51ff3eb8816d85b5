//! `validate_account_and_plan` beside Cedar and Casbin, asked the same question with the same
//! facts.

use std::hint::black_box;
use std::time::Duration;

use bailiwick::Policy;
use bailiwick::policy::PolicySettings;
use bailiwick_peers::{Facts, SLACK, casbin, cedar, instant, paid};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const NOW: i32 = 10;

fn gate(criterion: &mut Criterion) {
    let settings = PolicySettings {
        renewal_slack_seconds: SLACK.unsigned_abs(),
        ..Default::default()
    };
    let policy = Policy::load(settings).unwrap();
    let (cedar, attributes) = (cedar::Engine::new(), casbin::Engine::attributes());
    let mut group = criterion.benchmark_group("gate");
    group
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    for tenants in [1_u32, 100, 10_000] {
        let all: Vec<Facts> = (1..=i64::from(tenants)).map(paid).collect();
        let everyone = cedar.entities(&all);
        let domains = casbin::Engine::domains(tenants.into());
        let (first, middle) = (&all[0], &all[all.len() / 2]);
        for (place, facts) in if tenants == 1 {
            vec![("first", first)]
        } else {
            vec![("first", first), ("middle", middle)]
        } {
            let id = |engine: &str| BenchmarkId::new(format!("{engine}, {place}"), tenants);
            let (principal, tenant, now) =
                (&facts.principal, Some(&facts.tenant), instant(NOW.into()));
            let (request, own, row) = (
                cedar.request(facts, NOW.into()),
                cedar.entities([facts]),
                casbin::Row::new(facts),
            );
            // Nothing is measured that was not the right answer.
            assert!(
                policy
                    .validate_account_and_plan(principal, tenant, now)
                    .is_ok()
            );
            assert!(cedar.decide(&request, &own) && cedar.decide(&request, &everyone));
            assert!(domains.decide(&row, NOW) && attributes.decide(&row, NOW));

            group.bench_function(id("bailiwick"), |bencher| {
                bencher.iter(|| {
                    let policy = black_box(&policy);
                    policy.validate_account_and_plan(
                        black_box(principal),
                        black_box(tenant),
                        black_box(now),
                    )
                });
            });
            group.bench_function(id("cedar, all at hand"), |bencher| {
                bencher.iter(|| cedar.decide(black_box(&request), black_box(&own)));
            });
            group.bench_function(id("cedar, entities of all tenants at hand"), |bencher| {
                bencher.iter(|| cedar.decide(black_box(&request), black_box(&everyone)));
            });
            group.bench_function(id("cedar, request made"), |bencher| {
                bencher.iter(|| {
                    cedar.decide(
                        &cedar.request(black_box(facts), black_box(NOW.into())),
                        black_box(&own),
                    )
                });
            });
            group.bench_function(id("cedar, request and entities made"), |bencher| {
                bencher.iter(|| {
                    let facts = black_box(facts);
                    cedar.decide(
                        &cedar.request(facts, black_box(NOW.into())),
                        &cedar.entities([facts]),
                    )
                });
            });
            group.bench_function(id("casbin, attributes"), |bencher| {
                bencher.iter(|| attributes.decide(black_box(&row), black_box(NOW)));
            });
            group.bench_function(id("casbin, domains"), |bencher| {
                bencher.iter(|| domains.decide(black_box(&row), black_box(NOW)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, gate);
criterion_main!(benches);
