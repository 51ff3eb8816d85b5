//! A statement built in full, and one that was prepared, beside the same statement by hand in
//! sea-query and a formatted text.

mod statements;

use bailiwick::scope::Dialect;
use criterion::{Criterion, criterion_group, criterion_main};
use statements::*;

fn statements(criterion: &mut Criterion) {
    let site = site();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let recent = prepare_select(dialect);
        for (ours, theirs) in [
            (select(&site, dialect), select_by_hand(dialect)),
            (update(&site, dialect), update_by_hand(dialect)),
            (insert(&site, dialect), insert_by_hand(dialect)),
            (join(&site, dialect), join_by_hand(dialect)),
        ] {
            assert_eq!(
                ours.sql(),
                theirs.0,
                "both sides of the bench build the same text"
            );
        }
        assert_eq!(
            bind_select(&recent, &site),
            select(&site, dialect).into_parts()
        );
        let mut group = criterion.benchmark_group(format!("statement/{dialect:?}"));
        group.bench_function("select/by hand", |bencher| {
            bencher.iter(|| select_by_hand(dialect))
        });
        group.bench_function("select/scoped", |bencher| {
            bencher.iter(|| select(&site, dialect))
        });
        group.bench_function("select/prepared, owned", |bencher| {
            bencher.iter(|| bind_select(&recent, &site))
        });
        group.bench_function("select/prepared, borrowed", |bencher| {
            bencher.iter(|| lend_select(&recent, &site))
        });
        group.bench_function("select/formatted", |bencher| bencher.iter(select_by_format));
        group.bench_function("join/by hand", |bencher| {
            bencher.iter(|| join_by_hand(dialect))
        });
        group.bench_function("join/scoped", |bencher| {
            bencher.iter(|| join(&site, dialect))
        });
        group.bench_function("update/by hand", |bencher| {
            bencher.iter(|| update_by_hand(dialect))
        });
        group.bench_function("update/scoped", |bencher| {
            bencher.iter(|| update(&site, dialect))
        });
        group.bench_function("insert/by hand", |bencher| {
            bencher.iter(|| insert_by_hand(dialect))
        });
        group.bench_function("insert/scoped", |bencher| {
            bencher.iter(|| insert(&site, dialect))
        });
        group.finish();
    }
}

criterion_group!(benches, statements);
criterion_main!(benches);
