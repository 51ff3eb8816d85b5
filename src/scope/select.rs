//! Statements that read. They are owned and `'static`, so that a handler can pass them to the
//! host's store, which runs them in its own transaction.

use std::marker::PhantomData;

use sea_query::{Expr, Func, Query, SelectStatement};

use super::bounds::Bounds;
use super::column::Column;
use super::cursor::Cursor;
use super::dialect::Dialect;
use super::error::BuildError;
use super::filter::{Filter, Node, OrderBy, Sort};
use super::frame::Frame;
use super::level::Covers;
use super::marker::{Bound, Of};
use super::operand::{Operand, Term};
use super::path::{MAX_PATH, Path, Place};
use super::render::{Rendered, Renderer, constant};
use super::role::{Reachable, Refers, Steps};
use super::rows::Rows;
use super::table::{KeyedIn, Table};
use super::value::ColumnValue;

/// A `SELECT` of rows in scope: of all declared columns, tenant columns included, in the order of
/// their declaration, or of those that [`column`](Self::column) names.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Select<T: Table, L, B = Bound> {
    rows: Rows<T, L>,
    columns: Vec<Place>,
    required: Vec<Path>,
    order: Vec<Sort>,
    keyset: Option<Option<Cursor<T>>>,
    limit: Option<Term>,
    binding: Of<B>,
}

impl<T: Table, L, B> Select<T, L, B> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            rows: Rows::new(bounds),
            columns: Vec::new(),
            required: Vec::new(),
            order: Vec::new(),
            keyset: None,
            limit: None,
            binding: PhantomData,
        }
    }

    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            rows: self.rows.by(filter),
            ..self
        }
    }

    /// This column, and those of earlier calls, instead of all. One that references lead to is
    /// named after its way: `folder_id.name`.
    pub fn column<V: ColumnValue, R: Reachable<L>>(mut self, column: Column<T, V, R>) -> Self {
        self.columns.push(column.place);
        self
    }

    /// Only rows for which this reference leads to a row in scope: an inner join, where
    /// [`then`](super::Column::then) alone is a left one.
    pub fn join<V, R>(mut self, reference: Column<T, V, R>) -> Self
    where
        R: Refers + Steps + Reachable<L>,
        L: Covers<<R::Target as Table>::Level>,
    {
        const {
            assert!(
                R::STEPS < MAX_PATH,
                "a table is at most three references away"
            )
        };
        let way = reference
            .place
            .path
            .then(reference.reference, Path::default());
        if reference.leads_where_it_says() {
            self.required.push(way);
        } else {
            self.columns.push(Place {
                name: "",
                path: way,
            });
        }
        self
    }

    /// In this order; further calls order what is equal so far.
    pub fn order_by(mut self, order: OrderBy<T, L>) -> Self {
        self.order.push(order.sort);
        self
    }

    /// A page of a list: the rows that come after the cursor, or the first ones if there is none.
    /// So that no row is lost or repeated, rows that are otherwise equal are ordered by their key.
    ///
    /// The statement fails to build with [`BuildError::CursorMismatch`] if the cursor was made for
    /// another order, and with [`BuildError::OrderWithoutPages`] if the list is ordered by a column
    /// of another table, which has no cursor. [`Cursor`] has an example.
    pub fn after(self, cursor: Option<Cursor<T>>) -> Self
    where
        T: KeyedIn<L>,
    {
        Self {
            keyset: Some(cursor),
            ..self
        }
    }

    /// At most so many rows.
    pub fn limit(self, rows: impl Into<Operand<u32>>) -> Self {
        Self {
            limit: Some(rows.into().term),
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let Self {
            rows,
            columns,
            required,
            mut order,
            keyset,
            limit,
            ..
        } = self;
        let (target, mut filter) = rows.into_parts();
        if let Some(cursor) = keyset {
            let key = target.schema.key_name();
            if !order
                .iter()
                .any(|sort| sort.place.path.is_here() && sort.place.name == key)
            {
                order.push(Sort {
                    place: Place::here(key),
                    descending: false,
                    nullable: false,
                });
            }
            if order.iter().any(|sort| !sort.place.path.is_here()) {
                return Err(BuildError::OrderWithoutPages);
            }
            if let Some(cursor) = cursor {
                let after = cursor.after(&order)?;
                filter = Some(match filter {
                    Some(filter) => Node::And(Box::new(filter), Box::new(after)),
                    None => after,
                });
            }
        }
        let mut renderer = Renderer::new(dialect, target.bounds);
        let mut frame = Frame::of(target.schema);
        let mut select = Query::select();
        select.from(target.schema.name);
        if columns.is_empty() {
            select.columns(
                target
                    .schema
                    .all_columns()
                    .map(|column| (target.schema.name, column)),
            );
        }
        for place in columns {
            let column = renderer.column(&mut frame, &place)?;
            if place.path.is_here() {
                select.expr(column);
            } else {
                select.expr_as(column, place.label(target.schema));
            }
        }
        for path in &required {
            renderer.table(&mut frame, *path)?;
        }
        if let Some(predicate) = renderer.predicate(&mut frame, filter)? {
            select.and_where(predicate);
        }
        renderer.order(&mut frame, &mut select, order)?;
        if let Some(limit) = limit {
            select.limit(renderer.hold_term(limit)?);
        }
        frame.join(&mut select, &required);
        renderer.finish(&select)
    }
}

/// A `SELECT COUNT(*)` of rows in scope.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Count<T: Table, L, B = Bound> {
    rows: Rows<T, L>,
    binding: Of<B>,
}

impl<T: Table, L, B> Count<T, L, B> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            rows: Rows::new(bounds),
            binding: PhantomData,
        }
    }

    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            rows: self.rows.by(filter),
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let (renderer, count) = select_of(
            self.rows,
            Func::count(Expr::col(sea_query::Asterisk)).into(),
            dialect,
        )?;
        renderer.finish(&count)
    }
}

/// A `SELECT EXISTS (…)`: whether there is such a row in scope. PostgreSQL answers with a truth
/// value, SQLite with 0 or 1.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Exists<T: Table, L, B = Bound> {
    rows: Rows<T, L>,
    binding: Of<B>,
}

impl<T: Table, L, B> Exists<T, L, B> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            rows: Rows::new(bounds),
            binding: PhantomData,
        }
    }

    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            rows: self.rows.by(filter),
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let (renderer, rows) = select_of(self.rows, constant(1), dialect)?;
        renderer.finish(Query::select().expr(Expr::exists(rows)))
    }
}

/// One expression over the rows.
fn select_of<T: Table, L>(
    rows: Rows<T, L>,
    output: Expr,
    dialect: Dialect,
) -> Result<(Renderer, SelectStatement), BuildError> {
    let (target, filter) = rows.into_parts();
    let mut renderer = Renderer::new(dialect, target.bounds);
    let mut frame = Frame::of(target.schema);
    let mut select = Query::select();
    select.from(target.schema.name).expr(output);
    if let Some(predicate) = renderer.predicate(&mut frame, filter)? {
        select.and_where(predicate);
    }
    frame.join(&mut select, &[]);
    Ok((renderer, select))
}
