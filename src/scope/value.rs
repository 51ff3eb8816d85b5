//! Values: what a column can hold, and how it is lent to a driver.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use sea_query::Value;

use super::dialect::Dialect;
use super::error::BuildError;
use crate::id::IdKind;

pub(super) mod sealed {
    pub trait Value {}
}

/// The type of a value in the databases. [`ValueRef::Null`] has one, for drivers that must know the
/// type of a null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// PostgreSQL `bigint`, SQLite `INTEGER`.
    Integer,
    /// PostgreSQL `text`, SQLite `TEXT`.
    Text,
    /// PostgreSQL `boolean`, SQLite `INTEGER`.
    Boolean,
    /// PostgreSQL `timestamptz`, SQLite `TEXT`.
    Timestamp,
    /// PostgreSQL `bytea`, SQLite `BLOB`.
    Bytes,
    /// PostgreSQL `uuid`, SQLite `BLOB`.
    #[cfg(feature = "uuid")]
    Uuid,
    /// PostgreSQL `numeric` with this number of decimal places, SQLite `INTEGER` in units of the
    /// last of them.
    #[cfg(feature = "decimal")]
    Decimal(u32),
    /// PostgreSQL `jsonb`, SQLite `TEXT`.
    #[cfg(feature = "json")]
    Json,
}

impl ValueKind {
    /// The kind of value that a column for such identifiers holds.
    pub(super) const fn of_id(kind: IdKind) -> Self {
        match kind {
            IdKind::Int => Self::Integer,
            #[cfg(feature = "uuid")]
            IdKind::Uuid => Self::Uuid,
            IdKind::Text => Self::Text,
        }
    }

    /// Returns whether two kinds are the same. `==` is not const.
    pub(super) const fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Integer, Self::Integer)
            | (Self::Text, Self::Text)
            | (Self::Boolean, Self::Boolean)
            | (Self::Timestamp, Self::Timestamp)
            | (Self::Bytes, Self::Bytes) => true,

            #[cfg(feature = "uuid")]
            (Self::Uuid, Self::Uuid) => true,
            #[cfg(feature = "decimal")]
            (Self::Decimal(scale), Self::Decimal(other)) => scale == other,
            #[cfg(feature = "json")]
            (Self::Json, Self::Json) => true,

            _ => false,
        }
    }
}

/// A value that a column can hold, or an `Option` of one for a column that may be null.
///
/// These are `i64`, `String`, `bool`, `DateTime<Utc>` and `Vec<u8>`; with the feature `uuid` also
/// `Uuid`, with `decimal` [`Fixed`](crate::scope::Fixed), with `json`
/// [`serde_json::Value`](https://docs.rs/serde_json). [`ValueKind`] says which types they have in
/// the databases.
///
/// Sealed: there are no others. A host that has types of its own converts them into an
/// [`Operand`](crate::scope::Operand).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value that a column can hold",
    note = "a column holds an `i64`, `String`, `bool`, `DateTime<Utc>`, `Vec<u8>`, or an `Option` of these"
)]
pub trait ColumnValue: ParameterValue + Into<Value> {
    /// The type of a value that is not null. Filters compare with this, and so never with null.
    type Plain: ColumnValue<Plain = Self::Plain>;

    /// The type of a value that may be null.
    type Optional: ColumnValue<Plain = Self::Plain>;

    /// True if the column may be null.
    #[doc(hidden)]
    const NULLABLE: bool;
}

/// A value that a [`Prepared`](crate::scope::Prepared) statement takes as a parameter: any
/// [`ColumnValue`], and a `u32` for a limit.
///
/// Sealed: there are no others.
pub trait ParameterValue: sealed::Value + 'static {
    /// The type that binding a prepared statement takes: `&str` for a `String`, `&[u8]` for a
    /// `Vec<u8>`.
    type Borrowed<'a>: Copy;

    #[doc(hidden)]
    const KIND: ValueKind;

    /// Lends the value as the database can hold it.
    #[doc(hidden)]
    fn lend<'a>(borrowed: Self::Borrowed<'a>, dialect: Dialect)
    -> Result<ValueRef<'a>, BuildError>;
}

/// A value that can be compared with others of its type: any but JSON, on whose equality the
/// databases do not agree.
#[diagnostic::on_unimplemented(message = "values of type `{Self}` are not compared")]
pub trait Comparable: ColumnValue {}

/// A value that has a sum: an `i64`, and with the feature `decimal` a
/// [`Fixed`](crate::scope::Fixed).
#[diagnostic::on_unimplemented(message = "values of type `{Self}` are not added up")]
pub trait Summable: Comparable {}

/// A value that has a least and a greatest which both databases compute alike.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` have no least and greatest on every database"
)]
pub trait Rankable: Comparable {}

/// A value that a key can hold: an `i64`, a `String`, or with the feature `uuid` a `Uuid`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value that a key can hold",
    note = "a key is an `i64`, a `String`, or with the feature `uuid` a `Uuid`"
)]
pub trait KeyValue: Comparable<Plain = Self, Optional: Comparable<Plain = Self>> {
    /// The kind of identifier that such a key holds.
    #[doc(hidden)]
    const ID_KIND: IdKind;
}

/// One value of a statement, borrowed, ready to be bound by a driver.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ValueRef<'a> {
    /// A null of this type.
    Null(ValueKind),
    /// An integer.
    Integer(i64),
    /// A text.
    Text(&'a str),
    /// A truth value.
    Boolean(bool),
    /// An instant.
    Timestamp(DateTime<Utc>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A UUID.
    #[cfg(feature = "uuid")]
    Uuid(uuid::Uuid),
    /// A decimal. On SQLite it is an integer instead.
    #[cfg(feature = "decimal")]
    Decimal(rust_decimal::Decimal),
    /// JSON.
    #[cfg(feature = "json")]
    Json(&'a serde_json::Value),
}

impl From<ValueRef<'_>> for Value {
    #[inline]
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null(ValueKind::Integer) => Self::BigInt(None),
            ValueRef::Null(ValueKind::Text) => Self::String(None),
            ValueRef::Null(ValueKind::Boolean) => Self::Bool(None),
            ValueRef::Null(ValueKind::Timestamp) => Self::ChronoDateTimeUtc(None),
            ValueRef::Null(ValueKind::Bytes) => Self::Bytes(None),

            ValueRef::Integer(integer) => integer.into(),
            ValueRef::Text(text) => text.into(),
            ValueRef::Boolean(truth) => truth.into(),
            ValueRef::Timestamp(instant) => instant.into(),
            ValueRef::Bytes(bytes) => bytes.into(),

            #[cfg(feature = "uuid")]
            ValueRef::Null(ValueKind::Uuid) => Self::Uuid(None),
            #[cfg(feature = "uuid")]
            ValueRef::Uuid(uuid) => uuid.into(),
            #[cfg(feature = "decimal")]
            ValueRef::Null(ValueKind::Decimal(_)) => Self::Decimal(None),
            #[cfg(feature = "decimal")]
            ValueRef::Decimal(decimal) => decimal.into(),
            #[cfg(feature = "json")]
            ValueRef::Null(ValueKind::Json) => Self::Json(None),
            #[cfg(feature = "json")]
            ValueRef::Json(json) => json.clone().into(),
        }
    }
}

impl<'a> ValueRef<'a> {
    /// Borrows a value that this crate made; `None` for a variant that it never makes.
    #[inline]
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::BigInt(integer) => integer.map_or(Self::Null(ValueKind::Integer), Self::Integer),
            Value::String(text) => text
                .as_deref()
                .map_or(Self::Null(ValueKind::Text), Self::Text),
            Value::Bool(truth) => truth.map_or(Self::Null(ValueKind::Boolean), Self::Boolean),
            Value::ChronoDateTimeUtc(at) => {
                at.map_or(Self::Null(ValueKind::Timestamp), Self::Timestamp)
            }
            Value::Bytes(bytes) => bytes
                .as_deref()
                .map_or(Self::Null(ValueKind::Bytes), Self::Bytes),

            #[cfg(feature = "uuid")]
            Value::Uuid(uuid) => uuid.map_or(Self::Null(ValueKind::Uuid), Self::Uuid),
            #[cfg(feature = "decimal")]
            Value::Decimal(decimal) => {
                // A value has a scale of its own; a null is a null at every scale.
                decimal.map_or(Self::Null(ValueKind::Decimal(0)), Self::Decimal)
            }
            #[cfg(feature = "json")]
            Value::Json(json) => json
                .as_deref()
                .map_or(Self::Null(ValueKind::Json), Self::Json),
            _ => return None,
        })
    }

    /// The same value as the database can hold it. PostgreSQL has no NUL in texts; SQLite has no
    /// exact decimals.
    ///
    /// # Errors
    /// - [`BuildError::NulInText`] on PostgreSQL.
    /// - [`BuildError::InstantOutOfRange`] for an instant outside the database's years.
    #[inline]
    pub(super) fn fit(self, dialect: Dialect) -> Result<Self, BuildError> {
        match (dialect, self) {
            (_, Self::Text(text)) => lend_text(text, dialect),

            #[cfg(feature = "json")]
            (Dialect::Postgres, Self::Json(json)) if has_nul(json) => Err(BuildError::NulInText),

            // SQLite holds the units of the last place. The scale is the column's own.
            #[cfg(feature = "decimal")]
            (Dialect::Sqlite, Self::Null(ValueKind::Decimal(_))) => {
                Ok(Self::Null(ValueKind::Integer))
            }
            #[cfg(feature = "decimal")]
            (Dialect::Sqlite, Self::Decimal(decimal)) => i64::try_from(decimal.mantissa())
                .map(Self::Integer)
                .map_err(|_| BuildError::Rendering),

            (_, Self::Timestamp(at)) if !years(dialect).contains(&at.year()) => {
                Err(BuildError::InstantOutOfRange)
            }

            (_, value) => Ok(value),
        }
    }
}

/// The years that a database has, and that compare as they should. In SQLite an instant is a text,
/// so only years of four digits do.
fn years(dialect: Dialect) -> RangeInclusive<i32> {
    match dialect {
        Dialect::Sqlite => 0..=9999,
        Dialect::Postgres => -4711..=i32::MAX,
    }
}

/// Lends a text, unless it has a NUL and PostgreSQL is to hold it.
#[inline]
pub(super) fn lend_text(text: &str, dialect: Dialect) -> Result<ValueRef<'_>, BuildError> {
    if dialect == Dialect::Postgres && text.contains('\0') {
        return Err(BuildError::NulInText);
    }
    Ok(ValueRef::Text(text))
}

/// Returns whether some text in the JSON has a NUL. It keeps a list of what is left instead of
/// recursing, since a client chooses the depth.
#[cfg(feature = "json")]
fn has_nul(json: &serde_json::Value) -> bool {
    let mut rest = vec![json];

    while let Some(value) = rest.pop() {
        match value {
            serde_json::Value::String(text) if text.contains('\0') => return true,
            serde_json::Value::Array(values) => rest.extend(values),
            serde_json::Value::Object(fields) => {
                if fields.keys().any(|name| name.contains('\0')) {
                    return true;
                }
                rest.extend(fields.values());
            }
            _ => {}
        }
    }

    false
}
