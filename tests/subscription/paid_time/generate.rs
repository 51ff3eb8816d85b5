//! Facts of paid time at random: few periods, instants and invoices, so that they meet.

use std::num::NonZeroU16;

use crate::paid_time_facts::interval;
use crate::paid_time_model::{
    Billed, DAY, EndOfService, Every, Line, NegativeLine, SECOND, Told, after,
};
use bailiwick::paid_time::Grid;
use chrono::NaiveDate;
use proptest::prelude::*;

/// A period and the windows of the plan that it is paid for.
#[derive(Clone, Copy, Debug)]
pub struct Divided {
    pub start: i128,
    pub end: i128,
    pub every: Every,
    pub windows: u16,
}

impl Divided {
    pub fn grid(self) -> Grid {
        Grid {
            every: interval(self.every),
            windows: NonZeroU16::new(self.windows).unwrap(),
        }
    }
}

/// The periods of a subscription that changes its plans' intervals: some follow each other, some
/// start together, some end together, some overlap.
#[derive(Clone, Debug)]
pub struct Calendar {
    pub periods: Vec<Divided>,
}

impl Calendar {
    fn new(anchor: i128, whole: Every, every: Every, windows: u16) -> Self {
        let divided = |start: i128, end: i128, every: Every, windows: u16| Divided {
            start,
            end,
            every,
            windows,
        };
        let period = |k: i128| {
            let (start, end) = (after(anchor, whole, k), after(anchor, whole, k + 1));
            divided(start, end, every, windows)
        };
        let month = Every::Months(1);
        let first = period(0);
        let middle = first.start + (first.end - first.start) / 2 / SECOND * SECOND;
        let last = after(anchor, every, i128::from(windows) - 1);

        let periods = vec![
            first,
            period(1),
            period(2),
            // They start with the first period, and end elsewhere.
            divided(anchor, after(anchor, month, 1), month, 1),
            divided(anchor, after(anchor, Every::Years(1), 1), month, 12),
            // It ends with the first period, or is the first with windows of its own.
            divided(last, first.end, every, 1),
            // The anchor was reset in the middle of the first.
            divided(middle, after(middle, whole, 1), every, windows),
            // As long as no interval is.
            divided(anchor, anchor + 31 * DAY, month, 1),
        ];
        Self { periods }
    }

    /// An instant of a period, mostly one that others choose too.
    pub fn instant(&self, of: Divided, pick: u8, elsewhere: u32) -> i128 {
        let length = of.end - of.start;
        let second = after(of.start, of.every, 1);
        let at = match pick {
            0 => of.start,
            1 => of.start + length / 2,
            2 => second,
            3 => second + length / 24,
            4 => of.start + SECOND,
            5 => of.end - SECOND,
            6 => self.periods[0].start + 15 * DAY,
            _ => of.start + i128::from(elsewhere) * SECOND % length,
        };

        (at / SECOND * SECOND).clamp(of.start, of.end - SECOND)
    }

    /// A line for a whole period, paid when it begins.
    pub fn line(&self, of: Divided) -> Line {
        Line {
            key: "line".into(),
            invoice: "invoice".into(),
            period: Billed::Whole(of.start, of.end),
            from: of.start,
            every: of.every,
            windows: of.windows,
            amount: 500_000_000,
            made: of.start,
            received: of.start,
        }
    }
}

pub fn any_interval() -> impl Strategy<Value = Every> {
    prop_oneof![
        (1..60_u16).prop_map(Every::Days),
        (1..9_u16).prop_map(Every::Weeks),
        (1..25_u16).prop_map(Every::Months),
        (1..4_u16).prop_map(Every::Years),
    ]
}

/// Anchors at the end of months, plans paid by months, weeks and days.
pub fn any_calendar() -> impl Strategy<Value = Calendar> {
    let anchor = prop::sample::select(vec![
        (2027, 1, 1),
        (2027, 1, 28),
        (2027, 1, 29),
        (2027, 1, 30),
        (2027, 1, 31),
        (2027, 2, 28),
        (2027, 3, 31),
        (2028, 1, 30),
        (2028, 2, 29),
        (2027, 12, 31),
    ]);
    let grid = prop::sample::select(vec![
        (Every::Months(1), Every::Months(1), 1),
        (Every::Months(3), Every::Months(1), 3),
        (Every::Months(6), Every::Months(1), 6),
        (Every::Months(12), Every::Months(3), 4),
        (Every::Years(1), Every::Months(1), 12),
        (Every::Years(1), Every::Years(1), 1),
        (Every::Weeks(1), Every::Weeks(1), 1),
        (Every::Weeks(2), Every::Days(7), 2),
        (Every::Days(10), Every::Days(10), 1),
        (Every::Days(30), Every::Days(10), 3),
    ]);
    let time = prop::sample::select(vec![0, 45_296 * SECOND, DAY - SECOND]);

    (anchor, grid, time).prop_map(|((year, month, day), (whole, every, windows), time)| {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let anchor = i128::from((date - epoch).num_days()) * DAY + time;
        Calendar::new(anchor, whole, every, windows)
    })
}

/// One fact, in small numbers.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    kind: u8,
    period: usize,
    pick: u8,
    elsewhere: u32,
    made: usize,
    received: usize,
    amount: usize,
    invoice: u8,
    is_remaining: bool,
}

fn any_drawn() -> impl Strategy<Value = Drawn> {
    let when = (0..8_usize, 0..9_u8, any::<u32>());
    let money = (0..6_usize, 0..5_usize, 0..8_usize, 0..5_u8);

    (0..12_u8, when, money, prop::bool::weighted(0.3)).prop_map(
        |(kind, (period, pick, elsewhere), (made, received, amount, invoice), is_remaining)| {
            Drawn {
                kind,
                period,
                pick,
                elsewhere,
                made,
                received,
                amount,
                invoice,
                is_remaining,
            }
        },
    )
}

fn told(calendar: &Calendar, drawn: Drawn, key: String) -> Told {
    // Half of all facts are of the first period and one that ends with it.
    let of = match drawn.elsewhere % 4 {
        0 => calendar.periods[0],
        1 => calendar.periods[5],
        _ => calendar.periods[drawn.period],
    };
    let at = calendar.instant(of, drawn.pick, drawn.elsewhere);
    let made = at + [0, 0, 0, SECOND, -SECOND, -3 * DAY][drawn.made];
    let received = made + [0, 3_600 * SECOND, 3 * DAY, 33 * DAY, 400 * DAY][drawn.received];
    let invoice = format!("invoice-{}", drawn.invoice);
    let period = if drawn.is_remaining {
        Billed::EndingAt(of.end)
    } else {
        Billed::Whole(of.start, of.end)
    };
    // Two plans, of which one is paid for three seats too, and amounts that do not divide.
    let amounts = [500_000_000, 2_000_000_000, 1_500_000_000, 333_333_333, 1, 0];

    match drawn.kind {
        0..=6 => Told::Line(Line {
            from: if drawn.is_remaining || drawn.pick.is_multiple_of(2) {
                at
            } else {
                of.start
            },
            key,
            invoice,
            period,
            every: of.every,
            windows: of.windows,
            amount: amounts.get(drawn.amount).copied().unwrap_or(500_000_000),
            made,
            received,
        }),
        7..=9 => Told::NegativeLine(NegativeLine {
            key,
            invoice,
            period,
            at,
            made,
        }),
        10 => Told::EndOfService(EndOfService { key, at, made }),
        _ => Told::NeverPaid(key, invoice),
    }
}

/// Up to fifteen facts, with keys in an order of their own.
pub fn any_facts() -> impl Strategy<Value = (Calendar, Vec<Told>)> {
    let drawn = prop::collection::vec((any_drawn(), any::<u8>()), 0..16);

    (any_calendar(), drawn).prop_map(|(calendar, drawn)| {
        let facts = drawn
            .into_iter()
            .enumerate()
            .map(|(index, (drawn, letter))| told(&calendar, drawn, format!("{letter}-{index}")))
            .collect();
        (calendar, facts)
    })
}

/// Facts, with some sales that name no period among them, and credits of such.
pub fn any_facts_and_sales() -> impl Strategy<Value = Vec<Told>> {
    let miss = prop::sample::select(vec![0, SECOND, -SECOND, 3_600 * SECOND, -2 * DAY, 3 * DAY]);
    let slack = prop::sample::select(vec![0, SECOND, 3_600 * SECOND, DAY, 5 * DAY]);
    let sale = (0..4_i128, miss, slack, 0..6_u8, 0..8_u8, any::<u8>());

    (any_facts(), prop::collection::vec(sale, 0..6)).prop_map(|((calendar, mut facts), sales)| {
        let of = calendar.periods[0];
        for (index, (number, miss, slack, invoice, kind, letter)) in sales.into_iter().enumerate() {
            let at = after(of.start, of.every, number) + miss;
            // An interval of another length, now and then.
            let every = if kind == 1 { Every::Days(3) } else { of.every };
            let (key, invoice) = (
                format!("{letter}-sale-{index}"),
                format!("invoice-{invoice}"),
            );
            let (period, made) = (Billed::Sale(every, slack), at);
            facts.push(if kind == 0 {
                Told::NegativeLine(NegativeLine {
                    key,
                    invoice,
                    period,
                    at,
                    made,
                })
            } else {
                Told::Line(Line {
                    key,
                    invoice,
                    period,
                    from: at,
                    every,
                    windows: 1,
                    amount: 500_000_000,
                    made,
                    received: made,
                })
            });
        }
        facts
    })
}
