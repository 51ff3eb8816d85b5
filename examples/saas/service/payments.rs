//! Payments in the store: claims, confirmed transfers and their refunds, and what providers report.
//! Each is written whole or not at all.

use std::sync::Arc;

use bailiwick::bank_transfer::{
    AfterRefund, BankReference, BankTransfer, Claim, ClaimRequest, ConfirmedTransfer, Deposit,
    RefundFacts, TransferFacts, TransferRefund,
};
use bailiwick::change::{Answer, RowChange};
use bailiwick::gate::{BillingAccess, Operator};
use bailiwick::id::PlanId;
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::provider::{
    AdoptError, AdoptionFacts, Freshness, PaidInvoice, PaymentFacts, ProviderPayment,
    ProviderSnapshot,
};
use bailiwick::scope::NotFound;
use bailiwick::{AccountId, Money, Plan, Policy, Subscription, Tenant};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::types::Json;

use super::Store;
use super::change_sets::{update_account, update_subscription};
use super::error::AppError;
use super::ledger::{grant_all, load_wallet, revoke_all};
use super::store::{Failure, Transaction, load_plan, load_tenant, retry, write_over};

/// What a tenant chooses who subscribes again.
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

/// What a provider's event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// Something changed.
    Adopted,
    /// It was known already, or is older than what is known.
    Known,
    /// Two reports of one time disagree: the subscription should be fetched from the provider.
    Disputed,
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
            let method = choice.payment_method;
            let next = policy.resubscribe(&tenant.account, &former, id, &plan, method, now)?;

            update_account(&mut transaction, next.account(), &plan.id).await?;
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
            let (to, id) = (&refund.receiving_account, &refund.transaction);
            let record = load_transfer(&mut transaction, to, id).await?;
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

    /// Adopts what a provider says of a subscription.
    pub async fn adopt(
        &self,
        policy: &Policy,
        snapshot: &ProviderSnapshot,
        now: DateTime<Utc>,
    ) -> Result<Reported, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let tenant = load_reported(
                &mut transaction,
                snapshot.provider,
                &snapshot.subscription,
                snapshot.reference.as_deref(),
            )
            .await?;
            let plan = load_plan_of_price(&mut transaction, &snapshot.price).await?;
            let current = tenant.plan.ok_or(NotFound)?;
            let account = tenant.account.id.clone();
            let facts = AdoptionFacts {
                account: tenant.account,
                subscription: tenant.subscription.ok_or(NotFound)?,
                plan: plan.into(),
            };
            let adoption = match policy.adopt_snapshot(snapshot, facts, now) {
                // The account pays in another way by now. A refusal would only make the provider
                // send the event again, for days.
                Err(refused @ AdoptError::OtherMethod(_)) => {
                    tracing::warn!(%account, %refused, "not adopted");
                    return Ok(Reported::Known);
                }
                adoption => adoption?,
            };

            if let Some(transition) = adoption.transition() {
                let (from, to) = (transition.from(), transition.to());
                let step = adoption.plausibility();
                tracing::info!(%account, %from, %to, ?step, "adopted");
                update_subscription(&mut transaction, &transition.clone().into_change()).await?;
            }
            if let Some(change) = adoption.account() {
                let plan = adoption.plan().unwrap_or(&current.id);
                update_account(&mut transaction, change, plan).await?;
            }
            grant_all(&mut transaction, adoption.grants(), now).await?;
            transaction.commit().await?;

            Ok(match adoption.freshness() {
                Freshness::Newer => Reported::Adopted,
                Freshness::Same | Freshness::Stale => Reported::Known,
                Freshness::Tie => Reported::Disputed,
            })
        })
        .await
    }

    /// Records a payment that a provider received.
    pub async fn record_payment(
        &self,
        policy: &Policy,
        payment: &ProviderPayment,
        now: DateTime<Utc>,
    ) -> Result<Reported, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let tenant = load_reported(
                &mut transaction,
                payment.provider,
                &payment.subscription,
                payment.reference.as_deref(),
            )
            .await?;
            let current = tenant.plan.ok_or(NotFound)?;
            let plan = match &payment.price {
                Some(price) => load_plan_of_price(&mut transaction, price).await?.into(),
                None => current.clone(),
            };
            let account = tenant.account.id.clone();
            let facts = PaymentFacts {
                account: tenant.account,
                subscription: tenant.subscription.ok_or(NotFound)?,
                plan,
                prior: load_invoice(&mut transaction, &account, payment).await?,
                current_plan: current.clone(),
            };
            let change = match policy.record_provider_payment(payment, facts, now)? {
                Answer::Replayed(_) => return Ok(Reported::Known),
                Answer::Fresh(change) => change,
            };

            update_subscription(&mut transaction, change.subscription()).await?;
            if let Some(account) = change.account() {
                update_account(&mut transaction, account, &current.id).await?;
            }
            grant_all(&mut transaction, change.grants(), now).await?;
            sqlx::query(
                "INSERT INTO invoices (account_id, provider, invoice, record) VALUES (?, ?, ?, ?)",
            )
            .bind(account.as_integer())
            .bind(payment.provider.payment_method().as_str())
            .bind(&payment.invoice)
            .bind(Json(change.record()))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(Reported::Adopted)
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
    let (to, id) = (transfer.receiving_account(), transfer.transaction());

    Ok(TransferFacts {
        account: tenant.account,
        plan,
        subscription: tenant.subscription,
        deposit: load_deposit(transaction, account).await?,
        claim,
        prior: load_transfer(transaction, to, id).await?,
    })
}

/// Loads the tenant of a provider's subscription, found by the provider's identifier. Stripe's
/// first report of a subscription is found by the reference that this service's own server left
/// there; PayPal's reports have none.
async fn load_reported(
    transaction: &mut Transaction,
    provider: Provider,
    subscription: &str,
    reference: Option<&str>,
) -> Result<Tenant, Failure> {
    let text = match provider {
        Provider::Stripe => "SELECT account_id FROM subscriptions WHERE stripe_subscription_id = ?",
        Provider::Paypal => "SELECT account_id FROM subscriptions WHERE paypal_subscription_id = ?",
    };
    let known: Option<i64> = sqlx::query_scalar(text)
        .bind(subscription)
        .fetch_optional(&mut **transaction)
        .await?;

    // Here the identifiers of subscriptions begin with their account's.
    let referred = reference.and_then(|reference| reference.split('-').next()?.parse().ok());
    let account = known.map(AccountId::from).or(referred).ok_or(NotFound)?;
    Ok(load_tenant(transaction, &account).await?.ok_or(NotFound)?)
}

/// Loads the plan that a provider's price stands for. Here prices are named after the plans:
/// `price_1` and so on.
async fn load_plan_of_price(transaction: &mut Transaction, price: &str) -> Result<Plan, Failure> {
    let id = price.strip_prefix("price_").and_then(|id| id.parse().ok());
    let plan = load_plan(transaction, &id.ok_or(NotFound)?).await?;
    Ok(plan.ok_or(NotFound)?)
}

async fn load_invoice(
    transaction: &mut Transaction,
    account: &AccountId,
    payment: &ProviderPayment,
) -> Result<Option<PaidInvoice>, sqlx::Error> {
    let invoice: Option<Json<PaidInvoice>> = sqlx::query_scalar(
        "SELECT record FROM invoices WHERE account_id = ? AND provider = ? AND invoice = ?",
    )
    .bind(account.as_integer())
    .bind(payment.provider.payment_method().as_str())
    .bind(&payment.invoice)
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(invoice.map(|Json(invoice)| invoice))
}

async fn load_claim(
    transaction: &mut Transaction,
    account: &AccountId,
    reference: &BankReference,
) -> Result<Option<Claim>, sqlx::Error> {
    let claim: Option<Json<Claim>> =
        sqlx::query_scalar("SELECT record FROM claims WHERE account_id = ? AND reference = ?")
            .bind(account.as_integer())
            .bind(reference.as_str())
            .fetch_optional(&mut **transaction)
            .await?;
    Ok(claim.map(|Json(claim)| claim))
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
    let deposit: Option<Json<Deposit>> =
        sqlx::query_scalar("SELECT record FROM deposits WHERE account_id = ?")
            .bind(account.as_integer())
            .fetch_optional(&mut **transaction)
            .await?;
    Ok(deposit.map(|Json(deposit)| deposit))
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
    let record: Option<Json<ConfirmedTransfer>> = sqlx::query_scalar(
        "SELECT record FROM transfers WHERE receiving_account = ? AND transaction_id = ?",
    )
    .bind(receiving_account.as_str())
    .bind(transaction_id.as_str())
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(record.map(|Json(record)| record))
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
