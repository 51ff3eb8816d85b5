//! The loop around every command.

use std::thread;

use thiserror::Error;

use super::store::{CreditStore, Loaded, Written};
use crate::change::Answer;
use crate::credit::Change;
use crate::id::AccountId;

/// The number of times that [`transact`] begins. Each miss means that another change was committed,
/// so a wallet with so many contenders is better spent by allowances.
const ATTEMPTS: usize = 1000;

/// The reason why a transaction has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransactError<S, E> {
    /// The store failed. Whether the change was committed is not known: the same command with the
    /// same key finds out.
    #[error("the store failed: {0}")]
    Store(S),
    /// The command was refused.
    #[error("{0}")]
    Refused(E),
    /// A guard missed at every attempt.
    #[error("a guard missed {ATTEMPTS} times")]
    Missed,
}

/// Loads, asks and commits until the guards hold: the loop around every command, and a model for
/// the host's own.
///
/// ```
/// use bailiwick::change::Answer;
/// use bailiwick::credit::{HoldError, HoldRequest, Outcome, Replayed};
/// use bailiwick::testkit::{CreditStore, TransactError, transact};
/// use bailiwick::{Access, Hold, Wallet};
/// use chrono::{DateTime, Utc};
///
/// fn hold<S: CreditStore>(
///     store: &S,
///     access: &Access,
///     request: &HoldRequest,
///     now: DateTime<Utc>,
/// ) -> Result<Answer<Hold, Replayed>, TransactError<S::Error, HoldError>> {
///     let account = access.account_id();
///     transact(store, account, &Outcome::spend_key(&request.key), |loaded| {
///         let wallet = loaded.wallet.unwrap_or_else(|| Wallet::open(account.clone(), now));
///         wallet.hold(access, request, loaded.outcome.as_ref(), now)
///     })
/// }
/// ```
pub fn transact<S: CreditStore, T, R, E>(
    store: &S,
    account: &AccountId,
    key: &str,
    mut decide: impl FnMut(Loaded) -> Result<Answer<Change<T>, R>, E>,
) -> Result<Answer<T, R>, TransactError<S::Error, E>> {
    for _ in 0..ATTEMPTS {
        let loaded = store.load(account, key).map_err(TransactError::Store)?;

        let change = match decide(loaded).map_err(TransactError::Refused)? {
            Answer::Replayed(earlier) => return Ok(Answer::Replayed(earlier)),
            Answer::Fresh(change) => change,
        };

        match store.commit(&change).map_err(TransactError::Store)? {
            // Nobody may act on the result before this.
            Written::Committed => return Ok(Answer::Fresh(change.into_result())),
            Written::Missed => thread::yield_now(),
        }
    }
    Err(TransactError::Missed)
}
