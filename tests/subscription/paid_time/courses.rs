//! All small courses, each compared with the oracle.

use super::table::{Course, JANUARY, day, on};
use crate::paid_time_facts::compare;
use crate::paid_time_model::{Billed, Every, Line, NegativeLine, Told, after};

const PLANS: [i128; 2] = [500_000_000, 2_000_000_000];
/// The instants at which something happens, and the days between them in which nothing does.
const INSTANTS: [i128; 4] = [day(0), day(4), day(15), day(33)];

/// A customer's course, one step after another.
#[derive(Clone)]
struct Story {
    told: Vec<Told>,
    /// The place in the instants.
    now: usize,
    /// The period that runs, its months, and the plan.
    current: Option<((i128, i128), u16, usize)>,
    invoices: usize,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes.
    Wait,
    /// A plan is paid for a whole month or year from now on, and nothing is given back.
    Pay(usize, u16),
    /// The same, with the unused time of the running period credited by the same invoice.
    Reset(usize, u16),
    /// The other plan is paid for the time that remains.
    Change,
    /// The running period is paid once more.
    PayAgain,
    /// The unused time is given back, and nothing else is said.
    Refund,
    /// The first or the latest invoice was never paid.
    Void { is_first: bool },
    /// Service ends, and nothing is given back.
    Stop,
}

const STEPS: [Step; 11] = [
    Step::Wait,
    Step::Pay(0, 1),
    Step::Pay(0, 12),
    Step::Reset(1, 1),
    Step::Reset(0, 12),
    Step::Change,
    Step::PayAgain,
    Step::Refund,
    Step::Void { is_first: true },
    Step::Void { is_first: false },
    Step::Stop,
];

impl Story {
    fn key(&self) -> String {
        format!("{}", self.told.len())
    }

    fn invoice(&mut self) -> String {
        self.invoices += 1;
        format!("invoice-{}", self.invoices)
    }

    fn line(&mut self, invoice: &str, period: Billed, from: i128, plan: usize, months: u16) {
        self.told.push(Told::Line(Line {
            key: self.key(),
            invoice: invoice.into(),
            period,
            from,
            every: Every::Months(1),
            windows: months,
            amount: PLANS[plan],
            made: INSTANTS[self.now],
            received: INSTANTS[self.now],
        }));
    }

    fn credit(&mut self, invoice: &str, period: Billed) {
        self.told.push(Told::NegativeLine(NegativeLine {
            key: self.key(),
            invoice: invoice.into(),
            period,
            at: INSTANTS[self.now],
            made: INSTANTS[self.now],
        }));
    }

    /// The story after a step; nothing where the step makes no sense.
    fn after(&self, step: Step) -> Option<Self> {
        let mut story = self.clone();
        let now = INSTANTS[self.now];
        let running = self.current.filter(|((_, end), ..)| now < *end);

        match step {
            Step::Wait => {
                story.now += 1;
                return (story.now < INSTANTS.len() && !story.told.is_empty()).then_some(story);
            }
            Step::Pay(plan, months) | Step::Reset(plan, months) => {
                let invoice = story.invoice();
                if let Step::Reset(..) = step {
                    let ((start, end), ..) = running?;
                    story.credit(&invoice, Billed::Whole(start, end));
                }
                let period = (now, after(now, Every::Months(months), 1));
                story.line(
                    &invoice,
                    Billed::Whole(period.0, period.1),
                    now,
                    plan,
                    months,
                );
                story.current = Some((period, months, plan));
            }
            Step::Change => {
                let (period, months, plan) = running?;
                let invoice = story.invoice();
                story.line(&invoice, Billed::EndingAt(period.1), now, 1 - plan, months);
                story.current = Some((period, months, 1 - plan));
            }
            Step::PayAgain => {
                let (period, months, plan) = running?;
                let invoice = story.invoice();
                story.line(
                    &invoice,
                    Billed::Whole(period.0, period.1),
                    period.0,
                    plan,
                    months,
                );
            }
            Step::Refund => {
                let (period, ..) = running?;
                let invoice = story.invoice();
                story.credit(&invoice, Billed::EndingAt(period.1));
            }
            Step::Void { is_first } => {
                // Of one invoice, the first is the latest.
                if self.invoices < if is_first { 1 } else { 2 } {
                    return None;
                }
                let number = if is_first { 1 } else { self.invoices };
                let key = story.key();
                story
                    .told
                    .push(Told::NeverPaid(key, format!("invoice-{number}")));
            }
            Step::Stop => {
                let mut course = Course { told: story.told };
                course.stop(now);
                story.told = course.told;
            }
        }
        Some(story)
    }

    /// Compares every story that goes on from this one, and returns their number.
    fn compare_all(&self, steps: usize) -> usize {
        let Some(left) = steps.checked_sub(1) else {
            return 0;
        };

        let mut count = 0;
        for story in STEPS.into_iter().filter_map(|step| self.after(step)) {
            if story.told.len() > self.told.len() {
                compare(&story.told, 0);
                count += 1;
            }
            count += story.compare_all(left);
        }
        count
    }
}

#[test]
fn pt2_every_short_story_is_as_the_oracle_tells_it() {
    let story = Story {
        told: Vec::new(),
        now: 0,
        current: None,
        invoices: 0,
    };
    let count = story.compare_all(5);
    println!("{count} stories compared");
    assert!(count > 10_000, "{count} stories are too few");
}

/// Facts that meet in all ways: two plans, a month and a year that share January's window, a reset,
/// ties in one second, and a rest whose period may be missing.
fn alphabet() -> Vec<Told> {
    let year = Billed::Whole(day(0), day(365));
    let reset = Billed::Whole(on("2027-01-16"), on("2027-02-16"));
    let rest = Billed::EndingAt(day(31));
    let sixteenth = on("2027-01-16");

    let mut course = Course::new();
    course
        .line("a", JANUARY, day(0), 500)
        .line("b", JANUARY, day(0), 2000)
        .line("c", year, day(0), 500)
        .line("d", rest, sixteenth, 2000)
        .line("e", rest, sixteenth, 500)
        .line("d", reset, sixteenth, 2000)
        .line("a", JANUARY, sixteenth, 500)
        .line("e", Billed::EndingAt(day(365)), sixteenth, 2000)
        .paid_at(day(40), "f", rest, day(20), 2000)
        .credit("d", JANUARY, sixteenth)
        .credit("e", rest, sixteenth)
        .credit("a", JANUARY, day(0))
        .credit("f", year, day(20))
        .credit("f", reset, day(20))
        .credit("b", rest, day(20))
        .stop(day(0))
        .stop(sixteenth)
        .stop(day(33))
        .void("a")
        .void("d")
        .void("e");
    course.told
}

/// Compares every set of facts that has the chosen ones and up to so many others, from a place on.
fn compare_sets(alphabet: &[Told], chosen: &mut Vec<Told>, from: usize, most: usize) -> usize {
    compare(chosen, 0);
    if most == 0 {
        return 1;
    }

    let mut count = 1;
    for index in from..alphabet.len() {
        chosen.push(alphabet[index].clone());
        count += compare_sets(alphabet, chosen, index + 1, most - 1);
        chosen.pop();
    }
    count
}

#[test]
fn pt2_every_small_set_of_facts_is_as_the_oracle_tells_it() {
    let count = compare_sets(&alphabet(), &mut Vec::new(), 0, 4);
    println!("{count} sets compared");
    assert!(count > 5_000, "{count} sets are too few");
}
