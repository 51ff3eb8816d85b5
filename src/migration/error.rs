//! The faults of a migration.

use thiserror::Error;

use super::obstacle::Obstacle;
use crate::problem::{Code, Explained};

/// The reason why there is no script for a step.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// Accounts and subscriptions are named as one table. Move the subscriptions to a table of
    /// their own first.
    #[error("the table {0} is named for accounts and for subscriptions: they must be two tables")]
    TableTwice(String),
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
         table, or a text that is not understood"
    )]
    TableUnreadable(String),
    /// The column is there, and is not one that this migration could have made: a text that may be
    /// null, without a default, long enough for every payment method.
    #[error(
        "the column {column} of the table {table} is not a text that may be null, without a \
         default: alter it by hand, or name another column"
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
    /// These would refuse a row of a later step, or would lose it.
    #[error("the migration cannot begin: {}", listed(.0))]
    Obstacles(Vec<Obstacle>),
}

/// Writes one obstacle a line.
fn listed(obstacles: &[Obstacle]) -> String {
    obstacles
        .iter()
        .map(|obstacle| format!("\n- {obstacle}"))
        .collect()
}

impl Explained for MigrationError {
    fn code(&self) -> Code {
        Code::Internal
    }
}
