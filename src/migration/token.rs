//! The tokens of the text of a table, as SQLite keeps it.

/// A token of a table's text. Spaces and comments separate tokens, and are none themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A bare word, or a run of other characters.
    Word(&'a str),
    /// A quoted identifier or a string, with its quotes.
    Quoted(&'a str),
    Open,
    Close,
    Comma,
}

impl Token<'_> {
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// Returns the name that it stands for.
    pub(super) fn name(&self) -> Option<String> {
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

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Quoted(text) => text,
            Self::Open => "(",
            Self::Close => ")",
            Self::Comma => ",",
        }
    }
}

/// Splits a text into tokens. `None` if a quote or a comment is not closed.
pub(super) fn tokens(mut text: &str) -> Option<Vec<Token<'_>>> {
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
            // To SQLite, the other spaces of Unicode are letters.
            space if space.is_ascii_whitespace() => 1,
            // A blob: x'0AF0'.
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

        // An empty token would never end the loop.
        debug_assert!(length > 0);
        text = text.get(length..)?;
    }

    Some(tokens)
}

/// Splits what stands in parentheses, from the one at `open` on, at its commas outside of all inner
/// parentheses, and returns the parts and the tokens after it. `None` if it is not closed.
pub(super) fn parenthesized<'t, 'a>(
    tokens: &'t [Token<'a>],
    open: usize,
) -> Option<(Vec<Vec<Token<'a>>>, &'t [Token<'a>])> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut depth = 0usize;
    let mut rest = tokens.get(open.checked_add(1)?..)?.iter();

    loop {
        let token = rest.next()?;
        match token {
            Token::Open => depth = depth.checked_add(1)?,
            Token::Close if depth == 0 => break,
            Token::Close => depth = depth.checked_sub(1)?,
            Token::Comma if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(token.clone());
    }
    parts.push(part);

    Some((parts, rest.as_slice()))
}

/// Returns the length of the quoted part at the beginning of a text, with both quotes. A doubled
/// quote stands for itself.
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
