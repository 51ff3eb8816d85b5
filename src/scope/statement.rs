//! A built statement: its text and its values.

use std::sync::Arc;

use sea_query::{Value, Values};

use super::error::BuildError;
use super::render::{Rendered, Slot, take};

/// The text of a statement and the values to bind, ready for a driver.
///
/// With sea-query-sqlx: `sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))`. The
/// [manual](crate::manual::drivers) has the other drivers.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a statement does nothing until it is run"]
pub struct Statement {
    sql: Arc<str>,
    values: Values,
}

impl Statement {
    pub(super) fn new(sql: Arc<str>, values: Vec<Value>) -> Self {
        Self {
            sql,
            values: Values(values),
        }
    }

    /// The statement of a scope, whose values are all at hand.
    pub(super) fn of(rendered: Rendered) -> Result<Self, BuildError> {
        let Rendered {
            sql,
            mut numbers,
            mut slots,
        } = rendered;

        // sea-query has numbered the slots in the order of their placeholders.
        for number in &mut numbers {
            match take(&mut slots, number)? {
                Slot::Value(value) => *number = value,
                Slot::Tenant(_) | Slot::Parameter { .. } => {
                    return Err(BuildError::ForeignParameter);
                }
            }
        }

        Ok(Self::new(sql.into(), numbers))
    }

    /// The text, with a placeholder for every value.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The values, in the order of their placeholders.
    #[doc(alias = "params")]
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Takes the statement apart into its text and its values.
    pub fn into_parts(self) -> (Arc<str>, Values) {
        (self.sql, self.values)
    }
}
