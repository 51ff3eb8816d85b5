//! SQLite changes a column's constraints by rebuilding its table, as
//! <https://www.sqlite.org/lang_altertable.html> tells: here from the table's own text, so that
//! everything else about it stays as it is, but for its comments.

use super::{MigrationError, literal, quoted};

/// A token of a table's text. Spaces and comments are between tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A bare word, or a run of other characters.
    Word(&'a str),
    /// A quoted identifier or a string, with its quotes.
    Quoted(&'a str),
    Open,
    Close,
    Comma,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// The name that it is.
    fn name(&self) -> Option<String> {
        match self {
            Self::Word(text) => Some((*text).to_owned()),
            Self::Quoted(text) => {
                let quote = text.chars().next_back()?;
                let inner = text.get(1..text.len().checked_sub(1)?)?;
                Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
            }
            Self::Open | Self::Close | Self::Comma => None,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Quoted(text) => text,
            Self::Open => "(",
            Self::Close => ")",
            Self::Comma => ",",
        }
    }
}

/// Splits a text into tokens. `None` where a quote or a comment is not closed.
fn tokens(mut text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    while let Some(first) = text.chars().next() {
        let length = match first {
            '-' if text.starts_with("--") => text
                .find('\n')
                .map_or(text.len(), |end| end.saturating_add(1)),
            '/' if text.starts_with("/*") => text.find("*/")?.checked_add(2)?,
            '(' | ')' | ',' => {
                tokens.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
                1
            }
            '\'' | '"' | '`' | '[' => {
                let length = quoted_length(text, if first == '[' { ']' } else { first })?;
                tokens.push(Token::Quoted(text.get(..length)?));
                length
            }
            // Other spaces of Unicode are letters to SQLite.
            space if space.is_ascii_whitespace() => 1,
            'x' | 'X' if text.get(1..).is_some_and(|rest| rest.starts_with('\'')) => {
                let length = quoted_length(text.get(1..)?, '\'')?.checked_add(1)?;
                tokens.push(Token::Quoted(text.get(..length)?));
                length
            }
            _ => {
                let ends = |next: char| next.is_ascii_whitespace() || "(),'\"`[".contains(next);
                let ends = [text.find(ends), text.find("--"), text.find("/*")];
                let length = ends
                    .into_iter()
                    .flatten()
                    .min()
                    .unwrap_or(text.len())
                    .max(1);
                tokens.push(Token::Word(text.get(..length)?));
                length
            }
        };
        text = text.get(length..)?;
    }
    Some(tokens)
}

/// The length of what stands in quotes at the beginning of a text, both of them included; doubled,
/// a quote stands for itself.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        if character == quote {
            if quote != ']' && characters.next_if(|(_, next)| *next == quote).is_some() {
                continue;
            }
            return place.checked_add(quote.len_utf8());
        }
    }
    None
}

/// The definition of one column, or of a constraint of the table.
#[derive(Clone, Debug)]
pub(super) struct Definition<'a>(Vec<Token<'a>>);

impl Definition<'_> {
    /// The column's name; `None` for a constraint of the table.
    fn column(&self) -> Option<String> {
        let first = self.0.first()?;
        let constraint = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
        if constraint.iter().any(|word| first.is(word)) {
            None
        } else {
            first.name()
        }
    }

    fn is_generated(&self) -> bool {
        let depth_zero = self.at_depth_zero();
        self.column().is_some()
            && depth_zero
                .iter()
                .any(|token| token.is("AS") || token.is("GENERATED"))
    }

    fn at_depth_zero(&self) -> Vec<&Token<'_>> {
        let mut depth = 0usize;
        let mut outer = Vec::new();
        for token in &self.0 {
            match token {
                Token::Open => depth = depth.saturating_add(1),
                Token::Close => depth = depth.saturating_sub(1),
                _ if depth == 0 => outer.push(token),
                _ => {}
            }
        }
        outer
    }

    /// Where `NOT NULL` stands, with its name and what it says of conflicts: the first token and
    /// the one after the last.
    fn not_null(&self) -> Option<(usize, usize)> {
        let mut depth = 0usize;
        for (place, token) in self.0.iter().enumerate() {
            match token {
                Token::Open => depth = depth.saturating_add(1),
                Token::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            let is = |offset: usize, word: &str| {
                place
                    .checked_add(offset)
                    .and_then(|at| self.0.get(at))
                    .is_some_and(|token| token.is(word))
            };
            if depth == 0 && token.is("NOT") && is(1, "NULL") {
                let end = if is(2, "ON") && is(3, "CONFLICT") {
                    5
                } else {
                    2
                };
                let named = place
                    .checked_sub(2)
                    .filter(|at| self.0.get(*at).is_some_and(|token| token.is("CONSTRAINT")));
                return Some((named.unwrap_or(place), place.checked_add(end)?));
            }
        }
        None
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for token in &self.0 {
            let tight = text.is_empty()
                || text.ends_with('(')
                || matches!(token, Token::Close | Token::Comma);
            if !tight {
                text.push(' ');
            }
            text.push_str(token.text());
        }
        text
    }

    /// The same column without `NOT NULL`, however often it says so.
    pub(super) fn nullable(&self) -> String {
        let mut kept = self.clone();
        while let Some((start, end)) = kept.not_null() {
            kept.0.drain(start..end.min(kept.0.len()));
        }
        kept.text()
    }

    /// Whether it says in a check that a column is not null.
    fn demands(&self, column: &str) -> bool {
        let mentions = self.0.iter().any(|token| {
            token
                .name()
                .is_some_and(|name| name.eq_ignore_ascii_case(column))
        });
        let is_not_null = self.0.windows(3).any(|three| match three {
            [is, not, null] => is.is("IS") && not.is("NOT") && null.is("NULL"),
            _ => false,
        });
        mentions && (is_not_null || self.0.iter().any(|token| token.is("NOTNULL")))
    }

    /// Whether it names the table, as in a check `subscriptions.status <> ''`: the new table has
    /// another name at first.
    fn names(&self, table: &str) -> bool {
        let is_it = |name: &str| name.eq_ignore_ascii_case(table);
        let qualified = self.0.windows(2).any(|two| match two {
            [name, Token::Word(dot)] => {
                dot.starts_with('.') && name.name().is_some_and(|name| is_it(&name))
            }
            _ => false,
        });
        qualified
            || self.0.iter().any(
                |token| matches!(token, Token::Word(text) if text.split_once('.').is_some_and(|(name, _)| is_it(name))),
            )
    }

    /// The same column with `NOT NULL`.
    pub(super) fn not_nullable(&self) -> String {
        if self.not_null().is_some() {
            self.text()
        } else {
            format!("{} NOT NULL", self.text())
        }
    }
}

/// A table as it was created.
struct Created<'a> {
    definitions: Vec<Definition<'a>>,
    /// What follows the last parenthesis: `STRICT`, say.
    options: String,
    has_autoincrement: bool,
}

/// `None` where the text is not that of an ordinary table.
fn read(sql: &str) -> Option<Created<'_>> {
    let tokens = tokens(sql)?;
    let open = tokens.iter().position(|token| *token == Token::Open)?;
    let head = tokens.get(..open)?;
    if !head.first()?.is("CREATE")
        || !head.get(1)?.is("TABLE")
        || head.iter().any(|token| token.is("AS"))
    {
        return None;
    }
    let (mut definitions, mut current, mut depth) = (Vec::new(), Vec::new(), 0usize);
    let mut rest = tokens.get(open.checked_add(1)?..)?.iter();
    loop {
        let token = rest.next()?;
        match token {
            Token::Open => depth = depth.checked_add(1)?,
            Token::Close if depth == 0 => break,
            Token::Close => depth = depth.checked_sub(1)?,
            Token::Comma if depth == 0 => {
                definitions.push(Definition(std::mem::take(&mut current)));
                continue;
            }
            _ => {}
        }
        current.push(token.clone());
    }
    definitions.push(Definition(current));
    let has_autoincrement = tokens.iter().any(|token| token.is("AUTOINCREMENT"));
    let options = rest.map(Token::text).collect::<Vec<_>>().join(" ");
    Some(Created {
        definitions,
        options,
        has_autoincrement,
    })
}

/// What the catalog holds.
pub(super) struct Tables<'a>(&'a [(String, String)]);

impl<'a> Tables<'a> {
    pub(super) fn new(objects: &'a [(String, String)]) -> Self {
        Self(objects)
    }

    /// A table's own spelling of its name, and the texts of its objects, its own first.
    fn of(&self, table: &str) -> Option<(&'a str, Vec<&'a str>)> {
        let own = || {
            self.0
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(table))
        };
        Some((
            own().next()?.0.as_str(),
            own().map(|(_, sql)| sql.as_str()).collect(),
        ))
    }

    fn read(&self, table: &str) -> Result<Created<'a>, MigrationError> {
        let (_, texts) = self
            .of(table)
            .ok_or_else(|| MigrationError::TableMissing(table.to_owned()))?;
        let created = texts.first().and_then(|sql| read(sql));
        created.ok_or_else(|| MigrationError::TableUnreadable(table.to_owned()))
    }

    fn definition(
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

    pub(super) fn has(&self, table: &str, column: &str) -> Result<bool, MigrationError> {
        Ok(self.definition(table, column)?.is_some())
    }

    pub(super) fn demand(&self, table: &str, column: &str) -> Result<(), MigrationError> {
        let missing = || MigrationError::ColumnMissing {
            table: table.to_owned(),
            column: column.to_owned(),
        };
        if self.has(table, column)? {
            Ok(())
        } else {
            Err(missing())
        }
    }

    /// The column is there and is defined in one of these ways, and so was made here.
    pub(super) fn demand_one_of(
        &self,
        table: &str,
        column: &str,
        ways: &[&str],
    ) -> Result<(), MigrationError> {
        self.demand(table, column)?;
        let own = self
            .definition(table, column)?
            .is_some_and(|definition| ways.contains(&definition.text().as_str()));
        let foreign = || MigrationError::ColumnForeign {
            table: table.to_owned(),
            column: column.to_owned(),
        };
        if own { Ok(()) } else { Err(foreign()) }
    }

    /// No check demands the column, so that it may be null once its own `NOT NULL` is gone.
    pub(super) fn check_nullable(&self, table: &str, column: &str) -> Result<(), MigrationError> {
        let demanded = self
            .read(table)?
            .definitions
            .iter()
            .any(|definition| definition.demands(column));
        if demanded {
            Err(MigrationError::TableUnreadable(table.to_owned()))
        } else {
            Ok(())
        }
    }

    /// Rebuilds a table with another definition of one column. Empty where that is its definition
    /// already.
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
        if definitions
            .iter()
            .any(|definition| definition.is_generated() || definition.names(name))
        {
            return Err(MigrationError::TableUnreadable(table.to_owned()));
        }
        let new_name = format!("{name}_rebuilt");
        if self.of(&new_name).is_some() {
            return Err(MigrationError::NameTaken(new_name));
        }
        let (old, new) = (quoted(name), quoted(&new_name));
        let mut statements = vec![
            format!("CREATE TABLE {new} ({}) {options}", columns.join(", "))
                .trim_end()
                .to_owned(),
            format!("INSERT INTO {new} SELECT * FROM {old}"),
        ];
        if has_autoincrement {
            // Keys of rows that are gone are not given out again.
            let (old, new) = (literal(name), literal(&new_name));
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
        statements.extend(texts.into_iter().skip(1).map(str::to_owned));
        Ok(statements)
    }
}
