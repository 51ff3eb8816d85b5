//! SHA-256 digests as texts: 64 lower-case hexadecimal digits.

/// The digest of a text; `None` where it is none.
pub(crate) fn read_digest(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'W'), // 'a' - 10
        _ => None,
    };
    let mut digits = text.as_bytes().iter().map(digit);
    let mut digest = [0u8; 32];
    for byte in &mut digest {
        let (high, low) = digits.next().flatten().zip(digits.next().flatten())?;
        *byte = high.wrapping_shl(4) | low;
    }
    digits.next().is_none().then_some(digest)
}
