//! Queries of two tenants on an embedded SQLite, each printed with its text and its rows.
//!
//! `cargo run --example queries`

use std::sync::LazyLock;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::scope::state::Read;
use bailiwick::scope::{Cursor, Dialect, Prepared, Select, Statement, create_table};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, Money, Plan, Principal, Scope, Tenant, WriteAccess, table, validate_account_and_plan,
};
use sea_query_sqlx::SqlxValues;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, Connection, Row};

table! {
    /// The sites of an account.
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 supplied;
    }
}
table! {
    /// Folders, in folders.
    pub struct Folder: Site in "folders" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column NAME = "name" String;
        reference PARENT = "parent_id" to Option<Folder>;
        unique BY_NAME = ("name" String);
    }
}
table! {
    /// Articles of a site.
    pub struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
        column WORDS = "words" i64;
        reference FOLDER = "folder_id" to Option<Folder>;
    }
}

/// The longest articles in a folder or below it, a page at a time.
fn longest(
    site: &Scope<Site, Read>,
    folder: &str,
    after: Option<Cursor<Article>>,
) -> Select<Article, Site> {
    let here = Article::FOLDER.then(Folder::NAME).equals(folder);
    let below = Article::FOLDER
        .then(Folder::PARENT)
        .then(Folder::NAME)
        .equals(folder);
    site.select()
        .column(Article::ID)
        .column(Article::TITLE)
        .column(Article::WORDS)
        .filter(here.or(below))
        .order_by(Article::WORDS.descending())
        .after(after)
        .limit(2)
}

/// A statement that is used often is rendered once, and bound to a scope and values without making
/// any text.
static BY_TITLE: LazyLock<Prepared<Site, Read, (String,)>> = LazyLock::new(|| {
    Prepared::new(Dialect::Sqlite, |site, (part,)| {
        site.select::<Article>()
            .filter(Article::TITLE.contains(part))
    })
    .expect("the statement is sound")
});

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut database = SqliteConnection::connect("sqlite::memory:").await?;
    for ddl in [
        create_table::<Sites>(Dialect::Sqlite),
        create_table::<Folder>(Dialect::Sqlite),
        create_table::<Article>(Dialect::Sqlite),
    ] {
        sqlx::raw_sql(AssertSqlSafe(ddl))
            .execute(&mut database)
            .await?;
    }
    sqlx::raw_sql("INSERT INTO sites VALUES (7, 12), (8, 21)")
        .execute(&mut database)
        .await?;
    let (ours, theirs) = (access(7, 12)?, access(8, 21)?);
    let (site, other) = (
        ours.write().site(12.into())?,
        theirs.write().site(21.into())?,
    );

    for (site, name) in [(&site, "recipes"), (&other, "secrets"), (&site, "drinks")] {
        let folder = site
            .upsert(Folder::BY_NAME, (name,))
            .set(Folder::PARENT, None::<i64>)
            .build(Dialect::Sqlite)?;
        run(&mut database, "a folder, new or there already", folder).await?;
    }
    let bread = site
        .insert::<Folder>()
        .set(Folder::NAME, "bread")
        .set(Folder::PARENT, 1)
        .build(Dialect::Sqlite)?;
    run(
        &mut database,
        "a folder in a folder; the statement checks that it is ours",
        bread,
    )
    .await?;
    let articles = site.insert_many((Article::TITLE, Article::WORDS, Article::FOLDER));
    let articles = articles
        .row(("Soup", 300, 1))
        .row(("Rye", 900, 4))
        .row(("Wheat", 500, 4))
        .row(("News", 80, None::<i64>));
    run(
        &mut database,
        "articles, all of them or none",
        articles.build(Dialect::Sqlite)?,
    )
    .await?;
    let secret = other
        .insert::<Article>()
        .set(Article::TITLE, "Rye, secretly")
        .set(Article::WORDS, 1)
        .set(Article::FOLDER, 2);
    run(
        &mut database,
        "the neighbour's article",
        secret.build(Dialect::Sqlite)?,
    )
    .await?;

    let read = ours.read().site(12.into())?;
    run(
        &mut database,
        "the longest recipes",
        longest(&read, "recipes", None).build(Dialect::Sqlite)?,
    )
    .await?;
    // What the client was given with the first page, and gives back.
    let cursor = Cursor::new()
        .at(Article::WORDS, 500)
        .at(Article::ID, 3)
        .to_string();
    let next = longest(&read, "recipes", Some(cursor.parse()?)).build(Dialect::Sqlite)?;
    run(&mut database, "the next page", next).await?;
    let words = read
        .aggregate::<Article>()
        .by(Article::FOLDER.then(Folder::NAME))
        .count()
        .sum(Article::WORDS);
    run(
        &mut database,
        "words by folder",
        words.build(Dialect::Sqlite)?,
    )
    .await?;
    let empty = read
        .select::<Folder>()
        .column(Folder::NAME)
        .filter(!Article::FOLDER.exists());
    run(
        &mut database,
        "folders without an article of their own",
        empty.build(Dialect::Sqlite)?,
    )
    .await?;
    run(
        &mut database,
        "by title, prepared: ours alone",
        BY_TITLE.bind(&read, ("Rye",))?,
    )
    .await?;

    let steal = site
        .update::<Article>()
        .set(Article::FOLDER, 2)
        .all_in_scope()
        .build(Dialect::Sqlite)?;
    run(
        &mut database,
        "our articles into the neighbour's folder: none moves",
        steal,
    )
    .await?;
    Ok(())
}

/// Runs a statement and prints it, with its rows or how many it touched.
async fn run(
    database: &mut SqliteConnection,
    what: &str,
    statement: Statement,
) -> anyhow::Result<()> {
    let (sql, values) = statement.into_parts();
    println!("\n{what}\n  {sql}");
    let is_query = sql.starts_with("SELECT");
    let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values));
    if is_query {
        for row in query.fetch_all(database).await? {
            println!(
                "  ► {}",
                (0..row.len())
                    .map(|place| cell(&row, place))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
    } else {
        println!(
            "  ► {} rows",
            query.execute(database).await?.rows_affected()
        );
    }
    Ok(())
}

fn cell(row: &SqliteRow, place: usize) -> String {
    let text = row
        .try_get::<Option<String>, _>(place)
        .map(|text| text.unwrap_or_else(|| "none".to_owned()));
    let value = text.or_else(|_| {
        row.try_get::<Option<i64>, _>(place)
            .map(|number| number.map_or("none".to_owned(), |n| n.to_string()))
    });
    format!(
        "{} {}",
        row.column(place).name(),
        value.unwrap_or_else(|error| error.to_string())
    )
}

/// Returns what the gate grants a member of the account. The saas example loads these facts from a
/// database.
fn access(account: i64, site: i64) -> anyhow::Result<WriteAccess> {
    let plan = Plan::new(1.into(), Money::zero(Currency::EUR), Interval::MONTHLY);
    let own = Account::new(
        account.into(),
        AccountStatus::Active,
        PaymentMethod::BankTransfer,
    );
    let tenant = Tenant {
        plan: Some(plan.into()),
        sites: [site.into()].into(),
        ..Tenant::new(own)
    };

    let member = Principal::session(1.into()).of_account(account.into());
    let now = "2026-01-01T00:00:00Z".parse()?;
    Ok(validate_account_and_plan(&member, Some(&tenant), now)?.into_write()?)
}
