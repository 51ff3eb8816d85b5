//! The command that takes a grant back.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::hold::FIRST_ATTEMPT;
use super::outcome::{Intent, Outcome, OutcomeWrite, Revocation, State};
use super::wallet::Wallet;
use crate::change::Answer;
use crate::gate::{Denial, Operator};
use crate::problem::{Code, Explained};
use crate::right::Privilege;

/// The error of a grant that cannot be taken back. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The operator lacks the privilege.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The wallet has nothing left of such a grant.
    #[error("the wallet has nothing left of such a grant")]
    NothingLeft,
    /// The wallet cannot take part.
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
    /// Takes back what is left of a grant. The free or scheduled part goes now; the part that open
    /// holds pin goes when they return it, even if the grant has expired by then. The part that was
    /// spent stays spent, and no debt comes of it: a revocation never takes a wallet below zero.
    /// Credits of paid time follow what was paid, so there is nothing to revoke of them: record a
    /// refund, and [`align`](Self::align).
    ///
    /// The operator was admitted under [`Privilege::GrantCredits`]. `prior` is the stored outcome
    /// of [`Outcome::revoke_key`], read after the wallet in the same transaction.
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

    /// Takes back what is left of a grant, without asking who decided it.
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
                return Err(WalletError::mismatch("command", "outcome").into());
            };
            return Ok(Answer::Replayed(revocation.clone()));
        }

        let mut draft = Draft::begin(self, now)?;
        let revocation = draft
            .wallet
            .left_of(grant)
            .ok_or(RevokeError::NothingLeft)?;
        draft.record(
            draft.now,
            Event::Revoked {
                grant: revocation.grant.clone(),
                amount: revocation.revoked,
            },
        )?;

        let outcome = Outcome {
            account: draft.wallet.account().clone(),
            key,
            intent: Intent::Revoke,
            attempt: FIRST_ATTEMPT,
            state: State::Revoked(revocation.clone()),
        };

        let outcome = OutcomeWrite::Insert(outcome);
        Ok(Answer::Fresh(draft.finish(Some(outcome), revocation)?))
    }
}
