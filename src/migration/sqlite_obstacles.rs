//! The obstacles on SQLite.

use super::definition::Definition;
use super::error::MigrationError;
use super::expression::mentions;
use super::facts::{EXTERNAL_ID, LegacySchema, Step};
use super::judge::Judge;
use super::obstacle::ObstacleKind;
use super::sqlite::Shape;
use super::tables::Tables;

impl LegacySchema {
    /// Checks that SQLite's tables have what a step needs, and that no obstacle is in the way.
    pub(super) fn check_sqlite(
        &self,
        step: Step,
        tables: &Tables<'_>,
    ) -> Result<(), MigrationError> {
        let accounts = &self.accounts;
        let subscriptions = &self.subscriptions;

        if accounts.eq_ignore_ascii_case(subscriptions) {
            return Err(MigrationError::TableTwice(accounts.clone()));
        }

        // SQLite reads the quoted name of a column that does not exist as a text, and a condition
        // on it would hold for every row. So the columns are looked up first.
        for (table, column) in [
            (accounts, &self.account_key),
            (subscriptions, &self.subscription_key),
            (subscriptions, &self.subscription_account),
            (subscriptions, &self.stripe_id),
        ] {
            tables.demand(table, column)?;
        }
        if matches!(step, Step::Backfill { .. } | Step::Contract) {
            tables.demand(accounts, &self.payment_method)?;
            tables.demand(subscriptions, &self.payment_method)?;
        }

        if !matches!(step, Step::Expand | Step::Contract) {
            return Ok(());
        }

        for table in [accounts, subscriptions] {
            tables.check_rebuildable(table)?;
            if tables.has(table, &self.payment_method)? {
                Shape::of(tables, table, &self.payment_method)?;
            }
        }
        if tables.has(subscriptions, EXTERNAL_ID)? {
            Shape::of(tables, subscriptions, EXTERNAL_ID)?;
        }

        let mut judge = Judge::new(self);
        for table in [accounts, subscriptions] {
            for definition in tables.definitions(table)? {
                self.judge_definition(&mut judge, table, &definition);
            }
        }
        self.judge_objects(&mut judge, tables);

        judge.verdict()
    }

    fn judge_definition(&self, judge: &mut Judge<'_>, table: &str, definition: &Definition<'_>) {
        let text = definition.text();
        let column = definition.column();
        let is_own = column
            .as_ref()
            .is_some_and(|name| name.eq_ignore_ascii_case(&self.payment_method));

        for (name, check) in definition.checks() {
            // Its own column has been compared with what this migration makes.
            if !is_own && judge.names_a_column(table, &check) && !judge.is_harmless_check(&check) {
                judge.add(
                    ObstacleKind::Check,
                    table,
                    name.as_deref().unwrap_or(&check),
                    &check,
                );
            }
        }

        // Of a column, its own name; of a constraint of the table, its list of columns.
        let subject = column.clone().unwrap_or_else(|| definition.first_list());
        let name = definition.constraint_name().unwrap_or_else(|| text.clone());
        if !judge.names_a_column(table, &subject) {
            return;
        }

        if definition.says("PRIMARY") {
            judge.add(ObstacleKind::PrimaryKey, table, &name, &text);
        }
        if definition.says("REFERENCES") {
            judge.add(ObstacleKind::ForeignKey, table, &name, &text);
        }
        if definition.says("UNIQUE") && mentions(&subject, &self.payment_method) {
            judge.add(ObstacleKind::UniqueIndex, table, &name, &text);
        }
    }

    fn judge_objects(&self, judge: &mut Judge<'_>, tables: &Tables<'_>) {
        // A table may be spelled in another way where an object of it was made.
        let ours = |name: &str| {
            [self.accounts.as_str(), &self.subscriptions]
                .into_iter()
                .find(|table| table.eq_ignore_ascii_case(name))
        };

        for row in tables.rows() {
            let (kind, table, name, text) = row;
            match (kind.as_str(), ours(table)) {
                ("index", Some(table)) if is_unique(text) => judge.unique_index(table, name, text),
                ("trigger", Some(table)) => judge.trigger(table, name, text),
                // A trigger of another table that writes one of these.
                ("trigger", None)
                    if mentions(text, &self.accounts) || mentions(text, &self.subscriptions) =>
                {
                    judge.trigger(table, name, text);
                }
                _ => judge.values(row),
            }
        }
    }
}

/// Returns true for the text of a unique index.
fn is_unique(text: &str) -> bool {
    text.split_ascii_whitespace()
        .nth(1)
        .is_some_and(|word| word.eq_ignore_ascii_case("UNIQUE"))
}
