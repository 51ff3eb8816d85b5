//! Payments in the store: claims, confirmed transfers and their refunds, and what providers report.
//! Each is one change set, whole or not at all.

use std::sync::Arc;

use bailiwick::bank_transfer::{
    BankReference, BankTransfer, Claim, ClaimRequest, ConfirmedTransfer, Deposit, RefundFacts,
    TransferFacts, TransferRefund,
};
use bailiwick::change::{Answer, RowChange};
use bailiwick::gate::{BillingAccess, Operator};
use bailiwick::id::PlanId;
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::provider::{
    AdoptError, AdoptionFacts, Freshness, PaymentFacts, ProviderPayment, ProviderSnapshot,
};
use bailiwick::scope::NotFound;
use bailiwick::{AccountId, Plan, Policy, Subscription};
use chrono::{DateTime, Utc};

use super::Store;
use super::change_sets::{update_account, update_subscription};
use super::error::AppError;
use super::ledger::{grant_all, load_wallet, revoke_all};
use super::store::{Failure, Transaction, load_plan, load_tenant, parse, retry, write_over};

/// What a webhook did.
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
    /// The claims of a payer's account, the latest first, and its deposit.
    pub async fn claims_and_deposit(
        &self,
        access: &BillingAccess,
    ) -> Result<(Vec<Claim>, Option<Deposit>), AppError> {
        let mut transaction = self.begin().await?;
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT record FROM claims WHERE account_id = ? ORDER BY rowid DESC")
                .bind(access.account_id().as_integer())
                .fetch_all(&mut *transaction)
                .await?;
        let claims = rows
            .iter()
            .map(|(record,)| serde_json::from_str(record))
            .collect::<Result<_, _>>()?;
        Ok((
            claims,
            load_deposit(&mut transaction, access.account_id()).await?,
        ))
    }

    /// Takes a tenant's claim.
    pub async fn claim(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        facts: &ClaimRequest,
        now: DateTime<Utc>,
    ) -> Result<Claim, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let prior =
                load_claim(&mut transaction, access.account_id(), facts.reference()).await?;
            keep_claim(
                transaction,
                policy.submit_claim(access, facts.clone(), prior, now)?,
            )
            .await
        })
        .await
    }

    /// Turns a claim down.
    pub async fn reject(
        &self,
        operator: &Operator,
        account: &AccountId,
        reference: &BankReference,
        reason: &str,
    ) -> Result<Claim, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let claim = load_claim(&mut transaction, account, reference)
                .await?
                .ok_or(NotFound)?;
            keep_claim(transaction, claim.reject(operator, reason)?).await
        })
        .await
    }

    /// Confirms a bank transfer.
    pub async fn confirm(
        &self,
        policy: &Policy,
        operator: &Operator,
        account: &AccountId,
        transfer: &BankTransfer,
        claim: Option<&BankReference>,
        now: DateTime<Utc>,
    ) -> Result<Answer<ConfirmedTransfer>, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let tenant = load_tenant(&mut transaction, account)
                .await?
                .ok_or(NotFound)?;
            let due = tenant
                .subscription
                .as_ref()
                .map(|subscription| subscription.next_plan().clone());
            let plan = match due {
                Some(due) => Arc::new(load_plan(&mut transaction, &due).await?.ok_or(NotFound)?),
                None => tenant.plan.ok_or(NotFound)?,
            };
            let facts = TransferFacts {
                account: tenant.account,
                plan,
                subscription: tenant.subscription,
                deposit: load_deposit(&mut transaction, account).await?,
                claim: match claim {
                    Some(reference) => Some(
                        load_claim(&mut transaction, account, reference)
                            .await?
                            .ok_or(NotFound)?,
                    ),
                    None => None,
                },
                prior: load_transfer(
                    &mut transaction,
                    transfer.receiving_account(),
                    transfer.transaction(),
                )
                .await?,
            };
            let change = match policy.confirm_bank_transfer(operator, transfer, facts, now)? {
                Answer::Replayed(record) => return Ok(Answer::Replayed(record)),
                Answer::Fresh(change) => change,
            };
            update_account(&mut transaction, change.account(), change.plan()).await?;
            if let Some(subscription) = change.subscription() {
                update_subscription(&mut transaction, subscription).await?;
            }
            if let Some((provider, id)) = &change.record().ends_at_provider {
                // A real service ends it there now, so that nothing more is charged.
                tracing::warn!(
                    ?provider,
                    id,
                    "paid by bank transfer now: end it at the provider"
                );
            }
            if let Some(deposit) = change.deposit() {
                write_deposit(&mut transaction, deposit).await?;
            }
            if let Some(claim) = change.claim() {
                write_claim(&mut transaction, claim).await?;
            }
            grant_all(&mut transaction, change.grants(), now).await?;
            write_transfer(&mut transaction, 0, change.record()).await?;
            transaction.commit().await?;
            Ok(Answer::Fresh(change.record().clone()))
        })
        .await
    }

    /// Subscribes a payer's account again whose subscription has ended.
    pub async fn resubscribe(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        plan: &PlanId,
        method: PaymentMethod,
        now: DateTime<Utc>,
    ) -> Result<Subscription, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let tenant = load_tenant(&mut transaction, access.account_id())
                .await?
                .ok_or(NotFound)?;
            let plan = load_plan(&mut transaction, plan).await?.ok_or(NotFound)?;
            let former = tenant.subscription.ok_or(NotFound)?;
            // A subscription's months are granted under its identifier, so each has one of its own.
            let id = format!("{}-{}", access.account_id(), former.version);
            let next =
                policy.resubscribe(&tenant.account, &former, id.parse()?, &plan, method, now)?;
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
        receiving_account: &BankReference,
        transaction_id: &BankReference,
        refund: TransferRefund,
        now: DateTime<Utc>,
    ) -> Result<ConfirmedTransfer, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let record = load_transfer(&mut transaction, receiving_account, transaction_id)
                .await?
                .ok_or(NotFound)?;
            let account = record.account.clone();
            let tenant = load_tenant(&mut transaction, &account)
                .await?
                .ok_or(NotFound)?;
            let deposit = load_deposit(&mut transaction, &account).await?;
            let wallet = load_wallet(&mut transaction, &account).await?;
            let facts = RefundFacts {
                record,
                subscription: tenant.subscription,
                deposit,
                wallet,
            };
            let change = match ConfirmedTransfer::refund(operator, refund, facts, now)? {
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
            let reference = snapshot.reference.as_deref();
            let account = find(&mut transaction, snapshot.provider, &snapshot.subscription, reference).await?;
            let tenant = load_tenant(&mut transaction, &account).await?.ok_or(NotFound)?;
            let plan = plan_of_price(&mut transaction, &snapshot.price).await?;
            let subscription = tenant.subscription.ok_or(NotFound)?;
            let facts = AdoptionFacts { account: tenant.account, subscription, plan: plan.into() };
            let adoption = match policy.adopt_snapshot(snapshot, facts, now) {
                // Paid in another way since. What is refused would be sent again for days.
                Err(refused @ AdoptError::OtherMethod(_)) => {
                    tracing::warn!(%account, %refused, "not adopted");
                    return Ok(Reported::Known);
                }
                adoption => adoption?,
            };
            if let Some(transition) = adoption.transition() {
                tracing::info!(%account, from = %transition.from(), to = %transition.to(), step = ?adoption.plausibility(), "adopted");
                update_subscription(&mut transaction, &transition.clone().into_change()).await?;
            }
            if let Some(change) = adoption.account() {
                let plan = adoption.plan().or(tenant.plan.as_ref().map(|plan| &plan.id)).ok_or(NotFound)?;
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
            let reference = payment.reference.as_deref();
            let account = find(
                &mut transaction,
                payment.provider,
                &payment.subscription,
                reference,
            )
            .await?;
            let tenant = load_tenant(&mut transaction, &account)
                .await?
                .ok_or(NotFound)?;
            let current_plan = tenant.plan.ok_or(NotFound)?;
            let plan = match &payment.price {
                Some(price) => Arc::new(plan_of_price(&mut transaction, price).await?),
                None => current_plan.clone(),
            };
            let facts = PaymentFacts {
                account: tenant.account,
                subscription: tenant.subscription.ok_or(NotFound)?,
                plan,
                prior: load_invoice(&mut transaction, &account, payment).await?,
                current_plan,
            };
            let current = facts.current_plan.id.clone();
            let change = match policy.record_provider_payment(payment, facts, now)? {
                Answer::Replayed(_) => return Ok(Reported::Known),
                Answer::Fresh(change) => change,
            };
            update_subscription(&mut transaction, change.subscription()).await?;
            if let Some(account) = change.account() {
                update_account(&mut transaction, account, &current).await?;
            }
            grant_all(&mut transaction, change.grants(), now).await?;
            sqlx::query(
                "INSERT INTO invoices (account_id, provider, invoice, record) VALUES (?, ?, ?, ?)",
            )
            .bind(account.as_integer())
            .bind(payment.provider.payment_method().as_str())
            .bind(&payment.invoice)
            .bind(serde_json::to_string(change.record())?)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(Reported::Adopted)
        })
        .await
    }
}

/// The account of a provider's subscription: by the provider's identifier, or, the first time, by
/// the subscription that this service's own server wrote beside it at Stripe. PayPal's reports have
/// no such reference.
async fn find(
    transaction: &mut Transaction,
    provider: Provider,
    subscription: &str,
    reference: Option<&str>,
) -> Result<AccountId, Failure> {
    let text = match provider {
        Provider::Stripe => "SELECT account_id FROM subscriptions WHERE stripe_subscription_id = ?",
        Provider::Paypal => "SELECT account_id FROM subscriptions WHERE paypal_subscription_id = ?",
    };
    let row: Option<(i64,)> = sqlx::query_as(text)
        .bind(subscription)
        .fetch_optional(&mut **transaction)
        .await?;
    // Identifiers of subscriptions begin with their account's here.
    let account = reference
        .and_then(|reference| reference.split('-').next())
        .and_then(|account| account.parse().ok());
    match (row, account) {
        (Some((account,)), _) => Ok(account.into()),
        (None, Some(account)) => Ok(account),
        (None, None) => Err(NotFound.into()),
    }
}

/// The plan that a provider's price stands for: here prices are named `price_1` and so on, after
/// the plans.
async fn plan_of_price(transaction: &mut Transaction, price: &str) -> Result<Plan, Failure> {
    let id: Option<PlanId> = price.strip_prefix("price_").and_then(|id| id.parse().ok());
    Ok(load_plan(transaction, &id.ok_or(NotFound)?)
        .await?
        .ok_or(NotFound)?)
}

async fn load_invoice(
    transaction: &mut Transaction,
    account: &AccountId,
    payment: &ProviderPayment,
) -> Result<Option<bailiwick::provider::PaidInvoice>, Failure> {
    let row: Option<(String,)> = sqlx::query_as(
        "SELECT record FROM invoices WHERE account_id = ? AND provider = ? AND invoice = ?",
    )
    .bind(account.as_integer())
    .bind(payment.provider.payment_method().as_str())
    .bind(&payment.invoice)
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(parse(row)?)
}

async fn load_claim(
    transaction: &mut Transaction,
    account: &AccountId,
    reference: &BankReference,
) -> Result<Option<Claim>, Failure> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT record FROM claims WHERE account_id = ? AND reference = ?")
            .bind(account.as_integer())
            .bind(reference.as_str())
            .fetch_optional(&mut **transaction)
            .await?;
    Ok(parse(row)?)
}

/// Writes what is new of a claim, and answers the claim.
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
    );
    let query = query
        .bind(claim.account.as_integer())
        .bind(claim.facts.reference().as_str());
    write_over(
        transaction,
        query,
        (change.expected_version(), claim.version),
        claim,
    )
    .await
}

pub async fn load_deposit(
    transaction: &mut Transaction,
    account: &AccountId,
) -> Result<Option<Deposit>, AppError> {
    let row: Option<(String,)> = sqlx::query_as("SELECT record FROM deposits WHERE account_id = ?")
        .bind(account.as_integer())
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(parse(row)?)
}

pub async fn write_deposit(
    transaction: &mut Transaction,
    change: &RowChange<Deposit>,
) -> Result<(), Failure> {
    let query = sqlx::query(
        "INSERT INTO deposits (account_id, version, record) VALUES (?1, ?2, ?3) \
         ON CONFLICT (account_id) DO UPDATE SET version = ?2, record = ?3 WHERE version = ?4",
    );
    let query = query.bind(change.row().account.as_integer());
    write_over(
        transaction,
        query,
        (change.expected_version(), change.row().version),
        change.row(),
    )
    .await
}

async fn load_transfer(
    transaction: &mut Transaction,
    receiving_account: &BankReference,
    transaction_id: &BankReference,
) -> Result<Option<ConfirmedTransfer>, Failure> {
    let row: Option<(String,)> = sqlx::query_as(
        "SELECT record FROM transfers WHERE receiving_account = ? AND transaction_id = ?",
    )
    .bind(receiving_account.as_str())
    .bind(transaction_id.as_str())
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(parse(row)?)
}

/// Inserts a line of the registry, or updates it over a version.
async fn write_transfer(
    transaction: &mut Transaction,
    over: u64,
    record: &ConfirmedTransfer,
) -> Result<(), Failure> {
    let query = sqlx::query(
        "INSERT INTO transfers (receiving_account, transaction_id, version, record) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (receiving_account, transaction_id) DO UPDATE SET version = ?3, record = ?4 WHERE version = ?5",
    );
    let transfer = &record.transfer;
    let query = query
        .bind(transfer.receiving_account().as_str())
        .bind(transfer.transaction().as_str());
    write_over(transaction, query, (over, record.version), record).await
}
