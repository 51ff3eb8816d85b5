//! The obstacles on PostgreSQL.

use super::error::MigrationError;
use super::facts::{CatalogRow, EXTERNAL_ID, LegacySchema, Step};
use super::judge::Judge;
use super::obstacle::ObstacleKind;
use super::postgres::OWN_CHECK;
use super::rows::PLACEHOLDER;
use crate::payment_method::PaymentMethod;

/// The facts about PostgreSQL's tables.
#[derive(Clone, Copy)]
struct Facts<'a>(&'a [CatalogRow]);

impl<'a> Facts<'a> {
    fn find(self, kind: &str, table: &str, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|row| row.0 == kind && row.1 == table && row.2 == name)
            .map(|row| row.3.as_str())
    }

    fn demand(self, table: &str, column: &str) -> Result<&'a str, MigrationError> {
        self.find("column", table, column)
            .ok_or_else(|| MigrationError::ColumnMissing {
                table: table.to_owned(),
                column: column.to_owned(),
            })
    }

    /// Checks that a column that is there could have been made by this migration.
    fn check_own(self, table: &str, column: &str, room: usize) -> Result<(), MigrationError> {
        let Some(column_type) = self.find("column", table, column) else {
            return Ok(());
        };

        let is_contracted = self.find("check", table, OWN_CHECK).is_some();
        let is_demanded = self.find("not null", table, column).is_some() && !is_contracted;
        let has_value = self.find("default", table, column).is_some()
            || self.find("generated", table, column).is_some();

        if has_room(column_type, room) && !is_demanded && !has_value {
            Ok(())
        } else {
            Err(MigrationError::ColumnForeign {
                table: table.to_owned(),
                column: column.to_owned(),
            })
        }
    }
}

/// Returns true for a type of texts of at least this length.
fn has_room(column_type: &str, room: usize) -> bool {
    let longest = column_type
        .strip_prefix("character varying(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|length| length.parse::<usize>().ok());

    ["text", "citext", "character varying"].contains(&column_type)
        || longest.is_some_and(|longest| longest >= room)
}

/// Returns the length of the longest placeholder, by the type of the key.
fn placeholder_length(key_type: &str) -> usize {
    let digits = match key_type {
        "smallint" => 6,
        "integer" => 11,
        "bigint" => 20,
        // A UUID; other keys are hardly longer.
        _ => 36,
    };

    PLACEHOLDER.len().saturating_add(digits)
}

impl LegacySchema {
    /// Checks that PostgreSQL's tables have what a step needs, and that no obstacle is in the way.
    pub(super) fn check_postgres(
        &self,
        step: Step,
        rows: &[CatalogRow],
    ) -> Result<(), MigrationError> {
        let facts = Facts(rows);
        let accounts = self.accounts.as_str();
        let subscriptions = self.subscriptions.as_str();

        if accounts == subscriptions {
            return Err(MigrationError::TableTwice(accounts.to_owned()));
        }
        for table in [accounts, subscriptions] {
            if !rows.iter().any(|row| row.0 == "table" && row.1 == table) {
                return Err(MigrationError::TableMissing(table.to_owned()));
            }
        }

        facts.demand(accounts, &self.account_key)?;
        let key = facts.demand(subscriptions, &self.subscription_key)?;
        facts.demand(subscriptions, &self.subscription_account)?;
        let stripe_id = facts.demand(subscriptions, &self.stripe_id)?;
        if matches!(step, Step::Backfill { .. } | Step::Contract) {
            facts.demand(accounts, &self.payment_method)?;
            facts.demand(subscriptions, &self.payment_method)?;
        }

        if !matches!(step, Step::Expand | Step::Contract) {
            return Ok(());
        }

        let longest_method = PaymentMethod::ALL
            .iter()
            .map(|method| method.as_str().len())
            .max()
            .unwrap_or_default();
        facts.check_own(accounts, &self.payment_method, longest_method)?;
        facts.check_own(subscriptions, &self.payment_method, longest_method)?;
        facts.check_own(subscriptions, EXTERNAL_ID, longest_method)?;

        let mut judge = Judge::new(self);
        if !has_room(stripe_id, placeholder_length(key)) {
            judge.add(
                ObstacleKind::Type,
                subscriptions,
                &self.stripe_id,
                stripe_id,
            );
        }
        for row in rows {
            self.judge_postgres(&mut judge, row);
        }

        judge.verdict()
    }

    fn judge_postgres(&self, judge: &mut Judge<'_>, row: &CatalogRow) {
        let (kind, table, name, text) = row;

        match kind.as_str() {
            "check" if name == OWN_CHECK => {}
            "check" if !judge.is_harmless_check(text) => {
                judge.add(ObstacleKind::Check, table, name, text);
            }
            "domain" if !text.is_empty() && !judge.is_harmless_check(text) => {
                judge.add(ObstacleKind::Domain, table, name, text);
            }
            "generated" if *name == self.stripe_id || judge.names_a_column(table, text) => {
                judge.add(ObstacleKind::Generated, table, name, text);
            }
            "partition" if judge.names_a_column(table, text) => {
                judge.add(ObstacleKind::Partition, table, name, text);
            }
            "replica identity" => judge.add(ObstacleKind::ReplicaIdentity, table, name, text),
            "primary key" => judge.add(ObstacleKind::PrimaryKey, table, name, text),
            "foreign key" => judge.add(ObstacleKind::ForeignKey, table, name, text),
            "unique index" => judge.unique_index(table, name, text),
            "trigger" => judge.trigger(table, name, text),
            // Nothing tells what it does.
            "compiled trigger" => judge.add(ObstacleKind::Trigger, table, name, text),
            "rule" => judge.add(ObstacleKind::Rule, table, name, text),
            "policy" if judge.names_a_column(table, text) => {
                judge.add(ObstacleKind::Policy, table, name, text);
            }
            "row security" => judge.add(ObstacleKind::RowSecurity, table, name, text),
            "check option" if judge.names_a_column(table, text) => {
                judge.add(ObstacleKind::CheckOption, table, name, text);
            }
            _ => judge.values(row),
        }
    }
}
