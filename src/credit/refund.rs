//! The command that gives a charge back.

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::change::Change;
use super::draft::Draft;
use super::error::WalletError;
use super::event::Event;
use super::grant::{CauseKind, Grant, GrantTerms};
use super::granting::MAX_GRANTS;
use super::life::Life;
use super::outcome::{Outcome, OutcomeWrite, State};
use super::wallet::Wallet;
use crate::change::Answer;
use crate::money::Credits;
use crate::policy::Policy;
use crate::problem::{Code, Explained};

/// The shortest time there is for a grant to live.
const TINY: TimeDelta = TimeDelta::nanoseconds(1);

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

impl Wallet {
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
}
