//! The types that columns hold, and what converts into them. Decimals are in a file of their own,
//! since their number of places is part of their type.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::dialect::Dialect;
use super::error::BuildError;
use super::operand::{Operand, Parameter};
use super::value::{
    ColumnValue, Comparable, KeyValue, ParameterValue, Rankable, Summable, ValueKind, ValueRef,
    lend_text, sealed,
};
use crate::id::IdKind;

/// Makes a type and its `Option` values that columns hold.
///
/// An entry has the type, its kind, the type of a borrowed value (in which `'a` is the lifetime of
/// the loan), the function that lends one, and in brackets what converts into the type and how. `@
/// N` in front of a conversion makes `N` a const parameter of it, for arrays of any length.
///
/// So `i64: ValueKind::Integer, i64, |integer, _| Ok(…), [i32 => i64::from];` gives
/// - to `i64` and `Option<i64>`: `ColumnValue`, `ParameterValue` and what seals them,
/// - from `i32`: `Operand<i64>` and `Operand<Option<i64>>`,
/// - from `Option<i32>` and from `Parameter<i64>`: `Operand<Option<i64>>`.
///
/// Functions stand behind a `let` with a type, since a closure would not be inferred otherwise.
macro_rules! values {
    ($(
        $type:ty: $kind:expr, $borrowed:ty, $lend:expr, [$($(@ $length:ident)? $source:ty => $convert:expr),* $(,)?];
    )*) => {$(
        impl sealed::Value for $type {}
        impl sealed::Value for Option<$type> {}

        impl ParameterValue for $type {
            type Borrowed<'a> = $borrowed;
            const KIND: ValueKind = $kind;

            #[inline]
            fn lend<'a>(borrowed: Self::Borrowed<'a>, dialect: Dialect) -> Result<ValueRef<'a>, BuildError> {
                let lend: fn($borrowed, Dialect) -> Result<ValueRef<'a>, BuildError> = $lend;
                lend(borrowed, dialect)
            }
        }

        impl ParameterValue for Option<$type> {
            type Borrowed<'a> = Option<$borrowed>;
            const KIND: ValueKind = $kind;

            #[inline]
            fn lend<'a>(borrowed: Self::Borrowed<'a>, dialect: Dialect) -> Result<ValueRef<'a>, BuildError> {
                match borrowed {
                    Some(borrowed) => <$type>::lend(borrowed, dialect),
                    None => Ok(ValueRef::Null($kind)),
                }
            }
        }

        impl ColumnValue for $type {
            type Plain = Self;
            type Optional = Option<Self>;
            const NULLABLE: bool = false;
        }

        impl ColumnValue for Option<$type> {
            type Plain = $type;
            type Optional = Self;
            const NULLABLE: bool = true;
        }

        impl From<Parameter<$type>> for Operand<Option<$type>> {
            fn from(parameter: Parameter<$type>) -> Self {
                parameter.operand()
            }
        }

        $(
            impl $(<const $length: usize>)? From<$source> for Operand<$type> {
                fn from(source: $source) -> Self {
                    let convert: fn($source) -> $type = $convert;
                    Self::value(convert(source))
                }
            }

            impl $(<const $length: usize>)? From<$source> for Operand<Option<$type>> {
                fn from(source: $source) -> Self {
                    let convert: fn($source) -> $type = $convert;
                    Self::value(Some(convert(source)))
                }
            }

            impl $(<const $length: usize>)? From<Option<$source>> for Operand<Option<$type>> {
                fn from(source: Option<$source>) -> Self {
                    let convert: fn($source) -> $type = $convert;
                    Self::value(source.map(convert))
                }
            }
        )*
    )*};
}

values! {
    i64: ValueKind::Integer, i64, |integer, _| Ok(ValueRef::Integer(integer)), [
        i64 => |source| source,
        i32 => i64::from,
        u32 => i64::from,
        i16 => i64::from,
        u16 => i64::from,
        u8 => i64::from,
    ];
    String: ValueKind::Text, &'a str, |text, dialect| lend_text(text, dialect), [
        String => |source| source,
        &str => str::to_owned,
        &String => String::clone,
        Cow<'_, str> => |source| source.into_owned(),
        Box<str> => String::from,
    ];
    bool: ValueKind::Boolean, bool, |truth, _| Ok(ValueRef::Boolean(truth)), [
        bool => |source| source,
    ];
    DateTime<Utc>: ValueKind::Timestamp, DateTime<Utc>, |at, dialect| ValueRef::Timestamp(at).fit(dialect), [
        DateTime<Utc> => |source| source,
    ];
    Vec<u8>: ValueKind::Bytes, &'a [u8], |bytes, _| Ok(ValueRef::Bytes(bytes)), [
        Vec<u8> => |source| source,
        &[u8] => <[u8]>::to_vec,
        &Vec<u8> => Vec::clone,
        @ N [u8; N] => |source| source.to_vec(),
        @ N &[u8; N] => |source| source.to_vec(),
    ];
}
#[cfg(feature = "uuid")]
values! {
    uuid::Uuid: ValueKind::Uuid, uuid::Uuid, |uuid, _| Ok(ValueRef::Uuid(uuid)), [
        uuid::Uuid => |source| source,
    ];
}
#[cfg(feature = "json")]
values! {
    serde_json::Value: ValueKind::Json, &'a serde_json::Value, |json, dialect| ValueRef::Json(json).fit(dialect), [
        serde_json::Value => |source| source,
        &serde_json::Value => serde_json::Value::clone,
    ];
}

// A limit is a parameter, but no column holds a `u32`.
impl sealed::Value for u32 {}

impl ParameterValue for u32 {
    type Borrowed<'a> = Self;
    const KIND: ValueKind = ValueKind::Integer;

    #[inline]
    fn lend<'a>(borrowed: Self::Borrowed<'a>, _: Dialect) -> Result<ValueRef<'a>, BuildError> {
        Ok(ValueRef::Integer(borrowed.into()))
    }
}

/// Implements traits without methods: `Comparable for i64` is `impl Comparable for i64 {}`.
macro_rules! mark {
    ($($trait:ident for $type:ty),+ $(,)?) => {$(
        impl $trait for $type {}
    )+};
}

mark! {
    Comparable for i64, Comparable for Option<i64>,
    Comparable for String, Comparable for Option<String>,
    Comparable for bool, Comparable for Option<bool>,
    Comparable for DateTime<Utc>, Comparable for Option<DateTime<Utc>>,
    Comparable for Vec<u8>, Comparable for Option<Vec<u8>>,
    Rankable for i64, Rankable for String, Rankable for DateTime<Utc>,
    Summable for i64,
}
#[cfg(feature = "uuid")]
mark! { Comparable for uuid::Uuid, Comparable for Option<uuid::Uuid> }

impl KeyValue for i64 {
    const ID_KIND: IdKind = IdKind::Int;
}
impl KeyValue for String {
    const ID_KIND: IdKind = IdKind::Text;
}
#[cfg(feature = "uuid")]
impl KeyValue for uuid::Uuid {
    const ID_KIND: IdKind = IdKind::Uuid;
}
