//! The steps on SQLite.

use super::error::MigrationError;
use super::facts::{LegacySchema, Step};
use super::quoting::quoted;
use super::rows::{STRIPE_ID, known};
use super::tables::Tables;

/// The definition of SQLite's new column before a payment method is demanded of every row.
const EXPANDED: &str = "payment_method TEXT";

/// The definition of the column after that.
fn contracted() -> String {
    format!(
        "payment_method TEXT NOT NULL CHECK ({})",
        known("payment_method")
    )
}

impl LegacySchema {
    pub(super) fn sqlite(
        &self,
        step: Step,
        tables: &Tables<'_>,
    ) -> Result<Vec<String>, MigrationError> {
        let accounts = &self.accounts;
        let subscriptions = &self.subscriptions;

        // SQLite reads the quoted name of a column that does not exist as a text, and a condition
        // on it would hold for every row. So the columns are looked up first.
        for (table, column) in [
            (accounts, self.account_key.as_str()),
            (subscriptions, &self.subscription_key),
            (subscriptions, &self.subscription_account),
            (subscriptions, STRIPE_ID),
        ] {
            tables.demand(table, column)?;
        }

        let mut statements = Vec::new();
        match step {
            Step::Expand => {
                statements
                    .extend(tables.rebuild(subscriptions, STRIPE_ID, |column| column.nullable())?);
                tables.check_nullable(subscriptions, STRIPE_ID)?;

                for (table, column) in [
                    (accounts, "payment_method"),
                    (subscriptions, "payment_method"),
                    (subscriptions, "external_payment_id"),
                ] {
                    if !tables.has(table, column)? {
                        statements.push(format!(
                            "ALTER TABLE {} ADD COLUMN {column} TEXT",
                            quoted(table)
                        ));
                    }
                }
            }
            Step::Backfill { batch, others } => {
                for table in [accounts, subscriptions] {
                    tables.demand(table, "payment_method")?;
                }
                statements = self.backfill(batch, others, "");
            }
            Step::Contract => {
                let contracted = contracted();
                for table in [accounts, subscriptions] {
                    tables.demand_one_of(table, "payment_method", &[EXPANDED, &contracted])?;
                    statements
                        .extend(tables.rebuild(table, "payment_method", |_| contracted.clone())?);
                }
                // Before the rebuild, so that the copy has no placeholders.
                if !statements.is_empty() {
                    statements.insert(0, self.remove_placeholders());
                }
            }
            Step::UndoContract => {
                for table in [accounts, subscriptions] {
                    tables.demand_one_of(table, "payment_method", &[EXPANDED, &contracted()])?;
                    statements
                        .extend(tables.rebuild(table, "payment_method", |_| EXPANDED.to_owned())?);
                }
            }
            Step::UndoExpand => {
                // Placeholders are written only if there is a rebuild that demands them.
                let rebuilt =
                    tables.rebuild(subscriptions, STRIPE_ID, |column| column.not_nullable())?;
                if !rebuilt.is_empty() {
                    statements.push(self.write_placeholders());
                }
                statements.extend(rebuilt);
            }
        }

        Ok(statements)
    }
}
