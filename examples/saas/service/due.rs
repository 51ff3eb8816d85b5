//! Jobs: ends, renewals and gifts that time alone makes due. Nobody is let in for want of them,
//! since the gate looks at the time itself.

use bailiwick::bank_transfer::DepositFacts;
use bailiwick::scope::NotFound;
use bailiwick::{AccountId, Policy};
use chrono::{DateTime, Utc};

use super::Store;
use super::change_sets::{update_account, update_subscription};
use super::error::AppError;
use super::ledger::grant_free_credits;
use super::paid_time::{keep_paid_time, load_paid_time};
use super::store::{Failure, Transaction, load_tenant, plan_to_pay, plans_of, retry};
use super::subscriptions::keep_all;
use super::transfers::{load_deposit, write_deposit};

impl Store {
    /// Ends what is over, renews what a deposit can pay for, and gives what free plans give, account
    /// by account, each in a transaction of its own.
    pub async fn carry_out_due(&self, policy: &Policy, now: DateTime<Utc>) -> Result<(), AppError> {
        let mut transaction = self.begin().await?;
        let accounts: Vec<i64> = sqlx::query_scalar("SELECT id FROM accounts")
            .fetch_all(&mut *transaction)
            .await?;
        transaction.rollback().await?;

        for account in accounts {
            let account = account.into();
            let carried_out = retry(async || {
                let mut transaction = self.begin().await?;
                carry_out(&mut transaction, policy, &account, now).await?;

                let tenant = load_tenant(&mut transaction, &account).await?;
                let plan = tenant.and_then(|tenant| tenant.plan).ok_or(NotFound)?;
                grant_free_credits(&mut transaction, policy, &account, &plan, now).await?;
                transaction.commit().await?;
                Ok(())
            })
            .await;

            // What is wrong with one account must not hold up the others.
            if let Err(fault) = carried_out {
                tracing::error!(%account, ?fault, "what is due could not be carried out");
            }
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
    let plans = plans_of(&tenant);
    let plan = plan_to_pay(&tenant)?;
    let Some(subscription) = tenant.subscription else {
        return Ok(());
    };

    // The deposit comes first: what it can pay for does not end.
    let deposit = load_deposit(transaction, account).await?;
    if let Some(deposit) = deposit.filter(|_| plan.needs_subscription) {
        let facts = DepositFacts {
            account: tenant.account.clone(),
            plan,
            subscription: subscription.clone(),
            paid_time: load_paid_time(transaction, account, &subscription.id).await?,
            deposit,
        };
        if let Some(change) = policy.apply_deposit(facts, now)? {
            update_account(transaction, change.account(), change.plan()).await?;
            update_subscription(transaction, change.subscription()).await?;
            write_deposit(transaction, change.deposit()).await?;
            return keep_paid_time(transaction, policy, change.paid_time(), now).await;
        }
    }

    let due = policy.advance_subscription(&subscription, &plans, now);
    keep_all(transaction, policy, tenant.account, subscription, due, now).await?;
    Ok(())
}
