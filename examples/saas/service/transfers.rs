//! Bank transfers in the store: confirmations, refunds and retractions, each written whole or not at
//! all.

use bailiwick::bank_transfer::{
    AfterRefund, BankReference, BankTransfer, Claim, ConfirmedTransfer, Deposit, RefundFacts,
    RetractionFacts, TransferFacts, TransferRefund,
};
use bailiwick::change::{Answer, RowChange};
use bailiwick::charge::Charge;
use bailiwick::gate::{BillingAccess, Operator};
use bailiwick::id::SubscriptionId;
use bailiwick::paid_time::PaidTime;
use bailiwick::scope::NotFound;
use bailiwick::{AccountId, Money, Policy, Subscription};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use sqlx::types::Json;

use super::Store;
use super::change_sets::{update_account, update_subscription};
use super::charges::{load_charge, load_charge_by_reference, write_charge};
use super::claims::{load_claim, write_claim};
use super::error::AppError;
use super::ledger::{grant_all, revoke_all};
use super::paid_time::{keep_paid_time, load_paid_time};
use super::store::{Failure, Transaction, load_tenant, plan_to_pay, record, retry, write_over};

/// An operator's word that a transfer came.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    account: AccountId,
    transfer: BankTransfer,
    /// The claim that the transfer answers.
    #[serde(default)]
    claim: Option<BankReference>,
    /// The reference of the charge that the transfer pays. A claim may carry it instead.
    #[serde(default)]
    charge: Option<BankReference>,
}

impl Confirmation {
    /// Creates the confirmation of a transfer that answers no claim and names no charge.
    pub fn of(account: AccountId, transfer: BankTransfer) -> Self {
        Self {
            account,
            transfer,
            claim: None,
            charge: None,
        }
    }
}

/// The confirmation of a transfer that is meant: the whole key of its row, so that a request that is
/// repeated late cannot meet another one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferKey {
    receiving_account: BankReference,
    transaction: BankReference,
    booked_on: NaiveDate,
    /// How often the transfer was confirmed and retracted before.
    #[serde(default)]
    retractions: u32,
}

/// An operator's word that a transfer was sent back, or a part of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    transfer: TransferKey,
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
            write_optional(&mut transaction, change.subscription(), change.deposit()).await?;
            if let Some(claim) = change.claim() {
                write_claim(&mut transaction, claim).await?;
            }
            if let Some(charge) = change.charge() {
                write_charge(&mut transaction, charge).await?;
            }
            keep_paid_time(&mut transaction, policy, change.paid_time(), now).await?;
            grant_all(&mut transaction, change.grants(), now).await?;
            let record = change.record();
            write_transfer(&mut transaction, 0, record).await?;
            transaction.commit().await?;

            tracing::info!(account = %record.account, transaction = %transfer.transaction(), "transfer confirmed");
            if let Some(reason) = change.not_payable() {
                // A real service shows its operator why the money is a deposit now.
                tracing::warn!(%reason, "the charge was not paid");
            }
            if let Some((provider, id)) = &record.ends_at_provider {
                // A real service ends it there now, so that nothing more is charged.
                tracing::warn!(?provider, id, "paid by bank transfer now: end it at the provider");
            }
            Ok(record.clone())
        })
        .await
    }

    /// Records that a transfer was sent back, or a part of it.
    pub async fn refund(
        &self,
        policy: &Policy,
        operator: &Operator,
        refund: &Refund,
        now: DateTime<Utc>,
    ) -> Result<ConfirmedTransfer, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let record = load_transfer(&mut transaction, &refund.transfer).await?;
            let account = record.account.clone();
            let tenant = load_tenant(&mut transaction, &account).await?;
            let paid = record.subscription.as_ref();
            let facts = RefundFacts {
                paid_time: load_paid_time_of(&mut transaction, &account, paid).await?,
                record,
                subscription: tenant.ok_or(NotFound)?.subscription,
                deposit: load_deposit(&mut transaction, &account).await?,
            };
            let sent_back = TransferRefund {
                total: refund.total,
                then: refund.then,
            };
            let change = match ConfirmedTransfer::refund(operator, sent_back, facts, now)? {
                Answer::Replayed(record) => return Ok(record),
                Answer::Fresh(change) => change,
            };

            write_optional(&mut transaction, change.subscription(), change.deposit()).await?;
            keep_paid_time(&mut transaction, policy, change.paid_time(), now).await?;
            revoke_all(&mut transaction, &account, change.revocations(), now).await?;
            let record = change.record();
            write_transfer(&mut transaction, record.expected_version(), record.row()).await?;
            transaction.commit().await?;
            Ok(record.row().clone())
        })
        .await
    }

    /// Takes a confirmation back: the transfer bounced, or was confirmed for the wrong account.
    pub async fn retract(
        &self,
        policy: &Policy,
        operator: &Operator,
        key: &TransferKey,
        now: DateTime<Utc>,
    ) -> Result<ConfirmedTransfer, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let record = load_transfer(&mut transaction, key).await?;
            let account = record.account.clone();
            let tenant = load_tenant(&mut transaction, &account).await?;
            let tenant = tenant.ok_or(NotFound)?;
            let plan = tenant.plan.as_ref().ok_or(NotFound)?.id.clone();
            let paid = record.subscription.as_ref();
            let claim = match &record.claim {
                Some(reference) => load_claim(&mut transaction, &account, reference).await?,
                None => None,
            };
            let charge = match &record.charge {
                Some(id) => load_charge(&mut transaction, &account, id).await?,
                None => None,
            };
            let facts = RetractionFacts {
                charge,
                paid_time: load_paid_time_of(&mut transaction, &account, paid).await?,
                record,
                account: tenant.account,
                subscription: tenant.subscription,
                deposit: load_deposit(&mut transaction, &account).await?,
                claim,
            };
            let change = match ConfirmedTransfer::retract(operator, facts, now)? {
                Answer::Replayed(record) => return Ok(record),
                Answer::Fresh(change) => change,
            };

            let plan = change.plan().unwrap_or(&plan);
            update_account(&mut transaction, change.account(), plan).await?;
            write_optional(&mut transaction, change.subscription(), change.deposit()).await?;
            if let Some(claim) = change.claim() {
                write_claim(&mut transaction, claim).await?;
            }
            if let Some(charge) = change.charge() {
                write_charge(&mut transaction, charge).await?;
            }
            keep_paid_time(&mut transaction, policy, change.paid_time(), now).await?;
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

    let claim = match &confirmation.claim {
        Some(reference) => {
            let claim = load_claim(transaction, account, reference).await?;
            Some(claim.ok_or(NotFound)?)
        }
        None => None,
    };
    let paid = tenant.subscription.as_ref().map(|paid| &paid.id);

    Ok(TransferFacts {
        charge: load_charge_to_pay(transaction, confirmation).await?,
        paid_time: load_paid_time_of(transaction, account, paid).await?,
        plan: plan_to_pay(&tenant)?,
        account: tenant.account,
        subscription: tenant.subscription,
        deposit: load_deposit(transaction, account).await?,
        claim,
        prior: load_namesakes(transaction, transfer).await?,
    })
}

/// Finds the charge that a transfer pays: the one that the operator names, or else the one whose
/// reference the tenant claimed, if there is such a one.
async fn load_charge_to_pay(
    transaction: &mut Transaction,
    confirmation: &Confirmation,
) -> Result<Option<Charge>, Failure> {
    let named = confirmation.charge.as_ref();
    let Some(reference) = named.or(confirmation.claim.as_ref()) else {
        return Ok(None);
    };
    let charge = load_charge_by_reference(transaction, &confirmation.account, reference).await?;

    NotFound::unless(charge.is_some() || named.is_none())?;
    Ok(charge)
}

async fn load_paid_time_of(
    transaction: &mut Transaction,
    account: &AccountId,
    subscription: Option<&SubscriptionId>,
) -> Result<Option<PaidTime>, sqlx::Error> {
    match subscription {
        Some(id) => load_paid_time(transaction, account, id).await.map(Some),
        None => Ok(None),
    }
}

/// Writes the rows that a transfer may leave as they are.
async fn write_optional(
    transaction: &mut Transaction,
    subscription: Option<&RowChange<Subscription>>,
    deposit: Option<&RowChange<Deposit>>,
) -> Result<(), Failure> {
    if let Some(subscription) = subscription {
        update_subscription(transaction, subscription).await?;
    }
    if let Some(deposit) = deposit {
        write_deposit(transaction, deposit).await?;
    }
    Ok(())
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
    key: &TransferKey,
) -> Result<ConfirmedTransfer, Failure> {
    let query = sqlx::query_scalar(
        "SELECT record FROM transfers WHERE receiving_account = ? AND transaction_id = ? \
         AND booked_on = ? AND retractions = ?",
    )
    .bind(key.receiving_account.as_str())
    .bind(key.transaction.as_str())
    .bind(key.booked_on.to_string())
    .bind(key.retractions);
    Ok(record(transaction, query).await?.ok_or(NotFound)?)
}

/// Lists the transfers of the same identifier: of every day, and the retracted ones too.
async fn load_namesakes(
    transaction: &mut Transaction,
    transfer: &BankTransfer,
) -> Result<Vec<ConfirmedTransfer>, sqlx::Error> {
    let records: Vec<Json<ConfirmedTransfer>> = sqlx::query_scalar(
        "SELECT record FROM transfers WHERE receiving_account = ? AND transaction_id = ?",
    )
    .bind(transfer.receiving_account().as_str())
    .bind(transfer.transaction().as_str())
    .fetch_all(&mut **transaction)
    .await?;
    Ok(records.into_iter().map(|Json(record)| record).collect())
}

/// Writes the record of a transfer over a version, which is 0 if there must be none yet.
async fn write_transfer(
    transaction: &mut Transaction,
    over: u64,
    record: &ConfirmedTransfer,
) -> Result<(), Failure> {
    let day = record.transfer.booked_on().map(|day| day.to_string());
    let query = sqlx::query(
        "INSERT INTO transfers (receiving_account, transaction_id, booked_on, retractions, version, record) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (receiving_account, transaction_id, booked_on, retractions) \
         DO UPDATE SET version = ?5, record = ?6 WHERE version = ?7",
    )
    .bind(record.transfer.receiving_account().as_str())
    .bind(record.transfer.transaction().as_str())
    .bind(day.unwrap_or_default())
    .bind(record.retractions);
    write_over(transaction, query, (over, record.version), record).await
}
