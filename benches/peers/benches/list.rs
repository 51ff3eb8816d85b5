//! A list of a site's articles from SQLite, end to end: 20 of 50 rows, read into owned values; the
//! query by hand, and bailiwick's, prepared and built in full for each request, the gate and the
//! scope included.

use std::hint::black_box;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::right::Privileges;
use bailiwick::scope::state::Read;
use bailiwick::scope::{Dialect, Prepared, ValueRef, create_table};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, Credits, Money, Plan, Principal, Scope, Tenant, chrono, sea_query, table,
    validate_account_and_plan,
};
use criterion::{Criterion, criterion_group, criterion_main};
use rusqlite::types::{ToSqlOutput, ValueRef as Lent};
use rusqlite::{Connection, Row, params};

table! {
    /// The sites of an account.
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 supplied;
    }
}
table! {
    /// The articles of a site.
    pub struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
        column SCORE = "score" i64;
    }
}

const ACCOUNTS: i64 = 1_000;
const ROWS: i64 = 50;

fn database() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    database
        .execute_batch(&create_table::<Sites>(Dialect::Sqlite))
        .unwrap();
    database
        .execute_batch(&create_table::<Article>(Dialect::Sqlite))
        .unwrap();
    database.execute_batch("BEGIN").unwrap();
    for account in 1..=ACCOUNTS {
        database
            .execute("INSERT INTO sites VALUES (?1, ?1)", [account])
            .unwrap();
        for row in 0..ROWS {
            let insert =
                "INSERT INTO articles (account_id, site_id, title, score) VALUES (?1, ?1, ?2, ?3)";
            database
                .execute(
                    insert,
                    params![
                        account,
                        format!("Article {row} of account {account}"),
                        row % 7
                    ],
                )
                .unwrap();
        }
    }
    database.execute_batch("COMMIT").unwrap();
    database
}

/// The account, the site and the key, the title and the score, as all columns are declared.
fn read(row: &Row<'_>) -> rusqlite::Result<(i64, i64, i64, String, i64)> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
    ))
}

const BY_HAND: &str = "SELECT articles.account_id, articles.site_id, articles.id, articles.title, articles.score FROM articles \
    WHERE articles.account_id = ? AND articles.site_id = ? AND articles.score >= ? ORDER BY articles.id DESC LIMIT ?";

fn by_hand(database: &Connection, account: i64) -> usize {
    let mut statement = database.prepare_cached(BY_HAND).unwrap();
    let rows = statement
        .query_map(params![account, account, 1, 20], read)
        .unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().len()
}

fn lend(value: ValueRef<'_>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        ValueRef::Integer(integer) => Lent::Integer(integer),
        ValueRef::Text(text) => Lent::Text(text.as_bytes()),
        other => panic!("the list binds no {other:?}"),
    })
}

fn scope(tenant: &Tenant) -> Scope<Site, Read> {
    let account = tenant.account.id.clone();
    let person = Principal::session(1.into()).of_account(account);
    let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let access = validate_account_and_plan(&person, Some(tenant), now).unwrap();
    access.read().site(tenant.sites[0].clone()).unwrap()
}

type List = Prepared<Site, Read, (i64, u32)>;

fn prepared(database: &Connection, list: &List, tenant: &Tenant) -> usize {
    let site = scope(tenant);
    let values = list.values(&site, (1, 20)).unwrap();
    let mut statement = database.prepare_cached(list.sql()).unwrap();
    for (place, value) in (1..).zip(values.iter()) {
        statement.raw_bind_parameter(place, lend(value)).unwrap();
    }
    let rows = statement.raw_query().mapped(read);
    rows.map(Result::unwrap).collect::<Vec<_>>().len()
}

fn in_full(database: &Connection, tenant: &Tenant) -> usize {
    let select = scope(tenant)
        .select::<Article>()
        .filter(Article::SCORE.at_least(1));
    let built = select
        .order_by(Article::ID.descending())
        .limit(20)
        .build(Dialect::Sqlite)
        .unwrap();
    let mut statement = database.prepare_cached(built.sql()).unwrap();
    for (place, value) in (1..).zip(&built.values().0) {
        let sea_query::Value::BigInt(Some(integer)) = value else {
            panic!("the list binds no {value:?}")
        };
        statement.raw_bind_parameter(place, integer).unwrap();
    }
    let rows = statement.raw_query().mapped(read);
    rows.map(Result::unwrap).collect::<Vec<_>>().len()
}

fn tenant(account: i64) -> Tenant {
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
    let facts = Account {
        id: account.into(),
        status: AccountStatus::Active,
        payment_method: PaymentMethod::BankTransfer,
        version: 1,
        privileges: Privileges::NONE,
        registered_at: None,
    };
    Tenant {
        account: facts,
        plan: Some(plan.into()),
        next_plan: None,
        subscription: None,
        sites: [account.into()].into(),
    }
}

fn lists(criterion: &mut Criterion) {
    let database = database();
    let tenants: Vec<_> = (1..=ACCOUNTS).map(tenant).collect();
    let list: List = Prepared::new(Dialect::Sqlite, |site, (least, rows)| {
        let select = site
            .select::<Article>()
            .filter(Article::SCORE.at_least(least));
        select.order_by(Article::ID.descending()).limit(rows)
    })
    .unwrap();
    assert_eq!(by_hand(&database, 7), 20);
    assert_eq!(prepared(&database, &list, &tenants[6]), 20);
    assert_eq!(in_full(&database, &tenants[6]), 20);
    let mut group = criterion.benchmark_group("list of 20 from SQLite");
    let mut next = (0..tenants.len()).cycle();
    let mut account = move || next.next().unwrap();
    group.bench_function("by hand", |bencher| {
        bencher.iter(|| by_hand(&database, black_box(account() as i64 + 1)))
    });
    group.bench_function("prepared", |bencher| {
        bencher.iter(|| prepared(&database, &list, black_box(&tenants[account()])))
    });
    group.bench_function("built in full", |bencher| {
        bencher.iter(|| in_full(&database, black_box(&tenants[account()])))
    });
    group.finish();
}

criterion_group!(benches, lists);
criterion_main!(benches);
