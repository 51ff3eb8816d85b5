//! The commands that spend. Each is one pure function to a [`Change`] and knows its own key, so that it is carried out
//! once. A refusal changes nothing and does not burn the key.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::balance::Balance;
use super::draft::Draft;
use super::hold::{Hold, HoldRecord};
use super::ledger::Event;
use super::outcome::{Ended, IdempotencyKey, Intent, Life, Outcome, OutcomeWrite, Pending, Receipt, Replayed, State};
use super::price::Quote;
use super::wallet::{Wallet, WalletError};
use super::{Answer, Change};
use crate::gate::Access;
use crate::money::Credits;
use crate::policy::{LateSettle, Overage};
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
    #[error("this needs {needed} credits, and {available} are available{}{}", mention_debt(*.debt), mention(*.covered_at))]
    Insufficient {
        /// What it would cost.
        needed: Credits,
        /// What there is.
        available: Credits,
        /// What must be repaid first.
        debt: Credits,
        /// When there is enough by time alone, because scheduled credits take effect or holds run out.
        covered_at: Option<DateTime<Utc>>,
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

fn mention(covered_at: Option<DateTime<Utc>>) -> String {
    covered_at.map_or_else(String::new, |at| format!("; enough will be there at {}", at.format("%Y-%m-%dT%H:%M:%SZ")))
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
    /// The total is less than what was drawn already; what was drawn is spent.
    #[error("the total is {total} credits, and {drawn} were drawn already")]
    LessThanDrawn {
        /// The total that was stated.
        total: Credits,
        /// What was drawn.
        drawn: Credits,
    },
    /// The hold has expired, and what the late settlement may charge does not cover the cost.
    #[error("the hold expired, and {available} credits are available for a cost of {cost}")]
    LateInsufficient {
        /// What there is to be charged.
        cost: Credits,
        /// What is available.
        available: Credits,
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
            Self::LessThanDrawn { .. } => Code::LessThanDrawn,
            Self::LateInsufficient { .. } => Code::CreditsInsufficient,
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

impl Wallet {
    /// Whether an operation can be paid for at `now`, changing nothing: what is left after it, or why not.
    pub fn check(&self, access: &Access, quote: &Quote, now: DateTime<Utc>) -> Result<Credits, HoldError> {
        self.check_access(access, now)?;
        let wallet = Draft::begin(self.clone(), now)?.wallet;
        wallet.check_balance(quote)?;
        Ok(wallet.balance().free.saturating_sub(quote.price()))
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
            prior.check(self.account(), &key)?;
            if prior.intent != intent {
                return Err(HoldError::KeyReused);
            }
            return Ok(Answer::Replayed(match &prior.state {
                State::Settled { receipt, .. } => Replayed::Settled(receipt.clone()),
                State::Released => Replayed::Released,
                // Not by the wallet, which may have been read before this outcome was written.
                State::Pending(pending) if now.max(self.as_of()) < pending.expires_at => Replayed::Pending,
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
        let grace = TimeDelta::try_seconds(access.credit.late_settle_seconds.into());
        let state = State::Pending(Pending {
            operation: request.quote.operation_name().clone(),
            drawn: Credits::ZERO,
            paid_with: Life::None,
            expires_at,
            late: access.credit.late_settle,
            late_until: grace.and_then(|grace| expires_at.checked_add_signed(grace)).unwrap_or(expires_at),
        });
        let outcome = Outcome { account: access.account.clone(), key, intent, state };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Insert(outcome)), hold)?))
    }

    /// Charges a part of a hold while the call goes on, as a stream does: `total` is what all draws together come to, so a
    /// repeated draw adds nothing. The hold stays open. A refused draw is the host's sign to abort the call.
    ///
    /// `prior` is the same as for [`settle`](Self::settle).
    ///
    /// # Errors
    /// [`SettleError::CostExceedsHold`] beyond the hold, whatever the overage policy; that is for the settlement.
    pub fn draw(
        self,
        hold: &Hold,
        total: Credits,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Credits>, Credits>, SettleError> {
        let prior = self.prior_of_hold(hold, prior)?;
        let pending = pending(prior)?;
        let mut draft = Draft::begin(self, now)?;
        let record = draft.wallet.open_hold(&hold.key).cloned().ok_or(SettleError::Expired)?;
        let Some(amount) = total.checked_sub(record.drawn).filter(|amount| !amount.is_zero()) else {
            return Ok(Answer::Replayed(record.drawn));
        };
        if total > record.amount {
            return Err(SettleError::CostExceedsHold { cost: total, held: record.amount });
        }
        let paid_with = pending.paid_with.max(draft.wallet.life_of(&record.slices, amount));
        draft.record(draft.now, Event::Drawn { hold: hold.key.clone(), amount })?;
        let state = State::Pending(Pending { drawn: total, paid_with, ..pending.clone() });
        let outcome = Outcome { state, ..prior.clone() };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Update(outcome)), total)?))
    }

    /// Charges what the call really cost, draws included, and gives the rest back. Repeated with the same cost, it
    /// answers with the same receipt.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`] of the hold's key, read after the wallet in the same
    /// transaction; without it the answer is [`WalletError::Mismatch`], since a hold that was written has one.
    ///
    /// A cost beyond the hold is refused, unless the overage policy under which the hold was made says otherwise. A hold
    /// that has expired stays so; a settlement that comes late is a new charge, once, if that policy says so too.
    pub fn settle(
        self,
        hold: &Hold,
        cost: Credits,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Receipt>, Receipt>, SettleError> {
        let prior = self.prior_of_hold(hold, prior)?;
        if let State::Settled { receipt, .. } = &prior.state
            && receipt.cost == cost
        {
            return Ok(Answer::Replayed(receipt.clone()));
        }
        let pending = pending(prior)?;
        if cost < pending.drawn {
            return Err(SettleError::LessThanDrawn { total: cost, drawn: pending.drawn });
        }
        let mut draft = Draft::begin(self, now)?;
        let (receipt, paid_with) = match draft.wallet.open_hold(&hold.key).cloned() {
            Some(record) => draft.settle(&record, cost)?,
            None => draft.settle_late(&hold.key, pending, cost)?,
        };
        let state = State::Settled {
            receipt: receipt.clone(),
            paid_with: pending.paid_with.max(paid_with),
            refunded: Credits::ZERO,
        };
        let outcome = Outcome { state, ..prior.clone() };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Update(outcome)), receipt)?))
    }

    /// Gives back all of a hold that was not drawn. A hold that ran out meanwhile gave it back already, and a repeated release does
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
            State::Settled { .. } => return Err(ReleaseError::Settled),
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
            prior.check(self.account(), &outcome_key)?;
            return match &prior.state {
                State::Settled { receipt, .. } if prior.intent == intent => Ok(Answer::Replayed(receipt.clone())),
                _ => Err(HoldError::KeyReused),
            };
        }
        let mut draft = Draft::begin(self, now)?;
        let record = draft.hold(access, key.clone(), quote, DateTime::<Utc>::MAX_UTC)?;
        let (receipt, paid_with) = draft.settle(&record, quote.price()).map_err(|error| match error {
            SettleError::Wallet(error) => error,
            _ => WalletError::Inexact,
        })?;
        let state = State::Settled { receipt: receipt.clone(), paid_with, refunded: Credits::ZERO };
        let outcome = Outcome { account: access.account.clone(), key: outcome_key, intent, state };
        Ok(Answer::Fresh(draft.finish(Some(OutcomeWrite::Insert(outcome)), receipt)?))
    }

    /// Whether an advanced wallet covers a quote; else what is missing, and when it comes.
    fn check_balance(&self, quote: &Quote) -> Result<(), HoldError> {
        let (needed, balance) = (quote.price(), self.balance());
        if balance.covers(needed) {
            return Ok(());
        }
        let covered_at = self.covered_at(needed, self.as_of())?;
        Err(HoldError::Insufficient { needed, available: balance.available(), debt: balance.debt, covered_at })
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
        prior.check(self.account(), &Outcome::spend_key(&hold.key))?;
        if hold.account == *self.account() { Ok(prior) } else { Err(WalletError::Mismatch) }
    }
}

/// What is known of a hold that nobody has ended.
fn pending(prior: &Outcome) -> Result<&Pending, SettleError> {
    match &prior.state {
        State::Pending(pending) => Ok(pending),
        State::Settled { receipt, .. } => Err(SettleError::Settled { cost: receipt.cost }),
        State::Released => Err(SettleError::Released),
        State::Granted(_) | State::Revoked(_) => Err(WalletError::Mismatch.into()),
    }
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
        self.wallet.check_balance(quote)?;
        let hold = HoldRecord {
            key,
            operation: quote.operation_name().clone(),
            amount: quote.price(),
            drawn: Credits::ZERO,
            slices: self.wallet.slices(quote.price()),
            expires_at,
            overage: access.credit.overage,
        };
        self.record(self.now, Event::Held { hold: hold.clone() })?;
        Ok(hold)
    }

    fn settle(&mut self, hold: &HoldRecord, cost: Credits) -> Result<(Receipt, Life), SettleError> {
        let captured = cost.min(hold.amount);
        let excess = cost.saturating_sub(hold.amount);
        let balance = self.wallet.balance();
        let (from_free, debt) = match hold.overage {
            _ if excess.is_zero() => (Credits::ZERO, Credits::ZERO),
            Overage::Cap => (Credits::ZERO, Credits::ZERO),
            Overage::Available => (excess.min(balance.free), Credits::ZERO),
            Overage::Debt(limit) => match beyond(&balance, excess, limit) {
                Some(parts) => parts,
                None => return Err(SettleError::CostExceedsHold { cost, held: hold.amount }),
            },
            Overage::Reject => return Err(SettleError::CostExceedsHold { cost, held: hold.amount }),
        };
        let beyond = self.wallet.slices(from_free);
        let life = (self.wallet.life_of(&hold.slices, captured.saturating_sub(hold.drawn)))
            .max(self.wallet.life_of(&beyond, from_free));
        let receipt = self.receipt(&hold.key, &hold.operation, cost, [captured, from_free, debt])?;
        self.record(self.now, Event::Settled { hold: hold.key.clone(), cost, captured, beyond, debt })?;
        Ok((receipt, life))
    }

    /// A new charge for an operation whose hold has expired, of what was not drawn before.
    fn settle_late(
        &mut self,
        key: &IdempotencyKey,
        pending: &Pending,
        cost: Credits,
    ) -> Result<(Receipt, Life), SettleError> {
        if self.now >= pending.late_until {
            return Err(SettleError::Expired);
        }
        let (due, balance) = (cost.saturating_sub(pending.drawn), self.wallet.balance());
        let (from_free, debt) = match pending.late {
            LateSettle::Refuse => return Err(SettleError::Expired),
            LateSettle::Available => (due.min(balance.free), Credits::ZERO),
            LateSettle::Debt(limit) => match beyond(&balance, due, limit) {
                Some(parts) => parts,
                None => return Err(SettleError::LateInsufficient { cost: due, available: balance.available() }),
            },
        };
        let slices = self.wallet.slices(from_free);
        let life = self.wallet.life_of(&slices, from_free);
        let receipt = self.receipt(key, &pending.operation, cost, [pending.drawn, from_free, debt])?;
        self.record(self.now, Event::SettledLate { hold: key.clone(), cost, slices, debt })?;
        Ok((receipt, life))
    }

    fn receipt(
        &self,
        key: &IdempotencyKey,
        operation: &Arc<str>,
        cost: Credits,
        charged: [Credits; 3],
    ) -> Result<Receipt, WalletError> {
        let charged = charged.into_iter().try_fold(Credits::ZERO, Credits::checked_add);
        let charged = charged.ok_or(WalletError::AmountOverflow)?;
        Ok(Receipt { key: key.clone(), operation: operation.clone(), cost, charged, settled_at: self.now })
    }
}

/// What free credits and a debt within its limit contribute to an amount; `None` if they do not cover it.
fn beyond(balance: &Balance, amount: Credits, limit: Credits) -> Option<(Credits, Credits)> {
    let from_free = amount.min(balance.free);
    let debt = amount.saturating_sub(from_free);
    balance.debt.checked_add(debt).filter(|total| *total <= limit).map(|_| (from_free, debt))
}
