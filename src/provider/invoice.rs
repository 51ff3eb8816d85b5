//! The record of a payment, as any version has stored it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::line::{LineOutcome, RecordedLine};
use super::report::ProviderPayment;
use crate::id::{AccountId, SubscriptionId};
use crate::money::{Credits, Money};
use crate::payment_method::Provider;
use crate::period::Period;
use crate::subscription::Subscription;

/// A payment that was recorded: a row that is unique by (account, provider, invoice).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredInvoice")]
#[non_exhaustive]
pub struct PaidInvoice {
    /// The provider that received it.
    pub provider: Provider,
    /// The provider's identifier of the invoice or sale.
    pub invoice: String,
    /// The account that paid.
    pub account: AccountId,
    /// The subscription that was paid.
    pub subscription: SubscriptionId,
    /// The amount.
    pub amount: Money,
    /// The lines that are about time, and what became of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RecordedLine>,
    /// The period that was paid, in a row from before lines were recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The time at which it was recorded.
    pub recorded_at: DateTime<Utc>,
}

impl PaidInvoice {
    /// Makes the row of a payment for a subscription.
    pub(super) fn of(
        payment: &ProviderPayment,
        subscription: &Subscription,
        lines: Vec<RecordedLine>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            provider: payment.provider,
            invoice: payment.invoice.clone(),
            account: subscription.account.clone(),
            subscription: subscription.id.clone(),
            amount: payment.amount,
            lines,
            period: None,
            recorded_at: now,
        }
    }

    /// Returns whether this row is the record of the same payment, by the same account.
    pub(super) fn is_of(&self, payment: &ProviderPayment, account: &AccountId) -> bool {
        self.provider == payment.provider
            && self.invoice == payment.invoice
            && self.account == *account
            && self.amount == payment.amount
    }

    /// Returns whether it paid for a change within a period.
    pub(super) fn is_change(&self) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|line| line.outcome == LineOutcome::PartOfChange)
    }

    /// Returns the lines that brought time.
    pub(super) fn paid_lines(&self) -> impl Iterator<Item = &RecordedLine> {
        let is_paid = |line: &&RecordedLine| line.outcome == LineOutcome::Paid;
        self.lines.iter().filter(is_paid)
    }
}

/// The fields of every version. A field that an older version did not know is absent, and one that
/// this version does not need is read over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredInvoice {
    provider: Provider,
    invoice: String,
    account: AccountId,
    subscription: SubscriptionId,
    amount: Money,
    #[serde(default)]
    lines: Vec<RecordedLine>,
    #[serde(default)]
    period: Option<Period>,
    #[serde(default, rename = "credits")]
    _credits: Option<Credits>,
    recorded_at: DateTime<Utc>,
}

impl From<StoredInvoice> for PaidInvoice {
    fn from(stored: StoredInvoice) -> Self {
        Self {
            provider: stored.provider,
            invoice: stored.invoice,
            account: stored.account,
            subscription: stored.subscription,
            amount: stored.amount,
            lines: stored.lines,
            period: stored.period,
            recorded_at: stored.recorded_at,
        }
    }
}
