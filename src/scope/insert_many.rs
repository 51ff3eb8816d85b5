//! The statement that inserts many rows at once.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use sea_query::{Expr, ExprTrait, Query, SelectStatement, Value, ValueTuple};

use super::assignment::{Returning, Settable};
use super::bounds::{Bounds, Target};
use super::dialect::Dialect;
use super::error::BuildError;
use super::level::ScopeLevel;
use super::marker::{NoKey, Of, Ready};
use super::operand::{Operand, Term};
use super::render::{Rendered, Renderer, conjoin};
use super::statement::Statement;
use super::table::{Keyed, Reference, Table};
use super::tuple::{Columns, Operands};
use super::value::{ParameterValue, ValueKind};

/// The name of the inserted rows within the statement. A declared name has no dot, so it is no
/// table's.
const ROWS: &str = "0.rows";

/// A row that is inserted: its key, if that is supplied, and then the values of the columns.
type Row = Vec<(Term, ValueKind)>;

/// An `INSERT` of many rows that set the same columns, made by
/// [`Scope::insert_many`](super::Scope::insert_many). It inserts all of the rows or none of them.
///
/// The columns are named once, as a tuple; each row is a tuple of their values. If one row refers
/// to a row that is not in scope, nothing is inserted.
///
/// ```
/// use bailiwick::scope::state::Write;
/// use bailiwick::scope::{BuildError, Dialect, Statement};
/// use bailiwick::{Account, Scope, table};
///
/// table! {
///     pub struct Author: Account in "authors" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///         column BORN = "born" Option<i64>;
///     }
/// }
///
/// fn insert(account: &Scope<Account, Write>) -> Result<Statement, BuildError> {
///     account
///         .insert_many((Author::NAME, Author::BORN))
///         .row(("Ada", 1815))
///         .row(("Anonymous", None::<i64>))
///         .build(Dialect::Sqlite)
/// }
/// ```
#[doc(alias = "bulk")]
#[doc(alias = "batch")]
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct InsertMany<T, L, C> {
    target: Target,
    columns: Vec<Settable>,
    rows: Vec<Row>,
    returning: Returning,
    of: Of<(T, L, C)>,
}

impl<T: Table, L: ScopeLevel, C: Columns<T, L>> InsertMany<T, L, C> {
    pub(super) fn new(bounds: &Bounds, columns: C) -> Self {
        Self {
            target: Target::of::<T>(bounds),
            columns: columns.settable(),
            rows: Vec::new(),
            returning: Returning::Nothing,
            of: PhantomData,
        }
    }

    /// Returns the new rows' keys, in the order in which the database inserted them. If none are
    /// returned, none were inserted: the host answers [`NotFound`](crate::scope::NotFound).
    #[doc(alias = "returning")]
    pub fn returning_key(self) -> Self {
        Self {
            returning: Returning::Key,
            ..self
        }
    }

    /// Returns all columns of the new rows. If none are returned, none were inserted: the host
    /// answers [`NotFound`](crate::scope::NotFound).
    #[doc(alias = "returning")]
    pub fn returning_row(self) -> Self {
        Self {
            returning: Returning::Row,
            ..self
        }
    }

    /// Builds the statement's text and values.
    ///
    /// # Errors
    /// [`BuildError::NothingToSet`] if there are no rows; otherwise [`BuildError`] says which, and
    /// when.
    pub fn build(self, dialect: Dialect) -> Result<Statement, BuildError> {
        Statement::of(self.render(dialect)?)
    }

    fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        if self.rows.is_empty() {
            return Err(BuildError::NothingToSet);
        }

        let schema = self.target.schema;
        let mut renderer = Renderer::new(dialect, self.target.bounds.clone());
        let condition = self.condition(&mut renderer)?;
        let names = self.names();

        let mut select = Query::select();
        for (level, column) in schema.tenant.iter().enumerate() {
            select.expr(renderer.stamp(level, column)?);
        }
        let width = names.len().saturating_sub(schema.tenant.len());
        debug_assert!(
            self.rows.iter().all(|row| row.len() == width),
            "the types give every row a value for each column"
        );

        // Tenant columns come from the scope, the same for every row; the rest from the rows.
        select.columns((0..width).map(value_name));
        match dialect {
            Dialect::Sqlite => values(&mut select, &mut renderer, self.rows)?,
            Dialect::Postgres => arrays(&mut select, &mut renderer, self.rows, width)?,
        }
        if let Some(condition) = condition {
            select.and_where(condition);
        }

        let mut insert = Query::insert();
        insert
            .into_table(schema.name)
            .columns(names)
            .select_from(select)
            .map_err(|_| BuildError::Rendering)?;
        if let Some(returning) = self.returning.clause(schema) {
            insert.returning(returning);
        }

        renderer.finish(&insert)
    }

    /// The columns of a new row: the tenant's, the key, if that is supplied, and the named ones.
    fn names(&self) -> Vec<&'static str> {
        let schema = self.target.schema;
        let tenant = schema.tenant.iter().map(|column| column.name);
        let key = schema.key.if_supplied().map(|column| column.name);
        let columns = self.columns.iter().map(|column| column.name);
        tenant.chain(key).chain(columns).collect()
    }

    /// The condition that the site and the sector exist, and every row that a new row refers to.
    fn condition(&self, renderer: &mut Renderer) -> Result<Option<Expr>, BuildError> {
        let schema = self.target.schema;
        let mut condition = renderer.ancestors(schema)?;

        // In a row, the key stands before the values of the columns.
        let keys = usize::from(schema.key.if_supplied().is_some());
        for (position, column) in self.columns.iter().enumerate() {
            let Some(reference) = column.reference else {
                continue;
            };

            let position = position.saturating_add(keys);
            let values = self.rows.iter().filter_map(|row| row.get(position));
            let referred = referred(renderer, reference, values.map(|(term, _)| term))?;
            if let Some(referred) = referred {
                condition = Some(conjoin(condition, referred));
            }
        }
        Ok(condition)
    }
}

/// The name of a value of the inserted rows. SQLite names the columns of VALUES like this.
fn value_name(position: usize) -> String {
    format!("column{}", position.saturating_add(1))
}

/// Selects from VALUES.
fn values(
    select: &mut SelectStatement,
    renderer: &mut Renderer,
    rows: Vec<Row>,
) -> Result<(), BuildError> {
    let mut tuples = Vec::with_capacity(rows.len());
    for row in rows {
        let slots = row
            .into_iter()
            .map(|(term, _)| renderer.hold_term(term).map(Value::from))
            .collect::<Result<_, _>>()?;
        tuples.push(ValueTuple::Many(slots));
    }

    select.from_values(tuples, ROWS);
    Ok(())
}

/// Selects from an array for each column. PostgreSQL would take the parameters of VALUES for
/// texts, and the time for many SELECTs in a UNION grows faster than their number.
fn arrays(
    select: &mut SelectStatement,
    renderer: &mut Renderer,
    rows: Vec<Row>,
    width: usize,
) -> Result<(), BuildError> {
    let mut arrays = vec![Vec::with_capacity(rows.len()); width];
    for row in rows {
        for (array, (term, kind)) in arrays.iter_mut().zip(row) {
            array.push(renderer.typed(term, kind)?);
        }
    }

    let mut unnested = Query::select();
    for (position, array) in arrays.into_iter().enumerate() {
        unnested.expr_as(unnest(array), value_name(position));
    }
    select.from_subquery(unnested, ROWS);
    Ok(())
}

/// An array as rows, one for each element: `unnest(ARRAY [$1, $2, …])`.
///
/// sea-query takes whatever stands between brackets in such a text for a quoted name, and would not
/// look for placeholders in it. So each bracket is the value of a placeholder itself.
fn unnest(array: Vec<Expr>) -> Expr {
    // The opening bracket is number 1, the elements begin at 2.
    let closing = array.len().saturating_add(2);
    let elements: Vec<_> = (2..closing).map(|number| format!("${number}")).collect();
    let text = format!("unnest(ARRAY $1 {} ${closing})", elements.join(", "));

    let opening_bracket = [Expr::cust("[")];
    let closing_bracket = [Expr::cust("]")];
    let parts = opening_bracket
        .into_iter()
        .chain(array)
        .chain(closing_bracket);
    Expr::cust_with_exprs(text, parts)
}

impl<T: Table<Insertion = Ready>, L: ScopeLevel, C: Columns<T, L>> InsertMany<T, L, C> {
    /// Adds a row.
    pub fn row(mut self, values: impl Operands<C::Values>) -> Self {
        self.rows.push(values.terms());
        self
    }
}

impl<T: Keyed<Insertion = NoKey>, L: ScopeLevel, C: Columns<T, L>> InsertMany<T, L, C> {
    /// Adds a row and its key.
    pub fn keyed_row(
        mut self,
        key: impl Into<Operand<T::Key>>,
        values: impl Operands<C::Values>,
    ) -> Self {
        let key = (key.into().term, <T::Key as ParameterValue>::KIND);
        let row = [key].into_iter().chain(values.terms());
        self.rows.push(row.collect());
        self
    }
}

/// The condition that every row which a reference is set to is in scope: as many rows have one of
/// the keys as there are different keys. `None` if the reference is null in every row.
fn referred<'a>(
    renderer: &mut Renderer,
    reference: &Reference,
    values: impl Iterator<Item = &'a Term>,
) -> Result<Option<Expr>, BuildError> {
    // Values have no order and no hash; two keys of a column are equal if their texts are.
    let mut keys = BTreeMap::new();
    for term in values {
        match term {
            // A null refers to no row. The declaration says whether the column may have one.
            Term::Value(Value::BigInt(None) | Value::String(None)) => {}
            #[cfg(feature = "uuid")]
            Term::Value(Value::Uuid(None)) => {}
            Term::Value(value) => {
                keys.insert(format!("{value:?}"), value.clone());
            }
            Term::Parameter { .. } => return Err(BuildError::ForeignParameter),
        }
    }

    // `IN ()` is no SQL on PostgreSQL.
    if keys.is_empty() {
        return Ok(None);
    }
    let count = i64::try_from(keys.len()).map_err(|_| BuildError::TooManyValues)?;

    let found = renderer.count_keys((reference.target)(), keys.into_values().collect())?;
    let expected = Expr::val(renderer.hold(count.into())?);
    Ok(Some(found.eq(expected)))
}
