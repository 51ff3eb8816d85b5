//! From a statement to its text and values. sea-query renders the text from slots alone and never sees a value, so the
//! text cannot depend on one; the slots in the text then say in which order the values are bound.

use std::sync::Arc;

use sea_query::{
    BinOper, Expr, ExprTrait, Func, NullOrdering, Order, PostgresQueryBuilder, Query, QueryStatementWriter,
    SqliteQueryBuilder, Value, Values,
};
use thiserror::Error;

use super::filter::{Node, Sort};
use super::statement::{Assignments, Rows, Target};
use super::table::{IdColumn, Schema};
use crate::id::{IdKind, Identifier};
use crate::problem::{Code, Explained};

/// The most values that one statement binds: SQLite's default limit, below PostgreSQL's.
const MOST_VALUES: usize = 32_766;

/// The database that a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.35 or later, the first with `RETURNING`.
    Sqlite,
    /// PostgreSQL 11 or later, the first with `starts_with`.
    Postgres,
}

/// Why a statement cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An identifier is of another kind than the column that was declared for it.
    #[error("an identifier is of another kind than the column that holds it")]
    IdKindMismatch,
    /// An update sets nothing.
    #[error("the update sets nothing")]
    NothingToSet,
    /// A filter is nested deeper than 256.
    #[error("the filter is nested too deeply")]
    FilterTooDeep,
    /// The statement binds more than 32,766 values.
    #[error("the request names too many values at once")]
    TooManyValues,
    /// A text has a NUL character, which PostgreSQL cannot hold.
    #[error("a text contains a NUL character")]
    NulInText,
    /// The text and the values do not belong together. It is a fault of this crate, and closes.
    #[error("the statement could not be rendered")]
    Rendering,
}

impl Explained for BuildError {
    fn code(&self) -> Code {
        match self {
            Self::IdKindMismatch => Code::IdKindMismatch,
            Self::NothingToSet => Code::NothingToSet,
            Self::FilterTooDeep | Self::TooManyValues | Self::NulInText => Code::InputInvalid,
            Self::Rendering => Code::Internal,
        }
    }
}

/// The text of a statement and the values to bind, ready for a driver. With sea-query-sqlx:
/// `sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))`.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a statement does nothing until it is run"]
pub struct Statement {
    sql: Arc<str>,
    values: Values,
}

impl Statement {
    /// A text of the crate's own, with its values.
    pub(super) fn fixed(sql: &'static str, values: Values) -> Self {
        Self { sql: sql.into(), values }
    }

    /// The text, with a placeholder for every value.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The values, in the order of their placeholders.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Text and values.
    pub fn into_parts(self) -> (Arc<str>, Values) {
        (self.sql, self.values)
    }
}

pub(super) fn select(
    rows: Rows,
    order: Vec<Sort>,
    limit: Option<u32>,
    dialect: Dialect,
) -> Result<Statement, BuildError> {
    let mut slots = Slots::new(dialect);
    let Schema { name: table, .. } = *rows.target.schema;
    let mut select = Query::select();
    select.from(table).columns(rows.target.schema.all_columns().map(|column| (table, column)));
    if let Some(predicate) = slots.predicate(rows)? {
        select.and_where(predicate);
    }
    for Sort { column, descending, nullable } in order {
        let (direction, nulls) =
            if descending { (Order::Desc, NullOrdering::First) } else { (Order::Asc, NullOrdering::Last) };
        if nullable {
            select.order_by_with_nulls((table, column), direction, nulls);
        } else {
            select.order_by((table, column), direction);
        }
    }
    if let Some(limit) = limit {
        select.limit(slots.hold(i64::from(limit).into())?);
    }
    slots.finish(&select)
}

pub(super) fn count(rows: Rows, dialect: Dialect) -> Result<Statement, BuildError> {
    let mut slots = Slots::new(dialect);
    let mut count = Query::select();
    count.from(rows.target.schema.name).expr(Func::count(Expr::col(sea_query::Asterisk)));
    if let Some(predicate) = slots.predicate(rows)? {
        count.and_where(predicate);
    }
    slots.finish(&count)
}

pub(super) fn insert(
    target: Target,
    key: Option<Value>,
    values: Assignments,
    returning_key: bool,
    dialect: Dialect,
) -> Result<Statement, BuildError> {
    let mut slots = Slots::new(dialect);
    let Target { schema, ids } = target;
    let mut columns = Vec::new();
    let mut row = Query::select();
    for (column, id) in schema.tenant.iter().zip(ids.0.iter()) {
        columns.push(column.name);
        row.expr(slots.typed(bind(column, id)?)?);
    }
    if let Some(key) = key {
        columns.push(schema.key.name);
        row.expr(slots.typed(key)?);
    }
    for (column, value) in values.0 {
        columns.push(column);
        row.expr(slots.typed(value)?);
    }
    if let Some(parent) = schema.parent {
        let mut owner = Query::select();
        owner.expr(Expr::Constant(Value::Int(Some(1)))).from(parent.name);
        for (column, id) in parent.tenant.iter().chain([&parent.key]).zip(ids.0.iter()) {
            owner.and_where(slots.is_tenant(parent, column, id)?);
        }
        row.and_where(Expr::exists(owner));
    }
    let mut insert = Query::insert();
    insert.into_table(schema.name).columns(columns).select_from(row).map_err(|_| BuildError::Rendering)?;
    if returning_key {
        insert.returning_col(schema.key.name);
    }
    slots.finish(&insert)
}

pub(super) fn update(rows: Rows, values: Assignments, dialect: Dialect) -> Result<Statement, BuildError> {
    if values.0.is_empty() {
        return Err(BuildError::NothingToSet);
    }
    let mut slots = Slots::new(dialect);
    let mut update = Query::update();
    update.table(rows.target.schema.name);
    for (column, value) in values.0 {
        update.value(column, slots.hold(value)?);
    }
    if let Some(predicate) = slots.predicate(rows)? {
        update.and_where(predicate);
    }
    slots.finish(&update)
}

pub(super) fn delete(rows: Rows, dialect: Dialect) -> Result<Statement, BuildError> {
    let mut slots = Slots::new(dialect);
    let mut delete = Query::delete();
    delete.from_table(rows.target.schema.name);
    if let Some(predicate) = slots.predicate(rows)? {
        delete.and_where(predicate);
    }
    slots.finish(&delete)
}

/// An identifier as the value that a column of its declared kind holds. A text and an identifier are a bijection, so
/// every identifier has one text; the other kinds hold their own identifiers alone.
fn bind(column: &IdColumn, id: &Identifier) -> Result<Value, BuildError> {
    match (column.kind, id) {
        (IdKind::Int, Identifier::Integer(integer)) => Ok((*integer).into()),
        #[cfg(feature = "uuid")]
        (IdKind::Uuid, Identifier::Uuid(bytes)) => Ok(uuid::Uuid::from_bytes(*bytes).into()),
        (IdKind::Text, id) => Ok(id.to_string().into()),
        _ => Err(BuildError::IdKindMismatch),
    }
}

/// The values of a statement, each behind a slot: the number that stands for it while the text is rendered.
struct Slots {
    dialect: Dialect,
    values: Vec<Option<Value>>,
}

impl Slots {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, values: Vec::new() }
    }

    fn hold(&mut self, value: Value) -> Result<u64, BuildError> {
        if self.values.len() >= MOST_VALUES {
            return Err(BuildError::TooManyValues);
        }
        if self.dialect == Dialect::Postgres && matches!(&value, Value::String(Some(text)) if text.contains('\0')) {
            return Err(BuildError::NulInText);
        }
        let slot = u64::try_from(self.values.len()).map_err(|_| BuildError::TooManyValues)?;
        self.values.push(Some(value));
        Ok(slot)
    }

    fn slot(&mut self, value: Value) -> Result<Expr, BuildError> {
        self.hold(value).map(Expr::val)
    }

    /// A value in a select list. There PostgreSQL takes an untyped parameter for text; SQLite needs no cast, and would
    /// make an integer of a timestamp.
    fn typed(&mut self, value: Value) -> Result<Expr, BuildError> {
        let kind = match (self.dialect, &value) {
            (Dialect::Sqlite, _) => None,
            (Dialect::Postgres, Value::BigInt(_)) => Some("bigint"),
            (Dialect::Postgres, Value::Bool(_)) => Some("boolean"),
            (Dialect::Postgres, Value::Bytes(_)) => Some("bytea"),
            (Dialect::Postgres, Value::ChronoDateTimeUtc(_)) => Some("timestamptz"),
            #[cfg(feature = "uuid")]
            (Dialect::Postgres, Value::Uuid(_)) => Some("uuid"),
            (Dialect::Postgres, _) => Some("text"),
        };
        let slot = self.slot(value)?;
        Ok(match kind {
            Some(kind) => slot.cast_as(kind),
            None => slot,
        })
    }

    fn is_tenant(&mut self, schema: &Schema, column: &IdColumn, id: &Identifier) -> Result<Expr, BuildError> {
        Ok(Expr::col((schema.name, column.name)).eq(self.slot(bind(column, id)?)?))
    }

    /// The tenant predicate, and what the filter leaves of it. A scope's identifiers are at most as many as the tenant
    /// columns of a table that it covers, and stand in the same order. Nothing for a global table without a filter.
    fn predicate(&mut self, rows: Rows) -> Result<Option<Expr>, BuildError> {
        let Rows { target: Target { schema, ids }, filter } = rows;
        let mut predicate: Option<Expr> = None;
        for (column, id) in schema.tenant.iter().zip(ids.0.iter()) {
            let tenant = self.is_tenant(schema, column, id)?;
            predicate = Some(conjoin(predicate, tenant));
        }
        if let Some(filter) = filter {
            let filter = self.condition(schema.name, filter)?;
            predicate = Some(conjoin(predicate, filter));
        }
        Ok(predicate)
    }

    fn condition(&mut self, table: &'static str, node: Node) -> Result<Expr, BuildError> {
        Ok(match node {
            Node::Compare(column, operator, value) => Expr::col((table, column)).binary(operator, self.slot(value)?),
            Node::Between(column, low, high) => Expr::col((table, column)).between(self.slot(low)?, self.slot(high)?),
            Node::OneOf(_, values) if values.is_empty() => Expr::Constant(Value::Bool(Some(false))),
            Node::OneOf(column, values) => {
                let slots = values.into_iter().map(|value| self.slot(value)).collect::<Result<Vec<_>, _>>()?;
                Expr::col((table, column)).is_in(slots)
            }
            Node::IsNull(column) => Expr::col((table, column)).is_null(),
            Node::IsNotNull(column) => Expr::col((table, column)).is_not_null(),
            Node::Contains(column, text) => self.position(table, column, text)?.gt(constant(0)),
            Node::StartsWith(column, text) => match self.dialect {
                Dialect::Sqlite => self.position(table, column, text)?.eq(constant(1)),
                Dialect::Postgres => {
                    Func::cust("starts_with").args([Expr::col((table, column)), self.slot(text)?]).into()
                }
            },
            Node::And(left, right) => self.both(table, *left, BinOper::And, *right)?,
            Node::Or(left, right) => self.both(table, *left, BinOper::Or, *right)?,
            Node::Not(inner) => self.condition(table, *inner)?.not(),
            Node::TooDeep => return Err(BuildError::FilterTooDeep),
        })
    }

    fn both(&mut self, table: &'static str, left: Node, operator: BinOper, right: Node) -> Result<Expr, BuildError> {
        Ok(self.condition(table, left)?.binary(operator, self.condition(table, right)?))
    }

    /// Where a text first has another, counted from 1; 0 if nowhere. Neither function knows wildcards, unlike LIKE,
    /// which on SQLite ignores case as well and stops at a NUL.
    fn position(&mut self, table: &'static str, column: &'static str, text: Value) -> Result<Expr, BuildError> {
        let function = match self.dialect {
            Dialect::Sqlite => "instr",
            Dialect::Postgres => "strpos",
        };
        Ok(Func::cust(function).args([Expr::col((table, column)), self.slot(text)?]).into())
    }

    /// Renders the text, and puts each value where the text has its slot. Every value is bound exactly once.
    fn finish(mut self, statement: &impl QueryStatementWriter) -> Result<Statement, BuildError> {
        let (sql, Values(slots)) = match self.dialect {
            Dialect::Sqlite => statement.build(SqliteQueryBuilder),
            Dialect::Postgres => statement.build(PostgresQueryBuilder),
        };
        if slots.len() != self.values.len() {
            return Err(BuildError::Rendering);
        }
        let values = slots.into_iter().map(|slot| self.take(slot)).collect::<Option<Vec<_>>>();
        Ok(Statement { sql: sql.into(), values: Values(values.ok_or(BuildError::Rendering)?) })
    }

    fn take(&mut self, slot: Value) -> Option<Value> {
        let Value::BigUnsigned(Some(slot)) = slot else { return None };
        self.values.get_mut(usize::try_from(slot).ok()?)?.take()
    }
}

fn conjoin(left: Option<Expr>, right: Expr) -> Expr {
    match left {
        Some(left) => left.and(right),
        None => right,
    }
}

fn constant(number: i32) -> Expr {
    Expr::Constant(Value::Int(Some(number)))
}
