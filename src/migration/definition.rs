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

    /// Returns its checks: their names, and their texts.
    pub(super) fn checks(&self) -> Vec<(Option<String>, String)> {
        let mut checks = Vec::new();
        let mut depth = 0usize;

        for (place, token) in self.0.iter().enumerate() {
            match token {
                Token::Open => depth = depth.saturating_add(1),
                Token::Close => depth = depth.saturating_sub(1),
                _ => {}
            }

            // A column may be called so, if its name is quoted.
            if depth == 0 && matches!(token, Token::Word(_)) && token.is("CHECK") {
                let list = self.list_after(place).to_vec();
                let text = format!("CHECK ({})", Definition(list).text());
                checks.push((self.name_before(place), text));
            }
        }

        checks
    }

    /// Returns the name that a constraint gives itself.
    pub(super) fn constraint_name(&self) -> Option<String> {
        if self.column().is_some() {
            return self.column();
        }
        self.0
            .first()
            .filter(|first| first.is("CONSTRAINT"))
            .and_then(|_| self.0.get(1)?.name())
    }

    /// Returns true if it says this word outside of all parentheses.
    pub(super) fn says(&self, word: &str) -> bool {
        self.at_depth_zero().iter().any(|token| token.is(word))
    }

    /// Returns the first list in parentheses.
    pub(super) fn first_list(&self) -> String {
        Definition(self.list_after(0).to_vec()).text()
    }

    /// Returns the tokens within the next parentheses from a place on.
    fn list_after(&self, place: usize) -> &[Token<'_>] {
        let tokens = self.0.get(place..).unwrap_or_default();
        let Some(open) = tokens.iter().position(|token| *token == Token::Open) else {
            return &[];
        };
        let inner = tokens.get(open.saturating_add(1)..).unwrap_or_default();

        let mut depth = 0usize;
        let end = inner.iter().position(|token| {
            match token {
                Token::Open => depth = depth.saturating_add(1),
                Token::Close if depth == 0 => return true,
                Token::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            false
        });

        inner.get(..end.unwrap_or(inner.len())).unwrap_or_default()
    }

    /// Returns the name of the constraint that begins at a place.
    fn name_before(&self, place: usize) -> Option<String> {
        let constraint = self.0.get(place.checked_sub(2)?)?;
        let name = self.0.get(place.checked_sub(1)?)?;
        if constraint.is("CONSTRAINT") {
            name.name()
        } else {
            None
        }
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
