//! The rules PA1 to PA6 one by one, where no table or property states them.

use super::course::{Course, NEW_YEAR, micros, period, terms, utc};
use super::random::{BASIC, PRO, Plan, YEAR, span};
use crate::recurring::{Billed, DAY, Every, Fact, Micros, Second, Span, Terms, Unit};
use crate::support::host::ACCOUNT;
use bailiwick::Wallet;
use bailiwick::credit::{AlignError, AlignTerms, Event};
use bailiwick::paid_time::PaidTime;

const FEBRUARY: Second = NEW_YEAR + 31 * DAY;
const MARCH: Second = FEBRUARY + 29 * DAY;
const HOUR: Second = 3_600;

fn refund(plan: Plan, start: Second, at: Second) -> Fact {
    Fact::Credit {
        key: format!("refund-{at}"),
        payment: format!("refund-{at}"),
        period: Billed::Whole((start, plan.interval.after(start, 1))),
        at,
        made: at,
    }
}

fn free(course: &mut Course, at: Second) -> Micros {
    course.now = at;
    course.compare();
    course.totals().free
}

#[test]
fn pa1_an_alignment_tells_what_the_window_that_begins_then_brings() {
    let mut course = Course::new(terms(), NEW_YEAR);
    course.now = FEBRUARY;
    // January's credits, whose repayment lets time act, and February's, which begin at that second.
    course.hear(&[span(YEAR, NEW_YEAR, NEW_YEAR)]);
    assert_eq!(course.totals().granted, 2 * BASIC.amount);
}

#[test]
fn pa1_two_subscriptions_bring_their_credits_side_by_side() {
    let facts = [span(YEAR, NEW_YEAR, NEW_YEAR)];
    let terms = Course::new(terms(), NEW_YEAR).align_terms();
    let schedules = [1, 2].map(|subscription| {
        let time = PaidTime::new(ACCOUNT.into(), subscription.into());
        let recorded = time.record(facts.iter().map(super::course::told)).unwrap();
        recorded.unwrap().row().schedule()
    });

    let mut wallet = Wallet::open(ACCOUNT.into(), utc(NEW_YEAR));
    for schedule in &schedules {
        let change = wallet.align(schedule, terms, utc(NEW_YEAR)).unwrap();
        wallet = change.unwrap().wallet().clone();
    }
    let balance = wallet.balance_at(utc(MARCH)).unwrap();
    assert_eq!(balance.granted, micros(2 * 3 * BASIC.amount));
    for schedule in &schedules {
        assert_eq!(wallet.clone().align(schedule, terms, utc(MARCH)), Ok(None));
    }
}

#[test]
fn pa2_what_is_left_lives_for_the_slack_but_at_most_a_quarter_of_the_window() {
    let day = Every {
        unit: Unit::Day,
        count: 1,
    };
    let daily = Plan {
        interval: day,
        every: day,
        ..BASIC
    };
    for (plan, slack, expected) in [
        (BASIC, 3 * HOUR, 3 * HOUR),
        (BASIC, 20 * DAY, 7 * DAY),
        (daily, 5 * HOUR, 5 * HOUR),
        (daily, 3 * DAY, 6 * HOUR),
        (BASIC, 0, 0),
    ] {
        let mut course = Course::new(Terms { slack, ..terms() }, NEW_YEAR);
        course.hear(&[span(plan, NEW_YEAR, NEW_YEAR)]);
        let end = plan.interval.after(NEW_YEAR, 1) + expected;
        assert_eq!(free(&mut course, end - 1), plan.amount);
        assert_eq!(free(&mut course, end), 0);
    }
}

#[test]
fn pa2_only_money_that_came_after_the_slack_lives_longer() {
    let end = FEBRUARY + 3 * HOUR;
    for (received, expected) in [(end - 1, 0), (end, BASIC.amount)] {
        let mut course = Course::new(terms(), NEW_YEAR);
        course.now = end + DAY;
        course.hear(&[span(BASIC, NEW_YEAR, received)]);
        assert_eq!(course.totals().free, expected);
        assert_eq!(free(&mut course, received + 31 * DAY - 1), expected);
        assert_eq!(free(&mut course, received + 31 * DAY), 0);
    }
}

#[test]
fn pa2_a_late_payment_that_never_was_lengthens_no_life() {
    let mut course = Course::new(terms(), NEW_YEAR);
    let received = FEBRUARY + 4 * DAY;
    course.now = received;
    course.hear(&[span(BASIC, NEW_YEAR, received)]);

    let Fact::Span(upgrade) = span(PRO, NEW_YEAR, MARCH) else {
        panic!("a span")
    };
    let upgrade = Span {
        from: NEW_YEAR + 15 * DAY,
        ..upgrade
    };
    let payment = upgrade.payment.clone();
    course.now = MARCH;
    course.hear(&[Fact::Span(upgrade)]);
    course.hear(&[Fact::Void { payment }]);

    let end = received + 31 * DAY;
    assert_eq!(free(&mut course, end - 1), BASIC.amount);
    assert_eq!(free(&mut course, end), 0);
}

#[test]
fn pa2_what_an_alignment_brings_to_a_past_window_is_dated_by_the_alignment() {
    let mut course = Course::new(terms(), NEW_YEAR);
    course.now = MARCH + DAY;
    course.hear(&[span(BASIC, NEW_YEAR, NEW_YEAR)]);
    assert_eq!(course.totals().expired, BASIC.amount);
    assert!(
        course
            .ledger
            .iter()
            .all(|entry| entry.at == utc(MARCH + DAY))
    );
    let ran_out = |event: &Event| matches!(event, Event::GrantExpired { .. });
    assert!(course.ledger.iter().any(|entry| ran_out(&entry.event)));
    course.check_store();
}

#[test]
fn pa3_what_had_run_out_is_taken_back_before_it_becomes_a_debt() {
    let mut course = Course::new(terms(), NEW_YEAR);
    course.hear(&[span(PRO, NEW_YEAR, NEW_YEAR)]);
    assert!(course.deduct(500_000_000));
    course.now = MARCH;
    course.hear(&[refund(PRO, NEW_YEAR, NEW_YEAR)]);
    let totals = course.totals();
    assert_eq!((totals.debt, totals.expired), (500_000_000, 0));
    assert_eq!(totals.revoked, PRO.amount);
}

#[test]
fn pa5_a_rollover_counts_as_used_by_the_window_that_it_leaves() {
    let rollover = Some(100_000_000);
    let mut course = Course::new(
        Terms {
            rollover,
            ..terms()
        },
        NEW_YEAR,
    );
    course.hear(&[span(YEAR, NEW_YEAR, NEW_YEAR)]);
    assert_eq!(free(&mut course, FEBRUARY + 3 * HOUR), 600_000_000);

    // January is taken back: 400 had run out, and 100 went over; those are repaid from February.
    course.hear(&[Fact::Void {
        payment: "500000000x12-1830297600".into(),
    }]);
    let totals = course.totals();
    assert_eq!((totals.free, totals.debt, totals.expired), (0, 0, 0));
}

#[test]
fn pa5_a_window_goes_over_once_however_often_it_is_raised() {
    let rollover = Some(100_000_000);
    let mut course = Course::new(
        Terms {
            rollover,
            ..terms()
        },
        NEW_YEAR,
    );
    course.hear(&[span(YEAR, NEW_YEAR, NEW_YEAR)]);
    course.now = FEBRUARY + DAY;
    // A second year beside the first, which began a second later, raises nothing of January; one
    // with the same windows does.
    let Fact::Span(paid) = span(YEAR, NEW_YEAR, NEW_YEAR) else {
        unreachable!();
    };
    let raise = crate::recurring::Span {
        key: "larger".into(),
        payment: "larger".into(),
        amount: PRO.amount,
        made: NEW_YEAR + 1,
        ..paid
    };
    course.hear(&[Fact::Span(raise)]);
    // 1,500 more of January run out at once; February has 2,000 and the 100 of before.
    assert_eq!(course.totals().free, PRO.amount + 100_000_000);
    assert_eq!(course.totals().expired, 400_000_000 + 1_500_000_000);
}

#[test]
fn pa5_what_goes_over_goes_into_the_next_window_and_no_later_one() {
    let rollover = Some(100_000_000);
    let may = NEW_YEAR + (31 + 29 + 31 + 30 + 9) * DAY;
    let mut in_time = Course::new(
        Terms {
            rollover,
            ..terms()
        },
        NEW_YEAR,
    );
    let mut late = in_time.clone();
    in_time.hear(&[span(YEAR, NEW_YEAR, NEW_YEAR)]);
    for course in [&mut in_time, &mut late] {
        course.now = may;
        course.hear(&[span(YEAR, NEW_YEAR, NEW_YEAR)]);
        // What January to March left has run out, wherever it went.
        assert_eq!(course.totals().free, 600_000_000);
    }
}

#[test]
fn pa6_a_window_that_was_forgotten_stays_so_when_the_memory_grows() {
    let dispute = 10 * DAY;
    let mut course = Course::new(Terms { dispute, ..terms() }, NEW_YEAR);
    course.hear(&[span(BASIC, NEW_YEAR, NEW_YEAR)]);
    course.deduct_all();
    course.now = MARCH;
    course.hear(&[span(BASIC, MARCH, MARCH)]);

    let terms = bailiwick::credit::AlignTerms {
        dispute_time: chrono::TimeDelta::try_days(180).unwrap(),
        ..course.align_terms()
    };
    let voided = course
        .time
        .clone()
        .record([super::course::told(&Fact::Void {
            payment: format!("500000000x1-{NEW_YEAR}"),
        })]);
    let schedule = voided.unwrap().unwrap().row().schedule();
    let change = course.wallet.align(&schedule, terms, utc(MARCH)).unwrap();
    let change = change.unwrap();
    assert_eq!(change.wallet().balance().free, micros(BASIC.amount));

    let [forgotten] = &change.into_result().before_memory[..] else {
        panic!("one window is before the memory");
    };
    assert_eq!(forgotten.window, period((NEW_YEAR, FEBRUARY)));
    assert_eq!(forgotten.before, micros(BASIC.amount));
    assert_eq!(forgotten.after, micros(0));
}

/// The subscription is no longer kept, and what was forgotten of it stays so.
#[test]
fn pa6_a_subscription_that_was_dropped_grants_nothing_anew() {
    let schedule = |subscription: i64, start: Second| {
        let time = PaidTime::new(ACCOUNT.into(), subscription.into());
        let recorded = time.record([super::course::told(&span(BASIC, start, start))]);
        recorded.unwrap().unwrap().row().schedule()
    };
    let terms = |dispute_time: i64| AlignTerms {
        dispute_time: chrono::TimeDelta::try_days(dispute_time).unwrap(),
        ..Course::new(terms(), NEW_YEAR).align_terms()
    };
    let align = |wallet: Wallet, schedule, days, at: Second| {
        let aligned = wallet.align(schedule, terms(days), utc(at)).unwrap();
        aligned.unwrap()
    };

    let (first, second) = (schedule(1, NEW_YEAR), schedule(2, MARCH));
    let wallet = Wallet::open(ACCOUNT.into(), utc(NEW_YEAR));
    let wallet = align(wallet, &first, 20, NEW_YEAR).wallet().clone();
    // Another subscription of the first's time of disputes: its own windows are forgotten.
    let wallet = align(wallet, &first, 21, MARCH).wallet().clone();
    let wallet = align(wallet, &second, 20, MARCH).wallet().clone();

    let again = align(wallet, &first, 180, MARCH);
    assert_eq!(again.wallet().balance().granted, micros(2 * BASIC.amount));
    let text = serde_json::to_string(again.wallet()).unwrap();
    assert_eq!(
        &serde_json::from_str::<Wallet>(&text).unwrap(),
        again.wallet()
    );
    assert_eq!(again.into_result().before_memory.len(), 1);
}

#[test]
fn p7_terms_that_no_store_can_hold_are_refused() {
    let course = Course::new(terms(), NEW_YEAR);
    let time = course.time.clone();
    let paid = super::course::told(&span(BASIC, NEW_YEAR, NEW_YEAR));
    let schedule = time.record([paid]).unwrap().unwrap().row().schedule();

    let whole = course.align_terms();
    let half = chrono::TimeDelta::try_milliseconds(1_500).unwrap();
    for terms in [
        AlignTerms {
            slack: half,
            ..whole
        },
        AlignTerms {
            dispute_time: half,
            ..whole
        },
        AlignTerms {
            slack: -chrono::TimeDelta::try_seconds(1).unwrap(),
            ..whole
        },
    ] {
        // Terms of half a second came back from text as others, and each alignment was a new one.
        let aligned = course.wallet.clone().align(&schedule, terms, utc(NEW_YEAR));
        assert_eq!(aligned, Err(AlignError::TermsInvalid));
    }
}
