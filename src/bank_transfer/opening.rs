//! The opening of periods that are paid: the subscription and its paid time after the payment.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::ConfirmError;
use crate::account::Account;
use crate::change::{RowChange, RowError};
use crate::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span};
use crate::payment_method::PaymentMethod;
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::subscription::{RecordedPayment, Subscription};

/// The periods of a plan that a payment opens.
pub(super) struct Opening<'a> {
    /// The plan that is paid for.
    pub(super) plan: &'a Plan,
    /// The number of periods.
    pub(super) periods: u32,
    /// The payment's name among the payments of the subscription.
    pub(super) payment: Arc<str>,
    /// The bank's identifier of the payment, if it is a transfer.
    pub(super) external_id: Option<String>,
}

/// The rows after a payment.
#[derive(Default)]
pub(super) struct Opened {
    /// The subscription to write, if it changed.
    pub(super) subscription: Option<RowChange<Subscription>>,
    /// The paid time to write, if a period was opened.
    pub(super) paid_time: Option<RowChange<PaidTime>>,
    /// The end of the last period that was opened.
    pub(super) until: Option<DateTime<Utc>>,
}

impl Policy {
    /// Opens the periods of a subscription that are paid. `before` is the subscription as it was
    /// loaded, and `last` is the same after all that time had made due.
    pub(super) fn open_periods(
        &self,
        before: &Subscription,
        mut last: Subscription,
        paid_time: PaidTime,
        opening: Opening<'_>,
        now: DateTime<Utc>,
    ) -> Result<Opened, ConfirmError> {
        if *last.next_plan() != opening.plan.id {
            return Err(ConfirmError::PlanMismatch);
        }
        let payment = RecordedPayment {
            interval: opening.plan.interval,
            slack: self.longest_admission(),
            method: PaymentMethod::BankTransfer,
            external_id: opening.external_id.clone(),
        };

        // A subscription that has ended refuses a part of a price as it refuses the whole: try, and
        // keep only the refusal.
        if opening.periods == 0 {
            let _ = last.clone().record_payment(payment.clone(), now)?;
        }

        let mut spans = Vec::new();
        for number in 0..opening.periods {
            last = last
                .record_payment(payment.clone(), now)?
                .into_subscription();
            let period = last.current_period.ok_or(RowError::Mismatch {
                left: "subscription",
                right: "payment",
            })?;
            spans.push(opening.span(number, period, now));
        }
        let until = last
            .current_period
            .filter(|_| opening.periods > 0)
            .map(|period| period.end);

        let paid_time = paid_time.record(spans)?;
        if let Some(paid_time) = &paid_time {
            last.paid_until = paid_time.row().paid_until();
        }

        // However many commands were carried out, the row changes in one step.
        last.version = before.version;
        let is_changed = last != *before;
        let subscription = RowChange::next(before.version, "subscription", |version| {
            Subscription { version, ..last }
        })?;

        Ok(Opened {
            subscription: is_changed.then_some(subscription),
            paid_time,
            until,
        })
    }
}

impl Opening<'_> {
    /// Returns the fact that one of the periods is paid.
    fn span(&self, number: u32, period: Period, now: DateTime<Utc>) -> Fact {
        Fact::Span(Span {
            key: format!("{}/{number}", self.payment).into(),
            payment: self.payment.clone(),
            period: BilledPeriod::Whole(period),
            from: period.start,
            grid: Grid::of_plan(self.plan),
            amount: self.plan.credits,
            made: now,
            received: now,
        })
    }
}

/// Returns the account after money arrived: active and on this method if it paid for a period.
pub(super) fn paid_account(
    account: &Account,
    has_paid: bool,
) -> Result<RowChange<Account>, RowError> {
    RowChange::next(account.version, "account", |version| {
        let before = account.clone();

        if has_paid {
            Account {
                status: account.status.after_payment(),
                payment_method: PaymentMethod::BankTransfer,
                version,
                ..before
            }
        } else {
            // It is written all the same, so that no two transfers are confirmed at once.
            Account { version, ..before }
        }
    })
}
