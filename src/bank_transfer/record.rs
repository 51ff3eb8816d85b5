//! The registry of confirmed transfers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::transfer::{BankReference, BankTransfer, deserialize_stored};
use super::undo::TransferUndo;
use crate::id::{AccountId, ChargeId, SubscriptionId, UserId};
use crate::money::{Credits, Money};
use crate::payment_method::Provider;

/// A confirmed transfer: a row of the registry, unique by (receiving account, transaction, booking
/// date, retractions) over all tenants. A row stays there, whatever becomes of its money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ConfirmedTransfer {
    /// The transfer.
    pub transfer: BankTransfer,
    /// The number of times that it was confirmed and retracted before.
    pub retractions: u32,
    /// The account that was credited.
    pub account: AccountId,
    /// The charge that it named, whether it paid it or not: see
    /// [`paid_charge`](Self::paid_charge).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<ChargeId>,
    /// The subscription that was paid.
    pub subscription: Option<SubscriptionId>,
    /// The number of periods that it opened: 0 where the price is not reached yet.
    pub periods: u32,
    /// The end of the last of them, if the subscription has any.
    pub paid_until: Option<DateTime<Utc>>,
    /// The part of the account's money that those periods, or the charge, cost: more than the
    /// transfer where it completes a part that came before.
    pub applied: Money,
    /// The part above the price that is neither kept as a deposit nor given back yet.
    pub noted: Money,
    /// The part of the price of the last period, or of the charge, that did not arrive, and that
    /// the policy forgave.
    pub written_off: Money,
    /// The subscription that a provider ran until then, by its identifier. End it there once this
    /// is written, or the provider goes on charging. A later charge is still recorded, and brings
    /// nothing.
    pub ends_at_provider: Option<(Provider, String)>,
    /// The credits that it brought as a top-up, without a subscription, or as a pack. The credits
    /// of time follow their paid time instead.
    pub credits: Credits,
    /// The keys of the grants of a top-up or a pack. In a record of before there was paid time, they are
    /// those of the months that were paid.
    pub grants: Vec<Arc<str>>,
    /// The sum that was given back of it so far.
    pub refunded: Money,
    /// The part of that sum which had paid for a period or a charge.
    pub taken_back: Money,
    /// The reference of the claim that it answered, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<BankReference>,
    /// The account's other rows as they were before, for a retraction; `None` in a record of before
    /// there were retractions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<TransferUndo>,
    /// The operator's own account.
    pub confirmed_by_account: AccountId,
    /// The person who confirmed it.
    pub confirmed_by: Option<UserId>,
    /// The time of the confirmation.
    pub confirmed_at: DateTime<Utc>,
    /// The time of its retraction, since which it is as if it had never been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retracted_at: Option<DateTime<Utc>>,
    /// The own account of the operator who retracted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retracted_by_account: Option<AccountId>,
    /// The person who retracted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retracted_by: Option<UserId>,
    /// The row's version. It changes with a refund, and with a retraction.
    pub version: u64,
}

impl ConfirmedTransfer {
    /// Returns the charge that it paid; `None` if it named none, or the charge could not be paid and
    /// the money was kept.
    pub fn paid_charge(&self) -> Option<&ChargeId> {
        // Every charge that can be paid costs something.
        self.charge.as_ref().filter(|_| !self.applied.is_zero())
    }

    /// Returns its name among the payments of a subscription.
    pub(super) fn payment(&self) -> String {
        self.transfer.payment(self.retractions)
    }

    /// Returns whether this row is the record of the same transfer, for the same account, and the
    /// same charge or subscription.
    pub(super) fn is_of(
        &self,
        transfer: &BankTransfer,
        account: &AccountId,
        charge: Option<&ChargeId>,
        subscription: Option<&SubscriptionId>,
    ) -> bool {
        // A charge says by itself what it is for.
        let is_for_same = match charge {
            Some(charge) => self.charge.as_ref() == Some(charge),
            None => self.charge.is_none() && self.subscription.as_ref() == subscription,
        };

        is_for_same && self.transfer.is_of(transfer) && self.account == *account
    }
}

/// Reads a stored row, of an older version too.
impl<'de> Deserialize<'de> for ConfirmedTransfer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = StoredTransfer::deserialize(deserializer)?;
        // Without `..`, a new field cannot be left unread.
        let StoredTransfer {
            transfer,
            retractions,
            account,
            charge,
            subscription,
            periods,
            paid_until,
            applied,
            noted,
            written_off,
            ends_at_provider,
            credits,
            grants,
            refunded,
            taken_back,
            claim,
            undo,
            confirmed_by_account,
            confirmed_by,
            confirmed_at,
            retracted_at,
            retracted_by_account,
            retracted_by,
            version,
        } = stored;

        Ok(Self {
            retractions,
            account,
            charge,
            subscription,
            periods,
            paid_until,
            applied,
            noted,
            written_off: written_off.unwrap_or(Money::zero(transfer.amount().currency())),
            transfer,
            ends_at_provider,
            credits,
            grants,
            refunded,
            taken_back,
            claim,
            undo,
            confirmed_by_account,
            confirmed_by,
            confirmed_at,
            retracted_at,
            retracted_by_account,
            retracted_by,
            version,
        })
    }
}

/// The fields of every version. A field that an older version did not know is absent.
#[derive(Deserialize)]
struct StoredTransfer {
    #[serde(deserialize_with = "deserialize_stored")]
    transfer: BankTransfer,
    #[serde(default)]
    retractions: u32,
    account: AccountId,
    charge: Option<ChargeId>,
    subscription: Option<SubscriptionId>,
    periods: u32,
    paid_until: Option<DateTime<Utc>>,
    applied: Money,
    noted: Money,
    written_off: Option<Money>,
    ends_at_provider: Option<(Provider, String)>,
    credits: Credits,
    grants: Vec<Arc<str>>,
    refunded: Money,
    taken_back: Money,
    claim: Option<BankReference>,
    undo: Option<TransferUndo>,
    confirmed_by_account: AccountId,
    confirmed_by: Option<UserId>,
    confirmed_at: DateTime<Utc>,
    retracted_at: Option<DateTime<Utc>>,
    retracted_by_account: Option<AccountId>,
    retracted_by: Option<UserId>,
    version: u64,
}
