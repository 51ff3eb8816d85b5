//! Aggregates: sums, extremes and averages of rows in scope, whole or by groups.

use std::marker::PhantomData;

use sea_query::{Expr, Func, Query};

use super::bounds::Bounds;
use super::column::Column;
use super::dialect::Dialect;
use super::error::BuildError;
use super::filter::{Filter, Sort};
use super::frame::Frame;
use super::marker::{Bound, NoOutput, Of, Ready};
use super::operand::{Operand, Term};
use super::path::Place;
use super::render::{Rendered, Renderer};
use super::role::Reachable;
use super::rows::Rows;
use super::table::Table;
use super::value::{ColumnValue, Comparable, Rankable, Summable, ValueKind};

/// A `SELECT` of aggregates of rows in scope, made by
/// [`Scope::aggregate`](super::Scope::aggregate).
///
/// It returns one row, or one row for each group of [`by`](Self::by): first the columns of the
/// group, then the aggregates in the order in which they were asked for. Groups without an
/// aggregate are the distinct values, as of `SELECT DISTINCT`.
///
/// ```
/// use bailiwick::scope::state::Read;
/// use bailiwick::scope::{Dialect, Prepared};
/// use bailiwick::{Account, table};
///
/// table! {
///     pub struct Article: Account in "articles" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column AUTHOR = "author" String;
///         column WORDS = "words" i64;
///     }
/// }
///
/// let words = Prepared::<Account, Read, ()>::new(Dialect::Sqlite, |account, ()| {
///     account.aggregate::<Article>().by(Article::AUTHOR).count().sum(Article::WORDS)
/// });
/// assert_eq!(words.unwrap().sql().as_ref(), concat!(
///     r#"SELECT "articles"."author", COUNT(*), SUM("articles"."words") FROM "articles" "#,
///     r#"WHERE "articles"."account_id" = ? "#,
///     r#"GROUP BY "articles"."author" ORDER BY "articles"."author" ASC"#,
/// ));
/// ```
#[doc(alias = "distinct")]
#[doc(alias = "group_by")]
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is built and run"]
pub struct Aggregate<T, L, S = Ready, B = Bound> {
    rows: Rows<T, L>,
    groups: Vec<Sort>,
    outputs: Vec<Output>,
    limit: Option<Term>,
    state: Of<(S, B)>,
}

#[derive(Clone, Copy, Debug)]
enum Output {
    Count,
    Sum(Place, ValueKind),
    Average(Place),
    Least(Place),
    Greatest(Place),
}

impl<T: Table, L, B> Aggregate<T, L, NoOutput, B> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            rows: Rows::new(bounds),
            groups: Vec::new(),
            outputs: Vec::new(),
            limit: None,
            state: PhantomData,
        }
    }
}

impl<T: Table, L, S, B> Aggregate<T, L, S, B> {
    /// Aggregates only rows that fit this filter, and those of earlier calls.
    #[doc(alias = "where")]
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            rows: self.rows.by(filter),
            ..self
        }
    }

    /// Returns at most so many groups, the first ones of their order.
    pub fn limit(self, groups: impl Into<Operand<u32>>) -> Self {
        Self {
            limit: Some(groups.into().term),
            ..self
        }
    }

    /// Groups the rows by this column, and those of earlier calls: one row for each combination of
    /// their values. The groups come in ascending order of these columns, null last.
    #[doc(alias = "group_by")]
    pub fn by<V: ColumnValue<Plain: Comparable>, R: Reachable<L>>(
        mut self,
        column: Column<T, V, R>,
    ) -> Aggregate<T, L, Ready, B> {
        self.groups.push(Sort {
            place: column.place,
            descending: false,
            nullable: V::NULLABLE,
        });
        self.ready()
    }

    /// Returns the number of rows.
    pub fn count(self) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Count)
    }

    /// Returns the sum; null if there are no values. A sum that does not fit the column's type is
    /// an error of the database.
    pub fn sum<V: ColumnValue<Plain: Summable>, R: Reachable<L>>(
        self,
        column: Column<T, V, R>,
    ) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Sum(column.place, V::KIND))
    }

    /// Returns the average as a double; null if there are no values. For an exact one, divide the
    /// sum by the count.
    #[doc(alias = "avg")]
    pub fn average<V: ColumnValue<Plain = i64>, R: Reachable<L>>(
        self,
        column: Column<T, V, R>,
    ) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Average(column.place))
    }

    /// Returns the least value; null if there are no values.
    #[doc(alias = "min")]
    pub fn least<V: ColumnValue<Plain: Rankable>, R: Reachable<L>>(
        self,
        column: Column<T, V, R>,
    ) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Least(column.place))
    }

    /// Returns the greatest value; null if there are no values.
    #[doc(alias = "max")]
    pub fn greatest<V: ColumnValue<Plain: Rankable>, R: Reachable<L>>(
        self,
        column: Column<T, V, R>,
    ) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Greatest(column.place))
    }

    fn with(mut self, output: Output) -> Aggregate<T, L, Ready, B> {
        self.outputs.push(output);
        self.ready()
    }

    fn ready(self) -> Aggregate<T, L, Ready, B> {
        Aggregate {
            rows: self.rows,
            groups: self.groups,
            outputs: self.outputs,
            limit: self.limit,
            state: PhantomData,
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let (target, filter) = self.rows.into_parts()?;
        let mut renderer = Renderer::new(dialect, target.bounds);
        let mut frame = Frame::of(target.schema);
        let mut select = Query::select();
        select.from(target.schema.name);

        for sort in &self.groups {
            let column = renderer.column(&mut frame, &sort.place)?;
            select.add_group_by([column.clone()]);
            if sort.place.path.is_here() {
                select.expr(column);
            } else {
                select.expr_as(column, sort.place.label(target.schema));
            }
        }
        for output in self.outputs {
            select.expr(output.render(&mut renderer, &mut frame)?);
        }

        if let Some(predicate) = renderer.predicate(&mut frame, filter)? {
            select.and_where(predicate);
        }
        renderer.order(&mut frame, &mut select, self.groups)?;
        if let Some(limit) = self.limit {
            select.limit(renderer.hold_term(limit)?);
        }

        // Last, since every part of the statement may have needed a join.
        frame.join(&mut select, &[]);
        renderer.finish(&select)
    }
}

impl Output {
    fn render(self, renderer: &mut Renderer, frame: &mut Frame) -> Result<Expr, BuildError> {
        Ok(match self {
            Self::Count => Func::count(Expr::col(sea_query::Asterisk)).into(),

            Self::Sum(place, kind) => {
                let sum = Func::sum(renderer.column(frame, &place)?).into();
                // PostgreSQL's sum of integers is a numeric.
                if kind == ValueKind::Integer {
                    renderer.cast(sum, "bigint")
                } else {
                    sum
                }
            }

            Self::Average(place) => {
                let average = Func::avg(renderer.column(frame, &place)?).into();
                // PostgreSQL's average of integers is a numeric, SQLite's a double.
                renderer.cast(average, "double precision")
            }

            Self::Least(place) => Func::min(renderer.column(frame, &place)?).into(),
            Self::Greatest(place) => Func::max(renderer.column(frame, &place)?).into(),
        })
    }
}
