//! Any anchor and interval: period k is the anchor and k intervals, as the oracle's own calendar
//! counts them; periods meet; each instant is in the one whose number it is told (B4); and the
//! windows of a period begin with it, meet, and stay within it.
#![no_main]

use std::num::NonZeroU16;

use arbitrary::Arbitrary;
use bailiwick::paid_time::Grid;
use bailiwick::period::{Interval, IntervalUnit, Period};
use chrono::{DateTime, TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/model/subscription.rs"]
#[allow(dead_code, reason = "only its calendar is asked here")]
mod model;

#[derive(Arbitrary, Debug)]
struct Input {
    anchor: i64,
    nanos: u32,
    unit: u8,
    count: u16,
    k: u32,
    elsewhere: i64,
}

const DAY: i64 = 86_400;

fuzz_target!(|input: Input| {
    let units = [
        IntervalUnit::Day,
        IntervalUnit::Week,
        IntervalUnit::Month,
        IntervalUnit::Year,
    ];
    let unit = units[usize::from(input.unit) % units.len()];
    let Some(count) = NonZeroU16::new(input.count) else {
        return;
    };
    let interval = Interval { unit, count };
    let Some(anchor) = DateTime::from_timestamp(input.anchor, input.nanos % 1_000_000_000) else {
        return;
    };
    anywhere(interval, anchor, &input);
    in_four_centuries(interval, &input);
});

/// To the ends of the calendar: nothing panics, and what is answered fits together.
fn anywhere(interval: Interval, anchor: DateTime<Utc>, input: &Input) {
    let Some(period) = interval.period(anchor, input.k) else {
        return;
    };
    assert!(period.start < period.end && anchor <= period.start);
    assert_eq!(interval.after(anchor, input.k), Some(period.start));
    let last = period.end - TimeDelta::nanoseconds(1);
    assert_eq!(interval.number_at(anchor, period.start), Some(input.k));
    assert_eq!(interval.number_at(anchor, last), Some(input.k));
    assert_eq!(
        interval.number_at(anchor, anchor - TimeDelta::nanoseconds(1)),
        None
    );
    if let Some(next) = input
        .k
        .checked_add(1)
        .and_then(|next| interval.period(anchor, next))
    {
        assert_eq!(period.end, next.start);
    }
    let windows = Grid::of(interval, Interval::MONTHLY).of_period(period);
    let windows: Vec<Period> = windows.take(40).collect();
    assert_eq!(windows.first().map(|first| first.start), Some(period.start));
    assert!(windows.iter().all(|one| period.contains(one.start) && one.end <= period.end));
    assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start));
    if let Some(other) = DateTime::from_timestamp(input.elsewhere, 0) {
        if let Some(k) = interval.number_at(anchor, other) {
            assert!(
                interval
                    .after(anchor, k)
                    .is_some_and(|start| start <= other)
            );
            let next = k
                .checked_add(1)
                .and_then(|next| interval.after(anchor, next));
            assert!(next.is_none_or(|next| other < next));
        }
    }
}

/// Where the oracle counts.
fn in_four_centuries(interval: Interval, input: &Input) {
    let seconds = input.anchor.rem_euclid(146_097 * DAY);
    let k = i64::from(input.k % 64);
    let (every, most) = match interval.unit {
        IntervalUnit::Day => (model::Every::Days(interval.count.get().into()), 3_650),
        IntervalUnit::Week => (model::Every::Days(i64::from(interval.count.get()) * 7), 520),
        IntervalUnit::Month => (model::Every::Months(interval.count.get().into()), 120),
        IntervalUnit::Year => (
            model::Every::Months(i64::from(interval.count.get()) * 12),
            10,
        ),
    };
    if interval.count.get() > most {
        return;
    }
    let anchor = DateTime::from_timestamp(seconds, 0).expect("within four centuries");
    let ours = interval
        .after(anchor, input.k % 64)
        .map(|at| at.timestamp());
    assert_eq!(ours, Some(model::after(every, seconds, k)));
}
