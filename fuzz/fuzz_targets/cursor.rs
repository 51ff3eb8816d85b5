//! Any text as a cursor: it is refused, or it is the one text of a cursor, which every list takes
//! or refuses without a panic, and which never reaches the text of a statement (S7).
#![no_main]

use bailiwick::scope::state::Read;
use bailiwick::scope::{BuildError, Cursor, Dialect, Fixed, Select};
use bailiwick::tenant::Site;
use bailiwick::{Principal, Scope, Tenant, chrono, table, validate_account_and_plan};
use libfuzzer_sys::fuzz_target;

table! {
    struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
    }
}
table! {
    struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
        column NOTE = "note" Option<String>;
        column OPEN = "open" bool;
        column SEEN = "seen" Option<chrono::DateTime<chrono::Utc>>;
        column DIGEST = "digest" Option<Vec<u8>>;
        column PRICE = "price" Fixed<2>;
        column TOKEN = "token" Option<uuid::Uuid>;
    }
}

#[path = "../../tests/support/mod.rs"]
mod support;

fn site() -> Scope<Site, Read> {
    let tenant = Tenant {
        sites: [12.into()].into(),
        ..support::tenant(7)
    };
    let person = Principal::session(1.into()).of_account(7.into());
    validate_account_and_plan(&person, Some(&tenant), support::at(0))
        .unwrap()
        .read()
        .site(12.into())
        .unwrap()
}

fuzz_target!(|text: &str| {
    let Ok(cursor) = text.parse::<Cursor<Article>>() else {
        return;
    };
    assert_eq!(cursor.to_string(), text);
    let lists: [fn(Select<Article, Site>) -> Select<Article, Site>; 4] = [
        |select| select,
        |select| select.order_by(Article::TITLE.descending()),
        |select| {
            select
                .order_by(Article::SEEN.ascending())
                .order_by(Article::PRICE.descending())
        },
        |select| {
            select
                .order_by(Article::TOKEN.descending())
                .order_by(Article::NOTE.ascending())
                .order_by(Article::OPEN.ascending())
        },
    ];
    for list in lists {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            match list(site().select())
                .after(Some(cursor.clone()))
                .build(dialect)
            {
                Ok(statement) => {
                    assert!(!statement.sql().contains('\''));
                    let tenant = r#" WHERE "articles"."account_id" = "#;
                    assert!(statement.sql().contains(tenant) && statement.values().0.len() > 2);
                }
                Err(error) => assert!(
                    matches!(error, BuildError::CursorMismatch | BuildError::NulInText),
                    "{error:?}"
                ),
            }
        }
    }
});
