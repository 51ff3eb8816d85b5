//! Columns: typed by their table, their value and their role; and the filters and orders made of
//! them.

use std::fmt;
use std::marker::PhantomData;

use super::filter::{Filter, Node, OrderBy, Relation};
use super::operand::Operand;
use super::path::Place;
use super::role::{Data, Key, Reachable};
use super::table::{Keyed, Table};
use super::value::{ColumnValue, Comparable};

/// A column of the table `T` that holds a `V`, as [`table!`](crate::table) declares it; or one that
/// its references lead to, see [`then`](Self::then). Tenant columns are never among them.
///
/// Its methods make filters and orders. A comparison with null is never true, as SQL has it; text
/// compares as the database's collation says. Where a filter takes an `impl Into<Operand<_>>`, a
/// `&str` serves for a `String`, an `i32` for an `i64`, and a [`Parameter`](super::Parameter) where
/// a statement is prepared.
pub struct Column<T, V, R = Data> {
    pub(super) place: Place,
    /// For a reference its number in its table, else 0.
    pub(super) reference: u8,
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

/// What `table!` makes its constants with. Whoever else calls this gets what was declared, and no
/// tenant column.
#[doc(hidden)]
impl<T: Table, V: ColumnValue> Column<T, V> {
    pub const fn declared(name: &str) -> Option<Self> {
        if T::SCHEMA.reference_number(name) != 0 {
            return None;
        }
        match T::SCHEMA.column(name, V::KIND, V::NULLABLE) {
            Some(name) => Some(Self::new(Place::here(name), 0)),
            None => None,
        }
    }
}

#[doc(hidden)]
impl<T: Keyed> Column<T, T::Key, Key> {
    pub const fn declared_key() -> Self {
        Self::new(Place::here(T::SCHEMA.key_name()), 0)
    }
}

impl<T, V, R> Column<T, V, R> {
    pub(super) const fn new(place: Place, reference: u8) -> Self {
        Self {
            place,
            reference,
            of: PhantomData,
        }
    }
}

impl<T: Table, V: ColumnValue<Plain: Comparable>, R> Column<T, V, R> {
    fn compare<L>(self, relation: Relation, value: impl Into<Operand<V::Plain>>) -> Filter<T, L> {
        Filter::leaf(self.place, |place| {
            Node::Compare(place, relation, value.into().term)
        })
    }

    /// Equal to the value.
    pub fn equals<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::Equal, value)
    }

    /// Not equal to the value, and not null.
    pub fn not_equals<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::NotEqual, value)
    }

    /// Less than the value.
    pub fn less_than<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::Less, value)
    }

    /// Less than or equal to the value.
    pub fn at_most<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::AtMost, value)
    }

    /// Greater than the value.
    pub fn greater_than<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::Greater, value)
    }

    /// Greater than or equal to the value.
    pub fn at_least<L>(self, value: impl Into<Operand<V::Plain>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        self.compare(Relation::AtLeast, value)
    }

    /// From `low` to `high`, both included.
    pub fn between<L>(
        self,
        low: impl Into<Operand<V::Plain>>,
        high: impl Into<Operand<V::Plain>>,
    ) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(self.place, |place| {
            Node::Between(place, Box::new((low.into().term, high.into().term)))
        })
    }

    /// Equal to one of the values. No value at all means that no row fits.
    pub fn one_of<L, I>(self, values: I) -> Filter<T, L>
    where
        R: Reachable<L>,
        I: IntoIterator<Item: Into<Operand<V::Plain>>>,
    {
        let values = values.into_iter().map(|value| value.into().term).collect();
        Filter::leaf(self.place, |place| Node::OneOf(place, values))
    }

    /// Smallest first. Null counts as greater than every value, on each database.
    pub fn ascending<L>(self) -> OrderBy<T, L>
    where
        R: Reachable<L>,
    {
        OrderBy::new(self.place, false, V::NULLABLE)
    }

    /// Greatest first. Null counts as greater than every value, on each database.
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
    /// Null.
    pub fn is_null<L>(self) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(self.place, Node::IsNull)
    }

    /// Not null.
    pub fn is_not_null<L>(self) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(self.place, Node::IsNotNull)
    }
}

/// Text is looked for as it is: no character of it is a wildcard, and case matters, on each
/// database.
impl<T, V: ColumnValue<Plain = String>, R> Column<T, V, R> {
    /// Text that has the given text somewhere.
    pub fn contains<L>(self, text: impl Into<Operand<String>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(self.place, |place| Node::Contains(place, text.into().term))
    }

    /// Text that begins with the given text.
    pub fn starts_with<L>(self, text: impl Into<Operand<String>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(self.place, |place| {
            Node::StartsWith(place, text.into().term)
        })
    }

    /// Text that ends with the given text.
    pub fn ends_with<L>(self, text: impl Into<Operand<String>>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        Filter::leaf(self.place, |place| Node::EndsWith(place, text.into().term))
    }
}
