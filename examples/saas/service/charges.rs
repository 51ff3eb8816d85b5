//! Charges in the store: upgrades, packs of credits and changes to a smaller plan, each written whole
//! or not at all.

use bailiwick::bank_transfer::{BankReference, Deposit};
use bailiwick::change::{Answer, RowChange};
use bailiwick::charge::{Charge, ChargeOpened, CreditPack, PlanChangeFacts};
use bailiwick::credit::IdempotencyKey;
use bailiwick::gate::BillingAccess;
use bailiwick::id::{ChargeId, PlanId};
use bailiwick::money::Currency;
use bailiwick::period::Interval;
use bailiwick::scope::NotFound;
use bailiwick::{AccountId, Credits, Money, Policy};
use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::Store;
use super::change_sets::{update_account, update_subscription};
use super::error::AppError;
use super::paid_time::{keep_paid_time, load_paid_time};
use super::store::{
    Failure, Transaction, digest_of, load_plan, load_tenant, record, retry, write_over,
};
use super::transfers::{load_deposit, write_deposit};

/// The characters of a charge's identifier: few enough to be written on a transfer by hand.
const ID_LENGTH: usize = 12;

impl Store {
    /// Lists the charges of a payer's account, the latest first.
    pub async fn charges(&self, access: &BillingAccess) -> Result<Vec<Charge>, AppError> {
        let mut transaction = self.begin().await?;
        let charges: Vec<Json<Charge>> = sqlx::query_scalar(
            "SELECT record FROM charges WHERE account_id = ? ORDER BY rowid DESC",
        )
        .bind(access.account_id().as_integer())
        .fetch_all(&mut *transaction)
        .await?;
        Ok(charges.into_iter().map(|Json(charge)| charge).collect())
    }

    /// Quotes an upgrade. The plan changes when the charge is paid.
    pub async fn open_upgrade(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        key: &IdempotencyKey,
        plan: &PlanId,
        now: DateTime<Utc>,
    ) -> Result<Charge, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let id = charge_id(access.account_id(), key)?;
            let facts = load_plan_change(&mut transaction, access.account_id(), &id, plan).await?;
            keep_opened(transaction, policy.open_upgrade(access, id, facts, now)?).await
        })
        .await
    }

    /// Opens the charge for the one pack of credits that is sold.
    pub async fn open_credit_pack(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        key: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> Result<Charge, AppError> {
        let pack = credit_pack()?;
        retry(async || {
            let mut transaction = self.begin().await?;
            let id = charge_id(access.account_id(), key)?;
            let prior = load_charge(&mut transaction, access.account_id(), &id).await?;
            let answer = policy.open_credit_pack(access, id, pack.clone(), prior, now)?;
            keep_opened(transaction, answer).await
        })
        .await
    }

    /// Changes to a smaller plan at once. What is left over goes to the account's deposit.
    pub async fn downgrade(
        &self,
        policy: &Policy,
        access: &BillingAccess,
        key: &IdempotencyKey,
        plan: &PlanId,
        now: DateTime<Utc>,
    ) -> Result<Charge, AppError> {
        retry(async || {
            let mut transaction = self.begin().await?;
            let account = access.account_id();
            let id = charge_id(account, key)?;
            let facts = load_plan_change(&mut transaction, account, &id, plan).await?;
            let change = match policy.downgrade_now(access, id, facts, now)? {
                Answer::Replayed(charge) => return Ok(charge),
                Answer::Fresh(change) => change,
            };

            update_account(&mut transaction, change.account(), change.plan()).await?;
            update_subscription(&mut transaction, change.subscription()).await?;
            write_charge(&mut transaction, change.charge()).await?;
            keep_paid_time(&mut transaction, policy, change.paid_time(), now).await?;
            let deposit = load_deposit(&mut transaction, account).await?;
            if let Some(deposit) = Deposit::with_credited(deposit.as_ref(), &change)? {
                write_deposit(&mut transaction, &deposit).await?;
            }
            transaction.commit().await?;
            Ok(change.charge().row().clone())
        })
        .await
    }
}

/// Returns the pack of credits that is sold. A real service has a list of them.
fn credit_pack() -> anyhow::Result<CreditPack> {
    let price = Money::new(20.into(), Currency::EUR)?;
    Ok(CreditPack {
        expires_after: Some(Interval::YEARLY),
        ..CreditPack::new("the small pack", price, Credits::whole(1_000))
    })
}

/// Makes the identifier of the charge that a request opens. The same request, sent again, meets the
/// charge that it opened before.
fn charge_id(account: &AccountId, key: &IdempotencyKey) -> Result<ChargeId, Failure> {
    let digest = digest_of(&format!("{account} {}", key.as_str()));
    let id: String = digest.chars().take(ID_LENGTH).collect();
    Ok(id.parse()?)
}

async fn load_plan_change(
    transaction: &mut Transaction,
    account: &AccountId,
    id: &ChargeId,
    plan: &PlanId,
) -> Result<PlanChangeFacts, Failure> {
    let tenant = load_tenant(transaction, account).await?.ok_or(NotFound)?;
    let subscription = tenant.subscription.ok_or(NotFound)?;
    let to = load_plan(transaction, plan).await?.ok_or(NotFound)?;

    Ok(PlanChangeFacts {
        account: tenant.account,
        from: tenant.plan.ok_or(NotFound)?,
        to: to.into(),
        paid_time: load_paid_time(transaction, account, &subscription.id).await?,
        prior: load_charge(transaction, account, id).await?,
        subscription,
    })
}

/// Writes a charge that is new, with the plan if the policy changes it before it is paid.
async fn keep_opened(
    mut transaction: Transaction,
    answer: Answer<ChargeOpened, Charge>,
) -> Result<Charge, Failure> {
    let opened = match answer {
        Answer::Replayed(charge) => return Ok(charge),
        Answer::Fresh(opened) => opened,
    };

    write_charge(&mut transaction, opened.charge()).await?;
    if let (Some(account), Some(plan)) = (opened.account(), opened.plan()) {
        update_account(&mut transaction, account, plan).await?;
    }
    if let Some(subscription) = opened.subscription() {
        update_subscription(&mut transaction, subscription).await?;
    }
    transaction.commit().await?;
    Ok(opened.charge().row().clone())
}

pub async fn load_charge(
    transaction: &mut Transaction,
    account: &AccountId,
    id: &ChargeId,
) -> Result<Option<Charge>, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT record FROM charges WHERE account_id = ? AND id = ?")
        .bind(account.as_integer())
        .bind(id.to_string());
    record(transaction, query).await
}

/// Finds the charge whose reference a payer wrote on the transfer.
pub async fn load_charge_by_reference(
    transaction: &mut Transaction,
    account: &AccountId,
    reference: &BankReference,
) -> Result<Option<Charge>, sqlx::Error> {
    let query =
        sqlx::query_scalar("SELECT record FROM charges WHERE account_id = ? AND reference = ?")
            .bind(account.as_integer())
            .bind(reference.as_str());
    record(transaction, query).await
}

pub async fn write_charge(
    transaction: &mut Transaction,
    change: &RowChange<Charge>,
) -> Result<(), Failure> {
    let charge = change.row();
    let query = sqlx::query(
        "INSERT INTO charges (account_id, id, reference, version, record) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (account_id, id) DO UPDATE SET version = ?4, record = ?5 WHERE version = ?6",
    )
    .bind(charge.account.as_integer())
    .bind(charge.id.to_string())
    .bind(charge.reference());
    let versions = (change.expected_version(), charge.version);
    write_over(transaction, query, versions, charge).await
}
