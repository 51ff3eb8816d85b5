//! The steps on SQLite.

use super::definition::Definition;
use super::error::MigrationError;
use super::expression::words;
use super::facts::{EXTERNAL_ID, LegacySchema, Step};
use super::quoting::quoted;
use super::rows::known;
use super::tables::Tables;
use super::token::{Token, tokens};

/// The types of a column of texts. SQLite does not enforce their length.
const TEXTS: [&str; 6] = [
    "text",
    "varchar",
    "character",
    "varying",
    "nvarchar",
    "clob",
];

/// The shape of the column of the payment method.
pub(super) enum Shape {
    /// A text that may be null.
    Expanded,
    /// A text that must be a payment method.
    Contracted,
}

impl Shape {
    /// Reads the shape of a column. It is an error if this migration could not have made it: a
    /// column of the same name that the host made itself may mean something else.
    pub(super) fn of(
        tables: &Tables<'_>,
        table: &str,
        column: &str,
    ) -> Result<Self, MigrationError> {
        tables.demand(table, column)?;
        let definition = tables.definition(table, column)?;

        definition
            .and_then(|definition| Self::of_words(&words(&definition.0)))
            .ok_or_else(|| MigrationError::ColumnForeign {
                table: table.to_owned(),
                column: column.to_owned(),
            })
    }

    fn of_words(words: &[String]) -> Option<Self> {
        let (name, rest) = words.split_first()?;
        let is_type = |word: &String| {
            TEXTS.contains(&word.as_str()) || word.chars().all(|c| c.is_ascii_digit())
        };
        let end = rest
            .iter()
            .position(|word| !is_type(word))
            .unwrap_or(rest.len());
        let (types, rest) = rest.split_at_checked(end)?;
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let rest = rest.strip_prefix(&["default", "null"]).unwrap_or(&rest);

        if !types
            .first()
            .is_some_and(|first| TEXTS.contains(&first.as_str()))
        {
            return None;
        }
        if rest.is_empty() {
            return Some(Self::Expanded);
        }

        let contracted = contracted(name);
        let demanded = tokens(&contracted)?;
        let is_contracted = self::words(&demanded).iter().eq(rest);
        is_contracted.then_some(Self::Contracted)
    }
}

/// Returns the end of the column's definition once a payment method is demanded.
fn contracted(column: &str) -> String {
    format!("NOT NULL CHECK ({})", known(&quoted(column)))
}

/// Writes the column as it was before a payment method was demanded.
fn expanded(definition: &Definition<'_>) -> String {
    let is_demand = |token: &Token<'_>| token.is("NOT");
    let end = definition.0.iter().position(is_demand);
    let kept = end.and_then(|end| definition.0.get(..end));
    Definition(kept.unwrap_or(&definition.0).to_vec()).text()
}

impl LegacySchema {
    pub(super) fn sqlite(
        &self,
        step: Step,
        tables: &Tables<'_>,
    ) -> Result<Vec<String>, MigrationError> {
        let accounts = &self.accounts;
        let subscriptions = &self.subscriptions;

        let stripe_id = &self.stripe_id;
        let payment_method = &self.payment_method;

        let mut statements = Vec::new();
        match step {
            Step::Expand => {
                statements
                    .extend(tables.rebuild(subscriptions, stripe_id, |column| column.nullable())?);

                for (table, column) in [
                    (accounts, payment_method.as_str()),
                    (subscriptions, payment_method),
                    (subscriptions, EXTERNAL_ID),
                ] {
                    if !tables.has(table, column)? {
                        statements.push(format!(
                            "ALTER TABLE {} ADD COLUMN {} TEXT",
                            quoted(table),
                            quoted(column)
                        ));
                    }
                }
            }
            Step::Backfill { batch, others } => statements = self.backfill(batch, others, ""),
            Step::Contract => {
                for table in [accounts, subscriptions] {
                    if matches!(Shape::of(tables, table, payment_method)?, Shape::Contracted) {
                        continue;
                    }
                    statements.extend(tables.rebuild(table, payment_method, |column| {
                        format!("{} {}", column.text(), contracted(payment_method))
                    })?);
                }
                // Before the rebuild, so that the copy has no placeholders.
                if !statements.is_empty() {
                    statements.insert(0, self.remove_placeholders());
                }
            }
            Step::UndoContract => {
                for table in [accounts, subscriptions] {
                    if matches!(Shape::of(tables, table, payment_method)?, Shape::Contracted) {
                        statements.extend(tables.rebuild(table, payment_method, expanded)?);
                    }
                }
            }
            Step::UndoExpand => {
                // Placeholders are written only if there is a rebuild that demands them.
                let rebuilt =
                    tables.rebuild(subscriptions, stripe_id, |column| column.not_nullable())?;
                if !rebuilt.is_empty() {
                    statements.push(self.write_placeholders());
                }
                statements.extend(rebuilt);
            }
        }

        Ok(statements)
    }
}
