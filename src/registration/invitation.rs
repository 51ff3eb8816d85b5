//! Invitations: a further user joins an account, and brings it no credits.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::subject::{Subject, SubjectRecord};
use crate::account::{Account, AccountStatus};
use crate::change::{Answer, RowChange, RowError};
use crate::gate::{Denial, WriteAccess};
use crate::id::{AccountId, UserId};
use crate::problem::{Code, Explained};

/// An invitation to an account, for one verified identity: a row that is unique by (account,
/// subject). It is for that identity and not for the holder of a link, so a link that is passed on
/// admits nobody.
///
/// ```
/// use bailiwick::WriteAccess;
/// use bailiwick::change::Answer;
/// use bailiwick::registration::{Invitation, JoinError, JoinFacts, Subject};
/// use chrono::{DateTime, TimeDelta, Utc};
///
/// fn invite_and_join(
///     access: &WriteAccess, // of the member who invites
///     facts: JoinFacts,     // of the account, and of the person who joins
///     now: DateTime<Utc>,
/// ) -> Result<(), JoinError> {
///     // The digest of the address to which the invitation is sent.
///     let subject = Subject::from_digest([7; 32]);
///     let expires_at = now + TimeDelta::days(7);
///     let invitation = Invitation::new(access, subject, expires_at, None)?.into_row();
///
///     // The person who has verified that address joins, as the user that the host set aside.
///     match invitation.accept(&subject, 2.into(), facts, now)? {
///         Answer::Fresh(joined) => assert_eq!(*joined.user(), 2.into()),
///         Answer::Replayed(user) => println!("joined before, as {user}"),
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Invitation {
    /// The account to join.
    pub account: AccountId,
    /// The identity that is invited.
    pub subject: Subject,
    /// The person who invited; `None` for an API key.
    pub invited_by: Option<UserId>,
    /// The first instant at which it no longer holds.
    pub expires_at: DateTime<Utc>,
    /// The user that it created, once it was accepted.
    pub accepted_by: Option<UserId>,
    /// The row's version.
    pub version: u64,
}

/// The rows that a host loads before somebody joins, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct JoinFacts {
    /// The account of the invitation.
    pub account: Account,
    /// The registry's row of the same subject, if there is one.
    pub by_subject: Option<SubjectRecord>,
}

/// Everything that is written when somebody joins, whole or not at all: the user, of this account
/// and without any privilege over the service, and the rows below.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct JoinChange {
    user: UserId,
    subject: RowChange<SubjectRecord>,
    invitation: RowChange<Invitation>,
}

impl JoinChange {
    /// Returns the user to insert.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Returns the account that the user belongs to.
    pub fn account(&self) -> &AccountId {
        &self.invitation.row().account
    }

    /// Returns the registry's row, under UNIQUE (subject). A clash means: load again and ask again.
    pub fn subject(&self) -> &RowChange<SubjectRecord> {
        &self.subject
    }

    /// Returns the invitation to update.
    pub fn invitation(&self) -> &RowChange<Invitation> {
        &self.invitation
    }
}

/// The reason why nobody is invited or joins.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The invitation is for another identity, or was used by a person who has left since.
    #[error("the invitation is for somebody else, or was used already")]
    NotInvited,
    /// The invitation has expired.
    #[error("the invitation has expired")]
    Expired,
    /// The identity belongs to an account already.
    #[error("this identity already has an account")]
    AlreadyRegistered,
    /// The account is closed or of unknown status, or the access that invites is bound to sites.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
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
    /// Invites an identity to the account of an access. The access must not be bound to sites,
    /// since a user is not. `prior` is the account's invitation of the same subject, if there is
    /// one: it is renewed, so that a person who has left can join again.
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

        if prior.is_some_and(|prior| prior.account != *access.account_id()) {
            return Err(RowError::Mismatch {
                left: "invitation",
                right: "account that invites",
            }
            .into());
        }
        if prior.is_some_and(|prior| prior.subject != subject) {
            return Err(RowError::Mismatch {
                left: "invitation",
                right: "person who is invited",
            }
            .into());
        }

        let expected = prior.map_or(0, |prior| prior.version);
        let invitation = RowChange::next(expected, "invitation", |version| Self {
            account: access.account_id().clone(),
            subject,
            invited_by: access.user().cloned(),
            expires_at,
            accepted_by: None,
            version,
        })?;
        Ok(invitation)
    }

    /// Accepts the invitation for a verified identity. Accepted again, it returns the same user,
    /// for as long as the registry says that the identity belongs to the account. It grants no
    /// credits, and uses up the identity's first credits, should it ever register an account of its
    /// own.
    ///
    /// # Errors
    /// In this order: [`JoinError::NotInvited`] for another identity, [`JoinError::Row`] for
    /// another account, [`JoinError::Denied`], [`JoinError::NotInvited`] for an invitation that was
    /// used, [`JoinError::Expired`], [`JoinError::Row`] for the record of another subject,
    /// [`JoinError::AlreadyRegistered`], [`JoinError::Row`] for an exhausted version.
    pub fn accept(
        self,
        subject: &Subject,
        user: UserId,
        facts: JoinFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<JoinChange, UserId>, JoinError> {
        let JoinFacts {
            account,
            by_subject,
        } = facts;
        // First, so that a stranger with the link learns nothing of the account.
        if self.subject != *subject {
            return Err(JoinError::NotInvited);
        }
        self.check_account(&account)?;

        if let Some(user) = self.accepted_by {
            let account = by_subject.and_then(|record| record.account);
            // A person who has left since needs another invitation.
            return if account == Some(self.account) {
                Ok(Answer::Replayed(user))
            } else {
                Err(JoinError::NotInvited)
            };
        }
        if self.expires_at <= now {
            return Err(JoinError::Expired);
        }

        match &by_subject {
            Some(record) if record.subject != *subject => {
                return Err(RowError::Mismatch {
                    left: "record of the subject",
                    right: "person who accepts",
                }
                .into());
            }
            Some(record) if record.account.is_some() => return Err(JoinError::AlreadyRegistered),
            _ => {}
        }
        let account = self.account.clone();
        let record = SubjectRecord::belonging(*subject, account, by_subject.as_ref())?;
        let invitation = RowChange::next(self.version, "invitation", |version| Self {
            accepted_by: Some(user.clone()),
            version,
            ..self
        })?;

        Ok(Answer::Fresh(JoinChange {
            user,
            subject: record,
            invitation,
        }))
    }

    /// Checks that the account is the one of the invitation, and can be joined.
    fn check_account(&self, account: &Account) -> Result<(), JoinError> {
        if self.account != account.id {
            return Err(RowError::Mismatch {
                left: "invitation",
                right: "account to join",
            }
            .into());
        }

        match account.status {
            AccountStatus::Closed => Err(Denial::AccountClosed.into()),
            AccountStatus::Unknown => Err(Denial::AccountStatusUnknown.into()),
            // A member may be needed to settle what is owed, so neither debt nor suspension bars.
            AccountStatus::PendingPayment | AccountStatus::Active | AccountStatus::Suspended(_) => {
                Ok(())
            }
        }
    }
}
