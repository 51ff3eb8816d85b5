//! Frames: a table as one part of a statement names it, and what its references join to it.

use sea_query::{
    DynIden, Expr, ExprTrait, IntoIden, JoinType, NullOrdering, Order, Query, SelectStatement,
};

use super::error::BuildError;
use super::filter::Sort;
use super::path::{Path, Place};
use super::render::{Renderer, conjoin, constant};
use super::table::{IdColumn, KeyColumn, Reference, Schema};

/// A table as one part of a statement names it, with the tables that are joined to it.
pub(super) struct Frame {
    pub(super) schema: &'static Schema,
    pub(super) name: DynIden,
    /// Joined once each, in the order in which they were first needed.
    joins: Vec<Join>,
    /// Whether the statement can join at all.
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

    /// Adds what is joined: inner, where the rows must have it.
    pub(super) fn join(self, select: &mut SelectStatement, required: &[Path]) {
        for Join {
            path,
            name,
            schema,
            on,
        } in self.joins
        {
            let needed = required.iter().any(|longer| path.starts(*longer));
            let kind = if needed {
                JoinType::InnerJoin
            } else {
                JoinType::LeftJoin
            };
            select.join_as(kind, schema.name, name, on);
        }
    }
}

impl Renderer {
    /// A table that is in the statement already, under another name. A declared name has no dot.
    pub(super) fn again(&mut self, schema: &'static Schema) -> Frame {
        self.names = self.names.saturating_add(1);
        Frame {
            name: format!("{}.{}", self.names, schema.name).into_iden(),
            ..Frame::of(schema)
        }
    }

    /// A column; what its path leads over is joined to the frame. Both sides of each join are the
    /// scope's, and the same tenant's.
    pub(super) fn column(&mut self, frame: &mut Frame, place: &Place) -> Result<Expr, BuildError> {
        if place.name.is_empty() {
            return Err(BuildError::Rendering);
        }
        if place.path.is_here() {
            return Ok(Expr::col((frame.name.clone(), place.name)));
        }
        if !frame.can_join {
            return self.look_up(frame, place);
        }
        Ok(Expr::col((self.table(frame, place.path)?, place.name)))
    }

    /// A column that references lead to, as a sub-select of its one value: null where there is no
    /// such row, as after a left join. What it is compared with stays a condition on the row
    /// itself; so a row that another transaction changed meanwhile is looked at again.
    fn look_up(&mut self, frame: &Frame, place: &Place) -> Result<Expr, BuildError> {
        let (first, rest) = place.path.split();
        let step = frame
            .schema
            .reference_at(first)
            .ok_or(BuildError::Rendering)?;
        let mut target = self.again((step.target)());
        let on = self.leads(&target, frame.schema, &frame.name, step)?;
        let value = self.column(
            &mut target,
            &Place {
                name: place.name,
                path: rest,
            },
        )?;
        let mut select = Query::select();
        select
            .expr(value)
            .from_as(target.schema.name, target.name.clone())
            .and_where(on);
        target.join(&mut select, &[]);
        Ok(Expr::SubQuery(None, Box::new(select.into())))
    }

    /// That a row is the one which a reference leads to: by its key, of the same tenant, and the
    /// scope's.
    fn leads(
        &mut self,
        target: &Frame,
        schema: &Schema,
        name: &DynIden,
        step: &Reference,
    ) -> Result<Expr, BuildError> {
        let KeyColumn::Own { column: key, .. } = &target.schema.key else {
            return Err(BuildError::Rendering);
        };
        let refers = Some(equal(&target.name, key.name, name, step.column));
        let same = shared(
            refers,
            &target.name,
            target.schema.tenant,
            name,
            schema.tenant,
        );
        self.tenant(same, &target.name, target.schema)?
            .ok_or(BuildError::Rendering)
    }

    /// The table at the end of a way, by the name under which it is joined.
    pub(super) fn table(&mut self, frame: &mut Frame, way: Path) -> Result<DynIden, BuildError> {
        let (mut schema, mut name, mut path) = (frame.schema, frame.name.clone(), Path::default());
        for step in way.steps(frame.schema) {
            path = path.then(schema.reference_number(step.column), Path::default());
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
            let (direction, nulls) = if descending {
                (Order::Desc, NullOrdering::First)
            } else {
                (Order::Asc, NullOrdering::Last)
            };
            let column = self.column(frame, &place)?;
            if nullable {
                select.order_by_expr_with_nulls(column, direction, nulls);
            } else {
                select.order_by_expr(column, direction);
            }
        }
        Ok(())
    }
}

pub(super) fn equal(
    table: &DynIden,
    column: &'static str,
    other: &DynIden,
    other_column: &'static str,
) -> Expr {
    Expr::col((table.clone(), column)).equals((other.clone(), other_column))
}

/// That two rows agree on the tenant columns that both tables have.
pub(super) fn shared(
    on: Option<Expr>,
    table: &DynIden,
    own: &[IdColumn],
    other: &DynIden,
    theirs: &[IdColumn],
) -> Option<Expr> {
    let pairs = own.iter().zip(theirs);
    pairs.fold(on, |on, (own, their)| {
        Some(conjoin(on, equal(table, own.name, other, their.name)))
    })
}

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
