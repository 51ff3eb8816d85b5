//! The command that gives credits: each grant is made once, by the key of its cause.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::grant::{Cause, CauseKind, Grant, GrantTerms};
use super::hold::FIRST_ATTEMPT;
use super::outcome::{Intent, Outcome, OutcomeWrite, State};
use super::wallet::Wallet;
use crate::change::Answer;
use crate::money::Credits;
use crate::problem::{Code, Explained};

/// The most grants that a wallet holds at once. Every command looks at all of them, so nobody may
/// grow them without end.
pub(super) const MAX_GRANTS: usize = 4096;

/// The error of a grant that is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The amount is zero, or the grant would never live.
    #[error("a grant's amount must be positive, and it must take effect before it expires")]
    TermsInvalid,
    /// The cause was used for a grant with other terms.
    #[error("this grant was made before with other terms")]
    KeyReused,
    /// The wallet has as many grants as it can hold.
    #[error("the wallet has {MAX_GRANTS} grants, which is the most that it can hold")]
    TooManyGrants,
    /// The wallet cannot take part.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for GrantError {
    fn code(&self) -> Code {
        match self {
            Self::TermsInvalid => Code::GrantInvalid,
            Self::KeyReused => Code::KeyReused,
            Self::TooManyGrants => Code::TooManyGrants,
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Wallet {
    /// Adds credits that are due for a cause, once for each cause.
    ///
    /// A gift, such as a trial's or a free plan's, is given once, and stays as it was given first.
    /// Every other cause is for one amount. The credits of a paid plan are no grant: see
    /// [`align`](Self::align).
    ///
    /// `prior` is the stored outcome of [`Cause::key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// [`GrantError::TermsInvalid`], [`GrantError::KeyReused`], [`GrantError::TooManyGrants`],
    /// [`GrantError::Wallet`].
    pub fn grant(
        self,
        cause: &Cause,
        terms: GrantTerms,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Grant>, Grant>, GrantError> {
        if cause.account != *self.account() {
            return Err(WalletError::mismatch("wallet", "cause").into());
        }
        if let Some(prior) = prior {
            return self.grant_again(cause, &terms, prior);
        }

        let mut draft = Draft::begin(self, now)?;
        let intent = intent(cause, &terms);
        // No grant takes effect in the past, since the balance of that time may have been told.
        let grant = Grant {
            id: cause.key.clone(),
            cause: cause.kind,
            amount: terms.amount,
            priority: terms.priority,
            effective_at: terms.effective_at.map_or(draft.now, |at| at.max(draft.now)),
            expires_at: terms.expires_at,
            rollover: terms.rollover,
            raises: None,
        };
        draft.grant(&grant)?;

        let outcome = Outcome {
            account: draft.wallet.account().clone(),
            key: cause.key().to_owned(),
            intent,
            attempt: FIRST_ATTEMPT,
            state: State::Granted(grant.clone()),
        };

        let outcome = OutcomeWrite::Insert(outcome);
        Ok(Answer::Fresh(draft.finish(Some(outcome), grant)?))
    }

    /// Answers a grant whose key was used before, as then.
    fn grant_again(
        &self,
        cause: &Cause,
        terms: &GrantTerms,
        prior: &Outcome,
    ) -> Result<Answer<Change<Grant>, Grant>, GrantError> {
        prior.check(self.account(), cause.key())?;
        let State::Granted(granted) = &prior.state else {
            return Err(WalletError::mismatch("cause", "outcome").into());
        };

        // A gift is given once, whatever the plan gives by now.
        let is_gift = matches!(cause.kind, CauseKind::Trial | CauseKind::FreePlan)
            && prior.intent.is_of_grant(cause.kind, terms.priority);

        if is_gift || prior.intent == intent(cause, terms) {
            Ok(Answer::Replayed(granted.clone()))
        } else {
            Err(GrantError::KeyReused)
        }
    }

    /// Adds credits that live for ever, within a change set that happens once by a key of its own.
    /// Without any credits, the wallet only advances.
    pub(crate) fn top_up(
        self,
        cause: &Cause,
        credits: Credits,
        now: DateTime<Utc>,
    ) -> Result<Change, GrantError> {
        if credits.is_zero() {
            return Ok(self.advance(now)?);
        }

        match self.grant(cause, GrantTerms::forever(credits), None, now)? {
            Answer::Fresh(change) => Ok(change.without_result()),
            // Without a prior outcome, a grant is always fresh.
            Answer::Replayed(_) => Err(WalletError::mismatch("cause", "outcome").into()),
        }
    }
}

/// Returns what a repeated grant must match.
fn intent(cause: &Cause, terms: &GrantTerms) -> Intent {
    Intent::Grant {
        cause: cause.kind,
        amount: terms.amount,
        priority: terms.priority,
    }
}

impl Draft {
    /// Returns whether the wallet has room for one more grant.
    pub(super) fn has_room(&self) -> bool {
        self.wallet.grants.len() < MAX_GRANTS
    }

    fn grant(&mut self, grant: &Grant) -> Result<(), GrantError> {
        if grant.amount.is_zero() || grant.is_expired_at(grant.effective_at) {
            return Err(GrantError::TermsInvalid);
        }
        if !self.has_room() {
            return Err(GrantError::TooManyGrants);
        }

        self.record(
            self.now,
            Event::Granted {
                grant: grant.clone(),
            },
        )?;

        Ok(())
    }
}
