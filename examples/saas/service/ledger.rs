//! Wallets in the store. The wallet is read first, then the outcome of the request's key; both are
//! written in one transaction.

use bailiwick::change::Answer;
use bailiwick::credit::{
    Change, DueGrant, DueRevocation, Ended, HoldRequest, IdempotencyKey, Outcome, OutcomeWrite,
    Receipt, Replayed,
};
use bailiwick::scope::traits::ScopeLevel;
use bailiwick::scope::{Insert, NotFound, Table};
use bailiwick::{Access, Account, AccountId, Credits, Hold, Plan, Policy, Wallet};
use chrono::{DateTime, Utc};
use sea_query_sqlx::SqlxValues;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::Store;
use super::error::AppError;
use super::store::{Failure, SQLITE, Transaction, guard, record, retry, signed};

impl Store {
    /// Sets credits aside for a call, or tells what became of the same request before.
    pub async fn hold(
        &self,
        policy: &Policy,
        access: &Access,
        request: &HoldRequest,
        now: DateTime<Utc>,
    ) -> Result<Answer<Hold, Replayed>, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let account = access.account_id();
            grant_free_credits(&mut transaction, policy, account, access.plan(), now).await?;
            let (wallet, prior) = load_spend(&mut transaction, account, &request.key).await?;
            let change = match wallet.hold(access, request, prior.as_ref(), now)? {
                Answer::Replayed(earlier) => return Ok(Answer::Replayed(earlier)),
                Answer::Fresh(change) => change,
            };

            write_wallet(&mut transaction, &change).await?;
            transaction.commit().await?;
            // Only now is there a hold: its credits are set aside.
            Ok(Answer::Fresh(change.into_result()))
        })
        .await
    }

    /// Charges what the call cost and inserts what it made, in one transaction. If the row cannot
    /// be inserted, because its site was deleted meanwhile, for example, the hold is released and
    /// nothing is charged.
    pub async fn settle<T: Table, L: ScopeLevel>(
        &self,
        hold: Hold,
        cost: Credits,
        insert: Insert<T, L>,
        now: DateTime<Utc>,
    ) -> Result<Receipt, AppError> {
        let insert = insert.build(SQLITE);
        let settled = retry(async || {
            let (sql, values) = insert.clone()?.into_parts();
            let mut transaction = self.begin().await?;
            let (wallet, prior) = load_spend(&mut transaction, hold.account(), hold.key()).await?;
            let change = match wallet.settle(&hold, cost, prior.as_ref(), now)? {
                Answer::Replayed(receipt) => return Ok(receipt),
                Answer::Fresh(change) => change,
            };

            write_wallet(&mut transaction, &change).await?;
            let done = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))
                .execute(&mut *transaction)
                .await?;
            NotFound::unless(done.rows_affected() > 0)?;
            transaction.commit().await?;
            Ok(change.into_result())
        })
        .await;

        if settled.is_err() {
            self.release(hold, now).await?;
        }
        settled
    }

    /// Gives the credits of a hold back.
    pub async fn release(&self, hold: Hold, now: DateTime<Utc>) -> Result<Ended, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let (wallet, prior) = load_spend(&mut transaction, hold.account(), hold.key()).await?;
            let change = match wallet.release(&hold, prior.as_ref(), now)? {
                Answer::Replayed(ended) => return Ok(ended),
                Answer::Fresh(change) => change,
            };

            write_wallet(&mut transaction, &change).await?;
            transaction.commit().await?;
            Ok(change.into_result())
        })
        .await
    }
}

pub async fn load_wallet(
    connection: &mut SqliteConnection,
    account: &AccountId,
) -> Result<Wallet, sqlx::Error> {
    let Json(wallet) = sqlx::query_scalar("SELECT facts FROM wallets WHERE account_id = ?")
        .bind(account.as_integer())
        .fetch_one(connection)
        .await?;
    Ok(wallet)
}

pub async fn load_outcome(
    connection: &mut SqliteConnection,
    account: &AccountId,
    key: &str,
) -> Result<Option<Outcome>, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT outcome FROM outcomes WHERE account_id = ? AND key = ?")
        .bind(account.as_integer())
        .bind(key);
    record(connection, query).await
}

/// Loads a wallet, then what became of a request that spends from it.
async fn load_spend(
    transaction: &mut Transaction,
    account: &AccountId,
    key: &IdempotencyKey,
) -> Result<(Wallet, Option<Outcome>), sqlx::Error> {
    let wallet = load_wallet(transaction, account).await?;
    let outcome = load_outcome(transaction, account, &Outcome::spend_key(key)).await?;
    Ok((wallet, outcome))
}

/// Grants what a free plan gives in the window that runs, unless it was granted before.
pub async fn grant_free_credits(
    transaction: &mut Transaction,
    policy: &Policy,
    account: &AccountId,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if !plan.price.is_zero() {
        return Ok(());
    }
    let query = sqlx::query_scalar("SELECT facts FROM accounts WHERE id = ?");
    let account: Option<Account> = record(transaction, query.bind(account.as_integer())).await?;
    let account = account.ok_or(NotFound)?;
    let due = policy.free_credits_due(&account, plan, now);
    grant_all(transaction, &due, now).await
}

/// Grants the credits that a change made due, in its transaction.
pub async fn grant_all(
    transaction: &mut Transaction,
    due: impl IntoIterator<Item = &DueGrant>,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    for grant in due {
        let wallet = load_wallet(transaction, grant.account()).await?;
        if grant.is_in(&wallet) {
            continue;
        }
        let prior = load_outcome(transaction, grant.account(), grant.key()).await?;
        if let Some(change) = wallet.grant_due(grant, prior.as_ref(), now)? {
            write_wallet(transaction, &change).await?;
        }
    }
    Ok(())
}

/// Takes back the credits that a refund revokes, in its transaction.
pub async fn revoke_all(
    transaction: &mut Transaction,
    account: &AccountId,
    due: &[DueRevocation],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    for revocation in due {
        let wallet = load_wallet(transaction, account).await?;
        let prior = load_outcome(transaction, account, &revocation.key()).await?;
        if let Some(change) = wallet.revoke_due(revocation, prior.as_ref(), now)? {
            write_wallet(transaction, &change).await?;
        }
    }
    Ok(())
}

/// Writes a change to a wallet: the wallet over its expected version, the entries, the outcome.
pub async fn write_wallet<T>(
    transaction: &mut Transaction,
    change: &Change<T>,
) -> Result<(), Failure> {
    let wallet = change.wallet();
    let account = wallet.account().as_integer();
    let write = match change.expected_version() {
        0 => sqlx::query("INSERT INTO wallets (version, facts, account_id) VALUES (?, ?, ?)"),
        _ => sqlx::query(
            "UPDATE wallets SET version = ?, facts = ? WHERE account_id = ? AND version = ?",
        ),
    };
    let mut write = write
        .bind(signed(wallet.version()))
        .bind(Json(wallet))
        .bind(account);
    if change.expected_version() != 0 {
        write = write.bind(signed(change.expected_version()));
    }
    guard(write.execute(&mut **transaction).await?.rows_affected())?;

    for entry in change.entries() {
        sqlx::query("INSERT INTO ledger (account_id, sequence, entry) VALUES (?, ?, ?)")
            .bind(account)
            .bind(signed(entry.sequence))
            .bind(Json(entry))
            .execute(&mut **transaction)
            .await?;
    }

    let (text, outcome) = match change.outcome() {
        None => return Ok(()),
        Some(OutcomeWrite::Insert(outcome)) => (
            "INSERT INTO outcomes (outcome, account_id, key) VALUES (?, ?, ?)",
            outcome,
        ),
        Some(OutcomeWrite::Update(outcome)) => (
            "UPDATE outcomes SET outcome = ? WHERE account_id = ? AND key = ?",
            outcome,
        ),
    };
    let done = sqlx::query(text)
        .bind(Json(outcome))
        .bind(account)
        .bind(outcome.key())
        .execute(&mut **transaction)
        .await?;
    guard(done.rows_affected())
}
