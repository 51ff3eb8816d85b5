//! Rows and their versions: what a command answers, the row to write over the version that it was
//! made from, and what can be wrong with rows.

use thiserror::Error;

use crate::problem::{Code, Explained};

/// What a command answers: something new that must be written, or what the same command answered
/// before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T, R = T> {
    /// The command was carried out now.
    Fresh(T),
    /// The command was carried out before, under the same key; nothing changes.
    Replayed(R),
}

impl<T> Answer<T> {
    /// What was answered, whether now or before.
    pub fn into_inner(self) -> T {
        let (Self::Fresh(answer) | Self::Replayed(answer)) = self;
        answer
    }
}

/// A row of the host's, to be written only while the stored one still has the version that this was
/// made from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct RowChange<T> {
    expected_version: u64,
    row: T,
}

impl<T> RowChange<T> {
    pub(crate) fn update(expected_version: u64, row: T) -> Self {
        Self {
            expected_version,
            row,
        }
    }

    /// Makes the row that follows a stored one of this version; `row` is given the next version.
    /// The name of the row is for the error alone.
    ///
    /// # Errors
    /// [`RowError::VersionExhausted`] after 2^64 - 1 changes.
    pub(crate) fn next(
        expected_version: u64,
        name: &'static str,
        row: impl FnOnce(u64) -> T,
    ) -> Result<Self, RowError> {
        let version = expected_version
            .checked_add(1)
            .ok_or(RowError::VersionExhausted { row: name })?;

        Ok(Self {
            expected_version,
            row: row(version),
        })
    }

    /// The version that the stored row must still have; 0 means that there must be no such row yet.
    pub fn expected_version(&self) -> u64 {
        self.expected_version
    }

    /// The row to store.
    pub fn row(&self) -> &T {
        &self.row
    }

    /// The row to store.
    pub fn into_row(self) -> T {
        self.row
    }
}

/// A fault of the rows that were loaded for a command, or of one that it would write. The names are
/// for the log: they are fixed words such as "wallet" or "invitation".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RowError {
    /// Two things that were loaded for one command are of different accounts, keys or subjects.
    #[error("the {left} and the {right} do not belong together")]
    Mismatch {
        /// One of the two.
        left: &'static str,
        /// The other one.
        right: &'static str,
    },
    /// The row was changed so often that no version is left for it.
    #[error("the {row} has reached its last version, {}", u64::MAX)]
    VersionExhausted {
        /// The row.
        row: &'static str,
    },
    /// A sum, count or time leaves the range that can be stored exactly.
    #[error("the {of} would leave the range that can be stored exactly")]
    Overflow {
        /// What would be stored.
        of: &'static str,
    },
}

impl Explained for RowError {
    fn code(&self) -> Code {
        match self {
            Self::Mismatch { .. } => Code::WalletMismatch,
            Self::VersionExhausted { .. } | Self::Overflow { .. } => Code::AmountOverflow,
        }
    }
}
