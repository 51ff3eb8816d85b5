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

/// The error of a charge that cannot be given back. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefundError {
    /// The outcome is not that of a charge, or its hold is still open.
    #[error("only a charge can be given back, once its hold has ended")]
    NotSettled,
    /// All refunds together would be more than the charge.
    #[error("{total} credits are more than the {charged} that were charged")]
    ExceedsCharge {
        /// The sum of all refunds.
        total: Credits,
        /// The amount that was charged.
        charged: Credits,
    },
    /// The wallet has as many grants as it can hold.
    #[error("the wallet has {MAX_GRANTS} grants, which is the most that it can hold")]
    TooManyGrants,
    /// The wallet cannot take part.
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

/// The shortest life that a grant can have.
const SHORTEST_LIFE: TimeDelta = TimeDelta::nanoseconds(1);

impl Wallet {
    /// Gives back the charge of a settlement, of a deduction, or of the draws on a hold that has
    /// ended; or a part of it.
    ///
    /// `total` is the sum of all refunds of this charge, so a repeated refund adds nothing, and
    /// together they never exceed the charge. The credits come back as a new grant, which repays
    /// debt first. It lives as long as the longest of the credits that had paid, and at least for
    /// the policy's `refund_life_seconds`. The balance still counts the charge as spent.
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
            return Err(WalletError::mismatch("wallet", "outcome").into());
        }

        // Only an advanced wallet knows whether the hold has run out meanwhile.
        let mut draft = Draft::begin(self, now)?;
        if matches!(settled.state, State::Pending(_)) && draft.wallet.is_open(&settled.key) {
            return Err(RefundError::NotSettled);
        }

        let mut state = settled.state.clone();
        let charge = state.charge_mut().ok_or(RefundError::NotSettled)?;
        if total > charge.charged {
            return Err(RefundError::ExceedsCharge {
                total,
                charged: charge.charged,
            });
        }

        // Requests may arrive out of order: a sum that was reached before adds nothing.
        let amount = total.saturating_sub(*charge.refunded);
        if amount.is_zero() {
            return Ok(Answer::Replayed(*charge.refunded));
        }
        *charge.refunded = total;

        let grant = Grant {
            // No key has a space, so no other grant has this identifier.
            id: format!("{} refund {}", settled.key, total.micros()).into(),
            cause: CauseKind::Refund,
            amount,
            priority: GrantTerms::PRIORITY,
            effective_at: draft.now,
            expires_at: expiry(policy, charge.paid_with, draft.now),
            rollover: None,
            raises: None,
        };
        if !draft.has_room() {
            return Err(RefundError::TooManyGrants);
        }
        draft.record(
            draft.now,
            Event::Granted {
                grant: grant.clone(),
            },
        )?;

        let outcome = Outcome {
            state,
            ..settled.clone()
        };

        let outcome = OutcomeWrite::Update(outcome);
        Ok(Answer::Fresh(draft.finish(Some(outcome), grant)?))
    }
}

/// Returns the end of a refund that is granted now, for credits that would have had this life;
/// `None` for ever.
fn expiry(policy: &Policy, paid_with: Life, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // A date that cannot be written is as good as never.
    let life = TimeDelta::try_seconds(policy.credit.refund_life_seconds.into());
    let least = life.and_then(|life| now.checked_add_signed(life));

    let end = match paid_with {
        Life::Forever => None,
        Life::Until(end) => least.map(|least| least.max(end)),
        Life::None => least,
    };

    // Under a policy of no time at all, the refund still lives long enough to repay debt.
    end.map(|end| end.max(now.checked_add_signed(SHORTEST_LIFE).unwrap_or(end)))
}
