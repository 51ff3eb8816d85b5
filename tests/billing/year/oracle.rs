//! What a wallet must have been brought, by a model that knows facts and no order.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use super::SLACK;
use crate::paid_time_model::{
    Billed, EndOfService, Every, Line, NegativeLine, SECOND, Told, answer,
};
use bailiwick::paid_time::{BilledPeriod, Fact, PaidTime};
use bailiwick::period::{Interval, IntervalUnit};
use chrono::{DateTime, Utc};

/// Returns the credits that paid time has earned in the windows that have begun, in millionths.
pub fn earned(told: &[Told], now: DateTime<Utc>) -> i128 {
    // What is told twice is told once.
    let told: BTreeMap<String, Told> = told.iter().map(|one| (key(one), one.clone())).collect();
    let told: Vec<Told> = told.into_values().collect();
    let windows = answer(&told, i128::from(SLACK) * SECOND).windows;
    let begun = windows.iter().filter(|(window, _)| window.0 <= nanos(now));
    begun.map(|(_, earned)| earned.amount).sum()
}

fn key(told: &Told) -> String {
    match told {
        Told::Line(line) => line.key.clone(),
        Told::NegativeLine(line) => line.key.clone(),
        Told::EndOfService(end) => end.key.clone(),
        Told::NeverPaid(key, _) => key.clone(),
    }
}

/// Returns the facts of a row: which time a transfer pays, the subscription alone knows.
pub fn told_by_row(row: &PaidTime) -> Vec<Told> {
    row.facts().iter().map(told).collect()
}

fn told(fact: &Fact) -> Told {
    match fact {
        Fact::Span(span) => Told::Line(Line {
            key: span.key.to_string(),
            invoice: span.payment.to_string(),
            period: billed(span.period),
            from: nanos(span.from),
            every: every(span.grid.every),
            windows: NonZeroU16::get(span.grid.windows),
            amount: span.amount.micros().into(),
            made: nanos(span.made),
            received: nanos(span.received),
        }),
        Fact::Credit(credit) => Told::NegativeLine(NegativeLine {
            key: credit.key.to_string(),
            invoice: credit.payment.to_string(),
            period: billed(credit.period),
            at: nanos(credit.at),
            made: nanos(credit.made),
        }),
        Fact::Stop(stop) => Told::EndOfService(EndOfService {
            key: stop.key.to_string(),
            at: nanos(stop.at),
            made: nanos(stop.made),
        }),
        Fact::Void(void) => Told::NeverPaid(void.key.to_string(), void.payment.to_string()),
    }
}

fn billed(period: BilledPeriod) -> Billed {
    match period {
        BilledPeriod::Whole(period) => Billed::Whole(nanos(period.start), nanos(period.end)),
        BilledPeriod::EndingAt(end) => Billed::EndingAt(nanos(end)),
        BilledPeriod::Interval {
            interval,
            slack_seconds,
        } => Billed::Sale(every(interval), i128::from(slack_seconds) * SECOND),
    }
}

fn every(interval: Interval) -> Every {
    let count = interval.count.get();
    match interval.unit {
        IntervalUnit::Day => Every::Days(count),
        IntervalUnit::Week => Every::Weeks(count),
        IntervalUnit::Month => Every::Months(count),
        IntervalUnit::Year => Every::Years(count),
    }
}

fn nanos(at: DateTime<Utc>) -> i128 {
    i128::from(at.timestamp()) * SECOND + i128::from(at.timestamp_subsec_nanos())
}
