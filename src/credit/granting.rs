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
    /// A change of plan adds to a month's grant, and there is none under the month's own key.
    #[error("a change of plan adds to a month's grant, and this month has none under its own key")]
    MonthNotGranted,
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
            Self::TermsInvalid | Self::MonthNotGranted => Code::GrantInvalid,
            Self::KeyReused => Code::KeyReused,
            Self::TooManyGrants => Code::TooManyGrants,
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Wallet {
    /// Adds credits that are due for a cause, once for each cause.
    ///
    /// A month is due the greatest amount that was asked for it: a larger plan in mid-month adds
    /// the difference, a smaller one takes nothing away, and the larger one again adds nothing. A
    /// gift, such as a trial's or a free plan's, is given once, and stays as it was given first.
    ///
    /// `prior` is the stored outcome of [`Cause::key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// [`GrantError::TermsInvalid`], [`GrantError::KeyReused`], [`GrantError::MonthNotGranted`],
    /// [`GrantError::TooManyGrants`], [`GrantError::Wallet`].
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
            return self.grant_again(cause, &terms, prior, now);
        }
        if cause.is_raise {
            return Err(GrantError::MonthNotGranted);
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

    /// Answers a grant whose key was used before: as then, or with the difference if a month is due
    /// more by now.
    fn grant_again(
        self,
        cause: &Cause,
        terms: &GrantTerms,
        prior: &Outcome,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Grant>, Grant>, GrantError> {
        prior.check(self.account(), cause.key())?;
        let State::Granted(granted) = &prior.state else {
            return Err(WalletError::mismatch("cause", "outcome").into());
        };

        let intent = intent(cause, terms);
        // A month's amount may grow; every other cause is for one amount.
        let is_month =
            cause.kind == CauseKind::Period && prior.intent.is_of_grant(cause.kind, terms.priority);

        // A gift is given once, whatever the plan gives by now.
        let is_gift = matches!(cause.kind, CauseKind::Trial | CauseKind::FreePlan)
            && prior.intent.is_of_grant(cause.kind, terms.priority);

        if is_month && terms.amount > granted.amount {
            self.raise(granted, terms.amount, intent, prior, now)
        } else if is_month || is_gift || prior.intent == intent {
            Ok(Answer::Replayed(granted.clone()))
        } else {
            Err(GrantError::KeyReused)
        }
    }

    /// Grants the difference between what a month was granted and the total that it is due now. It
    /// lives as long as the month's own credits.
    fn raise(
        self,
        granted: &Grant,
        total: Credits,
        intent: Intent,
        prior: &Outcome,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Grant>, Grant>, GrantError> {
        let mut draft = Draft::begin(self, now)?;
        draft.grant(&Grant {
            // No key has a space, so no other grant has this identifier.
            id: format!("{} to {}", granted.id, total.micros()).into(),
            amount: total.saturating_sub(granted.amount),
            effective_at: granted.effective_at.max(draft.now),
            rollover: None,
            raises: Some(granted.id.clone()),
            ..granted.clone()
        })?;

        // The month's grant as it stands now: a repeated command is answered with it, too.
        let month = Grant {
            amount: total,
            ..granted.clone()
        };
        let outcome = Outcome {
            intent,
            attempt: FIRST_ATTEMPT,
            state: State::Granted(month.clone()),
            ..prior.clone()
        };

        let outcome = OutcomeWrite::Update(outcome);
        Ok(Answer::Fresh(draft.finish(Some(outcome), month)?))
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
