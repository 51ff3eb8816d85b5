//! From a statement to its text and values. sea-query renders the text from slots alone and never
//! sees a value, so the text cannot depend on one; the slots in the text then say in which order
//! the values are bound.

use sea_query::{
    DynIden, Expr, ExprTrait, PostgresQueryBuilder, QueryStatementWriter, SqliteQueryBuilder,
    Value, Values,
};

use super::bounds::{Bounds, Known};
use super::dialect::Dialect;
use super::error::BuildError;
use super::operand::Term;
use super::table::{IdColumn, Schema};
use super::value::{ValueKind, ValueRef};
use crate::id::IdKind;

/// The most values that one statement binds: SQLite's default limit, below PostgreSQL's.
const MAX_VALUES: usize = 32_766;

/// What a placeholder stands for.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Value(Value),
    /// The identifier at this level of the scope that the statement will be bound to.
    Tenant(TenantSlot),
    /// The parameter of this number and type.
    Parameter {
        index: usize,
        kind: ValueKind,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TenantSlot {
    pub(super) level: usize,
    pub(super) kind: IdKind,
}

/// A text; the number of the slot that each of its placeholders has, in order; and the slots.
#[derive(Debug)]
pub struct Rendered {
    pub(super) sql: String,
    pub(super) numbers: Vec<Value>,
    pub(super) slots: Vec<Option<Slot>>,
}

/// The slot of that number, once.
pub(super) fn take(slots: &mut [Option<Slot>], number: &Value) -> Result<Slot, BuildError> {
    let Value::BigUnsigned(Some(number)) = number else {
        return Err(BuildError::Rendering);
    };
    let slot = usize::try_from(*number)
        .ok()
        .and_then(|number| slots.get_mut(number)?.take());
    slot.ok_or(BuildError::Rendering)
}

/// Writes one statement. It holds the values, each behind a slot: the number that stands for it
/// while the text is rendered.
pub(super) struct Renderer {
    pub(super) dialect: Dialect,
    bounds: Bounds,
    slots: Vec<Option<Slot>>,
    /// How many tables were named that are in the statement a second time.
    pub(super) names: usize,
}

impl Renderer {
    pub(super) fn new(dialect: Dialect, bounds: Bounds) -> Self {
        Self {
            dialect,
            bounds,
            slots: Vec::new(),
            names: 0,
        }
    }

    /// Puts a value behind a slot.
    pub(super) fn hold(&mut self, value: Value) -> Result<u64, BuildError> {
        let value = fit(value, self.dialect)?;
        self.push(Slot::Value(value))
    }

    pub(super) fn hold_term(&mut self, term: Term) -> Result<u64, BuildError> {
        match term {
            Term::Value(value) => self.hold(value),
            Term::Parameter { index, kind } => self.push(Slot::Parameter { index, kind }),
        }
    }

    fn push(&mut self, slot: Slot) -> Result<u64, BuildError> {
        if self.slots.len() >= MAX_VALUES {
            return Err(BuildError::TooManyValues);
        }
        let number = u64::try_from(self.slots.len()).map_err(|_| BuildError::TooManyValues)?;
        self.slots.push(Some(slot));
        Ok(number)
    }

    pub(super) fn term(&mut self, term: Term) -> Result<Expr, BuildError> {
        self.hold_term(term).map(Expr::val)
    }

    /// A value where nothing else tells its type. There PostgreSQL takes an untyped parameter for
    /// text; SQLite needs no cast, and would make an integer of a timestamp.
    pub(super) fn typed(&mut self, term: Term, kind: ValueKind) -> Result<Expr, BuildError> {
        let slot = self.term(term)?;
        Ok(self.cast(slot, postgres_type(kind)))
    }

    /// As a type of PostgreSQL's; SQLite has it already.
    pub(super) fn cast(&self, expression: Expr, kind: &'static str) -> Expr {
        match self.dialect {
            Dialect::Sqlite => expression,
            Dialect::Postgres => expression.cast_as(kind),
        }
    }

    /// The identifier at a level of the scope, as a column of its kind holds it.
    pub(super) fn tenant_slot(
        &mut self,
        level: usize,
        column: &IdColumn,
    ) -> Result<Option<u64>, BuildError> {
        match self.bounds.at(level) {
            Known::Absent | Known::Several => Ok(None),
            Known::Later => self
                .push(Slot::Tenant(TenantSlot {
                    level,
                    kind: column.kind,
                }))
                .map(Some),
            Known::One => {
                let value = self
                    .bounds
                    .id(level)
                    .and_then(|id| id.lend(column.kind))
                    .map(Value::from);
                self.push(Slot::Value(value.ok_or(BuildError::IdKindMismatch)?))
                    .map(Some)
            }
        }
    }

    /// The identifier that an insert stamps a tenant column with.
    pub(super) fn stamp(&mut self, level: usize, column: &IdColumn) -> Result<Expr, BuildError> {
        let slot = self
            .tenant_slot(level, column)?
            .ok_or(BuildError::Rendering)?;
        Ok(self.cast(
            Expr::val(slot),
            postgres_type(ValueKind::of_id(column.kind)),
        ))
    }

    /// That a column is the scope's identifier of a level; nothing for a level that the scope
    /// leaves open.
    pub(super) fn is_bound(
        &mut self,
        table: &DynIden,
        level: usize,
        column: &IdColumn,
    ) -> Result<Option<Expr>, BuildError> {
        let place = Expr::col((table.clone(), column.name));
        if let Known::Several = self.bounds.at(level) {
            let sites = self
                .bounds
                .several()
                .iter()
                .map(|id| id.lend(column.kind).map(Value::from));
            let values = sites
                .collect::<Option<Vec<_>>>()
                .ok_or(BuildError::IdKindMismatch)?;
            if values.is_empty() {
                return Ok(Some(nothing()));
            }
            let slots = values
                .into_iter()
                .map(|value| self.push(Slot::Value(value)).map(Expr::val));
            return Ok(Some(place.is_in(slots.collect::<Result<Vec<_>, _>>()?)));
        }
        Ok(self
            .tenant_slot(level, column)?
            .map(|slot| place.eq(Expr::val(slot))))
    }

    /// The tenant predicate of a table: each tenant column is what the scope says. Nothing more for
    /// a global table.
    pub(super) fn tenant(
        &mut self,
        mut predicate: Option<Expr>,
        table: &DynIden,
        schema: &Schema,
    ) -> Result<Option<Expr>, BuildError> {
        for (level, column) in schema.tenant.iter().enumerate() {
            if let Some(bound) = self.is_bound(table, level, column)? {
                predicate = Some(conjoin(predicate, bound));
            }
        }
        Ok(predicate)
    }

    /// Renders the text. Every slot has one placeholder.
    pub(super) fn finish(
        self,
        statement: &impl QueryStatementWriter,
    ) -> Result<Rendered, BuildError> {
        let (sql, Values(numbers)) = match self.dialect {
            Dialect::Sqlite => statement.build(SqliteQueryBuilder),
            Dialect::Postgres => statement.build(PostgresQueryBuilder),
        };
        if numbers.len() != self.slots.len() {
            return Err(BuildError::Rendering);
        }
        Ok(Rendered {
            sql,
            numbers,
            slots: self.slots,
        })
    }
}

/// A value as the database can hold it.
fn fit(value: Value, dialect: Dialect) -> Result<Value, BuildError> {
    let Some(lent) = ValueRef::of(&value) else {
        return Err(BuildError::Rendering);
    };
    let fitted = lent.fit(dialect)?;
    Ok(if fitted == lent { value } else { fitted.into() })
}

pub(super) fn postgres_type(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Integer => "bigint",
        ValueKind::Text => "text",
        ValueKind::Boolean => "boolean",
        ValueKind::Timestamp => "timestamptz",
        ValueKind::Bytes => "bytea",
        #[cfg(feature = "uuid")]
        ValueKind::Uuid => "uuid",
        #[cfg(feature = "decimal")]
        ValueKind::Decimal(_) => "numeric",
        #[cfg(feature = "json")]
        ValueKind::Json => "jsonb",
    }
}

pub(super) fn conjoin(left: Option<Expr>, right: Expr) -> Expr {
    match left {
        Some(left) => left.and(right),
        None => right,
    }
}

/// No row.
pub(super) fn nothing() -> Expr {
    Expr::Constant(Value::Bool(Some(false)))
}

pub(super) fn constant(number: i32) -> Expr {
    Expr::Constant(Value::Int(Some(number)))
}
