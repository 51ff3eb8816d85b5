//! Statements that change or remove rows in scope.

use std::marker::PhantomData;

use sea_query::Query;

use super::assignment::{Assignments, Returning};
use super::bounds::Bounds;
use super::column::Column;
use super::dialect::Dialect;
use super::error::BuildError;
use super::filter::Filter;
use super::frame::Frame;
use super::marker::{Bound, NoFilter, Of, Ready};
use super::operand::Operand;
use super::render::{Rendered, Renderer};
use super::role::SettableIn;
use super::rows::Rows;
use super::table::Table;
use super::value::ColumnValue;

/// An `UPDATE` of rows in scope. It builds once it has a filter, or says
/// [`all_in_scope`](Self::all_in_scope).
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Update<T, L, S = Ready, B = Bound> {
    rows: Rows<T, L>,
    values: Assignments,
    returning: Returning,
    state: Of<(S, B)>,
}

impl<T: Table, L, S, B> Update<T, L, S, B> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let (values, returning) = (Assignments::default(), Returning::Nothing);
        Self {
            rows: Rows::new(bounds),
            values,
            returning,
            state: PhantomData,
        }
    }

    /// Sets a column. An update that sets nothing fails when it is built. A reference is set where
    /// the row that it leads to is in scope; where it is not, no row is updated.
    pub fn set<V: ColumnValue, R>(
        mut self,
        column: Column<T, V, R>,
        value: impl Into<Operand<V>>,
    ) -> Self
    where
        R: SettableIn<L, T::Level>,
    {
        self.values.set(column, value);
        self
    }

    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T, L>) -> Update<T, L, Ready, B> {
        let Self {
            rows,
            values,
            returning,
            ..
        } = self;
        Update {
            rows: rows.by(filter),
            values,
            returning,
            state: PhantomData,
        }
    }

    /// Returns the keys of the rows that were updated.
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns the rows that were updated, as they are now.
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let Self {
            rows,
            values,
            returning,
            ..
        } = self;
        let (target, filter) = rows.into_parts();
        if values.0.is_empty() {
            return Err(BuildError::NothingToSet);
        }
        let mut renderer = Renderer::new(dialect, target.bounds);
        let mut frame = Frame::alone(target.schema);
        let mut update = Query::update();
        update.table(target.schema.name);
        if let Some(predicate) = renderer.predicate(&mut frame, filter)? {
            update.and_where(predicate);
        }
        if let Some(there) = values.refer(&mut renderer)? {
            update.and_where(there);
        }
        for (column, term) in values.0 {
            update.value(column.name, renderer.hold_term(term)?);
        }
        if let Some(returning) = returning.clause(target.schema) {
            update.returning(returning);
        }
        renderer.finish(&update)
    }
}

impl<T: Table, L, B> Update<T, L, NoFilter, B> {
    /// Really every row of the table that is in scope.
    pub fn all_in_scope(self) -> Update<T, L, Ready, B> {
        let Self {
            rows,
            values,
            returning,
            ..
        } = self;
        Update {
            rows,
            values,
            returning,
            state: PhantomData,
        }
    }
}

/// A `DELETE` of rows in scope. It builds once it has a filter, or says
/// [`all_in_scope`](Self::all_in_scope).
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Delete<T, L, S = Ready, B = Bound> {
    rows: Rows<T, L>,
    returning: Returning,
    state: Of<(S, B)>,
}

impl<T: Table, L, S, B> Delete<T, L, S, B> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            rows: Rows::new(bounds),
            returning: Returning::Nothing,
            state: PhantomData,
        }
    }

    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T, L>) -> Delete<T, L, Ready, B> {
        Delete {
            rows: self.rows.by(filter),
            returning: self.returning,
            state: PhantomData,
        }
    }

    /// Returns the keys of the rows that were deleted.
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns the rows that were deleted, as they were.
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let (target, filter) = self.rows.into_parts();
        let mut renderer = Renderer::new(dialect, target.bounds);
        let mut frame = Frame::alone(target.schema);
        let mut delete = Query::delete();
        delete.from_table(target.schema.name);
        if let Some(predicate) = renderer.predicate(&mut frame, filter)? {
            delete.and_where(predicate);
        }
        if let Some(returning) = self.returning.clause(target.schema) {
            delete.returning(returning);
        }
        renderer.finish(&delete)
    }
}

impl<T: Table, L, B> Delete<T, L, NoFilter, B> {
    /// Really every row of the table that is in scope.
    pub fn all_in_scope(self) -> Delete<T, L, Ready, B> {
        Delete {
            rows: self.rows,
            returning: self.returning,
            state: PhantomData,
        }
    }
}
