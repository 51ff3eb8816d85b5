//! The properties P1, P2, P3 and P7, and what holds of every wallet, over random courses.

use std::collections::BTreeSet;

use super::course::{Course, period, stretch, terms, utc};
use super::random::{Step, Story, When, Where, all_terms, anchors, facts, steps, waits};
use crate::recurring::{DAY, Micros, Second, Stretch, Terms};
use bailiwick::paid_time::Schedule;
use chrono::TimeDelta;
use proptest::prelude::*;

/// Nothing is forgotten.
fn remembering(terms: Terms) -> Terms {
    Terms {
        dispute: 10_000 * DAY,
        ..terms
    }
}

fn target(schedule: &Schedule, window: Stretch, terms: Terms) -> Micros {
    let target = schedule.target(period(window), TimeDelta::try_seconds(terms.slack).unwrap());
    target.unwrap().amount.micros().into()
}

/// Returns the windows that have begun and are paid.
fn begun(course: &Course, now: Second) -> Vec<Stretch> {
    let windows = course.time.schedule().windows_begun(utc(now));
    windows.into_iter().map(stretch).collect()
}

pub fn sum_of_targets(course: &Course) -> Micros {
    let schedule = course.time.schedule();
    let windows = begun(course, course.now).into_iter();
    windows
        .map(|window| target(&schedule, window, course.terms))
        .sum()
}

/// A payment that is told as what it is, when it is, and for no time before.
fn prompt_facts() -> impl Strategy<Value = Step> {
    facts().prop_filter_map("a void is no news of today", |step| match step {
        Step::Pay {
            plan, place, made, ..
        } => {
            let place = match place {
                Where::Running(_) => Where::Running(0),
                other => other,
            };
            let from = match place {
                Where::Running(_) => When::Now,
                _ => When::Start,
            };
            Some(Step::Pay {
                plan,
                place,
                from,
                ending: false,
                made,
                prompt: true,
                joins: false,
                heard: true,
            })
        }
        Step::Credit { span, .. } => Some(Step::Credit {
            span,
            at: When::Now,
            joins: false,
            heard: true,
        }),
        Step::Stop { .. } => Some(Step::Stop { heard: true }),
        _ => None,
    })
}

/// Lets the course wait, and spends all at every instant of a set.
fn wait_and_spend(course: &mut Course, seconds: Second, instants: &BTreeSet<Second>) {
    let end = course.now + seconds;
    for at in instants.range(course.now + 1..=end) {
        course.now = *at;
        course.deduct_all();
    }
    course.now = end;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn p1_no_more_is_spent_than_was_paid_for(
        terms in all_terms(),
        anchor in anchors(),
        steps in steps(),
    ) {
        let mut story = Story::new(remembering(terms), anchor);
        for step in &steps {
            story.take(step);
            let course = &story.course;
            let totals = course.totals();
            let paid = sum_of_targets(course) + course.gifts.iter().sum::<Micros>();
            prop_assert_eq!(totals.granted - totals.revoked, paid);
            prop_assert!(totals.spent - totals.debt <= paid);
            prop_assert!(totals.free == 0 || totals.debt == 0);
        }
    }

    #[test]
    fn p2_who_hears_at_once_has_exactly_what_was_paid_for(
        anchor in anchors(),
        steps in prop::collection::vec((prompt_facts(), waits()), 1..16),
        saves in any::<bool>(),
    ) {
        let mut story = Story::new(remembering(terms()), anchor);
        for (fact, wait) in &steps {
            story.take(fact);
            let course = &mut story.course;
            // A spender spends as each window begins, a saver in its last second.
            let windows = begun(course, course.now + wait).into_iter();
            let instants = windows.map(|window| if saves { window.1 - 1 } else { window.0 });
            if !saves {
                course.deduct_all();
            }
            wait_and_spend(course, *wait, &instants.collect());
        }

        let course = &mut story.course;
        let totals = course.totals();
        prop_assert_eq!(totals.expired, 0);
        prop_assert_eq!(totals.spent - totals.debt + totals.free, sum_of_targets(course));
    }

    #[test]
    fn p3_each_instant_of_paid_time_is_in_a_window_that_has_brought_its_target(
        terms in all_terms(),
        anchor in anchors(),
        steps in steps(),
    ) {
        let mut story = Story::new(remembering(terms), anchor);
        for step in &steps {
            story.take(step);
            let course = &story.course;
            let schedule = course.time.schedule();
            let windows = begun(course, course.now);
            let brought = course.brought();

            for window in &windows {
                let parts = [false, true].map(|late| brought.get(&(*window, late)).unwrap_or(&0));
                let sum: Micros = parts.into_iter().sum();
                prop_assert_eq!(sum, target(&schedule, *window, course.terms));
            }
            for piece in schedule.pieces() {
                let (from, until) = stretch(piece.paid);
                let instants = [from, from + (until - from) / 2, until - 1, course.now];
                let paid = instants.into_iter().filter(|at| (from..until).contains(at));
                for at in paid.filter(|at| *at <= course.now) {
                    let window = stretch(piece.grid.window_at(piece.period, utc(at)).unwrap());
                    prop_assert!(window.0 <= at && at < window.1);
                    let stopped = piece.stopped_at.is_some_and(|end| end <= utc(window.0));
                    prop_assert!(stopped || windows.contains(&window));
                }
            }
        }
    }

    #[test]
    fn p7_aligning_twice_is_aligning_once(
        terms in all_terms(),
        anchor in anchors(),
        steps in steps(),
    ) {
        let mut story = Story::new(terms, anchor);
        for step in &steps {
            story.take(step);
            let course = &story.course;
            let schedule = course.time.schedule();
            // Time alone keeps it aligned, too.
            if !course.facts.is_empty() {
                let wallet = course.wallet.clone();
                let again = wallet.align(&schedule, course.align_terms(), utc(course.now));
                prop_assert_eq!(again, Ok(None));
            }
        }
    }

    #[test]
    fn c1_c7_after_each_step_the_parts_add_up_and_the_ledger_folds_to_the_stored_wallet(
        terms in all_terms(),
        anchor in anchors(),
        steps in steps(),
    ) {
        let mut story = Story::new(terms, anchor);
        for step in &steps {
            story.take(step);
            let t = story.course.totals();
            prop_assert_eq!(t.granted + t.debt, t.free + t.held + t.spent + t.expired + t.revoked);
            story.course.check_store();
        }
    }

    #[test]
    fn c5_how_finely_time_is_ticked_changes_nothing(
        terms in all_terms(),
        anchor in anchors(),
        steps in steps(),
        parts in 1i64..9,
    ) {
        let mut coarse = Story::new(terms, anchor);
        let mut fine = coarse.clone();
        for step in &steps {
            coarse.take(step);
            if let Step::Wait(seconds) = step {
                let end = fine.course.now + seconds;
                for part in 1..=parts {
                    fine.course.now = end - seconds + seconds * part / parts;
                    fine.course.tick();
                }
            } else {
                fine.take(step);
                fine.course.tick();
            }
        }
        coarse.course.tick();
        fine.course.tick();
        prop_assert!(coarse.course.wallet.equals_but_for_version(&fine.course.wallet));

        let events = |story: &Story| -> Vec<_> {
            let entries = story.course.ledger.iter();
            entries.map(|entry| (entry.at, entry.event.clone())).collect()
        };
        prop_assert_eq!(events(&coarse), events(&fine));
    }
}
