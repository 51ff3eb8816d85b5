//! Background jobs: what the queue carries grants nothing; the gate decides again when the job runs
//! (S12).

use std::sync::Arc;

use crate::support::{account, at, tenant};
use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::gate::{Denial, JobTenant};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Period;
use bailiwick::policy::{GraceMode, GraceSettings, PolicySettings};
use bailiwick::right::Privilege;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{Policy, Principal, SiteId, Subscription, Tenant, validate_account_and_plan};
use proptest::prelude::*;
use serde_json::{Value, json};

const SITES: [i64; 3] = [11, 12, 13];

fn ids(sites: &[i64]) -> Arc<[SiteId]> {
    sites.iter().copied().map(SiteId::from).collect()
}

fn with_sites(sites: &[i64]) -> Tenant {
    Tenant {
        sites: ids(sites),
        ..tenant(7)
    }
}

/// A tenant on a plan that needs a subscription, in a status since or until an instant.
fn subscribed(status: SubscriptionStatus, second: i64) -> Tenant {
    let subscription = Subscription {
        id: 1.into(),
        account: 7.into(),
        plan: 1.into(),
        status,
        anchor: at(0),
        current_period: Some(Period {
            start: at(0),
            end: at(second),
        }),
        free_period: false,
        trial_end: Some(at(second)),
        cancel_at_period_end: false,
        ends_at: None,
        pending_plan: None,
        unpaid_plan: None,
        past_due_since: Some(at(0)),
        payment_method: PaymentMethod::BankTransfer,
        stripe_subscription_id: None,
        paypal_subscription_id: None,
        external_payment_id: None,
        provider_at: None,
        provider_paid: None,
        paid_until: None,
        version: 1,
    };
    let plan = Some(Arc::new(crate::support::plan(49, true)));
    Tenant {
        plan,
        subscription: Some(subscription),
        ..with_sites(&SITES)
    }
}

fn principal(kind: u8, bound: Option<&[i64]>) -> Principal {
    let principal = match kind % 3 {
        0 => Principal::session(5.into()),
        1 => Principal::jwt(5.into()),
        _ => Principal::api_key(3.into()),
    };
    let principal = principal.of_account(7.into());
    match bound {
        Some(bound) => principal.bound_to_sites(ids(bound)),
        None => principal,
    }
}

fn accepted(principal: &Principal, tenant: &Tenant) -> JobTenant {
    JobTenant::of(&validate_account_and_plan(principal, Some(tenant), at(0)).unwrap())
}

fn through_the_queue(job: &JobTenant) -> JobTenant {
    serde_json::from_str(&serde_json::to_string(job).unwrap()).unwrap()
}

/// A policy whose grace for what is past due is a minute, for reading only.
fn reading_grace() -> Policy {
    Policy::load(PolicySettings {
        past_due_grace: Some(GraceSettings {
            seconds: 60,
            mode: GraceMode::ReadOnly,
        }),
        ..PolicySettings::default()
    })
    .unwrap()
}

proptest! {
    /// Through the queue and back, the same tenant gives the same access, to its last field, for
    /// any credential.
    #[test]
    fn s12_a_job_comes_back_as_it_went(
        kind in 0..3_u8, bound in prop::option::of(prop::sample::subsequence(SITES.to_vec(), 1..=3)), extra in any::<bool>(),
    ) {
        let (who, tenant) = (principal(kind, bound.as_deref()), with_sites(&SITES));
        let who = if extra { who.with_privileges(Privilege::ALL.into_iter().collect()) } else { who };
        let access = validate_account_and_plan(&who, Some(&tenant), at(0)).unwrap();
        let job = JobTenant::of(&access);
        prop_assert_eq!(&through_the_queue(&job), &job);
        prop_assert_eq!(job.account_id(), access.account_id());
        prop_assert_eq!(job.user(), who.user());
        prop_assert_eq!(job.credential(), who.credential());
        let again = through_the_queue(&job).revalidate(&Policy::default(), Some(&tenant), at(5)).unwrap();
        prop_assert_eq!(format!("{again:?}"), format!("{access:?}"));
    }

    /// A job is refused, and admitted until, exactly as a request of its principal would be at that
    /// moment.
    #[test]
    fn s12_revalidation_is_the_gates_own_decision(
        kind in 0..3_u8,
        bound in prop::option::of(prop::sample::subsequence(SITES.to_vec(), 1..=3)),
        status in prop::sample::select(AccountStatus::ALL.to_vec()),
        subscription in prop::sample::select(SubscriptionStatus::ALL.to_vec()),
        sites in prop::sample::subsequence(SITES.to_vec(), 0..=3),
        id in 7..9_i64, loaded in prop::bool::weighted(0.9), end in 0..9_i64, now in 0..9_i64,
    ) {
        let who = principal(kind, bound.as_deref());
        let job = accepted(&who, &with_sites(&SITES));
        let later = Tenant { account: account(id, status), sites: ids(&sites), ..subscribed(subscription, end) };
        let later = loaded.then_some(&later);
        for policy in [Policy::default(), reading_grace()] {
            let by_job = through_the_queue(&job).revalidate(&policy, later, at(now));
            let by_request = policy.validate_account_and_plan(&who, later, at(now));
            prop_assert_eq!(format!("{by_job:?}"), format!("{by_request:?}"));
        }
    }

    /// Whatever sites the account gains or loses meanwhile, a bound job reaches none that its
    /// access did not reach.
    #[test]
    fn s12_a_bound_job_stays_bound(
        bound in prop::sample::subsequence(SITES.to_vec(), 1..=3),
        before in prop::sample::subsequence(SITES.to_vec(), 1..=3),
        after in prop::sample::subsequence(SITES.to_vec(), 0..=3),
    ) {
        prop_assume!(bound.iter().any(|site| before.contains(site)));
        let job = accepted(&principal(2, Some(&bound)), &with_sites(&before));
        let reached: Vec<i64> = SITES.into_iter().filter(|site| bound.contains(site) && before.contains(site)).collect();
        match through_the_queue(&job).revalidate(&Policy::default(), Some(&with_sites(&after)), at(5)) {
            Ok(access) => {
                prop_assert!(access.is_bound_to_sites());
                for site in SITES {
                    let expected = reached.contains(&site) && after.contains(&site);
                    prop_assert_eq!(access.reaches(&site.into()), expected, "{}", site);
                }
            }
            Err(denial) => {
                prop_assert_eq!(denial, Denial::SiteNotInAccount);
                prop_assert!(!reached.iter().any(|site| after.contains(site)));
            }
        }
    }

    /// Whatever is written into the queue, a job gets no more than an unbound principal of the
    /// account that it names.
    #[test]
    fn s12_an_edited_text_is_judged_by_stored_facts(
        id in 6..9_i64, status in prop::sample::select(AccountStatus::ALL.to_vec()), now in 0..9_i64,
    ) {
        let mut text = serde_json::to_value(accepted(&principal(2, Some(&[11])), &with_sites(&SITES))).unwrap();
        text["account"] = json!(id);
        text["reach"] = json!("account");
        let forged: JobTenant = serde_json::from_value(text).unwrap();
        let stored = Tenant { account: account(7, status), ..with_sites(&SITES) };
        let granted = forged.revalidate(&Policy::default(), Some(&stored), at(now));
        let asked = Principal::api_key(3.into()).of_account(id.into());
        let expected = validate_account_and_plan(&asked, Some(&stored), at(now));
        prop_assert_eq!(format!("{granted:?}"), format!("{expected:?}"));
        prop_assert!(granted.is_err() || (id == 7 && status == AccountStatus::Active));
    }
}

#[test]
fn s12_who_is_suspended_meanwhile_is_refused() {
    let job = through_the_queue(&accepted(&principal(0, None), &tenant(7)));
    for cause in [
        SuspensionCause::Abuse,
        SuspensionCause::PaymentOverdue,
        SuspensionCause::Requested,
    ] {
        let suspended = Tenant {
            account: account(7, AccountStatus::Suspended(cause)),
            ..tenant(7)
        };
        let refused = job
            .revalidate(&Policy::default(), Some(&suspended), at(5))
            .unwrap_err();
        assert_eq!(refused, Denial::AccountSuspended(cause));
    }
    let gone = job.revalidate(&Policy::default(), None, at(5)).unwrap_err();
    assert_eq!(gone, Denial::AccountMissing);
}

/// Accepted while only reading was allowed, a job never writes; one that may write does not in a
/// grace for reading.
#[test]
fn s12_a_job_writes_only_if_its_access_could_and_the_tenant_may() {
    let policy = reading_grace();
    let (owing, paid) = (
        subscribed(SubscriptionStatus::PastDue, 9),
        subscribed(SubscriptionStatus::Active, 9),
    );
    let job = |tenant| {
        let access = policy
            .validate_account_and_plan(&principal(0, None), Some(tenant), at(1))
            .unwrap();
        through_the_queue(&JobTenant::of(&access))
    };
    let write = |job: JobTenant, tenant| {
        job.revalidate(&policy, Some(tenant), at(2))
            .unwrap()
            .into_write()
            .map(|_| ())
    };
    assert_eq!(write(job(&paid), &paid), Ok(()));
    for (job, tenant) in [
        (job(&owing), &paid),
        (job(&paid), &owing),
        (job(&owing), &owing),
    ] {
        assert_eq!(write(job, tenant), Err(Denial::PaymentPastDue));
    }
    // Of an access that may write, by dereference.
    let access = policy
        .validate_account_and_plan(&principal(0, None), Some(&paid), at(1))
        .unwrap()
        .into_write()
        .unwrap();
    assert_eq!(write(JobTenant::of(&access), &paid), Ok(()));
}

/// A job outlives the access that it came from, and gets one that holds as long as the tenant's
/// standing now.
#[test]
fn s12_the_time_is_that_of_the_run() {
    let job = accepted(
        &principal(0, None),
        &subscribed(SubscriptionStatus::Active, 9),
    );
    let renewed = subscribed(SubscriptionStatus::Active, 99);
    let access = job
        .revalidate(&Policy::default(), Some(&renewed), at(20))
        .unwrap();
    assert_eq!(access.valid_until(), Some(at(99)));
    let ended = job.revalidate(
        &Policy::default(),
        Some(&subscribed(SubscriptionStatus::Active, 9)),
        at(20),
    );
    assert_eq!(ended.unwrap_err(), Denial::PeriodEnded);
}

/// A field that is lost on the way, or that nobody knows, is an error: nothing means "everything".
#[test]
fn s12_a_text_that_lost_a_field_is_no_job() {
    let whole = serde_json::to_value(accepted(
        &principal(2, Some(&[11, 12])),
        &with_sites(&SITES),
    ))
    .unwrap();
    let expected = json!({
        "account": 7, "credential": { "api_key": 3 }, "user": null, "reach": { "sites": [11, 12] }, "may_write": true,
    });
    assert_eq!(whole, expected);
    let fields: Vec<String> = whole.as_object().unwrap().keys().cloned().collect();
    for field in fields {
        let mut text = whole.clone();
        text.as_object_mut().unwrap().remove(&field);
        assert!(
            serde_json::from_value::<JobTenant>(text).is_err(),
            "without {field}"
        );
    }
    let with = |field: &str, value: Value| {
        let mut text = whole.clone();
        text[field] = value;
        serde_json::from_value::<JobTenant>(text)
    };
    assert!(with("reach", Value::Null).is_err());
    assert!(with("privileges", json!(["cross_tenants"])).is_err());
    let nothing = with("reach", json!({ "sites": [] })).unwrap();
    let refused = nothing
        .revalidate(&Policy::default(), Some(&with_sites(&SITES)), at(5))
        .unwrap_err();
    assert_eq!(
        refused,
        Denial::SiteNotInAccount,
        "an empty list means none"
    );
}
