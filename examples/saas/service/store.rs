//! The store: SQLite. Each change is written in one transaction, under the guards that it names; if
//! a guard misses, the rows are loaded again and the question is asked again.

use std::path::Path;

use bailiwick::gate::{BillingAccess, CredentialFailure};
use bailiwick::id::{ApiKeyId, PlanId, UserId};
use bailiwick::right::{Privilege, Privileges};
use bailiwick::scope::{BuildError, Dialect, NotFound, Statement};
use bailiwick::{AccountId, Plan, Principal, SiteId, Tenant, Wallet};
use sea_query_sqlx::SqlxValues;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
};
use sqlx::{AssertSqlSafe, FromRow, Sqlite, SqlitePool};

use super::error::AppError;
use super::ledger::load_wallet;

/// How often a transaction is tried before the service gives up. SQLite has one writer at a time,
/// so a miss is rare.
const ATTEMPTS: usize = 8;

/// The database that this store speaks to.
pub const SQLITE: Dialect = Dialect::Sqlite;

pub type Transaction = sqlx::Transaction<'static, Sqlite>;

/// Why an attempt did not commit.
pub enum Failure {
    /// A guard missed: somebody else was first. Load again, ask again.
    Missed,
    /// The answer is no.
    Refused(AppError),
}

bailiwick::from_refusals!(Failure => |problem| Failure::Refused(AppError::Problem(problem)));

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Missed,
            _ => Self::Refused(error.into()),
        }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::Refused(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// Tries until the guards hold.
pub async fn retry<T, F>(attempt: impl Fn() -> F) -> Result<T, AppError>
where
    F: Future<Output = Result<T, Failure>>,
{
    for _ in 0..ATTEMPTS {
        match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(Failure::Missed) => continue,
            Err(Failure::Refused(error)) => return Err(error),
        }
    }
    Err(AppError::Fault(anyhow::anyhow!(
        "a guard missed {ATTEMPTS} times"
    )))
}

/// The service's database.
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens a file, or a database in memory, and creates its tables.
    pub async fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        let pool = match file {
            Some(file) => {
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .create_if_missing(true)
                    .foreign_keys(true);
                SqlitePoolOptions::new()
                    .connect_with(options.journal_mode(SqliteJournalMode::Wal))
                    .await?
            }
            None => {
                // A database in memory lives as long as its one connection. It is not pinged before
                // use: a request that is dropped in mid-ping, since its client hung up, would take
                // the connection with it.
                let options = SqliteConnectOptions::new()
                    .in_memory(true)
                    .foreign_keys(true);
                let pool = SqlitePoolOptions::new()
                    .max_connections(1)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .test_before_acquire(false);
                pool.connect_with(options).await?
            }
        };
        sqlx::raw_sql(include_str!("../schema.sql"))
            .execute(&pool)
            .await?;
        Ok(Self { pool })
    }

    /// Begins a transaction that may write, so that what it reads cannot change before it commits.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }

    // What the gate asks for.

    /// The principal behind a session, or why there is none.
    pub async fn principal_of_user(
        &self,
        user: &UserId,
    ) -> Result<Result<Principal, CredentialFailure>, sqlx::Error> {
        let row: Option<(Option<i64>, String)> =
            sqlx::query_as("SELECT account_id, privileges FROM users WHERE id = ?")
                .bind(user.as_integer())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row
            .ok_or(CredentialFailure::Unknown)
            .map(|(account, privileges)| {
                let privileges: Privileges = privileges
                    .split(' ')
                    .filter_map(Privilege::from_text)
                    .collect();
                let principal = Principal::jwt(user.clone()).with_privileges(privileges);
                match account {
                    Some(account) => principal.of_account(account.into()),
                    None => principal,
                }
            }))
    }

    /// The principal behind an API key, or why there is none. Only a digest of the secret is
    /// stored.
    pub async fn principal_of_key(
        &self,
        id: &str,
        secret: &str,
    ) -> Result<Result<Principal, CredentialFailure>, sqlx::Error> {
        let Ok(id) = id.parse::<ApiKeyId>() else {
            return Ok(Err(CredentialFailure::Malformed));
        };
        let row: Option<(i64, String, String, bool)> = sqlx::query_as(
            "SELECT account_id, secret_digest, sites, revoked FROM api_keys WHERE id = ?",
        )
        .bind(id.as_integer())
        .fetch_optional(&self.pool)
        .await?;
        let Some((account, digest, sites, revoked)) = row else {
            return Ok(Err(CredentialFailure::Unknown));
        };
        // Digests are compared, not secrets: what the comparison's time tells is of no use.
        if digest != digest_of(secret) {
            return Ok(Err(CredentialFailure::Unknown));
        }
        if revoked {
            return Ok(Err(CredentialFailure::Revoked));
        }
        // A list that cannot be read is an empty one, which reaches nothing.
        let sites: Vec<SiteId> = serde_json::from_str(&sites).unwrap_or_default();
        Ok(Ok(Principal::api_key(id)
            .of_account(account.into())
            .bound_to_sites(sites)))
    }

    /// The tenant of a principal's own account.
    pub async fn tenant(&self, principal: &Principal) -> Result<Option<Tenant>, AppError> {
        let Some(account) = principal.account_id() else {
            return Ok(None);
        };
        let mut connection = self.pool.acquire().await?;
        load_tenant(&mut connection, account).await
    }

    /// A plan.
    pub async fn plan(&self, plan: &PlanId) -> Result<Option<Plan>, AppError> {
        let mut connection = self.pool.acquire().await?;
        load_plan(&mut connection, plan).await
    }

    /// What a payer sees: the tenant and its wallet.
    pub async fn billing(&self, access: &BillingAccess) -> Result<(Tenant, Wallet), AppError> {
        let mut transaction = self.pool.begin().await?;
        let tenant = load_tenant(&mut transaction, access.account_id())
            .await?
            .ok_or(NotFound)?;
        let wallet = load_wallet(&mut transaction, access.account_id()).await?;
        Ok((tenant, wallet))
    }

    // Scoped statements.

    /// Runs a scoped SELECT.
    pub async fn rows<R>(
        &self,
        statement: Result<Statement, BuildError>,
    ) -> Result<Vec<R>, AppError>
    where
        R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let (sql, values) = statement?.into_parts();
        Ok(sqlx::query_as_with(AssertSqlSafe(sql), SqlxValues(values))
            .fetch_all(&self.pool)
            .await?)
    }

    /// Runs a scoped UPDATE or DELETE of one row. A row of another tenant is as absent as one that
    /// never was.
    pub async fn touch(&self, statement: Result<Statement, BuildError>) -> Result<(), AppError> {
        let (sql, values) = statement?.into_parts();
        let done = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 0 {
            Err(NotFound.into())
        } else {
            Ok(())
        }
    }
}

/// The digest under which the secret of an API key is stored.
pub fn digest_of(secret: &str) -> String {
    Sha256::digest(secret.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A guard holds when exactly one row was written.
pub fn guard(rows: u64) -> Result<(), Failure> {
    if rows == 1 {
        Ok(())
    } else {
        Err(Failure::Missed)
    }
}

/// Writes a versioned record over the version that it was made from; 0 means that there must be
/// none yet. The query has its keys bound, and takes version, record and that version next.
pub async fn write_over<T: Serialize>(
    transaction: &mut Transaction,
    query: Query<'_, Sqlite, SqliteArguments>,
    (over, version): (u64, u64),
    record: &T,
) -> Result<(), Failure> {
    let query = query
        .bind(signed(version))
        .bind(serde_json::to_string(record)?)
        .bind(signed(over));
    guard(query.execute(&mut **transaction).await?.rows_affected())
}

/// Versions count single writes, so they fit SQLite's integers.
pub fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

pub fn parse<T: DeserializeOwned>(row: Option<(String,)>) -> Result<Option<T>, serde_json::Error> {
    row.map(|(json,)| serde_json::from_str(&json)).transpose()
}

pub async fn load_plan(
    connection: &mut sqlx::SqliteConnection,
    plan: &PlanId,
) -> Result<Option<Plan>, AppError> {
    let row: Option<(String,)> = sqlx::query_as("SELECT facts FROM plans WHERE id = ?")
        .bind(plan.as_integer())
        .fetch_optional(connection)
        .await?;
    Ok(parse(row)?)
}

pub async fn load_tenant(
    connection: &mut sqlx::SqliteConnection,
    account: &AccountId,
) -> Result<Option<Tenant>, AppError> {
    let id = account.as_integer();
    let row: Option<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT accounts.facts, plans.facts, subscriptions.facts FROM accounts JOIN plans ON plans.id = plan_id \
         LEFT JOIN subscriptions ON subscriptions.account_id = accounts.id WHERE accounts.id = ?",
    )
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((account, plan, subscription)) = row else {
        return Ok(None);
    };
    let sites: Vec<(i64,)> = sqlx::query_as("SELECT id FROM sites WHERE account_id = ?")
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
    Ok(Some(Tenant {
        account: serde_json::from_str(&account)?,
        plan: Some(serde_json::from_str(&plan)?),
        subscription: parse(subscription.map(|facts| (facts,)))?,
        sites: sites.into_iter().map(|(id,)| SiteId::from(id)).collect(),
    }))
}
