//! Columns: typed by their table, their value and whether they can be set.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use sea_query::{BinOper, Value};

use super::filter::{Filter, Node, OrderBy};
use super::sealed;
use super::table::Table;
use crate::id::IdKind;

/// A value that a column can hold: `i64`, `String`, `bool`, `DateTime<Utc>`, `Vec<u8>`, with the feature `uuid` also
/// `Uuid`, and an `Option` of these for a column that may be null. Sealed: there are no others.
///
/// PostgreSQL holds them as `bigint`, `text`, `boolean`, `timestamptz`, `bytea` and `uuid`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value that a column can hold",
    note = "a column holds an `i64`, `String`, `bool`, `DateTime<Utc>`, `Vec<u8>`, or an `Option` of these"
)]
pub trait ColumnValue: sealed::Value + Into<Value> + 'static {
    /// The value that is there when the column is not null. Filters compare with this, so never with null.
    type Plain: ColumnValue;

    /// Whether the column may be null.
    #[doc(hidden)]
    const NULLABLE: bool;
}

/// A value that a key can hold: `i64`, `String`, and with the feature `uuid` also `Uuid`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value that a key can hold",
    note = "a key is an `i64`, a `String`, or with the feature `uuid` a `Uuid`"
)]
pub trait KeyValue: ColumnValue {
    /// The kind of identifier that such a key holds.
    #[doc(hidden)]
    const KIND: IdKind;
}

macro_rules! column_values {
    ($($(#[$condition:meta])* $type:ty),*) => {$(
        $(#[$condition])*
        impl sealed::Value for $type {}
        $(#[$condition])*
        impl sealed::Value for Option<$type> {}
        $(#[$condition])*
        impl ColumnValue for $type {
            type Plain = Self;
            const NULLABLE: bool = false;
        }
        $(#[$condition])*
        impl ColumnValue for Option<$type> {
            type Plain = $type;
            const NULLABLE: bool = true;
        }
    )*};
}

column_values!(
    i64,
    String,
    bool,
    DateTime<Utc>,
    Vec<u8>,
    #[cfg(feature = "uuid")]
    uuid::Uuid
);

impl KeyValue for i64 {
    const KIND: IdKind = IdKind::Int;
}
impl KeyValue for String {
    const KIND: IdKind = IdKind::Text;
}
#[cfg(feature = "uuid")]
impl KeyValue for uuid::Uuid {
    const KIND: IdKind = IdKind::Uuid;
}

/// The role of a column that can be set and updated.
#[derive(Clone, Copy, Debug)]
pub enum Data {}

/// The role of a key column: it can be read and compared, but neither set nor updated.
#[derive(Clone, Copy, Debug)]
pub enum Key {}

/// A column of the table `T` that holds a `V`, as [`table!`](crate::table) declares it. Tenant columns are never among
/// them.
///
/// Its methods make filters and orders. A comparison with null is never true, as SQL has it; text compares as the
/// database's collation says. Where a filter takes an `impl Into`, a `&str` serves for a `String`, an `i32` for an `i64`.
pub struct Column<T, V, R = Data> {
    pub(super) name: &'static str,
    of: PhantomData<fn(T, V, R)>,
}

impl<T, V, R> Clone for Column<T, V, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V, R> Copy for Column<T, V, R> {}

impl<T, V, R> fmt::Debug for Column<T, V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", self.name)
    }
}

/// What `table!` makes its constants with. Whoever else calls this gets what was declared, and no tenant column.
#[doc(hidden)]
impl<T: Table, V: ColumnValue> Column<T, V> {
    pub const fn declared(name: &str) -> Option<Self> {
        match T::SCHEMA.column(name) {
            Some(name) => Some(Self { name, of: PhantomData }),
            None => None,
        }
    }
}

#[doc(hidden)]
impl<T: Table> Column<T, T::Key, Key> {
    pub const fn declared_key() -> Self {
        Self { name: T::SCHEMA.key.name, of: PhantomData }
    }
}

impl<T, V: ColumnValue, R> Column<T, V, R> {
    fn compare(self, operator: BinOper, value: impl Into<V::Plain>) -> Filter<T> {
        Filter::leaf(Node::Compare(self.name, operator, value.into().into()))
    }

    /// Equal to the value.
    pub fn equals(self, value: impl Into<V::Plain>) -> Filter<T> {
        self.compare(BinOper::Equal, value)
    }

    /// Not equal to the value, and not null.
    pub fn not_equals(self, value: impl Into<V::Plain>) -> Filter<T> {
        self.compare(BinOper::NotEqual, value)
    }

    /// Less than the value.
    pub fn less_than(self, value: impl Into<V::Plain>) -> Filter<T> {
        self.compare(BinOper::SmallerThan, value)
    }

    /// Less than or equal to the value.
    pub fn at_most(self, value: impl Into<V::Plain>) -> Filter<T> {
        self.compare(BinOper::SmallerThanOrEqual, value)
    }

    /// Greater than the value.
    pub fn greater_than(self, value: impl Into<V::Plain>) -> Filter<T> {
        self.compare(BinOper::GreaterThan, value)
    }

    /// Greater than or equal to the value.
    pub fn at_least(self, value: impl Into<V::Plain>) -> Filter<T> {
        self.compare(BinOper::GreaterThanOrEqual, value)
    }

    /// From `low` to `high`, both included.
    pub fn between(self, low: impl Into<V::Plain>, high: impl Into<V::Plain>) -> Filter<T> {
        Filter::leaf(Node::Between(self.name, low.into().into(), high.into().into()))
    }

    /// Equal to one of the values. No value at all means that no row fits.
    pub fn one_of<I>(self, values: I) -> Filter<T>
    where
        I: IntoIterator<Item: Into<V::Plain>>,
    {
        let values = values.into_iter().map(|value| value.into().into()).collect();
        Filter::leaf(Node::OneOf(self.name, values))
    }

    /// Smallest first. Null counts as greater than every value, on each database.
    pub fn ascending(self) -> OrderBy<T> {
        OrderBy::new(self.name, false, V::NULLABLE)
    }

    /// Greatest first. Null counts as greater than every value, on each database.
    pub fn descending(self) -> OrderBy<T> {
        OrderBy::new(self.name, true, V::NULLABLE)
    }
}

impl<T, V, R> Column<T, Option<V>, R>
where
    Option<V>: ColumnValue,
{
    /// Null.
    pub fn is_null(self) -> Filter<T> {
        Filter::leaf(Node::IsNull(self.name))
    }

    /// Not null.
    pub fn is_not_null(self) -> Filter<T> {
        Filter::leaf(Node::IsNotNull(self.name))
    }
}

/// Text is looked for as it is: no character of it is a wildcard, and case matters, on each database.
impl<T, V: ColumnValue<Plain = String>, R> Column<T, V, R> {
    /// Text that has the given text somewhere.
    pub fn contains(self, text: impl Into<String>) -> Filter<T> {
        Filter::leaf(Node::Contains(self.name, text.into().into()))
    }

    /// Text that begins with the given text.
    pub fn starts_with(self, text: impl Into<String>) -> Filter<T> {
        Filter::leaf(Node::StartsWith(self.name, text.into().into()))
    }
}
