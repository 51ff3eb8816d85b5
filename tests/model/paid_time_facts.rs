//! The oracle's facts of paid time as the crate's, and a row compared with the oracle.

use std::num::NonZeroU16;

use bailiwick::Credits;
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span, Stop, TimeCredit, Void};
use bailiwick::period::{Interval, IntervalUnit, Period};
use chrono::{DateTime, TimeDelta, Utc};

use super::paid_time_model::{Answer, Billed, Every, SECOND, Told, answer};

pub fn instant(nanoseconds: i128) -> DateTime<Utc> {
    let seconds = i64::try_from(nanoseconds.div_euclid(SECOND)).unwrap();
    let rest = u32::try_from(nanoseconds.rem_euclid(SECOND)).unwrap();
    DateTime::from_timestamp(seconds, rest).unwrap()
}

pub fn period((start, end): (i128, i128)) -> Period {
    Period {
        start: instant(start),
        end: instant(end),
    }
}

pub fn interval(every: Every) -> Interval {
    let (unit, count) = match every {
        Every::Days(count) => (IntervalUnit::Day, count),
        Every::Weeks(count) => (IntervalUnit::Week, count),
        Every::Months(count) => (IntervalUnit::Month, count),
        Every::Years(count) => (IntervalUnit::Year, count),
    };
    Interval {
        unit,
        count: NonZeroU16::new(count).unwrap(),
    }
}

pub fn credits(micros: i128) -> Credits {
    Credits::from_micros(i64::try_from(micros).unwrap()).unwrap()
}

fn billed(billed: Billed) -> BilledPeriod {
    match billed {
        Billed::Whole(start, end) => BilledPeriod::Whole(period((start, end))),
        Billed::EndingAt(end) => BilledPeriod::EndingAt(instant(end)),
        Billed::Sale(every, slack) => BilledPeriod::Interval {
            interval: interval(every),
            slack_seconds: u32::try_from(slack / SECOND).unwrap(),
        },
    }
}

pub fn fact(told: &Told) -> Fact {
    match told {
        Told::Line(line) => Fact::Span(Span {
            key: line.key.as_str().into(),
            payment: line.invoice.as_str().into(),
            period: billed(line.period),
            from: instant(line.from),
            grid: Grid {
                every: interval(line.every),
                windows: NonZeroU16::new(line.windows).unwrap(),
            },
            amount: credits(line.amount),
            made: instant(line.made),
            received: instant(line.received),
        }),
        Told::NegativeLine(line) => Fact::Credit(TimeCredit {
            key: line.key.as_str().into(),
            payment: line.invoice.as_str().into(),
            period: billed(line.period),
            at: instant(line.at),
            made: instant(line.made),
        }),
        Told::EndOfService(end) => Fact::Stop(Stop {
            key: end.key.as_str().into(),
            at: instant(end.at),
            made: instant(end.made),
        }),
        Told::NeverPaid(key, invoice) => Fact::Void(Void {
            key: key.as_str().into(),
            payment: invoice.as_str().into(),
        }),
    }
}

/// The row of facts, recorded at once.
pub fn row(facts: impl IntoIterator<Item = Fact>) -> PaidTime {
    PaidTime::new(7.into(), 1.into())
        .record(facts)
        .unwrap()
        .map_or(PaidTime::new(7.into(), 1.into()), |change| {
            change.into_row()
        })
}

/// Compares all that a row says of its facts with the oracle, which is returned.
pub fn compare(told: &[Told], slack: i128) -> Answer {
    let expected = answer(told, slack);
    let row = row(told.iter().map(fact));
    let schedule = row.schedule();

    let pieces: Vec<(DateTime<Utc>, DateTime<Utc>, &str, Period)> = schedule
        .pieces()
        .iter()
        .map(|piece| {
            let paid = piece.paid;
            (paid.start, paid.end, piece.span.as_ref(), piece.period)
        })
        .collect();
    let paid: Vec<(DateTime<Utc>, DateTime<Utc>, &str, Period)> = expected
        .paid
        .iter()
        .map(|paid| {
            let (from, until) = (instant(paid.from), instant(paid.until));
            (from, until, paid.key.as_str(), period(paid.period))
        })
        .collect();
    assert_eq!(pieces, paid, "the paid time of {told:#?}");
    assert_eq!(
        row.paid_until(),
        expected.paid_until.map(instant),
        "the end of the paid time of {told:#?}"
    );

    let slack = TimeDelta::nanoseconds(i64::try_from(slack).unwrap());
    for (window, earned) in &expected.windows {
        let target = schedule.target(period(*window), slack).unwrap();
        assert_eq!(
            (
                target.amount,
                target.late,
                target.expires_at,
                target.late_expires_at
            ),
            (
                credits(earned.amount),
                credits(earned.late),
                instant(earned.expires_at),
                instant(earned.late_expires_at)
            ),
            "the window {} of {told:#?}",
            target.window.start
        );
    }

    let paid: Vec<Period> = expected
        .windows
        .iter()
        .filter(|(_, earned)| earned.is_paid)
        .map(|(window, _)| period(*window))
        .collect();
    let begun = schedule.windows_begun(DateTime::<Utc>::MAX_UTC);
    assert_eq!(begun, paid, "the paid windows of {told:#?}");
    expected
}
