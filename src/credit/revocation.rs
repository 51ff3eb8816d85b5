//! The command that takes a grant back.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::outcome::{Intent, Outcome, OutcomeWrite, Revocation, State};
use super::wallet::Wallet;
use crate::change::Answer;
use crate::gate::{Denial, Operator};
use crate::problem::{Code, Explained};
use crate::right::Privilege;

/// Why a grant cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The operator lacks the privilege.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The wallet has nothing left of such a grant.
    #[error("there is nothing left of such a grant")]
    NothingLeft,
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for RevokeError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::NothingLeft => Code::NotFound,
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Wallet {
    /// Takes back what is left of a grant: what is free or scheduled of it now, and what open holds
    /// pin of it when they return it, even if the grant has expired by then. What was spent of it
    /// stays spent, and no debt comes of it: the wallet never goes below zero by a revocation. The
    /// operator was admitted under [`Privilege::GrantCredits`].
    ///
    /// `prior` is the stored outcome of [`Outcome::revoke_key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// In this order: [`RevokeError::Denied`], [`RevokeError::NothingLeft`],
    /// [`RevokeError::Wallet`].
    pub fn revoke(
        self,
        operator: &Operator,
        grant: &str,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Revocation>, Revocation>, RevokeError> {
        operator.check_foreign(Privilege::GrantCredits, self.account())?;
        self.take_back(grant, prior, now)
    }

    /// Takes back what is left of a grant, whoever decided it.
    pub(super) fn take_back(
        self,
        grant: &str,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Revocation>, Revocation>, RevokeError> {
        let key = Outcome::revoke_key(grant);
        if let Some(prior) = prior {
            prior.check(self.account(), &key)?;
            let State::Revoked(revocation) = &prior.state else {
                return Err(WalletError::Mismatch.into());
            };
            return Ok(Answer::Replayed(revocation.clone()));
        }
        let mut draft = Draft::begin(self, now)?;
        let (id, revoked, pinned) = draft
            .wallet
            .left_of(grant)
            .ok_or(RevokeError::NothingLeft)?;
        draft.record(
            draft.now,
            Event::Revoked {
                grant: id.clone(),
                amount: revoked,
            },
        )?;
        let revocation = Revocation {
            grant: id,
            revoked,
            pinned,
        };
        let account = draft.wallet.account().clone();
        let outcome = Outcome {
            account,
            key,
            intent: Intent::Revoke,
            state: State::Revoked(revocation.clone()),
        };
        Ok(Answer::Fresh(
            draft.finish(Some(OutcomeWrite::Insert(outcome)), revocation)?,
        ))
    }
}
