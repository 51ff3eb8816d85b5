//! The reasons why a statement cannot be built.

use thiserror::Error;

use crate::problem::{Code, Explained};

/// The reason why a statement cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An identifier has another kind than the column that is declared for it: for example a UUID
    /// where the tenant column is declared as `Int`.
    #[error("an identifier does not have the kind of the column that holds it")]
    IdKindMismatch,
    /// An update sets no column, or an insert of many rows has no rows.
    #[error("the statement has nothing to write")]
    NothingToSet,
    /// A filter is nested deeper than 256 levels.
    #[error("the filter is nested too deeply, the limit is 256 levels")]
    FilterTooDeep,
    /// A filter is the conjunction of an empty list of conditions, which could be mistaken for
    /// "every row".
    #[error("the filter has no conditions")]
    EmptyFilter,
    /// The statement binds more than 32,766 values.
    #[error("the statement has too many values, the limit is 32,766")]
    TooManyValues,
    /// A text has a NUL character, which PostgreSQL cannot hold.
    #[error("a text contains a NUL character")]
    NulInText,
    /// A cursor was made for another order of the rows.
    #[error("the cursor belongs to another list")]
    CursorMismatch,
    /// A list in pages is ordered by a column of another table.
    #[error("a list in pages can only be ordered by columns of its own table")]
    OrderWithoutPages,
    /// An instant is one that the database cannot hold, or cannot order: on SQLite before the year
    /// 0 or after 9999, on PostgreSQL before 4713 BC.
    #[error("an instant is out of the database's range")]
    InstantOutOfRange,
    /// A parameter stands where it does not belong: in a statement that is not prepared, or in one
    /// that was prepared with other parameters.
    #[error("a parameter is used outside the statement that it was made for")]
    ForeignParameter,
    /// The text and the values do not belong together. This is a fault of this crate; the
    /// statement is refused rather than built wrongly.
    #[error("the statement could not be rendered")]
    Rendering,
}

impl Explained for BuildError {
    fn code(&self) -> Code {
        match self {
            Self::IdKindMismatch => Code::IdKindMismatch,
            Self::NothingToSet => Code::NothingToSet,
            Self::CursorMismatch => Code::CursorInvalid,

            // What a client sent can cause these.
            Self::FilterTooDeep
            | Self::EmptyFilter
            | Self::TooManyValues
            | Self::NulInText
            | Self::InstantOutOfRange => Code::InputInvalid,

            // Only the host's own code can cause these.
            Self::OrderWithoutPages | Self::ForeignParameter | Self::Rendering => Code::Internal,
        }
    }
}
