//! The end of the service that a refunded transfer had paid for.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::record::ConfirmedTransfer;
use super::refund_error::TransferRefundError;
use crate::change::{RowChange, RowError};
use crate::credit::DueRevocation;
use crate::money::Money;
use crate::paid_time::{BilledPeriod, Fact, PaidTime, Span, TimeCredit};
use crate::period::Period;
use crate::subscription::{Command, Subscription};

/// The rows after service ended: a default one ends nothing.
#[derive(Default)]
pub(super) struct Ending {
    /// The subscription to write, if it changed.
    pub(super) subscription: Option<RowChange<Subscription>>,
    /// The paid time to write, if time was given back.
    pub(super) paid_time: Option<RowChange<PaidTime>>,
    /// The grants to take back.
    pub(super) revocations: Vec<DueRevocation>,
}

impl Ending {
    /// Ends what a transfer had paid for. `taken_back` is the sum of all that was given back of it
    /// and had paid for a period.
    pub(super) fn of(
        record: &ConfirmedTransfer,
        subscription: Option<Subscription>,
        paid_time: Option<PaidTime>,
        taken_back: Money,
        now: DateTime<Utc>,
    ) -> Result<Self, TransferRefundError> {
        let revocations = record.revocations();
        // A top-up, or a pack: its own credits.
        let Some(paid_time) = paid_time else {
            return Ok(Self {
                revocations,
                ..Self::default()
            });
        };

        let of_record = |paid: &Subscription| Some(&paid.id) == record.subscription.as_ref();
        let subscription = subscription.filter(of_record);
        let running = subscription
            .as_ref()
            .filter(|paid| !paid.is_terminal())
            .and_then(Subscription::paid_until)
            .filter(|end| now < *end);
        let left = record.periods_left(&paid_time, now);
        let last = left.iter().map(|period| period.end).max();

        match last {
            Some(last) if running.is_some_and(|running| last < running) => {
                return Err(TransferRefundError::LaterPaid);
            }
            Some(_) => {}
            None if record.is_unattributed(&paid_time, taken_back, now)
                && (running.is_some() || is_paid_after(&paid_time, now)) =>
            {
                return Err(TransferRefundError::Unattributed);
            }
            // Its periods are over, and the one that runs was paid by other money.
            None if running.is_some() => return Ok(Self::default()),
            None => {}
        }

        let credits = record.credits_of(&left, now)?;
        let paid_time = paid_time.record(credits)?;
        let paid_until = paid_time
            .as_ref()
            .map(|paid_time| paid_time.row().paid_until());
        let subscription = subscription
            .map(|before| end(before, running.is_some(), paid_until, now))
            .transpose()?
            .flatten();

        Ok(Self {
            subscription,
            paid_time,
            revocations,
        })
    }
}

/// Returns whether any time after an instant is paid, by whatever money.
fn is_paid_after(paid_time: &PaidTime, now: DateTime<Utc>) -> bool {
    let schedule = paid_time.schedule();
    let mut pieces = schedule.pieces().iter();

    pieces.any(|piece| now < piece.paid.end)
}

/// Ends a subscription that runs, and writes the end of its paid time into it; `None` if it stays
/// as it is.
fn end(
    before: Subscription,
    is_running: bool,
    paid_until: Option<Option<DateTime<Utc>>>,
    now: DateTime<Utc>,
) -> Result<Option<RowChange<Subscription>>, TransferRefundError> {
    let expected = before.version;
    let mut after = if is_running {
        before
            .clone()
            .apply(Command::CancelNow, now)?
            .into_subscription()
    } else {
        before.clone()
    };
    if let Some(paid_until) = paid_until {
        after.paid_until = paid_until;
    }

    after.version = expected;
    if after == before {
        return Ok(None);
    }
    let change = RowChange::next(expected, "subscription", |version| Subscription {
        version,
        ..after
    })?;
    Ok(Some(change))
}

impl ConfirmedTransfer {
    /// Returns the grants of a top-up, of a pack, or of a record of before there was paid time, to take back.
    pub(super) fn revocations(&self) -> Vec<DueRevocation> {
        let revoke = |grant: &Arc<str>| DueRevocation::new(self.account.clone(), grant.clone());

        self.grants.iter().map(revoke).collect()
    }

    /// Returns the periods that this transfer opened, as the facts of paid time tell them.
    fn periods_of(&self, paid_time: &PaidTime) -> Vec<Period> {
        let payment = self.payment();

        paid_time
            .facts()
            .iter()
            .filter_map(|fact| match fact {
                Fact::Span(span) if *span.payment == payment => Some(span.period),
                _ => None,
            })
            .filter_map(|billed| match billed {
                BilledPeriod::Whole(period) => Some(period),
                BilledPeriod::EndingAt(_) | BilledPeriod::Interval { .. } => None,
            })
            .collect()
    }

    /// Returns those of its periods in which there is paid time left, be it by an upgrade.
    fn periods_left(&self, paid_time: &PaidTime, now: DateTime<Utc>) -> Vec<Period> {
        let schedule = paid_time.schedule();
        let mut left = self.periods_of(paid_time);
        left.retain(|period| {
            let mut pieces = schedule.pieces().iter();
            pieces.any(|piece| piece.period == *period && now < piece.paid.end)
        });

        left
    }

    /// Returns whether other money has paid for time of its periods later, as an upgrade does. What
    /// an upgrade stands on itself was paid before it.
    pub(super) fn is_paid_upon(&self, paid_time: &PaidTime) -> bool {
        let payment = self.payment();
        let mut others: Vec<&Span> = Vec::new();
        let mut own: Vec<&Span> = Vec::new();
        for fact in paid_time.facts() {
            match fact {
                Fact::Span(span) if *span.payment == payment => own.push(span),
                Fact::Span(span) => others.push(span),
                Fact::Credit(_) | Fact::Stop(_) | Fact::Void(_) => {}
            }
        }

        // Of the others, those that count: not void, and not cut to nothing.
        let schedule = paid_time.schedule();
        let counts = |other: &Span| {
            let mut pieces = schedule.pieces().iter();
            pieces.any(|piece| piece.span == other.key)
        };
        let is_upon = |other: &&Span| {
            let mut own = own.iter();
            own.any(|own| {
                own.period == other.period && (own.from, own.made) <= (other.from, other.made)
            })
        };
        others.into_iter().filter(is_upon).any(counts)
    }

    /// Returns whether its money may have paid for a period that its own facts do not tell of.
    fn is_unattributed(&self, paid_time: &PaidTime, taken_back: Money, now: DateTime<Utc>) -> bool {
        // Above what it paid directly, its money went through the deposit.
        let by_deposit = self.applied.checked_sub(taken_back).is_none();
        let is_before_facts = self.paid_until.is_some_and(|until| now < until)
            && self.periods_of(paid_time).is_empty();

        by_deposit || is_before_facts
    }

    /// Returns the facts that give periods back from now on.
    fn credits_of(&self, left: &[Period], now: DateTime<Utc>) -> Result<Vec<Fact>, RowError> {
        // Each refund writes the record, so its version tells one from another.
        let version = self
            .version
            .checked_add(1)
            .ok_or(RowError::VersionExhausted {
                row: "confirmed transfer",
            })?;
        let payment: Arc<str> = format!("refund/{version}/{}", self.payment()).into();

        let credit = |(number, period): (usize, &Period)| {
            Fact::Credit(TimeCredit {
                key: format!("{payment}/{number}").into(),
                payment: payment.clone(),
                period: BilledPeriod::Whole(*period),
                at: now.max(period.start),
                made: now,
            })
        };
        Ok(left.iter().enumerate().map(credit).collect())
    }
}
