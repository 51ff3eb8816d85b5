//! The properties P4 to P6: the order and the undoing of facts, and holds that end after them.

use super::course::{Course, NEW_YEAR, micros, terms, told};
use super::random::{
    BASIC, PRO, Step, Story, When, Where, all_terms, anchors, facts, span, spendings, steps,
};
use crate::recurring::{Billed, DAY, Fact, Second, Span};
use bailiwick::paid_time::PaidTime;
use proptest::prelude::*;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

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
            let fact = told(&news[place % count]);
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
}

/// P6 speaks of the hold's own window: what other credits repaid meanwhile is not given back. This
/// states what is so.
#[test]
fn p6_does_not_reach_what_other_credits_repaid_meanwhile() {
    let anchor = NEW_YEAR;
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
        course.hear(std::slice::from_ref(&refund));
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
    let january = NEW_YEAR;
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
    assert_eq!(
        debt(&[std::slice::from_ref(&raise), std::slice::from_ref(&lower)]),
        "1379.310345"
    );
    assert_eq!(
        debt(&[std::slice::from_ref(&lower), std::slice::from_ref(&raise)]),
        "879.310345"
    );
    // One alignment takes windows in the order of time, in whatever order the facts come.
    assert_eq!(debt(&[&[raise.clone(), lower.clone()]]), "1379.310345");
    assert_eq!(debt(&[&[lower, raise]]), "1379.310345");
}
