//! Charges, as a host opens and voids them, and changes to a smaller plan at once.

use std::sync::Arc;

use bailiwick::account::AccountStatus;
use bailiwick::change::{Answer, RowError};
use bailiwick::charge::{
    Charge, ChargeError, ChargeFor, ChargeState, CreditPack, DowngradeChange, DowngradeError,
    NextPeriodFacts, NotPayable, PlanChangeFacts, VoidError,
};
use bailiwick::credit::AlignTerms;
use bailiwick::gate::BillingAccess;
use bailiwick::money::Currency;
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span, TimeCredit};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::policy::{PolicySettings, Upgrades};
use bailiwick::right::Privilege;
use bailiwick::rust_decimal::Decimal;
use bailiwick::subscription::{
    PendingPlan, ProrationError, RefusalReason, SubscriptionStatus, UnpaidPlan,
};
use bailiwick::{
    Account, Code, Credits, Evidence, Money, Plan, Policy, Principal, Problem, Route, Subscription,
    Tenant, Wallet, admit, validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::support::{operator, operator_of};

fn day(text: &str) -> DateTime<Utc> {
    format!("2027-{text}T00:00:00Z").parse().unwrap()
}

fn euros(text: &str) -> Money {
    Money::new(text.parse().unwrap(), Currency::EUR).unwrap()
}

fn cents(cents: i64) -> Money {
    Money::new(Decimal::from(cents) / Decimal::from(100), Currency::EUR).unwrap()
}

fn plan(id: i64, price: Money, credits: u32) -> Arc<Plan> {
    Arc::new(Plan {
        credits: Credits::whole(credits),
        needs_subscription: true,
        ..Plan::new(id.into(), price, Interval::MONTHLY)
    })
}

fn basic() -> Arc<Plan> {
    plan(3, euros("19"), 500)
}

fn pro() -> Arc<Plan> {
    plan(4, euros("49"), 2_000)
}

fn january() -> Period {
    Interval::MONTHLY.period(day("01-01"), 0).unwrap()
}

fn access_of(account: i64) -> BillingAccess {
    let payer = Evidence::Verified(Principal::session(2.into()).of_account(account.into()));
    let method = PaymentMethod::BankTransfer;
    let account = Account::new(account.into(), AccountStatus::Active, method);
    let tenant = Tenant::new(account);
    let admitted = admit(Route::Billing, &payer, Some(&tenant), day("01-01"));
    admitted.into_result().unwrap().into_billing().unwrap()
}

fn access() -> BillingAccess {
    access_of(7)
}

/// Account 7, whose plan is paid for January.
fn paid(from: &Arc<Plan>, to: &Arc<Plan>) -> PlanChangeFacts {
    let method = PaymentMethod::BankTransfer;
    let start = day("01-01");
    let span = Span {
        key: "transfer/1".into(),
        payment: "transfer/1".into(),
        period: BilledPeriod::Whole(january()),
        from: start,
        grid: Grid::of_plan(from),
        amount: from.credits,
        made: start,
        received: start,
    };
    let paid_time = PaidTime::new(7.into(), 1.into());
    let paid_time = paid_time.record([Fact::Span(span)]).unwrap().unwrap();

    PlanChangeFacts {
        account: Account::new(7.into(), AccountStatus::Active, method),
        subscription: Subscription {
            status: SubscriptionStatus::Active,
            current_period: Some(january()),
            paid_until: Some(january().end),
            ..Subscription::new(1.into(), 7.into(), from.id.clone(), method, start)
        },
        from: from.clone(),
        to: to.clone(),
        paid_time: paid_time.into_row(),
        prior: None,
    }
}

fn fresh<T, R: std::fmt::Debug>(answer: Answer<T, R>) -> T {
    match answer {
        Answer::Fresh(fresh) => fresh,
        Answer::Replayed(before) => panic!("it was answered before: {before:?}"),
    }
}

fn open_upgrade(facts: PlanChangeFacts, now: DateTime<Utc>) -> Result<Charge, ChargeError> {
    let opened = Policy::default().open_upgrade(&access(), 50.into(), facts, now)?;
    Ok(fresh(opened).charge().row().clone())
}

fn downgrade(
    facts: PlanChangeFacts,
    now: DateTime<Utc>,
) -> Result<DowngradeChange, DowngradeError> {
    Policy::default()
        .downgrade_now(&access(), 60.into(), facts, now)
        .map(fresh)
}

fn open_period(facts: NextPeriodFacts) -> Result<Charge, ChargeError> {
    let opened = Policy::default().open_period(&access(), 80.into(), facts, day("01-20"))?;
    Ok(fresh(opened).charge().row().clone())
}

fn next_period(facts: &PlanChangeFacts) -> NextPeriodFacts {
    NextPeriodFacts {
        account: facts.account.clone(),
        subscription: facts.subscription.clone(),
        plan: facts.from.clone(),
        prior: None,
    }
}

fn target(paid_time: &PaidTime) -> Credits {
    let target = paid_time.schedule().target(january(), TimeDelta::zero());
    target.unwrap().amount
}

/// Takes over what a downgrade changed, for the next one.
fn after(change: &DowngradeChange, from: &Arc<Plan>, to: &Arc<Plan>) -> PlanChangeFacts {
    PlanChangeFacts {
        account: change.account().row().clone(),
        subscription: change.subscription().row().clone(),
        from: from.clone(),
        to: to.clone(),
        paid_time: change.paid_time().unwrap().row().clone(),
        prior: None,
    }
}

const JANUARY: i64 = 31 * 86_400;

fn second(second: i64) -> DateTime<Utc> {
    day("01-01") + TimeDelta::try_seconds(second).unwrap()
}

/// The credits of both plans for their shares of January, rounded down once.
fn shared(before: &Plan, after: &Plan, second: i64) -> Credits {
    let part = |plan: &Plan, seconds: i64| i128::from(plan.credits.micros()) * i128::from(seconds);
    let sum = part(before, second) + part(after, JANUARY - second);
    Credits::from_micros((sum / i128::from(JANUARY)).try_into().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A change of plan is either an upgrade or a downgrade, and what it costs or leaves over is the
    /// difference of the two shares.
    #[test]
    fn b9_a_change_of_plan_costs_or_leaves_the_difference(
        prices in (0..20_000_i64, 0..20_000_i64),
        amounts in (0..5_000_u32, 0..5_000_u32),
        at in 0..JANUARY,
    ) {
        let from = plan(3, cents(prices.0), amounts.0);
        let to = plan(4, cents(prices.1), amounts.1);
        let facts = paid(&from, &to);
        let now = second(at);
        let reckoned = facts.subscription.prorate(&from, &to, now).unwrap();
        let (up, down) = (open_upgrade(facts.clone(), now), downgrade(facts.clone(), now));

        if reckoned.due().is_zero() {
            prop_assert_eq!(up, Err(ChargeError::NothingDue));
            let down = down.unwrap();
            prop_assert_eq!(down.credited(), reckoned.credit());
            prop_assert!(down.credited().amount() <= from.price.amount());
            prop_assert_eq!(down.plan(), &to.id);

            // A plan without a price has its credits from the calendar.
            let credits = if to.price.is_zero() { Credits::ZERO } else { to.credits };
            let paid_for = Plan { credits, ..Plan::clone(&to) };
            let recorded = down.paid_time().unwrap().row();
            prop_assert_eq!(target(recorded), shared(&from, &paid_for, at));
            prop_assert_eq!(down.subscription().row().paid_until, Some(january().end));
        } else {
            prop_assert_eq!(down, Err(DowngradeError::SomethingDue(reckoned.due())));
            let charge = up.unwrap();
            prop_assert_eq!(charge.amount, reckoned.due());
            prop_assert!(charge.amount.amount() <= to.price.amount());
            prop_assert!(charge.valid_until <= january().end && charge.opened_at == now);
            prop_assert!(charge.is_payable_at(now) && !charge.is_payable_at(charge.valid_until));
        }
    }

    /// However often somebody steps down, no more is left over than was paid and not used, to half a
    /// cent a step; and no credits come of it.
    #[test]
    fn b9_steps_down_leave_no_more_than_was_not_used(
        mut prices in prop::collection::vec(0..20_000_i64, 2..7),
        mut seconds in prop::collection::vec(0..JANUARY, 6),
    ) {
        prices.sort_unstable();
        prices.reverse();
        seconds.sort_unstable();
        let plans: Vec<Arc<Plan>> = (3..)
            .zip(&prices)
            .map(|(id, price)| plan(id, cents(*price), u32::try_from(*price).unwrap()))
            .collect();

        let mut facts = paid(&plans[0], &plans[1]);
        let mut credited = Decimal::ZERO;
        let mut used = Decimal::ZERO;
        let mut before = 0;
        for (step, at) in seconds.iter().take(plans.len() - 1).enumerate() {
            let id = i64::try_from(step).unwrap();
            let answer = Policy::default().downgrade_now(&access(), id.into(), facts.clone(), second(*at));
            let change = fresh(answer.unwrap());
            let known = target(&facts.paid_time);
            prop_assert!(target(change.paid_time().unwrap().row()) <= known);

            credited += change.credited().amount();
            used += plans[step].price.amount() * Decimal::from(at - before) / Decimal::from(JANUARY);
            before = *at;
            let next = plans.get(step + 2).unwrap_or(&plans[step + 1]);
            facts = after(&change, &plans[step + 1], next);
        }

        let last = plans[plans.len() - 1].price.amount();
        let left = last * Decimal::from(JANUARY - before) / Decimal::from(JANUARY);
        let steps = Decimal::from(plans.len() - 1);
        let cent: Decimal = "0.01".parse().unwrap();
        prop_assert!((plans[0].price.amount() - used - left - credited).abs() <= steps * cent);
        prop_assert!(credited <= plans[0].price.amount());
    }

    /// A stored charge reads as it was written.
    #[test]
    fn a_charge_survives_being_stored(at in 0..JANUARY, id in 1..1_000_i64) {
        let policy = Policy::default();
        let facts = paid(&basic(), &pro());
        let now = second(at);
        let pack = CreditPack::new("Small pack", euros("20"), Credits::whole(1_000));
        let mut charges = Vec::new();
        if let Ok(answer) = policy.open_upgrade(&access(), id.into(), facts.clone(), now) {
            charges.push(fresh(answer).charge().row().clone());
        }
        if let Ok(change) = downgrade(paid(&pro(), &basic()), now) {
            charges.push(change.charge().row().clone());
        }
        charges.push(open_period(next_period(&facts)).unwrap());
        let opened = policy.open_credit_pack(&access(), id.into(), pack, None, now).unwrap();
        let opened = fresh(opened).charge().row().clone();
        charges.push(opened.clone());
        charges.push(fresh(opened.withdraw(&access(), now).unwrap()).into_row());

        for charge in charges {
            let text = serde_json::to_string(&charge).unwrap();
            prop_assert_eq!(serde_json::from_str::<Charge>(&text).unwrap(), charge, "{}", text);
        }
    }
}

/// The rest of the larger plan goes to the deposit, and the credits of the days that are left go
/// down by the difference.
#[test]
fn b9_a_smaller_plan_at_once_is_on_record_in_money_and_in_credits() {
    let facts = paid(&pro(), &basic());
    let terms = AlignTerms::new(TimeDelta::zero());
    let wallet = Wallet::open(7.into(), day("01-01"));
    let schedule = facts.paid_time.schedule();
    let aligned = wallet
        .align(&schedule, terms, day("01-01"))
        .unwrap()
        .unwrap();
    assert_eq!(aligned.wallet().balance().free, Credits::whole(2_000));

    let now = day("01-16");
    let change = downgrade(facts, now).unwrap();
    assert_eq!(change.credited(), euros("15.48"));
    assert_eq!(change.plan(), &basic().id);
    let schedule = change.paid_time().unwrap().row().schedule();
    let aligned = aligned
        .wallet()
        .clone()
        .align(&schedule, terms, now)
        .unwrap()
        .unwrap();
    assert_eq!(
        aligned.wallet().balance().free,
        "1225.806451".parse().unwrap()
    );
    assert_eq!(aligned.into_result().debt, Credits::ZERO);

    let charge = change.charge().row();
    assert!(charge.amount.is_zero() && charge.credited() == change.credited());
    assert!(matches!(&charge.state, ChargeState::Paid { .. }));
    assert_eq!(
        charge.to_string(),
        "15.48 EUR for the deposit: 25.29 EUR of plan 4 not used, \
         less 9.81 EUR for plan 3 from 2027-01-16 to 2027-02-01"
    );
    let expected = [
        change.charge().expected_version(),
        change.account().expected_version(),
        change.subscription().expected_version(),
        change.paid_time().unwrap().expected_version(),
    ];
    assert_eq!(expected, [0, 1, 1, 1]);
}

/// Down to a plan without a price: what was paid for the rest comes back whole.
#[test]
fn a_free_plan_at_once_gives_the_whole_rest_back() {
    let free = plan(5, euros("0"), 100);
    let change = downgrade(paid(&pro(), &free), day("01-16")).unwrap();
    assert_eq!(change.credited(), euros("25.29"));
    let recorded = change.paid_time().unwrap().row();
    assert_eq!(target(recorded), "967.741935".parse().unwrap());
}

/// Time that was refunded is not given back once more.
#[test]
fn b9_refunded_time_is_not_left_over_again() {
    let mut facts = paid(&pro(), &basic());
    let refund = TimeCredit {
        key: "refund/1".into(),
        payment: "refund/1".into(),
        period: BilledPeriod::Whole(january()),
        at: day("01-20"),
        made: day("01-10"),
    };
    let recorded = facts.paid_time.record([Fact::Credit(refund)]).unwrap();
    facts.paid_time = recorded.unwrap().into_row();
    let refused = downgrade(facts, day("01-16"));
    let error = ChargeError::Unpriced(ProrationError::NoPeriod);
    assert_eq!(refused, Err(DowngradeError::Charge(error)));
}

/// A charge tells how it was reckoned, in a customer's words too.
#[test]
fn a_charge_explains_itself() {
    let charge = open_upgrade(paid(&basic(), &pro()), day("01-16")).unwrap();
    let name =
        |id: &bailiwick::id::PlanId| if *id == 4.into() { "Pro" } else { "Basic" }.to_owned();
    assert_eq!(
        charge.sentence(name),
        "15.48 EUR: 25.29 EUR for Pro from 2027-01-16 to 2027-02-01, less 9.81 EUR of Basic not used"
    );
    let ChargeFor::Upgrade(change) = &charge.purpose else {
        panic!("{charge:?}");
    };
    assert_eq!(
        (change.time().start, change.time().end),
        (day("01-16"), day("02-01"))
    );
    assert_eq!(change.reckoning.due(), charge.amount);
    assert_eq!(charge.opened_by, Some(2.into()));

    let period = open_period(next_period(&paid(&basic(), &pro()))).unwrap();
    assert_eq!(period.to_string(), "19 EUR: the next month of plan 3");
    assert_eq!(NotPayable::Expired.label(), "expired");
}

/// The text on the transfer is printable, short, and one for one charge.
#[test]
fn a_reference_fits_on_a_transfer() {
    let policy = Policy::default();
    let reference = |id: &str| {
        let pack = CreditPack::new("Small pack", euros("20"), Credits::whole(1_000));
        let opened =
            policy.open_credit_pack(&access(), id.parse().unwrap(), pack, None, day("01-02"));
        fresh(opened.unwrap()).charge().row().reference()
    };
    assert_eq!(reference("7"), "CH-7");
    assert_eq!(reference("inv-7"), "CH-INV-7");
    let uuid = reference("0190163d-8694-739b-aea5-966c26f8ad91");
    assert_eq!(uuid, "CH-0190163D8694739BAEA5966C26F8AD91");
    assert_eq!(uuid.len(), 35);
}

/// A host loads the plan that the subscription is on, which is the new one by then.
#[test]
fn a_change_that_is_asked_for_again_when_it_was_made_gives_its_charge() {
    let now = day("01-16");
    let policy = Policy::default();
    let made = |prior: &Charge, plan: &Arc<Plan>| PlanChangeFacts {
        prior: Some(prior.clone()),
        ..paid(plan, plan)
    };

    let upgrade = open_upgrade(paid(&basic(), &pro()), now).unwrap();
    let again = policy.open_upgrade(&access(), 50.into(), made(&upgrade, &pro()), now);
    assert_eq!(again, Ok(Answer::Replayed(upgrade.clone())));
    let other = open_upgrade(made(&upgrade, &basic()), now);
    assert_eq!(other, Err(ChargeError::Conflict(50.into())));

    let change = downgrade(paid(&pro(), &basic()), now).unwrap();
    let charge = change.charge().row();
    let again = policy.downgrade_now(&access(), 60.into(), made(charge, &basic()), now);
    assert_eq!(again, Ok(Answer::Replayed(charge.clone())));
}

/// Every refusal, in the order in which they are checked: each input has all later faults too.
#[test]
fn an_upgrade_is_refused_in_order() {
    let dollars = Money::new("49".parse().unwrap(), Currency::USD).unwrap();
    let sound = || paid(&basic(), &pro());
    let now = day("01-16");
    let refused = |facts| open_upgrade(facts, now).unwrap_err();
    let mismatch = |left, right| ChargeError::Row(RowError::Mismatch { left, right });

    let prior = open_upgrade(sound(), now).unwrap();
    let other = Charge::clone(&prior);
    let facts = PlanChangeFacts {
        prior: Some(other),
        ..paid(&pro(), &basic())
    };
    assert_eq!(refused(facts), ChargeError::Conflict(50.into()));
    let again = PlanChangeFacts {
        prior: Some(prior.clone()),
        ..sound()
    };
    let later = Policy::default().open_upgrade(&access(), 50.into(), again.clone(), day("01-20"));
    assert_eq!(later, Ok(Answer::Replayed(prior)));
    let unlike = Policy::default().open_upgrade(&access(), 51.into(), again, now);
    assert_eq!(unlike.unwrap_err(), mismatch("charge", "identifier"));

    let stranger = Policy::default().open_upgrade(&access_of(8), 50.into(), sound(), now);
    assert_eq!(stranger.unwrap_err(), mismatch("access", "account"));
    let mut facts = sound();
    facts.subscription.account = 8.into();
    assert_eq!(refused(facts), mismatch("subscription", "account"));
    let mut facts = sound();
    facts.paid_time = PaidTime::new(7.into(), 2.into());
    assert_eq!(refused(facts), mismatch("paid time", "subscription"));

    let mut facts = paid(&basic(), &basic());
    facts.subscription.payment_method = PaymentMethod::Stripe;
    facts.subscription.stripe_subscription_id = Some("sub_1".to_owned());
    assert_eq!(refused(facts), ChargeError::RunByProvider);
    assert_eq!(refused(paid(&basic(), &basic())), ChargeError::AlreadySo);
    let inactive = Plan {
        active: false,
        price: dollars,
        ..Plan::clone(&pro())
    };
    assert_eq!(
        refused(paid(&basic(), &inactive.into())),
        ChargeError::PlanInactive
    );

    let unpriced = |facts| match refused(facts) {
        ChargeError::Unpriced(error) => error,
        other => panic!("{other:?}"),
    };
    let foreign = Plan {
        price: dollars,
        ..Plan::clone(&pro())
    };
    let facts = paid(&basic(), &foreign.into());
    assert!(matches!(unpriced(facts), ProrationError::Currency { .. }));
    let mut facts = sound();
    facts.from = plan(6, euros("19"), 500);
    assert_eq!(unpriced(facts), ProrationError::PlanMismatch);
    let mut facts = sound();
    let at = day("01-01");
    facts.subscription.pending_plan = Some(PendingPlan { plan: 5.into(), at });
    facts.subscription.current_period = Interval::MONTHLY.period(day("02-01"), 0);
    facts.subscription.pending_plan.as_mut().unwrap().at = day("02-01");
    assert_eq!(unpriced(facts), ProrationError::PlanPaid);
    let mut facts = sound();
    let until = day("02-01");
    facts.subscription.unpaid_plan = Some(UnpaidPlan {
        charge: 9.into(),
        until,
    });
    assert_eq!(unpriced(facts), ProrationError::PlanUnpaid);
    let mut facts = sound();
    facts.subscription.status = SubscriptionStatus::Trialing;
    facts.subscription.trial_end = Some(day("02-01"));
    assert_eq!(unpriced(facts), ProrationError::NoPeriod);

    let mut facts = sound();
    facts.subscription.status = SubscriptionStatus::Paused;
    let refusal = match refused(facts) {
        ChargeError::Refused(refusal) => refusal.reason(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal, RefusalReason::ResumeFirst);
    assert_eq!(refused(paid(&pro(), &basic())), ChargeError::NothingDue);
    let mut facts = paid(&pro(), &basic());
    facts.subscription.version = u64::MAX;
    assert!(matches!(
        refused(facts),
        ChargeError::Refused(_) | ChargeError::Row(_)
    ));
}

/// The codes that a client reads.
#[test]
fn refusals_have_codes() {
    for (problem, code) in [
        (Problem::from(ChargeError::NothingDue), Code::ChargeRefused),
        (
            Problem::from(ChargeError::RunByProvider),
            Code::ChargeRefused,
        ),
        (
            Problem::from(ChargeError::Conflict(7.into())),
            Code::ChargeConflict,
        ),
        (Problem::from(ChargeError::PackInvalid), Code::InputInvalid),
        (Problem::from(ChargeError::PlanInactive), Code::PlanInactive),
        (Problem::from(ChargeError::PlanMismatch), Code::PlanMismatch),
        (
            Problem::from(DowngradeError::SomethingDue(euros("1"))),
            Code::ChargeRefused,
        ),
        (Problem::from(VoidError::Paid), Code::ChargeConflict),
        (Problem::from(VoidError::Applied), Code::ChargeConflict),
        (Problem::from(VoidError::Reason), Code::InputInvalid),
    ] {
        assert_eq!(problem.code(), code, "{problem}");
    }
}

/// An upgrade at once changes the plan with its opening, and says so in the rows.
#[test]
fn an_upgrade_at_once_names_the_rows() {
    let policy = Policy::load(PolicySettings {
        upgrades: Upgrades::AtOnce,
        charge_validity_seconds: 86_400,
        ..PolicySettings::default()
    })
    .unwrap();
    let facts = paid(&basic(), &pro());
    let opened = fresh(
        policy
            .open_upgrade(&access(), 50.into(), facts, day("01-16"))
            .unwrap(),
    );
    assert_eq!(opened.charge().row().valid_until, day("01-17"));
    assert_eq!(opened.plan(), Some(&pro().id));
    assert_eq!(opened.account().unwrap().expected_version(), 1);
    let subscription = opened.subscription().unwrap();
    assert_eq!(
        (subscription.expected_version(), subscription.row().version),
        (1, 2)
    );

    // It is stored, and a row from before there was such a field has none.
    let mut text = serde_json::to_value(subscription.row()).unwrap();
    assert_eq!(
        serde_json::from_value::<Subscription>(text.clone()).unwrap(),
        *subscription.row()
    );
    text.as_object_mut().unwrap().remove("unpaid_plan").unwrap();
    let old: Subscription = serde_json::from_value(text).unwrap();
    assert_eq!(old.unpaid_plan, None);
}

/// A charge is valid for as long as the policy says, and one for an upgrade to the period's end.
#[test]
fn a_charge_ends_with_the_period_at_the_latest() {
    let upgrade = |now| {
        open_upgrade(paid(&basic(), &pro()), now)
            .unwrap()
            .valid_until
    };
    assert_eq!(upgrade(day("01-02")), day("01-16"));
    assert_eq!(upgrade(day("01-25")), day("02-01"));
    let period = open_period(next_period(&paid(&basic(), &pro()))).unwrap();
    assert_eq!(period.valid_until, day("02-03"));
}

#[test]
fn a_period_is_refused_in_order() {
    let facts = paid(&basic(), &pro());
    let sound = || next_period(&facts);
    let refused = |facts| open_period(facts).unwrap_err();

    let prior = open_period(sound()).unwrap();
    let again = NextPeriodFacts {
        prior: Some(prior.clone()),
        ..sound()
    };
    let answer = Policy::default().open_period(&access(), 80.into(), again.clone(), day("01-30"));
    assert_eq!(answer, Ok(Answer::Replayed(prior)));
    let unlike = NextPeriodFacts {
        plan: pro(),
        ..again
    };
    assert_eq!(refused(unlike), ChargeError::Conflict(80.into()));

    let mut foreign = sound();
    foreign.account.id = 8.into();
    let mismatch = RowError::Mismatch {
        left: "access",
        right: "account",
    };
    assert_eq!(refused(foreign), ChargeError::Row(mismatch));
    assert_eq!(
        refused(NextPeriodFacts {
            plan: pro(),
            ..sound()
        }),
        ChargeError::PlanMismatch
    );

    // The next plan is what is paid for.
    let mut pending = NextPeriodFacts {
        plan: pro(),
        ..sound()
    };
    pending.subscription.pending_plan = Some(PendingPlan {
        plan: 4.into(),
        at: day("02-01"),
    });
    assert_eq!(open_period(pending).unwrap().amount, euros("49"));

    let inactive = Plan {
        active: false,
        price: euros("0"),
        ..Plan::clone(&basic())
    };
    let facts = NextPeriodFacts {
        plan: inactive.into(),
        ..sound()
    };
    assert_eq!(refused(facts), ChargeError::PlanInactive);
    let free = NextPeriodFacts {
        plan: plan(3, euros("0"), 0),
        ..sound()
    };
    assert_eq!(refused(free), ChargeError::NothingDue);
    let mut ended = sound();
    ended.subscription.status = SubscriptionStatus::Canceled;
    assert!(matches!(refused(ended), ChargeError::Refused(_)));
}

/// An account withdraws its charge, or an operator of another account voids it; paid is paid.
#[test]
fn a_charge_is_voided_once() {
    let now = day("01-16");
    let charge = open_upgrade(paid(&basic(), &pro()), now).unwrap();
    let mismatch = RowError::Mismatch {
        left: "access",
        right: "charge",
    };
    let foreign = charge.clone().withdraw(&access_of(8), now);
    assert_eq!(foreign, Err(VoidError::Row(mismatch)));
    let void = fresh(charge.clone().withdraw(&access(), now).unwrap());
    assert_eq!((void.expected_version(), void.row().version), (1, 2));
    assert!(!void.row().is_payable_at(now));
    let again = void
        .row()
        .clone()
        .withdraw(&access(), day("01-20"))
        .unwrap();
    assert_eq!(again, Answer::Replayed(void.into_row()));

    let privilege = Privilege::ConfirmPayments;
    let clerk = operator(privilege);
    let own = charge
        .clone()
        .void(&operator_of(7, privilege), "a mistake", now);
    assert!(matches!(own, Err(VoidError::Denied(_))));
    let without = charge
        .clone()
        .void(&operator(Privilege::GrantCredits), "a mistake", now);
    assert!(matches!(without, Err(VoidError::Denied(_))));
    for reason in ["", "  ", &"x".repeat(501)] {
        assert_eq!(
            charge.clone().void(&clerk, reason, now),
            Err(VoidError::Reason)
        );
    }
    let void = fresh(charge.void(&clerk, " a mistake ", now).unwrap()).into_row();
    let reason = Some("a mistake".to_owned());
    assert_eq!(void.state, ChargeState::Void { at: now, reason });

    let done = downgrade(paid(&pro(), &basic()), now).unwrap();
    let done = done.charge().row().clone();
    assert_eq!(done.clone().withdraw(&access(), now), Err(VoidError::Paid));
    assert_eq!(done.void(&clerk, "a mistake", now), Err(VoidError::Paid));
}

/// The host may open a charge when credits run low; the same pack again is the same charge.
#[test]
fn a_pack_is_opened_by_hand_or_by_a_low_balance() {
    let policy = Policy::default();
    let now = day("01-16");
    let pack = CreditPack::new("Small pack", euros("20"), Credits::whole(1_000));
    let tenant = Tenant {
        plan: Some(Plan::new(1.into(), euros("0"), Interval::MONTHLY).into()),
        ..Tenant::new(paid(&basic(), &pro()).account)
    };
    let principal = Principal::session(2.into()).of_account(7.into());
    let user = validate_account_and_plan(&principal, Some(&tenant), now).unwrap();
    let opened = policy
        .open_auto_top_up(&user, 70.into(), pack.clone(), None, now)
        .unwrap();
    let charge = fresh(opened).charge().row().clone();
    assert_eq!(
        (charge.amount, charge.opened_by.clone()),
        (euros("20"), None)
    );
    assert_eq!(
        charge.to_string(),
        "20 EUR: 1000 credits of Small pack, which do not expire"
    );

    let again = |pack, access: BillingAccess| {
        policy.open_credit_pack(&access, 70.into(), pack, Some(charge.clone()), now)
    };
    assert_eq!(
        again(pack.clone(), access()),
        Ok(Answer::Replayed(charge.clone()))
    );
    let conflict = Err(ChargeError::Conflict(70.into()));
    assert_eq!(again(pack.clone(), access_of(8)), conflict);
    assert_eq!(
        again(
            CreditPack {
                credits: Credits::whole(2_000),
                ..pack.clone()
            },
            access()
        ),
        conflict
    );

    for unsound in [
        CreditPack {
            name: String::new(),
            ..pack.clone()
        },
        CreditPack {
            name: "x".repeat(201),
            ..pack.clone()
        },
        CreditPack {
            name: "a\nb".to_owned(),
            ..pack.clone()
        },
        CreditPack {
            price: euros("0"),
            ..pack.clone()
        },
        CreditPack {
            credits: Credits::ZERO,
            ..pack
        },
    ] {
        let refused = policy.open_credit_pack(&access(), 71.into(), unsound, None, now);
        assert_eq!(refused, Err(ChargeError::PackInvalid));
    }
}

/// A yearly plan that came in the middle of a paid month was paid for the days of that month, so no
/// more than that is unused.
#[test]
fn a_month_is_not_worth_a_year() {
    let yearly = Plan {
        interval: Interval::YEARLY,
        ..Plan::clone(&plan(3, euros("365"), 2_000))
    };
    let yearly = Arc::new(yearly);
    let facts = paid(&yearly, &basic());
    let priced = facts
        .subscription
        .prorate(&yearly, &basic(), day("01-22"))
        .unwrap();
    assert_eq!(priced.unused, euros("10"), "ten days of 365");
    assert_eq!(priced.charge, euros("6.13"));
}
