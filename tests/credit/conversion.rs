//! The way over from months that were granted by key to credits that follow paid time: nothing that
//! a customer has is taken, and nothing is given twice.

use std::sync::Arc;

use crate::support::host::{ACCOUNT, Host, month_key};
use crate::support::{account, at, credits, plan};
use bailiwick::account::AccountStatus;
use bailiwick::credit::{
    Alignment, Conversion, ConversionError, ConversionFacts, Event, GrantTerms,
};
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::Overage;
use bailiwick::subscription::{Command, Effect, RecordedPayment, SubscriptionStatus, Transition};
use bailiwick::{Account, Credits, Plan, Policy, Subscription, Wallet};
use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, Utc};
use proptest::prelude::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn days(count: i64) -> TimeDelta {
    TimeDelta::try_days(count).unwrap()
}

fn sold(unit: IntervalUnit, count: u16) -> Plan {
    let interval = Interval {
        unit,
        count: count.try_into().unwrap(),
    };
    let credits_every = match unit {
        IntervalUnit::Month | IntervalUnit::Year => Interval::MONTHLY,
        IntervalUnit::Day | IntervalUnit::Week => interval,
    };
    Plan {
        interval,
        credits_every,
        ..plan(19, true)
    }
}

/// The months whose credits a period brought under a host of before: those that start within it,
/// counted from the anchor. For a plan that is paid by days or weeks it was the calendar month in
/// which the period starts.
fn months(interval: Interval, period: Period, anchor: DateTime<Utc>) -> Vec<Period> {
    match interval.unit {
        IntervalUnit::Month | IntervalUnit::Year => (0..)
            .map(|k| Interval::MONTHLY.period(anchor, k).unwrap())
            .skip_while(|month| month.start < period.start)
            .take_while(|month| month.start < period.end)
            .collect(),
        IntervalUnit::Day | IntervalUnit::Week => {
            let first = period.start.date_naive().with_day(1).unwrap();
            let first = first.and_time(NaiveTime::MIN).and_utc();
            vec![Interval::MONTHLY.period(first, 0).unwrap()]
        }
    }
}

/// A customer of before: a wallet, a subscription, and nothing of paid time.
struct Customer {
    host: Host,
    account: Account,
    subscription: Subscription,
    plan: Plan,
    time: PaidTime,
}

impl Customer {
    fn new(plan: &Plan, at: DateTime<Utc>) -> Self {
        let method = PaymentMethod::BankTransfer;
        let mut host = Host::new(Overage::Reject);
        host.wallet = Wallet::open(ACCOUNT.into(), at);
        Self {
            host,
            account: account(ACCOUNT, AccountStatus::Active),
            subscription: Subscription::new(9.into(), ACCOUNT.into(), plan.id.clone(), method, at),
            plan: plan.clone(),
            time: PaidTime::new(ACCOUNT.into(), 9.into()),
        }
    }

    /// Writes a transition as a host of before did, with the months that it made due.
    fn write(&mut self, done: &Transition, now: DateTime<Utc>) {
        self.subscription = done.subscription().clone();
        for effect in done.effects() {
            let months = match effect {
                Effect::PeriodPaid { period } => {
                    months(self.plan.interval, *period, self.subscription.anchor)
                }
                // A trial brought its months too.
                Effect::TrialStarted { period } => {
                    months(self.plan.interval, *period, period.start)
                }
                _ => vec![],
            };
            for month in months.into_iter().filter(|month| now < month.end) {
                self.grant(month, self.plan.credits, now);
            }
        }
    }

    fn grant(&mut self, month: Period, amount: Credits, now: DateTime<Utc>) {
        let terms = GrantTerms::month(amount, month);
        self.host.enter_month(&month_key(month), &terms, now);
    }

    fn pay(&mut self, now: DateTime<Utc>) {
        let payment = RecordedPayment {
            interval: self.plan.interval,
            slack: TimeDelta::zero(),
            method: PaymentMethod::BankTransfer,
            external_id: None,
        };
        let done = self.subscription.clone().record_payment(payment, now);
        self.write(&done.unwrap(), now);
    }

    fn apply(&mut self, command: Command, now: DateTime<Utc>) {
        let done = self.subscription.clone().apply(command, now).unwrap();
        self.write(&done, now);
    }

    fn spend(&mut self, units: u64, now: DateTime<Utc>) {
        let seconds = (now - at(0)).num_seconds();
        assert_eq!(self.host.deduct(200, units, seconds), "fresh");
    }

    fn facts(&self) -> ConversionFacts {
        ConversionFacts {
            account: self.account.clone(),
            subscription: self.subscription.clone(),
            plan: Arc::new(self.plan.clone()),
            paid_time: self.time.clone(),
            wallet: self.host.wallet.clone(),
            first_entry_at: self.host.ledger.first().map(|entry| entry.at),
        }
    }

    /// Converts and writes all that it says; a second conversion has nothing to write.
    fn convert(&mut self, now: DateTime<Utc>) -> Option<Option<Alignment>> {
        let policy = Policy::default();
        let conversion = policy.convert_subscription(self.facts(), now).unwrap()?;
        if let Some(change) = conversion.account() {
            assert_eq!(change.expected_version(), self.account.version);
            self.account = change.row().clone();
        }
        if let Some(change) = conversion.subscription() {
            assert_eq!(change.expected_version(), self.subscription.version);
            self.subscription = change.row().clone();
        }
        if let Some(change) = conversion.paid_time() {
            assert_eq!(change.expected_version(), self.time.version());
            let stored = serde_json::to_string(change.row()).unwrap();
            self.time = serde_json::from_str(&stored).unwrap();
        }
        let alignment = self.write_wallet(conversion);

        let again = policy.convert_subscription(self.facts(), now + days(1));
        assert_eq!(again, Ok(None), "converted once");
        if alignment.is_some() {
            assert_eq!(self.align(now), None, "and aligned");
        }
        let ledger = self.host.ledger.clone();
        let replayed = Wallet::replay(&ACCOUNT.into(), ledger).unwrap();
        assert!(replayed.equals_but_for_version(&self.host.wallet));
        Some(alignment)
    }

    fn write_wallet(&mut self, conversion: Conversion) -> Option<Alignment> {
        let change = conversion.wallet()?;
        assert_eq!(change.expected_version(), self.host.wallet.version());
        assert!(change.outcome().is_none());
        self.host.ledger.extend(change.entries().iter().cloned());
        let stored = serde_json::to_string(change.wallet()).unwrap();
        self.host.wallet = serde_json::from_str(&stored).unwrap();
        Some(change.alignment().clone())
    }

    fn align(&mut self, now: DateTime<Utc>) -> Option<Alignment> {
        let terms = Policy::default().align_terms();
        let wallet = self.host.wallet.clone();
        let change = wallet.align(&self.time.schedule(), terms, now).unwrap()?;
        Some(self.host.write(change))
    }

    /// Records a fact of the new way, and aligns.
    fn hear(&mut self, fact: Fact, now: DateTime<Utc>) -> Option<Alignment> {
        let change = self.time.clone().record([fact]).unwrap().unwrap();
        self.time = change.into_row();
        self.align(now)
    }

    fn span(&self, key: &str, period: BilledPeriod, from: DateTime<Utc>, amount: i64) -> Fact {
        Fact::Span(Span {
            key: key.into(),
            payment: key.into(),
            period,
            from,
            grid: Grid::of_plan(&self.plan),
            amount: credits(amount),
            made: from,
            received: from,
        })
    }

    fn period(&self) -> Period {
        self.subscription.current_period.unwrap()
    }
}

/// The credits that have come into effect by an instant and were not taken back, and those that are
/// free.
fn come(wallet: &Wallet, at: DateTime<Utc>) -> (i64, Credits) {
    let balance = wallet.balance_at(at).unwrap();
    let gone = [balance.scheduled, balance.revoked].map(Credits::micros);
    (balance.granted.micros() - gone[0] - gone[1], balance.free)
}

/// Compares a wallet that was converted with what it was, in each month of a period, away from the
/// days by which short months move their ends.
fn compare(before: &Wallet, after: &Wallet, now: DateTime<Utc>, period: Period) {
    let months = (0..26).map(|k| Interval::MONTHLY.period(period.start, k).unwrap());

    for month in months.take_while(|month| month.start < period.end) {
        let middle = month.start + (month.end - month.start) / 2;
        for at in [middle, middle - days(3), middle + days(3)] {
            if at > now {
                assert_eq!(come(before, at), come(after, at), "at {at}");
            }
        }
    }
}

#[test]
fn a_year_in_its_fifth_month_brings_the_months_that_are_left_and_no_more() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Year, 1), start);
    customer.pay(start);
    let now = utc("2027-05-10T00:00:00Z");
    customer.spend(100, now);
    let before = customer.host.wallet.clone();

    let alignment = customer.convert(now).unwrap().unwrap();
    assert_eq!(
        (alignment.raised, alignment.before_memory),
        (credits(0), vec![])
    );
    let balance = customer.host.wallet.balance();
    assert_eq!(
        (balance.free, balance.scheduled),
        (credits(400), credits(0))
    );
    assert_eq!(balance.revoked, credits(7 * 500));
    compare(&before, &customer.host.wallet, now, customer.period());

    assert_eq!(customer.account.registered_at, Some(start));
    assert_eq!(
        customer.subscription.paid_until,
        Some(customer.period().end)
    );
    assert_eq!(customer.time.facts().len(), 1);
    assert_eq!(customer.time.facts()[0].key().as_ref(), "converted/9");
}

/// An upgrade after the conversion reaches all windows to come. That of the window which the old
/// grants have is for the desk, with the difference.
#[test]
fn an_upgrade_after_the_conversion_is_aligned() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Year, 1), start);
    customer.pay(start);
    customer.convert(utc("2027-05-10T00:00:00Z")).unwrap();
    let end = customer.period().end;

    let upgrade = utc("2027-05-16T12:00:00Z");
    let fact = customer.span("upgrade", BilledPeriod::EndingAt(end), upgrade, 2_000);
    let alignment = customer.hear(fact, upgrade).unwrap();
    let [may] = &alignment.before_memory[..] else {
        panic!("{alignment:?}");
    };
    assert_eq!((may.before, may.after), (credits(500), credits(1_250)));
    assert_eq!(alignment.raised, credits(0));
    assert_eq!(customer.host.wallet.balance().free, credits(500));
    for month in 6..=12 {
        let at = utc(&format!("2027-{month:02}-15T00:00:00Z"));
        assert_eq!(come(&customer.host.wallet, at).1, credits(2_000), "{at}");
    }
    assert_eq!(come(&customer.host.wallet, end).1, credits(0));
}

#[test]
fn an_upgrade_of_a_month_after_its_conversion_is_listed_for_the_desk() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Month, 1), start);
    customer.pay(start);
    customer.convert(utc("2027-01-10T00:00:00Z")).unwrap();
    let end = customer.period().end;

    let upgrade = utc("2027-01-16T00:00:00Z");
    let fact = customer.span("upgrade", BilledPeriod::EndingAt(end), upgrade, 2_000);
    let alignment = customer.hear(fact, upgrade).unwrap();
    let after: Vec<_> = alignment
        .before_memory
        .iter()
        .map(|one| one.after)
        .collect();
    assert_eq!(after, ["1274.193548".parse().unwrap()]);

    // And the next month comes by its own payment.
    let next = Interval::MONTHLY.period(start, 1).unwrap();
    let fact = customer.span("renewal", BilledPeriod::Whole(next), next.start, 2_000);
    let alignment = customer.hear(fact, next.start).unwrap();
    assert_eq!(alignment.raised, credits(2_000));
    assert_eq!(customer.host.wallet.balance().free, credits(2_000));
}

/// A provider sends the invoice of the period again, after its conversion.
#[test]
fn the_periods_own_invoice_brings_nothing_again() {
    let start = utc("2027-01-31T00:00:00Z");
    for (unit, now) in [
        (IntervalUnit::Year, "2027-05-10T00:00:00Z"),
        (IntervalUnit::Month, "2027-02-10T00:00:00Z"),
        (IntervalUnit::Week, "2027-02-02T00:00:00Z"),
    ] {
        let mut customer = Customer::new(&sold(unit, 1), start);
        customer.pay(start);
        let before = customer.host.wallet.clone();
        customer.convert(utc(now)).unwrap();
        let period = customer.period();
        let fact = customer.span("invoice/line", BilledPeriod::Whole(period), start, 500);
        if let Some(alignment) = customer.hear(fact, utc(now)) {
            assert_eq!(
                (alignment.raised, alignment.lowered),
                (credits(0), credits(0))
            );
            assert_eq!(alignment.before_memory, []);
        }
        compare(&before, &customer.host.wallet, utc(now), period);
    }
}

/// Other subscriptions of the account are not touched: their windows come, those too that end before
/// the converted one's.
#[test]
fn another_subscription_remembers_its_own_windows() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Month, 1), start);
    customer.pay(start);
    customer.convert(utc("2027-01-02T00:00:00Z")).unwrap();

    let week = sold(IntervalUnit::Week, 1);
    let now = utc("2027-01-05T00:00:00Z");
    let mut other = PaidTime::new(ACCOUNT.into(), 10.into());
    for number in 0..2 {
        let period = week.interval.period(now, number).unwrap();
        let span = Span {
            key: format!("week-{number}").into(),
            payment: format!("week-{number}").into(),
            period: BilledPeriod::Whole(period),
            from: period.start,
            grid: Grid::of_plan(&week),
            amount: credits(40),
            made: period.start,
            received: period.start,
        };
        let change = other.record([Fact::Span(span)]).unwrap().unwrap();
        other = change.into_row();
        let wallet = customer.host.wallet.clone();
        let terms = Policy::default().align_terms();
        let change = wallet
            .align(&other.schedule(), terms, period.start)
            .unwrap();
        assert_eq!(customer.host.write(change.unwrap()).raised, credits(40));
    }
}

#[test]
fn a_subscription_that_has_ended_brings_nothing_more() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Year, 1), start);
    customer.pay(start);
    customer.apply(Command::CancelNow, utc("2027-03-10T00:00:00Z"));
    let now = utc("2027-03-12T00:00:00Z");
    customer.convert(now).unwrap();

    let balance = customer.host.wallet.balance();
    assert_eq!(
        (balance.free, balance.scheduled),
        (credits(500), credits(0))
    );
    assert_eq!(
        come(&customer.host.wallet, utc("2027-04-10T00:00:00Z")).1,
        credits(0)
    );
    assert_eq!(customer.time.paid_until(), Some(now));
}

#[test]
fn a_trial_keeps_its_credits_and_becomes_no_paid_time() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Month, 1), start);
    customer.apply(
        Command::StartTrial {
            until: start + days(45),
        },
        start,
    );
    let before = customer.host.wallet.clone();
    let scheduled = before.balance().scheduled;
    assert_eq!(scheduled, credits(500), "a second month of the trial");

    let alignment = customer.convert(start + days(10)).unwrap();
    assert_eq!(alignment, None);
    assert_eq!(
        (&customer.host.wallet, customer.time.version()),
        (&before, 0)
    );
    assert_eq!(customer.account.registered_at, Some(start));
    assert_eq!(customer.subscription.paid_until, None);

    // Neither is a trial that has ended without a payment.
    customer.subscription.status = SubscriptionStatus::Paused;
    let again = Policy::default().convert_subscription(customer.facts(), start + days(50));
    assert_eq!(again, Ok(None));
}

/// A provider told of a year that nobody has paid, and a host of before granted it.
#[test]
fn a_year_that_nobody_paid_brings_nothing_more() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Year, 1), start);
    customer.pay(start);
    customer.subscription = Subscription {
        status: SubscriptionStatus::PastDue,
        payment_method: PaymentMethod::Stripe,
        stripe_subscription_id: Some("sub_1".to_owned()),
        ..customer.subscription
    };
    let now = utc("2027-01-20T00:00:00Z");
    customer.convert(now).unwrap();
    assert_eq!(customer.time.paid_until(), None);
    assert_eq!(customer.subscription.paid_until, None);
    assert_eq!(come(&customer.host.wallet, now).1, credits(500));
    assert_eq!(
        come(&customer.host.wallet, utc("2027-06-15T00:00:00Z")).1,
        credits(0)
    );

    // Once it is paid, its windows come, but for the one that the old grant had.
    let period = customer.period();
    let fact = customer.span("invoice/line", BilledPeriod::Whole(period), start, 500);
    customer.hear(fact, now).unwrap();
    assert_eq!(come(&customer.host.wallet, now).1, credits(500));
    for month in 2..=12 {
        let at = utc(&format!("2027-{month:02}-15T00:00:00Z"));
        assert_eq!(come(&customer.host.wallet, at).1, credits(500), "{at}");
    }
}

/// A year that was paid early keeps the last months of the year before, which no window replaces.
#[test]
fn a_year_that_was_paid_early_leaves_the_year_before_as_it_is() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Year, 1), start);
    customer.pay(start);
    customer.pay(utc("2027-10-20T00:00:00Z"));
    let now = utc("2027-11-10T00:00:00Z");
    let before = customer.host.wallet.clone();
    customer.convert(now).unwrap();
    assert_eq!(
        customer.host.wallet.balance().scheduled,
        credits(500),
        "December's"
    );
    compare(
        &before,
        &customer.host.wallet,
        now,
        Interval::YEARLY.period(start, 0).unwrap(),
    );
    compare(&before, &customer.host.wallet, now, customer.period());
}

/// Months that a host granted on terms of its own stay, all of them.
#[test]
fn months_of_different_amounts_stay_as_they_are() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Month, 3), start);
    customer.pay(start);
    let now = utc("2027-01-20T00:00:00Z");
    // The last month alone is raised ahead of its time.
    let last = months(customer.plan.interval, customer.period(), start)[2];
    customer.grant(last, credits(700), now);
    let before = customer.host.wallet.clone();
    assert_eq!(before.balance().scheduled, credits(500 + 700));

    customer.convert(now).unwrap();
    assert_eq!(customer.host.wallet.balance().scheduled, credits(500 + 700));
    compare(&before, &customer.host.wallet, now, customer.period());
}

#[test]
fn rows_that_do_not_belong_together_are_refused() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Month, 1), start);
    customer.pay(start);
    let facts = customer.facts();
    let other = |id: i64| account(id, AccountStatus::Active);
    let odd = [
        ConversionFacts {
            account: other(8),
            ..facts.clone()
        },
        ConversionFacts {
            plan: Arc::new(Plan {
                id: 2.into(),
                ..customer.plan.clone()
            }),
            ..facts.clone()
        },
        ConversionFacts {
            paid_time: PaidTime::new(8.into(), 9.into()),
            ..facts.clone()
        },
        ConversionFacts {
            paid_time: PaidTime::new(ACCOUNT.into(), 10.into()),
            ..facts.clone()
        },
        ConversionFacts {
            wallet: Wallet::open(8.into(), start),
            ..facts
        },
    ];
    for facts in odd {
        let refused = Policy::default().convert_subscription(facts, start);
        assert!(
            matches!(refused, Err(ConversionError::Row(_))),
            "{refused:?}"
        );
    }
}

/// A wallet without entries: the account is registered now, once.
#[test]
fn an_account_without_entries_is_registered_at_the_conversion() {
    let start = utc("2027-01-01T00:00:00Z");
    let mut customer = Customer::new(&sold(IntervalUnit::Month, 1), start);
    assert_eq!(customer.convert(start), Some(None));
    assert_eq!(customer.account.registered_at, Some(start));
}

fn intervals() -> impl Strategy<Value = Plan> {
    let interval = prop_oneof![
        Just((IntervalUnit::Month, 1)),
        Just((IntervalUnit::Month, 3)),
        Just((IntervalUnit::Month, 6)),
        Just((IntervalUnit::Year, 1)),
        Just((IntervalUnit::Year, 2)),
        Just((IntervalUnit::Week, 1)),
        Just((IntervalUnit::Week, 2)),
        Just((IntervalUnit::Day, 1)),
        Just((IntervalUnit::Day, 10)),
    ];
    interval.prop_map(|(unit, count)| sold(unit, count))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A wallet of the old way and the same wallet converted bring and keep the same, month by month,
    /// whatever the plan's interval and the anchor's day, however late and however often converted,
    /// with periods that were paid early, and whatever was spent before.
    #[test]
    fn nothing_is_taken_and_nothing_is_given_twice(
        plan in intervals(),
        anchor in prop_oneof![
            Just("2027-01-01T00:00:00Z"), Just("2027-01-28T09:00:00Z"), Just("2027-01-29T15:00:00Z"),
            Just("2027-01-30T00:00:00Z"), Just("2027-01-31T23:59:59Z"), Just("2028-01-31T12:00:00Z"),
            Just("2028-02-29T12:00:00Z"), Just("2027-03-31T00:00:00Z"),
        ],
        early in prop::option::of(0.0_f64..1.0),
        when in 0.0_f64..1.0,
        spent in 0_u64..500,
        upgrade in prop::option::of(0.0_f64..1.0),
    ) {
        let start = utc(anchor);
        let share = |from: DateTime<Utc>, to: DateTime<Utc>, part: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a random instant")]
            let seconds = ((to - from).num_seconds() as f64 * part) as i64;
            from + TimeDelta::try_seconds(seconds).unwrap()
        };
        let mut customer = Customer::new(&plan, start);
        customer.pay(start);
        let first = customer.period();
        let mut from = start;
        if let Some(part) = early {
            from = share(first.start, first.end, part);
            customer.pay(from);
        }
        let period = customer.period();
        let now = share(from, period.end, when);
        let free = customer.host.wallet.balance_at(now).unwrap().free;
        let free = u64::try_from(free.micros() / 1_000_000).unwrap();
        customer.spend(spent.min(free), now);
        let before = customer.host.wallet.clone();

        let alignment = customer.convert(now).unwrap().unwrap();
        prop_assert_eq!(alignment.before_memory, vec![]);
        prop_assert!(alignment.lowered.is_zero() && alignment.debt.is_zero());
        compare(&before, &customer.host.wallet, now, first);
        compare(&before, &customer.host.wallet, now, period);
        let revoked = customer.host.ledger.iter().filter(|entry| matches!(entry.event, Event::Revoked { .. }));
        let windows = Grid::of(plan.interval, Interval::MONTHLY).of_period(period).count();
        prop_assert!(revoked.count() <= windows);

        // An upgrade in the same period: each window that had not begun brings the larger amount.
        let Some(part) = upgrade else { return Ok(()) };
        let at = share(now.max(period.start), period.end, part);
        if at >= period.end {
            return Ok(());
        }
        let fact = customer.span("upgrade", BilledPeriod::EndingAt(period.end), at, 2_000);
        customer.hear(fact, at);
        let grid = Grid::of(plan.interval, Interval::MONTHLY);
        for window in grid.of_period(period).filter(|window| window.start >= at + days(4)) {
            let middle = window.start + (window.end - window.start) / 2;
            let is_late = come(&customer.host.wallet, middle).1;
            prop_assert_eq!(is_late, credits(2_000), "{:?}", window);
        }
    }
}
