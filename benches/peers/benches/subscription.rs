//! The transition table beside state machines of others: the same table, the same sequence of
//! statuses and commands.

use std::hint::black_box;
use std::time::Duration;

use bailiwick::subscription::{CommandKind, SubscriptionStatus};
use bailiwick::transition;
use bailiwick_peers::machines::{rust_fsm_machine, sequence, statig_machine};
use criterion::{Criterion, criterion_group, criterion_main};

fn steps(criterion: &mut Criterion) {
    let sequence = sequence();
    let mut group = criterion.benchmark_group("subscription: 1024 steps");
    group
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));

    // The floor: an array of bytes, with the places worked out beforehand.
    let table: Vec<[u8; 8]> = CommandKind::ALL
        .iter()
        .map(|command| {
            SubscriptionStatus::ALL.map(|status| match transition(status, *command) {
                Ok(next) => SubscriptionStatus::ALL
                    .iter()
                    .position(|known| *known == next)
                    .unwrap() as u8,
                Err(_) => u8::MAX,
            })
        })
        .collect();
    let place = |(status, command): &(SubscriptionStatus, CommandKind)| {
        let row = CommandKind::ALL
            .iter()
            .position(|known| known == command)
            .unwrap();
        (
            row,
            SubscriptionStatus::ALL
                .iter()
                .position(|known| known == status)
                .unwrap(),
        )
    };
    let places: Vec<(usize, usize)> = sequence.iter().map(place).collect();
    group.bench_function("bare array", |bencher| {
        bencher.iter(|| {
            for &(row, column) in black_box(&places) {
                black_box(black_box(&table)[row][column]);
            }
        });
    });
    group.bench_function("bailiwick", |bencher| {
        bencher.iter(|| {
            for &(status, command) in black_box(&sequence) {
                let _ = black_box(transition(status, command));
            }
        });
    });
    let ready: Vec<_> = sequence
        .iter()
        .map(|(status, command)| {
            (
                rust_fsm_machine::state(*status).unwrap(),
                rust_fsm_machine::input(*command).unwrap(),
            )
        })
        .collect();
    group.bench_function("rust-fsm", |bencher| {
        bencher.iter(|| {
            for (state, input) in black_box(&ready) {
                black_box(rust_fsm_machine::step(*state, input));
            }
        });
    });
    let ready: Vec<_> = sequence
        .iter()
        .map(|(status, command)| (statig_machine::state(*status), *command))
        .collect();
    group.bench_function("statig", |bencher| {
        bencher.iter(|| {
            for (state, command) in black_box(&ready) {
                black_box(statig_machine::step(*state, *command));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
