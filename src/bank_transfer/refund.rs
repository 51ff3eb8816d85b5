//! Refunds of confirmed transfers: cumulative, at most what arrived, and accounted for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::deposit::Deposit;
use super::ending::Ending;
use super::record::ConfirmedTransfer;
use super::refund_error::TransferRefundError;
use super::rows::check_paid_time;
use crate::change::{Answer, RowChange, RowError};
use crate::credit::DueRevocation;
use crate::gate::Operator;
use crate::money::Money;
use crate::paid_time::PaidTime;
use crate::right::Privilege;
use crate::subscription::Subscription;

/// The fault of a sum that leaves its range.
const OVERFLOW: RowError = RowError::Overflow {
    of: "sum of the refunds",
};

/// The choice about the service that a refunded transfer had paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum AfterRefund {
    /// The service goes on, as a gesture.
    KeepService,
    /// The subscription ends at once, and the time that the transfer paid for is given back with its
    /// credits, unless its periods are over: then there is nothing to end.
    EndService,
}

/// A refund that was sent to the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it, by struct update"
)]
pub struct TransferRefund {
    /// The sum of all refunds of this transfer, this one included: repeated, it gives nothing back
    /// twice.
    pub total: Money,
    /// The choice about the service, where money is given back that had paid for it.
    pub then: AfterRefund,
}

/// The rows that a host loads before it records a refund, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct RefundFacts {
    /// The registry's row of the transfer.
    pub record: ConfirmedTransfer,
    /// The account's subscription, if it has one.
    pub subscription: Option<Subscription>,
    /// The account's deposit, if it has one.
    pub deposit: Option<Deposit>,
    /// The paid time of the subscription that the record names; `None` where it names none.
    pub paid_time: Option<PaidTime>,
}

/// Everything that a refund changes, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct TransferRefundChange {
    record: RowChange<ConfirmedTransfer>,
    deposit: Option<RowChange<Deposit>>,
    subscription: Option<RowChange<Subscription>>,
    paid_time: Option<RowChange<PaidTime>>,
    revocations: Vec<DueRevocation>,
}

impl TransferRefundChange {
    /// Returns the registry's row to update.
    pub fn record(&self) -> &RowChange<ConfirmedTransfer> {
        &self.record
    }

    /// Returns the deposit to update.
    pub fn deposit(&self) -> Option<&RowChange<Deposit>> {
        self.deposit.as_ref()
    }

    /// Returns the subscription to update.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// Returns the paid time to update. Align the wallet with it in the same transaction: see
    /// [`Wallet::align`](crate::Wallet::align).
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid_time.as_ref()
    }

    /// Returns the grants of a top-up or a pack to take back: see
    /// [`Wallet::revoke_due`](crate::Wallet::revoke_due).
    pub fn revocations(&self) -> &[DueRevocation] {
        &self.revocations
    }
}

impl ConfirmedTransfer {
    /// Records that a transfer, or a part of it, was sent back. The noted part goes first, then the
    /// account's deposit; the rest takes back what had paid for a period, and then the service goes
    /// on or ends, as the refund says. Repeated with the same total, it changes nothing.
    ///
    /// If the service ends, the periods that the transfer paid for, or in which it paid for an
    /// upgrade, are given back from now on, as
    /// [`TimeCredit`](crate::paid_time::TimeCredit)s, and its credits go with it.
    ///
    /// It does not ask whether the method is still enabled: money that arrived can always be sent
    /// back. The operator was admitted under [`Privilege::ConfirmPayments`] and belongs to another
    /// account.
    ///
    /// # Errors
    /// In this order: [`TransferRefundError::Denied`], [`TransferRefundError::Retracted`],
    /// [`TransferRefundError::Currency`],
    /// [`TransferRefundError::ExceedsTransfer`], [`TransferRefundError::BelowRefunded`],
    /// [`TransferRefundError::Row`]; and where the service is to end,
    /// [`TransferRefundError::LaterPaid`], [`TransferRefundError::Unattributed`],
    /// [`TransferRefundError::PaidTime`], [`TransferRefundError::Refused`].
    pub fn refund(
        operator: &Operator,
        refund: TransferRefund,
        facts: RefundFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<TransferRefundChange, Self>, TransferRefundError> {
        let RefundFacts {
            record,
            subscription,
            deposit,
            paid_time,
        } = facts;
        operator.check_foreign(Privilege::ConfirmPayments, &record.account)?;

        if record.retracted_at.is_some() {
            return Err(TransferRefundError::Retracted);
        }
        let more = record.still_to_refund(refund.total)?;
        if more.is_zero() {
            return Ok(Answer::Replayed(record));
        }
        let paid_time = record.check_own(subscription.as_ref(), deposit.as_ref(), paid_time)?;

        // First the money that has paid for nothing, so that service ends only if it must.
        let noted = record.noted.lesser(more).ok_or(OVERFLOW)?;
        let rest = more.checked_sub(noted).ok_or(OVERFLOW)?;
        // A deposit in another currency has nothing of this transfer.
        let kept = deposit
            .as_ref()
            .and_then(|deposit| deposit.amount.lesser(rest))
            .unwrap_or(Money::zero(rest.currency()));
        let taken_back = rest.checked_sub(kept).ok_or(OVERFLOW)?;
        debug_assert_eq!(
            noted
                .checked_add(kept)
                .and_then(|parts| parts.checked_add(taken_back)),
            Some(more),
            "every cent that goes back comes from one part"
        );

        let taken_back_in_all = record.taken_back.checked_add(taken_back).ok_or(OVERFLOW)?;
        let ends = !taken_back.is_zero() && refund.then == AfterRefund::EndService;
        let ending = if ends {
            Ending::of(&record, subscription, paid_time, taken_back_in_all, now)?
        } else {
            Ending::default()
        };

        let left = deposit
            .as_ref()
            .and_then(|deposit| deposit.amount.checked_sub(kept));
        let deposit = left
            .map(|left| Deposit::change(deposit.as_ref(), &record.account, left))
            .transpose()?
            .flatten();

        let noted = record.noted.checked_sub(noted).ok_or(OVERFLOW)?;
        let record = RowChange::next(record.version, "confirmed transfer", |version| Self {
            noted,
            refunded: refund.total,
            taken_back: taken_back_in_all,
            version,
            ..record
        })?;

        Ok(Answer::Fresh(TransferRefundChange {
            record,
            deposit,
            subscription: ending.subscription,
            paid_time: ending.paid_time,
            revocations: ending.revocations,
        }))
    }

    /// Returns the part of a total that was not refunded before.
    fn still_to_refund(&self, total: Money) -> Result<Money, TransferRefundError> {
        let amount = self.transfer.amount();
        if total.currency() != amount.currency() {
            return Err(TransferRefundError::Currency { total, amount });
        }
        if amount.checked_sub(total).is_none() {
            return Err(TransferRefundError::ExceedsTransfer { total, amount });
        }

        let refunded = self.refunded;
        total
            .checked_sub(refunded)
            .ok_or(TransferRefundError::BelowRefunded { total, refunded })
    }

    /// Checks that the rows are those of the account that was credited, and returns the paid time
    /// of the subscription that was paid.
    pub(super) fn check_own(
        &self,
        subscription: Option<&Subscription>,
        deposit: Option<&Deposit>,
        paid_time: Option<PaidTime>,
    ) -> Result<Option<PaidTime>, RowError> {
        let right = "confirmed transfer";
        if subscription.is_some_and(|subscription| subscription.account != self.account) {
            let left = "subscription";
            return Err(RowError::Mismatch { left, right });
        }
        if deposit.is_some_and(|deposit| deposit.account != self.account) {
            let left = "deposit";
            return Err(RowError::Mismatch { left, right });
        }

        // A top-up paid for no time.
        self.subscription
            .as_ref()
            .map(|paid| check_paid_time(paid_time, &self.account, paid))
            .transpose()
    }
}
