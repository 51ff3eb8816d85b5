//! Any facts of paid time: what is paid and what each window has earned is the oracle's (PT1 to
//! PT3, PW1, PW2, PF5); the order in which they are heard makes no difference (P4); a row survives
//! the store's text; and at the ends of the calendar nothing panics.
#![no_main]

use std::num::NonZeroU16;

use arbitrary::Arbitrary;
use bailiwick::Credits;
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span, Stop, TimeCredit};
use bailiwick::period::Period;
use chrono::{DateTime, TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/model/paid_time_facts.rs"]
#[allow(dead_code, reason = "each target uses what it needs")]
mod paid_time_facts;
#[path = "../../tests/model/paid_time.rs"]
#[allow(dead_code, reason = "each target uses what it needs")]
mod paid_time_model;

use paid_time_facts::{compare, fact, interval, row};
use paid_time_model::{Billed, DAY, EndOfService, Every, Line, NegativeLine, SECOND, Told, after};

/// One fact, most of it in small numbers, so that facts meet.
#[derive(Arbitrary, Debug)]
struct Drawn {
    kind: u8,
    period: u8,
    pick: u8,
    elsewhere: u32,
    made: i32,
    received: u32,
    amount: u32,
    invoice: u8,
    is_remaining: bool,
}

#[derive(Arbitrary, Debug)]
struct Input {
    anchor: i64,
    nanos: u32,
    unit: u8,
    count: u8,
    windows: u8,
    slack: u32,
    facts: Vec<Drawn>,
}

const MAX_FACTS: usize = 24;
const FOUR_CENTURIES: i64 = 146_097 * 86_400;

/// A period and the windows of the plan that it is paid for.
#[derive(Clone, Copy)]
struct Divided {
    start: i128,
    end: i128,
    every: Every,
    windows: u16,
}

fuzz_target!(|input: Input| {
    let periods = periods(&input);
    let told: Vec<Told> = input
        .facts
        .iter()
        .take(MAX_FACTS)
        .enumerate()
        .map(|(index, drawn)| told(&periods, drawn, index))
        .collect();
    compare(&told, i128::from(input.slack) * SECOND);

    let heard = row(told.iter().map(fact));
    let backwards = row(told.iter().rev().chain(&told).map(fact));
    assert_eq!(heard, backwards);
    assert_eq!(heard.schedule(), backwards.schedule());
    let stored = serde_json::to_string(&heard).expect("a row is written");
    let read: PaidTime = serde_json::from_str(&stored).expect("a row is read");
    assert_eq!(read, heard);

    anywhere(&input, periods[0]);
});

fn every(unit: u8, count: u8) -> Every {
    let count = u16::from(count % 12) + 1;
    match unit % 4 {
        0 => Every::Days(count),
        1 => Every::Weeks(count),
        2 => Every::Months(count),
        _ => Every::Years(count),
    }
}

/// The periods of a subscription, within four centuries: some follow each other, some start or end
/// together, some overlap.
fn periods(input: &Input) -> [Divided; 8] {
    let anchor = i128::from(input.anchor.rem_euclid(FOUR_CENTURIES)) * SECOND
        + i128::from(input.nanos % 1_000_000_000);
    let every = every(input.unit, input.count);
    let windows = u16::from(input.windows % 24) + 1;
    let month = Every::Months(1);

    let divided = |start: i128, end: i128, every: Every, windows: u16| Divided {
        start,
        end,
        every,
        windows,
    };
    let period = |k: i128| {
        let start = after(anchor, every, k * i128::from(windows));
        let end = after(anchor, every, (k + 1) * i128::from(windows));
        divided(start, end, every, windows)
    };
    let first = period(0);
    let middle = first.start + (first.end - first.start) / 2;
    let last = after(anchor, every, i128::from(windows) - 1);

    [
        first,
        period(1),
        period(2),
        divided(anchor, after(anchor, month, 1), month, 1),
        divided(anchor, after(anchor, Every::Years(1), 1), month, 12),
        divided(last, first.end, every, 1),
        divided(middle, after(middle, month, 1), month, 1),
        // More windows than it has room for.
        divided(first.start, first.end, month, windows),
    ]
}

fn told(periods: &[Divided; 8], drawn: &Drawn, index: usize) -> Told {
    let of = periods[usize::from(drawn.period % 8)];
    let length = of.end - of.start;
    let second = after(of.start, of.every, 1);
    let at = match drawn.pick % 8 {
        0 => of.start,
        1 => of.start + length / 2,
        2 => second,
        3 => second + length / 24,
        4 => of.start + 1,
        5 => of.end - 1,
        6 => periods[0].start + 15 * DAY,
        _ => of.start + length * i128::from(drawn.elsewhere) / (1 << 32),
    };
    let at = at.clamp(of.start, of.end - 1);
    let made = match drawn.made % 4 {
        0 => at,
        1 => at + SECOND,
        _ => at + i128::from(drawn.made) * SECOND,
    };

    // The first letter gives the keys an order of their own.
    let key = format!("{}-{index}", drawn.elsewhere % 8);
    let invoice = format!("invoice-{}", drawn.invoice % 5);
    let period = if drawn.is_remaining {
        Billed::EndingAt(of.end)
    } else {
        Billed::Whole(of.start, of.end)
    };
    match drawn.kind % 10 {
        0..=4 => Told::Line(Line {
            key,
            invoice,
            period,
            from: at,
            every: of.every,
            windows: of.windows,
            amount: match drawn.amount % 4 {
                0 => 500_000_000,
                1 => 2_000_000_000,
                _ => drawn.amount.into(),
            },
            made,
            received: made + i128::from(drawn.received) * SECOND,
        }),
        5..=7 => Told::NegativeLine(NegativeLine {
            key,
            invoice,
            period,
            at,
            made,
        }),
        8 => Told::EndOfService(EndOfService { key, at, made }),
        _ => Told::NeverPaid(key, invoice),
    }
}

/// To the ends of the calendar: nothing panics, and what is paid lies in its period.
fn anywhere(input: &Input, of: Divided) {
    let Some(anchor) = DateTime::from_timestamp(input.anchor, input.nanos % 1_000_000_000) else {
        return;
    };

    let mut row = PaidTime::new(7.into(), 1.into());
    for (index, drawn) in input.facts.iter().take(MAX_FACTS).enumerate() {
        let Some(fact) = wild(anchor, of, drawn, index) else {
            continue;
        };
        let recorded = row.clone().record([fact]);
        if let Ok(Some(change)) = recorded {
            row = change.into_row();
        }
    }

    let schedule = row.schedule();
    assert_eq!(schedule.paid_until(), row.paid_until());
    for piece in schedule.pieces() {
        assert!(piece.period.start <= piece.paid.start && piece.paid.start < piece.paid.end);
        assert!(piece.paid.end <= piece.period.end);
        for window in piece.grid.of_period(piece.period).take(24) {
            assert!(window.start < window.end && window.end <= piece.period.end);
            if let Some(target) = schedule.target(window, TimeDelta::zero()) {
                assert!(target.late <= target.amount);
            }
        }
        assert!(
            schedule
                .next_window(anchor, |_| true)
                .is_none_or(|window| window.start > anchor)
        );
    }
}

/// A fact whose times may be in any order, as far as the calendar goes.
fn wild(anchor: DateTime<Utc>, of: Divided, drawn: &Drawn, index: usize) -> Option<Fact> {
    let days = |days: i64| anchor.checked_add_signed(TimeDelta::try_days(days)?);
    let end = days(i64::from(drawn.elsewhere % 100_000_000) - 1_000)?;
    let at = days(i64::from(drawn.made % 50_000_000))?;

    let period = if drawn.is_remaining {
        BilledPeriod::EndingAt(end)
    } else {
        BilledPeriod::Whole(Period { start: anchor, end })
    };
    let (key, payment) = (index.to_string(), drawn.invoice.to_string());
    Some(match drawn.kind % 3 {
        0 => Fact::Span(Span {
            key: key.into(),
            payment: payment.into(),
            period,
            from: at,
            grid: Grid {
                every: interval(of.every),
                windows: NonZeroU16::new(of.windows)?,
            },
            amount: if drawn.pick < 64 {
                Credits::MAX
            } else {
                Credits::whole(drawn.amount)
            },
            made: at,
            received: at,
        }),
        1 => Fact::Credit(TimeCredit {
            key: key.into(),
            payment: payment.into(),
            period,
            at,
            made: at,
        }),
        _ => Fact::Stop(Stop {
            key: key.into(),
            at,
            made: at,
        }),
    })
}
