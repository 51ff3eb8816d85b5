//! A new subscription after one that has ended: nothing that has ended is ever made to live again
//! by a command.

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::account::Account;
use crate::change::RowChange;
use crate::id::SubscriptionId;
use crate::payment_method::PaymentMethod;
use crate::payment_method::Provider;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::subscription::{Subscription, SubscriptionStatus, Transition};

/// A new subscription in the place of one that has ended, and the account that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Succession {
    account: RowChange<Account>,
    subscription: RowChange<Subscription>,
    ends_at_provider: Option<(Provider, String)>,
}

impl Succession {
    /// The account to update; its plan is the new subscription's.
    pub fn account(&self) -> &RowChange<Account> {
        &self.account
    }

    /// The subscription to write over the one that has ended. A host that keeps every subscription
    /// in a row of its own inserts it instead.
    pub fn subscription(&self) -> &RowChange<Subscription> {
        &self.subscription
    }

    /// The former subscription at the provider that ran it, by its identifier: make sure that it
    /// has ended there.
    pub fn ends_at_provider(&self) -> Option<(Provider, &str)> {
        self.ends_at_provider
            .as_ref()
            .map(|(provider, id)| (*provider, id.as_str()))
    }
}

/// Why there is no new subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SuccessionError {
    /// The payment method is not enabled.
    #[error("payment by {0} is coming soon")]
    ComingSoon(PaymentMethod),
    /// The subscription has not ended.
    #[error("the subscription is {0}, and has not ended")]
    NotEnded(SubscriptionStatus),
    /// The plan cannot be chosen, or needs no subscription.
    #[error("the plan is not offered by subscription")]
    PlanInactive,
    /// The identifier is that of the subscription that has ended: its months were granted under it.
    #[error("a new subscription has an identifier of its own")]
    SameIdentifier,
    /// The rows that were loaded do not belong together.
    #[error("the subscription is of another account")]
    Mismatch,
    /// A version is exhausted.
    #[error("a version would leave the range that can be stored")]
    OutOfRange,
}

impl Explained for SuccessionError {
    fn code(&self) -> Code {
        match self {
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::NotEnded(_) => Code::TransitionRefused,
            Self::PlanInactive => Code::PlanInactive,
            Self::SameIdentifier | Self::Mismatch => Code::WalletMismatch,
            Self::OutOfRange => Code::AmountOverflow,
        }
    }
}

impl Policy {
    /// Subscribes an account again whose subscription has ended: a new one, incomplete until it is
    /// paid, by a method that is chosen anew. The account's standing stays as it is: a payment
    /// lifts what only waits for one. Whether it may begin with a trial again is the host's to
    /// decide: a trial's credits are those of the new subscription.
    ///
    /// # Errors
    /// In this order: [`SuccessionError::Mismatch`], [`SuccessionError::NotEnded`],
    /// [`SuccessionError::SameIdentifier`], [`SuccessionError::ComingSoon`],
    /// [`SuccessionError::PlanInactive`], [`SuccessionError::OutOfRange`].
    ///
    /// ```
    /// # use bailiwick::{Account, Credits, Money, Plan, Policy, Subscription};
    /// # use bailiwick::account::AccountStatus;
    /// # use bailiwick::money::Currency;
    /// # use bailiwick::payment_method::PaymentMethod;
    /// # use bailiwick::period::Interval;
    /// # use bailiwick::right::Privileges;
    /// # use bailiwick::subscription::{Command, SubscriptionStatus};
    /// # let now = "2027-06-01T00:00:00Z".parse()?;
    /// # let plan = Plan {
    /// #     id: 3.into(), active: true, price: Money::new("49".parse()?, Currency::EUR)?, interval: Interval::MONTHLY,
    /// #     credits_per_month: Credits::ZERO, needs_subscription: true, quotas: [].into(), concurrency: [].into(),
    /// # };
    /// # let (status, payment_method, privileges) = (AccountStatus::Active, PaymentMethod::Stripe, Privileges::NONE);
    /// # let account = Account { id: 7.into(), status, payment_method, version: 1, privileges };
    /// let former = Subscription::new(8.into(), 7.into(), 3.into(), PaymentMethod::Stripe, now);
    /// let former = former.apply(Command::CancelNow, now)?.into_subscription();
    /// let next = Policy::default().resubscribe(&account, &former, 9.into(), &plan, PaymentMethod::BankTransfer, now)?;
    /// assert_eq!(next.subscription().row().status, SubscriptionStatus::Incomplete);
    /// assert_eq!(next.subscription().expected_version(), former.version);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resubscribe(
        &self,
        account: &Account,
        former: &Subscription,
        id: SubscriptionId,
        plan: &Plan,
        payment_method: PaymentMethod,
        now: DateTime<Utc>,
    ) -> Result<Succession, SuccessionError> {
        if former.account != account.id {
            return Err(SuccessionError::Mismatch);
        }
        // Whether or not a job has ended it in time.
        let due = self.advance_subscription(former, now).pop();
        let last = due.as_ref().map_or(former, Transition::subscription);
        if !last.is_terminal() {
            return Err(SuccessionError::NotEnded(last.status));
        }
        if former.id == id {
            return Err(SuccessionError::SameIdentifier);
        }
        if !self.is_enabled(payment_method) {
            return Err(SuccessionError::ComingSoon(payment_method));
        }
        if !plan.active || !plan.needs_subscription {
            return Err(SuccessionError::PlanInactive);
        }
        let next = |version: u64| version.checked_add(1).ok_or(SuccessionError::OutOfRange);
        let new = Subscription::new(id, account.id.clone(), plan.id.clone(), payment_method, now);
        let new = Subscription {
            version: next(former.version)?,
            ..new
        };
        let row = Account {
            payment_method,
            version: next(account.version)?,
            ..account.clone()
        };
        Ok(Succession {
            account: RowChange::update(account.version, row),
            subscription: RowChange::update(former.version, new),
            ends_at_provider: former.run_by(),
        })
    }
}
