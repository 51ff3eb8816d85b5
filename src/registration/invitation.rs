//! Invitations: a further user joins an account, and seeds nothing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Subject, SubjectRecord};
use crate::account::{Account, AccountStatus};
use crate::change::Answer;
use crate::change::RowChange;
use crate::credit::WalletError;
use crate::gate::{Denial, WriteAccess};
use crate::id::{AccountId, UserId};
use crate::problem::{Code, Explained};

/// An invitation to an account, for one verified identity: a row that is unique by (account,
/// subject). It is for the identity, not for whoever holds a link, so a link that is passed on
/// admits nobody.
///
/// ```
/// # use bailiwick::{Account, Credits, Money, Plan, Principal, Tenant, chrono, validate_account_and_plan};
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::change::Answer;
/// # use bailiwick::money::Currency;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::period::Interval;
/// # use bailiwick::registration::{Invitation, JoinFacts, Subject};
/// # use bailiwick::right::Privileges;
/// # use std::sync::Arc;
/// # let now = "2027-02-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>()?;
/// # let (status, payment_method, privileges) = (AccountStatus::Active, PaymentMethod::BankTransfer, Privileges::NONE);
/// # let account = Account { id: 7.into(), status, payment_method, version: 1, privileges };
/// # let plan = Arc::new(Plan {
/// #     id: 3.into(), active: true, price: Money::new("0".parse()?, Currency::EUR)?, interval: Interval::MONTHLY,
/// #     credits_per_month: Credits::ZERO, needs_subscription: false, quotas: [].into(), concurrency: [].into(),
/// # });
/// # let tenant = Tenant { account: account.clone(), plan: Some(plan), subscription: None, sites: [].into() };
/// # let owner = Principal::session(1.into()).of_account(7.into());
/// # let access = validate_account_and_plan(&owner, Some(&tenant), now)?.into_write()?;
/// // A member invites; the digest is that of the address to which the invitation is sent.
/// let subject = Subject::from_digest([7; 32]);
/// let invitation = Invitation::new(&access, subject, now + chrono::TimeDelta::days(7), None)?.into_row();
///
/// // Whoever has verified that address joins, as the user whose identifier the host set aside.
/// let facts = JoinFacts { account, by_subject: None };
/// let Answer::Fresh(joined) = invitation.accept(&subject, 2.into(), facts, now)? else { return Ok(()) };
/// assert_eq!((joined.account(), joined.user()), (&7.into(), &2.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The account to join.
    pub account: AccountId,
    /// Who is invited.
    pub subject: Subject,
    /// The person who invited; `None` for an API key.
    pub invited_by: Option<UserId>,
    /// The first instant at which it no longer holds.
    pub expires_at: DateTime<Utc>,
    /// The user that it made, once it was accepted.
    pub accepted_by: Option<UserId>,
    /// The row's version.
    pub version: u64,
}

/// What the host loads before somebody joins, in one transaction.
#[derive(Clone, Debug)]
pub struct JoinFacts {
    /// The account of the invitation.
    pub account: Account,
    /// The registry's row of the same subject, if there is one.
    pub by_subject: Option<SubjectRecord>,
}

/// Everything that is written when somebody joins, whole or not at all: the user, of this account
/// and with no privilege of the service's own, and the rows below.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct JoinChange {
    user: UserId,
    subject: RowChange<SubjectRecord>,
    invitation: RowChange<Invitation>,
}

impl JoinChange {
    /// The user to insert.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The account that the user belongs to.
    pub fn account(&self) -> &AccountId {
        &self.invitation.row().account
    }

    /// The registry's row, under UNIQUE (subject). A clash means: load again and ask again.
    pub fn subject(&self) -> &RowChange<SubjectRecord> {
        &self.subject
    }

    /// The invitation to update.
    pub fn invitation(&self) -> &RowChange<Invitation> {
        &self.invitation
    }
}

/// Why nobody joins.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The invitation is for somebody else, or was used up by somebody who has left.
    #[error("the invitation is for somebody else, or was used already")]
    NotInvited,
    /// The invitation has run out.
    #[error("the invitation has run out")]
    Expired,
    /// The identity belongs to an account already.
    #[error("this identity has an account already")]
    AlreadyRegistered,
    /// The account is closed or of unknown standing, or the access that invites is bound to sites.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] WalletError),
}

impl Explained for JoinError {
    fn code(&self) -> Code {
        match self {
            Self::NotInvited | Self::Expired => Code::InvitationInvalid,
            Self::AlreadyRegistered => Code::AlreadyRegistered,
            Self::Denied(denial) => denial.code(),
            Self::Row(error) => error.code(),
        }
    }
}

impl Invitation {
    /// Invites somebody to the account of an access that is bound to no sites, since a user is not.
    /// `prior` is the account's invitation of the same subject, if there is one: it is renewed, so
    /// that who has left can join again.
    ///
    /// # Errors
    /// [`JoinError::Denied`] for an access that is bound to sites, then [`JoinError::Row`].
    pub fn new(
        access: &WriteAccess,
        subject: Subject,
        expires_at: DateTime<Utc>,
        prior: Option<&Self>,
    ) -> Result<RowChange<Self>, JoinError> {
        if access.is_bound_to_sites() {
            return Err(Denial::AccountWideForbidden.into());
        }
        if prior
            .is_some_and(|prior| prior.account != *access.account_id() || prior.subject != subject)
        {
            return Err(WalletError::Mismatch.into());
        }
        let expected = prior.map_or(0, |prior| prior.version);
        let (account, invited_by) = (access.account_id().clone(), access.user().cloned());
        let version = expected.checked_add(1).ok_or(WalletError::AmountOverflow)?;
        let invitation = Self {
            account,
            subject,
            invited_by,
            expires_at,
            accepted_by: None,
            version,
        };
        Ok(RowChange::update(expected, invitation))
    }

    /// Accepts the invitation for a verified identity. Accepted again, it answers the same user,
    /// for as long as the registry says that the identity belongs to the account. No credits come
    /// of it, neither now nor should the identity ever register an account of its own: its first
    /// credits are used up.
    ///
    /// # Errors
    /// In this order: [`JoinError::NotInvited`] for another identity, [`JoinError::Row`],
    /// [`JoinError::Denied`], [`JoinError::NotInvited`] for one that was used up,
    /// [`JoinError::Expired`], [`JoinError::AlreadyRegistered`].
    pub fn accept(
        self,
        subject: &Subject,
        user: UserId,
        facts: JoinFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<JoinChange, UserId>, JoinError> {
        if self.subject != *subject {
            return Err(JoinError::NotInvited);
        }
        if self.account != facts.account.id {
            return Err(WalletError::Mismatch.into());
        }
        match facts.account.status {
            AccountStatus::Closed => return Err(Denial::AccountClosed.into()),
            AccountStatus::Unknown => return Err(Denial::AccountStatusUnknown.into()),
            AccountStatus::PendingPayment | AccountStatus::Active | AccountStatus::Suspended(_) => {
            }
        }
        let belongs = facts
            .by_subject
            .as_ref()
            .and_then(|record| record.account.as_ref())
            == Some(&self.account);
        if let Some(user) = self.accepted_by {
            // Who has left since needs to be invited again.
            return if belongs {
                Ok(Answer::Replayed(user))
            } else {
                Err(JoinError::NotInvited)
            };
        }
        if self.expires_at <= now {
            return Err(JoinError::Expired);
        }
        let expected = match facts.by_subject {
            Some(record) if record.subject != *subject => return Err(WalletError::Mismatch.into()),
            Some(SubjectRecord {
                account: Some(_), ..
            }) => return Err(JoinError::AlreadyRegistered),
            Some(record) => record.version,
            None => 0,
        };
        let version = expected.checked_add(1).ok_or(WalletError::AmountOverflow)?;
        let record = SubjectRecord {
            subject: *subject,
            account: Some(self.account.clone()),
            version,
        };
        let (before, version) = (
            self.version,
            self.version
                .checked_add(1)
                .ok_or(WalletError::AmountOverflow)?,
        );
        let invitation = Self {
            accepted_by: Some(user.clone()),
            version,
            ..self
        };
        Ok(Answer::Fresh(JoinChange {
            user,
            subject: RowChange::update(expected, record),
            invitation: RowChange::update(before, invitation),
        }))
    }
}
