//! Paid time: any set of facts against the oracle, and what it promises.

mod courses;
mod generate;
mod rows;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use crate::paid_time_facts::{self, compare, credits, fact, instant, interval, period, row};
use crate::paid_time_model::{
    Billed, DAY, EndOfService, Every, Line, NegativeLine, SECOND, Told, windows,
};
use bailiwick::Credits;
use bailiwick::paid_time::{Fact, Grid, PaidTime, Piece, Schedule};
use bailiwick::period::Period;
use chrono::TimeDelta;
use generate::{Divided, any_calendar, any_facts, any_facts_and_sales, any_interval};
use proptest::prelude::*;

fn schedule(told: &[Told]) -> Schedule {
    row(told.iter().map(fact)).schedule()
}

/// The pieces that a schedule has of a period.
fn pieces_of(schedule: &Schedule, period: Period) -> Vec<Piece> {
    let pieces = schedule.pieces().iter();
    pieces
        .filter(|piece| piece.period == period)
        .cloned()
        .collect()
}

/// The windows of every piece.
fn windows_of(schedule: &Schedule) -> BTreeSet<(i64, i64)> {
    let windows = schedule
        .pieces()
        .iter()
        .flat_map(|piece| piece.grid.of_period(piece.period));
    windows
        .map(|window| (window.start.timestamp(), window.end.timestamp()))
        .collect()
}

fn seconds((start, end): (i64, i64)) -> Period {
    period((i128::from(start) * SECOND, i128::from(end) * SECOND))
}

fn amount(schedule: &Schedule, window: Period) -> Credits {
    schedule.target(window, TimeDelta::zero()).unwrap().amount
}

fn line(told: &Told) -> Option<&Line> {
    match told {
        Told::Line(line) => Some(line),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever is heard, the paid time and the credits of each window are the oracle's.
    #[test]
    fn pw2_every_window_has_the_oracles_credits(
        (_, told) in any_facts(),
        slack in prop::sample::select(vec![0, 3 * 3600 * SECOND, 3 * DAY]),
    ) {
        compare(&told, slack);
    }

    /// Sales that name no period make one chain by their own instants, whatever else is known: their
    /// time and their credits are the oracle's.
    #[test]
    fn pf6_sales_make_the_oracles_chain(told in any_facts_and_sales()) {
        compare(&told, 3 * 3600 * SECOND);
        let backwards: Vec<Told> = told.iter().rev().cloned().collect();
        prop_assert_eq!(schedule(&told), schedule(&backwards));
    }

    /// A payment and its void, heard in either order, are as if it had never been.
    #[test]
    fn pf5_a_void_leaves_out_every_line_of_its_payment((_, told) in any_facts(), invoice in 0..5) {
        let invoice = format!("invoice-{invoice}");
        let is_its_own = |told: &&Told| match told {
            Told::Line(line) => line.invoice == invoice,
            Told::NegativeLine(line) => line.invoice == invoice,
            Told::EndOfService(_) | Told::NeverPaid(..) => false,
        };
        let without: Vec<Told> = told.iter().filter(|told| !is_its_own(told)).cloned().collect();

        let mut voided = told.clone();
        voided.push(Told::NeverPaid("void".into(), invoice.clone()));
        prop_assert_eq!(schedule(&voided), schedule(&without));

        voided.rotate_right(1);
        prop_assert_eq!(schedule(&voided), schedule(&without));
    }

    /// Of the lines that begin a period in one second, made in one second, the smallest pays in the
    /// end; of the same amounts, the one with the greatest key.
    #[test]
    fn pt1_in_one_second_the_smaller_amount_comes_last(
        calendar in any_calendar(),
        lines in prop::collection::vec((0..3_i128, 0..100_u8), 1..6),
        at in 0..8_u8,
    ) {
        let period = calendar.periods[0];
        let from = calendar.instant(period, at, 0);
        let told: Vec<Told> = lines
            .iter()
            .enumerate()
            .map(|(index, (amount, letter))| Told::Line(Line {
                key: format!("{letter}-{index}"),
                invoice: format!("invoice-{index}"),
                from,
                amount: amount * 500_000_000,
                ..calendar.line(period)
            }))
            .collect();
        let last = told.iter().filter_map(line).min_by(|one, other| {
            one.amount.cmp(&other.amount).then(other.key.cmp(&one.key))
        });

        let schedule = schedule(&told);
        prop_assert_eq!(schedule.pieces().len(), 1);
        prop_assert_eq!(schedule.pieces()[0].span.as_ref(), last.unwrap().key.as_str());
        prop_assert_eq!(schedule.pieces()[0].paid.end, instant(period.end));
    }

    /// A credit comes after the lines of its second, so that it ends those of other invoices, and
    /// an end of service does too.
    #[test]
    fn pt1_in_one_second_lines_come_before_what_ends_them(
        calendar in any_calendar(),
        at in 0..8_u8,
        is_own in any::<bool>(),
    ) {
        let period = calendar.periods[0];
        let line = Line { from: calendar.instant(period, at, 0), ..calendar.line(period) };
        let credit = NegativeLine {
            key: "0".into(),
            invoice: if is_own { line.invoice.clone() } else { "another".into() },
            period: line.period,
            at: line.from,
            made: line.made,
        };
        let told = [Told::NegativeLine(credit), Told::Line(line.clone())];
        prop_assert_eq!(schedule(&told).pieces().len(), usize::from(is_own));

        let stop = EndOfService {
            key: "0".into(),
            at: line.from,
            made: line.made,
        };
        let told = [Told::EndOfService(stop), Told::Line(line.clone())];
        prop_assert_eq!(schedule(&told).paid_until(), Some(instant(line.from)));
    }

    /// No instant of a period is paid twice, and each span's time ends with its period, or where
    /// another span or a credit of that period stands.
    #[test]
    fn pt2_no_instant_of_a_period_is_paid_twice((_, told) in any_facts()) {
        let schedule = schedule(&told);
        for piece in schedule.pieces() {
            let mut rest = pieces_of(&schedule, piece.period).into_iter().peekable();
            while let Some(one) = rest.next() {
                prop_assert!(one.paid.start < one.paid.end);
                prop_assert!(one.paid.end <= one.period.end);
                prop_assert!(rest.peek().is_none_or(|next| one.paid.end <= next.paid.start));
            }

            let end = piece.paid.end;
            let ends_there = |told: &Told| match told {
                Told::Line(line) => instant(line.from) == end,
                Told::NegativeLine(line) => instant(line.at) == end,
                _ => false,
            };
            prop_assert!(end == piece.period.end || told.iter().any(ends_there));
        }
    }

    /// Where nothing is given back, a period is paid without a gap from its first span on.
    #[test]
    fn pt2_without_credits_there_is_no_gap((_, told) in any_facts()) {
        let told: Vec<Told> = told
            .into_iter()
            .filter(|told| !matches!(told, Told::NegativeLine(_)))
            .collect();
        let schedule = schedule(&told);
        for piece in schedule.pieces() {
            let pieces = pieces_of(&schedule, piece.period);
            prop_assert!(pieces.windows(2).all(|pair| pair[0].paid.end == pair[1].paid.start));
            prop_assert_eq!(pieces.last().unwrap().paid.end, piece.period.end);
        }
    }

    /// Credits of the invoice that a span is a line of change nothing about it.
    #[test]
    fn pt2_no_credit_ends_a_span_of_its_own_invoice((_, told) in any_facts()) {
        let told: Vec<Told> = told
            .into_iter()
            .map(|told| match told {
                Told::Line(line) => Told::Line(Line { invoice: "one".into(), ..line }),
                Told::NegativeLine(line) => {
                    Told::NegativeLine(NegativeLine { invoice: "one".into(), ..line })
                }
                other => other,
            })
            .collect();
        let is_credit = |told: &&Told| matches!(told, Told::NegativeLine(_));
        let without: Vec<Told> = told.iter().filter(|told| !is_credit(told)).cloned().collect();
        prop_assert_eq!(schedule(&told), schedule(&without));
    }

    /// The facts of one period, stops included, give its pieces, whatever else was paid.
    #[test]
    fn pt3_spans_of_other_periods_end_nothing((_, told) in any_facts()) {
        let all = schedule(&told);
        for piece in all.pieces() {
            let is_of_it = |told: &&Told| match told {
                Told::Line(Line { period: billed, .. })
                | Told::NegativeLine(NegativeLine { period: billed, .. }) => match billed {
                    Billed::Whole(start, end) => period((*start, *end)) == piece.period,
                    Billed::EndingAt(end) => instant(*end) == piece.period.end,
                    Billed::Sale(..) => unreachable!(),
                },
                Told::EndOfService(_) | Told::NeverPaid(..) => true,
            };
            // Remaining time could belong to another period with the same end.
            let ends = told.iter().filter_map(line).filter_map(|line| match line.period {
                Billed::Whole(start, end) if instant(end) == piece.period.end => Some(start),
                _ => None,
            });
            if ends.collect::<BTreeSet<i128>>().len() > 1 {
                continue;
            }

            let alone: Vec<Told> = told.iter().filter(is_of_it).cloned().collect();
            let alone = schedule(&alone);
            prop_assert_eq!(alone.pieces(), pieces_of(&all, piece.period));
        }
    }

    /// A larger period's time and a smaller one's within it are both paid to their ends.
    #[test]
    fn pt3_periods_that_overlap_are_both_paid(calendar in any_calendar(), other in 1..8_usize) {
        let (one, other) = (calendar.periods[0], calendar.periods[other % calendar.periods.len()]);
        prop_assume!((one.start, one.end) != (other.start, other.end));
        let second = Line {
            key: "second".into(),
            invoice: "second".into(),
            ..calendar.line(other)
        };
        let told = [Told::Line(calendar.line(one)), Told::Line(second)];

        let schedule = schedule(&told);
        let mut paid: Vec<Period> = schedule.pieces().iter().map(|piece| piece.paid).collect();
        let mut whole = vec![period((one.start, one.end)), period((other.start, other.end))];
        paid.sort_by_key(|paid| (paid.start, paid.end));
        whole.sort_by_key(|paid| (paid.start, paid.end));
        prop_assert_eq!(paid, whole);
    }

    /// The windows of a period are the oracle's: they meet, the last ends with the period, and each
    /// instant is in the one that it is told.
    #[test]
    fn pw1_the_windows_divide_the_period(
        calendar in any_calendar(),
        index in 0..8_usize,
        odd in prop::option::of((any_interval(), 1..30_u16)),
        at in 0..1000_i128,
    ) {
        // Windows that fit the period, or any others.
        let fitting = calendar.periods[index % calendar.periods.len()];
        let (every, count) = odd.unwrap_or((fitting.every, fitting.windows));
        let of = Divided { every, windows: count, ..fitting };
        let whole = period((of.start, of.end));
        let grid = of.grid();
        let ours: Vec<Period> = grid.of_period(whole).collect();
        let theirs: Vec<Period> = windows((of.start, of.end), of.every, of.windows)
            .into_iter()
            .map(period)
            .collect();
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(ours[0].start, whole.start);
        prop_assert_eq!(ours.last().unwrap().end, whole.end);
        prop_assert!(ours.windows(2).all(|pair| pair[0].end == pair[1].start));

        let at = instant(of.start + (of.end - of.start) * at / 1000);
        let found = ours.into_iter().find(|window| window.contains(at));
        prop_assert_eq!(grid.window_at(whole, at), found);
        prop_assert_eq!(grid.window_at(whole, whole.end), None);
        prop_assert_eq!(grid.window_at(whole, whole.start - TimeDelta::nanoseconds(1)), None);
    }

    /// A plan's whole period has as many windows as its interval has of them, and one if they do
    /// not divide it.
    #[test]
    fn pw1_a_grid_divides_what_can_be_divided(whole in any_interval(), every in any_interval()) {
        let count = |every: Every| match every {
            Every::Days(count) => (0, u32::from(count)),
            Every::Weeks(count) => (0, u32::from(count) * 7),
            Every::Months(count) => (1, u32::from(count)),
            Every::Years(count) => (1, u32::from(count) * 12),
        };
        let grid = Grid::of(interval(whole), interval(every));
        let (kind, days) = count(whole);
        let (other, part) = count(every);
        if kind == other && days % part == 0 {
            prop_assert_eq!(u32::from(grid.windows.get()), days / part);
            prop_assert_eq!(grid.every, interval(every));
        } else {
            prop_assert_eq!(grid.windows.get(), 1);
            prop_assert_eq!(grid.every, interval(whole));
        }
    }

    /// The shares of a window are its parts, and its credits are their sum, rounded down once.
    #[test]
    fn pw2_the_shares_of_a_window_add_up((_, told) in any_facts()) {
        let schedule = schedule(&told);
        for window in windows_of(&schedule).into_iter().map(seconds) {
            let length = (window.end - window.start).num_seconds();
            let sum: i128 = schedule
                .shares(window)
                .map(|share| {
                    let paid = (share.paid.end - share.paid.start).num_seconds();
                    i128::from(share.amount.micros()) * i128::from(paid)
                })
                .sum();
            prop_assert_eq!(amount(&schedule, window), credits(sum / i128::from(length)));
        }
    }

    /// A whole window of one span has the amount, to the last millionth.
    #[test]
    fn pw2_a_whole_window_has_the_whole_amount(
        calendar in any_calendar(),
        amount in 0..10_000_000_000_i128,
    ) {
        let period = calendar.periods[0];
        let line = Line { amount, ..calendar.line(period) };
        let schedule = schedule(&[Told::Line(line)]);
        for window in windows((period.start, period.end), period.every, period.windows) {
            let earned = self::amount(&schedule, paid_time_facts::period(window));
            prop_assert_eq!(earned, credits(amount));
        }
    }

    /// The next window is the first that has time paid.
    #[test]
    fn pw2_the_next_window_is_the_first_that_is_paid((_, told) in any_facts(), pick in any::<u16>()) {
        let answer = compare(&told, 0);
        let paid: Vec<(i128, i128)> = answer
            .windows
            .iter()
            .filter(|(_, earned)| earned.is_paid)
            .map(|(window, _)| *window)
            .collect();
        let schedule = schedule(&told);
        let starts: Vec<i128> = paid.iter().map(|(start, _)| *start).collect();
        if starts.is_empty() {
            prop_assert_eq!(schedule.next_window(instant(0), |_| true), None);
            return Ok(());
        }

        let from = starts[usize::from(pick) % starts.len()];
        for from in [from - 1, from, from + 1] {
            let next = paid.iter().find(|(start, _)| *start > from).map(|window| period(*window));
            prop_assert_eq!(schedule.next_window(instant(from), |_| true), next);

            let begun = paid.iter().filter(|(start, _)| *start <= from).count();
            prop_assert_eq!(schedule.windows_begun(instant(from)).len(), begun);
        }
    }

    /// The same facts in any order, each as often as it likes, at once or one by one, give the same
    /// facts and the same schedule.
    #[test]
    fn p4_any_order_and_any_doubling_is_the_same(
        (once, again, cuts) in any_facts().prop_flat_map(|(_, told)| {
            let facts: Vec<Fact> = told.iter().map(fact).collect();
            let doubled = facts.iter().cloned().chain(facts.iter().cloned()).collect::<Vec<_>>();
            let length = doubled.len();
            let cuts = prop::collection::vec(any::<bool>(), length);
            (Just(facts), Just(doubled).prop_shuffle(), cuts)
        }),
    ) {
        let once = row(once);

        let mut heard = PaidTime::new(7.into(), 1.into());
        let mut batch = Vec::new();
        let mut written = 0;
        for (fact, is_cut) in again.into_iter().zip(cuts) {
            batch.push(fact);
            if is_cut
                && let Some(change) = heard.clone().record(batch.drain(..)).unwrap()
            {
                prop_assert_eq!(change.expected_version(), heard.version());
                heard = change.into_row();
                written += 1;
            }
        }
        if let Some(change) = heard.clone().record(batch).unwrap() {
            heard = change.into_row();
            written += 1;
        }

        prop_assert_eq!(heard.facts(), once.facts());
        prop_assert_eq!(heard.schedule(), once.schedule());
        prop_assert_eq!(heard.paid_until(), once.paid_until());
        prop_assert_eq!(heard.version(), written);
    }

    /// A schedule depends on the facts alone: a second reading, one of the stored row and one that
    /// was stored itself are the same.
    #[test]
    fn p7_the_schedule_is_pure((_, told) in any_facts()) {
        let row = row(told.iter().map(fact));
        let schedule = row.schedule();
        prop_assert_eq!(&row.schedule(), &schedule);

        let stored = serde_json::to_string(&row).unwrap();
        let read: PaidTime = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&read, &row);
        prop_assert_eq!(&read.schedule(), &schedule);

        let stored = serde_json::to_string(&schedule).unwrap();
        let read: Schedule = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&read, &schedule);
        let targets = |schedule: &Schedule| -> BTreeMap<(i64, i64), Credits> {
            let windows = windows_of(schedule).into_iter();
            windows.map(|window| (window, amount(schedule, seconds(window)))).collect()
        };
        prop_assert_eq!(targets(&read), targets(&schedule));
    }
}
