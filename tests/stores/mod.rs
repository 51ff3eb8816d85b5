//! A host's store of credit on SQLite and on PostgreSQL, as tests and benches use it.
#![allow(dead_code, reason = "each file uses what it needs")]

use std::sync::Arc;
use std::time::Duration;

use bailiwick::credit::{Change, LedgerEntry, Outcome, OutcomeWrite};
use bailiwick::testkit::{CreditStore, Loaded, Written};
use bailiwick::{AccountId, Wallet};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Database, PgPool, Pool};
use tokio::runtime::Runtime;

/// A store's statements. A wrong store is the right one but for one of them.
#[derive(Clone, Copy)]
pub struct Statements {
    pub begin: &'static str,
    pub account: &'static str,
    pub load: &'static str,
    pub insert_wallet: &'static str,
    pub update_wallet: &'static str,
    pub entry: &'static str,
    pub insert_outcome: &'static str,
    pub update_outcome: &'static str,
    pub ledger: &'static str,
}

pub const POSTGRES_SCHEMA: &str = "
    CREATE TABLE accounts (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
    CREATE TABLE wallets (account_id BIGINT PRIMARY KEY REFERENCES accounts, version BIGINT NOT NULL, facts JSONB NOT NULL);
    CREATE TABLE ledger (
        account_id BIGINT NOT NULL REFERENCES accounts, sequence BIGINT NOT NULL, entry JSONB NOT NULL,
        PRIMARY KEY (account_id, sequence)
    );
    CREATE TABLE outcomes (
        account_id BIGINT NOT NULL REFERENCES accounts, key TEXT NOT NULL, outcome JSONB NOT NULL,
        PRIMARY KEY (account_id, key)
    );";

pub const POSTGRES: Statements = Statements {
    begin: "BEGIN",
    account: "INSERT INTO accounts DEFAULT VALUES RETURNING id",
    // One statement has one snapshot, whatever the isolation level.
    load: "SELECT wallets.facts::text, outcomes.outcome::text FROM (SELECT $1::bigint AS account, $2::text AS key) AS asked \
           LEFT JOIN wallets ON wallets.account_id = asked.account \
           LEFT JOIN outcomes ON outcomes.account_id = asked.account AND outcomes.key = asked.key",
    insert_wallet: "INSERT INTO wallets (account_id, version, facts) VALUES ($1, $2, $3::jsonb)",
    update_wallet: "UPDATE wallets SET version = $2, facts = $3::jsonb WHERE account_id = $1 AND version = $4",
    entry: "INSERT INTO ledger (account_id, sequence, entry) VALUES ($1, $2, $3::jsonb)",
    insert_outcome: "INSERT INTO outcomes (account_id, key, outcome) VALUES ($1, $2, $3::jsonb)",
    update_outcome: "UPDATE outcomes SET outcome = $3::jsonb WHERE account_id = $1 AND key = $2",
    ledger: "SELECT entry::text FROM ledger WHERE account_id = $1 ORDER BY sequence",
};

pub const SQLITE_SCHEMA: &str = "
    CREATE TABLE accounts (id INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE wallets (account_id INTEGER PRIMARY KEY REFERENCES accounts, version INTEGER NOT NULL, facts TEXT NOT NULL) STRICT;
    CREATE TABLE ledger (
        account_id INTEGER NOT NULL REFERENCES accounts, sequence INTEGER NOT NULL, entry TEXT NOT NULL,
        PRIMARY KEY (account_id, sequence)
    ) STRICT;
    CREATE TABLE outcomes (
        account_id INTEGER NOT NULL REFERENCES accounts, key TEXT NOT NULL, outcome TEXT NOT NULL,
        PRIMARY KEY (account_id, key)
    ) STRICT;";

pub const SQLITE: Statements = Statements {
    // Taken at once, the lock is waited for; taken later, over what was read before, it is an
    // error.
    begin: "BEGIN IMMEDIATE",
    account: "INSERT INTO accounts DEFAULT VALUES RETURNING id",
    load: "SELECT facts, outcome FROM (SELECT $1 AS account, $2 AS name) \
           LEFT JOIN wallets ON wallets.account_id = account \
           LEFT JOIN outcomes ON outcomes.account_id = account AND key = name",
    insert_wallet: "INSERT INTO wallets (account_id, version, facts) VALUES ($1, $2, $3)",
    update_wallet: "UPDATE wallets SET version = $2, facts = $3 WHERE account_id = $1 AND version = $4",
    entry: "INSERT INTO ledger (account_id, sequence, entry) VALUES ($1, $2, $3)",
    insert_outcome: "INSERT INTO outcomes (account_id, key, outcome) VALUES ($1, $2, $3)",
    update_outcome: "UPDATE outcomes SET outcome = $3 WHERE account_id = $1 AND key = $2",
    ledger: "SELECT entry FROM ledger WHERE account_id = $1 ORDER BY sequence",
};

/// A host's store on a pool of connections. Its methods are async, as the service wants them.
pub struct Store<D: Database> {
    pub pool: Pool<D>,
    pub statements: Statements,
}

/// The store as the suite wants it.
pub struct Blocking<D: Database> {
    pub runtime: Arc<Runtime>,
    pub store: Store<D>,
}

/// Why a change is not written: a guard missed, or the database failed.
pub enum Failure {
    Missed,
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .unwrap_or_default();
        let is_unique = error
            .as_database_error()
            .is_some_and(|error| error.is_unique_violation());
        // A serialisation failure and a deadlock are answers to begin again, too.
        if is_unique || ["40001", "40P01"].contains(&&*code) {
            Self::Missed
        } else {
            Self::Failed(error)
        }
    }
}

pub fn guard(rows: u64) -> Result<(), Failure> {
    if rows == 1 {
        Ok(())
    } else {
        Err(Failure::Missed)
    }
}

pub fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub fn json<T: serde::Serialize>(row: &T) -> String {
    serde_json::to_string(row).unwrap()
}

pub fn id(account: &AccountId) -> i64 {
    account.as_integer().unwrap()
}

macro_rules! store {
    ($database:ty) => {
        impl Store<$database> {
            pub async fn new_account(&self) -> Result<AccountId, sqlx::Error> {
                let (account,): (i64,) = sqlx::query_as(self.statements.account)
                    .fetch_one(&self.pool)
                    .await?;
                Ok(account.into())
            }

            pub async fn load(
                &self,
                account: &AccountId,
                key: &str,
            ) -> Result<Loaded, sqlx::Error> {
                let (wallet, outcome): (Option<String>, Option<String>) =
                    sqlx::query_as(self.statements.load)
                        .bind(id(account))
                        .bind(key)
                        .fetch_one(&self.pool)
                        .await?;
                let wallet = wallet.as_deref().map(parse::<Wallet>).transpose()?;
                Ok(Loaded {
                    wallet,
                    outcome: outcome.as_deref().map(parse::<Outcome>).transpose()?,
                })
            }

            pub async fn commit<T>(&self, change: &Change<T>) -> Result<Written, sqlx::Error> {
                let (wallet, account) = (change.wallet(), id(change.wallet().account()));
                let entries: Vec<(i64, String)> = change
                    .entries()
                    .iter()
                    .map(|entry| (entry.sequence.try_into().unwrap(), json(entry)))
                    .collect();
                let outcome = change.outcome().map(|write| {
                    let text = match write {
                        OutcomeWrite::Insert(_) => self.statements.insert_outcome,
                        OutcomeWrite::Update(_) => self.statements.update_outcome,
                    };
                    (
                        text,
                        write.outcome().key().to_owned(),
                        json(write.outcome()),
                    )
                });
                let (expected, version) = (
                    change.expected_version(),
                    i64::try_from(wallet.version()).unwrap(),
                );
                let written = self.write(
                    account,
                    i64::try_from(expected).unwrap(),
                    version,
                    json(wallet),
                    entries,
                    outcome,
                );
                match written.await {
                    Ok(()) => Ok(Written::Committed),
                    Err(Failure::Missed) => Ok(Written::Missed),
                    Err(Failure::Failed(error)) => Err(error),
                }
            }

            /// One transaction. Dropped before it commits, it is rolled back.
            pub async fn write(
                &self,
                account: i64,
                expected: i64,
                version: i64,
                facts: String,
                entries: Vec<(i64, String)>,
                outcome: Option<(&'static str, String, String)>,
            ) -> Result<(), Failure> {
                let mut transaction = self.pool.begin_with(self.statements.begin).await?;
                let wallet = if expected == 0 {
                    sqlx::query(self.statements.insert_wallet)
                        .bind(account)
                        .bind(version)
                        .bind(facts)
                } else {
                    sqlx::query(self.statements.update_wallet)
                        .bind(account)
                        .bind(version)
                        .bind(facts)
                        .bind(expected)
                };
                guard(wallet.execute(&mut *transaction).await?.rows_affected())?;
                for (sequence, entry) in entries {
                    let entry = sqlx::query(self.statements.entry)
                        .bind(account)
                        .bind(sequence)
                        .bind(entry);
                    entry.execute(&mut *transaction).await?;
                }
                if let Some((text, key, outcome)) = outcome {
                    let outcome = sqlx::query(text).bind(account).bind(key).bind(outcome);
                    guard(outcome.execute(&mut *transaction).await?.rows_affected())?;
                }
                transaction.commit().await?;
                Ok(())
            }

            pub async fn ledger(
                &self,
                account: &AccountId,
            ) -> Result<Vec<LedgerEntry>, sqlx::Error> {
                let rows: Vec<(String,)> = sqlx::query_as(self.statements.ledger)
                    .bind(id(account))
                    .fetch_all(&self.pool)
                    .await?;
                rows.iter().map(|(text,)| parse(text)).collect()
            }
        }

        impl CreditStore for Blocking<$database> {
            type Error = sqlx::Error;

            fn new_account(&self) -> Result<AccountId, sqlx::Error> {
                self.runtime.block_on(self.store.new_account())
            }

            fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, sqlx::Error> {
                self.runtime.block_on(self.store.load(account, key))
            }

            fn commit<T>(&self, change: &Change<T>) -> Result<Written, sqlx::Error> {
                self.runtime.block_on(self.store.commit(change))
            }

            fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, sqlx::Error> {
                self.runtime.block_on(self.store.ledger(account))
            }
        }
    };
}

store!(sqlx::Sqlite);
store!(sqlx::Postgres);

pub fn postgres(
    runtime: &Arc<Runtime>,
    url: &str,
    statements: Statements,
) -> Blocking<sqlx::Postgres> {
    let options: PgConnectOptions = url.parse().unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(Duration::from_secs(60));
    let pool: PgPool = runtime
        .block_on(pool.connect_with(options.application_name("spender")))
        .unwrap();
    Blocking {
        runtime: runtime.clone(),
        store: Store { pool, statements },
    }
}

pub fn with_schema(runtime: &Arc<Runtime>, url: &str) -> Blocking<sqlx::Postgres> {
    let store = postgres(runtime, url, POSTGRES);
    runtime
        .block_on(sqlx::raw_sql(POSTGRES_SCHEMA).execute(&store.store.pool))
        .unwrap();
    store
}
