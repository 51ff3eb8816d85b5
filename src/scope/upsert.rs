//! The statement that inserts a row, or updates the one that exists already.

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
use super::table::{Keyed, Schema, Table};
use super::tuple::{Operands, Unique};
use super::value::ColumnValue;

/// An `INSERT … ON CONFLICT … DO UPDATE` of one row, made by
/// [`Scope::upsert`](super::Scope::upsert) and its kin: it inserts the row, or updates the one of
/// the tenant that has the same unique key.
///
/// It conflicts only on a declared unique key, which begins with the tenant columns, and updates
/// only within the tenant. So it can neither take, nor change, nor reveal another tenant's row. The
/// columns of the unique key and the row's own key stay as they are. If nothing is
/// [`set`](Self::set), an existing row stays as it is.
///
/// ```
/// use bailiwick::scope::state::Write;
/// use bailiwick::scope::{Dialect, Prepared};
/// use bailiwick::{Account, table};
///
/// table! {
///     pub struct Setting: Account in "settings" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///         column TEXT = "text" String;
///         unique BY_NAME = ("name" String);
///     }
/// }
///
/// let set = Prepared::<Account, Write, (String, String)>::new(Dialect::Sqlite, |account, (name, text)| {
///     account.upsert(Setting::BY_NAME, (name,)).set(Setting::TEXT, text)
/// });
/// assert_eq!(set.unwrap().sql().as_ref(), concat!(
///     r#"INSERT INTO "settings" ("account_id", "name", "text") SELECT ?, ?, ? WHERE TRUE "#,
///     r#"ON CONFLICT ("account_id", "name") DO UPDATE SET "text" = "excluded"."text" "#,
///     r#"WHERE "settings"."account_id" = ?"#,
/// ));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Upsert<T, L, S = Ready, B = Bound> {
    target: Target,
    key: Option<Term>,
    /// The columns of the unique key, without the tenant's; empty for the table's own key.
    unique: &'static [&'static str],
    /// The values of a new row.
    values: Assignments,
    /// The columns of an existing row that are updated.
    updated: Vec<&'static str>,
    returning: Returning,
    state: Of<(T, L, S, B)>,
}

impl<T: Table, L, S, B> Upsert<T, L, S, B> {
    /// On a unique key, which the row has these values of.
    pub(super) fn on<U: 'static>(
        bounds: &Bounds,
        unique: Unique<T, U>,
        key: impl Operands<U>,
    ) -> Self {
        let terms = key.terms();
        debug_assert_eq!(unique.columns.len(), terms.len(), "the types say so");

        let mut values = Assignments::default();
        for (name, (term, kind)) in unique.columns.iter().zip(terms) {
            let column = Settable {
                name,
                kind,
                nullable: false,
                reference: T::SCHEMA.reference(name),
            };
            values.put(column, term);
        }

        Self {
            unique: unique.columns,
            values,
            ..Self::new(bounds, None)
        }
    }

    /// On the table's own key, or on the tenant, if that is the key.
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

    /// Sets a column of the row, whether it is new or exists. A column of the unique key itself is
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
        // The row is found by these columns, so another value of one would be another row.
        if self.unique.contains(&name) {
            return self;
        }

        self.values.set(column, value);
        // Each column once, in the order in which it was last set.
        self.updated.retain(|other| *other != name);
        self.updated.push(name);
        self
    }

    /// Sets a column of the row only if it is new. A column of the unique key itself is left alone.
    pub fn set_if_new<V: ColumnValue, R>(
        mut self,
        column: Column<T, V, R>,
        value: impl Into<Operand<V>>,
    ) -> Self
    where
        R: SettableIn<L, T::Level>,
    {
        let name = column.place.name;
        if self.unique.contains(&name) {
            return self;
        }

        self.values.set(column, value);
        // An earlier `set` of the column no longer holds.
        self.updated.retain(|other| *other != name);
        self
    }

    /// Returns the key of the row that was inserted or updated. If a row exists and nothing is
    /// [`set`](Self::set), none is returned.
    #[doc(alias = "returning")]
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns the row that was inserted or updated. If a row exists and nothing is
    /// [`set`](Self::set), none is returned.
    #[doc(alias = "returning")]
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let target = self.target;
        let schema = target.schema;
        let mut renderer = Renderer::new(dialect, target.bounds.clone());
        let (columns, mut row) = row(&mut renderer, &target, self.key, self.values)?;

        // Without a WHERE, SQLite's parser takes ON for that of a join.
        row.and_where(Expr::Constant(Value::Bool(Some(true))));

        let mut action = OnConflict::columns(conflict(schema, self.unique));
        if self.updated.is_empty() {
            action.do_nothing();
        } else {
            // The unique key begins with the tenant columns in the declaration. Should the
            // database's index lack them, this still keeps the update within the tenant.
            let tenant = renderer
                .tenant(None, &Frame::of(schema).name, schema)?
                .ok_or(BuildError::Rendering)?;
            action.update_columns(self.updated).action_and_where(tenant);
        }

        let mut insert = Query::insert();
        insert
            .into_table(schema.name)
            .columns(columns)
            .select_from(row)
            .map_err(|_| BuildError::Rendering)?;
        insert.on_conflict(action.to_owned());
        if let Some(returning) = self.returning.clause(schema) {
            insert.returning(returning);
        }

        renderer.finish(&insert)
    }
}

/// The columns of the unique index that a row conflicts on: the tenant's, and those of the unique
/// key, or else the table's own key.
fn conflict(schema: &Schema, unique: &[&'static str]) -> Vec<&'static str> {
    let mut columns: Vec<_> = schema.tenant.iter().map(|column| column.name).collect();
    match schema.key.own() {
        Some(key) if unique.is_empty() => columns.push(key.name),
        _ => columns.extend(unique),
    }
    columns
}

impl<T: Keyed, L, B> Upsert<T, L, NoKey, B> {
    /// Supplies the key of a new row. An existing row keeps its own.
    pub fn key(self, key: impl Into<Operand<T::Key>>) -> Upsert<T, L, Ready, B> {
        Upsert {
            target: self.target,
            key: Some(key.into().term),
            unique: self.unique,
            values: self.values,
            updated: self.updated,
            returning: self.returning,
            state: PhantomData,
        }
    }
}
