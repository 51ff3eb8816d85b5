//! P1 in money: the credits of a month are worth what was paid for it.

use super::course::{Course, micros, terms};
use super::properties::sum_of_targets;
use super::random::{BASIC, anchors, span};
use crate::recurring::{Billed, DAY, Fact, Micros, Second, Span};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A credit costs a cent here, and each change within a month is two lines, rounded to a cent.
    #[test]
    fn p1_the_credits_of_a_month_are_worth_what_was_paid_for_it(
        anchor in anchors(),
        changes in prop::collection::btree_map(1i64..28 * DAY, 1i128..3_000, 0..6),
        refund in prop::option::of(0i64..DAY),
    ) {
        const CENT: Micros = 1_000_000;
        let mut course = Course::new(terms(), anchor);
        course.hear(&[span(BASIC, anchor, anchor)]);
        let end = BASIC.interval.after(anchor, 1);
        let worth = |amount: Micros, at: Second| {
            let exact = amount * Micros::from(end - at) / Micros::from(end - anchor);
            (exact + CENT / 2) / CENT * CENT
        };

        let mut paid = BASIC.amount;
        let mut lines = 1;
        let mut amount = BASIC.amount;
        for (number, (seconds, larger)) in changes.iter().enumerate() {
            let at = anchor + seconds;
            course.now = at;
            let key = format!("change-{number}");
            course.hear(&[Fact::Span(Span {
                key: key.clone(),
                payment: key,
                period: Billed::EndingAt(end),
                from: at,
                every: BASIC.every,
                windows: 1,
                amount: larger * CENT,
                made: at,
                received: at,
            })]);
            paid += worth(larger * CENT, at) - worth(amount, at);
            lines += 2;
            amount = larger * CENT;
        }
        if let Some(seconds) = refund {
            let at = course.now + seconds;
            course.now = at;
            course.hear(&[Fact::Credit {
                key: "refund".into(),
                payment: "refund".into(),
                period: Billed::Whole((anchor, end)),
                at,
                made: at,
            }]);
            paid -= worth(amount, at);
            lines += 1;
        }
        prop_assert!((sum_of_targets(&course) - paid).abs() <= lines * CENT + 1);
    }
}

/// P1 in money: a year is paid by its days, and brings its credits by its months, which are not of
/// one length. Who gives back the rest of a year at the end of its shortest month keeps a twelfth of
/// its credits, for 28 days of its money. This states what is so.
#[test]
fn p1_a_year_is_worth_its_money_only_month_by_month() {
    let february = super::course::NEW_YEAR + 366 * DAY + 31 * DAY;
    let mut course = Course::new(terms(), february);
    course.hear(&[span(super::random::YEAR, february, february)]);
    course.now = february + 28 * DAY;
    let period = (february, february + 365 * DAY);
    course.hear(&[Fact::Credit {
        key: "refund".into(),
        payment: "refund".into(),
        period: Billed::Whole(period),
        at: course.now,
        made: course.now,
    }]);

    assert_eq!(micros(sum_of_targets(&course)), "500".parse().unwrap());
    let by_days = 12 * BASIC.amount * 28 / 365;
    assert_eq!(micros(by_days), "460.273972".parse().unwrap());
}
