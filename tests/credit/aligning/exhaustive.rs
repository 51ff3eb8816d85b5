//! Every course up to a depth: two plans and a year, with everything that can become of them.

use super::course::{Course, NEW_YEAR, terms};
use super::random::{BASIC, PRO, PRO_YEAR, Plan, YEAR, span};
use crate::recurring::{Billed, DAY, Fact, Second, Span, Stretch};

/// The number of steps after each beginning.
const DEPTH: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A whole period from its start, paid then and heard now.
    Pay(Plan, Second),
    /// The same, paid now.
    PayLate(Plan, Second),
    /// The rest of the period that the first payment is for, told by its end.
    Rest(Plan),
    /// A new period from now; the same invoice gives the unused time of the first payment back.
    Reset(Plan),
    /// The unused time of the first payment is given back.
    Refund,
    Stop,
    VoidFirst,
    VoidLast,
    /// All facts once more, in the opposite order.
    Again,
    Hold,
    Settle,
    Release,
    SpendAll,
    Wait(Second),
}

const FEBRUARY: Second = NEW_YEAR + 31 * DAY;

const STEPS: [Step; 24] = [
    Step::Pay(BASIC, NEW_YEAR),
    Step::Pay(PRO, NEW_YEAR),
    Step::Pay(YEAR, NEW_YEAR),
    Step::PayLate(BASIC, NEW_YEAR),
    Step::Pay(BASIC, FEBRUARY),
    Step::PayLate(PRO, FEBRUARY),
    Step::Rest(BASIC),
    Step::Rest(PRO),
    Step::Rest(PRO_YEAR),
    Step::Reset(BASIC),
    Step::Reset(PRO),
    Step::Reset(YEAR),
    Step::Refund,
    Step::Stop,
    Step::VoidFirst,
    Step::VoidLast,
    Step::Again,
    Step::Hold,
    Step::Settle,
    Step::Release,
    Step::SpendAll,
    Step::Wait(1),
    Step::Wait(10 * DAY),
    Step::Wait(24 * DAY),
];

fn spans(course: &Course) -> Vec<&Span> {
    let spans = course.facts.iter().filter_map(|fact| match fact {
        Fact::Span(span) => Some(span),
        _ => None,
    });
    spans.collect()
}

/// Returns the whole period of the first payment.
fn first_period(course: &Course) -> Option<Stretch> {
    spans(course)
        .into_iter()
        .find_map(|span| match span.period {
            Billed::Whole(period) => Some(period),
            Billed::EndingAt(_) => None,
        })
}

/// Takes one step; returns false if nothing can come of it.
fn take(course: &mut Course, step: Step) -> bool {
    let now = course.now;
    let name = format!("fact-{}", course.facts.len());
    let whole = |plan: Plan, start, received| span(plan, start, received);

    match step {
        Step::Pay(plan, start) if start <= now => course.hear(&[whole(plan, start, start)]),
        Step::PayLate(plan, start) if start <= now => {
            let Fact::Span(paid) = whole(plan, start, now) else {
                return false;
            };
            course.hear(&[Fact::Span(Span {
                key: name.clone(),
                payment: name,
                ..paid
            })]);
        }
        Step::Rest(plan) => {
            let Some(period) = first_period(course).filter(|one| one.0 <= now && now < one.1)
            else {
                return false;
            };
            course.hear(&[Fact::Span(Span {
                key: name.clone(),
                payment: name,
                period: Billed::EndingAt(period.1),
                from: now,
                every: plan.every,
                windows: if period.1 > NEW_YEAR + 200 * DAY {
                    12
                } else {
                    1
                },
                amount: plan.amount,
                made: now,
                received: now,
            })]);
        }
        Step::Reset(plan) => {
            let Some(period) = first_period(course).filter(|one| one.0 <= now && now < one.1)
            else {
                return false;
            };
            let Fact::Span(paid) = whole(plan, now, now) else {
                return false;
            };
            let credit = Fact::Credit {
                key: format!("{name}/credit"),
                payment: name.clone(),
                period: Billed::Whole(period),
                at: now,
                made: now,
            };
            let paid = Fact::Span(Span {
                key: name.clone(),
                payment: name,
                ..paid
            });
            course.hear(&[credit, paid]);
        }
        Step::Refund => {
            let Some(period) = first_period(course).filter(|one| one.0 <= now && now < one.1)
            else {
                return false;
            };
            course.hear(&[Fact::Credit {
                key: name.clone(),
                payment: name,
                period: Billed::Whole(period),
                at: now,
                made: now,
            }]);
        }
        Step::Stop => course.hear(&[Fact::Stop {
            key: name,
            at: now,
            made: now,
        }]),
        Step::VoidFirst | Step::VoidLast => {
            let spans = spans(course);
            let span = if step == Step::VoidFirst {
                spans.first()
            } else {
                spans.last()
            };
            let Some(payment) = span.map(|span| span.payment.clone()) else {
                return false;
            };
            course.hear(&[Fact::Void { payment }]);
        }
        Step::Again if course.facts.len() > 1 => {
            let facts: Vec<Fact> = course.facts.iter().rev().cloned().collect();
            course.hear(&facts);
        }
        Step::Hold => return course.hold(300_000_000, 40 * DAY),
        Step::Settle => match course.open_holds().first() {
            Some(key) => return course.settle(*key, 170_000_000),
            None => return false,
        },
        Step::Release => match course.open_holds().first() {
            Some(key) => course.release(*key),
            None => return false,
        },
        Step::SpendAll if course.totals().free > 0 => course.deduct_all(),
        Step::Wait(seconds) => course.now += seconds,
        _ => return false,
    }

    true
}

/// Takes every course of so many further steps; returns the number of courses.
fn explore(course: &Course, path: &mut Vec<Step>, depth: usize) -> u64 {
    let mut count = 0;
    for step in STEPS {
        // Two waits are another wait, and a doubled hearing after a doubled hearing is the same.
        let idle = |step| matches!(step, Step::Wait(_) | Step::Again);
        if idle(step) && path.last().is_some_and(|last| idle(*last)) {
            continue;
        }
        let mut course = course.clone();
        path.push(step);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let taken = take(&mut course, step);
            if taken {
                course.compare();
            }
            taken
        }))
        .unwrap_or_else(|_| panic!("the course {path:?}"))
        {
            count += 1;
            if depth > 1 {
                count += explore(&course, path, depth - 1);
            } else {
                // By time alone, over the ends of all months.
                course.compare_at(course.now + 45 * DAY);
            }
        }
        path.pop();
    }

    count
}

fn count_from(beginning: &[Step], rollover: Option<i128>) -> u64 {
    let terms = crate::recurring::Terms {
        rollover,
        ..terms()
    };
    let mut course = Course::new(terms, NEW_YEAR);
    let mut path = beginning.to_vec();
    for step in beginning {
        assert!(take(&mut course, *step));
        course.compare();
    }
    explore(&course, &mut path, DEPTH)
}

#[test]
fn pa1_every_small_course_is_as_the_model_says() {
    let beginnings: [&[Step]; 6] = [
        &[],
        &[Step::Pay(PRO, NEW_YEAR), Step::Wait(10 * DAY)],
        &[Step::Pay(PRO, NEW_YEAR), Step::SpendAll, Step::Wait(DAY)],
        &[Step::Pay(BASIC, NEW_YEAR), Step::Hold, Step::Wait(10 * DAY)],
        &[
            Step::Pay(YEAR, NEW_YEAR),
            Step::SpendAll,
            Step::Wait(DAY),
            Step::Rest(PRO_YEAR),
        ],
        &[Step::Wait(34 * DAY)],
    ];
    let mut count = 0;
    for beginning in beginnings {
        count += count_from(beginning, None);
    }
    count += count_from(beginnings[3], Some(100_000_000));

    println!("{count} courses compared");
    assert!(count > 10_000);
}
