//! Charges that are paid by transfers, with the wallet: case 7 end to end, and the books.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{operator, plan as support_plan};
use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::{
    AfterRefund, BankTransfer, ConfirmError, ConfirmedTransfer, Deposit, DepositFacts, RefundFacts,
    RetractionError, RetractionFacts, TransferChange, TransferFacts, TransferRefund,
    TransferRefundError,
};
use bailiwick::change::{Answer, RowChange, RowError};
use bailiwick::charge::{
    Charge, ChargeOpened, ChargeState, CreditPack, NextPeriodFacts, NotPayable, PlanChangeFacts,
};
use bailiwick::credit::Outcome;
use bailiwick::gate::BillingAccess;
use bailiwick::money::Currency;
use bailiwick::paid_time::{Fact, PaidTime};
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::period::Interval;
use bailiwick::policy::{Overpayment, PolicySettings, Upgrades};
use bailiwick::provider::{PaidCharge, PaymentError, ProviderCharge, ProviderChargeFacts};
use bailiwick::right::Privilege;
use bailiwick::rust_decimal::Decimal;
use bailiwick::subscription::{Command, SubscriptionStatus};
use bailiwick::{
    Account, Credits, Evidence, Money, Plan, Policy, Principal, Route, Subscription, Tenant,
    Wallet, admit,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

fn day(text: &str) -> DateTime<Utc> {
    format!("2027-{text}T00:00:00Z").parse().unwrap()
}

fn euros(text: &str) -> Money {
    Money::new(text.parse().unwrap(), Currency::EUR).unwrap()
}

fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

fn plan(id: i64, price: &str, amount: u32) -> Arc<Plan> {
    Arc::new(Plan {
        credits: Credits::whole(amount),
        ..Plan::new(id.into(), euros(price), Interval::MONTHLY)
    })
}

fn pack() -> CreditPack {
    CreditPack::new("Small pack", euros("20"), Credits::whole(1_000))
}

fn fresh<T, R: std::fmt::Debug>(answer: Answer<T, R>) -> T {
    match answer {
        Answer::Fresh(fresh) => fresh,
        Answer::Replayed(before) => panic!("it was answered before: {before:?}"),
    }
}

/// A transfer as the statement has it: the text is what the payer wrote.
struct Arrival<'a> {
    transaction: &'a str,
    amount: Money,
    text: &'a str,
    booked: DateTime<Utc>,
}

fn arrival<'a>(transaction: &'a str, amount: &str, text: &'a str, booked: &str) -> Arrival<'a> {
    Arrival {
        transaction,
        amount: euros(amount),
        text,
        booked: day(booked),
    }
}

/// The rows of one account, written as the changes say.
#[derive(Clone, Debug)]
struct Desk {
    policy: Policy,
    plans: [Arc<Plan>; 2],
    account: Account,
    subscription: Subscription,
    paid_time: PaidTime,
    deposit: Option<Deposit>,
    wallet: Wallet,
    outcomes: BTreeMap<String, Outcome>,
    records: Vec<ConfirmedTransfer>,
    /// By what a payer writes on the transfer.
    charges: BTreeMap<String, Charge>,
}

impl Desk {
    /// Account 7 with basic, which nobody has paid yet.
    fn new(settings: PolicySettings) -> Self {
        let method = PaymentMethod::BankTransfer;
        let start = day("01-01");
        Self {
            policy: Policy::load(settings).unwrap(),
            plans: [plan(3, "19", 500), plan(4, "49", 2_000)],
            account: Account::new(7.into(), AccountStatus::PendingPayment, method),
            subscription: Subscription::new(1.into(), 7.into(), 3.into(), method, start),
            paid_time: PaidTime::new(7.into(), 1.into()),
            deposit: None,
            wallet: Wallet::open(7.into(), start),
            outcomes: BTreeMap::new(),
            records: vec![],
            charges: BTreeMap::new(),
        }
    }

    /// The same, after January was paid by a transfer.
    fn paid(settings: PolicySettings) -> Self {
        let mut desk = Self::new(settings);
        let january = arrival("january", "19", "basic, please", "01-01");
        let change = desk.confirm(&january, day("01-01")).unwrap();
        assert_eq!(fresh(change).record().periods, 1);
        assert_eq!(desk.free(), credits("500"));
        desk
    }

    fn free(&self) -> Credits {
        self.wallet.balance().free
    }

    fn kept(&self) -> Money {
        self.deposit
            .as_ref()
            .map_or(euros("0"), |deposit| deposit.amount)
    }

    fn plan(&self) -> Arc<Plan> {
        let next = self.subscription.next_plan();
        let plan = self.plans.iter().find(|plan| plan.id == *next);
        plan.unwrap().clone()
    }

    fn access(&self) -> BillingAccess {
        let payer = Evidence::Verified(Principal::session(2.into()).of_account(7.into()));
        let tenant = Tenant::new(self.account.clone());
        let admitted = admit(Route::Billing, &payer, Some(&tenant), day("01-01"));
        admitted.into_result().unwrap().into_billing().unwrap()
    }

    fn plan_change(&self, to: usize) -> PlanChangeFacts {
        PlanChangeFacts {
            account: self.account.clone(),
            subscription: self.subscription.clone(),
            from: self.plans[1 - to].clone(),
            to: self.plans[to].clone(),
            paid_time: self.paid_time.clone(),
            prior: None,
        }
    }

    fn opened(&mut self, opened: ChargeOpened) -> String {
        if let Some(change) = opened.account() {
            assert_eq!(change.expected_version(), self.account.version);
            self.account = change.row().clone();
        }
        if let Some(change) = opened.subscription() {
            assert_eq!(change.expected_version(), self.subscription.version);
            self.subscription = change.row().clone();
        }
        let charge = opened.charge().row().clone();
        let reference = charge.reference();
        self.charges.insert(reference.clone(), charge);
        reference
    }

    fn upgrade(&mut self, id: i64, now: DateTime<Utc>) -> Option<String> {
        let facts = self.plan_change(1);
        let answer = self
            .policy
            .open_upgrade(&self.access(), id.into(), facts, now);
        answer.ok().map(|answer| self.opened(fresh(answer)))
    }

    fn pack(&mut self, id: i64, now: DateTime<Utc>) -> String {
        let answer = self
            .policy
            .open_credit_pack(&self.access(), id.into(), pack(), None, now);
        self.opened(fresh(answer.unwrap()))
    }

    fn period(&mut self, id: i64, now: DateTime<Utc>) -> Option<String> {
        let facts = NextPeriodFacts {
            account: self.account.clone(),
            subscription: self.subscription.clone(),
            plan: self.plan(),
            prior: None,
        };
        let answer = self
            .policy
            .open_period(&self.access(), id.into(), facts, now);
        answer.ok().map(|answer| self.opened(fresh(answer)))
    }

    fn downgrade(&mut self, id: i64, now: DateTime<Utc>) -> Option<Money> {
        let facts = self.plan_change(0);
        let answer = self
            .policy
            .downgrade_now(&self.access(), id.into(), facts, now);
        let change = fresh(answer.ok()?);
        let kept = Deposit::with_credited(self.deposit.as_ref(), &change).unwrap();
        self.account = change.account().row().clone();
        self.subscription = change.subscription().row().clone();
        let charge = change.charge().row().clone();
        self.charges.insert(charge.reference(), charge);
        self.write_deposit(kept.as_ref());
        self.write_paid_time(change.paid_time(), now);
        Some(change.credited())
    }

    fn write_deposit(&mut self, change: Option<&RowChange<Deposit>>) {
        if let Some(change) = change {
            let before = self.deposit.as_ref().map_or(0, |deposit| deposit.version);
            assert_eq!(change.expected_version(), before);
            self.deposit = Some(change.row().clone());
        }
    }

    fn write_paid_time(&mut self, change: Option<&RowChange<PaidTime>>, now: DateTime<Utc>) {
        if let Some(change) = change {
            assert_eq!(change.expected_version(), self.paid_time.version());
            self.paid_time = change.row().clone();
        }
        let (schedule, terms) = (self.paid_time.schedule(), self.policy.align_terms());
        if let Some(change) = self.wallet.clone().align(&schedule, terms, now).unwrap() {
            self.wallet = change.wallet().clone();
        }
    }

    fn write_subscription(&mut self, change: Option<&RowChange<Subscription>>) {
        if let Some(change) = change {
            assert_eq!(change.expected_version(), self.subscription.version);
            self.subscription = change.row().clone();
        }
    }

    fn write_charge(&mut self, change: Option<&RowChange<Charge>>) {
        if let Some(change) = change {
            let before = self
                .charges
                .insert(change.row().reference(), change.row().clone());
            assert_eq!(change.expected_version(), before.unwrap().version);
        }
    }

    fn confirm(
        &mut self,
        arrival: &Arrival<'_>,
        now: DateTime<Utc>,
    ) -> Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError> {
        let transfer = BankTransfer::new(
            "DE02120300000000202051".parse().unwrap(),
            arrival.transaction.parse().unwrap(),
            arrival.booked.date_naive(),
            arrival.amount,
            "Wayne Ltd",
            "https://bank.example/statement/1",
        );
        let transfer = transfer.unwrap();
        let prior = self
            .records
            .iter()
            .filter(|record| record.transfer.transaction() == transfer.transaction());
        let facts = TransferFacts {
            account: self.account.clone(),
            charge: self.charges.get(arrival.text).cloned(),
            plan: self.plan(),
            subscription: Some(self.subscription.clone()),
            paid_time: Some(self.paid_time.clone()),
            deposit: self.deposit.clone(),
            claim: None,
            prior: prior.cloned().collect(),
        };
        let answer = self.policy.confirm_bank_transfer(
            &operator(Privilege::ConfirmPayments),
            &transfer,
            facts,
            now,
        )?;
        if let Answer::Fresh(change) = &answer {
            assert_eq!(change.account().expected_version(), self.account.version);
            self.account = change.account().row().clone();
            self.write_subscription(change.subscription());
            assert_eq!(*change.plan(), self.subscription.plan);
            self.write_deposit(change.deposit());
            self.write_charge(change.charge());
            self.write_paid_time(change.paid_time(), now);
            for due in change.grants() {
                let prior = self.outcomes.get(due.key());
                let granted = self.wallet.clone().grant_due(due, prior, now).unwrap();
                let granted = granted.expect("each key is granted once");
                let outcome = granted.outcome().unwrap().outcome().clone();
                self.outcomes.insert(outcome.key().to_owned(), outcome);
                self.wallet = granted.wallet().clone();
            }
            self.records.push(change.record().clone());
        }
        Ok(answer)
    }

    fn retract(&mut self, which: usize, now: DateTime<Utc>) -> Result<(), RetractionError> {
        let record = self.records[which].clone();
        let charge = record.charge.as_ref();
        let charge = charge.and_then(|id| self.charges.values().find(|charge| charge.id == *id));
        let facts = RetractionFacts {
            record: record.clone(),
            account: self.account.clone(),
            subscription: Some(self.subscription.clone()),
            paid_time: record
                .subscription
                .is_some()
                .then(|| self.paid_time.clone()),
            deposit: self.deposit.clone(),
            claim: None,
            charge: charge.cloned(),
        };
        let desk = operator(Privilege::ConfirmPayments);
        let change = match ConfirmedTransfer::retract(&desk, facts, now)? {
            Answer::Fresh(change) => change,
            Answer::Replayed(_) => return Ok(()),
        };

        assert_eq!(change.account().expected_version(), self.account.version);
        self.account = change.account().row().clone();
        self.write_subscription(change.subscription());
        self.write_deposit(change.deposit());
        self.write_charge(change.charge());
        assert_eq!(change.charge().is_some(), record.paid_charge().is_some());
        self.write_paid_time(change.paid_time(), now);
        for due in change.revocations() {
            let revoked = self.wallet.clone().revoke_due(due, None, now).unwrap();
            self.wallet = revoked.unwrap().wallet().clone();
        }
        self.records[which] = change.record().row().clone();
        Ok(())
    }

    fn refund(
        &mut self,
        which: usize,
        refund: TransferRefund,
        now: DateTime<Utc>,
    ) -> Result<(), TransferRefundError> {
        let record = self.records[which].clone();
        let facts = RefundFacts {
            subscription: Some(self.subscription.clone()),
            deposit: self.deposit.clone(),
            paid_time: record
                .subscription
                .is_some()
                .then(|| self.paid_time.clone()),
            record,
        };
        let desk = operator(Privilege::ConfirmPayments);
        if let Answer::Fresh(change) = ConfirmedTransfer::refund(&desk, refund, facts, now)? {
            self.write_subscription(change.subscription());
            self.write_deposit(change.deposit());
            self.write_paid_time(change.paid_time(), now);
            for due in change.revocations() {
                let revoked = self.wallet.clone().revoke_due(due, None, now).unwrap();
                if let Some(revoked) = revoked {
                    self.wallet = revoked.wallet().clone();
                }
            }
            self.records[which] = change.record().row().clone();
        }
        Ok(())
    }

    fn apply_deposit(&mut self, now: DateTime<Utc>) {
        let Some(deposit) = self.deposit.clone() else {
            return;
        };
        let facts = DepositFacts {
            account: self.account.clone(),
            plan: self.plan(),
            subscription: self.subscription.clone(),
            paid_time: self.paid_time.clone(),
            deposit,
        };
        if let Some(change) = self.policy.apply_deposit(facts, now).unwrap() {
            self.account = change.account().row().clone();
            self.write_subscription(Some(change.subscription()));
            self.write_deposit(Some(change.deposit()));
            self.write_paid_time(change.paid_time(), now);
        }
    }

    /// The books of the page: what was received is what was used, to the cent.
    fn check_books(&self) {
        let open = || self.records.iter().filter(|row| row.retracted_at.is_none());
        let sum = |part: fn(&ConfirmedTransfer) -> Money| {
            open().map(|row| part(row).amount()).sum::<Decimal>()
        };
        let deposit = |part: fn(&Deposit) -> Money| {
            let part = self.deposit.as_ref().map(part);
            part.map_or(Decimal::ZERO, |money| money.amount())
        };

        let received = sum(|row| row.transfer.amount()) - sum(|row| row.refunded)
            + sum(|row| row.written_off)
            + deposit(|deposit| deposit.credited);
        let used = sum(|row| row.applied) - sum(|row| row.taken_back)
            + sum(|row| row.noted)
            + deposit(|deposit| deposit.applied)
            + deposit(|deposit| deposit.amount);
        assert_eq!(received, used);

        // What was left over is on record, and a charge is paid by one transfer that stands.
        let credited: Decimal = self
            .charges
            .values()
            .map(|charge| charge.credited().amount())
            .sum();
        assert_eq!(deposit(|deposit| deposit.credited), credited);
        for charge in self
            .charges
            .values()
            .filter(|charge| !charge.amount.is_zero())
        {
            let is_paid = matches!(charge.state, ChargeState::Paid { .. });
            let payers = open().filter(|row| row.paid_charge() == Some(&charge.id));
            assert_eq!(payers.count(), usize::from(is_paid), "{charge}");
        }
        for row in &self.records {
            let paid = row.paid_charge();
            let charge = self
                .charges
                .values()
                .find(|charge| Some(&charge.id) == paid);
            assert!(charge.is_none_or(|charge| charge.amount == row.applied));
        }
    }
}

fn keeping() -> PolicySettings {
    PolicySettings {
        overpayment: Overpayment::Deposit,
        ..PolicySettings::default()
    }
}

/// Case 7: the money pays the upgrade, the plan is pro from then on, and what is left over is kept.
#[test]
fn b5_a_transfer_pays_the_upgrade_whose_reference_it_carries() {
    let mut desk = Desk::paid(keeping());
    let reference = desk.upgrade(50, day("01-16")).unwrap();
    assert_eq!(reference, "CH-50");
    assert_eq!(desk.subscription.plan, 3.into());

    let thirty = arrival("tx", "30", "CH-50", "01-16");
    let change = fresh(desk.confirm(&thirty, day("01-16")).unwrap());
    assert_eq!((change.plan(), change.not_payable()), (&4.into(), None));
    assert_eq!(change.record().charge, Some(50.into()));
    assert_eq!(change.record().periods, 0);
    assert_eq!(change.record().applied, euros("15.48"));
    assert_eq!(desk.kept(), euros("14.52"));
    assert_eq!(desk.free(), credits("1274.193548"));
    assert_eq!(desk.subscription.paid_until, Some(day("02-01")));
    desk.check_books();

    // The same transfer again, and the same for another charge or for none.
    let again = desk.confirm(&thirty, day("01-20")).unwrap();
    assert_eq!(again, Answer::Replayed(desk.records[1].clone()));
    desk.pack(51, day("01-20"));
    for text in ["CH-51", ""] {
        let other = Arrival {
            text,
            ..arrival("tx", "30", text, "01-16")
        };
        let conflict = desk.confirm(&other, day("01-20"));
        assert!(matches!(conflict, Err(ConfirmError::Conflict { .. })));
    }

    // Another transfer for a charge that is paid is a deposit.
    let twice = arrival("ty", "15.48", "CH-50", "01-20");
    let change = fresh(desk.confirm(&twice, day("01-20")).unwrap());
    assert_eq!(change.not_payable(), Some(NotPayable::Paid));
    assert_eq!(change.record().paid_charge(), None);
    assert_eq!(desk.kept(), euros("30"));
    desk.check_books();
}

/// At the period's start the whole difference is due, and the deposit before it counts.
#[test]
fn b5_a_deposit_counts_towards_a_charge() {
    let mut desk = Desk::paid(keeping());
    desk.upgrade(50, day("01-01")).unwrap();
    let part = arrival("tx", "10", "CH-50", "01-02");
    let change = fresh(desk.confirm(&part, day("01-02")).unwrap());
    assert_eq!(change.not_payable(), Some(NotPayable::Short));
    assert_eq!((desk.kept(), desk.free()), (euros("10"), credits("500")));

    let rest = arrival("ty", "20", "CH-50", "01-03");
    let change = fresh(desk.confirm(&rest, day("01-03")).unwrap());
    assert_eq!(change.record().applied, euros("30"));
    assert_eq!((desk.kept(), desk.free()), (euros("0"), credits("2000")));
    desk.check_books();
}

/// Money for a charge that cannot be paid opens no period, even if it would reach the plan's price.
#[test]
fn b5_money_for_a_charge_never_opens_the_plans_period() {
    let none = PolicySettings::default;
    for overpayment in [
        Overpayment::Note,
        Overpayment::Deposit,
        Overpayment::NextPeriods,
    ] {
        let mut desk = Desk::paid(PolicySettings {
            overpayment,
            ..none()
        });
        let reference = desk.upgrade(50, day("01-16")).unwrap();
        let void = desk.charges[&reference].clone();
        let void = void.withdraw(&desk.access(), day("01-17")).unwrap();
        desk.charges.insert(reference, fresh(void).into_row());

        let before = desk.clone();
        let late = arrival("tx", "60", "CH-50", "01-18");
        let change = fresh(desk.confirm(&late, day("01-18")).unwrap());
        assert_eq!(change.not_payable(), Some(NotPayable::Void));
        assert_eq!(change.not_payable().unwrap().label(), "void");
        assert!(change.subscription().is_none() && change.paid_time().is_none());
        assert!(change.charge().is_none() && change.grants().is_empty());
        assert_eq!(desk.kept(), euros("60"));
        assert_eq!(desk.subscription, before.subscription);
        assert_eq!(desk.free(), before.free());
        desk.check_books();

        // It is retracted as any other.
        desk.retract(1, day("01-19")).unwrap();
        assert_eq!(desk.kept(), euros("0"));
        desk.check_books();
    }
}

/// The day on which the money was booked decides, since the operator's delay is no fault of the
/// payer's.
#[test]
fn b5_a_charge_is_valid_on_the_day_of_the_booking() {
    let expired = Some(NotPayable::Expired);
    for (booked, reason) in [("01-13", None), ("01-15", expired), ("01-16", expired)] {
        let mut desk = Desk::paid(keeping());
        let reference = desk.upgrade(50, day("01-01")).unwrap();
        assert_eq!(desk.charges[&reference].valid_until, day("01-15"));

        let money = arrival("tx", "30", "CH-50", booked);
        let change = fresh(desk.confirm(&money, day("01-16")).unwrap());
        assert_eq!(change.not_payable(), reason, "{booked}");
        let expected = if reason.is_some() { "500" } else { "2000" };
        assert_eq!(desk.free(), credits(expected));
        desk.check_books();
    }
}

/// The charge counts as reached within the tolerance, and the rest is written off on record.
#[test]
fn b5_a_charge_may_miss_the_tolerance() {
    let settings = PolicySettings {
        transfer_tolerance: Some(euros("1")),
        ..keeping()
    };
    let mut desk = Desk::paid(settings);
    desk.upgrade(50, day("01-16")).unwrap();
    let short = arrival("tx", "14.47", "CH-50", "01-16");
    let change = fresh(desk.confirm(&short, day("01-16")).unwrap());
    assert_eq!(change.not_payable(), Some(NotPayable::Short));
    desk.retract(1, day("01-16")).unwrap();

    let enough = arrival("ty", "14.48", "CH-50", "01-16");
    let change = fresh(desk.confirm(&enough, day("01-16")).unwrap());
    assert_eq!(change.not_payable(), None);
    assert_eq!(change.record().written_off, euros("1"));
    assert_eq!(change.record().applied, euros("15.48"));
    assert_eq!(desk.kept(), euros("0"));
    assert_eq!(desk.free(), credits("1274.193548"));
    desk.check_books();
}

/// A retraction puts the plan back and opens the charge; the next payment has keys of its own.
#[test]
fn p5_an_upgrade_is_retracted_and_paid_again() {
    for upgrades in [Upgrades::PaidFirst, Upgrades::AtOnce] {
        let mut desk = Desk::paid(PolicySettings {
            upgrades,
            ..keeping()
        });
        let reference = desk.upgrade(50, day("01-16")).unwrap();
        let before = desk.clone();
        let at_once = upgrades == Upgrades::AtOnce;
        assert_eq!(before.subscription.unpaid_plan.is_some(), at_once);

        let money = arrival("tx", "20", "CH-50", "01-17");
        let change = fresh(desk.confirm(&money, day("01-17")).unwrap());
        assert_eq!(change.plan(), &4.into());
        assert_eq!(desk.subscription.unpaid_plan, None);
        assert_eq!(desk.free(), credits("1274.193548"));

        // The money below it cannot go first.
        assert_eq!(
            desk.retract(0, day("01-18")),
            Err(RetractionError::LaterPaid)
        );

        desk.retract(1, day("01-18")).unwrap();
        let versionless = |desk: &Desk| Subscription {
            version: 0,
            ..desk.subscription.clone()
        };
        assert_eq!(versionless(&desk), versionless(&before));
        assert_eq!(desk.charges[&reference].state, ChargeState::Open);
        assert_eq!(desk.charges[&reference].retractions, 1);
        assert_eq!((desk.free(), desk.kept()), (credits("500"), euros("0")));
        desk.check_books();

        let change = fresh(desk.confirm(&money, day("01-19")).unwrap());
        assert_eq!(change.record().retractions, 1);
        assert_eq!(desk.free(), credits("1274.193548"));
        let keys: Vec<String> = desk
            .paid_time
            .facts()
            .iter()
            .filter(|fact| matches!(fact, Fact::Span(_)))
            .map(|fact| fact.key().to_string())
            .filter(|key| key.starts_with("charge/"))
            .collect();
        assert_eq!(keys, ["charge/0/0/50", "charge/1/0/50"]);
        desk.check_books();

        // Whoever leaves the charge out is told.
        let facts = RetractionFacts {
            record: desk.records[2].clone(),
            account: desk.account.clone(),
            subscription: Some(desk.subscription.clone()),
            paid_time: Some(desk.paid_time.clone()),
            deposit: desk.deposit.clone(),
            claim: None,
            charge: None,
        };
        let clerk = operator(Privilege::ConfirmPayments);
        let refused = ConfirmedTransfer::retract(&clerk, facts, day("01-19")).unwrap_err();
        let (left, right) = ("charge", "confirmed transfer");
        assert_eq!(refused, RowError::Mismatch { left, right }.into());
    }
}

/// A pack is granted when it is paid, and its credits go when its money goes.
#[test]
fn b5_a_pack_is_bought_by_transfer() {
    let mut desk = Desk::paid(keeping());
    desk.account.status = AccountStatus::Active;
    let reference = desk.pack(70, day("01-10"));
    let money = arrival("tx", "20", "CH-70", "01-10");
    let change = fresh(desk.confirm(&money, day("01-10")).unwrap());
    assert_eq!(change.grants()[0].key(), "grant/charge/0/70");
    assert_eq!(change.record().credits, Credits::whole(1_000));
    assert_eq!(
        (
            change.record().subscription.as_ref(),
            change.record().periods
        ),
        (None, 0)
    );
    assert!(change.subscription().is_none() && change.paid_time().is_none());
    assert_eq!(desk.free(), credits("1500"));

    desk.retract(1, day("01-11")).unwrap();
    assert_eq!(desk.free(), credits("500"));
    assert_eq!(desk.charges[&reference].state, ChargeState::Open);

    let change = fresh(desk.confirm(&money, day("01-12")).unwrap());
    assert_eq!(change.grants()[0].key(), "grant/charge/1/70");
    assert_eq!(desk.free(), credits("1500"));

    let refund = TransferRefund {
        total: euros("20"),
        then: AfterRefund::EndService,
    };
    desk.refund(2, refund, day("01-13")).unwrap();
    assert_eq!(desk.free(), credits("500"));
    assert_eq!(desk.subscription.status, SubscriptionStatus::Active);
    desk.check_books();
}

/// Nothing follows a subscription that ended before the payment of its upgrade was taken back.
#[test]
fn b5_a_retraction_plans_nothing_after_an_end() {
    let mut desk = Desk::paid(keeping());
    let order = |desk: &mut Desk, command, now| {
        let subscription = desk.subscription.clone();
        desk.subscription = subscription
            .apply(command, now)
            .unwrap()
            .into_subscription();
    };
    let plan = 4.into();
    order(
        &mut desk,
        Command::ChangePlanAtPeriodEnd { plan },
        day("01-10"),
    );
    desk.upgrade(50, day("01-16")).unwrap();
    let money = arrival("tx", "30", "CH-50", "01-16");
    let paid = fresh(desk.confirm(&money, day("01-16")).unwrap());
    assert_eq!(paid.not_payable(), None);
    assert_eq!(desk.subscription.pending_plan, None);

    order(&mut desk, Command::CancelNow, day("01-20"));
    desk.retract(1, day("01-21")).unwrap();
    assert_eq!(desk.subscription.status, SubscriptionStatus::Canceled);
    assert_eq!(desk.subscription.plan, 3.into());
    assert_eq!(desk.subscription.pending_plan, None);
    desk.check_books();
}

/// A refund that ends service gives the time back in which the upgrade was paid for.
#[test]
fn b5_a_refunded_upgrade_ends_the_service_if_it_should() {
    for then in [AfterRefund::KeepService, AfterRefund::EndService] {
        let mut desk = Desk::paid(keeping());
        desk.upgrade(50, day("01-16")).unwrap();
        let money = arrival("tx", "15.48", "CH-50", "01-16");
        let _ = desk.confirm(&money, day("01-16")).unwrap();
        let total = euros("15.48");
        desk.refund(1, TransferRefund { total, then }, day("01-16"))
            .unwrap();

        // On the 16th, 15 of 31 days of basic were used.
        let (free, status) = match then {
            AfterRefund::KeepService => ("1274.193548", SubscriptionStatus::Active),
            AfterRefund::EndService => ("241.935483", SubscriptionStatus::Canceled),
        };
        assert_eq!(
            (desk.free(), desk.subscription.status),
            (credits(free), status)
        );
        desk.check_books();
    }
}

/// A period that is paid by its charge is as one that is paid without.
#[test]
fn b5_a_period_is_paid_by_its_charge() {
    let mut desk = Desk::new(keeping());
    desk.period(80, day("01-01")).unwrap();
    let money = arrival("tx", "20", "CH-80", "01-02");
    let change = fresh(desk.confirm(&money, day("01-02")).unwrap());
    assert_eq!(change.account().row().status, AccountStatus::Active);
    assert_eq!(change.record().periods, 1);
    assert_eq!(change.record().paid_until, Some(day("02-02")));
    assert_eq!((desk.free(), desk.kept()), (credits("500"), euros("1")));
    desk.check_books();

    desk.retract(0, day("01-03")).unwrap();
    assert_eq!(desk.account.status, AccountStatus::PendingPayment);
    assert_eq!(desk.subscription.status, SubscriptionStatus::Incomplete);
    assert_eq!((desk.free(), desk.kept()), (credits("0"), euros("0")));
    desk.check_books();
}

/// What a smaller plan leaves over is in the deposit, on record, and pays the next period.
#[test]
fn b9_what_a_downgrade_leaves_over_is_kept() {
    let mut desk = Desk::paid(keeping());
    desk.upgrade(50, day("01-01")).unwrap();
    let money = arrival("tx", "30", "CH-50", "01-01");
    let _ = desk.confirm(&money, day("01-01")).unwrap();
    assert_eq!(desk.downgrade(60, day("01-01")), Some(euros("30")));
    assert_eq!(desk.free(), credits("500"));
    let deposit = desk.deposit.clone().unwrap();
    assert_eq!(
        (deposit.amount, deposit.credited),
        (euros("30"), euros("30"))
    );
    desk.check_books();

    desk.apply_deposit(day("02-01"));
    let deposit = desk.deposit.clone().unwrap();
    assert_eq!(
        (deposit.amount, deposit.credited),
        (euros("11"), euros("30"))
    );
    assert_eq!(desk.subscription.paid_until, Some(day("03-01")));
    desk.check_books();

    // A row of before is read, and another account's is refused.
    let mut stored = serde_json::to_value(&deposit).unwrap();
    assert_eq!(
        serde_json::from_value::<Deposit>(stored.clone()).unwrap(),
        deposit
    );
    stored.as_object_mut().unwrap().remove("credited").unwrap();
    let old: Deposit = serde_json::from_value(stored).unwrap();
    let credited = euros("0");
    assert_eq!(
        old,
        Deposit {
            credited,
            ..deposit.clone()
        }
    );

    let mut desk = Desk::paid(keeping());
    let facts = PlanChangeFacts {
        from: desk.plans[0].clone(),
        to: plan(5, "9", 100),
        ..desk.plan_change(0)
    };
    let answer = desk
        .policy
        .downgrade_now(&desk.access(), 60.into(), facts, day("01-10"));
    let change = fresh(answer.unwrap());
    desk.deposit = Some(Deposit {
        account: 8.into(),
        ..deposit.clone()
    });
    let kept = |deposit: &Option<Deposit>| Deposit::with_credited(deposit.as_ref(), &change);
    let mismatch = |right| {
        Err(RowError::Mismatch {
            left: "deposit",
            right,
        })
    };
    assert_eq!(kept(&desk.deposit), mismatch("account"));
    let dollars = Money::new(Decimal::ONE, Currency::USD).unwrap();
    desk.deposit = Some(Deposit {
        amount: dollars,
        ..deposit.clone()
    });
    assert_eq!(kept(&desk.deposit), mismatch("charge"));
    let zero = Money::zero(Currency::USD);
    desk.deposit = Some(Deposit {
        amount: zero,
        credited: zero,
        ..deposit
    });
    let row = kept(&desk.deposit).unwrap().unwrap().into_row();
    assert_eq!(
        (row.amount, row.credited),
        (change.credited(), change.credited())
    );
}

/// Case 22: a pack that is bought once by card is granted when it is paid, once.
#[test]
fn b9_a_pack_is_bought_by_card_once() {
    let settings = PolicySettings {
        payment_methods: [PaymentMethod::Stripe, PaymentMethod::BankTransfer].into(),
        ..keeping()
    };
    let mut desk = Desk::paid(settings);
    let reference = desk.pack(70, day("01-10"));
    let report = |payment: &str, amount: &str| ProviderCharge {
        provider: Provider::Stripe,
        charge: "70".to_owned(),
        payment: payment.to_owned(),
        amount: euros(amount),
        at: day("01-11"),
    };
    let facts = |desk: &Desk, prior: Option<PaidCharge>| ProviderChargeFacts {
        charge: desk.charges[&reference].clone(),
        account: desk.account.clone(),
        subscription: Some(desk.subscription.clone()),
        paid_time: Some(desk.paid_time.clone()),
        prior,
    };
    let now = day("01-11");
    let record = |desk: &Desk, report: &ProviderCharge, prior: Option<PaidCharge>| {
        let facts = facts(desk, prior);
        desk.policy.record_charge_payment(report, facts, now)
    };

    // Too little is recorded, and brings nothing.
    let short = fresh(record(&desk, &report("in_0", "19.99"), None).unwrap());
    assert_eq!(short.not_payable(), Some(NotPayable::Short));
    assert!(short.charge().is_none() && short.account().is_none() && short.grants().is_empty());
    assert_eq!(short.record().left, euros("19.99"));
    assert_eq!(short.record().not_payable.as_deref(), Some("short"));

    let whole = report("in_1", "21");
    let change = fresh(record(&desk, &whole, None).unwrap());
    assert_eq!(
        (change.record().left, change.not_payable()),
        (euros("1"), None)
    );
    assert!(change.subscription().is_none() && change.paid_time().is_none());
    assert_eq!(change.plan(), None);
    assert_eq!(
        change.account().unwrap().row().payment_method,
        PaymentMethod::BankTransfer
    );
    let due = change.grants().first().unwrap();
    let granted = desk.wallet.clone().grant_due(due, None, now).unwrap();
    desk.wallet = granted.unwrap().wallet().clone();
    assert_eq!(desk.free(), credits("1500"));
    desk.write_charge(change.charge());
    desk.account = change.account().unwrap().row().clone();

    // Sent again, it is the same; another one pays what is paid, and is for the desk.
    let kept = change.record().clone();
    let text = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<PaidCharge>(&text).unwrap(), kept);
    let again = record(&desk, &whole, Some(kept.clone())).unwrap();
    assert_eq!(again, Answer::Replayed(kept.clone()));
    let other = record(&desk, &report("in_1", "22"), Some(kept.clone()));
    assert_eq!(
        other.unwrap_err(),
        PaymentError::Conflict("in_1".to_owned())
    );
    let twice = fresh(record(&desk, &report("in_2", "20"), None).unwrap());
    assert_eq!(twice.not_payable(), Some(NotPayable::Paid));
    assert!(twice.grants().is_empty());

    // A transfer that pays it too is a deposit.
    let money = arrival("tx", "20", "CH-70", "01-12");
    let paid = fresh(desk.confirm(&money, day("01-12")).unwrap());
    assert_eq!(paid.not_payable(), Some(NotPayable::Paid));
    assert_eq!(desk.kept(), euros("20"));

    // The rows belong together, and the provider is enabled.
    let (left, right) = ("charge", "payment");
    let named = ProviderCharge {
        charge: "71".to_owned(),
        ..report("in_3", "20")
    };
    let refused = record(&desk, &named, None).unwrap_err();
    assert_eq!(refused, RowError::Mismatch { left, right }.into());
    let mut foreign = facts(&desk, None);
    foreign.account.id = 8.into();
    let (left, right) = ("charge", "account");
    let refused = desk
        .policy
        .record_charge_payment(&whole, foreign, now)
        .unwrap_err();
    assert_eq!(refused, RowError::Mismatch { left, right }.into());
    let default = Policy::default().record_charge_payment(&whole, facts(&desk, None), now);
    let soon = PaymentError::ComingSoon(PaymentMethod::Stripe);
    assert_eq!(default.unwrap_err(), soon);
}

/// A charge of another account is a mistake of the host's.
#[test]
fn b5_the_charge_is_the_accounts_own() {
    let mut desk = Desk::paid(keeping());
    let reference = desk.pack(70, day("01-10"));
    desk.charges.get_mut(&reference).unwrap().account = 8.into();
    let money = arrival("tx", "20", "CH-70", "01-10");
    let refused = desk.confirm(&money, day("01-10")).unwrap_err();
    let (left, right) = ("charge", "account");
    assert_eq!(refused, RowError::Mismatch { left, right }.into());

    // Nor is a top-up's plan in the way of a charge.
    desk.charges.get_mut(&reference).unwrap().account = 7.into();
    desk.plans[0] = Arc::new(Plan {
        id: 3.into(),
        ..support_plan(49, false)
    });
    desk.subscription.plan = 3.into();
    assert!(desk.confirm(&money, day("01-10")).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Upgrade,
    Downgrade,
    Period,
    Pack,
    Pay {
        charge: Option<usize>,
        cents: i64,
        exact: bool,
        days_ago: i64,
    },
    Retract(usize),
    Refund {
        which: usize,
        part: i64,
        ends: bool,
    },
    ApplyDeposit,
}

fn step() -> impl Strategy<Value = Step> {
    let pay = (
        prop::option::weighted(0.8, 0_usize..3),
        1_i64..9_000,
        any::<bool>(),
        0_i64..6,
    );
    prop_oneof![
        2 => Just(Step::Upgrade),
        1 => Just(Step::Downgrade),
        1 => Just(Step::Period),
        2 => Just(Step::Pack),
        6 => pay.prop_map(|(charge, cents, exact, days_ago)| {
            Step::Pay { charge, cents, exact, days_ago }
        }),
        3 => (0_usize..8).prop_map(Step::Retract),
        1 => (0_usize..8, 1_i64..=4, any::<bool>())
            .prop_map(|(which, part, ends)| Step::Refund { which, part, ends }),
        1 => Just(Step::ApplyDeposit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is opened, paid with or without a charge, in parts or above it, left over, refunded
    /// and retracted: the books add up to the cent, each charge is paid by one transfer at the most,
    /// and what is confirmed twice changes nothing.
    #[test]
    fn b5_the_books_add_up_with_charges(
        steps in prop::collection::vec((step(), 0_i64..200), 1..24),
        overpayment in prop::sample::select(vec![
            Overpayment::Note, Overpayment::Deposit, Overpayment::NextPeriods,
        ]),
        tolerance in prop::option::of(1_i64..500),
        at_once in any::<bool>(),
    ) {
        let cents = |cents: i64| {
            Money::new(Decimal::try_new(cents, 2).unwrap(), Currency::EUR).unwrap()
        };
        let mut desk = Desk::paid(PolicySettings {
            overpayment,
            transfer_tolerance: tolerance.map(cents),
            upgrades: if at_once { Upgrades::AtOnce } else { Upgrades::PaidFirst },
            ..PolicySettings::default()
        });
        let mut now = day("01-01");
        for (number, (step, hours)) in (100_i64..).zip(steps) {
            now += TimeDelta::try_hours(hours).unwrap();
            match step {
                Step::Upgrade => drop(desk.upgrade(number, now)),
                Step::Downgrade => drop(desk.downgrade(number, now)),
                Step::Period => drop(desk.period(number, now)),
                Step::Pack => drop(desk.pack(number, now)),
                Step::Pay { charge, cents: amount, exact, days_ago } => {
                    let charges: Vec<Charge> = desk.charges.values().cloned().collect();
                    // An open one, if there is any; else one that is decided.
                    let mut open: Vec<&Charge> = charges.iter().collect();
                    open.sort_by_key(|charge| charge.state != ChargeState::Open);
                    let named = charge.and_then(|which| open.get(which).copied());
                    let due = named.map_or(desk.plan().price, |charge| charge.amount);
                    let amount = if exact && !due.is_zero() { due } else { cents(amount) };
                    let reference = named.map(Charge::reference).unwrap_or_default();
                    let arrival = Arrival {
                        transaction: &format!("tx-{number}"),
                        amount,
                        text: &reference,
                        booked: now - TimeDelta::try_days(days_ago).unwrap(),
                    };
                    let before = desk.clone();
                    match desk.confirm(&arrival, now) {
                        Err(ConfirmError::Refused(_)) if named.is_none() => continue,
                        Err(error) => panic!("{error:?}"),
                        Ok(answer) => {
                            let change = fresh(answer);
                            prop_assert_eq!(change.not_payable().is_some(),
                                named.is_some() && change.charge().is_none());
                            if change.not_payable().is_some() {
                                prop_assert_eq!(&desk.subscription, &before.subscription);
                                prop_assert_eq!(&desk.paid_time, &before.paid_time);
                                prop_assert_eq!(change.record().noted, cents(0));
                            }
                        }
                    }
                    let after = format!("{desk:?}");
                    let again = desk.confirm(&arrival, now).unwrap();
                    prop_assert!(matches!(again, Answer::Replayed(_)));
                    prop_assert_eq!(format!("{desk:?}"), after);
                }
                Step::Retract(which) => {
                    let which = which % desk.records.len();
                    match desk.retract(which, now) {
                        Ok(()) | Err(
                            RetractionError::LaterPaid
                            | RetractionError::DepositUsed { .. }
                            | RetractionError::Refunded { .. },
                        ) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                Step::Refund { which, part, ends } => {
                    let which = which % desk.records.len();
                    let arrived = desk.records[which].transfer.amount().amount();
                    let total = (arrived * Decimal::from(part) / Decimal::from(4)).round_dp(2);
                    let refund = TransferRefund {
                        total: Money::new(total, Currency::EUR).unwrap(),
                        then: if ends { AfterRefund::EndService } else { AfterRefund::KeepService },
                    };
                    match desk.refund(which, refund, now) {
                        Ok(()) | Err(
                            TransferRefundError::BelowRefunded { .. }
                            | TransferRefundError::LaterPaid
                            | TransferRefundError::Unattributed
                            | TransferRefundError::Retracted,
                        ) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                Step::ApplyDeposit => desk.apply_deposit(now),
            }
            desk.check_books();
            prop_assert_eq!(desk.subscription.paid_until, desk.paid_time.paid_until());
        }
    }
}
