//! PG2 and P8: the credits of free plans, by the account's own calendar.

use std::collections::BTreeMap;

use crate::support::host::{ACCOUNT, Host};
use crate::support::{account, credits, plan};
use bailiwick::account::AccountStatus;
use bailiwick::credit::CauseKind;
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span};
use bailiwick::period::{Interval, IntervalUnit};
use bailiwick::policy::{Overage, PolicySettings};
use bailiwick::{Account, Credits, Plan, Policy, Wallet};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn policy(slack_seconds: u64) -> Policy {
    Policy::load(PolicySettings {
        renewal_slack_seconds: slack_seconds,
        ..PolicySettings::default()
    })
    .unwrap()
}

fn registered(at: DateTime<Utc>) -> Account {
    Account {
        registered_at: Some(at),
        ..account(ACCOUNT, AccountStatus::Active)
    }
}

fn free(amount: i64) -> Plan {
    Plan {
        credits: credits(amount),
        ..plan(0, false)
    }
}

fn every(unit: IntervalUnit, count: u16) -> Interval {
    Interval {
        unit,
        count: count.try_into().unwrap(),
    }
}

/// Asks as a host does in the transaction of a call, and returns what was granted.
fn ask(
    host: &mut Host,
    policy: &Policy,
    account: &Account,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Credits {
    let Some(due) = policy.free_credits_due(account, plan, now) else {
        return Credits::ZERO;
    };
    let prior = host.prior(due.key());
    if due.is_in(&host.wallet) {
        assert!(prior.is_some(), "what the wallet has was granted");
        return Credits::ZERO;
    }

    let granted = host.wallet.clone().grant_due(&due, prior.as_ref(), now);
    match granted.unwrap() {
        Some(change) => host.write(change).amount,
        None => Credits::ZERO,
    }
}

fn opened(at: DateTime<Utc>) -> Host {
    let mut host = Host::new(Overage::Reject);
    host.wallet = Wallet::open(ACCOUNT.into(), at);
    host
}

#[test]
fn pg2_windows_are_counted_from_the_registration() {
    let account = registered(utc("2027-01-31T12:00:00Z"));
    let policy = policy(0);
    for (now, start, end) in [
        (
            "2027-01-31T12:00:00Z",
            "2027-01-31T12:00:00Z",
            "2027-02-28T12:00:00Z",
        ),
        (
            "2027-02-28T11:59:59Z",
            "2027-01-31T12:00:00Z",
            "2027-02-28T12:00:00Z",
        ),
        (
            "2027-02-28T12:00:00Z",
            "2027-02-28T12:00:00Z",
            "2027-03-31T12:00:00Z",
        ),
        (
            "2027-04-01T00:00:00Z",
            "2027-03-31T12:00:00Z",
            "2027-04-30T12:00:00Z",
        ),
        (
            "2028-02-29T12:00:00Z",
            "2028-02-29T12:00:00Z",
            "2028-03-31T12:00:00Z",
        ),
    ] {
        let due = policy
            .free_credits_due(&account, &free(50), utc(now))
            .unwrap();
        assert_eq!(
            due.key(),
            format!("grant/free/{}", utc(start).timestamp_micros())
        );
        assert_eq!(due.terms().expires_at, Some(utc(end)), "{now}");
        assert_eq!(
            (due.terms().amount, due.account()),
            (credits(50), &ACCOUNT.into())
        );
    }
}

#[test]
fn pg2_only_a_plan_without_a_price_gives_credits_to_an_account_with_a_calendar() {
    let now = utc("2027-03-01T00:00:00Z");
    let policy = policy(0);
    let is_due =
        |account: &Account, plan: &Plan| policy.free_credits_due(account, plan, now).is_some();

    let account = registered(utc("2027-01-01T00:00:00Z"));
    assert!(is_due(&account, &free(1)));
    let subscribed = Plan {
        needs_subscription: true,
        ..free(1)
    };
    assert!(is_due(&account, &subscribed));
    assert!(!is_due(&account, &free(0)));
    assert!(!is_due(&account, &plan(19, true)));
    // A plan that is given away is none that is free.
    assert!(!is_due(&account, &plan(19, false)));
    assert!(!is_due(&registered(utc("2027-03-01T00:00:01Z")), &free(1)));
    assert!(is_due(&registered(now), &free(1)));
    let unregistered = Account {
        registered_at: None,
        ..account
    };
    assert!(!is_due(&unregistered, &free(1)));
}

#[test]
fn pg2_credits_live_for_the_slack_but_at_most_a_quarter_of_the_window() {
    let start = utc("2027-01-01T00:00:00Z");
    for (unit, count, slack, hours) in [
        (IntervalUnit::Month, 1, 7_200, 2),
        (IntervalUnit::Month, 1, 30 * 86_400, 168),
        (IntervalUnit::Week, 1, 30 * 86_400, 42),
        (IntervalUnit::Day, 2, 30 * 86_400, 12),
    ] {
        let every = every(unit, count);
        let plan = Plan {
            credits_every: every,
            ..free(5)
        };
        let due = policy(slack)
            .free_credits_due(&registered(start), &plan, start)
            .unwrap();
        let end = every.after(start, 1).unwrap() + TimeDelta::try_hours(hours).unwrap();
        assert_eq!(due.terms().expires_at, Some(end), "{unit:?}");
    }
}

#[test]
fn pg2_a_grant_is_whole_and_lives_to_the_windows_end_however_late_it_is_asked_for() {
    let (start, late) = (utc("2027-01-01T00:00:00Z"), utc("2027-01-30T00:00:00Z"));
    let mut host = opened(start);
    assert_eq!(
        ask(&mut host, &policy(0), &registered(start), &free(50), late),
        credits(50)
    );
    assert_eq!(host.wallet.balance().free, credits(50));
    let next = utc("2027-02-01T00:00:00Z");
    assert_eq!(host.wallet.balance_at(next).unwrap().free, Credits::ZERO);
    let kinds: Vec<_> = host
        .outcomes
        .values()
        .map(|outcome| serde_json::to_value(outcome).unwrap()["state"]["cause"].clone())
        .collect();
    assert_eq!(kinds, [serde_json::to_value(CauseKind::FreePlan).unwrap()]);
}

/// A month of a plan for 19 euros and 2,000 credits, and its refund.
fn paid(time: PaidTime, number: usize, now: DateTime<Utc>) -> PaidTime {
    let key = format!("invoice-{number}");
    let span = Span {
        key: key.as_str().into(),
        payment: key.as_str().into(),
        period: BilledPeriod::Whole(Interval::MONTHLY.period(now, 0).unwrap()),
        from: now,
        grid: Grid::of(Interval::MONTHLY, Interval::MONTHLY),
        amount: credits(2_000),
        made: now,
        received: now,
    };
    time.record([Fact::Span(span)]).unwrap().unwrap().into_row()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However an account goes between free plans and a paid one, each window of its calendar gives
    /// the amount of the first free plan in it, whole and once; and payments neither lower nor raise
    /// that.
    #[test]
    fn p8_flips_between_free_and_paid_give_one_free_amount_a_window(
        day in 0_i64..60,
        unit in prop_oneof![Just(IntervalUnit::Month), Just(IntervalUnit::Week), Just(IntervalUnit::Day)],
        steps in prop::collection::vec((0_i64..20 * 24, 0_usize..4, any::<bool>()), 1..40),
        spends in any::<bool>(),
    ) {
        let start = utc("2027-12-20T10:00:00Z") + TimeDelta::try_days(day).unwrap();
        let every = every(unit, 1);
        let account = registered(start);
        let policy = policy(3_600);
        let plans = [
            Plan { credits_every: every, ..free(50) },
            Plan { credits_every: every, id: 2.into(), ..free(80) },
            Plan { credits_every: every, id: 3.into(), ..plan(19, true) },
            Plan { credits_every: every, id: 4.into(), ..free(0) },
        ];

        let mut host = opened(start);
        let mut time = PaidTime::new(ACCOUNT.into(), 1.into());
        let mut expected = BTreeMap::new();
        let mut now = start;
        for (number, (hours, place, pays)) in steps.into_iter().enumerate() {
            now += TimeDelta::try_hours(hours).unwrap();
            let plan = &plans[place];
            if plan.price.is_zero() && !plan.credits.is_zero() {
                // The oracle counts windows up from the registration.
                let window = (0..).find(|k| every.after(start, k + 1).unwrap() > now).unwrap();
                expected.entry(window).or_insert(plan.credits);
            }
            let before = ask(&mut host, &policy, &account, plan, now);
            let again = ask(&mut host, &policy, &account, plan, now);
            prop_assert_eq!(again, Credits::ZERO, "after {}", before);

            if pays && place == 2 {
                time = paid(time, number, now);
                let change = host.wallet.clone().align(&time.schedule(), policy.align_terms(), now).unwrap();
                if let Some(change) = change {
                    host.write(change);
                }
            }
            if spends {
                let units = host.wallet.balance_at(now).unwrap().free.micros() / 1_000_000;
                let seconds = (now - crate::support::at(0)).num_seconds();
                host.deduct(u8::try_from(number).unwrap(), units.try_into().unwrap(), seconds);
            }
        }

        let granted: i64 = host
            .outcomes
            .values()
            .map(|outcome| serde_json::to_value(outcome).unwrap())
            .filter(|outcome| outcome["state"]["cause"] == "free_plan")
            .map(|outcome| outcome["state"]["amount"].as_str().unwrap().parse::<Credits>().unwrap().micros())
            .sum();
        prop_assert_eq!(granted, expected.values().map(|amount| amount.micros()).sum::<i64>());
    }
}
