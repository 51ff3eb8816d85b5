//! The facts that count, each with the period and the place in time that it has among the others.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::chain::{Sale, chain};
use super::fact::{BilledPeriod, Fact, Span, Stop, TimeCredit};
use super::piece::Piece;
use crate::money::Credits;
use crate::period::Period;

/// The place of a fact in time. In a tie spans come before credits and stops, then the larger
/// amount, then the smaller key.
type Place<'a> = (DateTime<Utc>, DateTime<Utc>, u8, Reverse<Credits>, &'a str);

/// A span, with what follows from the other facts.
pub(super) struct KnownSpan<'a> {
    span: &'a Span,
    /// The first instant that it pays for.
    from: DateTime<Utc>,
    period: Period,
}

impl<'a> KnownSpan<'a> {
    fn place(&self) -> Place<'a> {
        let span = self.span;
        (self.from, span.made, 0, Reverse(span.amount), &span.key)
    }
}

/// An instant from which a period is not paid any more.
struct Cut<'a> {
    at: DateTime<Utc>,
    made: DateTime<Utc>,
    key: &'a str,
    payment: &'a str,
    period: Period,
}

impl<'a> Cut<'a> {
    fn place(&self) -> Place<'a> {
        (self.at, self.made, 1, Reverse(Credits::ZERO), self.key)
    }

    fn of_credit(credit: &'a TimeCredit, period: Period) -> Self {
        Self {
            at: credit.at,
            made: credit.made,
            key: &credit.key,
            payment: &credit.payment,
            period,
        }
    }

    /// A sale that came before the period before it was over ends that one.
    fn of_sale(sale: &Sale<'a>) -> Option<Self> {
        let span = sale.span;
        sale.ends.map(|period| Self {
            at: sale.from,
            made: span.made,
            key: &span.key,
            payment: &span.payment,
            period,
        })
    }
}

fn place_of_stop(stop: &Stop) -> Place<'_> {
    (stop.at, stop.made, 2, Reverse(Credits::ZERO), &stop.key)
}

/// The facts that count.
pub(super) struct Known<'a> {
    pub(super) spans: Vec<KnownSpan<'a>>,
    cuts: Vec<Cut<'a>>,
    stops: Vec<&'a Stop>,
}

impl<'a> Known<'a> {
    pub(super) fn of(facts: &'a [Fact]) -> Self {
        let voided: BTreeSet<&str> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Void(void) => Some(void.payment.as_ref()),
                _ => None,
            })
            .collect();
        let spans: Vec<&Span> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Span(span) if !voided.contains(span.payment.as_ref()) => Some(span),
                _ => None,
            })
            .collect();
        let credits = facts.iter().filter_map(|fact| match fact {
            Fact::Credit(credit) if !voided.contains(credit.payment.as_ref()) => Some(credit),
            _ => None,
        });

        let sales = chain(&spans);
        // Of several whole periods with one end, the shortest that has the instant.
        let whole = |billed: BilledPeriod, at: DateTime<Utc>| match billed {
            BilledPeriod::Whole(period) => Some(period),
            BilledPeriod::EndingAt(end) => spans
                .iter()
                .filter_map(|span| match span.period {
                    BilledPeriod::Whole(period) => Some(period),
                    _ => None,
                })
                .chain(sales.iter().map(|sale| sale.period))
                .filter(|period| period.end == end && period.start <= at)
                .max_by_key(|period| period.start),
            BilledPeriod::Interval { .. } => sales
                .iter()
                .map(|sale| sale.period)
                .filter(|period| period.contains(at))
                .max_by_key(|period| (period.start, period.end)),
        };

        let cuts = credits
            .filter_map(|credit| {
                let period = whole(credit.period, credit.at)?;
                Some(Cut::of_credit(credit, period))
            })
            .chain(sales.iter().filter_map(Cut::of_sale))
            .collect();
        let known = spans
            .iter()
            .filter(|span| !matches!(span.period, BilledPeriod::Interval { .. }))
            .filter_map(|span| {
                let period = whole(span.period, span.from)?;
                Some(KnownSpan {
                    span,
                    from: span.from,
                    period,
                })
            })
            .chain(sales.iter().map(|sale| KnownSpan {
                span: sale.span,
                from: sale.from,
                period: sale.period,
            }))
            .collect();

        Self {
            spans: known,
            cuts,
            stops: facts
                .iter()
                .filter_map(|fact| match fact {
                    Fact::Stop(stop) => Some(stop),
                    _ => None,
                })
                .collect(),
        }
    }

    /// Returns the time that a span pays after all that ends it; `None` if nothing is left.
    pub(super) fn piece(&self, known: &KnownSpan<'_>) -> Option<Piece> {
        let KnownSpan { span, from, period } = known;
        let place = known.place();
        let spans = self
            .spans
            .iter()
            .filter(|other| other.period == *period && other.place() > place)
            .map(|other| other.from);
        let cuts = self
            .cuts
            .iter()
            .filter(|cut| {
                cut.period == *period && *cut.payment != *span.payment && cut.place() > place
            })
            .map(|cut| cut.at);
        let until = spans.chain(cuts).chain([period.end]).min()?;

        let stopped_at = self
            .stops
            .iter()
            .filter(|stop| place_of_stop(stop) > place)
            .map(|stop| stop.at)
            .min();

        (*from < until).then(|| Piece {
            span: span.key.clone(),
            period: *period,
            grid: span.grid,
            amount: span.amount,
            paid: Period {
                start: *from,
                end: until,
            },
            received: span.received,
            stopped_at,
        })
    }
}
