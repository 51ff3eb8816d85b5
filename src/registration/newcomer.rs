//! Registration of a newcomer, with everything that a new account begins with.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::subject::{Subject, SubjectRecord};
use crate::account::{Account, AccountStatus};
use crate::change::{Answer, RowChange, RowError};
use crate::credit::{Cause, Change, GrantError, IdempotencyKey, Wallet};
use crate::id::{AccountId, PlanId, SiteId, SubscriptionId, UserId};
use crate::money::Credits;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::subscription::Subscription;
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
    /// The credits that it began with.
    pub credits: Credits,
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
    wallet: Change,
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

    /// Returns the subscription to insert, if the plan needs one.
    pub fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// Returns the wallet to insert, with the first grant if there is one.
    pub fn wallet(&self) -> &Change {
        &self.wallet
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
            Self::PlanInactive => Code::RegistrationInvalid,
            Self::Grant(error) => error.code(),
            Self::Row(error) => error.code(),
        }
    }
}

impl Policy {
    /// Registers a newcomer: one change set, or the answer that the same request got before, for as
    /// long as that account exists.
    ///
    /// An identity whose earlier account was deleted may register again, and receives no first
    /// credits again.
    ///
    /// # Errors
    /// In this order: [`RegistrationError::KeyReused`]; [`RegistrationError::Row`] for a record of
    /// another subject; [`RegistrationError::AlreadyRegistered`],
    /// [`RegistrationError::ComingSoon`], [`RegistrationError::PlanInactive`];
    /// [`RegistrationError::Row`] for an exhausted version; [`RegistrationError::Grant`].
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

        let expected = match &by_subject {
            None => 0,
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
            Some(record) => record.version,
        };
        if !self.is_enabled(request.payment_method) {
            return Err(RegistrationError::ComingSoon(request.payment_method));
        }
        if !request.plan.active {
            return Err(RegistrationError::PlanInactive);
        }

        // An identity that is in the registry, even without an account, had its first credits.
        let credits = if by_subject.is_none() {
            self.registration_credits
        } else {
            Credits::ZERO
        };
        debug_assert!(
            credits.is_zero() || expected == 0,
            "first credits go to identities that were never seen"
        );

        let subject = SubjectRecord::belonging(request.subject, request.account.clone(), expected)?;
        let cause = Cause::registration(&request.account, &request.subject);
        let wallet = Wallet::open(request.account.clone(), now).top_up(&cause, credits, now)?;

        let needs_subscription = request.plan.needs_subscription;
        Ok(Answer::Fresh(RegistrationChange {
            account: request.new_account(),
            site: request.new_site(),
            subscription: needs_subscription.then(|| request.new_subscription(now)),
            wallet,
            subject,
            registered: request.registered(credits, now),
        }))
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
    }
}

impl Registration {
    /// Describes the new account. On a plan that must be paid first, it waits for that payment.
    fn new_account(&self) -> Account {
        let status = if self.plan.needs_subscription {
            AccountStatus::PendingPayment
        } else {
            AccountStatus::Active
        };

        Account::new(self.account.clone(), status, self.payment_method)
    }

    fn new_site(&self) -> Site {
        Site {
            id: self.site.clone(),
            account: self.account.clone(),
        }
    }

    fn new_subscription(&self, now: DateTime<Utc>) -> Subscription {
        Subscription::new(
            self.subscription.clone(),
            self.account.clone(),
            self.plan.id.clone(),
            self.payment_method,
            now,
        )
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
            registered_at: now,
        }
    }
}
