//! Claims: a tenant says that a transfer is on its way, or an operator records that it was said. A
//! claim moves nothing; it is what an operator holds against the bank's statement.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::transfer::{BankReference, BankTransfer, TransferError, checked_payer, checked_proof};
use crate::change::Answer;
use crate::change::RowChange;
use crate::credit::WalletError;
use crate::gate::{BillingAccess, Denial, Operator};
use crate::id::{AccountId, UserId};
use crate::money::Money;
use crate::payment_method::PaymentMethod;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::right::Privilege;

/// The most characters of the reason for a rejection.
const MAX_REASON: usize = 500;

/// What was claimed: the payer's own reference of a transfer, how much, from whom, and a proof.
///
/// ```
/// let claim: bailiwick::bank_transfer::ClaimRequest = serde_json::from_str(r#"{
///     "reference": "inv-7", "amount": { "amount": "49", "currency": "EUR" }, "payer": "Wayne Ltd",
///     "proof": "https://wayne.example/receipts/7"
/// }"#)?;
/// assert_eq!(claim.reference().as_str(), "INV-7");
/// assert!(serde_json::from_str::<bailiwick::bank_transfer::ClaimRequest>(r#"{ "reference": "" }"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ClaimText", into = "ClaimText")]
pub struct ClaimRequest {
    reference: BankReference,
    amount: Money,
    payer: String,
    proof: String,
}

impl ClaimRequest {
    /// Checks a claim's facts; the proof is an https address, or the SHA-256 digest of a document
    /// in 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`TransferError::Payer`], then [`TransferError::Proof`].
    pub fn new(
        reference: BankReference,
        amount: Money,
        payer: &str,
        proof: &str,
    ) -> Result<Self, TransferError> {
        Ok(Self {
            reference,
            amount,
            payer: checked_payer(payer)?,
            proof: checked_proof(proof)?,
        })
    }

    /// The payer's reference, unique within the account, so that nobody can take another's.
    pub fn reference(&self) -> &BankReference {
        &self.reference
    }

    /// How much was sent.
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// Who paid.
    pub fn payer(&self) -> &str {
        &self.payer
    }

    /// The proof that it was sent.
    pub fn proof(&self) -> &str {
        &self.proof
    }
}

/// A claim as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimText {
    reference: BankReference,
    amount: Money,
    payer: String,
    proof: String,
}

impl TryFrom<ClaimText> for ClaimRequest {
    type Error = TransferError;

    fn try_from(text: ClaimText) -> Result<Self, TransferError> {
        Self::new(text.reference, text.amount, &text.payer, &text.proof)
    }
}

impl From<ClaimRequest> for ClaimText {
    fn from(facts: ClaimRequest) -> Self {
        let ClaimRequest {
            reference,
            amount,
            payer,
            proof,
        } = facts;
        Self {
            reference,
            amount,
            payer,
            proof,
        }
    }
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ClaimState {
    /// It waits for an operator.
    Submitted,
    /// The transfer arrived.
    Confirmed {
        /// The account of the service that received it.
        receiving_account: BankReference,
        /// The bank's identifier of it.
        transaction: BankReference,
    },
    /// It was turned down. It may be submitted again, with other facts too.
    Rejected {
        /// Why, for the tenant to read.
        reason: String,
    },
}

/// A claim of an account: a row that is unique by (account, reference).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The account that is to be credited.
    pub account: AccountId,
    /// What was claimed.
    pub facts: ClaimRequest,
    /// The person who submitted it; `None` for an API key.
    pub submitted_by: Option<UserId>,
    /// When it was submitted last.
    pub submitted_at: DateTime<Utc>,
    /// What became of it.
    pub state: ClaimState,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

/// Why a claim is not taken, or not turned down.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The operator lacks the privilege.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Bank transfers, or claims by tenants, are not enabled.
    #[error("payment by bank transfer is coming soon")]
    ComingSoon,
    /// Nothing is claimed.
    #[error("a claim is of more than nothing")]
    Nothing,
    /// The reference was used for a claim with other facts.
    #[error("the reference {0} was used before with other facts")]
    Conflict(BankReference),
    /// The claim was confirmed, so it cannot be turned down.
    #[error("the claim was confirmed already")]
    Confirmed,
    /// The claim was turned down for another reason.
    #[error("the claim was turned down already")]
    Rejected,
    /// A rejection tells the tenant why.
    #[error("a reason has 1 to {MAX_REASON} characters")]
    Reason,
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] WalletError),
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
    /// Takes a tenant's claim. A [`BillingAccess`] is enough, so an account that is locked for its
    /// payment can claim it. The same claim again is the same claim; with other facts, its
    /// reference is taken, unless it was turned down.
    ///
    /// `prior` is the account's claim of the same reference, if there is one. The change is written
    /// under UNIQUE (account, reference); a clash means: load again and ask again.
    ///
    /// # Errors
    /// In this order: [`ClaimError::ComingSoon`], [`ClaimError::Nothing`],
    /// [`ClaimError::Conflict`], [`ClaimError::Row`].
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

    /// Records a claim that a tenant made in another way, by mail say. The operator was admitted
    /// under [`Privilege::ConfirmPayments`] and belongs to another account.
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
    fn open(
        account: &AccountId,
        user: Option<&UserId>,
        facts: ClaimRequest,
        prior: Option<Self>,
        now: DateTime<Utc>,
    ) -> Result<Answer<RowChange<Self>, Self>, ClaimError> {
        if facts.amount.is_zero() {
            return Err(ClaimError::Nothing);
        }
        let expected = match prior {
            Some(prior)
                if prior.account != *account || prior.facts.reference != facts.reference =>
            {
                return Err(WalletError::Mismatch.into());
            }
            Some(Self {
                state: ClaimState::Rejected { .. },
                version,
                ..
            }) => version,
            Some(prior) if prior.facts == facts => return Ok(Answer::Replayed(prior)),
            Some(_) => return Err(ClaimError::Conflict(facts.reference)),
            None => 0,
        };
        let claim = Self {
            account: account.clone(),
            facts,
            submitted_by: user.cloned(),
            submitted_at: now,
            state: ClaimState::Submitted,
            version: expected.checked_add(1).ok_or(WalletError::AmountOverflow)?,
        };
        Ok(Answer::Fresh(RowChange::update(expected, claim)))
    }

    /// Turns a claim down, and tells the tenant why. Repeated, it changes nothing. The operator was
    /// admitted under [`Privilege::ConfirmPayments`] and belongs to another account.
    ///
    /// # Errors
    /// In this order: [`ClaimError::Denied`], [`ClaimError::Reason`], then
    /// [`ClaimError::Rejected`] for another reason, [`ClaimError::Confirmed`].
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
            ClaimState::Submitted => Ok(Answer::Fresh(self.into_state(ClaimState::Rejected {
                reason: reason.to_owned(),
            })?)),
            ClaimState::Rejected { reason: before } if before == reason => {
                Ok(Answer::Replayed(self))
            }
            ClaimState::Rejected { .. } => Err(ClaimError::Rejected),
            ClaimState::Confirmed { .. } => Err(ClaimError::Confirmed),
        }
    }

    /// The transfer that it announced arrived.
    pub(super) fn confirm(self, transfer: &BankTransfer) -> Result<RowChange<Self>, WalletError> {
        let (receiving_account, transaction) = (
            transfer.receiving_account().clone(),
            transfer.transaction().clone(),
        );
        self.into_state(ClaimState::Confirmed {
            receiving_account,
            transaction,
        })
    }

    fn into_state(self, state: ClaimState) -> Result<RowChange<Self>, WalletError> {
        let (expected, next) = (
            self.version,
            self.version
                .checked_add(1)
                .ok_or(WalletError::AmountOverflow)?,
        );
        Ok(RowChange::update(
            expected,
            Self {
                state,
                version: next,
                ..self
            },
        ))
    }
}
