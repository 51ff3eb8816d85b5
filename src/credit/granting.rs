//! The commands that give credits and take them back: grants, refunds, revocations. Each is carried
//! out once, by a key of its own.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::grant::{Cause, CauseKind, Grant, GrantTerms};
use super::outcome::{Intent, Outcome, OutcomeWrite, State};
use super::wallet::Wallet;
use crate::change::Answer;
use crate::money::Credits;
use crate::problem::{Code, Explained};

/// The most grants that a wallet holds at once: every command looks at all of them, so nobody may
/// grow them without end.
pub(super) const MAX_GRANTS: usize = 4096;

/// Why a grant is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The amount is zero, or the grant would never live.
    #[error("a grant is more than nothing, and takes effect before it expires")]
    TermsInvalid,
    /// The cause was used for a grant with other terms.
    #[error("this grant was made before with other terms")]
    KeyReused,
    /// A change of plan adds to a month's grant, and there is none under the month's own key.
    #[error("the month was not granted under its own key, so a change of plan adds nothing to it")]
    MonthNotGranted,
    /// The wallet has as many grants as it can hold.
    #[error("the wallet has {MAX_GRANTS} grants, which is the most that it can hold")]
    TooManyGrants,
    /// The wallet itself refuses.
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
    /// The credits of a month are due up to the greatest amount that was asked for it: a larger
    /// plan in mid-month adds the difference, a smaller one takes nothing and the larger one again
    /// adds nothing.
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
            return Err(WalletError::Mismatch.into());
        }
        let intent = Intent::Grant {
            cause: cause.kind,
            amount: terms.amount,
            priority: terms.priority,
        };
        if let Some(prior) = prior {
            prior.check(self.account(), cause.key())?;
            let State::Granted(granted) = &prior.state else {
                return Err(WalletError::Mismatch.into());
            };
            let is_due = cause.kind == CauseKind::Period
                && prior.intent.is_of_grant(cause.kind, terms.priority);
            return match terms
                .amount
                .checked_sub(granted.amount)
                .filter(|more| is_due && !more.is_zero())
            {
                Some(more) => self.raise(granted, more, terms.amount, intent, prior, now),
                None if is_due || prior.intent == intent => Ok(Answer::Replayed(granted.clone())),
                None => Err(GrantError::KeyReused),
            };
        }
        if cause.is_raise {
            return Err(GrantError::MonthNotGranted);
        }
        let mut draft = Draft::begin(self, now)?;
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
        let account = draft.wallet.account().clone();
        let outcome = Outcome {
            account,
            key: cause.key().to_owned(),
            intent,
            state: State::Granted(grant.clone()),
        };
        Ok(Answer::Fresh(
            draft.finish(Some(OutcomeWrite::Insert(outcome)), grant)?,
        ))
    }

    /// Grants what a month's credits have become more by, for as long as the month's own live.
    fn raise(
        self,
        granted: &Grant,
        more: Credits,
        total: Credits,
        intent: Intent,
        prior: &Outcome,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Grant>, Grant>, GrantError> {
        let mut draft = Draft::begin(self, now)?;
        draft.grant(&Grant {
            // No key has a space, so no other grant has this identifier.
            id: format!("{} to {}", granted.id, total.micros()).into(),
            amount: more,
            effective_at: granted.effective_at.max(draft.now),
            rollover: None,
            raises: Some(granted.id.clone()),
            ..granted.clone()
        })?;
        // The month's grant as it stands now: what a repeated command is answered, too.
        let month = Grant {
            amount: total,
            ..granted.clone()
        };
        let outcome = Outcome {
            intent,
            state: State::Granted(month.clone()),
            ..prior.clone()
        };
        Ok(Answer::Fresh(
            draft.finish(Some(OutcomeWrite::Update(outcome)), month)?,
        ))
    }

    /// Adds credits for ever, within a change set that happens once by a key of its own. Without
    /// any credits, the wallet only advances.
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
            Answer::Replayed(_) => Err(WalletError::Mismatch.into()),
        }
    }
}

impl Draft {
    pub(super) fn check_room(&self) -> Option<()> {
        (self.wallet.grants.len() < MAX_GRANTS).then_some(())
    }

    fn grant(&mut self, grant: &Grant) -> Result<(), GrantError> {
        if grant.amount.is_zero() || grant.is_expired_at(grant.effective_at) {
            return Err(GrantError::TermsInvalid);
        }
        self.check_room().ok_or(GrantError::TooManyGrants)?;
        self.record(
            self.now,
            Event::Granted {
                grant: grant.clone(),
            },
        )?;
        Ok(())
    }
}
