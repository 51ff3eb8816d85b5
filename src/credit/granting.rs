//! The commands that give credits and take them back: grants, refunds, revocations. Each is carried
//! out once, by a key of its own.

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::Change;
use super::draft::Draft;
use super::grant::{Cause, CauseKind, Grant, GrantTerms};
use super::ledger::Event;
use super::outcome::{Intent, Life, Outcome, OutcomeWrite, Revocation, State};
use super::wallet::{Wallet, WalletError};
use crate::change::Answer;
use crate::gate::{Denial, Operator};
use crate::money::Credits;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::right::Privilege;

/// The most grants that a wallet holds at once: every command looks at all of them, so nobody may
/// grow them without end.
const MAX_GRANTS: usize = 4096;

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

/// Why a charge cannot be given back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefundError {
    /// The outcome is not that of a charge, or its hold is still open.
    #[error("only what was charged can be given back, once its hold has ended")]
    NotSettled,
    /// All refunds together would be more than the charge.
    #[error("{total} credits are more than the {charged} that were charged")]
    ExceedsCharge {
        /// What all refunds would come to.
        total: Credits,
        /// What was charged.
        charged: Credits,
    },
    /// The wallet has as many grants as it can hold.
    #[error("the wallet has {MAX_GRANTS} grants, which is the most that it can hold")]
    TooManyGrants,
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for RefundError {
    fn code(&self) -> Code {
        match self {
            Self::NotSettled | Self::ExceedsCharge { .. } => Code::RefundInvalid,
            Self::TooManyGrants => Code::TooManyGrants,
            Self::Wallet(error) => error.code(),
        }
    }
}

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

    /// Gives back what was charged by a settlement, a deduction, or the draws on a hold that has
    /// ended; or a part of it. `total` is what all refunds of this charge come to, so a repeated
    /// refund adds nothing, and they never add up to more than the charge. What is given back is a
    /// new grant, which repays debt first; it lives as long as the longest of the credits that had
    /// paid, and at least for the policy's `refund_life_seconds`. What was spent stays spent.
    ///
    /// `settled` is the stored outcome of [`Outcome::spend_key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// [`RefundError::NotSettled`], [`RefundError::ExceedsCharge`], [`RefundError::TooManyGrants`],
    /// [`RefundError::Wallet`].
    pub fn refund(
        self,
        policy: &Policy,
        total: Credits,
        settled: &Outcome,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Grant>, Credits>, RefundError> {
        if settled.account != *self.account() {
            return Err(WalletError::Mismatch.into());
        }
        let mut draft = Draft::begin(self, now)?;
        let (charged, paid_with, refunded) = match &settled.state {
            State::Settled {
                receipt,
                paid_with,
                refunded,
            } => (receipt.charged, *paid_with, *refunded),
            State::Released(ended) => (ended.drawn, ended.paid_with, ended.refunded),
            State::Pending(ended) if !draft.wallet.is_open(&settled.key) => {
                (ended.drawn, ended.paid_with, ended.refunded)
            }
            _ => return Err(RefundError::NotSettled),
        };
        if total > charged {
            return Err(RefundError::ExceedsCharge { total, charged });
        }
        let Some(amount) = total
            .checked_sub(refunded)
            .filter(|amount| !amount.is_zero())
        else {
            return Ok(Answer::Replayed(refunded));
        };
        let life = TimeDelta::try_seconds(policy.credit.refund_life_seconds.into());
        let least = life.and_then(|life| draft.now.checked_add_signed(life));
        let expires_at = match paid_with {
            Life::Forever => None,
            Life::Until(end) => least.map(|least| least.max(end)),
            Life::None => least,
        };
        let grant = Grant {
            id: format!("{} refund {}", settled.key, total.micros()).into(),
            cause: CauseKind::Refund,
            amount,
            priority: GrantTerms::PRIORITY,
            effective_at: draft.now,
            // A policy of no time at all still lets debt be repaid.
            expires_at: expires_at
                .map(|end| end.max(draft.now.checked_add_signed(TINY).unwrap_or(end))),
            rollover: None,
            raises: None,
        };
        draft.check_room().ok_or(RefundError::TooManyGrants)?;
        draft.record(
            draft.now,
            Event::Granted {
                grant: grant.clone(),
            },
        )?;
        let mut state = settled.state.clone();
        match &mut state {
            State::Settled { refunded, .. } => *refunded = total,
            State::Released(ended) | State::Pending(ended) => ended.refunded = total,
            State::Granted(_) | State::Revoked(_) => return Err(RefundError::NotSettled),
        }
        let outcome = Outcome {
            state,
            ..settled.clone()
        };
        Ok(Answer::Fresh(
            draft.finish(Some(OutcomeWrite::Update(outcome)), grant)?,
        ))
    }

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

/// The shortest time there is for a grant to live.
const TINY: TimeDelta = TimeDelta::nanoseconds(1);

impl Draft {
    fn check_room(&self) -> Option<()> {
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
