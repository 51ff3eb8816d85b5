//! Statements, one type each. They are owned and `'static`, so that a handler can pass them to the host's store, which
//! runs them in its own transaction.

use std::marker::PhantomData;

use sea_query::Value;

use super::Ids;
use super::column::{Column, ColumnValue};
use super::filter::{Filter, Node, OrderBy, Sort};
use super::render::{self, BuildError, Dialect, Statement};
use super::table::{Schema, Table};

/// The state of a statement that can be built.
#[derive(Clone, Copy, Debug)]
pub enum Ready {}

/// The state of an update or a delete that was told neither a filter nor `.all_in_scope()`.
#[derive(Clone, Copy, Debug)]
pub enum NoFilter {}

/// The state of an insert whose key is supplied, and was not yet.
#[derive(Clone, Copy, Debug)]
pub enum NoKey {}

/// A table, and the identifiers that bound its rows. The tenant predicate is made of these two alone.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) schema: &'static Schema,
    pub(super) ids: Ids,
}

impl Target {
    fn of<T: Table>(ids: &Ids) -> Self {
        // A table that was not declared soundly does not compile.
        const { assert!(T::SCHEMA.fault::<T::Level>().is_none()) };
        Self { schema: T::SCHEMA, ids: ids.clone() }
    }
}

/// The rows of a target that a filter leaves.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) target: Target,
    pub(super) filter: Option<Node>,
}

/// A filter under construction, and the rows that it narrows.
#[derive(Clone, Debug)]
struct Narrowed<T> {
    target: Target,
    filter: Option<Filter<T>>,
}

impl<T: Table> Narrowed<T> {
    fn new(ids: &Ids) -> Self {
        Self { target: Target::of::<T>(ids), filter: None }
    }

    fn by(self, filter: Filter<T>) -> Self {
        let filter = match self.filter {
            Some(earlier) => earlier.and(filter),
            None => filter,
        };
        Self { filter: Some(filter), ..self }
    }

    fn rows(self) -> Rows {
        Rows { target: self.target, filter: self.filter.map(|filter| filter.node) }
    }
}

/// Values by column. Setting a column again replaces its value.
#[derive(Clone, Debug)]
pub(super) struct Assignments(pub(super) Vec<(&'static str, Value)>);

impl Assignments {
    fn set(&mut self, column: &'static str, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == column) {
            Some((_, earlier)) => *earlier = value,
            None => self.0.push((column, value)),
        }
    }
}

/// A `SELECT` of rows in scope, of all declared columns in the order of their declaration.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Select<T> {
    rows: Narrowed<T>,
    order: Vec<Sort>,
    limit: Option<u32>,
}

impl<T: Table> Select<T> {
    pub(super) fn new(ids: &Ids) -> Self {
        Self { rows: Narrowed::new(ids), order: Vec::new(), limit: None }
    }

    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T>) -> Self {
        Self { rows: self.rows.by(filter), ..self }
    }

    /// In this order; further calls order what is equal so far.
    pub fn order_by(mut self, order: OrderBy<T>) -> Self {
        self.order.push(order.sort);
        self
    }

    /// At most so many rows.
    pub fn limit(self, rows: u32) -> Self {
        Self { limit: Some(rows), ..self }
    }

    /// The statement's text and values.
    pub fn build(self, dialect: Dialect) -> Result<Statement, BuildError> {
        render::select(self.rows.rows(), self.order, self.limit, dialect)
    }
}

/// A `SELECT COUNT(*)` of rows in scope.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Count<T> {
    rows: Narrowed<T>,
}

impl<T: Table> Count<T> {
    pub(super) fn new(ids: &Ids) -> Self {
        Self { rows: Narrowed::new(ids) }
    }

    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T>) -> Self {
        Self { rows: self.rows.by(filter) }
    }

    /// The statement's text and values.
    pub fn build(self, dialect: Dialect) -> Result<Statement, BuildError> {
        render::count(self.rows.rows(), dialect)
    }
}

/// An `INSERT` of one row, stamped with the tenant columns. A table whose key is supplied needs [`key`](Self::key)
/// before the statement builds.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Insert<T, S = Ready> {
    target: Target,
    key: Option<Value>,
    values: Assignments,
    returning_key: bool,
    state: PhantomData<fn() -> (T, S)>,
}

impl<T: Table, S> Insert<T, S> {
    pub(super) fn new(ids: &Ids) -> Self {
        let values = Assignments(Vec::new());
        Self { target: Target::of::<T>(ids), key: None, values, returning_key: false, state: PhantomData }
    }

    /// Sets a column. What is not set takes the database's default.
    pub fn set<V: ColumnValue>(mut self, column: Column<T, V>, value: impl Into<V>) -> Self {
        self.values.set(column.name, value.into().into());
        self
    }

    /// Returns the new row's key. No row returned means [`NotFound`](crate::NotFound), as no row inserted does.
    pub fn returning_key(self) -> Self {
        Self { returning_key: true, ..self }
    }
}

impl<T: Table> Insert<T, NoKey> {
    /// The new row's key. It is given once, and never changes.
    pub fn key(self, key: impl Into<T::Key>) -> Insert<T> {
        let Self { target, values, returning_key, .. } = self;
        Insert { target, key: Some(key.into().into()), values, returning_key, state: PhantomData }
    }
}

impl<T: Table> Insert<T> {
    /// The statement's text and values.
    pub fn build(self, dialect: Dialect) -> Result<Statement, BuildError> {
        render::insert(self.target, self.key, self.values, self.returning_key, dialect)
    }
}

/// An `UPDATE` of rows in scope.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Update<T, S = Ready> {
    rows: Narrowed<T>,
    values: Assignments,
    state: PhantomData<fn() -> S>,
}

impl<T: Table, S> Update<T, S> {
    /// Sets a column. An update that sets nothing fails when it is built.
    pub fn set<V: ColumnValue>(mut self, column: Column<T, V>, value: impl Into<V>) -> Self {
        self.values.set(column.name, value.into().into());
        self
    }

    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T>) -> Update<T> {
        Update { rows: self.rows.by(filter), values: self.values, state: PhantomData }
    }
}

impl<T: Table> Update<T, NoFilter> {
    pub(super) fn new(ids: &Ids) -> Self {
        Self { rows: Narrowed::new(ids), values: Assignments(Vec::new()), state: PhantomData }
    }

    /// Really every row of the table that is in scope.
    pub fn all_in_scope(self) -> Update<T> {
        Update { rows: self.rows, values: self.values, state: PhantomData }
    }
}

impl<T: Table> Update<T> {
    /// The statement's text and values. Fails with [`BuildError::NothingToSet`] if no column was set.
    pub fn build(self, dialect: Dialect) -> Result<Statement, BuildError> {
        render::update(self.rows.rows(), self.values, dialect)
    }
}

/// A `DELETE` of rows in scope.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Delete<T, S = Ready> {
    rows: Narrowed<T>,
    state: PhantomData<fn() -> S>,
}

impl<T: Table, S> Delete<T, S> {
    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T>) -> Delete<T> {
        Delete { rows: self.rows.by(filter), state: PhantomData }
    }
}

impl<T: Table> Delete<T, NoFilter> {
    pub(super) fn new(ids: &Ids) -> Self {
        Self { rows: Narrowed::new(ids), state: PhantomData }
    }

    /// Really every row of the table that is in scope.
    pub fn all_in_scope(self) -> Delete<T> {
        Delete { rows: self.rows, state: PhantomData }
    }
}

impl<T: Table> Delete<T> {
    /// The statement's text and values.
    pub fn build(self, dialect: Dialect) -> Result<Statement, BuildError> {
        render::delete(self.rows.rows(), dialect)
    }
}
