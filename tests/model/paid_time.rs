//! The oracle of paid time: it retells the facts in their order and asks at each instant who pays
//! for a period. It shares no code with the crate: time is nanoseconds, an amount is millionths of a
//! credit, and a calendar of its own counts months.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, TimeDelta};

pub const SECOND: i128 = 1_000_000_000;
pub const DAY: i128 = 86_400 * SECOND;

/// The length of a window or a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    Days(u16),
    Weeks(u16),
    Months(u16),
    Years(u16),
}

/// A period as a line tells it: its start and end, or its end alone, or, of a sale, only how long it
/// is and by how much it may miss the end of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billed {
    Whole(i128, i128),
    EndingAt(i128),
    Sale(Every, i128),
}

#[derive(Clone, Debug)]
pub struct Line {
    pub key: String,
    pub invoice: String,
    pub period: Billed,
    pub from: i128,
    pub every: Every,
    pub windows: u16,
    pub amount: i128,
    pub made: i128,
    pub received: i128,
}

#[derive(Clone, Debug)]
pub struct NegativeLine {
    pub key: String,
    pub invoice: String,
    pub period: Billed,
    pub at: i128,
    pub made: i128,
}

#[derive(Clone, Debug)]
pub struct EndOfService {
    pub key: String,
    pub at: i128,
    pub made: i128,
}

#[derive(Clone, Debug)]
pub enum Told {
    Line(Line),
    NegativeLine(NegativeLine),
    EndOfService(EndOfService),
    /// The key of the void, and the invoice that was never paid.
    NeverPaid(String, String),
}

/// The credits of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earned {
    pub amount: i128,
    /// The part that is here only because of money that came when the window was over.
    pub late: i128,
    /// The end of the window and its slack.
    pub expires_at: i128,
    /// The end of the late part: a window's length after the last of that money came.
    pub late_expires_at: i128,
    /// Whether any of its time is paid, be it by a plan without credits.
    pub is_paid: bool,
}

/// The time that a line pays in the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Paid {
    pub from: i128,
    pub until: i128,
    pub key: String,
    pub period: (i128, i128),
}

#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Every window of every period of which a line counts.
    pub windows: BTreeMap<(i128, i128), Earned>,
    pub paid: Vec<Paid>,
    pub paid_until: Option<i128>,
}

/// A quarter of the shortest interval of a kind.
fn quarter(every: Every) -> i128 {
    let days = match every {
        Every::Days(days) => i128::from(days),
        Every::Weeks(weeks) => i128::from(weeks) * 7,
        Every::Months(months) => i128::from(months) * 28,
        Every::Years(years) => i128::from(years) * 365,
    };
    days * DAY / 4
}

/// The instant so many intervals after another. A month that is too short has its last day instead.
pub fn after(anchor: i128, every: Every, k: i128) -> i128 {
    let months = match every {
        Every::Days(days) => return anchor + k * i128::from(days) * DAY,
        Every::Weeks(weeks) => return anchor + k * i128::from(weeks) * 7 * DAY,
        Every::Months(months) => k * i128::from(months),
        Every::Years(years) => k * i128::from(years) * 12,
    };

    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    let days = i64::try_from(anchor.div_euclid(DAY)).unwrap();
    let date = epoch + TimeDelta::try_days(days).unwrap();
    let month = i128::from(date.year()) * 12 + i128::from(date.month0()) + months;
    let year = i32::try_from(month.div_euclid(12)).unwrap();
    let month = u32::try_from(month.rem_euclid(12)).unwrap() + 1;
    let moved = (1..=date.day())
        .rev()
        .find_map(|day| NaiveDate::from_ymd_opt(year, month, day))
        .unwrap();

    i128::from((moved - epoch).num_days()) * DAY + anchor.rem_euclid(DAY)
}

/// PW1: the windows of a period.
pub fn windows(period: (i128, i128), every: Every, count: u16) -> Vec<(i128, i128)> {
    let mut windows = Vec::new();
    for k in 0..i128::from(count) {
        let start = after(period.0, every, k);
        if start >= period.1 {
            break;
        }

        let next = after(period.0, every, k + 1);
        let is_last = k + 1 == i128::from(count) || next > period.1;
        windows.push((start, if is_last { period.1 } else { next }));
    }
    windows
}

/// PT1: the place of a fact. Spans come before credits and ends of service, the larger amount
/// before the smaller.
fn place(fact: &Told) -> (i128, i128, u8, i128, &str) {
    match fact {
        Told::Line(line) => (line.from, line.made, 1, -line.amount, &line.key),
        Told::NegativeLine(line) => (line.at, line.made, 2, 0, &line.key),
        Told::EndOfService(end) => (end.at, end.made, 3, 0, &end.key),
        Told::NeverPaid(key, _) => (i128::MAX, 0, 4, 0, key),
    }
}

/// PF6: the same facts, told as if sales named their periods. A sale that misses the end of the one
/// before by no more than its slack begins there; one that comes earlier gives the rest of the one
/// before back.
fn with_periods(facts: &[Told]) -> Vec<Told> {
    let never_paid: BTreeSet<&String> = facts
        .iter()
        .filter_map(|fact| match fact {
            Told::NeverPaid(_, invoice) => Some(invoice),
            _ => None,
        })
        .collect();
    let mut sales: Vec<(&Line, Every, i128)> = facts
        .iter()
        .filter_map(|fact| match fact {
            Told::Line(line) => match line.period {
                Billed::Sale(every, slack) => Some((line, every, slack)),
                _ => None,
            },
            _ => None,
        })
        .filter(|(line, ..)| !never_paid.contains(&line.invoice))
        .collect();
    sales.sort_by_key(|(line, ..)| (line.from, line.made, &line.key));

    let mut told = Vec::new();
    let mut periods: Vec<(i128, i128)> = Vec::new();
    let mut anchor = 0;
    for (line, every, slack) in sales {
        let before = periods.last().copied();
        let period = match before {
            Some((_, end)) if (line.from - end).abs() <= slack => {
                // The next from the same anchor, if the end is one of its boundaries.
                let boundary = (0..).find(|k| after(anchor, every, *k) >= end).unwrap();
                if after(anchor, every, boundary) != end {
                    anchor = end;
                }
                let next = (0..).find(|k| after(anchor, every, *k) > end).unwrap();
                (end, after(anchor, every, next))
            }
            _ => {
                anchor = line.from;
                (line.from, after(line.from, every, 1))
            }
        };
        if let Some((start, end)) = before.filter(|(_, end)| period.0 < *end) {
            told.push(Told::NegativeLine(NegativeLine {
                key: line.key.clone(),
                invoice: line.invoice.clone(),
                period: Billed::Whole(start, end),
                at: period.0,
                made: line.made,
            }));
        }
        told.push(Told::Line(Line {
            period: Billed::Whole(period.0, period.1),
            from: period.0,
            ..line.clone()
        }));
        periods.push(period);
    }

    for fact in facts {
        match fact {
            Told::Line(line) if matches!(line.period, Billed::Sale(..)) => {}
            Told::NegativeLine(line) if matches!(line.period, Billed::Sale(..)) => {
                let mut around: Vec<&(i128, i128)> = periods
                    .iter()
                    .filter(|(start, end)| *start <= line.at && line.at < *end)
                    .collect();
                around.sort();
                if let Some((start, end)) = around.last() {
                    told.push(Told::NegativeLine(NegativeLine {
                        period: Billed::Whole(*start, *end),
                        ..line.clone()
                    }));
                }
            }
            other => told.push(other.clone()),
        }
    }
    told
}

/// PF5: the facts without the lines of invoices that were never paid, in the order of PT1.
fn in_order(facts: &[Told]) -> Vec<&Told> {
    let never_paid: Vec<&String> = facts
        .iter()
        .filter_map(|fact| match fact {
            Told::NeverPaid(_, invoice) => Some(invoice),
            _ => None,
        })
        .collect();

    let mut facts: Vec<&Told> = facts
        .iter()
        .filter(|fact| match fact {
            Told::Line(line) => !never_paid.contains(&&line.invoice),
            Told::NegativeLine(line) => !never_paid.contains(&&line.invoice),
            Told::EndOfService(_) => true,
            Told::NeverPaid(..) => false,
        })
        .collect();
    facts.sort_by_key(|fact| place(fact));
    facts
}

/// PF2: the whole period of a line. The shortest has it, if several that have begun end together.
fn whole(facts: &[&Told], billed: Billed, at: i128) -> Option<(i128, i128)> {
    let end = match billed {
        Billed::Whole(start, end) => return Some((start, end)),
        Billed::EndingAt(end) => end,
        Billed::Sale(..) => unreachable!("sales have their periods by now"),
    };

    let mut found = None;
    for fact in facts {
        let Told::Line(line) = fact else { continue };
        let Billed::Whole(start, other) = line.period else {
            continue;
        };
        let is_shorter = found.is_none_or(|(longest, _)| start > longest);
        if other == end && start <= at && is_shorter {
            found = Some((start, end));
        }
    }
    found
}

/// PT2 and PT3: who pays for an instant of a period, as a place in the ordered facts. Each line of
/// the period takes over from the one before; a negative line of another invoice leaves nobody.
fn payer(
    facts: &[&Told],
    periods: &[Option<(i128, i128)>],
    period: (i128, i128),
    at: i128,
) -> Option<usize> {
    let mut payer: Option<(usize, &String)> = None;
    for (index, fact) in facts.iter().enumerate() {
        if periods[index] != Some(period) {
            continue;
        }

        match fact {
            Told::Line(line) if line.from <= at => payer = Some((index, &line.invoice)),
            Told::NegativeLine(line) if line.at <= at => {
                payer = payer.filter(|(_, invoice)| **invoice == line.invoice);
            }
            _ => {}
        }
    }
    payer.map(|(index, _)| index)
}

/// The first end of service after a line.
fn end_of_service(facts: &[&Told], line: usize) -> Option<i128> {
    facts[line..].iter().find_map(|fact| match fact {
        Told::EndOfService(end) => Some(end.at),
        _ => None,
    })
}

/// What a line pays of a window: credits times nanoseconds, when that money came, and the quarter of
/// the line's window that bounds the slack.
type Part = (i128, i128, i128);

/// What was paid, and what each window of it has earned.
pub fn answer(facts: &[Told], slack: i128) -> Answer {
    let told = with_periods(facts);
    let facts = in_order(&told);
    let periods: Vec<Option<(i128, i128)>> = facts
        .iter()
        .map(|fact| match fact {
            Told::Line(line) => whole(&facts, line.period, line.from),
            Told::NegativeLine(line) => whole(&facts, line.period, line.at),
            _ => None,
        })
        .collect();

    let mut answer = Answer::default();
    // What the lines pay of each window.
    let mut paid_of: BTreeMap<(i128, i128), Vec<Part>> = BTreeMap::new();
    for (index, fact) in facts.iter().enumerate() {
        let (Told::Line(line), Some(period)) = (fact, periods[index]) else {
            continue;
        };

        // From one instant at which anything happens to the next, one and the same line pays.
        let mut instants = BTreeSet::from([period.0, period.1]);
        instants.extend(facts.iter().map(|fact| place(fact).0));
        let instants: Vec<i128> = instants.range(period.0..=period.1).copied().collect();
        let mine: Vec<(i128, i128)> = instants
            .windows(2)
            .filter(|pair| payer(&facts, &periods, period, pair[0]) == Some(index))
            .map(|pair| (pair[0], pair[1]))
            .collect();
        let end = end_of_service(&facts, index);

        if let (Some(first), Some(last)) = (mine.first(), mine.last()) {
            answer.paid.push(Paid {
                from: first.0,
                until: last.1,
                key: line.key.clone(),
                period,
            });
            let until = end.map_or(last.1, |end| end.min(last.1));
            answer.paid_until = answer.paid_until.max(Some(until));
        }

        // PW2. What a window has earned is in credits times nanoseconds until all are added up.
        for window in windows(period, line.every, line.windows) {
            let earned = answer.windows.entry(window).or_default();
            if end.is_some_and(|end| window.0 >= end) {
                continue;
            }

            let paid: i128 = mine
                .iter()
                .map(|part| (part.1.min(window.1) - part.0.max(window.0)).max(0))
                .sum();
            if paid == 0 {
                continue;
            }
            earned.is_paid = true;
            let part = (line.amount * paid, line.received, quarter(line.every));
            paid_of.entry(window).or_default().push(part);
        }
    }

    for (window, earned) in &mut answer.windows {
        let length = window.1 - window.0;
        let parts = paid_of.remove(window).unwrap_or_default();
        let slack = parts.iter().map(|part| part.2).fold(slack, i128::min);
        let is_late = |part: &&Part| part.1 >= window.1 + slack;

        let all: i128 = parts.iter().map(|part| part.0).sum();
        let late: i128 = parts.iter().filter(is_late).map(|part| part.0).sum();
        earned.amount = all / length;
        earned.late = earned.amount - (all - late) / length;
        earned.expires_at = window.1 + slack;
        let last = parts.iter().filter(is_late).map(|part| part.1).max();
        earned.late_expires_at = last.map_or(earned.expires_at, |last| last + length);
    }
    answer.paid.sort();
    answer
}
