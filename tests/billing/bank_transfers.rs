//! Bank transfers: B5 and B7, for any story and for what no script can say. Every course of commands
//! is in `tests/tables/bank_transfer/`.

use std::sync::Arc;

use crate::support::*;
use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::{
    AfterRefund, BankReference, BankTransfer, ConfirmError, ConfirmedTransfer, Deposit,
    DepositFacts, RefundFacts, RetractionError, RetractionFacts, TransferChange, TransferError,
    TransferFacts, TransferRefund, TransferRefundError,
};
use bailiwick::change::{Answer, RowChange, RowError};
use bailiwick::credit::{GrantError, RevokeError, WalletError};
use bailiwick::money::Currency;
use bailiwick::paid_time::{BilledPeriod, Fact, PaidTime};
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::{Overpayment, PolicySettings};
use bailiwick::problem::Explained;
use bailiwick::registration::{Subject, SubjectRecord, TrialFacts};
use bailiwick::right::Privilege;
use bailiwick::subscription::{
    Command, Effect, RecordedPayment, Resubscription, SubscriptionStatus, SuccessionError,
    Transition,
};
use bailiwick::{Account, Money, Plan, Policy, Subscription, Wallet, chrono};
use proptest::prelude::*;

const TENANT: i64 = 7;
const PROOF: &str = "https://bank.example/statement/1";

fn transfer(transaction: &str, amount: i64) -> BankTransfer {
    let receiving = "DE02120300000000202051".parse().unwrap();
    BankTransfer::new(
        receiving,
        transaction.parse().unwrap(),
        "2027-01-15".parse().unwrap(),
        euros(amount),
        "Wayne Ltd",
        PROOF,
    )
    .unwrap()
}

fn facts(status: AccountStatus, subscription: SubscriptionStatus) -> TransferFacts {
    let period = Period {
        start: at(-30 * 86_400),
        end: at(1_000),
    };
    let new = Subscription::new(
        9.into(),
        TENANT.into(),
        1.into(),
        PaymentMethod::Stripe,
        at(-20 * 86_400),
    );
    let subscription = Subscription {
        status: subscription,
        current_period: (subscription != SubscriptionStatus::Incomplete).then_some(period),
        trial_end: (subscription == SubscriptionStatus::Trialing).then_some(at(1_000)),
        past_due_since: (subscription == SubscriptionStatus::PastDue).then_some(at(-5)),
        ..new
    };
    TransferFacts {
        charge: None,
        account: Account {
            payment_method: PaymentMethod::Stripe,
            ..account(TENANT, status)
        },
        plan: Arc::new(plan(49, true)),
        subscription: Some(subscription),
        paid_time: Some(PaidTime::new(TENANT.into(), 9.into())),
        deposit: None,
        claim: None,
        prior: vec![],
    }
}

fn under(settings: PolicySettings) -> Policy {
    Policy::load(settings).unwrap()
}

fn confirm(
    transfer: &BankTransfer,
    facts: TransferFacts,
) -> Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError> {
    Policy::default().confirm_bank_transfer(
        &operator(Privilege::ConfirmPayments),
        transfer,
        facts,
        at(10),
    )
}

fn fresh(
    answer: Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError>,
) -> TransferChange {
    match answer.unwrap() {
        Answer::Fresh(change) => change,
        Answer::Replayed(record) => panic!("replayed {record:?}"),
    }
}

/// A payment of a plan's interval.
fn month_of(plan: &Plan) -> RecordedPayment {
    let slack = chrono::TimeDelta::zero();
    RecordedPayment {
        interval: plan.interval,
        slack,
        method: PaymentMethod::BankTransfer,
        external_id: None,
    }
}

/// Each week that is paid is a span and a window of its own, however many there are in a month.
#[test]
fn pf2_each_week_that_is_paid_brings_a_weeks_credits() {
    let weekly = Interval {
        unit: IntervalUnit::Week,
        count: std::num::NonZeroU16::MIN,
    };
    let plan = Arc::new(Plan {
        credits: credits(500),
        ..Plan::new(1.into(), euros(12), weekly)
    });
    let mut facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    facts.plan = plan;
    for week in 0..30 {
        let now = at(week * 7 * 86_400);
        let transfer = transfer(&format!("week-{week}"), 12);
        let operator = operator(Privilege::ConfirmPayments);
        let change = fresh(Policy::default().confirm_bank_transfer(
            &operator,
            &transfer,
            facts.clone(),
            now,
        ));
        assert!(change.grants().is_empty());
        facts.account = change.account().row().clone();
        facts.subscription = Some(change.subscription().unwrap().row().clone());
        facts.paid_time = Some(change.paid_time().unwrap().row().clone());
    }

    let schedule = facts.paid_time.unwrap().schedule();
    let windows = schedule.windows_begun(at(365 * 86_400));
    assert_eq!(windows.len(), 30);
    for (week, window) in windows.into_iter().enumerate() {
        let start = i64::try_from(week).unwrap() * 7 * 86_400;
        let end = start + 7 * 86_400;
        assert_eq!((window.start, window.end), (at(start), at(end)));
        let target = schedule.target(window, chrono::TimeDelta::zero()).unwrap();
        assert_eq!(target.amount, credits(500));
    }
}

#[test]
fn b5_a_deposit_that_cannot_be_written_loses_no_money() {
    let deposit = Deposit {
        credited: euros(0),
        account: TENANT.into(),
        amount: euros(1),
        applied: euros(0),
        version: u64::MAX,
    };
    let facts = TransferFacts {
        deposit: Some(deposit),
        ..facts(AccountStatus::Active, SubscriptionStatus::Active)
    };
    let refused = confirm(&transfer("tx", 1), facts).unwrap_err();
    assert_eq!(
        refused,
        ConfirmError::Row(RowError::VersionExhausted { row: "deposit" })
    );
    assert_eq!(Explained::code(&refused), bailiwick::Code::AmountOverflow);
}

/// The refusal names both amounts.
#[test]
fn b5_a_deposit_in_another_currency_is_told() {
    let dollars = Money::new(5.into(), Currency::USD).unwrap();
    let deposit = Deposit {
        credited: euros(0),
        account: TENANT.into(),
        amount: dollars,
        applied: euros(0),
        version: 1,
    };
    let facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    let facts = TransferFacts {
        deposit: Some(deposit),
        ..facts
    };
    let refused = ConfirmError::DepositCurrency {
        deposit: dollars,
        price: euros(49),
    };
    assert_eq!(confirm(&transfer("tx", 49), facts), Err(refused));
}

#[test]
fn b7_a_method_that_is_not_enabled_is_coming_soon() {
    let settings = PolicySettings {
        payment_methods: [PaymentMethod::Stripe].into(),
        ..PolicySettings::default()
    };
    let policy = Policy::load(settings).unwrap();
    let facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    let operator = operator(Privilege::ConfirmPayments);
    let refused = policy
        .confirm_bank_transfer(&operator, &transfer("tx-1", 49), facts, at(0))
        .unwrap_err();
    assert_eq!(refused, ConfirmError::ComingSoon);
    assert!(refused.to_string().contains("coming soon"));
}

#[test]
fn the_facts_of_a_transfer_are_checked() {
    let new = |payer: &str, proof: &str| {
        BankTransfer::new(
            "DE02".parse().unwrap(),
            "tx".parse().unwrap(),
            "2027-01-15".parse().unwrap(),
            euros(49),
            payer,
            proof,
        )
        .map(drop)
    };
    assert_eq!(new("Wayne", PROOF), Ok(()));
    assert_eq!(new("Wayne", &"0f".repeat(32)), Ok(()));
    for proof in [
        "",
        "http://bank.example/1",
        "https://",
        "https://a b",
        &"0F".repeat(32),
        &"0f".repeat(31),
    ] {
        assert_eq!(new("Wayne", proof), Err(TransferError::Proof), "{proof}");
    }
    for payer in ["", "  ", &"x".repeat(501)] {
        assert_eq!(new(payer, PROOF), Err(TransferError::Payer));
    }
    for reference in ["", " ", "é", "a\nb", &"x".repeat(65)] {
        assert_eq!(
            reference.parse::<BankReference>(),
            Err(TransferError::Reference)
        );
    }
}

/// The choice of a subscription that follows.
fn choice(id: i64, plan: &Plan, payment_method: PaymentMethod) -> Resubscription {
    Resubscription {
        id: id.into(),
        plan: Arc::new(plan.clone()),
        payment_method,
    }
}

#[test]
fn b2_what_has_ended_is_followed_by_a_new_one() {
    let policy = Policy::default();
    let account = account(TENANT, AccountStatus::Active);
    let former = facts(AccountStatus::Active, SubscriptionStatus::Canceled)
        .subscription
        .unwrap();
    let plan = plan(49, true);
    let method = PaymentMethod::BankTransfer;
    let next = policy
        .resubscribe(&account, &former, &[], &choice(10, &plan, method), at(50))
        .unwrap();
    assert_eq!(next.subscription().expected_version(), former.version);
    assert_eq!(
        (
            next.subscription().row().version,
            &next.subscription().row().id
        ),
        (former.version + 1, &10.into())
    );
    assert_eq!(
        (next.account().row().version, next.account().row().status),
        (account.version + 1, account.status)
    );
    let live = facts(AccountStatus::Active, SubscriptionStatus::PastDue)
        .subscription
        .unwrap();
    let refused = |former: &Subscription, id: i64, plan: &Plan, method| {
        policy
            .resubscribe(&account, former, &[], &choice(id, plan, method), at(50))
            .unwrap_err()
    };
    // Its grace is over, so it is unpaid by now, and not ended.
    assert_eq!(
        refused(&live, 10, &plan, method),
        SuccessionError::NotEnded(SubscriptionStatus::Unpaid)
    );
    assert_eq!(
        refused(&former, 9, &plan, method),
        SuccessionError::SameIdentifier
    );
    let stripe = PaymentMethod::Stripe;
    assert_eq!(
        refused(&former, 10, &plan, stripe),
        SuccessionError::ComingSoon(stripe)
    );
    let inactive = Plan {
        active: false,
        ..plan.clone()
    };
    assert_eq!(
        refused(&former, 10, &inactive, method),
        SuccessionError::PlanInactive
    );
    let free = Plan {
        needs_subscription: false,
        ..plan.clone()
    };
    assert_eq!(
        refused(&former, 10, &free, method),
        SuccessionError::PlanInactive
    );
    let foreign = Subscription {
        account: 8.into(),
        ..former.clone()
    };
    assert_eq!(
        refused(&foreign, 10, &plan, method),
        SuccessionError::Row(RowError::Mismatch {
            left: "subscription",
            right: "account"
        })
    );
    // The account pays as was chosen, what ran at a provider is to be ended there, and no job must
    // have ended it first.
    let account = Account {
        payment_method: PaymentMethod::Stripe,
        ..account.clone()
    };
    let by_stripe = Subscription {
        stripe_subscription_id: Some("sub_1".into()),
        payment_method: PaymentMethod::Stripe,
        ..former.clone()
    };
    let next = policy
        .resubscribe(
            &account,
            &by_stripe,
            &[],
            &choice(10, &plan, method),
            at(50),
        )
        .unwrap();
    assert_eq!(next.account().row().payment_method, method);
    assert_eq!(next.ends_at_provider(), Some((Provider::Stripe, "sub_1")));
    assert_eq!(next.subscription().row().stripe_subscription_id, None);
    let over = Subscription {
        status: SubscriptionStatus::Active,
        cancel_at_period_end: true,
        ..former
    };
    assert!(
        policy
            .resubscribe(&account, &over, &[], &choice(10, &plan, method), at(999))
            .is_err()
    );
    assert!(
        policy
            .resubscribe(&account, &over, &[], &choice(10, &plan, method), at(1_000))
            .is_ok()
    );
}

#[test]
fn c4_what_is_due_is_due_to_one_account_for_its_own_time() {
    let new = || {
        Subscription::new(
            9.into(),
            TENANT.into(),
            1.into(),
            PaymentMethod::BankTransfer,
            at(0),
        )
    };
    let day = 86_400;
    let plan = plan(49, true);
    let to_try = TrialFacts {
        account: account(TENANT, AccountStatus::PendingPayment),
        subscription: new(),
        plan: Arc::new(plan.clone()),
        subject: SubjectRecord {
            subject: Subject::from_digest([1; 32]),
            account: Some(TENANT.into()),
            had_trial: false,
            version: 1,
        },
        prior: None,
    };
    let started = Policy::default().start_trial(to_try, at(14 * day), at(0));
    let started = started.unwrap();
    let due = started.grant().unwrap();
    let trial = started.transition().clone();
    assert_eq!(
        due.terms().expires_at,
        Some(at(14 * day)),
        "a trial's credits end with it"
    );
    assert_eq!(
        (due.account(), due.terms().amount),
        (&TENANT.into(), credits(500))
    );

    // Another account's wallet refuses it, and its revocation.
    let foreign = Wallet::open(8.into(), at(0));
    assert_eq!(
        foreign.clone().grant_due(due, None, at(0)),
        Err(GrantError::Wallet(WalletError::Row(RowError::Mismatch {
            left: "wallet",
            right: "cause"
        })))
    );
    // A top-up's credits, and its refund.
    let top_up = TransferFacts {
        plan: Arc::new(Plan {
            needs_subscription: false,
            ..plan.clone()
        }),
        subscription: None,
        paid_time: None,
        ..facts(AccountStatus::Active, SubscriptionStatus::Active)
    };
    let paid = fresh(confirm(&transfer("tx", 49), top_up));
    assert_eq!(paid.grants().len(), 1);
    let refund_facts = RefundFacts {
        record: paid.record().clone(),
        subscription: None,
        deposit: None,
        paid_time: None,
    };
    let refund = TransferRefund {
        total: euros(49),
        then: AfterRefund::EndService,
    };
    let desk = operator(Privilege::ConfirmPayments);
    let answer = ConfirmedTransfer::refund(&desk, refund, refund_facts, at(20));
    let Ok(Answer::Fresh(refunded)) = answer else {
        panic!("{answer:?}")
    };
    let [revocation] = refunded.revocations() else {
        panic!()
    };
    assert_eq!(revocation.grant(), paid.grants()[0].key());
    assert_eq!(
        foreign.revoke_due(revocation, None, at(20)),
        Err(RevokeError::Wallet(WalletError::Row(RowError::Mismatch {
            left: "wallet",
            right: "revocation"
        })))
    );

    // A wallet's time never goes back, so what is over by its time is over.
    let late = Wallet::open(TENANT.into(), at(14 * day));
    assert_eq!(late.grant_due(due, None, at(1)), Ok(None));

    // A payment opens a period, whose time brings credits. A trial and a change of plan open none.
    let opens = |done: &Transition| {
        let opens = |effect: &Effect| matches!(effect, Effect::PeriodPaid { .. });
        done.effects().any(opens)
    };
    assert!(!opens(&trial));
    let active = trial
        .into_subscription()
        .record_payment(month_of(&plan), at(14 * day))
        .unwrap();
    assert!(opens(&active));
    let larger = active
        .into_subscription()
        .apply(Command::ChangePlan { plan: 2.into() }, at(20 * day))
        .unwrap();
    assert!(!opens(&larger));
}

/// The rows of one account, written as the changes say, under their guards.
struct Books {
    policy: Policy,
    tolerance: Option<Money>,
    facts: TransferFacts,
    records: Vec<ConfirmedTransfer>,
    /// What was given back while the service went on.
    gestures: Money,
}

impl Books {
    fn new(overpayment: Overpayment, tolerance: Option<Money>) -> Self {
        let policy = under(PolicySettings {
            overpayment,
            transfer_tolerance: tolerance,
            ..PolicySettings::default()
        });
        let facts = facts(
            AccountStatus::PendingPayment,
            SubscriptionStatus::Incomplete,
        );
        Self {
            policy,
            tolerance,
            facts,
            records: vec![],
            gestures: euros(0),
        }
    }

    fn confirm(&mut self, number: usize, amount: i64, now: i64) -> Option<ConfirmedTransfer> {
        let transfer = transfer(&format!("tx-{number}"), amount);
        let prior = self
            .records
            .iter()
            .filter(|record| record.transfer.transaction() == transfer.transaction())
            .cloned()
            .collect();
        let facts = TransferFacts {
            prior,
            ..self.facts.clone()
        };
        let operator = operator(Privilege::ConfirmPayments);
        match self
            .policy
            .confirm_bank_transfer(&operator, &transfer, facts, at(now))
        {
            Ok(Answer::Replayed(record)) => Some(record),
            Err(_) => None,
            Ok(Answer::Fresh(change)) => {
                assert_eq!(
                    change.account().expected_version(),
                    self.facts.account.version
                );
                self.facts.account = change.account().row().clone();
                if let Some(paid) = change.subscription() {
                    assert_eq!(
                        paid.expected_version(),
                        self.facts.subscription.as_ref().unwrap().version
                    );
                    assert_eq!(paid.row().version, paid.expected_version() + 1);
                    self.facts.subscription = Some(paid.row().clone());
                }
                self.deposit(change.deposit());
                self.paid_time(change.paid_time());
                self.records.push(change.record().clone());
                Some(change.record().clone())
            }
        }
    }

    fn refund(&mut self, which: usize, total: i64, then: AfterRefund, now: i64) {
        let Some(record) = self.records.get(which).cloned() else {
            return;
        };
        let facts = RefundFacts {
            record: record.clone(),
            subscription: self.facts.subscription.clone(),
            deposit: self.facts.deposit.clone(),
            paid_time: self.facts.paid_time.clone(),
        };
        let refund = TransferRefund {
            total: euros(total),
            then,
        };
        let operator = operator(Privilege::ConfirmPayments);
        let answer = ConfirmedTransfer::refund(&operator, refund, facts, at(now));
        // Only for one of these reasons is it refused.
        let in_range = record.refunded.amount() <= total.into()
            && total <= record.transfer.amount().amount().try_into().unwrap();
        let is_told = matches!(
            answer,
            Err(TransferRefundError::LaterPaid
                | TransferRefundError::Unattributed
                | TransferRefundError::Retracted)
        );
        assert!(answer.is_ok() || !in_range || is_told, "{answer:?}");
        if let Ok(Answer::Fresh(change)) = answer {
            assert_eq!(change.record().expected_version(), record.version);
            let after = change.record().row().clone();
            if then == AfterRefund::KeepService {
                let gesture = after.taken_back.checked_sub(record.taken_back).unwrap();
                self.gestures = self.gestures.checked_add(gesture).unwrap();
            }
            self.records[which] = after;
            if let Some(ended) = change.subscription() {
                assert_eq!(ended.row().status, SubscriptionStatus::Canceled);
                self.facts.subscription = Some(ended.row().clone());
            }
            self.deposit(change.deposit());
            self.paid_time(change.paid_time());
        }
    }

    fn retract(&mut self, which: usize, now: i64) {
        let Some(record) = self.records.get(which).cloned() else {
            return;
        };
        let facts = RetractionFacts {
            charge: None,
            account: self.facts.account.clone(),
            subscription: self.facts.subscription.clone(),
            paid_time: self.facts.paid_time.clone(),
            deposit: self.facts.deposit.clone(),
            claim: None,
            record: record.clone(),
        };
        let operator = operator(Privilege::ConfirmPayments);
        let change = match ConfirmedTransfer::retract(&operator, facts, at(now)) {
            Ok(Answer::Fresh(change)) => change,
            Ok(Answer::Replayed(replayed)) => return assert_eq!(replayed, record),
            // Only for one of these reasons is it refused.
            Err(
                RetractionError::LaterPaid
                | RetractionError::DepositUsed { .. }
                | RetractionError::Refunded { .. },
            ) => return,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(change.record().expected_version(), record.version);
        self.records[which] = change.record().row().clone();
        self.facts.account = change.account().row().clone();
        if let Some(before) = change.subscription() {
            self.facts.subscription = Some(before.row().clone());
        }
        self.deposit(change.deposit());
        self.paid_time(change.paid_time());
    }

    /// What a host's job does at the end of a period.
    fn apply_deposit(&mut self, now: i64) {
        let (Some(deposit), Some(subscription)) =
            (self.facts.deposit.clone(), self.facts.subscription.clone())
        else {
            return;
        };
        let (account, plan) = (self.facts.account.clone(), self.facts.plan.clone());
        let facts = DepositFacts {
            account,
            plan,
            subscription: subscription.clone(),
            paid_time: self.facts.paid_time.clone().unwrap(),
            deposit,
        };
        if let Some(change) = self.policy.apply_deposit(facts, at(now)).unwrap() {
            assert_eq!(
                change.subscription().expected_version(),
                subscription.version
            );
            assert!(
                change.subscription().row().current_period.unwrap().end > at(now),
                "it pays for time to come"
            );
            self.facts.account = change.account().row().clone();
            self.facts.subscription = Some(change.subscription().row().clone());
            self.deposit(Some(change.deposit()));
            self.paid_time(change.paid_time());
        }
    }

    fn paid_time(&mut self, change: Option<&RowChange<PaidTime>>) {
        if let Some(change) = change {
            let before = self.facts.paid_time.as_ref().unwrap().version();
            assert_eq!(change.expected_version(), before);
            self.facts.paid_time = Some(change.row().clone());
        }
    }

    fn deposit(&mut self, change: Option<&RowChange<Deposit>>) {
        if let Some(change) = change {
            assert_eq!(
                change.expected_version(),
                self.facts
                    .deposit
                    .as_ref()
                    .map_or(0, |deposit| deposit.version)
            );
            self.facts.deposit = Some(change.row().clone());
        }
    }

    /// The number of periods to come for which a payment stands.
    fn periods_ahead(&self, now: i64) -> i64 {
        let facts = self.facts.paid_time.as_ref().unwrap().facts();
        let is_void = |payment: &str| {
            let is_its =
                |fact: &Fact| matches!(fact, Fact::Void(void) if *void.payment == *payment);
            facts.iter().any(is_its)
        };
        let is_given_back = |period: BilledPeriod| {
            let is_its =
                |fact: &Fact| matches!(fact, Fact::Credit(credit) if credit.period == period);
            facts.iter().any(is_its)
        };
        let stands = |fact: &&Fact| match fact {
            Fact::Span(span) => {
                span.period.end() > Some(at(now))
                    && !is_void(&span.payment)
                    && !is_given_back(span.period)
            }
            _ => false,
        };
        facts.iter().filter(stands).count().try_into().unwrap()
    }

    /// Everything that arrived is accounted for, to the cent, no time is paid twice, and what is to
    /// come was paid for.
    fn check(&self, now: i64) {
        let paid_time = self.facts.paid_time.as_ref().unwrap();
        let schedule = paid_time.schedule();
        let pieces = schedule.pieces();
        for pair in pieces.windows(2) {
            assert!(
                pair[0].paid.end <= pair[1].paid.start,
                "no time is paid twice"
            );
        }
        if !pieces.is_empty() {
            let subscription = self.facts.subscription.as_ref().unwrap();
            assert_eq!(subscription.paid_until, paid_time.paid_until());
        }
        let sum = |part: fn(&ConfirmedTransfer) -> Money| {
            let open = self.records.iter();
            open.filter(|record| record.retracted_at.is_none())
                .fold(euros(0), |sum, record| {
                    sum.checked_add(part(record)).unwrap()
                })
        };
        let arrived = sum(|record| record.transfer.amount())
            .checked_add(sum(|record| record.written_off))
            .and_then(|arrived| arrived.checked_sub(sum(|record| record.refunded)))
            .unwrap();
        let kept = self
            .facts
            .deposit
            .as_ref()
            .map_or(euros(0), |deposit| deposit.amount);
        // What paid for periods, by a transfer or from the deposit, less what of it was given back.
        let by_itself = self
            .facts
            .deposit
            .as_ref()
            .map_or(euros(0), |deposit| deposit.applied);
        let earned = sum(|record| record.applied).checked_add(by_itself).unwrap();
        let earned = earned.checked_sub(sum(|record| record.taken_back)).unwrap();
        let parts = [kept, sum(|record| record.noted)];
        let accounted = parts
            .into_iter()
            .try_fold(earned, |sum, part| sum.checked_add(part));
        assert_eq!(Some(arrived), accounted);
        let paid = earned.checked_add(self.gestures).unwrap();
        let ahead = euros(49 * self.periods_ahead(now));
        assert!(paid.checked_sub(ahead).is_some(), "{ahead} for {paid}");
        for record in &self.records {
            assert!(
                record
                    .transfer
                    .amount()
                    .checked_sub(record.refunded)
                    .is_some(),
                "refunds add up to at most the transfer"
            );
            assert_eq!(record.applied, euros(49 * i64::from(record.periods)));
            let tolerance = self.tolerance.unwrap_or(euros(0));
            assert!(tolerance.checked_sub(record.written_off).is_some());
            assert!(record.periods > 0 || record.written_off.is_zero());
        }
    }
}

proptest! {
    /// Whatever is paid in whatever parts, doubled, refunded and retracted: the books add up, no
    /// period is paid twice, and what was confirmed twice changes nothing.
    #[test]
    fn b5_the_books_add_up(
        steps in prop::collection::vec((0usize..8, 1i64..200, 0i64..40, 0u8..8, any::<bool>(), 0i64..200), 1..24),
        overpaid in prop::sample::select(vec![Overpayment::Note, Overpayment::Deposit, Overpayment::NextPeriods]),
        tolerance in prop::option::of((1i64..60).prop_map(euros)),
    ) {
        let mut books = Books::new(overpaid, tolerance);
        let mut now = 10;
        for (number, amount, days, what, ends, total) in steps {
            now += days * 86_400;
            if ends {
                books.apply_deposit(now);
            }
            if what == 0 {
                books.retract(number, now);
            } else if what < 4 {
                let then = if ends { AfterRefund::EndService } else { AfterRefund::KeepService };
                books.refund(number, total, then, now);
            } else if let Some(record) = books.confirm(number, amount, now) {
                let before = (books.facts.clone(), books.records.clone());
                prop_assert_eq!(books.confirm(number, amount, now + 1), Some(record));
                prop_assert_eq!(format!("{:?}", before), format!("{:?}", (&books.facts, &books.records)));
            }
            books.check(now);
        }
    }

    /// Two pairs of references never share the key of their grant, nor that of a span: no transfer
    /// can take another's place.
    #[test]
    fn b5_two_transfers_never_share_a_key(
        a in "[0-9A-Z/]{1,6}", b in "[0-9A-Z/]{1,6}", c in "[0-9A-Z/]{1,6}", d in "[0-9A-Z/]{1,6}",
    ) {
        let keys = |receiving: &str, transaction: &str| {
            let (receiving, transaction) = (receiving.parse().unwrap(), transaction.parse().unwrap());
            let day = "2027-01-15".parse().unwrap();
            let transfer = BankTransfer::new(receiving, transaction, day, euros(49), "Wayne", PROOF).unwrap();
            let paid = facts(AccountStatus::PendingPayment, SubscriptionStatus::Incomplete);
            let mut top_up = paid.clone();
            (top_up.plan, top_up.subscription) = (Arc::new(plan(49, false)), None);
            let grant = fresh(confirm(&transfer, top_up)).grants()[0].key().to_owned();
            let change = fresh(confirm(&transfer, paid));
            let span = change.paid_time().unwrap().row().facts()[0].key().to_string();
            (grant, span)
        };
        let (one, other) = (keys(&a, &b), keys(&c, &d));
        prop_assert_eq!(one.0 == other.0, (&a, &b) == (&c, &d));
        prop_assert_eq!(one.1 == other.1, (&a, &b) == (&c, &d));
    }
}
