//! Payments that were undone: refunds, disputes that were lost, and money that a bank took back.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::UndoneError;
use super::identity::check_paid_time;
use super::invoice::PaidInvoice;
use super::payment::paid_subscription;
use super::placing::{later_key, payment_key};
use super::report::{ProviderUndone, Undoing};
use crate::change::RowChange;
use crate::paid_time::{BilledPeriod, Fact, PaidTime, TimeCredit, Void};
use crate::policy::Policy;
use crate::subscription::Subscription;

/// The rows that a host loads before it records that a payment was undone, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct UndoneFacts {
    /// The record of the payment, found by the provider and its invoice.
    pub record: PaidInvoice,
    /// The subscription that the record names.
    pub subscription: Subscription,
    /// The paid time of that subscription.
    pub paid_time: PaidTime,
}

/// Everything that changes when a payment is undone, to be written whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct UndoneChange {
    subscription: RowChange<Subscription>,
    paid_time: RowChange<PaidTime>,
}

impl UndoneChange {
    /// Returns the subscription to update, with the end of the time that is still paid.
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// Returns the paid time to write. The host aligns the wallet with it in the same transaction:
    /// see [`Wallet::align`](crate::Wallet::align).
    pub fn paid_time(&self) -> &RowChange<PaidTime> {
        &self.paid_time
    }
}

impl Policy {
    /// Records that a payment was undone. Returns `None` if nothing changes: it was recorded
    /// before, or only a part of the money was given back.
    ///
    /// - A payment that was reversed never was: all of its time is left out, and the credits that
    ///   were used of it become debt.
    /// - A payment that was refunded in full gives its time back from the instant of the refund on.
    ///   Time before that stays paid.
    /// - The refund of a change within a period, in full, undoes the change: it is as if it never
    ///   was.
    /// - A part of the money takes no time. Where service ends with such a refund, the provider
    ///   reports that end, and later windows bring nothing.
    ///
    /// The provider need not be enabled: what it gave back is gone. The gate goes by the later of
    /// the provider's own period and the paid time, so the host also ends the subscription at the
    /// provider if it is to serve it no longer.
    ///
    /// # Errors
    /// In this order: [`UndoneError::Mismatch`], [`UndoneError::Row`], [`UndoneError::PaidTime`].
    pub fn record_provider_undone(
        &self,
        undone: &ProviderUndone,
        facts: UndoneFacts,
        now: DateTime<Utc>,
    ) -> Result<Option<UndoneChange>, UndoneError> {
        let UndoneFacts {
            record,
            subscription,
            paid_time,
        } = facts;
        let is_own = record.provider == undone.provider
            && undone.invoice.as_deref() == Some(record.invoice.as_str())
            && record.subscription == subscription.id
            && record.account == subscription.account;
        if !is_own {
            return Err(UndoneError::Mismatch);
        }
        check_paid_time(&paid_time, &subscription)?;

        let is_whole = undone.amount.currency() == record.amount.currency()
            && undone.amount.checked_sub(record.amount).is_some();
        if !is_whole {
            return Ok(None);
        }

        let facts = match undone.how {
            Undoing::Reversed => voids(&record),
            // What was paid before the change is paid again.
            Undoing::Refunded if record.is_change() => voids(&record),
            Undoing::Refunded => credits(undone, &record, &paid_time),
        };
        let Some(change) = paid_time.record(facts)? else {
            return Ok(None);
        };
        Ok(Some(UndoneChange {
            subscription: paid_subscription(&subscription, change.row(), now)?,
            paid_time: change,
        }))
    }
}

/// Returns the facts that leave all lines of a payment out.
fn voids(record: &PaidInvoice) -> Vec<Fact> {
    let payment = payment_key(record.provider, &record.invoice);
    let later = later_key(&payment);

    [payment, later]
        .map(|payment| {
            Fact::Void(Void {
                key: format!("void/{payment}").into(),
                payment,
            })
        })
        .into()
}

/// Returns the facts that give back the time of a payment from the refund on. They are credits of
/// another payment than that one, since a credit ends no span of its own.
fn credits(undone: &ProviderUndone, record: &PaidInvoice, paid_time: &PaidTime) -> Vec<Fact> {
    let payment = payment_key(record.provider, &record.invoice);
    let refund: Arc<str> = format!("refund/{payment}").into();
    let pieces = paid_time.schedule();

    record
        .paid_lines()
        .filter_map(|paid| {
            let span: Arc<str> = format!("{payment}/{}", paid.line.key).into();
            let key: Arc<str> = format!("refund/{span}").into();
            let is_known = paid_time.facts().iter().any(|fact| *fact.key() == key);

            // Time that is over was used, and time to come is given back as a whole.
            let piece = pieces.pieces().iter().find(|piece| piece.span == span)?;
            let at = undone.at.max(piece.paid.start);
            if is_known || at >= piece.period.end {
                return None;
            }
            let period = paid_time.facts().iter().find_map(|fact| match fact {
                Fact::Span(paid) if paid.key == span => Some(paid.period),
                _ => None,
            })?;
            let period = match period {
                interval @ BilledPeriod::Interval { .. } => interval,
                _ => BilledPeriod::Whole(piece.period),
            };

            Some(Fact::Credit(TimeCredit {
                key,
                payment: refund.clone(),
                period,
                at,
                made: undone.at,
            }))
        })
        .collect()
}
