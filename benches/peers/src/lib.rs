//! The questions that bailiwick answers, put to its peers. The gate's, to general policy engines:
//! may this principal, with this account, plan and subscription, use a tenant's route now? The
//! throttle's is in [`throttle`] and [`service`], the subscription's in [`machines`].

pub mod casbin;
pub mod cedar;
pub mod machines;
pub mod service;
pub mod throttle;

use std::sync::Arc;

use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::id::UserId;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::right::Privileges;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{Account, Credits, Money, Plan, Principal, Subscription, Tenant};
use chrono::{DateTime, TimeDelta, Utc};

/// How long a paid period is stretched while its renewal is on the way, in seconds.
pub const SLACK: i64 = 3_600;

/// The facts of one request. Every engine is given these.
#[derive(Clone)]
pub struct Facts {
    pub principal: Principal,
    pub tenant: Tenant,
}

/// An instant, by its seconds.
pub fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// The user of an account: one each.
fn user_of(account: i64) -> i64 {
    account + 1_000_000
}

/// An account that has paid until `1_000`, and its user.
pub fn paid(account: i64) -> Facts {
    let plan = Plan {
        id: 1.into(),
        active: true,
        price: Money::new(49.into(), Currency::EUR).unwrap(),
        interval: Interval::MONTHLY,
        credits: Credits::whole(100),
        credits_every: Interval::MONTHLY,
        trial_credits: None,
        needs_subscription: true,
        quotas: [].into(),
        concurrency: Default::default(),
    };
    let subscription = Subscription {
        id: account.into(),
        account: account.into(),
        plan: 1.into(),
        status: SubscriptionStatus::Active,
        anchor: instant(0),
        current_period: Some(Period {
            start: instant(0),
            end: instant(1_000),
        }),
        free_period: false,
        trial_end: None,
        cancel_at_period_end: false,
        pending_plan: None,
        unpaid_plan: None,
        past_due_since: None,
        payment_method: PaymentMethod::BankTransfer,
        stripe_subscription_id: None,
        paypal_subscription_id: None,
        external_payment_id: None,
        provider_at: None,
        ends_at: None,
        provider_paid: None,
        paid_until: None,
        version: 1,
    };
    Facts {
        principal: Principal::session(UserId::from(user_of(account))).of_account(account.into()),
        tenant: Tenant {
            account: Account {
                id: account.into(),
                status: AccountStatus::Active,
                payment_method: PaymentMethod::BankTransfer,
                version: 1,
                privileges: Privileges::NONE,
                registered_at: None,
            },
            plan: Some(Arc::new(plan)),
            next_plan: None,
            subscription: Some(subscription),
            sites: [].into(),
        },
    }
}

/// Until when the subscription's own state entitles its account. A column that a host keeps for the
/// other engines, so that they need not add and choose.
pub fn entitled_until(subscription: &Subscription) -> Option<i64> {
    let until = match subscription.status {
        SubscriptionStatus::Trialing => subscription.trial_end?,
        SubscriptionStatus::Active if subscription.cancel_at_period_end => {
            subscription.current_period?.end
        }
        SubscriptionStatus::Active => {
            subscription.current_period?.end + TimeDelta::try_seconds(SLACK)?
        }
        _ => return None,
    };
    Some(until.timestamp())
}

/// Each way in which an account can stand, by name.
pub fn standings(account: i64) -> Vec<(&'static str, Facts)> {
    let with = |change: fn(&mut Tenant)| {
        let mut facts = paid(account);
        change(&mut facts.tenant);
        facts
    };
    fn status(tenant: &mut Tenant, status: SubscriptionStatus) {
        tenant.subscription.as_mut().unwrap().status = status;
    }
    fn plan(tenant: &mut Tenant, change: fn(&mut Plan)) {
        change(Arc::make_mut(tenant.plan.as_mut().unwrap()));
    }
    let mut foreign = paid(account);
    foreign.tenant.account.id = (account + 1).into();
    let mut homeless = paid(account);
    homeless.principal = Principal::session(UserId::from(user_of(account)));
    vec![
        ("paid", paid(account)),
        (
            "ends with its period",
            with(|tenant| tenant.subscription.as_mut().unwrap().cancel_at_period_end = true),
        ),
        (
            "free plan",
            with(|tenant| {
                plan(tenant, |plan| plan.needs_subscription = false);
                tenant.subscription = None;
            }),
        ),
        (
            "trial",
            with(|tenant| {
                status(tenant, SubscriptionStatus::Trialing);
                tenant.subscription.as_mut().unwrap().trial_end = Some(instant(500));
            }),
        ),
        ("another account's tenant", foreign),
        ("no account", homeless),
        (
            "suspended",
            with(|tenant| tenant.account.status = AccountStatus::Suspended(SuspensionCause::Abuse)),
        ),
        (
            "closed",
            with(|tenant| tenant.account.status = AccountStatus::Closed),
        ),
        (
            "awaits its first payment",
            with(|tenant| tenant.account.status = AccountStatus::PendingPayment),
        ),
        ("no plan", with(|tenant| tenant.plan = None)),
        (
            "plan not active",
            with(|tenant| plan(tenant, |plan| plan.active = false)),
        ),
        ("no subscription", with(|tenant| tenant.subscription = None)),
        (
            "another account's subscription",
            with(|tenant| {
                tenant.subscription.as_mut().unwrap().account = 999_999.into();
            }),
        ),
        (
            "another plan's subscription",
            with(|tenant| tenant.subscription.as_mut().unwrap().plan = 2.into()),
        ),
        (
            "past due",
            with(|tenant| status(tenant, SubscriptionStatus::PastDue)),
        ),
        (
            "canceled",
            with(|tenant| status(tenant, SubscriptionStatus::Canceled)),
        ),
        (
            "no period",
            with(|tenant| tenant.subscription.as_mut().unwrap().current_period = None),
        ),
    ]
}

/// The stored words that the other engines compare.
fn account_word(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "active",
        AccountStatus::PendingPayment => "pending_payment",
        AccountStatus::Suspended(_) => "suspended",
        AccountStatus::Closed => "closed",
        AccountStatus::Unknown => "unknown",
    }
}
