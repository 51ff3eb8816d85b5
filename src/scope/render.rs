//! Rendering: from a statement to its text and values. sea-query never sees a value, only the
//! number of the slot behind which it is held, so the text cannot depend on a value. The numbers
//! in the text then say in which order the values are bound.

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

/// The largest number of values that one statement binds: SQLite's default limit, which is below
/// PostgreSQL's.
const MAX_VALUES: usize = 32_766;

/// The meaning of a placeholder.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// A value that is known.
    Value(Value),
    /// The identifier at this level of the scope that the statement will be bound to.
    Tenant(TenantSlot),
    /// The parameter of this number and type.
    Parameter { index: usize, kind: ValueKind },
}

/// An identifier of the scope, as a column of this kind holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TenantSlot {
    pub(super) level: usize,
    pub(super) kind: IdKind,
}

/// A statement as it is rendered.
#[derive(Debug)]
pub struct Rendered {
    pub(super) sql: String,
    /// The slot number of each placeholder, in the order of the text.
    pub(super) numbers: Vec<Value>,
    /// The slots, in the order of their numbers. Each is taken once.
    pub(super) slots: Vec<Option<Slot>>,
}

/// Takes the slot of that number out of the list. It fails the second time.
pub(super) fn take(slots: &mut [Option<Slot>], number: &Value) -> Result<Slot, BuildError> {
    let Value::BigUnsigned(Some(number)) = number else {
        return Err(BuildError::Rendering);
    };

    usize::try_from(*number)
        .ok()
        .and_then(|number| slots.get_mut(number)?.take())
        .ok_or(BuildError::Rendering)
}

/// The renderer of one statement. It holds the values, each behind a slot, whose number stands for
/// the value while the text is rendered.
pub(super) struct Renderer {
    pub(super) dialect: Dialect,
    bounds: Bounds,
    slots: Vec<Option<Slot>>,
    /// The number of names that were given to tables which the statement names more than once.
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

    /// Puts a value behind a slot, if the database can hold it.
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

    /// A value in a place where nothing else tells its type. There PostgreSQL takes a parameter for
    /// a text. SQLite needs no cast, and one would make an integer of a timestamp.
    pub(super) fn typed(&mut self, term: Term, kind: ValueKind) -> Result<Expr, BuildError> {
        let slot = self.term(term)?;
        Ok(self.cast(slot, postgres_type(kind)))
    }

    /// Casts an expression to a type of PostgreSQL. On SQLite it has the type already.
    pub(super) fn cast(&self, expression: Expr, kind: &'static str) -> Expr {
        match self.dialect {
            Dialect::Sqlite => expression,
            Dialect::Postgres => expression.cast_as(kind),
        }
    }

    /// The slot of the scope's one identifier at a level, as the column holds it; `None` where the
    /// scope has no identifier, or has a list.
    pub(super) fn tenant_slot(
        &mut self,
        level: usize,
        column: &IdColumn,
    ) -> Result<Option<u64>, BuildError> {
        match self.bounds.at(level) {
            Known::Absent | Known::Several => Ok(None),

            Known::Later => {
                let slot = TenantSlot {
                    level,
                    kind: column.kind,
                };
                self.push(Slot::Tenant(slot)).map(Some)
            }

            Known::One => {
                let id = self.bounds.id(level);
                let value = id
                    .and_then(|id| id.lend(column.kind))
                    .map(Value::from)
                    .ok_or(BuildError::IdKindMismatch)?;
                self.push(Slot::Value(value)).map(Some)
            }
        }
    }

    /// The identifier that an insert stamps a tenant column with. An insert takes a scope that
    /// knows every one of them.
    pub(super) fn stamp(&mut self, level: usize, column: &IdColumn) -> Result<Expr, BuildError> {
        let slot = self
            .tenant_slot(level, column)?
            .ok_or(BuildError::Rendering)?;

        let kind = postgres_type(ValueKind::of_id(column.kind));
        Ok(self.cast(Expr::val(slot), kind))
    }

    /// The condition that a column holds the scope's identifier at a level, or one of them; `None`
    /// for a level of which the scope reaches everything.
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
            // No sites, no rows: an empty list must never become a missing condition.
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

    /// A predicate, and the tenant predicate of a table: each tenant column holds what the scope
    /// says. A global table has none.
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

    /// Renders the text. It fails if the text does not have one placeholder for every slot.
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

/// The value as the database can hold it. It is only copied if it has to change.
fn fit(value: Value, dialect: Dialect) -> Result<Value, BuildError> {
    let Some(lent) = ValueRef::of(&value) else {
        return Err(BuildError::Rendering);
    };

    let fitted = lent.fit(dialect)?;
    Ok(if fitted == lent { value } else { fitted.into() })
}

/// The name of a type in PostgreSQL.
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

/// Both conditions, or the second if there is no first.
pub(super) fn conjoin(left: Option<Expr>, right: Expr) -> Expr {
    match left {
        Some(left) => left.and(right),
        None => right,
    }
}

/// The condition that no row meets.
pub(super) fn nothing() -> Expr {
    Expr::Constant(Value::Bool(Some(false)))
}

/// A number that stands in the text itself. Only this crate's own constants do.
pub(super) fn constant(number: i32) -> Expr {
    Expr::Constant(Value::Int(Some(number)))
}
