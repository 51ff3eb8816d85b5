//! The commands that spend: check, hold, deduct. Each is one pure function to a [`Change`] and
//! knows its own key, so that it is carried out once. A refusal changes nothing and does not burn
//! the key.

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::hold::{Hold, HoldRecord};
use super::key::IdempotencyKey;
use super::life::Life;
use super::outcome::{Outcome, OutcomeWrite, Pending, Receipt, Replayed, State};
use super::price::Quote;
use super::request::{DeductRequest, HoldRequest};
use super::settlement::SettleError;
use super::wallet::Wallet;
use crate::change::Answer;
use crate::gate::Access;
use crate::money::Credits;
use crate::problem::{Code, Explained};

/// The longest that a hold may last.
const MAX_HOLD_DAYS: i64 = 366;

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
        /// When there is enough by time alone, because scheduled credits take effect or holds run
        /// out.
        covered_at: Option<DateTime<Utc>>,
    },
    /// The wallet has as many open holds as the policy allows.
    #[error("{open} holds are open already, which is the most that the policy allows")]
    TooManyHolds {
        /// How many are open.
        open: usize,
    },
    /// The time to live is not sound.
    #[error("a hold lasts more than no time and at most {MAX_HOLD_DAYS} days")]
    TimeInvalid,
    /// The key was used for another request.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// The wallet itself refuses.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

fn mention_debt(debt: Credits) -> String {
    if debt.is_zero() {
        String::new()
    } else {
        format!(", with a debt of {debt} to repay first")
    }
}

fn mention(covered_at: Option<DateTime<Utc>>) -> String {
    covered_at.map_or_else(String::new, |at| {
        format!(
            "; enough will be there at {}",
            at.format("%Y-%m-%dT%H:%M:%SZ")
        )
    })
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

impl Wallet {
    /// Whether an operation can be paid for at `now`, changing nothing: what is left after it, or
    /// why not.
    pub fn check(
        &self,
        access: &Access,
        quote: &Quote,
        now: DateTime<Utc>,
    ) -> Result<Credits, HoldError> {
        self.check_access(access, now)?;
        let wallet = Draft::begin(self.clone(), now)?.wallet;
        wallet.check_balance(quote)?;
        Ok(wallet.balance().free.saturating_sub(quote.price()))
    }

    /// Sets credits aside for one expensive call. A fresh [`Hold`] is the only thing that may run
    /// the call; a repeated request is told what became of the first.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`], read after the wallet in the same
    /// transaction.
    pub fn hold(
        self,
        access: &Access,
        request: &HoldRequest,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Hold>, Replayed>, HoldError> {
        self.check_access(access, now)?;
        let intent = request.intent();
        let key = Outcome::spend_key(&request.key);
        if let Some(prior) = prior {
            prior.check(self.account(), &key)?;
            if prior.intent != intent {
                return Err(HoldError::KeyReused);
            }
            return Ok(Answer::Replayed(match &prior.state {
                State::Settled { receipt, .. } => Replayed::Settled(receipt.clone()),
                State::Released(ended) => Replayed::Released { drawn: ended.drawn },
                // Not by the wallet, which may have been read before this outcome was written.
                State::Pending(pending) if now.max(self.as_of()) < pending.expires_at => {
                    Replayed::Pending
                }
                State::Pending(pending) => Replayed::Expired {
                    drawn: pending.drawn,
                },
                State::Granted(_) | State::Revoked(_) => return Err(WalletError::Mismatch.into()),
            }));
        }
        let mut draft = Draft::begin(self, now)?;
        let expires_at = Some(request.time_to_live)
            .filter(|life| {
                *life > TimeDelta::zero() && Some(*life) <= TimeDelta::try_days(MAX_HOLD_DAYS)
            })
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
            refunded: Credits::ZERO,
            expires_at,
            late: access.credit.late_settle,
            late_until: grace
                .and_then(|grace| expires_at.checked_add_signed(grace))
                .unwrap_or(expires_at),
        });
        let outcome = Outcome {
            account: access.account.clone(),
            key,
            intent,
            state,
        };
        Ok(Answer::Fresh(
            draft.finish(Some(OutcomeWrite::Insert(outcome)), hold)?,
        ))
    }

    /// Charges at once, for what needs no expensive call: hold and settle in one change. Repeated,
    /// it answers with the same receipt.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`], read after the wallet in the same
    /// transaction.
    pub fn deduct(
        self,
        access: &Access,
        request: &DeductRequest,
        prior: Option<&Outcome>,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Receipt>, Receipt>, HoldError> {
        self.check_access(access, now)?;
        let DeductRequest { key, quote, .. } = request;
        let intent = request.intent();
        let outcome_key = Outcome::spend_key(key);
        if let Some(prior) = prior {
            prior.check(self.account(), &outcome_key)?;
            return match &prior.state {
                State::Settled { receipt, .. } if prior.intent == intent => {
                    Ok(Answer::Replayed(receipt.clone()))
                }
                _ => Err(HoldError::KeyReused),
            };
        }
        let mut draft = Draft::begin(self, now)?;
        let record = draft.hold(access, key.clone(), quote, DateTime::<Utc>::MAX_UTC)?;
        let (receipt, paid_with) =
            draft
                .settle(&record, quote.price())
                .map_err(|error| match error {
                    SettleError::Wallet(error) => error,
                    _ => WalletError::Inexact,
                })?;
        let state = State::Settled {
            receipt: receipt.clone(),
            paid_with,
            refunded: Credits::ZERO,
        };
        let outcome = Outcome {
            account: access.account.clone(),
            key: outcome_key,
            intent,
            state,
        };
        Ok(Answer::Fresh(
            draft.finish(Some(OutcomeWrite::Insert(outcome)), receipt)?,
        ))
    }

    /// Whether an advanced wallet covers a quote; else what is missing, and when it comes.
    fn check_balance(&self, quote: &Quote) -> Result<(), HoldError> {
        let (needed, balance) = (quote.price(), self.balance());
        if balance.covers(needed) {
            return Ok(());
        }
        let covered_at = self.covered_at(needed, self.as_of())?;
        Err(HoldError::Insufficient {
            needed,
            available: balance.available(),
            debt: balance.debt,
            covered_at,
        })
    }

    fn check_access(&self, access: &Access, now: DateTime<Utc>) -> Result<(), HoldError> {
        if access.account != *self.account() {
            return Err(WalletError::Mismatch.into());
        }
        // The store's time counts where it is ahead of the caller's.
        if access.is_valid_at(now.max(self.as_of())) {
            Ok(())
        } else {
            Err(HoldError::AccessExpired)
        }
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
}
