//! The store: SQLite. Each change is written in one transaction, under the guards that it names. If
//! a guard misses, somebody else was faster: the rows are loaded and the question is asked again.

use std::sync::Arc;

use std::path::Path;

use bailiwick::gate::{BillingAccess, CredentialFailure};
use bailiwick::id::{ApiKeyId, PlanId, UserId};
use bailiwick::right::Privilege;
use bailiwick::scope::{BuildError, Dialect, NotFound, Statement};
use bailiwick::{
    Account, AccountId, Evidence, Plan, Principal, SiteId, Subscription, Tenant, Wallet,
};
use sea_query_sqlx::SqlxValues;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sqlx::query::{Query, QueryScalar};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow, Sqlite, SqliteConnection, SqlitePool};

use super::error::AppError;
use super::ledger::load_wallet;

/// The number of times that a transaction is tried before the service gives up. SQLite has one
/// writer at a time, so a miss is rare.
const ATTEMPTS: usize = 8;

/// The database that this store speaks to.
pub const SQLITE: Dialect = Dialect::Sqlite;

pub type Transaction = sqlx::Transaction<'static, Sqlite>;

/// The reason why an attempt did not commit.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A guard missed, since somebody else was faster. Loading and asking again helps.
    #[error("a guard missed")]
    Missed,
    /// The answer is no.
    #[error(transparent)]
    Refused(#[from] AppError),
}

bailiwick::from_refusals!(Failure => |problem| Failure::Refused(AppError::Refused(problem)));

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Missed,
            _ => Self::Refused(error.into()),
        }
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
    Err(anyhow::anyhow!("a guard missed {ATTEMPTS} times").into())
}

/// The service's database.
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens a file, or a database in memory, and creates its tables.
    pub async fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new().foreign_keys(true);
        let pool = match file {
            Some(file) => {
                let options = options
                    .filename(file)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal);
                SqlitePoolOptions::new().connect_with(options).await?
            }
            None => {
                // A database in memory lives as long as its one connection. It is not pinged before
                // use: a request that is dropped in mid-ping, since its client hung up, would take
                // the connection with it.
                let pool = SqlitePoolOptions::new()
                    .max_connections(1)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .test_before_acquire(false);
                pool.connect_with(options.in_memory(true)).await?
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

    /// Finds the principal behind a session.
    pub async fn evidence_of_user(&self, user: UserId) -> Result<Evidence, sqlx::Error> {
        let row: Option<(Option<i64>, String)> =
            sqlx::query_as("SELECT account_id, privileges FROM users WHERE id = ?")
                .bind(user.as_integer())
                .fetch_optional(&self.pool)
                .await?;
        let Some((account, privileges)) = row else {
            return Ok(Evidence::Failed(CredentialFailure::Unknown));
        };

        let privileges = privileges.split(' ').filter_map(Privilege::from_text);
        let principal = Principal::jwt(user).with_privileges(privileges.collect());
        Ok(Evidence::Verified(match account {
            Some(account) => principal.of_account(account.into()),
            None => principal,
        }))
    }

    /// Finds the principal behind an API key. Only a digest of its secret is stored.
    pub async fn evidence_of_key(&self, id: &str, secret: &str) -> Result<Evidence, sqlx::Error> {
        let Ok(id) = id.parse::<ApiKeyId>() else {
            return Ok(Evidence::Failed(CredentialFailure::Malformed));
        };
        let row: Option<(i64, String, Json<Vec<SiteId>>, bool)> = sqlx::query_as(
            "SELECT account_id, secret_digest, sites, revoked FROM api_keys WHERE id = ?",
        )
        .bind(id.as_integer())
        .fetch_optional(&self.pool)
        .await?;

        // Digests are compared, not secrets: how long it takes tells nothing of use.
        Ok(match row {
            Some((_, digest, _, true)) if digest == digest_of(secret) => {
                Evidence::Failed(CredentialFailure::Revoked)
            }
            Some((account, digest, Json(sites), false)) if digest == digest_of(secret) => {
                let principal = Principal::api_key(id).of_account(account.into());
                Evidence::Verified(principal.bound_to_sites(sites))
            }
            _ => Evidence::Failed(CredentialFailure::Unknown),
        })
    }

    /// Loads the tenant of a principal's own account.
    pub async fn tenant(&self, principal: &Principal) -> Result<Option<Tenant>, sqlx::Error> {
        let Some(account) = principal.account_id() else {
            return Ok(None);
        };
        let mut connection = self.pool.acquire().await?;
        load_tenant(&mut connection, account).await
    }

    /// Loads what a payer sees: the tenant and its wallet.
    pub async fn billing(&self, access: &BillingAccess) -> Result<(Tenant, Wallet), AppError> {
        let account = access.account_id();
        let mut transaction = self.pool.begin().await?;
        let tenant = load_tenant(&mut transaction, account).await?;
        let tenant = tenant.ok_or(NotFound)?;
        let wallet = load_wallet(&mut transaction, account).await?;
        Ok((tenant, wallet))
    }

    /// Runs a scoped SELECT.
    pub async fn rows<R>(
        &self,
        statement: Result<Statement, BuildError>,
    ) -> Result<Vec<R>, AppError>
    where
        R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let (sql, values) = statement?.into_parts();
        let query = sqlx::query_as_with(AssertSqlSafe(sql), SqlxValues(values));
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Runs a scoped UPDATE or DELETE of one row. Another tenant's row is not found, just like one
    /// that never was.
    pub async fn touch(&self, statement: Result<Statement, BuildError>) -> Result<(), AppError> {
        let (sql, values) = statement?.into_parts();
        let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values));
        let done = query.execute(&self.pool).await?;
        Ok(NotFound::unless(done.rows_affected() > 0)?)
    }
}

/// Returns the digest under which the secret of an API key is stored.
pub fn digest_of(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a guard: it holds when exactly one row was written.
pub fn guard(rows: u64) -> Result<(), Failure> {
    if rows == 1 {
        Ok(())
    } else {
        Err(Failure::Missed)
    }
}

/// Writes a record in a version over the version that it was made from, which is 0 if there must be
/// none yet. The query has its keys bound, and takes the new version, the record and the old
/// version next.
pub async fn write_over<T: Serialize + Sync>(
    transaction: &mut Transaction,
    query: Query<'_, Sqlite, SqliteArguments>,
    (over, version): (u64, u64),
    record: &T,
) -> Result<(), Failure> {
    let query = query
        .bind(signed(version))
        .bind(Json(record))
        .bind(signed(over));
    guard(query.execute(&mut **transaction).await?.rows_affected())
}

/// Converts a version into an integer of SQLite's. Versions count single writes, so they fit.
pub fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// Reads the one record that a query finds, if there is one.
pub async fn record<T: DeserializeOwned + Send + Unpin + 'static>(
    connection: &mut SqliteConnection,
    query: QueryScalar<'_, Sqlite, Json<T>, SqliteArguments>,
) -> Result<Option<T>, sqlx::Error> {
    let found = query.fetch_optional(connection).await?;
    Ok(found.map(|Json(record)| record))
}

pub async fn load_plan(
    connection: &mut SqliteConnection,
    plan: &PlanId,
) -> Result<Option<Plan>, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT facts FROM plans WHERE id = ?").bind(plan.as_integer());
    record(connection, query).await
}

/// Lists the plans of a tenant: its own, and the one that it waits to change to.
pub fn plans_of(tenant: &Tenant) -> Vec<Arc<Plan>> {
    let plans = [&tenant.plan, &tenant.next_plan];
    plans.into_iter().flatten().cloned().collect()
}

/// Returns the plan that a tenant's next payment is for.
pub fn plan_to_pay(tenant: &Tenant) -> Result<Arc<Plan>, NotFound> {
    let plan = tenant.next_plan.as_ref().or(tenant.plan.as_ref());
    plan.cloned().ok_or(NotFound)
}

pub async fn load_tenant(
    connection: &mut SqliteConnection,
    account: &AccountId,
) -> Result<Option<Tenant>, sqlx::Error> {
    type Row = (Json<Account>, Json<Plan>, Option<Json<Subscription>>);

    let id = account.as_integer();
    let row: Option<Row> = sqlx::query_as(
        "SELECT accounts.facts, plans.facts, subscriptions.facts FROM accounts JOIN plans ON plans.id = plan_id \
         LEFT JOIN subscriptions ON subscriptions.account_id = accounts.id WHERE accounts.id = ?",
    )
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((Json(account), Json(plan), subscription)) = row else {
        return Ok(None);
    };

    let sites: Vec<i64> = sqlx::query_scalar("SELECT id FROM sites WHERE account_id = ?")
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
    let subscription = subscription.map(|Json(subscription)| subscription);
    let next_plan = match subscription
        .as_ref()
        .and_then(|row| row.pending_plan.as_ref())
    {
        Some(pending) => load_plan(connection, &pending.plan).await?.map(Arc::new),
        None => None,
    };
    Ok(Some(Tenant {
        account,
        plan: Some(plan.into()),
        next_plan,
        subscription,
        sites: sites.into_iter().map(SiteId::from).collect(),
    }))
}
