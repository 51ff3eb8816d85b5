//! Decimals as amounts: their bounds, and their form in texts and JSON.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserializer, Serializer, de};

use super::error::AmountError;

/// The largest number that one amount may state.
pub(super) const MAX_AMOUNT: i64 = 1_000_000_000_000;

/// Checks the bounds of every amount, and brings it to its shortest form, so that equal amounts
/// look alike and zero has no sign.
pub(super) fn checked(amount: Decimal, places: u32) -> Result<Decimal, AmountError> {
    let amount = amount.normalize();

    if amount.is_sign_negative() {
        Err(AmountError::Negative)
    } else if amount.scale() > places {
        Err(AmountError::TooPrecise { places })
    } else if amount > Decimal::from(MAX_AMOUNT) {
        Err(AmountError::TooLarge)
    } else {
        Ok(amount)
    }
}

/// Reads a decimal exactly as it is written. A number that cannot be held exactly is refused, and
/// so are forms that only the parser of a programming language accepts: `1_000`, `+5`, `.5`.
pub(super) fn parse_decimal(text: &str) -> Result<Decimal, AmountError> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());

    if !are_digits(whole) || !are_digits(fraction) {
        return Err(AmountError::NotANumber);
    }
    // The plain `from_str` would round what it cannot hold.
    Decimal::from_str_exact(text).map_err(|_| AmountError::NotANumber)
}

/// Reads an amount from a text or a whole number. A fraction that is written as a JSON number has
/// been through a binary float in most senders, so it is refused rather than guessed.
pub(crate) fn deserialize_decimal<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Decimal, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = Decimal;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an amount: a text such as \"12.5\", or a whole number")
        }

        fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Decimal, E> {
            Ok(whole.into())
        }

        fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Decimal, E> {
            Ok(whole.into())
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
            parse_decimal(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_any(Visitor)
}

/// Writes an amount as a text.
pub(crate) fn serialize_decimal<S: Serializer>(
    amount: &Decimal,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}
