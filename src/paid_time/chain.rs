//! The periods of a provider's sales, which name neither their end nor the period before them.

use chrono::{DateTime, TimeDelta, Utc};

use super::fact::{BilledPeriod, Span};
use crate::period::Period;

/// A sale, and the period that it pays for among the other sales.
pub(super) struct Sale<'a> {
    pub(super) span: &'a Span,
    /// The first instant that it pays for.
    pub(super) from: DateTime<Utc>,
    pub(super) period: Period,
    /// The period that it ends before its time.
    pub(super) ends: Option<Period>,
}

/// Places the sales of a subscription, in the order of their instants, in whatever order they were
/// heard. One within its slack of the end of the period that runs begins there, and is counted from
/// the same anchor, so that a short month does not shift the ones after it.
pub(super) fn chain<'a>(spans: &[&'a Span]) -> Vec<Sale<'a>> {
    let mut sales: Vec<_> = spans
        .iter()
        .filter_map(|span| match span.period {
            BilledPeriod::Interval {
                interval,
                slack_seconds,
            } => Some((*span, interval, slack_seconds)),
            _ => None,
        })
        .collect();
    sales.sort_by_key(|(span, ..)| (span.from, span.made, span.key.clone()));

    let mut chain: Vec<Sale<'a>> = Vec::new();
    let mut anchor: Option<DateTime<Utc>> = None;
    for (span, interval, slack_seconds) in sales {
        let slack = TimeDelta::try_seconds(slack_seconds.into()).unwrap_or_default();
        let running = chain.last().map(|sale| sale.period);
        let misses = |end: DateTime<Utc>| span.from.signed_duration_since(end).abs();

        let following = running
            .filter(|period| misses(period.end) <= slack)
            .zip(anchor)
            .and_then(|(period, anchor)| interval.following(anchor, period.end));
        let first = || {
            interval
                .period(span.from, 0)
                .map(|period| (span.from, period))
        };
        // Beyond all dates there is nothing to pay for.
        let Some((counted_from, period)) = following.or_else(first) else {
            continue;
        };

        chain.push(Sale {
            span,
            from: period.start,
            period,
            ends: running.filter(|running| period.start < running.end),
        });
        anchor = Some(counted_from);
    }
    chain
}
