//! Exact amounts: credits in whole micro-credits, money in a currency. No floating point anywhere.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::problem::{Code, Explained};

/// Decimal places of a credit.
const CREDIT_PLACES: u32 = 6;
/// Micro-credits in one credit.
const MICROS: i64 = 1_000_000;
/// The most credits that one amount may state.
const MAX_CREDITS: i64 = 1_000_000_000_000;
/// Decimal places of money: ISO 4217 has no currency with more.
const MONEY_PLACES: u32 = 4;

/// Why a number is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Amounts are never negative: what takes credits away is a command of its own.
    #[error("an amount is negative")]
    Negative,
    /// More decimal places than the amount can hold; it is refused, never rounded.
    #[error("an amount has more than {places} decimal places")]
    TooPrecise {
        /// The most places that are allowed.
        places: u32,
    },
    /// Larger than 10^12.
    #[error("an amount is larger than 1000000000000")]
    TooLarge,
    /// Not a decimal number.
    #[error("an amount is not a decimal number such as \"12.5\"")]
    NotANumber,
    /// Not a currency of three upper-case letters.
    #[error("a currency is not a code of three upper-case letters such as \"EUR\"")]
    Currency,
}

impl Explained for AmountError {
    fn code(&self) -> Code {
        Code::AmountInvalid
    }
}

/// Checks the bounds that every amount obeys and brings it to its shortest form, so that equal
/// amounts look alike and zero has no sign.
fn checked(amount: Decimal, places: u32) -> Result<Decimal, AmountError> {
    let amount = amount.normalize();
    if amount.is_sign_negative() {
        Err(AmountError::Negative)
    } else if amount.scale() > places {
        Err(AmountError::TooPrecise { places })
    } else if amount > Decimal::from(MAX_CREDITS) {
        Err(AmountError::TooLarge)
    } else {
        Ok(amount)
    }
}

/// A text becomes a decimal as it stands: what cannot be held exactly is refused, and so is what
/// only the parser of a programming language would read as a number, such as `1_000`, `+5` or `.5`.
fn parse_decimal(text: &str) -> Result<Decimal, AmountError> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return Err(AmountError::NotANumber);
    }
    Decimal::from_str_exact(text).map_err(|_| AmountError::NotANumber)
}

/// Reads an amount from a text or a whole number. A fraction written as a JSON number has been
/// through a binary float in most senders, so it is refused rather than guessed.
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

/// An amount of credits: 0 to 10^12, exact to a millionth.
///
/// ```
/// use bailiwick::Credits;
/// let price: Credits = "0.25".parse()?;
/// assert_eq!(price.micros(), 250_000);
/// assert_eq!(price.to_string(), "0.25");
/// assert!("0.0000001".parse::<Credits>().is_err(), "refused, not rounded");
/// # Ok::<(), bailiwick::money::AmountError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Credits(i64);

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self(0);
    /// The greatest amount: 10^12 credits.
    pub const MAX: Self = Self(MAX_CREDITS.saturating_mul(MICROS));

    /// Whole credits: any `u32` is within bounds.
    pub fn whole(credits: u32) -> Self {
        Self(i64::from(credits).saturating_mul(MICROS))
    }

    /// From micro-credits, as a database's integer column holds them. Fails with `Negative` or
    /// `TooLarge`.
    pub const fn from_micros(micros: i64) -> Result<Self, AmountError> {
        if micros < 0 {
            Err(AmountError::Negative)
        } else if micros > MAX_CREDITS.saturating_mul(MICROS) {
            Err(AmountError::TooLarge)
        } else {
            Ok(Self(micros))
        }
    }

    /// The amount in micro-credits.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The amount as a decimal, in its shortest form.
    pub fn to_decimal(self) -> Decimal {
        Decimal::try_from_i128_with_scale(self.0.into(), CREDIT_PLACES)
            .unwrap_or_default()
            .normalize()
    }

    /// The sum; `None` above 10^12 credits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0
            .checked_add(other.0)
            .and_then(|micros| Self::from_micros(micros).ok())
    }

    /// So many times as much; `None` above 10^12 credits.
    pub fn checked_mul(self, times: u32) -> Option<Self> {
        self.0
            .checked_mul(times.into())
            .and_then(|micros| Self::from_micros(micros).ok())
    }

    /// The difference; `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0
            .checked_sub(other.0)
            .and_then(|micros| Self::from_micros(micros).ok())
    }

    /// The difference, or zero where it would be below.
    pub fn saturating_sub(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or(Self::ZERO)
    }

    /// Whether this is no credits at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<Decimal> for Credits {
    type Error = AmountError;

    /// Exact: fails for a negative number, more than 6 places, or more than 10^12.
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

/// A currency: three upper-case letters, as ISO 4217 writes them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");
    /// The United States dollar.
    pub const USD: Self = Self(*b"USD");

    /// The decimal places in which it is paid, as ISO 4217 has them: mostly two.
    pub fn places(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        // The letters were checked when the currency was made, so this is never empty.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl TryFrom<&str> for Currency {
    type Error = AmountError;

    fn try_from(text: &str) -> Result<Self, AmountError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            _ => Err(AmountError::Currency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.as_str().try_into()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl FromStr for Currency {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        text.try_into()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({self})")
    }
}

/// An amount of money: 0 to 10^12, at most 4 decimal places, in one currency.
///
/// ```
/// use bailiwick::Money;
/// use bailiwick::money::Currency;
/// let price = Money::new("49.00".parse()?, Currency::EUR)?;
/// assert_eq!(price.to_string(), "49 EUR");
/// assert_eq!(price, Money::new("49".parse()?, Currency::EUR)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "MoneyText", into = "MoneyText")]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// An amount in a currency. Fails for a negative number, more than 4 places, or more than
    /// 10^12.
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, AmountError> {
        Ok(Self {
            amount: checked(amount, MONEY_PLACES)?,
            currency,
        })
    }

    /// The amount, in its shortest form.
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Nothing of a currency.
    pub fn zero(currency: Currency) -> Self {
        Self {
            amount: Decimal::ZERO,
            currency,
        }
    }

    /// Whether this is no money at all.
    pub fn is_zero(&self) -> bool {
        self.amount.is_zero()
    }

    /// The sum; `None` above 10^12, or where the currencies differ.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.with(other, |a, b| a.checked_add(b))
    }

    /// The difference; `None` below zero, or where the currencies differ.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.with(other, |a, b| a.checked_sub(b))
    }

    /// The lesser; `None` where the currencies differ.
    pub(crate) fn lesser(self, other: Self) -> Option<Self> {
        self.with(other, |a, b| Some(a.min(b)))
    }

    /// So many times `part` of the amount, by `whole`, rounded half to even to the currency's
    /// places. `None` beyond what can be held, or of a whole that is nothing.
    pub(crate) fn share(self, part: i64, whole: i64) -> Option<Self> {
        let amount = self
            .amount
            .checked_mul(part.into())?
            .checked_div(whole.into())?;
        Self::new(amount.round_dp(self.currency.places()), self.currency).ok()
    }

    fn with(self, other: Self, join: impl Fn(Decimal, Decimal) -> Option<Decimal>) -> Option<Self> {
        let amount = join(self.amount, other.amount).filter(|_| self.currency == other.currency)?;
        Self::new(amount, self.currency).ok()
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

/// Writes an amount as a text.
pub(crate) fn serialize_decimal<S: Serializer>(
    amount: &Decimal,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
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
