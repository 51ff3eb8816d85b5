//! The properties P1 to P7, and what holds of every wallet, over random courses.

use std::collections::BTreeSet;

use super::course::{Course, micros, period, stretch, terms, utc};
use super::random::{
    BASIC, PRO, Step, Story, When, Where, all_terms, anchors, facts, span, spendings, steps, waits,
};
use crate::recurring::{Billed, DAY, Fact, Micros, Second, Span, Stretch, Terms};
use bailiwick::paid_time::{PaidTime, Schedule};
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
    let target = schedule.target(period(window), TimeDelta::seconds(terms.slack));
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

/// A fact of a window that runs, or is still to come.
fn running_facts() -> impl Strategy<Value = Step> {
    let monthly_or_weekly = 0usize..7;
    (facts(), monthly_or_weekly).prop_map(|(step, plan)| match step {
        Step::Pay {
            place,
            from,
            ending,
            made,
            prompt,
            joins,
            ..
        } => Step::Pay {
            plan,
            place: match place {
                Where::Running(_) => Where::Running(0),
                other => other,
            },
            from: match from {
                When::Ago(_) => When::Now,
                other => other,
            },
            ending,
            made,
            prompt,
            joins,
            heard: false,
        },
        Step::Credit {
            span, at, joins, ..
        } => Step::Credit {
            span,
            at,
            joins,
            heard: false,
        },
        Step::Stop { .. } => Step::Stop { heard: false },
        Step::Void { span, .. } => Step::Void { span, heard: false },
        other => other,
    })
}

/// Makes a fact happen that nobody hears yet.
fn happen(story: &mut Story, step: &Step) -> Option<Fact> {
    let (fact, _) = story.fact(step)?;
    story.happened.push(fact.clone());
    Some(fact)
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
    fn p4_facts_in_any_order_align_a_wallet_to_the_same(
        terms in all_terms(),
        anchor in anchors(),
        steps in steps(),
        news in prop::collection::vec(facts(), 1..8),
        order in Just((0..16).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let mut story = Story::new(terms, anchor);
        for step in &steps {
            story.take(step);
        }
        let news: Vec<Fact> = news.iter().filter_map(|step| happen(&mut story, step)).collect();
        let mut other = story.course.clone();
        story.course.hear(&news);

        // Each of them twice, one by one, and then one alignment.
        let count = news.len();
        let mut time: PaidTime = other.time.clone();
        for place in order.into_iter().filter(|place| *place < 2 * count) {
            let fact = super::course::told(&news[place % count]);
            if let Some(change) = time.clone().record([fact]).unwrap() {
                time = change.row().clone();
            }
        }
        prop_assert_eq!(time.facts(), story.course.time.facts());
        other.time = time;
        other.facts = story.course.facts.clone();
        other.align();
        prop_assert!(other.wallet.equals_but_for_version(&story.course.wallet));
    }

    #[test]
    fn p4_before_anything_is_spent_the_instants_of_hearing_make_no_difference(
        anchor in anchors(),
        news in prop::collection::vec((running_facts(), 0i64..DAY, 0i64..40), 1..8),
    ) {
        let mut story = Story::new(terms(), anchor);
        let mut heard: Vec<(Second, Fact)> = vec![];
        for (step, wait, delay) in &news {
            story.course.now = (story.course.now + wait / 2).min(anchor + 4 * DAY);
            let now = story.course.now;
            if let Some(fact) = happen(&mut story, step) {
                heard.push((now + delay * 3_600 / 2, fact));
            }
        }
        let end = anchor + 5 * DAY;
        let mut at_once = story.course.clone();
        at_once.now = end;
        at_once.hear(&heard.iter().map(|(_, fact)| fact.clone()).collect::<Vec<_>>());

        let mut one_by_one = Course::new(terms(), anchor);
        heard.sort_by_key(|(at, _)| *at);
        for (at, fact) in heard {
            one_by_one.now = at;
            one_by_one.hear(&[fact]);
        }
        for days in [0, 1, 3, 27, 40, 100, 800] {
            let [one, other] = [&one_by_one, &at_once].map(|course| course.totals_at(end + days * DAY));
            prop_assert_eq!((one.free, one.debt, one.expired), (other.free, other.debt, other.expired));
            prop_assert_eq!(one.granted - one.revoked, other.granted - other.revoked);
        }
    }

    #[test]
    fn p5_a_payment_and_its_void_are_as_if_it_had_never_been(
        anchor in anchors(),
        before in prop::collection::vec(running_facts(), 0..4),
        undone in prop::collection::vec(running_facts(), 1..3),
        places in (0usize..4, 4usize..9),
        spendings in prop::collection::vec(spendings(), 8..9),
    ) {
        // Without the payment, and with it.
        let mut without = Story::new(terms(), anchor);
        without.course.now += DAY;
        let facts: Vec<Fact> = before.iter().filter_map(|step| happen(&mut without, step)).collect();
        without.course.hear(&facts);
        let mut with = without.clone();

        let payment = "undone".to_owned();
        let mut lines = vec![];
        for step in &undone {
            match happen(&mut with, step) {
                Some(Fact::Span(span)) => {
                    let payment = payment.clone();
                    lines.push(Fact::Span(Span { payment, ..span }));
                }
                Some(Fact::Credit { key, period, at, made, .. }) => {
                    let payment = payment.clone();
                    lines.push(Fact::Credit { key, payment, period, at, made });
                }
                _ => {}
            }
        }

        for (place, step) in spendings.iter().enumerate() {
            if place == places.0 {
                with.course.hear(&lines);
            }
            if place == places.1 {
                with.course.hear(&[Fact::Void { payment: payment.clone() }]);
            }
            // All that is free would be another amount; a gift may run out in between.
            if matches!(step, Step::DeductAll | Step::Gift { life: Some(_), .. }) {
                continue;
            }
            let (mut one, mut other) = (without.clone(), with.clone());
            one.take(step);
            other.take(step);
            // What only one of them can pay is left out of both.
            let done = |story: &Story, before: &Story| {
                (story.course.totals().spent - before.course.totals().spent,
                    story.course.open_holds())
            };
            if done(&one, &without) == done(&other, &with) {
                (without, with) = (one, other);
            }
            without.course.now += 3_600;
            with.course.now += 3_600;
        }
        with.course.hear(&[Fact::Void { payment }]);

        for days in [0, 1, 4] {
            let at = without.course.now + days * DAY;
            let [one, other] = [&without, &with].map(|story| story.course.totals_at(at));
            prop_assert_eq!(one.free - one.debt, other.free - other.debt);
            prop_assert_eq!((one.held, one.spent), (other.held, other.spent));
        }
    }

    #[test]
    fn p6_a_hold_that_ends_after_a_lowering_is_as_if_it_had_ended_before(
        anchor in anchors(),
        spent in 0i128..900,
        held in prop::collection::vec((1i128..350, prop::option::of(0i128..350)), 1..4),
        lowerings in prop::collection::vec((0i64..27, any::<bool>()), 1..4),
        end in 0i64..60,
    ) {
        let mut course = Course::new(terms(), anchor);
        course.hear(&[span(PRO, anchor, anchor)]);
        course.deduct(spent * 1_000_000 + 1);
        for (amount, _) in &held {
            prop_assert!(course.hold(amount * 1_000_000, 300 * DAY));
        }
        let finish = |course: &mut Course| {
            for (key, (amount, cost)) in course.open_holds().into_iter().zip(&held) {
                match cost {
                    Some(cost) => {
                        course.settle(key, (*cost).min(*amount) * 1_000_000);
                    }
                    None => course.release(key),
                }
            }
        };
        let period = (anchor, PRO.interval.after(anchor, 1));
        let lower = |course: &mut Course| {
            let mut days: Vec<_> = lowerings.clone();
            days.sort_unstable();
            for (number, (day, refund)) in days.into_iter().enumerate() {
                course.now = course.now.max(anchor + day * DAY + 1);
                let (key, at) = (format!("lowering-{number}"), anchor + day * DAY);
                course.hear(&[if refund {
                    Fact::Credit {
                        key: key.clone(),
                        payment: key,
                        period: Billed::Whole(period),
                        at,
                        made: at,
                    }
                } else {
                    Fact::Span(Span {
                        key: key.clone(),
                        payment: key,
                        period: Billed::EndingAt(period.1),
                        from: at,
                        every: BASIC.every,
                        windows: 1,
                        amount: BASIC.amount,
                        made: at,
                        received: at,
                    })
                }]);
            }
        };

        let mut before = course.clone();
        finish(&mut before);
        lower(&mut before);
        lower(&mut course);
        course.now = course.now.max(anchor + end * DAY);
        finish(&mut course);
        before.now = course.now;
        prop_assert_eq!(course.totals(), before.totals());
        prop_assert_eq!(course.totals_at(anchor + 90 * DAY), before.totals_at(anchor + 90 * DAY));
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

/// P6 speaks of the hold's own window: what other credits repaid meanwhile is not given back. This
/// states what is so.
#[test]
fn p6_does_not_reach_what_other_credits_repaid_meanwhile() {
    let anchor = super::course::NEW_YEAR;
    let mut course = Course::new(terms(), anchor);
    course.hear(&[span(PRO, anchor, anchor)]);
    assert!(course.hold(PRO.amount, 300 * DAY));
    course.gift(5_000_000_000, None);
    let refund = Fact::Credit {
        key: "refund".into(),
        payment: "refund".into(),
        period: Billed::Whole((anchor, PRO.interval.after(anchor, 1))),
        at: anchor + DAY,
        made: anchor + DAY,
    };

    let mut before = course.clone();
    before.release(before.open_holds()[0]);
    for course in [&mut before, &mut course] {
        course.now = anchor + DAY;
        course.hear(&[refund.clone()]);
        course.now = anchor + 33 * DAY;
    }
    course.release(course.open_holds()[0]);

    assert_eq!(micros(before.totals().free), "5000".parse().unwrap());
    // The gift repaid the debt, and what came back had run out.
    assert_eq!(micros(course.totals().free), "3064.516129".parse().unwrap());
    assert_eq!(micros(course.totals().expired), "2000".parse().unwrap());
}

/// P4 speaks of facts that one alignment hears. Two alignments at one instant differ, if the one
/// raises a window that is over and the other lowers credits that were spent: what is left of the
/// window runs out at once, and cannot repay a debt of a moment later. This states what is so.
#[test]
fn p4_does_not_reach_two_alignments_at_one_instant() {
    let january = super::course::NEW_YEAR;
    let february = january + 31 * DAY;
    let mut course = Course::new(terms(), january);
    course.now = february;
    course.hear(&[span(PRO, february, february)]);
    course.deduct_all();
    course.now = february + 9 * DAY;

    let raise = span(BASIC, january, january);
    let lower = Fact::Credit {
        key: "refund".into(),
        payment: "refund".into(),
        period: Billed::Whole((february, PRO.interval.after(february, 1))),
        at: course.now,
        made: course.now,
    };
    let debt = |heard: &[&[Fact]]| {
        let mut course = course.clone();
        for facts in heard {
            course.hear(facts);
        }
        micros(course.totals().debt).to_string()
    };
    // 2,000 * 20 / 29 is owed. January's 500 repay of it what was owed before them.
    assert_eq!(debt(&[&[raise.clone()], &[lower.clone()]]), "1379.310345");
    assert_eq!(debt(&[&[lower.clone()], &[raise.clone()]]), "879.310345");
    // One alignment takes windows in the order of time, in whatever order the facts come.
    assert_eq!(debt(&[&[raise.clone(), lower.clone()]]), "1379.310345");
    assert_eq!(debt(&[&[lower, raise]]), "1379.310345");
}
