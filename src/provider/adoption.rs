//! The adoption of a provider's snapshot: the last writer by the provider's time wins, and ties
//! have a fixed rank.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::comparison::{Freshness, compare_content};
use super::error::AdoptError;
use super::identity::{check_identity, check_paid_time};
use super::placing::ProviderPrice;
use super::plausibility::Plausibility;
use super::reckoning::{go_by_paid_time, has_begun};
use super::report::{ProviderItem, ProviderSnapshot};
use crate::account::{Account, AccountStatus};
use crate::change::{RowChange, RowError};
use crate::credit::DueGrant;
use crate::id::PlanId;
use crate::paid_time::{Fact, PaidTime, Stop};
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
    /// The host's plans, by the prices under which the provider knows them: at least those of the
    /// snapshot's items. Other items are add-ons and decide nothing.
    pub prices: Vec<ProviderPrice>,
    /// The paid time of the subscription; [`PaidTime::new`] where none is stored.
    pub paid_time: PaidTime,
    /// True if this identity, or this account, had a trial before, as the host's registry says.
    pub had_trial: bool,
}

/// The changes that a snapshot makes: each part is written, and the credits are granted, in one
/// transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Adoption {
    freshness: Freshness,
    transition: Option<Transition>,
    account: Option<RowChange<Account>>,
    paid_time: Option<RowChange<PaidTime>>,
    starts_trial: bool,
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

    /// Returns the paid time to write; `None` where it stays. The host aligns the wallet with it in
    /// the same transaction: see [`Wallet::align`](crate::Wallet::align).
    ///
    /// A snapshot brings no paid time, and takes none: only money does. It may tell that service
    /// ended before the time that was paid was over. Windows that begin after that bring nothing.
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid_time.as_ref()
    }

    /// Returns whether this is the trial of an identity that had none before. The host notes it in
    /// its registry, in the same transaction, where it outlives the subscription and the account.
    pub fn starts_trial(&self) -> bool {
        self.starts_trial
    }

    /// Returns the credits to grant: those of a trial, once an account. See [`DueGrant`].
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
    /// A snapshot sets the plan and what the gate goes by, and never brings or takes credits of a
    /// plan: only payments do. Of several items, the plan's is the first whose price the host
    /// knows. A subscription that was called off at PayPal, which knows no end at the end of what
    /// was paid, runs on until then.
    ///
    /// This crate's own table does not decide here, so a subscription that has ended may live again
    /// if the provider says so.
    ///
    /// # Errors
    /// In this order: [`AdoptError::ComingSoon`], [`AdoptError::Mismatch`],
    /// [`AdoptError::OtherMethod`], [`AdoptError::PriceUnknown`] unless the subscription is
    /// refused in its status anyway, [`AdoptError::Row`], [`AdoptError::PaidTime`].
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
            prices,
            paid_time,
            had_trial,
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
        let bought = snapshot.bought(&prices)?;
        check_paid_time(&paid_time, &subscription)?;

        let stop = snapshot.stop(bought.item);
        let stopped = paid_time.clone().record(stop.map(Fact::Stop))?;
        let paid_time = stopped.as_ref().map_or(&paid_time, RowChange::row);

        // The candidate is made whether it wins or not, so that both are compared in one form.
        let mut candidate = snapshot.onto(&subscription, &bought)?;
        go_by_paid_time(&mut candidate, paid_time, now);
        let mut current = subscription.clone();
        go_by_paid_time(&mut current, paid_time, now);

        let content = compare_content(&candidate, &current);
        let freshness = Freshness::of(snapshot.at, subscription.provider_at, content);
        let wins = match freshness {
            Freshness::Newer => true,
            Freshness::Tie => content.is_gt(),
            Freshness::Same | Freshness::Stale => false,
        };
        let after = if wins {
            Some(candidate)
        } else {
            // An old snapshot may still tell of an end that nobody had told.
            current.version = candidate.version;
            stopped.is_some().then_some(current)
        };

        // Even an old snapshot of a subscription that had begun proves that it had: the account no
        // longer waits. One in trial proves that the trial's gift is due, on the plan of the trial.
        let has_begun = has_begun(snapshot.status);
        let lifted = if has_begun && account.status == AccountStatus::PendingPayment {
            AccountStatus::Active
        } else {
            account.status
        };
        let in_trial = snapshot.status == SubscriptionStatus::Trialing;
        let trial = snapshot.trial.filter(|_| in_trial && !had_trial);
        let gift = bought.plan.zip(trial).and_then(|(plan, trial)| {
            DueGrant::trial(&account.id, plan, trial, self.renewal_slack())
        });

        let changes_plan = after
            .as_ref()
            .is_some_and(|after| after.plan != subscription.plan);
        let account = if changes_plan {
            // The plan stands in the account's row, so its version must rise with it.
            account.rewritten(lifted)
        } else {
            account.with_status(lifted)
        };

        Ok(Adoption {
            freshness,
            transition: after.map(|after| Transition::adopted(&subscription, after, now)),
            account,
            paid_time: stopped,
            starts_trial: trial.is_some(),
            grants: gift.into_iter().collect(),
        })
    }
}

/// The item of a subscription that is the plan's, and the plan; an ended subscription's price need
/// not be known.
struct Bought<'a> {
    item: Option<&'a ProviderItem>,
    plan: Option<&'a Arc<Plan>>,
}

impl ProviderSnapshot {
    /// Returns the item that is the plan's.
    fn bought<'a>(&'a self, prices: &'a [ProviderPrice]) -> Result<Bought<'a>, AdoptError> {
        let known = self.items.iter().find_map(|item| {
            let price = prices.iter().find(|known| known.price == item.price)?;
            Some((item, &price.plan))
        });
        // A status that is refused everywhere is adopted whatever it is the status of.
        let is_refused = matches!(
            self.status,
            SubscriptionStatus::Canceled
                | SubscriptionStatus::IncompleteExpired
                | SubscriptionStatus::Unpaid
        );

        match known {
            Some((item, plan)) => Ok(Bought {
                item: Some(item),
                plan: Some(plan),
            }),
            None if is_refused => Ok(Bought {
                item: self.items.first(),
                plan: None,
            }),
            None => Err(AdoptError::PriceUnknown {
                prices: self.items.iter().map(|item| item.price.clone()).collect(),
            }),
        }
    }

    /// Returns the end of service, if it came before the end of the period that runs. The end of a
    /// period is none.
    ///
    /// It is told by the instant at which the provider ended the subscription, so PayPal's words
    /// *cancelled* and *expired*, which tell none, are no end of service either.
    fn stop(&self, item: Option<&ProviderItem>) -> Option<Stop> {
        let at = self
            .ended_at
            .filter(|_| self.status == SubscriptionStatus::Canceled)?;
        let period = item.and_then(|item| item.period);
        if period.is_some_and(|period| period.end <= at) {
            return None;
        }

        let provider = self.provider.payment_method().as_str();
        let instant = at.timestamp_micros();
        Some(Stop {
            key: format!("stop/{provider}/{}/{instant}", self.subscription).into(),
            at,
            made: at,
        })
    }

    /// Returns the subscription as this snapshot has it. The outcome depends on the snapshot and on
    /// the payments alone.
    fn onto(&self, before: &Subscription, bought: &Bought<'_>) -> Result<Subscription, RowError> {
        let plan = bought.plan.map_or(&before.plan, |plan| &plan.id);
        let period = bought.item.and_then(|item| item.period);
        let is_canceled = self.status == SubscriptionStatus::Canceled;
        let cancel_at = self.cancel_at.filter(|_| !is_canceled);

        // An end at an instant within the period or the trial is one that no renewal follows.
        let runs_until = match self.status {
            SubscriptionStatus::Trialing => self.trial.map(|trial| trial.end),
            _ => period.map(|period| period.end),
        };
        let ends_within = cancel_at.zip(runs_until).is_some_and(|(at, end)| at <= end);

        let after = RowChange::next(before.version, "subscription", |version| Subscription {
            plan: plan.clone(),
            status: self.status,
            anchor: self.anchor,
            current_period: period,
            free_period: false,
            trial_end: self.trial.map(|trial| trial.end),
            cancel_at_period_end: (self.cancel_at_period_end || ends_within) && !is_canceled,
            ends_at: cancel_at,
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

        Ok(after)
    }
}
