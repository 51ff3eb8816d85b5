//! Registration in the store, whole or not at all; and the rows of accounts and subscriptions.

use std::sync::Arc;

use bailiwick::change::{Answer, RowChange};
use bailiwick::credit::IdempotencyKey;
use bailiwick::id::PlanId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::registration::{
    Registered, Registration, RegistrationFacts, Subject, SubjectRecord,
};
use bailiwick::scope::NotFound;
use bailiwick::{Account, Policy, Subscription};
use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::Store;
use super::error::AppError;
use super::ledger::write_wallet;
use super::store::{Failure, Transaction, guard, load_plan, record, retry, signed, write_over};

/// A newcomer's request. The store chooses the identifiers.
pub struct Newcomer {
    pub key: IdempotencyKey,
    pub subject: Subject,
    pub plan: PlanId,
    pub payment_method: PaymentMethod,
    /// The end of the trial to begin with, if one is asked for.
    pub trial_until: Option<DateTime<Utc>>,
}

impl Store {
    /// Registers a newcomer.
    pub async fn register(
        &self,
        policy: &Policy,
        newcomer: Newcomer,
        now: DateTime<Utc>,
    ) -> Result<Registered, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let request = choose_identifiers(&mut transaction, &newcomer).await?;
            let facts = load_facts(&mut transaction, &request).await?;
            let change = match policy.register(&request, facts, now)? {
                Answer::Replayed(earlier) => return Ok(earlier),
                Answer::Fresh(change) => change,
            };

            let registered = change.registered();
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
            for change in change.wallets() {
                write_wallet(&mut transaction, change).await?;
            }

            let subject = change.subject();
            write_subject(&mut transaction, subject.expected_version(), subject.row()).await?;
            sqlx::query("INSERT INTO registrations (subject, key, record) VALUES (?, ?, ?)")
                .bind(registered.subject.to_string())
                .bind(registered.key.as_str())
                .bind(Json(registered))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(registered.clone())
        })
        .await
    }
}

/// Chooses the identifiers of a newcomer's rows: the next ones that are free. The transaction is
/// the only writer, so nobody else takes them. A service that deletes accounts must not give their
/// identifiers out again: use AUTOINCREMENT, or random identifiers.
async fn choose_identifiers(
    transaction: &mut Transaction,
    newcomer: &Newcomer,
) -> Result<Registration, Failure> {
    let plan = load_plan(transaction, &newcomer.plan).await?;
    let (account, owner, site): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT coalesce(max(id), 0) + 1 FROM accounts), (SELECT coalesce(max(id), 0) + 1 FROM users), \
         (SELECT coalesce(max(id), 0) + 1 FROM sites)",
    )
    .fetch_one(&mut **transaction)
    .await?;

    Ok(Registration {
        key: newcomer.key.clone(),
        subject: newcomer.subject,
        plan: Arc::new(plan.ok_or(NotFound)?),
        payment_method: newcomer.payment_method,
        account: account.into(),
        owner: owner.into(),
        site: site.into(),
        subscription: account.into(),
        trial_until: newcomer.trial_until,
    })
}

/// Loads what is known of the request's key and of the person.
async fn load_facts(
    transaction: &mut Transaction,
    request: &Registration,
) -> Result<RegistrationFacts, sqlx::Error> {
    let subject = request.subject.to_string();
    let by_key =
        sqlx::query_scalar("SELECT record FROM registrations WHERE subject = ? AND key = ?")
            .bind(&subject)
            .bind(request.key.as_str());
    let by_subject =
        sqlx::query_scalar("SELECT record FROM subjects WHERE subject = ?").bind(&subject);
    Ok(RegistrationFacts {
        by_key: record(transaction, by_key).await?,
        by_subject: record(transaction, by_subject).await?,
    })
}

/// Writes the registry's row of an identity over a version, which is 0 if there must be none yet.
pub async fn write_subject(
    transaction: &mut Transaction,
    over: u64,
    row: &SubjectRecord,
) -> Result<(), Failure> {
    let query = sqlx::query(
        "INSERT INTO subjects (subject, version, record) VALUES (?1, ?2, ?3) \
         ON CONFLICT (subject) DO UPDATE SET version = ?2, record = ?3 WHERE version = ?4",
    )
    .bind(row.subject.to_string());
    write_over(transaction, query, (over, row.version), row).await
}

pub async fn insert_account(
    transaction: &mut Transaction,
    account: &Account,
    plan: &PlanId,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO accounts (id, plan_id, version, facts) VALUES (?, ?, ?, ?)")
        .bind(account.id.as_integer())
        .bind(plan.as_integer())
        .bind(signed(account.version))
        .bind(Json(account))
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
    change: &RowChange<Account>,
    plan: &PlanId,
) -> Result<(), Failure> {
    let account = change.row();
    let done = sqlx::query(
        "UPDATE accounts SET plan_id = ?, version = ?, facts = ? WHERE id = ? AND version = ?",
    )
    .bind(plan.as_integer())
    .bind(signed(account.version))
    .bind(Json(account))
    .bind(account.id.as_integer())
    .bind(signed(change.expected_version()))
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
    )
    .bind(row.account.as_integer())
    .bind(&row.stripe_subscription_id)
    .bind(&row.paypal_subscription_id);
    write_over(transaction, query, (over, row.version), row).await
}
