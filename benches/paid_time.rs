//! The credits of paid time: a window's target of a schedule of ten spans, and a paid year that
//! reaches a wallet by one alignment, beside twelve monthly grants such as it took before.
//!
//! `cargo bench --bench paid_time`
#![allow(missing_docs)]

use std::hint::black_box;

use bailiwick::account::AccountStatus;
use bailiwick::change::Answer;
use bailiwick::credit::{AlignTerms, Cause, GrantTerms};
use bailiwick::gate::Operator;
use bailiwick::money::Currency;
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Schedule, Span};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::right::{Privilege, Privileges};
use bailiwick::{
    Account, Credits, Evidence, Money, Plan, Principal, Route, Tenant, Wallet, admit, chrono,
};
use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

/// The spans of the schedule: a plan that was changed nine times within a year.
const SPANS: i64 = 10;

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_798_761_600, 0).unwrap()
}

fn year() -> Period {
    Interval::YEARLY.period(start(), 0).unwrap()
}

fn plan() -> Plan {
    Plan {
        credits: Credits::whole(500),
        ..Plan::new(
            3.into(),
            Money::new(228.into(), Currency::EUR).unwrap(),
            Interval::YEARLY,
        )
    }
}

/// Returns what was paid: a year, and so many changes within it.
fn paid(spans: i64) -> PaidTime {
    let spans = (0..spans).map(|number| {
        let key = format!("invoice-{number}");
        let from = start() + TimeDelta::try_days(35 * number).unwrap();
        Fact::Span(Span {
            key: key.as_str().into(),
            payment: key.as_str().into(),
            period: BilledPeriod::Whole(year()),
            from,
            grid: Grid::of_plan(&plan()),
            amount: Credits::whole(500 + 100 * u32::try_from(number).unwrap()),
            made: from,
            received: from,
        })
    });
    let change = PaidTime::new(7.into(), 1.into()).record(spans).unwrap();

    change.unwrap().into_row()
}

fn schedule(spans: i64) -> Schedule {
    paid(spans).schedule()
}

fn targets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("paid time");
    let (time, schedule) = (paid(SPANS), schedule(SPANS));
    let windows = schedule.windows_begun(year().end);
    let slack = TimeDelta::zero();
    assert_eq!((windows.len(), schedule.pieces().len()), (12, 10));

    group.bench_function("target of a window, ten spans", |bencher| {
        let mut next = windows.iter().cycle();
        bencher.iter(|| {
            black_box(&schedule)
                .target(*next.next().unwrap(), slack)
                .unwrap()
        });
    });
    group.bench_function("all twelve targets, ten spans", |bencher| {
        bencher.iter(|| {
            let total = windows.iter().map(|window| {
                let target = black_box(&schedule).target(*window, slack).unwrap();
                target.amount.micros()
            });
            total.sum::<i64>()
        });
    });
    group.bench_function("schedule of ten spans", |bencher| {
        bencher.iter(|| black_box(&time).schedule());
    });
    group.finish();
}

/// Returns twelve months' credits as grants of an operator's, as hosts had them before.
fn months() -> Vec<(Cause, GrantTerms)> {
    let operator = operator();
    let grant = |number: u32| {
        let key = format!("month-{number}").parse().unwrap();
        let cause = Cause::promotion(&operator, &7.into(), &key).unwrap();
        let month = Interval::MONTHLY.period(start(), number).unwrap();
        (cause, GrantTerms::month(Credits::whole(500), month))
    };

    (0..12).map(grant).collect()
}

/// Returns an operator of another account.
fn operator() -> Operator {
    let privilege = Privilege::GrantCredits;
    let principal = Principal::session(2.into())
        .of_account(1.into())
        .with_privileges(Privileges::from_iter([privilege]));
    let staff = Account {
        privileges: Privileges::from_iter([privilege]),
        ..Account::new(1.into(), AccountStatus::Active, PaymentMethod::BankTransfer)
    };
    let tenant = Tenant {
        plan: Some(
            Plan {
                needs_subscription: false,
                ..plan()
            }
            .into(),
        ),
        ..Tenant::new(staff)
    };
    let evidence = Evidence::Verified(principal);
    let decision = admit(
        Route::Operator(privilege),
        &evidence,
        Some(&tenant),
        start(),
    );

    decision.into_result().unwrap().into_operator().unwrap()
}

fn grant_all(wallet: Wallet, due: &[(Cause, GrantTerms)]) -> Wallet {
    due.iter().fold(wallet, |wallet, (cause, terms)| {
        let answer = wallet.grant(cause, terms.clone(), None, start()).unwrap();
        let Answer::Fresh(change) = answer else {
            unreachable!("each key is new")
        };
        change.wallet().clone()
    })
}

/// A year reaches an empty wallet, and the wallet lives through it.
fn year_of_credits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a paid year");
    let due = months();
    let (schedule, terms) = (schedule(1), AlignTerms::new(TimeDelta::zero()));
    assert_eq!(due.len(), 12);
    let empty = || Wallet::open(7.into(), start());
    let align = |wallet: Wallet| {
        let change = wallet.align(&schedule, terms, start()).unwrap().unwrap();
        change.wallet().clone()
    };

    group.bench_function("twelve grants", |bencher| {
        bencher.iter_batched(
            empty,
            |wallet| grant_all(wallet, &due),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("one alignment", |bencher| {
        bencher.iter_batched(empty, align, BatchSize::SmallInput);
    });

    let wallets = [
        ("granted", grant_all(empty(), &due)),
        ("aligned", align(empty())),
    ];
    let end = year().end;
    for (name, wallet) in &wallets {
        let balance = wallet.balance_at(end).unwrap();
        assert_eq!(balance.expired, Credits::whole(12 * 500));
        let row = serde_json::to_string(wallet).unwrap();
        println!("a row, {name}: {} bytes", row.len());

        group.bench_function(format!("row read and written, {name}"), |bencher| {
            bencher.iter(|| {
                let wallet: Wallet = serde_json::from_str(black_box(&row)).unwrap();
                serde_json::to_string(&wallet).unwrap()
            });
        });
        group.bench_function(format!("through the year, {name}"), |bencher| {
            bencher.iter(|| black_box(wallet).balance_at(end).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, targets, year_of_credits);
criterion_main!(benches);
