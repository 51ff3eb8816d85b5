//! The common parts of statements that write: which columns are set to what, how a row is inserted,
//! which rows must exist for it, and what is returned.

use sea_query::{Expr, ExprTrait, Func, IntoIden, Query, ReturningClause, SelectStatement, Value};

use super::bounds::Target;
use super::column::Column;
use super::error::BuildError;
use super::operand::{Operand, Term};
use super::render::{Renderer, conjoin, constant};
use super::table::{Reference, Schema, Table};
use super::value::{ColumnValue, ValueKind};

/// A column that a statement sets.
#[derive(Clone, Copy, Debug)]
pub struct Settable {
    pub(super) name: &'static str,
    pub(super) kind: ValueKind,
    pub(super) nullable: bool,
    pub(super) reference: Option<&'static Reference>,
}

impl Settable {
    pub(super) fn of<T: Table, V: ColumnValue, R>(column: Column<T, V, R>) -> Self {
        // The role of a column of another table is not one that can be set.
        debug_assert!(column.place.path.is_here(), "only own columns are set");

        Self {
            name: column.place.name,
            kind: V::KIND,
            nullable: V::NULLABLE,
            reference: column
                .reference
                .and_then(|number| T::SCHEMA.reference_at(number)),
        }
    }
}

/// The values that columns are set to. Setting a column again replaces its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Assignments(Vec<(Settable, Term)>);

impl Assignments {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn set<T: Table, V: ColumnValue, R>(
        &mut self,
        column: Column<T, V, R>,
        value: impl Into<Operand<V>>,
    ) {
        self.put(Settable::of(column), value.into().term);
    }

    pub(super) fn put(&mut self, column: Settable, term: Term) {
        let earlier = self
            .0
            .iter_mut()
            .find(|(earlier, _)| earlier.name == column.name);

        match earlier {
            Some((_, earlier)) => *earlier = term,
            None => self.0.push((column, term)),
        }
    }

    /// The condition that each reference is set to a row in scope.
    pub(super) fn referred(&self, renderer: &mut Renderer) -> Result<Option<Expr>, BuildError> {
        let mut condition = None;
        for (column, term) in &self.0 {
            if let Some(reference) = column.reference {
                let referred = renderer.refers(reference, column.nullable, term.clone())?;
                condition = Some(conjoin(condition, referred));
            }
        }
        Ok(condition)
    }
}

impl IntoIterator for Assignments {
    type Item = (Settable, Term);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The columns of a new row, and the `SELECT` that is the row. It selects one row if the site and
/// every row that is referred to exist, otherwise none.
pub(super) fn row(
    renderer: &mut Renderer,
    target: &Target,
    key: Option<Term>,
    values: Assignments,
) -> Result<(Vec<&'static str>, SelectStatement), BuildError> {
    let schema = target.schema;
    let mut columns = Vec::new();
    let mut row = Query::select();

    for (level, column) in schema.tenant.iter().enumerate() {
        columns.push(column.name);
        row.expr(renderer.stamp(level, column)?);
    }
    if let (Some(key), Some(column)) = (key, schema.key.own()) {
        columns.push(column.name);
        row.expr(renderer.typed(key, ValueKind::of_id(column.kind))?);
    }

    // Checked in the same statement: between two of them the site could be gone.
    if let Some(ancestors) = renderer.ancestors(schema)? {
        row.and_where(ancestors);
    }
    if let Some(referred) = values.referred(renderer)? {
        row.and_where(referred);
    }

    for (column, term) in values {
        columns.push(column.name);
        row.expr(renderer.typed(term, column.kind)?);
    }
    Ok((columns, row.take()))
}

impl Renderer {
    /// The condition that the row which a reference is set to is in scope. A reference that may be
    /// null may be set to null.
    pub(super) fn refers(
        &mut self,
        reference: &Reference,
        nullable: bool,
        to: Term,
    ) -> Result<Expr, BuildError> {
        let schema = (reference.target)();
        let key = schema.own_key()?;
        // The parameter itself may be null, so the database must decide it.
        let null = nullable
            .then(|| self.typed(to.clone(), ValueKind::of_id(key.kind)))
            .transpose()?;

        let table = schema.name.into_iden();
        let tenant = self.tenant(None, &table, schema)?;
        let is_it = Expr::col((table, key.name)).eq(self.term(to)?);

        let mut select = Query::select();
        select
            .expr(constant(1))
            .from(schema.name)
            .and_where(conjoin(tenant, is_it));
        let exists = Expr::exists(select.take());

        Ok(match null {
            Some(null) => null.is_null().or(exists),
            None => exists,
        })
    }

    /// The number of rows of a table in scope that have one of these keys.
    pub(super) fn count_keys(
        &mut self,
        schema: &'static Schema,
        keys: Vec<Value>,
    ) -> Result<Expr, BuildError> {
        let key = schema.own_key()?;
        let table = schema.name.into_iden();
        let tenant = self.tenant(None, &table, schema)?;
        let slots = keys
            .into_iter()
            .map(|key| self.hold(key).map(Expr::val))
            .collect::<Result<Vec<_>, _>>()?;

        let mut select = Query::select();
        select
            .expr(Func::count(Expr::col(sea_query::Asterisk)))
            .from(schema.name)
            .and_where(conjoin(tenant, Expr::col((table, key.name)).is_in(slots)));
        Ok(Expr::SubQuery(None, Box::new(select.take().into())))
    }

    /// The condition that the site of a site's row, and the sector of a sector's, exist and are the
    /// account's.
    pub(super) fn ancestors(
        &mut self,
        schema: &'static Schema,
    ) -> Result<Option<Expr>, BuildError> {
        let mut condition = None;
        let mut child = schema;

        while let Some(parent) = child.parent {
            let key = parent.own_key()?;
            let table = parent.name.into_iden();
            let tenant = self.tenant(None, &table, parent)?;

            // The parent's key is the identifier of the level below its own.
            let own = self
                .is_bound(&table, parent.tenant.len(), key)?
                .ok_or(BuildError::Rendering)?;

            let mut select = Query::select();
            select
                .expr(constant(1))
                .from(parent.name)
                .and_where(conjoin(tenant, own));
            condition = Some(conjoin(condition, Expr::exists(select.take())));
            child = parent;
        }
        Ok(condition)
    }
}

/// The columns that a statement that writes returns of the rows that it wrote.
#[derive(Clone, Copy, Debug)]
pub(super) enum Returning {
    Nothing,
    Key,
    Row,
}

impl Returning {
    pub(super) fn clause(self, schema: &Schema) -> Option<ReturningClause> {
        match self {
            Self::Nothing => None,
            Self::Key => Some(Query::returning().column(schema.key_name())),
            Self::Row => Some(Query::returning().columns(schema.all_columns())),
        }
    }
}
