//! A trial of an account that is there already, with the credits that come with it once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::subject::SubjectRecord;
use crate::account::Account;
use crate::change::{RowChange, RowError};
use crate::credit::{Cause, DueGrant, Outcome};
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::subscription::{Command, Refusal, Subscription, Transition};

/// The rows that a host loads before it starts a trial, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct TrialFacts {
    /// The account.
    pub account: Account,
    /// Its subscription, which waits for its first payment.
    pub subscription: Subscription,
    /// The plan to try: the subscription's.
    pub plan: Arc<Plan>,
    /// The registry's row of the identity for which the trial is started: a member of the account.
    pub subject: SubjectRecord,
    /// The stored outcome of [`TrialFacts::OUTCOME`] of the account, if there is one.
    pub prior: Option<Outcome>,
}

impl TrialFacts {
    /// The key of the outcome of a trial's credits, one for each account.
    pub const OUTCOME: &str = Cause::TRIAL;
}

/// Everything that the start of a trial changes, to be written whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct TrialChange {
    transition: Transition,
    account: Option<RowChange<Account>>,
    subject: RowChange<SubjectRecord>,
    grant: Option<DueGrant>,
}

impl TrialChange {
    /// Returns the transition of the subscription.
    pub fn transition(&self) -> &Transition {
        &self.transition
    }

    /// Returns the account to update: one that awaited its first payment is active.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.account.as_ref()
    }

    /// Returns the registry's row to update.
    pub fn subject(&self) -> &RowChange<SubjectRecord> {
        &self.subject
    }

    /// Returns the credits to grant, unless the plan gives none: see [`DueGrant`].
    pub fn grant(&self) -> Option<&DueGrant> {
        self.grant.as_ref()
    }
}

/// The reason why no trial starts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The identity or the account has had its trial.
    #[error("this identity or account has had its trial")]
    TrialUsed,
    /// The subscription refuses: it has started or ended, or the trial would be empty.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The rows that were loaded do not belong together, or a version is exhausted.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for TrialError {
    fn code(&self) -> Code {
        match self {
            Self::TrialUsed => Code::TrialUsed,
            Self::Refused(refusal) => refusal.code(),
            Self::Row(error) => error.code(),
        }
    }
}

impl Policy {
    /// Starts a trial for an account whose subscription waits for its first payment. It brings the
    /// plan's [credits of a trial](Plan::trial_credits) once for an identity and once for an account,
    /// however many subscriptions follow each other. They live to the trial's end and the policy's
    /// slack, and paying does not lower them.
    ///
    /// Write the transition's subscription, the account and the registry's row over their versions,
    /// and grant the credits, in one transaction.
    ///
    /// # Errors
    /// In this order: [`TrialError::Row`] for rows that do not belong together;
    /// [`TrialError::TrialUsed`]; [`TrialError::Refused`], also for a plan without a price, which
    /// starts by itself; [`TrialError::Row`] for an exhausted version.
    ///
    /// ```
    /// use bailiwick::account::AccountStatus;
    /// use bailiwick::money::Currency;
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::period::Interval;
    /// use bailiwick::registration::{Subject, SubjectRecord, TrialError, TrialFacts};
    /// use bailiwick::{Account, Credits, Money, Plan, Policy, Subscription};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let now = "2027-02-01T00:00:00Z".parse()?;
    ///     let method = PaymentMethod::BankTransfer;
    ///     let price = Money::new("49".parse()?, Currency::EUR)?;
    ///     let plan = Plan::new(3.into(), price, Interval::MONTHLY);
    ///     let facts = TrialFacts {
    ///         account: Account::new(7.into(), AccountStatus::PendingPayment, method),
    ///         subscription: Subscription::new(9.into(), 7.into(), 3.into(), method, now),
    ///         plan: Plan { trial_credits: Some(Credits::whole(100)), ..plan }.into(),
    ///         subject: SubjectRecord {
    ///             subject: Subject::from_digest([7; 32]),
    ///             account: Some(7.into()),
    ///             had_trial: false,
    ///             version: 1,
    ///         },
    ///         prior: None,
    ///     };
    ///
    ///     let policy = Policy::default();
    ///     let until = "2027-02-15T00:00:00Z".parse()?;
    ///     let change = policy.start_trial(facts.clone(), until, now)?;
    ///     assert_eq!(change.transition().subscription().trial_end, Some(until));
    ///     assert_eq!(change.grant().map(|due| due.terms().amount), Some(Credits::whole(100)));
    ///
    ///     // Whatever subscription comes next, the identity has had its trial.
    ///     let subject = change.subject().row().clone();
    ///     let again = policy.start_trial(TrialFacts { subject, ..facts }, until, now);
    ///     assert_eq!(again, Err(TrialError::TrialUsed));
    ///     Ok(())
    /// }
    /// ```
    pub fn start_trial(
        &self,
        facts: TrialFacts,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<TrialChange, TrialError> {
        let TrialFacts {
            account,
            subscription,
            plan,
            subject,
            prior,
        } = facts;
        check_rows(&account, &subscription, &plan, &subject, prior.as_ref())?;

        if subject.had_trial || prior.is_some() {
            return Err(TrialError::TrialUsed);
        }

        // One whose time for the first payment is over has ended, whether or not a job has noticed.
        let due = self
            .advance_subscription(&subscription, &[Arc::clone(&plan)], now)
            .pop();
        let last = due.map_or(subscription, Transition::into_subscription);
        let transition = last.apply(Command::StartTrial { until }, now)?;

        let trial = Period {
            start: now,
            end: until,
        };
        let version = subject.version;
        let subject = RowChange::next(version, "record of the subject", |version| {
            SubjectRecord { version, ..subject }.with_trial()
        })?;

        Ok(TrialChange {
            account: account.after(&transition),
            grant: DueGrant::trial(&account.id, &plan, trial, self.renewal_slack()),
            transition,
            subject,
        })
    }
}

/// Checks that the rows are of one account.
fn check_rows(
    account: &Account,
    subscription: &Subscription,
    plan: &Plan,
    subject: &SubjectRecord,
    prior: Option<&Outcome>,
) -> Result<(), RowError> {
    let mismatch = |left, right| Err(RowError::Mismatch { left, right });

    if subscription.account != account.id {
        return mismatch("subscription", "account");
    }
    if subscription.plan != plan.id {
        return mismatch("plan", "subscription");
    }
    if subject.account.as_ref() != Some(&account.id) {
        return mismatch("record of the subject", "account");
    }
    if prior.is_some_and(|prior| !prior.is_of(&account.id, TrialFacts::OUTCOME)) {
        return mismatch("outcome", "account");
    }
    Ok(())
}
