//! Names of tables and columns, compared and checked while the host compiles. `==` on texts is not
//! const, so the functions here go byte by byte.

/// The largest length of a name. PostgreSQL cuts longer ones, so two of them could mean the same
/// column.
const MAX_NAME: usize = 63;

/// Returns whether a name needs no escaping in SQL: ASCII letters, digits and `_`, and no digit in
/// front.
pub(super) const fn is_plain(name: &str) -> bool {
    let mut rest = name.as_bytes();
    if rest.len() > MAX_NAME || !matches!(rest, [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..]) {
        return false;
    }

    while let [character, tail @ ..] = rest {
        if !matches!(character, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_') {
            return false;
        }
        rest = tail;
    }
    true
}

/// Returns whether two names are equal, byte by byte.
pub(super) const fn is_exactly(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let ([one, left_tail @ ..], [other, right_tail @ ..]) = (left, right) {
        if *one != *other {
            return false;
        }
        (left, right) = (left_tail, right_tail);
    }
    left.is_empty() && right.is_empty()
}

/// Returns whether two names are equal but for case. Databases that ignore case take them for one.
pub(super) const fn is_same(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let ([one, left_tail @ ..], [other, right_tail @ ..]) = (left, right) {
        if !one.eq_ignore_ascii_case(other) {
            return false;
        }
        (left, right) = (left_tail, right_tail);
    }
    left.is_empty() && right.is_empty()
}
