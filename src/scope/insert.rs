//! The statement that inserts one row.

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

/// An `INSERT` of one row, stamped with the tenant columns, made by
/// [`Scope::insert`](super::Scope::insert).
///
/// If the host supplies the table's key, the statement needs [`key`](Self::key) before it builds.
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
/// let insert = Prepared::<Account, Write, (String,)>::new(Dialect::Sqlite, |account, (name,)| {
///     account.insert::<Author>().set(Author::NAME, name).returning_key()
/// });
/// assert_eq!(
///     insert.unwrap().sql().as_ref(),
///     r#"INSERT INTO "authors" ("account_id", "name") SELECT ?, ? RETURNING "id""#,
/// );
/// ```
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

    /// Sets a column. A column that is not set takes the database's default.
    #[doc(alias = "values")]
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

    /// Returns the new row's key. If no row is returned, none was inserted: the host answers
    /// [`NotFound`](crate::scope::NotFound).
    #[doc(alias = "returning")]
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns all columns of the new row. If no row is returned, none was inserted: the host
    /// answers [`NotFound`](crate::scope::NotFound).
    #[doc(alias = "returning")]
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let target = self.target;
        let mut renderer = Renderer::new(dialect, target.bounds.clone());
        let (columns, row) = row(&mut renderer, &target, self.key, self.values)?;

        // A row from SELECT, not VALUES: its WHERE can leave out the row.
        let mut insert = Query::insert();
        insert
            .into_table(target.schema.name)
            .columns(columns)
            .select_from(row)
            .map_err(|_| BuildError::Rendering)?;
        if let Some(returning) = self.returning.clause(target.schema) {
            insert.returning(returning);
        }

        renderer.finish(&insert)
    }
}

impl<T: Keyed, L, B> Insert<T, L, NoKey, B> {
    /// Supplies the new row's key. It never changes afterwards.
    pub fn key(self, key: impl Into<Operand<T::Key>>) -> Insert<T, L, Ready, B> {
        Insert {
            target: self.target,
            key: Some(key.into().term),
            values: self.values,
            returning: self.returning,
            state: PhantomData,
        }
    }
}
