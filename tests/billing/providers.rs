//! Providers' snapshots and payments: B3 and B7. Whatever the order of delivery, and however often
//! each report comes, the outcome is what the latest report and the set of payments say.

use bailiwick::problem::Explained;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::support::*;
use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::change::{Answer, RowChange};
use bailiwick::credit::{DueGrant, Outcome};
use bailiwick::money::Currency;
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::PolicySettings;
use bailiwick::provider::{
    AdoptError, AdoptionFacts, Freshness, PaidFor, PaidInvoice, PaymentError, PaymentFacts,
    Plausibility, ProviderPayment, ProviderSnapshot,
};
use bailiwick::subscription::{Command, PendingPlan, SubscriptionStatus};
use bailiwick::{Account, Code, Credits, Money, Plan, Policy, Subscription, Wallet, chrono};
use proptest::prelude::*;

const ACCOUNT: i64 = 7;
const DAY: i64 = 86_400;
/// When all reports of a history are heard: while the trial runs, and before the first month.
const HEARD: i64 = -13 * DAY;

fn policy() -> Policy {
    let methods = [PaymentMethod::Stripe, PaymentMethod::Paypal];
    Policy::load(PolicySettings {
        payment_methods: methods.into(),
        ..PolicySettings::default()
    })
    .unwrap()
}

/// Plan `n` brings `n` hundred credits a month.
fn plan_of(price: &str) -> Arc<Plan> {
    let number: i64 = price.parse().unwrap();
    Arc::new(Plan {
        id: number.into(),
        credits: credits(number * 100),
        ..plan(49, true)
    })
}

fn month(number: u32) -> Period {
    Interval::MONTHLY.period(at(0), number).unwrap()
}

fn snapshot(status: SubscriptionStatus, second: i64) -> ProviderSnapshot {
    ProviderSnapshot {
        provider: Provider::Stripe,
        subscription: "sub_1".into(),
        reference: Some("9".into()),
        price: "1".into(),
        at: at(second),
        status,
        anchor: at(0),
        current_period: Some(month(0)),
        trial: None,
        cancel_at_period_end: false,
    }
}

fn payment(invoice: &str, price: &str, paid_for: PaidFor) -> ProviderPayment {
    ProviderPayment {
        provider: Provider::Stripe,
        subscription: "sub_1".into(),
        reference: Some("9".into()),
        invoice: invoice.into(),
        price: Some(price.into()),
        amount: euros(49),
        paid_for,
        period_amount: euros(49),
    }
}

/// A host in memory: one account, and its rows under the guards that each change names.
#[derive(Clone)]
struct Host {
    policy: Policy,
    account: Account,
    subscription: Subscription,
    wallet: Wallet,
    outcomes: BTreeMap<String, Outcome>,
    invoices: BTreeMap<String, PaidInvoice>,
    refetches: usize,
}

impl Host {
    fn new(status: AccountStatus) -> Self {
        let method = PaymentMethod::Stripe;
        Self {
            policy: policy(),
            account: Account {
                payment_method: method,
                ..account(ACCOUNT, status)
            },
            subscription: Subscription::new(9.into(), ACCOUNT.into(), 1.into(), method, at(-100)),
            wallet: Wallet::open(ACCOUNT.into(), at(-100 * DAY)),
            outcomes: BTreeMap::new(),
            invoices: BTreeMap::new(),
            refetches: 0,
        }
    }

    fn grant(&mut self, due: &[DueGrant], now: i64) {
        for due in due {
            let prior = self.outcomes.get(due.key());
            if let Some(change) = self.wallet.clone().grant_due(due, prior, at(now)).unwrap() {
                assert_eq!(change.expected_version(), self.wallet.version());
                let outcome = change.outcome().unwrap().outcome().clone();
                self.wallet = change.wallet().clone();
                self.outcomes.insert(outcome.key().to_owned(), outcome);
            }
        }
    }

    fn set_account(&mut self, change: Option<&RowChange<Account>>) {
        if let Some(change) = change {
            assert_eq!(change.expected_version(), self.account.version);
            self.account = change.row().clone();
        }
    }

    fn adopt(&mut self, snapshot: &ProviderSnapshot, now: i64) -> Result<Freshness, AdoptError> {
        let (account, subscription) = (self.account.clone(), self.subscription.clone());
        let facts = AdoptionFacts {
            account,
            subscription,
            plan: plan_of(&snapshot.price),
        };
        let adoption = self.policy.adopt_snapshot(snapshot, facts, at(now))?;
        if let Some(transition) = adoption.transition() {
            assert_eq!(transition.expected_version(), self.subscription.version);
            assert_eq!(transition.command(), None);
            self.subscription = transition.subscription().clone();
        }
        self.set_account(adoption.account());
        self.grant(adoption.grants(), now);
        self.refetches += usize::from(adoption.needs_refetch());
        Ok(adoption.freshness())
    }

    fn pay(&mut self, payment: &ProviderPayment, now: i64) -> Result<bool, PaymentError> {
        let current = self.subscription.plan.to_string();
        let facts = PaymentFacts {
            account: self.account.clone(),
            subscription: self.subscription.clone(),
            plan: plan_of(payment.price.as_deref().unwrap_or(&current)),
            current_plan: plan_of(&current),
            prior: self.invoices.get(&payment.invoice).cloned(),
        };
        match self
            .policy
            .record_provider_payment(payment, facts, at(now))?
        {
            Answer::Replayed(record) => {
                assert_eq!(self.invoices.get(&payment.invoice), Some(&record));
                Ok(false)
            }
            Answer::Fresh(change) => {
                self.set_account(change.account());
                assert_eq!(
                    change.subscription().expected_version(),
                    self.subscription.version
                );
                self.subscription = change.subscription().row().clone();
                self.grant(change.grants(), now);
                assert!(
                    self.invoices
                        .insert(payment.invoice.clone(), change.record().clone())
                        .is_none()
                );
                Ok(true)
            }
        }
    }

    /// What must converge: the subscription and the account but for their versions, the keys of the
    /// grants, the payments.
    fn outcome(
        &self,
    ) -> (
        Subscription,
        AccountStatus,
        BTreeSet<String>,
        BTreeSet<String>,
    ) {
        let grants = self.outcomes.keys().cloned().collect();
        let subscription = Subscription {
            version: 0,
            ..self.subscription.clone()
        };
        (
            subscription,
            self.account.status,
            grants,
            self.invoices.keys().cloned().collect(),
        )
    }
}

#[derive(Clone, Debug)]
enum Report {
    Snapshot(ProviderSnapshot),
    Payment(ProviderPayment),
}

impl Host {
    fn take(&mut self, report: &Report) {
        match report {
            Report::Snapshot(snapshot) => drop(self.adopt(snapshot, HEARD).unwrap()),
            Report::Payment(payment) => drop(self.pay(payment, HEARD).unwrap()),
        }
    }
}

/// A valid history: what a provider would report of one subscription, month by month. Several
/// reports may be of one second, and the plan only grows, since a smaller one takes nothing back.
fn any_history() -> impl Strategy<Value = Vec<Report>> {
    let month_story = (0u8..6, 0i64..3, any::<bool>(), any::<bool>());
    (
        any::<bool>(),
        prop::collection::vec(month_story, 1..8),
        prop::option::of(0i64..20),
    )
        .prop_map(|(has_trial, months, end)| {
            use SubscriptionStatus::{Active, Canceled, Incomplete, PastDue, Trialing, Unpaid};
            let mut reports = Vec::new();
            let mut price = 1;
            let trial = has_trial.then(|| Period {
                start: at(-14 * DAY),
                end: at(0),
            });
            let mut say = |status, second, month: Period, price: i64, ends: bool| {
                reports.push(Report::Snapshot(ProviderSnapshot {
                    price: price.to_string(),
                    current_period: Some(month),
                    trial,
                    cancel_at_period_end: ends,
                    ..snapshot(status, second)
                }));
            };
            say(Incomplete, -14 * DAY, month(0), price, false);
            if has_trial {
                say(Trialing, -14 * DAY, month(0), price, false);
            }
            let mut second = 0;
            for (number, (story, gap, upgrades, ends)) in months.iter().enumerate() {
                let paid = month(number.try_into().unwrap());
                second = second.max((paid.start - at(0)).num_seconds());
                match story {
                    0 => say(PastDue, second, paid, price, *ends),
                    1 => {
                        say(PastDue, second, paid, price, false);
                        second += gap;
                        say(Unpaid, second, paid, price, false);
                    }
                    _ => {
                        if *story == 2 {
                            say(PastDue, second, paid, price, false);
                            second += gap;
                        }
                        say(Active, second, paid, price, *ends);
                        if *upgrades && price < 4 {
                            second += gap;
                            price += 1;
                            say(Active, second, paid, price, false);
                        }
                    }
                }
                second += gap;
            }
            if let Some(later) = end {
                say(Canceled, second + later, month(0), price, false);
            }
            // Each month that was not left unpaid has its invoice, for the plan of its start.
            let mut price = 1;
            for (number, (story, _, upgrades, _)) in months.iter().enumerate() {
                let number = number.try_into().unwrap();
                if *story > 1 {
                    let invoice = format!("in_{number}");
                    reports.push(Report::Payment(payment(
                        &invoice,
                        &price.to_string(),
                        PaidFor::Period(month(number)),
                    )));
                    if *upgrades && price < 4 {
                        price += 1;
                        let invoice = format!("in_{number}_proration");
                        reports.push(Report::Payment(payment(
                            &invoice,
                            &price.to_string(),
                            PaidFor::Other,
                        )));
                    }
                }
            }
            reports
        })
}

/// The oracle: what a history comes to, said without any order. It shares no code with the crate.
fn expected(history: &[Report]) -> (String, i64, BTreeSet<i64>) {
    let rank = |status: SubscriptionStatus| {
        let order = [
            "incomplete",
            "trialing",
            "active",
            "past_due",
            "paused",
            "unpaid",
            "incomplete_expired",
            "canceled",
        ];
        order
            .iter()
            .position(|known| *known == status.as_str())
            .unwrap()
    };
    let mut latest: Option<(i64, usize, String)> = None;
    let mut months = BTreeSet::new();
    for report in history {
        match report {
            Report::Snapshot(snapshot) => {
                let this = (
                    snapshot.at.timestamp(),
                    rank(snapshot.status),
                    snapshot.status.as_str().to_owned(),
                );
                if latest.as_ref().is_none_or(|latest| *latest < this) {
                    latest = Some(this);
                }
                let had_begun = ["trialing", "active", "past_due", "paused"]
                    .contains(&snapshot.status.as_str());
                if let (Some(trial), true) = (snapshot.trial, had_begun) {
                    months.insert(trial.start.timestamp_micros());
                }
            }
            Report::Payment(ProviderPayment {
                paid_for: PaidFor::Period(period),
                ..
            }) => {
                months.insert(period.start.timestamp_micros());
            }
            Report::Payment(_) => {}
        }
    }
    let (second, _, status) = latest.unwrap();
    (status, second, months)
}

fn any_delivery() -> impl Strategy<Value = (Vec<Report>, Vec<usize>)> {
    any_history().prop_flat_map(|history| {
        let count = history.len();
        // Each at least once, some again, in any order.
        let more = prop::collection::vec(0..count, 0..2 * count);
        let delivery = more
            .prop_map(move |more| (0..count).chain(more).collect::<Vec<_>>())
            .prop_shuffle();
        (Just(history), delivery)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn b3_any_permutation_with_any_duplication_converges(
        (history, delivery) in any_delivery(),
        status in prop::sample::select(vec![
            AccountStatus::PendingPayment,
            AccountStatus::Active,
            AccountStatus::Suspended(SuspensionCause::PaymentOverdue),
            AccountStatus::Suspended(SuspensionCause::Abuse),
        ]),
    ) {
        let mut told = Host::new(status);
        history.iter().for_each(|report| told.take(report));
        let mut heard = Host::new(status);
        delivery.iter().for_each(|report| heard.take(&history[*report]));
        let a = told.outcome();
        prop_assert_eq!(&a, &heard.outcome());
        // In amounts and times too, day by day, unless a plan was changed: what that adds depends
        // on when it is heard of.
        let changes = history.iter().any(|report| matches!(report, Report::Snapshot(snapshot) if snapshot.price != "1"));
        for day in (-14..300).step_by(7) {
            let balances = [&told, &heard].map(|host| host.wallet.balance_at(at(day * DAY)).unwrap());
            prop_assert!(changes || balances[0] == balances[1], "on day {}: {:?}", day, balances);
        }

        let (status, second, months) = expected(&history);
        prop_assert_eq!(a.0.status.as_str(), status);
        prop_assert_eq!(a.0.provider_at, chrono::DateTime::from_timestamp(second, 0));
        let keys: BTreeSet<String> = months.iter().map(|month| format!("grant/period/9/{month}")).collect();
        prop_assert_eq!(a.2, keys);
    }

    /// Nothing that was adopted is ever taken back by an older report.
    #[test]
    fn b3_the_adopted_time_never_falls((history, delivery) in any_delivery()) {
        let mut host = Host::new(AccountStatus::PendingPayment);
        let mut last = None;
        for report in delivery {
            host.take(&history[report]);
            prop_assert!(host.subscription.provider_at >= last);
            last = host.subscription.provider_at;
        }
    }
}

#[test]
fn b3_older_is_stale_the_same_is_the_same_and_a_tie_is_told() {
    use SubscriptionStatus::{Active, Incomplete, PastDue};
    let mut host = Host::new(AccountStatus::PendingPayment);
    assert_eq!(host.adopt(&snapshot(Active, 10), 10), Ok(Freshness::Newer));
    assert_eq!(
        (host.account.status, host.subscription.version),
        (AccountStatus::Active, 2)
    );
    assert_eq!(
        host.subscription.stripe_subscription_id.as_deref(),
        Some("sub_1")
    );
    // "updated" came before "created": the counter-example of cashier-stripe#1201.
    let before = host.clone().outcome();
    assert_eq!(
        host.adopt(&snapshot(Incomplete, 9), 11),
        Ok(Freshness::Stale)
    );
    assert_eq!(
        host.adopt(&snapshot(Incomplete, 10), 11),
        Ok(Freshness::Tie),
        "of the same second"
    );
    assert_eq!(host.adopt(&snapshot(Active, 10), 11), Ok(Freshness::Same));
    assert_eq!((host.outcome(), host.refetches), (before, 1));
    assert_eq!(
        host.adopt(&snapshot(PastDue, 10), 12),
        Ok(Freshness::Tie),
        "the higher rank stands until it is fetched"
    );
    assert_eq!((host.subscription.status, host.refetches), (PastDue, 2));
    assert_eq!(
        host.adopt(&snapshot(Active, 13), 14),
        Ok(Freshness::Newer),
        "as fetched"
    );
    assert_eq!(host.subscription.status, Active);
}

/// Trigger events through a table that refuses would not converge: paid, failed against failed,
/// paid.
#[test]
fn b3_paid_then_failed_is_failed_then_paid() {
    let paid = snapshot(SubscriptionStatus::Active, 20);
    let failed = snapshot(SubscriptionStatus::PastDue, 10);
    let outcome = |reports: [&ProviderSnapshot; 2]| {
        let mut host = Host::new(AccountStatus::Active);
        for report in reports {
            host.adopt(report, 30).unwrap();
        }
        host.outcome()
    };
    assert_eq!(outcome([&paid, &failed]), outcome([&failed, &paid]));
}

/// The counter-example of open-saas#688: the same invoice under a new event.
#[test]
fn b3_an_invoice_grants_once_and_with_other_facts_is_a_conflict() {
    let mut host = Host::new(AccountStatus::PendingPayment);
    let paid = payment("in_1", "1", PaidFor::Period(month(0)));
    assert_eq!(host.pay(&paid, 10), Ok(true));
    assert_eq!(host.account.status, AccountStatus::Active);
    assert_eq!(host.wallet.balance().free, credits(100));
    assert_eq!(host.pay(&paid, 20), Ok(false));
    let other = ProviderPayment {
        amount: euros(50),
        ..paid.clone()
    };
    assert_eq!(
        host.pay(&other, 20),
        Err(PaymentError::Conflict("in_1".into()))
    );
    // The same month under another invoice, after a refund say: recorded, and the month is granted
    // already.
    assert_eq!(
        host.pay(
            &ProviderPayment {
                invoice: "in_2".into(),
                ..paid
            },
            20
        ),
        Ok(true)
    );
    assert_eq!(host.wallet.balance().free, credits(100));
}

#[test]
fn b3_an_upgrade_adds_to_its_month_whichever_report_is_first() {
    let paid = payment("in_1", "1", PaidFor::Period(month(0)));
    let larger = ProviderSnapshot {
        price: "4".into(),
        ..snapshot(SubscriptionStatus::Active, 10)
    };
    let smaller = ProviderSnapshot {
        price: "1".into(),
        at: at(11),
        ..larger.clone()
    };
    let mut host = Host::new(AccountStatus::PendingPayment);
    host.pay(&paid, 5).unwrap();
    host.adopt(&larger, 12).unwrap();
    assert_eq!(host.wallet.balance().free, credits(400));
    let mut other = Host::new(AccountStatus::PendingPayment);
    other.adopt(&larger, 12).unwrap();
    assert_eq!(
        other.wallet.balance().free,
        credits(0),
        "nothing was paid yet"
    );
    other.pay(&paid, 13).unwrap();
    assert_eq!(other.wallet.balance().free, credits(400));
    // A downgrade takes nothing, and the larger plan again adds nothing.
    host.adopt(&smaller, 14).unwrap();
    host.adopt(
        &ProviderSnapshot {
            at: at(15),
            ..larger
        },
        16,
    )
    .unwrap();
    assert_eq!(host.wallet.balance().free, credits(400));
}

#[test]
fn b3_a_payment_brings_the_months_that_it_paid_for() {
    let months = |interval: Interval, paid_for: PaidFor, now: i64| {
        let host = Host::new(AccountStatus::Active);
        let plan = Arc::new(Plan {
            interval,
            ..Plan::clone(&plan_of("1"))
        });
        let facts = PaymentFacts {
            account: host.account,
            subscription: host.subscription,
            current_plan: plan.clone(),
            plan,
            prior: None,
        };
        match host
            .policy
            .record_provider_payment(&payment("in_1", "1", paid_for), facts, at(now))
            .unwrap()
        {
            Answer::Fresh(change) => change
                .grants()
                .iter()
                .map(|due| due.terms().effective_at.unwrap())
                .collect::<Vec<_>>(),
            Answer::Replayed(_) => panic!(),
        }
    };
    let on = |day: &str| {
        format!("{day}T00:00:00Z")
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    };
    // From 28 February to 31 March is one month, though a month from 28 February ends before.
    let short = Period {
        start: on("2027-02-28"),
        end: on("2027-03-31"),
    };
    assert_eq!(
        months(Interval::MONTHLY, PaidFor::Period(short), 0),
        [short.start]
    );
    let year = Period {
        start: on("2027-02-28"),
        end: on("2028-02-28"),
    };
    assert_eq!(months(Interval::YEARLY, PaidFor::Period(year), 0).len(), 12);
    assert_eq!(
        months(Interval::MONTHLY, PaidFor::IntervalFrom(at(5)), 0),
        [at(5)]
    );
    assert_eq!(
        months(Interval::YEARLY, PaidFor::IntervalFrom(at(5)), 0).len(),
        12
    );
    assert!(months(Interval::MONTHLY, PaidFor::Other, 0).is_empty());
    let week = Interval {
        unit: IntervalUnit::Week,
        count: std::num::NonZeroU16::MIN,
    };
    let first = PaidFor::Period(Period {
        start: on("2027-03-05"),
        end: on("2027-03-12"),
    });
    let second = PaidFor::Period(Period {
        start: on("2027-03-26"),
        end: on("2027-04-02"),
    });
    assert_eq!(months(week, first, 0), [on("2027-03-01")]);
    assert_eq!(
        months(week, second, 0),
        [on("2027-03-01")],
        "the same month: granted once"
    );
}

#[test]
fn b3_a_trial_brings_its_credits_until_its_end() {
    let trial = Period {
        start: at(0),
        end: at(14 * DAY),
    };
    let trialing = ProviderSnapshot {
        trial: Some(trial),
        ..snapshot(SubscriptionStatus::Trialing, 1)
    };
    let mut host = Host::new(AccountStatus::PendingPayment);
    host.adopt(
        &ProviderSnapshot {
            at: at(0),
            status: SubscriptionStatus::Incomplete,
            ..trialing.clone()
        },
        2,
    )
    .unwrap();
    assert_eq!(
        (host.account.status, host.wallet.balance().free),
        (AccountStatus::PendingPayment, credits(0))
    );
    host.adopt(&trialing, 2).unwrap();
    assert_eq!(
        (host.account.status, host.wallet.balance().free),
        (AccountStatus::Active, credits(100))
    );
    assert_eq!(host.wallet.balance_at(trial.end).unwrap().free, credits(0));
    host.adopt(
        &ProviderSnapshot {
            at: at(5),
            ..trialing
        },
        6,
    )
    .unwrap();
    assert_eq!(host.wallet.balance().free, credits(100), "once");
}

#[test]
fn b3_only_a_payment_lifts_a_suspension_for_one() {
    for (cause, lifted) in [
        (SuspensionCause::PaymentOverdue, AccountStatus::Active),
        (
            SuspensionCause::Abuse,
            AccountStatus::Suspended(SuspensionCause::Abuse),
        ),
        (
            SuspensionCause::Requested,
            AccountStatus::Suspended(SuspensionCause::Requested),
        ),
    ] {
        let mut host = Host::new(AccountStatus::Suspended(cause));
        host.adopt(&snapshot(SubscriptionStatus::Active, 1), 2)
            .unwrap();
        assert_eq!(host.account.status, AccountStatus::Suspended(cause));
        let nothing = ProviderPayment {
            period_amount: euros(0),
            ..payment("in_0", "1", PaidFor::Period(month(0)))
        };
        host.pay(&nothing, 3).unwrap();
        let little = ProviderPayment {
            period_amount: euros(48),
            ..payment("in_3", "1", PaidFor::Period(month(0)))
        };
        host.pay(&little, 3).unwrap();
        host.pay(&payment("in_1", "1", PaidFor::Other), 3).unwrap();
        assert_eq!(
            host.account.status,
            AccountStatus::Suspended(cause),
            "neither of nothing, nor of too little, nor for something else"
        );
        host.pay(&payment("in_2", "1", PaidFor::Period(month(0))), 4)
            .unwrap();
        assert_eq!(host.account.status, lifted);
    }
}

#[test]
fn b2_a_newer_snapshot_revives_what_had_ended() {
    let mut host = Host::new(AccountStatus::Active);
    host.adopt(&snapshot(SubscriptionStatus::Canceled, 10), 10)
        .unwrap();
    assert!(
        host.subscription
            .clone()
            .apply(Command::Resume, at(11))
            .is_err(),
        "our own commands are absorbed"
    );
    assert_eq!(
        host.adopt(&snapshot(SubscriptionStatus::Active, 20), 20),
        Ok(Freshness::Newer)
    );
    assert_eq!(host.subscription.status, SubscriptionStatus::Active);
}

#[test]
fn b3_a_step_is_expected_unusual_or_impossible() {
    use SubscriptionStatus::{
        Active, Canceled, Incomplete, IncompleteExpired, PastDue, Trialing, Unpaid,
    };
    for (from, to, step) in [
        (Incomplete, Active, Plausibility::Expected),
        (Active, Active, Plausibility::Expected),
        (Active, PastDue, Plausibility::Expected),
        (Active, Unpaid, Plausibility::Unusual),
        (Incomplete, Unpaid, Plausibility::Unusual),
        (Active, Trialing, Plausibility::Impossible),
        (Canceled, Active, Plausibility::Impossible),
        (IncompleteExpired, Canceled, Plausibility::Impossible),
        (
            SubscriptionStatus::Unknown,
            Active,
            Plausibility::Impossible,
        ),
    ] {
        assert_eq!(Plausibility::between(from, to), step, "{from} {to}");
    }
}

#[test]
fn b7_a_provider_is_coming_soon_until_the_policy_enables_it() {
    for (method, provider) in [
        (PaymentMethod::Stripe, Provider::Stripe),
        (PaymentMethod::Paypal, Provider::Paypal),
    ] {
        assert_eq!(provider.payment_method(), method);
        let mut host = Host::new(AccountStatus::PendingPayment);
        (
            host.account.payment_method,
            host.subscription.payment_method,
        ) = (method, method);
        host.subscription.paypal_subscription_id = Some("sub_1".into());
        host.policy = Policy::default();
        let before = host.outcome();
        let snapshot = ProviderSnapshot {
            provider,
            ..snapshot(SubscriptionStatus::Active, 1)
        };
        let payment = ProviderPayment {
            provider,
            ..payment("in_1", "1", PaidFor::Period(month(0)))
        };
        let refused = host.adopt(&snapshot, 2).unwrap_err();
        assert_eq!(
            (&refused, refused.code()),
            (
                &AdoptError::ComingSoon(method),
                Code::PaymentMethodComingSoon
            )
        );
        assert!(refused.to_string().ends_with("coming soon"));
        assert_eq!(host.pay(&payment, 2), Err(PaymentError::ComingSoon(method)));
        assert_eq!(host.outcome(), before, "nothing changed");
        host.policy = policy();
        host.adopt(&snapshot, 2).unwrap();
        host.pay(&payment, 2).unwrap();
        assert_eq!(host.subscription.status, SubscriptionStatus::Active);
    }
}

#[test]
fn b3_reports_of_another_subscription_change_nothing() {
    let mut host = Host::new(AccountStatus::Active);
    host.adopt(&snapshot(SubscriptionStatus::Active, 1), 1)
        .unwrap();
    let foreign = ProviderSnapshot {
        subscription: "sub_2".into(),
        ..snapshot(SubscriptionStatus::Canceled, 9)
    };
    assert_eq!(host.adopt(&foreign, 9), Err(AdoptError::Mismatch));
    let foreign = ProviderSnapshot {
        subscription: String::new(),
        ..foreign
    };
    assert_eq!(host.adopt(&foreign, 9), Err(AdoptError::Mismatch));
    let paid = ProviderPayment {
        subscription: "sub_2".into(),
        ..payment("in_1", "1", PaidFor::Other)
    };
    assert_eq!(
        host.pay(&paid, 9),
        Err(PaymentError::Foreign(AdoptError::Mismatch))
    );
    let by_other = ProviderSnapshot {
        provider: Provider::Paypal,
        ..snapshot(SubscriptionStatus::Canceled, 9)
    };
    assert_eq!(host.adopt(&by_other, 9), Err(AdoptError::Mismatch));
    host.subscription.paypal_subscription_id = Some("sub_1".into());
    assert_eq!(
        host.adopt(&by_other, 9),
        Err(AdoptError::OtherMethod(PaymentMethod::Stripe))
    );

    // Paid by bank transfer since: that Stripe's retries were exhausted no longer counts.
    host.subscription.payment_method = PaymentMethod::BankTransfer;
    let exhausted = snapshot(SubscriptionStatus::Canceled, 30);
    let refused = host.adopt(&exhausted, 31).unwrap_err();
    assert_eq!(
        (&refused, refused.code()),
        (
            &AdoptError::OtherMethod(PaymentMethod::BankTransfer),
            Code::ProviderMismatch
        )
    );
    assert_eq!(host.subscription.status, SubscriptionStatus::Active);
    // What Stripe charges all the same is on the record, and brings nothing.
    assert_eq!(
        host.pay(&payment("in_9", "1", PaidFor::Period(month(0))), 31),
        Ok(true)
    );
    assert_eq!(
        (host.invoices["in_9"].period, host.wallet.balance().granted),
        (None, credits(0))
    );

    let mut mixed = Host::new(AccountStatus::Active);
    mixed.subscription.account = 8.into();
    assert_eq!(
        mixed.adopt(&snapshot(SubscriptionStatus::Active, 1), 1),
        Err(AdoptError::Mismatch)
    );
}

/// What a provider runs is the provider's to end: no job of ours ends it.
#[test]
fn b2_a_providers_subscription_is_not_ours_to_end() {
    let mut host = Host::new(AccountStatus::Active);
    let late = at(400 * DAY);
    assert!(
        host.policy
            .command_due(&host.subscription, &[], late)
            .is_some(),
        "nobody ever paid"
    );
    // Nor is a period that it tells of one that began by time alone.
    host.subscription.free_period = true;
    host.adopt(&snapshot(SubscriptionStatus::Active, 1), 1)
        .unwrap();
    assert!(!host.subscription.free_period);
    assert_eq!(host.policy.command_due(&host.subscription, &[], late), None);
}

/// Anyone can make a subscription at PayPal, and call it whose they like: it is adopted only once
/// the host has stored it.
#[test]
fn b3_nobody_elses_paypal_subscription_is_taken_for_an_accounts_own() {
    let mut host = Host::new(AccountStatus::PendingPayment);
    (
        host.account.payment_method,
        host.subscription.payment_method,
    ) = (PaymentMethod::Paypal, PaymentMethod::Paypal);
    let evil = ProviderSnapshot {
        provider: Provider::Paypal,
        subscription: "I-EVIL".into(),
        reference: Some("7".into()),
        ..snapshot(SubscriptionStatus::Active, 1)
    };
    assert_eq!(host.adopt(&evil, 2), Err(AdoptError::Mismatch));
    host.subscription.paypal_subscription_id = Some("I-OWN".into());
    assert_eq!(host.adopt(&evil, 2), Err(AdoptError::Mismatch));
    assert!(
        host.adopt(
            &ProviderSnapshot {
                subscription: "I-OWN".into(),
                ..evil
            },
            2
        )
        .is_ok()
    );
}

/// An amount at a provider is not always the host's to set.
#[test]
fn b3_less_than_the_price_brings_nothing_unless_the_policy_says_so() {
    let month = PaidFor::Period(month(0));
    let dollars = Money::new(49.into(), Currency::USD).unwrap();
    for (amount, discounts, brings) in [
        (euros(49), false, true),
        (euros(60), false, true),
        (euros(48), false, false),
        (euros(0), false, false),
        (dollars, false, false),
        (euros(1), true, true),
        (dollars, true, false),
    ] {
        let mut host = Host::new(AccountStatus::PendingPayment);
        let methods = [PaymentMethod::Stripe].into();
        let settings = PolicySettings {
            payment_methods: methods,
            provider_discounts: discounts,
            ..PolicySettings::default()
        };
        host.policy = Policy::load(settings).unwrap();
        host.pay(
            &ProviderPayment {
                period_amount: amount,
                ..payment("in_1", "1", month)
            },
            5,
        )
        .unwrap();
        assert_eq!(
            host.wallet.balance().free,
            credits(if brings { 100 } else { 0 }),
            "{amount} {discounts}"
        );
        assert_eq!(host.account.status == AccountStatus::Active, brings);
        assert_eq!(host.subscription.provider_paid.is_some(), brings);
    }
}

/// However often a provider tries again, what is past due is past due since what was paid ended.
#[test]
fn b3_past_due_does_not_slide() {
    let mut host = Host::new(AccountStatus::Active);
    let due = |number: u32, second: i64| ProviderSnapshot {
        current_period: Some(month(number)),
        ..snapshot(SubscriptionStatus::PastDue, second)
    };
    let end = (month(0).end - at(0)).num_seconds();
    host.pay(&payment("in_0", "1", PaidFor::Period(month(0))), 5)
        .unwrap();
    for (number, second) in [(1, end + 60), (1, end + 20 * DAY), (2, end + 40 * DAY)] {
        host.adopt(&due(number, second), second).unwrap();
        assert_eq!(host.subscription.past_due_since, Some(month(0).end));
    }
    // Nothing was paid, as far as is known: since the start of what is due.
    let since = |paid: Option<Period>, period: Option<Period>, second: i64| {
        let mut host = Host::new(AccountStatus::Active);
        host.subscription.provider_paid = paid;
        let report = ProviderSnapshot {
            current_period: period,
            ..snapshot(SubscriptionStatus::PastDue, second)
        };
        host.adopt(&report, second).unwrap();
        host.subscription.past_due_since.unwrap()
    };
    assert_eq!(since(None, Some(month(3)), 200 * DAY), month(3).start);
    assert_eq!(since(None, None, 200 * DAY), at(0), "the anchor");
    // The running period is paid, and something else in it is not: the report's own time, up to the
    // period's end.
    assert_eq!(
        since(Some(month(0)), Some(month(0)), 20 * DAY),
        at(20 * DAY)
    );
    assert_eq!(
        since(Some(month(0)), Some(month(0)), 90 * DAY),
        month(0).end
    );
    // A year was paid, and then the plan was changed to one by the month: since that month, however
    // often it is tried.
    let year = Interval::YEARLY.period(at(0), 0).unwrap();
    for day in [41, 60, 90, 120] {
        let running = Period {
            start: at(41 * DAY),
            end: at(72 * DAY),
        };
        assert_eq!(since(Some(year), Some(running), day * DAY), running.start);
    }
    assert_eq!(
        since(Some(month(0)), None, 90 * DAY),
        month(0).end,
        "PayPal says nothing of the period"
    );
    // Heard of late, the payment moves it to where it belongs; and what is paid is not past due.
    let mut other = Host::new(AccountStatus::Active);
    other.adopt(&due(1, end + 60), end + 60).unwrap();
    other
        .pay(&payment("in_1", "1", PaidFor::Period(month(1))), end + 70)
        .unwrap();
    assert_eq!(other.subscription.past_due_since, Some(at(end + 60)));
    other
        .adopt(&snapshot(SubscriptionStatus::Active, end + 96 * DAY), end)
        .unwrap();
    assert_eq!(other.subscription.past_due_since, None);
}

/// A raise finds the month under the key that the payment gave it, where the provider counts
/// otherwise.
#[test]
fn b3_a_raise_finds_its_month_by_the_payment() {
    let mut host = Host::new(AccountStatus::Active);
    (
        host.account.payment_method,
        host.subscription.payment_method,
    ) = (PaymentMethod::Paypal, PaymentMethod::Paypal);
    host.subscription.paypal_subscription_id = Some("sub_1".into());
    let provider = Provider::Paypal;
    host.pay(
        &ProviderPayment {
            provider,
            ..payment("in_0", "1", PaidFor::IntervalFrom(at(5)))
        },
        6,
    )
    .unwrap();
    let larger = ProviderSnapshot {
        provider,
        price: "4".into(),
        ..snapshot(SubscriptionStatus::Active, 10)
    };
    host.adopt(&larger, 11).unwrap();
    assert_eq!(host.wallet.balance().free, credits(400));
}

#[test]
fn b3_what_was_canceled_before_it_began_lifts_nothing() {
    use SubscriptionStatus::{Canceled, IncompleteExpired, Unknown, Unpaid};
    let trial = Some(Period {
        start: at(0),
        end: at(14 * DAY),
    });
    for status in [Canceled, IncompleteExpired, Unknown, Unpaid] {
        let mut host = Host::new(AccountStatus::PendingPayment);
        host.adopt(
            &ProviderSnapshot {
                trial,
                ..snapshot(status, 1)
            },
            2,
        )
        .unwrap();
        assert_eq!(
            (host.account.status, host.wallet.balance().granted),
            (AccountStatus::PendingPayment, credits(0))
        );
    }
}

/// The account's version rises with its plan, so that nobody writes the former one over it.
#[test]
fn b3_a_change_of_plan_is_guarded_by_the_account() {
    let mut host = Host::new(AccountStatus::Active);
    host.adopt(&snapshot(SubscriptionStatus::Active, 1), 1)
        .unwrap();
    let version = host.account.version;
    host.adopt(
        &ProviderSnapshot {
            price: "4".into(),
            ..snapshot(SubscriptionStatus::Active, 2)
        },
        2,
    )
    .unwrap();
    assert_eq!(host.account.version, version + 1);
}

/// A late report of a former subscription does not take the place of the new one.
#[test]
fn b3_a_former_subscription_does_not_bind_the_new_one() {
    let mut host = Host::new(AccountStatus::Active);
    host.subscription.id = 10.into();
    let former = ProviderSnapshot {
        subscription: "sub_old".into(),
        ..snapshot(SubscriptionStatus::Canceled, 50)
    };
    assert_eq!(
        host.adopt(&former, 60),
        Err(AdoptError::Mismatch),
        "it was subscription 9"
    );
    let late = ProviderPayment {
        subscription: "sub_old".into(),
        ..payment("in_9", "1", PaidFor::Period(month(0)))
    };
    assert_eq!(
        host.pay(&late, 60),
        Err(PaymentError::Foreign(AdoptError::Mismatch))
    );
    for reference in [None, Some("".to_owned()), Some("7".to_owned())] {
        let unnamed = ProviderSnapshot {
            reference,
            ..snapshot(SubscriptionStatus::Active, 50)
        };
        assert_eq!(host.adopt(&unnamed, 60), Err(AdoptError::Mismatch));
    }
    let own = ProviderSnapshot {
        reference: Some("10".into()),
        ..snapshot(SubscriptionStatus::Active, 50)
    };
    assert!(host.adopt(&own, 60).is_ok());
    // Once it is bound, the reference is not asked for any more.
    assert!(
        host.adopt(
            &ProviderSnapshot {
                reference: None,
                at: at(51),
                ..own
            },
            60
        )
        .is_ok()
    );
    for id in ["", "no-stripe-subscription:9"] {
        let mut host = Host::new(AccountStatus::Active);
        let report = ProviderSnapshot {
            subscription: id.into(),
            ..snapshot(SubscriptionStatus::Active, 1)
        };
        assert_eq!(host.adopt(&report, 2), Err(AdoptError::Mismatch));
        host.subscription.stripe_subscription_id = Some("no-stripe-subscription:9".into());
        assert!(
            host.adopt(&snapshot(SubscriptionStatus::Active, 1), 2)
                .is_ok(),
            "a placeholder is none"
        );
    }
}

/// PayPal does not say what was paid for: what is not the present plan's price waits for the report
/// of the change.
#[test]
fn b3_a_payment_of_an_unknown_plan_waits_for_its_report() {
    let mut host = Host::new(AccountStatus::Active);
    let unknown = |amount| ProviderPayment {
        price: None,
        amount: euros(amount),
        period_amount: euros(amount),
        ..payment("in_1", "1", PaidFor::IntervalFrom(at(5)))
    };
    let refused = host.pay(&unknown(10), 6).unwrap_err();
    assert_eq!(
        (&refused, refused.code()),
        (&PaymentError::PlanUnknown, Code::PaymentUnplaced)
    );
    assert!(host.invoices.is_empty(), "so that it can be sent again");
    assert_eq!(host.pay(&unknown(49), 6), Ok(true));
    // Paid in another way by now, it waits for nothing: it is on the record, whatever it was for.
    let mut moved = Host::new(AccountStatus::Active);
    moved.subscription.payment_method = PaymentMethod::BankTransfer;
    moved.subscription.stripe_subscription_id = Some("sub_1".into());
    assert_eq!(moved.pay(&unknown(10), 6), Ok(true));
    assert_eq!(
        (
            moved.invoices["in_1"].period,
            moved.wallet.balance().granted
        ),
        (None, credits(0))
    );
    let facts = PaymentFacts {
        account: host.account.clone(),
        subscription: host.subscription.clone(),
        plan: plan_of("1"),
        current_plan: plan_of("2"),
        prior: None,
    };
    let refused = host
        .policy
        .record_provider_payment(&unknown(49), facts, at(6));
    assert_eq!(refused, Err(PaymentError::PlanMismatch));
}

/// Of a year, only the month that runs is raised by a larger plan; and a month that nobody paid for
/// is not granted by one.
#[test]
fn b3_a_larger_plan_adds_to_the_running_month_alone() {
    let year = Interval::YEARLY.period(at(0), 0).unwrap();
    let yearly = Arc::new(Plan {
        interval: Interval::YEARLY,
        ..Plan::clone(&plan_of("1"))
    });
    let mut host = Host::new(AccountStatus::Active);
    host.subscription.plan = 4.into();
    let facts = PaymentFacts {
        account: host.account.clone(),
        subscription: host.subscription.clone(),
        plan: yearly,
        current_plan: plan_of("4"),
        prior: None,
    };
    let answer = host.policy.record_provider_payment(
        &payment("in_1", "1", PaidFor::Period(year)),
        facts,
        at(40 * DAY),
    );
    let Ok(Answer::Fresh(change)) = answer else {
        panic!()
    };
    let amounts: Vec<Credits> = change
        .grants()
        .iter()
        .map(|due| due.terms().amount)
        .collect();
    assert_eq!(
        amounts
            .iter()
            .filter(|amount| **amount == credits(400))
            .count(),
        1
    );
    assert_eq!((amounts.len(), amounts[1]), (12, credits(400)));

    // Known to be paid, and its credits taken back since, say: a larger plan alone grants nothing.
    host.subscription = Subscription {
        provider_paid: Some(month(0)),
        plan: 1.into(),
        ..host.subscription
    };
    host.adopt(
        &ProviderSnapshot {
            price: "4".into(),
            ..snapshot(SubscriptionStatus::Active, 10)
        },
        11,
    )
    .unwrap();
    assert_eq!(host.wallet.balance().granted, credits(0));
}

/// Two reports of one time: whatever differs has a rank, so that both orders end alike.
#[test]
fn b3_every_difference_ranks() {
    let plain = snapshot(SubscriptionStatus::Active, 10);
    for other in [
        ProviderSnapshot {
            current_period: Some(month(1)),
            ..plain.clone()
        },
        ProviderSnapshot {
            current_period: None,
            ..plain.clone()
        },
        ProviderSnapshot {
            cancel_at_period_end: true,
            ..plain.clone()
        },
        ProviderSnapshot {
            trial: Some(month(0)),
            ..plain.clone()
        },
        ProviderSnapshot {
            anchor: at(1),
            ..plain.clone()
        },
        ProviderSnapshot {
            price: "2".into(),
            ..plain.clone()
        },
    ] {
        let told = |reports: [&ProviderSnapshot; 2]| {
            let mut host = Host::new(AccountStatus::Active);
            let freshness = reports.map(|report| host.adopt(report, 20).unwrap());
            assert_eq!(freshness, [Freshness::Newer, Freshness::Tie]);
            Subscription {
                version: 0,
                ..host.subscription
            }
        };
        assert_eq!(told([&plain, &other]), told([&other, &plain]), "{other:?}");
    }
    // What a newer report does not say any more is gone, and a pending plan of ours with it.
    let mut host = Host::new(AccountStatus::Active);
    host.subscription.pending_plan = Some(PendingPlan {
        plan: 2.into(),
        at: at(0),
    });
    host.adopt(
        &ProviderSnapshot {
            trial: Some(month(0)),
            cancel_at_period_end: true,
            ..plain.clone()
        },
        20,
    )
    .unwrap();
    assert_eq!(
        (
            host.subscription.pending_plan.as_ref(),
            host.subscription.trial_end
        ),
        (None, Some(month(0).end))
    );
    let ended = ProviderSnapshot {
        at: at(11),
        cancel_at_period_end: true,
        status: SubscriptionStatus::Canceled,
        ..plain
    };
    host.adopt(&ended, 20).unwrap();
    assert_eq!(
        (
            host.subscription.trial_end,
            host.subscription.cancel_at_period_end
        ),
        (None, false)
    );
}
