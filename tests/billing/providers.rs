//! Providers' snapshots and payments: B3, B7, B10 and PF1 to PF6. Whatever the order of delivery, and
//! however often each report comes, the outcome is what the latest report and the set of payments
//! say; and only payments bring a plan's credits.

use bailiwick::problem::Explained;
use std::collections::BTreeSet;

use crate::paid_time_facts::{compare, fact};
use crate::paid_time_model::{Billed, Every, Line, NegativeLine, SECOND, Told};
use crate::provider_host::*;
use crate::support::*;
use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::gate::Denial;
use bailiwick::money::Currency;
use bailiwick::paid_time::{Fact, PaidTime, RecordError};
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::PolicySettings;
use bailiwick::provider::{
    AdoptError, Freshness, LineKind, LineOutcome, PaidInvoice, PaidLine, PaymentError,
    Plausibility, ProviderPayment, ProviderSnapshot, ProviderUndone, Undoing, UndoneError,
    UndoneFacts,
};
use bailiwick::subscription::{Command, PendingPlan, SubscriptionStatus};
use bailiwick::{Code, Money, Plan, Policy, Subscription, chrono};
use proptest::prelude::*;

/// When all reports of a history are heard: while the trial runs, and before the first month.
const HEARD: i64 = -13 * DAY;

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
/// reports may be of one second, and the plan goes up and down within a month. In the end it may be
/// canceled, and then its last month may be given back.
fn any_history() -> impl Strategy<Value = Vec<Report>> {
    let month_story = (
        0u8..6,
        0i64..3,
        prop::option::of((1i64..5, 0i64..27)),
        any::<bool>(),
    );
    (
        any::<bool>(),
        prop::collection::vec(month_story, 1..8),
        prop::option::of((0i64..20, any::<bool>())),
    )
        .prop_map(|(has_trial, months, end)| {
            use SubscriptionStatus::{Active, Canceled, Incomplete, PastDue, Trialing, Unpaid};
            let mut reports = Vec::new();
            let mut price = 1;
            let trial = has_trial.then(|| Period {
                start: at(-14 * DAY),
                end: at(0),
            });
            let of = |status, second, month: Period, price: i64, ends: bool| ProviderSnapshot {
                items: items(&price.to_string(), Some(month)),
                trial,
                cancel_at_period_end: ends,
                ..snapshot(status, second)
            };
            let mut said = Vec::new();
            said.push(of(Incomplete, -14 * DAY, month(0), price, false));
            if has_trial {
                said.push(of(Trialing, -14 * DAY, month(0), price, false));
            }
            let mut second = 0;
            let mut last_paid = None;
            for (number, (story, gap, change, ends)) in months.iter().enumerate() {
                let number = u32::try_from(number).unwrap();
                let paid = month(number);
                second = second.max((paid.start - at(0)).num_seconds());
                match story {
                    0 => said.push(of(PastDue, second, paid, price, *ends)),
                    1 => {
                        said.push(of(PastDue, second, paid, price, false));
                        second += gap;
                        said.push(of(Unpaid, second, paid, price, false));
                    }
                    _ => {
                        if *story == 2 {
                            said.push(of(PastDue, second, paid, price, false));
                            second += gap;
                        }
                        said.push(of(Active, second, paid, price, *ends));
                        let kind = LineKind::Period(paid);
                        let invoice = ProviderPayment {
                            made: paid.start,
                            received: at(second),
                            ..payment(&format!("in_{number}"), &price.to_string(), kind)
                        };
                        reports.push(Report::Payment(invoice));
                        last_paid = Some((paid, price));
                        if let Some((to, days)) = change {
                            second += gap + days * DAY;
                            let rest = Period {
                                start: at(second),
                                end: paid.end,
                            };
                            let lines = vec![
                                line("unused", &price.to_string(), LineKind::GivenBack(rest)),
                                line("rest", &to.to_string(), LineKind::Remaining(rest)),
                            ];
                            price = *to;
                            said.push(of(Active, second, paid, price, false));
                            reports.push(Report::Payment(ProviderPayment {
                                made: rest.start,
                                received: rest.start,
                                ..with_lines(&format!("in_{number}_change"), lines)
                            }));
                            last_paid = Some((paid, price));
                        }
                    }
                }
                second += gap;
            }
            if let Some((later, is_given_back)) = end {
                let at_end = second + later;
                said.push(of(Canceled, at_end, month(0), price, false));
                if let (Some((paid, price)), true) = (last_paid, is_given_back)
                    && paid.contains(at(at_end))
                {
                    let rest = Period {
                        start: at(at_end),
                        end: paid.end,
                    };
                    let kind = LineKind::GivenBack(rest);
                    reports.push(Report::Payment(ProviderPayment {
                        made: at(at_end),
                        received: at(at_end),
                        ..payment("in_end", &price.to_string(), kind)
                    }));
                }
            }
            reports.extend(said.into_iter().map(Report::Snapshot));
            reports
        })
}

/// The oracle: what a history comes to, said without any order. It shares no code with the crate.
/// Of the payments, it tells each line that is a fact of paid time.
fn expected(history: &[Report]) -> (String, i64, bool, Vec<Told>) {
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
    let nanos = |at: chrono::DateTime<chrono::Utc>| i128::from(at.timestamp()) * SECOND;
    let mut latest: Option<(i64, usize, String)> = None;
    let mut has_gift = false;
    let mut told = Vec::new();
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
                has_gift |= snapshot.trial.is_some() && snapshot.status.as_str() == "trialing";
            }
            Report::Payment(payment) => {
                let is_change = payment.lines.len() == 2;
                for line in &payment.lines {
                    let invoice = format!("invoice/stripe/{}", payment.invoice);
                    let key = format!("{invoice}/{}", line.key);
                    let (made, received) = (nanos(payment.made), nanos(payment.received));
                    let (billed, from) = match line.kind {
                        LineKind::Period(period) => {
                            let (start, end) = (nanos(period.start), nanos(period.end));
                            (Billed::Whole(start, end), start)
                        }
                        LineKind::Remaining(period) | LineKind::GivenBack(period) => {
                            (Billed::EndingAt(nanos(period.end)), nanos(period.start))
                        }
                        LineKind::IntervalFrom(_) => unreachable!(),
                    };
                    match line.kind {
                        LineKind::GivenBack(_) if is_change => {}
                        LineKind::GivenBack(_) => told.push(Told::NegativeLine(NegativeLine {
                            key,
                            invoice,
                            period: billed,
                            at: from,
                            made,
                        })),
                        _ => told.push(Told::Line(Line {
                            key,
                            invoice,
                            period: billed,
                            from,
                            every: Every::Months(1),
                            windows: 1,
                            amount: line.price.as_ref().unwrap().parse::<i128>().unwrap()
                                * 100_000_000,
                            made,
                            received,
                        })),
                    }
                }
                // A change to the same plan cancels itself.
                if is_change && payment.lines[0].price == payment.lines[1].price {
                    told.pop();
                }
            }
        }
    }
    let (second, _, status) = latest.unwrap();
    (status, second, has_gift, told)
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
        // In amounts and times too, day by day.
        for day in (-14..300).step_by(7) {
            let balances = [&told, &heard].map(|host| host.wallet.balance_at(at(day * DAY)).unwrap());
            prop_assert_eq!(balances[0], balances[1], "on day {}", day);
        }

        let (status, second, has_gift, lines) = expected(&history);
        prop_assert_eq!(a.0.status.as_str(), status);
        prop_assert_eq!(a.0.provider_at, chrono::DateTime::from_timestamp(second, 0));
        prop_assert_eq!(a.2.contains("grant/trial"), has_gift);
        // What was paid is what the lines say, and each window has what the model of paid time says.
        let mut facts: Vec<Fact> = lines.iter().map(fact).collect();
        facts.sort_by(|one, other| one.key().cmp(other.key()));
        prop_assert_eq!(a.4, facts);
        compare(&lines, 0);
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
    let paid = payment("in_1", "1", LineKind::Period(month(0)));
    assert_eq!(host.pay(&paid, 10), Ok(true));
    assert_eq!(host.account.status, AccountStatus::Active);
    assert_eq!(host.wallet.balance().free, credits(100));
    assert_eq!(host.pay(&paid, 20), Ok(false));
    let other = ProviderPayment {
        amount: euros(50),
        ..paid.clone()
    };
    let refused = host.pay(&other, 20).unwrap_err();
    assert_eq!(refused, PaymentError::Conflict("in_1".into()));
    assert!(refused.is_final(), "b10: it would be refused again");
    // The same month under another invoice: recorded, and the month is paid already.
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

/// PF1: a snapshot brings no plan's credits, in whatever status and in whatever order.
#[test]
fn pf1_a_snapshot_brings_and_takes_no_credits_of_a_plan() {
    use SubscriptionStatus::{
        Active, Canceled, Incomplete, IncompleteExpired, PastDue, Paused, Unpaid,
    };
    let paid = payment("in_1", "1", LineKind::Period(month(0)));
    for status in [
        Active,
        PastDue,
        Unpaid,
        Canceled,
        Incomplete,
        IncompleteExpired,
        Paused,
    ] {
        let larger = ProviderSnapshot {
            items: items("4", Some(month(0))),
            ..snapshot(status, 10)
        };
        let mut host = Host::new(AccountStatus::PendingPayment);
        host.pay(&paid, 5).unwrap();
        host.adopt(&larger, 12).unwrap();
        assert_eq!(host.wallet.balance().free, credits(100), "{status}");
        assert_eq!(
            host.subscription.plan,
            4.into(),
            "the plan is the provider's to say"
        );

        let mut other = Host::new(AccountStatus::PendingPayment);
        other.adopt(&larger, 12).unwrap();
        assert_eq!(other.wallet.balance().granted, credits(0), "{status}");
        other.pay(&paid, 13).unwrap();
        assert_eq!(other.wallet.balance().free, credits(100), "{status}");
    }
}

/// Case 5 and case 6: the windows are those of the periods that were billed.
#[test]
fn pf2_a_payment_brings_the_windows_that_it_paid_for() {
    let on = |day: &str| {
        format!("{day}T00:00:00Z")
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    };
    let between = |start: &str, end: &str| Period {
        start: on(start),
        end: on(end),
    };
    let windows = |interval: Interval, kind: LineKind| {
        let mut host = Host::new(AccountStatus::Active);
        let plan = Plan {
            interval,
            credits_every: Plan::new(1.into(), euros(49), interval).credits_every,
            ..Plan::clone(&plan_of("1"))
        };
        host.prices = vec![known("1", plan.into())];
        host.pay(&payment("in_1", "1", kind), 0).unwrap();
        let schedule = host.paid_time.schedule();
        schedule.windows_begun(chrono::DateTime::<chrono::Utc>::MAX_UTC)
    };

    // From 28 February to 31 March is one month, though a month from 28 February ends before.
    let short = between("2027-02-28", "2027-03-31");
    assert_eq!(windows(Interval::MONTHLY, LineKind::Period(short)), [short]);
    let first = between("2027-01-31", "2027-02-28");
    assert_eq!(windows(Interval::MONTHLY, LineKind::Period(first)), [first]);

    let year = between("2027-02-28", "2028-02-28");
    let months = windows(Interval::YEARLY, LineKind::Period(year));
    assert_eq!((months.len(), months[11].end), (12, year.end));
    let sale = LineKind::IntervalFrom(at(5));
    assert_eq!(windows(Interval::MONTHLY, sale)[0].start, at(5));
    assert_eq!(windows(Interval::YEARLY, sale).len(), 12);

    let week = Interval {
        unit: IntervalUnit::Week,
        count: std::num::NonZeroU16::MIN,
    };
    let paid = between("2027-03-26", "2027-04-02");
    assert_eq!(windows(week, LineKind::Period(paid)), [paid]);

    // The rest of a period whose beginning is not known brings nothing until that is.
    assert!(windows(Interval::MONTHLY, LineKind::Remaining(short)).is_empty());
}

/// Case 6: the yearly plan is upgraded in its second month, and every month from then on is of the
/// larger plan, whatever is heard first.
#[test]
fn pf2_an_upgrade_reaches_the_months_ahead() {
    let year = Interval::YEARLY.period(at(0), 0).unwrap();
    let of_year = |price: i64, number: i64| Plan {
        id: number.into(),
        price: euros(price),
        interval: Interval::YEARLY,
        credits: credits(if number == 1 { 500 } else { 2_000 }),
        ..plan(price, true)
    };
    let rest = Period {
        start: month(1).start,
        end: year.end,
    };
    let amount = |text: &str| Money::new(text.parse().unwrap(), Currency::EUR).unwrap();
    let basic = PaidLine {
        amount: euros(228),
        ..line("line", "1", LineKind::Period(year))
    };
    let unused = PaidLine {
        amount: amount("208.64"),
        ..line("unused", "1", LineKind::GivenBack(rest))
    };
    let pro = PaidLine {
        amount: amount("538.06"),
        ..line("rest", "2", LineKind::Remaining(rest))
    };
    let upgrade = ProviderPayment {
        made: rest.start,
        received: rest.start,
        amount: amount("329.42"),
        ..with_lines("in_2", vec![unused, pro])
    };
    let payments = [with_lines("in_1", vec![basic]), upgrade];

    let now = (rest.start - at(0)).num_seconds();
    for order in [[0, 1], [1, 0]] {
        let mut host = Host::new(AccountStatus::Active);
        host.prices = vec![
            known("1", of_year(228, 1).into()),
            known("2", of_year(588, 2).into()),
        ];
        for number in order {
            host.pay(&payments[number], now).unwrap();
        }
        assert_eq!(
            host.outcomes_of("in_2"),
            [LineOutcome::PartOfChange, LineOutcome::Paid]
        );
        for number in 1..12 {
            let within = (month(number).start - at(0)).num_seconds() + DAY;
            assert_eq!(host.free(within), credits(2_000), "month {number}");
        }
        assert_eq!(host.free((year.end - at(0)).num_seconds()), credits(0));
    }
}

/// PF3: the negative line of a change needs no record, and cancels against its opposite; the one of
/// an invoice that starts another period, or ends service, gives its time back.
#[test]
fn pf3_negative_lines_cancel_belong_to_a_change_or_give_time_back() {
    let rest = Period {
        start: at(15 * DAY),
        end: month(0).end,
    };
    let (unused, remaining) = (LineKind::GivenBack(rest), LineKind::Remaining(rest));
    let next = Period {
        start: rest.start,
        end: Interval::MONTHLY.after(rest.start, 1).unwrap(),
    };
    use LineOutcome::{Canceled, GivenBack, Paid, PartOfChange, PriceUnknown};
    // The share of the month that plan 1 and then the other line bring, in whole credits.
    for (lines, outcomes, before, after) in [
        (vec![line("a", "1", unused)], vec![GivenBack], true, 0),
        (
            vec![line("a", "1", unused), line("b", "2", remaining)],
            vec![PartOfChange, Paid],
            true,
            200,
        ),
        (
            vec![line("a", "1", unused), line("b", "1", remaining)],
            vec![Canceled, Canceled],
            false,
            100,
        ),
        // Up and down again within one second, told by one invoice.
        (
            vec![
                line("a", "1", unused),
                line("b", "2", remaining),
                line("c", "2", unused),
                line("d", "1", remaining),
            ],
            vec![Canceled; 4],
            false,
            100,
        ),
        // The anchor was reset: another period begins.
        (
            vec![
                line("a", "1", unused),
                line("b", "1", LineKind::Period(next)),
            ],
            vec![GivenBack, Paid],
            true,
            0,
        ),
        // An add-on was given back.
        (
            vec![line("a", "seats", unused)],
            vec![PriceUnknown],
            false,
            100,
        ),
        // The plan was exchanged for something that the host does not know.
        (
            vec![line("a", "1", unused), line("b", "other", remaining)],
            vec![GivenBack, PriceUnknown],
            true,
            0,
        ),
    ] {
        let mut host = Host::new(AccountStatus::Active);
        host.pay(&payment("in_1", "1", LineKind::Period(month(0))), 0)
            .unwrap();
        let change = ProviderPayment {
            made: rest.start,
            received: rest.start,
            ..with_lines("in_2", lines.clone())
        };
        host.pay(&change, 15 * DAY).unwrap();
        assert_eq!(host.outcomes_of("in_2"), outcomes, "{lines:?}");

        let days = (month(0).end - at(0)).num_days();
        let share = |of: i64, days_of: i64| of * 1_000_000 * days_of / days;
        let expected = if before {
            // Rounded once, over both.
            (100 * 15 + after * (days - 15)) * 1_000_000 / days
        } else {
            share(100, days)
        };
        let window = host
            .paid_time
            .schedule()
            .target(month(0), chrono::TimeDelta::zero())
            .unwrap();
        assert_eq!(window.amount.micros(), expected, "{lines:?}");
    }
}

/// PF3: one invoice may tell of a change and of the end of what the change had paid.
#[test]
fn pf3_a_later_line_of_an_invoice_gives_back_what_an_earlier_one_paid() {
    let from = |day: i64| Period {
        start: at(day * DAY),
        end: month(0).end,
    };
    let lines = vec![
        line("a", "1", LineKind::GivenBack(from(5))),
        line("b", "2", LineKind::Remaining(from(5))),
        line("c", "2", LineKind::GivenBack(from(15))),
    ];
    let mut host = Host::new(AccountStatus::Active);
    let first = payment("in_1", "1", LineKind::Period(month(0)));
    host.pay(&first, 0).unwrap();
    let last = ProviderPayment {
        made: at(15 * DAY),
        received: at(15 * DAY),
        ..with_lines("in_2", lines)
    };
    host.pay(&last, 15 * DAY).unwrap();
    assert_eq!(host.subscription.paid_until, Some(at(15 * DAY)));

    // Voided, all three of its lines are gone.
    let voided = undone("in_2", Undoing::Reversed, 49, 16 * DAY);
    assert_eq!(host.undo(&voided, 16 * DAY), Ok(true));
    assert_eq!(host.subscription.paid_until, Some(month(0).end));
    assert_eq!(host.free(16 * DAY), credits(100));
}

fn undone(invoice: &str, how: Undoing, amount: i64, second: i64) -> ProviderUndone {
    ProviderUndone {
        provider: Provider::Stripe,
        invoice: Some(invoice.into()),
        reference: "pi_1".into(),
        how,
        amount: euros(amount),
        at: at(second),
    }
}

/// Case 11 and PF4: service that ended within a paid period keeps the window that had begun, and
/// brings no later one. The end of a period is no such end.
#[test]
fn pf4_an_end_of_service_brings_no_later_window() {
    let year = Interval::YEARLY.period(at(0), 0).unwrap();
    let yearly = Plan {
        interval: Interval::YEARLY,
        ..Plan::clone(&plan_of("1"))
    };
    let deleted = |second: i64| ProviderSnapshot {
        items: items("1", Some(year)),
        ended_at: Some(at(second)),
        ..snapshot(SubscriptionStatus::Canceled, second)
    };
    let end = (month(2).start - at(0)).num_seconds() + 9 * DAY;
    for late in [false, true] {
        let mut host = Host::new(AccountStatus::Active);
        host.prices = vec![known("1", yearly.clone().into())];
        let paid = payment("in_1", "1", LineKind::Period(year));
        if late {
            // The report of the end is heard before the payment, and again after a newer one.
            host.adopt(&snapshot(SubscriptionStatus::Canceled, end + 1), end + 1)
                .unwrap();
            assert_eq!(host.adopt(&deleted(end), end + 2), Ok(Freshness::Stale));
            host.pay(&paid, end + 2).unwrap();
        } else {
            host.pay(&paid, 0).unwrap();
            host.adopt(&deleted(end), end).unwrap();
        }
        assert_eq!(host.paid_time.facts().len(), 2);
        assert_eq!(host.subscription.paid_until, Some(at(end)));
        let free = |number: u32| host.free((month(number).start - at(0)).num_seconds());
        assert_eq!(host.free(end + 3), credits(100), "it had begun");
        assert_eq!((free(3), free(11)), (credits(0), credits(0)));
    }

    let mut host = Host::new(AccountStatus::Active);
    host.prices = vec![known("1", yearly.into())];
    let at_end = (year.end - at(0)).num_seconds();
    host.adopt(&deleted(at_end), at_end).unwrap();
    assert!(host.paid_time.facts().is_empty());
}

/// PF5: a payment that never was is left out; one that was refunded in full gives its time back; a
/// part of the money takes nothing.
#[test]
fn pf5_what_is_undone_takes_its_time_along() {
    let paid = |now| {
        let mut host = Host::new(AccountStatus::Active);
        let first = payment("in_1", "1", LineKind::Period(month(0)));
        host.pay(&first, 0).unwrap();
        host.tick(now);
        host
    };
    let half = 15 * DAY;

    let mut host = paid(half);
    let reversed = undone("in_1", Undoing::Reversed, 49, half);
    assert_eq!(host.undo(&reversed, half), Ok(true));
    assert_eq!(host.free(half), credits(0));
    assert_eq!(host.subscription.paid_until, None);
    assert_eq!(host.subscription.provider_paid, None);
    assert_eq!(host.undo(&reversed, half), Ok(false), "once");

    let mut host = paid(half);
    let refunded = undone("in_1", Undoing::Refunded, 49, half);
    assert_eq!(host.undo(&refunded, half), Ok(true));
    assert_eq!(host.subscription.paid_until, Some(at(half)));
    let days = (month(0).end - at(0)).num_days();
    assert_eq!(host.free(half).micros(), 100 * 1_000_000 * 15 / days);
    let again = undone("in_1", Undoing::Refunded, 49, half + 60);
    assert_eq!(host.undo(&again, half), Ok(false), "the same refund");
    assert_eq!(host.undo(&reversed, half), Ok(true), "and lost after that");
    assert_eq!(host.free(half), credits(0));

    for how in [Undoing::Refunded, Undoing::Reversed] {
        let mut host = paid(half);
        let part = undone("in_1", how, 48, half);
        assert_eq!(host.undo(&part, half), Ok(false));
        assert_eq!(host.free(half), credits(100));
        let dollars = ProviderUndone {
            amount: Money::new(49.into(), Currency::USD).unwrap(),
            ..part
        };
        assert_eq!(host.undo(&dollars, half), Ok(false));

        // Time that is over is not given back.
        let later = (month(1).start - at(0)).num_seconds() + 1;
        let after = undone("in_1", how, 49, later);
        let changes = how == Undoing::Reversed;
        assert_eq!(paid(half).undo(&after, later), Ok(changes));
    }

    // Of an upgrade, all of it is undone: what was paid before is paid again.
    let mut host = paid(half);
    let rest = Period {
        start: at(5 * DAY),
        end: month(0).end,
    };
    let lines = vec![
        line("a", "1", LineKind::GivenBack(rest)),
        line("b", "4", LineKind::Remaining(rest)),
    ];
    host.pay(&with_lines("in_2", lines), half).unwrap();
    assert!(host.free(half) > credits(300));
    let back = undone("in_2", Undoing::Refunded, 49, half);
    assert_eq!(host.undo(&back, half), Ok(true));
    assert_eq!(host.free(half), credits(100));

    let foreign = [
        ProviderUndone {
            provider: Provider::Paypal,
            ..reversed.clone()
        },
        ProviderUndone {
            invoice: Some("in_9".into()),
            ..reversed.clone()
        },
        ProviderUndone {
            invoice: None,
            ..reversed
        },
    ];
    for undone in foreign {
        let facts = UndoneFacts {
            record: host.invoices["in_1"].clone(),
            subscription: host.subscription.clone(),
            paid_time: host.paid_time.clone(),
        };
        let refused = host.policy.record_provider_undone(&undone, facts, at(half));
        let refused = refused.unwrap_err();
        assert_eq!(
            (&refused, refused.is_final(), refused.code()),
            (&UndoneError::Mismatch, true, Code::ProviderMismatch)
        );
    }
    assert!(refunded.is_early(at(half + DAY - 1)) && !refunded.is_early(at(half + DAY)));
}

/// A sale of PayPal's, which names neither price nor period.
fn sale(number: u32, second: i64) -> ProviderPayment {
    let line = PaidLine {
        price: None,
        ..line("sale", "", LineKind::IntervalFrom(at(second)))
    };
    ProviderPayment {
        provider: Provider::Paypal,
        reference: None,
        made: at(second),
        received: at(second),
        ..with_lines(&format!("sale_{number}"), vec![line])
    }
}

fn of_paypal(status: SubscriptionStatus, second: i64) -> ProviderSnapshot {
    ProviderSnapshot {
        provider: Provider::Paypal,
        reference: None,
        items: items("1", None),
        ..snapshot(status, second)
    }
}

/// Case 2: PayPal renews with a sale and nothing else.
#[test]
fn pf6_a_sale_renews_without_a_snapshot() {
    let mut host = Host::at_paypal(AccountStatus::PendingPayment);
    host.policy = slack_of(86_400);
    let hour = 3_600;
    host.adopt(&of_paypal(SubscriptionStatus::Active, 10), 10)
        .unwrap();
    host.pay(&sale(0, 0), 20).unwrap();
    assert_eq!(
        host.admitted(20),
        Ok(Some(month(0).end + chrono::TimeDelta::try_days(1).unwrap()))
    );

    // The second came ten hours late, and continues the first.
    let second = (month(1).start - at(0)).num_seconds() + 10 * hour;
    host.pay(&sale(1, second), second).unwrap();
    assert_eq!(host.subscription.paid_until, Some(month(1).end));
    assert_eq!(
        host.free(second),
        credits(200),
        "what is left lives on within the slack"
    );
    assert_eq!(host.free(second + DAY), credits(100));
    let last = (month(1).end - at(0)).num_seconds() + DAY;
    assert!(host.admitted(last - 1).is_ok());
    assert_eq!(host.admitted(last), Err(Denial::PeriodEnded));
}

/// Case 3: whichever is heard first, the first sale or the activation.
#[test]
fn pf6_the_first_sale_and_the_activation_come_in_any_order() {
    let active = of_paypal(SubscriptionStatus::Active, 40);
    let outcome = |sale_is_first: bool| {
        let mut host = Host::at_paypal(AccountStatus::PendingPayment);
        host.adopt(&of_paypal(SubscriptionStatus::Incomplete, -100), 0)
            .unwrap();
        if sale_is_first {
            host.pay(&sale(0, 5), 50).unwrap();
            assert_eq!(
                host.subscription.status,
                SubscriptionStatus::Active,
                "it is paid"
            );
            host.adopt(&active, 50).unwrap();
        } else {
            host.adopt(&active, 50).unwrap();
            host.pay(&sale(0, 5), 50).unwrap();
        }
        assert_eq!(host.admitted(60), Ok(host.subscription.paid_until));
        host.outcome()
    };
    assert_eq!(outcome(true), outcome(false));
}

/// A payment that failed is tried again, and PayPal tells of the success by the sale alone.
#[test]
fn pf6_a_sale_clears_what_was_past_due_in_any_order() {
    let failed = of_paypal(SubscriptionStatus::PastDue, 100);
    let outcome = |sale_is_first: bool, second: i64| {
        let mut host = Host::at_paypal(AccountStatus::Active);
        let late = sale(1, second);
        if sale_is_first {
            host.pay(&late, 300).unwrap();
            host.adopt(&failed, 300).unwrap();
        } else {
            host.adopt(&failed, 300).unwrap();
            host.pay(&late, 300).unwrap();
        }
        host.outcome()
    };
    assert_eq!(outcome(true, 200), outcome(false, 200));
    assert_eq!(outcome(true, 200).0.status, SubscriptionStatus::Active);
    assert_eq!(outcome(true, 50), outcome(false, 50));
    assert_eq!(
        outcome(true, 50).0.status,
        SubscriptionStatus::PastDue,
        "it failed after"
    );
}

/// Case 12: what was called off at PayPal runs until its paid time is over, then it is canceled.
#[test]
fn pf4_paypals_cancellation_takes_effect_at_the_end_of_paid_time() {
    let end = (month(0).end - at(0)).num_seconds();
    let canceled = of_paypal(SubscriptionStatus::Canceled, 5 * DAY);
    for sale_is_first in [true, false] {
        let mut host = Host::at_paypal(AccountStatus::PendingPayment);
        host.policy = slack_of(86_400);
        host.adopt(&of_paypal(SubscriptionStatus::Active, 10), 10)
            .unwrap();
        if sale_is_first {
            host.pay(&sale(0, 0), 20).unwrap();
            host.adopt(&canceled, 5 * DAY).unwrap();
        } else {
            host.adopt(&canceled, 5 * DAY).unwrap();
            assert_eq!(
                host.admitted(5 * DAY),
                Err(Denial::SubscriptionCanceled),
                "unpaid"
            );
            host.pay(&sale(0, 0), 5 * DAY).unwrap();
        }
        // No renewal is waited for.
        assert_eq!(host.admitted(end - 1), Ok(Some(month(0).end)));
        assert_eq!(host.admitted(end), Err(Denial::PeriodEnded));
        assert_eq!(
            host.free(end - 1),
            credits(100),
            "a snapshot takes no credits"
        );

        host.tick(end - 1);
        assert_eq!(host.subscription.status, SubscriptionStatus::Active);
        host.tick(end);
        assert_eq!(host.admitted(end), Err(Denial::SubscriptionCanceled));
        assert_eq!(host.adopt(&canceled, end + 1), Ok(Freshness::Same));
        assert_eq!(host.subscription.status, SubscriptionStatus::Canceled);
        let expired = of_paypal(SubscriptionStatus::Canceled, end + 2);
        assert_eq!(host.adopt(&expired, end + 3), Ok(Freshness::Newer));
        assert_eq!(host.subscription.status, SubscriptionStatus::Canceled);
        assert!(
            host.paid_time.facts().len() == 1,
            "and it is no end of service"
        );
    }
}

/// The chain of sales, said naively: each begins at the end of the one before if it misses that by
/// no more than the slack, else where it is, and then it ends the one before.
fn chained(sales: &BTreeSet<(i64, u32)>, slack: i64) -> Vec<(u32, i64, i64)> {
    let mut paid: Vec<(u32, i64, i64)> = Vec::new();
    let (mut anchor, mut k) = (0, 0);
    for (second, number) in sales {
        let last = paid.last().copied();
        match last {
            Some((_, _, end)) if (second - end).abs() <= slack => k += 1,
            _ => (anchor, k) = (*second, 0),
        }
        let period = Interval::MONTHLY.period(at(anchor), k).unwrap();
        let start = (period.start - at(0)).num_seconds();
        if let Some((_, from, end)) = paid.last_mut()
            && *from < start
        {
            *end = start.min(*end);
        }
        paid.push((*number, start, (period.end - at(0)).num_seconds()));
    }
    paid
}

proptest! {
    /// PF6: whatever sales are heard, and in whatever order, they pay for the same time, which is
    /// what the chain of their own instants says; and a sale that never was leaves no gap in it.
    #[test]
    fn pf6_sales_make_one_chain_in_any_order(
        misses in prop::collection::vec((0u32..5, -3 * DAY..3 * DAY), 1..6),
        order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        slack in prop::sample::select(vec![0, 3_600, DAY, 2 * DAY]),
        voided in 0u32..6,
    ) {
        let seconds: Vec<i64> = misses
            .iter()
            .map(|(number, miss)| (month(*number).start - at(0)).num_seconds() + miss)
            .collect();
        let mut host = Host::at_paypal(AccountStatus::Active);
        host.policy = slack_of(slack.unsigned_abs());
        for number in order {
            if let Some(second) = seconds.get(number) {
                host.pay(&sale(number as u32, *second), HEARD).unwrap();
            }
        }
        let check = |host: &Host, sales: &BTreeSet<(i64, u32)>| {
            let mut expected = chained(sales, slack);
            expected.retain(|(_, from, end)| from < end);
            expected.sort_by_key(|(number, from, end)| (*from, *end, *number));
            let pieces: Vec<(u32, i64, i64)> = host
                .paid_time
                .schedule()
                .pieces()
                .iter()
                .map(|piece| {
                    let number = piece.span.split(['_', '/']).nth(3).unwrap().parse().unwrap();
                    let second = |at: chrono::DateTime<_>| (at - self::at(0)).num_seconds();
                    (number, second(piece.paid.start), second(piece.paid.end))
                })
                .collect();
            prop_assert_eq!(pieces, expected);
            Ok(())
        };
        let all: BTreeSet<(i64, u32)> = seconds.iter().copied().zip(0..).collect();
        check(&host, &all)?;

        if host.invoices.contains_key(&format!("sale_{voided}")) {
            let never = ProviderUndone {
                provider: Provider::Paypal,
                ..undone(&format!("sale_{voided}"), Undoing::Reversed, 49, HEARD)
            };
            prop_assert_eq!(host.undo(&never, HEARD), Ok(true));
            let rest = all.into_iter().filter(|(_, number)| *number != voided).collect();
            check(&host, &rest)?;
        }
    }
}

/// A sale that was refunded gives back the period that it pays for, wherever that begins.
#[test]
fn pf5_a_refunded_sale_gives_its_own_period_back() {
    let mut host = Host::at_paypal(AccountStatus::Active);
    host.policy = slack_of(86_400);
    let second = (month(1).start - at(0)).num_seconds() + 3_600;
    host.pay(&sale(0, 0), 0).unwrap();
    host.pay(&sale(1, second), second).unwrap();
    let refund = |number: u32, at: i64| ProviderUndone {
        provider: Provider::Paypal,
        ..undone(&format!("sale_{number}"), Undoing::Refunded, 49, at)
    };
    let half = second + 10 * DAY;
    assert_eq!(host.undo(&refund(0, half), half), Ok(false), "it is over");
    assert_eq!(host.undo(&refund(1, half), half), Ok(true));
    assert_eq!(host.subscription.paid_until, Some(at(half)));
}

/// Case 18: credits for a trial are a gift, once an account and once an identity.
#[test]
fn b6_a_trial_brings_its_credits_once() {
    let trial = Period {
        start: at(0),
        end: at(14 * DAY),
    };
    let trialing = ProviderSnapshot {
        trial: Some(trial),
        ..snapshot(SubscriptionStatus::Trialing, 1)
    };
    let mut host = Host::new(AccountStatus::PendingPayment);
    host.policy = slack_of(3_600);
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
        (
            host.account.status,
            host.wallet.balance().free,
            host.had_trial
        ),
        (AccountStatus::PendingPayment, credits(0), false)
    );
    host.adopt(&trialing, 2).unwrap();
    assert_eq!(
        (
            host.account.status,
            host.wallet.balance().free,
            host.had_trial
        ),
        (AccountStatus::Active, credits(100), true)
    );
    assert_eq!(host.free(14 * DAY), credits(100), "within the slack");
    assert_eq!(host.free(14 * DAY + 3_600), credits(0));
    // Another snapshot, and then another subscription of the account, whatever the registry knows.
    for had_trial in [true, false] {
        host.had_trial = had_trial;
        let later = ProviderSnapshot {
            at: at(if had_trial { 5 } else { 6 }),
            ..trialing.clone()
        };
        host.adopt(&later, 7).unwrap();
        assert_eq!(host.wallet.balance().granted, credits(100), "once");
    }

    // Paying does not lower it, and the identity that had one has no other.
    host.pay(&payment("in_1", "2", LineKind::Period(month(0))), 8)
        .unwrap();
    assert_eq!(host.wallet.balance().free, credits(300));
    let mut again = Host::new(AccountStatus::PendingPayment);
    again.had_trial = true;
    again.adopt(&trialing, 2).unwrap();
    assert_eq!(again.wallet.balance().granted, credits(0));
    assert_eq!(
        again.account.status,
        AccountStatus::Active,
        "it is in trial all the same"
    );
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
        host.pay(&of_amount(euros(0), "in_0"), 3).unwrap();
        host.pay(&of_amount(euros(48), "in_3"), 3).unwrap();
        host.pay(&with_lines("in_1", vec![]), 3).unwrap();
        let rest = Period {
            start: at(2),
            end: month(0).end,
        };
        host.pay(&payment("in_4", "1", LineKind::Remaining(rest)), 3)
            .unwrap();
        assert_eq!(
            host.account.status,
            AccountStatus::Suspended(cause),
            "neither of nothing, nor of too little, nor for something else or a part"
        );
        host.pay(&payment("in_2", "1", LineKind::Period(month(0))), 4)
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
            ..payment("in_1", "1", LineKind::Period(month(0)))
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
        assert!(!refused.is_final(), "b10: it may be enabled by then");
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
        ..with_lines("in_1", vec![])
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
        host.pay(&payment("in_9", "1", LineKind::Period(month(0))), 31),
        Ok(true)
    );
    assert_eq!(host.outcomes_of("in_9"), [LineOutcome::OtherMethod]);
    assert_eq!(host.wallet.balance().granted, credits(0));
    assert!(
        refused.is_final(),
        "b10: sent again, it would be refused again"
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
        host.pay(&of_amount(amount, "in_1"), 5).unwrap();
        let outcome = if brings {
            LineOutcome::Paid
        } else {
            LineOutcome::TooLittle
        };
        assert_eq!(host.outcomes_of("in_1"), [outcome]);
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
        items: items("1", Some(month(number))),
        ..snapshot(SubscriptionStatus::PastDue, second)
    };
    let end = (month(0).end - at(0)).num_seconds();
    host.pay(&payment("in_0", "1", LineKind::Period(month(0))), 5)
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
            items: items("1", period),
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
        .pay(&payment("in_1", "1", LineKind::Period(month(1))), end + 70)
        .unwrap();
    assert_eq!(other.subscription.past_due_since, Some(at(end + 60)));
    other
        .adopt(&snapshot(SubscriptionStatus::Active, end + 96 * DAY), end)
        .unwrap();
    assert_eq!(other.subscription.past_due_since, None);
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
            items: items("4", Some(month(0))),
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
    host.paid_time = PaidTime::new(ACCOUNT.into(), 10.into());
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
        ..payment("in_9", "1", LineKind::Period(month(0)))
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

/// A payment is never refused for a price. Lines of prices that the host does not know decide
/// nothing; a quantity multiplies; and a sale without a price is for the plan that costs as much.
#[test]
fn pf2_lines_are_for_the_plans_of_their_prices() {
    let kind = LineKind::Period(month(0));
    let mut host = Host::new(AccountStatus::Active);
    let seats = PaidLine {
        quantity: 3,
        amount: euros(147),
        ..line("plan", "2", kind)
    };
    let add_on = line("add-on", "storage", kind);
    host.pay(&with_lines("in_1", vec![add_on.clone(), seats.clone()]), 5)
        .unwrap();
    assert_eq!(
        host.outcomes_of("in_1"),
        [LineOutcome::PriceUnknown, LineOutcome::Paid]
    );
    assert_eq!(host.free(5), credits(600));

    let mut host = Host::new(AccountStatus::Active);
    let little = PaidLine {
        amount: euros(146),
        ..seats
    };
    host.pay(&with_lines("in_1", vec![little]), 5).unwrap();
    host.pay(&with_lines("in_2", vec![add_on]), 5).unwrap();
    assert_eq!(host.outcomes_of("in_1"), [LineOutcome::TooLittle]);
    assert_eq!((host.free(5), host.paid_time.version()), (credits(0), 0));

    // PayPal's sales name no price.
    let of = |amount: i64| {
        let mut host = Host::at_paypal(AccountStatus::Active);
        let large = Plan {
            price: euros(490),
            credits: credits(9_000),
            ..Plan::clone(&plan_of("4"))
        };
        host.prices = vec![known("P-2", large.into()), known("P-1", plan_of("1"))];
        let mut paid = sale(0, 5);
        paid.lines[0].amount = euros(amount);
        assert_eq!(host.pay(&paid, 6), Ok(true));
        host.free(6)
    };
    assert_eq!(of(49), credits(100));
    assert_eq!(
        of(490),
        credits(9_000),
        "another plan, whose report is on its way"
    );
    assert_eq!(of(60), credits(100), "with a tax");
    assert_eq!(of(48), credits(0));

    // Paid in another way by now, it is on the record, whatever it was for.
    let mut moved = Host::at_paypal(AccountStatus::Active);
    moved.subscription.payment_method = PaymentMethod::BankTransfer;
    assert_eq!(moved.pay(&sale(0, 5), 6), Ok(true));
    assert_eq!(moved.outcomes_of("sale_0"), [LineOutcome::OtherMethod]);
    assert_eq!(moved.wallet.balance().granted, credits(0));
}

/// The rest of a period costs its share of the price, but for the provider's rounding.
#[test]
fn pf2_the_rest_of_a_period_costs_its_share() {
    let whole = month(0);
    let of = |days: i64, amount: &str| {
        let mut host = Host::new(AccountStatus::Active);
        let rest = Period {
            start: whole.end - chrono::TimeDelta::try_days(days).unwrap(),
            end: whole.end,
        };
        let line = PaidLine {
            amount: Money::new(amount.parse().unwrap(), Currency::EUR).unwrap(),
            ..line("line", "1", LineKind::Remaining(rest))
        };
        host.pay(&with_lines("in_1", vec![line]), 5).unwrap();
        host.outcomes_of("in_1")
    };
    let days = (whole.end - whole.start).num_days();
    assert_eq!(days, 31, "the tests' month");
    for (days, least, less) in [
        (10, "15.8", "15.79"),
        (31, "48.99", "48.98"),
        (1, "1.57", "1.56"),
    ] {
        assert_eq!(of(days, least), [LineOutcome::Paid], "{days}");
        assert_eq!(of(days, less), [LineOutcome::TooLittle], "{days}");
    }
}

/// A row that an older version stored is read, and answers the same payment again.
#[test]
fn b3_an_invoice_of_the_former_version_is_read() {
    let text = r#"{"provider":"stripe","invoice":"in_1","account":7,"subscription":9,
        "amount":{"amount":"49","currency":"EUR"},
        "period":{"start":"2027-01-15T08:00:00Z","end":"2027-02-15T08:00:00Z"},
        "credits":"100","recorded_at":"2027-01-15T08:00:10Z"}"#;
    let stored: PaidInvoice = serde_json::from_str(text).unwrap();
    assert_eq!((stored.period, stored.lines.len()), (Some(month(0)), 0));
    let mut host = Host::new(AccountStatus::Active);
    host.invoices.insert("in_1".into(), stored);
    let paid = payment("in_1", "1", LineKind::Period(month(0)));
    assert_eq!(host.pay(&paid, 20), Ok(false));
    assert!(serde_json::from_str::<PaidInvoice>(&text.replace("credits", "moons")).is_err());
}

/// Case 15 and B10: a subscription of a price that the host does not know is refused for good, so
/// that the webhook is answered with success. Its end is adopted whatever its price.
#[test]
fn b10_an_unknown_price_is_refused_for_good_unless_the_subscription_ended() {
    let mut host = Host::new(AccountStatus::Active);
    let of = |status| ProviderSnapshot {
        items: items("unknown", Some(month(0))),
        ..snapshot(status, 10)
    };
    let refused = host.adopt(&of(SubscriptionStatus::Active), 10).unwrap_err();
    let prices = vec!["unknown".to_owned()];
    assert_eq!(refused, AdoptError::PriceUnknown { prices });
    assert!(refused.is_final());
    assert_eq!(
        refused.to_string(),
        "no plan is known for any of the subscription's prices: unknown"
    );
    host.adopt(&of(SubscriptionStatus::Canceled), 10).unwrap();
    assert_eq!(
        (host.subscription.status, host.subscription.plan.clone()),
        (SubscriptionStatus::Canceled, 1.into())
    );

    // The plan's item is the first of a known price; its period is the subscription's.
    let mut several = snapshot(SubscriptionStatus::Active, 20);
    several
        .items
        .insert(0, items("storage", Some(month(5))).remove(0));
    host.adopt(&several, 20).unwrap();
    assert_eq!(host.subscription.current_period, Some(month(0)));

    let paid_time = PaidTime::new(8.into(), 9.into());
    host.paid_time = paid_time;
    let refused = host.adopt(&several, 20).unwrap_err();
    assert!(matches!(refused, AdoptError::Row(_)) && !refused.is_final());
    let conflict = RecordError::Conflict { key: "key".into() };
    assert!(AdoptError::from(conflict.clone()).is_final());
    assert!(PaymentError::from(conflict).is_final());
}

/// Case 20: an end at an instant within the period is one at that instant, however long the time is
/// that was paid.
#[test]
fn b2_an_end_at_an_instant_is_at_that_instant() {
    let cancel_at = 20 * DAY;
    let end = (month(0).end - at(0)).num_seconds();
    let mut host = Host::new(AccountStatus::Active);
    host.policy = slack_of(86_400);
    host.pay(&payment("in_1", "1", LineKind::Period(month(0))), 5)
        .unwrap();
    let ends = |second: i64, cancel_at: i64| ProviderSnapshot {
        cancel_at: Some(at(cancel_at)),
        ..snapshot(SubscriptionStatus::Active, second)
    };
    host.adopt(&ends(10, cancel_at), 10).unwrap();
    assert!(host.subscription.cancel_at_period_end);
    assert_eq!(host.admitted(20), Ok(Some(at(cancel_at))));
    assert_eq!(host.admitted(cancel_at), Err(Denial::PeriodEnded));
    assert_eq!(
        host.free(cancel_at),
        credits(100),
        "a snapshot takes no credits"
    );
    assert_eq!(host.subscription.paid_until, Some(month(0).end));

    // Later than the period: a renewal comes first, and its slack ends there too.
    host.adopt(&ends(11, end + 60), 11).unwrap();
    assert!(!host.subscription.cancel_at_period_end);
    assert_eq!(host.admitted(20), Ok(Some(at(end + 60))));
    // Called off, or exactly the end of the period.
    host.adopt(&snapshot(SubscriptionStatus::Active, 12), 12)
        .unwrap();
    assert_eq!(host.admitted(20), Ok(Some(at(end + DAY))));
    host.adopt(&ends(13, end), 13).unwrap();
    assert_eq!(host.admitted(20), Ok(Some(at(end))));

    // In a trial it is the trial that ends there.
    let trial = Some(Period {
        start: at(0),
        end: at(14 * DAY),
    });
    let trialing = ProviderSnapshot {
        status: SubscriptionStatus::Trialing,
        trial,
        ..ends(14, 10 * DAY)
    };
    host.adopt(&trialing, 14).unwrap();
    assert_eq!(host.admitted(20), Ok(Some(at(10 * DAY))));
    assert_eq!(host.admitted(10 * DAY), Err(Denial::TrialEnded));
}

/// Two reports of one time: whatever differs has a rank, so that both orders end alike.
#[test]
fn b3_every_difference_ranks() {
    let plain = snapshot(SubscriptionStatus::Active, 10);
    for other in [
        ProviderSnapshot {
            items: items("1", Some(month(1))),
            ..plain.clone()
        },
        ProviderSnapshot {
            items: items("1", None),
            ..plain.clone()
        },
        ProviderSnapshot {
            cancel_at: Some(month(1).start),
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
            items: items("2", Some(month(0))),
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
