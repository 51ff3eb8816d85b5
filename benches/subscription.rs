//! The transition table against a bare array, and a whole command against the same written by hand.

#[path = "../tests/model/paid_time.rs"]
#[allow(dead_code, reason = "the year tells it all, and only its tests ask")]
mod paid_time_model;
#[path = "../tests/billing/year.rs"]
mod year;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::subscription::{Command, CommandKind, RecordedPayment, SubscriptionStatus};
use bailiwick::{Subscription, transition};
use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BatchSize, Criterion, Throughput, criterion_group};

/// Counts allocations, so that "no allocation" is a number.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations<T>(run: impl FnOnce() -> T) -> u64 {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    black_box(run());
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

const STATUSES: usize = SubscriptionStatus::ALL.len();
const COMMANDS: usize = CommandKind::ALL.len();

/// The table as a bare array of bytes: 255 is a refusal.
fn bare() -> [[u8; STATUSES]; COMMANDS] {
    let mut table = [[255; STATUSES]; COMMANDS];
    for (row, &command) in table.iter_mut().zip(CommandKind::ALL) {
        for (cell, status) in row.iter_mut().zip(SubscriptionStatus::ALL) {
            if let Ok(next) = transition(status, command) {
                *cell = SubscriptionStatus::ALL
                    .iter()
                    .position(|status| *status == next)
                    .unwrap_or(0) as u8;
            }
        }
    }
    table
}

/// A fixed sequence of cells in no order that a processor could learn.
fn cells() -> Vec<(usize, usize)> {
    let mut seed = 7u64;
    let mut next = |most: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most
    };
    (0..1024)
        .map(|_| (next(STATUSES), next(COMMANDS)))
        .collect()
}

fn look_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("subscription: 1024 look-ups");
    let (table, places) = (bare(), cells());
    let pairs: Vec<(SubscriptionStatus, CommandKind)> = places
        .iter()
        .map(|&(status, command)| (SubscriptionStatus::ALL[status], CommandKind::ALL[command]))
        .collect();
    group.bench_function("bare array", |bencher| {
        bencher.iter(|| {
            for &(status, command) in black_box(&places) {
                black_box(black_box(&table)[command][status]);
            }
        });
    });
    group.bench_function("transition", |bencher| {
        bencher.iter(|| {
            for &(status, command) in black_box(&pairs) {
                let _ = black_box(transition(status, command));
            }
        });
    });
    group.finish();
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_769_860_800, 0).unwrap_or_default()
}

fn payment() -> RecordedPayment {
    let slack = TimeDelta::try_days(3).unwrap_or_default();
    RecordedPayment {
        interval: Interval::MONTHLY,
        slack,
        method: PaymentMethod::BankTransfer,
        external_id: None,
    }
}

fn active() -> Subscription {
    let new = Subscription::new(
        1.into(),
        7.into(),
        3.into(),
        PaymentMethod::BankTransfer,
        now(),
    );
    match new.record_payment(payment(), now()) {
        Ok(transition) => transition.into_subscription(),
        Err(refusal) => unreachable!("{refusal}"),
    }
}

/// A failed payment with no checks at all.
fn fail_by_hand(
    mut subscription: Subscription,
    now: DateTime<Utc>,
) -> Option<(Subscription, DateTime<Utc>)> {
    if subscription.status != SubscriptionStatus::Active {
        return None;
    }
    subscription.status = SubscriptionStatus::PastDue;
    subscription.past_due_since = Some(now);
    subscription.version += 1;
    Some((subscription, now))
}

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("subscription: a command");
    let subscription = active();
    let late = now() + TimeDelta::try_days(28).unwrap_or_default();
    group.bench_function("fail payment by hand", |bencher| {
        bencher.iter_batched(
            || subscription.clone(),
            |subscription| fail_by_hand(subscription, black_box(late)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("fail payment", |bencher| {
        bencher.iter_batched(
            || subscription.clone(),
            |subscription| subscription.apply(Command::FailPayment, black_box(late)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("record payment", |bencher| {
        bencher.iter_batched(
            || (subscription.clone(), payment()),
            |(subscription, payment)| subscription.record_payment(payment, black_box(late)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// The year of `tests/simulated_year.rs`, each account with its rows in memory: what happens in a
/// second.
fn simulated_year(criterion: &mut Criterion) {
    const ACCOUNTS: usize = 1_000;
    let happenings = year::story(7, ACCOUNTS);
    let mut group = criterion.benchmark_group("subscription: a simulated year");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(happenings.len() as u64));
    group.bench_function(
        format!("{} events of {ACCOUNTS} accounts", happenings.len()),
        |bencher| {
            bencher.iter(|| year::play(ACCOUNTS, black_box(&happenings), &[]));
        },
    );
    group.finish();
}

criterion_group!(benches, look_up, apply, simulated_year);

fn main() {
    let (subscription, again) = (active(), active());
    println!(
        "allocations of a look-up: {}",
        allocations(|| transition(SubscriptionStatus::Active, CommandKind::Pause))
    );
    println!(
        "allocations of a failed payment: {}",
        allocations(|| subscription.apply(Command::FailPayment, now()))
    );
    println!(
        "allocations of a recorded payment: {}",
        allocations(|| again.record_payment(payment(), now()))
    );
    benches();
    Criterion::default().configure_from_args().final_summary();
}
