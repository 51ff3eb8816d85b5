//! The credits of free plans: a gift for each window of an account's own calendar.

use std::num::NonZeroU16;

use chrono::{DateTime, Utc};

use super::due::DueGrant;
use super::grant::{Cause, GrantTerms};
use crate::account::Account;
use crate::paid_time::Grid;
use crate::plan::Plan;
use crate::policy::Policy;

impl Policy {
    /// Returns the credits that a free plan gives an account in the window that runs; `None` for a
    /// plan with a price, for one without credits, and for an account without an instant of
    /// registration.
    ///
    /// A plan is free if its price is zero, with a subscription or without one. Its windows are
    /// counted from [`Account::registered_at`], one every [`Plan::credits_every`], whatever the
    /// account pays for meanwhile: the first instant in a window at which the account is on a free
    /// plan gives the window's credits, whole and once. Payments do not lower them, and neither a
    /// way to a paid plan and back nor another free plan brings them again. They live to the end of
    /// the window and the renewal slack after it, which is at most a quarter of the window.
    ///
    /// Whether the account may act at all is the gate's decision, and not looked at here.
    ///
    /// No job is needed. A host asks in the transaction of each charged call, between reading the
    /// wallet and holding: most often the wallet still has the grant, and nothing is read or
    /// written. A host that wants to show credits before the first call asks where it shows them,
    /// or in a job.
    ///
    /// ```
    /// use bailiwick::chrono::{DateTime, Utc};
    /// use bailiwick::credit::{Change, Grant, GrantError, Outcome};
    /// use bailiwick::{Account, Plan, Policy, Wallet};
    ///
    /// /// The host's store, within one transaction.
    /// trait Transaction {
    ///     /// Reads the outcome of a key, after the wallet.
    ///     fn outcome(&self, key: &str) -> Option<Outcome>;
    ///     /// Writes the wallet over its version, the entries and the outcome.
    ///     fn write(&mut self, change: &Change<Grant>);
    /// }
    ///
    /// /// Returns the wallet to hold from, in the same transaction.
    /// fn with_free_credits(
    ///     store: &mut impl Transaction,
    ///     policy: &Policy,
    ///     (account, plan): (&Account, &Plan),
    ///     wallet: Wallet,
    ///     now: DateTime<Utc>,
    /// ) -> Result<Wallet, GrantError> {
    ///     let due = policy.free_credits_due(account, plan, now);
    ///     let Some(due) = due.filter(|due| !due.is_in(&wallet)) else {
    ///         return Ok(wallet);
    ///     };
    ///
    ///     let prior = store.outcome(due.key());
    ///     match wallet.clone().grant_due(&due, prior.as_ref(), now)? {
    ///         Some(change) => {
    ///             store.write(&change);
    ///             Ok(change.wallet().clone())
    ///         }
    ///         None => Ok(wallet), // granted before, and spent
    ///     }
    /// }
    /// ```
    pub fn free_credits_due(
        &self,
        account: &Account,
        plan: &Plan,
        now: DateTime<Utc>,
    ) -> Option<DueGrant> {
        if !plan.price.is_zero() {
            return None;
        }

        let every = plan.credits_every;
        let registered_at = account.registered_at?;
        let number = every.number_at(registered_at, now)?;
        let window = every.period(registered_at, number)?;

        let grid = Grid {
            every,
            windows: NonZeroU16::MIN,
        };
        let slack = self.renewal_slack().min(grid.longest_slack());
        let terms = GrantTerms {
            expires_at: Some(window.end.checked_add_signed(slack).unwrap_or(window.end)),
            ..GrantTerms::month(plan.credits, window)
        };

        DueGrant::new(Cause::free_plan(&account.id, window), terms)
    }
}
