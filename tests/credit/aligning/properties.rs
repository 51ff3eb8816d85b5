//! The properties P1 to P7, the rules of the wallet one by one, and what holds of every wallet.

use super::course::{Course, NEW_YEAR, terms};
use super::random::{BASIC, PRO, Plan, Step, Story, YEAR, anchors, facts, span, steps, waits};
use crate::recurring::{Billed, DAY, Fact, Micros, Second, Terms};
use bailiwick::Credits;
use proptest::prelude::*;

#[test]
fn pa1_an_alignment_tells_what_the_window_that_begins_then_brings() {
    let mut course = Course::new(terms(), NEW_YEAR);
    course.now = BASIC.interval.after(NEW_YEAR, 1);
    // January's credits, whose repayment lets time act, and February's, which begin at that second.
    course.hear(&[span(YEAR, NEW_YEAR, NEW_YEAR)]);
    assert_eq!(course.totals().granted, 2 * BASIC.amount);
}
