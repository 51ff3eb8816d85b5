//! The statement that inserts a row, or updates the one that is there already.

use std::marker::PhantomData;

use sea_query::{Expr, OnConflict, Query, Value};

use super::assignment::{Assignments, Returning, Settable, row};
use super::bounds::{Bounds, Target};
use super::column::Column;
use super::dialect::Dialect;
use super::error::BuildError;
use super::frame::Frame;
use super::marker::{Bound, NoKey, Of, Ready};
use super::operand::{Operand, Term};
use super::render::{Rendered, Renderer};
use super::role::SettableIn;
use super::table::{KeyColumn, Keyed, Table};
use super::tuple::{Operands, Unique};
use super::value::ColumnValue;

/// An `INSERT` of one row, or an update of the one that has the same unique key in the tenant: `ON
/// CONFLICT … DO UPDATE`.
///
/// It conflicts on a declared unique key only, which begins with the tenant columns, and updates
/// within the tenant only; so it can neither take, change nor reveal another's row. The columns of
/// the unique key and the row's own key stay as they are; where nothing is [`set`](Self::set), so
/// does the row.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Upsert<T, L, S = Ready, B = Bound> {
    target: Target,
    key: Option<Term>,
    /// The columns of the unique key, without the tenant's.
    unique: &'static [&'static str],
    /// What the row has if it is new.
    values: Assignments,
    /// What is updated if it is not.
    updated: Vec<&'static str>,
    returning: Returning,
    state: Of<(T, L, S, B)>,
}

impl<T: Table, L, S, B> Upsert<T, L, S, B> {
    pub(super) fn on<U: 'static>(
        bounds: &Bounds,
        unique: Unique<T, U>,
        key: impl Operands<U>,
    ) -> Self {
        let mut values = Assignments::default();
        for (name, (term, kind)) in unique.columns.iter().zip(key.terms()) {
            let reference = T::SCHEMA.reference(name);
            values.put(
                Settable {
                    name,
                    kind,
                    nullable: false,
                    reference,
                },
                term,
            );
        }
        Self {
            unique: unique.columns,
            values,
            ..Self::new(bounds, None)
        }
    }

    /// On the key itself, or the tenant, if that is the key.
    pub(super) fn new(bounds: &Bounds, key: Option<Term>) -> Self {
        Self {
            target: Target::of::<T>(bounds),
            key,
            unique: &[],
            values: Assignments::default(),
            updated: Vec::new(),
            returning: Returning::Nothing,
            state: PhantomData,
        }
    }

    /// Sets a column, of a new row and of one that is there. A column of the unique key itself is
    /// left alone.
    pub fn set<V: ColumnValue, R>(
        mut self,
        column: Column<T, V, R>,
        value: impl Into<Operand<V>>,
    ) -> Self
    where
        R: SettableIn<L, T::Level>,
    {
        let name = column.place.name;
        if !self.unique.contains(&name) {
            self.values.set(column, value);
            self.updated.retain(|other| *other != name);
            self.updated.push(name);
        }
        self
    }

    /// Sets a column of a new row only.
    pub fn set_if_new<V: ColumnValue, R>(
        mut self,
        column: Column<T, V, R>,
        value: impl Into<Operand<V>>,
    ) -> Self
    where
        R: SettableIn<L, T::Level>,
    {
        let name = column.place.name;
        if !self.unique.contains(&name) {
            self.values.set(column, value);
            self.updated.retain(|other| *other != name);
        }
        self
    }

    /// Returns the row's key, of a new row or an updated one; nothing of one that stayed as it was.
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns the row, a new one or an updated one; nothing of one that stayed as it was.
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
            unique,
            values,
            updated,
            returning,
            ..
        } = self;
        let schema = target.schema;
        let mut conflict: Vec<_> = schema.tenant.iter().map(|column| column.name).collect();
        match &schema.key {
            KeyColumn::Own { column, .. } if unique.is_empty() => conflict.push(column.name),
            _ => conflict.extend(unique),
        }
        let mut renderer = Renderer::new(dialect, target.bounds.clone());
        let (columns, mut row) = row(&mut renderer, &target, key, values)?;
        // Without a WHERE, SQLite's parser takes ON for that of a join.
        row.and_where(Expr::Constant(Value::Bool(Some(true))));
        let mut action = OnConflict::columns(conflict);
        if updated.is_empty() {
            action.do_nothing();
        } else {
            let tenant = renderer
                .tenant(None, &Frame::of(schema).name, schema)?
                .ok_or(BuildError::Rendering)?;
            action.update_columns(updated).action_and_where(tenant);
        }
        let mut insert = Query::insert();
        insert
            .into_table(schema.name)
            .columns(columns)
            .select_from(row)
            .map_err(|_| BuildError::Rendering)?;
        insert.on_conflict(action.to_owned());
        if let Some(returning) = returning.clause(schema) {
            insert.returning(returning);
        }
        renderer.finish(&insert)
    }
}

impl<T: Keyed, L, B> Upsert<T, L, NoKey, B> {
    /// The key, if the row is new. A row that is there keeps its own.
    pub fn key(self, key: impl Into<Operand<T::Key>>) -> Upsert<T, L, Ready, B> {
        let Self {
            target,
            unique,
            values,
            updated,
            returning,
            ..
        } = self;
        Upsert {
            target,
            key: Some(key.into().term),
            unique,
            values,
            updated,
            returning,
            state: PhantomData,
        }
    }
}
