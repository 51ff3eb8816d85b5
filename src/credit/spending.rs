//! The commands that spend: check, hold, deduct. Each is one pure function to a [`Change`] and
//! knows its own key, so that it is carried out once. A refusal changes nothing and does not burn
//! the key.

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::hold::{FIRST_ATTEMPT, Hold, HoldRecord};
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

/// The longest time to live of a hold.
const MAX_HOLD_DAYS: i64 = 366;

/// The error of credits that cannot be held or deducted. Nothing was changed, and the key is free
/// to be used again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HoldError {
    /// The access has run out; the gate must be asked again.
    #[error("the access that was granted has run out")]
    AccessExpired,
    /// There are not enough credits.
    #[error("this needs {needed} credits, and {available} are available{}{}", mention_debt(*.debt), mention_time(*.covered_at))]
    Insufficient {
        /// The credits that it would cost.
        needed: Credits,
        /// The credits that are available.
        available: Credits,
        /// The debt that must be repaid first.
        debt: Credits,
        /// The instant at which there is enough by time alone, because scheduled credits take
        /// effect or holds run out.
        covered_at: Option<DateTime<Utc>>,
    },
    /// The wallet has as many open holds as the policy allows.
    #[error("{open} holds are open already, which is the most that the policy allows")]
    TooManyHolds {
        /// The number of open holds.
        open: usize,
    },
    /// The time to live is not positive, or too long.
    #[error("a hold's time to live must be positive and at most {MAX_HOLD_DAYS} days")]
    TimeInvalid,
    /// The key was used for another request.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// The wallet cannot take part.
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

fn mention_time(covered_at: Option<DateTime<Utc>>) -> String {
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
    /// Checks whether an operation can be paid for at `now`, and returns what would be left after
    /// it. Nothing is changed or set aside.
    ///
    /// # Errors
    /// In this order: a [`HoldError::Wallet`] for another account's access,
    /// [`HoldError::AccessExpired`], [`HoldError::Insufficient`].
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
    /// the call; a repeated request is told what became of the first. A hold that was released or
    /// ran out, and charged nothing, frees its key: the same request again holds anew, as the next
    /// attempt, and whoever still has the older hold can no longer draw on it or end it.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// In this order: a [`HoldError::Wallet`] for another account's access,
    /// [`HoldError::AccessExpired`]; for a key that was used before, a [`HoldError::Wallet`] for
    /// another key's outcome, [`HoldError::KeyReused`]; else [`HoldError::TimeInvalid`],
    /// [`HoldError::TooManyHolds`], [`HoldError::Insufficient`].
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
        let mut attempt = FIRST_ATTEMPT;
        // A repeated request is answered even if the credits have run out since.
        if let Some(prior) = prior {
            prior.check(self.account(), &key)?;
            if prior.intent != intent {
                return Err(HoldError::KeyReused);
            }
            if let Some(replayed) = self.replayed_hold(prior, now)? {
                return Ok(Answer::Replayed(replayed));
            }
            attempt = prior.next_attempt()?;
        }

        let mut draft = Draft::begin(self, now)?;
        let expires_at = expiry(request.time_to_live, draft.now).ok_or(HoldError::TimeInvalid)?;
        let name = (request.key.clone(), attempt);
        draft.hold(access, name, &request.quote, expires_at)?;

        let hold = Hold {
            account: access.account.clone(),
            key: request.key.clone(),
            attempt,
            amount: request.quote.price(),
            expires_at,
        };
        // Kept with the hold: a late settlement is judged by the policy of today.
        let grace = TimeDelta::try_seconds(access.credit.late_settle_seconds.into());
        let outcome = Outcome {
            account: access.account.clone(),
            key,
            intent,
            attempt,
            state: State::Pending(Pending {
                operation: request.quote.operation_name().clone(),
                drawn: Credits::ZERO,
                paid_with: Life::None,
                refunded: Credits::ZERO,
                expires_at,
                late: access.credit.late_settle,
                late_until: grace
                    .and_then(|grace| expires_at.checked_add_signed(grace))
                    .unwrap_or(expires_at),
            }),
        };

        let outcome = match prior {
            None => OutcomeWrite::Insert(outcome),
            // The attempt before has a row, and nothing more to say.
            Some(_) => OutcomeWrite::Update(outcome),
        };
        Ok(Answer::Fresh(draft.finish(Some(outcome), hold)?))
    }

    /// Charges at once, for an operation that needs no expensive call: hold and settle in one
    /// change. Repeated, it answers with the same receipt.
    ///
    /// `prior` is the stored outcome of [`Outcome::spend_key`], read after the wallet in the same
    /// transaction.
    ///
    /// # Errors
    /// In this order: a [`HoldError::Wallet`] for another account's access,
    /// [`HoldError::AccessExpired`]; for a key that was used before, a [`HoldError::Wallet`] for
    /// another key's outcome, [`HoldError::KeyReused`]; else [`HoldError::TooManyHolds`],
    /// [`HoldError::Insufficient`].
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
            // A hold under this key is another command, even if it was settled.
            return match &prior.state {
                State::Settled { receipt, .. } if prior.intent == intent => {
                    Ok(Answer::Replayed(receipt.clone()))
                }
                _ => Err(HoldError::KeyReused),
            };
        }

        let mut draft = Draft::begin(self, now)?;
        // The hold ends within this very change, so it never expires.
        let name = (key.clone(), FIRST_ATTEMPT);
        let record = draft.hold(access, name, quote, DateTime::<Utc>::MAX_UTC)?;
        let (receipt, paid_with) =
            draft
                .settle(&record, quote.price())
                .map_err(|error| match error {
                    SettleError::Wallet(error) => error,
                    // A cost that is exactly what is held is within every overage policy.
                    _ => WalletError::inexact("a hold does not cover its own amount"),
                })?;

        let outcome = Outcome {
            account: access.account.clone(),
            key: outcome_key,
            intent,
            attempt: FIRST_ATTEMPT,
            state: State::Settled {
                receipt: receipt.clone(),
                paid_with,
                refunded: Credits::ZERO,
            },
        };

        let outcome = OutcomeWrite::Insert(outcome);
        Ok(Answer::Fresh(draft.finish(Some(outcome), receipt)?))
    }

    /// Tells what became of a hold that was made before; `None` if it ended and charged nothing, so
    /// that its key is free.
    fn replayed_hold(
        &self,
        prior: &Outcome,
        now: DateTime<Utc>,
    ) -> Result<Option<Replayed>, WalletError> {
        let charged = |drawn: Credits| (!drawn.is_zero()).then_some(drawn);

        match &prior.state {
            State::Settled { receipt, .. } => Ok(Some(Replayed::Settled(receipt.clone()))),
            State::Released(ended) => {
                Ok(charged(ended.drawn).map(|drawn| Replayed::Released { drawn }))
            }
            // By the outcome's own time, and not by the wallet, which may have been read before
            // this outcome was written.
            State::Pending(pending) if now.max(self.as_of()) < pending.expires_at => {
                Ok(Some(Replayed::Pending))
            }
            State::Pending(pending) => {
                Ok(charged(pending.drawn).map(|drawn| Replayed::Expired { drawn }))
            }
            State::Granted(_) | State::Revoked(_) => {
                Err(WalletError::mismatch("command", "outcome"))
            }
        }
    }

    /// Checks that an advanced wallet covers a quote.
    fn check_balance(&self, quote: &Quote) -> Result<(), HoldError> {
        let needed = quote.price();
        let balance = self.balance();
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
            return Err(WalletError::mismatch("wallet", "access").into());
        }

        // The store's time counts where it is ahead of the caller's.
        if access.is_valid_at(now.max(self.as_of())) {
            Ok(())
        } else {
            Err(HoldError::AccessExpired)
        }
    }
}

/// Returns the end of a hold that begins now; `None` if its time to live is not allowed.
fn expiry(time_to_live: TimeDelta, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let is_sound = time_to_live > TimeDelta::zero()
        && Some(time_to_live) <= TimeDelta::try_days(MAX_HOLD_DAYS);

    is_sound
        .then(|| now.checked_add_signed(time_to_live))
        .flatten()
}

impl Draft {
    fn hold(
        &mut self,
        access: &Access,
        (key, attempt): (IdempotencyKey, u32),
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
            attempt,
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
