//! Decimals with a fixed number of places, exact on each database.

use std::fmt;
use std::marker::PhantomData;

use rust_decimal::Decimal;
use sea_query::Value;
use thiserror::Error;

use super::dialect::Dialect;
use super::error::BuildError;
use super::operand::{Operand, Parameter};
use super::value::{
    ColumnValue, Comparable, ParameterValue, Rankable, Summable, ValueKind, ValueRef, sealed,
};
use crate::problem::{Code, Explained};

/// The largest number of decimal places of a [`Fixed`]. An `i64` holds every number of 18 digits.
const MAX_PLACES: u32 = 18;

/// A decimal with `PLACES` decimal places, for columns: `Fixed<2>` for cents.
///
/// It is a number of units of the last place, in an `i64`. PostgreSQL holds it as `numeric(18,
/// PLACES)`. SQLite holds the units as an integer, since its `DECIMAL` is a float beyond 15 digits.
/// So a host reads it back with [`Fixed::new`] on PostgreSQL, and with [`Fixed::of_units`] on
/// SQLite. More than 18 places do not compile.
///
/// ```
/// use bailiwick::rust_decimal::Decimal;
/// use bailiwick::scope::{Fixed, FixedError};
///
/// let price = Fixed::<2>::new(Decimal::new(19_90, 2)).unwrap();
/// assert_eq!(price.units(), 1990);
/// assert_eq!(price.to_string(), "19.90");
/// assert_eq!(Fixed::<2>::new(Decimal::new(19_905, 3)), Err(FixedError::TooPrecise));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fixed<const PLACES: u32> {
    units: i64,
    places: PhantomData<()>,
}

/// The reason why a decimal does not fit a [`Fixed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FixedError {
    /// The number has more decimal places than the column.
    #[error("the number has too many decimal places")]
    TooPrecise,
    /// The number has more than 18 digits, decimal places included.
    #[error("the number is too large, the limit is 18 digits with the decimal places")]
    TooLarge,
}

impl Explained for FixedError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}

/// The largest number of units that `numeric(18, …)` holds.
const MAX_UNITS: i64 = 999_999_999_999_999_999;

impl<const PLACES: u32> Fixed<PLACES> {
    /// Converts a decimal. Nothing is rounded.
    ///
    /// # Errors
    /// - [`FixedError::TooPrecise`] if it has more decimal places, zeros at the end aside.
    /// - [`FixedError::TooLarge`] if it has more than 18 digits.
    pub fn new(decimal: Decimal) -> Result<Self, FixedError> {
        const {
            assert!(
                PLACES <= MAX_PLACES,
                "a Fixed has at most 18 decimal places"
            )
        };

        let mut scaled = decimal.normalize();
        if scaled.scale() > PLACES {
            return Err(FixedError::TooPrecise);
        }

        // If the mantissa has no room, `rescale` stops short of the scale.
        scaled.rescale(PLACES);
        if scaled.scale() != PLACES {
            return Err(FixedError::TooLarge);
        }

        let units = i64::try_from(scaled.mantissa()).map_err(|_| FixedError::TooLarge)?;
        Self::of_units(units)
    }

    /// Creates a decimal from units of the last decimal place, as SQLite holds it.
    ///
    /// # Errors
    /// [`FixedError::TooLarge`] if there are more than 18 digits.
    pub fn of_units(units: i64) -> Result<Self, FixedError> {
        const {
            assert!(
                PLACES <= MAX_PLACES,
                "a Fixed has at most 18 decimal places"
            )
        };

        if units.unsigned_abs() > MAX_UNITS.unsigned_abs() {
            return Err(FixedError::TooLarge);
        }
        Ok(Self {
            units,
            places: PhantomData,
        })
    }

    /// The number of units of the last decimal place.
    pub fn units(self) -> i64 {
        self.units
    }

    /// The decimal.
    pub fn decimal(self) -> Decimal {
        let decimal = Decimal::try_from_i128_with_scale(self.units.into(), PLACES);
        debug_assert!(
            decimal.is_ok(),
            "18 digits with at most 18 places always fit"
        );
        decimal.unwrap_or_default()
    }
}

impl<const PLACES: u32> fmt::Display for Fixed<PLACES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal().fmt(f)
    }
}

impl<const PLACES: u32> From<Fixed<PLACES>> for Value {
    fn from(fixed: Fixed<PLACES>) -> Self {
        fixed.decimal().into()
    }
}

impl<const PLACES: u32> sea_query::Nullable for Fixed<PLACES> {
    fn null() -> Value {
        Value::Decimal(None)
    }
}

impl<const PLACES: u32> sealed::Value for Fixed<PLACES> {}
impl<const PLACES: u32> sealed::Value for Option<Fixed<PLACES>> {}

impl<const PLACES: u32> ParameterValue for Fixed<PLACES> {
    type Borrowed<'a> = Self;
    const KIND: ValueKind = ValueKind::Decimal(PLACES);

    fn lend<'a>(
        borrowed: Self::Borrowed<'a>,
        dialect: Dialect,
    ) -> Result<ValueRef<'a>, BuildError> {
        ValueRef::Decimal(borrowed.decimal()).fit(dialect)
    }
}

impl<const PLACES: u32> ParameterValue for Option<Fixed<PLACES>> {
    type Borrowed<'a> = Self;
    const KIND: ValueKind = ValueKind::Decimal(PLACES);

    fn lend<'a>(
        borrowed: Self::Borrowed<'a>,
        dialect: Dialect,
    ) -> Result<ValueRef<'a>, BuildError> {
        match borrowed {
            Some(fixed) => Fixed::lend(fixed, dialect),
            None => ValueRef::Null(Self::KIND).fit(dialect),
        }
    }
}

impl<const PLACES: u32> ColumnValue for Fixed<PLACES> {
    type Plain = Self;
    type Optional = Option<Self>;
    const NULLABLE: bool = false;
}

impl<const PLACES: u32> ColumnValue for Option<Fixed<PLACES>> {
    type Plain = Fixed<PLACES>;
    type Optional = Self;
    const NULLABLE: bool = true;
}

impl<const PLACES: u32> Comparable for Fixed<PLACES> {}
impl<const PLACES: u32> Comparable for Option<Fixed<PLACES>> {}
impl<const PLACES: u32> Rankable for Fixed<PLACES> {}
impl<const PLACES: u32> Summable for Fixed<PLACES> {}

impl<const PLACES: u32> From<Fixed<PLACES>> for Operand<Fixed<PLACES>> {
    fn from(fixed: Fixed<PLACES>) -> Self {
        Self::value(fixed)
    }
}

impl<const PLACES: u32> From<Fixed<PLACES>> for Operand<Option<Fixed<PLACES>>> {
    fn from(fixed: Fixed<PLACES>) -> Self {
        Self::value(Some(fixed))
    }
}

impl<const PLACES: u32> From<Option<Fixed<PLACES>>> for Operand<Option<Fixed<PLACES>>> {
    fn from(fixed: Option<Fixed<PLACES>>) -> Self {
        Self::value(fixed)
    }
}

impl<const PLACES: u32> From<Parameter<Fixed<PLACES>>> for Operand<Option<Fixed<PLACES>>> {
    fn from(parameter: Parameter<Fixed<PLACES>>) -> Self {
        parameter.operand()
    }
}
