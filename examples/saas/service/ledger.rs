//! Wallets in the store: the wallet is read first, then the outcome of the key; both are written in
//! one transaction.

use bailiwick::change::Answer;
use bailiwick::credit::Replayed;
use bailiwick::credit::{
    Change, DueGrant, DueRevocation, Ended, HoldRequest, Outcome, OutcomeWrite, Receipt,
};
use bailiwick::scope::traits::ScopeLevel;
use bailiwick::scope::{Insert, NotFound, Statement, Table};
use bailiwick::{Access, AccountId, Credits, Hold, Wallet};
use chrono::{DateTime, Utc};
use sea_query_sqlx::SqlxValues;
use sqlx::AssertSqlSafe;

use super::Store;
use super::error::AppError;
use super::store::{Failure, SQLITE, Transaction, guard, parse, retry, signed};

impl Store {
    /// Sets credits aside, or tells what became of the same request before.
    pub async fn hold(
        &self,
        access: &Access,
        request: &HoldRequest,
        now: DateTime<Utc>,
    ) -> Result<Answer<Hold, Replayed>, AppError> {
        retry(|| self.try_hold(access, request, now)).await
    }

    async fn try_hold(
        &self,
        access: &Access,
        request: &HoldRequest,
        now: DateTime<Utc>,
    ) -> Result<Answer<Hold, Replayed>, Failure> {
        let mut transaction = self.begin().await?;
        let wallet = load_wallet(&mut transaction, access.account_id()).await?;
        let prior = load_outcome(
            &mut transaction,
            access.account_id(),
            &Outcome::spend_key(&request.key),
        )
        .await?;
        match wallet.hold(access, request, prior.as_ref(), now)? {
            Answer::Replayed(earlier) => Ok(Answer::Replayed(earlier)),
            Answer::Fresh(change) => {
                write_wallet(&mut transaction, &change).await?;
                transaction.commit().await?;
                Ok(Answer::Fresh(change.into_result()))
            }
        }
    }

    /// Charges what the call cost and inserts what it made, in one transaction. If the row cannot
    /// be inserted, since its site is gone, say, the hold is released and nothing is charged.
    pub async fn settle<T: Table, L: ScopeLevel>(
        &self,
        hold: Hold,
        cost: Credits,
        insert: Insert<T, L>,
        now: DateTime<Utc>,
    ) -> Result<Receipt, AppError> {
        let settled = match insert.build(SQLITE) {
            Ok(insert) => retry(|| self.try_settle(&hold, cost, &insert, now)).await,
            Err(error) => Err(error.into()),
        };
        if settled.is_err() {
            self.release(hold, now).await?;
        }
        settled
    }

    async fn try_settle(
        &self,
        hold: &Hold,
        cost: Credits,
        insert: &Statement,
        now: DateTime<Utc>,
    ) -> Result<Receipt, Failure> {
        let mut transaction = self.begin().await?;
        let wallet = load_wallet(&mut transaction, hold.account()).await?;
        let prior = load_outcome(
            &mut transaction,
            hold.account(),
            &Outcome::spend_key(hold.key()),
        )
        .await?;
        match wallet.settle(hold, cost, prior.as_ref(), now)? {
            Answer::Replayed(receipt) => Ok(receipt),
            Answer::Fresh(change) => {
                write_wallet(&mut transaction, &change).await?;
                let (sql, values) = insert.clone().into_parts();
                let done = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))
                    .execute(&mut *transaction)
                    .await?;
                if done.rows_affected() == 0 {
                    return Err(NotFound.into());
                }
                transaction.commit().await?;
                Ok(change.into_result())
            }
        }
    }

    /// Gives a hold back.
    pub async fn release(&self, hold: Hold, now: DateTime<Utc>) -> Result<Ended, AppError> {
        retry(|| self.try_release(&hold, now)).await
    }

    async fn try_release(&self, hold: &Hold, now: DateTime<Utc>) -> Result<Ended, Failure> {
        let mut transaction = self.begin().await?;
        let wallet = load_wallet(&mut transaction, hold.account()).await?;
        let prior = load_outcome(
            &mut transaction,
            hold.account(),
            &Outcome::spend_key(hold.key()),
        )
        .await?;
        match wallet.release(hold, prior.as_ref(), now)? {
            Answer::Replayed(ended) => Ok(ended),
            Answer::Fresh(change) => {
                write_wallet(&mut transaction, &change).await?;
                transaction.commit().await?;
                Ok(change.into_result())
            }
        }
    }
}

pub async fn load_wallet(
    connection: &mut sqlx::SqliteConnection,
    account: &AccountId,
) -> Result<Wallet, AppError> {
    let (facts,): (String,) = sqlx::query_as("SELECT facts FROM wallets WHERE account_id = ?")
        .bind(account.as_integer())
        .fetch_one(connection)
        .await?;
    Ok(serde_json::from_str(&facts)?)
}

pub async fn load_outcome(
    connection: &mut sqlx::SqliteConnection,
    account: &AccountId,
    key: &str,
) -> Result<Option<Outcome>, AppError> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT outcome FROM outcomes WHERE account_id = ? AND key = ?")
            .bind(account.as_integer())
            .bind(key)
            .fetch_optional(connection)
            .await?;
    Ok(parse(row)?)
}

/// Grants what a change made due, in its transaction: each wallet is read first, then the outcome
/// of the grant's key.
pub async fn grant_all(
    transaction: &mut Transaction,
    due: &[DueGrant],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    for grant in due {
        let wallet = load_wallet(transaction, grant.account()).await?;
        let prior = load_outcome(transaction, grant.account(), grant.key()).await?;
        if let Some(change) = wallet.grant_due(grant, prior.as_ref(), now)? {
            write_wallet(transaction, &change).await?;
        }
    }
    Ok(())
}

/// Takes back what a refund says, in its transaction.
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
    let (account, facts) = (
        wallet.account().as_integer(),
        serde_json::to_string(wallet)?,
    );
    let write = match change.expected_version() {
        0 => sqlx::query("INSERT INTO wallets (version, facts, account_id) VALUES (?, ?, ?)"),
        _ => sqlx::query(
            "UPDATE wallets SET version = ?, facts = ? WHERE account_id = ? AND version = ?",
        ),
    };
    let mut write = write
        .bind(signed(wallet.version()))
        .bind(facts)
        .bind(account);
    if change.expected_version() != 0 {
        write = write.bind(signed(change.expected_version()));
    }
    guard(write.execute(&mut **transaction).await?.rows_affected())?;
    for entry in change.entries() {
        sqlx::query("INSERT INTO ledger (account_id, sequence, entry) VALUES (?, ?, ?)")
            .bind(account)
            .bind(signed(entry.sequence))
            .bind(serde_json::to_string(entry)?)
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
        .bind(serde_json::to_string(outcome)?)
        .bind(account)
        .bind(outcome.key())
        .execute(&mut **transaction)
        .await?;
    guard(done.rows_affected())
}
