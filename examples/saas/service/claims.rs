//! Claims in the store: tenants' words that a transfer is on its way.

use bailiwick::bank_transfer::{BankReference, Claim, ClaimRequest};
use bailiwick::change::{Answer, RowChange};
use bailiwick::gate::{BillingAccess, Operator};
use bailiwick::scope::NotFound;
use bailiwick::{AccountId, Policy};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Store;
use super::error::AppError;
use super::store::{Failure, Transaction, record, retry, write_over};

/// An operator's answer to a claim whose transfer did not come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    account: AccountId,
    reference: BankReference,
    reason: String,
}

impl Store {
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
}

pub async fn load_claim(
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

pub async fn write_claim(
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
