//! Credits that a change elsewhere makes due or takes back: a trial, a transfer, a refund.
//! That change lists them, and the host grants each in the same transaction.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::change::Change;
use super::error::WalletError;
use super::grant::{Cause, Grant, GrantTerms};
use super::granting::GrantError;
use super::outcome::{Outcome, Revocation};
use super::revocation::RevokeError;
use super::sums::total;
use super::wallet::Wallet;
use crate::change::Answer;
use crate::id::AccountId;
use crate::money::Credits;
use crate::period::Period;
use crate::plan::Plan;

/// Credits that are due, with the key under which they are granted once. The host grants each of
/// them in the transaction of the change that lists it:
///
/// ```
/// use bailiwick::Wallet;
/// use bailiwick::chrono::{DateTime, Utc};
/// use bailiwick::credit::{Change, DueGrant, Grant, GrantError, Outcome};
///
/// /// The host's store, within one transaction.
/// trait Transaction {
///     /// Reads the wallet, then the outcome of the key.
///     fn read(&self, key: &str) -> (Wallet, Option<Outcome>);
///     /// Writes the wallet over its version, the entries and the outcome.
///     fn write(&mut self, change: Change<Grant>);
/// }
///
/// fn grant_all(
///     store: &mut impl Transaction,
///     due: &[DueGrant],
///     now: DateTime<Utc>,
/// ) -> Result<(), GrantError> {
///     for grant in due {
///         let (wallet, prior) = store.read(grant.key());
///         if let Some(change) = wallet.grant_due(grant, prior.as_ref(), now)? {
///             store.write(change);
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "credits are granted only when they are written"]
pub struct DueGrant {
    cause: Cause,
    terms: GrantTerms,
}

impl DueGrant {
    /// Returns the key of its outcome, which the host loads before it grants.
    pub fn key(&self) -> &str {
        self.cause.key()
    }

    /// Returns the account whose credits they are.
    pub fn account(&self) -> &AccountId {
        &self.cause.account
    }

    /// Returns the amount and its life.
    pub fn terms(&self) -> &GrantTerms {
        &self.terms
    }

    /// Returns whether a wallet still has some of it, so that it was granted before and its outcome
    /// need not be read. False says nothing: what is spent leaves the wallet.
    pub fn is_in(&self, wallet: &Wallet) -> bool {
        let key = self.key();
        self.account() == wallet.account()
            && wallet.grants.iter().any(|funds| *funds.grant.id == *key)
    }

    /// Creates what is due; `None` where the amount is zero.
    pub(crate) fn new(cause: Cause, terms: GrantTerms) -> Option<Self> {
        (!terms.amount.is_zero()).then_some(Self { cause, terms })
    }

    /// Creates the credits of a trial, which live to its end and the slack after it. They are a gift:
    /// paying does not lower them. `None` where the plan gives none.
    pub(crate) fn trial(
        account: &AccountId,
        plan: &Plan,
        trial: Period,
        slack: TimeDelta,
    ) -> Option<Self> {
        let terms = GrantTerms {
            effective_at: Some(trial.start),
            expires_at: Some(trial.end.checked_add_signed(slack).unwrap_or(trial.end)),
            ..GrantTerms::forever(plan.trial_credits.unwrap_or(plan.credits))
        };

        Self::new(Cause::trial(account), terms)
    }

    /// Returns the sum of several; `None` beyond what amounts can hold.
    pub(crate) fn total(due: &[Self]) -> Option<Credits> {
        total(due.iter().map(|due| due.terms.amount))
    }
}

/// A grant that is taken back by the change that lists it, such as a refund: [`Wallet::revoke_due`]
/// carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "credits are taken back only when that is written"]
pub struct DueRevocation {
    account: AccountId,
    grant: Arc<str>,
}

impl DueRevocation {
    pub(crate) fn new(account: AccountId, grant: Arc<str>) -> Self {
        Self { account, grant }
    }

    /// Returns the key of its outcome, which the host loads before it revokes.
    pub fn key(&self) -> String {
        Outcome::revoke_key(&self.grant)
    }

    /// Returns the grant's identifier.
    pub fn grant(&self) -> &str {
        &self.grant
    }
}

impl Wallet {
    /// Grants what is due. Returns `None` if there is nothing to write: it was granted before, or its
    /// time is over.
    ///
    /// `prior` is the stored outcome of [`DueGrant::key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// As [`grant`](Self::grant).
    pub fn grant_due(
        self,
        due: &DueGrant,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Option<Change<Grant>>, GrantError> {
        // The wallet's time is never earlier than what it has seen.
        let now = now.max(self.as_of());
        let is_over = due.terms.expires_at.is_some_and(|end| end <= now);
        if is_over {
            return Ok(None);
        }

        match self.grant(&due.cause, due.terms.clone(), prior, now)? {
            Answer::Fresh(change) => Ok(Some(change)),
            Answer::Replayed(_) => Ok(None),
        }
    }

    /// Takes back what is left of a grant, as [`revoke`](Self::revoke) does. Returns `None` if
    /// there is nothing to write: it was taken back before, or nothing of it is left.
    ///
    /// `prior` is the stored outcome of [`DueRevocation::key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// [`RevokeError::Wallet`].
    pub fn revoke_due(
        self,
        due: &DueRevocation,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Option<Change<Revocation>>, RevokeError> {
        if due.account != *self.account() {
            return Err(WalletError::mismatch("wallet", "revocation").into());
        }

        match self.take_back(&due.grant, prior, now) {
            Ok(Answer::Fresh(change)) => Ok(Some(change)),
            // Credits that are spent by now stay spent: that is no reason to refuse the refund.
            Ok(Answer::Replayed(_)) | Err(RevokeError::NothingLeft) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
