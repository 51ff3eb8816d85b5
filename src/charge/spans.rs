//! The paid time that a change of plan brings.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::purpose::{PlanChange, QuotedTime};
use super::row::Charge;
use crate::paid_time::{BilledPeriod, Fact, Span};

/// Returns a span for each part of the time of a change, from the instant of its quote on.
pub(super) fn spans(
    charge: &Charge,
    change: &PlanChange,
    payment: &Arc<str>,
    received: DateTime<Utc>,
) -> Vec<Fact> {
    let span = |(number, time): (usize, &QuotedTime)| {
        Fact::Span(Span {
            key: charge.key_of_part(number).into(),
            payment: payment.clone(),
            period: BilledPeriod::Whole(time.period),
            from: time.from,
            grid: time.grid,
            amount: time.credits,
            made: change.made,
            received,
        })
    };

    change.times.iter().enumerate().map(span).collect()
}
