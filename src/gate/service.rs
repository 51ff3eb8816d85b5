//! The checks of what a tenant is served: its plan, its subscription, and the time that was paid.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::deadline::Deadline;
use super::decision::TimedDenial;
use super::denial::Denial;
use super::principal::Principal;
use super::standing::Standing;
use crate::account::AccountStatus;
use crate::plan::Plan;
use crate::policy::{GraceMode, Policy};
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::tenant::Tenant;

impl Policy {
    /// Checks a tenant whose subscription may change its plan by time alone. This is rare, so it is
    /// kept out of the way of the usual check.
    #[cold]
    #[inline(never)]
    pub(super) fn check_plans<'a>(
        &self,
        principal: &Principal,
        tenant: &'a Tenant,
        now: DateTime<Utc>,
    ) -> Result<Standing<'a>, TimedDenial> {
        let present = tenant.plan.as_ref();
        let Some((at, next)) = self.change_of_plan(tenant) else {
            return self.check_plan(principal, tenant, present, false, now);
        };
        if at <= now {
            return self.check_plan(principal, tenant, Some(next), true, now);
        }

        let is_before = |until: Option<Deadline>| until.is_some_and(|until| until.instant() < at);
        match self.check_plan(principal, tenant, present, false, now) {
            Ok(standing) => {
                let ends_before = is_before(standing.until);
                let until = standing.until.filter(|_| ends_before);
                Ok(Standing {
                    until: until.or(Some(Deadline::at(at))),
                    changes_at: Some(at),
                    ..standing
                })
            }
            Err(refusal) if is_before(refusal.until) => Err(refusal),
            Err(refusal) => {
                // The other plan may be refused for the same reason.
                let after = self.check_plan(principal, tenant, Some(next), true, at);
                let until = match after {
                    Err(after) if after.denial == refusal.denial => after.until,
                    _ => Some(Deadline::at(at)),
                };
                Err(TimedDenial { until, ..refusal })
            }
        }
    }

    /// Returns the plan that time alone puts in the place of the tenant's plan, and the instant.
    fn change_of_plan<'a>(&self, tenant: &'a Tenant) -> Option<(DateTime<Utc>, &'a Arc<Plan>)> {
        let subscription = tenant.subscription.as_ref()?;
        let next = tenant.next_plan.as_ref()?;
        // Without this check, the account's plan could be one that the subscription is not for.
        let present = tenant
            .plan
            .as_ref()
            .filter(|plan| plan.id == subscription.plan)?;

        let is_free = subscription.is_free_on(present);
        self.pending_plan_starts(subscription, next, is_free)
            .map(|at| (at, next))
    }

    /// Checks a tenant on the plan that is in force at `now`; `by_time` says that time alone has put
    /// it into force, so that the subscription's row does not name it yet.
    #[inline(always)]
    pub(super) fn check_plan<'a>(
        &self,
        principal: &Principal,
        tenant: &'a Tenant,
        plan: Option<&'a Arc<Plan>>,
        by_time: bool,
        now: DateTime<Utc>,
    ) -> Result<Standing<'a>, TimedDenial> {
        if tenant.account.status == AccountStatus::PendingPayment
            && !plan.is_some_and(|plan| awaits_no_payment(tenant, plan, by_time))
        {
            return Err(Denial::PaymentPending.into());
        }

        let plan = plan.ok_or(Denial::PlanMissing)?;
        if !plan.active {
            return Err(Denial::PlanInactive.into());
        }

        let standing = self.check_subscription(tenant, plan, by_time, now)?;

        if principal
            .sites()
            .is_some_and(|bound| !bound.iter().any(|site| tenant.sites.contains(site)))
        {
            // When the paid time is over, that becomes the reason, so this denial has an end.
            return Err(TimedDenial {
                denial: Denial::SiteNotInAccount,
                until: standing.until,
            });
        }
        Ok(standing)
    }

    #[inline(always)]
    fn check_subscription<'a>(
        &self,
        tenant: &'a Tenant,
        plan: &'a Arc<Plan>,
        by_time: bool,
        now: DateTime<Utc>,
    ) -> Result<Standing<'a>, Denial> {
        // Nothing was paid for, so nothing runs out.
        if !plan.needs_subscription {
            return Ok(Standing {
                tenant,
                plan,
                writable: true,
                until: None,
                changes_at: None,
            });
        }

        let subscription = tenant
            .subscription
            .as_ref()
            .ok_or(Denial::SubscriptionMissing)?;
        // Without this check, the payment for a cheap plan would open an expensive one.
        if subscription.plan != plan.id && !by_time {
            return Err(Denial::PlanMismatch);
        }

        // A plan without a price starts and renews by time alone, whether or not a job has noticed.
        let is_free = needs_no_payment(subscription, plan, by_time);
        if is_free && (by_time || !subscription.is_pending_plan_paid()) {
            return Ok(Standing {
                tenant,
                plan,
                writable: true,
                until: None,
                changes_at: None,
            });
        }

        // A status that admits for a time: until when, to what, and the denial afterwards.
        let (until, mode, ended) = match subscription.status {
            // Nothing was due on such a plan, and the one that was paid to follow it ends in time.
            SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid if is_free || by_time => (
                self.until(subscription, subscription.paid_until()),
                GraceMode::Full,
                Denial::PeriodEnded,
            ),
            SubscriptionStatus::Trialing => (
                self.until(subscription, subscription.running_until()),
                GraceMode::Full,
                Denial::TrialEnded,
            ),
            SubscriptionStatus::Active => (
                self.until(subscription, subscription.paid_until()),
                GraceMode::Full,
                Denial::PeriodEnded,
            ),
            SubscriptionStatus::PastDue => {
                // No grace in the policy, or no start to count it from: no grace.
                let grace = self.past_due_grace.zip(subscription.past_due_since);
                let until = grace.map(|((length, _), since)| Deadline::new(since, length));
                let mode = self
                    .past_due_grace
                    .map_or(GraceMode::ReadOnly, |(_, mode)| mode);
                (until, mode, Denial::PaymentPastDue)
            }
            SubscriptionStatus::Incomplete => return Err(Denial::SubscriptionIncomplete),
            SubscriptionStatus::IncompleteExpired => {
                return Err(Denial::SubscriptionIncompleteExpired);
            }
            SubscriptionStatus::Unpaid => return Err(Denial::SubscriptionUnpaid),
            SubscriptionStatus::Paused => return Err(Denial::SubscriptionPaused),
            SubscriptionStatus::Canceled => return Err(Denial::SubscriptionCanceled),
            SubscriptionStatus::Unknown => return Err(Denial::SubscriptionStatusUnknown),
        };

        match until {
            Some(until) if until.is_ahead(now) => Ok(Standing {
                tenant,
                plan,
                writable: mode == GraceMode::Full,
                until: Some(until),
                changes_at: None,
            }),
            _ => Err(ended),
        }
    }

    /// Returns the end of a trial or period, with the slack for a payment that is on its way. A
    /// subscription that is to end has none to wait for, and ends exactly there.
    fn until(&self, subscription: &Subscription, end: Option<DateTime<Utc>>) -> Option<Deadline> {
        let end = end?;
        let slack = match subscription.ends_at {
            _ if subscription.cancel_at_period_end => TimeDelta::zero(),
            // `end` is no later than this instant, and neither is the slack's end.
            Some(at) => self.renewal_slack.min(at.signed_duration_since(end)),
            None => self.renewal_slack,
        };

        Some(Deadline::new(end, slack))
    }
}

/// Returns whether a subscription is served without a payment: its plan is without a price, and it
/// has neither ended nor paused.
#[inline]
fn needs_no_payment(subscription: &Subscription, plan: &Plan, by_time: bool) -> bool {
    let is_live = matches!(
        subscription.status,
        SubscriptionStatus::Incomplete
            | SubscriptionStatus::Trialing
            | SubscriptionStatus::Active
            | SubscriptionStatus::PastDue
            | SubscriptionStatus::Unpaid
    );

    plan.price.is_zero() && is_live && (by_time || subscription.is_free_on(plan))
}

/// Returns whether an account that awaits its first payment awaits none, since its subscription is
/// to a plan without a price.
fn awaits_no_payment(tenant: &Tenant, plan: &Plan, by_time: bool) -> bool {
    let is_free = |subscription| needs_no_payment(subscription, plan, by_time);
    plan.needs_subscription && tenant.subscription.as_ref().is_some_and(is_free)
}
