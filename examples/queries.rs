//! Statements of two tenants on an embedded SQLite, each printed with its SQL and its rows.
//!
//! `cargo run --example queries`

use std::sync::LazyLock;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::scope::state::Read;
use bailiwick::scope::{BuildError, Cursor, Dialect, Prepared, Select, Statement, create_table};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, Money, Plan, Principal, Scope, Tenant, WriteAccess, table, validate_account_and_plan,
};
use sea_query_sqlx::SqlxValues;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, Connection, Row};

const SQLITE: Dialect = Dialect::Sqlite;

table! {
    /// The sites of an account.
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 supplied;
    }
}
table! {
    /// The folders of a site. A folder may stand in another.
    pub struct Folder: Site in "folders" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column NAME = "name" String;
        reference PARENT = "parent_id" to Option<Folder>;
        unique BY_NAME = ("name" String);
    }
}
table! {
    /// The articles of a site.
    pub struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
        column WORDS = "words" i64;
        reference FOLDER = "folder_id" to Option<Folder>;
    }
}

/// Selects the longest articles in a folder or in a folder below it, a page at a time.
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

/// A statement that is used often: its SQL is made once, and then bound to scopes and values.
static BY_TITLE: LazyLock<Prepared<Site, Read, (String,)>> = LazyLock::new(|| {
    Prepared::new(SQLITE, |site, (part,)| {
        site.select::<Article>()
            .filter(Article::TITLE.contains(part))
    })
    .expect("the statement is sound")
});

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let db = &mut SqliteConnection::connect("sqlite::memory:").await?;
    for ddl in [
        create_table::<Sites>(SQLITE),
        create_table::<Folder>(SQLITE),
        create_table::<Article>(SQLITE),
    ] {
        sqlx::raw_sql(AssertSqlSafe(ddl)).execute(&mut *db).await?;
    }
    sqlx::raw_sql("INSERT INTO sites VALUES (7, 12), (8, 21)")
        .execute(&mut *db)
        .await?;

    // Account 7 with its site 12, and its neighbour.
    let access = access_to(7, 12)?;
    let ours = access.write().site(12.into())?;
    let theirs = access_to(8, 21)?.write().site(21.into())?;

    for (site, name) in [(&ours, "recipes"), (&theirs, "secrets"), (&ours, "drinks")] {
        let folder = site
            .upsert(Folder::BY_NAME, (name,))
            .set(Folder::PARENT, None::<i64>)
            .build(SQLITE);
        run(db, "a folder, inserted unless it is there", folder).await?;
    }
    let bread = ours
        .insert::<Folder>()
        .set(Folder::NAME, "bread")
        .set(Folder::PARENT, 1)
        .build(SQLITE);
    run(db, "a folder in one of our folders", bread).await?;
    let articles = ours
        .insert_many((Article::TITLE, Article::WORDS, Article::FOLDER))
        .row(("Soup", 300, 1))
        .row(("Rye", 900, 4))
        .row(("Wheat", 500, 4))
        .row(("News", 80, None::<i64>))
        .build(SQLITE);
    run(db, "four articles, all of them or none", articles).await?;
    let secret = theirs
        .insert::<Article>()
        .set(Article::TITLE, "Rye, secretly")
        .set(Article::WORDS, 1)
        .set(Article::FOLDER, 2)
        .build(SQLITE);
    run(db, "the neighbour's article", secret).await?;

    let read = access.read().site(12.into())?;
    let first = longest(&read, "recipes", None).build(SQLITE);
    run(db, "the longest recipes, two a page", first).await?;
    // The client got this cursor with the first page, and sends it back for the next.
    let cursor = Cursor::new().at(Article::WORDS, 500)?.at(Article::ID, 3)?;
    let cursor = cursor.to_string().parse()?;
    let next = longest(&read, "recipes", Some(cursor)).build(SQLITE);
    run(db, "the next page", next).await?;
    let words = read
        .aggregate::<Article>()
        .by(Article::FOLDER.then(Folder::NAME))
        .count()
        .sum(Article::WORDS)
        .build(SQLITE);
    run(db, "articles and words by folder", words).await?;
    let empty = read
        .select::<Folder>()
        .column(Folder::NAME)
        .filter(!Article::FOLDER.exists())
        .build(SQLITE);
    run(db, "folders without an article of their own", empty).await?;
    let rye = BY_TITLE.bind(&read, ("Rye",));
    run(db, "articles about rye, prepared: only ours", rye).await?;

    let trespass = ours
        .update::<Article>()
        .set(Article::FOLDER, 2)
        .all_in_scope()
        .build(SQLITE);
    run(
        db,
        "our articles into the neighbour's folder: none moves",
        trespass,
    )
    .await?;
    Ok(())
}

/// Runs a statement and prints it, with its rows or with how many it wrote.
async fn run(
    db: &mut SqliteConnection,
    what: &str,
    statement: Result<Statement, BuildError>,
) -> anyhow::Result<()> {
    let (sql, values) = statement?.into_parts();
    println!("\n{what}\n  {sql}");

    let is_query = sql.starts_with("SELECT");
    let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values));
    if is_query {
        for row in query.fetch_all(db).await? {
            let cells: Vec<_> = (0..row.len()).map(|index| cell(&row, index)).collect();
            println!("  ► {}", cells.join(", "));
        }
    } else {
        let done = query.execute(db).await?;
        println!("  ► rows written: {}", done.rows_affected());
    }
    Ok(())
}

/// Returns a column's name and value. The columns of this example are texts and integers.
fn cell(row: &SqliteRow, index: usize) -> String {
    let name = row.column(index).name();
    let value = match row.try_get::<Option<String>, _>(index) {
        Ok(text) => text,
        Err(_) => row
            .get::<Option<i64>, _>(index)
            .map(|number| number.to_string()),
    };
    format!("{name} {}", value.as_deref().unwrap_or("none"))
}

/// Returns what the gate grants a member of the account. The saas example loads these facts from a
/// database.
fn access_to(account: i64, site: i64) -> anyhow::Result<WriteAccess> {
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
