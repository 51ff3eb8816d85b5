//! The commands that give credits and take them back: grants, refunds, revocations. Each is carried out once, by a key of
//! its own.

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::draft::Draft;
use super::grant::{Cause, CauseKind, Grant, GrantTerms};
use super::ledger::Event;
use super::outcome::{Intent, Life, Outcome, OutcomeWrite, Revocation, State};
use super::wallet::{Wallet, WalletError};
use super::{Answer, Change};
use crate::gate::{Denial, Operator};
use crate::money::Credits;
use crate::policy::Policy;
use crate::privilege::Privilege;
use crate::problem::{Code, Explained};

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
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for GrantError {
    fn code(&self) -> Code {
        match self {
            Self::TermsInvalid => Code::GrantInvalid,
            Self::KeyReused => Code::KeyReused,
            Self::Wallet(error) => error.code(),
        }
    }
}

/// Why a charge cannot be given back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefundError {
    /// The outcome is not that of a settlement or a deduction.
    #[error("only what was settled can be given back")]
    NotSettled,
    /// All refunds together would be more than the charge.
    #[error("{total} credits are more than the {charged} that were charged")]
    ExceedsCharge {
        /// What all refunds would come to.
        total: Credits,
        /// What was charged.
        charged: Credits,
    },
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for RefundError {
    fn code(&self) -> Code {
        match self {
            Self::NotSettled => Code::RefundInvalid,
            Self::ExceedsCharge { .. } => Code::RefundInvalid,
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
    /// The operator belongs to the account.
    #[error("an operator cannot change the credits of an account of their own")]
    OwnAccount,
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
            Self::OwnAccount => Code::OwnAccount,
            Self::NothingLeft => Code::NotFound,
            Self::Wallet(error) => error.code(),
        }
    }
}

impl Wallet {
    /// Adds credits that are due for a cause, once for each cause.
    ///
    /// The credits of a month are due up to the greatest amount that was asked for it: a larger plan in mid-month adds the
    /// difference, a smaller one takes nothing and the larger one again adds nothing.
    ///
    /// `prior` is the stored outcome of [`Cause::key`], read after the wallet in the same transaction.
    ///
    /// # Errors
    /// [`GrantError::TermsInvalid`], [`GrantError::KeyReused`], [`GrantError::Wallet`].
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
        let intent = Intent::Grant { cause: cause.kind, amount: terms.amount, priority: terms.priority };
        if let Some(prior) = prior {
            prior.check(self.account(), cause.key())?;
            let State::Granted(granted) = &prior.state else { return Err(WalletError::Mismatch.into()) };
            let is_due = cause.kind == CauseKind::Period && prior.intent.is_of_grant(cause.kind, terms.priority);
            return match terms.amount.checked_sub(granted.amount).filter(|more| is_due && !more.is_zero()) {
                Some(more) => self.raise(granted, more, terms.amount, intent, prior, now),
                None if is_due || prior.intent == intent => Ok(Answer::Replayed(granted.clone())),
                None => Err(GrantError::KeyReused),
            };
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
            adds_to: None,
        };
        draft.grant(&grant)?;
        let account = draft.wallet.account().clone();
        let outcome = Outcome { account, key: cause.key().to_owned(), intent, state: State::Granted(grant.clone()) };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Insert(outcome)), grant)?))
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
        let grant = Grant {
            id: format!("{}/to/{}", granted.id, total.micros()).into(),
            amount: more,
            effective_at: granted.effective_at.max(draft.now),
            rollover: None,
            adds_to: Some(granted.id.clone()),
            ..granted.clone()
        };
        draft.grant(&grant)?;
        let state = State::Granted(Grant { amount: total, ..granted.clone() });
        let outcome = Outcome { intent, state, ..prior.clone() };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Update(outcome)), grant)?))
    }

    /// Gives back what was charged, or a part of it. `total` is what all refunds of this charge come to, so a repeated
    /// refund adds nothing, and they never add up to more than the charge. What is given back is a new grant, which
    /// repays debt first; it lives as long as the longest of the credits that had paid, and at least for the policy's
    /// `refund_life_seconds`. What was spent stays spent.
    ///
    /// `settled` is the stored outcome of [`Outcome::spend_key`], read after the wallet in the same transaction.
    ///
    /// # Errors
    /// [`RefundError::NotSettled`], [`RefundError::ExceedsCharge`], [`RefundError::Wallet`].
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
        let State::Settled { receipt, paid_with, refunded } = &settled.state else {
            return Err(RefundError::NotSettled);
        };
        if total > receipt.charged {
            return Err(RefundError::ExceedsCharge { total, charged: receipt.charged });
        }
        let Some(amount) = total.checked_sub(*refunded).filter(|amount| !amount.is_zero()) else {
            return Ok(Answer::Replayed(*refunded));
        };
        let mut draft = Draft::begin(self, now)?;
        let life = TimeDelta::try_seconds(policy.credit.refund_life_seconds.into());
        let least = life.and_then(|life| draft.now.checked_add_signed(life));
        let expires_at = match paid_with {
            Life::Forever => None,
            Life::Until(end) => least.map(|least| least.max(*end)),
            Life::None => least,
        };
        let grant = Grant {
            id: format!("{}/refund/{}", settled.key, total.micros()).into(),
            cause: CauseKind::Refund,
            amount,
            priority: GrantTerms::PRIORITY,
            effective_at: draft.now,
            // A policy of no time at all still lets debt be repaid.
            expires_at: expires_at.map(|end| end.max(draft.now.checked_add_signed(TINY).unwrap_or(end))),
            rollover: None,
            adds_to: None,
        };
        draft.record(draft.now, Event::Granted { grant: grant.clone() })?;
        let state = State::Settled { receipt: receipt.clone(), paid_with: *paid_with, refunded: total };
        let outcome = Outcome { state, ..settled.clone() };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Update(outcome)), grant)?))
    }

    /// Takes back what is left of a grant: what is free or scheduled of it now, and what open holds pin of it when they
    /// return it, even if the grant has expired by then. What was spent of it stays spent, and no debt comes of it: the
    /// wallet never goes below zero by a revocation. The operator was admitted under [`Privilege::GrantCredits`].
    ///
    /// `prior` is the stored outcome of [`Outcome::revoke_key`], read after the wallet in the same transaction.
    ///
    /// # Errors
    /// In this order: [`RevokeError::Denied`], [`RevokeError::OwnAccount`], [`RevokeError::NothingLeft`],
    /// [`RevokeError::Wallet`].
    pub fn revoke(
        self,
        operator: &Operator,
        grant: &str,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Revocation>, Revocation>, RevokeError> {
        operator.check(Privilege::GrantCredits)?;
        if operator.account() == self.account() {
            return Err(RevokeError::OwnAccount);
        }
        let key = Outcome::revoke_key(grant);
        if let Some(prior) = prior {
            prior.check(self.account(), &key)?;
            let State::Revoked(revocation) = &prior.state else { return Err(WalletError::Mismatch.into()) };
            return Ok(Answer::Replayed(revocation.clone()));
        }
        let mut draft = Draft::begin(self, now)?;
        let (id, revoked, pinned) = draft.wallet.left_of(grant).ok_or(RevokeError::NothingLeft)?;
        draft.record(draft.now, Event::Revoked { grant: id.clone(), amount: revoked })?;
        let revocation = Revocation { grant: id, revoked, pinned };
        let account = draft.wallet.account().clone();
        let outcome = Outcome { account, key, intent: Intent::Revoke, state: State::Revoked(revocation.clone()) };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Insert(outcome)), revocation)?))
    }

    /// Adds credits for ever, within a change set that happens once by a key of its own. Without any credits, the wallet
    /// only advances.
    pub(crate) fn top_up(self, cause: &Cause, credits: Credits, now: DateTime<Utc>) -> Result<Change, GrantError> {
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
    fn grant(&mut self, grant: &Grant) -> Result<(), GrantError> {
        if grant.amount.is_zero() || grant.is_expired_at(grant.effective_at) {
            return Err(GrantError::TermsInvalid);
        }
        self.record(self.now, Event::Granted { grant: grant.clone() })?;
        Ok(())
    }
}
