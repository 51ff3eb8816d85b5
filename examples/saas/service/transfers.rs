//! Bank transfers in the store: claims, confirmed transfers and their refunds, each written whole or
//! not at all; and new subscriptions.

use std::sync::Arc;

use bailiwick::bank_transfer::{
    AfterRefund, BankReference, BankTransfer, Claim, ClaimRequest, ConfirmedTransfer, Deposit,
    RefundFacts, TransferFacts, TransferRefund,
};
use bailiwick::change::{Answer, RowChange};
use bailiwick::gate::{BillingAccess, Operator};
use bailiwick::id::PlanId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::scope::NotFound;
use bailiwick::subscription::Resubscription;
use bailiwick::{AccountId, Money, Policy, Subscription};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::types::Json;

use super::Store;
use super::change_sets::{update_account, update_subscription};
use super::error::AppError;
use super::ledger::{grant_all, load_wallet, revoke_all};
use super::store::{
    Failure, Transaction, load_plan, load_plans_of, load_tenant, record, retry, write_over,
};

/// The choice of a tenant that subscribes again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    plan: PlanId,
    payment_method: PaymentMethod,
}

/// An operator's answer to a claim whose transfer did not come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    account: AccountId,
    reference: BankReference,
    reason: String,
}

/// An operator's word that a transfer came.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    account: AccountId,
    transfer: BankTransfer,
    /// The claim that the transfer answers.
    #[serde(default)]
    claim: Option<BankReference>,
}

/// An operator's word that a transfer was sent back, or a part of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    receiving_account: BankReference,
    transaction: BankReference,
    /// The sum of all refunds of this transfer.
    total: Money,
    then: AfterRefund,
}

impl Store {
    /// Lists the claims of a payer's account, the latest first, and loads its deposit.
    pub async fn claims_and_deposit(
        &self,
        access: &BillingAccess,
    ) -> Result<(Vec<Claim>, Option<Deposit>), AppError> {
        let mut transaction = self.begin().await?;
        let claims: Vec<Json<Claim>> = sqlx::query_scalar(
            "SELECT record FROM claims WHERE account_id = ? ORDER BY rowid DESC",
        )
        .bind(access.account_id().as_integer())
        .fetch_all(&mut *transaction)
        .await?;
        let claims = claims.into_iter().map(|Json(claim)| claim).collect();
        let deposit = load_deposit(&mut transaction, access.account_id()).await?;
        Ok((claims, deposit))
    }

    /// Takes a tenant's claim.
    pub async fn claim(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        request: &ClaimRequest,
        now: DateTime<Utc>,
    ) -> Result<Claim, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let reference = request.reference();
            let prior = load_claim(&mut transaction, access.account_id(), reference).await?;
            let answer = policy.submit_claim(access, request.clone(), prior, now)?;
            keep_claim(transaction, answer).await
        })
        .await
    }

    /// Turns a claim down.
    pub async fn reject(
        &self,
        operator: &Operator,
        rejection: &Rejection,
    ) -> Result<Claim, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let claim = load_claim(&mut transaction, &rejection.account, &rejection.reference);
            let claim = claim.await?.ok_or(NotFound)?;
            keep_claim(transaction, claim.reject(operator, &rejection.reason)?).await
        })
        .await
    }

    /// Confirms a bank transfer.
    pub async fn confirm(
        &self,
        policy: &Policy,
        operator: &Operator,
        confirmation: &Confirmation,
        now: DateTime<Utc>,
    ) -> Result<ConfirmedTransfer, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let facts = load_transfer_facts(&mut transaction, confirmation).await?;
            let transfer = &confirmation.transfer;
            let change = match policy.confirm_bank_transfer(operator, transfer, facts, now)? {
                Answer::Replayed(record) => return Ok(record),
                Answer::Fresh(change) => change,
            };

            update_account(&mut transaction, change.account(), change.plan()).await?;
            if let Some(subscription) = change.subscription() {
                update_subscription(&mut transaction, subscription).await?;
            }
            if let Some(deposit) = change.deposit() {
                write_deposit(&mut transaction, deposit).await?;
            }
            if let Some(claim) = change.claim() {
                write_claim(&mut transaction, claim).await?;
            }
            grant_all(&mut transaction, change.grants(), now).await?;
            let record = change.record();
            write_transfer(&mut transaction, 0, record).await?;
            transaction.commit().await?;

            tracing::info!(account = %record.account, transaction = %transfer.transaction(), "transfer confirmed");
            if let Some((provider, id)) = &record.ends_at_provider {
                // A real service ends it there now, so that nothing more is charged.
                tracing::warn!(?provider, id, "paid by bank transfer now: end it at the provider");
            }
            Ok(record.clone())
        })
        .await
    }

    /// Begins a new subscription for a payer's account whose former one has ended.
    pub async fn resubscribe(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        choice: &Choice,
        now: DateTime<Utc>,
    ) -> Result<Subscription, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let tenant = load_tenant(&mut transaction, access.account_id()).await?;
            let tenant = tenant.ok_or(NotFound)?;
            let plan = load_plan(&mut transaction, &choice.plan).await?;
            let plan = plan.ok_or(NotFound)?;
            let former = tenant.subscription.ok_or(NotFound)?;

            // Months are granted under the subscription's identifier, so each subscription has one
            // of its own.
            let id = format!("{}-{}", access.account_id(), former.version).parse()?;
            let plans = load_plans_of(&mut transaction, &former).await?;
            let choice = Resubscription {
                id,
                plan: plan.into(),
                payment_method: choice.payment_method,
            };
            let next = policy.resubscribe(&tenant.account, &former, &plans, &choice, now)?;

            update_account(&mut transaction, next.account(), &choice.plan.id).await?;
            update_subscription(&mut transaction, next.subscription()).await?;
            transaction.commit().await?;
            Ok(next.subscription().row().clone())
        })
        .await
    }

    /// Records that a transfer was sent back, or a part of it.
    pub async fn refund(
        &self,
        operator: &Operator,
        refund: &Refund,
        now: DateTime<Utc>,
    ) -> Result<ConfirmedTransfer, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let to = &refund.receiving_account;
            let record = load_transfer(&mut transaction, to, &refund.transaction).await?;
            let record = record.ok_or(NotFound)?;
            let account = record.account.clone();
            let tenant = load_tenant(&mut transaction, &account).await?;
            let facts = RefundFacts {
                record,
                subscription: tenant.ok_or(NotFound)?.subscription,
                deposit: load_deposit(&mut transaction, &account).await?,
                wallet: load_wallet(&mut transaction, &account).await?,
            };
            let sent_back = TransferRefund {
                total: refund.total,
                then: refund.then,
            };
            let change = match ConfirmedTransfer::refund(operator, sent_back, facts, now)? {
                Answer::Replayed(record) => return Ok(record),
                Answer::Fresh(change) => change,
            };

            if let Some(subscription) = change.subscription() {
                update_subscription(&mut transaction, subscription).await?;
            }
            if let Some(deposit) = change.deposit() {
                write_deposit(&mut transaction, deposit).await?;
            }
            revoke_all(&mut transaction, &account, change.revocations(), now).await?;
            let record = change.record();
            write_transfer(&mut transaction, record.expected_version(), record.row()).await?;
            transaction.commit().await?;
            Ok(record.row().clone())
        })
        .await
    }
}

async fn load_transfer_facts(
    transaction: &mut Transaction,
    confirmation: &Confirmation,
) -> Result<TransferFacts, Failure> {
    let account = &confirmation.account;
    let transfer = &confirmation.transfer;
    let tenant = load_tenant(transaction, account).await?.ok_or(NotFound)?;

    // The transfer pays for the next plan, where a change is pending.
    let plan = match &tenant.subscription {
        Some(subscription) => {
            let next = load_plan(transaction, subscription.next_plan()).await?;
            Arc::new(next.ok_or(NotFound)?)
        }
        None => tenant.plan.ok_or(NotFound)?,
    };
    let claim = match &confirmation.claim {
        Some(reference) => {
            let claim = load_claim(transaction, account, reference).await?;
            Some(claim.ok_or(NotFound)?)
        }
        None => None,
    };
    let to = transfer.receiving_account();

    Ok(TransferFacts {
        account: tenant.account,
        plan,
        subscription: tenant.subscription,
        deposit: load_deposit(transaction, account).await?,
        claim,
        prior: load_transfer(transaction, to, transfer.transaction()).await?,
    })
}

async fn load_claim(
    transaction: &mut Transaction,
    account: &AccountId,
    reference: &BankReference,
) -> Result<Option<Claim>, sqlx::Error> {
    let query =
        sqlx::query_scalar("SELECT record FROM claims WHERE account_id = ? AND reference = ?")
            .bind(account.as_integer())
            .bind(reference.as_str());
    record(transaction, query).await
}

/// Writes a claim if it is new or has changed, and returns it.
async fn keep_claim(
    mut transaction: Transaction,
    answer: Answer<RowChange<Claim>, Claim>,
) -> Result<Claim, Failure> {
    match answer {
        Answer::Replayed(claim) => Ok(claim),
        Answer::Fresh(change) => {
            write_claim(&mut transaction, &change).await?;
            transaction.commit().await?;
            Ok(change.into_row())
        }
    }
}

async fn write_claim(
    transaction: &mut Transaction,
    change: &RowChange<Claim>,
) -> Result<(), Failure> {
    let claim = change.row();
    let query = sqlx::query(
        "INSERT INTO claims (account_id, reference, version, record) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (account_id, reference) DO UPDATE SET version = ?3, record = ?4 WHERE version = ?5",
    )
    .bind(claim.account.as_integer())
    .bind(claim.facts.reference().as_str());
    let versions = (change.expected_version(), claim.version);
    write_over(transaction, query, versions, claim).await
}

pub async fn load_deposit(
    transaction: &mut Transaction,
    account: &AccountId,
) -> Result<Option<Deposit>, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT record FROM deposits WHERE account_id = ?")
        .bind(account.as_integer());
    record(transaction, query).await
}

pub async fn write_deposit(
    transaction: &mut Transaction,
    change: &RowChange<Deposit>,
) -> Result<(), Failure> {
    let deposit = change.row();
    let query = sqlx::query(
        "INSERT INTO deposits (account_id, version, record) VALUES (?1, ?2, ?3) \
         ON CONFLICT (account_id) DO UPDATE SET version = ?2, record = ?3 WHERE version = ?4",
    )
    .bind(deposit.account.as_integer());
    let versions = (change.expected_version(), deposit.version);
    write_over(transaction, query, versions, deposit).await
}

async fn load_transfer(
    transaction: &mut Transaction,
    receiving_account: &BankReference,
    transaction_id: &BankReference,
) -> Result<Option<ConfirmedTransfer>, sqlx::Error> {
    let query = sqlx::query_scalar(
        "SELECT record FROM transfers WHERE receiving_account = ? AND transaction_id = ?",
    )
    .bind(receiving_account.as_str())
    .bind(transaction_id.as_str());
    record(transaction, query).await
}

/// Writes the record of a transfer over a version, which is 0 if there must be none yet.
async fn write_transfer(
    transaction: &mut Transaction,
    over: u64,
    record: &ConfirmedTransfer,
) -> Result<(), Failure> {
    let query = sqlx::query(
        "INSERT INTO transfers (receiving_account, transaction_id, version, record) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (receiving_account, transaction_id) DO UPDATE SET version = ?3, record = ?4 WHERE version = ?5",
    )
    .bind(record.transfer.receiving_account().as_str())
    .bind(record.transfer.transaction().as_str());
    write_over(transaction, query, (over, record.version), record).await
}
