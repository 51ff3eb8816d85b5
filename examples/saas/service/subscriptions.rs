//! Subscriptions in the store: what their owners ask for, and the writing of every transition.

use bailiwick::gate::BillingAccess;
use bailiwick::id::PlanId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::registration::{SubjectRecord, TrialFacts};
use bailiwick::scope::NotFound;
use bailiwick::subscription::{Command, Resubscription, Transition};
use bailiwick::{Account, AccountId, Code, Policy, Problem, Subscription};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::Store;
use super::change_sets::{update_account, update_subscription, write_subject};
use super::error::AppError;
use super::ledger::{grant_all, load_outcome};
use super::paid_time::{keep_paid_time, load_paid_time};
use super::store::{Failure, Transaction, load_plan, load_tenant, plans_of, record, retry};

/// The length of a trial.
pub const TRIAL: TimeDelta = TimeDelta::new(14 * 86_400, 0).unwrap();

/// The choice of a tenant that subscribes again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    plan: PlanId,
    payment_method: PaymentMethod,
}

/// A change that a tenant asks for of its subscription.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Another plan, from the end of what is paid. A plan without a price then starts by itself.
    NextPlan(PlanId),
    /// The end, with the end of what is paid.
    CancelAtPeriodEnd,
    /// The end, at once. What was paid is not given back.
    CancelNow,
}

impl Store {
    /// Carries out what a payer's account asks for of its subscription.
    pub async fn change_subscription(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        wish: &Wish,
        now: DateTime<Utc>,
    ) -> Result<Subscription, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let tenant = load_tenant(&mut transaction, access.account_id()).await?;
            let tenant = tenant.ok_or(NotFound)?;
            let plans = plans_of(&tenant);
            let former = tenant.subscription.ok_or(NotFound)?;
            if former.payment_method != PaymentMethod::BankTransfer {
                // Its provider decides, so a real service asks there, and adopts the answer.
                let detail = "The subscription is run by its provider. Change it there.";
                return Err(AppError::from(Problem::new(Code::TransitionRefused, detail)).into());
            }
            let command = match wish {
                Wish::NextPlan(plan) => {
                    let plan = load_plan(&mut transaction, plan).await?;
                    let plan = plan.filter(|plan| plan.active).ok_or(NotFound)?.id;
                    Command::ChangePlanAtPeriodEnd { plan }
                }
                Wish::CancelAtPeriodEnd => Command::CancelAtPeriodEnd,
                Wish::CancelNow => Command::CancelNow,
            };

            // What time has made due comes before anyone's command.
            let mut all = policy.advance_subscription(&former, &plans, now);
            let last = all.last().map_or(&former, Transition::subscription);
            all.push(last.clone().apply(command, now)?);
            let after = keep_all(&mut transaction, policy, tenant.account, former, all, now);
            let after = after.await?;
            transaction.commit().await?;
            Ok(after)
        })
        .await
    }

    /// Begins the trial of a payer's account whose subscription waits for its first payment: one
    /// for an identity and one for an account.
    pub async fn start_trial(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        now: DateTime<Utc>,
    ) -> Result<Subscription, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let id = access.account_id();
            let tenant = load_tenant(&mut transaction, id).await?.ok_or(NotFound)?;
            let facts = TrialFacts {
                account: tenant.account.clone(),
                subscription: tenant.subscription.clone().ok_or(NotFound)?,
                plan: tenant.plan.ok_or(NotFound)?,
                subject: load_subject_of(&mut transaction, id)
                    .await?
                    .ok_or(NotFound)?,
                prior: load_outcome(&mut transaction, id, TrialFacts::OUTCOME).await?,
            };
            let change = policy.start_trial(facts, now + TRIAL, now)?;

            let plan = &change.transition().subscription().plan;
            if let Some(account) = change.account() {
                update_account(&mut transaction, account, plan).await?;
            }
            let subscription = change.transition().clone().into_change();
            update_subscription(&mut transaction, &subscription).await?;
            let subject = change.subject();
            write_subject(&mut transaction, subject.expected_version(), subject.row()).await?;
            grant_all(&mut transaction, change.grant(), now).await?;
            transaction.commit().await?;
            Ok(subscription.into_row())
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
            let plans = plans_of(&tenant);
            let plan = load_plan(&mut transaction, &choice.plan).await?;
            let plan = plan.ok_or(NotFound)?;
            let former = tenant.subscription.ok_or(NotFound)?;

            // Time is paid under the subscription's identifier, so each subscription has one of its
            // own.
            let id = format!("{}-{}", access.account_id(), former.version).parse()?;
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
}

/// Writes transitions in their order, with all that follows from each, and returns the subscription
/// after them.
pub async fn keep_all(
    transaction: &mut Transaction,
    policy: &Policy,
    mut account: Account,
    mut subscription: Subscription,
    transitions: impl IntoIterator<Item = Transition>,
    now: DateTime<Utc>,
) -> Result<Subscription, Failure> {
    for mut transition in transitions {
        // An end at once is a fact of paid time: the months to come bring no credits.
        if let Some(stop) = transition.stop() {
            let paid_time = load_paid_time(transaction, &account.id, &subscription.id).await?;
            let change = paid_time.record([stop])?;
            if let Some(change) = &change {
                transition = transition.with_paid_until(change.row().paid_until());
            }
            keep_paid_time(transaction, policy, change.as_ref(), now).await?;
        }

        if let Some(change) = account.after(&transition) {
            update_account(transaction, &change, &transition.subscription().plan).await?;
            account = change.into_row();
        }
        for effect in transition.effects() {
            // A real service writes a message into its outbox here, in the same transaction.
            tracing::info!(account = %account.id, notice = effect.label(), "subscription");
        }
        let change = transition.into_change();
        update_subscription(transaction, &change).await?;
        subscription = change.into_row();
    }
    Ok(subscription)
}

/// Finds the identity that an account was registered for. The registry knows whether it has had a
/// trial.
pub async fn load_subject_of(
    transaction: &mut Transaction,
    account: &AccountId,
) -> Result<Option<SubjectRecord>, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT record FROM subjects WHERE record ->> 'account' = ?")
        .bind(account.as_integer());
    record(transaction, query).await
}
