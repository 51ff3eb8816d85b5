//! Paying charges. Only the rooms that establish money pay them, so these tests stand inside.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that panics fails"
)]

use std::error::Error;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::{DowngradeError, NotPayable, VoidError};
use super::opening::{ChargeOpened, NextPeriodFacts};
use super::payment::{ChargePaid, ChargePayment, ChargePaymentFacts};
use super::purpose::CreditPack;
use super::quote::PlanChangeFacts;
use super::row::{Charge, ChargeState};
use crate::account::{Account, AccountStatus, SuspensionCause};
use crate::change::Answer;
use crate::credit::{AlignTerms, CauseKind, Wallet};
use crate::gate::{BillingAccess, Evidence, Principal, Route, admit};
use crate::money::{Credits, Currency, Money};
use crate::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span, Void};
use crate::payment_method::PaymentMethod;
use crate::period::{Interval, IntervalUnit, Period};
use crate::plan::Plan;
use crate::policy::{Policy, PolicySettings, Upgrades};
use crate::subscription::{ProrationError, RefusalReason, Subscription, SubscriptionStatus};
use crate::tenant::Tenant;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn at(text: &str) -> Outcome<DateTime<Utc>> {
    Ok(format!("2027-{text}Z").parse()?)
}

fn day(text: &str) -> Outcome<DateTime<Utc>> {
    at(&format!("{text}T00:00:00"))
}

fn euros(text: &str) -> Outcome<Money> {
    Ok(Money::new(text.parse()?, Currency::EUR)?)
}

fn plan(id: i64, price: &str, interval: Interval, credits: u32) -> Outcome<Arc<Plan>> {
    Ok(Arc::new(Plan {
        credits: Credits::whole(credits),
        ..Plan::new(id.into(), euros(price)?, interval)
    }))
}

fn basic() -> Outcome<Arc<Plan>> {
    plan(3, "19", Interval::MONTHLY, 500)
}

fn pro() -> Outcome<Arc<Plan>> {
    plan(4, "49", Interval::MONTHLY, 2_000)
}

fn at_once() -> Outcome<Policy> {
    Ok(Policy::load(PolicySettings {
        upgrades: Upgrades::AtOnce,
        ..PolicySettings::default()
    })?)
}

/// The rows of one account, as a host stores them.
struct Host {
    policy: Policy,
    account: Account,
    subscription: Subscription,
    paid_time: PaidTime,
    wallet: Wallet,
}

impl Host {
    /// An account whose plan is paid from January on.
    fn paid(plan: &Plan) -> Outcome<Self> {
        let method = PaymentMethod::BankTransfer;
        let january = day("01-01")?;
        let mut host = Self {
            policy: Policy::default(),
            account: Account::new(7.into(), AccountStatus::Active, method),
            subscription: Subscription::new(1.into(), 7.into(), plan.id.clone(), method, january),
            paid_time: PaidTime::new(7.into(), 1.into()),
            wallet: Wallet::open(7.into(), january),
        };
        let period = plan.interval.period(january, 0).ok_or("no period")?;
        host.subscription.status = SubscriptionStatus::Active;
        host.pay_ahead(plan, period, january)?;

        Ok(host)
    }

    /// Records that a period was paid by another way than a charge.
    fn pay_ahead(&mut self, plan: &Plan, period: Period, now: DateTime<Utc>) -> Outcome {
        let key = format!("transfer/{}", period.start.timestamp());
        let span = Span {
            key: key.as_str().into(),
            payment: key.as_str().into(),
            period: BilledPeriod::Whole(period),
            from: period.start,
            grid: Grid::of_plan(plan),
            amount: plan.credits,
            made: now,
            received: now,
        };
        self.subscription.current_period = Some(period);
        self.subscription.version += 1;
        self.record(Fact::Span(span), now)
    }

    fn record(&mut self, fact: Fact, now: DateTime<Utc>) -> Outcome {
        if let Some(change) = self.paid_time.clone().record([fact])? {
            self.paid_time = change.into_row();
        }
        self.subscription.paid_until = self.paid_time.paid_until();
        self.align(now)
    }

    fn align(&mut self, now: DateTime<Utc>) -> Outcome {
        let terms = AlignTerms::new(TimeDelta::zero());
        let aligned = self
            .wallet
            .clone()
            .align(&self.paid_time.schedule(), terms, now)?;
        if let Some(change) = aligned {
            self.wallet = change.wallet().clone();
        }
        Ok(())
    }

    fn access(&self) -> Outcome<BillingAccess> {
        let payer = Evidence::Verified(Principal::session(2.into()).of_account(7.into()));
        let tenant = Tenant::new(self.account.clone());
        let admitted = admit(Route::Billing, &payer, Some(&tenant), day("01-01")?);

        Ok(admitted.into_result()?.into_billing()?)
    }

    fn facts(&self, from: &Arc<Plan>, to: &Arc<Plan>) -> PlanChangeFacts {
        PlanChangeFacts {
            account: self.account.clone(),
            subscription: self.subscription.clone(),
            from: from.clone(),
            to: to.clone(),
            paid_time: self.paid_time.clone(),
            prior: None,
        }
    }

    fn open_upgrade(
        &mut self,
        id: i64,
        plans: [&Arc<Plan>; 2],
        now: DateTime<Utc>,
    ) -> Outcome<Charge> {
        let facts = self.facts(plans[0], plans[1]);
        let answer = self
            .policy
            .open_upgrade(&self.access()?, id.into(), facts, now)?;
        self.opened(answer)
    }

    fn opened(&mut self, answer: Answer<ChargeOpened, Charge>) -> Outcome<Charge> {
        let Answer::Fresh(opened) = answer else {
            return Err("it was opened before".into());
        };
        if let Some(change) = opened.subscription() {
            assert_eq!(change.expected_version(), self.subscription.version);
            self.subscription = change.row().clone();
        }
        if let Some(change) = opened.account() {
            assert_eq!(change.expected_version(), self.account.version);
            self.account = change.row().clone();
        }
        assert_eq!(opened.charge().expected_version(), 0);
        Ok(opened.charge().row().clone())
    }

    fn downgrade(&mut self, id: i64, plans: [&Arc<Plan>; 2], now: DateTime<Utc>) -> Outcome<Money> {
        let facts = self.facts(plans[0], plans[1]);
        let answer = self
            .policy
            .downgrade_now(&self.access()?, id.into(), facts, now)?;
        let Answer::Fresh(change) = answer else {
            return Err("it was made before".into());
        };
        self.subscription = change.subscription().row().clone();
        self.account = change.account().row().clone();
        self.paid_time = change.paid_time().ok_or("no time")?.row().clone();
        self.align(now)?;
        Ok(change.credited())
    }

    fn try_to_pay(
        &self,
        charge: &Charge,
        payment: &ChargePayment,
        now: DateTime<Utc>,
    ) -> Outcome<Result<ChargePaid, NotPayable>> {
        let facts = ChargePaymentFacts {
            account: self.account.clone(),
            subscription: Some(self.subscription.clone()),
            paid_time: Some(self.paid_time.clone()),
        };
        Ok(self
            .policy
            .pay_charge(charge.clone(), payment, facts, now)?)
    }

    /// Pays a charge to the cent, and writes everything.
    fn pay(&mut self, charge: &Charge, now: DateTime<Utc>) -> Outcome<Charge> {
        let payment = payment(charge.amount, now);
        let paid = self.try_to_pay(charge, &payment, now)?;
        let paid = paid.map_err(|reason| reason.to_string())?;

        self.account = paid.account.into_row();
        if let Some(change) = paid.subscription {
            assert_eq!(change.expected_version(), self.subscription.version);
            self.subscription = change.into_row();
            assert_eq!(paid.plan.as_ref(), Some(&self.subscription.plan));
        }
        if let Some(change) = paid.paid_time {
            self.paid_time = change.into_row();
        }
        assert_eq!(
            self.subscription.paid_until,
            self.paid_time.paid_until(),
            "whoever records time writes its end"
        );
        self.align(now)?;
        for due in &paid.grants {
            if let Some(change) = self.wallet.clone().grant_due(due, None, now)? {
                self.wallet = change.wallet().clone();
            }
        }
        Ok(paid.charge.into_row())
    }

    fn target(&self, number: u32) -> Outcome<Credits> {
        let january = day("01-01")?;
        let month = Interval::MONTHLY
            .period(january, number)
            .ok_or("no month")?;
        let target = self.paid_time.schedule().target(month, TimeDelta::zero());

        Ok(target.ok_or("out of range")?.amount)
    }
}

fn payment(amount: Money, received: DateTime<Utc>) -> ChargePayment {
    ChargePayment {
        payment: format!("transfer/charge/{}", received.timestamp()).into(),
        received,
        arrived: received,
        method: PaymentMethod::BankTransfer,
        external_id: Some("tx-9".to_owned()),
        amount,
    }
}

/// Case 7: the money pays the charge, and the plan is pro from then on.
#[test]
fn an_upgrade_is_paid_and_its_credits_come_from_the_quote_on() -> Outcome {
    let (basic, pro) = (basic()?, pro()?);
    let mut host = Host::paid(&basic)?;
    assert_eq!(host.wallet.balance().free, Credits::whole(500));

    let quoted = day("01-16")?;
    let charge = host.open_upgrade(50, [&basic, &pro], quoted)?;
    assert_eq!(charge.amount, euros("15.48")?);
    assert_eq!(host.subscription.plan, basic.id, "it is paid first");

    // It was received on the 17th, and confirmed on the 18th.
    let received = day("01-17")?;
    let more = charge.amount.checked_add(euros("1")?).ok_or("sum")?;
    let tried = host.try_to_pay(&charge, &payment(more, received), day("01-18")?)?;
    assert_eq!(tried.map(|paid| paid.left), Ok(euros("1")?));

    let paid = host.pay(&charge, day("01-18")?)?;
    assert!(matches!(paid.state, ChargeState::Paid { .. }) && paid.version == 2);
    assert_eq!(host.subscription.plan, pro.id);
    assert_eq!(host.account.version, 2);
    assert_eq!(host.target(0)?, "1274.193548".parse()?);
    assert_eq!(host.wallet.balance().free, "1274.193548".parse()?);
    assert_eq!(host.subscription.paid_until, Some(day("02-01")?));
    Ok(())
}

/// Case 7 to the letter: at the period's start the whole difference is due.
#[test]
fn at_the_start_the_whole_difference_is_due() -> Outcome {
    let (basic, pro) = (basic()?, pro()?);
    let mut host = Host::paid(&basic)?;
    let charge = host.open_upgrade(50, [&basic, &pro], day("01-01")?)?;
    assert_eq!(charge.amount, euros("30")?);

    host.pay(&charge, day("01-10")?)?;
    assert_eq!(host.subscription.plan, pro.id);
    assert_eq!(host.wallet.balance().free, Credits::whole(2_000));
    Ok(())
}

/// Case 6: 329.42 EUR for eleven months of the larger plan, and each of them brings its credits.
#[test]
fn the_months_ahead_of_a_year_bring_the_larger_amount() -> Outcome {
    let basic = plan(3, "228", Interval::YEARLY, 500)?;
    let pro = plan(4, "588", Interval::YEARLY, 2_000)?;
    let mut host = Host::paid(&basic)?;
    let charge = host.open_upgrade(50, [&basic, &pro], day("02-01")?)?;
    assert_eq!(charge.amount, euros("329.42")?);

    host.pay(&charge, day("02-02")?)?;
    assert_eq!(host.target(0)?, Credits::whole(500));
    for month in 1..12 {
        assert_eq!(host.target(month)?, Credits::whole(2_000), "month {month}");
    }
    Ok(())
}

/// Whatever does not pay leaves everything as it is, since nothing is returned to be written.
#[test]
fn money_for_another_charge_than_the_one_that_was_quoted_pays_nothing() -> Outcome {
    let (basic, pro) = (basic()?, pro()?);
    let mut host = Host::paid(&basic)?;
    let charge = host.open_upgrade(50, [&basic, &pro], day("01-16")?)?;
    let in_time = day("01-20")?;
    let whole = payment(charge.amount, in_time);
    let expect = |host: &Host, charge: &Charge, payment: &ChargePayment, now, reason| {
        let tried = host.try_to_pay(charge, payment, now)?;
        assert_eq!(tried, Err(reason));
        Ok::<(), Box<dyn Error>>(())
    };

    let short = payment(euros("15.47")?, in_time);
    expect(&host, &charge, &short, in_time, NotPayable::Short)?;
    let dollars = payment(Money::new("15.48".parse()?, Currency::USD)?, in_time);
    expect(&host, &charge, &dollars, in_time, NotPayable::Short)?;
    let late = payment(charge.amount, charge.valid_until);
    expect(&host, &charge, &late, in_time, NotPayable::Expired)?;
    let void = charge.clone().withdraw(&host.access()?, in_time)?;
    let Answer::Fresh(void) = void else {
        return Err("it was withdrawn before".into());
    };
    expect(&host, void.row(), &whole, in_time, NotPayable::Void)?;

    // February was paid meanwhile, at the smaller plan's price.
    let mut renewed = Host::paid(&basic)?;
    let february = Interval::MONTHLY
        .period(day("01-01")?, 1)
        .ok_or("no month")?;
    renewed.pay_ahead(&basic, february, in_time)?;
    expect(&renewed, &charge, &whole, in_time, NotPayable::Changed)?;

    // The period is over.
    let refused = NotPayable::Refused(RefusalReason::PaymentDue);
    expect(&host, &charge, &whole, day("02-02")?, refused)?;

    // Another plan came, and went again: what the money would bring is no longer what it was.
    let other = plan(5, "9", Interval::MONTHLY, 100)?;
    let mut changed = Host::paid(&basic)?;
    changed.downgrade(60, [&basic, &other], day("01-17")?)?;
    expect(&changed, &charge, &whole, in_time, NotPayable::Changed)?;
    let back = changed.open_upgrade(61, [&other, &basic], day("01-18")?)?;
    changed.pay(&back, day("01-19")?)?;
    assert_eq!(changed.subscription.plan, basic.id);
    expect(&changed, &charge, &whole, in_time, NotPayable::Changed)?;

    // A provider runs it by now.
    let mut foreign = Host::paid(&basic)?;
    foreign.subscription.payment_method = PaymentMethod::Stripe;
    foreign.subscription.stripe_subscription_id = Some("sub_1".to_owned());
    expect(&foreign, &charge, &whole, in_time, NotPayable::Changed)?;

    // A new subscription, and none.
    let mut anew = Host::paid(&basic)?;
    anew.subscription.id = 2.into();
    anew.paid_time = PaidTime::new(7.into(), 2.into());
    expect(&anew, &charge, &whole, in_time, NotPayable::Changed)?;

    // Paid, and then again.
    let paid = host.pay(&charge, in_time)?;
    expect(&host, &paid, &whole, in_time, NotPayable::Paid)?;
    Ok(())
}

/// What was refunded meanwhile is not sold again.
#[test]
fn time_that_was_given_back_is_no_longer_what_was_quoted() -> Outcome {
    let (basic, pro) = (basic()?, pro()?);
    let mut host = Host::paid(&basic)?;
    let charge = host.open_upgrade(50, [&basic, &pro], day("01-16")?)?;

    let period = host.subscription.current_period.ok_or("no period")?;
    let refund = crate::paid_time::TimeCredit {
        key: "refund/1".into(),
        payment: "refund/1".into(),
        period: BilledPeriod::Whole(period),
        at: day("01-17")?,
        made: day("01-17")?,
    };
    host.record(Fact::Credit(refund), day("01-17")?)?;
    let now = day("01-18")?;
    let tried = host.try_to_pay(&charge, &payment(charge.amount, now), now)?;
    assert_eq!(tried, Err(NotPayable::Changed));
    Ok(())
}

/// A plan that serves before it is paid has no value: neither its credits nor its rest come for
/// nothing.
#[test]
fn an_upgrade_at_once_brings_credits_with_the_money_only() -> Outcome {
    let (basic, pro) = (basic()?, pro()?);
    let mut host = Host::paid(&basic)?;
    host.policy = at_once()?;
    let now = day("01-16")?;
    let charge = host.open_upgrade(50, [&basic, &pro], now)?;
    assert_eq!(host.subscription.plan, pro.id);
    assert_eq!((host.account.version, host.subscription.version), (2, 3));
    assert_eq!(host.target(0)?, Credits::whole(500));

    // Nothing of it is given back, in no way.
    let unpaid = host.subscription.prorate(&pro, &basic, now);
    assert_eq!(unpaid, Err(ProrationError::PlanUnpaid));
    let facts = host.facts(&pro, &basic);
    let refused = host
        .policy
        .downgrade_now(&host.access()?, 60.into(), facts, now);
    assert!(matches!(refused, Err(DowngradeError::Charge(_))));
    let withdrawn = charge.clone().withdraw(&host.access()?, now);
    assert_eq!(withdrawn, Err(VoidError::Applied));

    // The next period is paid early, at the larger plan's price. The charge stays payable.
    let february = Interval::MONTHLY
        .period(day("01-01")?, 1)
        .ok_or("no month")?;
    host.pay_ahead(&pro, february, day("01-18")?)?;
    host.pay(&charge, day("01-20")?)?;
    assert_eq!(host.subscription.unpaid_plan, None);
    assert_eq!(host.target(0)?, "1274.193548".parse()?);
    assert_eq!(host.target(1)?, Credits::whole(2_000));
    assert_eq!(host.subscription.paid_until, Some(day("03-01")?));
    Ok(())
}

/// After the time of an unpaid upgrade, the plan is paid at its own price.
#[test]
fn an_unpaid_upgrade_binds_no_longer_than_its_time() -> Outcome {
    let (basic, pro) = (basic()?, pro()?);
    let mut host = Host::paid(&basic)?;
    host.policy = at_once()?;
    host.open_upgrade(50, [&basic, &pro], day("01-16")?)?;

    let february = Interval::MONTHLY
        .period(day("01-01")?, 1)
        .ok_or("no month")?;
    host.pay_ahead(&pro, february, day("01-31")?)?;
    let priced = host.subscription.prorate(&pro, &basic, day("02-01")?)?;
    assert_eq!(priced.credit(), euros("30")?);
    Ok(())
}

/// Case 22: a pack is granted once, for its own term.
#[test]
fn a_pack_is_granted_when_it_is_paid() -> Outcome {
    let basic = basic()?;
    let mut host = Host::paid(&basic)?;
    host.account.status = AccountStatus::Suspended(SuspensionCause::PaymentOverdue);
    let pack = CreditPack {
        expires_after: Some(Interval::MONTHLY),
        ..CreditPack::new("Small pack", euros("20")?, Credits::whole(1_000))
    };
    let now = day("01-10")?;
    let answer =
        host.policy
            .open_credit_pack(&host.access()?, 70.into(), pack.clone(), None, now)?;
    let charge = host.opened(answer)?;
    assert_eq!(
        charge.to_string(),
        "20 EUR: 1000 credits of Small pack, which live for 1 month"
    );

    let whole = payment(charge.amount, now);
    let tried = host
        .try_to_pay(&charge, &whole, now)?
        .map_err(|_| "not paid")?;
    let due = tried.grants.first().ok_or("no grant")?;
    assert_eq!(due.key(), "grant/charge/0/70");
    assert_eq!(due.terms().expires_at, Some(day("02-10")?));
    assert_eq!((tried.subscription, tried.paid_time), (None, None));
    let granted = host.wallet.clone().grant_due(due, None, now)?;
    let granted = granted.ok_or("nothing was granted")?.into_result();
    assert_eq!(granted.cause, CauseKind::TopUp);

    let paid = host.pay(&charge, now)?;
    assert_eq!(host.wallet.balance().free, Credits::whole(1_500));
    assert_eq!(
        host.account.status,
        AccountStatus::Suspended(SuspensionCause::PaymentOverdue),
        "a pack settles no overdue payment"
    );
    let again = host.try_to_pay(&paid, &whole, now)?;
    assert_eq!(again, Err(NotPayable::Paid));

    // A payment that was taken back frees it, for another payment with a key of its own.
    let reopened = paid.reopen()?.into_row();
    let tried = host
        .try_to_pay(&reopened, &whole, now)?
        .map_err(|_| "not paid")?;
    let due = tried.grants.first().ok_or("no grant")?;
    assert_eq!(due.key(), "grant/charge/1/70");
    Ok(())
}

/// A period that is paid by its charge does what a transfer does.
#[test]
fn a_period_opens_and_lifts_a_suspension_for_an_overdue_payment() -> Outcome {
    let basic = basic()?;
    let mut host = Host::paid(&basic)?;
    host.account.status = AccountStatus::Suspended(SuspensionCause::PaymentOverdue);
    let facts = NextPeriodFacts {
        account: host.account.clone(),
        subscription: host.subscription.clone(),
        plan: basic.clone(),
        prior: None,
    };
    let now = day("01-25")?;
    let answer = host
        .policy
        .open_period(&host.access()?, 80.into(), facts, now)?;
    let charge = host.opened(answer)?;
    assert_eq!(charge.to_string(), "19 EUR: the next month of plan 3");

    host.pay(&charge, day("01-30")?)?;
    assert_eq!(host.account.status, AccountStatus::Active);
    assert_eq!(host.subscription.paid_until, Some(day("03-01")?));
    assert_eq!(
        host.subscription.external_payment_id.as_deref(),
        Some("tx-9")
    );
    assert_eq!(
        (host.target(0)?, host.target(1)?),
        (basic.credits, basic.credits)
    );
    Ok(())
}

/// A void of the payment leaves out the time that it paid, and the charge is payable again.
#[test]
fn a_payment_that_was_taken_back_leaves_what_was_before() -> Outcome {
    let (basic, pro) = (basic()?, pro()?);
    let mut host = Host::paid(&basic)?;
    let before = host.subscription.clone();
    let charge = host.open_upgrade(50, [&basic, &pro], day("01-16")?)?;
    let paid = host.pay(&charge, day("01-17")?)?;
    let ChargeState::Paid { payment, .. } = &paid.state else {
        return Err("it is not paid".into());
    };
    let void = Void {
        key: format!("void/{payment}").into(),
        payment: payment.clone(),
    };
    host.record(Fact::Void(void), day("01-18")?)?;
    host.subscription = before;
    assert_eq!(host.target(0)?, Credits::whole(500));

    host.pay(&paid.reopen()?.into_row(), day("01-19")?)?;
    assert_eq!(host.target(0)?, "1274.193548".parse()?);
    Ok(())
}

/// Time that was paid ahead changes too, each period by a span of its own.
#[test]
fn an_upgrade_covers_what_was_paid_ahead() -> Outcome {
    let (basic, pro) = (basic()?, pro()?);
    let mut host = Host::paid(&basic)?;
    let february = Interval::MONTHLY
        .period(day("01-01")?, 1)
        .ok_or("no month")?;
    host.pay_ahead(&basic, february, day("01-02")?)?;
    let charge = host.open_upgrade(50, [&basic, &pro], day("01-16")?)?;
    assert_eq!(charge.amount, euros("45.48")?);
    assert_eq!(charge.valid_until, day("01-30")?, "14 days");

    host.pay(&charge, day("01-20")?)?;
    assert_eq!(host.target(0)?, "1274.193548".parse()?);
    assert_eq!(host.target(1)?, Credits::whole(2_000));
    Ok(())
}

/// A plan of another interval brings its own amount by its own window, and never a window's credits
/// for a part of its price.
#[test]
fn a_plan_of_another_interval_brings_the_credits_of_the_time_that_was_paid() -> Outcome {
    // From a year to months: each month that is left.
    let yearly = plan(3, "228", Interval::YEARLY, 500)?;
    let monthly = plan(4, "49", Interval::MONTHLY, 2_000)?;
    let mut host = Host::paid(&yearly)?;
    let charge = host.open_upgrade(50, [&yearly, &monthly], day("02-01")?)?;
    host.pay(&charge, day("02-02")?)?;
    for month in 1..12 {
        assert_eq!(host.target(month)?, Credits::whole(2_000), "month {month}");
    }

    // Back at once: what is left is what was paid, and no more.
    let back = host.downgrade(60, [&monthly, &yearly], day("02-03")?)?;
    assert!(back.amount() <= charge.amount.amount(), "{back}");

    // From a week to a month: a quarter of the price, a quarter of the credits.
    let week = Interval {
        unit: IntervalUnit::Week,
        count: std::num::NonZeroU16::MIN,
    };
    let weekly = plan(5, "5", week, 100)?;
    let mut host = Host::paid(&weekly)?;
    let charge = host.open_upgrade(50, [&weekly, &monthly], day("01-01")?)?;
    assert_eq!(charge.amount, euros("6.06")?, "49 EUR * 7 / 31, less 5");
    host.pay(&charge, day("01-01")?)?;
    assert_eq!(host.wallet.balance().free, "451.612903".parse()?);

    // From a month to a year, and back: nothing is made of it.
    let pro_year = plan(6, "588", Interval::YEARLY, 2_000)?;
    let basic = basic()?;
    let mut host = Host::paid(&basic)?;
    let charge = host.open_upgrade(50, [&basic, &pro_year], day("01-16")?)?;
    host.pay(&charge, day("01-16")?)?;
    assert_eq!(host.target(0)?, "1274.193548".parse()?);
    let back = host.downgrade(60, [&pro_year, &basic], day("01-16")?)?;
    assert_eq!(back, charge.amount);
    assert_eq!(host.target(0)?, Credits::whole(500));
    Ok(())
}

/// Up and down at any instants, the books add up: what was paid less what was given back is the
/// price of the time on each plan, to half a cent a change.
#[test]
fn ups_and_downs_cost_what_was_used() -> Outcome {
    let plans = [basic()?, pro()?];
    for hours in [1_u32, 7, 49, 100, 173] {
        let mut host = Host::paid(&plans[0])?;
        let mut paid = euros("19")?.amount();
        let mut used = rust_decimal::Decimal::ZERO;
        let mut now = day("01-01")?;
        let mut changes = 0;
        let month = rust_decimal::Decimal::from(31 * 24);
        let step = TimeDelta::try_hours(hours.into()).ok_or("hours")?;

        for id in 0..6_i64 {
            let is_up = id % 2 == 0;
            let next = now.checked_add_signed(step).ok_or("date")?;
            if next >= day("02-01")? {
                break;
            }
            let from = &plans[usize::from(!is_up)];
            let to = &plans[usize::from(is_up)];
            used += from.price.amount() * rust_decimal::Decimal::from(hours) / month;
            now = next;
            if is_up {
                let charge = host.open_upgrade(id, [from, to], now)?;
                host.pay(&charge, now)?;
                paid += charge.amount.amount();
            } else {
                paid -= host.downgrade(id, [from, to], now)?.amount();
            }
            changes += 1;
        }

        let is_pro = host.subscription.plan == plans[1].id;
        let left = rust_decimal::Decimal::from((day("02-01")? - now).num_hours()) / month;
        let last = plans[usize::from(is_pro)].price.amount();
        let difference = (paid - used - last * left).abs();
        let most =
            rust_decimal::Decimal::from(changes) * "0.01".parse::<rust_decimal::Decimal>()?;
        assert!(changes > 2 && difference <= most, "{hours}: {difference}");

        // Credits per euro are what both plans give, give or take.
        let target = host.target(0)?;
        let most = Credits::whole(2_000);
        assert!(target >= Credits::whole(500) && target <= most);
    }
    Ok(())
}
