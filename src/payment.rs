//! Payments that an operator confirms: a bank transfer becomes a paid period, credits, and a line in a registry that is
//! unique over all tenants, in one change set.

mod transfer;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::change::RowChange;
use crate::credit::{Answer, Cause, Change, GrantError, Wallet, WalletError};
use crate::gate::{Denial, Operator};
use crate::id::{AccountId, SubscriptionId, UserId};
use crate::money::{Credits, Money};
use crate::period::{Interval, IntervalUnit};
use crate::policy::Policy;
use crate::privilege::Privilege;
use crate::problem::{Code, Explained};
use crate::subscription::{Effect, PaymentMethod, RecordedPayment, Refusal, Subscription, Transition};
use crate::tenant::{Account, AccountStatus, Plan, SuspensionCause};

pub use transfer::{BankReference, BankTransfer, TransferError};

/// A confirmed transfer: a row of the registry that is unique by (receiving account, transaction) over all tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedTransfer {
    /// The transfer.
    pub transfer: BankTransfer,
    /// The account that was credited.
    pub account: AccountId,
    /// The subscription that was paid.
    pub subscription: Option<SubscriptionId>,
    /// The credits that it brought.
    pub credits: Credits,
    /// The operator's own account.
    pub confirmed_by_account: AccountId,
    /// The person who confirmed it.
    pub confirmed_by: Option<UserId>,
    /// When it was confirmed.
    pub confirmed_at: DateTime<Utc>,
}

/// What the host loads before it confirms a transfer: in one transaction, the wallet before `prior`.
#[derive(Clone, Debug)]
pub struct TransferFacts {
    /// The account to credit.
    pub account: Account,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Its subscription, if the plan needs one.
    pub subscription: Option<Subscription>,
    /// Its wallet.
    pub wallet: Wallet,
    /// The registry's row for this (receiving account, transaction), if there is one.
    pub prior: Option<ConfirmedTransfer>,
}

/// Everything that a confirmed transfer changes, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct TransferChange {
    account: RowChange<Account>,
    subscription: Option<RowChange<Subscription>>,
    wallet: Change,
    record: ConfirmedTransfer,
}

impl TransferChange {
    /// The account to update.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// The subscription to update.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// The change to the wallet.
    pub fn wallet(&self) -> &Change {
        &self.wallet
    }

    /// The row to insert into the registry, under UNIQUE (receiving account, transaction). A clash means: load again and
    /// ask again.
    pub fn record(&self) -> &ConfirmedTransfer {
        &self.record
    }
}

/// Why a transfer is not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// The operator lacks the privilege, or the account is closed or of unknown standing.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The operator belongs to the account that would be credited.
    #[error("an operator cannot confirm a transfer for an account of their own")]
    ByPayer,
    /// Bank transfer is not enabled.
    #[error("payment by bank transfer is coming soon")]
    ComingSoon,
    /// The same transfer was confirmed for another account, or with other facts.
    #[error("the transfer {transaction} to {receiving_account} was confirmed before with other facts")]
    Conflict {
        /// The account that received it.
        receiving_account: BankReference,
        /// The bank's identifier of it.
        transaction: BankReference,
    },
    /// The transfer is in another currency than the plan's price.
    #[error("the transfer is {amount}, and the plan costs {price}: the currencies differ")]
    Currency {
        /// What arrived.
        amount: Money,
        /// What the plan costs.
        price: Money,
    },
    /// The transfer is below the plan's price.
    #[error("the transfer is {amount}, and the plan costs {price}: that is not enough")]
    BelowPrice {
        /// What arrived.
        amount: Money,
        /// What the plan costs.
        price: Money,
    },
    /// The plan needs a subscription and the account has none.
    #[error("the plan needs a subscription, and the account has none")]
    SubscriptionMissing,
    /// The plan is paid by days or weeks, and its credits are a month's: which payment brings them is not decided yet.
    #[error("a plan that is paid by days or weeks cannot bring a month's credits by bank transfer")]
    IntervalTooShort,
    /// The subscription is for another plan than the account's.
    #[error("the subscription is for another plan than the account's")]
    PlanMismatch,
    /// The subscription's status does not allow a payment.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The wallet refuses the credits.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for ConfirmError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::ByPayer => Code::OwnAccount,
            Self::ComingSoon => Code::PaymentMethodComingSoon,
            Self::Conflict { .. } => Code::TransferConflict,
            Self::Currency { .. } => Code::CurrencyMismatch,
            Self::BelowPrice { .. } => Code::TransferInvalid,
            Self::SubscriptionMissing => Code::SubscriptionMissing,
            Self::PlanMismatch => Code::PlanMismatch,
            Self::IntervalTooShort => Code::TransferInvalid,
            Self::Refused(refusal) => refusal.code(),
            Self::Grant(error) => error.code(),
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Policy {
    /// Confirms that a bank transfer arrived: the account's standing, its subscription's next period, the credits of the
    /// plan, and the registry's row change together. The same facts again give the same answer and change nothing.
    ///
    /// The credits are those of every month that the paid period opens, so twelve times a month's on a yearly plan, and
    /// they come at once. A suspension for an overdue payment is lifted; one for any other cause stays, and the payment counts all the same.
    /// A transfer above the price is recorded with its full amount and pays one period. The period continues the last one if
    /// the payment comes while tenants are still admitted, slack and grace included, so that no service is free.
    pub fn confirm_bank_transfer(
        &self,
        operator: &Operator,
        transfer: &BankTransfer,
        facts: TransferFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError> {
        operator.check(Privilege::ConfirmPayments)?;
        let TransferFacts { account, plan, subscription, wallet, prior } = facts;
        if *operator.account() == account.id {
            return Err(ConfirmError::ByPayer);
        }
        let subscription = subscription.filter(|_| plan.needs_subscription);
        if let Some(prior) = prior {
            let same = prior.transfer.receiving_account() == transfer.receiving_account()
                && prior.transfer.transaction() == transfer.transaction()
                && prior.transfer.amount() == transfer.amount()
                && prior.account == account.id
                && prior.subscription.as_ref() == subscription.as_ref().map(|subscription| &subscription.id);
            return if same { Ok(Answer::Replayed(prior)) } else { Err(ConfirmError::conflict(transfer)) };
        }
        self.check_payment(&plan, transfer)?;
        if is_short(plan.interval) && !plan.credits_per_month.is_zero() {
            return Err(ConfirmError::IntervalTooShort);
        }
        let status = paid_standing(account.status)?;
        check_rows(&account, &plan, subscription.as_ref(), &wallet)?;

        let payment = RecordedPayment {
            interval: plan.interval,
            slack: self.longest_admission(),
            method: PaymentMethod::BankTransfer,
            external_id: Some(transfer.transaction().to_string()),
        };
        let paid = subscription.map(|subscription| subscription.record_payment(payment, now)).transpose()?;
        let months = paid.as_ref().map_or(1, months_due);
        let credits = plan.credits_per_month.checked_mul(months).ok_or(WalletError::AmountOverflow)?;
        let cause =
            Cause::bank_transfer(&account.id, transfer.receiving_account().as_str(), transfer.transaction().as_str());
        let wallet = wallet.top_up(&cause, credits, now)?;
        let subscription = paid.map(Transition::into_change);
        let record = ConfirmedTransfer {
            transfer: transfer.clone(),
            account: account.id.clone(),
            subscription: subscription.as_ref().map(|change| change.row().id.clone()),
            credits,
            confirmed_by_account: operator.account().clone(),
            confirmed_by: operator.user().cloned(),
            confirmed_at: now,
        };
        let version = account.version.checked_add(1).ok_or(WalletError::AmountOverflow)?;
        let row = Account { status, payment_method: PaymentMethod::BankTransfer, version, ..account };
        let account = RowChange::update(account.version, row);
        Ok(Answer::Fresh(TransferChange { account, subscription, wallet, record }))
    }

    fn check_payment(&self, plan: &Plan, transfer: &BankTransfer) -> Result<(), ConfirmError> {
        let (amount, price) = (transfer.amount(), plan.price);
        if !self.is_enabled(PaymentMethod::BankTransfer) {
            Err(ConfirmError::ComingSoon)
        } else if amount.currency() != price.currency() {
            Err(ConfirmError::Currency { amount, price })
        } else if amount.amount() < price.amount() || amount.amount().is_zero() {
            Err(ConfirmError::BelowPrice { amount, price })
        } else {
            Ok(())
        }
    }
}

impl ConfirmError {
    fn conflict(transfer: &BankTransfer) -> Self {
        Self::Conflict {
            receiving_account: transfer.receiving_account().clone(),
            transaction: transfer.transaction().clone(),
        }
    }
}

/// The standing of an account that has paid.
fn paid_standing(status: AccountStatus) -> Result<AccountStatus, Denial> {
    match status {
        AccountStatus::PendingPayment
        | AccountStatus::Active
        | AccountStatus::Suspended(SuspensionCause::PaymentOverdue) => Ok(AccountStatus::Active),
        AccountStatus::Suspended(SuspensionCause::Abuse | SuspensionCause::Requested) => Ok(status),
        AccountStatus::Closed => Err(Denial::AccountClosed),
        AccountStatus::Unknown => Err(Denial::AccountStatusUnknown),
    }
}

fn check_rows(
    account: &Account,
    plan: &Plan,
    subscription: Option<&Subscription>,
    wallet: &Wallet,
) -> Result<(), ConfirmError> {
    match subscription {
        None if plan.needs_subscription => return Err(ConfirmError::SubscriptionMissing),
        Some(subscription) if subscription.account != account.id => return Err(WalletError::Mismatch.into()),
        Some(subscription) if subscription.plan != plan.id => return Err(ConfirmError::PlanMismatch),
        _ => {}
    }
    if *wallet.account() == account.id { Ok(()) } else { Err(WalletError::Mismatch.into()) }
}

/// Whether several periods may begin within one month.
fn is_short(interval: Interval) -> bool {
    matches!(interval.unit, IntervalUnit::Day | IntervalUnit::Week)
}

/// How many months' credits a payment brings: the months that start within the period it opened.
fn months_due(paid: &Transition) -> u32 {
    let months = |effect: &Effect| match effect {
        Effect::CreditsDue { period, anchor } => period.months(*anchor).count(),
        _ => 0,
    };
    paid.effects().map(months).sum::<usize>().try_into().unwrap_or(u32::MAX)
}
