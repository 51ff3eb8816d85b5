//! The stored row, and the facts that it refuses.

use super::table::{Course, JANUARY, on};
use crate::paid_time_facts::{fact, instant, row};
use crate::paid_time_model::{Billed, DAY, Line, Told};
use bailiwick::Code;
use bailiwick::id::SubscriptionId;
use bailiwick::paid_time::{Fact, PaidTime, RecordError, Stop};
use bailiwick::problem::Explained;
use serde_json::{Value, json};

/// A month of basic, an upgrade, a refund, an end of service and a void, each with its own key.
fn facts() -> Vec<Fact> {
    let mut course = Course::new();
    course
        .line("basic", JANUARY, on("2027-01-01"), 500)
        .line(
            "pro",
            Billed::EndingAt(on("2027-02-01")),
            on("2027-01-16"),
            2000,
        )
        .credit("refund", JANUARY, on("2027-01-20"))
        .stop(on("2027-01-25"))
        .void("elsewhere");
    course.told.iter().map(fact).collect()
}

fn stored() -> Value {
    serde_json::to_value(row(facts())).unwrap()
}

fn read(stored: Value) -> Result<PaidTime, String> {
    serde_json::from_value(stored).map_err(|error| error.to_string())
}

#[test]
fn a_row_is_read_as_it_was_written() {
    let row = row(facts());
    assert_eq!((row.version(), row.facts().len()), (1, 5));
    assert_eq!(row.subscription(), &SubscriptionId::from(1));
    assert_eq!(row.schedule().subscription(), &SubscriptionId::from(1));
    assert_eq!(read(stored()), Ok(row));

    let new = PaidTime::new(7.into(), 1.into());
    assert_eq!(read(serde_json::to_value(&new).unwrap()), Ok(new));
}

/// Hosts keep rows for years, so the names of a stored row stay.
#[test]
fn a_stored_row_has_these_names() {
    let mut course = Course::new();
    course
        .line("basic", JANUARY, on("2027-01-01"), 500)
        .credit(
            "refund",
            Billed::EndingAt(on("2027-02-01")),
            on("2027-01-20"),
        )
        .stop(on("2027-01-25"))
        .void("elsewhere");
    let at = |day: &str| format!("{day}T00:00:00Z");

    assert_eq!(
        serde_json::to_value(row(course.told.iter().map(fact))).unwrap(),
        json!({
            "account": 7,
            "subscription": 1,
            "version": 1,
            "facts": [
                { "span": {
                    "key": "0/line",
                    "payment": "basic",
                    "period": { "whole": { "start": at("2027-01-01"), "end": at("2027-02-01") } },
                    "from": at("2027-01-01"),
                    "grid": { "every": { "unit": "month", "count": 1 }, "windows": 1 },
                    "amount": "500",
                    "made": at("2027-01-01"),
                    "received": at("2027-01-01"),
                } },
                { "credit": {
                    "key": "1/credit",
                    "payment": "refund",
                    "period": { "ending_at": at("2027-02-01") },
                    "at": at("2027-01-20"),
                    "made": at("2027-01-20"),
                } },
                { "stop": { "key": "2/stop", "at": at("2027-01-25"), "made": at("2027-01-25") } },
                { "void": { "key": "3/void", "payment": "elsewhere" } },
            ],
        })
    );
}

#[test]
fn a_stored_row_in_another_order_is_the_same_row() {
    let mut other = stored();
    other["facts"].as_array_mut().unwrap().reverse();
    assert_eq!(read(other), read(stored()));
}

#[test]
fn a_stored_row_with_two_facts_of_one_key_is_refused() {
    let mut twice = stored();
    let first = twice["facts"][0].clone();
    twice["facts"].as_array_mut().unwrap().push(first);
    let error = read(twice.clone()).unwrap_err();
    assert_eq!(error, "two facts of paid time have one key");

    // With other contents too.
    twice["facts"][5]["span"]["amount"] = json!("2000");
    let error = read(twice).unwrap_err();
    assert_eq!(
        error,
        "the fact \"0/line\" was recorded before with other contents"
    );
}

#[test]
fn a_stored_row_with_unsound_times_or_unknown_fields_is_refused() {
    let faults: [(&str, Value); 6] = [
        ("/facts/0/span/from", json!("2026-12-31T23:59:59Z")),
        ("/facts/0/span/from", json!("2027-02-01T00:00:00Z")),
        (
            "/facts/0/span/period/whole/end",
            json!("2027-01-01T00:00:00Z"),
        ),
        (
            "/facts/1/span/period/ending_at",
            json!("2027-01-16T00:00:00Z"),
        ),
        ("/facts/2/credit/at", json!("2027-02-01T00:00:00Z")),
        ("/facts/2/credit/at", json!("2026-12-01T00:00:00Z")),
    ];
    for (place, value) in faults {
        let mut row = stored();
        *row.pointer_mut(place).unwrap() = value;
        let error = read(row).unwrap_err();
        assert!(error.contains("tells no time"), "{place}: {error}");
    }

    for place in ["", "/facts/0/span", "/facts/2/credit", "/facts/3/stop"] {
        let mut row = stored();
        row.pointer_mut(place).unwrap()["more"] = json!(1);
        let error = read(row).unwrap_err();
        assert!(error.contains("unknown field `more`"), "{place}: {error}");
    }
}

/// Whatever is wrong with one fact, the row stays as it was.
#[test]
fn a_refused_fact_changes_nothing() {
    let known = row(facts());
    let Told::Line(line) = Course::new()
        .line("basic", JANUARY, on("2027-01-01"), 500)
        .told[0]
        .clone()
    else {
        unreachable!()
    };

    // The key of the line, said of more credits.
    let other = fact(&Told::Line(Line {
        amount: 1,
        ..line.clone()
    }));
    let error = known.clone().record([other]).unwrap_err();
    assert_eq!(
        error,
        RecordError::Conflict {
            key: "0/line".into()
        }
    );
    assert_eq!(error.code(), Code::PaymentConflict);

    // A key of another kind of fact is taken as well.
    let stop = Fact::Stop(Stop {
        key: "0/line".into(),
        at: instant(0),
        made: instant(0),
    });
    let error = known.clone().record([stop]).unwrap_err();
    assert!(matches!(error, RecordError::Conflict { .. }));

    let late = fact(&Told::Line(Line {
        key: "late".into(),
        from: line.from + 31 * DAY,
        ..line
    }));
    let error = known.clone().record([late]).unwrap_err();
    assert_eq!(error, RecordError::TimeInvalid { key: "late".into() });
    assert_eq!(error.code(), Code::PaidTimeInvalid);

    assert_eq!(known.clone().record(facts()), Ok(None));
    assert_eq!(known.record([]), Ok(None));
}

#[test]
fn a_row_holds_4096_facts() {
    let stop = |number: i64| {
        Fact::Stop(Stop {
            key: format!("{number:04}").into(),
            at: instant(0),
            made: instant(0),
        })
    };
    let full = row((0..4096).map(stop));
    assert_eq!(full.facts().len(), 4096);
    assert_eq!(full.schedule().paid_until(), None);

    let error = full.clone().record([stop(4096)]).unwrap_err();
    assert_eq!(error, RecordError::TooManyFacts);
    assert_eq!(full.record([stop(0)]), Ok(None));
}
