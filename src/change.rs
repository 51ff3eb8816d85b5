//! Rows, their versions, and the answers of commands: the types that every room shares.
//!
//! A command returns the rows that the host is to write, and never writes them itself:
//!
//! - [`Answer`]: carried out now, or carried out before under the same key.
//! - [`RowChange`]: a row to write over the version that it was made from. If the stored row has
//!   another version by then, somebody else wrote it: load again, and call the command again.
//! - [`RowError`]: a fault of the rows that were loaded, such as those of two accounts for one
//!   command.
//!
//! ```
//! use bailiwick::change::RowChange;
//!
//! /// Writes a row, or returns `false` if the stored one has changed meanwhile.
//! fn write<T>(stored: &mut T, stored_version: u64, change: RowChange<T>) -> bool {
//!     if stored_version != change.expected_version() {
//!         return false;
//!     }
//!
//!     *stored = change.into_row();
//!     true
//! }
//! ```

use thiserror::Error;

use crate::problem::{Code, Explained};

/// The answer of a command: a change to write, or what the same command answered before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Answer<T, R = T> {
    /// The command was carried out now.
    Fresh(T),
    /// The command was carried out before, under the same key; nothing changes.
    Replayed(R),
}

impl<T> Answer<T> {
    /// Returns the answer, whether it was given now or before.
    pub fn into_inner(self) -> T {
        let (Self::Fresh(answer) | Self::Replayed(answer)) = self;
        answer
    }
}

/// A row of the host's, to be written only while the stored one still has the version that this
/// change was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct RowChange<T> {
    expected_version: u64,
    row: T,
}

impl<T> RowChange<T> {
    /// Creates a change from a row that carries its next version already.
    pub(crate) fn update(expected_version: u64, row: T) -> Self {
        Self {
            expected_version,
            row,
        }
    }

    /// Creates the change that follows a stored row of this version; `row` is given the next
    /// version. The name of the row is for the error alone.
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

    /// Returns the version that the stored row must still have; 0 means that there must be no such
    /// row yet.
    pub fn expected_version(&self) -> u64 {
        self.expected_version
    }

    /// Returns the row to store.
    pub fn row(&self) -> &T {
        &self.row
    }

    /// Returns the row to store, by value.
    pub fn into_row(self) -> T {
        self.row
    }
}

/// A fault of the rows that were loaded for a command, or of one that it would write.
///
/// The names in it are fixed words such as "wallet" or "invitation". They tell the log which row to
/// look at; a client is told none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RowError {
    /// Two things that were passed to one command are of different accounts, keys or subjects: the
    /// host loaded the wrong row.
    #[error("the {left} and the {right} do not belong together")]
    Mismatch {
        /// One of the two.
        left: &'static str,
        /// The other one.
        right: &'static str,
    },
    /// A row was changed so often that no version is left for another change.
    #[error("the version of the {row} is exhausted")]
    VersionExhausted {
        /// The row.
        row: &'static str,
    },
    /// A sum, count or time would leave the range that can be stored exactly.
    #[error("the {of} would leave the range that can be stored exactly")]
    Overflow {
        /// The value that does not fit.
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
