//! The gate's invariants, G1 to G8, and a comparison with the model of `tests/model/gate.rs` over
//! its whole domain.

use crate::model::gate::{self, Instant};
use crate::model::gate_facts::{self as facts, SECOND};
use bailiwick::account::AccountStatus;
use bailiwick::gate::{Admission, CredentialFailure, Denial};
use bailiwick::problem::Severity;
use bailiwick::right::{Privilege, Privileges};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{
    Code, Evidence, Policy, Principal, Problem, Route, Tenant, admit, validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

const OWN: i64 = 7;
const FOREIGN: i64 = 8;
const SLACK: Instant = 3 * SECOND;
const GRACE: Instant = 5 * SECOND;

const ACCOUNT_STATUSES: [&str; 7] = [
    "active",
    "pending_payment",
    "suspended_payment_overdue",
    "suspended_abuse",
    "suspended_requested",
    "closed",
    "a status of next year",
];
const SUBSCRIPTION_STATUSES: [&str; 9] = [
    "incomplete",
    "incomplete_expired",
    "trialing",
    "active",
    "past_due",
    "unpaid",
    "paused",
    "canceled",
    "a status of next year",
];
const PRIVILEGES: [&str; 2] = ["confirm_payments", "grant_credits"];
const ROUTES: [gate::Route; 7] = [
    gate::Route::Public,
    gate::Route::Authenticated,
    gate::Route::Read,
    gate::Route::Write,
    gate::Route::Billing,
    gate::Route::Operator("confirm_payments"),
    gate::Route::Operator("grant_credits"),
];
const POLICIES: [gate::Policy; 4] = [
    gate::Policy {
        slack: 0,
        grace: None,
    },
    gate::Policy {
        slack: SLACK,
        grace: None,
    },
    gate::Policy {
        slack: SLACK,
        grace: Some((GRACE, true)),
    },
    gate::Policy {
        slack: 0,
        grace: Some((GRACE, false)),
    },
];
const FAILURES: [CredentialFailure; 6] = [
    CredentialFailure::Malformed,
    CredentialFailure::BadSignature,
    CredentialFailure::Expired,
    CredentialFailure::NotYetValid,
    CredentialFailure::Revoked,
    CredentialFailure::Unknown,
];

/// A tenant in good standing: paid, with a site, until 30 s.
fn good_tenant() -> gate::Tenant {
    gate::Tenant {
        account: OWN,
        status: "active",
        plan: Some(gate::Plan {
            active: true,
            needs_subscription: true,
            free: false,
        }),
        next: None,
        subscription: Some(gate::Subscription {
            account: OWN,
            status: "active",
            of_plan: true,
            trial_end: Some(10 * SECOND),
            period_end: Some(30 * SECOND),
            paid_until: None,
            cancel_at_period_end: false,
            past_due_since: Some(15 * SECOND),
            pending: None,
            by_provider: false,
        }),
        sites: vec![1, 2],
        privileges: vec!["confirm_payments"],
    }
}

fn with_status(status: &'static str) -> gate::Tenant {
    let mut tenant = good_tenant();
    tenant.subscription.as_mut().unwrap().status = status;
    tenant
}

fn member() -> gate::Principal {
    gate::Principal {
        account: Some(OWN),
        sites: None,
        privileges: vec![],
    }
}

fn session(principal: &gate::Principal) -> Principal {
    let [session, ..] = facts::principals(principal);
    session
}

fn ask(
    policy: gate::Policy,
    route: gate::Route,
    principal: &gate::Principal,
    tenant: &gate::Tenant,
    now: Instant,
) -> gate::Answer {
    let evidence = Evidence::Verified(session(principal));
    facts::answer(facts::policy(policy).admit(
        facts::route(route),
        &evidence,
        Some(&facts::tenant(tenant)),
        facts::instant(now),
    ))
}

fn instants() -> impl Strategy<Value = Instant> {
    (0..25_i128, -1..=1_i128).prop_map(|(seconds, nanos)| seconds * SECOND + nanos)
}

fn tenants() -> impl Strategy<Value = gate::Tenant> {
    let dates = || prop::option::weighted(0.8, instants());
    let pending =
        (instants(), prop::bool::weighted(0.3)).prop_map(|(at, paid)| gate::Pending { at, paid });
    let subscriptions = (
        prop_oneof![9 => Just(OWN), 1 => Just(FOREIGN)],
        select(&SUBSCRIPTION_STATUSES[..]),
        prop::bool::weighted(0.9),
        (dates(), dates(), any::<bool>(), dates(), dates()),
        prop::option::of(pending),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(
                account,
                status,
                of_plan,
                (trial_end, period_end, cancel_at_period_end, past_due_since, paid_until),
                pending,
                by_provider,
            )| {
                gate::Subscription {
                    account,
                    status,
                    of_plan,
                    trial_end,
                    period_end,
                    paid_until,
                    cancel_at_period_end,
                    past_due_since,
                    pending,
                    by_provider,
                }
            },
        );
    let plans = |active: f64, needs: f64, free: f64| {
        let parts = [active, needs, free].map(prop::bool::weighted);
        parts.prop_map(|[active, needs_subscription, free]| gate::Plan {
            active,
            needs_subscription,
            free,
        })
    };
    (
        prop_oneof![9 => Just(OWN), 1 => Just(FOREIGN)],
        prop_oneof![6 => Just("active"), 4 => select(&ACCOUNT_STATUSES[..])],
        prop::option::weighted(0.9, plans(0.9, 0.9, 0.3)),
        prop::option::of(plans(0.9, 0.7, 0.7)),
        prop::option::weighted(0.9, subscriptions),
        subsequence(vec![1, 2], 0..=2),
        subsequence(PRIVILEGES.to_vec(), 0..=2),
    )
        .prop_map(
            |(account, status, plan, next, subscription, sites, privileges)| gate::Tenant {
                account,
                status,
                privileges,
                plan,
                next,
                subscription,
                sites,
            },
        )
}

fn principals() -> impl Strategy<Value = gate::Principal> {
    (
        prop_oneof![8 => Just(Some(OWN)), 1 => Just(Some(FOREIGN)), 1 => Just(None)],
        prop::option::of(subsequence(vec![1, 2, 9], 0..=3)),
        subsequence(PRIVILEGES.to_vec(), 0..=2),
    )
        .prop_map(|(account, sites, privileges)| gate::Principal {
            account,
            sites,
            privileges,
        })
}

fn policies() -> impl Strategy<Value = gate::Policy> {
    (0..5_i128, prop::option::of((1..9_i128, any::<bool>()))).prop_map(|(slack, grace)| {
        gate::Policy {
            slack: slack * SECOND,
            grace: grace.map(|(length, full)| (length * SECOND, full)),
        }
    })
}

fn routes() -> impl Strategy<Value = gate::Route> {
    prop_oneof![3 => select(vec![gate::Route::Read, gate::Route::Write]), 2 => select(&ROUTES[..])]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever text the store holds for a status, only the known words can admit; and no instant
    /// makes it panic.
    #[test]
    fn g1_unknown_words_are_denied(
        account in prop_oneof![select(&ACCOUNT_STATUSES[..]).prop_map(str::to_owned), "[ -~]{0,12}", "(?i)active ?"],
        subscription in prop_oneof![select(&SUBSCRIPTION_STATUSES[..]).prop_map(str::to_owned), "\\PC{0,9}", "(?i) ?active"],
        now in any::<i128>(),
    ) {
        let mut stored = serde_json::to_value(facts::tenant(&good_tenant())).unwrap();
        stored["account"]["status"] = account.as_str().into();
        stored["subscription"]["status"] = subscription.as_str().into();
        let tenant: Tenant = serde_json::from_value(stored).unwrap();
        prop_assert_eq!(tenant.account.status, AccountStatus::from_text(&account));
        let found = tenant.subscription.as_ref().unwrap().status;
        prop_assert_eq!(found, SubscriptionStatus::from_text(&subscription));

        let principal = session(&member());
        let answer = validate_account_and_plan(&principal, Some(&tenant), facts::instant(now));
        let may = account == "active" && ["active", "trialing"].contains(&subscription.as_str());
        prop_assert!(may || answer.is_err(), "{account:?}, {subscription:?} gave {answer:?}");
        if !ACCOUNT_STATUSES.contains(&account.as_str()) {
            prop_assert_eq!(answer.unwrap_err(), Denial::AccountStatusUnknown);
        } else if account == "active" && !SUBSCRIPTION_STATUSES.contains(&subscription.as_str()) {
            prop_assert_eq!(answer.unwrap_err(), Denial::SubscriptionStatusUnknown);
        }
    }

    /// Total at the ends of the calendar too, where sums of instants and lengths leave it.
    #[test]
    fn g1_total_at_the_ends_of_the_calendar(
        mut tenant in tenants(),
        principal in principals(),
        ends in prop::array::uniform4(select(vec![DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC]).prop_flat_map(|end| {
            (-5..=5_i128).prop_map(move |off| facts::nanos(end) + off * SECOND)
        })),
        policy in policies(),
        route in routes(),
    ) {
        let [now, trial, period, due] = ends.map(|end| facts::nanos(facts::instant(end)));
        if let Some(subscription) = &mut tenant.subscription {
            subscription.trial_end = Some(trial);
            subscription.period_end = Some(period);
            subscription.past_due_since = Some(due);
            if let Some(pending) = &mut subscription.pending {
                pending.at = due;
            }
        }
        // At its very last instant the calendar cannot say that an answer holds any longer.
        prop_assume!(now < facts::nanos(DateTime::<Utc>::MAX_UTC));
        let evidence = gate::Evidence::Verified(principal.clone());
        let mut expected = gate::decide(policy, route, &evidence, Some(&tenant), now);
        expected.valid_until = expected.valid_until.map(|until| facts::nanos(facts::instant(until)));
        prop_assert_eq!(ask(policy, route, &principal, &tenant, now), expected);
    }

    /// Facts that are missing, or that belong to another account, are never an access, whatever
    /// else is true.
    #[test]
    fn g1_missing_and_foreign_facts_are_denied(
        tenant in tenants(), principal in principals(), policy in policies(), now in instants(), fault in 0..6,
    ) {
        let (mut tenant, mut principal) = (tenant, principal);
        let mut loaded = true;
        match fault {
            0 => principal.account = None,
            1 => loaded = false,
            2 => principal.account = Some(tenant.account + 1),
            3 => tenant.plan = None,
            4 => {
                tenant.plan = Some(gate::Plan { active: true, needs_subscription: true, free: false });
                tenant.subscription = None;
            }
            _ => tenant.subscription = good_tenant().subscription.map(|mut subscription| {
                subscription.account = tenant.account + 1;
                subscription
            }),
        }
        let tenant = facts::tenant(&tenant);
        let policy = facts::policy(policy);
        for principal in facts::principals(&principal) {
            let tenant = loaded.then_some(&tenant);
            prop_assert!(policy.validate_account_and_plan(&principal, tenant, facts::instant(now)).is_err());
            for route in [Route::TenantRead, Route::TenantWrite] {
                let decision = policy.admit(route, &Evidence::Verified(principal.clone()), tenant, facts::instant(now));
                prop_assert!(decision.denial().is_some(), "{:?}", decision);
            }
        }
    }

    /// The decision by session, token and key is one and the same, to its last field; but a key is
    /// nobody's person.
    #[test]
    fn g2_the_kind_of_credential_decides_nothing(
        tenant in tenants(), principal in principals(), policy in policies(), route in routes(), now in instants(),
    ) {
        let (policy, tenant) = (facts::policy(policy), facts::tenant(&tenant));
        let [session, jwt, key] = facts::principals(&principal).map(|principal| {
            let credential = format!("{:?}", principal.credential());
            let decision = policy.admit(facts::route(route), &Evidence::Verified(principal), Some(&tenant), facts::instant(now));
            format!("{decision:?}").replace(&credential, "a credential").replace("Some(UserId(1))", "None")
        });
        prop_assert_eq!(&session, &jwt);
        prop_assert_eq!(&session, &key);
    }

    /// Any tenant at any time, with plans that time alone puts into force.
    #[test]
    fn g7_any_tenant_agrees_with_the_model(
        tenant in tenants(), principal in principals(), policy in policies(), route in routes(), now in instants(),
    ) {
        let evidence = gate::Evidence::Verified(principal.clone());
        let expected = gate::decide(policy, route, &evidence, Some(&tenant), now);
        prop_assert_eq!(ask(policy, route, &principal, &tenant, now), expected);
    }

    /// A principal bound to sites is admitted only if one of them is the account's, and never to
    /// its billing or as an operator. An empty list means none.
    #[test]
    fn g2_binding_to_sites_only_narrows(
        tenant in tenants(), principal in principals(), policy in policies(), route in routes(), now in instants(),
    ) {
        let free = ask(policy, route, &gate::Principal { sites: None, ..principal.clone() }, &tenant, now);
        let bound = ask(policy, route, &principal, &tenant, now);
        let misses = principal.sites.as_ref().is_some_and(|sites| !sites.iter().any(|site| tenant.sites.contains(site)));
        if principal.sites.is_some() && ["billing", "operator"].contains(&free.admission) {
            prop_assert_eq!(bound.code, "account_wide_forbidden");
        } else if misses && free.admission == "tenant" {
            // Another plan that time puts into force changes nothing about the site.
            let until = if tenant.next.is_some() { bound.valid_until } else { free.valid_until };
            prop_assert_eq!(bound, gate::Answer {
                code: "site_not_in_account", admission: "", writable: false, plan: 0, valid_until: until,
            });
        } else if misses && free.code == "payment_past_due" {
            prop_assert!(["payment_past_due", "site_not_in_account"].contains(&bound.code));
        } else {
            prop_assert_eq!(bound, free);
        }
    }

    /// Up to `valid_until` every instant gives the same decision, to its last field; that instant
    /// gives another.
    #[test]
    fn g4_valid_until_is_exact(
        tenant in tenants(), principal in principals(), policy in policies(), route in routes(),
        now in instants(), within in any::<Index>(),
    ) {
        let evidence = Evidence::Verified(session(&principal));
        let (policy, tenant) = (facts::policy(policy), facts::tenant(&tenant));
        let decide = |now| policy.admit(facts::route(route), &evidence, Some(&tenant), facts::instant(now));
        let (first, until) = (decide(now), decide(now).valid_until().map(facts::nanos));
        // No fact is later than 25 s, and no length of a policy longer than 9 s: 99 s stands for
        // ever after.
        let end = until.unwrap_or(99 * SECOND);
        prop_assert!(now < end);
        let between = now + i128::try_from(within.index(usize::try_from(end - now).unwrap())).unwrap();
        let seconds = (0..99).map(|second| second * SECOND).filter(|at| now < *at && *at < end);
        for same in seconds.chain([between, end - 1]) {
            prop_assert_eq!(format!("{:?}", decide(same)), format!("{:?}", first));
        }
        if until.is_some() {
            let before = gate::Answer { valid_until: None, ..facts::answer(first) };
            let after = gate::Answer { valid_until: None, ..facts::answer(decide(end)) };
            prop_assert_ne!(before, after, "the earliest instant at which it changes");
        }
    }

    /// Privileges open operator routes and nothing else: every other decision is equal to its last
    /// field.
    #[test]
    fn g5_no_privilege_widens(
        tenant in tenants(), principal in principals(), policy in policies(), now in instants(),
        held in subsequence(PRIVILEGES.to_vec(), 1..=2),
    ) {
        let (policy, tenant, now) = (facts::policy(policy), facts::tenant(&tenant), facts::instant(now));
        let [plain, mighty] = [vec![], held.clone()].map(|privileges| session(&gate::Principal { privileges, ..principal.clone() }));
        for route in [Route::TenantRead, Route::TenantWrite, Route::Billing] {
            let [without, with] = [&plain, &mighty].map(|principal| {
                let decision = policy.admit(route, &Evidence::Verified(principal.clone()), Some(&tenant), now);
                let said = format!("{decision:?}");
                // An access shows the privileges; all else that it says is the same.
                match decision.into_result() {
                    Ok(Admission::Tenant(access)) => said.replacen(&format!("{:?}", access.privileges()), "", 1),
                    _ => said,
                }
            });
            prop_assert_eq!(without, with);
        }
        for privilege in Privilege::ALL {
            let decision = policy.admit(Route::Operator(privilege), &Evidence::Verified(mighty.clone()), Some(&tenant), now);
            let is_held = held.contains(&privilege.as_str());
            prop_assert!(is_held || decision.label() == "privilege_missing");
            // The account's own privileges are asked for last, where nothing else is against it.
            let is_effective = is_held && tenant.account.privileges.contains(privilege);
            prop_assert!(is_effective || decision.denial().is_some());
            prop_assert!(!is_effective || decision.label() != "privilege_missing");
            if let Ok(operator) = decision.into_result().and_then(Admission::into_operator) {
                prop_assert_eq!(operator.privilege(), privilege);
                prop_assert_eq!(operator.account_id().as_integer(), principal.account);
            }
        }
    }

    /// A credential that failed is refused on every route but a public one, and reported on all of
    /// them.
    #[test]
    fn g6_a_failed_credential_is_never_anonymous(
        tenant in prop::option::of(tenants()), policy in policies(), route in routes(), now in instants(),
        failure in select(&FAILURES[..]),
    ) {
        let tenant = tenant.as_ref().map(facts::tenant);
        let evidence = Evidence::Failed(failure);
        let decision = facts::policy(policy).admit(facts::route(route), &evidence, tenant.as_ref(), facts::instant(now));
        prop_assert_eq!(decision.credential_failure(), Some(failure));
        let daily = failure == CredentialFailure::Expired;
        prop_assert_eq!(decision.severity(), if daily { Severity::Info } else { Severity::Warning });
        match decision.into_result() {
            Ok(admission) => prop_assert!(matches!((route, admission), (gate::Route::Public, Admission::Public(None)))),
            Err(denial) => {
                prop_assert_ne!(route, gate::Route::Public);
                prop_assert_eq!(denial, Denial::CredentialRejected(failure));
                prop_assert_eq!(denial.status(), 401);
                prop_assert!(denial.to_string().contains(&failure.to_string()));
            }
        }
    }

    /// In its grace time a past-due account is admitted as far as the policy says; what is not, is
    /// 402.
    #[test]
    fn g8_grace_is_read_only_where_the_policy_says(
        policy in policies(), since in prop::option::weighted(0.9, instants()), now in instants(),
    ) {
        let mut tenant = with_status("past_due");
        tenant.subscription.as_mut().unwrap().past_due_since = since;
        let until = policy.grace.zip(since).map(|((length, _), since)| since + length).filter(|until| now < *until);
        let full = policy.grace.is_some_and(|(_, full)| full);

        let answers = [gate::Route::Read, gate::Route::Write].map(|route| ask(policy, route, &member(), &tenant, now));
        prop_assert_eq!(answers.map(|answer| answer.code == "admitted"), [until.is_some(), until.is_some() && full]);
        for answer in answers {
            prop_assert!(answer.code == "payment_past_due" || (answer.valid_until, answer.writable) == (until, full));
        }

        let access = facts::policy(policy).validate_account_and_plan(&session(&member()), Some(&facts::tenant(&tenant)), facts::instant(now));
        let write = access.and_then(|access| access.into_write());
        prop_assert_eq!(write.is_ok(), until.is_some() && full);
        if let Err(denial) = write {
            prop_assert_eq!((denial, denial.status()), (Denial::PaymentPastDue, 402));
        }
    }

    /// Loosening a policy never refuses what a stricter one admits.
    #[test]
    fn g8_loosening_only_admits(
        mut tenant in tenants(), slack in 0..9_i128, grace in prop::option::of((1..9_i128, any::<bool>())), write in any::<bool>(),
        now in instants(), at_the_end in any::<bool>(),
    ) {
        let end = facts::nanos(DateTime::<Utc>::MAX_UTC);
        if let (true, Some(subscription)) = (at_the_end, &mut tenant.subscription) {
            (subscription.period_end, subscription.trial_end, subscription.past_due_since) = (Some(end), Some(end), Some(end));
        }
        let route = if write { gate::Route::Write } else { gate::Route::Read };
        let loose = gate::Policy { slack: slack * SECOND, grace: grace.map(|(length, full)| (length * SECOND, full)) };
        let strict = ask(gate::Policy::default(), route, &member(), &tenant, now);
        let loose = ask(loose, route, &member(), &tenant, now);
        prop_assert!(strict.code != "admitted" || loose.code == "admitted", "{strict:?} became {loose:?}");
    }
}

/// Everything is wrong at first; mending what the answer names uncovers the next denial, in the
/// documented order.
#[test]
fn g7_the_first_fault_in_the_documented_order_answers() {
    use gate::{Evidence, Route};
    let policy = POLICIES[3];
    let mut principal = gate::Principal {
        account: None,
        sites: Some(vec![9]),
        privileges: vec![],
    };
    let mut tenant = gate::Tenant {
        account: FOREIGN,
        status: "suspended_abuse",
        plan: None,
        ..with_status("past_due")
    };
    tenant.subscription.as_mut().unwrap().account = 9;
    let subscription = tenant.subscription;
    let mut loaded = false;
    let (mut evidence, mut route) = (Evidence::Failed, Route::Operator("confirm_payments"));
    let mut seen = Vec::new();
    loop {
        let given = match &evidence {
            Evidence::Failed => bailiwick::Evidence::Failed(CredentialFailure::Revoked),
            Evidence::Nothing => bailiwick::Evidence::Nothing,
            Evidence::Verified(_) => bailiwick::Evidence::Verified(session(&principal)),
        };
        let stored = facts::tenant(&tenant);
        let now = facts::instant(17 * SECOND);
        let decision = facts::policy(policy).admit(
            facts::route(route),
            &given,
            loaded.then_some(&stored),
            now,
        );
        seen.push(decision.label());
        match decision.label() {
            "credential_rejected" => evidence = Evidence::Nothing,
            "credential_missing" => evidence = Evidence::Verified(principal.clone()),
            "privilege_missing" => route = Route::Write,
            "account_missing" if principal.account.is_none() => principal.account = Some(OWN),
            "account_missing" => loaded = true,
            "account_mismatch" if tenant.account == FOREIGN => tenant.account = OWN,
            "account_mismatch" => tenant.subscription = None,
            "account_suspended" => tenant.status = "closed",
            "account_closed" => tenant.status = "unheard of",
            "account_status_unknown" => tenant.status = "pending_payment",
            "payment_pending" => tenant.status = "active",
            "plan_missing" => {
                tenant.plan = Some(gate::Plan {
                    active: false,
                    needs_subscription: true,
                    free: false,
                })
            }
            "plan_inactive" => {
                tenant.plan = Some(gate::Plan {
                    active: true,
                    needs_subscription: true,
                    free: false,
                })
            }
            "subscription_missing" => {
                tenant.subscription = subscription.map(|facts| gate::Subscription {
                    account: OWN,
                    of_plan: false,
                    ..facts
                });
            }
            "plan_mismatch" => {
                tenant.subscription = subscription.map(|facts| gate::Subscription {
                    account: OWN,
                    status: "canceled",
                    ..facts
                });
            }
            "subscription_canceled" => tenant.subscription.as_mut().unwrap().status = "trialing",
            "trial_ended" => tenant.subscription.as_mut().unwrap().status = "past_due",
            "site_not_in_account" => principal.sites = Some(vec![9, 1]),
            "payment_past_due" => tenant.subscription.as_mut().unwrap().status = "active",
            _ => break,
        }
    }
    let documented = [
        "credential_rejected",
        "credential_missing",
        "privilege_missing",
        "account_missing",
        "account_missing",
        "account_mismatch",
        "account_mismatch",
        "account_suspended",
        "account_closed",
        "account_status_unknown",
        "payment_pending",
        "plan_missing",
        "plan_inactive",
        "subscription_missing",
        "plan_mismatch",
        "subscription_canceled",
        "trial_ended",
        "site_not_in_account",
        "payment_past_due",
        "admitted",
    ];
    assert_eq!(seen, documented);
}

/// A suspension names its cause, and no overdue payment keeps its owner from paying.
#[test]
fn g7_a_suspension_names_its_cause() {
    for (status, reason, may_pay) in [
        ("suspended_payment_overdue", "a payment is overdue", true),
        ("suspended_abuse", "against the rules", false),
        ("suspended_requested", "its owner asked", false),
    ] {
        let tenant = gate::Tenant {
            status,
            ..good_tenant()
        };
        let evidence = Evidence::Verified(session(&member()));
        let now = facts::instant(0);
        let denial = admit(
            Route::TenantRead,
            &evidence,
            Some(&facts::tenant(&tenant)),
            now,
        )
        .into_result()
        .unwrap_err();
        assert!(denial.to_string().contains(reason), "{denial}");
        assert_eq!(
            admit(
                Route::Billing,
                &evidence,
                Some(&facts::tenant(&tenant)),
                now
            )
            .denial()
            .is_none(),
            may_pay
        );
    }
}

/// An admission opens what its route was declared for, and nothing else.
#[test]
fn g3_an_admission_is_good_for_its_own_route_only() {
    let principal = gate::Principal {
        privileges: PRIVILEGES.to_vec(),
        ..member()
    };
    let evidence = Evidence::Verified(session(&principal));
    let tenant = facts::tenant(&gate::Tenant {
        privileges: PRIVILEGES.to_vec(),
        ..good_tenant()
    });
    for route in ROUTES {
        let admission = || {
            admit(
                facts::route(route),
                &evidence,
                Some(&tenant),
                facts::instant(0),
            )
            .into_result()
            .unwrap()
        };
        let opened = [
            admission().into_access().map(drop),
            admission().into_write().map(drop),
            admission().into_billing().map(drop),
            admission().into_operator().map(drop),
        ];
        let expected = match route {
            gate::Route::Read | gate::Route::Write => [true, true, false, false],
            gate::Route::Billing => [false, false, true, false],
            gate::Route::Operator(_) => [false, false, false, true],
            _ => [false; 4],
        };
        assert_eq!(opened.map(|opened| opened.is_ok()), expected, "{route:?}");
        assert!(
            opened
                .iter()
                .all(|opened| opened.is_ok() || *opened == Err(Denial::RouteMismatch))
        );
    }
}

/// Proofs are owned and may cross threads, so that a framework can carry them.
#[test]
fn g3_proofs_are_owned() {
    fn carried<T: Clone + Send + Sync + 'static>() {}
    carried::<bailiwick::Access>();
    carried::<bailiwick::WriteAccess>();
    carried::<bailiwick::gate::BillingAccess>();
    carried::<bailiwick::gate::Operator>();
}

/// A stored privilege is read word by word: what resembles one is none.
#[test]
fn g5_privileges_are_stored_words() {
    for word in [
        "admin",
        "staff",
        "owner",
        "system",
        "",
        "Confirm_Payments",
        "confirm_payments ",
        "*",
    ] {
        assert_eq!(Privilege::from_text(word), None, "{word:?}");
    }
    for privilege in Privilege::ALL {
        assert_eq!(Privilege::from_text(privilege.as_str()), Some(privilege));
        assert!(!Privileges::NONE.contains(privilege));
        let only = Privileges::from_iter([privilege]);
        assert!(
            Privilege::ALL
                .into_iter()
                .all(|other| only.contains(other) == (other == privilege))
        );
    }
}

/// What is shown is what is stored for the principal and its account both; stored facts without
/// such a field have none.
#[test]
fn g5_an_access_shows_the_privileges_that_count() {
    let stored = [Privilege::ConfirmPayments, Privilege::CrossTenants];
    let mut tenant = facts::tenant(&good_tenant());
    tenant.account.privileges = stored.into_iter().collect();
    let person = Principal::session(1.into()).of_account(OWN.into());
    let person = person.with_privileges(
        [Privilege::ConfirmPayments, Privilege::GrantCredits]
            .into_iter()
            .collect(),
    );
    let shown = |tenant: &Tenant| {
        let access = validate_account_and_plan(&person, Some(tenant), facts::instant(0)).unwrap();
        access.privileges().iter().collect::<Vec<Privilege>>()
    };
    assert_eq!(shown(&tenant), [Privilege::ConfirmPayments]);

    let mut old = serde_json::to_value(&tenant).unwrap();
    assert_eq!(
        old["account"]["privileges"],
        serde_json::json!(["confirm_payments", "cross_tenants"])
    );
    old["account"].as_object_mut().unwrap().remove("privileges");
    assert_eq!(shown(&serde_json::from_value(old).unwrap()), []);
}

/// The functions without a policy decide as the default policy does.
#[test]
fn the_free_functions_use_the_default_policy() {
    for status in SUBSCRIPTION_STATUSES {
        let (tenant, principal) = (facts::tenant(&with_status(status)), session(&member()));
        for now in [5, 12, 17, 29, 30, 31].map(|second| facts::instant(second * SECOND)) {
            let by_policy =
                Policy::default().validate_account_and_plan(&principal, Some(&tenant), now);
            let free = validate_account_and_plan(&principal, Some(&tenant), now);
            assert_eq!(format!("{by_policy:?}"), format!("{free:?}"));
            let evidence = Evidence::Verified(principal.clone());
            let by_policy =
                Policy::default().admit(Route::TenantWrite, &evidence, Some(&tenant), now);
            let free = admit(Route::TenantWrite, &evidence, Some(&tenant), now);
            assert_eq!(format!("{by_policy:?}"), format!("{free:?}"));
        }
    }
}

/// Every subscription of the domain: each status, own and foreign, of the plan and of another,
/// ending with its period or not, with dates or without.
fn every_subscription() -> Vec<Option<gate::Subscription>> {
    let good = good_tenant().subscription.unwrap();
    let mut all = vec![None];
    for status in SUBSCRIPTION_STATUSES {
        for cancel_at_period_end in [false, true] {
            all.push(Some(gate::Subscription {
                status,
                cancel_at_period_end,
                ..good
            }));
        }
        all.push(Some(gate::Subscription {
            status,
            period_end: Some(10 * SECOND),
            paid_until: Some(20 * SECOND),
            ..good
        }));
        all.push(Some(gate::Subscription {
            status,
            account: FOREIGN,
            ..good
        }));
        all.push(Some(gate::Subscription {
            status,
            of_plan: false,
            ..good
        }));
        all.push(Some(gate::Subscription {
            status,
            trial_end: None,
            period_end: None,
            paid_until: None,
            past_due_since: None,
            ..good
        }));
    }
    all
}

fn every_tenant() -> Vec<Option<gate::Tenant>> {
    let plans = [
        None,
        Some((false, true, false)),
        Some((true, false, false)),
        Some((true, true, false)),
        Some((true, true, true)),
    ];
    let mut all = vec![None];
    for status in ACCOUNT_STATUSES {
        for plan in plans {
            let plan = plan.map(|(active, needs_subscription, free)| gate::Plan {
                active,
                needs_subscription,
                free,
            });
            for subscription in every_subscription() {
                for privileges in [vec![], vec!["confirm_payments"]] {
                    all.push(Some(gate::Tenant {
                        status,
                        plan,
                        subscription,
                        privileges,
                        ..good_tenant()
                    }));
                }
            }
        }
    }
    all
}

/// Every evidence of the domain, each with all the shapes in which it can be presented: they must
/// be decided alike.
fn every_evidence() -> Vec<(gate::Evidence, Vec<Evidence>)> {
    let mut all = vec![
        (gate::Evidence::Nothing, vec![Evidence::Nothing]),
        (
            gate::Evidence::Failed,
            FAILURES.map(Evidence::Failed).to_vec(),
        ),
    ];
    for account in [None, Some(OWN), Some(FOREIGN)] {
        for sites in [None, Some(vec![]), Some(vec![9]), Some(vec![9, 1])] {
            for privileges in [vec![], vec!["confirm_payments"]] {
                let principal = gate::Principal {
                    account,
                    sites: sites.clone(),
                    privileges,
                };
                let presented = facts::principals(&principal)
                    .map(Evidence::Verified)
                    .to_vec();
                all.push((gate::Evidence::Verified(principal), presented));
            }
        }
    }
    all
}

/// Paid until is the later of the period's end and the paid time's, and the slack reaches a trial's
/// end as it does a period's; a subscription that is to end has none.
#[test]
fn g9_the_later_end_counts_with_the_slack() {
    let policy = gate::Policy {
        slack: 3 * SECOND,
        grace: None,
    };
    let until = |subscription: gate::Subscription| {
        let tenant = gate::Tenant {
            subscription: Some(subscription),
            ..good_tenant()
        };
        ask(policy, gate::Route::Read, &member(), &tenant, 0).valid_until
    };
    let paid = good_tenant().subscription.unwrap();
    let ends = |period_end, paid_until| gate::Subscription {
        period_end,
        paid_until,
        ..paid
    };
    let (five, nine) = (Some(5 * SECOND), Some(9 * SECOND));

    for subscription in [
        ends(five, nine),
        ends(nine, five),
        ends(nine, None),
        ends(None, nine),
    ] {
        assert_eq!(until(subscription), Some(12 * SECOND));
        let ending = gate::Subscription {
            cancel_at_period_end: true,
            ..subscription
        };
        assert_eq!(until(ending), nine);
    }

    let trial = gate::Subscription {
        status: "trialing",
        trial_end: nine,
        ..paid
    };
    assert_eq!(until(trial), Some(12 * SECOND));
    let ending = gate::Subscription {
        cancel_at_period_end: true,
        ..trial
    };
    assert_eq!(until(ending), nine);
}

/// A plan without a price is served for ever, however long no job has renewed it; the plan that the
/// subscription was to change to, from that instant on.
#[test]
fn g10_a_plan_without_a_price_is_served_by_time_alone() {
    let policy = gate::Policy {
        slack: 3 * SECOND,
        grace: None,
    };
    let plan = |free| gate::Plan {
        active: true,
        needs_subscription: true,
        free,
    };
    let paid = good_tenant().subscription.unwrap();
    let on = |free, subscription| gate::Tenant {
        plan: Some(plan(free)),
        subscription: Some(subscription),
        ..good_tenant()
    };
    let ask = |tenant: &gate::Tenant, second: Instant| {
        let answer = ask(
            policy,
            gate::Route::Write,
            &member(),
            tenant,
            second * SECOND,
        );
        (answer.code, answer.plan, answer.valid_until)
    };

    for status in ["incomplete", "trialing", "active", "past_due", "unpaid"] {
        let mut tenant = on(true, gate::Subscription { status, ..paid });
        assert_eq!(ask(&tenant, 9_999), ("admitted", 1, None), "{status}");
        // Nor does an account wait for a payment that never comes.
        tenant.status = "pending_payment";
        assert_eq!(ask(&tenant, 9_999), ("admitted", 1, None), "{status}");
        // Where a provider decides, or it is to end, the usual rules hold.
        let ends = gate::Subscription {
            status,
            by_provider: true,
            ..paid
        };
        assert_ne!(ask(&on(true, ends), 9_999).0, "admitted", "{status}");
        let ends = gate::Subscription {
            status,
            cancel_at_period_end: true,
            ..paid
        };
        assert_ne!(ask(&on(true, ends), 9_999).0, "admitted", "{status}");
    }
    for status in ["paused", "canceled", "incomplete_expired"] {
        let tenant = on(true, gate::Subscription { status, ..paid });
        assert_ne!(ask(&tenant, 0).0, "admitted", "{status}");
    }

    // Down at the end of the period, at 30 s: without the slack, and without a job.
    let pending = Some(gate::Pending {
        at: 30 * SECOND,
        paid: false,
    });
    let waits = gate::Subscription { pending, ..paid };
    let down = gate::Tenant {
        next: Some(plan(true)),
        ..on(false, waits)
    };
    assert_eq!(ask(&down, 29), ("admitted", 1, Some(30 * SECOND)));
    assert_eq!(ask(&down, 30), ("admitted", 3, None));
    assert_eq!(ask(&down, 9_999), ("admitted", 3, None));
    // A plan with a price waits for its payment.
    let up = gate::Tenant {
        next: Some(plan(false)),
        ..down
    };
    assert_eq!(ask(&up, 29), ("admitted", 1, Some(33 * SECOND)));
    assert_eq!(ask(&up, 33), ("period_ended", 0, None));
}

/// The whole finite domain, around every boundary: the trial ends at 10 s, the grace at 20 s, the
/// period at 30 s, the slack at 33 s.
#[test]
fn g7_every_combination_agrees_with_the_model() {
    let around = [10, 20, 30, 33]
        .map(|second| second * SECOND)
        .map(|at| [at - 1, at, at + 1]);
    let instants: Vec<Instant> = around.concat();
    let routes = &ROUTES[..6];
    let tenants: Vec<_> = every_tenant()
        .into_iter()
        .map(|tenant| (tenant.as_ref().map(facts::tenant), tenant))
        .collect();
    let evidence = every_evidence();

    let compare = |model: gate::Policy| {
        let (policy, mut compared, mut codes) = (facts::policy(model), 0_u64, Vec::new());
        for (stored, tenant) in &tenants {
            for now in &instants {
                let at = facts::instant(*now);
                for route in routes {
                    for (shape, presented) in &evidence {
                        let expected = gate::decide(model, *route, shape, tenant.as_ref(), *now);
                        if !codes.contains(&expected.code) {
                            codes.push(expected.code);
                        }
                        for evidence in presented {
                            let decision =
                                policy.admit(facts::route(*route), evidence, stored.as_ref(), at);
                            let answer = facts::answer(decision);
                            if answer != expected {
                                panic!(
                                    "{answer:?} != {expected:?}: {model:?} {route:?} {evidence:?} {tenant:?} {now}"
                                );
                            }
                            compared += 1;
                        }
                    }
                }
            }
        }
        (compared, codes)
    };
    let results = std::thread::scope(|scope| {
        POLICIES
            .map(|policy| scope.spawn(move || compare(policy)))
            .map(|thread| thread.join().unwrap())
    });

    let compared: u64 = results.iter().map(|(compared, _)| compared).sum();
    println!("{compared} combinations of facts were compared with the model");
    let mut codes = results.map(|(_, codes)| codes).concat();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(
        codes.len(),
        25,
        "every denial of the gate was met, and admission: {codes:?}"
    );
}

/// Every denial has a code of its own, one of three statuses, a message and a remedy.
#[test]
fn g7_every_denial_is_explained() {
    let denials = [
        Denial::CredentialRejected(CredentialFailure::Expired),
        Denial::CredentialMissing,
        Denial::PrivilegeMissing(Privilege::GrantCredits),
        Denial::AccountMissing,
        Denial::AccountMismatch,
        Denial::AccountSuspended(bailiwick::account::SuspensionCause::Abuse),
        Denial::AccountClosed,
        Denial::AccountStatusUnknown,
        Denial::PaymentPending,
        Denial::PlanMissing,
        Denial::PlanInactive,
        Denial::SubscriptionMissing,
        Denial::PlanMismatch,
        Denial::SubscriptionIncomplete,
        Denial::SubscriptionIncompleteExpired,
        Denial::SubscriptionUnpaid,
        Denial::SubscriptionPaused,
        Denial::SubscriptionCanceled,
        Denial::SubscriptionStatusUnknown,
        Denial::TrialEnded,
        Denial::PeriodEnded,
        Denial::PaymentPastDue,
        Denial::SiteNotInAccount,
        Denial::AccountWideForbidden,
        Denial::AccessExpired,
        Denial::RouteMismatch,
    ];
    let mut codes: Vec<Code> = Vec::new();
    for denial in denials {
        assert!(
            !codes.contains(&denial.code()),
            "{denial:?} shares its code"
        );
        codes.push(denial.code());
        assert!([401, 402, 403].contains(&denial.status()));
        let problem = Problem::from(denial);
        assert_eq!(
            (problem.status(), problem.code()),
            (denial.status(), denial.code())
        );
        // The error speaks as errors do, the problem in sentences.
        let message = denial.to_string();
        let (capital, rest) = message.split_at(1);
        assert_eq!(
            problem.detail(),
            format!("{}{rest}.", capital.to_uppercase())
        );
        assert!(problem.detail().ends_with('.') && denial.remedy().ends_with('.'));
        let challenge = problem
            .headers()
            .iter()
            .find(|(name, _)| *name == "WWW-Authenticate");
        assert_eq!(
            challenge.is_some(),
            denial.status() == 401,
            "RFC 9110 section 11.6.1"
        );
    }
}

/// An access reaches the account's own sites, and of these only the ones that its principal is
/// bound to.
#[test]
fn g2_an_access_tells_which_sites_it_reaches() {
    let tenant = facts::tenant(&good_tenant());
    for (bound, reached) in [
        (None, [true, true, false]),
        (Some(vec![2, 9]), [false, true, false]),
    ] {
        let principal = session(&gate::Principal {
            sites: bound.clone(),
            ..member()
        });
        let access =
            validate_account_and_plan(&principal, Some(&tenant), facts::instant(0)).unwrap();
        assert_eq!(
            [1, 2, 9].map(|site| access.reaches(&site.into())),
            reached,
            "{bound:?}"
        );
        assert_eq!(access.is_bound_to_sites(), bound.is_some());
    }
}

/// An access that is carried past its time says so.
#[test]
fn g4_an_access_knows_when_it_has_run_out() {
    let tenant = facts::tenant(&good_tenant());
    let access =
        validate_account_and_plan(&session(&member()), Some(&tenant), facts::instant(0)).unwrap();
    let end = access.valid_until().unwrap();
    assert_eq!(end, facts::instant(30 * SECOND));
    assert!(access.is_valid_at(end - TimeDelta::nanoseconds(1)));
    assert!(!access.is_valid_at(end));
}
