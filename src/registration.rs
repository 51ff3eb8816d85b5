//! Registration: account, owner, first site, subscription, wallet and first credits come to be
//! together or not at all, once for each request, and the first credits once for each verified
//! identity.

mod invitation;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::{Account, AccountStatus};
use crate::change::Answer;
use crate::change::RowChange;
use crate::credit::{Cause, Change, GrantError, IdempotencyKey, Wallet, WalletError};
use crate::digest::{Hex, read_digest};
use crate::id::{AccountId, PlanId, SiteId, SubscriptionId, UserId};
use crate::money::Credits;
use crate::payment_method::PaymentMethod;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::right::Privileges;
use crate::subscription::Subscription;
use crate::tenant::Site;

pub use invitation::{Invitation, JoinChange, JoinError, JoinFacts};

/// A verified identity as a digest: it outlives the account, so that the first credits are given
/// once, and it tells nobody who it was. Hash the verified address or phone number with a secret of
/// the service (HMAC-SHA-256).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subject([u8; 32]);

impl Subject {
    /// From a digest of 32 bytes.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

/// Why a text is no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a subject is a digest of 64 lower-case hexadecimal digits")]
pub struct SubjectError;

impl Explained for SubjectError {
    fn code(&self) -> Code {
        Code::RegistrationInvalid
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        read_digest(text).map(Self).ok_or(SubjectError)
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({self})")
    }
}

/// What a newcomer asks for, with the identifiers that the host set aside for it.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The client's name for the request.
    pub key: IdempotencyKey,
    /// Who registers.
    pub subject: Subject,
    /// The plan that was chosen.
    pub plan: Arc<Plan>,
    /// How it will be paid: always chosen, never assumed.
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

/// What became of a registration: a row that is unique by its subject and request key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The request's key.
    pub key: IdempotencyKey,
    /// Who registered.
    pub subject: Subject,
    /// The plan that was chosen.
    pub plan: PlanId,
    /// How it will be paid.
    pub payment_method: PaymentMethod,
    /// The account.
    pub account: AccountId,
    /// Its owner.
    pub owner: UserId,
    /// Its first site.
    pub site: SiteId,
    /// The credits that it began with.
    pub credits: Credits,
    /// When it was registered.
    pub registered_at: DateTime<Utc>,
}

/// A row of the registry of identities, unique by subject over all tenants. It has no foreign key
/// to the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectRecord {
    /// Who registered.
    pub subject: Subject,
    /// The account; the host sets it to `None` when the account is deleted, and keeps the row.
    pub account: Option<AccountId>,
    /// The row's version.
    pub version: u64,
}

/// What the host loads before it registers.
#[derive(Clone, Debug, Default)]
pub struct RegistrationFacts {
    /// The registration of the same subject with the same request key, if there is one. Keys of
    /// strangers do not meet.
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
    /// The account to insert.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The site to insert.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The subscription to insert, if the plan needs one.
    pub fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// The wallet to insert, with the first grant if there is one.
    pub fn wallet(&self) -> &Change {
        &self.wallet
    }

    /// The registry's row, under UNIQUE (subject). A clash means: load again and ask again.
    pub fn subject(&self) -> &RowChange<SubjectRecord> {
        &self.subject
    }

    /// The registration to insert, under UNIQUE (subject, key). A clash means: load again and ask
    /// again. It names the owner.
    pub fn registered(&self) -> &Registered {
        &self.registered
    }
}

/// Why nobody is registered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The identity has an account already.
    #[error("this identity has an account already")]
    AlreadyRegistered,
    /// The key was used for another registration.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// The payment method is not enabled.
    #[error("payment by {0} is coming soon")]
    ComingSoon(PaymentMethod),
    /// The plan cannot be chosen.
    #[error("the plan is not offered")]
    PlanInactive,
    /// The rows that were loaded do not belong together.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The first credits cannot be granted.
    #[error(transparent)]
    Grant(#[from] GrantError),
}

impl Explained for RegistrationError {
    fn code(&self) -> Code {
        match self {
            Self::AlreadyRegistered => Code::AlreadyRegistered,
            Self::KeyReused => Code::KeyReused,
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::PlanInactive => Code::RegistrationInvalid,
            Self::Wallet(error) => error.code(),
            Self::Grant(error) => error.code(),
        }
    }
}

impl Policy {
    /// Registers a newcomer: one change set, or the answer that the same request got before, for as
    /// long as that account is there.
    ///
    /// An identity whose earlier account was deleted may register again, and is given no first
    /// credits again.
    pub fn register(
        &self,
        request: &Registration,
        facts: RegistrationFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<RegistrationChange, Registered>, RegistrationError> {
        if let Some(earlier) = facts.by_key {
            let same = earlier.key == request.key
                && earlier.subject == request.subject
                && earlier.plan == request.plan.id
                && earlier.payment_method == request.payment_method;
            // An account that was deleted since is not given out again.
            let is_there = facts
                .by_subject
                .as_ref()
                .is_some_and(|record| record.account.as_ref() == Some(&earlier.account));
            let same = same && is_there;
            return if same {
                Ok(Answer::Replayed(earlier))
            } else {
                Err(RegistrationError::KeyReused)
            };
        }
        let expected = match &facts.by_subject {
            Some(record) if record.subject != request.subject => {
                return Err(WalletError::Mismatch.into());
            }
            Some(SubjectRecord {
                account: Some(_), ..
            }) => return Err(RegistrationError::AlreadyRegistered),
            Some(record) => record.version,
            None => 0,
        };
        if !self.is_enabled(request.payment_method) {
            return Err(RegistrationError::ComingSoon(request.payment_method));
        }
        if !request.plan.active {
            return Err(RegistrationError::PlanInactive);
        }
        let credits = if facts.by_subject.is_none() {
            self.registration_credits
        } else {
            Credits::ZERO
        };
        let version = expected.checked_add(1).ok_or(WalletError::AmountOverflow)?;
        let subject = SubjectRecord {
            subject: request.subject,
            account: Some(request.account.clone()),
            version,
        };
        Ok(Answer::Fresh(RegistrationChange {
            account: new_account(request),
            site: Site {
                id: request.site.clone(),
                account: request.account.clone(),
            },
            subscription: request
                .plan
                .needs_subscription
                .then(|| new_subscription(request, now)),
            wallet: Wallet::open(request.account.clone(), now).top_up(
                &Cause::registration(&request.account, &request.subject),
                credits,
                now,
            )?,
            subject: RowChange::update(expected, subject),
            registered: Registered {
                key: request.key.clone(),
                subject: request.subject,
                plan: request.plan.id.clone(),
                payment_method: request.payment_method,
                account: request.account.clone(),
                owner: request.owner.clone(),
                site: request.site.clone(),
                credits,
                registered_at: now,
            },
        }))
    }
}

/// Who must pay first, waits for that payment; who need not, begins at once.
fn new_account(request: &Registration) -> Account {
    let status = if request.plan.needs_subscription {
        AccountStatus::PendingPayment
    } else {
        AccountStatus::Active
    };
    Account {
        id: request.account.clone(),
        status,
        payment_method: request.payment_method,
        version: 1,
        privileges: Privileges::NONE,
    }
}

fn new_subscription(request: &Registration, now: DateTime<Utc>) -> Subscription {
    Subscription::new(
        request.subscription.clone(),
        request.account.clone(),
        request.plan.id.clone(),
        request.payment_method,
        now,
    )
}
