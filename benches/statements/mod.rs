//! The same statements by hand in sea-query, scoped, prepared, and as a formatted text.
#![allow(dead_code, reason = "each bench uses what it needs")]

use std::hint::black_box;

use std::sync::Arc;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::right::Privileges;
use bailiwick::scope::state::{Read, Write};
use bailiwick::scope::{Dialect, Prepared, Statement, ValueRef};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, Credits, Money, Plan, Principal, Scope, Tenant, sea_query, validate_account_and_plan,
};
use sea_query::{
    Expr, ExprTrait, Func, JoinType, Order, PostgresQueryBuilder, Query, SelectStatement,
    SqliteQueryBuilder, UpdateStatement, Values,
};

bailiwick::table! {
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
    }
}
bailiwick::table! {
    pub struct Folder: Site in "folders" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column NAME = "name" String;
    }
}
bailiwick::table! {
    pub struct Filed: Site in "filed" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
        reference FOLDER = "folder_id" to Folder;
    }
}
bailiwick::table! {
    pub struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
        column NOTE = "note" Option<String>;
        column SCORE = "score" i64;
    }
}

const ARTICLES: &str = "articles";

pub fn site() -> Scope<Site, Write> {
    let plan = Plan {
        id: 1.into(),
        active: true,
        price: Money::new(0.into(), Currency::EUR).unwrap(),
        interval: Interval::MONTHLY,
        credits: Credits::ZERO,
        credits_every: Interval::MONTHLY,
        trial_credits: None,
        needs_subscription: false,
        quotas: Default::default(),
        concurrency: Default::default(),
    };
    let account = Account {
        id: 7.into(),
        status: AccountStatus::Active,
        payment_method: PaymentMethod::BankTransfer,
        version: 1,
        privileges: Privileges::NONE,
        registered_at: None,
    };
    let tenant = Tenant {
        account,
        plan: Some(plan.into()),
        next_plan: None,
        subscription: None,
        sites: [12.into()].into(),
    };
    let principal = Principal::session(1.into()).of_account(7.into());
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let access = validate_account_and_plan(&principal, Some(&tenant), now).unwrap();
    access
        .into_write()
        .unwrap()
        .write()
        .site(12.into())
        .unwrap()
}

fn render(statement: &impl sea_query::QueryStatementWriter, dialect: Dialect) -> (String, Values) {
    match dialect {
        Dialect::Sqlite => statement.build(SqliteQueryBuilder),
        Dialect::Postgres => statement.build(PostgresQueryBuilder),
    }
}

pub fn select_by_hand(dialect: Dialect) -> (String, Values) {
    let mut select: SelectStatement = Query::select();
    select
        .columns(
            ["account_id", "site_id", "id", "title", "note", "score"]
                .map(|column| (ARTICLES, column)),
        )
        .from(ARTICLES)
        .and_where(Expr::col((ARTICLES, "account_id")).eq(black_box(7_i64)))
        .and_where(Expr::col((ARTICLES, "site_id")).eq(black_box(12_i64)))
        .and_where(
            Expr::col((ARTICLES, "title"))
                .eq(black_box("bread"))
                .or(Expr::col((ARTICLES, "id")).is_in([black_box(1_i64), 2])),
        )
        .order_by((ARTICLES, "id"), Order::Desc)
        .limit(black_box(20));
    render(&select, dialect)
}

pub fn select(site: &Scope<Site, Write>, dialect: Dialect) -> Statement {
    site.select::<Article>()
        .filter(
            Article::TITLE
                .equals(black_box("bread"))
                .or(Article::ID.one_of([black_box(1_i64), 2])),
        )
        .order_by(Article::ID.descending())
        .limit(black_box(20))
        .build(dialect)
        .unwrap()
}

pub fn update_by_hand(dialect: Dialect) -> (String, Values) {
    let mut update: UpdateStatement = Query::update();
    update
        .table(ARTICLES)
        .value("title", black_box("bread"))
        .value("score", black_box(3_i64))
        .and_where(Expr::col((ARTICLES, "account_id")).eq(black_box(7_i64)))
        .and_where(Expr::col((ARTICLES, "site_id")).eq(black_box(12_i64)))
        .and_where(Expr::col((ARTICLES, "id")).eq(black_box(1_i64)));
    render(&update, dialect)
}

pub fn update(site: &Scope<Site, Write>, dialect: Dialect) -> Statement {
    site.update::<Article>()
        .set(Article::TITLE, black_box("bread"))
        .set(Article::SCORE, black_box(3_i64))
        .filter(Article::ID.equals(black_box(1_i64)))
        .build(dialect)
        .unwrap()
}

pub fn insert_by_hand(dialect: Dialect) -> (String, Values) {
    let typed = |value: Expr, kind: &'static str| match dialect {
        Dialect::Sqlite => value,
        Dialect::Postgres => Func::cast_as(value, kind).into(),
    };
    let mut owner = Query::select();
    owner
        .expr(Expr::cust("1"))
        .from("sites")
        .and_where(Expr::col(("sites", "account_id")).eq(black_box(7_i64)))
        .and_where(Expr::col(("sites", "id")).eq(black_box(12_i64)));
    let mut row = Query::select();
    row.expr(typed(black_box(7_i64).into(), "bigint"))
        .expr(typed(black_box(12_i64).into(), "bigint"))
        .expr(typed(black_box("bread").into(), "text"))
        .expr(typed(black_box(3_i64).into(), "bigint"))
        .and_where(Expr::exists(owner));
    let mut insert = Query::insert();
    insert
        .into_table(ARTICLES)
        .columns(["account_id", "site_id", "title", "score"]);
    insert.select_from(row).unwrap().returning_col("id");
    render(&insert, dialect)
}

pub fn insert(site: &Scope<Site, Write>, dialect: Dialect) -> Statement {
    site.insert::<Article>()
        .set(Article::TITLE, black_box("bread"))
        .set(Article::SCORE, black_box(3_i64))
        .returning_key()
        .build(dialect)
        .unwrap()
}

/// A list of rows with the name of what they refer to.
pub fn join_by_hand(dialect: Dialect) -> (String, Values) {
    const FILED: &str = "filed";
    const FOLDERS: &str = "1.folders";
    let on = Expr::col((FOLDERS, "id"))
        .equals((FILED, "folder_id"))
        .and(Expr::col((FOLDERS, "account_id")).equals((FILED, "account_id")))
        .and(Expr::col((FOLDERS, "site_id")).equals((FILED, "site_id")))
        .and(Expr::col((FOLDERS, "account_id")).eq(black_box(7_i64)))
        .and(Expr::col((FOLDERS, "site_id")).eq(black_box(12_i64)));
    let mut select: SelectStatement = Query::select();
    select
        .column((FILED, "title"))
        .expr_as(Expr::col((FOLDERS, "name")), "folder_id.name")
        .from(FILED)
        .join_as(JoinType::LeftJoin, "folders", FOLDERS, on)
        .and_where(Expr::col((FILED, "account_id")).eq(black_box(7_i64)))
        .and_where(Expr::col((FILED, "site_id")).eq(black_box(12_i64)))
        .and_where(Expr::col((FILED, "title")).eq(black_box("bread")))
        .order_by((FILED, "id"), Order::Desc)
        .limit(black_box(20));
    render(&select, dialect)
}

pub fn join(site: &Scope<Site, Write>, dialect: Dialect) -> Statement {
    site.select::<Filed>()
        .column(Filed::TITLE)
        .column(Filed::FOLDER.then(Folder::NAME))
        .filter(Filed::TITLE.equals(black_box("bread")))
        .order_by(Filed::ID.descending())
        .limit(black_box(20))
        .build(dialect)
        .unwrap()
}

/// The text of the same select with the values written into it, as nobody should: the least work
/// that a text can be.
pub fn select_by_format() -> String {
    let (account, site, title, ids, limit) = (
        black_box(7_i64),
        black_box(12_i64),
        black_box("bread"),
        black_box([1_i64, 2]),
        black_box(20),
    );
    format!(
        "SELECT articles.account_id, articles.site_id, articles.id, articles.title, articles.note, articles.score \
         FROM articles WHERE articles.account_id = {account} AND articles.site_id = {site} \
         AND (articles.title = '{title}' OR articles.id IN ({}, {})) ORDER BY articles.id DESC LIMIT {limit}",
        ids[0], ids[1]
    )
}

pub type Recent = Prepared<Site, Read, (String, i64, i64, u32)>;

/// The same select, prepared.
pub fn prepare_select(dialect: Dialect) -> Recent {
    Prepared::new(dialect, |site, (title, first, second, limit)| {
        site.select::<Article>()
            .filter(
                Article::TITLE
                    .equals(title)
                    .or(Article::ID.one_of([first, second])),
            )
            .order_by(Article::ID.descending())
            .limit(limit)
    })
    .unwrap()
}

/// As owned values, with the text.
pub fn bind_select(recent: &Recent, site: &Scope<Site, Write>) -> (Arc<str>, Values) {
    recent
        .bind(site, black_box(("bread", 1, 2, 20)))
        .unwrap()
        .into_parts()
}

/// As a borrowed iterator, each value taken.
pub fn lend_select(recent: &Recent, site: &Scope<Site, Write>) -> usize {
    let values = recent.values(site, black_box(("bread", 1, 2, 20))).unwrap();
    values
        .iter()
        .map(|value| matches!(black_box(value), ValueRef::Integer(_)))
        .filter(|integer| *integer)
        .count()
}
