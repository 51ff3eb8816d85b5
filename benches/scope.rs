//! A statement built in full, beside the same statement written by hand in sea-query.

use std::hint::black_box;

use bailiwick::{
    Account, AccountStatus, Credits, Currency, Dialect, Interval, Money, PaymentMethod, Plan, Principal, Privileges,
    Scope, Site, Tenant, Write, validate_account_and_plan,
};
use criterion::{Criterion, criterion_group, criterion_main};
use sea_query::{
    Expr, ExprTrait, Func, Order, PostgresQueryBuilder, Query, SelectStatement, SqliteQueryBuilder, UpdateStatement,
    Values,
};

bailiwick::table! {
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
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

fn site() -> Scope<Site, Write> {
    let plan = Plan {
        id: 1.into(),
        active: true,
        price: Money::new(0.into(), Currency::EUR).unwrap(),
        interval: Interval::MONTHLY,
        credits_per_month: Credits::ZERO,
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
    };
    let tenant = Tenant { account, plan: Some(plan.into()), subscription: None, sites: [12.into()].into() };
    let principal = Principal::session(1.into()).of_account(7.into());
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let access = validate_account_and_plan(&principal, Some(&tenant), now).unwrap();
    access.into_write().unwrap().write().site(12.into()).unwrap()
}

fn render(statement: &impl sea_query::QueryStatementWriter, dialect: Dialect) -> (String, Values) {
    match dialect {
        Dialect::Sqlite => statement.build(SqliteQueryBuilder),
        Dialect::Postgres => statement.build(PostgresQueryBuilder),
    }
}

fn select_by_hand(dialect: Dialect) -> (String, Values) {
    let mut select: SelectStatement = Query::select();
    select
        .columns(["account_id", "site_id", "id", "title", "note", "score"].map(|column| (ARTICLES, column)))
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

fn select(site: &Scope<Site, Write>, dialect: Dialect) -> bailiwick::Statement {
    site.select::<Article>()
        .filter(Article::TITLE.equals(black_box("bread")).or(Article::ID.one_of([black_box(1_i64), 2])))
        .order_by(Article::ID.descending())
        .limit(black_box(20))
        .build(dialect)
        .unwrap()
}

fn update_by_hand(dialect: Dialect) -> (String, Values) {
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

fn update(site: &Scope<Site, Write>, dialect: Dialect) -> bailiwick::Statement {
    site.update::<Article>()
        .set(Article::TITLE, black_box("bread"))
        .set(Article::SCORE, black_box(3_i64))
        .filter(Article::ID.equals(black_box(1_i64)))
        .build(dialect)
        .unwrap()
}

fn insert_by_hand(dialect: Dialect) -> (String, Values) {
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
    insert.into_table(ARTICLES).columns(["account_id", "site_id", "title", "score"]);
    insert.select_from(row).unwrap().returning_col("id");
    render(&insert, dialect)
}

fn insert(site: &Scope<Site, Write>, dialect: Dialect) -> bailiwick::Statement {
    site.insert::<Article>()
        .set(Article::TITLE, black_box("bread"))
        .set(Article::SCORE, black_box(3_i64))
        .returning_key()
        .build(dialect)
        .unwrap()
}

fn statements(criterion: &mut Criterion) {
    let site = site();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        for (ours, theirs) in [
            (select(&site, dialect), select_by_hand(dialect)),
            (update(&site, dialect), update_by_hand(dialect)),
            (insert(&site, dialect), insert_by_hand(dialect)),
        ] {
            assert_eq!(ours.sql(), theirs.0, "both sides of the bench build the same text");
        }
        let mut group = criterion.benchmark_group(format!("statement/{dialect:?}"));
        group.bench_function("select/by hand", |bencher| bencher.iter(|| select_by_hand(dialect)));
        group.bench_function("select/scoped", |bencher| bencher.iter(|| select(&site, dialect)));
        group.bench_function("update/by hand", |bencher| bencher.iter(|| update_by_hand(dialect)));
        group.bench_function("update/scoped", |bencher| bencher.iter(|| update(&site, dialect)));
        group.bench_function("insert/by hand", |bencher| bencher.iter(|| insert_by_hand(dialect)));
        group.bench_function("insert/scoped", |bencher| bencher.iter(|| insert(&site, dialect)));
        group.finish();
    }
}

criterion_group!(benches, statements);
criterion_main!(benches);
