//! The conformance suite on the example's own store, through the functions that its service calls.

#[path = "../../examples/saas/service/mod.rs"]
#[allow(dead_code, reason = "the example's own main uses the rest")]
mod service;

use bailiwick::AccountId;
use bailiwick::credit::{Change, LedgerEntry};
use bailiwick::testkit::{CreditStore, Loaded, Written, check_store};
use service::Store;
use service::ledger::{load_outcome, load_wallet, write_wallet};
use service::store::Failure;
use tokio::runtime::Runtime;

struct Example {
    runtime: Runtime,
    store: Store,
}

impl CreditStore for Example {
    type Error = String;

    fn new_account(&self) -> Result<AccountId, String> {
        self.runtime
            .block_on(async {
                let mut transaction = self.store.begin().await?;
                sqlx::query("INSERT OR IGNORE INTO plans (id, facts) VALUES (1, '{}')")
                    .execute(&mut *transaction)
                    .await?;
                let (account,): (i64,) =
                    sqlx::query_as("INSERT INTO accounts (plan_id, version, facts) VALUES (1, 1, '{}') RETURNING id")
                        .fetch_one(&mut *transaction)
                        .await?;
                transaction.commit().await?;
                Ok(account.into())
            })
            .map_err(|error: sqlx::Error| error.to_string())
    }

    fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, String> {
        self.runtime.block_on(async {
            let mut transaction = self
                .store
                .begin()
                .await
                .map_err(|error| error.to_string())?;
            // The example opens every account with a wallet, so that it takes a missing one for a
            // fault.
            let wallet = match load_wallet(&mut transaction, account).await {
                Ok(wallet) => Some(wallet),
                Err(sqlx::Error::RowNotFound) => None,
                Err(error) => return Err(error.to_string()),
            };
            let outcome = load_outcome(&mut transaction, account, key)
                .await
                .map_err(|error| error.to_string())?;
            Ok(Loaded { wallet, outcome })
        })
    }

    fn commit<T>(&self, change: &Change<T>) -> Result<Written, String> {
        self.runtime.block_on(async {
            let mut transaction = self
                .store
                .begin()
                .await
                .map_err(|error| error.to_string())?;
            match write_wallet(&mut transaction, change).await {
                Ok(()) => transaction
                    .commit()
                    .await
                    .map(|()| Written::Committed)
                    .map_err(|error| error.to_string()),
                Err(Failure::Missed) => Ok(Written::Missed),
                Err(Failure::Refused(error)) => Err(format!("{error:?}")),
            }
        })
    }

    fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, String> {
        self.runtime.block_on(async {
            let mut transaction = self
                .store
                .begin()
                .await
                .map_err(|error| error.to_string())?;
            let rows: Vec<(String,)> =
                sqlx::query_as("SELECT entry FROM ledger WHERE account_id = ? ORDER BY sequence")
                    .bind(account.as_integer())
                    .fetch_all(&mut *transaction)
                    .await
                    .map_err(|error| error.to_string())?;
            rows.iter()
                .map(|(text,)| serde_json::from_str(text).map_err(|error| error.to_string()))
                .collect()
        })
    }
}

#[test]
fn the_examples_store_conforms() {
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(Store::open(None)).unwrap();
    println!("{}", check_store(&Example { runtime, store }).unwrap());
}
