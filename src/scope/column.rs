//! Columns, typed by their table, their value and their role; and the filters and orders that they
//! make.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU8;

use super::filter::{Filter, Node, OrderBy, Relation};
use super::operand::Operand;
use super::path::Place;
use super::role::{Data, Key, Reachable};
use super::table::{Keyed, Table};
use super::value::{ColumnValue, Comparable};

/// A column of the table `T` that holds a `V`, as [`table!`](crate::table) declares it, or a column
/// of another table that a reference leads to, see [`then`](Self::then).
///
/// Tenant columns are not among them, so no statement can set or filter by one.
///
/// Its methods make filters and orders. A comparison with null is never true, as in SQL. Text
/// compares as the database's collation says. Where a method takes an `impl Into<Operand<_>>`, a
/// `&str` serves for a `String` and an `i32` for an `i64`; in a prepared statement a
/// [`Parameter`](super::Parameter) serves as well.
///
/// ```
/// use bailiwick::scope::Filter;
/// use bailiwick::{Account, table};
///
/// table! {
///     pub struct Author: Account in "authors" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///         column BORN = "born" Option<i64>;
///     }
/// }
///
/// fn search(name: &str) -> Filter<Author, Account> {
///     Author::NAME.starts_with(name).and(Author::BORN.between(1900, 1999))
/// }
/// ```
pub struct Column<T, V, R = Data> {
    pub(super) place: Place,
    /// For a reference its number in its table.
    pub(super) reference: Option<NonZeroU8>,
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
        write!(f, "Column({})", self.place.name)
    }
}

/// The functions that `table!` makes its constants with. Anyone who calls them gets a column that
/// was declared, and never a tenant column.
#[doc(hidden)]
impl<T: Table, V: ColumnValue> Column<T, V> {
    pub const fn declared(name: &str) -> Option<Self> {
        // A reference is set with a check that its row is in scope; as plain data it would not be.
        if T::SCHEMA.reference_number(name).is_some() {
            return None;
        }

        match T::SCHEMA.column(name, V::KIND, V::NULLABLE) {
            Some(name) => Some(Self::new(Place::here(name), None)),
            None => None,
        }
    }
}

#[doc(hidden)]
impl<T: Keyed> Column<T, T::Key, Key> {
    pub const fn declared_key() -> Self {
        Self::new(Place::here(T::SCHEMA.key_name()), None)
    }
}

impl<T, V, R> Column<T, V, R> {
    pub(super) const fn new(place: Place, reference: Option<NonZeroU8>) -> Self {
        Self {
            place,
            reference,
            of: PhantomData,
        }
    }
}

impl<T: Table, V: ColumnValue<Plain: Comparable>, R> Column<T, V, R> {
    fn compare<L>(self, relation: Relation, value: impl Into<Operand<V::Plain>>) -> Filter<T, L> {
        Filter::leaf(Node::Compare(self.place, relation, value.into().term))
    }

    /// Requires that the column equals the value.
    #[doc(alias = "eq")]
    #[doc(alias = "=")]
    pub fn equals<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::Equal, value)
    }

    /// Requires that the column differs from the value. A null differs from nothing.
    #[doc(alias = "ne")]
    #[doc(alias = "<>")]
    #[doc(alias = "!=")]
    pub fn not_equals<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::NotEqual, value)
    }

    /// Requires that the column is less than the value.
    #[doc(alias = "lt")]
    #[doc(alias = "<")]
    pub fn less_than<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::Less, value)
    }

    /// Requires that the column is less than or equal to the value.
    #[doc(alias = "le")]
    #[doc(alias = "lte")]
    #[doc(alias = "<=")]
    pub fn at_most<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::AtMost, value)
    }

    /// Requires that the column is greater than the value.
    #[doc(alias = "gt")]
    #[doc(alias = ">")]
    pub fn greater_than<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::Greater, value)
    }

    /// Requires that the column is greater than or equal to the value.
    #[doc(alias = "ge")]
    #[doc(alias = "gte")]
    #[doc(alias = ">=")]
    pub fn at_least<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::AtLeast, value)
    }

    /// Requires that the column is from `low` to `high`, both included.
    pub fn between<L>(
        self,
        low: impl Into<Operand<V::Plain>>,
        high: impl Into<Operand<V::Plain>>,
    ) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        let bounds = Box::new((low.into().term, high.into().term));
        Filter::leaf(Node::Between(self.place, bounds))
    }

    /// Requires that the column equals one of the values. If there are none, no row fits.
    #[doc(alias = "in")]
    #[doc(alias = "is_in")]
    pub fn one_of<L, I>(self, values: I) -> Filter<T, L>
    where
        R: Reachable<L>,
        I: IntoIterator<Item: Into<Operand<V::Plain>>>,
    {
        let values = values.into_iter().map(|value| value.into().term);
        Filter::leaf(Node::OneOf(self.place, values.collect()))
    }

    /// Orders the smallest value first. On both databases null counts as greater than every value.
    #[doc(alias = "asc")]
    pub fn ascending<L>(self) -> OrderBy<T, L>
    where
        R: Reachable<L>,
    {
        OrderBy::new(self.place, false, V::NULLABLE)
    }

    /// Orders the greatest value first. On both databases null counts as greater than every value.
    #[doc(alias = "desc")]
    pub fn descending<L>(self) -> OrderBy<T, L>
    where
        R: Reachable<L>,
    {
        OrderBy::new(self.place, true, V::NULLABLE)
    }
}

impl<T, V, R> Column<T, Option<V>, R>
where
    Option<V>: ColumnValue,
{
    /// Requires that the column is null.
    #[doc(alias = "is_none")]
    pub fn is_null<L>(self) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(Node::IsNull(self.place))
    }

    /// Requires that the column is not null.
    #[doc(alias = "is_some")]
    #[doc(alias = "not_null")]
    pub fn is_not_null<L>(self) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(Node::IsNotNull(self.place))
    }
}

/// Text is searched as it is, on both databases: no character of it is a wildcard, and case
/// matters.
impl<T, V: ColumnValue<Plain = String>, R> Column<T, V, R> {
    /// Requires that the column has the text somewhere in it.
    #[doc(alias = "like")]
    pub fn contains<L>(self, text: impl Into<Operand<String>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(Node::Contains(self.place, text.into().term))
    }

    /// Requires that the column begins with the text.
    #[doc(alias = "like")]
    pub fn starts_with<L>(self, text: impl Into<Operand<String>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(Node::StartsWith(self.place, text.into().term))
    }

    /// Requires that the column ends with the text.
    #[doc(alias = "like")]
    pub fn ends_with<L>(self, text: impl Into<Operand<String>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(Node::EndsWith(self.place, text.into().term))
    }
}
