//! Tenants, in good standing and out of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use super::facts::{account, payment_method, plan};
use super::value::{DAY, later, site_id};
use crate::account::{AccountStatus, SuspensionCause};
use crate::id::{AccountId, PlanId};
use crate::money::{Currency, Money};
use crate::payment_method::PaymentMethod;
use crate::period::Period;
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::tenant::Tenant;

/// The reason for which a tenant is in good standing.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The plan needs no subscription.
    Free,
    /// The plan needs no subscription, and there is one all the same.
    FreeAndPaid,
    /// The subscription is in trial.
    Trial,
    /// The subscription is paid.
    Paid,
}

/// Draws tenants that the gate admits at `now`, under the default policy and so under every other:
/// on a plan that needs no subscription, in trial, or paid. `now` is a few years away from the
/// calendar's ends.
pub fn tenant_in_good_standing(now: DateTime<Utc>) -> impl Strategy<Value = Tenant> {
    let sites = btree_set(site_id(), 0..4);
    let lives = (0..300 * DAY, 1..300 * DAY);
    let kind = select(&[Kind::Free, Kind::FreeAndPaid, Kind::Trial, Kind::Paid][..]);
    let terms = (kind, lives, any::<bool>(), payment_method());

    (account(), plan(), sites, terms).prop_map(move |(mut account, mut plan, sites, terms)| {
        let (kind, (before, after), cancels, payment_method) = terms;
        account.status = AccountStatus::Active;
        plan.active = true;
        plan.needs_subscription = matches!(kind, Kind::Trial | Kind::Paid);

        let start = later(now, before.saturating_neg());
        let end = later(now, after);
        let owner = account.id.clone();
        let new = Subscription::new(1.into(), owner, plan.id.clone(), payment_method, start);
        let subscription = match kind {
            Kind::Free => None,
            Kind::Trial => Some(Subscription {
                status: SubscriptionStatus::Trialing,
                trial_end: Some(end),
                current_period: Some(Period { start, end }),
                ..new
            }),
            Kind::FreeAndPaid | Kind::Paid => Some(Subscription {
                status: SubscriptionStatus::Active,
                cancel_at_period_end: cancels,
                current_period: Some(Period { start, end }),
                ..new
            }),
        };

        Tenant {
            account,
            plan: Some(plan.into()),
            next_plan: None,
            subscription,
            sites: sites.into_iter().collect(),
        }
    })
}

/// A reason for which a tenant is out of good standing.
#[derive(Clone, Copy, Debug)]
enum Lapse {
    Account(AccountStatus),
    NoPlan,
    PlanInactive,
    NoSubscription,
    OtherPlan,
    OtherAccount,
    Status(SubscriptionStatus),
    TrialEnded,
    PeriodEnded,
    NoPeriod,
}

/// Draws tenants that the gate refuses at `now` under the default policy, each for one reason
/// alone: an account that is not active, no plan, or a subscription that is missing, unpaid, over
/// or another account's.
pub fn tenant_out_of_good_standing(now: DateTime<Utc>) -> impl Strategy<Value = Tenant> {
    let accounts = [
        AccountStatus::PendingPayment,
        AccountStatus::Suspended(SuspensionCause::PaymentOverdue),
        AccountStatus::Suspended(SuspensionCause::Abuse),
        AccountStatus::Suspended(SuspensionCause::Requested),
        AccountStatus::Closed,
        AccountStatus::Unknown,
    ];
    let statuses = [
        SubscriptionStatus::Incomplete,
        SubscriptionStatus::IncompleteExpired,
        SubscriptionStatus::PastDue,
        SubscriptionStatus::Unpaid,
        SubscriptionStatus::Paused,
        SubscriptionStatus::Canceled,
        SubscriptionStatus::Unknown,
    ];
    let rest = [
        Lapse::NoPlan,
        Lapse::PlanInactive,
        Lapse::NoSubscription,
        Lapse::OtherPlan,
        Lapse::OtherAccount,
        Lapse::TrialEnded,
        Lapse::PeriodEnded,
        Lapse::NoPeriod,
    ];
    let lapses: Vec<Lapse> = accounts
        .map(Lapse::Account)
        .into_iter()
        .chain(statuses.map(Lapse::Status))
        .chain(rest)
        .collect();

    (tenant_in_good_standing(now), select(lapses))
        .prop_map(move |(tenant, lapse)| lapsed(tenant, lapse, now))
}

/// Draws tenants in good standing and out of it, equally often.
pub fn tenant(now: DateTime<Utc>) -> impl Strategy<Value = Tenant> {
    prop_oneof![
        tenant_in_good_standing(now),
        tenant_out_of_good_standing(now)
    ]
}

/// Takes a tenant out of good standing, for one reason.
fn lapsed(mut tenant: Tenant, lapse: Lapse, now: DateTime<Utc>) -> Tenant {
    let Some(plan) = tenant.plan.as_mut().map(Arc::make_mut) else {
        return tenant;
    };

    let start = later(now, DAY.saturating_neg());
    let end = later(now, DAY);
    let mut subscription = tenant.subscription.take().unwrap_or_else(|| {
        let owner = tenant.account.id.clone();
        let method = PaymentMethod::BankTransfer;
        Subscription {
            status: SubscriptionStatus::Active,
            current_period: Some(Period { start, end }),
            ..Subscription::new(1.into(), owner, plan.id.clone(), method, start)
        }
    });

    // Where it is the subscription that lapses, the plan needs one.
    let needs_subscription = !matches!(
        lapse,
        Lapse::Account(_) | Lapse::NoPlan | Lapse::PlanInactive
    );
    plan.needs_subscription |= needs_subscription;
    // A plan without a price never lapses by time, and waits for no payment.
    if let (true, Ok(price)) = (
        plan.price.is_zero(),
        Money::new(Decimal::ONE, Currency::EUR),
    ) {
        plan.price = price;
    }

    match lapse {
        Lapse::Account(status) => tenant.account.status = status,
        Lapse::NoPlan => tenant.plan = None,
        Lapse::PlanInactive => plan.active = false,
        Lapse::NoSubscription => return tenant,
        Lapse::OtherPlan => subscription.plan = PlanId::from(99),
        Lapse::OtherAccount => subscription.account = AccountId::from(i64::MIN),
        Lapse::Status(status) => {
            subscription.status = status;
            subscription.past_due_since = (status == SubscriptionStatus::PastDue).then_some(start);
        }
        // The end is exclusive: at the very instant it is over.
        Lapse::TrialEnded => {
            subscription.status = SubscriptionStatus::Trialing;
            subscription.trial_end = Some(now);
        }
        Lapse::PeriodEnded => {
            subscription.status = SubscriptionStatus::Active;
            subscription.current_period = Some(Period { start, end: now });
        }
        Lapse::NoPeriod => {
            subscription.status = SubscriptionStatus::Active;
            subscription.current_period = None;
        }
    }

    tenant.subscription = Some(subscription);
    tenant
}
