//! The way over from an old schema, and the way back: B7 and B8, on databases filled with old rows,
//! with code of both kinds at work at every step.

#[path = "servers/mod.rs"]
mod servers;

use std::num::NonZeroU32;

use bailiwick::Subscription;
use bailiwick::migration::{Catalog, CatalogRow, LegacySchema, MigrationError, ObstacleKind, Step};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::scope::Dialect;
use servers::Postgres;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::runtime::Runtime;

/// The schema of the audit, as two hosts may have written it: quotes, comments, options, names, and
/// what hangs on it.
const SQLITE_SCHEMAS: [&str; 3] = [
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
     CREATE TABLE subscriptions (
         id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES accounts (id), status TEXT NOT NULL,
         stripe_subscription_id TEXT NOT NULL UNIQUE
     );",
    "CREATE TABLE \"accounts\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL DEFAULT 'a, (b)' /* , */) STRICT;
     CREATE TABLE \"subscriptions\" ( -- one for each account, or none
         \"id\" INTEGER PRIMARY KEY AUTOINCREMENT, -- , (
         \"account_id\" INTEGER NOT NULL,
         [status] TEXT NOT NULL CHECK (status IN ('active', 'past_due', 'not null, canceled', 'canceled')),
         `stripe_subscription_id` TEXT CONSTRAINT \"has one\" NOT NULL ON CONFLICT ABORT UNIQUE, -- Stripe's
         FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
         CHECK (length(stripe_subscription_id) > 0)
     ) STRICT;
     CREATE INDEX by_account ON subscriptions (account_id);
     CREATE UNIQUE INDEX \"by status\" ON subscriptions (account_id, status) WHERE status = 'active';
     CREATE TABLE events (id INTEGER PRIMARY KEY, subscription_id INTEGER NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE) STRICT;
     CREATE TABLE log (line TEXT) STRICT;
     CREATE TRIGGER made AFTER INSERT ON subscriptions BEGIN INSERT INTO log VALUES ('made ' || new.id); SELECT 1; END;
     CREATE VIEW active AS SELECT id, account_id FROM subscriptions WHERE status = 'active';",
    "CREATE TABLE accounts (name TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (id)) WITHOUT ROWID;
     CREATE TABLE subscriptions (stripe_subscription_id VARCHAR(255) COLLATE BINARY not   null, id INTEGER NOT NULL,
         account_id INTEGER NOT NULL, status TEXT NOT NULL, CONSTRAINT once UNIQUE (stripe_subscription_id), PRIMARY KEY (id));",
];

const POSTGRES_SCHEMA: &str = "
    CREATE TABLE accounts (id BIGINT PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE subscriptions (
        id BIGINT PRIMARY KEY, account_id BIGINT NOT NULL REFERENCES accounts (id), status TEXT NOT NULL,
        stripe_subscription_id TEXT NOT NULL UNIQUE
    );
    CREATE VIEW active AS SELECT id, stripe_subscription_id FROM subscriptions WHERE status = 'active';";

const PLACEHOLDER: &str = Subscription::PLACEHOLDER;

fn batch(rows: u32) -> NonZeroU32 {
    rows.try_into().unwrap()
}

enum Connected {
    Sqlite(SqliteConnection),
    Postgres(
        PgConnection,
        #[allow(dead_code, reason = "it runs until it is dropped")] Postgres,
    ),
}

struct Database {
    runtime: Runtime,
    connected: Connected,
    next: i64,
    legacy: LegacySchema,
}

type Row = (i64, i64, String, Option<String>);

impl Database {
    /// With so many old rows: accounts of which two in three have a subscription.
    fn sqlite(schema: &str, rows: i64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime
            .block_on(SqliteConnection::connect("sqlite::memory:"))
            .unwrap();
        let mut database = Self {
            runtime,
            connected: Connected::Sqlite(connection),
            next: 0,
            legacy: LegacySchema::default(),
        };
        database.run("PRAGMA foreign_keys = ON").unwrap();
        database.fill(schema, rows);
        database
    }

    fn postgres(rows: i64) -> Option<Self> {
        Self::postgres_with(POSTGRES_SCHEMA, rows)
    }

    fn postgres_with(schema: &str, rows: i64) -> Option<Self> {
        let server = Postgres::start()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime
            .block_on(PgConnection::connect(&server.url()))
            .unwrap();
        let mut database = Self {
            runtime,
            connected: Connected::Postgres(connection, server),
            next: 0,
            legacy: LegacySchema::default(),
        };
        database.fill(schema, rows);
        Some(database)
    }

    fn fill(&mut self, schema: &str, rows: i64) {
        self.run(schema).unwrap();
        for number in 0..rows {
            self.next += 1;
            let id = self.next;
            self.run(&format!(
                "INSERT INTO accounts (id, name) VALUES ({id}, 'account {id}')"
            ))
            .unwrap();
            if number % 3 > 0 {
                self.old_writer(id).unwrap();
            }
        }
    }

    /// Every database of the tests.
    fn each(rows: i64, mut test: impl FnMut(Self)) {
        for schema in SQLITE_SCHEMAS {
            test(Self::sqlite(schema, rows));
        }
        if let Some(database) = Self::postgres(rows) {
            test(database);
        }
    }

    fn run(&mut self, script: &str) -> Result<(), sqlx::Error> {
        let text = AssertSqlSafe(script.to_owned());
        match &mut self.connected {
            Connected::Sqlite(connection) => self
                .runtime
                .block_on(sqlx::raw_sql(text).execute(connection))
                .map(drop),
            Connected::Postgres(connection, _) => self
                .runtime
                .block_on(sqlx::raw_sql(text).execute(connection))
                .map(drop),
        }
    }

    fn query<T>(&mut self, text: &str) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
            + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
            + Send
            + Unpin,
    {
        let text = AssertSqlSafe(text.to_owned());
        match &mut self.connected {
            Connected::Sqlite(connection) => self
                .runtime
                .block_on(sqlx::query_as(text).fetch_all(connection)),
            Connected::Postgres(connection, _) => self
                .runtime
                .block_on(sqlx::query_as(text).fetch_all(connection)),
        }
    }

    fn catalog(&mut self) -> Catalog {
        match self.connected {
            Connected::Postgres(..) => {
                let query = self.legacy.catalog(Dialect::Postgres);
                Catalog::Postgres(self.query(&query).unwrap())
            }
            Connected::Sqlite(_) => {
                let query = self.legacy.catalog(Dialect::Sqlite);
                Catalog::Sqlite(self.query(&query).unwrap())
            }
        }
    }

    /// Runs a step as a host does; what fails is rolled back.
    fn step(&mut self, step: Step) -> Result<(), sqlx::Error> {
        let catalog = self.catalog();
        let statements = self.legacy.statements(step, &catalog).unwrap();
        // One by one, and no further than the first that fails.
        let done = statements
            .iter()
            .try_for_each(|statement| self.run(statement));
        if done.is_err() {
            self.run("ROLLBACK").unwrap();
            if let Connected::Sqlite(_) = self.connected {
                self.run("PRAGMA legacy_alter_table = OFF; PRAGMA foreign_keys = ON")
                    .unwrap();
            }
        }
        if let Connected::Sqlite(_) = self.connected {
            assert!(
                self.query::<(String, i64, String, i64)>("PRAGMA foreign_key_check")
                    .unwrap()
                    .is_empty()
            );
            assert_eq!(
                self.query::<(String,)>("PRAGMA integrity_check").unwrap(),
                [("ok".to_owned(),)]
            );
        }
        done
    }

    /// As often as there is something left to do; how often that was.
    fn backfill(&mut self, others: Option<PaymentMethod>) -> usize {
        let mut runs = 0;
        let mut last = None;
        loop {
            let left = self.unfinished();
            if left == (0, 0) || last == Some(left) {
                return runs;
            }
            last = Some(left);
            self.step(Step::Backfill {
                batch: batch(7),
                others,
            })
            .unwrap();
            runs += 1;
        }
    }

    fn unfinished(&mut self) -> (i64, i64) {
        let query = self.legacy.unfinished();
        self.query(&query).unwrap()[0]
    }

    // The code of before: it knows nothing but Stripe.

    /// `None` where a row is more than it understands: it expects an identifier in each.
    fn old_reader(&mut self) -> Option<Vec<(i64, String)>> {
        self.rows()
            .into_iter()
            .map(|(id, _, _, stripe)| Some((id, stripe?)))
            .collect()
    }

    fn old_writer(&mut self, account: i64) -> Result<(), sqlx::Error> {
        self.run(&format!(
            "INSERT INTO subscriptions (id, account_id, status, stripe_subscription_id) \
             VALUES ({account}, {account}, 'active', 'sub_{account}')"
        ))
    }

    // The code of after.

    fn new_reader(&mut self) -> Vec<(i64, Option<PaymentMethod>)> {
        let rows: Vec<(i64, Option<String>, Option<String>)> = self
            .query(
                "SELECT id, payment_method, stripe_subscription_id FROM subscriptions ORDER BY id",
            )
            .unwrap();
        rows.into_iter()
            .map(|(id, method, stripe)| {
                (
                    id,
                    PaymentMethod::of_row(method.as_deref(), stripe.as_deref()),
                )
            })
            .collect()
    }

    fn new_writer(
        &mut self,
        method: Option<PaymentMethod>,
        stripe: Option<&str>,
    ) -> Result<i64, sqlx::Error> {
        self.next += 1;
        let id = self.next;
        let text =
            |value: Option<&str>| value.map_or("NULL".to_owned(), |value| format!("'{value}'"));
        let (method, stripe) = (text(method.map(PaymentMethod::as_str)), text(stripe));
        self.run(&format!(
            "INSERT INTO accounts (id, name, payment_method) VALUES ({id}, 'new', {method})"
        ))?;
        self.run(&format!(
            "INSERT INTO subscriptions (id, account_id, status, payment_method, stripe_subscription_id) \
             VALUES ({id}, {id}, 'active', {method}, {stripe})"
        ))?;
        Ok(id)
    }

    /// A new account, as old code writes it.
    fn old_newcomer(&mut self) -> Result<(), sqlx::Error> {
        self.next += 1;
        let id = self.next;
        self.run(&format!(
            "INSERT INTO accounts (id, name) VALUES ({id}, 'old')"
        ))?;
        self.old_writer(id)
    }

    /// All that old code ever wrote, as it reads it.
    fn rows(&mut self) -> Vec<Row> {
        self.query(
            "SELECT id, account_id, status, stripe_subscription_id FROM subscriptions ORDER BY id",
        )
        .unwrap()
    }
}

const ROWS: i64 = 40;
const OTHERS: Option<PaymentMethod> = Some(PaymentMethod::BankTransfer);

#[test]
fn b8_both_kinds_of_code_work_at_every_step_of_the_way() {
    Database::each(ROWS, |mut database| {
        let before = database.rows();

        // Expanded: old code does not notice; new code reads what is not written yet.
        database.step(Step::Expand).unwrap();
        assert_eq!(database.rows(), before, "no row changed");
        database.old_newcomer().unwrap();
        assert_eq!(database.old_reader().unwrap().len(), before.len() + 1);
        assert!(
            database
                .new_reader()
                .iter()
                .all(|(_, method)| *method == Some(PaymentMethod::Stripe))
        );
        database
            .new_writer(Some(PaymentMethod::Stripe), Some("sub_new"))
            .unwrap();
        assert!(database.old_reader().is_some());

        // It cannot be contracted while a row does not say how it is paid, and the attempt changes
        // nothing.
        let unfinished = database.unfinished();
        assert!(database.step(Step::Contract).is_err());
        assert_eq!(database.unfinished(), unfinished);
        database.old_newcomer().unwrap();

        // Backfilled, in batches, old code at work meanwhile.
        database
            .step(Step::Backfill {
                batch: batch(7),
                others: None,
            })
            .unwrap();
        database.old_newcomer().unwrap();
        assert!(database.backfill(None) > 2);
        assert_eq!(database.unfinished(), ((ROWS + 2) / 3, 0));
        assert!(database.old_reader().is_some());
        // Old code still sells Stripe to an account that had none.
        database.old_writer(1).unwrap();
        database.old_newcomer().unwrap();
        assert!(
            database
                .new_reader()
                .iter()
                .all(|(_, method)| *method == Some(PaymentMethod::Stripe))
        );

        // Old code is gone: the method is switched on, and what it left behind is written.
        let transferred = database
            .new_writer(Some(PaymentMethod::BankTransfer), None)
            .unwrap();
        database
            .new_writer(Some(PaymentMethod::BankTransfer), None)
            .unwrap();
        assert!(
            database
                .new_reader()
                .contains(&(transferred, Some(PaymentMethod::BankTransfer)))
        );
        database.backfill(OTHERS);
        database.step(Step::Contract).unwrap();

        // Contracted: a row says how it is paid, and Stripe's identifier is unique where present.
        assert!(database.old_newcomer().is_err());
        assert!(database.new_writer(None, Some("sub_x")).is_err());
        database
            .new_writer(Some(PaymentMethod::BankTransfer), None)
            .unwrap();
        database
            .new_writer(Some(PaymentMethod::Stripe), Some("sub_y"))
            .unwrap();
        assert!(
            database
                .new_writer(Some(PaymentMethod::Stripe), Some("sub_y"))
                .is_err(),
            "unique where present"
        );
        assert!(
            database
                .run("UPDATE subscriptions SET payment_method = 'cheque'")
                .is_err()
        );
        let kept: Vec<Row> = database
            .rows()
            .into_iter()
            .filter(|row| before.iter().any(|old| old.0 == row.0))
            .collect();
        assert_eq!(kept, before, "what was there is there");
        let accounts: Vec<(String, i64)> = database
            .query("SELECT payment_method, count(*) FROM accounts WHERE name LIKE 'account%' GROUP BY payment_method ORDER BY 1")
            .unwrap();
        let without = (ROWS + 2) / 3 - 1;
        let expected = [
            ("bank_transfer".to_owned(), without),
            ("stripe".to_owned(), ROWS - without),
        ];
        assert_eq!(
            accounts, expected,
            "Stripe where there is a Stripe identifier, else as was chosen"
        );
    });
}

#[test]
fn b8_the_way_back_lets_old_code_work_and_loses_nothing() {
    Database::each(ROWS, |mut database| {
        let old_rows = database.rows();
        database.step(Step::Expand).unwrap();
        database.backfill(OTHERS);
        database.step(Step::Contract).unwrap();
        let transferred = database
            .new_writer(Some(PaymentMethod::BankTransfer), None)
            .unwrap();
        let new_rows = database.rows();

        // Back from the contraction: old code writes again.
        database.step(Step::UndoContract).unwrap();
        database.old_newcomer().unwrap();
        assert_eq!(database.rows()[..new_rows.len()], new_rows);

        // Back from the expansion: old code reads again, every row.
        assert!(
            database.old_reader().is_none(),
            "a row without an identifier is more than it understands"
        );
        database.step(Step::UndoExpand).unwrap();
        let read = database.old_reader().unwrap();
        let of_transfer = read.iter().find(|row| row.0 == transferred).unwrap();
        assert_eq!(of_transfer.1, format!("{PLACEHOLDER}{transferred}"));
        database.old_newcomer().unwrap();
        assert!(
            database
                .new_writer(Some(PaymentMethod::BankTransfer), None)
                .is_err()
        );
        let methods: Vec<(String,)> = database
            .query(&format!(
                "SELECT payment_method FROM subscriptions WHERE id = {transferred}"
            ))
            .unwrap();
        assert_eq!(
            methods,
            [("bank_transfer".to_owned(),)],
            "what new code wrote stays"
        );

        // And out again, old code at work until it is gone; then the placeholder goes, and what it
        // stood for is as it was.
        database
            .run(&format!(
                "DELETE FROM accounts WHERE id = {}",
                database.next
            ))
            .unwrap();
        database.step(Step::Expand).unwrap();
        database.old_newcomer().unwrap();
        assert!(
            database.old_reader().is_some(),
            "old code still reads every row"
        );
        assert!(
            database
                .new_reader()
                .contains(&(transferred, Some(PaymentMethod::BankTransfer)))
        );
        // A row that old code could not have read, and that says nothing: nobody takes it for
        // Stripe's.
        let nobody = database.next + 1;
        database
            .run(&format!(
                "INSERT INTO accounts (id, name) VALUES ({nobody}, 'of nobody')"
            ))
            .unwrap();
        database
            .run(&format!(
                "INSERT INTO subscriptions (id, account_id, status, stripe_subscription_id) \
                 VALUES ({nobody}, {nobody}, 'active', '{PLACEHOLDER}{nobody}')"
            ))
            .unwrap();
        database.next = nobody;
        database.backfill(OTHERS);
        assert_eq!(database.unfinished(), (0, 1), "somebody must choose");
        assert!(database.new_reader().contains(&(nobody, None)));
        database
            .run(&format!(
                "UPDATE subscriptions SET payment_method = 'bank_transfer' WHERE id = {nobody}"
            ))
            .unwrap();
        database.step(Step::Contract).unwrap();
        assert!(
            database
                .rows()
                .contains(&(transferred, transferred, "active".into(), None))
        );
        let kept: Vec<Row> = database
            .rows()
            .into_iter()
            .filter(|row| old_rows.iter().any(|old| old.0 == row.0))
            .collect();
        assert_eq!(kept, old_rows);
    });
}

#[test]
fn b8_repeated_runs_are_harmless() {
    Database::each(ROWS, |mut database| {
        let backfill = Step::Backfill {
            batch: batch(1000),
            others: OTHERS,
        };
        let everything =
            "SELECT id, payment_method, stripe_subscription_id FROM subscriptions ORDER BY id";
        for step in [
            Step::Expand,
            backfill,
            Step::Contract,
            Step::UndoContract,
            Step::UndoExpand,
            Step::Expand,
        ] {
            database.step(step).unwrap();
            let schema = match database.catalog() {
                Catalog::Postgres(_) => vec![],
                Catalog::Sqlite(objects) => objects,
            };
            let rows: Vec<(i64, Option<String>, Option<String>)> =
                database.query(everything).unwrap();
            for _ in 0..3 {
                database.step(step).unwrap();
                assert_eq!(
                    database
                        .query::<(i64, Option<String>, Option<String>)>(everything)
                        .unwrap(),
                    rows,
                    "{step:?}"
                );
                if let Catalog::Sqlite(objects) = database.catalog() {
                    assert_eq!(objects, schema, "{step:?}");
                }
            }
        }
    });
}

/// Where nobody chose for them, accounts without a Stripe subscription wait, and the contraction
/// waits with them.
#[test]
fn b8_nobody_is_given_a_method_that_nobody_chose() {
    Database::each(ROWS, |mut database| {
        database.step(Step::Expand).unwrap();
        database.backfill(None);
        assert_eq!(database.unfinished(), ((ROWS + 2) / 3, 0));
        assert!(database.step(Step::Contract).is_err());
    });
}

#[test]
fn b8_a_rebuilt_table_keeps_all_that_hangs_on_it() {
    let mut database = Database::sqlite(SQLITE_SCHEMAS[1], 9);
    database
        .run("INSERT INTO events (subscription_id) SELECT id FROM subscriptions")
        .unwrap();
    // The last row is gone: its key must not be given out again.
    database.old_newcomer().unwrap();
    let last = database.next;
    database
        .run(&format!("DELETE FROM subscriptions WHERE id = {last}"))
        .unwrap();
    let lines = |database: &mut Database| {
        database
            .query::<(i64,)>("SELECT count(*) FROM log")
            .unwrap()[0]
            .0
    };
    let before = lines(&mut database);
    for step in [
        Step::Expand,
        Step::Backfill {
            batch: batch(100),
            others: OTHERS,
        },
        Step::Contract,
    ] {
        database.step(step).unwrap();
    }
    assert_eq!(
        lines(&mut database),
        before,
        "no trigger fired for rows that were there"
    );
    let Catalog::Sqlite(objects) = database.catalog() else {
        panic!()
    };
    let texts: Vec<&str> = objects.iter().map(|row| row.3.as_str()).collect();
    for kept in [
        "by_account",
        "\"by status\"",
        "TRIGGER made",
        "'not null, canceled'",
        "STRICT",
        "ON DELETE CASCADE",
    ] {
        assert!(
            texts.iter().any(|text| text.contains(kept)),
            "{kept}: {texts:#?}"
        );
    }
    assert_eq!(
        database
            .query::<(i64,)>("SELECT count(*) FROM events")
            .unwrap()[0]
            .0,
        6,
        "nothing was deleted with it"
    );
    assert_eq!(
        database
            .query::<(i64,)>("SELECT count(*) FROM active")
            .unwrap()[0]
            .0,
        6,
        "the view still looks"
    );
    database
        .run("INSERT INTO subscriptions (account_id, status, payment_method) VALUES (1, 'past_due', 'bank_transfer')")
        .unwrap();
    assert_eq!(
        database
            .query::<(i64,)>("SELECT max(id) FROM subscriptions")
            .unwrap()[0]
            .0,
        last + 1
    );
    assert_eq!(
        lines(&mut database),
        before + 1,
        "and the trigger fires again"
    );
    // References still hold, and are still enforced.
    assert!(
        database
            .run("INSERT INTO events (subscription_id) VALUES (4242)")
            .is_err()
    );
    database.run("DELETE FROM accounts WHERE id = 2").unwrap();
    assert_eq!(
        database
            .query::<(i64,)>("SELECT count(*) FROM events")
            .unwrap()[0]
            .0,
        5
    );
}

/// A table, as the catalog's query finds it on SQLite.
fn table(name: &str, text: &str) -> CatalogRow {
    ("table".into(), name.into(), name.into(), text.into())
}

#[test]
fn b8_what_cannot_be_rebuilt_safely_is_refused() {
    let schema = LegacySchema::default();
    let catalog = |subscriptions: &str| {
        Catalog::Sqlite(vec![
            table("accounts", "CREATE TABLE accounts (id INTEGER PRIMARY KEY)"),
            table("subscriptions", subscriptions),
        ])
    };
    let refused = |subscriptions: &str| {
        schema
            .statements(Step::Expand, &catalog(subscriptions))
            .unwrap_err()
    };
    let unreadable = MigrationError::TableUnreadable("subscriptions".into());
    for text in [
        "CREATE TABLE subscriptions (id INTEGER, account_id INT, stripe_subscription_id TEXT NOT NULL, twice INT AS (id * 2))",
        "CREATE TABLE subscriptions (id INTEGER, account_id INT, stripe_subscription_id TEXT NOT NULL, x INT GENERATED ALWAYS AS (1))",
        "CREATE VIRTUAL TABLE subscriptions USING fts5(stripe_subscription_id)",
        "CREATE TABLE subscriptions (id INT, account_id INT, stripe_subscription_id TEXT NOT NULL",
        "CREATE TABLE subscriptions (stripe_subscription_id TEXT DEFAULT 'x NOT NULL)",
        "",
    ] {
        assert_eq!(refused(text), unreadable, "{text}");
    }
    let missing = MigrationError::ColumnMissing {
        table: "subscriptions".into(),
        column: "stripe_subscription_id".into(),
    };
    assert_eq!(
        refused(
            "CREATE TABLE subscriptions (id INTEGER, account_id INT, UNIQUE (stripe_subscription_id))"
        ),
        missing
    );
    let other = LegacySchema {
        subscriptions: "abos".into(),
        ..schema.clone()
    };
    let text = "CREATE TABLE subscriptions (id INTEGER, account_id INT, stripe_subscription_id TEXT NOT NULL)";
    assert_eq!(
        other.statements(Step::Expand, &catalog(text)),
        Err(MigrationError::TableMissing("abos".into()))
    );
    let Catalog::Sqlite(mut objects) = catalog(text) else {
        panic!()
    };
    objects.push(table(
        "subscriptions_rebuilt",
        "CREATE TABLE subscriptions_rebuilt (x)",
    ));
    let taken = schema.statements(Step::Expand, &Catalog::Sqlite(objects));
    assert_eq!(
        taken,
        Err(MigrationError::NameTaken("subscriptions_rebuilt".into()))
    );
    // A check that names the table; a column of the host's own of this name.
    let text = "CREATE TABLE subscriptions (id INTEGER, account_id INT, stripe_subscription_id TEXT NOT NULL, CHECK (subscriptions.id > 0))";
    assert_eq!(refused(text), unreadable, "{text}");
    let own = "CREATE TABLE subscriptions (id INTEGER, account_id INT, stripe_subscription_id TEXT, payment_method TEXT DEFAULT 'card')";
    for step in [Step::Expand, Step::Contract, Step::UndoContract] {
        let objects = vec![
            table("subscriptions", own),
            table(
                "accounts",
                "CREATE TABLE accounts (id INTEGER, payment_method TEXT)",
            ),
        ];
        let refused = schema
            .statements(step, &Catalog::Sqlite(objects))
            .unwrap_err();
        assert!(
            matches!(refused, MigrationError::ColumnForeign { .. }),
            "{step:?}"
        );
    }
    // SQLite would take a key that is not there for a text, and every row for the one.
    let other = LegacySchema {
        subscription_key: "sub_id".into(),
        ..schema.clone()
    };
    let absent = other
        .statements(Step::UndoExpand, &catalog(text))
        .unwrap_err();
    assert!(matches!(absent, MigrationError::ColumnMissing { column, .. } if column == "sub_id"));
    // This step rebuilds nothing, but a later one will.
    let later = "CREATE TABLE subscriptions (id INTEGER, account_id INT, stripe_subscription_id TEXT, twice INT AS (id * 2))";
    assert_eq!(refused(later), unreadable);
    // One table for both.
    let one = LegacySchema {
        accounts: "Subscriptions".into(),
        ..schema.clone()
    };
    assert_eq!(
        one.statements(Step::Expand, &catalog(later)),
        Err(MigrationError::TableTwice("Subscriptions".into()))
    );
    // Backfilled before it was expanded.
    let early = schema
        .statements(
            Step::Backfill {
                batch: batch(1),
                others: None,
            },
            &catalog(text),
        )
        .unwrap_err();
    assert!(
        matches!(early, MigrationError::ColumnMissing { column, .. } if column == "payment_method")
    );
}

/// What is odd and legal in a table's text stays as it is.
#[test]
fn b8_odd_texts_are_understood() {
    for (column, rebuilt) in [
        (
            "stripe_subscription_id TEXT NOT/**/NULL",
            "stripe_subscription_id TEXT",
        ),
        (
            "stripe_subscription_id TEXT NOT NULL UNIQUE NOT NULL",
            "stripe_subscription_id TEXT UNIQUE",
        ),
        (
            "stripe_subscription_id TEXT NOT NULL DEFAULT x'00'",
            "stripe_subscription_id TEXT DEFAULT x'00'",
        ),
        (
            "\"Stripe_Subscription_Id\" TEXT CONSTRAINT a NOT NULL ON CONFLICT FAIL",
            "\"Stripe_Subscription_Id\" TEXT",
        ),
        (
            "stripe_subscription_id TEXT NOT NULL CHECK (stripe_subscription_id <> 'NOT NULL')",
            "stripe_subscription_id TEXT CHECK (stripe_subscription_id <> 'NOT NULL')",
        ),
    ] {
        let text = format!(
            "CREATE TABLE Subscriptions (id INTEGER PRIMARY KEY AUTOINCREMENT/* keys */, account_id INT, a\u{a0}b INT, {column})"
        );
        let schema = format!("CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT); {text};
            INSERT INTO subscriptions VALUES (1, 1, 1, 'sub_1'), (9, 1, 1, 'sub_9'); DELETE FROM subscriptions WHERE id = 9;");
        let mut database = Database::sqlite(&schema, 0);
        let statements = LegacySchema::default()
            .statements(Step::Expand, &database.catalog())
            .unwrap();
        assert!(
            statements
                .iter()
                .any(|statement| statement.ends_with(&format!("a\u{a0}b INT, {rebuilt})"))),
            "{statements:#?}"
        );
        database.step(Step::Expand).unwrap();
        database
            .run("INSERT INTO subscriptions (account_id, stripe_subscription_id) VALUES (1, NULL)")
            .unwrap();
        assert_eq!(
            database
                .query::<(i64,)>("SELECT max(id) FROM subscriptions")
                .unwrap()[0]
                .0,
            10,
            "{column}"
        );
        let names: Vec<(String,)> = database
            .query("SELECT name FROM sqlite_schema WHERE name LIKE 'subscriptions'")
            .unwrap();
        assert_eq!(names, [("Subscriptions".to_owned(),)]);
    }
}

/// What new code is writing while a batch runs is neither waited for nor overwritten.
#[test]
fn b8_a_batch_passes_over_what_is_being_written() {
    let Some(mut database) = Database::postgres(6) else {
        return;
    };
    database.step(Step::Expand).unwrap();
    let Connected::Postgres(_, server) = &database.connected else {
        panic!()
    };
    let url = server.url();
    let mut other = database
        .runtime
        .block_on(PgConnection::connect(&url))
        .unwrap();
    let write = "BEGIN; UPDATE accounts SET payment_method = 'paypal' WHERE id = 2";
    database
        .runtime
        .block_on(sqlx::raw_sql(write).execute(&mut other))
        .unwrap();
    database
        .step(Step::Backfill {
            batch: batch(100),
            others: OTHERS,
        })
        .unwrap();
    database
        .runtime
        .block_on(sqlx::raw_sql("COMMIT").execute(&mut other))
        .unwrap();
    database.backfill(OTHERS);
    let methods: Vec<(String,)> = database
        .query("SELECT payment_method FROM accounts WHERE id = 2")
        .unwrap();
    assert_eq!(methods, [("paypal".to_owned(),)]);
    assert_eq!(database.unfinished(), (0, 0));
}

#[test]
fn b8_names_are_quoted() {
    let schema = LegacySchema {
        accounts: "a\"; DROP TABLE x; --".into(),
        subscriptions: "s t".into(),
        ..LegacySchema::default()
    };
    let row = |kind: &str, table: &str, name: &str, text: &str| -> CatalogRow {
        (kind.into(), table.into(), name.into(), text.into())
    };
    let mut rows = Vec::new();
    for table in [&schema.accounts, &schema.subscriptions] {
        rows.push(row("table", table, table, "r"));
        for column in ["id", "account_id"] {
            rows.push(row("column", table, column, "bigint"));
        }
        for column in ["stripe_subscription_id", "payment_method"] {
            rows.push(row("column", table, column, "text"));
        }
    }
    let statements = schema
        .statements(Step::Contract, &Catalog::Postgres(rows))
        .unwrap()
        .join("\n");
    assert!(
        statements.contains("ALTER TABLE \"a\"\"; DROP TABLE x; --\" ALTER COLUMN")
            && statements.contains("\"s t\"")
    );
}

/// The tolerant reader, in all it may meet.
#[test]
fn b8_a_legacy_row_reads_as_stripe_where_it_has_a_stripe_identifier() {
    use PaymentMethod::{BankTransfer, Paypal, Stripe};
    for (method, stripe, expected) in [
        (None, Some("sub_1"), Some(Stripe)),
        (None, Some(""), None),
        (None, Some("no-stripe-subscription:7"), None),
        (None, None, None),
        (Some("stripe"), None, Some(Stripe)),
        (Some("bank_transfer"), Some("sub_1"), Some(BankTransfer)),
        (Some("paypal"), None, Some(Paypal)),
        (Some("cheque"), Some("sub_1"), None),
        (Some(""), Some("sub_1"), None),
    ] {
        assert_eq!(
            PaymentMethod::of_row(method, stripe),
            expected,
            "{method:?} {stripe:?}"
        );
    }
    // The same for a row that is stored as one text.
    let row = |extra: &str| {
        let text = format!(
            r#"{{ "id": 1, "account": 7, "plan": 3, "status": "active", "anchor": "2026-01-31T00:00:00Z", "current_period": null,
                "trial_end": null, "cancel_at_period_end": false, "past_due_since": null, "version": 4 {extra} }}"#
        );
        serde_json::from_str::<bailiwick::Subscription>(&text)
            .map(|subscription| subscription.payment_method)
            .ok()
    };
    assert_eq!(row(r#", "stripe_subscription_id": "sub_1""#), Some(Stripe));
    assert_eq!(
        row(r#", "stripe_subscription_id": "sub_1", "payment_method": null"#),
        Some(Stripe)
    );
    assert_eq!(
        row(r#", "stripe_subscription_id": "sub_1", "payment_method": "bank_transfer""#),
        Some(BankTransfer)
    );
    assert_eq!(
        row(r#", "stripe_subscription_id": "sub_1", "payment_method": "cheque""#),
        None
    );
    assert_eq!(
        row(r#", "stripe_subscription_id": "no-stripe-subscription:1""#),
        None
    );
    assert_eq!(row(r#", "stripe_subscription_id": null"#), None);
    assert_eq!(row(""), None);
}

// What stands in the way is named before the first step.

/// Two tables of a host's, with more in the one of subscriptions, and statements after it.
fn legacy(stripe: &str, more: &str, after: &str) -> String {
    format!(
        "CREATE TABLE accounts (id BIGINT PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE subscriptions (id BIGINT PRIMARY KEY, account_id BIGINT NOT NULL, status TEXT NOT NULL,
             stripe_subscription_id {stripe}{more});
         {after}"
    )
}

impl Database {
    /// Begins again with other tables.
    fn renew(&mut self, schema: &str) {
        match self.connected {
            Connected::Sqlite(_) => *self = Self::sqlite(schema, 0),
            Connected::Postgres(..) => {
                self.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
                    .unwrap();
                self.run(schema)
                    .unwrap_or_else(|error| panic!("{schema}: {error}"));
                self.next = 0;
                self.legacy = LegacySchema::default();
            }
        }
    }

    /// The kinds and names of what stands in the way of the first step.
    fn obstacles(&mut self) -> Vec<(ObstacleKind, String)> {
        let catalog = self.catalog();
        match self.legacy.statements(Step::Expand, &catalog) {
            Ok(_) => Vec::new(),
            Err(MigrationError::Obstacles(obstacles)) => obstacles
                .into_iter()
                .map(|obstacle| {
                    // It is named with its text, and with what to do.
                    let told = obstacle.to_string();
                    assert!(told.contains(&obstacle.name), "{told}");
                    assert!(told.contains(&obstacle.text), "{told}");
                    assert!(told.ends_with(obstacle.kind.remedy()), "{told}");
                    (obstacle.kind, obstacle.name)
                })
                .collect(),
            Err(error) => panic!("{error}"),
        }
    }

    /// A person finds an obstacle harmless, whichever table it is of.
    fn vouch(&mut self, kind: ObstacleKind, name: &str) {
        for table in ["accounts", "subscriptions", "sales"] {
            let known = (table.to_owned(), kind, name.to_owned());
            self.legacy.harmless.push(known);
        }
    }

    /// The first transfer's row, after the first step was taken nevertheless.
    fn first_transfer(&mut self) -> Result<i64, sqlx::Error> {
        for (kind, name) in self.obstacles() {
            self.vouch(kind, &name);
        }
        self.step(Step::Expand).unwrap();
        self.new_writer(Some(PaymentMethod::BankTransfer), None)
    }
}

/// Checks that would refuse the first transfer's row, on both databases.
const REFUSING_CHECKS: [&str; 6] = [
    "stripe_subscription_id IS NOT NULL",
    "NOT (stripe_subscription_id IS NULL)",
    "coalesce(stripe_subscription_id, '') <> ''",
    "CASE WHEN stripe_subscription_id IS NULL THEN 0 ELSE 1 END = 1",
    "status <> 'active' OR stripe_subscription_id IS NOT NULL",
    "(stripe_subscription_id LIKE 'sub%') IS TRUE",
];

/// And on SQLite only.
const REFUSING_CHECKS_OF_SQLITE: [&str; 5] = [
    "typeof(stripe_subscription_id) = 'text'",
    "ifnull(stripe_subscription_id, '') <> ''",
    "stripe_subscription_id NOTNULL",
    "[Stripe_Subscription_Id] IS NOT NULL",
    "length(coalesce(stripe_subscription_id, '')) > 0",
];

/// Checks that let null pass, and a placeholder, and are understood.
const HARMLESS_CHECKS: [&str; 4] = [
    "stripe_subscription_id <> ''",
    "length(stripe_subscription_id) > 0",
    "status <> 'stripe'",
    "(stripe_subscription_id) != 'none'",
];

#[test]
fn b8_a_check_that_may_refuse_a_row_is_named_before_the_first_step() {
    let run = |mut database: Database, checks: &[&str]| {
        for check in checks {
            for (stripe, more) in [
                (format!("TEXT NOT NULL CHECK ({check})"), String::new()),
                (
                    "TEXT".into(),
                    format!(", CONSTRAINT has_one CHECK ({check})"),
                ),
            ] {
                database.renew(&legacy(&stripe, &more, ""));
                let obstacles = database.obstacles();
                assert_eq!(obstacles.len(), 1, "{check}: {obstacles:?}");
                assert_eq!(obstacles[0].0, ObstacleKind::Check, "{check}");
                assert_eq!(obstacles[0].1 == "has_one", !more.is_empty(), "{check}");
                database.first_transfer().unwrap_err();
            }
        }

        for check in HARMLESS_CHECKS {
            database.renew(&legacy(&format!("TEXT NOT NULL CHECK ({check})"), "", ""));
            assert_eq!(database.obstacles(), [], "{check}");
            let transfer = database.first_transfer().unwrap();
            assert!(transfer > 0);
            database.step(Step::UndoExpand).unwrap();
        }

        // They let null pass, but not a placeholder, or not a payment method.
        for check in [
            "stripe_subscription_id LIKE 'sub%'",
            "length(stripe_subscription_id) < 20",
            "stripe_subscription_id <> 'no-stripe-subscription:1'",
        ] {
            database.renew(&legacy(&format!("TEXT NOT NULL CHECK ({check})"), "", ""));
            assert_eq!(database.obstacles().len(), 1, "{check}");
            database.first_transfer().unwrap();
            assert!(database.step(Step::UndoExpand).is_err(), "{check}");
        }
    };

    let checks = [REFUSING_CHECKS.as_slice(), &REFUSING_CHECKS_OF_SQLITE].concat();
    run(Database::sqlite("", 0), &checks);
    if let Some(database) = Database::postgres_with("", 0) {
        run(database, &REFUSING_CHECKS);
    }
}

#[test]
fn b8_every_other_obstacle_of_sqlite_is_named_too() {
    use ObstacleKind::{ForeignKey, PrimaryKey, Trigger, UniqueIndex};

    let mut database = Database::sqlite("", 0);
    for (stripe, more, after, kind, name) in [
        (
            "TEXT NOT NULL",
            "",
            "CREATE UNIQUE INDEX once ON subscriptions (ifnull(stripe_subscription_id, ''))",
            UniqueIndex,
            "once",
        ),
        (
            "TEXT NOT NULL",
            "",
            "CREATE UNIQUE INDEX once ON subscriptions (account_id, stripe_subscription_id IS NULL)",
            UniqueIndex,
            "once",
        ),
        (
            "TEXT NOT NULL",
            "",
            "CREATE UNIQUE INDEX once ON subscriptions (account_id) WHERE stripe_subscription_id IS NULL",
            UniqueIndex,
            "once",
        ),
        (
            "TEXT NOT NULL",
            "",
            "CREATE UNIQUE INDEX once ON subscriptions (account_id) WHERE stripe_subscription_id IS NOT NULL",
            UniqueIndex,
            "once",
        ),
        (
            "TEXT NOT NULL",
            "",
            "CREATE TRIGGER has_one BEFORE INSERT ON subscriptions WHEN new.stripe_subscription_id IS NULL BEGIN SELECT raise(ABORT, 'none'); END",
            Trigger,
            "has_one",
        ),
        (
            "TEXT NOT NULL",
            "",
            "CREATE TABLE past AS SELECT * FROM subscriptions; CREATE TRIGGER keep AFTER UPDATE ON subscriptions BEGIN INSERT INTO past SELECT * FROM subscriptions WHERE id = new.id; END",
            Trigger,
            "keep",
        ),
        (
            "TEXT NOT NULL",
            "",
            "CREATE TABLE sales (a INT, s TEXT); CREATE TRIGGER sell AFTER INSERT ON sales BEGIN INSERT INTO subscriptions (account_id, stripe_subscription_id) VALUES (new.a, new.s); END",
            Trigger,
            "sell",
        ),
        (
            "TEXT NOT NULL REFERENCES bought (id)",
            "",
            "CREATE TABLE bought (id TEXT PRIMARY KEY)",
            ForeignKey,
            "stripe_subscription_id",
        ),
        (
            "TEXT NOT NULL",
            ", CONSTRAINT sold FOREIGN KEY (stripe_subscription_id) REFERENCES bought (id)",
            "CREATE TABLE bought (id TEXT PRIMARY KEY)",
            ForeignKey,
            "sold",
        ),
    ] {
        database.renew(&legacy(stripe, more, after));
        assert_eq!(database.obstacles(), [(kind, name.to_owned())], "{after}");
        database.vouch(kind, name);
        assert_eq!(database.obstacles(), [], "{after}");
    }

    // Nobody can find this harmless.
    let keyed = "CREATE TABLE accounts (id INT, name TEXT); CREATE TABLE subscriptions (id INT, \
        account_id INT, status TEXT, stripe_subscription_id TEXT, PRIMARY KEY (stripe_subscription_id)) WITHOUT ROWID";
    database.renew(keyed);
    let name = "PRIMARY KEY (stripe_subscription_id)".to_owned();
    database.vouch(PrimaryKey, &name);
    assert_eq!(database.obstacles(), [(PrimaryKey, name)]);

    // These refuse nothing.
    for after in [
        "CREATE UNIQUE INDEX once ON subscriptions (stripe_subscription_id DESC) WHERE stripe_subscription_id IS NOT NULL",
        "CREATE UNIQUE INDEX once ON subscriptions (account_id, stripe_subscription_id COLLATE NOCASE)",
        "CREATE INDEX often ON subscriptions (ifnull(stripe_subscription_id, ''))",
        "CREATE VIEW paid AS SELECT * FROM subscriptions WHERE stripe_subscription_id IS NOT NULL",
        "CREATE TRIGGER touch AFTER UPDATE ON subscriptions BEGIN UPDATE accounts SET name = name || count(*) WHERE id = new.account_id; END",
    ] {
        database.renew(&legacy("TEXT NOT NULL UNIQUE", "", after));
        assert_eq!(database.obstacles(), [], "{after}");
    }
}

#[test]
fn b8_every_other_obstacle_of_postgres_is_named_too() {
    use ObstacleKind::{
        Check, CheckOption, Domain, ForeignKey, Generated, Partition, Policy, PrimaryKey,
        ReplicaIdentity, Rule, Trigger, Type, UniqueIndex,
    };

    let Some(mut database) = Database::postgres_with("", 0) else {
        return;
    };
    let function = |body: &str| {
        format!("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
            CREATE TRIGGER t BEFORE INSERT OR UPDATE ON subscriptions FOR EACH ROW EXECUTE FUNCTION f()")
    };
    let refusing =
        function("IF NEW.stripe_subscription_id IS NULL THEN RAISE 'none'; END IF; RETURN NEW;");
    let keeping = format!(
        "CREATE TABLE past (id BIGINT, account_id BIGINT, status TEXT, stripe TEXT); {}",
        function("INSERT INTO past SELECT NEW.*; RETURN NEW;")
    );
    let whole =
        function("IF to_jsonb(NEW) ->> 'stripe' IS NULL THEN RAISE 'none'; END IF; RETURN NEW;");
    let selling = "CREATE TABLE sales (account BIGINT, stripe TEXT);
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO Subscriptions (account_id, Stripe_Subscription_Id) VALUES (NEW.account, NEW.stripe); RETURN NEW; END $$;
        CREATE TRIGGER sell AFTER INSERT ON sales FOR EACH ROW EXECUTE FUNCTION g()";
    // Its text is a name in a library.
    let compiled = "CREATE FUNCTION c() RETURNS trigger LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
        CREATE TRIGGER unread AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION c()";
    let text = "TEXT NOT NULL";

    for (before, stripe, more, after, kind, name) in [
        (
            "CREATE DOMAIN sub AS TEXT NOT NULL",
            "sub",
            "",
            "",
            Domain,
            "sub",
        ),
        (
            "CREATE DOMAIN id AS TEXT CHECK (VALUE IS NOT NULL); CREATE DOMAIN sub AS id",
            "sub",
            "",
            "",
            Domain,
            "id",
        ),
        ("", text, "", refusing.as_str(), Trigger, "t"),
        ("", text, "", &keeping, Trigger, "t"),
        ("", text, "", &whole, Trigger, "t"),
        ("", text, "", selling, Trigger, "sell"),
        ("", text, "", compiled, Trigger, "unread"),
        (
            "",
            text,
            ", lookup TEXT NOT NULL GENERATED ALWAYS AS ('s:' || stripe_subscription_id) STORED",
            "",
            Generated,
            "lookup",
        ),
        (
            "",
            text,
            "",
            "CREATE UNIQUE INDEX once ON subscriptions (coalesce(stripe_subscription_id, ''))",
            UniqueIndex,
            "once",
        ),
        (
            "",
            text,
            "",
            "CREATE UNIQUE INDEX once ON subscriptions (stripe_subscription_id) NULLS NOT DISTINCT",
            UniqueIndex,
            "once",
        ),
        (
            "",
            text,
            "",
            "CREATE UNIQUE INDEX once ON subscriptions (account_id) WHERE stripe_subscription_id IS NULL",
            UniqueIndex,
            "once",
        ),
        (
            "CREATE TABLE bought (id TEXT PRIMARY KEY)",
            "TEXT NOT NULL CONSTRAINT sold REFERENCES bought",
            "",
            "",
            ForeignKey,
            "sold",
        ),
        (
            "",
            text,
            "",
            "CREATE RULE none AS ON UPDATE TO subscriptions DO INSTEAD NOTHING",
            Rule,
            "none",
        ),
        (
            "",
            text,
            "",
            "ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON subscriptions WITH CHECK (stripe_subscription_id IS NOT NULL)",
            Policy,
            "own",
        ),
        (
            "",
            text,
            "",
            "CREATE VIEW paid AS SELECT * FROM subscriptions WHERE stripe_subscription_id IS NOT NULL WITH CHECK OPTION",
            CheckOption,
            "paid",
        ),
        (
            "",
            text,
            ", CONSTRAINT every CHECK (NOT subscriptions IS NULL)",
            "",
            Check,
            "every",
        ),
        (
            "",
            text,
            ", CONSTRAINT late CHECK (num_nonnulls(stripe_subscription_id) = 1)",
            "",
            Check,
            "late",
        ),
        (
            "",
            text,
            "",
            "CREATE TABLE heirs (CONSTRAINT own CHECK (stripe_subscription_id IS NOT NULL)) INHERITS (subscriptions)",
            Check,
            "own",
        ),
        (
            "",
            text,
            ") PARTITION BY LIST (stripe_subscription_id",
            "CREATE TABLE first PARTITION OF subscriptions FOR VALUES IN ('sub_1')",
            Partition,
            "first",
        ),
        // Nobody can find these harmless.
        (
            "",
            "TEXT UNIQUE, CONSTRAINT bare PRIMARY KEY (stripe_subscription_id), keyless BIGINT",
            "",
            "",
            PrimaryKey,
            "bare",
        ),
        (
            "",
            "VARCHAR(30) NOT NULL",
            "",
            "",
            Type,
            "stripe_subscription_id",
        ),
        (
            "",
            "TEXT NOT NULL CONSTRAINT once UNIQUE",
            "",
            "ALTER TABLE subscriptions REPLICA IDENTITY USING INDEX once",
            ReplicaIdentity,
            "once",
        ),
        ("", "UUID NOT NULL", "", "", Type, "stripe_subscription_id"),
    ] {
        let mut schema = legacy(stripe, more, after);
        if [PrimaryKey, Partition].contains(&kind) {
            schema = schema.replacen(
                "subscriptions (id BIGINT PRIMARY KEY",
                "subscriptions (id BIGINT",
                1,
            );
        }
        database.renew(&format!("{before}; {schema}"));
        let expected = [(kind, name.to_owned())];
        assert_eq!(
            database.obstacles(),
            expected,
            "{before} {stripe} {more} {after}"
        );

        database.vouch(kind, name);
        let is_certain = [PrimaryKey, ReplicaIdentity, Type].contains(&kind);
        let expected = &expected[..usize::from(is_certain)];
        assert_eq!(database.obstacles(), expected, "{stripe} {more} {after}");
    }

    // These refuse nothing.
    let touching = function("NEW.status := lower(NEW.status); RETURN NEW;");
    for (before, stripe, after) in [
        ("", "VARCHAR(255) NOT NULL UNIQUE", ""),
        (
            "",
            "VARCHAR(43) NOT NULL CHECK (stripe_subscription_id <> '')",
            "",
        ),
        ("CREATE DOMAIN any_text AS TEXT", "any_text NOT NULL", ""),
        (
            "CREATE DOMAIN some_text AS TEXT CHECK (VALUE <> '')",
            "some_text NOT NULL",
            "",
        ),
        ("", text, touching.as_str()),
        (
            "",
            text,
            "CREATE UNIQUE INDEX once ON subscriptions (stripe_subscription_id text_pattern_ops) WHERE stripe_subscription_id IS NOT NULL",
        ),
        (
            "",
            text,
            "CREATE UNIQUE INDEX once ON subscriptions (account_id, stripe_subscription_id)",
        ),
        (
            "",
            text,
            "CREATE INDEX often ON subscriptions (lower(stripe_subscription_id))",
        ),
        (
            "",
            text,
            "CREATE VIEW paid AS SELECT * FROM subscriptions WHERE stripe_subscription_id IS NOT NULL",
        ),
        (
            "",
            text,
            "ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON subscriptions USING (account_id = 7)",
        ),
    ] {
        database.renew(&format!("{before}; {}", legacy(stripe, "", after)));
        assert_eq!(database.obstacles(), [], "{before} {stripe} {after}");
    }

    // A policy that hides rows from whoever migrates.
    database.renew(&legacy(
        text,
        "",
        "ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    ));
    database
        .run("DROP ROLE IF EXISTS keeper; CREATE ROLE keeper; GRANT USAGE ON SCHEMA public TO keeper; GRANT ALL ON accounts, subscriptions TO keeper; SET ROLE keeper")
        .unwrap();
    let expected = [(ObstacleKind::RowSecurity, "keeper".to_owned())];
    assert_eq!(database.obstacles(), expected);
    database.vouch(ObstacleKind::RowSecurity, "keeper");
    assert_eq!(database.obstacles(), expected);
    database.run("RESET ROLE").unwrap();

    // A table that is a view, or is not there in this schema.
    let catalog = database.catalog();
    for other in ["active", "abos"] {
        let schema = LegacySchema {
            subscriptions: other.into(),
            ..LegacySchema::default()
        };
        let missing = Err(MigrationError::TableMissing(other.into()));
        assert_eq!(schema.statements(Step::Expand, &catalog), missing);
    }
    let other = LegacySchema {
        stripe_id: "stripe_id".into(),
        ..LegacySchema::default()
    };
    let refused = other.statements(Step::UndoExpand, &catalog).unwrap_err();
    assert!(
        matches!(refused, MigrationError::ColumnMissing { column, .. } if column == "stripe_id")
    );
}

/// Laravel Cashier's tables, whose column is `stripe_id`, with a payment method of its own that
/// means something else.
#[test]
fn b8_other_names_lead_the_same_way() {
    let schema = "
        CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR(255) NOT NULL, payment_method VARCHAR(255) DEFAULT 'card',
            stripe_id VARCHAR(255) CHECK (stripe_id IS NULL OR stripe_id LIKE 'cus%'));
        CREATE UNIQUE INDEX users_stripe_id ON users (coalesce(stripe_id, name));
        CREATE TABLE subscriptions (id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL, type VARCHAR(255) NOT NULL,
            stripe_id VARCHAR(255) NOT NULL, stripe_status VARCHAR(255) NOT NULL, stripe_price VARCHAR(255));
        CREATE UNIQUE INDEX subscriptions_stripe_id_unique ON subscriptions (stripe_id);
        INSERT INTO users (id, name) VALUES (1, 'one'), (2, 'two');
        INSERT INTO subscriptions VALUES (1, 1, 'default', 'sub_1', 'active', NULL);";
    let run = |mut database: Database| {
        database.renew(schema);
        database.legacy = LegacySchema {
            accounts: "users".into(),
            subscription_account: "user_id".into(),
            stripe_id: "stripe_id".into(),
            ..LegacySchema::default()
        };

        // Cards are no payment method of ours: another column is named.
        let catalog = database.catalog();
        let refused = database.legacy.statements(Step::Expand, &catalog);
        let foreign = MigrationError::ColumnForeign {
            table: "users".into(),
            column: "payment_method".into(),
        };
        assert_eq!(refused, Err(foreign));
        database.legacy.payment_method = "Pays By".into();

        let rows = "SELECT id, \"Pays By\", stripe_id FROM subscriptions ORDER BY id";
        database.step(Step::Expand).unwrap();
        database.backfill(OTHERS);
        database.step(Step::Contract).unwrap();
        database
            .run("INSERT INTO subscriptions (id, user_id, type, stripe_id, stripe_status, \"Pays By\") \
                  VALUES (2, 2, 'default', NULL, 'active', 'bank_transfer')")
            .unwrap();
        let stripe = (1, Some("stripe".to_owned()), Some("sub_1".to_owned()));
        let transfer = (2, Some("bank_transfer".to_owned()), None);
        let read: Vec<(i64, Option<String>, Option<String>)> = database.query(rows).unwrap();
        assert_eq!(read, [stripe.clone(), transfer.clone()]);

        database.step(Step::UndoContract).unwrap();
        database.step(Step::UndoExpand).unwrap();
        let placed = (2, transfer.1.clone(), Some(format!("{PLACEHOLDER}2")));
        let read: Vec<(i64, Option<String>, Option<String>)> = database.query(rows).unwrap();
        assert_eq!(read, [stripe.clone(), placed]);

        database.step(Step::Expand).unwrap();
        database.step(Step::Contract).unwrap();
        let read: Vec<(i64, Option<String>, Option<String>)> = database.query(rows).unwrap();
        assert_eq!(read, [stripe, transfer]);
        let cards: Vec<(i64, Option<String>)> = database
            .query("SELECT id, payment_method FROM users ORDER BY id")
            .unwrap();
        assert!(cards.iter().all(|row| row.1.as_deref() == Some("card")));
    };

    run(Database::sqlite("", 0));
    if let Some(database) = Database::postgres_with("", 0) {
        run(database);
    }
}

#[test]
fn b8_a_payment_method_that_is_there_is_read_and_never_overwritten() {
    let schema = "
        CREATE TABLE accounts (id BIGINT PRIMARY KEY, name TEXT NOT NULL, payment_method VARCHAR(20));
        CREATE TABLE subscriptions (id BIGINT PRIMARY KEY, account_id BIGINT NOT NULL, status TEXT NOT NULL,
            stripe_subscription_id TEXT NOT NULL UNIQUE, payment_method TEXT);
        INSERT INTO accounts VALUES (1, 'one', 'paypal'), (2, 'two', NULL), (3, 'three', 'bank_transfer');
        INSERT INTO subscriptions VALUES (1, 1, 'active', 'sub_1', 'paypal'), (2, 2, 'active', 'sub_2', NULL);";
    let run = |mut database: Database| {
        database.renew(schema);

        // Values that are not understood are named before the first step.
        database
            .run("UPDATE accounts SET payment_method = 'card' WHERE id = 2")
            .unwrap();
        let methods = [(ObstacleKind::Methods, "payment_method".to_owned())];
        assert_eq!(database.obstacles(), methods);
        database.vouch(ObstacleKind::Methods, "payment_method");
        assert_eq!(
            database.obstacles(),
            methods,
            "nobody can find them harmless"
        );
        let catalog = database.catalog();
        let told = database.legacy.statements(Step::Expand, &catalog);
        assert!(told.unwrap_err().to_string().contains("(card)"));

        // An empty text is no payment method either.
        database
            .run(
                "UPDATE accounts SET payment_method = NULL WHERE id = 2; \
                  UPDATE subscriptions SET payment_method = '' WHERE id = 2",
            )
            .unwrap();
        assert_eq!(database.obstacles(), methods);

        database
            .run("UPDATE subscriptions SET payment_method = NULL WHERE id = 2")
            .unwrap();
        database.step(Step::Expand).unwrap();
        database.backfill(OTHERS);
        database.step(Step::Contract).unwrap();
        let of = |database: &mut Database, table: &str| -> Vec<(String,)> {
            database
                .query(&format!("SELECT payment_method FROM {table} ORDER BY id"))
                .unwrap()
        };
        let texts = |texts: &[&str]| -> Vec<(String,)> {
            texts.iter().map(|text| ((*text).to_owned(),)).collect()
        };
        let accounts = texts(&["paypal", "stripe", "bank_transfer"]);
        assert_eq!(of(&mut database, "accounts"), accounts);
        assert_eq!(
            of(&mut database, "subscriptions"),
            texts(&["paypal", "stripe"])
        );

        // And back: the column is as it was.
        database.step(Step::UndoContract).unwrap();
        database
            .run("INSERT INTO accounts VALUES (4, 'four', NULL)")
            .unwrap();
        database.step(Step::Expand).unwrap();

        // A column of another kind is not ours.
        for column in [
            "payment_method INTEGER",
            "payment_method TEXT NOT NULL",
            "payment_method TEXT DEFAULT 'card'",
        ] {
            database.renew(&legacy("TEXT NOT NULL", &format!(", {column}"), ""));
            let catalog = database.catalog();
            let refused = database.legacy.statements(Step::Expand, &catalog);
            let foreign = MigrationError::ColumnForeign {
                table: "subscriptions".into(),
                column: "payment_method".into(),
            };
            assert_eq!(refused, Err(foreign), "{column}");
        }
        for check in ["payment_method <> 'stripe'", "payment_method IN ('paypal')"] {
            let more = format!(", payment_method TEXT, CONSTRAINT narrow CHECK ({check})");
            database.renew(&legacy("TEXT NOT NULL", &more, ""));
            let narrow = [(ObstacleKind::Check, "narrow".to_owned())];
            assert_eq!(database.obstacles(), narrow, "{check}");
        }
        database.renew(&legacy(
            "TEXT NOT NULL",
            ", payment_method TEXT, UNIQUE (account_id, payment_method)",
            "",
        ));
        assert_eq!(database.obstacles()[0].0, ObstacleKind::UniqueIndex);
    };

    run(Database::sqlite("", 0));
    if let Some(database) = Database::postgres_with("", 0) {
        run(database);
    }
}

/// A column that also holds other processors' identifiers would have them taken for Stripe's.
#[test]
fn b8_identifiers_that_are_not_stripes_are_named() {
    let run = |mut database: Database| {
        database.renew(&legacy("TEXT NOT NULL", "", "INSERT INTO subscriptions VALUES (1, 1, 'active', 'sub_1'),
            (2, 2, 'active', 'I-BW452GLLEP1G'), (3, 3, 'active', ''), (4, 4, 'active', 'no-stripe-subscription:4')"));
        let name = "stripe_subscription_id".to_owned();
        assert_eq!(
            database.obstacles(),
            [(ObstacleKind::Identifiers, name.clone())]
        );
        // For a person's word, the table, the kind and the name count.
        database.legacy.harmless = vec![
            ("accounts".into(), ObstacleKind::Identifiers, name.clone()),
            ("subscriptions".into(), ObstacleKind::Check, name.clone()),
        ];
        assert_eq!(database.obstacles().len(), 1);
        database.vouch(ObstacleKind::Identifiers, &name);
        assert_eq!(database.obstacles(), []);
    };

    run(Database::sqlite("", 0));
    if let Some(database) = Database::postgres_with("", 0) {
        run(database);
    }
}
