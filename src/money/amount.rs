//! Amounts of money.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::decimal::{checked, deserialize_decimal, serialize_decimal};
use super::error::AmountError;

/// Decimal places of money: ISO 4217 has no currency with more.
const MONEY_PLACES: u32 = 4;

/// An amount of money: 0 to 10^12, at most 4 decimal places, in one currency.
///
/// ```
/// use bailiwick::Money;
/// use bailiwick::money::Currency;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let price = Money::new("49.00".parse()?, Currency::EUR)?;
///     assert_eq!(price.to_string(), "49 EUR");
///     assert_eq!(price, Money::new("49".parse()?, Currency::EUR)?);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "MoneyText", into = "MoneyText")]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// Creates an amount in a currency.
    ///
    /// # Errors
    /// In this order: [`AmountError::Negative`]; [`AmountError::TooPrecise`] for more than 4
    /// decimal places; [`AmountError::TooLarge`].
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, AmountError> {
        Ok(Self {
            amount: checked(amount, MONEY_PLACES)?,
            currency,
        })
    }

    /// Returns the amount, in its shortest form.
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// Returns the currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Creates the amount of zero in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self {
            amount: Decimal::ZERO,
            currency,
        }
    }

    /// Returns true if the amount is zero.
    pub fn is_zero(&self) -> bool {
        self.amount.is_zero()
    }

    /// Returns the sum; `None` above 10^12, or if the currencies differ.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.with(other, |a, b| a.checked_add(b))
    }

    /// Returns the difference; `None` below zero, or if the currencies differ.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.with(other, |a, b| a.checked_sub(b))
    }

    /// Returns the lesser amount; `None` if the currencies differ.
    pub(crate) fn lesser(self, other: Self) -> Option<Self> {
        self.with(other, |a, b| Some(a.min(b)))
    }

    /// Returns the amount times `part`, divided by `whole`, rounded half to even to the currency's
    /// decimal places. `None` if `whole` is zero, or if the result cannot be held.
    pub(crate) fn share(self, part: i64, whole: i64) -> Option<Self> {
        let amount = self
            .amount
            .checked_mul(part.into())?
            .checked_div(whole.into())?;

        Self::new(amount.round_dp(self.currency.places()), self.currency).ok()
    }

    /// Joins two amounts of one currency into a third.
    fn with(self, other: Self, join: impl Fn(Decimal, Decimal) -> Option<Decimal>) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }

        Self::new(join(self.amount, other.amount)?, self.currency).ok()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// Money as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyText {
    #[serde(
        deserialize_with = "deserialize_decimal",
        serialize_with = "serialize_decimal"
    )]
    amount: Decimal,
    currency: Currency,
}

impl TryFrom<MoneyText> for Money {
    type Error = AmountError;

    fn try_from(text: MoneyText) -> Result<Self, AmountError> {
        Self::new(text.amount, text.currency)
    }
}

impl From<Money> for MoneyText {
    fn from(money: Money) -> Self {
        Self {
            amount: money.amount,
            currency: money.currency,
        }
    }
}
