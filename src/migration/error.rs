//! The faults of a migration.

use thiserror::Error;

use crate::problem::{Code, Explained};

/// The reason why there is no script for a step.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The catalog has no such table.
    #[error("the table {0} is missing")]
    TableMissing(String),
    /// The table has no such column.
    #[error("the table {table} has no column {column}")]
    ColumnMissing {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The table cannot be rebuilt safely from its text.
    #[error(
        "the table {0} must be rebuilt by hand: it has generated columns, a check that names the \
         table or demands the identifier, or a text that is not understood"
    )]
    TableUnreadable(String),
    /// The column was not made by this migration: it has a definition of its own.
    #[error(
        "the column {column} of the table {table} was not made by this migration: rename it, or \
         alter it by hand"
    )]
    ColumnForeign {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The name that a rebuild needs is taken by another table.
    #[error("the table {0} already exists: check its rows, then drop it")]
    NameTaken(String),
}

impl Explained for MigrationError {
    fn code(&self) -> Code {
        Code::Internal
    }
}
