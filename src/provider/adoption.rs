//! The adoption of a provider's snapshot: the last writer by the provider's time wins, and ties
//! have a fixed rank.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::ProviderSnapshot;
use super::payment::paid_months;
use crate::account::{Account, AccountStatus};
use crate::change::RowChange;
use crate::credit::{Cause, DueGrant, GrantTerms, credit_months};
use crate::id::PlanId;
use crate::payment_method::PaymentMethod;
use crate::payment_method::{Provider, is_stripe_id};
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::problem::{Code, Explained};
use crate::subscription::{
    CommandKind, Effect, Subscription, SubscriptionStatus, Transition, transition,
};

/// What the host loads before it adopts a snapshot, in one transaction.
#[derive(Clone, Debug)]
pub struct AdoptionFacts {
    /// The account of the subscription.
    pub account: Account,
    /// The subscription, found by the provider's identifier, or the first time by the snapshot's
    /// reference.
    pub subscription: Subscription,
    /// The plan that the snapshot's price stands for.
    pub plan: Arc<Plan>,
}

/// How a snapshot's time compares with that of the one that was adopted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// It is newer: adopted.
    Newer,
    /// It is of the same time and says the same.
    Same,
    /// It is of the same time and says something else: the one of the higher rank stands, and the
    /// host fetches the subscription from the provider, and adopts what that says.
    Tie,
    /// It is older.
    Stale,
}

/// What our own table says of the step that a snapshot made, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plausibility {
    /// One command leads there, or nothing changed.
    Expected,
    /// Several commands lead there: a report was lost or is on its way.
    Unusual,
    /// No commands lead there, from a terminal status say. It is adopted all the same: the provider
    /// knows best.
    Impossible,
}

impl Plausibility {
    /// The step from one status to another.
    pub fn between(from: SubscriptionStatus, to: SubscriptionStatus) -> Self {
        let leads = |from, to| {
            from == to
                || CommandKind::ALL
                    .iter()
                    .any(|command| transition(from, *command) == Ok(to))
        };
        let mut reached = vec![from];
        if leads(from, to) {
            return Self::Expected;
        }
        while !reached.contains(&to) {
            let next = SubscriptionStatus::ALL.into_iter().find(|status| {
                !reached.contains(status) && reached.iter().any(|from| leads(*from, *status))
            });
            match next {
                Some(next) => reached.push(next),
                None => return Self::Impossible,
            }
        }
        Self::Unusual
    }
}

/// What a snapshot changes: each part is written, and the credits are granted, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct Adoption {
    freshness: Freshness,
    transition: Option<Transition>,
    account: Option<RowChange<Account>>,
    grants: Vec<DueGrant>,
}

impl Adoption {
    /// How its time compared.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Whether the host should fetch the subscription from the provider: two reports of one time
    /// disagree.
    pub fn needs_refetch(&self) -> bool {
        self.freshness == Freshness::Tie
    }

    /// The subscription's change; `None` where it stays.
    pub fn transition(&self) -> Option<&Transition> {
        self.transition.as_ref()
    }

    /// What the table says of the step, for the log; `None` where none was made.
    pub fn plausibility(&self) -> Option<Plausibility> {
        self.transition
            .as_ref()
            .map(|transition| Plausibility::between(transition.from(), transition.to()))
    }

    /// The account to update: one that awaited its first payment is active once the subscription
    /// has begun. Where the plan changed, its version rises too, so that nobody writes the former
    /// plan over it.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.account.as_ref()
    }

    /// The account's plan from now on, where it is another than the subscription had.
    pub fn plan(&self) -> Option<&PlanId> {
        self.transition
            .as_ref()?
            .effects()
            .find_map(|effect| match effect {
                Effect::PlanChanged { to, .. } => Some(to),
                _ => None,
            })
    }

    /// The credits to grant: those of a trial, and what a larger plan brings more. Paid months come
    /// with their payments.
    pub fn grants(&self) -> &[DueGrant] {
        &self.grants
    }
}

/// Why a snapshot is not adopted. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The provider is not enabled.
    #[error("payment by {0} is coming soon")]
    ComingSoon(PaymentMethod),
    /// The subscription is paid in another way now: what its former provider reports no longer
    /// counts. The host ends it there, and answers the webhook with success: whatever is refused is
    /// sent again for days.
    #[error("the subscription is paid by {0} now")]
    OtherMethod(PaymentMethod),
    /// The rows that were loaded do not belong together, or to the snapshot.
    #[error("the snapshot is of another subscription")]
    Mismatch,
    /// A version is exhausted.
    #[error("the row's version would leave the range that can be stored")]
    OutOfRange,
}

impl Explained for AdoptError {
    fn code(&self) -> Code {
        match self {
            Self::ComingSoon(_) => Code::PaymentMethodComingSoon,
            Self::OtherMethod(_) | Self::Mismatch => Code::ProviderMismatch,
            Self::OutOfRange => Code::AmountOverflow,
        }
    }
}

impl Policy {
    /// Adopts what a provider says of a subscription, if that is newer than what was adopted last.
    /// Whatever the order in which snapshots come, and however often, the subscription ends as the
    /// newest says; of two of one time, as the one of the higher rank says, which is the one
    /// further along: *incomplete, trialing, active, past due, paused, unpaid, incomplete expired,
    /// canceled*.
    ///
    /// Our own table does not decide here, so a subscription that has ended may live again if the
    /// provider says so.
    ///
    /// # Errors
    /// In this order: [`AdoptError::ComingSoon`], [`AdoptError::Mismatch`],
    /// [`AdoptError::OtherMethod`], [`AdoptError::OutOfRange`].
    ///
    /// ```
    /// # use bailiwick::{Account, Credits, Money, Plan, Policy, Subscription, chrono, transition};
    /// # use bailiwick::account::AccountStatus;
    /// # use bailiwick::money::Currency;
    /// # use bailiwick::payment_method::{PaymentMethod, Provider};
    /// # use bailiwick::period::{Interval, Period};
    /// # use bailiwick::policy::PolicySettings;
    /// # use bailiwick::provider::{AdoptionFacts, Freshness, ProviderSnapshot};
    /// # use bailiwick::right::Privileges;
    /// # use bailiwick::subscription::SubscriptionStatus;
    /// # use std::sync::Arc;
    /// # let day = |day: &str| format!("{day}T00:00:00Z").parse::<chrono::DateTime<chrono::Utc>>();
    /// # let now = day("2027-02-01")?;
    /// # let plan = Arc::new(Plan {
    /// #     id: 3.into(), active: true, price: Money::new("49".parse()?, Currency::EUR)?, interval: Interval::MONTHLY,
    /// #     credits_per_month: Credits::whole(500), needs_subscription: true, quotas: [].into(), concurrency: [].into(),
    /// # });
    /// # let (status, payment_method, privileges) = (AccountStatus::PendingPayment, PaymentMethod::Stripe, Privileges::NONE);
    /// # let account = Account { id: 7.into(), status, payment_method, version: 1, privileges };
    /// # let subscription = Subscription::new(9.into(), 7.into(), 3.into(), payment_method, now);
    /// # let snapshot = ProviderSnapshot {
    /// #     provider: Provider::Stripe, subscription: "sub_1".into(), reference: Some("9".into()), price: "price_1".into(), at: now,
    /// #     status: SubscriptionStatus::Active, anchor: now, trial: None, cancel_at_period_end: false,
    /// #     current_period: Some(Period { start: now, end: day("2027-03-01")? }),
    /// # };
    /// let facts = AdoptionFacts { account, subscription, plan };
    /// let refused = Policy::default().adopt_snapshot(&snapshot, facts.clone(), now).unwrap_err();
    /// assert_eq!(refused.to_string(), "payment by stripe is coming soon");
    ///
    /// let settings: PolicySettings = serde_json::from_str(r#"{ "payment_methods": ["stripe", "bank_transfer"] }"#)?;
    /// let adoption = Policy::load(settings)?.adopt_snapshot(&snapshot, facts, now)?;
    /// assert_eq!(adoption.freshness(), Freshness::Newer);
    /// assert_eq!(adoption.transition().map(|transition| transition.to()), Some(SubscriptionStatus::Active));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
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
        let reference = snapshot.reference.as_deref();
        check_identity(
            snapshot.provider,
            &snapshot.subscription,
            reference,
            &account,
            &subscription,
        )?;
        if subscription.payment_method != method {
            return Err(AdoptError::OtherMethod(subscription.payment_method));
        }
        let candidate = snapshot.onto(&subscription, &plan.id)?;
        let freshness = match subscription.provider_at {
            Some(at) if snapshot.at < at => Freshness::Stale,
            Some(at) if snapshot.at == at && content(&candidate) == content(&subscription) => {
                Freshness::Same
            }
            Some(at) if snapshot.at == at => Freshness::Tie,
            _ => Freshness::Newer,
        };
        let wins = match freshness {
            Freshness::Newer => true,
            Freshness::Tie => content(&candidate) > content(&subscription),
            Freshness::Same | Freshness::Stale => false,
        };
        // Whether or not it is the newest: what had begun, had begun.
        let begun = has_begun(snapshot.status);
        let lifted = if begun && account.status == AccountStatus::PendingPayment {
            AccountStatus::Active
        } else {
            account.status
        };
        let mut grants = if begun {
            trial_grants(snapshot, &subscription, &plan)
        } else {
            Vec::new()
        };
        let transition = wins.then(|| Transition::adopted(&subscription, candidate, now));
        let moves = transition
            .as_ref()
            .is_some_and(|transition| transition.subscription().plan != subscription.plan);
        if moves {
            grants.extend(raise(&subscription, &plan, now));
        }
        Ok(Adoption {
            freshness,
            account: if moves {
                account.rewritten(lifted)
            } else {
                account.with_status(lifted)
            },
            transition,
            grants,
        })
    }
}

/// Whether a subscription in this status was ever served: one that was canceled before it was paid
/// was not.
const fn has_begun(status: SubscriptionStatus) -> bool {
    matches!(
        status,
        SubscriptionStatus::Trialing
            | SubscriptionStatus::Active
            | SubscriptionStatus::PastDue
            | SubscriptionStatus::Paused
    )
}

/// What a larger plan adds to the month that runs, if a payment brought it: under the key that the
/// payment gave it.
fn raise(subscription: &Subscription, plan: &Plan, now: DateTime<Utc>) -> Option<DueGrant> {
    let paid = subscription
        .provider_paid
        .filter(|period| period.contains(now))?;
    let month = paid_months(plan.interval, paid)
        .into_iter()
        .find(|month| month.contains(now))?;
    let cause = Cause::of_month(&subscription.account, &subscription.id, month).into_raise();
    DueGrant::new(cause, GrantTerms::month(plan.credits_per_month, month))
}

/// The rows belong together, and to the provider's subscription.
///
/// A row without an identifier of Stripe's takes the one beside which the host's own server wrote
/// that row's: a report of a former subscription of the same account does not bind the new one. A
/// row without one of PayPal's takes none, since anyone can make a subscription there and call it
/// whose they like.
pub(super) fn check_identity(
    provider: Provider,
    id: &str,
    reference: Option<&str>,
    account: &Account,
    subscription: &Subscription,
) -> Result<(), AdoptError> {
    let is_own = match provider {
        Provider::Stripe => match subscription
            .stripe_subscription_id
            .as_deref()
            .filter(|id| is_stripe_id(id))
        {
            Some(stored) => stored == id,
            None => {
                is_stripe_id(id)
                    && reference.is_some_and(|reference| reference == subscription.id.to_string())
            }
        },
        Provider::Paypal => subscription
            .paypal_subscription_id
            .as_deref()
            .is_some_and(|stored| stored == id),
    };
    if is_own && subscription.account == account.id {
        Ok(())
    } else {
        Err(AdoptError::Mismatch)
    }
}

impl ProviderSnapshot {
    /// The subscription as this snapshot has it. What comes of it depends on the snapshot and on
    /// the payments alone.
    fn onto(&self, before: &Subscription, plan: &PlanId) -> Result<Subscription, AdoptError> {
        let mut after = Subscription {
            plan: plan.clone(),
            status: self.status,
            anchor: self.anchor,
            current_period: self.current_period,
            trial_end: self.trial.map(|trial| trial.end),
            cancel_at_period_end: self.cancel_at_period_end
                && self.status != SubscriptionStatus::Canceled,
            pending_plan: None,
            provider_at: Some(self.at),
            version: before
                .version
                .checked_add(1)
                .ok_or(AdoptError::OutOfRange)?,
            ..before.clone()
        };
        if self.provider == Provider::Stripe {
            after.stripe_subscription_id = Some(self.subscription.clone());
        }
        after.past_due_since = past_due_since(&after);
        Ok(after)
    }
}

/// Since when a provider's subscription is past due: since the end of what was paid, or the start
/// of a later period that was not; and since the report where that is earlier. However often a
/// provider tries again, it never moves past the end of what was paid.
pub(super) fn past_due_since(subscription: &Subscription) -> Option<DateTime<Utc>> {
    let at = subscription
        .provider_at
        .filter(|_| subscription.status == SubscriptionStatus::PastDue)?;
    let unpaid = match (subscription.provider_paid, subscription.current_period) {
        // The running period is paid: it is something else that is not, up to the period's end.
        (Some(paid), Some(period)) if paid.start == period.start => paid.end,
        (Some(paid), Some(period)) => paid.end.min(period.start),
        (Some(paid), None) => paid.end,
        (None, Some(period)) => period.start,
        (None, None) => subscription.anchor,
    };
    Some(at.min(unpaid))
}

/// All that a snapshot says, in an order that ranks: first the status, then the rest, so that no
/// two that differ tie.
fn content(subscription: &Subscription) -> impl PartialOrd {
    let rank = match subscription.status {
        SubscriptionStatus::Unknown => 0,
        SubscriptionStatus::Incomplete => 1,
        SubscriptionStatus::Trialing => 2,
        SubscriptionStatus::Active => 3,
        SubscriptionStatus::PastDue => 4,
        SubscriptionStatus::Paused => 5,
        SubscriptionStatus::Unpaid => 6,
        SubscriptionStatus::IncompleteExpired => 7,
        SubscriptionStatus::Canceled => 8,
    };
    let period = |period: Period| (period.end, period.start);
    (
        rank,
        subscription.current_period.map(period),
        subscription.cancel_at_period_end,
        subscription.trial_end,
        subscription.anchor,
        subscription.plan.clone(),
    )
}

/// The credits of a trial, which end with it. Every snapshot that knows of the trial says so, an
/// older one too: they are granted once, by their keys.
fn trial_grants(
    snapshot: &ProviderSnapshot,
    subscription: &Subscription,
    plan: &Plan,
) -> Vec<DueGrant> {
    let Some(trial) = snapshot.trial else {
        return Vec::new();
    };
    let due = |month: Period| {
        let cause = Cause::of_month(&subscription.account, &subscription.id, month);
        let month = Period {
            end: month.end.min(trial.end),
            ..month
        };
        DueGrant::new(cause, GrantTerms::month(plan.credits_per_month, month))
    };
    credit_months(plan.interval, trial, trial.start)
        .into_iter()
        .filter_map(due)
        .collect()
}
