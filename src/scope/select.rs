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

/// A `SELECT` of rows in scope, made by [`Scope::select`](super::Scope::select).
///
/// It returns all declared columns, tenant columns included, in the order of their declaration, or
/// those that [`column`](Self::column) names.
///
/// ```
/// use bailiwick::scope::state::Read;
/// use bailiwick::scope::{Dialect, Prepared};
/// use bailiwick::{Account, table};
///
/// table! {
///     pub struct Author: Account in "authors" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///     }
/// }
///
/// let first = Prepared::<Account, Read, ()>::new(Dialect::Postgres, |account, ()| {
///     account.select::<Author>().column(Author::NAME).order_by(Author::NAME.ascending()).limit(20)
/// });
/// assert_eq!(first.unwrap().sql().as_ref(), concat!(
///     r#"SELECT "authors"."name" FROM "authors" WHERE "authors"."account_id" = $1 "#,
///     r#"ORDER BY "authors"."name" ASC LIMIT $2"#,
/// ));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Select<T: Table, L, B = Bound> {
    rows: Rows<T, L>,
    columns: Vec<Place>,
    required: Vec<Path>,
    order: Vec<Sort>,
    page: Option<Page<T>>,
    limit: Option<Term>,
    binding: Of<B>,
}

/// The page of a list that a select reads.
#[derive(Clone, Debug)]
enum Page<T: Table> {
    First,
    After(Cursor<T>),
}

impl<T: Table, L, B> Select<T, L, B> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            rows: Rows::new(bounds),
            columns: Vec::new(),
            required: Vec::new(),
            order: Vec::new(),
            page: None,
            limit: None,
            binding: PhantomData,
        }
    }

    /// Keeps only rows that fit this filter, and those of earlier calls.
    #[doc(alias = "where")]
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            rows: self.rows.by(filter),
            ..self
        }
    }

    /// Returns this column, and those of earlier calls, instead of all. A column of another table
    /// is named after its path: `folder_id.name`.
    pub fn column<V: ColumnValue, R: Reachable<L>>(mut self, column: Column<T, V, R>) -> Self {
        self.columns.push(column.place);
        self
    }

    /// Keeps only rows whose reference leads to a row in scope. This is an inner join, where
    /// [`then`](super::Column::then) alone is a left one.
    #[doc(alias = "inner_join")]
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

        let place = reference.place;
        let path = place.path.then(reference.reference, Path::HERE);
        if reference.leads_where_it_says() {
            self.required.push(path);
        } else {
            // The statement fails to build when it renders this column.
            self.columns.push(Place::at(path, place.name).forged());
        }
        self
    }

    /// Orders the rows. Further calls order rows that are equal so far.
    #[doc(alias = "sort")]
    pub fn order_by(mut self, order: OrderBy<T, L>) -> Self {
        self.order.push(order.sort);
        self
    }

    /// Reads a page of a list: the rows after the cursor, or the first ones without a cursor. How
    /// many is for [`limit`](Self::limit) to say.
    ///
    /// Rows that are otherwise equal are ordered by their key, so that no row is lost or repeated
    /// between two pages. [`Cursor`] has an example.
    ///
    /// The statement fails to build with [`BuildError::CursorMismatch`] if the cursor was made for
    /// another order, and with [`BuildError::OrderWithoutPages`] if the list is ordered by a column
    /// of another table, which has no cursor.
    #[doc(alias = "offset")]
    #[doc(alias = "pagination")]
    pub fn after(self, cursor: Option<Cursor<T>>) -> Self
    where
        T: KeyedIn<L>,
    {
        Self {
            page: Some(cursor.map_or(Page::First, Page::After)),
            ..self
        }
    }

    /// Returns at most so many rows.
    #[doc(alias = "take")]
    pub fn limit(self, rows: impl Into<Operand<u32>>) -> Self {
        Self {
            limit: Some(rows.into().term),
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let (target, mut filter) = self.rows.into_parts()?;
        let mut order = self.order;
        if let Some(page) = self.page {
            filter = paged(page, &mut order, target.schema.key_name(), filter)?;
        }

        let mut renderer = Renderer::new(dialect, target.bounds);
        let mut frame = Frame::of(target.schema);
        let mut select = Query::select();
        select.from(target.schema.name);

        // Named one by one, not by `*`: columns that a host adds later would shift the others.
        if self.columns.is_empty() {
            let all = target.schema.all_columns();
            select.columns(all.map(|column| (target.schema.name, column)));
        }
        for place in self.columns {
            let column = renderer.column(&mut frame, &place)?;
            if place.path.is_here() {
                select.expr(column);
            } else {
                select.expr_as(column, place.label(target.schema));
            }
        }

        // A required table is joined even if no column of it is named.
        for path in &self.required {
            renderer.table(&mut frame, *path)?;
        }

        if let Some(predicate) = renderer.predicate(&mut frame, filter)? {
            select.and_where(predicate);
        }
        renderer.order(&mut frame, &mut select, order)?;
        if let Some(limit) = self.limit {
            select.limit(renderer.hold_term(limit)?);
        }

        // Last, since every part of the statement may have needed a join.
        frame.join(&mut select, &self.required);
        renderer.finish(&select)
    }
}

/// Completes the order of a page by the key, and narrows the filter to the rows after the cursor.
fn paged<T: Table>(
    page: Page<T>,
    order: &mut Vec<Sort>,
    key: &'static str,
    filter: Option<Node>,
) -> Result<Option<Node>, BuildError> {
    // Without the key the order of equal rows may differ from page to page.
    if !order.iter().any(|sort| sort.place.is_own(key)) {
        order.push(Sort {
            place: Place::here(key),
            descending: false,
            nullable: false,
        });
    }

    // A cursor's text names columns by their numbers in the table itself.
    if order.iter().any(|sort| !sort.place.path.is_here()) {
        return Err(BuildError::OrderWithoutPages);
    }

    let Page::After(cursor) = page else {
        return Ok(filter);
    };
    let after = cursor.after(order)?;
    Ok(Some(match filter {
        Some(filter) => filter.and(after),
        None => after,
    }))
}

/// A `SELECT COUNT(*)` of rows in scope, made by [`Scope::count`](super::Scope::count).
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

    /// Counts only rows that fit this filter, and those of earlier calls.
    #[doc(alias = "where")]
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            rows: self.rows.by(filter),
            ..self
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let count = Func::count(Expr::col(sea_query::Asterisk)).into();
        let (renderer, select) = select_of(self.rows, count, dialect)?;
        renderer.finish(&select)
    }
}

/// A `SELECT EXISTS (…)` of rows in scope, made by [`Scope::exists`](super::Scope::exists).
/// PostgreSQL answers with a truth value, SQLite with 0 or 1.
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

    /// Looks only at rows that fit this filter, and those of earlier calls.
    #[doc(alias = "where")]
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

/// The select of one expression over the rows.
fn select_of<T: Table, L>(
    rows: Rows<T, L>,
    output: Expr,
    dialect: Dialect,
) -> Result<(Renderer, SelectStatement), BuildError> {
    let (target, filter) = rows.into_parts()?;
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
