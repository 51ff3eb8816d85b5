//! The throttle of one process beyond the plan's quotas: keys of members and of addresses at an
//! account, what is left, what is given back, and what happens where nothing can be known.

use std::net::IpAddr;
use std::sync::Arc;

use crate::support::{at, tenant};
use bailiwick::id::{ApiKeyId, UserId};
use bailiwick::quota::{QuotaSet, ThrottleScope};
use bailiwick::throttle::gcra::{self, Limits};
use bailiwick::throttle::{ThrottleCapacity, ThrottleKey, ThrottleSubject, Throttled};
use bailiwick::{
    Access, AccountId, Code, Policy, Principal, Problem, Quota, SiteId, Throttle, throttle_scope,
    validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

const AI: ThrottleScope = throttle_scope!("ai");
const LOGIN: ThrottleScope = throttle_scope!("login");

fn throttle(accounts: u32, addresses: u32) -> Throttle {
    Throttle::new(ThrottleCapacity {
        accounts,
        addresses,
    })
}

fn set(cells: u32, seconds: u32) -> QuotaSet {
    Quota::new(cells, seconds).unwrap().into()
}

fn access(account: i64, quotas: &QuotaSet) -> Access {
    let mut tenant = tenant(account);
    Arc::make_mut(tenant.plan.as_mut().unwrap()).quotas = [(AI, quotas.clone())].into();
    validate_account_and_plan(
        &Principal::session(2.into()).of_account(account.into()),
        Some(&tenant),
        at(0),
    )
    .unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn millis(now: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::try_milliseconds(now).unwrap()
}

/// Every kind of subject has a bucket of its own, in every scope; and those of the account and of
/// the address are the ones that the plain checks charge.
#[test]
fn t1_every_subject_has_a_bucket_of_its_own() {
    let (throttle, quotas) = (throttle(100, 100), set(1, 60));
    let ids = [AccountId::from(7), AccountId::from(8)];
    let (users, keys, sites) = (
        [1, 2].map(UserId::from),
        [1, 2].map(ApiKeyId::from),
        [1, 2].map(SiteId::from),
    );
    let addresses = [address("192.0.2.1"), address("2001:db8::1")];
    let mut subjects: Vec<ThrottleSubject> = addresses
        .iter()
        .map(|from| ThrottleSubject::Address(*from))
        .collect();
    for account in &ids {
        subjects.push(ThrottleSubject::Account(account));
        for (user, key) in users.iter().zip(&keys) {
            subjects.extend([
                ThrottleSubject::User(account, user),
                ThrottleSubject::ApiKey(account, key),
            ]);
            for site in &sites {
                subjects.extend([
                    ThrottleSubject::UserAtSite(account, user, site),
                    ThrottleSubject::ApiKeyAtSite(account, key, site),
                ]);
            }
            for from in addresses {
                subjects.extend([
                    ThrottleSubject::UserFrom(account, user, from),
                    ThrottleSubject::ApiKeyFrom(account, key, from),
                ]);
            }
        }
        subjects.extend(
            sites
                .iter()
                .map(|site| ThrottleSubject::Site(account, site)),
        );
        subjects.extend(addresses.map(|from| ThrottleSubject::AccountFrom(account, from)));
    }
    for scope in [AI, LOGIN] {
        for subject in &subjects {
            let key = ThrottleKey::derive(scope, *subject);
            throttle.check_key(&key, &quotas, 1, at(0)).unwrap();
            assert!(
                throttle.check_key(&key, &quotas, 1, at(0)).is_err(),
                "{key}"
            );
        }
    }
    throttle.check(&access(7, &quotas), AI, at(0)).unwrap_err();
    throttle
        .check_address(addresses[0], LOGIN, &quotas, at(0))
        .unwrap_err();
    // Each of two scopes: 22 within the accounts, of which 2 are the accounts; 2 addresses and 10
    // at an account.
    assert_eq!(
        throttle.tracked_accounts() + throttle.tracked_addresses(),
        2 * subjects.len()
    );
    assert_eq!(throttle.tracked_addresses(), 2 * (2 + 2 * (2 + 2 * 4)));
}

/// Made-up log-ins at an account take no room from its members, nor from other addresses.
#[test]
fn t10_attempts_members_and_addresses_have_rooms_of_their_own() {
    let (throttle, quotas, account) = (throttle(8, 8), set(1, 3600), AccountId::from(7));
    let attempt = |last: u8| {
        let from = IpAddr::from([192, 0, 2, last]);
        ThrottleKey::derive(LOGIN, ThrottleSubject::AccountFrom(&account, from))
    };
    let refused = (0..200)
        .filter(|last| {
            throttle
                .check_key(&attempt(*last), &quotas, 1, at(0))
                .is_err()
        })
        .count();
    assert_eq!(refused, 200 - throttle.tracked_addresses());
    throttle
        .check_address(address("192.0.2.1"), LOGIN, &quotas, at(0))
        .unwrap();
    throttle.check(&access(7, &quotas), AI, at(0)).unwrap();
    let user = UserId::from(1);
    throttle
        .check_key(
            &ThrottleKey::derive(AI, ThrottleSubject::User(&account, &user)),
            &quotas,
            1,
            at(0),
        )
        .unwrap();
}

/// More scopes than one link of the chain holds, from many threads at once: each keeps its own
/// buckets.
#[test]
fn t1_scopes_by_number_stay_apart() {
    // All of them in one shard, where their keys meet.
    let throttle = throttle(700, 0);
    let scopes: Vec<ThrottleScope> = (0..500)
        .map(|number| ThrottleScope::new(&format!("scope-{number}")).unwrap())
        .collect();
    let (quotas, account) = (set(1, 3600), AccountId::from(7));
    let passed: usize = std::thread::scope(|threads| {
        let work = || {
            let pass = |scope: &&ThrottleScope| {
                let key = ThrottleKey::derive(**scope, ThrottleSubject::Account(&account));
                throttle.check_key(&key, &quotas, 1, at(0)).is_ok()
            };
            scopes.iter().filter(pass).count()
        };
        let threads: Vec<_> = (0..8).map(|_| threads.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(passed, scopes.len(), "each scope let one through");
}

proptest! {
    /// A peek tells what passes at once, and changes nothing.
    #[test]
    fn t9_a_peek_tells_what_passes_and_charges_nothing(
        cells in 1..20_u32, more in prop::option::of(1..40_u32), charges in prop::collection::vec((0..2_000_i64, 1..6_u32), 0..20),
    ) {
        let mut quotas = vec![Quota::new(cells, 10).unwrap()];
        quotas.extend(more.map(|cells| Quota::new(cells, 60).unwrap()));
        let quotas = QuotaSet::try_from(quotas).unwrap();
        let (throttle, access, mut now) = (throttle(9, 9), access(7, &quotas), 0);
        let mut states = None;
        for (pause, cost) in charges {
            now += pause;
            let report = throttle.peek(&access, AI, millis(now)).unwrap();
            prop_assert_eq!(&report, &throttle.peek(&access, AI, millis(now)).unwrap());
            let pure = gcra::decide_all(&Limits::default(), &quotas, states.as_ref(), millis(now), 0);
            prop_assert_eq!(report.remaining(), pure.iter().map(|decision| decision.remaining()).min().unwrap());
            let decision = gcra::decide_all(&Limits::default(), &quotas, states.as_ref(), millis(now), cost);
            prop_assert_eq!(throttle.check_cost(&access, AI, cost, millis(now)).is_ok(), decision.is_allowed());
            prop_assert_eq!(decision.is_allowed(), cost <= report.remaining());
            states = if decision.must_store() { Some(*decision.states()) } else { states };
        }
    }

    /// What passes in any window, less what is given back in it, keeps the bound; and a refund is
    /// never more than the charge: given back at once, it is as if nothing had been charged.
    #[test]
    fn t3_refunds_keep_the_bound_of_every_window(
        cells in 1..20_u32, burst in 1..10_u32, steps in prop::collection::vec((0..1_500_i64, 1..4_u32, 0..3_u8, 0..2_000_i64), 1..60),
    ) {
        let quota = Quota::new(cells, 10).unwrap().with_burst(burst).unwrap();
        let (throttle, access) = (throttle(9, 9), access(7, &quota.into()));
        let (mut now, mut passages, mut net) = (0, Vec::new(), Vec::<(i64, i64)>::new());
        for (pause, cost, fate, later) in steps {
            now += pause;
            let before = throttle.peek(&access, AI, millis(now)).unwrap();
            if let Ok(passage) = throttle.check_cost(&access, AI, cost, millis(now)) {
                net.push((now, i64::from(cost)));
                match fate {
                    0 => {
                        let after = throttle.refund(&access, passage, millis(now)).unwrap();
                        prop_assert_eq!(after, before);
                        net.push((now, -i64::from(cost)));
                    }
                    1 => passages.push((now + later, cost, passage)),
                    _ => {}
                }
            }
            let due = passages.iter().position(|(due, ..)| *due <= now);
            if let Some((_, cost, passage)) = due.map(|place| passages.swap_remove(place)) {
                let full = throttle.peek(&access, AI, millis(now)).unwrap().remaining();
                let after = throttle.refund(&access, passage, millis(now)).unwrap();
                prop_assert!(after.remaining() >= full && after.remaining() <= burst.min(full + cost));
                net.push((now, -i64::from(cost)));
            }
        }
        for (first, (start, _)) in net.iter().enumerate() {
            let mut sum = 0;
            for (end, cells) in &net[first..] {
                sum += cells;
                let bound = i64::from(burst) + (end - start) * 1_000_000 / quota.interval_nanos();
                prop_assert!(sum <= bound, "{sum} from {start} to {end}, of {bound}");
            }
        }
    }
}

#[test]
fn a_refund_is_for_what_was_charged_and_has_not_drained() {
    let quotas = QuotaSet::try_from(vec![
        Quota::new(10, 10).unwrap(),
        Quota::new(20, 60).unwrap(),
    ])
    .unwrap();
    let (throttle, access) = (throttle(9, 9), access(7, &quotas));
    let all = throttle.check_cost(&access, AI, 10, at(0)).unwrap();
    assert_eq!(all.remaining(), Some(0));
    // Of the ten seconds' cells five have drained by then, and of the minute's one and two thirds.
    let report = throttle.refund(&access, all, at(5)).unwrap();
    assert_eq!(report.remaining(), 10);
    assert_eq!(throttle.peek(&access, AI, at(5)).unwrap(), report);
    assert!(
        report
            .headers()
            .iter()
            .all(|(name, _)| *name != "Retry-After")
    );
    // A key that is not held, another scope's passage, one that was not charged: nothing to give
    // back.
    let passage = throttle.check(&access, AI, at(5)).unwrap();
    let other = ThrottleKey::derive(LOGIN, ThrottleSubject::Account(access.account_id()));
    assert!(
        throttle
            .refund_key(&other, &quotas, passage, at(5))
            .is_none()
    );
    let open =
        Policy::load(serde_json::from_str(r#"{ "throttle_failure": { "ai": "open" } }"#).unwrap())
            .unwrap();
    assert!(
        throttle
            .refund(&access, open.pass_uncounted(AI).unwrap(), at(5))
            .is_none()
    );
    assert_eq!(throttle.peek(&access, AI, at(5)).unwrap().remaining(), 9);
}

/// Given back under another plan, cells are cells: `refund_all` on stored states is what the
/// throttle does in process.
#[test]
fn t6_a_refund_after_a_plan_change_is_of_the_new_plans_cells() {
    let (small, large) = (set(10, 10), set(100, 10));
    let throttle = throttle(9, 9);
    let passage = throttle
        .check_cost(&access(7, &small), AI, 4, at(0))
        .unwrap();
    let upgraded = access(7, &large);
    assert_eq!(throttle.peek(&upgraded, AI, at(0)).unwrap().remaining(), 96);
    assert_eq!(
        throttle
            .refund(&upgraded, passage, at(0))
            .unwrap()
            .remaining(),
        100
    );

    let limits = Limits::default();
    let charged = gcra::decide_all(&limits, &small, None, at(0), 4);
    let returned = gcra::refund_all(
        &limits,
        &large,
        charged.states(),
        charged.states(),
        at(0),
        3,
    );
    let left = gcra::decide_all(&limits, &large, Some(&returned), at(0), 0);
    assert_eq!(
        left.iter()
            .map(|decision| decision.remaining())
            .collect::<Vec<u32>>(),
        [99]
    );
}

/// What has drained is not given back, though the bucket is full again of later charges.
#[test]
fn t3_a_late_refund_frees_nothing_of_later_charges() {
    let (throttle, access) = (throttle(9, 9), access(7, &set(10, 10)));
    let first = throttle.check_cost(&access, AI, 10, at(0)).unwrap();
    throttle.check_cost(&access, AI, 10, at(10)).unwrap();
    assert_eq!(
        throttle.refund(&access, first, at(10)).unwrap().remaining(),
        0
    );
    let second = throttle.check_cost(&access, AI, 4, at(14)).unwrap();
    throttle.check_cost(&access, AI, 2, at(16)).unwrap();
    // At 22, two of the four cells that were charged at 14 have not drained.
    assert_eq!(throttle.peek(&access, AI, at(22)).unwrap().remaining(), 6);
    assert_eq!(
        throttle
            .refund(&access, second, at(22))
            .unwrap()
            .remaining(),
        8
    );
}

/// A passage is given back to the key that it was charged to, in the throttle that charged it, and
/// nowhere else.
#[test]
fn t1_a_passage_is_given_back_where_it_was_charged() {
    let (own, other, quotas) = (throttle(9, 9), throttle(9, 9), set(10, 10));
    let (seven, eight) = (access(7, &quotas), access(8, &quotas));
    other.check_cost(&seven, AI, 5, at(0)).unwrap();
    own.check_cost(&eight, AI, 5, at(0)).unwrap();
    let pass = || own.check(&seven, AI, at(0)).unwrap();
    assert!(
        own.refund(&eight, pass(), at(0)).is_none(),
        "another account"
    );
    assert!(
        other.refund(&seven, pass(), at(0)).is_none(),
        "another throttle"
    );
    let from = own
        .check_address(address("192.0.2.1"), AI, &quotas, at(0))
        .unwrap();
    assert!(own.refund(&seven, from, at(0)).is_none(), "an address's");
    assert_eq!(own.peek(&eight, AI, at(0)).unwrap().remaining(), 5);
    assert_eq!(own.refund(&seven, pass(), at(0)).unwrap().remaining(), 8);
    // Keys of every kind give back to their own.
    let (account, user) = (AccountId::from(7), UserId::from(1));
    for subject in [
        ThrottleSubject::Account(&account),
        ThrottleSubject::User(&account, &user),
        ThrottleSubject::AccountFrom(&account, address("192.0.2.1")),
        ThrottleSubject::Address(address("192.0.2.9")),
    ] {
        let key = ThrottleKey::derive(LOGIN, subject);
        let passage = own.check_key(&key, &quotas, 4, at(0)).unwrap();
        assert_eq!(
            own.refund_key(&key, &quotas, passage, at(0))
                .unwrap()
                .remaining(),
            10,
            "{key}"
        );
    }
}

/// Where nothing can be known, the scope's declared mode decides: closed unless the policy says
/// open.
#[test]
fn t10_when_full_the_declared_behaviour_applies() {
    let policy = r#"{ "throttle_failure": { "ai": "open", "login": "closed" } }"#;
    let policy = Policy::load(serde_json::from_str(policy).unwrap()).unwrap();
    let (quotas, none) = (
        set(1, 60),
        ThrottleCapacity {
            accounts: 0,
            addresses: 0,
        },
    );
    let login =
        |throttle: &Throttle| throttle.check_address(address("192.0.2.1"), LOGIN, &quotas, at(0));

    let strict = Throttle::new(none);
    assert_eq!(
        strict.check(&access(7, &quotas), AI, at(0)).unwrap_err(),
        Throttled::Full
    );
    let declared = Throttle::new(none).with_failure_modes(&policy);
    let passage = declared.check(&access(7, &quotas), AI, at(0)).unwrap();
    assert!(!passage.is_counted() && passage.headers().is_empty());
    assert_eq!((passage.remaining(), passage.bypass_reason()), (None, None));
    assert_eq!(login(&declared).unwrap_err(), Throttled::Full);

    // What is known is decided: a spent quota is refused in an open scope, too.
    let roomy = throttle(9, 9).with_failure_modes(&policy);
    assert!(
        roomy
            .check(&access(7, &quotas), AI, at(0))
            .unwrap()
            .is_counted()
    );
    assert!(matches!(
        roomy.check(&access(7, &quotas), AI, at(0)),
        Err(Throttled::QuotaExceeded(_))
    ));
}

#[test]
fn a_store_that_fails_opens_what_the_policy_opens() {
    let policy =
        Policy::load(serde_json::from_str(r#"{ "throttle_failure": { "ai": "open" } }"#).unwrap())
            .unwrap();
    assert!(!policy.pass_uncounted(AI).unwrap().is_counted());
    let problem = Problem::from(policy.pass_uncounted(LOGIN).unwrap_err());
    assert_eq!(
        (problem.status(), problem.code()),
        (503, Code::UpstreamUnavailable)
    );
    assert!(Policy::default().pass_uncounted(AI).is_err());
}
