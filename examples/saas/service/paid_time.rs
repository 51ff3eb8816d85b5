//! Paid time in the store: what was paid for a subscription, and the wallet that follows it.

use bailiwick::change::RowChange;
use bailiwick::id::SubscriptionId;
use bailiwick::paid_time::{PaidTime, Schedule};
use bailiwick::{AccountId, Policy, Tenant};
use chrono::{DateTime, Utc};

use super::Store;
use super::ledger::{load_wallet, write_wallet};
use super::store::{Failure, Transaction, record, write_over};

impl Store {
    /// Returns what a tenant has paid for its present subscription.
    pub async fn schedule(&self, tenant: &Tenant) -> Result<Option<Schedule>, sqlx::Error> {
        let Some(paid) = &tenant.subscription else {
            return Ok(None);
        };
        let mut transaction = self.begin().await?;
        let paid_time = load_paid_time(&mut transaction, &paid.account, &paid.id).await?;
        Ok(Some(paid_time.schedule()))
    }
}

/// Loads what was paid for a subscription.
pub async fn load_paid_time(
    transaction: &mut Transaction,
    account: &AccountId,
    subscription: &SubscriptionId,
) -> Result<PaidTime, sqlx::Error> {
    let query = sqlx::query_scalar(
        "SELECT record FROM paid_time WHERE account_id = ? AND subscription_id = ?",
    )
    .bind(account.as_integer())
    .bind(subscription.to_string());

    // A row that nobody has written yet says that nothing was paid.
    let stored = record(transaction, query).await?;
    let nothing = || PaidTime::new(account.clone(), subscription.clone());
    Ok(stored.unwrap_or_else(nothing))
}

/// Writes what was paid, and sets the wallet to it, in the transaction of the change that recorded
/// it.
pub async fn keep_paid_time(
    transaction: &mut Transaction,
    policy: &Policy,
    change: Option<&RowChange<PaidTime>>,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let Some(change) = change else { return Ok(()) };
    let row = change.row();
    let query = sqlx::query(
        "INSERT INTO paid_time (account_id, subscription_id, version, record) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (account_id, subscription_id) DO UPDATE SET version = ?3, record = ?4 WHERE version = ?5",
    )
    .bind(row.account().as_integer())
    .bind(row.subscription().to_string());
    let versions = (change.expected_version(), row.version());
    write_over(transaction, query, versions, row).await?;

    let wallet = load_wallet(transaction, row.account()).await?;
    if let Some(change) = wallet.align(&row.schedule(), policy.align_terms(), now)? {
        write_wallet(transaction, &change).await?;
        for difference in &change.alignment().before_memory {
            // Too old for the wallet to set right: a real service lists it for its operators.
            tracing::warn!(account = %row.account(), ?difference, "decide by hand");
        }
    }
    Ok(())
}
