//! Registration in the store: one change set, whole or not at all; and the rows of an account,
//! inserted and updated.

use std::sync::Arc;

use bailiwick::change::{Answer, RowChange};
use bailiwick::credit::IdempotencyKey;
use bailiwick::id::PlanId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::registration::{Registered, Registration, RegistrationFacts, Subject};
use bailiwick::scope::NotFound;
use bailiwick::{Account, Policy, Subscription};
use chrono::{DateTime, Utc};

use super::Store;
use super::error::AppError;
use super::ledger::write_wallet;
use super::store::{Failure, Transaction, guard, load_plan, parse, retry, signed, write_over};

/// What a newcomer asks for; the store sets the identifiers aside.
#[derive(Clone)]
pub struct Newcomer {
    pub key: IdempotencyKey,
    pub subject: Subject,
    pub plan: PlanId,
    pub payment_method: PaymentMethod,
}

impl Store {
    /// Registers a newcomer, whole or not at all.
    pub async fn register(
        &self,
        policy: &Policy,
        newcomer: Newcomer,
        now: DateTime<Utc>,
    ) -> Result<Registered, AppError> {
        retry(|| self.try_register(policy, &newcomer, now)).await
    }

    async fn try_register(
        &self,
        policy: &Policy,
        newcomer: &Newcomer,
        now: DateTime<Utc>,
    ) -> Result<Registered, Failure> {
        let mut transaction = self.begin().await?;
        let plan = load_plan(&mut transaction, &newcomer.plan)
            .await?
            .ok_or(NotFound)?;
        // The transaction is the only writer, so nobody else takes these. A service that deletes
        // accounts must not give their identifiers out again: use AUTOINCREMENT, or random
        // identifiers.
        let (account, owner, site): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(max(id), 0) + 1 FROM accounts), (SELECT coalesce(max(id), 0) + 1 FROM users), \
             (SELECT coalesce(max(id), 0) + 1 FROM sites)",
        )
        .fetch_one(&mut *transaction)
        .await?;
        let request = Registration {
            key: newcomer.key.clone(),
            subject: newcomer.subject,
            plan: Arc::new(plan),
            payment_method: newcomer.payment_method,
            account: account.into(),
            owner: owner.into(),
            site: site.into(),
            subscription: account.into(),
        };
        let by_key: Option<(String,)> =
            sqlx::query_as("SELECT record FROM registrations WHERE subject = ? AND key = ?")
                .bind(request.subject.to_string())
                .bind(request.key.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        let by_subject: Option<(String,)> =
            sqlx::query_as("SELECT record FROM subjects WHERE subject = ?")
                .bind(request.subject.to_string())
                .fetch_optional(&mut *transaction)
                .await?;
        let facts = RegistrationFacts {
            by_key: parse(by_key)?,
            by_subject: parse(by_subject)?,
        };
        let change = match policy.register(&request, facts, now)? {
            Answer::Replayed(earlier) => return Ok(earlier),
            Answer::Fresh(change) => change,
        };
        let registered = change.registered().clone();
        insert_account(&mut transaction, change.account(), &registered.plan).await?;
        sqlx::query("INSERT INTO users (id, account_id) VALUES (?, ?)")
            .bind(registered.owner.as_integer())
            .bind(registered.account.as_integer())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO sites (id, account_id, name) VALUES (?, ?, 'First site')")
            .bind(change.site().id.as_integer())
            .bind(change.site().account.as_integer())
            .execute(&mut *transaction)
            .await?;
        if let Some(subscription) = change.subscription() {
            insert_subscription(&mut transaction, subscription).await?;
        }
        write_wallet(&mut transaction, change.wallet()).await?;
        let subject = change.subject();
        let query = sqlx::query(
            "INSERT INTO subjects (subject, version, record) VALUES (?1, ?2, ?3) \
             ON CONFLICT (subject) DO UPDATE SET version = ?2, record = ?3 WHERE version = ?4",
        );
        let query = query.bind(subject.row().subject.to_string());
        let versions = (subject.expected_version(), subject.row().version);
        write_over(&mut transaction, query, versions, subject.row()).await?;
        sqlx::query("INSERT INTO registrations (subject, key, record) VALUES (?, ?, ?)")
            .bind(registered.subject.to_string())
            .bind(registered.key.as_str())
            .bind(serde_json::to_string(&registered)?)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(registered)
    }
}

pub async fn insert_account(
    transaction: &mut Transaction,
    account: &Account,
    plan: &PlanId,
) -> Result<(), Failure> {
    sqlx::query("INSERT INTO accounts (id, plan_id, version, facts) VALUES (?, ?, ?, ?)")
        .bind(account.id.as_integer())
        .bind(plan.as_integer())
        .bind(signed(account.version))
        .bind(serde_json::to_string(account)?)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub async fn insert_subscription(
    transaction: &mut Transaction,
    subscription: &Subscription,
) -> Result<(), Failure> {
    write_subscription(transaction, 0, subscription).await
}

/// Updates an account and the plan that it is on.
pub async fn update_account(
    transaction: &mut Transaction,
    account: &RowChange<Account>,
    plan: &PlanId,
) -> Result<(), Failure> {
    let done = sqlx::query(
        "UPDATE accounts SET plan_id = ?, version = ?, facts = ? WHERE id = ? AND version = ?",
    )
    .bind(plan.as_integer())
    .bind(signed(account.row().version))
    .bind(serde_json::to_string(account.row())?)
    .bind(account.row().id.as_integer())
    .bind(signed(account.expected_version()))
    .execute(&mut **transaction)
    .await?;
    guard(done.rows_affected())
}

/// Updates a subscription.
pub async fn update_subscription(
    transaction: &mut Transaction,
    change: &RowChange<Subscription>,
) -> Result<(), Failure> {
    write_subscription(transaction, change.expected_version(), change.row()).await
}

async fn write_subscription(
    transaction: &mut Transaction,
    over: u64,
    row: &Subscription,
) -> Result<(), Failure> {
    let query = sqlx::query(
        "INSERT INTO subscriptions (account_id, stripe_subscription_id, paypal_subscription_id, version, facts) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (account_id) DO UPDATE SET stripe_subscription_id = ?2, \
         paypal_subscription_id = ?3, version = ?4, facts = ?5 WHERE version = ?6",
    );
    let query = query
        .bind(row.account.as_integer())
        .bind(&row.stripe_subscription_id)
        .bind(&row.paypal_subscription_id);
    write_over(transaction, query, (over, row.version), row).await
}
