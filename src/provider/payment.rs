//! Payments that a provider received: a set by invoice, which only grows. Each line of an invoice
//! that pays for time becomes a fact of paid time.

use chrono::{DateTime, Utc};

use super::error::PaymentError;
use super::identity::{check_identity, check_paid_time};
use super::invoice::PaidInvoice;
use super::line::{LineKind, LineOutcome, RecordedLine};
use super::placing::ProviderPrice;
use super::reckoning::{go_by_paid_time, latest_period};
use super::report::ProviderPayment;
use crate::account::Account;
use crate::change::{Answer, RowChange, RowError};
use crate::paid_time::PaidTime;
use crate::policy::Policy;
use crate::subscription::Subscription;

/// The rows that a host loads before it records a payment, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct PaymentFacts {
    /// The account of the subscription.
    pub account: Account,
    /// The subscription.
    pub subscription: Subscription,
    /// The host's plans, by the prices under which the provider knows them: at least those of the
    /// payment's lines, and all of PayPal's plans, whose sales name none. A price that is missing
    /// here decides nothing.
    pub prices: Vec<ProviderPrice>,
    /// The paid time of the subscription; [`PaidTime::new`] where none is stored.
    pub paid_time: PaidTime,
    /// The row of the same account, provider and invoice, if there is one.
    pub prior: Option<PaidInvoice>,
}

/// Everything that a payment changes, to be written whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct PaymentChange {
    record: PaidInvoice,
    account: Option<RowChange<Account>>,
    subscription: RowChange<Subscription>,
    paid_time: Option<RowChange<PaidTime>>,
}

impl PaymentChange {
    /// Returns the row to insert, under UNIQUE (account, provider, invoice). A clash means: load
    /// again and ask again.
    pub fn record(&self) -> &PaidInvoice {
        &self.record
    }

    /// Returns the account to update: active, if it only waited for a payment.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.account.as_ref()
    }

    /// Returns the subscription to update, with the end of the time that is paid by now. Its status
    /// stays, but for PayPal's: see [`Policy::record_provider_payment`].
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// Returns the paid time to write; `None` if the payment brought and gave back none. The host
    /// aligns the wallet with it in the same transaction: see
    /// [`Wallet::align`](crate::Wallet::align).
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid_time.as_ref()
    }
}

impl Policy {
    /// Records a payment that a provider received: once for each invoice, whatever event reported
    /// it and however often. Each line that pays for time becomes a fact of
    /// [paid time](crate::paid_time), and the record says of every line what became of it. A whole
    /// period that was paid lifts a status of the account that only waited for a payment.
    ///
    /// - A line for a whole period pays for that period, and one for the time that remains after a
    ///   change pays from the change on. The plan is the one whose price it names, times the
    ///   quantity. A line of a price that the host does not know decides nothing, so a payment is
    ///   never refused for a price.
    /// - A line that gives time back takes the credits of that time back, unless it is the negative
    ///   half of a change. First, a line and a negative line of the same invoice for the same
    ///   price, quantity and time cancel.
    /// - Below the plan's price, in another currency, or for a subscription that is paid in another
    ///   way by now, a line is recorded and brings nothing: the amount at a provider is not always
    ///   the host's to set. A host that gives discounts there says so in its policy.
    /// - A sale of PayPal's names neither price nor period. It is for the plan that costs that
    ///   amount to the cent, or else for the subscription's own: give a PayPal plan a price with
    ///   tax included. It is the latest of PayPal's words if it is newer than the latest snapshot:
    ///   PayPal renews with a sale alone. So it activates what was incomplete or past due. The
    ///   policy's renewal slack should be a day, since PayPal collects at an hour of its own.
    ///
    /// The subscription's status comes from its snapshots otherwise: see
    /// [`adopt_snapshot`](Self::adopt_snapshot).
    ///
    /// # Errors
    /// In this order: [`PaymentError::ComingSoon`], [`PaymentError::Conflict`],
    /// [`PaymentError::Foreign`], [`PaymentError::Row`], [`PaymentError::PaidTime`].
    pub fn record_provider_payment(
        &self,
        payment: &ProviderPayment,
        facts: PaymentFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<PaymentChange, PaidInvoice>, PaymentError> {
        let PaymentFacts {
            account,
            subscription,
            prices,
            paid_time,
            prior,
        } = facts;
        let method = payment.provider.payment_method();
        if !self.is_enabled(method) {
            return Err(PaymentError::ComingSoon(method));
        }

        if let Some(prior) = prior {
            return if prior.is_of(payment, &account.id) {
                Ok(Answer::Replayed(prior))
            } else {
                Err(PaymentError::Conflict(payment.invoice.clone()))
            };
        }
        check_identity(
            payment.provider,
            &payment.subscription,
            payment.reference.as_deref(),
            &account,
            &subscription,
        )?;
        check_paid_time(&paid_time, &subscription)?;

        let placed = self.place_provider_lines(payment, &subscription, &prices)?;
        let change = paid_time.clone().record(placed.facts)?;
        let paid_time = change.as_ref().map_or(&paid_time, RowChange::row);

        // A part of a period lifts nothing.
        let status = if placed.lines.iter().any(is_whole) {
            account.status.after_payment()
        } else {
            account.status
        };

        Ok(Answer::Fresh(PaymentChange {
            subscription: paid_subscription(&subscription, paid_time, now)?,
            record: PaidInvoice::of(payment, &subscription, placed.lines, now),
            account: account.with_status(status),
            paid_time: change,
        }))
    }
}

/// Returns whether a line paid for a whole period.
fn is_whole(line: &RecordedLine) -> bool {
    let is_rest = matches!(line.line.kind, LineKind::Remaining(_));
    line.outcome == LineOutcome::Paid && !is_rest
}

/// Returns the subscription as its paid time has it by now.
pub(super) fn paid_subscription(
    before: &Subscription,
    paid_time: &PaidTime,
    now: DateTime<Utc>,
) -> Result<RowChange<Subscription>, RowError> {
    RowChange::next(before.version, "subscription", |version| {
        let mut after = Subscription {
            version,
            ..before.clone()
        };
        // Payments may come in any order, so the latest period counts, not the last one reported.
        after.provider_paid = latest_period(before, paid_time);
        go_by_paid_time(&mut after, paid_time, now);
        after
    })
}
