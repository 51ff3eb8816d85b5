//! Amounts of credits.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::decimal::{MAX_AMOUNT, checked, deserialize_decimal, parse_decimal};
use super::error::AmountError;

/// Decimal places of a credit.
const CREDIT_PLACES: u32 = 6;
/// Micro-credits in one credit.
const MICROS: i64 = 1_000_000;

/// An amount of credits: 0 to 10^12, exact to a millionth.
///
/// ```
/// use bailiwick::Credits;
///
/// let price: Credits = "0.25".parse().unwrap();
/// assert_eq!(price.micros(), 250_000);
/// assert_eq!(price.to_string(), "0.25");
/// assert!("0.0000001".parse::<Credits>().is_err(), "refused, not rounded");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Credits(i64);

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self(0);
    /// The greatest amount: 10^12 credits.
    pub const MAX: Self = Self(MAX_AMOUNT.saturating_mul(MICROS));

    /// Creates an amount of whole credits. Every `u32` is within bounds.
    pub fn whole(credits: u32) -> Self {
        Self(i64::from(credits).saturating_mul(MICROS))
    }

    /// Creates an amount from micro-credits, as a database's integer column holds them.
    ///
    /// # Errors
    /// [`AmountError::Negative`] or [`AmountError::TooLarge`].
    pub const fn from_micros(micros: i64) -> Result<Self, AmountError> {
        if micros < 0 {
            Err(AmountError::Negative)
        } else if micros > MAX_AMOUNT.saturating_mul(MICROS) {
            Err(AmountError::TooLarge)
        } else {
            Ok(Self(micros))
        }
    }

    /// Returns the amount in micro-credits.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns the amount as a decimal, in its shortest form.
    pub fn to_decimal(self) -> Decimal {
        debug_assert!(
            Self::ZERO <= self && self <= Self::MAX,
            "every amount is within its bounds, and so within a decimal's"
        );

        Decimal::try_from_i128_with_scale(self.0.into(), CREDIT_PLACES)
            .unwrap_or_default()
            .normalize()
    }

    /// Returns the sum; `None` above 10^12 credits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0
            .checked_add(other.0)
            .and_then(|micros| Self::from_micros(micros).ok())
    }

    /// Returns the product with a number; `None` above 10^12 credits.
    pub fn checked_mul(self, times: u32) -> Option<Self> {
        self.0
            .checked_mul(times.into())
            .and_then(|micros| Self::from_micros(micros).ok())
    }

    /// Returns the difference; `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0
            .checked_sub(other.0)
            .and_then(|micros| Self::from_micros(micros).ok())
    }

    /// Returns the difference, or zero where it would be negative.
    pub fn saturating_sub(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or(Self::ZERO)
    }

    /// Returns true if the amount is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<Decimal> for Credits {
    type Error = AmountError;

    /// Converts exactly.
    ///
    /// # Errors
    /// In this order: [`AmountError::Negative`]; [`AmountError::TooPrecise`] for more than 6
    /// decimal places; [`AmountError::TooLarge`].
    fn try_from(amount: Decimal) -> Result<Self, AmountError> {
        let amount = checked(amount, CREDIT_PLACES)?;
        let micros = amount
            .checked_mul(MICROS.into())
            .ok_or(AmountError::TooLarge)?;
        Self::from_micros(i64::try_from(micros).map_err(|_| AmountError::TooLarge)?)
    }
}

impl FromStr for Credits {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        parse_decimal(text)?.try_into()
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

impl fmt::Debug for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credits({self})")
    }
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_decimal(deserializer)?
            .try_into()
            .map_err(de::Error::custom)
    }
}
