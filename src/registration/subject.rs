//! Verified identities, and the registry of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::change::{RowChange, RowError};
use crate::digest::{Hex, read_digest};
use crate::id::AccountId;
use crate::problem::{Code, Explained};

/// A verified identity as a digest. It outlives the account, so that first credits are given once,
/// and it does not reveal the person. Hash the verified address or phone number with a secret of
/// the service (HMAC-SHA-256).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subject([u8; 32]);

impl Subject {
    /// Creates a subject from a digest of 32 bytes.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

/// The error of a text that is not a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the subject must be a digest of 64 lower-case hexadecimal digits")]
#[allow(clippy::exhaustive_structs, reason = "there is one such fault")]
pub struct SubjectError;

impl Explained for SubjectError {
    fn code(&self) -> Code {
        Code::RegistrationInvalid
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        read_digest(text).map(Self).ok_or(SubjectError)
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({self})")
    }
}

/// The registry's row of an identity, unique by subject over all tenants. It has no foreign key to
/// the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct SubjectRecord {
    /// The identity.
    pub subject: Subject,
    /// The account that it belongs to. The host sets it to `None` when the account is deleted, and
    /// keeps the row.
    pub account: Option<AccountId>,
    /// True once a trial was started for it. The host keeps this with the row when the account is
    /// deleted: an identity has one trial, whatever becomes of its accounts and subscriptions.
    #[serde(default)]
    pub had_trial: bool,
    /// The row's version.
    pub version: u64,
}

impl SubjectRecord {
    /// Enters a subject into the registry as a user of an account, over the row that was there. What
    /// the identity has had before stays on record.
    pub(super) fn belonging(
        subject: Subject,
        account: AccountId,
        before: Option<&Self>,
    ) -> Result<RowChange<Self>, RowError> {
        let expected = before.map_or(0, |before| before.version);
        let had_trial = before.is_some_and(|before| before.had_trial);

        RowChange::next(expected, "record of the subject", |version| Self {
            subject,
            account: Some(account),
            had_trial,
            version,
        })
    }

    /// Notes that a trial was started for the identity.
    pub(super) fn with_trial(self) -> Self {
        Self {
            had_trial: true,
            ..self
        }
    }
}
