//! Running bailiwick's statements on SeaORM. It takes their text and values as they are, since those
//! are sea-query's, and it reads the rows as its own models.
//!
//! `cargo run --manifest-path examples/drivers/sea_orm/Cargo.toml`

use std::error::Error;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::scope::state::Write;
use bailiwick::scope::{BuildError, Dialect, NotFound, Statement, create_table};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, Money, Plan, Principal, Scope, Tenant, WriteAccess, table, validate_account_and_plan,
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, FromQueryResult};

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
    }
}

/// An article as SeaORM reads it.
#[derive(Debug, FromQueryResult, PartialEq)]
struct ArticleRow {
    site_id: i64,
    title: String,
}

/// Converts bailiwick's statement into SeaORM's.
fn statement(built: Result<Statement, BuildError>) -> Result<sea_orm::Statement, BuildError> {
    let (sql, values) = built?.into_parts();
    Ok(sea_orm::Statement::from_sql_and_values(
        DbBackend::Sqlite,
        &*sql,
        values,
    ))
}

async fn insert(
    database: &DatabaseConnection,
    site: &Scope<Site, Write>,
    title: &str,
) -> Result<(), Box<dyn Error>> {
    let insert = site
        .insert::<Article>()
        .set(Article::TITLE, title)
        .build(Dialect::Sqlite);
    let done = database.execute_raw(statement(insert)?).await?;
    Ok(NotFound::unless(done.rows_affected() > 0)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = Database::connect("sqlite::memory:").await?;
    database
        .execute_unprepared(&create_table::<Sites>(Dialect::Sqlite))
        .await?;
    database
        .execute_unprepared(&create_table::<Article>(Dialect::Sqlite))
        .await?;
    database
        .execute_unprepared("INSERT INTO sites VALUES (7, 12), (8, 21)")
        .await?;

    for (account, site) in [(7, 12), (8, 21)] {
        let site = access(account, site)?.write().site(site.into())?;
        insert(&database, &site, &format!("Bread of account {account}")).await?;
    }

    let account = access(7, 12)?.read().account()?;
    let select = account
        .select::<Article>()
        .filter(Article::TITLE.contains("Bread"))
        .build(Dialect::Sqlite);
    let found = ArticleRow::find_by_statement(statement(select)?)
        .all(&database)
        .await?;
    println!("account 7 finds {found:?}");
    assert_eq!(
        found,
        [ArticleRow {
            site_id: 12,
            title: "Bread of account 7".to_owned()
        }]
    );

    // The facts claim a site that the account does not have. The statement itself inserts nothing.
    let trespass = access(7, 21)?.write().site(21.into())?;
    let refused = insert(&database, &trespass, "Bread").await.unwrap_err();
    println!("account 7 writes to a site of account 8: {refused}");
    Ok(())
}

/// Returns what the gate grants a member of the account. The saas example loads these facts from a
/// database.
fn access(account: i64, site: i64) -> Result<WriteAccess, Box<dyn Error>> {
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
