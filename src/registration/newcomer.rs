//! Registration of a newcomer, with everything that a new account begins with.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::subject::{Subject, SubjectRecord};
use crate::account::{Account, AccountStatus};
use crate::change::{Answer, RowChange, RowError};
use crate::credit::{Cause, Change, DueGrant, GrantError, IdempotencyKey, Wallet};
use crate::id::{AccountId, PlanId, SiteId, SubscriptionId, UserId};
use crate::money::Credits;
use crate::payment_method::PaymentMethod;
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::subscription::{Command, Subscription, SubscriptionStatus};
use crate::tenant::Site;

/// A newcomer's request, with the identifiers that the host set aside for it.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it, by struct update"
)]
pub struct Registration {
    /// The client's name for the request.
    pub key: IdempotencyKey,
    /// The verified identity.
    pub subject: Subject,
    /// The plan that was chosen.
    pub plan: Arc<Plan>,
    /// The payment method: always chosen, never assumed.
    pub payment_method: PaymentMethod,
    /// Identifiers for the new rows. A repeated request may carry others; the answer names the
    /// first ones.
    pub account: AccountId,
    /// The new account's owner.
    pub owner: UserId,
    /// The new account's first site.
    pub site: SiteId,
    /// The new subscription, if the plan needs one.
    pub subscription: SubscriptionId,
    /// The end of the trial with which the subscription begins, if it does. An identity has one
    /// trial. A repeated request may name another instant; the answer has the first one.
    pub trial_until: Option<DateTime<Utc>>,
}

/// A registration that was carried out: a row that is unique by (subject, key).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Registered {
    /// The request's key.
    pub key: IdempotencyKey,
    /// The verified identity.
    pub subject: Subject,
    /// The plan that was chosen.
    pub plan: PlanId,
    /// The payment method that was chosen.
    pub payment_method: PaymentMethod,
    /// The account.
    pub account: AccountId,
    /// Its owner.
    pub owner: UserId,
    /// Its first site.
    pub site: SiteId,
    /// The credits that it began with: its first credits, and those of a trial.
    pub credits: Credits,
    /// The end of the trial with which its subscription began, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_until: Option<DateTime<Utc>>,
    /// The time of the registration.
    pub registered_at: DateTime<Utc>,
}

/// The rows that a host loads before it registers a newcomer, in one transaction.
#[derive(Clone, Debug, Default)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct RegistrationFacts {
    /// The registration of the same subject with the same request key, if there is one. The keys of
    /// different subjects do not collide.
    pub by_key: Option<Registered>,
    /// The registry's row of the same subject, if there is one.
    pub by_subject: Option<SubjectRecord>,
}

/// Everything that a registration writes, whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct RegistrationChange {
    account: Account,
    site: Site,
    subscription: Option<Subscription>,
    wallets: Vec<Change>,
    subject: RowChange<SubjectRecord>,
    registered: Registered,
}

impl RegistrationChange {
    /// Returns the account to insert.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the site to insert.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Returns the subscription to insert, if the plan needs one: in trial where that was asked for,
    /// started where the plan is without a price, and else incomplete.
    pub fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// Returns the changes of the wallet to write, in this order: the first inserts it, with the
    /// first credits if there are any; the second, if there is one, adds the credits of the trial.
    pub fn wallets(&self) -> &[Change] {
        &self.wallets
    }

    /// Returns the registry's row, under UNIQUE (subject). A clash means: load again and ask again.
    pub fn subject(&self) -> &RowChange<SubjectRecord> {
        &self.subject
    }

    /// Returns the registration to insert, under UNIQUE (subject, key). A clash means: load again
    /// and ask again. It names the owner, whom the host inserts as a user.
    pub fn registered(&self) -> &Registered {
        &self.registered
    }
}

/// The reason why nobody is registered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The identity has an account already.
    #[error("this identity already has an account")]
    AlreadyRegistered,
    /// The key was used for another registration, or for one whose account is gone.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// The payment method is not enabled.
    #[error("payment by {0} is coming soon")]
    ComingSoon(PaymentMethod),
    /// The plan cannot be chosen.
    #[error("the plan is not offered")]
    PlanInactive,
    /// The identity has had its trial.
    #[error("this identity has had its trial")]
    TrialUsed,
    /// The trial is empty, or of a plan that is not paid by subscription.
    #[error("a trial must end after it starts, and its plan must be one that is paid for")]
    TrialInvalid,
    /// The first credits cannot be granted.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for RegistrationError {
    fn code(&self) -> Code {
        match self {
            Self::AlreadyRegistered => Code::AlreadyRegistered,
            Self::KeyReused => Code::KeyReused,
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::PlanInactive | Self::TrialInvalid => Code::RegistrationInvalid,
            Self::TrialUsed => Code::TrialUsed,
            Self::Grant(error) => error.code(),
            Self::Row(error) => error.code(),
        }
    }
}

impl Policy {
    /// Registers a newcomer: one change set, or the answer that the same request got before, for as
    /// long as that account exists.
    ///
    /// An identity whose earlier account was deleted may register again, and receives neither first
    /// credits nor a trial again. With a [trial](Registration::trial_until) the account is active at
    /// once, and so it is on a plan without a price. The credits of the trial live to its end and the
    /// policy's slack; paying does not lower them.
    ///
    /// # Errors
    /// In this order: [`RegistrationError::KeyReused`]; [`RegistrationError::Row`] for a record of
    /// another subject; [`RegistrationError::AlreadyRegistered`],
    /// [`RegistrationError::ComingSoon`], [`RegistrationError::PlanInactive`],
    /// [`RegistrationError::TrialUsed`], [`RegistrationError::TrialInvalid`];
    /// [`RegistrationError::Row`] for an exhausted version or the end of the calendar;
    /// [`RegistrationError::Grant`].
    pub fn register(
        &self,
        request: &Registration,
        facts: RegistrationFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<RegistrationChange, Registered>, RegistrationError> {
        let RegistrationFacts { by_key, by_subject } = facts;

        // First, so that a request that is repeated does not find its own account in the way.
        if let Some(earlier) = by_key {
            return if earlier.answers(request, by_subject.as_ref()) {
                Ok(Answer::Replayed(earlier))
            } else {
                Err(RegistrationError::KeyReused)
            };
        }

        match &by_subject {
            Some(record) if record.subject != request.subject => {
                return Err(RowError::Mismatch {
                    left: "record of the subject",
                    right: "person who registers",
                }
                .into());
            }
            Some(record) if record.account.is_some() => {
                return Err(RegistrationError::AlreadyRegistered);
            }
            _ => {}
        }
        if !self.is_enabled(request.payment_method) {
            return Err(RegistrationError::ComingSoon(request.payment_method));
        }
        if !request.plan.active {
            return Err(RegistrationError::PlanInactive);
        }

        let had_trial = by_subject.as_ref().is_some_and(|record| record.had_trial);
        if request.trial_until.is_some() && had_trial {
            return Err(RegistrationError::TrialUsed);
        }
        let subscription = request.new_subscription(now)?;

        // An identity that is in the registry, even without an account, had its first credits.
        let credits = if by_subject.is_none() {
            self.registration_credits
        } else {
            Credits::ZERO
        };

        let account = request.account.clone();
        let mut subject =
            SubjectRecord::belonging(request.subject, account.clone(), by_subject.as_ref())?;
        if request.trial_until.is_some() {
            subject =
                RowChange::update(subject.expected_version(), subject.into_row().with_trial());
        }

        let cause = Cause::registration(&request.account, &request.subject);
        let opened = Wallet::open(account, now).top_up(&cause, credits, now)?;
        let mut wallets = vec![opened];
        let gift = self.gift(request, now);
        if let (Some(gift), Some(opened)) = (&gift, wallets.last()) {
            let gift = opened.wallet().clone().grant_due(gift, None, now)?;
            wallets.extend(gift.map(Change::without_result));
        }

        let credits = gift
            .map_or(Some(credits), |gift| {
                credits.checked_add(gift.terms().amount)
            })
            .ok_or(RowError::Overflow {
                of: "credits that the account begins with",
            })?;
        Ok(Answer::Fresh(RegistrationChange {
            account: request.new_account(subscription.as_ref(), now),
            site: request.new_site(),
            subscription,
            wallets,
            subject,
            registered: request.registered(credits, now),
        }))
    }

    /// Returns the credits of the trial with which the account begins.
    fn gift(&self, request: &Registration, now: DateTime<Utc>) -> Option<DueGrant> {
        let trial = Period {
            start: now,
            end: request.trial_until?,
        };

        DueGrant::trial(&request.account, &request.plan, trial, self.renewal_slack())
    }
}

impl Registered {
    /// Returns whether this is the answer to the same request, made again.
    fn answers(&self, request: &Registration, by_subject: Option<&SubjectRecord>) -> bool {
        // An account that was deleted since is not given out again.
        let is_there =
            by_subject.is_some_and(|record| record.account.as_ref() == Some(&self.account));

        is_there
            && self.key == request.key
            && self.subject == request.subject
            && self.plan == request.plan.id
            && self.payment_method == request.payment_method
            // The end may be counted from the time of each request.
            && self.trial_until.is_some() == request.trial_until.is_some()
    }
}

impl Registration {
    /// Describes the new account. On a plan that must be paid first, it waits for that payment.
    fn new_account(&self, subscription: Option<&Subscription>, now: DateTime<Utc>) -> Account {
        let waits = subscription
            .is_some_and(|subscription| subscription.status == SubscriptionStatus::Incomplete);
        let status = if waits {
            AccountStatus::PendingPayment
        } else {
            AccountStatus::Active
        };

        Account {
            registered_at: Some(now),
            ..Account::new(self.account.clone(), status, self.payment_method)
        }
    }

    fn new_site(&self) -> Site {
        Site {
            id: self.site.clone(),
            account: self.account.clone(),
        }
    }

    /// Describes the new subscription, if the plan needs one: in its trial, or begun where nothing is
    /// to be paid.
    fn new_subscription(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Option<Subscription>, RegistrationError> {
        let is_paid = self.plan.needs_subscription && !self.plan.price.is_zero();
        if self.trial_until.is_some() && !is_paid {
            return Err(RegistrationError::TrialInvalid);
        }
        if !self.plan.needs_subscription {
            return Ok(None);
        }

        let new = Subscription::new(
            self.subscription.clone(),
            self.account.clone(),
            self.plan.id.clone(),
            self.payment_method,
            now,
        );
        let Some(until) = self.trial_until else {
            return Ok(Some(new.begun(&self.plan, now)?));
        };

        let version = new.version;
        // A new subscription refuses no trial but an empty one.
        let in_trial = new
            .apply(Command::StartTrial { until }, now)
            .map_err(|_| RegistrationError::TrialInvalid)?;
        Ok(Some(Subscription {
            version,
            ..in_trial.into_subscription()
        }))
    }

    fn registered(&self, credits: Credits, now: DateTime<Utc>) -> Registered {
        Registered {
            key: self.key.clone(),
            subject: self.subject,
            plan: self.plan.id.clone(),
            payment_method: self.payment_method,
            account: self.account.clone(),
            owner: self.owner.clone(),
            site: self.site.clone(),
            credits,
            trial_until: self.trial_until,
            registered_at: now,
        }
    }
}
