//! SQLite changes a column's constraints by rebuilding its table, as
//! <https://www.sqlite.org/lang_altertable.html> tells. It is rebuilt here from its own text, so
//! that everything else about it stays as it is, except for its comments.

use super::definition::Definition;
use super::error::MigrationError;
use super::facts::CatalogRow;
use super::quoting::{literal, quoted};
use super::token::{Token, parenthesized, tokens};

/// A table as it was created.
struct Created<'a> {
    definitions: Vec<Definition<'a>>,
    /// The text after the last parenthesis, such as `STRICT`.
    options: String,
    has_autoincrement: bool,
}

/// Reads the text of a table. `None` if it is not that of an ordinary table.
fn read(sql: &str) -> Option<Created<'_>> {
    let tokens = tokens(sql)?;
    let open = tokens.iter().position(|token| *token == Token::Open)?;
    let head = tokens.get(..open)?;

    // A virtual table has no columns to rewrite, and neither has `CREATE TABLE ... AS SELECT`.
    if !head.first()?.is("CREATE")
        || !head.get(1)?.is("TABLE")
        || head.iter().any(|token| token.is("AS"))
    {
        return None;
    }

    let (definitions, rest) = parenthesized(&tokens, open)?;
    let definitions = definitions.into_iter().map(Definition).collect();

    let has_autoincrement = tokens.iter().any(|token| token.is("AUTOINCREMENT"));
    let options = rest.iter().map(Token::text).collect::<Vec<_>>().join(" ");

    Some(Created {
        definitions,
        options,
        has_autoincrement,
    })
}

/// Returns the name of a table while it is rebuilt.
fn rebuilt(table: &str) -> String {
    format!("{table}_rebuilt")
}

/// The tables of SQLite's catalog, with their indexes and triggers.
pub(super) struct Tables<'a>(&'a [CatalogRow]);

impl<'a> Tables<'a> {
    pub(super) fn new(rows: &'a [CatalogRow]) -> Self {
        Self(rows)
    }

    pub(super) fn rows(&self) -> &'a [CatalogRow] {
        self.0
    }

    /// Returns the definitions in a table's text, of its columns and its constraints.
    pub(super) fn definitions(&self, table: &str) -> Result<Vec<Definition<'a>>, MigrationError> {
        Ok(self.read(table)?.definitions)
    }

    /// Returns a table's own spelling of its name, and the texts of its objects, its own first.
    fn of(&self, table: &str) -> Option<(&'a str, Vec<&'a str>)> {
        let is_object = |kind: &str| ["table", "index", "trigger"].contains(&kind);
        let own = || {
            self.0
                .iter()
                .filter(|row| is_object(&row.0) && row.1.eq_ignore_ascii_case(table))
        };
        let (kind, name, _, _) = own().next()?;

        // Its own text comes first.
        (kind == "table").then(|| (name.as_str(), own().map(|row| row.3.as_str()).collect()))
    }

    fn read(&self, table: &str) -> Result<Created<'a>, MigrationError> {
        let (_, texts) = self
            .of(table)
            .ok_or_else(|| MigrationError::TableMissing(table.to_owned()))?;
        let created = texts.first().and_then(|sql| read(sql));
        created.ok_or_else(|| MigrationError::TableUnreadable(table.to_owned()))
    }

    pub(super) fn definition(
        &self,
        table: &str,
        column: &str,
    ) -> Result<Option<Definition<'a>>, MigrationError> {
        let is_it = |definition: &Definition<'_>| {
            definition
                .column()
                .is_some_and(|name| name.eq_ignore_ascii_case(column))
        };
        Ok(self.read(table)?.definitions.into_iter().find(is_it))
    }

    /// Returns true if the table has the column.
    pub(super) fn has(&self, table: &str, column: &str) -> Result<bool, MigrationError> {
        Ok(self.definition(table, column)?.is_some())
    }

    /// Checks that the table has the column.
    pub(super) fn demand(&self, table: &str, column: &str) -> Result<(), MigrationError> {
        if self.has(table, column)? {
            Ok(())
        } else {
            Err(MigrationError::ColumnMissing {
                table: table.to_owned(),
                column: column.to_owned(),
            })
        }
    }

    /// Checks that the table can be rebuilt from its text.
    pub(super) fn check_rebuildable(&self, table: &str) -> Result<(), MigrationError> {
        let (name, _) = self
            .of(table)
            .ok_or_else(|| MigrationError::TableMissing(table.to_owned()))?;

        // A copy cannot write a generated column, and a check that names the table would not hold
        // for the new one.
        if self
            .read(table)?
            .definitions
            .iter()
            .any(|definition| definition.is_generated() || definition.names(name))
        {
            return Err(MigrationError::TableUnreadable(table.to_owned()));
        }

        let new_name = rebuilt(name);
        if self.of(&new_name).is_some() {
            return Err(MigrationError::NameTaken(new_name));
        }

        Ok(())
    }

    /// Returns the statements that rebuild a table with another definition of one column; none if
    /// it has that definition already.
    pub(super) fn rebuild(
        &self,
        table: &str,
        column: &str,
        define: impl Fn(&Definition<'_>) -> String,
    ) -> Result<Vec<String>, MigrationError> {
        self.demand(table, column)?;
        let Created {
            definitions,
            options,
            has_autoincrement,
        } = self.read(table)?;
        let (name, texts) = self
            .of(table)
            .ok_or_else(|| MigrationError::TableMissing(table.to_owned()))?;

        let mut changed = false;
        let mut columns = Vec::new();
        for definition in &definitions {
            let before = definition.text();
            let is_it = definition
                .column()
                .is_some_and(|name| name.eq_ignore_ascii_case(column));
            let after = if is_it {
                define(definition)
            } else {
                before.clone()
            };
            changed |= after != before;
            columns.push(after);
        }
        if !changed {
            return Ok(Vec::new());
        }

        self.check_rebuildable(table)?;
        let new_name = rebuilt(name);
        let old = quoted(name);
        let new = quoted(&new_name);
        let mut statements = vec![
            format!("CREATE TABLE {new} ({}) {options}", columns.join(", "))
                .trim_end()
                .to_owned(),
            format!("INSERT INTO {new} SELECT * FROM {old}"),
        ];
        if has_autoincrement {
            // Keys of deleted rows must not be given out again.
            let old = literal(name);
            let new = literal(&new_name);
            statements.push(format!(
                "INSERT INTO sqlite_sequence (name, seq) SELECT {new}, 0 \
                 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {new})"
            ));
            statements.push(format!(
                "UPDATE sqlite_sequence SET seq = (SELECT max(seq) FROM sqlite_sequence \
                 WHERE name IN ({old}, {new})) WHERE name = {new}"
            ));
        }

        statements.push(format!("DROP TABLE {old}"));
        statements.push(format!("ALTER TABLE {new} RENAME TO {old}"));
        // Indexes and triggers went with the old table.
        statements.extend(texts.into_iter().skip(1).map(str::to_owned));

        Ok(statements)
    }
}
