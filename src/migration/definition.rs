//! The definition of a column in the text of a table.

use super::token::Token;

/// The definition of one column, or of a constraint of the table.
#[derive(Clone, Debug)]
pub(super) struct Definition<'a>(pub(super) Vec<Token<'a>>);

impl Definition<'_> {
    /// Returns the column's name; `None` for a constraint of the table.
    pub(super) fn column(&self) -> Option<String> {
        let first = self.0.first()?;
        // The words with which a constraint of the table begins; a column of such a name is quoted.
        let constraint = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
        if constraint.iter().any(|word| first.is(word)) {
            None
        } else {
            first.name()
        }
    }

    /// Returns true for a column whose value is computed.
    pub(super) fn is_generated(&self) -> bool {
        let depth_zero = self.at_depth_zero();
        self.column().is_some()
            && depth_zero
                .iter()
                .any(|token| token.is("AS") || token.is("GENERATED"))
    }

    /// Returns the tokens outside of all parentheses.
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

    /// Finds `NOT NULL`, with its name and its conflict clause: the position of the first token,
    /// and the position after the last.
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

    /// Writes the definition with one space between tokens.
    pub(super) fn text(&self) -> String {
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

    /// Writes the same column without `NOT NULL`, however often it says so.
    pub(super) fn nullable(&self) -> String {
        let mut kept = self.clone();
        while let Some((start, end)) = kept.not_null() {
            kept.0.drain(start..end.min(kept.0.len()));
        }
        kept.text()
    }

    /// Returns true if it says in a check that a column is not null.
    pub(super) fn demands(&self, column: &str) -> bool {
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

    /// Returns true if it names the table, as in a check `subscriptions.status <> ''`. The rebuilt
    /// table has another name at first, so such a check would fail.
    pub(super) fn names(&self, table: &str) -> bool {
        let is_it = |name: &str| name.eq_ignore_ascii_case(table);
        let qualified = self.0.windows(2).any(|two| match two {
            [name, Token::Word(dot)] => {
                dot.starts_with('.') && name.name().is_some_and(|name| is_it(&name))
            }
            _ => false,
        });
        let in_one_word = self.0.iter().any(|token| match token {
            Token::Word(text) => text.split_once('.').is_some_and(|(name, _)| is_it(name)),
            _ => false,
        });

        qualified || in_one_word
    }

    /// Writes the same column with `NOT NULL`.
    pub(super) fn not_nullable(&self) -> String {
        if self.not_null().is_some() {
            self.text()
        } else {
            format!("{} NOT NULL", self.text())
        }
    }
}
