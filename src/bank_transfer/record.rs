//! The registry of confirmed transfers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::transfer::BankTransfer;
use crate::id::{AccountId, SubscriptionId, UserId};
use crate::money::{Credits, Money};
use crate::payment_method::Provider;

/// A confirmed transfer: a row of the registry, unique by (receiving account, transaction) over all
/// tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ConfirmedTransfer {
    /// The transfer.
    pub transfer: BankTransfer,
    /// The account that was credited.
    pub account: AccountId,
    /// The subscription that was paid.
    pub subscription: Option<SubscriptionId>,
    /// The number of periods that it opened: 0 where the price is not reached yet.
    pub periods: u32,
    /// The end of the last of them, if the subscription has any.
    pub paid_until: Option<DateTime<Utc>>,
    /// The part of the account's money that those periods cost: more than the transfer where it
    /// completes a part that came before.
    pub applied: Money,
    /// The part above the price that is neither kept as a deposit nor given back yet.
    pub noted: Money,
    /// The subscription that a provider ran until then, by its identifier. End it there once this
    /// is written, or the provider goes on charging. A later charge is still recorded, and brings
    /// nothing.
    pub ends_at_provider: Option<(Provider, String)>,
    /// The credits that it brought as a top-up, without a subscription. The credits of periods
    /// follow their paid time instead.
    pub credits: Credits,
    /// The keys of the grants of a top-up. In a record of before there was paid time, they are
    /// those of the months that were paid.
    pub grants: Vec<Arc<str>>,
    /// The sum that was given back of it so far.
    pub refunded: Money,
    /// The part of that sum which had paid for a period.
    pub taken_back: Money,
    /// The operator's own account.
    pub confirmed_by_account: AccountId,
    /// The person who confirmed it.
    pub confirmed_by: Option<UserId>,
    /// The time of the confirmation.
    pub confirmed_at: DateTime<Utc>,
    /// The row's version. It changes with a refund.
    pub version: u64,
}

impl ConfirmedTransfer {
    /// Returns its name among the payments of a subscription.
    pub(super) fn payment(&self) -> String {
        self.transfer.payment()
    }

    /// Returns whether this row is the record of the same transfer, for the same account and
    /// subscription.
    pub(super) fn is_of(
        &self,
        transfer: &BankTransfer,
        account: &AccountId,
        subscription: Option<&SubscriptionId>,
    ) -> bool {
        self.transfer.is_of(transfer)
            && self.account == *account
            && self.subscription.as_ref() == subscription
    }
}
