//! The statement that inserts many rows at once.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use sea_query::{Expr, ExprTrait, Query, Value, ValueTuple};

use super::assignment::{Returning, Settable};
use super::bounds::{Bounds, Target};
use super::dialect::Dialect;
use super::error::BuildError;
use super::level::ScopeLevel;
use super::marker::{NoKey, Of, Ready};
use super::operand::{Operand, Term};
use super::render::{Renderer, conjoin};
use super::statement::Statement;
use super::table::{KeyColumn, Keyed, Reference, Table};
use super::tuple::{Columns, Operands};
use super::value::{ParameterValue, ValueKind};

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
