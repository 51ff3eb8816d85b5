//! Random courses: what happens, where it lies in time, and when it is heard.

use super::course::{Course, NEW_YEAR};
use crate::recurring::{Billed, DAY, Every, Fact, Micros, Second, Span, Stretch, Terms, Unit};
use proptest::prelude::*;

/// A plan as it is sold: its amount for each window, its interval, and its windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub amount: Micros,
    pub interval: Every,
    pub every: Every,
    pub windows: i64,
}

const fn plan(amount: Micros, interval: (Unit, i64), every: (Unit, i64), windows: i64) -> Plan {
    Plan {
        amount: amount * 1_000_000,
        interval: Every {
            unit: interval.0,
            count: interval.1,
        },
        every: Every {
            unit: every.0,
            count: every.1,
        },
        windows,
    }
}

const MONTH: (Unit, i64) = (Unit::Month, 1);

pub const BASIC: Plan = plan(500, MONTH, MONTH, 1);
pub const PRO: Plan = plan(2_000, MONTH, MONTH, 1);
pub const YEAR: Plan = plan(500, (Unit::Year, 1), MONTH, 12);
pub const PRO_YEAR: Plan = plan(2_000, (Unit::Year, 1), MONTH, 12);

pub const PLANS: [Plan; 9] = [
    BASIC,
    PRO,
    YEAR,
    PRO_YEAR,
    plan(300, (Unit::Month, 3), MONTH, 3),
    plan(300, (Unit::Month, 6), MONTH, 6),
    plan(70, (Unit::Week, 1), (Unit::Week, 1), 1),
    plan(33, (Unit::Day, 10), (Unit::Day, 5), 2),
    plan(4_000, (Unit::Year, 1), (Unit::Year, 1), 1),
];

/// Returns the payment of a whole period at its start, under a key made of its plan and time.
pub fn span(plan: Plan, start: Second, received: Second) -> Fact {
    let name = format!("{}x{}-{start}", plan.amount, plan.windows);
    Fact::Span(Span {
        key: name.clone(),
        payment: name,
        period: Billed::Whole((start, plan.interval.after(start, 1))),
        from: start,
        every: plan.every,
        windows: plan.windows,
        amount: plan.amount,
        made: start,
        received,
    })
}

/// The period that a payment is for.
#[derive(Clone, Copy, Debug)]
pub enum Where {
    /// The one that runs, counted from the anchor, or one so many periods before.
    Running(i64),
    /// The one after the one that runs.
    Next,
    /// One that begins now.
    Reset,
}

/// An instant within a period.
#[derive(Clone, Copy, Debug)]
pub enum When {
    Start,
    Now,
    Ago(Second),
}

#[derive(Clone, Debug)]
pub enum Step {
    Pay {
        plan: usize,
        place: Where,
        from: When,
        /// Told as the time that remains until the period's end.
        ending: bool,
        /// Seconds between the instant that it tells and its making.
        made: Second,
        /// Received when it was made, and not now.
        prompt: bool,
        /// A line of the payment before.
        joins: bool,
        heard: bool,
    },
    /// The unused time of the period of an earlier span is given back.
    Credit {
        span: usize,
        at: When,
        joins: bool,
        heard: bool,
    },
    Stop {
        heard: bool,
    },
    Void {
        span: usize,
        heard: bool,
    },
    /// A fact that happened earlier is heard.
    Hear(usize),
    HearAll,
    /// A fact is heard again.
    Again(usize),
    Wait(Second),
    Tick,
    Hold {
        amount: Micros,
        life: Second,
    },
    Settle {
        which: usize,
        cost: Micros,
    },
    Release(usize),
    Deduct(Micros),
    DeductAll,
    Gift {
        amount: Micros,
        life: Option<Second>,
    },
}

pub fn whens() -> impl Strategy<Value = When> {
    prop_oneof![
        3 => Just(When::Start),
        4 => Just(When::Now),
        1 => (1i64..20).prop_map(|days| When::Ago(days * DAY)),
    ]
}

fn amounts() -> impl Strategy<Value = Micros> {
    prop_oneof![1i128..600, 1i128..2_500].prop_map(|whole| whole * 1_000_000 - 7)
}

pub fn facts() -> impl Strategy<Value = Step> {
    let places = prop_oneof![
        6 => Just(Where::Running(0)),
        1 => (1i64..3).prop_map(Where::Running),
        2 => Just(Where::Next),
        2 => Just(Where::Reset),
    ];
    let pay = (
        (0..PLANS.len(), places, whens(), prop::bool::weighted(0.35)),
        (0i64..2, prop::bool::weighted(0.7)),
        (prop::bool::weighted(0.2), prop::bool::weighted(0.8)),
    );
    let pay = pay.prop_map(
        |((plan, place, from, ending), (made, prompt), (joins, heard))| Step::Pay {
            plan,
            place,
            from,
            ending,
            made,
            prompt,
            joins,
            heard,
        },
    );
    prop_oneof![
        8 => pay,
        3 => (0usize..40, whens(), prop::bool::weighted(0.3), prop::bool::weighted(0.8))
            .prop_map(|(span, at, joins, heard)| Step::Credit { span, at, joins, heard }),
        1 => any::<bool>().prop_map(|heard| Step::Stop { heard }),
        1 => (0usize..40, prop::bool::weighted(0.8))
            .prop_map(|(span, heard)| Step::Void { span, heard }),
    ]
}

pub fn waits() -> impl Strategy<Value = Second> {
    prop_oneof![
        Just(1),
        Just(3 * 3_600),
        Just(DAY),
        Just(7 * DAY),
        Just(15 * DAY),
        Just(31 * DAY),
        Just(31 * DAY + 3 * 3_600 - 1),
        Just(70 * DAY),
        1i64..40 * DAY,
    ]
}

pub fn spendings() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (amounts(), prop_oneof![Just(3_600), Just(20 * DAY), Just(60 * DAY)])
            .prop_map(|(amount, life)| Step::Hold { amount, life }),
        2 => (0usize..4, amounts()).prop_map(|(which, cost)| Step::Settle { which, cost }),
        2 => (0usize..4).prop_map(Step::Release),
        2 => amounts().prop_map(Step::Deduct),
        2 => Just(Step::DeductAll),
        1 => (amounts(), prop::option::of(1i64..50 * DAY))
            .prop_map(|(amount, life)| Step::Gift { amount, life }),
    ]
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => facts(),
        1 => (0usize..8).prop_map(Step::Hear),
        1 => Just(Step::HearAll),
        1 => (0usize..40).prop_map(Step::Again),
        5 => waits().prop_map(Step::Wait),
        1 => Just(Step::Tick),
        5 => spendings(),
    ];
    prop::collection::vec(step, 4..40)
}

/// From 28 to 31 January, at midnight or not.
pub fn anchors() -> impl Strategy<Value = Second> {
    let hour = prop_oneof![Just(0), Just(8 * 3_600 + 15 * 60 + 7)];
    (27i64..31, hour).prop_map(|(day, hour)| NEW_YEAR + day * DAY + hour)
}

pub fn all_terms() -> impl Strategy<Value = Terms> {
    (
        prop_oneof![Just(0), Just(3 * 3_600), Just(3 * DAY), Just(20 * DAY)],
        prop_oneof![3 => Just(180 * DAY), 1 => Just(21 * DAY)],
        prop_oneof![3 => Just(None), 1 => Just(Some(100_000_000)), 1 => Just(Some(5_000_000_000))],
        prop_oneof![Just(0), Just(30_000_000)],
    )
        .prop_map(|(slack, dispute, rollover, overdraft)| Terms {
            slack,
            dispute,
            rollover,
            overdraft,
            most_holds: 4,
        })
}

/// A course with the facts that have happened, heard or not.
#[derive(Clone)]
pub struct Story {
    pub course: Course,
    anchor: Second,
    pub happened: Vec<Fact>,
    unheard: Vec<Fact>,
    keys: usize,
    payments: usize,
}

impl Story {
    pub fn new(terms: Terms, anchor: Second) -> Self {
        Self {
            course: Course::new(terms, anchor),
            anchor,
            happened: vec![],
            unheard: vec![],
            keys: 0,
            payments: 0,
        }
    }

    fn period(&self, plan: Plan, place: Where) -> Stretch {
        let now = self.course.now;
        let nth = |k| {
            let end = plan.interval.after(self.anchor, k + 1);
            (plan.interval.after(self.anchor, k), end)
        };
        let running = (0..).find(|k| now < nth(*k).1).unwrap();
        match place {
            Where::Running(before) => nth((running - before).max(0)),
            Where::Next => nth(running + 1),
            Where::Reset => (now, plan.interval.after(now, 1)),
        }
    }

    fn instant(&self, period: Stretch, when: When) -> Second {
        let now = self.course.now;
        let at = match when {
            When::Start => period.0,
            When::Now => now,
            When::Ago(seconds) => now - seconds,
        };
        at.clamp(period.0, period.1 - 1)
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        // Not in the order of time.
        format!("line-{:03}", self.keys * 37 % 101)
    }

    fn payment(&mut self, joins: bool) -> String {
        self.payments += usize::from(!joins || self.payments == 0);
        format!("invoice-{}", self.payments)
    }

    fn spans(&self) -> Vec<Span> {
        let spans = self.happened.iter().filter_map(|fact| match fact {
            Fact::Span(span) => Some(span.clone()),
            _ => None,
        });
        spans.collect()
    }

    /// Returns the fact that a step makes happen.
    pub fn fact(&mut self, step: &Step) -> Option<(Fact, bool)> {
        let now = self.course.now;
        match *step {
            Step::Pay {
                plan,
                place,
                from,
                ending,
                made,
                prompt,
                joins,
                heard,
            } => {
                let plan = PLANS[plan];
                let period = self.period(plan, place);
                let from = self.instant(period, from);
                let span = Span {
                    key: self.key(),
                    payment: self.payment(joins),
                    period: if ending {
                        Billed::EndingAt(period.1)
                    } else {
                        Billed::Whole(period)
                    },
                    from,
                    every: plan.every,
                    windows: plan.windows,
                    amount: plan.amount,
                    made: from + made,
                    received: if prompt { from.min(now) } else { now },
                };
                Some((Fact::Span(span), heard))
            }
            Step::Credit {
                span,
                at,
                joins,
                heard,
            } => {
                let spans = self.spans();
                let span = spans.get(span % spans.len().max(1))?;
                let whole = match span.period {
                    Billed::Whole(period) => period,
                    Billed::EndingAt(end) => (span.from, end),
                };
                let at = self.instant(whole, at);
                let credit = Fact::Credit {
                    key: self.key(),
                    payment: self.payment(joins),
                    period: span.period,
                    at,
                    made: at,
                };
                Some((credit, heard))
            }
            Step::Stop { heard } => {
                let key = self.key();
                let (at, made) = (now, now);
                Some((Fact::Stop { key, at, made }, heard))
            }
            Step::Void { span, heard } => {
                let spans = self.spans();
                let span = spans.get(span % spans.len().max(1))?;
                let payment = span.payment.clone();
                Some((Fact::Void { payment }, heard))
            }
            _ => None,
        }
    }

    pub fn take(&mut self, step: &Step) {
        if let Some((fact, heard)) = self.fact(step) {
            self.happened.push(fact.clone());
            if heard {
                self.course.hear(&[fact]);
            } else {
                self.unheard.push(fact);
            }
        }

        let course = &mut self.course;
        let holds = course.open_holds();
        match *step {
            Step::Hear(which) if !self.unheard.is_empty() => {
                let fact = self.unheard.remove(which % self.unheard.len());
                course.hear(&[fact]);
            }
            Step::HearAll => course.hear(&std::mem::take(&mut self.unheard)),
            Step::Again(which) if !course.facts.is_empty() => {
                let fact = course.facts[which % course.facts.len()].clone();
                course.hear(&[fact]);
            }
            Step::Wait(seconds) => course.now += seconds,
            Step::Tick => course.tick(),
            Step::Hold { amount, life } => {
                course.hold(amount, life);
            }
            Step::Settle { which, cost } if !holds.is_empty() => {
                course.settle(holds[which % holds.len()], cost);
            }
            Step::Release(which) if !holds.is_empty() => {
                course.release(holds[which % holds.len()]);
            }
            Step::Deduct(amount) => {
                course.deduct(amount);
            }
            Step::DeductAll => course.deduct_all(),
            Step::Gift { amount, life } => course.gift(amount, life),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn pa1_random_courses_are_as_the_model_says(
        terms in all_terms(),
        anchor in anchors(),
        steps in steps(),
    ) {
        let mut story = Story::new(terms, anchor);
        for step in &steps {
            story.take(step);
            story.course.compare();
        }
        for days in [1, 10, 31, 62, 400, 800] {
            story.course.compare_at(story.course.now + days * DAY);
        }
        story.course.check_store();
    }
}
