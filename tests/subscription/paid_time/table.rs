//! The table of the rules: what some courses of a 31-day January bring, with basic at 500 credits a
//! month and pro at 2,000. Each is compared with the oracle too.

use crate::paid_time_facts::{compare, fact, instant, period, row};
use crate::paid_time_model::{Billed, DAY, EndOfService, Every, Line, NegativeLine, SECOND, Told};
use bailiwick::Credits;
use chrono::{DateTime, TimeDelta, Utc};

/// The instant at which a day begins, or one in the midst of it.
pub const fn day(days: i128) -> i128 {
    // 2027-01-01
    (20_819 + days) * DAY
}

pub const JANUARY: Billed = Billed::Whole(day(0), day(31));
const FEBRUARY: Billed = Billed::Whole(day(31), day(59));
const YEAR: Billed = Billed::Whole(day(0), day(365));

pub fn on(day: &str) -> i128 {
    let at: DateTime<Utc> = format!("{day}T00:00:00Z").parse().unwrap();
    i128::from(at.timestamp()) * SECOND
}

/// The facts of a course, each with its place in it as its key.
#[derive(Clone, Default)]
pub struct Course {
    pub told: Vec<Told>,
}

impl Course {
    pub fn new() -> Self {
        Self::default()
    }

    fn key(&self, kind: &str) -> String {
        format!("{}/{kind}", self.told.len())
    }

    /// A line of an invoice that is made and paid when its time begins.
    pub fn line(&mut self, invoice: &str, period: Billed, from: i128, amount: i128) -> &mut Self {
        self.paid_at(from, invoice, period, from, amount)
    }

    /// A line of an invoice that is made when its time begins, and paid at an instant.
    pub fn paid_at(
        &mut self,
        received: i128,
        invoice: &str,
        period: Billed,
        from: i128,
        amount: i128,
    ) -> &mut Self {
        let end = match period {
            Billed::Whole(_, end) | Billed::EndingAt(end) => end,
            Billed::Sale(..) => unreachable!(),
        };
        let is_year = end == day(365);
        self.told.push(Told::Line(Line {
            key: self.key("line"),
            invoice: invoice.into(),
            period,
            from,
            every: Every::Months(1),
            windows: if is_year { 12 } else { 1 },
            amount: amount * 1_000_000,
            made: from,
            received,
        }));
        self
    }

    pub fn credit(&mut self, invoice: &str, period: Billed, at: i128) -> &mut Self {
        self.told.push(Told::NegativeLine(NegativeLine {
            key: self.key("credit"),
            invoice: invoice.into(),
            period,
            at,
            made: at,
        }));
        self
    }

    pub fn stop(&mut self, at: i128) -> &mut Self {
        self.told.push(Told::EndOfService(EndOfService {
            key: self.key("stop"),
            at,
            made: at,
        }));
        self
    }

    pub fn void(&mut self, invoice: &str) -> &mut Self {
        let key = self.key("void");
        self.told.push(Told::NeverPaid(key, invoice.into()));
        self
    }

    /// The credits of a window.
    fn target(&self, window: (i128, i128)) -> String {
        compare(&self.told, 0);
        let schedule = row(self.told.iter().map(fact)).schedule();
        let target = schedule.target(period(window), TimeDelta::zero()).unwrap();
        target.amount.to_string()
    }

    /// The credits of each month from a date until the year is over.
    fn months(&self, from: &str) -> Vec<String> {
        let starts = (1..=12).map(|month| format!("2027-{month:02}-01"));
        let days: Vec<i128> = starts
            .chain(["2028-01-01".to_owned()])
            .map(|day| on(&day))
            .filter(|day| *day >= on(from))
            .collect();
        days.windows(2)
            .map(|pair| self.target((pair[0], pair[1])))
            .collect()
    }

    fn paid_until(&self) -> Option<DateTime<Utc>> {
        row(self.told.iter().map(fact)).paid_until()
    }
}

/// The rest of January, as a provider's proration tells it.
const REST: Billed = Billed::EndingAt(day(31));
const IN_JANUARY: (i128, i128) = (day(0), day(31));

fn basic() -> Course {
    Course::new().line("basic", JANUARY, day(0), 500).clone()
}

fn year_of_basic() -> Course {
    Course::new().line("year", YEAR, day(0), 500).clone()
}

#[test]
fn pro_from_the_16th_brings_its_share_of_the_difference() {
    let before = basic().target(IN_JANUARY);
    let after = basic()
        .line("pro", REST, on("2027-01-16"), 2000)
        .target(IN_JANUARY);
    assert_eq!((before.as_str(), after.as_str()), ("500", "1274.193548"));

    let raise: Credits = after.parse().unwrap();
    let raise = raise.checked_sub(before.parse().unwrap()).unwrap();
    assert_eq!(raise.to_string(), "774.193548");
}

#[test]
fn a_change_back_in_the_same_second_leaves_the_smaller_plan() {
    let mut course = basic();
    course
        .line("pro", REST, on("2027-01-16"), 2000)
        .line("back", REST, on("2027-01-16"), 500);
    assert_eq!(course.target(IN_JANUARY), "500");
}

#[test]
fn pro_that_is_credited_on_2_january_keeps_a_day() {
    let mut course = Course::new();
    course
        .line("pro", JANUARY, day(0), 2000)
        .line("basic", Billed::Whole(day(1), day(32)), day(1), 500)
        .credit("basic", JANUARY, day(1));
    assert_eq!(course.target(IN_JANUARY), "64.516129");
    assert_eq!(course.target((day(1), day(32))), "500");

    // Within the period, the smaller plan's line says it without a credit.
    let mut course = Course::new();
    course
        .line("pro", JANUARY, day(0), 2000)
        .line("basic", REST, day(1), 500);
    assert_eq!(course.target(IN_JANUARY), "548.387096");
}

#[test]
fn ten_resets_that_are_credited_bring_the_days_that_were_paid() {
    let mut course = Course::new();
    let mut sum = 0;
    for k in 0..10 {
        let invoice = format!("reset-{k}");
        let whole = |k: i128| Billed::Whole(day(3 * k), day(3 * k + 31));
        course.line(&invoice, whole(k), day(3 * k), 2000);
        if k > 0 {
            course.credit(&invoice, whole(k - 1), day(3 * k));
        }
    }

    for k in 0..10 {
        let target = course.target((day(3 * k), day(3 * k + 31)));
        let expected = if k < 9 { "193.548387" } else { "2000" };
        assert_eq!(target, expected, "reset {k}");
        let target: Credits = target.parse().unwrap();
        sum += target.micros();
    }
    // Nine times three days, and a month: what the net of 49 * (1 + 27 / 31) buys.
    assert_eq!(sum, 9 * 193_548_387 + 2_000_000_000);
}

#[test]
fn pro_at_full_price_with_nothing_credited_is_paid_beside_basic() {
    let mut course = basic();
    course.line("pro", Billed::Whole(day(4), day(35)), day(4), 2000);
    assert_eq!(course.target(IN_JANUARY), "500");
    assert_eq!(course.target((day(4), day(35))), "2000");
    assert_eq!(course.paid_until(), Some(instant(day(35))));
}

#[test]
fn an_upgrade_of_a_year_reaches_the_months_ahead() {
    let mut course = year_of_basic();
    course.line("pro", Billed::EndingAt(day(365)), on("2027-02-01"), 2000);
    assert_eq!(course.target(IN_JANUARY), "500");
    assert_eq!(course.months("2027-02-01"), ["2000"; 11]);
}

#[test]
fn a_refund_of_a_year_leaves_the_days_before_it() {
    let mut course = year_of_basic();
    course.credit("refund", YEAR, on("2027-03-10"));
    assert_eq!(
        course.target((on("2027-03-01"), on("2027-04-01"))),
        "145.16129"
    );
    assert_eq!(course.months("2027-04-01"), ["0"; 9]);
    assert_eq!(course.paid_until(), Some(instant(on("2027-03-10"))));
}

#[test]
fn an_end_without_a_refund_leaves_the_month() {
    let mut course = year_of_basic();
    course.stop(on("2027-03-10"));
    assert_eq!(course.target((on("2027-03-01"), on("2027-04-01"))), "500");
    assert_eq!(course.months("2027-04-01"), ["0"; 9]);
    assert_eq!(course.paid_until(), Some(instant(on("2027-03-10"))));
}

#[test]
fn an_upgrade_that_is_not_paid_brings_nothing() {
    let mut course = basic();
    course.line("pro", REST, on("2027-01-16"), 2000).void("pro");
    assert_eq!(course.target(IN_JANUARY), "500");
}

#[test]
fn two_invoices_for_one_period_bring_it_once() {
    let mut course = basic();
    course.line("again", JANUARY, day(0), 500);
    assert_eq!(course.target(IN_JANUARY), "500");
}

#[test]
fn money_that_comes_after_the_window_is_late() {
    let slack = 3 * 3_600 * SECOND;
    let late = |received: i128| {
        let mut course = Course::new();
        course.paid_at(received, "basic", JANUARY, day(0), 500);
        let answer = compare(&course.told, slack);
        answer.windows[&IN_JANUARY].late
    };
    assert_eq!(late(day(33)), 500_000_000);
    assert_eq!(late(day(31) + slack), 500_000_000);
    assert_eq!(late(day(31) + slack - 1), 0);

    // An upgrade that is paid late is late by itself.
    let mut course = basic();
    course.paid_at(day(33), "pro", REST, on("2027-01-16"), 2000);
    let schedule = row(course.told.iter().map(fact)).schedule();
    let target = schedule
        .target(period(IN_JANUARY), TimeDelta::zero())
        .unwrap();
    assert_eq!(target.amount.to_string(), "1274.193548");
    assert_eq!(target.late.to_string(), "1032.258065");
    assert_eq!(target.late_expires_at, instant(day(33 + 31)));
}

#[test]
fn remaining_time_waits_for_its_period() {
    let mut course = Course::new();
    course.line("pro", REST, on("2027-01-16"), 2000);
    assert_eq!(
        (course.target(IN_JANUARY).as_str(), course.paid_until()),
        ("0", None)
    );

    course.line("next", FEBRUARY, day(31), 2000);
    assert_eq!(course.target(IN_JANUARY), "0");

    course.line("basic", JANUARY, day(0), 500);
    assert_eq!(course.target(IN_JANUARY), "1274.193548");
    assert_eq!(course.paid_until(), Some(instant(day(59))));
}

/// A month that ends with the year, as a reset of the anchor makes it.
#[test]
fn remaining_time_belongs_to_the_shortest_period_that_has_begun() {
    let december = Billed::Whole(day(334), day(365));
    let mut course = year_of_basic();
    course.line("december", december, day(334), 500).line(
        "pro",
        Billed::EndingAt(day(365)),
        day(200),
        2000,
    );
    let months = course.months("2027-11-01");
    // Before December it can only be the year's.
    assert_eq!(months, ["2000", "2500"]);

    let mut course = year_of_basic();
    course.line("december", december, day(334), 500).credit(
        "refund",
        Billed::EndingAt(day(365)),
        day(334),
    );
    assert_eq!(course.months("2027-11-01"), ["500", "500"]);
    course.credit("all", YEAR, day(334));
    assert_eq!(course.months("2027-11-01"), ["500", "0"]);
}

/// Where a first payment never was, nothing tells the period of an upgrade that was paid.
#[test]
fn a_void_takes_the_period_of_remaining_time_with_it() {
    let mut course = basic();
    course.line("pro", REST, on("2027-01-16"), 2000);
    assert_eq!(course.target(IN_JANUARY), "1274.193548");
    course.void("basic");
    assert_eq!(
        (course.target(IN_JANUARY).as_str(), course.paid_until()),
        ("0", None)
    );

    course.line("retried", JANUARY, day(0), 500);
    assert_eq!(course.target(IN_JANUARY), "1274.193548");
}

/// An end of service leaves time alone that begins after it, by its place in the order of facts.
#[test]
fn a_period_that_begins_after_an_end_of_service_is_paid() {
    let mut course = basic();
    course
        .stop(on("2027-01-25"))
        .line("again", FEBRUARY, day(31), 500);
    assert_eq!(course.target(IN_JANUARY), "500");
    assert_eq!(course.target((day(31), day(59))), "500");
    assert_eq!(course.paid_until(), Some(instant(day(59))));
}
