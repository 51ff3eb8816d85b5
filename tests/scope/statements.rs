//! Statements one by one: what they render to, what they refuse, and what real databases make of
//! them.

use crate::database::{Database, all_kinds};
use crate::model::{Cell, Row, World};
use crate::tables::*;
use bailiwick::account::AccountStatus;
use bailiwick::gate::Denial;
use bailiwick::problem::Explained;
use bailiwick::scope::state::{Read, ReferenceTo, SeveralSites, Write};
use bailiwick::scope::{
    BuildError, Column, Cursor, CursorError, Dialect, Filter, Fixed, FixedError, NotFound,
    Prepared, Statement, Unique, ValueRef,
};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, Code, Principal, Problem, Scope, SiteId, Tenant, WriteAccess, chrono, sea_query,
    validate_account_and_plan,
};
use proptest::prelude::*;
use sqlx::{Connection, SqliteConnection};

const DIALECTS: [Dialect; 2] = [Dialect::Sqlite, Dialect::Postgres];

fn access(account: i64, sites: &[i64]) -> WriteAccess {
    let tenant = Tenant {
        sites: sites.iter().copied().map(SiteId::from).collect(),
        ..crate::support::tenant(account)
    };
    let principal = Principal::session(1.into()).of_account(account.into());
    validate_account_and_plan(&principal, Some(&tenant), crate::support::at(0))
        .unwrap()
        .into_write()
        .unwrap()
}

fn site(account: i64, site: i64) -> Scope<Site, Write> {
    access(account, &[site]).write().site(site.into()).unwrap()
}

fn values(statement: &Statement) -> String {
    format!("{:?}", statement.values().0)
}

/// Every database there is: SQLite, and PostgreSQL where it is installed.
fn databases() -> Vec<Database> {
    [Some(Database::sqlite()), Database::postgres()]
        .into_iter()
        .flatten()
        .collect()
}

fn row(tenant: &[i64], key: i64, cells: Vec<Cell>) -> Row {
    Row {
        tenant: tenant.to_vec(),
        key: Cell::Int(key),
        cells,
    }
}

fn article(tenant: &[i64], key: i64, slug: &str, folder: Option<i64>) -> Row {
    let mut cells = vec![Cell::Null; ARTICLE.len()];
    (cells[0], cells[2], cells[3]) = (Cell::Text("t".into()), Cell::Int(0), Cell::Bool(false));
    (cells[5], cells[SLUG], cells[FOLDER]) = (
        Cell::Bytes(vec![]),
        Cell::Text(slug.into()),
        folder.map_or(Cell::Null, Cell::Int),
    );
    row(tenant, key, cells)
}

/// Accounts 1 and 2; sites 11 and 12 of the one, 21 of the other; a folder of each site, and an
/// article of each.
fn world() -> World {
    let mut world = World {
        references: references(),
        ..World::default()
    };
    let name = || vec![Cell::Text("n".into())];
    let folder = |tenant: &[i64], key| {
        row(
            tenant,
            key,
            vec![Cell::Text(format!("folder {key}")), Cell::Null],
        )
    };
    world.tables.insert(
        "sites",
        vec![
            row(&[1], 11, name()),
            row(&[1], 12, name()),
            row(&[2], 21, name()),
        ],
    );
    world
        .tables
        .insert("members", vec![row(&[1], 1, name()), row(&[2], 2, name())]);
    world.tables.insert(
        "sectors",
        vec![
            row(&[1, 11], 111, name()),
            row(&[1, 11], 112, name()),
            row(&[2, 21], 211, name()),
        ],
    );
    world.tables.insert(
        "folders",
        vec![
            folder(&[1, 11], 1),
            folder(&[1, 12], 2),
            folder(&[2, 21], 3),
        ],
    );
    let articles = vec![
        article(&[1, 11], 1, "home", Some(1)),
        article(&[1, 12], 2, "home", Some(2)),
        article(&[2, 21], 3, "home", Some(3)),
    ];
    world.tables.insert("articles", articles);
    world
}

/// Runs a statement on a fresh copy of the world; how many rows it touched, and whose articles and
/// folders changed.
fn touched(database: &mut Database, statement: Statement) -> (usize, Vec<Vec<i64>>) {
    database.load(&world());
    let before = database.everything();
    let count = database.execute(statement);
    let after = database.everything();
    let mut changed = Vec::new();
    for (table, rows) in &after {
        changed.extend(
            rows.iter()
                .filter(|row| !before[table].contains(row))
                .map(|row| row.tenant.clone()),
        );
        changed.extend(
            before[table]
                .iter()
                .filter(|row| !rows.contains(row))
                .map(|row| row.tenant.clone()),
        );
    }
    changed.dedup();
    (count, changed)
}

#[test]
fn s5_an_upsert_conflicts_within_its_own_tenant_alone() {
    let upsert = |scope: &Scope<Site, Write>| {
        scope
            .upsert(Article::BY_SLUG, ("home",))
            .set(Article::TITLE, "taken")
            .set_if_new(Article::SCORE, 1)
            .set_if_new(Article::OPEN, true)
            .set_if_new(Article::DIGEST, [])
    };
    let text = upsert(&site(1, 11))
        .returning_key()
        .build(Dialect::Sqlite)
        .unwrap();
    assert_eq!(
        text.sql(),
        concat!(
            r#"INSERT INTO "articles" ("account_id", "site_id", "slug", "title", "score", "open", "digest") "#,
            r#"SELECT ?, ?, ?, ?, ?, ?, ? WHERE EXISTS(SELECT 1 FROM "sites" WHERE "sites"."account_id" = ? AND "sites"."id" = ?) "#,
            r#"AND TRUE ON CONFLICT ("account_id", "site_id", "slug") DO UPDATE SET "title" = "excluded"."title" "#,
            r#"WHERE "articles"."account_id" = ? AND "articles"."site_id" = ? RETURNING "id""#,
        )
    );
    for mut database in databases() {
        let dialect = database.dialect();
        // Its own row is updated; the same slug of another site, and of another account, is neither
        // touched nor in the way.
        assert_eq!(
            touched(&mut database, upsert(&site(1, 11)).build(dialect).unwrap()),
            (1, vec![vec![1, 11]])
        );
        let about = site(1, 12)
            .upsert(Article::BY_SLUG, ("about",))
            .set(Article::TITLE, "new")
            .set(Article::SCORE, 1);
        let about = about
            .set(Article::OPEN, true)
            .set(Article::DIGEST, [1])
            .build(dialect)
            .unwrap();
        assert_eq!(touched(&mut database, about), (1, vec![vec![1, 12]]));
        // Where nothing is set, the row that is there stays.
        let keep = site(2, 21)
            .upsert(Article::BY_SLUG, ("home",))
            .set_if_new(Article::TITLE, "x");
        let keep = keep
            .set_if_new(Article::SCORE, 1)
            .set_if_new(Article::OPEN, true)
            .set_if_new(Article::DIGEST, []);
        assert_eq!(
            touched(&mut database, keep.build(dialect).unwrap()),
            (0, vec![])
        );
        // A site that the account does not have takes nothing.
        assert_eq!(
            touched(&mut database, upsert(&site(1, 21)).build(dialect).unwrap()),
            (0, vec![])
        );
        // A setting is the account's, though another has one of that name.
        let setting = |account: i64, value: &str| {
            let scope = access(account, &[]).write().account().unwrap();
            scope
                .upsert_key::<Setting>("theme")
                .set(Setting::VALUE, value)
                .build(dialect)
                .unwrap()
        };
        database.load(&world());
        let done = [(1, "dark"), (2, "light"), (1, "grey")]
            .map(|(account, value)| database.execute(setting(account, value)));
        assert_eq!(done, [1, 1, 1]);
        let settings = &database.everything()["settings"];
        let value = |row: &Row| (row.tenant[0], row.cells[0].clone());
        let expected = [
            (1, Cell::Text("grey".into())),
            (2, Cell::Text("light".into())),
        ];
        assert!(settings.iter().map(value).eq(expected));
    }
}

#[test]
fn s5_a_column_of_the_unique_key_is_never_updated() {
    let statement = site(1, 11)
        .upsert(Article::BY_SLUG, ("home",))
        .set(Article::SLUG, "other")
        .set(Article::TITLE, "x");
    let statement = statement.build(Dialect::Sqlite).unwrap();
    assert!(
        statement
            .sql()
            .contains(r#"DO UPDATE SET "title" = "excluded"."title" WHERE"#),
        "{}",
        statement.sql()
    );
    assert!(!values(&statement).contains("other"));
}

#[test]
fn s6_a_reference_leads_to_a_row_in_scope_or_nothing_is_written() {
    for mut database in databases() {
        let dialect = database.dialect();
        let (own, scope) = (1_i64, site(1, 11));
        let new = |folder: i64| {
            let insert = scope
                .insert::<Article>()
                .set(Article::TITLE, "n")
                .set(Article::SCORE, 1)
                .set(Article::OPEN, true);
            insert
                .set(Article::DIGEST, [])
                .set(Article::SLUG, "n")
                .set(Article::FOLDER, folder)
                .build(dialect)
                .unwrap()
        };
        let moved = |folder: i64| {
            scope
                .update::<Article>()
                .set(Article::FOLDER, folder)
                .set(Article::TITLE, "m")
                .all_in_scope()
                .build(dialect)
                .unwrap()
        };
        let upserted = |folder: i64| {
            let upsert = scope
                .upsert(Article::BY_SLUG, ("home",))
                .set(Article::FOLDER, folder)
                .set(Article::TITLE, "u");
            upsert
                .set(Article::SCORE, 1)
                .set(Article::OPEN, true)
                .set(Article::DIGEST, [])
                .build(dialect)
                .unwrap()
        };
        let many = |folders: [Option<i64>; 3]| {
            let columns = (
                Article::TITLE,
                Article::SCORE,
                Article::OPEN,
                Article::DIGEST,
                Article::SLUG,
                Article::FOLDER,
            );
            let rows = folders.into_iter().zip(["a", "b", "c"]);
            let insert = rows.fold(scope.insert_many(columns), |insert, (folder, slug)| {
                insert.row(("t", 1, true, [], slug, folder))
            });
            insert.build(dialect).unwrap()
        };
        let written = (1, vec![vec![1, 11]]);
        assert_eq!(touched(&mut database, new(own)), written);
        assert_eq!(touched(&mut database, moved(own)), written);
        assert_eq!(touched(&mut database, upserted(own)), written);
        assert_eq!(
            touched(&mut database, many([Some(own), None, Some(own)])),
            (3, vec![vec![1, 11]])
        );
        // Another site's, another account's, and none at all.
        for foreign in [2, 3, 99] {
            assert_eq!(touched(&mut database, new(foreign)), (0, vec![]));
            assert_eq!(touched(&mut database, moved(foreign)), (0, vec![]));
            assert_eq!(touched(&mut database, upserted(foreign)), (0, vec![]));
            assert_eq!(
                touched(&mut database, many([Some(own), Some(foreign), None])),
                (0, vec![]),
                "all or none"
            );
        }
        // A reference may go up to the account, and there to the own one.
        let by = |member: i64| {
            scope
                .update::<Article>()
                .set(Article::AUTHOR, member)
                .all_in_scope()
                .build(dialect)
                .unwrap()
        };
        assert_eq!(touched(&mut database, by(1)), written);
        assert_eq!(touched(&mut database, by(2)), (0, vec![]));
    }
}

#[test]
fn s6_the_database_behind_it_refuses_what_leads_to_another_tenant() {
    let runtime = crate::database::runtime();
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(ddl(Dialect::Sqlite)))
            .execute(&mut connection)
            .await
            .unwrap();
        let setup = "INSERT INTO sites VALUES (1, 11, 's'), (2, 21, 's');
            INSERT INTO folders VALUES (1, 11, 1, 'f', NULL), (2, 21, 2, 'g', NULL)";
        sqlx::raw_sql(setup).execute(&mut connection).await.unwrap();
        for foreign in [
            "INSERT INTO folders VALUES (1, 11, 3, 'h', 2)",
            "INSERT INTO folders VALUES (1, 21, 3, 'h', NULL)",
            "UPDATE folders SET parent_id = 2 WHERE id = 1",
        ] {
            let error = sqlx::raw_sql(foreign)
                .execute(&mut connection)
                .await
                .unwrap_err();
            assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
        }
        sqlx::raw_sql("INSERT INTO folders VALUES (1, 11, 3, 'h', 1)")
            .execute(&mut connection)
            .await
            .unwrap();
    });
}

#[test]
fn s8_several_sites_are_those_that_were_named_and_none_means_none() {
    let account = access(1, &[11, 12]);
    let sites = |sites: &[i64]| {
        account
            .write()
            .sites(sites.iter().copied().map(SiteId::from))
    };
    assert_eq!(
        sites(&[11, 21]).err(),
        Some(Denial::SiteNotInAccount),
        "one of another account spoils them all"
    );
    let principal = Principal::session(1.into())
        .of_account(1.into())
        .bound_to_sites([12.into(), 21.into()]);
    let tenant = Tenant {
        sites: [11.into(), 12.into()].into(),
        ..crate::support::tenant(1)
    };
    let bound = validate_account_and_plan(&principal, Some(&tenant), crate::support::at(0))
        .unwrap()
        .into_write()
        .unwrap();
    assert_eq!(
        bound.read().sites([11.into()]).err(),
        Some(Denial::SiteNotInAccount)
    );
    for mut database in databases() {
        let dialect = database.dialect();
        let rename = |scope: Scope<SeveralSites, Write>| {
            scope
                .update::<Article>()
                .set(Article::TITLE, "x")
                .all_in_scope()
                .build(dialect)
                .unwrap()
        };
        assert_eq!(
            touched(&mut database, rename(sites(&[]).unwrap())),
            (0, vec![])
        );
        assert_eq!(
            touched(&mut database, rename(sites(&[12]).unwrap())),
            (1, vec![vec![1, 12]])
        );
        assert_eq!(
            touched(&mut database, rename(account.write().every_site())),
            (2, vec![vec![1, 11], vec![1, 12], vec![1, 11], vec![1, 12]])
        );
        assert_eq!(
            touched(&mut database, rename(bound.write().every_site())).0,
            1,
            "of the account's sites, those it is bound to"
        );
        let count = sites(&[])
            .unwrap()
            .count::<Article>()
            .build(dialect)
            .unwrap();
        assert_eq!(database.fetch(count, &[Kind::Int]), [[Cell::Int(0)]]);
    }
}

#[test]
fn s6_a_sector_that_the_site_does_not_have_takes_no_row() {
    for mut database in databases() {
        let dialect = database.dialect();
        let insert = |scope: Scope<Site, Write>, sector: i64| {
            scope
                .sector(sector.into())
                .insert::<Note>()
                .set(Note::TEXT, "n")
                .build(dialect)
                .unwrap()
        };
        assert_eq!(
            touched(&mut database, insert(site(1, 11), 111)),
            (1, vec![vec![1, 11, 111]])
        );
        assert_eq!(
            touched(&mut database, insert(site(1, 11), 211)).0,
            0,
            "another account's"
        );
        assert_eq!(
            touched(&mut database, insert(site(1, 12), 111)).0,
            0,
            "another site's"
        );
        assert_eq!(
            touched(&mut database, insert(site(1, 21), 211)).0,
            0,
            "its site is not the account's"
        );
    }
}

#[test]
fn s2_empty_lists_and_nulls_mean_what_they_say() {
    for mut database in databases() {
        let dialect = database.dialect();
        database.load(&world());
        let scope = site(1, 11);
        let mut count = |filter: Filter<Article, Site>| {
            let statement = scope
                .count::<Article>()
                .filter(filter)
                .build(dialect)
                .unwrap();
            database.fetch(statement, &[Kind::Int])[0][0].clone()
        };
        assert_eq!(count(Article::SLUG.one_of([""; 0])), Cell::Int(0));
        assert_eq!(count(!Article::SLUG.one_of([""; 0])), Cell::Int(1));
        assert_eq!(count(Filter::any_of([])), Cell::Int(0));
        // No condition at all is neither "all" nor "none".
        let empty = scope
            .delete::<Article>()
            .filter(Filter::all_of([]))
            .build(dialect);
        assert_eq!(empty, Err(BuildError::EmptyFilter));
        assert_eq!(BuildError::EmptyFilter.code(), Code::InputInvalid);
        // Nulls among the values of another column do not make NOT IN empty.
        assert_eq!(
            count(!Article::TITLE.among(Article::NOTE.values())),
            Cell::Int(1)
        );
        assert_eq!(
            count(Article::NOTE.not_equals("x")),
            Cell::Int(0),
            "null is not unlike x"
        );
    }
}

#[test]
fn a_filter_too_deep_in_other_tables_is_refused() {
    let deep = |levels: usize| {
        let first: Filter<Folder, Site> = Folder::ID.equals(1);
        (0..levels).fold(first, |filter, _| Folder::PARENT.exists_where(filter))
    };
    for dialect in DIALECTS {
        assert!(
            site(1, 11)
                .count::<Folder>()
                .filter(deep(15))
                .build(dialect)
                .is_ok()
        );
        assert_eq!(
            site(1, 11)
                .count::<Folder>()
                .filter(deep(17))
                .build(dialect),
            Err(BuildError::FilterTooDeep)
        );
        assert_eq!(
            site(1, 11)
                .count::<Folder>()
                .filter(deep(100_000))
                .build(dialect),
            Err(BuildError::FilterTooDeep)
        );
        // A thousand conditions side by side are not deep.
        let wide = Filter::any_of((0..1_000).map(|id| Folder::ID.equals(id)));
        assert!(
            site(1, 11)
                .count::<Folder>()
                .filter(wide)
                .build(dialect)
                .is_ok()
        );
    }
    let mut sqlite = Database::sqlite();
    let statement = site(1, 11)
        .count::<Folder>()
        .filter(deep(15))
        .build(Dialect::Sqlite)
        .unwrap();
    assert_eq!(sqlite.fetch(statement, &[Kind::Int]), [[Cell::Int(0)]]);
}

#[test]
fn s8_a_reference_of_a_made_up_type_builds_nothing() {
    // The column leads to the members of the account; to say that it leads to folders would pass
    // the types.
    let forged =
        Column::<Article, Option<i64>, ReferenceTo<Folder>>::declared_reference("author_id")
            .unwrap();
    let statement = site(1, 11)
        .select::<Article>()
        .filter(forged.then(Folder::NAME).equals("x"));
    assert_eq!(statement.build(Dialect::Sqlite), Err(BuildError::Rendering));
    let statement = site(1, 11).select::<Article>().join(forged);
    assert_eq!(statement.build(Dialect::Sqlite), Err(BuildError::Rendering));
    assert!(Column::<Article, i64, ReferenceTo<Folder>>::declared_reference("score").is_none());
    assert!(
        Column::<Article, Option<i64>>::declared("author_id").is_none(),
        "a reference is no data"
    );
    assert!(
        Column::<Article, String>::declared("score").is_none(),
        "of another type"
    );
    assert!(
        Unique::<Article, (String,)>::declared(&["note"]).is_none(),
        "may be null"
    );
}

// Prepared statements.

/// Each kind of statement, prepared and in full.
fn assert_prepared(
    scope: &Scope<Site, Write>,
    text: &str,
    number: i64,
    rows: u32,
    dialect: Dialect,
) {
    macro_rules! same {
        ($mode:ident, |$site:ident, $values:pat_param| $full:expr) => {{
            let prepared = Prepared::<Site, $mode, (String, i64, u32, Option<String>)>::new(
                dialect,
                |$site, $values| $full,
            )
            .unwrap();
            let arguments = (text, number, rows, Some(text));
            let bound = prepared.bind(scope, arguments);
            // Every argument is looked at, whether the statement has a place for it or not.
            if dialect == Dialect::Postgres && text.contains('\0') {
                prop_assert_eq!(bound, Err(BuildError::NulInText));
                return Ok(());
            }
            let full = {
                let ($site, $values) = (scope, (text, number, rows, Some(text)));
                $full.build(dialect)
            };
            prop_assert_eq!(&bound, &full);
            match (prepared.values(scope, arguments), full) {
                (Ok(lent), Ok(full)) => {
                    let lent: Vec<_> = lent.iter().map(sea_query::Value::from).collect();
                    prop_assert_eq!(&lent, &full.values().0);
                    prop_assert_eq!(prepared.sql().as_ref(), full.sql());
                }
                (lent, full) => prop_assert_eq!(lent.err(), full.err()),
            }
        }};
    }
    let check = || -> Result<(), TestCaseError> {
        same!(Read, |site, (text, number, rows, note)| site
            .select::<Article>()
            .filter(
                Article::TITLE
                    .equals(text)
                    .or(Article::NOTE.contains(text))
                    .and(Article::SCORE.between(number, 9))
            )
            .filter(
                Article::FOLDER
                    .then(Folder::NAME)
                    .one_of([text, text])
                    .and(Article::OPEN.equals(true))
            )
            .order_by(Article::PRICE.descending())
            .limit({
                let _ = note;
                rows
            }));
        same!(Read, |site, (text, _, _, _)| site
            .count::<Article>()
            .filter(
                Note::ARTICLE.exists_where(Note::TEXT.ends_with(text))
            ));
        same!(Read, |site, (_, number, _, _)| site
            .exists::<Article>()
            .filter(Article::ID.equals(number)));
        same!(Read, |site, (_, number, _, _)| site.get::<Article>(number));
        same!(Read, |site, (text, _, rows, _)| site
            .aggregate::<Article>()
            .by(Article::SLUG)
            .sum(Article::SCORE)
            .filter(
                Article::SLUG.among(Folder::NAME.values().filter(Folder::NAME.starts_with(text)))
            )
            .limit(rows));
        same!(Write, |site, (text, number, _, note)| site
            .insert::<Article>()
            .set(Article::TITLE, text)
            .set(Article::NOTE, note)
            .set(Article::FOLDER, number)
            .set(Article::PRICE, Fixed::of_units(5).unwrap())
            .returning_row());
        same!(Write, |site, (text, number, _, note)| site
            .upsert(Article::BY_SLUG, (text,))
            .set(Article::NOTE, note)
            .set_if_new(Article::SCORE, number));
        same!(Write, |site, (text, number, _, note)| site
            .update::<Article>()
            .set(Article::NOTE, note)
            .set(Article::FOLDER, number)
            .filter(Article::FOLDER.then(Folder::NAME).equals(text)));
        same!(Write, |site, (text, _, _, _)| site
            .delete::<Article>()
            .filter(Article::TITLE.less_than(text))
            .returning_key());
        Ok(())
    };
    check().unwrap();
}

#[test]
fn s1_a_prepared_statement_is_the_one_built_in_full() {
    let text = prop::sample::select(vec!["", "a", "'; --", "\0", "é%_"]);
    proptest!(|(account in 1_i64..9, number in any::<i64>(), rows in any::<u32>(), text in text)| {
        for dialect in DIALECTS {
            assert_prepared(&site(account, 12), text, number, rows, dialect);
        }
    });
}

#[test]
fn s1_a_prepared_statement_binds_identifiers_by_their_kind_or_not_at_all() {
    use uuid::Uuid;
    bailiwick::table! { struct Doc: Account in "docs" {
        tenant "account_id" Text;
        key ID = "id" Uuid generated;
    } }
    bailiwick::table! { struct File: Account in "files" {
        tenant "account_id" Uuid;
        key ID = "id" i64 generated;
    } }
    let of = |id: &str| {
        let account = Account {
            id: id.parse().unwrap(),
            ..crate::support::account(1, AccountStatus::Active)
        };
        let tenant = Tenant {
            account,
            ..crate::support::tenant(1)
        };
        let principal = Principal::session(1.into()).of_account(id.parse().unwrap());
        validate_account_and_plan(&principal, Some(&tenant), crate::support::at(0))
            .unwrap()
            .read()
            .account()
            .unwrap()
    };
    let docs = Prepared::<Account, Read, ()>::new(Dialect::Postgres, |account, ()| {
        account.select::<Doc>()
    })
    .unwrap();
    let files = Prepared::<Account, Read, ()>::new(Dialect::Postgres, |account, ()| {
        account.select::<File>()
    })
    .unwrap();
    let uuid = "00000000-0000-4000-8000-00000000abcd";
    for id in ["7", "-9223372036854775808", "acme", uuid] {
        let scope = of(id);
        let lent = docs.values(&scope, ()).unwrap();
        assert_eq!(lent.iter().collect::<Vec<_>>(), [ValueRef::Text(id)]);
        let expected = if id == uuid {
            Ok(format!("[Uuid(Some({uuid}))]"))
        } else {
            Err(BuildError::IdKindMismatch)
        };
        assert_eq!(
            files.bind(&scope, ()).map(|statement| values(&statement)),
            expected
        );
    }
}

#[test]
fn s1_a_parameter_is_good_for_its_own_statement_only() {
    let mut stolen = None;
    let theirs =
        Prepared::<Site, Read, (String, i64)>::new(Dialect::Sqlite, |site, (text, number)| {
            stolen = Some((text, number));
            site.select::<Article>().filter(Article::TITLE.equals(text))
        });
    assert!(theirs.is_ok());
    let (text, number) = stolen.unwrap();
    let bound = site(1, 11)
        .select::<Article>()
        .filter(Article::TITLE.equals(text))
        .build(Dialect::Sqlite);
    assert_eq!(bound, Err(BuildError::ForeignParameter));
    let many = site(1, 11)
        .insert_many((Article::FOLDER,))
        .row((number,))
        .build(Dialect::Sqlite);
    assert_eq!(many, Err(BuildError::ForeignParameter));
    // So is a whole statement that was taken out of the closure, though its own parameters would
    // fit.
    let mut taken = None;
    let _ = Prepared::<Site, Read, (String, u32)>::new(Dialect::Sqlite, |site, (text, rows)| {
        taken = Some(site.select::<Article>().limit(rows));
        site.select::<Article>().filter(Article::TITLE.equals(text))
    });
    let other = Prepared::<Site, Read, ()>::new(Dialect::Sqlite, |_, ()| taken.unwrap());
    assert_eq!(other.err(), Some(BuildError::ForeignParameter));
    // Too far, or of another type.
    let short = Prepared::<Site, Read, (i64,)>::new(Dialect::Sqlite, |site, _| {
        site.select::<Article>()
            .filter(Article::SCORE.equals(number))
    });
    assert_eq!(short.err(), Some(BuildError::ForeignParameter));
    let typed = Prepared::<Site, Read, (i64,)>::new(Dialect::Sqlite, |site, _| {
        site.select::<Article>().filter(Article::TITLE.equals(text))
    });
    assert_eq!(typed.err(), Some(BuildError::ForeignParameter));
    assert_eq!(BuildError::ForeignParameter.code(), Code::Internal);
}

// Cursors.

#[test]
fn a_cursor_of_another_list_is_refused() {
    let cursor = Cursor::new()
        .at(Article::SCORE, 7)
        .unwrap()
        .at(Article::ID, 1)
        .unwrap();
    let page = |cursor: Cursor<Article>| {
        site(1, 11)
            .select::<Article>()
            .order_by(Article::SCORE.ascending())
            .after(Some(cursor))
            .build(Dialect::Sqlite)
    };
    assert!(page(cursor).is_ok());
    for other in [
        Cursor::new(),
        Cursor::new().at(Article::ID, 1).unwrap(),
        Cursor::new()
            .at(Article::ID, 1)
            .unwrap()
            .at(Article::SCORE, 7)
            .unwrap(),
        Cursor::new()
            .at(Article::SCORE, 7)
            .unwrap()
            .at(Article::SCORE, 7)
            .unwrap(),
        Cursor::new()
            .at(Article::SCORE, 7)
            .unwrap()
            .at(Article::ID, 1)
            .unwrap()
            .at(Article::ID, 1)
            .unwrap(),
    ] {
        assert_eq!(page(other), Err(BuildError::CursorMismatch));
    }
    assert_eq!(Problem::from(BuildError::CursorMismatch).status(), 400);
    assert_eq!(CursorError.code(), Code::CursorInvalid);
}

/// What has no value, or is another table's, has no place in a cursor.
#[test]
fn a_cursor_takes_no_column_of_another_table_and_no_parameter() {
    let joined = Cursor::<Article>::new().at(Article::FOLDER.then(Folder::NAME), "x".to_owned());
    assert_eq!(joined.err(), Some(BuildError::OrderWithoutPages));

    let mut parameter = None;
    let _ = Prepared::<Site, Read, (i64,)>::new(Dialect::Sqlite, |site, (score,)| {
        parameter = Some(Cursor::<Article>::new().at(Article::SCORE, score));
        site.count::<Article>()
    });
    assert_eq!(parameter.unwrap().err(), Some(BuildError::ForeignParameter));
}

#[test]
fn a_list_in_pages_is_ordered_by_its_own_columns() {
    let by_folder = site(1, 11)
        .select::<Article>()
        .order_by(Article::FOLDER.then(Folder::NAME).ascending())
        .after(None);
    assert_eq!(
        by_folder.build(Dialect::Sqlite),
        Err(BuildError::OrderWithoutPages),
        "on the first page, too"
    );
}

/// PostgreSQL begins at a place of an index only where a single comparison names it.
#[test]
fn a_page_begins_at_its_place_of_an_index() {
    let cursor = || {
        Some(
            Cursor::new()
                .at(Article::SCORE, 7)
                .unwrap()
                .at(Article::ID, 1)
                .unwrap(),
        )
    };
    let page = |order| {
        site(1, 11)
            .select::<Article>()
            .column(Article::ID)
            .order_by(order)
            .after(cursor())
    };
    let text = page(Article::SCORE.descending())
        .build(Dialect::Sqlite)
        .unwrap();
    assert!(
        text.sql()
            .contains(r#"AND ("articles"."score" <= ? AND ("articles"."score" < ? OR "#),
        "{}",
        text.sql()
    );
    let text = page(Article::SCORE.ascending())
        .build(Dialect::Sqlite)
        .unwrap();
    assert!(
        text.sql()
            .contains(r#"AND ("articles"."score" >= ? AND ("articles"."score" > ? OR "#),
        "{}",
        text.sql()
    );
}

#[test]
fn a_text_that_is_no_cursor_is_refused_and_opens_nothing() {
    let good = Cursor::<Article>::new()
        .at(Article::TITLE, "é")
        .unwrap()
        .at(Article::ID, 1)
        .unwrap()
        .to_string();
    assert_eq!(good, "000100000002c3a90000000000080000000000000001");
    for bad in [
        "",
        "0",
        "zz",
        "00",
        "0000",
        "' OR 1=1 --",
        "0001ffffffff",
        "00010000000fc3a9",
        "FF",
        "00ff00000000",
        "é",
    ] {
        assert!(bad.parse::<Cursor<Article>>().is_err(), "{bad}");
    }
    assert!("0".repeat(4098).parse::<Cursor<Article>>().is_err());
    assert!(
        good.to_uppercase().parse::<Cursor<Article>>().is_err(),
        "one text for each cursor"
    );
    proptest!(|(text in "[0-9a-f]{0,80}")| {
        if let Ok(cursor) = text.parse::<Cursor<Article>>() {
            prop_assert_eq!(cursor.to_string(), text);
        }
    });
    proptest!(|(text in any::<String>(), score in any::<i64>(), note in any::<Option<String>>(), price in any::<Option<i32>>())| {
        let price = price.map(|units| Fixed::<2>::of_units(units.into()).unwrap());
        let cursor = Cursor::<Article>::new().at(Article::TITLE, text).unwrap().at(Article::NOTE, note).unwrap().at(Article::PRICE, price).unwrap();
        let cursor = cursor.at(Article::TOKEN, uuid::Uuid::from_u128(7)).unwrap().at(Article::SEEN, crate::support::at(score % 1000)).unwrap();
        let cursor = cursor.at(Article::OPEN, true).unwrap().at(Article::DIGEST, [0, 255]).unwrap().at(Article::ID, score).unwrap();
        prop_assume!(cursor.to_string().len() <= 4096);
        prop_assert_eq!(cursor.to_string().parse::<Cursor<Article>>().unwrap(), cursor);
    });
}

// Values.

#[test]
fn decimals_are_exact_on_each_database() {
    let fixed = |text: &str| Fixed::<2>::new(text.parse().unwrap());
    assert_eq!(fixed("1.005"), Err(FixedError::TooPrecise));
    assert_eq!(
        fixed("1.0500").unwrap().units(),
        105,
        "trailing zeros are no places"
    );
    assert_eq!(fixed("10000000000000000"), Err(FixedError::TooLarge));
    assert_eq!(
        fixed("79228162514264337593543950335"),
        Err(FixedError::TooLarge)
    );
    assert_eq!(
        fixed("-9999999999999999.99").unwrap().units(),
        -999_999_999_999_999_999
    );
    assert_eq!(Fixed::<2>::of_units(i64::MIN), Err(FixedError::TooLarge));
    for mut database in databases() {
        let dialect = database.dialect();
        database.load(&world());
        for text in ["9999999999999999.99", "-9999999999999999.99", "0.01", "0"] {
            let update = site(1, 11)
                .update::<Article>()
                .set(Article::PRICE, fixed(text).unwrap())
                .all_in_scope();
            assert_eq!(database.execute(update.build(dialect).unwrap()), 1);
            let count = site(1, 11)
                .count::<Article>()
                .filter(Article::PRICE.equals(fixed(text).unwrap()));
            assert_eq!(
                database.fetch(count.build(dialect).unwrap(), &[Kind::Int]),
                [[Cell::Int(1)]]
            );
            let price = site(1, 11)
                .select::<Article>()
                .column(Article::PRICE)
                .build(dialect)
                .unwrap();
            assert_eq!(
                database.fetch(price, &[Kind::Cents]),
                [[Cell::Cents(fixed(text).unwrap().units())]]
            );
        }
    }
}

#[test]
fn instants_that_a_database_does_not_have_are_refused() {
    let seen = |at: &str, dialect| {
        let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
        site(1, 11)
            .count::<Article>()
            .filter(Article::SEEN.at_least(at))
            .build(dialect)
    };
    for at in ["+010000-01-01T00:00:00Z", "-0001-12-31T00:00:00Z"] {
        assert_eq!(
            seen(at, Dialect::Sqlite),
            Err(BuildError::InstantOutOfRange),
            "{at}: as texts they are out of order"
        );
        assert!(seen(at, Dialect::Postgres).is_ok());
    }
    assert!(seen("9999-12-31T23:59:59Z", Dialect::Sqlite).is_ok());
    assert_eq!(
        seen("-5000-01-01T00:00:00Z", Dialect::Postgres),
        Err(BuildError::InstantOutOfRange)
    );
    assert_eq!(BuildError::InstantOutOfRange.code(), Code::InputInvalid);
    let mut postgres = databases().pop().unwrap();
    let last = site(1, 11)
        .count::<Article>()
        .filter(Article::SEEN.at_most(chrono::DateTime::<chrono::Utc>::MAX_UTC));
    if let Ok(statement) = last.build(postgres.dialect()) {
        assert_eq!(postgres.fetch(statement, &[Kind::Int]), [[Cell::Int(0)]]);
    }
}

/// A condition on the row itself stays one, though the filter looks into another table as well:
/// PostgreSQL looks at a row again that another transaction changed meanwhile, and at nothing else.
#[test]
fn s4_two_that_take_the_same_row_do_not_both_get_it() {
    let Some(server) = crate::servers::Postgres::start() else {
        return;
    };
    let take = || {
        let open = Article::TITLE
            .equals("open")
            .and(Article::FOLDER.then(Folder::NAME).equals("inbox"));
        site(1, 11)
            .update::<Article>()
            .set(Article::TITLE, "taken")
            .filter(open)
            .build(Dialect::Postgres)
            .unwrap()
    };
    assert_eq!(
        take().sql(),
        concat!(
            r#"UPDATE "articles" SET "title" = $1 WHERE "articles"."account_id" = $2 AND "articles"."site_id" = $3 "#,
            r#"AND ("articles"."title" = $4 AND (SELECT "1.folders"."name" FROM "folders" AS "1.folders" "#,
            r#"WHERE "1.folders"."id" = "articles"."folder_id" AND "1.folders"."account_id" = "articles"."account_id" "#,
            r#"AND "1.folders"."site_id" = "articles"."site_id" AND "1.folders"."account_id" = $5 "#,
            r#"AND "1.folders"."site_id" = $6) = $7)"#,
        )
    );
    let setup = "INSERT INTO sites VALUES (1, 11, 's');
        INSERT INTO folders VALUES (1, 11, 1, 'inbox', NULL);
        INSERT INTO articles (account_id, site_id, title, score, open, digest, slug, folder_id)
            VALUES (1, 11, 'open', 0, true, '', 'x', 1)";
    let runtime = crate::database::runtime();
    let (first, second) = runtime.block_on(async {
        let connect = || async { sqlx::PgConnection::connect(&server.url()).await.unwrap() };
        let (mut one, mut two) = (connect().await, connect().await);
        sqlx::raw_sql(sqlx::AssertSqlSafe(ddl(Dialect::Postgres)))
            .execute(&mut one)
            .await
            .unwrap();
        sqlx::raw_sql(setup).execute(&mut one).await.unwrap();
        let mut transaction = one.begin().await.unwrap();
        let run = |statement: Statement| {
            let (sql, values) = statement.into_parts();
            sqlx::query_with(sqlx::AssertSqlSafe(sql), sea_query_sqlx::SqlxValues(values))
        };
        let first = run(take())
            .execute(&mut *transaction)
            .await
            .unwrap()
            .rows_affected();
        // The second waits for the row, and is let go on when the first has committed.
        let second = tokio::spawn({
            let query = run(take());
            async move { query.execute(&mut two).await.unwrap().rows_affected() }
        });
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        transaction.commit().await.unwrap();
        (first, second.await.unwrap())
    });
    assert_eq!((first, second), (1, 0));
}

#[test]
fn s7_json_and_hostile_texts_stay_values() {
    for mut database in databases() {
        let dialect = database.dialect();
        database.load(&world());
        let long = "x'\"%\u{1f980}".repeat(1_250_000);
        for text in [
            "'; DROP TABLE articles; --",
            "$1 ? /* */",
            "%_\\",
            "NULL",
            long.as_str(),
        ] {
            let json = serde_json::json!({ text: [text, null, 1] });
            let update = site(1, 11)
                .update::<Article>()
                .set(Article::META, &json)
                .set(Article::NOTE, text)
                .all_in_scope();
            assert_eq!(
                database.execute(update.returning_key().build(dialect).unwrap()),
                1
            );
            let read = site(1, 11)
                .select::<Article>()
                .column(Article::META)
                .filter(Article::NOTE.ends_with(text));
            assert_eq!(
                database.fetch(read.build(dialect).unwrap(), &[Kind::Json]),
                [[Cell::Json(json)]]
            );
        }
        let nul = serde_json::json!([{ "a\0": 1 }]);
        let update = site(1, 11)
            .update::<Article>()
            .set(Article::META, nul)
            .all_in_scope()
            .build(dialect);
        match dialect {
            Dialect::Sqlite => assert!(update.is_ok()),
            Dialect::Postgres => assert_eq!(update, Err(BuildError::NulInText)),
        }
    }
}

#[test]
fn many_rows_are_inserted_in_one_statement() {
    for mut database in databases() {
        let dialect = database.dialect();
        database.load(&world());
        let columns = (
            Article::TITLE,
            Article::SCORE,
            Article::OPEN,
            Article::DIGEST,
            Article::SLUG,
            Article::FOLDER,
        );
        let insert = |rows: i64| {
            (0..rows).fold(
                site(1, 11).insert_many(columns).returning_key(),
                |insert, number| insert.row(("t", number, true, [0_u8; 0], format!("{number}"), 1)),
            )
        };
        let keys = database.fetch(insert(5_000).build(dialect).unwrap(), &[Kind::Int]);
        assert_eq!(keys.len(), 5_000);
        assert_eq!(insert(6_000).build(dialect), Err(BuildError::TooManyValues));
        let settings = access(1, &[])
            .write()
            .account()
            .unwrap()
            .insert_many((Setting::VALUE,));
        let settings = settings
            .keyed_row("a", ("1",))
            .keyed_row("b", ("2",))
            .build(dialect)
            .unwrap();
        assert_eq!(database.execute(settings), 2);
    }
}

#[test]
fn what_is_returned_is_what_was_written() {
    for mut database in databases() {
        let dialect = database.dialect();
        database.load(&world());
        let scope = site(1, 11);
        let kinds = all_kinds(facts("articles"));
        let updated = scope
            .update::<Article>()
            .set(Article::SCORE, 5)
            .filter(Article::SLUG.equals("home"))
            .returning_row();
        let rows = database.fetch(updated.build(dialect).unwrap(), &kinds);
        assert_eq!((rows.len(), &rows[0][5]), (1, &Cell::Int(5)));
        let deleted = scope
            .delete::<Article>()
            .all_in_scope()
            .returning_row()
            .build(dialect)
            .unwrap();
        assert_eq!(database.fetch(deleted, &kinds), rows);
        let nothing = scope
            .delete::<Article>()
            .all_in_scope()
            .returning_key()
            .build(dialect)
            .unwrap();
        assert!(database.fetch(nothing, &[Kind::Int]).is_empty());
    }
    assert_eq!(NotFound::unless(false), Err(NotFound));
    assert_eq!(NotFound::unless(true), Ok(()));
}
