//! What statements that write have in common: which columns are set to what, how a row is inserted,
//! what must be there for it, what is returned.

use sea_query::{Expr, ExprTrait, Func, IntoIden, Query, ReturningClause, SelectStatement, Value};

use super::bounds::Target;
use super::column::Column;
use super::error::BuildError;
use super::operand::{Operand, Term};
use super::render::{Renderer, conjoin, constant};
use super::table::{KeyColumn, Reference, Schema, Table};
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
        let reference = T::SCHEMA.reference_at(column.reference);
        Self {
            name: column.place.name,
            kind: V::KIND,
            nullable: V::NULLABLE,
            reference,
        }
    }
}

/// Values by column. Setting a column again replaces its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Assignments(pub(super) Vec<(Settable, Term)>);

impl Assignments {
    pub(super) fn set<T: Table, V: ColumnValue, R>(
        &mut self,
        column: Column<T, V, R>,
        value: impl Into<Operand<V>>,
    ) {
        self.put(Settable::of(column), value.into().term);
    }

    pub(super) fn put(&mut self, column: Settable, term: Term) {
        match self
            .0
            .iter_mut()
            .find(|(earlier, _)| earlier.name == column.name)
        {
            Some((_, earlier)) => *earlier = term,
            None => self.0.push((column, term)),
        }
    }

    /// That each reference is set to a row in scope.
    pub(super) fn refer(&self, renderer: &mut Renderer) -> Result<Option<Expr>, BuildError> {
        let mut there = None;
        for (column, term) in &self.0 {
            if let Some(reference) = column.reference {
                there = Some(conjoin(
                    there,
                    renderer.refers(reference, column.nullable, term.clone())?,
                ));
            }
        }
        Ok(there)
    }
}

/// The columns of a new row, and the `SELECT` that is the row: one if the site and all that is
/// referred to are there, else none.
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
    if let (Some(key), KeyColumn::Own { column, .. }) = (key, &schema.key) {
        columns.push(column.name);
        row.expr(renderer.typed(key, ValueKind::of_id(column.kind))?);
    }
    if let Some(there) = renderer.ancestors(schema)? {
        row.and_where(there);
    }
    if let Some(there) = values.refer(renderer)? {
        row.and_where(there);
    }
    for (column, term) in values.0 {
        columns.push(column.name);
        row.expr(renderer.typed(term, column.kind)?);
    }
    Ok((columns, row.take()))
}

impl Renderer {
    /// That the row which a reference is set to is in scope. One that may be null may be set to
    /// null.
    pub(super) fn refers(
        &mut self,
        reference: &Reference,
        nullable: bool,
        to: Term,
    ) -> Result<Expr, BuildError> {
        let schema = (reference.target)();
        let KeyColumn::Own { column: key, .. } = &schema.key else {
            return Err(BuildError::Rendering);
        };
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

    /// How many rows of a table in scope have one of these keys.
    pub(super) fn count_keys(
        &mut self,
        schema: &'static Schema,
        keys: Vec<Value>,
    ) -> Result<Expr, BuildError> {
        let KeyColumn::Own { column: key, .. } = &schema.key else {
            return Err(BuildError::Rendering);
        };
        let table = schema.name.into_iden();
        let tenant = self.tenant(None, &table, schema)?;
        let slots = keys
            .into_iter()
            .map(|key| self.hold(key).map(Expr::val))
            .collect::<Result<Vec<_>, _>>()?;
        let mut select = Query::select();
        select
            .expr(Func::count(Expr::col(sea_query::Asterisk)))
            .from(schema.name);
        select.and_where(conjoin(tenant, Expr::col((table, key.name)).is_in(slots)));
        Ok(Expr::SubQuery(None, Box::new(select.take().into())))
    }

    /// That the site of a site's row, and the sector of a sector's, are there, and the account's.
    pub(super) fn ancestors(
        &mut self,
        schema: &'static Schema,
    ) -> Result<Option<Expr>, BuildError> {
        let (mut child, mut there) = (schema, None);
        while let Some(parent) = child.parent {
            let KeyColumn::Own { column: key, .. } = &parent.key else {
                return Err(BuildError::Rendering);
            };
            let table = parent.name.into_iden();
            let tenant = self.tenant(None, &table, parent)?;
            let own = self
                .is_bound(&table, parent.tenant.len(), key)?
                .ok_or(BuildError::Rendering)?;
            let mut select = Query::select();
            select
                .expr(constant(1))
                .from(parent.name)
                .and_where(conjoin(tenant, own));
            there = Some(conjoin(there, Expr::exists(select.take())));
            child = parent;
        }
        Ok(there)
    }
}

/// What a statement that writes gives back of the rows it wrote.
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
