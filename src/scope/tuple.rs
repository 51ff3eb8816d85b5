//! Tuples of columns and of their values: unique keys, and rows that are inserted together.

use std::fmt;
use std::marker::PhantomData;

use super::assignment::Settable;
use super::column::Column;
use super::marker::Of;
use super::operand::{Operand, Term};
use super::role::SettableIn;
use super::table::Table;
use super::value::{ColumnValue, KeyValue, ValueKind};

mod sealed {
    pub trait UniqueValues {}
}

/// A unique key of the table `T`, as [`table!`](crate::table) declares it: columns with values of
/// the types `U`, in which no two rows of a tenant agree.
pub struct Unique<T, U> {
    pub(super) columns: &'static [&'static str],
    of: Of<(T, U)>,
}

impl<T, U> Clone for Unique<T, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, U> Copy for Unique<T, U> {}

impl<T, U> fmt::Debug for Unique<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unique").field(&self.columns).finish()
    }
}

/// The types of the values of a unique key: a tuple of up to eight.
#[doc(hidden)]
pub trait UniqueValues: sealed::UniqueValues {
    const KINDS: &'static [ValueKind];
}

#[doc(hidden)]
impl<T: Table, U: UniqueValues> Unique<T, U> {
    /// `None` unless each column is the table's, of the type that is said, and not null. Two nulls
    /// are never equal, so a unique key with one would not be unique.
    pub const fn declared(columns: &'static [&'static str]) -> Option<Self> {
        let mut names = columns;
        let mut kinds = U::KINDS;

        while let ([name, other_names @ ..], [kind, other_kinds @ ..]) = (names, kinds) {
            // This looks among data columns only, so a tenant column or the key is refused too.
            if T::SCHEMA.column(name, *kind, false).is_none() {
                return None;
            }
            (names, kinds) = (other_names, other_kinds);
        }

        // One of them is used up; both must be.
        if names.is_empty() && kinds.is_empty() {
            Some(Self {
                columns,
                of: PhantomData,
            })
        } else {
            None
        }
    }
}

/// A tuple whose elements convert into the values `U`, one by one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fit the columns, which hold `{U}`",
    note = "a value for each column, in their order, as a tuple: `(\"about\",)` for one"
)]
pub trait Operands<U> {
    #[doc(hidden)]
    fn terms(self) -> Vec<(Term, ValueKind)>;
}

/// A tuple of up to eight columns of `T` that a scope of level `L` may set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tuple of columns of `{T}` that can be set here",
    note = "one column is `(Table::COLUMN,)`; a key is never set"
)]
pub trait Columns<T, L> {
    /// The types of their values, as a tuple.
    type Values;

    #[doc(hidden)]
    fn settable(self) -> Vec<Settable>;
}

/// Implements [`UniqueValues`], [`Operands`] and [`Columns`] for tuples.
///
/// A line has, for each element, names for the type of its value, the role of its column, and the
/// type that converts into the value, and its position: `A AR AS 0;` stands for the value `(A,)`,
/// the column `(Column<Z, A, AR>,)`, and the operand `(AS,)`.
macro_rules! tuples {
    ($($($value:ident $role:ident $source:ident $number:tt),+;)+) => {$(
        impl<$($value: KeyValue),+> sealed::UniqueValues for ($($value,)+) {}
        impl<$($value: KeyValue),+> UniqueValues for ($($value,)+) {
            const KINDS: &'static [ValueKind] = &[$($value::KIND),+];
        }

        impl<$($value: ColumnValue, $source: Into<Operand<$value>>),+> Operands<($($value,)+)> for ($($source,)+) {
            fn terms(self) -> Vec<(Term, ValueKind)> {
                vec![$((self.$number.into().term, $value::KIND)),+]
            }
        }

        impl<Z: Table, L, $($value: ColumnValue, $role: SettableIn<L, Z::Level>),+> Columns<Z, L>
            for ($(Column<Z, $value, $role>,)+)
        {
            type Values = ($($value,)+);

            fn settable(self) -> Vec<Settable> {
                vec![$(Settable::of(self.$number)),+]
            }
        }
    )+};
}

tuples! {
    A AR AS 0;
    A AR AS 0, B BR BS 1;
    A AR AS 0, B BR BS 1, C CR CS 2;
    A AR AS 0, B BR BS 1, C CR CS 2, D DR DS 3;
    A AR AS 0, B BR BS 1, C CR CS 2, D DR DS 3, E ER ES 4;
    A AR AS 0, B BR BS 1, C CR CS 2, D DR DS 3, E ER ES 4, F FR FS 5;
    A AR AS 0, B BR BS 1, C CR CS 2, D DR DS 3, E ER ES 4, F FR FS 5, G GR GS 6;
    A AR AS 0, B BR BS 1, C CR CS 2, D DR DS 3, E ER ES 4, F FR FS 5, G GR GS 6, H HR HS 7;
}
