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

/// A `SELECT` of aggregates of rows in scope, in the order in which they are asked for: one row, or
/// one for each group of [`by`](Self::by), first the columns of the group, then the aggregates.
/// Groups without an aggregate are the distinct values: `SELECT DISTINCT`.
///
/// ```
/// use bailiwick::{Account, Scope};
/// use bailiwick::scope::{BuildError, Dialect};
/// use bailiwick::scope::state::Read;
/// # bailiwick::table! {
/// #     pub struct Sites: Account in "sites" { tenant "account_id" Int; key ID = "id" i64 generated; }
/// # }
/// bailiwick::table! {
///     /// Articles of a site.
///     pub struct Article: Site in "articles" {
///         tenant "account_id" Int, "site_id" Int of Sites;
///         key ID = "id" i64 generated;
///         column AUTHOR = "author" String;
///         column WORDS = "words" i64;
///     }
/// }
/// fn words_by_author(account: &Scope<Account, Read>) -> Result<(), BuildError> {
///     let words = account.aggregate::<Article>().by(Article::AUTHOR).count().sum(Article::WORDS);
///     assert_eq!(words.build(Dialect::Sqlite)?.sql(), concat!(
///         r#"SELECT "articles"."author", COUNT(*), SUM("articles"."words") FROM "articles" "#,
///         r#"WHERE "articles"."account_id" = ? GROUP BY "articles"."author" ORDER BY "articles"."author" ASC"#,
///     ));
///     Ok(())
/// }
/// # use bailiwick::{Credits, Money, Plan, Principal, Tenant, table, validate_account_and_plan};
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::money::Currency;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::period::Interval;
/// # use bailiwick::right::Privileges;
/// # use bailiwick::tenant::Site;
/// # let account = Account {
/// #     id: 7.into(), status: AccountStatus::Active, payment_method: PaymentMethod::BankTransfer, version: 1,
/// #     privileges: Privileges::NONE,
/// # };
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: Money::new(0.into(), Currency::EUR)?, interval: Interval::MONTHLY,
/// #     credits_per_month: Credits::ZERO, needs_subscription: false, quotas: Default::default(),
/// #     concurrency: Default::default(),
/// # };
/// # let tenant = Tenant { account, plan: Some(plan.into()), subscription: None, sites: [12.into()].into() };
/// # let person = Principal::session(1.into()).of_account(7.into());
/// # let access = validate_account_and_plan(&person, Some(&tenant), "2026-01-01T00:00:00Z".parse()?)?;
/// words_by_author(&access.read().account()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Only rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            rows: self.rows.by(filter),
            ..self
        }
    }

    /// At most so many groups, the first ones.
    pub fn limit(self, groups: impl Into<Operand<u32>>) -> Self {
        Self {
            limit: Some(groups.into().term),
            ..self
        }
    }

    /// A row for each value of this column, or of this one and those of earlier calls together.
    /// Groups come in ascending order of these columns, null last.
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

    /// How many rows.
    pub fn count(self) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Count)
    }

    /// The sum; null if there is no value. One that does not fit the column's type is an error of
    /// the database.
    pub fn sum<V: ColumnValue<Plain: Summable>, R: Reachable<L>>(
        self,
        column: Column<T, V, R>,
    ) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Sum(column.place, V::KIND))
    }

    /// The average, as a double; null if there is no value. For an exact one, divide the sum by the
    /// count.
    pub fn average<V: ColumnValue<Plain = i64>, R: Reachable<L>>(
        self,
        column: Column<T, V, R>,
    ) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Average(column.place))
    }

    /// The least value; null if there is none.
    pub fn least<V: ColumnValue<Plain: Rankable>, R: Reachable<L>>(
        self,
        column: Column<T, V, R>,
    ) -> Aggregate<T, L, Ready, B> {
        self.with(Output::Least(column.place))
    }

    /// The greatest value; null if there is none.
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
        let Self {
            rows,
            groups,
            outputs,
            limit,
            ..
        } = self;
        Aggregate {
            rows,
            groups,
            outputs,
            limit,
            state: PhantomData,
        }
    }

    pub(super) fn render(self, dialect: Dialect) -> Result<Rendered, BuildError> {
        let (target, filter) = self.rows.into_parts();
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
            let expression: Expr = match output {
                Output::Count => Func::count(Expr::col(sea_query::Asterisk)).into(),
                Output::Sum(place, kind) => {
                    let sum = Func::sum(renderer.column(&mut frame, &place)?).into();
                    // PostgreSQL's sum of integers is a numeric.
                    if kind == ValueKind::Integer {
                        renderer.cast(sum, "bigint")
                    } else {
                        sum
                    }
                }
                Output::Average(place) => {
                    let average = Func::avg(renderer.column(&mut frame, &place)?).into();
                    renderer.cast(average, "double precision")
                }
                Output::Least(place) => Func::min(renderer.column(&mut frame, &place)?).into(),
                Output::Greatest(place) => Func::max(renderer.column(&mut frame, &place)?).into(),
            };
            select.expr(expression);
        }
        if let Some(predicate) = renderer.predicate(&mut frame, filter)? {
            select.and_where(predicate);
        }
        renderer.order(&mut frame, &mut select, self.groups)?;
        if let Some(limit) = self.limit {
            select.limit(renderer.hold_term(limit)?);
        }
        frame.join(&mut select, &[]);
        renderer.finish(&select)
    }
}
