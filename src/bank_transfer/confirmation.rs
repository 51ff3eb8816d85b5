//! The confirmation of a bank transfer, by an operator who does not belong to the account that it
//! credits.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::allotment::{Paid, paid_account, pay};
use super::claim::{Claim, ClaimState};
use super::deposit::Deposit;
use super::transfer::{BankReference, BankTransfer};
use crate::account::{Account, AccountStatus};
use crate::change::Answer;
use crate::change::RowChange;
use crate::credit::{DueGrant, GrantTerms, WalletError};
use crate::gate::{Denial, Operator};
use crate::id::{AccountId, PlanId, SubscriptionId, UserId};
use crate::money::{Credits, Money};
use crate::payment_method::PaymentMethod;
use crate::payment_method::Provider;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::right::Privilege;
use crate::subscription::{Refusal, Subscription, Transition};

/// A confirmed transfer: a row of the registry that is unique by (receiving account, transaction)
/// over all tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedTransfer {
    /// The transfer.
    pub transfer: BankTransfer,
    /// The account that was credited.
    pub account: AccountId,
    /// The subscription that was paid.
    pub subscription: Option<SubscriptionId>,
    /// How many periods it opened: none where the price is not reached yet.
    pub periods: u32,
    /// The end of the last of them, if the subscription has any.
    pub paid_until: Option<DateTime<Utc>>,
    /// What of the account's money those periods cost: more than the transfer where it completes a
    /// part that came before.
    pub applied: Money,
    /// What is above the price and neither kept as a deposit nor given back yet.
    pub noted: Money,
    /// The subscription that a provider ran until then, by its identifier: end it there once this
    /// is written, or the provider goes on charging. What it charges all the same is recorded, and
    /// brings nothing.
    pub ends_at_provider: Option<(Provider, String)>,
    /// The credits that it brought, in all.
    pub credits: Credits,
    /// The keys of their grants.
    pub grants: Vec<Arc<str>>,
    /// What was given back of it so far.
    pub refunded: Money,
    /// The part of that which had paid for a period.
    pub taken_back: Money,
    /// The operator's own account.
    pub confirmed_by_account: AccountId,
    /// The person who confirmed it.
    pub confirmed_by: Option<UserId>,
    /// When it was confirmed.
    pub confirmed_at: DateTime<Utc>,
    /// The row's version. It changes with a refund.
    pub version: u64,
}

/// What the host loads before it confirms a transfer, in one transaction.
#[derive(Clone, Debug)]
pub struct TransferFacts {
    /// The account to credit.
    pub account: Account,
    /// The plan to pay for: that of [`Subscription::next_plan`], or of an account without a
    /// subscription its own.
    pub plan: Arc<Plan>,
    /// Its subscription, if the plan needs one.
    pub subscription: Option<Subscription>,
    /// Its deposit, if there is one.
    pub deposit: Option<Deposit>,
    /// The claim that the transfer answers, if there is one.
    pub claim: Option<Claim>,
    /// The registry's row for this (receiving account, transaction), if there is one.
    pub prior: Option<ConfirmedTransfer>,
}

/// Everything that a confirmed transfer changes, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct TransferChange {
    account: RowChange<Account>,
    plan: PlanId,
    subscription: Option<RowChange<Subscription>>,
    deposit: Option<RowChange<Deposit>>,
    claim: Option<RowChange<Claim>>,
    grants: Vec<DueGrant>,
    record: ConfirmedTransfer,
}

impl TransferChange {
    /// The account to update.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// The account's plan from now on: another than before where a change was pending and is paid
    /// now.
    pub fn plan(&self) -> &PlanId {
        &self.plan
    }

    /// The subscription to update.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.subscription.as_ref()
    }

    /// The deposit to insert or update, under UNIQUE (account).
    pub fn deposit(&self) -> Option<&RowChange<Deposit>> {
        self.deposit.as_ref()
    }

    /// The claim to update.
    pub fn claim(&self) -> Option<&RowChange<Claim>> {
        self.claim.as_ref()
    }

    /// The credits to grant: see [`DueGrant`].
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }

    /// The row to insert into the registry, under UNIQUE (receiving account, transaction). A clash
    /// means: load again and ask again.
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
    /// Bank transfer is not enabled.
    #[error("payment by bank transfer is coming soon")]
    ComingSoon,
    /// The same transfer was confirmed for another account, or with other facts.
    #[error(
        "the transfer {transaction} to {receiving_account} was confirmed before with other facts"
    )]
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
    /// The account's deposit is in another currency than the plan's price: give it back first.
    #[error(
        "the account's deposit is {deposit}, and the plan costs {price}: the currencies differ"
    )]
    DepositCurrency {
        /// What the account has paid before.
        deposit: Money,
        /// What the plan costs.
        price: Money,
    },
    /// Nothing arrived.
    #[error("a transfer is of more than nothing")]
    Nothing,
    /// The claim is another account's, or was answered by another transfer.
    #[error("the claim is not one that this transfer answers")]
    ClaimMismatch,
    /// The plan needs a subscription and the account has none.
    #[error("the plan needs a subscription, and the account has none")]
    SubscriptionMissing,
    /// The plan that was loaded is not the one to pay for (see [`Subscription::next_plan`]), or a
    /// subscription to another plan stands in the way.
    #[error("the plan is not the one that the next payment is for")]
    PlanMismatch,
    /// The subscription's status does not allow a payment.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for ConfirmError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::ComingSoon => Code::PaymentMethodComingSoon,
            Self::Conflict { .. } => Code::TransferConflict,
            Self::Currency { .. } | Self::DepositCurrency { .. } => Code::CurrencyMismatch,
            Self::Nothing => Code::TransferInvalid,
            Self::ClaimMismatch => Code::ClaimConflict,
            Self::SubscriptionMissing => Code::SubscriptionMissing,
            Self::PlanMismatch => Code::PlanMismatch,
            Self::Refused(refusal) => refusal.code(),
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Policy {
    /// Confirms that a bank transfer arrived: the account's standing, its subscription's next
    /// period, the credits of the plan, and the registry's row change together. The same facts
    /// again give the same answer and change nothing.
    ///
    /// What arrives adds to the account's deposit. Below the plan's price it is recorded and kept;
    /// the transfer with which the sum reaches the price opens the period. What is above goes as
    /// the policy's [`Overpayment`](crate::policy::Overpayment) says. A suspension for an overdue
    /// payment is lifted by a period that is paid; one for any other cause stays, and the payment
    /// counts all the same. The period continues the last one if the payment comes while tenants
    /// are still admitted, slack and grace included, so that no service is free. What time had made
    /// due for the subscription is carried out first.
    ///
    /// On a plan that needs no subscription, the transfer tops up: the plan's credits, or what the
    /// policy says instead, for ever.
    ///
    /// # Errors
    /// In this order: [`ConfirmError::Denied`], [`ConfirmError::Conflict`], then what the rows say,
    /// [`ConfirmError::ComingSoon`], the currencies, [`ConfirmError::Nothing`], and what the
    /// subscription refuses.
    ///
    /// ```
    /// # use bailiwick::{Account, Credits, Evidence, Money, Plan, Policy, Principal, Route, Subscription, Tenant, admit};
    /// # use bailiwick::account::AccountStatus;
    /// # use bailiwick::bank_transfer::{BankTransfer, TransferFacts};
    /// # use bailiwick::change::Answer;
    /// # use bailiwick::money::Currency;
    /// # use bailiwick::payment_method::PaymentMethod;
    /// # use bailiwick::period::Interval;
    /// # use bailiwick::right::{Privilege, Privileges};
    /// # use bailiwick::subscription::SubscriptionStatus;
    /// # use std::sync::Arc;
    /// # let now = "2027-06-01T00:00:00Z".parse()?;
    /// # let plan = Arc::new(Plan {
    /// #     id: 3.into(), active: true, price: Money::new("49".parse()?, Currency::EUR)?, interval: Interval::MONTHLY,
    /// #     credits_per_month: Credits::whole(500), needs_subscription: true, quotas: [].into(), concurrency: [].into(),
    /// # });
    /// # let method = PaymentMethod::BankTransfer;
    /// # let account = |id: i64, privileges| Account {
    /// #     id: id.into(), status: AccountStatus::PendingPayment, payment_method: method, version: 1, privileges,
    /// # };
    /// # let (subscription, privilege) = (Subscription::new(9.into(), 7.into(), 3.into(), method, now), Privilege::ConfirmPayments);
    /// # let privileges = Privileges::from_iter([privilege]);
    /// # let staff = Account { status: AccountStatus::Active, ..account(1, privileges) };
    /// # let staff = Tenant { account: staff, plan: None, subscription: None, sites: [].into() };
    /// # let clerk = Evidence::Verified(Principal::session(2.into()).of_account(1.into()).with_privileges(privileges));
    /// # let operator = admit(Route::Operator(privilege), &clerk, Some(&staff), now).into_result()?.into_operator()?;
    /// # let account = account(7, Privileges::NONE);
    /// let amount = Money::new("49".parse()?, Currency::EUR)?;
    /// let proof = "https://bank.example/statements/1";
    /// let transfer = BankTransfer::new("DE0212030000".parse()?, "tx-1".parse()?, amount, "Wayne Ltd", proof)?;
    ///
    /// // The host loads these in one transaction, `prior` by the transfer's receiving account and transaction.
    /// let facts = TransferFacts { account, plan, subscription: Some(subscription), deposit: None, claim: None, prior: None };
    /// let Answer::Fresh(change) = Policy::default().confirm_bank_transfer(&operator, &transfer, facts, now)? else { return Ok(()) };
    /// // It writes them, and grants the credits, in the same transaction.
    /// assert_eq!(change.account().row().status, AccountStatus::Active);
    /// assert_eq!(change.subscription().map(|change| change.row().status), Some(SubscriptionStatus::Active));
    /// assert_eq!(change.grants().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn confirm_bank_transfer(
        &self,
        operator: &Operator,
        transfer: &BankTransfer,
        facts: TransferFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError> {
        let TransferFacts {
            account,
            plan,
            subscription,
            deposit,
            claim,
            prior,
        } = facts;
        operator.check_foreign(Privilege::ConfirmPayments, &account.id)?;

        let paid_for = subscription
            .as_ref()
            .filter(|_| plan.needs_subscription)
            .map(|subscription| &subscription.id);
        if let Some(prior) = prior {
            let same = prior.transfer.is_of(transfer)
                && prior.account == account.id
                && prior.subscription.as_ref() == paid_for;
            return if same {
                Ok(Answer::Replayed(prior))
            } else {
                Err(ConfirmError::conflict(transfer))
            };
        }
        check_rows(
            &account,
            subscription.as_ref(),
            deposit.as_ref(),
            claim.as_ref(),
        )?;
        // On a plan that needs none, a subscription must be of no account: ended, or of this very
        // plan.
        let in_the_way = |paid: &Subscription| {
            !plan.needs_subscription && !paid.is_terminal() && paid.plan != plan.id
        };
        if subscription.as_ref().is_some_and(in_the_way) {
            return Err(ConfirmError::PlanMismatch);
        }
        let subscription = subscription.filter(|_| plan.needs_subscription);
        if !self.is_enabled(PaymentMethod::BankTransfer) {
            return Err(ConfirmError::ComingSoon);
        }
        let split = self.split(&plan, transfer.amount(), deposit.as_ref())?;
        let mut paid = Paid::default();
        match &subscription {
            Some(subscription) => {
                let due = self.advance_subscription(subscription, now).pop();
                let last = due.map_or_else(|| subscription.clone(), Transition::into_subscription);
                let payment = self.payment(&plan, Some(transfer.transaction().to_string()));
                paid = pay(subscription, last, &plan, &payment, split.periods, now)?;
            }
            None if plan.needs_subscription => return Err(ConfirmError::SubscriptionMissing),
            None => {
                let credits = self.top_up_credits.unwrap_or(plan.credits_per_month);
                let credits = credits
                    .checked_mul(split.periods)
                    .ok_or(WalletError::AmountOverflow)?;
                paid.grants.extend(DueGrant::new(
                    transfer.cause(&account.id),
                    GrantTerms::forever(credits),
                ));
            }
        }
        let record = ConfirmedTransfer {
            transfer: transfer.clone(),
            account: account.id.clone(),
            subscription: subscription
                .as_ref()
                .map(|subscription| subscription.id.clone()),
            periods: split.periods,
            paid_until: paid.until,
            applied: split.applied,
            noted: split.noted,
            ends_at_provider: subscription
                .as_ref()
                .filter(|_| split.periods > 0)
                .and_then(Subscription::run_by),
            credits: DueGrant::total(&paid.grants).ok_or(WalletError::AmountOverflow)?,
            grants: paid.grants.iter().map(|due| due.key().into()).collect(),
            refunded: Money::zero(transfer.amount().currency()),
            taken_back: Money::zero(transfer.amount().currency()),
            confirmed_by_account: operator.account_id().clone(),
            confirmed_by: operator.user().cloned(),
            confirmed_at: now,
            version: 1,
        };
        let now_paid = paid.subscription.as_ref().or(subscription.as_ref());
        Ok(Answer::Fresh(TransferChange {
            plan: now_paid
                .map_or(&plan.id, |subscription| &subscription.plan)
                .clone(),
            deposit: Deposit::change(deposit.as_ref(), &account.id, split.kept),
            claim: claim.map(|claim| claim.confirm(transfer)).transpose()?,
            account: paid_account(&account, split.periods > 0)?,
            subscription: subscription
                .zip(paid.subscription)
                .map(|(before, after)| RowChange::update(before.version, after)),
            grants: paid.grants,
            record,
        }))
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

/// The rows belong together, and the account may pay.
pub(super) fn check_rows(
    account: &Account,
    subscription: Option<&Subscription>,
    deposit: Option<&Deposit>,
    claim: Option<&Claim>,
) -> Result<(), ConfirmError> {
    match account.status {
        AccountStatus::Closed => return Err(Denial::AccountClosed.into()),
        AccountStatus::Unknown => return Err(Denial::AccountStatusUnknown.into()),
        AccountStatus::PendingPayment | AccountStatus::Active | AccountStatus::Suspended(_) => {}
    }
    let foreign = subscription.is_some_and(|subscription| subscription.account != account.id)
        || deposit.is_some_and(|deposit| deposit.account != account.id);
    if foreign {
        return Err(WalletError::Mismatch.into());
    }
    match claim {
        Some(claim) if claim.account != account.id || claim.state != ClaimState::Submitted => {
            Err(ConfirmError::ClaimMismatch)
        }
        _ => Ok(()),
    }
}
