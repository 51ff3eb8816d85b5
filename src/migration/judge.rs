//! The collection of obstacles, with what a person found harmless left out.

use super::error::MigrationError;
use super::expression::{is_harmless_check, may_refuse, mentions, uses_whole_rows, words};
use super::facts::{CatalogRow, LegacySchema};
use super::obstacle::{Obstacle, ObstacleKind};
use super::token::tokens;

/// The obstacles found so far.
pub(super) struct Judge<'a> {
    schema: &'a LegacySchema,
    found: Vec<Obstacle>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(schema: &'a LegacySchema) -> Self {
        Self {
            schema,
            found: Vec::new(),
        }
    }

    /// Adds an obstacle, unless a person found it harmless, or it is there already.
    pub(super) fn add(&mut self, kind: ObstacleKind, table: &str, name: &str, text: &str) {
        let is_it = |known: &(String, ObstacleKind, String)| {
            known.0 == table && known.1 == kind && known.2 == name
        };
        let is_harmless = kind.may_be_harmless() && self.schema.harmless.iter().any(is_it);
        let obstacle = Obstacle {
            kind,
            table: table.to_owned(),
            name: name.to_owned(),
            text: text.trim().to_owned(),
        };

        if !is_harmless && !self.found.contains(&obstacle) {
            self.found.push(obstacle);
        }
    }

    /// Returns true if a text of a table names one of the migration's columns.
    pub(super) fn names_a_column(&self, table: &str, text: &str) -> bool {
        self.schema
            .columns_of(table)
            .iter()
            .any(|column| mentions(text, column))
    }

    /// Judges the text of a check, which names one of the columns. A domain's check calls its
    /// column `VALUE`.
    pub(super) fn is_harmless_check(&self, text: &str) -> bool {
        let Some(tokens) = tokens(text) else {
            return false;
        };
        let mut words = words(&tokens);
        if words.first().is_some_and(|word| word == "check") {
            words.remove(0);
        }
        // It holds for rows to come, though nobody looked at those that are there.
        if words.ends_with(&["not".to_owned(), "valid".to_owned()]) {
            words.truncate(words.len().saturating_sub(2));
        }

        self.schema
            .columns_of(&self.schema.subscriptions)
            .iter()
            .chain(&["value"])
            .any(|column| is_harmless_check(&words, column))
    }

    /// Judges a trigger of any table: it may write the other one.
    pub(super) fn trigger(&mut self, table: &str, name: &str, text: &str) {
        if self.names_a_column(&self.schema.subscriptions, text) || uses_whole_rows(text) {
            self.add(ObstacleKind::Trigger, table, name, text);
        }
    }

    /// Judges a unique index.
    pub(super) fn unique_index(&mut self, table: &str, name: &str, text: &str) {
        let (nullable, payment_method): (Vec<&str>, Vec<&str>) = self
            .schema
            .columns_of(table)
            .into_iter()
            .partition(|column| *column != self.schema.payment_method);
        if may_refuse(text, &nullable, &payment_method) {
            self.add(ObstacleKind::UniqueIndex, table, name, text);
        }
    }

    /// Judges the values that the catalog's query found.
    pub(super) fn values(&mut self, (kind, table, name, text): &CatalogRow) {
        match kind.as_str() {
            "methods" => self.add(ObstacleKind::Methods, table, name, text),
            "identifiers" => self.add(ObstacleKind::Identifiers, table, name, text),
            _ => {}
        }
    }

    /// Returns the obstacles, if there are any.
    pub(super) fn verdict(self) -> Result<(), MigrationError> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(MigrationError::Obstacles(self.found))
        }
    }
}
