//! A bank transfer as it stands on a statement: its facts, checked and in one form.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::credit::Cause;
use crate::digest::read_digest;
use crate::id::AccountId;
use crate::money::Money;
use crate::problem::{Code, Explained};

/// The most characters of a bank's reference.
const MAX_REFERENCE: usize = 64;

/// The most characters of a payer's name or of a proof's address.
const MAX_TEXT: usize = 500;

/// An identifier of a transaction or an account at a bank: 1 to 64 printable ASCII characters.
/// Spaces are removed and letters are in upper case, so that a transfer is not counted twice
/// because an account was typed in another way.
///
/// ```
/// use bailiwick::bank_transfer::{BankReference, TransferError};
///
/// let typed: Result<BankReference, TransferError> = "de02 1203 0000".parse();
/// assert_eq!(typed.map(String::from), Ok("DE0212030000".to_owned()));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BankReference(Arc<str>);

impl BankReference {
    /// Returns the reference in its one form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BankReference {
    type Err = TransferError;

    fn from_str(text: &str) -> Result<Self, TransferError> {
        // Statements print an account in groups of four.
        let text: String = text.split(' ').collect();
        if text.is_empty()
            || text.len() > MAX_REFERENCE
            || !text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(TransferError::Reference);
        }

        Ok(Self(text.to_ascii_uppercase().into()))
    }
}

impl TryFrom<String> for BankReference {
    type Error = TransferError;

    fn try_from(text: String) -> Result<Self, TransferError> {
        text.parse()
    }
}

impl From<BankReference> for String {
    fn from(reference: BankReference) -> Self {
        reference.0.as_ref().to_owned()
    }
}

impl fmt::Display for BankReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BankReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BankReference({self})")
    }
}

/// The fact of a claim or a transfer that is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A bank's reference is malformed.
    #[error("the bank's reference must have 1 to {MAX_REFERENCE} printable ASCII characters")]
    Reference,
    /// The payer's name is empty, too long, or holds a control character.
    #[error("the payer's name must have 1 to {MAX_TEXT} characters, and no control characters")]
    Payer,
    /// The proof is neither an address nor a digest.
    #[error(
        "the proof must be an https address of at most {MAX_TEXT} characters, or a SHA-256 digest of 64 lower-case hexadecimal digits"
    )]
    Proof,
}

impl Explained for TransferError {
    fn code(&self) -> Code {
        Code::TransferInvalid
    }
}

/// A bank transfer as it stands on the statement of the receiving account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TransferText", into = "TransferText")]
pub struct BankTransfer {
    receiving_account: BankReference,
    transaction: BankReference,
    amount: Money,
    payer: String,
    proof: String,
}

impl BankTransfer {
    /// Checks the facts of a transfer: the account that received it, the bank's identifier of it,
    /// the amount, the payer, and the proof. The proof is an https address, or the SHA-256 digest
    /// of a document in 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`TransferError::Payer`], then [`TransferError::Proof`].
    pub fn new(
        receiving_account: BankReference,
        transaction: BankReference,
        amount: Money,
        payer: &str,
        proof: &str,
    ) -> Result<Self, TransferError> {
        let payer = checked_payer(payer)?;
        let proof = checked_proof(proof)?;

        Ok(Self {
            receiving_account,
            transaction,
            amount,
            payer,
            proof,
        })
    }

    /// Returns whether both are the same transfer with the same amount, whatever their payers and
    /// proofs.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        // Two operators may write a payer's name in two ways, and link two proofs.
        self.receiving_account == other.receiving_account
            && self.transaction == other.transaction
            && self.amount == other.amount
    }

    /// Returns its name among the payments of a subscription. The lengths in it keep two pairs of
    /// references from sharing one.
    pub(super) fn payment(&self) -> String {
        let receiver = self.receiving_account.as_str();
        let transaction = self.transaction.as_str();

        format!(
            "transfer/{}/{receiver}/{}/{transaction}",
            receiver.len(),
            transaction.len()
        )
    }

    /// Names the cause of the credits that it brings without a subscription.
    pub(super) fn cause(&self, account: &AccountId) -> Cause {
        Cause::bank_transfer(
            account,
            self.receiving_account.as_str(),
            self.transaction.as_str(),
        )
    }

    /// Returns the account of the service that received the money.
    pub fn receiving_account(&self) -> &BankReference {
        &self.receiving_account
    }

    /// Returns the bank's identifier of the transaction. With the receiving account it is unique
    /// over all tenants.
    pub fn transaction(&self) -> &BankReference {
        &self.transaction
    }

    /// Returns the amount that arrived.
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// Returns the payer's name.
    pub fn payer(&self) -> &str {
        &self.payer
    }

    /// Returns the proof that the money arrived.
    pub fn proof(&self) -> &str {
        &self.proof
    }
}

/// Returns a payer's name without the space around it, if it is sound.
pub(super) fn checked_payer(payer: &str) -> Result<String, TransferError> {
    let payer = payer.trim();
    let is_sound =
        !payer.is_empty() && payer.chars().count() <= MAX_TEXT && !payer.contains(char::is_control);

    if is_sound {
        Ok(payer.to_owned())
    } else {
        Err(TransferError::Payer)
    }
}

/// Returns a proof, if it is an https address or a SHA-256 digest.
pub(super) fn checked_proof(proof: &str) -> Result<String, TransferError> {
    let is_digest = read_digest(proof).is_some();
    let is_address = proof.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty()
            && proof.len() <= MAX_TEXT
            && rest.bytes().all(|byte| byte.is_ascii_graphic())
    });

    if is_digest || is_address {
        Ok(proof.to_owned())
    } else {
        Err(TransferError::Proof)
    }
}

/// The stored form of a transfer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferText {
    receiving_account: BankReference,
    transaction: BankReference,
    amount: Money,
    payer: String,
    proof: String,
}

impl TryFrom<TransferText> for BankTransfer {
    type Error = TransferError;

    fn try_from(text: TransferText) -> Result<Self, TransferError> {
        Self::new(
            text.receiving_account,
            text.transaction,
            text.amount,
            &text.payer,
            &text.proof,
        )
    }
}

impl From<BankTransfer> for TransferText {
    fn from(transfer: BankTransfer) -> Self {
        // Without `..`, a new field cannot be left unstored.
        let BankTransfer {
            receiving_account,
            transaction,
            amount,
            payer,
            proof,
        } = transfer;

        Self {
            receiving_account,
            transaction,
            amount,
            payer,
            proof,
        }
    }
}
