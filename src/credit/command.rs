//! The commands on a wallet. Each is one pure function to a [`Change`] and knows its own key, so that it is carried out
//! once. A refusal changes nothing and does not burn the key.

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::draft::Draft;
use super::grant::{Cause, Grant, GrantTerms};
use super::hold::{Hold, HoldRecord};
use super::ledger::Event;
use super::outcome::{Ended, IdempotencyKey, Intent, Outcome, OutcomeWrite, Receipt, Replayed, State};
use super::price::Quote;
use super::wallet::{Balance, Wallet, WalletError};
use super::{Answer, Change};
use crate::gate::Access;
use crate::money::Credits;
use crate::policy::Overage;
use crate::problem::{Code, Explained};

/// The longest that a hold may last.
const LONGEST_HOLD_DAYS: i64 = 366;

/// What to hold: how much, for what, for how long, under which key.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// The client's name for the request.
    pub key: IdempotencyKey,
    /// What it will cost at most.
    pub quote: Quote,
    /// How long the credits are kept aside: more than nothing, at most 366 days.
    pub time_to_live: TimeDelta,
    /// A digest of what else the request says, such as its body. The same key with another digest is another request.
    pub fingerprint: Option<[u8; 32]>,
}

/// Why credits cannot be held.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HoldError {
    /// The access has run out; the gate must be asked again.
    #[error("the access that was granted has run out")]
    AccessExpired,
    /// There is not enough.
    #[error("this needs {needed} credits, and {available} are available{}", mention_debt(*.debt))]
    Insufficient {
        /// What it would cost.
        needed: Credits,
        /// What there is.
        available: Credits,
        /// What must be repaid first.
        debt: Credits,
    },
    /// The wallet has as many open holds as the policy allows.
    #[error("{open} holds are open already, which is the most that the policy allows")]
    TooManyHolds {
        /// How many are open.
        open: usize,
    },
    /// The time to live is not sound.
    #[error("a hold lasts more than no time and at most {LONGEST_HOLD_DAYS} days")]
    TimeInvalid,
    /// The key was used for another request.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

fn mention_debt(debt: Credits) -> String {
    if debt.is_zero() { String::new() } else { format!(", with a debt of {debt} to repay first") }
}

impl Explained for HoldError {
    fn code(&self) -> Code {
        match self {
            Self::AccessExpired => Code::AccessExpired,
            Self::Insufficient { .. } => Code::CreditsInsufficient,
            Self::TooManyHolds { .. } => Code::TooManyHolds,
            Self::TimeInvalid => Code::HoldTimeInvalid,
            Self::KeyReused => Code::KeyReused,
            Self::Wallet(error) => error.code(),
        }
    }
}

/// Why a deduction is refused: the same reasons as for a hold.
pub type DeductError = HoldError;

/// Why a hold cannot be settled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The cost is more than was held, and the overage policy does not allow it. The hold stays open.
    #[error("the cost is {cost} credits, and {held} were held")]
    CostExceedsHold {
        /// The cost.
        cost: Credits,
        /// What was held.
        held: Credits,
    },
    /// The hold was settled before with another cost.
    #[error("the hold is settled already, with a cost of {cost} credits")]
    Settled {
        /// The cost that it was settled with.
        cost: Credits,
    },
    /// The hold was released.
    #[error("the hold was released")]
    Released,
    /// The hold ran out.
    #[error("the hold expired before it was settled")]
    Expired,
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for SettleError {
    fn code(&self) -> Code {
        match self {
            Self::CostExceedsHold { .. } => Code::CostExceedsHold,
            Self::Settled { .. } => Code::HoldSettled,
            Self::Released => Code::HoldReleased,
            Self::Expired => Code::HoldExpired,
            Self::Wallet(error) => error.code(),
        }
    }
}

/// Why a hold cannot be released.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The hold was settled.
    #[error("the hold is settled already")]
    Settled,
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Explained for ReleaseError {
    fn code(&self) -> Code {
        match self {
            Self::Settled => Code::HoldSettled,
            Self::Wallet(error) => error.code(),
        }
    }
}

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

impl Wallet {
    /// Whether an operation can be paid for at `now`, changing nothing: what is left after it, or why not.
    pub fn check(&self, access: &Access, quote: &Quote, now: DateTime<Utc>) -> Result<Credits, HoldError> {
        self.check_access(access, now)?;
        let balance = self.balance_at(now)?;
        check_balance(&balance, quote)?;
        Ok(balance.free.saturating_sub(quote.price()))
    }

    /// Sets credits aside for one expensive call. A fresh [`Hold`] is the only thing that may run the call; a repeated
    /// request is told what became of the first.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`], read after the wallet in the same transaction.
    pub fn hold(
        self,
        access: &Access,
        request: &HoldRequest,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Hold>, Replayed>, HoldError> {
        self.check_access(access, now)?;
        let intent = Intent::hold(request);
        let key = Outcome::spend_key(&request.key);
        if let Some(prior) = prior {
            check_prior(prior, &self, &key)?;
            if prior.intent != intent {
                return Err(HoldError::KeyReused);
            }
            return Ok(Answer::Replayed(match &prior.state {
                State::Settled(receipt) => Replayed::Settled(receipt.clone()),
                State::Released => Replayed::Released,
                _ if Draft::begin(self, now)?.wallet.open_hold(&request.key).is_some() => Replayed::Pending,
                _ => Replayed::Expired,
            }));
        }
        let mut draft = Draft::begin(self, now)?;
        let expires_at = Some(request.time_to_live)
            .filter(|life| *life > TimeDelta::zero() && Some(*life) <= TimeDelta::try_days(LONGEST_HOLD_DAYS))
            .and_then(|life| draft.now.checked_add_signed(life))
            .ok_or(HoldError::TimeInvalid)?;
        draft.hold(access, request.key.clone(), &request.quote, expires_at)?;
        let hold = Hold {
            account: access.account.clone(),
            key: request.key.clone(),
            amount: request.quote.price(),
            expires_at,
        };
        let outcome = Outcome { account: access.account.clone(), key, intent, state: State::Pending };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Insert(outcome)), hold)?))
    }

    /// Charges what the call really cost and gives the rest back. Repeated with the same cost, it answers with the
    /// same receipt.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`] of the hold's key, read after the wallet in the same
    /// transaction; without it the answer is [`WalletError::Mismatch`], since a hold that was written has one.
    ///
    /// A cost beyond the hold is refused, unless the overage policy under which the hold was made says otherwise.
    pub fn settle(
        self,
        hold: &Hold,
        cost: Credits,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Receipt>, Receipt>, SettleError> {
        let prior = self.prior_of_hold(hold, prior)?;
        match &prior.state {
            State::Settled(receipt) if receipt.cost == cost => return Ok(Answer::Replayed(receipt.clone())),
            State::Settled(receipt) => return Err(SettleError::Settled { cost: receipt.cost }),
            State::Released => return Err(SettleError::Released),
            _ => {}
        }
        let mut draft = Draft::begin(self, now)?;
        let record = draft.wallet.open_hold(&hold.key).cloned().ok_or(SettleError::Expired)?;
        let receipt = draft.settle(&record, cost)?;
        let outcome = Outcome { state: State::Settled(receipt.clone()), ..prior.clone() };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Update(outcome)), receipt)?))
    }

    /// Gives all of a hold back. A hold that ran out meanwhile gave it back already, and a repeated release does
    /// nothing: both are answers, not errors.
    ///
    /// `prior` is the same as for [`settle`](Self::settle).
    pub fn release(
        self,
        hold: &Hold,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Ended>, Ended>, ReleaseError> {
        let prior = self.prior_of_hold(hold, prior)?;
        match &prior.state {
            State::Settled(_) => return Err(ReleaseError::Settled),
            State::Released => return Ok(Answer::Replayed(Ended::Released)),
            _ => {}
        }
        let mut draft = Draft::begin(self, now)?;
        if draft.wallet.open_hold(&hold.key).is_none() {
            return Ok(Answer::Replayed(Ended::Expired));
        }
        draft.record(draft.now, Event::Released { hold: hold.key.clone() })?;
        let outcome = Outcome { state: State::Released, ..prior.clone() };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Update(outcome)), Ended::Released)?))
    }

    /// Charges at once, for what needs no expensive call: hold and settle in one change. Repeated, it answers with the
    /// same receipt.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`], read after the wallet in the same transaction.
    pub fn deduct(
        self,
        access: &Access,
        key: &IdempotencyKey,
        quote: &Quote,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Receipt>, Receipt>, DeductError> {
        self.check_access(access, now)?;
        let intent = Intent::deduct(quote);
        let outcome_key = Outcome::spend_key(key);
        if let Some(prior) = prior {
            check_prior(prior, &self, &outcome_key)?;
            return match &prior.state {
                State::Settled(receipt) if prior.intent == intent => Ok(Answer::Replayed(receipt.clone())),
                _ => Err(HoldError::KeyReused),
            };
        }
        let mut draft = Draft::begin(self, now)?;
        let record = draft.hold(access, key.clone(), quote, DateTime::<Utc>::MAX_UTC)?;
        let receipt = draft.settle(&record, quote.price()).map_err(|error| match error {
            SettleError::Wallet(error) => error,
            _ => WalletError::Inexact,
        })?;
        let state = State::Settled(receipt.clone());
        let outcome = Outcome { account: access.account.clone(), key: outcome_key, intent, state };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Insert(outcome)), receipt)?))
    }

    /// Adds credits that are due for a cause, once for each cause.
    ///
    /// `prior` is the stored outcome of [`Cause::key`], read after the wallet in the same transaction.
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
            check_prior(prior, &self, cause.key())?;
            return match &prior.state {
                State::Granted(grant) if prior.intent == intent => Ok(Answer::Replayed(grant.clone())),
                _ => Err(GrantError::KeyReused),
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
        };
        if grant.amount.is_zero() || grant.is_expired_at(grant.effective_at) {
            return Err(GrantError::TermsInvalid);
        }
        draft.record(draft.now, Event::Granted { grant: grant.clone() })?;
        let account = draft.wallet.account().clone();
        let outcome = Outcome { account, key: cause.key().to_owned(), intent, state: State::Granted(grant.clone()) };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Insert(outcome)), grant)?))
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

    fn check_access(&self, access: &Access, now: DateTime<Utc>) -> Result<(), HoldError> {
        if access.account != *self.account() {
            return Err(WalletError::Mismatch.into());
        }
        // The store's time counts where it is ahead of the caller's.
        if access.is_valid_at(now.max(self.as_of())) { Ok(()) } else { Err(HoldError::AccessExpired) }
    }

    /// The outcome that the hold stored. A hold without one was never written.
    fn prior_of_hold<'a>(&self, hold: &Hold, prior: Option<&'a Outcome>) -> Result<&'a Outcome, WalletError> {
        let prior = prior.ok_or(WalletError::Mismatch)?;
        check_prior(prior, self, &Outcome::spend_key(&hold.key))?;
        if hold.account == *self.account() { Ok(prior) } else { Err(WalletError::Mismatch) }
    }
}

fn check_prior(prior: &Outcome, wallet: &Wallet, key: &str) -> Result<(), WalletError> {
    if prior.account == *wallet.account() && prior.key == key { Ok(()) } else { Err(WalletError::Mismatch) }
}

fn check_balance(balance: &Balance, quote: &Quote) -> Result<(), HoldError> {
    if balance.covers(quote.price()) {
        return Ok(());
    }
    Err(HoldError::Insufficient { needed: quote.price(), available: balance.available(), debt: balance.debt })
}

impl Draft {
    fn hold(
        &mut self,
        access: &Access,
        key: IdempotencyKey,
        quote: &Quote,
        expires_at: DateTime<Utc>,
    ) -> Result<HoldRecord, HoldError> {
        let open = self.wallet.holds().len();
        if open >= usize::from(access.credit.max_open_holds) {
            return Err(HoldError::TooManyHolds { open });
        }
        check_balance(&self.wallet.balance(), quote)?;
        let hold = HoldRecord {
            key,
            operation: quote.operation_name().clone(),
            amount: quote.price(),
            slices: self.wallet.slices(quote.price()),
            expires_at,
            overage: access.credit.overage,
        };
        self.record(self.now, Event::Held { hold: hold.clone() })?;
        Ok(hold)
    }

    fn settle(&mut self, hold: &HoldRecord, cost: Credits) -> Result<Receipt, SettleError> {
        let captured = cost.min(hold.amount);
        let excess = cost.saturating_sub(hold.amount);
        let balance = self.wallet.balance();
        let refused = SettleError::CostExceedsHold { cost, held: hold.amount };
        let (from_free, debt) = match hold.overage {
            _ if excess.is_zero() => (Credits::ZERO, Credits::ZERO),
            Overage::Reject => return Err(refused),
            Overage::Cap => (Credits::ZERO, Credits::ZERO),
            Overage::Available => (excess.min(balance.free), Credits::ZERO),
            Overage::Debt(limit) => {
                let from_free = excess.min(balance.free);
                let debt = excess.saturating_sub(from_free);
                if balance.debt.checked_add(debt).is_none_or(|total| total > limit) {
                    return Err(refused);
                }
                (from_free, debt)
            }
        };
        let charged = [from_free, debt].into_iter().try_fold(captured, Credits::checked_add);
        let receipt = Receipt {
            key: hold.key.clone(),
            operation: hold.operation.clone(),
            cost,
            charged: charged.ok_or(WalletError::AmountOverflow)?,
            settled_at: self.now,
        };
        let beyond = self.wallet.slices(from_free);
        self.record(self.now, Event::Settled { hold: hold.key.clone(), cost, captured, beyond, debt })?;
        Ok(receipt)
    }
}
