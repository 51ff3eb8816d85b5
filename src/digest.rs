//! Bytes as lower-case hexadecimal digits, in one place: digests, UUIDs and cursors.

use std::fmt;

/// The value of the digit `a`, taken from its ASCII code.
const LETTERS: u8 = b'a' - 10;

/// Reads as many bytes as fit the array. `None` where the text is longer or shorter, or has a
/// character that is not a lower-case hexadecimal digit.
pub(crate) fn read_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }

    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = read_byte(*pair)?;
    }
    Some(bytes)
}

/// Reads bytes of any number.
#[cfg(feature = "sql")]
pub(crate) fn read_hex_bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }

    pairs.iter().copied().map(read_byte).collect()
}

/// Reads a SHA-256 digest: 64 digits.
pub(crate) fn read_digest(text: &str) -> Option<[u8; 32]> {
    read_hex(text)
}

fn read_byte([high, low]: [u8; 2]) -> Option<u8> {
    Some(read_digit(high)?.wrapping_shl(4) | read_digit(low)?)
}

/// Each byte has one form only, so upper-case digits are refused.
fn read_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(LETTERS),
        _ => None,
    }
}

/// Writes bytes as digits: two for each byte.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
