//! The few expressions that are understood. Everything else is left to a person.

use super::rows::PLACEHOLDER;
use super::token::{Token, parenthesized, tokens};
use crate::payment_method::PaymentMethod;

/// Marks of two characters; every other mark is read as one.
const PAIRS: [&str; 5] = ["<>", "!=", ">=", "<=", "::"];

/// Returns the words, marks and texts of some tokens, in lower case, without parentheses, quotes of
/// names and casts. A text keeps its quotes.
pub(super) fn words(tokens: &[Token<'_>]) -> Vec<String> {
    let mut words = Vec::new();

    for token in tokens {
        match token {
            Token::Open | Token::Close => {}
            Token::Comma => words.push(",".to_owned()),
            Token::Quoted(text) if text.ends_with('\'') => words.push((*text).to_owned()),
            Token::Quoted(_) => words.extend(token.name().map(|name| name.to_ascii_lowercase())),
            Token::Word(text) => split(text, &mut words),
        }
    }

    without_casts(words)
}

/// Splits a run of characters into names and marks.
fn split(mut text: &str, words: &mut Vec<String>) {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';

    while let Some(first) = text.chars().next() {
        let length = if is_name(first) {
            text.find(|c| !is_name(c)).unwrap_or(text.len())
        } else if PAIRS.iter().any(|pair| text.starts_with(pair)) {
            2
        } else {
            first.len_utf8()
        };

        let Some((word, rest)) = text.split_at_checked(length) else {
            return;
        };
        words.push(word.to_ascii_lowercase());
        text = rest;
    }
}

/// Leaves out `::text` and `::character varying`, which PostgreSQL writes into each comparison.
fn without_casts(words: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut rest = words.into_iter().peekable();

    while let Some(word) = rest.next() {
        if word != "::" {
            kept.push(word);
        } else if rest.next().is_some_and(|cast| cast == "character") {
            rest.next_if(|word| word == "varying");
        }
    }

    kept
}

/// Returns true if a text names a column, or says its name in any other way.
pub(super) fn mentions(text: &str, column: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let plain = column.to_ascii_lowercase();
    let doubled = plain.replace('"', "\"\"");

    contains_word(&text, &plain) || contains_word(&text, &doubled)
}

fn contains_word(text: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';

    !word.is_empty()
        && text.match_indices(word).any(|(at, found)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = at
                .checked_add(found.len())
                .and_then(|end| text.get(end..))
                .and_then(|after| after.chars().next());
            !before.is_some_and(is_name) && !after.is_some_and(is_name)
        })
}

/// Returns true for a check of a column that holds for null and for a placeholder: that it is not a
/// certain text, or is not empty. Of null, SQL says neither yes nor no, and a check lets that pass.
pub(super) fn is_harmless_check(words: &[String], column: &str) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_column = |word: &str| word.eq_ignore_ascii_case(column);
    // A text that the migration never writes.
    let is_other_text = |text: &str| {
        text.strip_prefix('\'')
            .and_then(|text| text.strip_suffix('\''))
            .is_some_and(|text| {
                !text.starts_with(PLACEHOLDER) && PaymentMethod::from_text(text).is_none()
            })
    };

    match words.as_slice() {
        [name, "<>" | "!=", text] => is_column(name) && is_other_text(text),
        ["length" | "char_length", name, ">", "0"]
        | ["length" | "char_length", name, ">=", "1"] => is_column(name),
        _ => false,
    }
}

/// Returns true for `x IS NOT NULL`.
fn is_present(words: &[String], column: &str) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), [name, "is", "not", "null"] if name.eq_ignore_ascii_case(column))
}

/// Returns true if a trigger's text may use a row as a whole: `NEW.*`, `SELECT *`, `f(NEW)`. Such a
/// text sees a column that it does not name, and may break by one that is added.
pub(super) fn uses_whole_rows(text: &str) -> bool {
    let Some(tokens) = tokens(text) else {
        return true;
    };
    let words = words(&tokens);
    let at = |place: Option<usize>| {
        place
            .and_then(|place| words.get(place))
            .map_or("", String::as_str)
    };

    words.iter().enumerate().any(|(place, word)| {
        let before = at(place.checked_sub(1));
        let after = at(place.checked_add(1));
        match word.as_str() {
            "*" => ["select", "distinct", "all", ",", "."].contains(&before),
            "new" | "old" => after != "." && before != "return" && before != ".",
            _ => false,
        }
    })
}

/// Returns true for a unique index that may refuse a row because a column is null or holds a
/// placeholder, or because one is filled with a payment method.
///
/// A nullable column in an index is harmless if it stands there plainly, since nulls differ, and
/// placeholders do. So is the condition that this column is present.
pub(super) fn may_refuse(index: &str, nullable: &[&str], filled: &[&str]) -> bool {
    let is_in = |text: &str, columns: &[&str]| columns.iter().any(|column| mentions(text, column));
    let Some((keys, rest)) = tokens(index).as_deref().and_then(parts) else {
        return true;
    };

    let mut plain = Vec::new();
    for key in &keys {
        let text: String = key
            .iter()
            .map(|token| format!("{} ", token.text()))
            .collect();
        if is_in(&text, filled) {
            return true;
        }
        for column in nullable {
            if mentions(&text, column) {
                if !is_plain(key, column) {
                    return true;
                }
                plain.push(column);
            }
        }
    }

    let rest_words = words(&rest);
    let nulls_are_equal = rest_words
        .windows(3)
        .any(|three| matches!(three, [a, b, c] if a == "nulls" && b == "not" && c == "distinct"));
    if nulls_are_equal && !plain.is_empty() {
        return true;
    }

    let condition = rest_words
        .iter()
        .position(|word| word == "where")
        .and_then(|place| rest_words.get(place.checked_add(1)?..))
        .unwrap_or_default();
    let text = condition.join(" ");
    let is_understood = plain
        .iter()
        .any(|column| is_present(condition, column) || is_harmless_check(condition, column));

    (is_in(&text, nullable) || is_in(&text, filled)) && !is_understood
}

/// Splits the tokens of an index into its keys and what follows them.
fn parts<'a>(tokens: &[Token<'a>]) -> Option<(Vec<Vec<Token<'a>>>, Vec<Token<'a>>)> {
    let open = tokens.iter().position(|token| *token == Token::Open)?;
    let (keys, rest) = parenthesized(tokens, open)?;

    Some((keys, rest.to_vec()))
}

/// Returns true for a key that is a column and no expression.
fn is_plain(key: &[Token<'_>], column: &str) -> bool {
    if key.contains(&Token::Open) {
        return false;
    }

    let words = words(key);
    let mut words = words.iter().map(String::as_str);
    if !words
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case(column))
    {
        return false;
    }
    while let Some(word) = words.next() {
        match word {
            "asc" | "desc" | "nulls" | "first" | "last" => {}
            "collate" if words.next().is_some() => {}
            class if class.ends_with("_ops") => {}
            _ => return false,
        }
    }

    true
}
