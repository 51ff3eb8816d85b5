//! The gate's decision beside the same one written by hand, with the same outputs: owned ids,
//! shared plan and sites, slack and `valid_until`. The target is 1.5 times the hand-written one.

use std::hint::black_box;
use std::sync::Arc;

use bailiwick::account::AccountStatus;
use bailiwick::gate::Credential;
use bailiwick::id::{ApiKeyId, UserId};
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::policy::{CreditPolicy, PolicySettings};
use bailiwick::right::Privileges;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{
    Account, AccountId, Credits, Evidence, Money, Plan, Policy, Principal, Route, SiteId,
    Subscription, Tenant,
};
use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};

/// What a host would write for itself in the place of an access.
#[allow(dead_code, reason = "what matters is that it is made")]
struct ByHand {
    account: AccountId,
    credential: Credential,
    user: Option<UserId>,
    sites: Arc<[SiteId]>,
    bound: Option<Arc<[SiteId]>>,
    plan: Arc<Plan>,
    credit: CreditPolicy,
    writable: bool,
    valid_until: Option<DateTime<Utc>>,
}

struct Slack {
    renewal: TimeDelta,
    credit: CreditPolicy,
}

#[derive(Debug)]
#[allow(dead_code, reason = "what matters is that it is made")]
enum Refused {
    Account,
    Standing,
    Plan,
    Subscription(SubscriptionStatus),
    Site,
}

#[inline(never)]
fn by_hand(
    slack: &Slack,
    who: &Principal,
    tenant: Option<&Tenant>,
    now: DateTime<Utc>,
) -> Result<ByHand, Refused> {
    let (Some(own), Some(tenant)) = (who.account_id(), tenant) else {
        return Err(Refused::Account);
    };
    if tenant.account.id != *own {
        return Err(Refused::Account);
    }
    if tenant.account.status != AccountStatus::Active {
        return Err(Refused::Standing);
    }
    let Some(plan) = tenant.plan.as_ref().filter(|plan| plan.active) else {
        return Err(Refused::Plan);
    };
    let valid_until = match &tenant.subscription {
        _ if !plan.needs_subscription => None,
        Some(subscription) if subscription.account == *own && subscription.plan == plan.id => {
            let until = match (
                subscription.status,
                subscription.trial_end,
                subscription.current_period,
            ) {
                (SubscriptionStatus::Trialing, Some(end), _) => end,
                (SubscriptionStatus::Active, _, Some(period))
                    if subscription.cancel_at_period_end =>
                {
                    period.end
                }
                (SubscriptionStatus::Active, _, Some(period)) => period.end + slack.renewal,
                (status, ..) => return Err(Refused::Subscription(status)),
            };
            if now >= until {
                return Err(Refused::Subscription(subscription.status));
            }
            Some(until)
        }
        _ => return Err(Refused::Account),
    };
    if let Some(bound) = who.sites()
        && !bound.iter().any(|site| tenant.sites.contains(site))
    {
        return Err(Refused::Site);
    }
    Ok(ByHand {
        account: own.clone(),
        credential: who.credential().clone(),
        user: who.user().cloned(),
        sites: tenant.sites.clone(),
        bound: who.sites().cloned(),
        plan: plan.clone(),
        credit: slack.credit,
        writable: true,
        valid_until,
    })
}

fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn tenant() -> Tenant {
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
        id: 1.into(),
        account: 7.into(),
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
    Tenant {
        account: Account {
            id: 7.into(),
            status: AccountStatus::Active,
            payment_method: PaymentMethod::BankTransfer,
            version: 1,
            privileges: Privileges::NONE,
            registered_at: None,
        },
        plan: Some(Arc::new(plan)),
        next_plan: None,
        subscription: Some(subscription),
        sites: [1, 2, 3].map(SiteId::from).into(),
    }
}

fn gate(c: &mut Criterion) {
    let settings = PolicySettings {
        renewal_slack_seconds: 3_600,
        ..PolicySettings::default()
    };
    let policy = Policy::load(settings).unwrap();
    let slack = Slack {
        renewal: TimeDelta::try_hours(1).unwrap(),
        credit: CreditPolicy::default(),
    };

    let tenant = tenant();
    let person = Principal::session(UserId::from(1)).of_account(7.into());
    let key = Principal::api_key(ApiKeyId::from(1))
        .of_account(7.into())
        .bound_to_sites([SiteId::from(2)]);
    for (case, principal, now) in [
        ("person", &person, instant(10)),
        ("key of a site", &key, instant(10)),
        ("period ended", &person, instant(9_999)),
    ] {
        let mut group = c.benchmark_group(format!("gate/{case}"));
        group.bench_function("by hand", |b| {
            b.iter(|| {
                by_hand(
                    black_box(&slack),
                    black_box(principal),
                    black_box(Some(&tenant)),
                    black_box(now),
                )
            });
        });
        group.bench_function("validate_account_and_plan", |b| {
            b.iter(|| {
                let policy = black_box(&policy);
                policy.validate_account_and_plan(
                    black_box(principal),
                    black_box(Some(&tenant)),
                    black_box(now),
                )
            });
        });
        let evidence = Evidence::Verified(principal.clone());
        group.bench_function("admit, a whole request", |b| {
            b.iter(|| {
                let policy = black_box(&policy);
                policy.admit(
                    black_box(Route::TenantWrite),
                    black_box(&evidence),
                    black_box(Some(&tenant)),
                    black_box(now),
                )
            });
        });
        group.finish();
    }
}

criterion_group!(benches, gate);
criterion_main!(benches);
