//! Columns: typed by their table, their value and their role; and the filters and orders made of
//! them.

use std::fmt;
use std::marker::PhantomData;

use super::filter::{Filter, Node, OrderBy, Relation};
use super::reference::Reachable;
use super::table::{Keyed, MAX_PATH, Reference, Schema, Table};
use super::value::{ColumnValue, Comparable, Operand};

/// The role of a column that can be set and updated.
#[derive(Clone, Copy, Debug)]
pub enum Data {}

/// The role of a key column: it can be read and compared, but neither set nor updated.
#[derive(Clone, Copy, Debug)]
pub enum Key {}

/// Where a column is: its name, and the way to its table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Empty for a column that was not made by `table!` and says of a reference that it leads to
    /// another table, of another level maybe, than it does: no statement is built from that.
    pub(super) name: &'static str,
    pub(super) path: Path,
}

/// References, one after the other, each by its number in its table, from 1; 0 where the way ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Path([u8; MAX_PATH]);

impl Path {
    const HERE: Self = Self([0; MAX_PATH]);

    pub(super) fn is_here(self) -> bool {
        self == Self::HERE
    }

    /// This way, then a reference of the table that it leads to, then another way from there.
    pub(super) fn then(self, reference: u8, further: Self) -> Self {
        let mut path = Self::HERE;
        let steps = self.numbers().chain([reference]).chain(further.numbers());
        path.0
            .iter_mut()
            .zip(steps)
            .for_each(|(place, step)| *place = step);
        path
    }

    /// The first reference, and the way from there.
    pub(super) fn split(self) -> (u8, Self) {
        let mut rest = Self::HERE;
        rest.0
            .iter_mut()
            .zip(self.numbers().skip(1))
            .for_each(|(place, step)| *place = step);
        (self.numbers().next().unwrap_or_default(), rest)
    }

    /// Whether a longer way, or this very one, begins with this one.
    pub(super) fn starts(self, longer: Self) -> bool {
        self.numbers()
            .zip(longer.0)
            .all(|(step, other)| step == other)
    }

    fn numbers(self) -> impl Iterator<Item = u8> {
        self.0.into_iter().take_while(|number| *number != 0)
    }

    /// The references on the way from a table.
    pub(super) fn steps(self, from: &'static Schema) -> impl Iterator<Item = &'static Reference> {
        self.numbers().scan(from, |table, number| {
            let step = table.reference_at(number)?;
            *table = (step.target)();
            Some(step)
        })
    }

    /// The table at the end of the way.
    pub(super) fn end(self, from: &'static Schema) -> &'static Schema {
        self.steps(from).last().map_or(from, |step| (step.target)())
    }
}

impl Place {
    pub(super) const fn here(name: &'static str) -> Self {
        Self {
            name,
            path: Path::HERE,
        }
    }

    /// What a column that references lead to is called among a statement's results: its way, and
    /// its name.
    pub(super) fn label(self, table: &'static Schema) -> String {
        let way = self.path.steps(table).map(|step| step.column);
        way.chain([self.name]).collect::<Vec<_>>().join(".")
    }
}

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
