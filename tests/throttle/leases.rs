//! How many may be at work at once: leases, purely and in process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{at, euros, tenant};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Period;
use bailiwick::quota::{ConcurrencyLimit, QuotaError, ThrottleScope};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::throttle::leases::{Leases, acquire};
use bailiwick::throttle::{Lease, ThrottleCapacity, Throttled};
use bailiwick::{
    Access, Code, Principal, Problem, Subscription, Throttle, throttle_scope,
    validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

const EXPORT: ThrottleScope = throttle_scope!("export");
const IMPORT: ThrottleScope = throttle_scope!("import");

fn limit(at_once: u16, seconds: u32) -> ConcurrencyLimit {
    ConcurrencyLimit::new(at_once, seconds).unwrap()
}

fn access(account: i64, at_once: u16) -> Access {
    let mut tenant = tenant(account);
    let plan = Arc::make_mut(tenant.plan.as_mut().unwrap());
    plan.concurrency = [(EXPORT, limit(at_once, 60))].into();
    validate_account_and_plan(
        &Principal::session(2.into()).of_account(account.into()),
        Some(&tenant),
        at(0),
    )
    .unwrap()
}

fn throttle(accounts: u32) -> Throttle {
    Throttle::new(ThrottleCapacity {
        accounts,
        addresses: 0,
    })
}

#[derive(Clone, Debug)]
enum Step {
    Acquire { id: i64, at_once: u16, seconds: u32 },
    Release { id: i64 },
    Wait { seconds: i64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..6_i64, 1..4_u16, 1..20_u32)
            .prop_map(|(id, at_once, seconds)| Step::Acquire { id, at_once, seconds }),
        1 => (0..6_i64).prop_map(|id| Step::Release { id }),
        1 => (0..15_i64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

proptest! {
    /// Against a naive list of intervals: granted exactly when fewer than the limit are held, or it
    /// is held already.
    #[test]
    fn leases_equal_a_list_of_intervals(steps in prop::collection::vec(any_step(), 1..60)) {
        let (mut leases, mut now, mut held) = (Leases::default(), 0, Vec::<(i64, i64)>::new());
        for step in steps {
            held.retain(|(_, until)| *until > now);
            match step {
                Step::Wait { seconds } => now += seconds,
                Step::Release { id } => {
                    held.retain(|(own, _)| *own != id);
                    leases = leases.release(&id.into());
                }
                Step::Acquire { id, at_once, seconds } => {
                    let renews = held.iter().any(|(own, _)| *own == id);
                    let expected = renews || held.len() < usize::from(at_once);
                    let answer = acquire(&limit(at_once, seconds), &leases, &id.into(), at(now));
                    prop_assert_eq!(answer.is_granted(), expected);
                    if expected {
                        held.retain(|(own, _)| *own != id);
                        held.push((id, now + i64::from(seconds)));
                        prop_assert_eq!(answer.held_until(), Some(at(now + i64::from(seconds))));
                        prop_assert_eq!(answer.retry_at(), None);
                    } else {
                        let retry_at = answer.retry_at().unwrap();
                        let after = |at: DateTime<Utc>| {
                            let left = held.iter().filter(|(_, until)| crate::support::at(*until) > at).count();
                            left < usize::from(at_once)
                        };
                        prop_assert!(after(retry_at) && !after(retry_at - TimeDelta::new(1, 0).unwrap()));
                        prop_assert_eq!(answer.held_until(), None);
                    }
                    // As a store keeps it.
                    leases = serde_json::from_str(&serde_json::to_string(answer.leases()).unwrap()).unwrap();
                }
            }
            prop_assert_eq!(leases.count_at(at(now)), held.iter().filter(|(_, until)| *until > now).count());
        }
    }

    /// Whatever is stored, and wherever the clock was before (in the years that nanoseconds reach):
    /// a day and a second later every place is free.
    #[test]
    fn t5_no_stored_lease_blocks_longer_than_a_day(
        stored in prop::collection::vec((0..9_i64, any::<i64>(), any::<i64>()), 0..9), now in -8_000_000_000_000_000_000..8_000_000_000_000_000_000_i64, later in 0..5_i64,
    ) {
        let stored: Vec<_> =
            stored.iter().map(|(id, since, until)| serde_json::json!({ "id": id, "since": since, "until": until })).collect();
        let leases: Leases = serde_json::from_value(stored.into()).unwrap();
        let now: DateTime<Utc> = DateTime::from_timestamp_nanos(now);
        let one = limit(1, 1);
        let first = acquire(&one, &leases, &"new".parse().unwrap(), now);
        let wait = TimeDelta::new(86_401 + later, 0).unwrap();
        if let (false, Some(now)) = (first.is_granted(), now.checked_add_signed(wait)) {
            prop_assert!(acquire(&one, first.leases(), &"new".parse().unwrap(), now).is_granted());
        }
    }
}

#[test]
fn t5_a_clock_set_back_extends_no_lease() {
    let hour = limit(1, 3600);
    let first = acquire(&hour, &Leases::default(), &1.into(), at(1_000_000));
    let seen = acquire(&hour, first.leases(), &2.into(), at(0));
    assert_eq!(
        seen.retry_at(),
        Some(at(3600)),
        "begun anew, not in eleven days"
    );
    assert!(acquire(&hour, seen.leases(), &2.into(), at(3600)).is_granted());
    // A second's difference between clocks is none.
    let first = acquire(&hour, &Leases::default(), &1.into(), at(1));
    assert_eq!(
        acquire(&hour, first.leases(), &2.into(), at(0)).retry_at(),
        Some(at(3601))
    );
}

#[test]
fn stored_leases_are_bounded_and_known() {
    let lease = |id: usize| serde_json::json!({ "id": id, "since": 0, "until": 1 });
    let stored = |count: usize| {
        serde_json::from_value::<Leases>((0..count).map(lease).collect::<Vec<_>>().into())
    };
    assert!(stored(1000).is_ok());
    assert!(stored(1001).is_err());
    assert!(serde_json::from_str::<Leases>(r#"[{"id":1,"since":0,"until":1,"x":1}]"#).is_err());
    for (at_once, seconds) in [(0, 1), (1, 0), (1001, 1), (1, 86_401)] {
        assert_eq!(
            ConcurrencyLimit::new(at_once, seconds),
            Err(QuotaError::Concurrency)
        );
        let text = format!(r#"{{"at_once":{at_once},"seconds":{seconds}}}"#);
        assert!(serde_json::from_str::<ConcurrencyLimit>(&text).is_err());
    }
    assert_eq!(
        serde_json::to_string(&limit(2, 30)).unwrap(),
        r#"{"at_once":2,"seconds":30}"#
    );
}

#[test]
fn a_dropped_lease_frees_its_place_and_a_forgotten_one_ends() {
    let (throttle, access) = (throttle(9), access(7, 2));
    let first = throttle.acquire(&access, EXPORT, at(0)).unwrap();
    let second = throttle.acquire(&access, EXPORT, at(10)).unwrap();
    assert_eq!((first.until(), second.until()), (at(60), at(70)));

    let refused = throttle.acquire(&access, EXPORT, at(20)).unwrap_err();
    let problem = Problem::from(refused);
    assert_eq!(
        (problem.status(), problem.code()),
        (429, Code::TooManyAtOnce)
    );
    assert!(
        problem
            .headers()
            .contains(&("Retry-After", "40".to_owned()))
    );
    assert!(
        problem.detail().contains("2 requests for export"),
        "{problem}"
    );

    drop(first);
    let third = throttle.acquire(&access, EXPORT, at(20)).unwrap();
    // Another account has places of its own.
    let _other = throttle
        .acquire(&self::access(8, 1), EXPORT, at(20))
        .unwrap();
    // A process that is stuck returns nothing; its leases end all the same.
    std::mem::forget((second, third));
    assert!(throttle.acquire(&access, EXPORT, at(69)).is_err());
    drop(throttle.acquire(&access, EXPORT, at(70)).unwrap());
}

#[test]
fn t8_a_lease_needs_an_access_that_holds_and_a_plan_that_names_the_scope() {
    let (throttle, access) = (throttle(9), access(7, 1));
    assert_eq!(
        throttle.acquire(&access, IMPORT, at(0)).unwrap_err(),
        Throttled::QuotaMissing(IMPORT)
    );

    let mut ending = tenant(7);
    let plan = Arc::make_mut(ending.plan.as_mut().unwrap());
    // A plan without a price would outlive its period.
    plan.price = euros(49);
    (plan.needs_subscription, plan.concurrency) = (true, [(EXPORT, limit(1, 60))].into());
    let mut subscription = Subscription::new(
        1.into(),
        7.into(),
        plan.id.clone(),
        PaymentMethod::BankTransfer,
        at(0),
    );
    subscription.status = SubscriptionStatus::Active;
    subscription.current_period = Some(Period {
        start: at(0),
        end: at(100),
    });
    ending.subscription = Some(subscription);
    let access = validate_account_and_plan(
        &Principal::session(2.into()).of_account(7.into()),
        Some(&ending),
        at(0),
    );
    assert_eq!(
        throttle
            .acquire(&access.unwrap(), EXPORT, at(100))
            .unwrap_err(),
        Throttled::AccessExpired
    );
}

#[test]
fn t10_leases_take_bounded_room_and_give_it_back() {
    let throttle = throttle(3);
    let held: Vec<Lease> = (0..3)
        .map(|id| throttle.acquire(&access(id, 5), EXPORT, at(0)).unwrap())
        .collect();
    assert_eq!(
        throttle.acquire(&access(9, 5), EXPORT, at(0)).unwrap_err(),
        Throttled::Full
    );
    // Who holds a key already is decided all the same.
    drop(throttle.acquire(&access(0, 5), EXPORT, at(0)).unwrap());
    assert_eq!(throttle.tracked_leases(), 3);
    drop(held);
    assert_eq!(throttle.tracked_leases(), 0);
    std::mem::forget(throttle.acquire(&access(1, 5), EXPORT, at(0)).unwrap());
    std::mem::forget(throttle.acquire(&access(2, 5), EXPORT, at(0)).unwrap());
    std::mem::forget(throttle.acquire(&access(3, 5), EXPORT, at(0)).unwrap());
    // What has ended gives way.
    drop(throttle.acquire(&access(9, 5), EXPORT, at(60)).unwrap());
}

#[test]
fn threads_never_hold_more_than_the_limit() {
    let (throttle, access, at_work) = (throttle(9), access(7, 3), AtomicUsize::new(0));
    let granted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if let Ok(lease) = throttle.acquire(&access, EXPORT, at(0)) {
                        assert!(at_work.fetch_add(1, Ordering::SeqCst) < 3);
                        granted.fetch_add(1, Ordering::Relaxed);
                        at_work.fetch_sub(1, Ordering::SeqCst);
                        drop(lease);
                    }
                }
            });
        }
    });
    assert!(granted.into_inner() >= 2_000);
    assert_eq!(throttle.tracked_leases(), 0);
}
