//! How a host on SeaORM runs bailiwick's statements: text and values are sea-query's, which SeaORM
//! takes as they are, and the rows come back as its own models.
//!
//! `cargo run --manifest-path examples/drivers/sea_orm/Cargo.toml`

use std::error::Error;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::right::Privileges;
use bailiwick::scope::state::Write;
use bailiwick::scope::{BuildError, Dialect, NotFound, Statement, create_table};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, Credits, Money, Plan, Principal, Scope, Tenant, WriteAccess, table,
    validate_account_and_plan,
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, FromQueryResult};

bailiwick::table! {
    /// The sites of an account.
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 supplied;
    }
}
bailiwick::table! {
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

/// SeaORM's statement, from bailiwick's.
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
    // A site that the account does not have: nothing is inserted, and the answer is "not found".
    let refused = insert(&database, &access(7, 21)?.write().site(21.into())?, "Bread")
        .await
        .unwrap_err();
    println!("account 7 writes to a site of account 8: {refused}");
    Ok(())
}

/// What the gate says of a member of the account; see the saas example for where the facts come
/// from.
fn access(account: i64, site: i64) -> Result<WriteAccess, Box<dyn Error>> {
    let plan = Plan {
        id: 1.into(),
        active: true,
        price: Money::new(0.into(), Currency::EUR)?,
        interval: Interval::MONTHLY,
        credits_per_month: Credits::ZERO,
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
    };
    let tenant = Tenant {
        account: facts,
        plan: Some(plan.into()),
        subscription: None,
        sites: [site.into()].into(),
    };
    let person = Principal::session(1.into()).of_account(account.into());
    let now = "2026-01-01T00:00:00Z".parse()?;
    Ok(validate_account_and_plan(&person, Some(&tenant), now)?.into_write()?)
}
