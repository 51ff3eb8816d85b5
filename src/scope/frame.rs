//! Frames: a table as one part of a statement names it, and what its references join to it.

use sea_query::{
    DynIden, Expr, ExprTrait, IntoIden, JoinType, NullOrdering, Order, Query, SelectStatement,
};

use super::error::BuildError;
use super::filter::Sort;
use super::path::{Path, Place};
use super::render::{Renderer, constant};
use super::table::{IdColumn, Reference, Schema};

/// A table as one part of a statement names it, with the tables that are joined to it.
pub(super) struct Frame {
    pub(super) schema: &'static Schema,
    pub(super) name: DynIden,
    /// One join for each path, in the order in which the paths were first needed.
    joins: Vec<Join>,
    /// True if the statement can join at all.
    can_join: bool,
}

struct Join {
    path: Path,
    name: DynIden,
    schema: &'static Schema,
    on: Expr,
}

impl Frame {
    /// The table under its own name.
    pub(super) fn of(schema: &'static Schema) -> Self {
        Self {
            schema,
            name: schema.name.into_iden(),
            joins: Vec::new(),
            can_join: true,
        }
    }

    /// The table of an update or a delete, which cannot join.
    pub(super) fn alone(schema: &'static Schema) -> Self {
        Self {
            can_join: false,
            ..Self::of(schema)
        }
    }

    /// Adds the joins to a statement: inner ones on the required paths, otherwise left ones.
    pub(super) fn join(self, select: &mut SelectStatement, required: &[Path]) {
        for Join {
            path,
            name,
            schema,
            on,
        } in self.joins
        {
            // A join that another one goes through is required with it.
            let is_required = required.iter().any(|longer| path.starts(*longer));
            let kind = if is_required {
                JoinType::InnerJoin
            } else {
                JoinType::LeftJoin
            };

            select.join_as(kind, schema.name, name, on);
        }
    }
}

impl Renderer {
    /// Names a table that is in the statement already a second time. A declared name has no dot, so
    /// the new name is nobody else's.
    pub(super) fn again(&mut self, schema: &'static Schema) -> Frame {
        self.names = self.names.saturating_add(1);
        Frame {
            name: format!("{}.{}", self.names, schema.name).into_iden(),
            ..Frame::of(schema)
        }
    }

    /// Names a column, and joins the tables on its path to the frame. Both sides of each join are
    /// in scope, and of the same tenant.
    pub(super) fn column(&mut self, frame: &mut Frame, place: &Place) -> Result<Expr, BuildError> {
        place.check()?;

        if place.path.is_here() {
            return Ok(Expr::col((frame.name.clone(), place.name)));
        }
        // The databases do not agree on how an update or a delete joins.
        if !frame.can_join {
            return self.look_up(frame, place);
        }
        Ok(Expr::col((self.table(frame, place.path)?, place.name)))
    }

    /// A column of another table, as a sub-select of its one value: null where there is no such
    /// row, as after a left join.
    ///
    /// The comparison stays a condition on the updated row itself. So PostgreSQL, which waits for
    /// another transaction that changes the row, looks at it again.
    fn look_up(&mut self, frame: &Frame, place: &Place) -> Result<Expr, BuildError> {
        let (first, rest) = place.path.split().ok_or(BuildError::Rendering)?;
        let reference = frame
            .schema
            .reference_at(first)
            .ok_or(BuildError::Rendering)?;

        let mut target = self.again((reference.target)());
        let on = self.leads(&target, frame.schema, &frame.name, reference)?;
        let value = self.column(&mut target, &Place::at(rest, place.name))?;

        let mut select = Query::select();
        select
            .expr(value)
            .from_as(target.schema.name, target.name.clone())
            .and_where(on);
        target.join(&mut select, &[]);
        Ok(Expr::SubQuery(None, Box::new(select.into())))
    }

    /// The condition that a row is the one which a reference leads to: it has the key, it is of the
    /// same tenant, and it is in scope.
    fn leads(
        &mut self,
        target: &Frame,
        schema: &Schema,
        name: &DynIden,
        reference: &Reference,
    ) -> Result<Expr, BuildError> {
        let key = target.schema.own_key()?;
        let refers = equal(&target.name, key.name, name, reference.column);

        // A scope of a whole account says nothing of the site, so the rows themselves must agree.
        let same_tenant = shared(
            refers,
            &target.name,
            target.schema.tenant,
            name,
            schema.tenant,
        );

        self.tenant(Some(same_tenant), &target.name, target.schema)?
            .ok_or(BuildError::Rendering)
    }

    /// Joins the tables on a path, each once, and returns the name of the last one.
    pub(super) fn table(&mut self, frame: &mut Frame, way: Path) -> Result<DynIden, BuildError> {
        let mut schema = frame.schema;
        let mut name = frame.name.clone();
        let mut path = Path::HERE;

        for step in way.steps(frame.schema) {
            path = path.then(schema.reference_number(step.column), Path::HERE);
            // Columns at the end of the same path share the join, and so mean the same row.
            if let Some(join) = frame.joins.iter().find(|join| join.path == path) {
                (schema, name) = (join.schema, join.name.clone());
                continue;
            }

            let target = self.again((step.target)());
            let on = self.leads(&target, schema, &name, step)?;
            (schema, name) = (target.schema, target.name.clone());
            frame.joins.push(Join {
                path,
                name: target.name,
                schema,
                on,
            });
        }
        Ok(name)
    }

    /// Orders a statement's rows. The databases do not agree on where nulls go by themselves.
    pub(super) fn order(
        &mut self,
        frame: &mut Frame,
        select: &mut SelectStatement,
        order: Vec<Sort>,
    ) -> Result<(), BuildError> {
        for Sort {
            place,
            descending,
            nullable,
        } in order
        {
            let column = self.column(frame, &place)?;
            let (direction, nulls) = if descending {
                (Order::Desc, NullOrdering::First)
            } else {
                (Order::Asc, NullOrdering::Last)
            };

            if nullable {
                select.order_by_expr_with_nulls(column, direction, nulls);
            } else {
                select.order_by_expr(column, direction);
            }
        }
        Ok(())
    }
}

/// The condition that two columns are equal.
pub(super) fn equal(
    table: &DynIden,
    column: &'static str,
    other: &DynIden,
    other_column: &'static str,
) -> Expr {
    Expr::col((table.clone(), column)).equals((other.clone(), other_column))
}

/// A condition, and that two rows agree on the tenant columns that both tables have.
pub(super) fn shared(
    on: Expr,
    table: &DynIden,
    own: &[IdColumn],
    other: &DynIden,
    theirs: &[IdColumn],
) -> Expr {
    let pairs = own.iter().zip(theirs);
    pairs.fold(on, |on, (own, their)| {
        on.and(equal(table, own.name, other, their.name))
    })
}

/// The select that finds out whether a frame has a row that meets the predicate.
pub(super) fn select_one(frame: Frame, predicate: Option<Expr>) -> SelectStatement {
    let mut select = Query::select();
    select
        .expr(constant(1))
        .from_as(frame.schema.name, frame.name.clone());
    frame.join(&mut select, &[]);

    if let Some(predicate) = predicate {
        select.and_where(predicate);
    }
    select
}
