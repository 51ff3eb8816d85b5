//! Prices of operations, and quotes that say how they came about.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::money::{Credits, deserialize_decimal, serialize_decimal};
use crate::problem::{Code, Explained};

/// The decimal places of a price: finer than credits, since a quote rounds once, at its end.
const MAX_PLACES: u32 = 12;
/// The largest price.
const MAX_PRICE: i64 = 1_000_000_000_000;

/// The rounding of a quote to a millionth of a credit, once, at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Up: the service never loses by rounding.
    #[default]
    Up,
    /// Down: the tenant never loses by rounding.
    Down,
    /// To the nearest; halves to the even neighbour.
    HalfEven,
}

/// A stretch of units with a price of its own: those from the end of the tier before up to `up_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it as a literal"
)]
pub struct Tier {
    /// The last unit of the tier.
    pub up_to: u64,
    /// The price of each unit of it; at most 12 decimal places.
    #[serde(
        deserialize_with = "deserialize_decimal",
        serialize_with = "serialize_decimal"
    )]
    pub per_unit: Decimal,
}

/// The price of one operation: `base`, and each unit at the price of its tier or, beyond the last
/// tier, at `per_unit`; in all at least `minimum`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it as a literal"
)]
pub struct Price {
    /// The price of every call, whatever its quantity; at most 12 decimal places.
    #[serde(
        default,
        deserialize_with = "deserialize_decimal",
        serialize_with = "serialize_decimal"
    )]
    pub base: Decimal,
    /// The price of each unit beyond the last tier, or of every unit if there are no tiers; at most
    /// 12 decimal places.
    #[serde(
        default,
        deserialize_with = "deserialize_decimal",
        serialize_with = "serialize_decimal"
    )]
    pub per_unit: Decimal,
    /// The stretches of units with prices of their own, in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// The least that a call costs.
    #[serde(default = "zero")]
    pub minimum: Credits,
    /// The rounding of the sum.
    #[serde(default)]
    pub rounding: Rounding,
}

fn zero() -> Credits {
    Credits::ZERO
}

impl Price {
    fn is_sound(&self) -> bool {
        let prices = [self.base, self.per_unit]
            .into_iter()
            .chain(self.tiers.iter().map(|tier| tier.per_unit));
        let ends = || self.tiers.iter().map(|tier| tier.up_to);

        ends().zip(ends().skip(1)).all(|(end, next)| end < next)
            && ends().all(|end| end > 0)
            && prices.into_iter().all(|price| {
                // Trailing zeros say nothing, so they are not counted.
                price >= Decimal::ZERO
                    && price.normalize().scale() <= MAX_PLACES
                    && price <= Decimal::from(MAX_PRICE)
            })
    }

    /// Returns the numbers of units and the price that each is charged at, in order. A tier that
    /// the quantity does not reach is left out.
    fn parts(&self, quantity: u64) -> impl Iterator<Item = (u64, Decimal)> {
        // What is beyond the last tier has no end.
        let last = std::iter::once((u64::MAX, self.per_unit));
        let mut counted = 0_u64;

        self.tiers
            .iter()
            .map(|tier| (tier.up_to, tier.per_unit))
            .chain(last)
            .filter_map(move |(end, per_unit)| {
                let units = quantity.min(end).saturating_sub(counted);
                counted = counted.max(end);
                (units > 0).then_some((units, per_unit))
            })
    }

    /// Returns the price of so many units; `None` if it is beyond what amounts can be.
    fn of(&self, quantity: u64) -> Option<Credits> {
        let sum = self
            .parts(quantity)
            .try_fold(self.base, |sum, (units, per_unit)| {
                sum.checked_add(per_unit.checked_mul(units.into())?)
            })?;

        let strategy = match self.rounding {
            Rounding::Up => RoundingStrategy::AwayFromZero,
            Rounding::Down => RoundingStrategy::ToZero,
            Rounding::HalfEven => RoundingStrategy::MidpointNearestEven,
        };
        // Credits have 6 decimal places.
        let price = Credits::try_from(sum.round_dp_with_strategy(6, strategy)).ok()?;

        Some(price.max(self.minimum))
    }
}

/// The error of a price list or a quote that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PriceError {
    /// The list has no such operation: its name, and the names that the list has.
    #[error("the price list has no operation {0:?}; it has {1}")]
    OperationUnknown(String, String),
    /// The price of this operation is negative, too large or has more than 12 decimal places, or
    /// its tiers are not in ascending order.
    #[error(
        "the prices of {0:?} must be from 0 to 10^12 with at most {MAX_PLACES} decimal places, and its tiers must ascend"
    )]
    PriceInvalid(String),
    /// The price of so many units of this operation is beyond 10^12 credits.
    #[error("the price of {1} units of {0:?} is too large")]
    TooLarge(String, u64),
}

impl Explained for PriceError {
    fn code(&self) -> Code {
        match self {
            Self::OperationUnknown(..) => Code::OperationUnknown,
            Self::PriceInvalid(_) => Code::AmountInvalid,
            Self::TooLarge(..) => Code::AmountOverflow,
        }
    }
}

/// The prices of all operations, by name. It is read by serde, and refused if a price is not sound.
///
/// ```
/// use bailiwick::credit::PriceList;
///
/// let json = r#"{ "article": { "base": "1", "per_unit": "0.02" } }"#;
/// let prices: PriceList = serde_json::from_str(json)?;
/// let quote = prices.quote("article", 150)?;
/// assert_eq!(quote.price().to_string(), "4");
/// assert_eq!(quote.to_string(), "article: 1 + 150 * 0.02 = 4 credits");
/// assert!(prices.quote("poem", 1).is_err());
///
/// let tiers = r#"{ "image": { "tiers": [{ "up_to": 10, "per_unit": "2" }], "per_unit": "1.5" } }"#;
/// let quote = serde_json::from_str::<PriceList>(tiers)?.quote("image", 12)?;
/// assert_eq!(quote.to_string(), "image: 0 + 10 * 2 + 2 * 1.5 = 23 credits");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<Arc<str>, Price>",
    into = "BTreeMap<Arc<str>, Price>"
)]
pub struct PriceList(BTreeMap<Arc<str>, Price>);

impl PriceList {
    /// Returns the price of `quantity` units of an operation.
    ///
    /// # Errors
    /// [`PriceError::OperationUnknown`], [`PriceError::TooLarge`].
    pub fn quote(&self, operation: &str, quantity: u64) -> Result<Quote, PriceError> {
        let (operation, price) = self.0.get_key_value(operation).ok_or_else(|| {
            let known: Vec<&str> = self.0.keys().map(|name| &**name).collect();
            PriceError::OperationUnknown(operation.to_owned(), known.join(", "))
        })?;

        let total = price
            .of(quantity)
            .ok_or_else(|| PriceError::TooLarge(operation.to_string(), quantity))?;

        Ok(Quote {
            operation: operation.clone(),
            quantity,
            price: price.clone(),
            total,
        })
    }
}

impl TryFrom<BTreeMap<Arc<str>, Price>> for PriceList {
    type Error = PriceError;

    fn try_from(prices: BTreeMap<Arc<str>, Price>) -> Result<Self, PriceError> {
        match prices.iter().find(|(_, price)| !price.is_sound()) {
            Some((operation, _)) => Err(PriceError::PriceInvalid(operation.to_string())),
            None => Ok(Self(prices)),
        }
    }
}

impl From<PriceList> for BTreeMap<Arc<str>, Price> {
    fn from(list: PriceList) -> Self {
        list.0
    }
}

/// The price of so many units of an operation. Displayed, it says how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    operation: Arc<str>,
    quantity: u64,
    price: Price,
    total: Credits,
}

impl Quote {
    /// Returns the name of the operation.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    pub(super) fn operation_name(&self) -> &Arc<str> {
        &self.operation
    }

    /// Returns the number of units.
    pub fn quantity(&self) -> u64 {
        self.quantity
    }

    /// Returns the price of them all.
    pub fn price(&self) -> Credits {
        self.total
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            quantity,
            price,
            total,
        } = self;

        write!(f, "{operation}: {}", price.base)?;
        // Without tiers, the one product is told even for no units.
        if price.tiers.is_empty() {
            write!(f, " + {quantity} * {}", price.per_unit)?;
        }
        for (units, per_unit) in price.parts(*quantity).filter(|_| !price.tiers.is_empty()) {
            write!(f, " + {units} * {per_unit}")?;
        }

        write!(f, " = {total} credits")?;
        if !price.minimum.is_zero() && *total == price.minimum {
            f.write_str(" (the minimum)")
        } else {
            Ok(())
        }
    }
}
