use std::num::NonZeroU16;

use crate::subscription_model::Every;
use bailiwick::period::{Interval, IntervalUnit};
use chrono::{DateTime, Utc};
use proptest::prelude::*;

/// The last second of the year 2099.
const CENTURY: i64 = 4_102_444_799;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn any_interval() -> impl Strategy<Value = (Interval, Every)> {
    let unit = prop::sample::select(vec![
        IntervalUnit::Day,
        IntervalUnit::Week,
        IntervalUnit::Month,
        IntervalUnit::Year,
    ]);
    (unit, 1..50u16).prop_map(|(unit, count)| {
        let every = match unit {
            IntervalUnit::Day => Every::Days(count.into()),
            IntervalUnit::Week => Every::Days(i64::from(count) * 7),
            IntervalUnit::Month => Every::Months(count.into()),
            IntervalUnit::Year => Every::Months(i64::from(count) * 12),
        };
        (
            Interval {
                unit,
                count: NonZeroU16::new(count).unwrap(),
            },
            every,
        )
    })
}

/// An interval at the edge of what can be written.
fn wild_interval() -> impl Strategy<Value = Interval> {
    let unit = prop::sample::select(vec![
        IntervalUnit::Day,
        IntervalUnit::Week,
        IntervalUnit::Month,
        IntervalUnit::Year,
    ]);
    (unit, any::<NonZeroU16>()).prop_map(|(unit, count)| Interval { unit, count })
}

fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (
        DateTime::<Utc>::MIN_UTC.timestamp(),
        DateTime::<Utc>::MAX_UTC.timestamp(),
    );
    prop_oneof![0..CENTURY, first..=last, Just(first), Just(last)].prop_map(at)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn b4_period_k_is_the_anchor_and_k_intervals((interval, every) in any_interval(), anchor in 0..CENTURY, k in 0..100u32) {
        let period = interval.period(at(anchor), k).unwrap();
        prop_assert_eq!(period.start.timestamp(), crate::subscription_model::after(every, anchor, k.into()));
        prop_assert_eq!(period.end.timestamp(), crate::subscription_model::after(every, anchor, i64::from(k) + 1));
    }

    #[test]
    fn b4_every_instant_is_in_just_one_period((interval, _) in any_interval(), anchor in 0..CENTURY, later in 0..CENTURY) {
        let (anchor, now) = (at(anchor), at(anchor + later));
        let k = interval.number_at(anchor, now).unwrap();
        prop_assert!(interval.period(anchor, k).unwrap().contains(now));
        prop_assert!(!interval.period(anchor, k + 1).unwrap().contains(now));
        prop_assert!(k == 0 || !interval.period(anchor, k - 1).unwrap().contains(now));
    }

    #[test]
    fn b4_a_boundary_belongs_to_the_period_that_it_starts((interval, _) in any_interval(), anchor in 0..CENTURY, k in 0..100u32) {
        let anchor = at(anchor);
        let start = interval.after(anchor, k).unwrap();
        prop_assert_eq!(interval.number_at(anchor, start), Some(k));
        prop_assert!(interval.period(anchor, k).unwrap().contains(start));
        prop_assert!(k == 0 || !interval.period(anchor, k - 1).unwrap().contains(start));
        let before = start - chrono::TimeDelta::try_milliseconds(1).unwrap();
        prop_assert_eq!(interval.number_at(anchor, before), k.checked_sub(1));
    }

    /// Total: no interval, anchor or time makes it panic, and what it answers is true.
    #[test]
    fn b4_number_at_is_total(interval in wild_interval(), anchor in any_time(), now in any_time()) {
        match interval.number_at(anchor, now) {
            None => prop_assert!(now < anchor),
            Some(k) => {
                prop_assert!(interval.after(anchor, k).unwrap() <= now);
                prop_assert!(interval.after(anchor, k + 1).is_none_or(|next| now < next));
            }
        }
    }

}

#[test]
fn b4_january_the_31st_keeps_its_day() {
    let days = |anchor: &str, count: u32| -> Vec<String> {
        let anchor = format!("{anchor}T23:59:59Z").parse().unwrap();
        (0..count)
            .map(|k| {
                Interval::MONTHLY
                    .after(anchor, k)
                    .unwrap()
                    .format("%m-%d")
                    .to_string()
            })
            .collect()
    };
    assert_eq!(days("2026-01-31", 4), ["01-31", "02-28", "03-31", "04-30"]);
    assert_eq!(days("2028-01-30", 3), ["01-30", "02-29", "03-30"]);
    let leap = "2028-02-29T00:00:00Z".parse().unwrap();
    let years: Vec<String> = (0..5)
        .map(|k| {
            Interval::YEARLY
                .after(leap, k)
                .unwrap()
                .format("%F")
                .to_string()
        })
        .collect();
    assert_eq!(
        years,
        [
            "2028-02-29",
            "2029-02-28",
            "2030-02-28",
            "2031-02-28",
            "2032-02-29"
        ]
    );
}

/// With the year 2100, which is no leap year.
#[test]
fn b4_a_century_of_months_has_no_gap_and_no_overlap() {
    for day in 1..=31 {
        let anchor: DateTime<Utc> = format!("2024-01-{day:02}T06:30:00Z").parse().unwrap();
        let mut end = anchor;
        for k in 0..1200 {
            let period = Interval::MONTHLY.period(anchor, k).unwrap();
            assert_eq!(period.start, end);
            assert!(period.start < period.end);
            assert_eq!(
                period.start.timestamp(),
                crate::subscription_model::after(Every::Months(1), anchor.timestamp(), k.into())
            );
            assert_eq!(Interval::MONTHLY.number_at(anchor, period.start), Some(k));
            end = period.end;
        }
        assert_eq!(
            end,
            format!("2124-01-{day:02}T06:30:00Z")
                .parse::<DateTime<Utc>>()
                .unwrap()
        );
    }
}
