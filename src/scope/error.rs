//! The reasons why a statement cannot be built.

use thiserror::Error;

use crate::problem::{Code, Explained};

/// Why a statement cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An identifier is of another kind than the column that was declared for it.
    #[error("an identifier is of another kind than the column that holds it")]
    IdKindMismatch,
    /// An update sets nothing.
    #[error("the update sets nothing")]
    NothingToSet,
    /// A filter is nested deeper than 256.
    #[error("the filter is nested too deeply")]
    FilterTooDeep,
    /// A filter is the conjunction of no conditions, which could be taken for "all".
    #[error("the filter has no conditions")]
    EmptyFilter,
    /// The statement binds more than 32,766 values.
    #[error("the request names too many values at once")]
    TooManyValues,
    /// A text has a NUL character, which PostgreSQL cannot hold.
    #[error("a text contains a NUL character")]
    NulInText,
    /// A cursor belongs to another order of the rows.
    #[error("the cursor belongs to another list")]
    CursorMismatch,
    /// A list in pages is ordered by a column of another table.
    #[error("a list in pages is ordered by columns of its own table")]
    OrderWithoutPages,
    /// An instant is one that the database does not have, or does not order: on SQLite before the
    /// year 0 or after 9999, on PostgreSQL before 4713 BC.
    #[error("an instant is out of range")]
    InstantOutOfRange,
    /// A parameter is of another shape than the one that it is used in.
    #[error("a parameter is used outside the statement that it was made for")]
    ForeignParameter,
    /// The text and the values do not belong together. It is a fault of this crate, and closes.
    #[error("the statement could not be rendered")]
    Rendering,
}

impl Explained for BuildError {
    fn code(&self) -> Code {
        match self {
            Self::IdKindMismatch => Code::IdKindMismatch,
            Self::NothingToSet => Code::NothingToSet,
            Self::CursorMismatch => Code::CursorInvalid,
            Self::FilterTooDeep
            | Self::EmptyFilter
            | Self::TooManyValues
            | Self::NulInText
            | Self::InstantOutOfRange => Code::InputInvalid,
            Self::OrderWithoutPages | Self::ForeignParameter | Self::Rendering => Code::Internal,
        }
    }
}
