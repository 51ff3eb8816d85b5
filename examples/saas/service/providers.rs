//! Reports from providers in the store: subscriptions, payments and their undoing, each written whole
//! or not at all.

use std::fmt::Display;

use bailiwick::change::Answer;
use bailiwick::payment_method::Provider;
use bailiwick::provider::{
    AdoptionFacts, Freshness, PaidInvoice, PaymentFacts, ProviderPayment, ProviderPrice,
    ProviderSnapshot, ProviderUndone, UndoneFacts,
};
use bailiwick::registration::SubjectRecord;
use bailiwick::scope::NotFound;
use bailiwick::{AccountId, Plan, Policy, Subscription, Tenant};
use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::Store;
use super::change_sets::{update_account, update_subscription, write_subject};
use super::error::AppError;
use super::ledger::grant_all;
use super::paid_time::{keep_paid_time, load_paid_time};
use super::store::{Transaction, load_tenant, record, retry};
use super::subscriptions::load_subject_of;

/// The effect of a provider's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// Something changed.
    Adopted,
    /// It was known already, or is older than what is known.
    Known,
    /// It is authentic and changes nothing here, however often it is sent. The log has the reason.
    Ignored,
    /// It does not tell enough: more should be fetched from the provider.
    Fetch(&'static str),
}

impl Reported {
    /// Logs why an event changes nothing. A refusal would only make the provider send it again, for
    /// days, and then give the endpoint up.
    pub fn ignored(reason: impl Display) -> Self {
        tracing::warn!(%reason, "a provider's event changes nothing");
        Self::Ignored
    }

    fn unknown(subscription: &str) -> Self {
        Self::ignored(format_args!("no subscription {subscription} is known"))
    }
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
            let id = &snapshot.subscription;
            let reference = snapshot.reference.as_deref();
            let tenant = load_reported(&mut transaction, snapshot.provider, id, reference).await?;
            let Some((tenant, subscription)) = with_subscription(tenant) else {
                return Ok(Reported::unknown(id));
            };
            let current = tenant.plan.ok_or(NotFound)?;
            let account = tenant.account.id.clone();
            let subject = load_subject_of(&mut transaction, &account).await?;
            let facts = AdoptionFacts {
                account: tenant.account,
                prices: load_prices(&mut transaction).await?,
                paid_time: load_paid_time(&mut transaction, &account, &subscription.id).await?,
                subscription,
                had_trial: subject.as_ref().is_some_and(|subject| subject.had_trial),
            };
            let adoption = match policy.adopt_snapshot(snapshot, facts, now) {
                Err(refused) if refused.is_final() => return Ok(Reported::ignored(refused)),
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
            if let Some(subject) = subject.filter(|_| adoption.starts_trial()) {
                let over = subject.version;
                let subject = SubjectRecord {
                    had_trial: true,
                    version: over + 1,
                    ..subject
                };
                write_subject(&mut transaction, over, &subject).await?;
            }
            keep_paid_time(&mut transaction, policy, adoption.paid_time(), now).await?;
            grant_all(&mut transaction, adoption.grants(), now).await?;
            transaction.commit().await?;

            Ok(match adoption.freshness() {
                Freshness::Newer => Reported::Adopted,
                Freshness::Same | Freshness::Stale => Reported::Known,
                Freshness::Tie => Reported::Fetch("the subscription: two reports disagree"),
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
            let id = &payment.subscription;
            let reference = payment.reference.as_deref();
            let tenant = load_reported(&mut transaction, payment.provider, id, reference).await?;
            let Some((tenant, subscription)) = with_subscription(tenant) else {
                return Ok(Reported::unknown(id));
            };
            let current = tenant.plan.ok_or(NotFound)?;
            let account = tenant.account.id.clone();
            let prior = load_invoice(&mut transaction, payment.provider, &payment.invoice);
            let facts = PaymentFacts {
                prior: prior.await?,
                account: tenant.account,
                prices: load_prices(&mut transaction).await?,
                paid_time: load_paid_time(&mut transaction, &account, &subscription.id).await?,
                subscription,
            };
            let change = match policy.record_provider_payment(payment, facts, now) {
                Err(refused) if refused.is_final() => return Ok(Reported::ignored(refused)),
                answer => match answer? {
                    Answer::Replayed(_) => return Ok(Reported::Known),
                    Answer::Fresh(change) => change,
                },
            };

            update_subscription(&mut transaction, change.subscription()).await?;
            if let Some(account) = change.account() {
                update_account(&mut transaction, account, &current.id).await?;
            }
            keep_paid_time(&mut transaction, policy, change.paid_time(), now).await?;
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

    /// Records that a payment at a provider was undone.
    pub async fn undo_payment(
        &self,
        policy: &Policy,
        undone: &ProviderUndone,
        now: DateTime<Utc>,
    ) -> Result<Reported, AppError> {
        let Some(invoice) = &undone.invoice else {
            return Ok(Reported::Fetch("the invoice of a payment that was undone"));
        };

        retry(async || {
            let mut transaction = self.begin().await?;
            let record = load_invoice(&mut transaction, undone.provider, invoice).await?;
            let Some(record) = record else {
                // The payment itself may still be on its way: then this is to be sent again.
                NotFound::unless(!undone.is_early(now))?;
                return Ok(Reported::ignored(
                    "the payment that was undone is not known",
                ));
            };
            let account = record.account.clone();
            let tenant = load_tenant(&mut transaction, &account).await?;
            let Some((_, subscription)) = with_subscription(tenant) else {
                return Ok(Reported::ignored("the account that had paid is gone"));
            };
            let facts = UndoneFacts {
                paid_time: load_paid_time(&mut transaction, &account, &subscription.id).await?,
                record,
                subscription,
            };
            let change = match policy.record_provider_undone(undone, facts, now) {
                Err(refused) if refused.is_final() => return Ok(Reported::ignored(refused)),
                change => match change? {
                    None => return Ok(Reported::Known),
                    Some(change) => change,
                },
            };

            update_subscription(&mut transaction, change.subscription()).await?;
            keep_paid_time(&mut transaction, policy, Some(change.paid_time()), now).await?;
            transaction.commit().await?;
            Ok(Reported::Adopted)
        })
        .await
    }
}

fn with_subscription(tenant: Option<Tenant>) -> Option<(Tenant, Subscription)> {
    let mut tenant = tenant?;
    let subscription = tenant.subscription.take()?;
    Some((tenant, subscription))
}

/// Loads the tenant of a provider's subscription, found by the provider's identifier. Stripe's
/// first report of a subscription is found by the reference that this service's own server left
/// there; PayPal's reports have none.
async fn load_reported(
    transaction: &mut Transaction,
    provider: Provider,
    subscription: &str,
    reference: Option<&str>,
) -> Result<Option<Tenant>, sqlx::Error> {
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
    match known.map(AccountId::from).or(referred) {
        Some(account) => load_tenant(transaction, &account).await,
        None => Ok(None),
    }
}

/// Lists the plans by the prices that stand for them at a provider. Here prices are named after the
/// plans: `price_1` and so on.
async fn load_prices(transaction: &mut Transaction) -> Result<Vec<ProviderPrice>, sqlx::Error> {
    let plans: Vec<Json<Plan>> = sqlx::query_scalar("SELECT facts FROM plans")
        .fetch_all(&mut **transaction)
        .await?;
    let price = |Json(plan): Json<Plan>| ProviderPrice {
        price: format!("price_{}", plan.id),
        plan: plan.into(),
    };
    Ok(plans.into_iter().map(price).collect())
}

/// Loads the record of an invoice. Its number is the provider's, so it is one account's alone.
async fn load_invoice(
    transaction: &mut Transaction,
    provider: Provider,
    invoice: &str,
) -> Result<Option<PaidInvoice>, sqlx::Error> {
    let query =
        sqlx::query_scalar("SELECT record FROM invoices WHERE provider = ? AND invoice = ?")
            .bind(provider.payment_method().as_str())
            .bind(invoice);
    record(transaction, query).await
}
