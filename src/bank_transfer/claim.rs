//! Claims: a tenant announces a transfer, or an operator records that it was announced. A claim
//! moves no money: an operator compares it with the bank's statement.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::claim_request::ClaimRequest;
use super::transfer::{BankReference, BankTransfer};
use crate::change::{Answer, RowChange, RowError};
use crate::gate::{BillingAccess, Denial, Operator};
use crate::id::{AccountId, UserId};
use crate::payment_method::PaymentMethod;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::right::Privilege;

/// The most characters of the reason for a rejection.
const MAX_REASON: usize = 500;

/// The state of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum ClaimState {
    /// It waits for an operator.
    Submitted,
    /// The transfer arrived.
    Confirmed {
        /// The account of the service that received it.
        receiving_account: BankReference,
        /// The bank's identifier of it.
        transaction: BankReference,
        /// The day on which it was booked; `None` only in a row of before there were booking dates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        booked_on: Option<NaiveDate>,
    },
    /// An operator turned it down. It may be submitted again, with other facts too.
    Rejected {
        /// The reason, for the tenant to read.
        reason: String,
    },
}

/// A claim of an account: a row that is unique by (account, reference).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Claim {
    /// The account to credit.
    pub account: AccountId,
    /// The facts that were claimed.
    pub facts: ClaimRequest,
    /// The person who submitted it; `None` for an API key.
    pub submitted_by: Option<UserId>,
    /// The latest time at which it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// Its state.
    pub state: ClaimState,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

/// The reason why a claim is not taken, or not turned down.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The operator lacks the privilege, or belongs to the account.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Bank transfers, or claims by tenants, are not enabled.
    #[error("payment by bank transfer is coming soon")]
    ComingSoon,
    /// The claimed amount is zero.
    #[error("the claimed amount must be positive")]
    Nothing,
    /// The reference was used for a claim with other facts.
    #[error("the reference {0} was used before with other facts")]
    Conflict(BankReference),
    /// The claim was confirmed, so it cannot be turned down.
    #[error("the claim was already confirmed")]
    Confirmed,
    /// The claim was turned down for another reason.
    #[error("the claim was already turned down for another reason")]
    Rejected,
    /// The reason for a rejection is empty or too long.
    #[error("the reason for a rejection must have 1 to {MAX_REASON} characters")]
    Reason,
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for ClaimError {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::ComingSoon => Code::PaymentMethodComingSoon,
            Self::Nothing | Self::Reason => Code::TransferInvalid,
            Self::Conflict(_) | Self::Confirmed | Self::Rejected => Code::ClaimConflict,
            Self::Row(error) => error.code(),
        }
    }
}

impl Policy {
    /// Takes a tenant's claim. A [`BillingAccess`] is enough, so an account that is locked until it
    /// pays can claim a payment. The same claim again is answered with the first one. With other
    /// facts its reference counts as taken, unless the earlier claim was turned down.
    ///
    /// `prior` is the account's claim of the same reference, if there is one. The change is written
    /// under UNIQUE (account, reference); a clash means: load again and ask again.
    ///
    /// # Errors
    /// In this order: [`ClaimError::ComingSoon`], [`ClaimError::Nothing`], [`ClaimError::Row`] for
    /// a claim of another account or reference, [`ClaimError::Conflict`], [`ClaimError::Row`] for
    /// an exhausted version.
    pub fn submit_claim(
        &self,
        access: &BillingAccess,
        facts: ClaimRequest,
        prior: Option<Claim>,
        now: DateTime<Utc>,
    ) -> Result<Answer<RowChange<Claim>, Claim>, ClaimError> {
        if !self.takes_claims() {
            return Err(ClaimError::ComingSoon);
        }

        Claim::open(access.account_id(), access.user(), facts, prior, now)
    }

    /// Records a claim that a tenant made in another way, by mail for example. The operator was
    /// admitted under [`Privilege::ConfirmPayments`] and belongs to another account.
    ///
    /// # Errors
    /// [`ClaimError::Denied`], then as [`submit_claim`](Self::submit_claim).
    pub fn record_claim(
        &self,
        operator: &Operator,
        account: &AccountId,
        facts: ClaimRequest,
        prior: Option<Claim>,
        now: DateTime<Utc>,
    ) -> Result<Answer<RowChange<Claim>, Claim>, ClaimError> {
        operator.check_foreign(Privilege::ConfirmPayments, account)?;

        if !self.is_enabled(PaymentMethod::BankTransfer) {
            return Err(ClaimError::ComingSoon);
        }

        Claim::open(account, operator.user(), facts, prior, now)
    }
}

impl Claim {
    /// Submits a claim, for the first time or in the place of one that was turned down.
    fn open(
        account: &AccountId,
        user: Option<&UserId>,
        facts: ClaimRequest,
        prior: Option<Self>,
        now: DateTime<Utc>,
    ) -> Result<Answer<RowChange<Self>, Self>, ClaimError> {
        if facts.amount().is_zero() {
            return Err(ClaimError::Nothing);
        }

        let expected = match prior {
            None => 0,
            Some(prior) => {
                prior.check_key(account, facts.reference())?;

                match prior.state {
                    // A claim that was turned down gives its reference free.
                    ClaimState::Rejected { .. } => prior.version,
                    _ if prior.facts == facts => return Ok(Answer::Replayed(prior)),
                    _ => return Err(ClaimError::Conflict(facts.reference().clone())),
                }
            }
        };

        let claim = RowChange::next(expected, "claim", |version| Self {
            account: account.clone(),
            facts,
            submitted_by: user.cloned(),
            submitted_at: now,
            state: ClaimState::Submitted,
            version,
        })?;
        Ok(Answer::Fresh(claim))
    }

    /// Checks that this is the row of the unique key that the host was to load.
    fn check_key(&self, account: &AccountId, reference: &BankReference) -> Result<(), RowError> {
        let left = "claim";
        if self.account != *account {
            let right = "account";
            return Err(RowError::Mismatch { left, right });
        }
        if self.facts.reference() != reference {
            let right = "reference";
            return Err(RowError::Mismatch { left, right });
        }

        Ok(())
    }

    /// Turns a claim down, and tells the tenant why. Repeated, it changes nothing. The operator was
    /// admitted under [`Privilege::ConfirmPayments`] and belongs to another account.
    ///
    /// # Errors
    /// In this order: [`ClaimError::Denied`], [`ClaimError::Reason`], then by the claim's state
    /// [`ClaimError::Rejected`] for another reason, [`ClaimError::Confirmed`], or
    /// [`ClaimError::Row`] for an exhausted version.
    pub fn reject(
        self,
        operator: &Operator,
        reason: &str,
    ) -> Result<Answer<RowChange<Self>, Self>, ClaimError> {
        operator.check_foreign(Privilege::ConfirmPayments, &self.account)?;

        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > MAX_REASON {
            return Err(ClaimError::Reason);
        }

        match &self.state {
            ClaimState::Submitted => {
                let reason = reason.to_owned();
                let rejected = self.into_state(ClaimState::Rejected { reason })?;
                Ok(Answer::Fresh(rejected))
            }
            ClaimState::Rejected { reason: before } if before == reason => {
                Ok(Answer::Replayed(self))
            }
            ClaimState::Rejected { .. } => Err(ClaimError::Rejected),
            ClaimState::Confirmed { .. } => Err(ClaimError::Confirmed),
        }
    }

    /// Marks the claim as answered by a transfer that arrived.
    pub(super) fn confirm(self, transfer: &BankTransfer) -> Result<RowChange<Self>, RowError> {
        self.into_state(ClaimState::Confirmed {
            receiving_account: transfer.receiving_account().clone(),
            transaction: transfer.transaction().clone(),
            booked_on: transfer.booked_on(),
        })
    }

    /// Returns whether it was answered by a transfer.
    pub(super) fn is_answered_by(&self, transfer: &BankTransfer) -> bool {
        match &self.state {
            ClaimState::Confirmed {
                receiving_account,
                transaction,
                booked_on,
            } => {
                receiving_account == transfer.receiving_account()
                    && transaction == transfer.transaction()
                    && *booked_on == transfer.booked_on()
            }
            ClaimState::Submitted | ClaimState::Rejected { .. } => false,
        }
    }

    /// Lets the claim wait again, since the transfer that answered it never was.
    pub(super) fn reopen(self) -> Result<RowChange<Self>, RowError> {
        self.into_state(ClaimState::Submitted)
    }

    fn into_state(self, state: ClaimState) -> Result<RowChange<Self>, RowError> {
        RowChange::next(self.version, "claim", |version| Self {
            state,
            version,
            ..self
        })
    }
}
