//! Roles: what a column is for, and therefore what a scope may do with it.
#![allow(
    clippy::exhaustive_enums,
    reason = "markers have no values, and grow none"
)]

use std::fmt;

use super::level::{Covers, Stamps};
use super::marker::Of;
use super::table::{Keyed, Table};
use super::value::ColumnValue;

/// The role of a column that holds data. It can be read, compared, set and updated.
#[derive(Clone, Copy, Debug)]
pub enum Data {}

/// The role of a key column. It can be read and compared, but neither set nor updated.
#[derive(Clone, Copy, Debug)]
pub enum Key {}

/// The role of a column that holds the key of a row of `P`. An insert or update that sets it
/// checks, in the same statement, that the row exists and is in scope.
pub struct ReferenceTo<P>(Of<P>);

impl<P> fmt::Debug for ReferenceTo<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReferenceTo")
    }
}

/// The role of a column of another table: it has the role `S` there, and a column of the role `R`
/// leads to that table.
pub struct Joined<R, S>(Of<(R, S)>);

impl<R, S> fmt::Debug for Joined<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Joined")
    }
}

/// A role whose column a scope of level `L` may look at: one of the table itself, or one of another
/// table that the level covers as well.
#[diagnostic::on_unimplemented(
    message = "a scope of level `{L}` does not reach the table that this column is in",
    note = "an account-wide table needs the account's scope: `.account()?`"
)]
pub trait Reachable<L> {}

impl<L> Reachable<L> for Data {}
impl<L> Reachable<L> for Key {}
impl<L, P> Reachable<L> for ReferenceTo<P> {}
impl<L, R, S> Reachable<L> for Joined<R, S>
where
    R: Refers + Reachable<L>,
    S: Reachable<L>,
    L: Covers<<R::Target as Table>::Level>,
{
}

/// A role whose column leads to another table: [`ReferenceTo`], or a [`Joined`] one that ends in
/// it.
#[diagnostic::on_unimplemented(
    message = "this column is no reference",
    note = "only a `reference` of the table's declaration leads to another table"
)]
pub trait Refers {
    /// The table that it leads to.
    type Target: Keyed;
}

impl<P: Keyed> Refers for ReferenceTo<P> {
    type Target = P;
}
impl<R, S: Refers> Refers for Joined<R, S> {
    type Target = S::Target;
}

/// A role whose column an insert or update may set, through a scope of level `L`, in a table of
/// level `T`.
///
/// A reference is set through a scope of the table's own level only. A wider scope writes rows of
/// several sites at once, and the row that they would refer to belongs to one of them.
#[diagnostic::on_unimplemented(
    message = "this column cannot be set here",
    note = "a key is never set or updated; a reference is set through a scope of the table's own level"
)]
pub trait SettableIn<L, T> {}

impl<L, T> SettableIn<L, T> for Data {}
impl<L: Stamps<T>, T, P> SettableIn<L, T> for ReferenceTo<P> {}

/// The number of references on the path to a column of this role.
#[doc(hidden)]
pub trait Steps {
    const STEPS: usize;
}

impl Steps for Data {
    const STEPS: usize = 0;
}
impl Steps for Key {
    const STEPS: usize = 0;
}
impl<P> Steps for ReferenceTo<P> {
    const STEPS: usize = 0;
}
impl<R: Steps, S: Steps> Steps for Joined<R, S> {
    const STEPS: usize = R::STEPS.saturating_add(S::STEPS).saturating_add(1);
}

/// The target that a reference is declared to: a [`Keyed`] table, or `Option` of one for a column
/// that may be null.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be referred to",
    note = "a reference goes to a table with a key of its own"
)]
pub trait ReferenceTarget {
    type Table: Keyed;
    type Value: ColumnValue;
}

impl<P: Keyed> ReferenceTarget for P {
    type Table = P;
    type Value = P::Key;
}
impl<P: Keyed> ReferenceTarget for Option<P> {
    type Table = P;
    type Value = <P::Key as ColumnValue>::Optional;
}
