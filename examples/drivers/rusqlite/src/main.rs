//! Running bailiwick's statements on rusqlite. They are prepared once, and their values are bound by
//! reference, so that nothing is copied on the way.
//!
//! `cargo run --manifest-path examples/drivers/rusqlite/Cargo.toml`

use std::error::Error;
use std::sync::LazyLock;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::scope::state::{Read, Write};
use bailiwick::scope::traits::Parameters;
use bailiwick::scope::{BoundValues, Dialect, NotFound, Prepared, ValueRef, create_table};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, Money, Plan, Principal, Scope, Tenant, WriteAccess, table, validate_account_and_plan,
};
use rusqlite::types::{ToSqlOutput, ValueRef as Lent};
use rusqlite::{Connection, Statement as Cached};

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

static INSERT: LazyLock<Prepared<Site, Write, (String,)>> = LazyLock::new(|| {
    Prepared::new(Dialect::Sqlite, |site, (title,)| {
        site.insert::<Article>().set(Article::TITLE, title)
    })
    .expect("the statement is sound")
});

static BY_TITLE: LazyLock<Prepared<Site, Read, (String, u32)>> = LazyLock::new(|| {
    Prepared::new(Dialect::Sqlite, |site, (title, rows)| {
        let select = site
            .select::<Article>()
            .column(Article::TITLE)
            .filter(Article::TITLE.starts_with(title));
        select.order_by(Article::TITLE.ascending()).limit(rows)
    })
    .expect("the statement is sound")
});

/// Binds the values of a prepared statement, by reference.
fn bind<P: Parameters>(
    statement: &mut Cached<'_>,
    values: &BoundValues<'_, P>,
) -> Result<(), Box<dyn Error>> {
    for (place, value) in (1..).zip(values.iter()) {
        let lent = match value {
            ValueRef::Null(_) => Lent::Null,
            ValueRef::Integer(integer) => Lent::Integer(integer),
            ValueRef::Boolean(truth) => Lent::Integer(truth.into()),
            ValueRef::Text(text) => Lent::Text(text.as_bytes()),
            ValueRef::Bytes(bytes) => Lent::Blob(bytes),
            other => return Err(format!("the tables of this example hold no {other:?}").into()),
        };
        statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(lent))?;
    }
    Ok(())
}

fn insert(
    database: &Connection,
    site: &Scope<Site, Write>,
    title: &str,
) -> Result<(), Box<dyn Error>> {
    let mut statement = database.prepare_cached(INSERT.sql())?;
    bind(&mut statement, &INSERT.values(site, (title,))?)?;
    Ok(NotFound::unless(statement.raw_execute()? > 0)?)
}

fn find(
    database: &Connection,
    site: &Scope<Site, Read>,
    title: &str,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut statement = database.prepare_cached(BY_TITLE.sql())?;
    bind(&mut statement, &BY_TITLE.values(site, (title, 20))?)?;

    let mut rows = statement.raw_query();
    let mut titles = Vec::new();
    while let Some(row) = rows.next()? {
        titles.push(row.get(0)?);
    }
    Ok(titles)
}

fn main() -> Result<(), Box<dyn Error>> {
    let database = Connection::open_in_memory()?;
    database.execute_batch(&create_table::<Sites>(Dialect::Sqlite))?;
    database.execute_batch(&create_table::<Article>(Dialect::Sqlite))?;
    database.execute_batch("INSERT INTO sites VALUES (7, 12), (8, 21)")?;

    for (account, site) in [(7, 12), (8, 21)] {
        let site = access(account, site)?.write().site(site.into())?;
        insert(&database, &site, &format!("Bread of account {account}"))?;
    }

    let found = find(&database, &access(7, 12)?.read().site(12.into())?, "Bread")?;
    println!("account 7 finds {found:?}");
    assert_eq!(found, ["Bread of account 7"]);

    // The facts claim a site that the account does not have. The statement itself inserts nothing.
    let trespass = access(7, 21)?.write().site(21.into())?;
    let refused = insert(&database, &trespass, "Bread").unwrap_err();
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
