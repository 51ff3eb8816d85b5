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

/// An `UPDATE` of rows in scope, made by [`Scope::update`](super::Scope::update).
///
/// It builds only once it has a [`filter`](Self::filter) or says
/// [`all_in_scope`](Self::all_in_scope), so that a forgotten filter does not compile.
///
/// ```
/// use bailiwick::scope::state::Write;
/// use bailiwick::scope::{Dialect, Prepared};
/// use bailiwick::{Account, table};
///
/// table! {
///     pub struct Author: Account in "authors" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///     }
/// }
///
/// let rename = Prepared::<Account, Write, (i64, String)>::new(Dialect::Sqlite, |account, (id, name)| {
///     account.update::<Author>().set(Author::NAME, name).filter(Author::ID.equals(id))
/// });
/// assert_eq!(
///     rename.unwrap().sql().as_ref(),
///     r#"UPDATE "authors" SET "name" = ? WHERE "authors"."account_id" = ? AND "authors"."id" = ?"#,
/// );
/// ```
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
        Self {
            rows: Rows::new(bounds),
            values: Assignments::default(),
            returning: Returning::Nothing,
            state: PhantomData,
        }
    }

    /// Sets a column. An update that sets nothing fails to build.
    ///
    /// If a reference is set to a row that is not in scope, no row is updated.
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

    /// Updates only rows that fit this filter, and those of earlier calls.
    #[doc(alias = "where")]
    pub fn filter(self, filter: Filter<T, L>) -> Update<T, L, Ready, B> {
        Update {
            rows: self.rows.by(filter),
            values: self.values,
            returning: self.returning,
            state: PhantomData,
        }
    }

    /// Returns the keys of the rows that were updated.
    #[doc(alias = "returning")]
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns the rows that were updated, as they are afterwards.
    #[doc(alias = "returning")]
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        if self.values.is_empty() {
            return Err(BuildError::NothingToSet);
        }

        let (target, filter) = self.rows.into_parts()?;
        let mut renderer = Renderer::new(dialect, target.bounds);
        let mut frame = Frame::alone(target.schema);

        let mut update = Query::update();
        update.table(target.schema.name);
        if let Some(predicate) = renderer.predicate(&mut frame, filter)? {
            update.and_where(predicate);
        }
        // A reference to a row out of scope makes the update touch no row.
        if let Some(referred) = self.values.referred(&mut renderer)? {
            update.and_where(referred);
        }
        for (column, term) in self.values {
            update.value(column.name, renderer.hold_term(term)?);
        }
        if let Some(returning) = self.returning.clause(target.schema) {
            update.returning(returning);
        }

        renderer.finish(&update)
    }
}

impl<T: Table, L, B> Update<T, L, NoFilter, B> {
    /// Updates every row of the table that is in scope.
    pub fn all_in_scope(self) -> Update<T, L, Ready, B> {
        Update {
            rows: self.rows,
            values: self.values,
            returning: self.returning,
            state: PhantomData,
        }
    }
}

/// A `DELETE` of rows in scope, made by [`Scope::delete`](super::Scope::delete).
///
/// It builds only once it has a [`filter`](Self::filter) or says
/// [`all_in_scope`](Self::all_in_scope), so that a forgotten filter does not compile.
#[doc(alias = "remove")]
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

    /// Deletes only rows that fit this filter, and those of earlier calls.
    #[doc(alias = "where")]
    pub fn filter(self, filter: Filter<T, L>) -> Delete<T, L, Ready, B> {
        Delete {
            rows: self.rows.by(filter),
            returning: self.returning,
            state: PhantomData,
        }
    }

    /// Returns the keys of the rows that were deleted.
    #[doc(alias = "returning")]
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns the rows that were deleted, as they were before.
    #[doc(alias = "returning")]
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let (target, filter) = self.rows.into_parts()?;
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
    /// Deletes every row of the table that is in scope.
    pub fn all_in_scope(self) -> Delete<T, L, Ready, B> {
        Delete {
            rows: self.rows,
            returning: self.returning,
            state: PhantomData,
        }
    }
}
