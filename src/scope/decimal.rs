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

/// The most decimal places of a [`Fixed`]: 18 digits in all are exact in an `i64`.
const MAX_PLACES: u32 = 18;

/// A decimal with `PLACES` decimal places, for columns: `Fixed<2>` for cents.
///
/// It is an `i64` of units of the last place. PostgreSQL holds it as `numeric(18, PLACES)`; SQLite,
/// whose `DECIMAL` is a float beyond 15 digits, as that integer. So it is read back with
/// [`Fixed::of_units`] on SQLite, and with [`Fixed::new`] on PostgreSQL. More than 18 places do not
/// compile.
///
/// ```
/// use bailiwick::scope::{Fixed, FixedError};
/// let price = Fixed::<2>::new("19.90".parse()?)?;
/// assert_eq!(price.units(), 1990);
/// assert_eq!(price.to_string(), "19.90");
/// assert_eq!(Fixed::<2>::new("19.905".parse()?), Err(FixedError::TooPrecise));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fixed<const PLACES: u32> {
    units: i64,
    places: PhantomData<()>,
}

/// Why a decimal does not fit a [`Fixed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FixedError {
    /// It has more decimal places than the column.
    #[error("the number has too many decimal places")]
    TooPrecise,
    /// It has more than 18 digits.
    #[error("the number is too large")]
    TooLarge,
}

impl Explained for FixedError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}

/// What `numeric(18, …)` holds.
const MAX_UNITS: i64 = 999_999_999_999_999_999;

impl<const PLACES: u32> Fixed<PLACES> {
    /// The decimal, exactly.
    ///
    /// # Errors
    /// [`FixedError`], if it does not fit; nothing is rounded.
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
        scaled.rescale(PLACES);
        // Where the mantissa had no room, `rescale` stops short of the scale.
        if scaled.scale() != PLACES {
            return Err(FixedError::TooLarge);
        }
        let units = i64::try_from(scaled.mantissa()).map_err(|_| FixedError::TooLarge)?;
        Self::of_units(units)
    }

    /// So many units of the last decimal place: what SQLite holds.
    ///
    /// # Errors
    /// [`FixedError::TooLarge`], beyond 18 digits.
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

    /// Units of the last decimal place.
    pub fn units(self) -> i64 {
        self.units
    }

    /// The decimal.
    pub fn decimal(self) -> Decimal {
        // 18 digits with at most 18 places always fit.
        Decimal::try_from_i128_with_scale(self.units.into(), PLACES).unwrap_or_default()
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
