//! Jobs: ends and renewals that time alone makes due. No access waits for them, since the gate looks
//! at the time itself.

use std::sync::Arc;

use bailiwick::bank_transfer::DepositFacts;
use bailiwick::scope::NotFound;
use bailiwick::subscription::Effect;
use bailiwick::{AccountId, Policy, Subscription};
use chrono::{DateTime, Utc};

use super::Store;
use super::change_sets::{update_account, update_subscription};
use super::error::AppError;
use super::ledger::grant_all;
use super::store::{Failure, Transaction, load_plan, load_plans_of, load_tenant, retry};
use super::transfers::{load_deposit, write_deposit};

impl Store {
    /// Ends what is over and renews what a deposit can pay for, account by account, each in a
    /// transaction of its own.
    pub async fn carry_out_due(&self, policy: &Policy, now: DateTime<Utc>) -> Result<(), AppError> {
        let mut transaction = self.begin().await?;
        let accounts: Vec<i64> = sqlx::query_scalar("SELECT account_id FROM subscriptions")
            .fetch_all(&mut *transaction)
            .await?;
        transaction.rollback().await?;

        for account in accounts {
            retry(async || {
                let mut transaction = self.begin().await?;
                carry_out(&mut transaction, policy, &account.into(), now).await?;
                transaction.commit().await?;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

async fn carry_out(
    transaction: &mut Transaction,
    policy: &Policy,
    account: &AccountId,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let tenant = load_tenant(transaction, account).await?.ok_or(NotFound)?;
    let Some(subscription) = tenant.subscription else {
        return Ok(());
    };

    // The deposit comes first: what it can pay for does not end.
    if let Some(deposit) = load_deposit(transaction, account).await? {
        let plan = load_plan(transaction, subscription.next_plan()).await?;
        let facts = DepositFacts {
            account: tenant.account.clone(),
            plan: Arc::new(plan.ok_or(NotFound)?),
            subscription: subscription.clone(),
            deposit,
        };
        if let Some(change) = policy.apply_deposit(facts, now)? {
            update_account(transaction, change.account(), change.plan()).await?;
            update_subscription(transaction, change.subscription()).await?;
            write_deposit(transaction, change.deposit()).await?;
            return grant_all(transaction, change.grants(), now).await;
        }
    }

    let mut account = tenant.account;
    let plans = load_plans_of(transaction, &subscription).await?;
    for transition in policy.advance_subscription(&subscription, &plans, now) {
        let plan = load_plan(transaction, &transition.subscription().plan).await?;
        let plan = plan.ok_or(NotFound)?;
        if let Some(change) = account.after(&transition) {
            update_account(transaction, &change, &plan.id).await?;
            account = change.into_row();
        }
        for effect in transition.effects() {
            notify(transition.subscription(), effect);
        }
        grant_all(transaction, &transition.grants(&plan), now).await?;
        update_subscription(transaction, &transition.into_change()).await?;
    }
    Ok(())
}

/// Tells the tenant. A real service writes a message into its outbox here, in the same transaction.
fn notify(subscription: &Subscription, effect: &Effect) {
    tracing::info!(account = %subscription.account, notice = effect.label(), "due");
}
