//! The adoption of a provider's snapshot: the last writer by the provider's time wins, and ties
//! have a fixed rank.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::comparison::{Freshness, compare_content};
use super::error::AdoptError;
use super::identity::check_identity;
use super::plausibility::Plausibility;
use super::reckoning::{has_begun, past_due_since, raise, trial_grants};
use super::report::ProviderSnapshot;
use crate::account::{Account, AccountStatus};
use crate::change::{RowChange, RowError};
use crate::credit::DueGrant;
use crate::id::PlanId;
use crate::payment_method::Provider;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::subscription::{Effect, Subscription, SubscriptionStatus, Transition};

/// The rows that a host loads before it adopts a snapshot, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct AdoptionFacts {
    /// The account of the subscription.
    pub account: Account,
    /// The subscription, found by the provider's identifier, or the first time by the snapshot's
    /// reference.
    pub subscription: Subscription,
    /// The plan that the snapshot's price stands for.
    pub plan: Arc<Plan>,
}

/// The changes that a snapshot makes: each part is written, and the credits are granted, in one
/// transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Adoption {
    freshness: Freshness,
    transition: Option<Transition>,
    account: Option<RowChange<Account>>,
    grants: Vec<DueGrant>,
}

impl Adoption {
    /// Returns the age of the snapshot, compared with the one that was adopted last.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Returns whether the host should fetch the subscription from the provider: two reports of one
    /// time disagree.
    pub fn needs_refetch(&self) -> bool {
        self.freshness == Freshness::Tie
    }

    /// Returns the subscription's change; `None` where it stays.
    pub fn transition(&self) -> Option<&Transition> {
        self.transition.as_ref()
    }

    /// Returns the judgement of this crate's own table on the step, for the log; `None` where none
    /// was made.
    pub fn plausibility(&self) -> Option<Plausibility> {
        self.transition
            .as_ref()
            .map(|transition| Plausibility::between(transition.from(), transition.to()))
    }

    /// Returns the account to update. An account that awaited its first payment is active once the
    /// subscription has begun. Where the plan changed, the account's version rises too, so that
    /// nobody writes the former plan over it.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.account.as_ref()
    }

    /// Returns the account's plan from now on, where it is another than the subscription had.
    pub fn plan(&self) -> Option<&PlanId> {
        self.transition
            .as_ref()?
            .effects()
            .find_map(|effect| match effect {
                Effect::PlanChanged { to, .. } => Some(to),
                _ => None,
            })
    }

    /// Returns the credits to grant: those of a trial, and those that a larger plan adds. Paid
    /// months come with their payments.
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }
}

impl Policy {
    /// Adopts a provider's snapshot of a subscription, if it is newer than the one that was adopted
    /// last. In whatever order snapshots come, and however often, the subscription ends as the
    /// newest says. Of two snapshots of one time, the one of the higher rank stands, which is the
    /// one further along: *incomplete, trialing, active, past due, paused, unpaid, incomplete
    /// expired, canceled*.
    ///
    /// This crate's own table does not decide here, so a subscription that has ended may live again
    /// if the provider says so.
    ///
    /// # Errors
    /// In this order: [`AdoptError::ComingSoon`], [`AdoptError::Mismatch`],
    /// [`AdoptError::OtherMethod`], [`AdoptError::Row`].
    ///
    /// ```
    /// use bailiwick::Policy;
    /// use bailiwick::provider::{AdoptError, AdoptionFacts, ProviderSnapshot};
    /// use chrono::{DateTime, Utc};
    ///
    /// fn adopt(
    ///     policy: &Policy,
    ///     snapshot: &ProviderSnapshot,
    ///     facts: AdoptionFacts,
    ///     now: DateTime<Utc>,
    /// ) -> Result<(), AdoptError> {
    ///     let adoption = policy.adopt_snapshot(snapshot, facts, now)?;
    ///     if let Some(transition) = adoption.transition() {
    ///         // Write its subscription, the account if it changed, and grant the credits.
    ///         println!("from {} to {}", transition.from(), transition.to());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn adopt_snapshot(
        &self,
        snapshot: &ProviderSnapshot,
        facts: AdoptionFacts,
        now: DateTime<Utc>,
    ) -> Result<Adoption, AdoptError> {
        let AdoptionFacts {
            account,
            subscription,
            plan,
        } = facts;
        let method = snapshot.provider.payment_method();
        if !self.is_enabled(method) {
            return Err(AdoptError::ComingSoon(method));
        }

        check_identity(
            snapshot.provider,
            &snapshot.subscription,
            snapshot.reference.as_deref(),
            &account,
            &subscription,
        )?;
        if subscription.payment_method != method {
            return Err(AdoptError::OtherMethod(subscription.payment_method));
        }

        // The candidate is made whether it wins or not, so that both are compared in one form.
        let candidate = snapshot.onto(&subscription, &plan.id)?;
        let content = compare_content(&candidate, &subscription);
        let freshness = Freshness::of(snapshot.at, subscription.provider_at, content);
        let wins = match freshness {
            Freshness::Newer => true,
            Freshness::Tie => content.is_gt(),
            Freshness::Same | Freshness::Stale => false,
        };

        // Even an old snapshot of a subscription that had begun proves that it had: the credits of
        // its trial are due, and the account no longer waits.
        let has_begun = has_begun(snapshot.status);
        let lifted = if has_begun && account.status == AccountStatus::PendingPayment {
            AccountStatus::Active
        } else {
            account.status
        };
        let mut grants = snapshot
            .trial
            .filter(|_| has_begun)
            .map_or_else(Vec::new, |trial| trial_grants(trial, &subscription, &plan));

        let changes_plan = wins && candidate.plan != subscription.plan;
        if changes_plan {
            grants.extend(raise(&subscription, &plan, now));
        }
        let account = if changes_plan {
            // The plan stands in the account's row, so its version must rise with it.
            account.rewritten(lifted)
        } else {
            account.with_status(lifted)
        };

        Ok(Adoption {
            freshness,
            transition: wins.then(|| Transition::adopted(&subscription, candidate, now)),
            account,
            grants,
        })
    }
}

impl ProviderSnapshot {
    /// Returns the subscription as this snapshot has it. The outcome depends on the snapshot and on
    /// the payments alone.
    fn onto(&self, before: &Subscription, plan: &PlanId) -> Result<Subscription, RowError> {
        let is_canceled = self.status == SubscriptionStatus::Canceled;
        let after = RowChange::next(before.version, "subscription", |version| Subscription {
            plan: plan.clone(),
            status: self.status,
            anchor: self.anchor,
            current_period: self.current_period,
            free_period: false,
            trial_end: self.trial.map(|trial| trial.end),
            cancel_at_period_end: self.cancel_at_period_end && !is_canceled,
            pending_plan: None,
            provider_at: Some(self.at),
            version,
            ..before.clone()
        })?;
        let mut after = after.into_row();

        // The row of a PayPal subscription has its identifier before anything is adopted.
        if self.provider == Provider::Stripe {
            after.stripe_subscription_id = Some(self.subscription.clone());
        }
        after.past_due_since = past_due_since(&after);

        Ok(after)
    }
}
