//! The script of a step: its transaction, and the statements in it.

use super::error::MigrationError;
use super::facts::{Catalog, LegacySchema, Step};
use super::quoting::quoted;
use super::tables::Tables;

impl LegacySchema {
    /// Returns the statements of a step, to be run one by one on a connection of their own; none if
    /// nothing is to do. They begin and end their own transaction.
    ///
    /// **Stop at the first that fails**, roll back, and close the connection: then nothing has
    /// changed. A shell that goes on after an error would drop a table that it has not copied;
    /// `sqlite3` needs `-bail`, and `psql` needs `-v ON_ERROR_STOP=1`.
    ///
    /// # Errors
    /// In this order: [`TableTwice`], [`TableMissing`], [`ColumnMissing`]; on SQLite
    /// [`TableUnreadable`] and [`NameTaken`], if the step, or a later one, cannot rebuild a table
    /// safely; [`ColumnForeign`]; and [`Obstacles`], all of them at once. The last two are looked
    /// for before the steps [`Expand`](Step::Expand) and [`Contract`](Step::Contract): the way back
    /// is always open.
    ///
    /// [`TableTwice`]: MigrationError::TableTwice
    /// [`TableMissing`]: MigrationError::TableMissing
    /// [`ColumnMissing`]: MigrationError::ColumnMissing
    /// [`TableUnreadable`]: MigrationError::TableUnreadable
    /// [`NameTaken`]: MigrationError::NameTaken
    /// [`ColumnForeign`]: MigrationError::ColumnForeign
    /// [`Obstacles`]: MigrationError::Obstacles
    pub fn statements(&self, step: Step, catalog: &Catalog) -> Result<Vec<String>, MigrationError> {
        let (body, rebuilds) = match catalog {
            Catalog::Postgres(rows) => {
                self.check_postgres(step, rows)?;
                (self.postgres(step), false)
            }
            Catalog::Sqlite(rows) => {
                let tables = Tables::new(rows);
                self.check_sqlite(step, &tables)?;
                let body = self.sqlite(step, &tables)?;
                let rebuilds = body
                    .iter()
                    .any(|statement| statement.starts_with("DROP TABLE"));
                (body, rebuilds)
            }
        };
        if body.is_empty() {
            return Ok(body);
        }

        let (before, after): (&[&str], &[&str]) = match catalog {
            // It is better to fail and be run again than to wait for a lock while everyone else
            // queues behind; and better to fail than to miss rows that a policy hides.
            Catalog::Postgres(_) => (
                &[
                    "BEGIN",
                    "SET LOCAL lock_timeout = '5s'",
                    "SET LOCAL row_security = off",
                ],
                &["COMMIT"],
            ),
            // While a table is rebuilt, references to its name must stay as they are.
            Catalog::Sqlite(_) if rebuilds => (
                &[
                    "PRAGMA foreign_keys = OFF",
                    "PRAGMA legacy_alter_table = ON",
                    "BEGIN IMMEDIATE",
                ],
                &[
                    "COMMIT",
                    "PRAGMA legacy_alter_table = OFF",
                    "PRAGMA foreign_keys = ON",
                ],
            ),
            Catalog::Sqlite(_) => (&["BEGIN IMMEDIATE"], &["COMMIT"]),
        };

        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };

        Ok([owned(before), body, owned(after)].concat())
    }

    /// Returns the query that counts the rows that are not backfilled yet: accounts, then
    /// subscriptions. The schema can be contracted only when both counts are zero.
    pub fn unfinished(&self) -> String {
        let accounts = quoted(&self.accounts);
        let subscriptions = quoted(&self.subscriptions);
        let payment_method = quoted(&self.payment_method);

        format!(
            "SELECT (SELECT count(*) FROM {accounts} WHERE {payment_method} IS NULL), \
             (SELECT count(*) FROM {subscriptions} WHERE {payment_method} IS NULL)"
        )
    }
}
