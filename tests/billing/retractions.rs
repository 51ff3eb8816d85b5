//! Retractions of bank transfers, with the wallets: P5, and money that was confirmed for the wrong
//! account.

use std::slice;
use std::sync::Arc;

use crate::support::*;
use crate::tables::legacy;
use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::{
    BankTransfer, ConfirmError, ConfirmedTransfer, Deposit, RetractionChange, RetractionError,
    RetractionFacts, TransferFacts,
};
use bailiwick::change::Answer;
use bailiwick::credit::{Cause, DeductRequest, GrantTerms, PriceList};
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span, Void};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Period;
use bailiwick::policy::{Overpayment, PolicySettings};
use bailiwick::right::Privilege;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{Account, Plan, Policy, Principal, Subscription, Tenant, Wallet};
use chrono::{DateTime, Utc};
use proptest::prelude::*;

const DAY: i64 = 86_400;

/// One account with its rows, written as the changes say, and a wallet that is aligned with them.
#[derive(Clone)]
struct World {
    policy: Policy,
    plan: Arc<Plan>,
    account: Account,
    subscription: Subscription,
    paid_time: PaidTime,
    deposit: Option<Deposit>,
    wallet: Wallet,
    records: Vec<ConfirmedTransfer>,
    spent: i64,
}

impl World {
    /// An account that has a gift of 300 credits, and a subscription in a status.
    fn new(id: i64, status: SubscriptionStatus, settings: PolicySettings) -> Self {
        let policy = Policy::load(settings).unwrap();
        let period = Period {
            start: at(-30 * DAY),
            end: at(1_000),
        };
        let method = PaymentMethod::Stripe;
        // What waits for its first payment waits for 30 days.
        let began = match status {
            SubscriptionStatus::Incomplete => at(0),
            _ => at(-20 * DAY),
        };
        let new = Subscription::new(id.into(), id.into(), 1.into(), method, began);
        let subscription = Subscription {
            status,
            current_period: (status != SubscriptionStatus::Incomplete).then_some(period),
            trial_end: (status == SubscriptionStatus::Trialing).then_some(at(1_000)),
            past_due_since: (status == SubscriptionStatus::PastDue).then_some(at(-5)),
            ..new
        };
        let account = Account {
            payment_method: method,
            ..account(id, AccountStatus::PendingPayment)
        };

        let desk = operator(Privilege::GrantCredits);
        let key = "gift".parse().unwrap();
        let cause = Cause::promotion(&desk, &account.id, &key).unwrap();
        let terms = GrantTerms::forever(credits(300));
        let wallet = Wallet::open(id.into(), at(0));
        let Ok(Answer::Fresh(gift)) = wallet.grant(&cause, terms, None, at(0)) else {
            panic!("a gift is granted")
        };
        Self {
            policy,
            plan: Arc::new(plan(49, true)),
            account,
            subscription,
            paid_time: PaidTime::new(id.into(), id.into()),
            deposit: None,
            wallet: gift.wallet().clone(),
            records: vec![],
            spent: 0,
        }
    }

    fn align(&mut self, now: DateTime<Utc>) {
        let (schedule, terms) = (self.paid_time.schedule(), self.policy.align_terms());
        if let Some(change) = self.wallet.clone().align(&schedule, terms, now).unwrap() {
            self.wallet = change.wallet().clone();
        }
    }

    /// Confirms a transfer, with all rows of the registry that it may be one of.
    fn confirm(
        &mut self,
        transfer: &BankTransfer,
        prior: &[ConfirmedTransfer],
        now: i64,
    ) -> Result<ConfirmedTransfer, ConfirmError> {
        let facts = TransferFacts {
            charge: None,
            account: self.account.clone(),
            plan: self.plan.clone(),
            subscription: Some(self.subscription.clone()),
            paid_time: Some(self.paid_time.clone()),
            deposit: self.deposit.clone(),
            claim: None,
            prior: prior.to_vec(),
        };
        let desk = operator(Privilege::ConfirmPayments);
        let answer = self
            .policy
            .confirm_bank_transfer(&desk, transfer, facts, at(now))?;
        let change = match answer {
            Answer::Fresh(change) => change,
            Answer::Replayed(record) => return Ok(record),
        };

        self.account = change.account().row().clone();
        if let Some(change) = change.subscription() {
            self.subscription = change.row().clone();
        }
        if let Some(change) = change.deposit() {
            self.deposit = Some(change.row().clone());
        }
        if let Some(change) = change.paid_time() {
            self.paid_time = change.row().clone();
            self.align(at(now));
        }
        self.records.push(change.record().clone());
        Ok(change.record().clone())
    }

    /// Asks to retract the latest transfer.
    fn retraction(
        &self,
        now: i64,
    ) -> Result<Answer<RetractionChange, ConfirmedTransfer>, RetractionError> {
        let facts = RetractionFacts {
            charge: None,
            record: self.records.last().unwrap().clone(),
            account: self.account.clone(),
            subscription: Some(self.subscription.clone()),
            paid_time: Some(self.paid_time.clone()),
            deposit: self.deposit.clone(),
            claim: None,
        };
        let desk = operator(Privilege::ConfirmPayments);
        ConfirmedTransfer::retract(&desk, facts, at(now))
    }

    /// Retracts the latest transfer.
    fn retract(&mut self, now: i64) -> ConfirmedTransfer {
        let Ok(Answer::Fresh(change)) = self.retraction(now) else {
            panic!("the latest transfer is retracted once")
        };

        self.account = change.account().row().clone();
        if let Some(change) = change.subscription() {
            self.subscription = change.row().clone();
        }
        if let Some(change) = change.deposit() {
            self.deposit = Some(change.row().clone());
        }
        if let Some(change) = change.paid_time() {
            self.paid_time = change.row().clone();
            self.align(at(now));
        }
        *self.records.last_mut().unwrap() = change.record().row().clone();
        change.record().row().clone()
    }

    /// Spends credits, if the gate and the wallet let it.
    fn spend(&mut self, amount: i64, now: i64) {
        let tenant = Tenant {
            plan: Some(self.plan.clone()),
            subscription: Some(self.subscription.clone()),
            ..Tenant::new(self.account.clone())
        };
        let principal = Principal::session(1.into()).of_account(self.account.id.clone());
        let policy = &self.policy;
        let Ok(access) = policy.validate_account_and_plan(&principal, Some(&tenant), at(now))
        else {
            return;
        };
        let prices: PriceList = serde_json::from_str(r#"{ "unit": { "per_unit": "1" } }"#).unwrap();
        let request = DeductRequest {
            key: format!("spend-{now}-{}", self.spent).parse().unwrap(),
            quote: prices.quote("unit", amount.unsigned_abs()).unwrap(),
            fingerprint: None,
        };
        if let Ok(Answer::Fresh(change)) =
            self.wallet.clone().deduct(&access, &request, None, at(now))
        {
            self.wallet = change.wallet().clone();
            self.spent += amount;
        }
    }

    /// What is free, less what is owed, in millionths of a credit.
    fn worth(&self, now: i64) -> i64 {
        let balance = self.wallet.balance_at(at(now)).unwrap();
        balance.free.micros() - balance.debt.micros()
    }

    /// Everything but the wallet, the registry and versions.
    fn rows(&self) -> impl PartialEq + std::fmt::Debug {
        let account = Account {
            version: 0,
            ..self.account.clone()
        };
        let subscription = Subscription {
            version: 0,
            ..self.subscription.clone()
        };
        let deposit = self.deposit.as_ref().map(|deposit| deposit.amount);
        let schedule = self.paid_time.schedule();
        (account, subscription, deposit.unwrap_or(euros(0)), schedule)
    }
}

fn transfer(transaction: &str, amount: i64) -> BankTransfer {
    BankTransfer::new(
        "DE02120300000000202051".parse().unwrap(),
        transaction.parse().unwrap(),
        "2027-01-15".parse().unwrap(),
        euros(amount),
        "Wayne Ltd",
        "https://bank.example/statement/1",
    )
    .unwrap()
}

/// So many credits, in millionths.
fn whole(credits: i64) -> i64 {
    credits * 1_000_000
}

/// A transfer that was meant for account 8 is confirmed for account 7, retracted there, and
/// confirmed for the right one. Account 7 is as it was before, and owes what it has spent.
#[test]
fn p5_a_transfer_for_the_wrong_account_finds_the_right_one() {
    let settings = PolicySettings::default;
    let mut wrong = World::new(7, SubscriptionStatus::Incomplete, settings());
    let mut right = World::new(8, SubscriptionStatus::Incomplete, settings());
    let before = wrong.clone();
    let paid = transfer("tx-1", 49);

    let record = wrong.confirm(&paid, &[], 10).unwrap();
    assert_eq!(wrong.worth(10), whole(800));
    wrong.spend(600, 20);
    assert_eq!(wrong.spent, 600);

    // As long as it stands, it is nobody else's.
    let conflict = right.confirm(&paid, &[record], 30);
    assert!(matches!(conflict, Err(ConfirmError::Conflict { .. })));

    let retracted = wrong.retract(40);
    assert_eq!(retracted.retracted_at, Some(at(40)));
    assert_eq!(
        format!("{:?}", wrong.rows()),
        format!("{:?}", before.rows())
    );
    assert_eq!(wrong.worth(40), whole(300 - 600));

    let record = right
        .confirm(&paid, slice::from_ref(&retracted), 50)
        .unwrap();
    assert_eq!(record.retractions, 1);
    assert_eq!(right.account.status, AccountStatus::Active);
    assert_eq!(right.subscription.status, SubscriptionStatus::Active);
    assert_eq!(right.worth(50), whole(800));

    // And the other way round it stays a conflict.
    let again = wrong.confirm(&paid, &[retracted, record], 60);
    assert!(matches!(again, Err(ConfirmError::Conflict { .. })));
}

/// An upgrade that other money has paid stands on the transfer's time: it goes first, or the rest of
/// a dear month would be had for the difference alone.
#[test]
fn pf5_a_transfer_is_not_retracted_below_an_upgrade() {
    let mut world = World::new(7, SubscriptionStatus::Incomplete, PolicySettings::default());
    world.confirm(&transfer("tx", 49), &[], 10).unwrap();
    let period = world.subscription.current_period.unwrap();
    let upgrade = Span {
        key: "charge-1/0".into(),
        payment: "charge-1".into(),
        period: BilledPeriod::Whole(period),
        from: at(5 * DAY),
        grid: Grid::of_plan(&world.plan),
        amount: credits(2_000),
        made: at(5 * DAY),
        received: at(5 * DAY),
    };
    let change = world.paid_time.clone().record([Fact::Span(upgrade)]);
    world.paid_time = change.unwrap().unwrap().into_row();
    world.align(at(5 * DAY));
    assert_eq!(world.retraction(6 * DAY), Err(RetractionError::LaterPaid));

    let void = Void {
        key: "void/charge-1".into(),
        payment: "charge-1".into(),
    };
    let change = world.paid_time.clone().record([Fact::Void(void)]);
    world.paid_time = change.unwrap().unwrap().into_row();
    world.align(at(6 * DAY));
    world.retract(6 * DAY);
    assert_eq!(world.worth(6 * DAY), whole(300));
}

/// A record of yesterday's version is read, and knows nothing of what came later.
#[test]
fn b5_a_record_of_before_booking_dates_is_read() {
    let mut world = World::new(7, SubscriptionStatus::Incomplete, PolicySettings::default());
    let record = world.confirm(&transfer("tx", 49), &[], 10).unwrap();

    let old = legacy(&record);
    assert_eq!((old.retractions, old.written_off), (0, euros(0)));
    assert_eq!(
        (old.transfer.booked_on(), old.undo.is_some()),
        (None, false)
    );
    assert_eq!(old.applied, record.applied);

    // What is written is read again, in both forms, and a request without a date is refused.
    for record in [&record, &old] {
        let text = serde_json::to_string(record).unwrap();
        assert_eq!(
            serde_json::from_str::<ConfirmedTransfer>(&text).unwrap(),
            *record
        );
    }
    let request = serde_json::to_string(&old.transfer).unwrap();
    let refused = serde_json::from_str::<BankTransfer>(&request).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("the day on which it was booked")
    );
    let day = |text: &str| text.parse().unwrap();
    let other = transfer("tx", 49)
        .different_from(day("2027-01-20"))
        .different_from(day("2027-03-20"));
    let text = serde_json::to_string(&other).unwrap();
    assert!(
        text.contains("2027-01-20") && !text.contains("2027-03-20"),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<BankTransfer>(&text).unwrap(), other);
}

proptest! {
    /// Whatever was there before, and whatever was spent since: after its retraction a transfer is
    /// as if it had never been, in all rows but their versions, and in what is free less what is
    /// owed, while its windows run.
    #[test]
    fn p5_a_transfer_and_its_retraction_are_as_if_it_had_never_been(
        status in prop::sample::select(vec![
            SubscriptionStatus::Incomplete, SubscriptionStatus::Trialing, SubscriptionStatus::Active,
            SubscriptionStatus::PastDue, SubscriptionStatus::Unpaid, SubscriptionStatus::Paused,
        ]),
        first in prop::option::of(1i64..160),
        amount in 1i64..160,
        overpayment in prop::sample::select(vec![
            Overpayment::Note, Overpayment::Deposit, Overpayment::NextPeriods,
        ]),
        tolerance in prop::option::of((1i64..20).prop_map(euros)),
        spending in prop::collection::vec((1i64..400, 0i64..4 * DAY), 0..6),
        wait in 0i64..DAY,
    ) {
        let settings = PolicySettings {
            overpayment,
            transfer_tolerance: tolerance,
            ..PolicySettings::default()
        };
        let mut never = World::new(7, status, settings);
        if let Some(first) = first {
            never.confirm(&transfer("first", first), &[], 10).unwrap();
        }
        let mut world = never.clone();
        let mut now = 10 + wait;
        let Ok(record) = world.confirm(&transfer("second", amount), &[], now) else {
            return Ok(());
        };
        for (credits, pause) in spending {
            now += pause;
            world.spend(credits, now);
        }
        let retracted = world.retract(now);

        prop_assert_eq!(format!("{:?}", world.rows()), format!("{:?}", never.rows()));
        prop_assert_eq!(world.worth(now), never.worth(now) - whole(world.spent));

        // It may be confirmed again, and is another payment then.
        let again = world.confirm(&transfer("second", amount), &[retracted], now).unwrap();
        prop_assert_eq!(again.retractions, 1);
        prop_assert_eq!(again.periods, record.periods);
    }
}
