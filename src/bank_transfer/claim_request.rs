//! The facts of a claim, checked.

use serde::{Deserialize, Serialize};

use super::transfer::{BankReference, TransferError, checked_payer, checked_proof};
use crate::money::Money;

/// The facts of a claim: the payer's own reference for the transfer, the amount, the payer, and a
/// proof. They are checked when they are read, too.
///
/// ```
/// use bailiwick::bank_transfer::ClaimRequest;
///
/// fn main() -> Result<(), serde_json::Error> {
///     let claim: ClaimRequest = serde_json::from_str(
///         r#"{
///             "reference": "inv-7", "amount": { "amount": "49", "currency": "EUR" },
///             "payer": "Wayne Ltd", "proof": "https://wayne.example/receipts/7"
///         }"#,
///     )?;
///     assert_eq!(claim.reference().as_str(), "INV-7");
///     assert!(serde_json::from_str::<ClaimRequest>(r#"{ "reference": "" }"#).is_err());
///     Ok(())
/// }
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
    /// Checks the facts of a claim. The proof is an https address, or the SHA-256 digest of a
    /// document in 64 lower-case hexadecimal digits.
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

    /// Returns the payer's reference. It is unique within the account, so no account can take
    /// another's.
    pub fn reference(&self) -> &BankReference {
        &self.reference
    }

    /// Returns the amount that was sent.
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// Returns the payer's name.
    pub fn payer(&self) -> &str {
        &self.payer
    }

    /// Returns the proof that the money was sent.
    pub fn proof(&self) -> &str {
        &self.proof
    }
}

/// The stored form of a claim's facts.
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
    fn from(request: ClaimRequest) -> Self {
        // Without `..`, a new field cannot be left unstored.
        let ClaimRequest {
            reference,
            amount,
            payer,
            proof,
        } = request;

        Self {
            reference,
            amount,
            payer,
            proof,
        }
    }
}
