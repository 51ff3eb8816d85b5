//! A new subscription after one that has ended. No command ever revives a subscription that has
//! ended.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::answer::Transition;
use super::command::Command;
use super::facts::Subscription;
use super::status::SubscriptionStatus;
use crate::account::{Account, AccountStatus};
use crate::change::{RowChange, RowError};
use crate::id::SubscriptionId;
use crate::payment_method::{PaymentMethod, Provider};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};

/// The choice of an account that subscribes again.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a request: a host writes it")]
pub struct Resubscription {
    /// The new subscription's identifier, which the host set aside. Each subscription has one of its
    /// own.
    pub id: SubscriptionId,
    /// The plan that was chosen.
    pub plan: Arc<Plan>,
    /// The payment method: chosen anew, never assumed.
    pub payment_method: PaymentMethod,
}

/// A new subscription in the place of one that has ended, and the account that it is for. Write
/// both in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Succession {
    account: RowChange<Account>,
    subscription: RowChange<Subscription>,
    ends_at_provider: Option<(Provider, String)>,
}

impl Succession {
    /// Returns the account to update. Its plan is the new subscription's.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// Returns the subscription to write over the one that has ended. A host that keeps every
    /// subscription in a row of its own inserts it instead.
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// Returns the provider that ran the former subscription, and its identifier there: make sure
    /// that it has ended there too.
    pub fn ends_at_provider(&self) -> Option<(Provider, &str)> {
        self.ends_at_provider
            .as_ref()
            .map(|(provider, id)| (*provider, id.as_str()))
    }
}

/// The reason why an account cannot subscribe again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SuccessionError {
    /// The payment method is not enabled.
    #[error("payment by {0} is coming soon")]
    ComingSoon(PaymentMethod),
    /// The former subscription has not ended.
    #[error("the former subscription is {0} and has not ended")]
    NotEnded(SubscriptionStatus),
    /// The plan is inactive, or needs no subscription.
    #[error("the plan is not offered by subscription")]
    PlanInactive,
    /// The identifier is that of the former subscription, under which its paid time is recorded.
    #[error("a new subscription needs an identifier of its own")]
    SameIdentifier,
    /// The subscription is of another account, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for SuccessionError {
    fn code(&self) -> Code {
        match self {
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::NotEnded(_) => Code::TransitionRefused,
            Self::PlanInactive => Code::PlanInactive,
            Self::SameIdentifier => Code::WalletMismatch,
            Self::Row(error) => error.code(),
        }
    }
}

impl Policy {
    /// Subscribes an account again whose subscription has ended: by a new subscription, incomplete
    /// until it is paid, and by a payment method that is chosen anew. To a plan without a price it
    /// starts at once.
    ///
    /// `plans` are those that the host has, as for [`command_due`](Self::command_due): they decide
    /// whether time has ended the former subscription.
    ///
    /// The account's standing stays as it is: a payment lifts a suspension that only waits for one.
    /// The host decides whether the new subscription may begin with a trial. The credits of a trial
    /// are given once, however many subscriptions follow each other: see
    /// [`start_trial`](Self::start_trial).
    ///
    /// # Errors
    /// In this order: [`RowError::Mismatch`], [`SuccessionError::NotEnded`],
    /// [`SuccessionError::SameIdentifier`], [`SuccessionError::ComingSoon`],
    /// [`SuccessionError::PlanInactive`], [`RowError::VersionExhausted`], [`RowError::Overflow`] at
    /// the end of the calendar.
    ///
    /// ```
    /// use bailiwick::account::AccountStatus;
    /// use bailiwick::money::Currency;
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::period::Interval;
    /// use bailiwick::subscription::{Resubscription, SubscriptionStatus};
    /// use bailiwick::{Account, Money, Plan, Policy, Subscription};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let now = "2027-06-01T00:00:00Z".parse()?;
    ///     let price = Money::new("49".parse()?, Currency::EUR)?;
    ///     let plans = [Plan::new(3.into(), price, Interval::MONTHLY).into()];
    ///     let method = PaymentMethod::BankTransfer;
    ///     let account = Account::new(7.into(), AccountStatus::Active, method);
    ///     let former = Subscription {
    ///         status: SubscriptionStatus::Canceled,
    ///         ..Subscription::new(8.into(), 7.into(), 3.into(), method, now)
    ///     };
    ///
    ///     let [plan] = plans.clone();
    ///     let choice = Resubscription { id: 9.into(), plan, payment_method: method };
    ///     let next = Policy::default().resubscribe(&account, &former, &plans, &choice, now)?;
    ///     assert_eq!(next.subscription().row().status, SubscriptionStatus::Incomplete);
    ///     assert_eq!(next.subscription().expected_version(), former.version);
    ///     Ok(())
    /// }
    /// ```
    pub fn resubscribe(
        &self,
        account: &Account,
        former: &Subscription,
        plans: &[Arc<Plan>],
        choice: &Resubscription,
        now: DateTime<Utc>,
    ) -> Result<Succession, SuccessionError> {
        let payment_method = choice.payment_method;
        if former.account != account.id {
            return Err(RowError::Mismatch {
                left: "subscription",
                right: "account",
            }
            .into());
        }

        // It may have ended by now without a job having noticed.
        let due = self.advance_subscription(former, plans, now).pop();
        let last = due.as_ref().map_or(former, Transition::subscription);
        if !last.is_terminal() {
            return Err(SuccessionError::NotEnded(last.status));
        }
        if former.id == choice.id {
            return Err(SuccessionError::SameIdentifier);
        }
        if !self.is_enabled(payment_method) {
            return Err(SuccessionError::ComingSoon(payment_method));
        }
        if !choice.plan.active || !choice.plan.needs_subscription {
            return Err(SuccessionError::PlanInactive);
        }

        let plan = choice.plan.id.clone();
        let new = Subscription::new(
            choice.id.clone(),
            account.id.clone(),
            plan,
            payment_method,
            now,
        );
        let new = new.begun(&choice.plan, now)?;

        // Written over the former row, so that two requests cannot both subscribe anew.
        let is_served = new.status.is_served();
        let subscription = RowChange::next(former.version, "subscription", |version| {
            Subscription { version, ..new }
        })?;
        let status = match account.status {
            AccountStatus::PendingPayment if is_served => AccountStatus::Active,
            status => status,
        };
        let account = RowChange::next(account.version, "account", |version| Account {
            payment_method,
            status,
            version,
            ..account.clone()
        })?;

        Ok(Succession {
            account,
            subscription,
            ends_at_provider: former.run_by(),
        })
    }
}

impl Subscription {
    /// Starts a new subscription at once, if its plan is without a price. No job is waited for.
    pub(crate) fn begun(self, plan: &Arc<Plan>, now: DateTime<Utc>) -> Result<Self, RowError> {
        if !self.is_free_on(plan) {
            return Ok(self);
        }

        let version = self.version;
        let plan = Arc::clone(plan);
        let started = self.apply(Command::StartFree { plan }, now);
        // A new subscription that is free refuses only the end of the calendar.
        let started = started.map_err(|_| RowError::Overflow {
            of: "first period of the subscription",
        })?;

        // It was not stored before.
        Ok(Self {
            version,
            ..started.into_subscription()
        })
    }
}
