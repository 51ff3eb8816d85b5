//! Statements that insert: one row, many rows, or one that may be there already.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use sea_query::{Expr, ExprTrait, OnConflict, Query, Value, ValueTuple};

use super::assignment::{Assignments, Returning, Settable, row};
use super::bounds::{Bounds, Target};
use super::column::Column;
use super::frame::Frame;
use super::level::ScopeLevel;
use super::marker::{NoKey, Of, Ready};
use super::prepared::Bound;
use super::reference::SettableIn;
use super::render::{Rendered, Renderer, conjoin};
use super::statement::{BuildError, Dialect, Statement};
use super::table::{KeyColumn, Keyed, Reference, Table};
use super::tuple::{Columns, Operands, Unique};
use super::value::{ColumnValue, Operand, ParameterValue, Term, ValueKind};

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

/// An `INSERT` of many rows that set the same columns, all of them or none. The columns are named
/// once, as a tuple; each row is a tuple of their values.
///
/// If one row refers to what is not in scope, no row is inserted at all.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct InsertMany<T, L, C> {
    target: Target,
    columns: Vec<Settable>,
    rows: Vec<Vec<(Term, ValueKind)>>,
    returning: Returning,
    of: Of<(T, L, C)>,
}

impl<T: Table, L: ScopeLevel, C: Columns<T, L>> InsertMany<T, L, C> {
    pub(super) fn new(bounds: &Bounds, columns: C) -> Self {
        let (target, returning) = (Target::of::<T>(bounds), Returning::Nothing);
        Self {
            target,
            columns: columns.settable(),
            rows: Vec::new(),
            returning,
            of: PhantomData,
        }
    }

    /// Returns the new rows' keys, in the order in which the database inserted them. None at all
    /// means [`NotFound`](crate::scope::NotFound).
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns the new rows, all their columns. None at all means
    /// [`NotFound`](crate::scope::NotFound).
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    /// The statement's text and values. Fails with [`BuildError::NothingToSet`] if there are no
    /// rows.
    pub fn build(self, dialect: Dialect) -> Result<Statement, BuildError> {
        let Self {
            target,
            columns,
            rows,
            returning,
            ..
        } = self;
        let schema = target.schema;
        let mut renderer = Renderer::new(dialect, target.bounds.clone());
        if rows.is_empty() {
            return Err(BuildError::NothingToSet);
        }
        let mut there = renderer.ancestors(schema)?;
        // The values of a row are its key, if that is supplied, and then those of the columns.
        let key = usize::from(matches!(
            &schema.key,
            KeyColumn::Own {
                generated: false,
                ..
            }
        ));
        for (position, column) in columns.iter().enumerate() {
            if let Some(reference) = column.reference {
                let position = position.saturating_add(key);
                let set = rows
                    .iter()
                    .filter_map(|row| row.get(position))
                    .map(|(term, _)| term);
                if let Some(all) = refer_all(&mut renderer, reference, set)? {
                    there = Some(conjoin(there, all));
                }
            }
        }
        let mut names = Vec::new();
        let mut select = Query::select();
        for (level, column) in schema.tenant.iter().enumerate() {
            names.push(column.name);
            select.expr(renderer.stamp(level, column)?);
        }
        if let (1.., KeyColumn::Own { column, .. }) = (key, &schema.key) {
            names.push(column.name);
        }
        names.extend(columns.iter().map(|column| column.name));
        // As SQLite calls the columns of VALUES.
        let called = |position: usize| format!("column{}", position.saturating_add(1));
        let width = columns.len().saturating_add(key);
        select.columns((0..width).map(called));
        match dialect {
            Dialect::Sqlite => {
                let mut tuples = Vec::with_capacity(rows.len());
                for row in rows {
                    let slots = row
                        .into_iter()
                        .map(|(term, _)| renderer.hold_term(term).map(Value::from));
                    tuples.push(ValueTuple::Many(slots.collect::<Result<_, _>>()?));
                }
                select.from_values(tuples, ROWS);
            }
            Dialect::Postgres => {
                // By columns, as arrays: VALUES would be texts, and many SELECTs in a UNION take
                // ever longer.
                let mut arrays = vec![Vec::with_capacity(rows.len()); width];
                for row in rows {
                    for (array, (term, kind)) in arrays.iter_mut().zip(row) {
                        array.push(renderer.typed(term, kind)?);
                    }
                }
                let mut rows = Query::select();
                for (position, array) in arrays.into_iter().enumerate() {
                    rows.expr_as(unnest(array), called(position));
                }
                select.from_subquery(rows, ROWS);
            }
        }
        if let Some(there) = there {
            select.and_where(there);
        }
        let mut insert = Query::insert();
        insert
            .into_table(schema.name)
            .columns(names)
            .select_from(select)
            .map_err(|_| BuildError::Rendering)?;
        if let Some(returning) = returning.clause(schema) {
            insert.returning(returning);
        }
        Statement::of(renderer.finish(&insert)?)
    }
}

/// An array as rows, one for each element. sea-query takes what stands between brackets for a
/// quoted name, so each bracket has a place of its own.
fn unnest(array: Vec<Expr>) -> Expr {
    let last = array.len().saturating_add(2);
    let elements: Vec<_> = (2..last).map(|number| format!("${number}")).collect();
    let bracket = |bracket: &'static str| [Expr::cust(bracket)];
    let places = bracket("[").into_iter().chain(array).chain(bracket("]"));
    Expr::cust_with_exprs(
        format!("unnest(ARRAY $1 {} ${last})", elements.join(", ")),
        places,
    )
}

/// What the rows are called while they are none of the table's yet. A declared name has no dot.
const ROWS: &str = "0.rows";

impl<T: Table<Insertion = Ready>, L: ScopeLevel, C: Columns<T, L>> InsertMany<T, L, C> {
    /// One more row.
    pub fn row(mut self, values: impl Operands<C::Values>) -> Self {
        self.rows.push(values.terms());
        self
    }
}

impl<T: Keyed<Insertion = NoKey>, L: ScopeLevel, C: Columns<T, L>> InsertMany<T, L, C> {
    /// One more row, and its key.
    pub fn keyed_row(
        mut self,
        key: impl Into<Operand<T::Key>>,
        values: impl Operands<C::Values>,
    ) -> Self {
        let key = (key.into().term, <T::Key as ParameterValue>::KIND);
        self.rows
            .push([key].into_iter().chain(values.terms()).collect());
        self
    }
}

/// That every row which a reference is set to is in scope: as many rows have one of these keys as
/// there are keys.
fn refer_all<'a>(
    renderer: &mut Renderer,
    reference: &Reference,
    set: impl Iterator<Item = &'a Term>,
) -> Result<Option<Expr>, BuildError> {
    let mut keys = BTreeMap::new();
    for term in set {
        match term {
            Term::Value(Value::BigInt(None) | Value::String(None)) => {}
            #[cfg(feature = "uuid")]
            Term::Value(Value::Uuid(None)) => {}
            Term::Value(value) => {
                keys.insert(format!("{value:?}"), value.clone());
            }
            Term::Parameter { .. } => return Err(BuildError::ForeignParameter),
        }
    }
    let Ok(count) = i64::try_from(keys.len()) else {
        return Err(BuildError::TooManyValues);
    };
    if count == 0 {
        return Ok(None);
    }
    let found = renderer.count_keys((reference.target)(), keys.into_values().collect())?;
    Ok(Some(found.eq(Expr::val(renderer.hold(count.into())?))))
}
