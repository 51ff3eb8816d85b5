//! Statements that insert: one row, many rows, or one that may be there already.

use std::marker::PhantomData;

use sea_query::Query;

use super::assignment::{Assignments, Returning, row};
use super::bounds::{Bounds, Target};
use super::column::Column;
use super::dialect::Dialect;
use super::error::BuildError;
use super::marker::{Bound, NoKey, Of, Ready};
use super::operand::{Operand, Term};
use super::render::{Rendered, Renderer};
use super::role::SettableIn;
use super::table::{Keyed, Table};
use super::value::ColumnValue;

/// An `INSERT` of one row, stamped with the tenant columns. A table whose key is supplied needs
/// [`key`](Self::key) before the statement builds.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Insert<T, L, S = Ready, B = Bound> {
    target: Target,
    key: Option<Term>,
    values: Assignments,
    returning: Returning,
    state: Of<(T, L, S, B)>,
}

impl<T: Table, L, S, B> Insert<T, L, S, B> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            target: Target::of::<T>(bounds),
            key: None,
            values: Assignments::default(),
            returning: Returning::Nothing,
            state: PhantomData,
        }
    }

    /// Sets a column. What is not set takes the database's default.
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

    /// Returns the new row's key. No row returned means [`NotFound`](crate::scope::NotFound), as no
    /// row inserted does.
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns the new row, all its columns. No row returned means
    /// [`NotFound`](crate::scope::NotFound), as no row inserted does.
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let Self {
            target,
            key,
            values,
            returning,
            ..
        } = self;
        let mut renderer = Renderer::new(dialect, target.bounds.clone());
        let (columns, row) = row(&mut renderer, &target, key, values)?;
        let mut insert = Query::insert();
        insert
            .into_table(target.schema.name)
            .columns(columns)
            .select_from(row)
            .map_err(|_| BuildError::Rendering)?;
        if let Some(returning) = returning.clause(target.schema) {
            insert.returning(returning);
        }
        renderer.finish(&insert)
    }
}

impl<T: Keyed, L, B> Insert<T, L, NoKey, B> {
    /// The new row's key. It is given once, and never changes.
    pub fn key(self, key: impl Into<Operand<T::Key>>) -> Insert<T, L, Ready, B> {
        let Self {
            target,
            values,
            returning,
            ..
        } = self;
        Insert {
            target,
            key: Some(key.into().term),
            values,
            returning,
            state: PhantomData,
        }
    }
}
