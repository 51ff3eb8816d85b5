//! The model's facts as the crate's, and the crate's decision as the model's answer.

use bailiwick::account::AccountStatus;
use bailiwick::gate::{Admission, GateDecision};
use bailiwick::id::{ApiKeyId, PlanId, SubscriptionId, UserId};
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::policy::{GraceMode, GraceSettings, PolicySettings};
use bailiwick::right::{Privilege, Privileges};
use bailiwick::subscription::{PendingPlan, SubscriptionStatus};
use bailiwick::{
    Account, AccountId, Credits, Money, Plan, Policy, Principal, Route, SiteId, Subscription,
    Tenant,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::gate as model;

pub const SECOND: model::Instant = 1_000_000_000;

/// The instant, or the nearest one that the calendar has.
pub fn instant(nanos: model::Instant) -> DateTime<Utc> {
    let nanos = nanos.clamp(
        self::nanos(DateTime::<Utc>::MIN_UTC),
        self::nanos(DateTime::<Utc>::MAX_UTC),
    );
    let seconds = i64::try_from(nanos.div_euclid(SECOND)).unwrap();
    let rest = u32::try_from(nanos.rem_euclid(SECOND)).unwrap();
    DateTime::from_timestamp(seconds, rest).unwrap()
}

pub fn nanos(instant: DateTime<Utc>) -> model::Instant {
    i128::from(instant.timestamp()) * SECOND + i128::from(instant.timestamp_subsec_nanos())
}

/// A policy; its lengths are whole seconds.
pub fn policy(facts: model::Policy) -> Policy {
    let seconds = |length: model::Instant| u64::try_from(length / SECOND).unwrap();
    let past_due_grace = facts.grace.map(|(length, full)| GraceSettings {
        seconds: seconds(length),
        mode: if full {
            GraceMode::Full
        } else {
            GraceMode::ReadOnly
        },
    });
    let renewal_slack_seconds = seconds(facts.slack);
    Policy::load(PolicySettings {
        renewal_slack_seconds,
        past_due_grace,
        ..PolicySettings::default()
    })
    .unwrap()
}

pub fn route(route: model::Route) -> Route {
    match route {
        model::Route::Public => Route::Public,
        model::Route::Authenticated => Route::Authenticated,
        model::Route::Read => Route::TenantRead,
        model::Route::Write => Route::TenantWrite,
        model::Route::Billing => Route::Billing,
        model::Route::Operator(privilege) => {
            Route::Operator(Privilege::from_text(privilege).unwrap())
        }
    }
}

fn sites(ids: &[i64]) -> Arc<[SiteId]> {
    ids.iter().copied().map(SiteId::from).collect()
}

fn privileges(words: &[&str]) -> Privileges {
    words
        .iter()
        .filter_map(|word| Privilege::from_text(word))
        .collect()
}

/// The same principal by each kind of credential: a session, a signed token, an API key.
pub fn principals(facts: &model::Principal) -> [Principal; 3] {
    [
        Principal::session(UserId::from(1)),
        Principal::jwt(UserId::from(1)),
        Principal::api_key(ApiKeyId::from(1)),
    ]
    .map(|principal| {
        let principal = principal.with_privileges(privileges(&facts.privileges));
        let principal = match facts.account {
            Some(account) => principal.of_account(account.into()),
            None => principal,
        };
        match &facts.sites {
            Some(bound) => principal.bound_to_sites(sites(bound)),
            None => principal,
        }
    })
}

pub fn tenant(facts: &model::Tenant) -> Tenant {
    Tenant {
        account: Account {
            id: AccountId::from(facts.account),
            status: AccountStatus::from_text(facts.status),
            payment_method: PaymentMethod::BankTransfer,
            version: 1,
            privileges: privileges(&facts.privileges),
            registered_at: None,
        },
        plan: facts.plan.map(|plan| Arc::new(self::plan(1, plan))),
        next_plan: facts.next.map(|plan| Arc::new(self::plan(3, plan))),
        subscription: facts.subscription.map(subscription),
        sites: sites(&facts.sites),
    }
}

fn plan(id: i64, facts: model::Plan) -> Plan {
    let price = if facts.free { 0 } else { 49 };
    Plan {
        id: PlanId::from(id),
        active: facts.active,
        price: Money::new(price.into(), Currency::EUR).unwrap(),
        interval: Interval::MONTHLY,
        credits: Credits::whole(100),
        credits_every: Interval::MONTHLY,
        trial_credits: None,
        needs_subscription: facts.needs_subscription,
        quotas: BTreeMap::new(),
        concurrency: Default::default(),
    }
}

fn subscription(facts: model::Subscription) -> Subscription {
    // A period that begins with the pending plan was paid for it, unless it is free.
    let start = facts
        .pending
        .map_or(DateTime::<Utc>::UNIX_EPOCH, |pending| instant(pending.at));
    let method = if facts.by_provider {
        PaymentMethod::Stripe
    } else {
        PaymentMethod::BankTransfer
    };
    Subscription {
        id: SubscriptionId::from(1),
        account: AccountId::from(facts.account),
        plan: PlanId::from(if facts.of_plan { 1 } else { 2 }),
        status: SubscriptionStatus::from_text(facts.status),
        anchor: DateTime::<Utc>::UNIX_EPOCH,
        current_period: facts.period_end.map(|end| Period {
            start,
            end: instant(end),
        }),
        paid_until: facts.paid_until.map(instant),
        trial_end: facts.trial_end.map(instant),
        cancel_at_period_end: facts.cancel_at_period_end,
        ends_at: None,
        free_period: facts.pending.is_some_and(|pending| !pending.paid),
        pending_plan: facts.pending.map(|pending| PendingPlan {
            plan: PlanId::from(3),
            at: instant(pending.at),
        }),
        unpaid_plan: None,
        past_due_since: facts.past_due_since.map(instant),
        payment_method: method,
        stripe_subscription_id: None,
        paypal_subscription_id: None,
        external_payment_id: None,
        provider_at: facts.by_provider.then_some(DateTime::<Utc>::UNIX_EPOCH),
        provider_paid: None,
        version: 1,
    }
}

/// The decision in the model's words. Consumes it, as a handler does.
pub fn answer(decision: GateDecision) -> model::Answer {
    let (code, valid_until) = (decision.label(), decision.valid_until().map(nanos));
    let mut plan = 0;
    let (admission, writable) = match decision.into_result() {
        Ok(Admission::Public(None)) => ("public, anonymous", false),
        Ok(Admission::Public(Some(_))) => ("public, principal", false),
        Ok(Admission::Authenticated(_)) => ("authenticated", false),
        Ok(Admission::Tenant(access)) => {
            assert_eq!(
                access.valid_until().map(nanos),
                valid_until,
                "the access holds as long as its decision"
            );
            plan = access.plan().id.as_integer().unwrap();
            ("tenant", access.is_writable())
        }
        Ok(Admission::Billing(_)) => ("billing", false),
        Ok(Admission::Operator(_)) => ("operator", false),
        Err(_) => ("", false),
    };
    model::Answer {
        code,
        admission,
        writable,
        plan,
        valid_until,
    }
}
