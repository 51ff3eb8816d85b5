//! Reports from providers in the store: subscriptions and payments, each written whole or not at
//! all.

use bailiwick::change::Answer;
use bailiwick::payment_method::Provider;
use bailiwick::provider::{
    AdoptError, AdoptionFacts, Freshness, PaidInvoice, PaymentFacts, ProviderPayment,
    ProviderSnapshot,
};
use bailiwick::scope::NotFound;
use bailiwick::{AccountId, Plan, Policy, Tenant};
use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::Store;
use super::change_sets::{update_account, update_subscription};
use super::error::AppError;
use super::ledger::grant_all;
use super::store::{Failure, Transaction, load_plan, load_tenant, record, retry};

/// The effect of a provider's event.
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
                let from = transition.from();
                let to = transition.to();
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
    let query = sqlx::query_scalar(
        "SELECT record FROM invoices WHERE account_id = ? AND provider = ? AND invoice = ?",
    )
    .bind(account.as_integer())
    .bind(payment.provider.payment_method().as_str())
    .bind(&payment.invoice);
    record(transaction, query).await
}
