//! A bank transfer as it stands on a statement: its facts, checked and in one form.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize};
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

/// The most days between two booking dates of one identifier at which one of them may be mistyped.
const MAX_SIMILAR_DAYS: u64 = 10;

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
    /// A transfer that is to be confirmed names no booking date.
    #[error("the transfer must name the day on which it was booked")]
    BookingDate,
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
    /// `None` only in a record of before there were booking dates.
    booked_on: Option<NaiveDate>,
    /// Each is near the booking date, so they are few.
    different_from: BTreeSet<NaiveDate>,
    amount: Money,
    payer: String,
    proof: String,
}

impl BankTransfer {
    /// Checks the facts of a transfer: the account that received it, the bank's identifier of it,
    /// the day on which it was booked there, the amount, the payer, and the proof. The proof is an
    /// https address, or the SHA-256 digest of a document in 64 lower-case hexadecimal digits.
    ///
    /// Banks use an identifier again, for each execution of a standing order for example. The
    /// booking date tells them apart.
    ///
    /// # Errors
    /// [`TransferError::Payer`], then [`TransferError::Proof`].
    pub fn new(
        receiving_account: BankReference,
        transaction: BankReference,
        booked_on: NaiveDate,
        amount: Money,
        payer: &str,
        proof: &str,
    ) -> Result<Self, TransferError> {
        TransferText {
            receiving_account,
            transaction,
            booked_on: Some(booked_on),
            different_from: BTreeSet::new(),
            amount,
            payer: payer.to_owned(),
            proof: proof.to_owned(),
        }
        .check()
    }

    /// Adds the operator's word that it is another transfer than the one of the same identifier
    /// that was booked on a day close by. Without it, such a transfer is refused, since its date
    /// may be mistyped: see [`ConfirmError::Similar`](super::ConfirmError::Similar).
    pub fn different_from(mut self, booked_on: NaiveDate) -> Self {
        if self.is_near(booked_on) {
            self.different_from.insert(booked_on);
        }
        self
    }

    /// Returns whether a day is so close to the booking date that one of them may be mistyped.
    fn is_near(&self, day: NaiveDate) -> bool {
        self.booked_on.is_some_and(|booked_on| {
            let days = day.signed_duration_since(booked_on).num_days();
            days.unsigned_abs() <= MAX_SIMILAR_DAYS
        })
    }

    /// Returns whether both have one identifier at one receiving account.
    pub(super) fn has_identifier_of(&self, other: &Self) -> bool {
        self.receiving_account == other.receiving_account && self.transaction == other.transaction
    }

    /// Returns whether both may have been booked on one day. A record of before there were booking
    /// dates may be of any.
    pub(super) fn has_day_of(&self, other: &Self) -> bool {
        match (self.booked_on, other.booked_on) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }

    /// Returns the booking date of a record whose day is so close that it may be the same transfer,
    /// unless the operator has said that it is another.
    pub(super) fn similar_day(&self, record: &Self) -> Option<NaiveDate> {
        record
            .booked_on
            .filter(|day| self.is_near(*day) && !self.different_from.contains(day))
    }

    /// Returns whether both are the same transfer with the same amount, whatever their payers and
    /// proofs.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        // Two operators may write a payer's name in two ways, and link two proofs.
        self.has_identifier_of(other) && self.has_day_of(other) && self.amount == other.amount
    }

    /// Returns its name among the payments of a subscription, after so many retractions. The
    /// lengths in it keep two pairs of references from sharing one.
    pub(super) fn payment(&self, retractions: u32) -> String {
        let receiver = self.receiving_account.as_str();
        let transaction = self.transaction.as_str();
        let day = self
            .booked_on
            .map_or_else(|| "-".to_owned(), |day| day.to_string());

        format!(
            "transfer/{}/{receiver}/{}/{transaction}/{day}/{retractions}",
            receiver.len(),
            transaction.len()
        )
    }

    /// Names the cause of the credits that it brings without a subscription.
    pub(super) fn cause(&self, account: &AccountId, retractions: u32) -> Cause {
        Cause::bank_transfer(account, &self.payment(retractions))
    }

    /// Returns the account of the service that received the money.
    pub fn receiving_account(&self) -> &BankReference {
        &self.receiving_account
    }

    /// Returns the bank's identifier of the transaction.
    pub fn transaction(&self) -> &BankReference {
        &self.transaction
    }

    /// Returns the day on which it was booked; `None` only in a record of before there were booking
    /// dates.
    pub fn booked_on(&self) -> Option<NaiveDate> {
        self.booked_on
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

/// A transfer as it is written down. An operator's request must name the booking date; a stored
/// record may be older than that.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferText {
    receiving_account: BankReference,
    transaction: BankReference,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    booked_on: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    different_from: BTreeSet<NaiveDate>,
    amount: Money,
    payer: String,
    proof: String,
}

impl TransferText {
    fn check(self) -> Result<BankTransfer, TransferError> {
        // Without `..`, a new field cannot be left unread.
        let Self {
            receiving_account,
            transaction,
            booked_on,
            different_from,
            amount,
            payer,
            proof,
        } = self;

        let transfer = BankTransfer {
            receiving_account,
            transaction,
            booked_on,
            different_from: BTreeSet::new(),
            amount,
            payer: checked_payer(&payer)?,
            proof: checked_proof(&proof)?,
        };
        Ok(different_from
            .into_iter()
            .fold(transfer, BankTransfer::different_from))
    }
}

impl TryFrom<TransferText> for BankTransfer {
    type Error = TransferError;

    fn try_from(text: TransferText) -> Result<Self, TransferError> {
        if text.booked_on.is_none() {
            return Err(TransferError::BookingDate);
        }
        text.check()
    }
}

/// Reads the transfer of a stored record, which may have no booking date.
pub(super) fn deserialize_stored<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BankTransfer, D::Error> {
    let text = TransferText::deserialize(deserializer)?;
    text.check().map_err(serde::de::Error::custom)
}

impl From<BankTransfer> for TransferText {
    fn from(transfer: BankTransfer) -> Self {
        // Without `..`, a new field cannot be left unstored.
        let BankTransfer {
            receiving_account,
            transaction,
            booked_on,
            different_from,
            amount,
            payer,
            proof,
        } = transfer;

        Self {
            receiving_account,
            transaction,
            booked_on,
            different_from,
            amount,
            payer,
            proof,
        }
    }
}
